"""While Numba compiles: the user is told, and Ctrl-C waits.

Compiling takes seconds, once for each machine. LLVM calls back into Python while it works, and
Python drops an exception that is raised in there: a KeyboardInterrupt would be lost, or leave Numba
with half a kernel.

Source: ``numba.core.event``, Numba's interface for listeners.
"""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from numba.core import event

_log = logging.getLogger(__name__)


class _Tell(event.Listener):
    """Says once that kernels are compiled."""

    told = False

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        ours = str(__package__).partition(".")[0]
        if not self.told and function.__module__.startswith(f"{ours}."):
            self.told = True
            _log.warning("compiling kernels for this machine, once: some 15 seconds")

    def on_end(self, event: Any) -> None:
        pass


class _Hold(event.Listener):
    """Holds SIGINT back between the first start and the last end of an event."""

    def __init__(self) -> None:
        self._depth = 0
        self._handler: Any = None
        self._held: list[tuple[Any, Any]] = []

    def on_start(self, event: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # signals are the main thread's business
        self._depth += 1
        if self._depth == 1:
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._handler = handler
                signal.signal(signal.SIGINT, lambda *received: self._held.append(received))

    def on_end(self, event: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth -= 1
        if self._depth == 0 and self._handler is not None:
            handler, self._handler = self._handler, None
            signal.signal(signal.SIGINT, handler)
            held, self._held = self._held, []
            if held:
                handler(*held[0])


# Importing this module is enough. The lock is taken to compile and to load from the cache.
event.register("numba:compile", _Tell())
event.register("numba:compiler_lock", _Hold())
