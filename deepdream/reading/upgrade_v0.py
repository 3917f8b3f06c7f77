"""The oldest format, V0, rewritten in V1: the first step of `upgrade`.

In V0 every layer has the same flat list of parameters, whatever its type; some names changed
since (``kernelsize``, ``biasterm``, ``meanfile``), and padding is a layer before the convolution::

    layers { layer { name: "pad1" type: "padding" pad: 2 }           bottom: "data" top: "pad1" }
    layers { layer { name: "conv1" type: "conv" num_output: 96 ... } bottom: "pad1" top: "conv1" }

The tables say where each parameter went; the code walks them.

Source: the behaviour of ``UpgradeV0Net`` in BVLC Caffe 1.0.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import PrototxtError, nearest
from .caffe_pb2 import NetParameter, V0LayerParameter, V1LayerParameter

# V0 type word -> name in the V1 enum. The word "padding" is no layer in V1.
V0_TYPES = {
    "accuracy": V1LayerParameter.ACCURACY,
    "bnll": V1LayerParameter.BNLL,
    "concat": V1LayerParameter.CONCAT,
    "conv": V1LayerParameter.CONVOLUTION,
    "data": V1LayerParameter.DATA,
    "dropout": V1LayerParameter.DROPOUT,
    "euclidean_loss": V1LayerParameter.EUCLIDEAN_LOSS,
    "flatten": V1LayerParameter.FLATTEN,
    "hdf5_data": V1LayerParameter.HDF5_DATA,
    "hdf5_output": V1LayerParameter.HDF5_OUTPUT,
    "im2col": V1LayerParameter.IM2COL,
    "images": V1LayerParameter.IMAGE_DATA,
    "infogain_loss": V1LayerParameter.INFOGAIN_LOSS,
    "innerproduct": V1LayerParameter.INNER_PRODUCT,
    "lrn": V1LayerParameter.LRN,
    "multinomial_logistic_loss": V1LayerParameter.MULTINOMIAL_LOGISTIC_LOSS,
    "pool": V1LayerParameter.POOLING,
    "relu": V1LayerParameter.RELU,
    "sigmoid": V1LayerParameter.SIGMOID,
    "softmax": V1LayerParameter.SOFTMAX,
    "softmax_loss": V1LayerParameter.SOFTMAX_LOSS,
    "split": V1LayerParameter.SPLIT,
    "tanh": V1LayerParameter.TANH,
    "window_data": V1LayerParameter.WINDOW_DATA,
}

# V0 type word -> the V1 message its parameters went to.
_V0_PARAMS = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}

# V0 field -> its V1 name, and the types that have it.
_V0_FIELDS = {
    "num_output": ("num_output", "conv innerproduct"),
    "biasterm": ("bias_term", "conv innerproduct"),
    "weight_filler": ("weight_filler", "conv innerproduct"),
    "bias_filler": ("bias_filler", "conv innerproduct"),
    "pad": ("pad", "conv pool"),
    "kernelsize": ("kernel_size", "conv pool"),
    "group": ("group", "conv"),
    "stride": ("stride", "conv pool"),
    "pool": ("pool", "pool"),
    "dropout_ratio": ("dropout_ratio", "dropout"),
    "local_size": ("local_size", "lrn"),
    "alpha": ("alpha", "lrn"),
    "beta": ("beta", "lrn"),
    "k": ("k", "lrn"),
    "source": ("source", "data hdf5_data images window_data infogain_loss"),
    "batchsize": ("batch_size", "data hdf5_data images window_data"),
    "rand_skip": ("rand_skip", "data images"),
    "shuffle_images": ("shuffle", "images"),
    "new_height": ("new_height", "images"),
    "new_width": ("new_width", "images"),
    "concat_dim": ("concat_dim", "concat"),
    "det_fg_threshold": ("fg_threshold", "window_data"),
    "det_bg_threshold": ("bg_threshold", "window_data"),
    "det_fg_fraction": ("fg_fraction", "window_data"),
    "det_context_pad": ("context_pad", "window_data"),
    "det_crop_mode": ("crop_mode", "window_data"),
}

# V0 fields that every type has, in transform_param since V1.
_V0_TRANSFORM = {
    "scale": "scale",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    "mirror": "mirror",
}


def needs_v0_upgrade(net: NetParameter) -> bool:
    """Tell whether a layer is written as ``layers { layer { ... } }``."""
    return any(entry.HasField("layer") for entry in net.layers)


def upgrade_v0(net: NetParameter) -> NetParameter:
    """Rewrite V0 layers in V1: one message of parameters for each type, no padding layers.

    Of the net itself, ``name``, ``input``, ``input_dim`` and ``force_backward`` are kept, as in
    Caffe.

    Raises
    ------
    PrototxtError
        ``layer`` beside ``layers``; a layer without the inner ``layer { ... }``; an unknown type; a
        padding layer that feeds anything but one conv or pool bottom.
    """
    refuse_mixture(net)
    upgraded = NetParameter(input=net.input, input_dim=net.input_dim)
    for name in ("name", "force_backward"):
        if net.HasField(name):
            setattr(upgraded, name, getattr(net, name))
    padding: dict[str, V1LayerParameter] = {}  # top of a padding layer -> that layer
    for entry in net.layers:
        if not entry.HasField("layer"):
            raise PrototxtError(
                f"layer {entry.name[:100]!r} is written in the format V1 among layers of the "
                "format V0 (layers { layer { ... } }): write all of them in one format"
            )
        padded = _with_padding(entry, padding)
        if entry.layer.type != "padding":
            upgraded.layers.append(_v1_layer(padded))
        for top in entry.top:
            padding.pop(top, None)
            if entry.layer.type == "padding":
                padding[top] = entry
    return upgraded


def _with_padding(
    entry: V1LayerParameter, padding: dict[str, V1LayerParameter]
) -> V1LayerParameter:
    """Return a V0 layer that pads its bottom itself, where a padding layer did so before it."""
    pads = [padding[bottom] for bottom in entry.bottom if bottom in padding]
    if not pads:
        return entry
    pad = pads[0]
    name, pad_name = entry.layer.name[:100], pad.layer.name[:100]
    if entry.layer.type not in ("conv", "pool"):
        raise PrototxtError(
            f"layer {name!r} of type {entry.layer.type[:100]!r} reads the padding layer "
            f"{pad_name!r}, but only conv and pool can be padded"
        )
    if len(entry.bottom) != 1 or len(pad.bottom) != 1 or len(pad.top) != 1:
        raise PrototxtError(
            f"layer {name!r} and its padding layer {pad_name!r} must each have exactly one bottom, "
            "and the padding layer one top"
        )
    padded = V1LayerParameter()
    padded.CopyFrom(entry)
    padded.layer.pad = pad.layer.pad
    padded.bottom[0] = pad.bottom[0]
    return padded


def _v1_layer(entry: V1LayerParameter) -> V1LayerParameter:
    """Rewrite one V0 layer in V1."""
    old: V0LayerParameter = entry.layer
    name, type_ = old.name[:100], old.type[:100]
    new = V1LayerParameter(
        bottom=entry.bottom,
        top=entry.top,
        blobs=old.blobs,
        blobs_lr=old.blobs_lr,
        weight_decay=old.weight_decay,
    )
    if old.HasField("type"):
        if old.type not in V0_TYPES:
            raise PrototxtError(
                f"layer {name!r} has the type {type_!r}, which the format V0 does not know."
                + nearest(old.type, V0_TYPES)
            )
        new.type = V0_TYPES[old.type]
    for field, value in old.ListFields():
        target, types = _V0_FIELDS.get(field.name, ("", ""))
        if field.name == "name":
            new.name = value
        elif field.name in _V0_TRANSFORM:
            setattr(new.transform_param, _V0_TRANSFORM[field.name], value)
        elif field.name == "hdf5_output_param" and old.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(value)
        elif old.type in types.split():
            put(getattr(new, _V0_PARAMS[old.type]), target, value)
        elif target or field.name == "hdf5_output_param":
            warnings.warn(
                f"layer {name!r}: '{field.name}' means nothing to the type {type_!r} "
                "and is left out, as in Caffe",
                stacklevel=4,
            )
    return new


def put(message: Any, name: str, value: Any) -> None:
    """Set a field, whether it holds a number, a message or a list."""
    field = getattr(message, name)
    if hasattr(field, "append"):
        field.append(value)
    elif hasattr(field, "CopyFrom"):
        field.CopyFrom(value)
    else:
        setattr(message, name, value)


def refuse_mixture(net: NetParameter) -> None:
    """Raise PrototxtError where the net has both ``layers`` and ``layer`` entries."""
    if net.layer and net.layers:
        raise PrototxtError(
            "the net has both 'layers' (the format of 2014, layers { type: CONVOLUTION }) and "
            "'layer' (the current one, layer { type: \"Convolution\" }): write all in one format"
        )
