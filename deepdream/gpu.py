"""Which GPUs there are, asked of PyTorch, and only where there may be one.

PyTorch computes on GPUs and on nothing else here. It takes a second to load, and need not be
installed on a machine that has no GPU.
"""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path

# Of NVIDIA's driver, on Linux and Windows. AMD's has a device on Linux, by the name below.
_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_AMD = Path("/dev/kfd")


def has_torch() -> bool:
    """Tell whether PyTorch is installed, without loading it."""
    return find_spec("torch") is not None


def gpu_count() -> int:
    """Return how many GPUs PyTorch can use; 0 where it is not installed.

    It is loaded where a driver for GPUs is installed, or if it has been before.
    """
    if not has_torch() or ("torch" not in sys.modules and not has_driver()):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def has_driver() -> bool:
    """Tell whether a driver for GPUs is installed that PyTorch can use."""
    if _AMD.exists():
        return True
    for name in _DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
