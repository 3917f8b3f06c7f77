"""Warnings that are passed over, where several threads may do so at once.

`warnings.catch_warnings` puts back the filters that it has found. Those belong to the whole
process: of two threads that overlap, the one that leaves last puts back what the other had added,
for good. Here who comes first remembers the filters, and who leaves last puts them back; until then
what one thread passes over is passed over in the others, too.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside: list[None] = []  # one for each who is
_caught: list[Any] = []  # the one `catch_warnings`, while there are some


def _after_fork() -> None:
    """Forget the threads that stayed in the parent; who leaves next puts back the filters."""
    global _lock
    _lock = threading.Lock()
    _inside.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def filters_kept() -> Iterator[None]:
    """Let the filters of warnings be changed meanwhile, and what shows warnings."""
    with _lock:
        if not _caught:
            _caught.append(warnings.catch_warnings())
            _caught[0].__enter__()
        _inside.append(None)
    try:
        yield
    finally:
        with _lock:
            if _inside:  # whoever entered may have forked meanwhile
                _inside.pop()
            if not _inside and _caught:
                _caught.pop().__exit__(None, None, None)


@contextmanager
def quiet(category: type[Warning] = Warning, message: str = "") -> Iterator[None]:
    """Pass over warnings meanwhile.

    Parameters
    ----------
    category : type
        Of these, and of those derived from it.
    message : str
        A regular expression that what they say has to begin with; "" is any.
    """
    with filters_kept():
        warnings.filterwarnings("ignore", message, category)
        yield
