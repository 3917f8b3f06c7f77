"""What a gallery shows: layers, or channels of one layer, with what is known of them.

A layer can be dreamt at where it has a blob of its own with rows and columns. Layers that work in
place have none, the network's inputs are pictures already, and behind an inner product or a global
pooling there are no positions any more.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Any, Optional

from ..drawing.boxes import Box, boxes
from ..dreaming.dream2015 import input_name
from ..errors import ParameterError, UnknownLayerError, nearest
from ..models.registry import DEFAULT_MODEL
from ..running.geometry import views
from ..running.graph import graph_of

Pair = tuple[int, int]

# Receptive fields up to which a layer counts as low, and as middle, in pixels. About where strokes
# become patterns, and patterns parts of things: GoogLeNet's 3a and 4a, VGG's conv3 and conv5.
LOW, MID = 32, 160

# Work for one value of a blob besides its multiplications, in multiplications: memory is slow.
_VALUE = 30


@dataclass(frozen=True)
class Target:
    """One thing to dream at.

    Attributes
    ----------
    layer : str
        For `end`.
    channel : int or None
        The only channel that is to grow; None is all of them.
    stem : str
        File name without its ending: ``"inception_4d_3x3_reduce"``.
    type : str
        The layer's type.
    shape : (int, int, int) or None
        Channels, rows and columns of the blob for the gallery's picture (or for what goes through
        the net of it, see `geometry.views`); None where it does not get there.
    stride, field : (int, int)
        Down and across, in pixels of the picture; see `geometry.View`.
    look : str
        What dreams of it look like, as far as the registry knows.
    cost : float
        Work of one step at full size, in multiplications; only good for comparing targets.
    order : int
        Place of the layer in the network.
    """

    layer: str
    channel: Optional[int]  # noqa: UP045 (a dataclass annotation is evaluated by Sphinx)
    stem: str
    type: str
    shape: Optional[tuple[int, ...]]  # noqa: UP045
    stride: Pair
    field: Pair
    look: str = ""
    cost: float = 1.0
    order: int = 0

    @property
    def section(self) -> str:
        """``"low"``, ``"mid"`` or ``"high"``, by the receptive field."""
        widest = max(self.field)
        return "low" if widest <= LOW else "mid" if widest <= MID else "high"


def find_targets(
    net: Any, size: Pair, layers: str | None = "*", channels: str | Sequence[int] | None = None
) -> list[Target]:
    """Return what a gallery is to show, in the order of running.

    Parameters
    ----------
    net : Net, Graph or caffe.Net
        From `deepdream.load_net`.
    size : (int, int)
        Height and width of the picture.
    layers : str or None
        Patterns as in a shell, ``"inception_4*"``, several separated by commas; numbers are whole:
        ``"block1*"`` is not ``block10/output``. None: what is worth a picture, see `worth_it`.
    channels : str or sequence of int, optional
        Channels of the one layer that `layers` names: ``"0-15,40"``, ``"all"``, or numbers.

    Returns
    -------
    list of Target
        One at least, none twice.

    Raises
    ------
    UnknownLayerError
        A pattern that fits no layer one can dream at; the message says which does.
    ParameterError
        Channels of several layers, or channels that the layer does not have.
    """
    model = getattr(net, "model", None)
    looks = model.layers if model else {}
    name = str(model.name if model else getattr(net, "name", ""))
    net = graph_of(net)
    made = boxes(net)
    named = {name: box for box in made if box.kind != "input" for name in box.targets}
    spatial = {name: box for name, box in named.items() if _has_positions(box)}
    if layers is None:
        chosen = [layer for layer in spatial if layer in worth_it(made, getattr(model, "end", ""))]
    else:
        chosen = _choose(net, layers, spatial, made, _Known(name, model is not None, [*looks]))
    here = views(net, {input_name(net): (1, 3, *size)})
    usual = views(net)
    costs = _costs(net, made, here, usual)
    stems = dict(zip(spatial, file_stems(spatial)))
    whole = []
    for name in chosen:
        view, seen = usual[name], here.get(name)
        shape = seen.shape[1:] if seen is not None and all(seen.shape) else None
        assert view.stride is not None
        assert view.field is not None
        whole.append(
            Target(name, None, stems[name], view.type, shape,
                   view.stride, view.field, looks.get(name, ""), costs[name],
                   net.layer_index(name))
        )  # fmt: skip
    if channels is None:
        return whole
    if len(whole) != 1:
        some = ", ".join(repr(target.layer) for target in whole[:3])
        raise ParameterError(
            "channels are those of one layer, "
            + (f"but '{layers}' fits {len(whole)}" if layers else "and layers= names none")
            + f": name one, as {some} ..."
        )
    return _channels(whole[0], channels, usual[whole[0].layer].shape[1], set(stems.values()))


def left_out(net: Any) -> list[str]:
    """Return the layers with blobs of their own that have no rows and columns to dream on."""
    return [
        name
        for box in boxes(net)
        for name in box.targets
        if box.kind != "input" and not _has_positions(box)
    ]


def _has_positions(box: Box) -> bool:
    view = box.view
    return view is not None and len(view.shape) == 4 and view.stride is not None


@dataclass(frozen=True)
class _Known:
    """A network's name, whether it is one of the registry's, and layers worth a look."""

    name: str
    registered: bool
    layers: list[str]


def _choose(
    net: Any, layers: str, spatial: dict[str, Box], made: list[Box], known: _Known
) -> list[str]:
    """Return the layers that fit one of the patterns, in the order of running."""
    if not isinstance(layers, str) or not layers.strip(", "):
        raise ParameterError(f"layers is {layers!r}: names or patterns such as 'inception_4*'")
    if layers in spatial:  # it may have commas or brackets in its name
        return [layers]
    chosen = set()
    for pattern in (part.strip() for part in layers.split(",")):
        if not pattern:
            continue
        fits = {pattern} if pattern in spatial else _fitting(pattern, spatial)
        if not fits:
            raise UnknownLayerError(_why_none(net, pattern, spatial, made, known))
        chosen |= fits
    return [name for name in spatial if name in chosen]


def _fitting(pattern: str, names: Iterable[str]) -> set[str]:
    """Return the names that fit a pattern, in which ``*`` neither begins nor ends in a number."""
    part = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
    expression = re.compile("".join(map(_translated, part.findall(pattern))), re.DOTALL)
    return {name for name in names if expression.fullmatch(name)}


def _translated(part: str) -> str:
    """Return a part of a shell's pattern as a regular expression."""
    if part == "*":
        whole = r"(?!(?<=\d)\d)"  # not between two digits
        return f"{whole}.*{whole}"
    if part == "?":
        return "."
    if len(part) > 1:
        return re.sub(r"\\[Zz]$", "", translate(part))
    return re.escape(part)


