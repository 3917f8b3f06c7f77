"""How many threads NumPy's BLAS uses.

A product's sums are cut up by BLAS for its threads, some of them along the summed axis, so that
their last bits depend on the number of threads: with OpenBLAS's kernels for AVX-512 where that axis
is longer than 448 and no multiple of 32, with those for AVX2 nearly always.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def _libraries() -> list[Any]:
    """Return what sets the threads of each BLAS in this process."""
    return _found(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _found(modules: int) -> list[Any]:
    """Look again through all loaded libraries where modules have been imported: SciPy's comes."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().lib_controllers
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
        # What the first has found, by file: a library, and its number of threads.
        self._before: dict[str, tuple[Any, int | None]] = {}

    def enter(self) -> list[tuple[Any, int | None]]:
        """Set the limit; return what this thread has found."""
        with self._lock:
            found = [(library, library.get_num_threads()) for library in _libraries()]
            for library, threads in found:
                self._before.setdefault(library.filepath, (library, threads))
                _set(library, 1)
            self._wanted += 1
        return found

    def leave(self, found: list[tuple[Any, int | None]]) -> None:
        """Lift the limit, if nobody wants it any more."""
        with self._lock:
            self._wanted = max(0, self._wanted - 1)  # whoever entered may have forked meanwhile
            if not self._wanted:
                for library, threads in self._before.values():
                    _set(library, threads)
                self._before.clear()
            for library, threads in found:
                if getattr(library, "threading_layer", "") == "openmp":
                    _set(library, threads)

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
