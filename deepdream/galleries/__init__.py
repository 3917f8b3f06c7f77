"""Galleries: one dream for every layer of a network, in a folder, with a page to look at them.

`targets` says which layers and channels, `manifest` remembers what a folder holds, `make` dreams,
`page` writes the page, `recreate` the commands on it.
"""
