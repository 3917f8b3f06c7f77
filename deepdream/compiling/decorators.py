"""How kernels are written: functions that Numba compiles.

Importing this imports Numba, so only the modules that hold kernels do, and these are imported where
something is compiled: see `machine_code` for how kernels are called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba

# Multiplications and additions may be fused, and the sign of zero does not matter. Sums keep their
# order, NaN and infinity their meaning.
FAST = {"contract", "nsz"}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a kernel of a function: loops over flat arrays, annotated with `kinds`.

    It allocates nothing, because it is compiled without Numba's reference counts. Otherwise each
    slice would count an array up and down, atomically and in the same cache line for all threads,
    which takes longer than the loop over a pixel's channels.
    """
    return _compile(fastmath=FAST)(function)


def exact_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a kernel that rounds after every operation, as NumPy does."""
    return _compile(fastmath=False)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a part of kernels that is compiled into each place where it is called.

    An argument that is a constant there makes it a special case.
    """
    compiled: Callable[..., Any] = numba.njit(inline="always")(function)
    return compiled


def _compile(**options: Any) -> Callable[..., Any]:
    # Division as in NumPy: the check for zero of Python's would keep a loop from being vectorised.
    made: Callable[..., Any] = partial(
        numba.njit, nogil=True, error_model="numpy", _nrt=False, **options
    )
    return made
