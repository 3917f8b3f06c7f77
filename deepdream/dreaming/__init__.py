"""Dreaming: a net and a picture in, a picture out.

`dream` is the algorithm with its defects mended, `dream2015` the notebook's own functions,
`frames` the zoom loop, `objectives` what grows.
"""
