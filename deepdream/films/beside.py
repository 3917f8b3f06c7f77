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
_PATIENCE = 5.0  # seconds for the other side to end

_END = object()


class _Raised:
    """An exception on its way to the other thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Way:
    """Items on their way from one thread to another, so many at a time.

    A Ctrl-C in the middle of `queue.Queue`, which is written in Python, leaves its lock taken or a
    notice lost, and both sides wait for ever. What these two queues do is done or not.
    """

    def __init__(self, count: int) -> None:
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(count):
            self._room.put(None)
        self._left = False

    def put(self, item: Any) -> bool:
        """Wait for room, and hand over an item; tell whether anybody takes it."""
        self._room.get()
        if not self._left:
            self._items.put(item)
        return not self._left

    def put_last(self, item: Any) -> None:
        """Hand over the last item, room or not."""
        self._items.put(item)

    def get(self) -> Any:
        """Wait for an item, and take it."""
        item = self._items.get()
        self._room.put(None)
        return item

    def leave(self) -> None:
        """Take no more; who waits for room goes on."""
        self._left = True
        self._room.put(None)


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
    way = _Way(count)

    def run() -> None:
        last: Any = _END
        try:
            for item in items:
                if not way.put(item):
                    break
        except BaseException as error:
            last = _Raised(error)
        try:
            getattr(items, "close", lambda: None)()
        except BaseException as error:
            last = _Raised(error)
        way.put_last(last)

    thread = threading.Thread(target=run, name="deepdream-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = way.get()
            if item is _END:
                return
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        way.leave()
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
        self._way = _Way(count)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="deepdream-follow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            item = self._way.get()
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
        self._way.put(item)

    def close(self) -> None:
        """Wait until everything is done, and end the thread; raises what it has met."""
        if self._thread.is_alive():
            self._way.put_last(_END)
            self._thread.join()
        self.check()
