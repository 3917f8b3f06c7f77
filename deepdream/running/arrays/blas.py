"""How many threads NumPy's BLAS uses.

A product's sums are cut up by BLAS for its threads, some of them along the summed axis, so that
their last bits depend on the number of threads: with OpenBLAS's kernels for AVX-512 where that axis
is longer than 448 and no multiple of 32, with those for AVX2 nearly always.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@functools.cache
def _libraries() -> list[Any]:
    """Return what sets the threads of each BLAS in this process."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().lib_controllers  # looks through all loaded libraries
    return [library for library in found if library.user_api == "blas"]


def _set(library: Any, threads: int | None) -> None:
    # Since 3.8 threadpoolctl does nothing, and says nothing, where another thread was there first.
    take = getattr(library, "clear_controlling_thread", lambda force: None)
    take(force=True)
    if threads is not None:
        library.set_num_threads(threads)
    take(force=True)


class _OneThread:
    """The limit that a whole process shares: there from the first who wants it to the last.

    Where each put back what it had found, one of several dreams would lift it while others compute,
    and the last would leave it behind for good. With OpenMP each thread has a number of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._before: list[int | None] | None = None  # what the first has found

    def enter(self) -> list[int | None]:
        """Set the limit; return what this thread has found."""
        with self._lock:
            own = [library.get_num_threads() for library in _libraries()]
            if self._before is None:
                self._before = own
            for library in _libraries():
                _set(library, 1)
            self._wanted += 1
        return own

    def leave(self, own: list[int | None]) -> None:
        """Lift the limit, if nobody wants it any more."""
        with self._lock:
            self._wanted = max(0, self._wanted - 1)  # whoever entered may have forked meanwhile
            for library, found, before in zip(_libraries(), own, self._before or own):
                if getattr(library, "threading_layer", "") == "openmp":
                    _set(library, found)
                elif not self._wanted:
                    _set(library, before)
            if not self._wanted:
                self._before = None

    def after_fork(self) -> None:
        """Forget the threads that stayed in the parent; who leaves next lifts their limit, too."""
        self._lock, self._wanted = threading.Lock(), 0


_one_thread = _OneThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread.after_fork)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS work with one thread meanwhile, so that sums have the same bits everywhere."""
    found = _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave(found)
