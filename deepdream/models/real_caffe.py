"""The real Caffe behind `load_net`: pycaffe's own net, with what a dream needs besides.

Nothing stands between the dream and pycaffe: the net is a `caffe.Net`, and a step costs what it
costs there. What is added is done once, before it is built. Caffe ends its process at an input that
it does not like, so our own reader looks at the files first and raises an error instead.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import EngineError, UnknownLayerTypeError, WeightsError

TEST = 1


def load_real(prototxt: Path, weights: Path, device: str, strict: bool) -> Any:
    """Build a net of the real Caffe.

    Parameters
    ----------
    prototxt, weights : Path
        Any that `deepdream.load_net` takes. They are left as they are: gradients
        (``force_backward``) are asked for in a copy.
    device : {"auto", "cpu", "cuda", "cuda:1"}
        ``"auto"`` is the GPU where this Caffe was built with CUDA.
    strict : bool
        Whether layers without weights are an error.

    Returns
    -------
    caffe.Net
        With ``engine`` (``"caffe"``), ``device``, ``name``, ``graph``, our own view of the same
        net, and the graph's ``infer_shapes``; so pictures too small for the net are an error and do
        not end the process, and galleries know what there is. Without these two where the net has
        layers of the user's, or of types that this package does not know.

    Raises
    ------
    EngineError
        No Caffe can be imported, or it cannot use a GPU that was asked for.
    PrototxtError, CaffemodelError, WeightsError
        The files are damaged, or do not belong together.
    UnknownLayerTypeError
        This Caffe lacks a layer type.
    """
    from ..reading.caffemodel import read_caffemodel
    from ..reading.proto import print_prototxt, read_prototxt

    caffe = import_caffe()
    device = use_device(caffe, device)
    message = read_prototxt(prototxt)
    missing = sorted({layer.type for layer in message.layer} - set(caffe.layer_type_list()))
    if missing:
        raise UnknownLayerTypeError(
            f"'{prototxt}' has layers of the type {', '.join(missing)}, which this Caffe "
            f"({caffe.__version__}) does not have. engine='torch' has them."
        )
    graph = _graph(prototxt, message)
    message.force_backward = True
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / prototxt.name
        copy.write_text(print_prototxt(message), encoding="utf-8")
        net = caffe.Net(str(copy), TEST)
    _check_weights(net, read_caffemodel(weights, copy=False), prototxt, weights, strict)
    net.copy_from(str(weights))
    net.engine, net.device, net.name = "caffe", device, message.name
    if graph is not None:
        net.graph = graph
        net.infer_shapes = graph.infer_shapes
    return net


def import_caffe() -> ModuleType:
    """Return the real Caffe's module, and keep its log quiet.

    Raises
    ------
    EngineError
        There is none, or ours has taken its name.
    """
    ours = sys.modules.get(f"{__package__.partition('.')[0]}.caffe")
    if ours is not None and sys.modules.get("caffe") is ours:
        raise EngineError(
            "deepdream.caffe.install() has put our own module in the place of 'caffe', so that the "
            "real one cannot be imported. Leave that line out, in a new process."
        )
    os.environ.setdefault("GLOG_minloglevel", "2")  # read when the library is loaded
    try:
        import caffe
    except ImportError as error:
        raise EngineError(
            f"engine='caffe' needs the real pycaffe, and it cannot be imported ({error}).\n"
            "docs/real-caffe.md tells how to get one. engine='torch' computes the same numbers."
        ) from error
    if not hasattr(caffe, "Net") or not hasattr(caffe, "layer_type_list"):
        raise EngineError(
            f"'{getattr(caffe, '__file__', 'caffe')}' is no pycaffe: it has no Net and no "
            "layer_type_list."
        )
    module: ModuleType = caffe
    return module


def use_device(caffe: ModuleType, device: str) -> str:
    """Set Caffe's mode; return the device that it means, ``"cpu"`` or ``"cuda:1"``.

    Raises
    ------
    EngineError
        A GPU was asked for, and this Caffe was built without CUDA.
    """
    kind, _, number = device.partition(":")
    if kind == "auto":
        kind = "cuda" if built_with_cuda(caffe) else "cpu"
    if kind == "cpu":
        caffe.set_mode_cpu()
        return kind
    if not built_with_cuda(caffe):  # it would end the process
        raise EngineError(
            f"device is {device!r}, but this Caffe was built without CUDA: use device='cpu', or "
            "engine='torch' for the GPU."
        )
    caffe.set_device(int(number or 0))
    caffe.set_mode_gpu()
    return f"cuda:{int(number or 0)}"


def built_with_cuda(caffe: ModuleType) -> bool:
    """Tell whether Caffe's library is linked with CUDA; it has no function that would tell."""
    library = Path(caffe._caffe.__file__)
    return any(b"libcudart" in part.read_bytes() for part in _parts(library))


def _parts(library: Path) -> list[Path]:
    """Return the extension module and the libraries that a wheel puts beside it."""
    beside = [
        *library.parent.glob("libcaffe*"),
        *library.parent.parent.glob("*caffe.libs/libcaffe*"),
    ]
    return [library, *(path for path in beside if path.is_file())]


def _graph(prototxt: Path, message: Any) -> Any:
    """Return our own graph of a net, which raises where Caffe would end; None if there is none."""
    from ..running.graph import Graph, read_wired

    if any(layer.type == "Python" for layer in message.layer):
        return None  # the user's class works with Caffe's blobs only
    source, wired = read_wired(prototxt)
    try:
        return Graph(source, wired, TEST)
    except UnknownLayerTypeError:
        return None  # this Caffe has more types than ours: it was asked above


def _check_weights(
    net: Any, found: Mapping[str, Sequence[np.ndarray]], prototxt: Path, weights: Path, strict: bool
) -> None:
    """Refuse weights whose shapes would end the process, or that lack a layer."""
    for name, blobs in net.params.items():
        wanted = [tuple(blob.data.shape) for blob in blobs]
        given = [array.shape for array in found.get(name, ())]
        if name in found and [*map(_ones_off, wanted)] != [*map(_ones_off, given)]:
            raise WeightsError(
                f"{weights}: the blobs of layer '{name}' are {given}, {prototxt} expects "
                f"{wanted}:\nthe two files belong to different models"
            )
    missing = [name for name in net.params if name not in found]
    if missing:
        shown = ", ".join(map(repr, missing[:6]))
        text = f"{weights} has no weights for {len(missing)} layers of {prototxt}: {shown}."
        if strict:
            raise WeightsError(
                f"{text}\nThe two files seem to belong to different models; strict=False loads "
                "them all the same, with what the prototxt's fillers give."
            )
        warnings.warn(f"{text} They keep what their fillers give.", stacklevel=4)


def _ones_off(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without leading ones: files of 2014 have four axes for everything."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape
