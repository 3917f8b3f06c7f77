"""``caffe.Net``: the package's own net, on the device that ``caffe.set_mode_*`` chose.

Besides it this module has the functions that pycaffe's module of this name puts into its class.
"""

from __future__ import annotations

import sys
from collections import OrderedDict as OrderedDict
from itertools import zip_longest as izip_longest  # noqa: F401  what pycaffe calls it
from typing import Any

import numpy as np  # noqa: F401  pycaffe's module has it too

from ..errors import nearest
from ..running import net
from . import io as io
from .mode import current_device

caffe = sys.modules[__package__ or "deepdream.caffe"]

_MODE = "since 2014 the mode is the module's: caffe.{name}()"
_TRANSFORMER = (
    "since 2014 pictures are prepared by a transformer: net.transformer.{name} of a "
    "caffe.Classifier, or t = caffe.io.Transformer({{'data': net.blobs['data'].data.shape}}) and "
    "t.{name}"
)
_PHASE = (
    "since 2015 the phase is passed to the net: caffe.Net(prototxt, caffe.{phase}, weights=...)"
)

# Names that nets had in 2013 and 2014, and what they are called now.
_BEFORE = {
    **{name: _MODE.format(name=name) for name in ("set_mode_cpu", "set_mode_gpu")},
    "set_device": "since 2014 the device is the module's: caffe.set_device(0)",
    "set_phase_test": _PHASE.format(phase="TEST"),
    "set_phase_train": _PHASE.format(phase="TRAIN"),
    **{
        name: _TRANSFORMER.format(name=f"{name}('data', ...)")
        for name in (
            "set_mean", "set_raw_scale", "set_input_scale", "set_channel_swap", "set_transpose",
            "preprocess", "deprocess",
        )
    },
    **{
        name: _TRANSFORMER.format(name=f"{name}['data']")
        for name in ("mean", "raw_scale", "input_scale", "channel_swap")
    },
    "caffenet": "the net is this object itself",
    "Forward": "since 2014 it is called forward",
    "Backward": "since 2014 it is called backward",
}  # fmt: skip


class Net(net.Net):
    """A network with pycaffe's interface, on the device that the mode chose.

    Everything else is `deepdream.running.net.Net`.

    Parameters
    ----------
    *args, **kwargs
        As for pycaffe: ``Net('deploy.prototxt', caffe.TEST, weights='x.caffemodel')``, or as in
        2015 ``Net('deploy.prototxt', 'x.caffemodel', caffe.TEST)``. A layer without weights is a
        warning and not an error, as in Caffe.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "device" not in kwargs:  # programs of 2015 choose the GPU before or after
            self._chosen_device = current_device
        kwargs.setdefault("device", current_device())
        super().__init__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _BEFORE:
            raise AttributeError(f"nets have no {name}: {_BEFORE[name]}")
        hint = "" if name.startswith("_") else nearest(name, dir(type(self)))
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'.{hint}")


_Net_backward = Net.backward
_Net_batch = Net._batch
_Net_blob_loss_weights = Net.blob_loss_weights
_Net_blobs = Net.blobs
_Net_forward = Net.forward
_Net_forward_all = Net.forward_all
_Net_forward_backward_all = Net.forward_backward_all
_Net_inputs = Net.inputs
_Net_layer_dict = Net.layer_dict
_Net_outputs = Net.outputs
_Net_params = Net.params
_Net_set_input_arrays = Net.set_input_arrays


def _Net_get_id_name(func: Any, field: str) -> Any:  # noqa: N802
    """Return a property that gives, by layer name, the names of the blobs that `func` numbers."""

    @property  # type: ignore[misc]
    def get_id_name(self: Any) -> Any:
        names = list(self._blob_names)
        return OrderedDict(
            (layer, [names[i] for i in func(self, number)])
            for number, layer in enumerate(self._layer_names)
        )

    return get_id_name


def __getattr__(name: str) -> Any:
    return caffe.__getattr__(name)
