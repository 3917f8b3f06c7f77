"""What a net consists of: its layers and blobs, and how they hang together.

`Graph` builds the layers that a wired description names, connects them through blobs, decides
which of them have a gradient, and can tell every shape without running anything. `net.Net` runs
it.

Source: ``Net::Init`` in ``net.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import (
    AssignmentError,
    DeepDreamError,
    OutOfMemoryError,
    ParameterError,
    PrototxtError,
    ShapeError,
    UnknownBlobError,
    UnknownLayerError,
    nearest,
)
from ..quiet import quiet
from ..reading.proto import read_prototxt
from ..reading.upgrade import upgrade
from .blob import Blob, check_shape, shapes_of
from .layers import (
    LAYERS,
    TEST,
    BlobVec,
    Layer,
    LayerVec,
    create,
    missing_module,
    unknown_type,
)
from .vectors import DtypeVec, IntVec, Named, StringVec
from .wiring import filter_net, in_head, inputs_for_lists, insert_splits, leave_out, refuse_training

Shape = tuple[int, ...]

AUTOMATIC = "(automatic)"  # what Caffe calls the top of a loss layer that has none


# Gives a description once more, without layers that cannot be built (name to reason).
Rewire = Callable[[Mapping[str, str]], Any]


class Graph:
    """Layers and blobs of a net.

    Parameters
    ----------
    source : str
        Where the description comes from, for messages.
    wired : NetParameter
        An upgraded and filtered net with its splits; see `read_wired`.
    phase : int
        0 for TRAIN, 1 for TEST.
    force_backward : bool
        Let gradients reach the inputs, whether or not there is a loss.
    device, dtype, param_diffs
        See `net.Net`.
    again : callable, optional
        Where a layer of the second half, the head, cannot be built, is asked for the description
        without the layers of its mapping (name to reason); without it that is an error.

    Attributes
    ----------
    unbuilt : dict of str to str
        The layers that cannot be built, by name, each with the reason.

    Raises
    ------
    PrototxtError, ShapeError
        No net can be built from it; the message names the layer.
    OutOfMemoryError
        The parameters alone are larger than this machine's memory.
    """

    def __init__(
        self,
        source: str,
        wired: Any,
        phase: int,
        *,
        force_backward: bool = False,
        device: str = "cpu",
        dtype: Any = np.float32,
        param_diffs: bool = True,
        again: Rewire | None = None,
    ) -> None:
        self.source = source
        self.name: str = wired.name
        self.model: Any = None  # its entry in the registry, where it has one
        self.phase = phase
        self.device = device
        self.dtype = dtype
        self._force_backward = force_backward or wired.force_backward
        self._param_diffs = param_diffs
        wired = self._build_before_head(wired, again) if again else self._build(wired)
        self.unbuilt = OrderedDict((p.name, p.not_understood[0]) for p in wired.left_out)
        self._unbuilt_blobs = {top: p.name for p in wired.left_out for top in p.top}
        self._plan_backward(wired)
        self._share_params(wired)
        self._refuse_enormous()

    # -- building -------------------------------------------------------------------------------

    def named(self, layer: int, bottoms: Sequence[Shape] = ()) -> Any:
        """Put the net's and the layer's name, and its bottoms' shapes, in front of an error."""
        shapes = f", bottom {', '.join(map(str, bottoms))}" if bottoms else ""
        where = f"layer '{self._layer_names[layer]}' ({self._layers[layer].type}){shapes}"
        return named(f"{self.source}: {where}")

    def _build_before_head(self, wired: Any, again: Rewire) -> Any:
        """Build a net, or what comes before the layers of its head that cannot be built."""
        refused: dict[str, str] = {}
        while True:
            try:
                return self._build(wired)
            except (PrototxtError, ShapeError) as error:
                i = len(self._bottoms)  # the layer that was about to be built
                param = wired.layer[i]
                if not in_head(i, len(wired.layer)) or param.name in refused:
                    raise
                reason = str(error)
                for start in (f"{self.source}: layer '{param.name}'", f" ({param.type})", ": "):
                    reason = reason[len(start) :] if reason.startswith(start) else reason
                refused[param.name] = reason
            with quiet():  # all was said the first time
                wired = again(refused)

    def _build(self, wired: Any) -> Any:
        """Make the layers and blobs of a description, and return the description."""
        self._layers: list[Layer] = []
        self._layer_names: list[str] = StringVec()
        self._bottoms: list[list[Blob]] = []
        self._tops: list[list[Blob]] = []
        self._bottom_names: list[list[str]] = []
        self._top_names: list[list[str]] = []
        self._by_name = Named("blob", "net.blobs[{name!r}].data[...] = array")
        self._made: list[tuple[str, Blob]] = []  # every blob, also those that share a name
        available: OrderedDict[str, None] = OrderedDict()
        self._input_names: list[str] = []
        for i, param in enumerate(wired.layer):
            with named(f"{self.source}: layer '{param.name}'"):
                layer = create(param, self.phase, dtype=self.dtype, device=self.device)
            self._layers.append(layer)
            self._layer_names.append(param.name)
            bottoms, tops, top_names = [], [], list(param.top)
            for name in param.bottom:
                bottoms.append(self._by_name[name])
                available.pop(name, None)
            with self.named(i):
                needed = layer.tops[0]
                named_tops = len(top_names)
                if layer.auto_tops:  # no name leads to these tops, and they are no outputs
                    top_names += [AUTOMATIC] * (needed - len(top_names))
                layer.check_counts(len(bottoms), len(top_names))
                for j, name in enumerate(top_names):
                    in_place = j < len(param.bottom) and param.bottom[j] == name
                    if name in self._by_name and not in_place and j < named_tops:
                        raise PrototxtError(f"top blob '{name}' is made by another layer too")
                    if not in_place:
                        blob = Blob(dtype=self.dtype, device=self.device)
                        self._by_name.enter(name, blob)
                        self._made.append((name, blob))
                    tops.append(self._by_name[name])
                    if j < named_tops:
                        available[name] = None
                    if param.type == "Input":
                        self._input_names.append(name)
                layer.setup(bottoms, tops)
                layer.reshape(bottoms, tops)
            self._bottoms.append(bottoms)
            self._tops.append(tops)
            self._bottom_names.append(list(param.bottom))
            self._top_names.append(top_names)
            with self.named(i):
                layer.loss_weights = _loss_weights(layer, param, len(tops))
                if len(param.param) > len(layer.blobs):
                    raise PrototxtError(
                        f"{len(param.param)} param entries for {len(layer.blobs)} parameters: "
                        "delete those beyond"
                    )
        self._output_names: list[str] = sorted(available, key=str.encode)
        return wired

    def _plan_backward(self, wired: Any) -> None:
        """Decide which layers run backward and which bottoms get a gradient."""
        needs: dict[str, bool] = {}
        self._layer_backward: list[bool] = []
        self._bottom_backward: list[list[bool]] = []
        for layer, param, bottoms, tops in zip(
            self._layers, wired.layer, self._bottom_names, self._top_names
        ):
            flags = [needs[name] for name in bottoms]
            needed = any(flags)  # whatever propagate_down says
            if len(param.propagate_down):
                if len(param.propagate_down) != len(bottoms):
                    raise PrototxtError(
                        f"{self.source}: layer '{param.name}' has {len(param.propagate_down)} "
                        f"propagate_down for {len(bottoms)} bottoms: give one for each, or none"
                    )
                flags = [bool(flag) for flag in param.propagate_down]
            for k in range(len(layer.blobs)):
                rate = param.param[k].lr_mult if k < len(param.param) else 1.0
                layer.param_diffs[k] = rate != 0
            needed = needed or any(layer.param_diffs)
            for name in tops:
                needs[name] = needed or needs.get(name, False)
            self._layer_backward.append(needed)
            self._bottom_backward.append(flags)

        under_loss: set[str] = set()
        skip: set[str] = set()
        for i in reversed(range(len(self._layers))):
            tops = self._top_names[i]
            contributes = any(
                weight or name in under_loss
                for name, weight in zip(tops, self._layers[i].loss_weights)
            )
            if self._layer_backward[i] and all(name in skip for name in tops):
                self._layer_backward[i] = False
                self._bottom_backward[i] = [False] * len(self._bottom_backward[i])
            if not contributes:
                self._layer_backward[i] = False
            for j, name in enumerate(self._bottom_names[i]):
                if contributes:
                    under_loss.add(name)
                else:
                    self._bottom_backward[i][j] = False
                if not self._bottom_backward[i][j]:
                    skip.add(name)

        if self._force_backward:
            for i, layer in enumerate(self._layers):
                self._layer_backward[i] = True
                self._bottom_backward[i] = [
                    flag or layer.allow_force_backward(j)
                    for j, flag in enumerate(self._bottom_backward[i])
                ]
                layer.param_diffs = [True] * len(layer.blobs)
        if not self._param_diffs:
            for layer in self._layers:
                layer.param_diffs = [False] * len(layer.blobs)

    def _share_params(self, wired: Any) -> None:
        """Let parameters of one name (``param { name: "w" }``) be one memory."""
        owners: dict[str, tuple[Blob, dict[str, float]]] = {}
        for i, (layer, param) in enumerate(zip(self._layers, wired.layer)):
            for blob, spec in zip(layer.blobs, param.param):
                if not spec.name:
                    continue
                owner, rates = owners.setdefault(spec.name, (blob, {}))
                for rate in ("lr_mult", "decay_mult"):
                    if not spec.HasField(rate):
                        continue
                    first = rates.setdefault(rate, getattr(spec, rate))
                    if getattr(spec, rate) != first:
                        raise PrototxtError(
                            f"{self.source}: layer '{self._layer_names[i]}' gives parameter "
                            f"'{spec.name}' {rate} {getattr(spec, rate):g}, a layer before it "
                            f"{first:g}: what is shared has one"
                        )
                if owner is blob:
                    continue
                permissive = spec.share_mode == 1
                if owner.count != blob.count or (owner.shape != blob.shape and not permissive):
                    raise PrototxtError(
                        f"{self.source}: layer '{self._layer_names[i]}' shares parameter "
                        f"'{spec.name}' of shape {tuple(owner.shape)}, but needs "
                        f"{tuple(blob.shape)}"
                    )
                blob.share_data(owner)
                blob.share_diff(owner)

    def _refuse_enormous(self) -> None:
        """Refuse parameters larger than the machine's memory before any of it is taken."""
        size = np.dtype(self.dtype).itemsize
        needed = size * sum(blob.count for layer in self._layers for blob in layer.blobs)
        try:
            owned = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):
            return
        if needed > owned:
            raise OutOfMemoryError(
                f"{self.source}: the parameters need {needed / 2**30:.0f} GiB, this machine has "
                f"{owned / 2**30:.0f} GiB: check num_output and kernel sizes in the prototxt"
            )

    # -- what pycaffe shows ---------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _READ_ONLY:
            raise AssignmentError(f"net.{name} cannot be assigned: {_READ_ONLY[name]}")
        object.__setattr__(self, name, value)

    @property
    def inputs(self) -> list[str]:
        """Names of the blobs that Input layers make."""
        return self._input_names

    @property
    def outputs(self) -> list[str]:
        """Names of the blobs that no layer reads, sorted by their bytes."""
        return self._output_names

    @property
    def blobs(self) -> OrderedDict[str, Blob]:
        """Every blob by name, in the order of their making; splits included."""
        return self._by_name

    @cached_property
    def layers(self) -> list[Any]:
        """Every layer in the order of running, splits included; of Python layers the object."""
        return LayerVec(getattr(layer, "code", layer) for layer in self._layers)

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """Layer name to its parameter blobs, weights before bias; layers without are left out."""
        return Named(
            "layer with parameters",
            "net.params[{name!r}][0].data[...] = array",
            (
                (name, layer.blobs)
                for name, layer in zip(self._layer_names, self._layers)
                if layer.blobs
            ),
        )

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        """Layer name to layer; of layers with one name, the last."""
        return OrderedDict(zip(self._layer_names, self.layers))

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        """Layer name to the names of its tops."""
        return OrderedDict(zip(self._layer_names, self._top_names))

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        """Layer name to the names of its bottoms; splits as they are wired."""
        return OrderedDict(zip(self._layer_names, self._bottom_names))

    @cached_property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Blob name to the weight with which it enters the loss (0 for most)."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights))

    @property
    def _blobs(self) -> BlobVec:
        return BlobVec(blob for _, blob in self._made)

    @property
    def _blob_names(self) -> list[str]:
        return StringVec(name for name, _ in self._made)

    @property
    def _blob_loss_weights(self) -> list[float]:
        weights: list[float] = DtypeVec([0.0] * len(self._made))
        for layer, tops in zip(self._layers, self._tops):
            for i, weight in zip(self._ids(tops), layer.loss_weights):
                weights[i] = weight
        return weights

    @property
    def _inputs(self) -> list[int]:
        return self._ids(self._by_name[name] for name in self.inputs)

    @property
    def _outputs(self) -> list[int]:
        return self._ids(self._by_name[name] for name in self.outputs)

    def _top_ids(self, i: int) -> list[int]:
        return self._ids(self._tops[i])

    def _bottom_ids(self, i: int) -> list[int]:
        return self._ids(self._bottoms[i])

    def _ids(self, blobs: Iterable[Blob]) -> list[int]:
        """Return the numbers of blobs in the order of their making."""
        numbers = {id(blob): i for i, (_, blob) in enumerate(self._made)}
        return IntVec(numbers[id(blob)] for blob in blobs)

    # -- looking up -----------------------------------------------------------------------------

    def layer_index(self, name: str) -> int:
        """Return the number of the first layer called `name`.

        Raises
        ------
        UnknownLayerError
            There is none; the message offers the nearest names.
        """
        try:
            return self._layer_names.index(name)
        except ValueError:
            pass
        if name in self.unbuilt:
            raise UnknownLayerError(
                f"layer '{name}' of {self.source} cannot be built: {self.unbuilt[name]}. Choose a "
                "layer before it"
            )
        for layer, tops in self.top_names.items():
            if name in tops:
                hint = f" It is a blob, made by layer '{layer}'."
                break
        else:
            hint = nearest(str(name), self._layer_names) or " List them with: list(net.top_names)"
        raise UnknownLayerError(f"no layer named '{name}' in {self.source}.{hint}")

    def blob(self, name: str) -> Blob:
        try:
            return self._by_name[name]
        except KeyError:
            layer = self._unbuilt_blobs.get(name)
            if layer is not None:
                raise UnknownBlobError(
                    f"blob '{name}' of {self.source} is made by layer '{layer}', which cannot be "
                    f"built: {self.unbuilt[layer]}"
                ) from None
            raise UnknownBlobError(
                f"no blob named '{name}' in {self.source}.{nearest(name, self._by_name)}"
            ) from None

    def infer_shapes(
        self,
        inputs: Mapping[str, Sequence[int]] | None = None,
        end: str | None = None,
        *,
        strict: bool = True,
    ) -> dict[str, Shape]:
        """Tell the blobs' shapes for these input shapes, without touching a blob.

        Parameters
        ----------
        inputs : mapping of str to sequence of int, optional
            Shapes of input blobs; those not given keep the shape they have.
        end : str, optional
            Last layer to look at.
        strict : bool
            Where a layer cannot take its bottoms, raise; otherwise leave out its tops, and what is
            made of them.

        Returns
        -------
        dict of str to tuple of int
            In the order of running.

        Raises
        ------
        ShapeError
            A layer cannot take its bottoms' shapes; the message names it.
        UnknownLayerError, UnknownBlobError
            `end` is no layer, an input no blob.
        """
        shapes: dict[str, Shape] = {}
        given = {name: tuple(shape) for name, shape in (inputs or {}).items()}
        for name in given:
            self.blob(name)
        last = len(self._layers) - 1 if end is None else self.layer_index(end)
        for i, layer in enumerate(self._layers[: last + 1]):
            if any(name not in shapes for name in self._bottom_names[i]):
                continue
            bottoms = [shapes[name] for name in self._bottom_names[i]]
            if bottoms:
                try:
                    with self.named(i, bottoms):
                        tops = [check_shape(shape) for shape in layer.top_shapes(bottoms)]
                        self.misplaced(i, tops, shapes, strict=True)
                except ShapeError:
                    if strict:
                        raise
                    for name in self._top_names[i]:  # also one that it works on in place
                        shapes.pop(name, None)
                    continue
            else:
                tops = shapes_of(self._tops[i])
            for name, shape in zip(self._top_names[i], tops):
                shapes[name] = given.get(name, shape)
        return shapes

    def misplaced(
        self, i: int, tops: Sequence[Shape], shapes: Mapping[str, Shape], strict: bool = False
    ) -> tuple[int, ...]:
        """Tell along which axes a layer's places belong to a picture of another size than its top.

        Parameters
        ----------
        i : int
            The layer's number.
        tops : sequence of tuple of int
            The shapes that it gives its tops.
        shapes : mapping of str to tuple of int
            Those of the blobs before it.
        strict : bool
            Raise instead.

        Returns
        -------
        tuple of int
            Of 2 (rows) and 3 (columns); none where the sizes agree, and for layers without places.

        Raises
        ------
        ShapeError
            They do not agree, and `strict`.
        """
        found = self._pooled.get(i)
        there = shapes.get(found) if found is not None else None
        if there is None:
            return ()
        axes = tuple(axis for axis in (2, 3) if tops[0][axis] != there[axis])
        if axes and strict:
            raise ShapeError(
                f"a top of {tops[0][2:]} is made where the pooling that found the places had "
                f"{there[2:]}"
            )
        return axes

    @cached_property
    def _pooled(self) -> dict[int, str]:
        """The layers that put values at a maximum's places, and the blob that it was found in."""
        found: dict[int, str] = {}
        for i, layer in enumerate(self._layers):
            if layer.type not in ("Unpooling", "Upsample") or len(self._bottoms[i]) < 2:
                continue
            name = self._bottom_names[i][1]
            for j in range(i - 1, -1, -1):
                if name not in self._top_names[j]:
                    continue
                if self._layers[j].type == "Split":
                    name = self._bottom_names[j][0]
                    continue
                if self._layers[j].type == "Pooling" and self._top_names[j].index(name) == 1:
                    found[i] = self._bottom_names[j][0]
                break
        return found


