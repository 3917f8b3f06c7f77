"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from . import events as events

NO_MASK = np.empty(0, np.uint8)

# Multiplications and additions may be fused, and the sign of zero does not matter. Sums keep their
# order, NaN and infinity their meaning.
FAST = {"contract", "nsz"}

Pair = tuple  # of two integers; Numba reads no annotations


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call, without the interpreter's lock.

    The machine code is cached beside the module, or in the user's cache folder; where neither can
    be written, it lasts as long as the process. Numba notices changes of the module that a kernel
    is in, and not of those that it imports, as `lanes`: who changes those removes ``__pycache__``.

    A kernel allocates nothing, because it is compiled without Numba's reference counts. Otherwise
    each slice would count an array up and down, atomically and in the same cache line for all
    threads, which takes longer than the loop over a pixel's channels.
    """
    return _compile(function, _nrt=False, fastmath=FAST)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a part of kernels that is compiled into each place where it is called.

    An argument that is a constant there makes it a special case.
    """
    compiled: Callable[..., Any] = numba.njit(inline="always")(function)
    return compiled


def exact_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as `kernel` does, but round after every operation, as NumPy does."""
    return _compile(function, _nrt=False, fastmath=False)


def allocating(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that makes scratch arrays and hands them to a kernel of its module."""
    return _compile(function)


def _compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    # Division as in NumPy: the check for zero of Python's would keep a loop from being vectorised.
    compiler = partial(numba.njit, nogil=True, error_model="numpy", **options)
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # no place to cache
        return compiler()(function)
