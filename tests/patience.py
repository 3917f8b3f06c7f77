"""No test waits for ever: after so long it fails, and tells where all its threads were.

Whatever processes it has started are ended, so that nobody waits for their pipes. A test that holds
Python's lock meanwhile, or that swallows the failure, ends its whole process a little later.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

SECONDS = float(os.environ.get("DEEPDREAM_TEST_SECONDS", "1200"))  # for each of the three phases
_LATER = 60.0  # seconds more, before the process is ended


def _started(since: float) -> list[psutil.Process]:
    """Return the processes that this one, and those that it has started, have started since."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.create_time() >= since]


def _threads() -> str:
    """Return where all threads of this process are."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()


@contextlib.contextmanager
def _limited(what: str) -> Iterator[None]:
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    since = time.time() - 1  # the system's own times are not as fine

    def give_up(*_: Any) -> None:
        told = _threads()
        names = []
        for child in _started(since):
            with contextlib.suppress(psutil.Error):
                names.append(f"{child.pid} {' '.join(child.cmdline())[:200]}")
                child.kill()
        pytest.fail(
            f"{what} has not ended within {SECONDS:g} seconds. Its processes, which are ended now: "
            f"{names or 'none'}. Its threads:\n{told}"
        )

    handler = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(SECONDS + _LATER, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Limit the making of fixtures."""
    with _limited("the setup"):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Limit the test."""
    with _limited("the test"):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Limit the end of fixtures."""
    with _limited("the teardown"):
        yield
