"""Events: what has changed, told to every page that listens (server-sent events).

A page that connects is told all that there is, and then each change. One that has fallen behind is
cut off: it connects again by itself, and is told all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

_BEHIND = 200  # events that wait for one page
_ALIVE = 15.0  # seconds after which something is sent, so that a dead connection shows
LISTENERS = 40  # pages at once

Event = tuple[str, Any]


class Events:
    """Hands events to all that listen; on one event loop."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    @property
    def full(self) -> bool:
        """Tell whether as many pages listen as may."""
        return len(self._listeners) >= LISTENERS

    def tell(self, kind: str, what: Any) -> None:
        """Send an event to all."""
        for queue in list(self._listeners):
            if queue.qsize() >= _BEHIND:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait((kind, what))

    def close(self) -> None:
        """End all connections: the program ends."""
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()

    async def listen(self, all_there_is: Callable[[], Any]) -> AsyncIterator[bytes]:
        """Yield the bytes of a stream of events."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield b"retry: 1000\n\n" + encoded("all", all_there_is())
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), _ALIVE)
                except asyncio.TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event is None:
                    return
                yield encoded(*event)
        finally:
            self._listeners.discard(queue)


def encoded(kind: str, what: Any) -> bytes:
    """Return one event as it goes over the line."""
    return f"event: {kind}\ndata: {json.dumps(what)}\n\n".encode()
