"""Nets in the formats of 2013 and 2014, rewritten in the current one.

Caffe changed how a net is written down several times, and nets of all ages are still passed
around. Each change has two functions here, both on messages: ``needs_X_upgrade(net)`` tells
whether a net is older than the change, and ``upgrade_X(net)`` returns the net after it, as a new
message. In order:

========== ========================================== ==========================================
change     before                                     after
========== ========================================== ==========================================
v0         ``layers { layer { type: "conv" } }``,     ``layers { type: CONVOLUTION }`` with one
           all parameters in one message, padding     message of parameters for each type
           as a layer of its own
data       scale, crop and mean among the parameters  ``transform_param``
           of a data layer
v1         ``layers``, types from an enum, learning   ``layer``, types as strings, ``param``
           rates as ``blobs_lr``
input      ``input: "data"`` with ``input_dim`` or    a layer of type Input
           ``input_shape``
batch_norm BatchNorm's three statistics with          learning rates of zero
           learning rates
========== ========================================== ==========================================

`upgrade` goes through all of them. A current net comes out as it went in, so upgrading twice is
harmless. Weights inside the messages travel along.

Nothing here opens a file, and nothing asks whether the net makes sense: that is
`deepdream.running.net`.

Source: the behaviour of ``upgrade_proto.cpp`` in BVLC Caffe 1.0, which tests/test_upgrade.py
compares. Where Caffe ends the process, these functions raise `PrototxtError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import PrototxtError
from .caffe_pb2 import LayerParameter, NetParameter, ParamSpec, V1LayerParameter
from .upgrade_v0 import needs_v0_upgrade, put, refuse_mixture, upgrade_v0

# Data layers of V1 once had these fields, which transform_param took over.
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_DATA_PARAMS = {
    V1LayerParameter.DATA: "data_param",
    V1LayerParameter.IMAGE_DATA: "image_data_param",
    V1LayerParameter.WINDOW_DATA: "window_data_param",
}

# V1 enum -> V2 string. Most are the enum's name in capitals and small letters ...
V1_TYPES = {
    number: "".join(word.capitalize() for word in name.split("_"))
    for name, number in V1LayerParameter.LayerType.items()
}
# ... but these are not.
V1_TYPES.update(
    {
        V1LayerParameter.NONE: "",
        V1LayerParameter.ABSVAL: "AbsVal",
        V1LayerParameter.ARGMAX: "ArgMax",
        V1LayerParameter.BN: "BN",
        V1LayerParameter.BNLL: "BNLL",
        V1LayerParameter.HDF5_DATA: "HDF5Data",
        V1LayerParameter.HDF5_OUTPUT: "HDF5Output",
        V1LayerParameter.LRN: "LRN",
        V1LayerParameter.MVN: "MVN",
        V1LayerParameter.PRELU: "PReLU",
        V1LayerParameter.RELU: "ReLU",
        V1LayerParameter.SOFTMAX_LOSS: "SoftmaxWithLoss",
        V1LayerParameter.TANH: "TanH",
    }
)

# Fields that have the same name and meaning in V1 and V2.
_V1_FIELDS = [
    field.name
    for field in V1LayerParameter.DESCRIPTOR.fields
    if field.name not in ("layer", "type", "blobs_lr", "weight_decay", "param", "blob_share_mode")
]


def upgrade(net: NetParameter) -> NetParameter:
    """Rewrite a net of any age in the current format.

    Parameters
    ----------
    net : NetParameter
        As `proto.read_prototxt` returns it. It is not changed.

    Returns
    -------
    NetParameter
        A new message with ``layer`` entries only: no ``layers``, no ``input``. Equal to `net` where
        `net` is already current.

    Raises
    ------
    PrototxtError
        The net mixes ``layer`` and ``layers``; a V0 layer has a type that never existed, or pads
        something that is neither conv nor pool; there are fewer input shapes than inputs.

    Warns
    -----
    UserWarning
        A V0 layer has a parameter that its type never read, or there are more input shapes than
        inputs. Caffe drops them too.
    """
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    for needs, step in (
        (needs_v0_upgrade, upgrade_v0),
        (needs_data_upgrade, upgrade_data),
        (needs_v1_upgrade, upgrade_v1),
        (needs_hole_upgrade, upgrade_hole),
        (needs_input_upgrade, upgrade_input),
        (needs_batch_norm_upgrade, upgrade_batch_norm),
    ):
        if needs(upgraded):
            upgraded = step(upgraded)
    return upgraded


def needs_hole_upgrade(net: NetParameter) -> bool:
    """Tell whether a convolution has ``hole``, as DeepLab's first Caffe calls dilation."""
    return any(_holes(layer.convolution_param) for layer in net.layer)


def upgrade_hole(net: NetParameter) -> NetParameter:
    """Write ``hole`` (or ``hole_h`` and ``hole_w``) of convolutions as ``dilation``.

    Raises
    ------
    PrototxtError
        A convolution has both.

    Notes
    -----
    A kernel of k with holes h spans k + (k - 1) * (h - 1) pixels, which is dilation h. Source:
    L.-C. Chen and others, Semantic Image Segmentation with Deep Convolutional Nets (2014), and
    ``conv_layer.cpp`` of DeepLab's Caffe (deeplab-public).
    """
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    for layer in upgraded.layer:
        param = layer.convolution_param
        holes = _holes(param)
        if not holes:
            continue
        if param.dilation:
            raise PrototxtError(f"layer '{layer.name}' has hole and dilation: keep one of them")
        param.dilation.extend(holes)
        for name in _HOLES:
            param.ClearField(name)
    return upgraded


