"""Dreaming: a net and a picture in, a picture out.

What grows is in `objectives`, how steps are taken in `ascent`, what pictures are made of in
`pictures`. Here is who decides: `dream` is the algorithm with its defects mended, on a net that is
made ready by `prepared`; `dream2015` the notebook's own functions; `frames` the zoom loop.
`styles`, `schedules` and `parameters` say by which numbers, `steps` tells where a dream stands.
"""
