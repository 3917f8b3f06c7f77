"""What is to be seen of a net: layers without the wiring between them.

Caffe's own Split layers are lines here. A layer that works in place belongs to the layer that made
the blob, because one cannot look at the blob between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnknownLayerError
from ..running.geometry import Pair, View, views
from ..running.graph import graph_of

# What a convolution's output goes through, value by value or channel by channel.
_POINTWISE = {
    "AbsVal", "BN", "BNLL", "BatchNorm", "Bias", "Clip", "Dropout", "ELU", "Exp", "Log", "PReLU",
    "Power", "ReLU", "ReLU6", "Scale", "Sigmoid", "SpatialDropout", "Swish", "TanH",
}  # fmt: skip


@dataclass(frozen=True)
class Folded:
    """A layer inside another one's box: its name, its type, and the name of its own blob, if any.

    `blob` is empty where the layer works in place.
    """

    name: str
    type: str
    blob: str = ""


@dataclass
class Box:
    """One layer of a net, as it is shown.

    Attributes
    ----------
    name, type : str
        Of the layer.
    words : str
        What it does: ``"Convolution 3×3, stride 2"``.
    pad : str
        ``"pad 3"``, or empty.
    kind : str
        ``"input"``, ``"convolution"``, ``"pooling"``, ``"normalization"``, ``"join"``, ``"dense"``
        or ``"other"``.
    view : View or None
        Shape, stride and receptive field of its (first) blob; None where the net cannot take its
        present size so far.
    folded : list of Folded
        The layers that follow inside the box, in their order.
    reads : list of int
        Numbers of the boxes whose blobs it reads, ascending; all are smaller than its own.
    """

    name: str
    type: str
    words: str
    pad: str
    kind: str
    view: View | None
    folded: list[Folded] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)

    @property
    def shape(self) -> str:
        """Channels, rows and columns of the blob: ``"64×112×112"``."""
        return "" if self.view is None else "×".join(map(str, self.view.shape[1:]))

    @property
    def stride(self) -> str:
        """Pixels between neighbours: ``"8"``, ``"8×4"`` (across, down), or ``"all"``."""
        return "" if self.view is None else pair(self.view.stride)

    @property
    def field_of_view(self) -> str:
        """Pixels that one position sees: ``"91"``, or ``"all"``."""
        return "" if self.view is None else pair(self.view.field)

    @property
    def targets(self) -> list[str]:
        """Layers in the box whose names are blobs: what `end` may be."""
        own = [self.name] if self.view is not None and self.view.blob == self.name else []
        return own + [layer.name for layer in self.folded if layer.blob == layer.name]


def pair(value: Pair | None, times: str = "×") -> str:
    """Return two numbers, height and width, as one where they are equal, else width first."""
    if value is None:
        return "all"
    return str(value[0]) if value[0] == value[1] else f"{value[1]}{times}{value[0]}"


def boxes(
    net: Any,
    inputs: Mapping[str, Sequence[int]] | None = None,
    *,
    fold_pointwise: bool = False,
) -> list[Box]:
    """Return the boxes of a net, in the order of running.

    Parameters
    ----------
    net : Net, Graph or caffe.Net
        From `deepdream.load_net`.
    inputs : mapping of str to sequence of int, optional
        Shapes of the inputs; by default those that the net has.
    fold_pointwise : bool
        Put activations and the like into the box before them even where they have a blob of their
        own, if nothing else reads what is between.

    Raises
    ------
    ParameterError
        Another kind of net.
    """
    net = graph_of(net)
    seen = views(net, inputs)
    readers: dict[str, int] = {}
    wiring = list(zip(net._layer_names, net._layers, net._bottom_names, net._top_names))
    for _, _, bottoms, _ in wiring:
        for blob in bottoms:
            readers[blob] = readers.get(blob, 0) + 1

    made: list[Box] = []
    maker: dict[str, int] = {}  # blob to box
    copies: set[str] = set()  # blobs that a Split has made
    for name, layer, bottoms, tops in wiring:
        if layer.type == "Split":
            maker.update((blob, maker[bottoms[0]]) for blob in tops)
            copies.update(tops)
            continue
        box = None if len(bottoms) != 1 or len(tops) != 1 else made[maker[bottoms[0]]]
        if box is not None and box.kind != "input" and bottoms[0] not in copies:
            if tops == bottoms:
                box.folded.append(Folded(name, layer.type))
                continue
            if fold_pointwise and layer.type in _POINTWISE and readers[bottoms[0]] == 1:
                box.folded.append(Folded(name, layer.type, tops[0]))
                maker[tops[0]] = maker[bottoms[0]]
                continue
        view = seen.get(tops[0]) if tops else None
        reads = sorted({maker[blob] for blob in bottoms})
        made.append(Box(name, layer.type, *_words(layer), view, [], reads))
        maker.update((blob, len(made) - 1) for blob in tops)
    return made


def find_target(net: Any, made: list[Box], end: str | None) -> str:
    """Return the layer that is to be marked, or an empty string.

    Parameters
    ----------
    net : Graph
    made : list of Box
        From `boxes`.
    end : str or None
        What the user asks for; without it the layer recommended for the model, or none.

    Raises
    ------
    UnknownLayerError
        `end` is no layer with a blob of its own.
    """
    if end is None:
        model = getattr(net, "model", None)
        if model is not None:
            return str(model.end)
        end = "inception_4c/output"  # the notebook's, where there is one
        return end if any(end in box.targets for box in made) else ""
    if not any(end in box.targets for box in made):
        graph_of(net).layer_index(end)  # says which names are near
        within = next((b for b in made if any(f.name == end for f in b.folded)), None)
        instead = f": end='{within.name}' is the blob it works on" if within else ""
        raise UnknownLayerError(f"layer '{end}' has no blob of its own{instead}")
    return end


def _words(layer: Any) -> tuple[str, str, str]:
    """Return what a layer does, its padding, and its kind."""
    words, kind = _words_and_kind(layer)
    pad = tuple(getattr(layer, "pad", None) or ())
    if not any(pad):
        return words, "", kind
    return words, f"pad {pad[0] if len(set(pad)) == 1 else '×'.join(map(str, pad))}", kind


def _words_and_kind(layer: Any) -> tuple[str, str]:
    kind = getattr(layer, "same_as", "") or layer.type
    if kind in ("Convolution", "Deconvolution"):
        words = kind
        if layer.group > 1 and layer.group == layer.num_output:
            words = f"Depthwise {kind.lower()}"
        words += f" {'×'.join(map(str, layer.kernel))}{_stride(layer.stride)}"
        if 1 < layer.group < layer.num_output:
            words += f", {layer.group} groups"
        if any(step > 1 for step in layer.dilation):
            words += f", dilation {layer.dilation[0]}"
        return words, "convolution"
    if kind == "Pooling":
        how = {layer.MAX: "Max", layer.AVE: "Average"}.get(layer.method, "Stochastic")
        if layer.kernel is None:
            return f"{how} pooling, global", "pooling"
        return f"{how} pooling {'×'.join(map(str, layer.kernel))}{_stride(layer.stride)}", "pooling"
    if kind == "Eltwise":
        how = {layer.SUM: "sum", layer.PROD: "product"}.get(layer.operation, "maximum")
        return f"Eltwise {how}", "join"
    if kind in ("Concat", "Crop", "Slice"):
        return kind, "join"
    if kind in ("LRN", "MVN", "BN", "BatchNorm", "Normalize", "Scale", "Bias"):
        return kind, "normalization"
    if kind in ("InnerProduct", "Softmax"):
        return {"InnerProduct": "Inner product"}.get(kind, kind), "dense"
    return kind, "input" if kind in ("Input", "DummyData", "MemoryData", "Data") else "other"


def _stride(stride: Any) -> str:
    steps = tuple(stride)
    if all(step == 1 for step in steps):
        return ""
    return f", stride {steps[0] if len(set(steps)) == 1 else '×'.join(map(str, steps))}"
