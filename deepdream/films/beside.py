"""Work beside the dreaming: what reads runs ahead by a frame or two, what encodes follows.

Each is one thread with a short queue. Memory does not grow where one side is slower, and an error
on the other side comes up in the caller's thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_AHEAD = 2  # frames
_POLL = 0.1  # seconds between two looks whether the other side is still there
_PATIENCE = 5.0  # seconds for the other side to end

_END = object()


class _Raised:
    """An exception on its way to the other thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(items: Iterator[Item], count: int = _AHEAD) -> Iterator[Item]:
    """Yield what an iterator yields, which runs in a thread of its own.

    Parameters
    ----------
    items : iterator
        Used by that thread alone. A generator is closed in it, too.
    count : int
        How many items it may be ahead.

    Yields
    ------
    item
        In order. What `items` raises is raised here, after the items before it.
    """
    waiting: queue.Queue[Any] = queue.Queue(count)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        last: Any = _END
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as error:
            last = _Raised(error)
        try:
            getattr(items, "close", lambda: None)()
        except BaseException as error:
            last = _Raised(error)
        put(last)

    thread = threading.Thread(target=run, name="deepdream-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if item is _END:
                return
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join(_PATIENCE)  # what waits for a camera or a network may never end


class Follower(Generic[Item]):
    """A thread that does one thing to each item it is given, in order.

    Parameters
    ----------
    do : callable
        ``do(item)``, called in that thread alone.
    count : int
        How many items may wait; `give` waits for room beyond.
    """

    def __init__(self, do: Callable[[Item], None], count: int = _AHEAD) -> None:
        self._do = do
        self._waiting: queue.Queue[Any] = queue.Queue(count)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="deepdream-follow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                # Ctrl-C in the caller's `put` may leave a mark of an earlier wait in the queue's
                # condition, which then takes the next notice: so nobody waits for one for long.
                item = self._waiting.get(timeout=_POLL)
            except queue.Empty:
                continue
            if item is _END:
                return
            if self._error is None:  # after an error the rest is only taken off the queue
                try:
                    self._do(item)
                except BaseException as error:
                    self._error = error

    def check(self) -> None:
        """Raise what the thread has met, if anything."""
        if self._error is not None:
            raise self._error

    def give(self, item: Item) -> None:
        """Hand over an item.

        Raises
        ------
        BaseException
            What an earlier item has met.
        """
        self.check()
        self._waiting.put(item)

    def close(self) -> None:
        """Wait until everything is done, and end the thread; raises what it has met."""
        if self._thread.is_alive():
            self._waiting.put(_END)
            self._thread.join()
        self.check()
