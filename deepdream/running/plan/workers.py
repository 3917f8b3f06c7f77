"""Threads that share out the work of one operation.

Kernels and matrix products release Python's lock, so Python's own threads run them side by side,
each on rows of its own.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import queue
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np

from .kernels import wait_while

Task = Callable[[int, int], None]

LINE = 8  # numbers of 8 bytes: a cache line

# Looks before a thread goes to sleep: some 0.2 ms.
TURNS = 200_000


class Workers:
    """The calling thread and ``count - 1`` others.

    Several threads may call `run` at once, each for a dream of its own, or a task may call it
    again: each call has other threads beside it, which are made when there are too few and kept.

    Parameters
    ----------
    count : int
        How many threads work, 1 or more.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: list[_Crew] = []
        _POOLS.add(self)

    def run(self, task: Task, parts: int) -> None:
        """Call ``task(part, worker)`` for each part, 0..parts - 1, and wait.

        Each thread takes the next part as soon as it is free. `worker` is the number of the thread
        that runs it, for memory of its own.

        Raises
        ------
        BaseException
            What a task raised; no other task starts after that, and none is left running.
        """
        if self.count == 1 or parts <= 1:
            error = _work(task, itertools.count(), parts, 0)
        else:
            try:
                crew = self._idle.pop()
            except IndexError:
                crew = _Crew(self.count)
            error = crew.run(task, parts)  # where this itself fails, nobody knows what they are at:
            self._idle.append(crew)  # such a crew is not used again
        if error is not None:
            raise error

    def leave(self) -> None:
        """Forget threads that are not in this process."""
        self._idle = []


class _Crew:
    """One caller's threads.

    Between two operations a thread looks for its next job, or for the others' end, for a while
    before it goes to sleep (`kernels.waiting`). What goes on stands on a board of numbers, one for
    each thread in a cache line of its own: how many jobs the caller has given out, and how many
    each of the others has finished.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._board = np.zeros(LINE * count, np.int64)
        self._given = 0
        self._job: tuple[Task, Iterator[int], int] | None = None
        self._errors: list[BaseException] = []
        # Flags are set and read under Python's lock, before and after the numbers that they guard.
        self._asleep = [False] * count
        self._wake: list[queue.SimpleQueue[None]] = [queue.SimpleQueue() for _ in range(count)]
        wait_while(self._board, 0, 0, 0)  # loads it: an error in a helper would reach nobody
        for number in range(1, count):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()

    def _serve(self, number: int) -> None:
        seen = 0
        while True:
            self._wait(number, 0, seen)
            if self._given == seen:
                continue
            seen = self._given
            assert self._job is not None
            error = _work(*self._job, number)
            if error is not None:
                self._errors.append(error)
                del error
            self._board[LINE * number] = seen
            if self._asleep[0]:
                self._wake[0].put(None)

    def _wait(self, number: int, other: int, value: int) -> None:
        """Let thread `number` wait while `other`'s number is `value`; it may return early."""
        wait_while(self._board, LINE * other, value, TURNS)
        if self._board[LINE * other] != value:
            return
        self._asleep[number] = True
        if self._board[LINE * other] == value:
            self._wake[number].get()
        self._asleep[number] = False

    def _give_out(self) -> None:
        """Let the others see the job."""
        self._board[0] = self._given
        for number in range(1, self.count):
            if self._asleep[number]:
                self._wake[number].put(None)

    def run(self, task: Task, parts: int) -> BaseException | None:
        """Do what `Workers.run` does, and return what a task raised."""
        order = itertools.count()
        error: BaseException | None = None
        self._job = (task, order, parts)
        self._given += 1
        try:
            self._give_out()
            error = _work(task, order, parts, 0)
        except BaseException as interrupt:  # Ctrl-C: they may have begun, or be asleep
            error = interrupt
            _end(order, parts)
            self._give_out()
        for number in range(1, self.count):
            while self._board[LINE * number] != self._given:
                try:
                    self._wait(0, number, self._given - 1)
                except BaseException as interrupt:  # wait on: they write to shared memory
                    error = interrupt
        self._job = None
        errors, self._errors = [*([error] if error else []), *self._errors], []
        return errors[0] if errors else None


def _work(task: Task, parts: Iterator[int], end: int, worker: int) -> BaseException | None:
    """Run parts until there are no more; return what was raised."""
    try:
        for part in parts:
            if part >= end:
                return None
            task(part, worker)
    except BaseException as error:
        _end(parts, end)
        return error
    return None


def _end(parts: Iterator[int], end: int) -> None:
    """Let nobody begin another part."""
    for _ in zip(range(end), parts):
        pass


def _leave_all() -> None:
    for pool in list(_POOLS):
        pool.leave()


_POOLS: weakref.WeakSet[Workers] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)  # threads do not survive a fork


@functools.cache
def workers(count: int) -> Workers:
    """Return the process's pool of `count` threads, made when it is first asked for."""
    return Workers(count)


_limit = threading.local()


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Let what this thread plans and runs meanwhile work with so many threads."""
    before = getattr(_limit, "count", None)
    _limit.count = count
    try:
        yield
    finally:
        _limit.count = before


def thread_count() -> int:
    """Return how many threads a plan works with.

    As `limited_threads` says in this thread; else ``OMP_NUM_THREADS`` where it is set, as for
    Caffe's BLAS; else as many as there are processors that this process may use.
    """
    limit: int | None = getattr(_limit, "count", None)
    if limit is not None:
        return limit
    with contextlib.suppress(ValueError):
        asked = int(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0])
        if asked > 0:
            return asked
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
