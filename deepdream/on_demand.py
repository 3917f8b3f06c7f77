"""PyTorch, loaded when something of it is first used: ``from ..on_demand import torch``.

It takes seconds to load and is not there beside the real Caffe. Layers and blobs can be built,
and asked for their shapes, without it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class OnDemand(ModuleType):
    """Stands for a module: ``torch = OnDemand("torch")``.

    Raises
    ------
    ImportError
        At the first use, where the module is not installed.
    """

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)  # found without this detour from now on
        return value


if TYPE_CHECKING:
    import torch as torch
else:
    torch = OnDemand("torch")
