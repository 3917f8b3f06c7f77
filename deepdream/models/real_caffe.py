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

from ..errors import EngineError, PrototxtError, UnknownLayerTypeError, WeightsError, nearest
from .rehearsal import Rehearsal, rehearse

TEST = 1

_OURS = f"{__package__.partition('.')[0]}.caffe"  # the module that may stand in for 'caffe'

_GET = "docs/real-caffe.md tells how to get one. engine='deepdream' computes the same numbers."


def load_real(prototxt: Path, weights: Path, device: str, strict: bool) -> Any:
    """Build a net of the real Caffe.

    Parameters
    ----------
    prototxt, weights : Path
        Any that `deepdream.load_net` takes. They are left as they are: gradients
        (``force_backward``) are asked for in a copy.
    device : {"auto", "cpu", "cuda", "cuda:1"}
        ``"auto"`` is the GPU where this Caffe was built with CUDA and finds one.
    strict : bool
        Whether layers without weights are an error.

    Returns
    -------
    caffe.Net
        See `guarded.guarded_class`; with ``name``. Its ``graph`` is our own view of the same net,
        so that pictures too small for the net are an error and do not end the process, and
        galleries know what there is; None where the net has layers of the user's, or of types that
        this package does not know.

    Raises
    ------
    EngineError
        No Caffe can be imported, or it cannot use a GPU that was asked for.
    PrototxtError, CaffemodelError, WeightsError
        The files are damaged, do not belong together, or are none for Caffe.
    UnknownLayerTypeError
        This Caffe lacks a layer type.
    """
    from ..reading.caffemodel import read_caffemodel
    from ..reading.proto import print_prototxt
    from .guarded import guarded_class

    caffe = import_caffe()
    wanted = wanted_device(caffe, device)
    message, graph = _described(caffe, prototxt)
    message.force_backward = True
    if not built_with(caffe, "libcudnn"):
        _leave_out_cudnn(message)
    found = read_caffemodel(weights, copy=False)
    with tempfile.TemporaryDirectory() as folder:
        copy, link = Path(folder) / "deploy.prototxt", Path(folder) / f"weights{weights.suffix}"
        copy.write_text(print_prototxt(message), encoding="utf-8")
        link.symlink_to(weights.resolve())  # Caffe takes file names in UTF-8 only
        wanted, rehearsed = _rehearsed(copy, link, wanted, device)
        if rehearsed.died and "net" not in rehearsed.done:
            raise PrototxtError(f"{prototxt}: Caffe cannot build this net: {rehearsed.words}")
        use_device(caffe, wanted)
        try:
            net = guarded_class(caffe)(str(copy), TEST)
        except SystemError as error:  # Boost's, where a layer in Python cannot be made
            raise PrototxtError(
                f"{prototxt}: Caffe cannot build this net: {rehearsed.words}"
            ) from error
        _check_weights(net, found, prototxt, weights, strict)
        if rehearsed.died:
            raise WeightsError(f"{weights}: Caffe cannot load these weights: {rehearsed.words}")
        net.copy_from(str(link))
    net.device, net.name, net.graph = wanted, message.name, graph
    return net


def _described(caffe: ModuleType, prototxt: Path) -> tuple[Any, Any]:
    """Return what a prototxt says, in today's form, and our own graph of it or None."""
    from ..reading.proto import read_prototxt
    from ..reading.upgrade import upgrade
    from ..running.graph import Graph, named, read_wired
    from ..running.layers import LAYERS
    from ..running.wiring import filter_net

    try:
        message: Any = read_prototxt(prototxt)
    except PrototxtError:
        message = _read_as_this_caffe(caffe, prototxt)  # a fork's layers have fields of their own
        if message is None:
            raise
        ours = False
    else:
        ours = True
    with named(str(prototxt)):
        message = upgrade(message) if ours else message
        types = dict.fromkeys(layer.type for layer in filter_net(message, TEST).layer)
    known = set(caffe.layer_type_list())
    for missing in types:
        if missing not in known:
            here = " engine='deepdream' has it." if missing in LAYERS else nearest(missing, known)
            raise UnknownLayerTypeError(
                f"'{prototxt}' has a layer of the type '{missing}', which this Caffe "
                f"({caffe.__version__}) does not have.{here}"
            )
    # A class of the user's works with Caffe's blobs only; other types than ours are this Caffe's.
    if not ours or "Python" in types or not set(types) <= set(LAYERS):
        return message, None
    source, wired = read_wired(prototxt)
    return message, None if wired.left_out else Graph(source, wired, TEST)


def _read_as_this_caffe(caffe: ModuleType, prototxt: Path) -> Any:
    """Return the net as the installed Caffe's own protobuf reads it, or None."""
    from google.protobuf import text_format

    try:
        text = prototxt.read_text("utf-8")
        return text_format.Parse(text, caffe.proto.caffe_pb2.NetParameter())
    except (text_format.ParseError, UnicodeDecodeError, AttributeError):
        return None


