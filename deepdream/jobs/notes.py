"""What a dream wants to have said, kept with its picture.

`warnings.catch_warnings` belongs to a whole process. Where jobs run in several threads, one hook
for all hands each warning to the list of the thread that raised it.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_lists: dict[int, list[str]] = {}  # by thread
_caught: list[Any] = []  # the one `catch_warnings`, while there are lists


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the warnings for users that this thread raises meanwhile.

    Yields
    ------
    list of str
        Filled as they come; each once.
    """
    thread = threading.get_ident()
    found: list[str] = []
    with _lock:
        if not _lists:
            _begin()
        _lists[thread] = found
    try:
        yield found
    finally:
        with _lock:
            del _lists[thread]
            if not _lists:
                _caught.pop().__exit__(None, None, None)


def _begin() -> None:
    catch = warnings.catch_warnings()
    catch.__enter__()
    _caught.append(catch)
    warnings.simplefilter("always")
    before = warnings.showwarning

    def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
        found = _lists.get(threading.get_ident())
        if found is None:
            before(message, category, *where, **more)
        elif issubclass(category, (UserWarning, RuntimeWarning)) and str(message) not in found:
            found.append(str(message))

    warnings.showwarning = show