def _loss_weights(layer: Layer, param: Any, tops: int) -> list[float]:
    """Return how much each top counts in the loss.

    Raises
    ------
    PrototxtError
        The prototxt gives another number of weights than there are tops.
    """
    if not len(param.loss_weight):
        return [layer.default_loss_weight(j) for j in range(tops)]
    if len(param.loss_weight) != tops:
        raise PrototxtError(
            f"{len(param.loss_weight)} loss_weight for {tops} tops: give one for each, or none"
        )
    return list(param.loss_weight)


_WIRING = "the prototxt says how layers and blobs hang together"
_READ_ONLY = {
    "inputs": "the prototxt says what they are; write net.blobs['data'].data[...] = array",
    "outputs": "they are the blobs that no layer reads",
    "blobs": "write values, as in net.blobs['data'].data[...] = array",
    "params": "write values, as in net.params['conv1'][0].data[...] = array",
    "layers": "they are those of the prototxt",
    "layer_dict": "they are those of the prototxt",
    "top_names": _WIRING,
    "bottom_names": _WIRING,
    "blob_loss_weights": "write the diff of the loss, or loss_weight in the prototxt",
}


# What PyTorch says: "CUDA out of memory", "DefaultCPUAllocator: can't allocate memory".
_OUT_OF_MEMORY = re.compile("out of memory|(allocate|enough) memory")