def _leave_out_cudnn(message: Any) -> None:
    """Let Caffe choose: built without cuDNN it ends its process at ``engine: CUDNN``."""
    for layer in message.layer:
        for field, value in layer.ListFields():
            if field.name.endswith("_param") and getattr(value, "engine", None) == 2:
                value.ClearField("engine")


def _rehearsed(copy: Path, weights: Path, wanted: str, asked: str) -> tuple[str, Rehearsal]:
    """Return the device that works, and how far Caffe came in a process of its own.

    Raises
    ------
    EngineError
        The GPU that was asked for cannot be used.
    """
    rehearsed = rehearse(copy, weights, wanted)
    if "device" in rehearsed.done or wanted == "cpu":
        return wanted, rehearsed
    if asked != "auto":
        raise EngineError(
            f"device is {asked!r}, and this Caffe cannot use it: {rehearsed.words}. Use "
            "device='cpu', or engine='deepdream' for the GPU."
        )
    return "cpu", rehearse(copy, weights, "cpu")


def import_caffe() -> ModuleType:
    """Return the real Caffe's module, and keep its log quiet.

    Raises
    ------
    EngineError
        There is none, or ours has taken its name.
    """
    ours = sys.modules.get(_OURS)
    if ours is not None and sys.modules.get("caffe") is ours:
        raise EngineError(
            "deepdream.caffe.install() has put our own module in the place of 'caffe', so that the "
            "real one cannot be imported. Leave that line out, in a new process."
        )
    os.environ.setdefault("GLOG_minloglevel", "2")  # read when the library is loaded
    try:
        import caffe
    except Exception as error:  # protobuf raises TypeErrors where its version does not suit
        raise EngineError(
            f"engine='caffe' needs the real pycaffe, and it cannot be imported ({error}).\n{_GET}"
        ) from error
    if caffe is sys.modules.get(_OURS):  # by its stand-in
        raise EngineError(
            f"engine='caffe' needs the real pycaffe, and 'caffe' is ours here. {_GET}"
        )
    if not hasattr(caffe, "Net") or not hasattr(caffe, "layer_type_list"):
        raise EngineError(
            f"'{getattr(caffe, '__file__', 'caffe')}' is no pycaffe: it has no Net and no "
            "layer_type_list."
        )
    module: ModuleType = caffe
    return module


def wanted_device(caffe: ModuleType, device: str) -> str:
    """Return ``"cpu"`` or ``"cuda:1"`` for what the user asks for.

    Raises
    ------
    EngineError
        A GPU was asked for, and this Caffe was built without CUDA.
    """
    kind, _, number = device.partition(":")
    with_cuda = kind != "cpu" and built_with(caffe, "libcudart")
    if kind == "cuda" and not with_cuda:
        raise EngineError(
            f"device is {device!r}, but this Caffe was built without CUDA: use device='cpu', or "
            "engine='deepdream' for the GPU."
        )
    return f"cuda:{int(number or 0)}" if with_cuda else "cpu"


def use_device(caffe: ModuleType, device: str) -> None:
    """Set Caffe's mode for ``"cpu"`` or ``"cuda:1"``."""
    if device == "cpu":
        caffe.set_mode_cpu()
        return
    caffe.set_device(int(device.partition(":")[2]))
    caffe.set_mode_gpu()


def built_with(caffe: ModuleType, library: str) -> bool:
    """Tell whether Caffe is linked with a library; it has no function that would tell."""
    module = Path(caffe._caffe.__file__)
    beside = [  # the extension module, and what a wheel puts beside it
        module,
        *module.parent.glob("libcaffe*"),
        *module.parent.parent.glob("*caffe.libs/libcaffe*"),
    ]
    return any(library.encode() in path.read_bytes() for path in beside if path.is_file())


def _check_weights(
    net: Any, found: Mapping[str, Sequence[np.ndarray]], prototxt: Path, weights: Path, strict: bool
) -> None:
    """Refuse weights whose shapes would end the process, or that lack a layer."""
    params: dict[str, Any] = {}
    for name, layer in zip(net._layer_names, net.layers):
        if len(layer.blobs):
            params.setdefault(name, layer.blobs)  # of layers with one name, the first gets them
    for name, blobs in params.items():
        wanted = [tuple(blob.shape) for blob in blobs]
        given = [array.shape for array in found.get(name, ())]
        if name in found and [*map(_ones_off, wanted)] != [*map(_ones_off, given)]:
            raise WeightsError(
                f"{weights}: the blobs of layer '{name}' are {given}, {prototxt} expects "
                f"{wanted}:\nthe two files belong to different models"
            )
    missing = [name for name in params if name not in found]
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