_HOLES = ("hole", "hole_h", "hole_w")


def _holes(param: Any) -> list[int]:
    """Return one hole, or that of rows and of columns; an empty list where none is given."""
    if param.HasField("hole_h") or param.HasField("hole_w"):
        return [param.hole_h, param.hole_w]
    return [param.hole] if param.HasField("hole") else []


def needs_data_upgrade(net: NetParameter) -> bool:
    """Tell whether a data layer of V1 holds what now belongs to ``transform_param``."""
    return any(_stray_transforms(entry) for entry in net.layers)


def upgrade_data(net: NetParameter) -> NetParameter:
    """Move scale, mean file, crop size and mirror of V1's data layers to ``transform_param``."""
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    for entry in upgraded.layers:
        for name in _stray_transforms(entry):
            param = getattr(entry, _DATA_PARAMS[entry.type])
            setattr(entry.transform_param, name, getattr(param, name))
            param.ClearField(name)
    return upgraded


def _stray_transforms(entry: V1LayerParameter) -> list[str]:
    if entry.type not in _DATA_PARAMS:
        return []
    param = getattr(entry, _DATA_PARAMS[entry.type])
    return [name for name in _TRANSFORM_FIELDS if param.HasField(name)]


def needs_v1_upgrade(net: NetParameter) -> bool:
    """Tell whether the net has ``layers`` entries."""
    return len(net.layers) > 0


def upgrade_v1(net: NetParameter) -> NetParameter:
    """Rewrite V1's ``layers`` as ``layer`` entries.

    The four lists ``param`` (names), ``blob_share_mode``, ``blobs_lr`` and ``weight_decay`` become
    one list of ``param`` messages. Everything else keeps its name.

    Raises
    ------
    PrototxtError
        ``layer`` beside ``layers``.
    """
    refuse_mixture(net)
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    upgraded.ClearField("layers")
    upgraded.layer.extend(_v2_layer(entry) for entry in net.layers)
    return upgraded


def _v2_layer(entry: V1LayerParameter) -> LayerParameter:
    """Rewrite one V1 layer in V2."""
    layer = LayerParameter()
    if entry.HasField("type"):
        layer.type = V1_TYPES[entry.type]
    for name in _V1_FIELDS:
        value = getattr(entry, name)
        if hasattr(value, "extend"):
            getattr(layer, name).extend(value)
        elif entry.HasField(name):
            put(layer, name, value)
    for source, target in (
        ("param", "name"),
        ("blob_share_mode", "share_mode"),
        ("blobs_lr", "lr_mult"),
        ("weight_decay", "decay_mult"),
    ):
        for index, value in enumerate(getattr(entry, source)):
            if index == len(layer.param):
                layer.param.add()
            setattr(layer.param[index], target, value)
    return layer


def needs_input_upgrade(net: NetParameter) -> bool:
    """Tell whether the net names its inputs in ``input`` fields."""
    return len(net.input) > 0


def upgrade_input(net: NetParameter) -> NetParameter:
    """Turn ``input`` fields into a layer named ``input`` of type Input, first in the net.

    Inputs without any shape, as caffemodels have them, are dropped.

    Raises
    ------
    PrototxtError
        Fewer shapes than inputs: each needs one ``input_shape``, or four ``input_dim``.
    """
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    for name in ("input", "input_shape", "input_dim", "layer"):
        upgraded.ClearField(name)

    shapes = [list(shape.dim) for shape in net.input_shape]
    found, needed = len(shapes), len(net.input)
    if not shapes:
        dims = list(net.input_dim)
        shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
        found, needed = len(dims), 4 * needed
    if shapes:
        unit = "input_shape" if net.input_shape else "input_dim"
        if found < needed:
            raise PrototxtError(
                f"the net has {len(net.input)} input(s) but {found} {unit}: it needs {needed}, "
                "one input_shape or four input_dim for each input"
            )
        if found > needed:
            warnings.warn(
                f"the net has {found} {unit} where its inputs take {needed}; the rest is ignored, "
                "as in Caffe",
                stacklevel=3,
            )
        layer = upgraded.layer.add(name="input", type="Input", top=net.input)
        for shape in shapes[: len(net.input)]:
            layer.input_param.shape.add(dim=shape)
    upgraded.layer.extend(net.layer)
    return upgraded


def needs_batch_norm_upgrade(net: NetParameter) -> bool:
    """Tell whether a BatchNorm layer would train its statistics as if they were weights."""
    return any(
        spec.lr_mult != 0 or spec.decay_mult != 0
        for layer in net.layer
        for spec in _statistics(layer)
    )


def upgrade_batch_norm(net: NetParameter) -> NetParameter:
    """Set learning rate and decay of BatchNorm's three statistics to zero."""
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    for layer in upgraded.layer:
        for spec in _statistics(layer):
            spec.lr_mult = 0
            spec.decay_mult = 0
    return upgraded


def _statistics(layer: LayerParameter) -> Sequence[ParamSpec]:
    return layer.param if layer.type == "BatchNorm" and len(layer.param) == 3 else ()
