"""``caffe.draw``: a net as a picture, drawn by `deepdream.draw`.

Source: ``python/caffe/draw.py`` of BVLC/caffe 1.0, which writes what Graphviz can; here it is SVG
or PNG.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import DeepDreamError, ParameterError

# pycaffe's default is a PNG, which Graphviz would draw.
_DEFAULT = "svg"


def draw_net(
    caffe_net: Any,
    rankdir: str = "TB",
    ext: str = _DEFAULT,
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """Return the picture of a net.

    Parameters
    ----------
    caffe_net : NetParameter
        As read from a prototxt. It need not be one that can be built: of training nets and of
        unknown layer types the boxes lack their shapes.
    rankdir : str
        Ignored: nets are drawn from top to bottom.
    ext : str
        ``"svg"`` or ``"png"``.
    phase : int, optional
        `caffe.TRAIN` or `caffe.TEST`: layers that only the other has are left out. Without it all
        layers are drawn.
    display_lrm : bool
        Ignored: learning rates are not drawn.

    Returns
    -------
    bytes
        SVG in UTF-8, or a PNG file.

    Raises
    ------
    ParameterError
        `ext` is neither ``"svg"`` nor ``"png"``.
    PrototxtError
        Rules for phases contradict each other.
    """
    if ext.lower() not in (_DEFAULT, "png"):
        raise ParameterError(f"ext is {ext!r}: nets are drawn as 'svg' or 'png'.")
    drawing = _draw(caffe_net, phase)
    return bytes(drawing.png()) if ext.lower() == "png" else str(drawing.svg).encode()


def draw_net_to_file(
    caffe_net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write the picture of a net into an SVG or PNG file; parameters as for `draw_net`.

    Raises
    ------
    ParameterError
        The name ends neither in ``.svg`` nor in ``.png``.
    WriteError
        The file cannot be written.
    """
    _draw(caffe_net, phase).save(filename)


def __getattr__(name: str) -> Any:
    if name == "get_pydot_graph":
        raise AttributeError(
            "caffe.draw.get_pydot_graph is not part of deepdream.caffe: nothing is drawn by "
            "Graphviz; draw_net returns SVG or PNG"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _draw(caffe_net: Any, phase: int | None) -> Any:
    from ..drawing.diagram import draw
    from ..drawing.sketch import Sketch
    from ..reading.upgrade import upgrade
    from ..running.graph import TEST, Graph, read_wired
    from ..running.wiring import filter_net

    message, one = upgrade(caffe_net), TEST if phase is None else phase
    kept = filter_net(message, one)
    own = any(layer.type == "Python" for layer in kept.layer)  # to draw is not to run their code
    if own or phase is None and len(kept.layer) < len(message.layer):
        return draw(Sketch(message if phase is None else kept))
    try:
        source, wired = read_wired(kept, one)
        return draw(Sketch(kept) if wired.left_out else Graph(source, wired, one))
    except DeepDreamError:
        return draw(Sketch(kept))