@contextlib.contextmanager
def named(where: str) -> Iterator[None]:
    """Put `where` in front of the message of an error raised inside.

    What PyTorch says when memory runs out becomes an `OutOfMemoryError`, too.
    """
    try:
        yield
    except DeepDreamError as error:
        raise type(error)(f"{where}: {error}") from None
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        reason = str(error).splitlines()[0] if str(error) else "no more to be had"
        raise OutOfMemoryError(
            f"{where}: out of memory ({reason}): use a smaller picture"
        ) from error


def graph_of(net: Any) -> Graph:
    """Return what knows a net's layers: the net itself, or our view of a net of the real Caffe.

    Raises
    ------
    ParameterError
        It is some other net.
    """
    graph: Any = getattr(net, "graph", net)
    if not hasattr(graph, "infer_shapes") or not hasattr(graph, "layer_index"):
        raise ParameterError(
            f"the layers of this {type(net).__name__} are not known: load it with "
            "deepdream.load_net (a net of the real Caffe with layers in Python, or of types that "
            "this package lacks, can be dreamt on, not drawn or shown layer by layer)"
        )
    found: Graph = graph
    return found


def read_wired(
    network_file: Any,
    phase: int = TEST,
    level: int = 0,
    stages: Sequence[str] = (),
    lenient: bool = False,
    refused: Mapping[str, str] | None = None,
) -> tuple[str, Any]:
    """Read a prototxt and bring it into the form that a `Graph` is built from.

    Parameters
    ----------
    network_file : str, PathLike or NetParameter
        Of any Caffe version.
    phase, level, stages, lenient
        See `net.Net`.
    refused : mapping of str to str, optional
        Layers to leave out, with the reasons: building has shown that they cannot be built.

    Returns
    -------
    (str, NetParameter)
        Where it comes from, and the upgraded net of this phase with its splits. Layers that cannot
        be built, and what reads them, are in its ``left_out`` with the reasons.

    Raises
    ------
    MissingFileError, PrototxtError
        See `net.Net`; nothing but inputs can be built, or the net begins with a database.
    """
    if hasattr(network_file, "layer"):
        source, message = network_file.name or "a NetParameter", network_file
    else:
        source = os.fsdecode(network_file)
        message = read_prototxt(source)
    with named(source):
        described = upgrade(message)
        kept = filter_net(described, phase, int(level), stages)
        if lenient:
            kept, listed = inputs_for_lists(kept)
            _warn_of_lists(source, listed)
        refuse_training(described, kept)
        known = refused or {}
        built = leave_out(kept, _why_not)
        if lenient or built.left_out:  # the layers of somebody else's head
            built = leave_out(
                kept,
                lambda param: known.get(param.name) or _why_not(param) or _why_no_code(param),
                unmade=lenient,
            )
        if built.left_out and not any(layer.bottom for layer in built.layer):
            _refuse(built.left_out[0])
        return source, insert_splits(built)