def worth_it(made: list[Box], recommended: str = "") -> set[str]:
    """Return the layers that are worth a picture: outputs of blocks, and pools.

    Parameters
    ----------
    made : list of Box
        Of the network.
    recommended : str
        A layer that is one of them in any case.

    Returns
    -------
    set of str
        Names for `end`. Of a network without blocks and pools, all.

    Notes
    -----
    Everything that a block makes goes through its output: a box that nothing bypasses. Of these
    count the joins (Concat, Eltwise), the pools, what a pool reads (the last convolution of its
    size), and the last of the layers that have the first part of their names in common, as
    ``block1/output``. Where connections bypass all (U-Nets, SSD), joins and the pools that shrink
    count all the same.
    """
    reader = {read: number for number, box in enumerate(made) for read in box.reads}
    boxes_at = [i for i, box in enumerate(made) if box.targets and _has_positions(box)]
    latest, through = -1, set()
    for number, box in enumerate(made):
        if latest <= number and box.kind != "input":
            through.add(number)
        if box.kind != "input":
            latest = max(latest, reader.get(number, number))
    joins = {i for i in boxes_at if made[i].kind == "join"}
    pools = {i for i in boxes_at if made[i].kind == "pooling" and _shrinks(made, i)}
    found = (joins & through or joins) | (pools & through or pools)
    for i in [number for number, box in enumerate(made) if box.kind == "pooling"]:
        before = made[i].reads[0] if made[i].reads and i in found else None
        while before is not None and made[before].kind == "normalization":
            before = made[before].reads[0] if made[before].reads else None
        found |= {before} & through & {*boxes_at} if before is not None else set()
    last: dict[str, list[int]] = {}
    for i in boxes_at:
        group = made[i].name.rpartition("/")[0]
        if group and made[i].kind not in ("normalization", "input"):
            last.setdefault(group, []).append(i)
    found |= {inside[-1] for inside in last.values() if len(inside) > 1 and inside[-1] in through}
    names = {made[i].targets[-1] for i in found if made[i].kind != "input"}
    if not names:
        return {name for i in boxes_at for name in made[i].targets}
    return names | {name for box in made for name in box.targets if name == recommended}


def _shrinks(made: list[Box], number: int) -> bool:
    """Tell whether neighbours are further apart behind a box than before it."""
    view = made[number].view
    before = made[made[number].reads[0]].view if made[number].reads else None
    if view is None or before is None or view.stride is None or before.stride is None:
        return False
    return max(view.stride) > max(before.stride)


