"""One dream for many pictures.

`sources` tells which files are meant, and how the dreams are named; `make` makes what is missing.
"""
