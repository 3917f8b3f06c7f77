"""CPU or GPU: what ``caffe.set_mode_gpu()`` and ``caffe.set_device()`` leave behind.

As in Caffe the choice is global, and nets follow it at their next forward.

PyTorch is imported only when a GPU is asked for, and where there may be one.
"""

from __future__ import annotations

import warnings

from ..errors import ParameterError
from ..gpu import gpu_count

_gpu = False
_number = 0
_warned = False


def set_mode_cpu() -> None:
    """Let nets run on the CPU, as they do at first."""
    global _gpu
    _gpu = False


def set_mode_gpu() -> None:
    """Let nets run on the GPU that `set_device` chose (number 0 at first).

    Warns
    -----
    RuntimeWarning
        There is no CUDA GPU that PyTorch can use. Nets then run on the CPU; Caffe would end the
        process. The warning comes once.
    """
    global _gpu
    _gpu = True
    _cuda_count()


def set_device(device_id: int) -> None:
    """Choose the GPU by number; it is used after `set_mode_gpu`.

    Parameters
    ----------
    device_id : int
        From 0.

    Raises
    ------
    ParameterError
        There are GPUs, but none of this number.

    Warns
    -----
    RuntimeWarning
        There is no GPU at all; see `set_mode_gpu`.
    """
    global _number
    count = _cuda_count()
    if device_id < 0 or (count and device_id >= count):
        raise ParameterError(
            f"set_device({device_id}): this machine has {count} CUDA GPUs, counted from 0"
        )
    _number = device_id


def current_device() -> str:
    """Return the torch device for a new net: ``"cpu"``, ``"cuda:0"``, ..."""
    return f"cuda:{_number}" if _gpu and _cuda_count() else "cpu"


def _cuda_count() -> int:
    """Return the number of usable GPUs; warn once where there is none."""
    global _warned
    count = gpu_count()
    if not count and not _warned:
        _warned = True
        warnings.warn(
            "no CUDA GPU that PyTorch can use: nets run on the CPU. For a GPU install a driver and "
            "a PyTorch build with CUDA.",
            RuntimeWarning,
            stacklevel=3,
        )
    return count
