"""Threads beside the dreaming: they end, whenever Ctrl-C comes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deepdream.films import beside
from deepdream.films.beside import Follower, ahead

SECONDS = 60  # after which what should have ended is said not to


def interrupted(call: Callable[[], Any], at: int) -> bool:
    """Call a function, with Ctrl-C at the `at`-th line that it runs; tell whether it came to it."""
    seen = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_filename.endswith(("threading.py", "queue.py", "beside.py")):
            if event in ("call", "line"):
                seen += 1
                if seen == at:
                    raise KeyboardInterrupt
            return trace
        return None

    before = sys.gettrace()
    try:
        sys.settrace(trace)
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def ends(call: Callable[[], Any]) -> bool:
    """Tell whether a function returns."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return not thread.is_alive()


@pytest.mark.parametrize("waiting", [0, 2], ids=["at once", "with room to wait for"])
def test_what_follows_ends_whenever_ctrl_c_comes(waiting: int) -> None:
    """At each line of handing over an item: those before are done, and the thread ends."""
    came, at = True, 0
    while came:
        at += 1
        done: list[int] = []
        follower: Follower[int] = Follower(lambda n, done=done: (time.sleep(0.002), done.append(n)))
        for number in range(waiting):
            follower.give(number)

        came = interrupted(lambda to=follower: to.give(9), at)

        assert ends(follower.close), f"Ctrl-C at line {at}"
        assert done[:waiting] == [*range(waiting)]
        assert done[waiting:] == [9] or (came and not done[waiting:])
    assert at > 2


def test_what_runs_ahead_ends_whenever_ctrl_c_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each line of taking an item: the iterator is closed."""
    monkeypatch.setattr(beside, "_PATIENCE", SECONDS)
    came, at = True, 0
    while came:
        at += 1
        closed = threading.Event()

        def items(closed: threading.Event = closed) -> Iterator[int]:
            try:
                yield from range(100)
            finally:
                closed.set()

        taken = ahead(items())
        assert next(taken) == 0
        came = interrupted(lambda taken=taken: next(taken), at)

        assert ends(taken.close), f"Ctrl-C at line {at}"
        assert closed.wait(SECONDS), f"Ctrl-C at line {at}"
    assert at > 2


def test_nobody_runs_far_ahead_or_far_behind() -> None:
    """Two items wait at most, on either side."""
    made, go = [], threading.Semaphore(0)

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    taken = ahead(items())
    for number in range(20):
        assert next(taken) == number
        time.sleep(0.001)
        assert len(made) <= number + 4  # taken, two that wait, and one that has no room
    assert list(taken) == []

    follower: Follower[int] = Follower(lambda _: go.acquire(timeout=SECONDS))
    given: list[int] = []
    giving = threading.Thread(target=lambda: [given.append(follower.give(n)) for n in range(9)])
    giving.start()
    time.sleep(0.1)
    assert len(given) <= 3  # one is being done, two wait
    go.release(9)
    giving.join(SECONDS)
    assert len(given) == 9
    assert ends(follower.close)


def test_errors_come_up_on_the_other_side() -> None:
    """After the items before; what follows one is not done."""

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)

    done = []

    def do(item: int) -> None:
        done.append(item)
        if item == 2:
            raise ValueError("full")

    follower: Follower[int] = Follower(do)
    follower.give(1)
    follower.give(2)
    end = time.monotonic() + SECONDS
    while follower._error is None and time.monotonic() < end:
        time.sleep(0.001)
    with pytest.raises(ValueError, match="full"):
        follower.give(3)
    with pytest.raises(ValueError, match="full"):
        follower.close()
    assert done == [1, 2]
