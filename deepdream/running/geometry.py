"""What a layer sees: stride and receptive field of every blob, and its shape.

The numbers follow from the layers' windows alone. A layer that looks through a window of
``kernel`` pixels, ``stride`` apart, at a blob whose own positions are ``s`` pixels apart and see
``f`` pixels each, makes a blob with stride ``s * stride`` and field ``f + (kernel - 1) * s``. Where
branches meet, the largest field counts. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .sizes import shapes_by_size

Pair = tuple[int, int]


@dataclass(frozen=True)
class View:
    """How one blob looks at the picture, along height and width.

    Attributes
    ----------
    layer, type : str
        The layer that makes the blob (the first one, before any in place), and its type.
    blob : str
        The blob's name.
    shape : tuple of int
        The blob's shape.
    stride : (int, int) or None
        Pixels of the picture between neighbouring positions; None where a position sees the whole
        picture.
    field : (int, int) or None
        Pixels of the picture that one position depends on.
    """

    layer: str
    type: str
    blob: str
    shape: tuple[int, ...]
    stride: Optional[Pair]  # noqa: UP045 (a dataclass annotation is evaluated by Sphinx)
    field: Optional[Pair]  # noqa: UP045


def views(net: Any, inputs: Mapping[str, Sequence[int]] | None = None) -> dict[str, View]:
    """Return what every blob of a net sees.

    Parameters
    ----------
    net : Net
        Of this package (layers with windows).
    inputs : mapping of str to sequence of int, optional
        Shapes of the inputs; by default those that the net has.

    Returns
    -------
    dict of str to View
        By blob, in the order of running, without those of layers that take neither the picture's
        size nor a larger one. Where they take only larger ones, shapes are those of the picture as
        it goes through the net, continued to the next of them.
    """
    shapes, beyond = shapes_by_size(net, inputs)
    shapes = {**shapes, **{blob: s for _, made in beyond for blob, s in made.items()}}
    found: dict[str, View] = {}
    for name, layer in zip(net._layer_names, net._layers):
        if any(blob not in found for blob in net.bottom_names[name]):
            continue
        bottoms = [found[blob] for blob in net.bottom_names[name] if blob in found]
        tops = net.top_names[name]
        stride, field = _through(layer, bottoms)
        for blob in tops:
            if blob not in shapes:
                continue
            first = found.get(blob)
            made_by, made_as = (first.layer, first.type) if first else (name, layer.type)
            found[blob] = View(made_by, made_as, blob, shapes[blob], stride, field)
    return found


def _through(layer: Any, bottoms: Sequence[View]) -> tuple[Pair | None, Pair | None]:
    """Return stride and field of a layer's tops."""
    if not bottoms:
        return (1, 1), (1, 1)
    window = layer.window()
    if window is None:
        return None, None
    # Crop's second bottom only lends its size.
    read = bottoms[:1] if layer.type == "Crop" else bottoms
    if any(view.stride is None or view.field is None for view in read):
        return None, None
    strides = [view.stride for view in read if view.stride]
    fields = [view.field for view in read if view.field]
    stride = tuple(max(s[axis] for s in strides) for axis in (0, 1))
    field = tuple(
        max(f[axis] + (window.kernel[axis] - 1) * s[axis] for f, s in zip(fields, strides))
        for axis in (0, 1)
    )
    made = (stride[0] * window.stride[0], stride[1] * window.stride[1])
    return made, (field[0], field[1])