def _warn_of_lists(source: str, names: Sequence[str]) -> None:
    """Tell that an input stands for a list of pictures."""
    if names:
        warnings.warn(
            f"{source}: layer '{names[0]}' (DenseImageData) reads a list of pictures: the picture "
            "that is dreamt on stands in its place.",
            stacklevel=4,
        )


def _why_not(param: Any) -> str:
    """Tell why a layer cannot be built, as far as its description shows; "" where it can.

    Raises
    ------
    UnknownLayerTypeError
        The type is a known one written wrong.
    """
    name = param.type
    if param.not_understood:
        known = (
            "" if name in LAYERS else f" (and its type, '{name}', is not known here)" * bool(name)
        )
        return f"{'; '.join(param.not_understood)} is not understood{known}"
    if name not in LAYERS:
        if _miswritten(name):
            with named(f"layer '{param.name}'"):
                raise unknown_type(name)
        return f"its type, '{name}', is not known here"
    return ""


def _why_no_code(param: Any) -> str:
    """Tell why a layer's own code cannot be had; "" where it can, and for layers without."""
    named = param.type == "Python" and param.python_param.module
    return missing_module(param) if named else ""


def _miswritten(name: str) -> bool:
    """Tell whether a type is a known one but for a letter, or for capitals."""
    plain = {known.lower(): known for known in LAYERS}
    wanted = name.lower().replace("_", "")
    close = difflib.get_close_matches(wanted, plain, 1, 0.9)
    if wanted in plain or not close or close[0] in wanted:
        return wanted in plain
    return abs(len(close[0]) - len(wanted)) <= 1


def _refuse(param: Any) -> None:
    """Raise the error for a layer without which nothing is left of a net."""
    with named(f"layer '{param.name}'"):
        if param.type and param.type not in LAYERS:
            raise unknown_type(param.type)
        raise PrototxtError(param.not_understood[0])
