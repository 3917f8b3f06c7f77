"""Layers written in Python, by the user.

    layer { name: "x" type: "Python" bottom: "a" top: "x"
      python_param { module: "my_layers" layer: "Blur" param_str: "3" } }

``module`` is imported as Python finds modules (the folder of the script, PYTHONPATH), so a prototxt
with such layers runs code: use those that you trust.

Source: ``python_layer.hpp`` and ``layer_factory.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from typing import Any

from ...errors import DeepDreamError, PrototxtError
from ..blob import Blob, shapes_of
from .base import Layer, Shape, Window, register

METHODS = ("setup", "reshape", "forward", "backward")


@register("Python")
class PythonLayer(Layer):
    """Runs an object of the user's class, which derives from `deepdream.caffe.Layer`.

    The object gets ``param_str``, ``phase`` and ``blobs``; its methods get the blobs, whose
    ``data`` and ``diff`` are NumPy arrays.
    """

    bottoms = (0, None)
    tops = (0, None)
    foreign = True
    shaped_for: list[Shape] | None = None  # shapes of the bottoms at the last reshape
    shaped: Sequence[Blob] = ()  # the tops that were reshaped then

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.python_param
        self.code = _find_class(p.module, p.layer)(self.param)
        self.code.param_str = p.param_str
        self.code.phase = self.phase
        self.code.blobs = self.blobs
        self.code.type = "Python"
        self.code.setup(bottom, top)
        self.fillers = [None] * len(self.blobs)  # `setup` has filled them
        self.param_diffs = [True] * len(self.blobs)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        if self.shaped_for == [tuple(shape) for shape in bottom_shapes]:
            return shapes_of(self.shaped)
        # Only the user's code knows. A copy is asked, with blobs of its own: neither the net
        # changes nor what the object keeps from forward for backward.
        bottoms = [Blob(*shape) for shape in bottom_shapes]
        tops = [Blob() for _ in self.param.top]
        for k, name in enumerate(self.param.top):
            if k < len(bottoms) and self.param.bottom[k] == name:
                tops[k] = bottoms[k]
        copy.copy(self.code).reshape(bottoms, tops)
        return shapes_of(tops)

    def fits(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> bool:
        # The user's code is not asked: it may reshape its tops in forward, look at the data, or
        # clear in reshape what backward needs.
        return self.shaped_for == shapes_of(bottom)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes, self.shaped_for = shapes_of(bottom), None
        self.code.reshape(bottom, top)  # the tops fit only once this has come to its end
        self.shaped_for, self.shaped = shapes, top

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.code.forward(bottom, top)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        self.code.backward(top, list(propagate_down), bottom)

    def window(self) -> Window | None:
        return None  # it may look anywhere


def missing_module(param: Any) -> str:
    """Tell why the module of a LayerParameter cannot be imported; "" where it can."""
    module = param.python_param.module
    try:
        _import(module)
    except PrototxtError as error:
        return str(error)
    return ""


def _find_class(module: str, name: str) -> Any:
    """Return the class that a prototxt names.

    Raises
    ------
    PrototxtError
        It cannot be imported, or lacks a method.
    """
    if not module or not name:
        raise PrototxtError("python_param names no module and layer: both are needed")
    found = _import(module)
    cls = getattr(found, name, None)
    if cls is None:
        raise PrototxtError(f"module '{module}' ({found.__file__}) has no class '{name}'")
    missing = [method for method in METHODS if not callable(getattr(cls, method, None))]
    if missing:
        raise PrototxtError(f"class '{module}.{name}' has no method {', '.join(missing)}")
    return cls


def _import(module: str) -> Any:
    """Return a module.

    Raises
    ------
    PrototxtError
        It, or what it imports, is not there.
    """
    try:
        return importlib.import_module(module)
    except DeepDreamError:
        raise
    except ImportError as error:
        advice = (
            "call deepdream.caffe.install() before the net is loaded"
            if error.name == "caffe"
            else f"the folder of '{module}.py' has to be on PYTHONPATH or in sys.path"
        )
        raise PrototxtError(f"module '{module}' cannot be imported ({error}): {advice}") from error
