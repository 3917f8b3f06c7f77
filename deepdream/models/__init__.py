"""Models: networks that are known by name, and where their weights are.

`load` is the door: a name or a pair of files in, a net that can dream out.
"""
