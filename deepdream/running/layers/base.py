"""What every layer type has in common, and the registry that finds it by Caffe's type string.

A layer type is one small class::

    @register("TanH")
    class TanHLayer(Layer):
        def forward(self, bottom, top): ...
        def backward(self, top, propagate_down, bottom): ...

It reads its parameters in `setup`, tells the shapes of its tops in `top_shapes` (a pure function,
so that shapes can be known without running anything), and computes with the arrays that its blobs
hand out: NumPy's on a CPU, PyTorch's on a GPU. What differs between these two is in ``self.ops``,
see `arrays`. A layer never looks at the net. The methods have the signatures of Caffe's Python
layers.

Nothing uses autograd: gradients are written out, as in Caffe, because Caffe's own are what old
pictures were made with, at ties, at kinks and in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ...errors import AssignmentError, PrototxtError, ShapeError, UnknownLayerTypeError, nearest
from ..arrays import Array, operations
from ..blob import MAX_COUNT, Blob, Changes, shapes_of
from ..vectors import Vec

Shape = tuple[int, ...]

TRAIN, TEST = 0, 1

# What Caffe's maximum starts from, for float and double alike.
LOWEST = float(np.finfo(np.float32).min)


class Window(NamedTuple):
    """What one output position of a layer sees along height and width.

    ``kernel`` counts pixels from the first to the last one read (dilation included), ``stride``
    is the step between neighbours, ``pad`` how far the first window starts before the picture.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)


class BlobVec(Vec):
    """The parameter blobs of a layer: a list whose slices are `BlobVec` too."""

    kind = Blob
    advice = ": write its values, as in net.params['conv1'][0].data[...] = array"

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        Changes.last = object()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        Changes.last = object()

    def __getattr__(self, name: str) -> Any:
        hint = (
            f": write [0].{name} for weights, [1].{name} for a bias" if hasattr(Blob, name) else ""
        )
        raise AttributeError(f"'BlobVec' object has no attribute '{name}'{hint}")

    def add_blob(self, *shape: int) -> None:
        """Append a blob of this shape, filled with zeros."""
        blob = Blob()
        blob.reshape(*shape)  # without axes: a single number
        self.append(blob)


class LayerVec(Vec):
    """The layers of a net, in the order of running."""

    advice = ": the layers of a net are those of its prototxt"

    def _takes(self, value: Any) -> bool:
        return callable(getattr(type(value), "forward", None))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            raise TypeError(f"layers go by number here: write net.layer_dict[{index!r}]")
        return super().__getitem__(index)


