"""Nets as tables and diagrams, for people to look at.

`boxes` tells what is to be seen of a net: one box for each layer, with the layers that work in
place on its blob. `table` writes boxes as HTML, `layout` finds a place for each of them, `diagram`
draws them as SVG, `raster` makes pixels of that. Nothing is run, and nothing needs another program.
"""
