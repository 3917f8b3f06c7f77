"""``caffe.Net``: the package's own net, on the device that ``caffe.set_mode_*`` chose."""

from __future__ import annotations

from typing import Any

from ..running import net
from .mode import current_device


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
