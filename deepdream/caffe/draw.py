"""``caffe.draw``: a net as a picture, drawn by `deepdream.draw`.

Source: ``python/caffe/draw.py`` of BVLC/caffe 1.0, which writes what Graphviz can; here it is SVG.
"""

from __future__ import annotations

import os
from typing import Any


def draw_net(caffe_net: Any, rankdir: str = "TB", ext: str = "svg", phase: Any = None) -> bytes:
    """Return the picture of a net.

    Parameters
    ----------
    caffe_net : NetParameter
        As read from a prototxt.
    rankdir : str
        Ignored: nets are drawn from top to bottom.
    ext : str
        ``"svg"``.
    phase : int, optional
        `caffe.TRAIN` or `caffe.TEST` (default): layers that the other has are left out.

    Raises
    ------
    ParameterError
        `ext` is not ``"svg"``.
    """
    from ..errors import ParameterError

    if ext.lower() != "svg":
        raise ParameterError(f"ext is {ext!r}: nets are drawn as 'svg'.")
    return str(_draw(caffe_net, phase).svg).encode()


def draw_net_to_file(
    caffe_net: Any, filename: str | os.PathLike[str], rankdir: str = "TB", phase: Any = None
) -> None:
    """Write the picture of a net into an SVG file; parameters as for `draw_net`.

    Raises
    ------
    ParameterError
        The name does not end in ``.svg``.
    WriteError
        The file cannot be written.
    """
    _draw(caffe_net, phase).save(filename)


def _draw(caffe_net: Any, phase: Any) -> Any:
    from ..drawing.diagram import draw
    from ..running.graph import Graph, read_wired

    phase = 1 if phase is None else phase
    source, wired = read_wired(caffe_net, phase)
    return draw(Graph(source, wired, phase))
