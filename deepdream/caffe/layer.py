"""``caffe.Layer``: the base of layers that are written in Python.

Source: ``caffe.Layer`` of ``python/caffe/_caffe.cpp`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Layer:
    """Derive a class, put its module on Python's path, and name both in a prototxt.

    Attributes
    ----------
    param_str : str
        What ``python_param`` says, for `setup` to read.
    phase : int
        `caffe.TRAIN` or `caffe.TEST`.
    blobs : BlobVec
        Parameters; `setup` adds them: ``self.blobs.add_blob(3, 5)``.

    Examples
    --------
    >>> class Twice(Layer):
    ...     def setup(self, bottom, top):
    ...         self.factor = float(self.param_str or 2)
    ...
    ...     def reshape(self, bottom, top):
    ...         top[0].reshape(*bottom[0].data.shape)
    ...
    ...     def forward(self, bottom, top):
    ...         top[0].data[...] = self.factor * bottom[0].data
    ...
    ...     def backward(self, top, propagate_down, bottom):
    ...         bottom[0].diff[...] = self.factor * top[0].diff
    """

    param_str: str
    phase: int
    blobs: Any
    type: str

    def __init__(self, param: Any) -> None:
        """Take the layer's entry in the prototxt, a LayerParameter."""

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Read parameters; called once, before the first `reshape`."""
        raise NotImplementedError(f"{type(self).__name__} has no setup(self, bottom, top)")

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Give each top its shape; called before every forward."""
        raise NotImplementedError(f"{type(self).__name__} has no reshape(self, bottom, top)")

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Write the tops' ``data`` from the bottoms'."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, bottom, top)")

    def backward(
        self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]
    ) -> None:
        """Write the bottoms' ``diff`` from the tops', where `propagate_down` says so."""
        raise NotImplementedError(
            f"{type(self).__name__} has no backward(self, top, propagate_down, bottom)"
        )
