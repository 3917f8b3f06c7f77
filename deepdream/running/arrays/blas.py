"""How many threads NumPy's BLAS uses.

A product's sums are cut up by BLAS for its threads, some of them along the summed axis, so that
their last bits depend on the number of threads: with OpenBLAS's kernels for AVX-512 where that axis
is longer than 448 and no multiple of 32, with those for AVX2 nearly always.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@functools.cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks through all loaded libraries


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS work with one thread meanwhile, so that sums have the same bits everywhere."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
