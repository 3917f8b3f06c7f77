"""Array operations for layers, chosen by device: NumPy's on a CPU, PyTorch's on a GPU.

A layer is written once. `operations` gives it a module of functions, ``ops``, for the arrays that
its blobs hand out:

* what NumPy and PyTorch spell alike, the module takes over by name (``ops.multiply``, ``ops.exp``,
  ``ops.where`` ...), and what arrays of both can do needs no function: ``+ - * /``, ``x += y``,
  ``x[...] = y``, comparisons, ``reshape``, ``sum(axis)``, ``mean(axis)``;
* what they spell differently, or only one of them has, is a function of this package, with one
  implementation in `numpy_ops` and one in `torch_ops`: filters, pooling, `parts` and a few more.

Another device is another module here; no layer changes.

Source: the manner of the backends of einops, and of the array API standard's namespaces.
"""

from __future__ import annotations

from typing import Any

from . import numpy_ops

# A NumPy array or a PyTorch tensor: what layers compute with.
Array = Any


def on_host(device: str) -> bool:
    """Tell whether arrays of `device` are NumPy's, in the memory that users see."""
    return device.partition(":")[0] == "cpu"


def operations(device: str) -> Any:
    """Return the module with the array operations of a device.

    Parameters
    ----------
    device : str
        ``"cpu"``: NumPy. ``"cuda"``, ``"cuda:1"`` ...: PyTorch. ``"torch"``: PyTorch on the CPU,
        with memory of its own, which stands in for a GPU in tests.

    Raises
    ------
    ImportError
        PyTorch is needed and not installed.
    """
    if on_host(device):
        return numpy_ops
    from . import torch_ops  # here: it loads PyTorch

    return torch_ops
