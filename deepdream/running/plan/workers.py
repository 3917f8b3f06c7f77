"""Threads that share out the work of one operation.

Kernels and matrix products release Python's lock, so Python's own threads run them side by side,
each on rows of its own. PyTorch's threads are not used meanwhile: they wait by spinning, and would
take the cores from whoever works next.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

Task = Callable[[int, int], None]


class Workers:
    """The calling thread and ``count - 1`` others.

    Parameters
    ----------
    count : int
        How many threads work, 1 or more.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for number in range(1, count):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()

    def _serve(self, number: int) -> None:
        torch.set_num_threads(1)  # of this thread
        torch.set_grad_enabled(False)
        while True:
            task, parts, end, ended, wake = self._jobs.get()
            ended.append(_work(task, parts, end, number))
            del task, parts, ended  # what they refer to may be large
            wake.put(None)

    def run(self, task: Task, parts: int) -> None:
        """Call ``task(part, worker)`` for each part, 0..parts - 1, and wait.

        Each thread takes the next part as soon as it is free. `worker` is the number of the thread
        that runs it, for memory of its own.

        Raises
        ------
        BaseException
            What a task raised; no other task starts after that, and none is left running.
        """
        helpers = max(0, min(self.count, parts) - 1)
        order = itertools.count()
        # Of this run alone, so that an interrupt, wherever it comes, leaves nothing to the next.
        ended: list[BaseException | None] = []
        wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(helpers):
            self._jobs.put((task, order, parts, ended, wake))
        error = _work(task, order, parts, 0)
        while len(ended) < helpers:
            try:
                wake.get()
            except KeyboardInterrupt as interrupt:  # wait on: they write to shared memory
                error = interrupt
        error = next(filter(None, ended), error)
        if error is not None:
            raise error

    @contextlib.contextmanager
    def engaged(self) -> Iterator[None]:
        """Let the calling thread run PyTorch's operators by itself, without PyTorch's threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _work(task: Task, parts: Iterator[int], end: int, worker: int) -> BaseException | None:
    """Run parts until there are no more; return what was raised."""
    try:
        for part in parts:
            if part >= end:
                return None
            task(part, worker)
    except BaseException as error:
        for _ in zip(range(end), parts):  # nobody begins another part
            pass
        return error
    return None


_POOLS: dict[tuple[int, int], Workers] = {}


def workers(count: int) -> Workers:
    """Return the process's pool of `count` threads, made when it is first asked for."""
    key = (os.getpid(), count)  # threads do not survive a fork
    if key not in _POOLS:
        before = torch.get_num_threads()
        _POOLS[key] = Workers(count)
        # The others' own setting became the default for threads to come; take that back.
        _POOLS[key].run(_nothing, count)
        torch.set_num_threads(before)
    return _POOLS[key]


def _nothing(part: int, worker: int) -> Any:
    pass