class Layer:
    """One step of a net.

    Parameters
    ----------
    param : LayerParameter
        The layer's entry in the (upgraded) prototxt.
    phase : int
        TRAIN (0) or TEST (1); the entry's own phase goes before it.
    dtype, device
        Of the parameter blobs.

    Attributes
    ----------
    type : str
        Caffe's type string.
    blobs : BlobVec
        The parameters, weights before bias.
    bottoms, tops : (int, int or None)
        Smallest and largest number of bottom and top blobs; None is any number.
    equal_tops : bool
        There must be as many tops as bottoms.
    same_as : str
        The type that computes the same from the same parameters, where there is one.
    foreign : bool
        The layer runs code of the user's, who may want NumPy's warnings.
    param_diffs : list of bool
        For each parameter, whether `backward` adds to its diff.
    """

    type: str = ""
    same_as: str = ""
    bottoms: tuple[int, int | None] = (1, 1)
    tops: tuple[int, int | None] = (1, 1)
    equal_tops = False
    auto_tops = False
    foreign = False

    def __init__(
        self, param: Any, phase: int = TEST, *, dtype: Any = np.float32, device: str = "cpu"
    ) -> None:
        self.param = param
        self.phase: int = param.phase if param.HasField("phase") else phase
        self.dtype = dtype
        self._device = device
        self.blobs = BlobVec()
        self.fillers: list[Any] = []
        self.param_shapes: list[Shape] = []  # that the layer was built with
        self.param_diffs: list[bool] = []
        self.loss_weights: list[float] = []
        self._kept: Any = None
        self._settled: Any = None  # `Changes.last` when the tops were last given their shapes

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "type" or (name == "blobs" and name in self.__dict__):
            raise AssignmentError(
                f"a layer's {name} cannot be assigned: write the values of its parameters, as in "
                "net.layers[1].blobs[0].data[...] = array"
            )
        object.__setattr__(self, name, value)

    @property
    def device(self) -> str:
        """Where the layer computes."""
        return self._device

    @device.setter
    def device(self, device: str) -> None:
        self._device = device
        self.__dict__.pop("ops", None)

    @cached_property
    def ops(self) -> Any:
        """The array operations of the layer's device, see `arrays.operations`."""
        return operations(self._device)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what cannot be copied, and what a copy has to find out for itself."""
        state = {**self.__dict__, "_settled": None}
        state.pop("ops", None)
        return state

    # -- for subclasses -------------------------------------------------------------------------

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Read and check the parameters, and create the parameter blobs; called once."""

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        """Return the tops' shapes for these bottom shapes, without touching any blob."""
        return [tuple(bottom_shapes[0])]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes; called before every forward."""
        for blob, shape in zip(top, self.top_shapes(shapes_of(bottom))):
            blob.reshape(*shape)

    def settle(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Run `reshape`, and remember for which state of the blobs.

        While no blob changes, it need not run again, except where it is the user's.
        """
        changes = Changes.last
        self.check_params()
        self.reshape(bottom, top)
        self._settled = changes

    def fits(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> bool:
        """Tell whether the tops were shaped for the bottoms' present shapes."""
        shapes = self.top_shapes(shapes_of(bottom))
        return shapes_of(top) == shapes[: len(top)]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute the tops' data from the bottoms' data."""
        raise NotImplementedError

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        """Overwrite the diffs of the bottoms where `propagate_down`, add to the parameters'."""
        raise PrototxtError("this layer type has no gradient: choose an end before it")

    def window(self) -> Window | None:
        """Return the spatial window of one output, or None where an output sees everything."""
        return Window()

    def allow_force_backward(self, index: int) -> bool:
        """Tell whether force_backward reaches bottom number `index`."""
        return True

    def default_loss_weight(self, index: int) -> float:
        """Return the loss weight of a top for which the prototxt gives none."""
        return 0.0

    def add_param(self, shape: Sequence[int], filler: Any = None) -> None:
        """Append a parameter blob (zeros) and remember the filler for nets without weights."""
        blob = Blob(dtype=self.dtype, device=self.device)
        blob.reshape(*shape)
        self.blobs.append(blob)
        self.fillers.append(filler)
        self.param_diffs.append(True)
        self.param_shapes.append(tuple(shape))

    def value(self, index: int) -> Array:
        """Return a parameter's values in the shape that the layer was built with."""
        return self.blobs[index].get_data().reshape(self.param_shapes[index])

    def value_diff(self, index: int) -> Array:
        """Return a parameter's diff for writing, in the shape that the layer was built with."""
        return self.blobs[index].mutable_diff().reshape(self.param_shapes[index])

    def check_params(self) -> None:
        """Refuse parameters that somebody has taken away, or made larger or smaller.

        As in Caffe another shape of as many values is as good.

        Raises
        ------
        ShapeError
            The message names both shapes.
        """
        if len(self.blobs) < len(self.param_shapes):
            raise ShapeError(
                f"the layer was built with {len(self.param_shapes)} parameters and has "
                f"{len(self.blobs)} now: to leave out a bias write bias_term: false in the prototxt"
            )
        for index, (blob, shape) in enumerate(zip(self.blobs, self.param_shapes)):
            if blob.count != math.prod(shape):
                raise ShapeError(
                    f"parameter {index} has the shape {tuple(blob.shape)} now, but the layer was "
                    f"built for {shape}: a layer of another size needs another prototxt, and a net "
                    "that is loaded anew"
                )

    def keep(self, kept: Any) -> None:
        """Remember what `forward` computed and `backward` needs."""
        self._kept = kept

    def room(self, x: Any) -> Any:
        """Return an array like `x` to keep, with any values; the last one, where it fits.

        New memory costs more than a pass over it.
        """
        kept = self._kept
        for what in ("shape", "dtype", "device"):
            if getattr(kept, what, None) != getattr(x, what, None):
                self._kept = kept = self.ops.empty_like(x)
        return kept

    def kept(self) -> Any:
        """Return what the last `forward` kept.

        Raises
        ------
        ShapeError
            The layer has not run forward yet.
        """
        if self._kept is None:
            raise ShapeError("this layer has not run forward yet: run forward before backward")
        return self._kept

    # -- for the net ----------------------------------------------------------------------------

    def check_counts(self, bottom_n: int, top_n: int) -> None:
        """Refuse a number of bottoms or tops that this type cannot have.

        Raises
        ------
        PrototxtError
            Too few or too many.
        """
        for what, count, (low, high) in (
            ("bottom", bottom_n, self.bottoms),
            ("top", top_n, self.tops),
        ):
            if count < low or (high is not None and count > high):
                wanted = str(low) if low == high else f"{low} or more" if high is None else (
                    f"{low} to {high}"
                )  # fmt: skip
                raise PrototxtError(f"{count} {what} blobs found, {wanted} expected")
        if self.equal_tops and bottom_n != top_n:
            raise PrototxtError(f"{bottom_n} bottoms and {top_n} tops: as many tops are expected")


LAYERS: dict[str, type[Layer]] = {}

LayerClass = TypeVar("LayerClass", bound=type[Layer])


def register(*types: str) -> Callable[[LayerClass], LayerClass]:
    """Enter a layer class into the registry under Caffe's type string."""

    def enter(cls: LayerClass) -> LayerClass:
        cls.type = types[0]
        for name in types:
            LAYERS[name] = cls
        return cls

    return enter


def create(param: Any, phase: int, *, dtype: Any = np.float32, device: str = "cpu") -> Layer:
    """Return a new layer for a LayerParameter.

    Raises
    ------
    UnknownLayerTypeError
        The type is not in the registry.
    """
    cls = LAYERS.get(param.type)
    if cls is None:
        raise unknown_type(param.type)
    return cls(param, phase, dtype=dtype, device=device)


def unknown_type(name: str) -> UnknownLayerTypeError:
    """Return the error for a type that is not in the registry."""
    return UnknownLayerTypeError(
        f"layer type '{name}' is not known.{nearest(name, LAYERS)}\n"
        f"Known types: {', '.join(sorted(LAYERS))}"
    )


def in_range(name: str, value: int, low: int, high: int = MAX_COUNT) -> int:
    """Return `value`, the parameter called `name`, if it lies in ``low..high``.

    Raises
    ------
    PrototxtError
        It does not.
    """
    if not low <= value <= high:
        expected = f"at least {low}" if high == MAX_COUNT and value < low else f"{low} to {high}"
        raise PrototxtError(f"{name} is {value}: {expected} is expected")
    return value


def scaled(ops: Any, x: Any, factor: float, out: Any) -> None:
    """Write factor * x as Caffe does with a number: a factor of 1 copies, one of 0 gives zeros."""
    if factor != 1:
        ops.scale(x, factor, out=out)
    elif x is not out:
        out[...] = x


def refuse_in_place(bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
    """Refuse a top that is also a bottom.

    Raises
    ------
    PrototxtError
        Bottom and top are one blob.
    """
    if any(above is below for above in top for below in bottom):
        raise PrototxtError("this layer type cannot work in place: give its top another name")


def canonical_axis(axis: int, axes: int) -> int:
    """Return a non-negative axis number for a blob with `axes` axes; negative counts from the end.

    Raises
    ------
    ShapeError
        There is no such axis.
    """
    if not -axes <= axis < axes:
        raise ShapeError(f"axis {axis} does not exist in a blob of {axes} axes")
    return axis + axes if axis < 0 else axis


def pairwise_equal_shapes(shapes: Sequence[Shape]) -> None:
    """Refuse bottoms of different shapes.

    Raises
    ------
    ShapeError
        Two shapes differ.
    """
    if any(shape != shapes[0] for shape in shapes):
        raise ShapeError(f"bottoms of shapes {', '.join(map(str, shapes))}: equal ones are needed")