def _why_none(
    net: Any, pattern: str, spatial: dict[str, Box], made: list[Box], known: _Known
) -> str:
    within = next((b for b in made if any(f.name == pattern for f in b.folded)), None)
    if within is not None:
        return f"layer '{pattern}' works in place on '{within.name}': choose that"
    if pattern in getattr(net, "unbuilt", {}):
        return f"layer '{pattern}' cannot be built: {net.unbuilt[pattern]}: choose one before it"
    fits = _fitting(pattern, net._layer_names)
    inputs = {box.name for box in made if box.kind == "input"}
    if pattern in inputs or (fits and fits <= inputs):
        return (
            f"'{pattern}' is the picture that goes into the net, not a layer to dream at: choose "
            f"one behind it, as '{next(iter(spatial), '...')}'"
        )
    if fits:
        return (
            f"'{pattern}' fits only layers without rows and columns of their own: there is nothing "
            "to dream on"
        )
    hint = nearest(pattern, spatial) or f" It has {', '.join(_some(spatial, known))} ..."
    model = f" --model {known.name}" if known.registered else " --model PROTOTXT"
    return (
        f"no layer of {known.name or 'this net'} fits '{pattern}'.{hint} "
        f"List them with: deepdream layers{'' if known.name == DEFAULT_MODEL else model}"
    )


def _some(spatial: dict[str, Box], known: _Known) -> list[str]:
    """Return three layers: those that the registry tells most of, or some from all over the net."""
    names = [name for name in known.layers if name in spatial] or [*spatial]
    step = max(1, len(names) // 3)
    return [repr(name) for name in names[::step][:3]]


def _channels(
    target: Target, channels: str | Sequence[int], count: int, taken: set[str]
) -> list[Target]:
    numbers = parse_channels(channels, count, target.layer)
    digits = len(str(count - 1))
    stem = f"{target.stem}_channel"
    while any(f"{stem}{number:0{digits}}" in taken for number in numbers):
        stem += "_"
    return [
        Target(target.layer, number, f"{stem}{number:0{digits}}", target.type, target.shape,
               target.stride, target.field, target.look, target.cost, target.order)
        for number in numbers
    ]  # fmt: skip


def parse_channels(channels: str | Iterable[int], count: int, layer: str) -> list[int]:
    """Return channel numbers, ascending, none twice.

    Parameters
    ----------
    channels : str or iterable of int
        ``"0-15,40"``, ``"all"``, or numbers.
    count : int
        How many channels there are.
    layer : str
        For messages.

    Raises
    ------
    ParameterError
        Something else, or a number that is too large.
    """
    if channels == "all":
        return list(range(count))
    numbers: set[int] = set()
    parts = channels.split(",") if isinstance(channels, str) else list(channels)
    for part in parts:
        found = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", str(part))
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ParameterError(
                f"channels: '{part}' is neither a number nor a range such as 0-15; 'all' is all"
            )
        if last >= count:
            raise ParameterError(
                f"channels: '{layer}' has {count} channels, 0 to {count - 1}; there is no {last}"
            )
        numbers.update(range(first, last + 1))
    if not numbers:
        raise ParameterError("channels is empty: give numbers or ranges such as 0-15,40, or all")
    return sorted(numbers)


# Names that Windows keeps for devices, and what else lies in a gallery's folder.
_TAKEN = {"con", "prn", "aux", "nul", "input", "index", "gallery"}
_TAKEN |= {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
_LONGEST = 120  # bytes


def file_stems(names: Iterable[str]) -> list[str]:
    """Return a file name, without its ending, for each layer, as the community writes them.

    Parameters
    ----------
    names : iterable of str
        Layers, ``"inception_4d/3x3_reduce"``.

    Returns
    -------
    list of str
        ``"inception_4d_3x3_reduce"``: what is neither letter nor digit nor one of ``. - _`` is an
        underscore. No two are the same, even where case does not count.
    """
    stems: list[str] = []
    taken = set(_TAKEN)
    for name in names:
        plain = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", name)).strip(".") or "_"
        while len(plain.encode()) > _LONGEST:
            plain = plain[:-1]
        stem, number = plain, 2
        while stem.casefold() in taken:
            stem, number = f"{plain}_{number}", number + 1
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _costs(net: Any, made: list[Box], here: Any, usual: Any) -> dict[str, float]:
    """Return the work of a step at each layer: its own and that of all it reads from."""
    own: list[int] = []
    below: list[set[int]] = []
    for number, box in enumerate(made):
        view = here.get(box.name) or usual.get(box.name) or box.view
        values = math.prod(view.shape) if view is not None else 0
        params = net.params.get(box.name) if box.kind == "convolution" else None
        each = math.prod(params[0].shape[1:]) if params else 0  # multiplications for one value
        own.append(values * (each + _VALUE))
        below.append({number}.union(*(below[read] for read in box.reads)))
    return {
        name: float(sum(own[part] for part in parts))
        for box, parts in zip(made, below)
        for name in box.targets
    }
