"""A net, as pycaffe runs it.

`Net` builds the layers a prototxt describes, connects them through blobs, and runs them forward
and backward between named layers. It is the definition of what this package computes: it keeps
every blob, runs every layer in file order, and never clears a diff, because that is what pycaffe
does and what the pictures of 2015 were made with. The fast way through a net may drop work, but
has to agree with this one.

Source: ``net.cpp`` and ``python/caffe/pycaffe.py`` of BVLC/caffe.
"""

from __future__ import annotations

import contextlib
import itertools
import numbers
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import EngineError, NetArgumentError, ParameterError, ShapeError
from ..reading.proto import read_caffemodel, write_caffemodel, write_hdf5
from .arrays import operations
from .blob import Blob, Changes, shapes_of
from .graph import Graph, read_wired
from .layers import TEST, TRAIN, Layer
from .weights import (
    add_scale_bias,
    arrays,
    check_all_loaded,
    describe,
    fill_layers,
    layers_without,
    load_weights,
    share_weights,
)


class Net(Graph):
    """A network with pycaffe's interface.

    Parameters
    ----------
    network_file : str, PathLike or NetParameter
        The prototxt, of any Caffe version.
    phase : int
        `TRAIN` (0) or `TEST` (1).
    level : int, optional
        For layers with ``min_level`` or ``max_level`` rules.
    stages : sequence of str, optional
        For layers with ``stage`` rules.
    weights : str or PathLike, optional
        A ``.caffemodel`` or ``.caffemodel.h5``. Without it the prototxt's fillers run, and a
        layer without filler is all zeros.
    force_backward : bool
        Behave as if the prototxt said ``force_backward: true``: gradients reach the input.
    strict : bool
        A layer that finds no weights is an error; otherwise it is a warning.
    device : str
        Where layers compute: ``"cpu"`` (NumPy) or ``"cuda"`` (PyTorch, which has to be installed).
    param_diffs : bool
        Let backward add to the diffs of the parameters, as pycaffe does. A dream never reads
        them, and without them a backward pass takes half the time.
    dtype : numpy dtype
        float32; float64 for checks of gradients.
    share : Net, optional
        A net whose memory is used for the parameters of layers of the same name, which have to
        have as many values there, in whatever shape. Nothing is filled then.
    lenient : bool
        Leave out layers in Python whose module cannot be imported, as `deepdream.load_net` does.
        They are left out in any case where the net has other layers that cannot be built.

    Raises
    ------
    MissingFileError
        The prototxt or the weights do not exist.
    PrototxtError
        The description is damaged, or no net can be built from it.
    CaffemodelError, WeightsError
        The weights are damaged, or belong to another net.
    OutOfMemoryError
        The parameters alone are larger than this machine's memory.

    Warns
    -----
    UserWarning
        Layers of a type that is not known here, as heads of detectors are, and what reads them, are
        left out; `unbuilt` has them with the reasons.

    Notes
    -----
    The positional form of 2015, ``Net(prototxt, caffemodel, phase)``, works too.
    """

    engine = "deepdream"  # the real Caffe's nets are marked by `models.real_caffe`
    # For nets that follow caffe.set_mode_gpu: what tells the device that is chosen now.
    _chosen_device: Callable[[], str] | None = None

    def __init__(
        self,
        network_file: Any,
        phase: Any = None,
        level: int | None = None,
        stages: Sequence[str] | None = None,
        weights: Any = None,
        *,
        force_backward: bool = False,
        strict: bool = False,
        device: str = "cpu",
        param_diffs: bool = True,
        dtype: Any = np.float32,
        share: Net | None = None,
        lenient: bool = False,
    ) -> None:
        _check_arguments(network_file, phase, level, stages, weights)
        if isinstance(phase, (str, bytes, os.PathLike)):
            phase, level, weights = level, None, phase
        weights = None if weights is None else os.fsdecode(weights)
        source, wired = read_wired(network_file, phase, level or 0, stages or (), lenient)
        loaded = None if weights is None else read_caffemodel(weights, copy=False)

        def told_by_weights(wired: Any) -> Any:
            if loaded is not None:
                add_scale_bias(wired, loaded, os.fsdecode(weights or ""))
            return wired

        def again(refused: Mapping[str, str]) -> Any:
            return told_by_weights(
                read_wired(network_file, phase, level or 0, stages or (), lenient, refused)[1]
            )

        super().__init__(
            source, told_by_weights(wired), int(phase), force_backward=force_backward,
            device=device, dtype=dtype, param_diffs=param_diffs, again=again if lenient else None,
        )  # fmt: skip
        _warn_of_left_out(source, self.unbuilt)
        for layer, tops in zip(self._layers, self._tops):
            for top, loss_weight in zip(tops, layer.loss_weights):
                if loss_weight:  # where backward starts
                    top.mutable_diff()[...] = loss_weight
        self.transformer: Any = None
        self._left_out = self._warned = False
        self._hooks: dict[str, list[Callable[[int], None]]] = {
            "before_forward": [],
            "after_forward": [],
            "before_backward": [],
            "after_backward": [],
        }
        if share is not None:
            share_weights(self, share, reshaped=True)
        elif loaded is None:
            fill_layers(self, self._layer_names)
        else:
            assert weights is not None
            check_all_loaded(self, loaded, weights, strict)
            fill_layers(self, layers_without(self, loaded))
            load_weights(self, loaded, weights)

    # -- running --------------------------------------------------------------------------------

    def move(self, device: str) -> None:
        """Compute on another device from the next forward on; all values come along.

        Parameters
        ----------
        device : str
            ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        """
        self.device = device
        for layer in self._layers:
            layer.device = device
        parameters = (blob for layer in self._layers for blob in layer.blobs)
        for blob in (*self._blobs, *parameters):
            blob.move(device)

    def follow_mode(self) -> None:
        """Move to the device that ``caffe.set_mode_gpu`` and its kin have chosen meanwhile."""
        if self._chosen_device is not None and self._chosen_device() != self.device:
            self.move(self._chosen_device())

    def _forward(self, start: int, end: int) -> float:
        """Run the layers number `start` to `end`, both included; return the loss."""
        loss = 0.0
        self.follow_mode()
        layers, bottoms, tops, with_loss = (
            self._layers, self._bottoms, self._tops, self._with_loss
        )  # fmt: skip
        before, after = self._hooks["before_forward"], self._hooks["after_forward"]
        for run in self._runs(start, end, bool(before or after)):
            i = run[0]
            for hook in before:
                hook(i)
            if self._left_out and layers[i].foreign:  # it may write to them as the user does
                self._fill(run)
            try:
                with self._computing(i):
                    for i in run:
                        layer, bottom, top = layers[i], bottoms[i], tops[i]
                        if layer._settled is not Changes.last or layer.foreign:
                            layer.settle(bottom, top)
                        layer.forward(bottom, top)
                        if i in with_loss:
                            loss += _loss(layer, top)
            except Exception:
                with self.named(i, shapes_of(bottoms[i])):
                    raise
            if self._left_out:
                self._fill(run)
            for hook in after:
                hook(i)
        return loss

    def leave_out(self, reason: str) -> None:
        """Refuse to show blobs until the next forward fills them: something else ran this net.

        Parameters
        ----------
        reason : str
            What is told whoever reads one. What layers without bottoms hold, inputs above all,
            stays.
        """
        for bottoms, tops in zip(self._bottoms, self._tops):
            for blob in tops if bottoms else ():
                blob.unkept = reason
        self._left_out = True

    def _fill(self, run: range) -> None:
        """Show the blobs again that a run of layers has filled."""
        for blob in itertools.chain(*self._tops[run.start : run.stop]):
            blob.unkept = ""
        self._left_out = any(blob.unkept for blob in self._by_name.values())

    def _backward(self, start: int, end: int) -> None:
        """Run the layers number `start` down to `end` backward, both included."""
        layers, bottoms, tops = self._layers, self._bottoms, self._tops
        if not self._warned and not any(self._layer_backward[end : start + 1]):
            self._warn_of_no_gradient(end, start)
        before, after = self._hooks["before_backward"], self._hooks["after_backward"]
        for run in reversed(self._runs(end, start, bool(before or after))):
            i = run[-1]
            for hook in before:
                hook(i)
            try:
                with self._computing(i):
                    for i in reversed(run):
                        if self._layer_backward[i]:
                            layer, bottom, top = layers[i], bottoms[i], tops[i]
                            if layer._settled is not Changes.last:
                                layer.check_params()
                                _check_forward_ran(layer, bottom, top)
                            layer.backward(top, self._bottom_backward[i], bottom)
            except Exception:
                with self.named(i, shapes_of(bottoms[i])):
                    raise
            for hook in after:
                hook(i)

    def _warn_of_no_gradient(self, first: int, last: int) -> None:
        """Say once that backward runs no layer: that is so in a net without a loss."""
        if not any(self._bottoms[i] for i in range(first, min(last + 1, len(self._layers)))):
            return  # only layers without bottoms, which have nothing to do
        self._warned = True
        warnings.warn(
            f"backward computes nothing here, and diffs stay as they are: in {self.source} no "
            "layer of these leads to a loss or has anything to learn. For gradients put this line "
            "at the head of the prototxt:\n    force_backward: true",
            UserWarning,
            stacklevel=4,
        )

    def _runs(self, first: int, last: int, watched: bool) -> list[range]:
        """Return the layers `first` to `last` in runs that no code of the user's interrupts."""
        if first > last:
            return []
        alone = range(first, last + 1) if watched else self._foreign
        cuts = {cut for i in alone if first <= i <= last for cut in (i, i + 1)}
        edges = sorted({first, last + 1, *cuts})
        return [range(a, b) for a, b in zip(edges, edges[1:])]

    def _computing(self, i: int) -> Any:
        """Return the context in which the run of layer `i` computes; none for the user's code."""
        if self._layers[i].foreign:
            return contextlib.nullcontext()
        return operations(self.device).computing()

    @cached_property
    def _foreign(self) -> list[int]:
        """The numbers of the layers that run the user's code."""
        return [i for i, layer in enumerate(self._layers) if layer.foreign]

    @cached_property
    def _with_loss(self) -> frozenset[int]:
        """The numbers of the layers whose tops enter the loss."""
        return frozenset(i for i, layer in enumerate(self._layers) if any(layer.loss_weights))

    def forward(
        self,
        blobs: list[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> dict[str, np.ndarray]:
        """Run the net forward, layers in file order.

        Parameters
        ----------
        blobs : list of str, optional
            Blobs to return besides the outputs.
        start, end : str, optional
            First and last *layer* to run, both included. ``end="conv1"`` stops before an
            in-place ReLU on ``conv1``.
        **kwargs : array_like
            Values for the inputs: all of them or none.

        Returns
        -------
        dict of str to ndarray
            Live views of the data of the tops of `end` (or of the net's outputs), and of `blobs`.

        Raises
        ------
        UnknownLayerError
            `start` or `end` is no layer; nothing has run.
        UnknownBlobError
            A name in `blobs` is no blob.
        ParameterError
            The keyword arguments are not the net's inputs, or not of its batch size.
        ShapeError
            A layer cannot take the shape it gets; the message names it.
        """
        wanted = _names(blobs)
        first = 0 if start is None else self.layer_index(start)
        last = len(self._layers) - 1 if end is None else self.layer_index(end)
        wanted = [*(self.outputs if end is None else self.top_names[end]), *wanted]
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise ParameterError(
                    "Input blob arguments do not match net inputs. "
                    f"Given: {sorted(kwargs)}; inputs: {self.inputs}"
                )
            for name, value in kwargs.items():
                self._assign(name, value, "Input is not batch sized", "data")
        self._forward(first, last)
        return {name: self.blob(name).data for name in wanted}

    def backward(
        self,
        diffs: list[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> dict[str, np.ndarray]:
        """Run the net backward, from `start` (default: the last layer) down to `end` (the first).

        Every layer on the way reads the diffs of its tops as they lie in memory, also those that
        an earlier run left there.

        Parameters
        ----------
        diffs : list of str, optional
            Blobs whose diffs to return besides those of the inputs.
        start, end : str, optional
            Layers, both included.
        **kwargs : array_like
            Values for the diffs of the outputs: all of them or none.

        Returns
        -------
        dict of str to ndarray
            Live views of the diffs of the bottoms of `end` (or of the net's inputs), and `diffs`.

        Raises
        ------
        UnknownLayerError, UnknownBlobError, ParameterError
            As in `forward`.
        """
        wanted = _names(diffs)
        first = len(self._layers) - 1 if start is None else self.layer_index(start)
        last = 0 if end is None else self.layer_index(end)
        wanted = [*(self.inputs if end is None else self.bottom_names[end]), *wanted]
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise ParameterError(
                    "Top diff arguments do not match net outputs. "
                    f"Given: {sorted(kwargs)}; outputs: {self.outputs}"
                )
            for name, value in kwargs.items():
                self._assign(name, value, "Diff is not batch sized", "diff")
        self._backward(first, last)
        return {name: self.blob(name).diff for name in wanted}

    def _assign(self, name: str, value: Any, message: str, which: str) -> None:
        blob, value = self._by_name[name], np.asarray(value)
        if value.shape[:1] != tuple(blob.shape[:1]):
            raise ParameterError(
                f"{message}: '{name}' is {value.shape}, the blob is {tuple(blob.shape)}"
            )
        getattr(blob, which)[...] = value

    def forward_all(self, blobs: list[str] | None = None, **kwargs: Any) -> dict[str, np.ndarray]:
        """Run the net forward on any number of items, batch by batch.

        Parameters
        ----------
        blobs : list of str, optional
            Blobs to return besides the outputs.
        **kwargs : array_like
            Values for the inputs; the last batch is filled up with zeros.

        Returns
        -------
        dict of str to ndarray
            Copies, one item per item given.
        """
        collected: dict[str, list[np.ndarray]] = {}
        for batch in self._batch(kwargs):
            for name, value in self.forward(blobs=blobs, **batch).items():
                collected.setdefault(name, []).extend(value.copy())
        return _unpadded(collected, kwargs)

    def forward_backward_all(
        self, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run forward and backward on any number of items, batch by batch.

        Parameters
        ----------
        blobs, diffs : list of str, optional
            Blobs to return besides the outputs' data and the inputs' diffs.
        **kwargs : array_like
            Values for the inputs and the outputs' diffs.

        Returns
        -------
        tuple of two dicts of str to ndarray
            Data and diffs, one item per item given.
        """
        data: dict[str, list[np.ndarray]] = {}
        grad: dict[str, list[np.ndarray]] = {}
        forward_args = {k: v for k, v in kwargs.items() if k in self.inputs}
        backward_args = {k: v for k, v in kwargs.items() if k in self.outputs}
        backward_batches: Iterable[dict[str, Any]] = (
            self._batch(backward_args) if backward_args else _forever_empty()
        )
        for forward_batch, backward_batch in zip(self._batch(forward_args), backward_batches):
            for name, value in self.forward(blobs=blobs, **forward_batch).items():
                data.setdefault(name, []).extend(value.copy())
            for name, value in self.backward(diffs=diffs, **backward_batch).items():
                grad.setdefault(name, []).extend(value.copy())
        return _unpadded(data, kwargs), _unpadded(grad, kwargs)

    def _batch(self, arrays: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield dicts of one batch each; the last is padded with zeros."""
        if not arrays:
            raise ParameterError(f"nothing to run: pass values for the inputs {self.inputs}")
        count = len(next(iter(arrays.values())))
        size = next(iter(self._by_name.values())).num
        for begin in range(0, count, size):
            batch: dict[str, Any] = {}
            for name, values in arrays.items():
                part = np.asarray(values[begin : begin + size])
                short = size - len(part)
                batch[name] = np.concatenate([part, np.zeros((short, *part.shape[1:]))])
            yield batch

    def reshape(self) -> None:
        """Give every blob the shape that follows from the inputs' shapes."""
        for i, layer in enumerate(self._layers):
            with self.named(i, shapes_of(self._bottoms[i])):
                layer.reshape(self._bottoms[i], self._tops[i])

    def clear_param_diffs(self) -> None:
        """Set the diffs of all parameters to zero."""
        for layer in self._layers:
            for blob in layer.blobs:
                blob.mutable_diff()[...] = 0

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give data and labels to a MemoryData layer.

        Parameters
        ----------
        data, labels : ndarray
            C-contiguous float32 with 4 axes, a multiple of the batch size long.

        Raises
        ------
        EngineError
            The first layer is no MemoryData layer.
        """
        if not self._layers or self._layers[0].type != "MemoryData":
            raise EngineError(
                "set_input_arrays may only be called if the first layer is a MemoryDataLayer; "
                "write to net.blobs[name].data instead"
            )
        with self.named(0):
            self._layers[0].reset(data, labels)  # type: ignore[attr-defined]

    _set_input_arrays = set_input_arrays  # pycaffe's own name for the compiled part

    def before_forward(self, hook: Callable[[int], None]) -> None:
        """Call ``hook(layer_number)`` before each layer's forward."""
        self._hooks["before_forward"].append(hook)

    def after_forward(self, hook: Callable[[int], None]) -> None:
        """Call ``hook(layer_number)`` after each layer's forward."""
        self._hooks["after_forward"].append(hook)

    def before_backward(self, hook: Callable[[int], None]) -> None:
        """Call ``hook(layer_number)`` before each layer's backward, also where it is skipped."""
        self._hooks["before_backward"].append(hook)

    def after_backward(self, hook: Callable[[int], None]) -> None:
        """Call ``hook(layer_number)`` after each layer's backward, also where it is skipped."""
        self._hooks["after_backward"].append(hook)

    # -- weights --------------------------------------------------------------------------------

    def copy_from(self, weights: str | os.PathLike[str]) -> None:
        """Load weights by layer name; layers that one side lacks are passed over.

        Parameters
        ----------
        weights : str or PathLike
            A ``.caffemodel`` of any version, or HDF5.

        Raises
        ------
        MissingFileError, CaffemodelError
            No such file, or a damaged one.
        WeightsError
            A layer has other shapes, or another number of blobs, in the file.
        """
        name = os.fsdecode(weights)
        load_weights(self, read_caffemodel(name, copy=False), name)

    load_hdf5 = copy_from

    def share_with(self, other: Net) -> None:
        """Use the other net's memory for the parameters of layers of the same name.

        Parameters
        ----------
        other : Net
            A net whose layers of the same name have parameters of the same shapes.

        Raises
        ------
        WeightsError
            A shape differs.
        """
        share_weights(self, other)

    def rebuilt(self, description: Any) -> Net:
        """Return a net of another description with this net's parameters.

        Parameters
        ----------
        description : NetParameter
            An upgraded net whose layers have as many parameters as this net's of the same names.

        Returns
        -------
        Net
            With this net's device, dtype, transformer and whatever `deepdream.load_net` has noted;
            the parameters are in this net's memory.

        Raises
        ------
        PrototxtError, ShapeError, WeightsError
            No net can be built from it, or its parameters are others.
        """
        net = Net(
            description, self.phase, share=self, force_backward=self._force_backward,
            device=self.device, param_diffs=self._param_diffs, dtype=self.dtype,
        )  # fmt: skip
        net.source = self.source
        for name in ("transformer", "model", "prototxt_path", "weights_path"):
            if hasattr(self, name):
                setattr(net, name, getattr(self, name))
        return net

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers and weights as a ``.caffemodel`` (V2), beside and then renamed.

        Raises
        ------
        WriteError
            The file cannot be written; nothing half-written is left.
        """
        write_caffemodel(path, describe(self), arrays(self))

    def save_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Write the weights as HDF5 (needs h5py).

        Raises
        ------
        WriteError
            The file cannot be written.
        """
        write_hdf5(path, arrays(self))

    def __repr__(self) -> str:
        return f"<Net '{self.name}', {len(self._layers)} layers, {len(self._by_name)} blobs>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a table of the layers."""
        from ..drawing.table import table  # for people, not for running

        return table(self)


def _check_arguments(network_file: Any, phase: Any, level: Any, stages: Any, weights: Any) -> None:
    """Refuse what no net can be made of, with the call that was meant.

    Raises
    ------
    NetArgumentError
        See there.
    """
    paths = (str, bytes, os.PathLike)
    if isinstance(network_file, (int, float)) or network_file is None:
        raise NetArgumentError(f"the prototxt comes first, not {network_file!r}: {_CALL}")
    if isinstance(phase, paths):
        if str(phase).upper() in ("TEST", "TRAIN"):
            raise NetArgumentError(
                f"phase is the text {phase!r}: pass the number caffe.{str(phase).upper()}: {_CALL}"
            )
        if level is None or weights is not None:
            raise NetArgumentError(
                f"phase is missing, and {os.fsdecode(phase)!r} where it belongs: {_CALL}"
            )
        phase, level = level, None
    elif isinstance(level, paths):
        raise NetArgumentError(f"{os.fsdecode(level)!r} is passed as level: {_CALL}")
    if isinstance(phase, (bool, *paths)) or phase not in (TRAIN, TEST):
        raise NetArgumentError(
            f"phase is {phase!r}: pass caffe.TEST (1) or caffe.TRAIN (0): {_CALL}"
        )
    if level is not None and not isinstance(level, numbers.Integral):
        raise NetArgumentError(f"level is {level!r}: a whole number is expected: {_CALL}")
    if isinstance(stages, (str, bytes)):
        raise NetArgumentError(f"stages is a list of names: write stages=[{stages!r}]")


_CALL = "Net('deploy.prototxt', caffe.TEST, weights='x.caffemodel')"


def _warn_of_left_out(source: str, unbuilt: Mapping[str, str]) -> None:
    """Tell which layers cannot be built."""
    if not unbuilt:
        return
    name, reason = next(iter(unbuilt.items()))
    rest = len(unbuilt) - 1
    more = f", and {rest} more that cannot, or that read such ones" if rest else ""
    warnings.warn(
        f"{source}: layer '{name}' cannot be built: {reason.rstrip('.')}{more}. The net "
        "ends before them; net.unbuilt has the reasons (deepdream layers shows them).",
        stacklevel=4,
    )


def _names(names: list[str] | None) -> list[str]:
    if isinstance(names, str):
        raise TypeError(
            f"blobs is a list of names, as in ['{names}'], of what to return besides the outputs; "
            f"to run up to a layer write end='{names}'"
        )
    if isinstance(names, np.ndarray) or hasattr(names, "__array__"):
        raise TypeError("values are passed by their input's name: net.forward(data=array)")
    return list(names or [])


def _loss(layer: Layer, top: Sequence[Blob]) -> float:
    """Return what a layer's tops add to the loss."""
    pairs = zip(top, layer.loss_weights)
    return sum(float((blob.get_data() * blob.get_diff()).sum()) for blob, w in pairs if w)


def _check_forward_ran(layer: Layer, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
    """Refuse to go back through a layer whose bottom was reshaped since its last forward."""
    if bottom and not layer.fits(bottom, top):
        raise ShapeError(
            f"the top is still {', '.join(map(str, shapes_of(top)))}, made for another size: run "
            "forward before backward"
        )


def _forever_empty() -> Iterator[dict[str, Any]]:
    while True:
        yield {}


def _unpadded(
    collected: Mapping[str, list[np.ndarray]], given: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    count = len(next(iter(given.values())))
    return {name: np.asarray(items)[:count] for name, items in collected.items()}
