"""The threads that share out the work of a plan."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from deepdream.running.plan.workers import Workers, thread_count, workers


def let_go(task: weakref.ref) -> None:
    """Check that nobody holds on to a task."""
    for _ in range(100):  # a helper lets go right after it has told that it is done
        gc.collect()
        if task() is None:
            break
        time.sleep(0.01)
    assert task() is None


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("parts", [0, 1, 2, 7, 100])
def test_every_part_runs_once(count: int, parts: int) -> None:
    """Each part is run by one thread, whose number is within the pool."""
    done: list[tuple[int, int]] = []

    workers(count).run(lambda part, worker: done.append((part, worker)), parts)

    assert sorted(part for part, _ in done) == list(range(parts))
    assert {worker for _, worker in done} <= set(range(count))


def test_threads_work_at_the_same_time() -> None:
    """Two parts that wait for each other both end, each on a thread of its own."""
    meeting = threading.Barrier(2, timeout=20)
    seen: dict[int, int] = {}

    def task(part: int, worker: int) -> None:
        meeting.wait()
        seen[worker] = threading.get_ident()

    workers(2).run(task, 2)

    assert seen[0] == threading.get_ident() != seen[1]


@pytest.mark.parametrize("culprit", [0, 1], ids=["caller", "helper"])
def test_an_error_reaches_the_caller(culprit: int) -> None:
    """What a task raises is raised by `run`, whichever thread it was, and the pool lives on."""
    meeting = threading.Barrier(2, timeout=20)
    begun: list[int] = []

    def task(part: int, worker: int) -> None:
        begun.append(part)
        if part < 2:
            meeting.wait()
            if worker == culprit:
                raise ValueError(f"part of worker {worker}")
            time.sleep(0.05)

    with pytest.raises(ValueError, match=f"part of worker {culprit}"):
        workers(2).run(task, 1000)

    assert len(begun) < 1000
    done: list[int] = []
    workers(2).run(lambda part, worker: done.append(part), 5)
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_nothing_runs_after_an_error() -> None:
    """`run` raises when all threads have stopped: nobody writes to memory any more."""
    meeting = threading.Barrier(2, timeout=20)
    running: set[int] = set()

    def task(part: int, worker: int) -> None:
        running.add(worker)
        meeting.wait()
        if worker == 0:
            running.discard(worker)
            raise ValueError("stop")
        time.sleep(0.1)
        running.discard(worker)

    with pytest.raises(ValueError, match="stop"):
        workers(2).run(task, 2)

    assert not running


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_ctrl_c_waits_for_the_helpers() -> None:
    """A Ctrl-C while the caller waits is raised, but only when the helpers are ready."""
    meeting, ended = threading.Barrier(2, timeout=20), threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def task(part: int, worker: int) -> None:
        meeting.wait()
        if worker:
            time.sleep(0.05)  # the caller is waiting now
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.1)
            ended.set()

    try:
        with pytest.raises(KeyboardInterrupt):
            workers(2).run(task, 2)
    finally:
        signal.signal(signal.SIGINT, before)

    assert ended.is_set()
    done: list[int] = []
    workers(2).run(lambda part, worker: done.append(part), 3)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_any_signal_waits_for_the_helpers() -> None:
    """A handler may raise what it likes: a time limit of the user's, or of batch systems."""
    meeting, ended = threading.Barrier(2, timeout=20), threading.Event()

    def handler(*_: object) -> None:
        raise TimeoutError("time is up")

    def task(part: int, worker: int) -> None:
        meeting.wait()
        if worker:
            time.sleep(0.05)  # the caller is waiting now
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            time.sleep(0.1)
            ended.set()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            workers(2).run(task, 2)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert ended.is_set()


def test_ctrl_c_while_the_helpers_are_woken() -> None:
    """They end, and let go of the task, whose arrays may be large; the next job is done."""

    class Task:
        def __call__(self, part: int, worker: int) -> None:
            begun.append(part)

    class Interrupted:
        def __init__(self, queue) -> None:
            self.get, self.hand_on = queue.get, queue.put

        def put(self, item: None) -> None:
            if not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt
            self.hand_on(item)

    begun: list[int] = []
    interrupted: list[bool] = []
    pool = Workers(3)
    pool.run(lambda part, worker: None, 3)
    (crew,) = pool._idle
    crew._wake[1] = Interrupted(crew._wake[1])
    deadline = time.monotonic() + 30
    while not all(crew._asleep[1:]) and time.monotonic() < deadline:
        time.sleep(0.01)
    task = Task()
    gone = weakref.ref(task)

    with pytest.raises(KeyboardInterrupt):
        pool.run(task, 3)

    assert interrupted
    assert not begun
    del task
    let_go(gone)
    pool.run(lambda part, worker: begun.append(part), 5)
    assert sorted(begun) == [0, 1, 2, 3, 4]


def test_ctrl_c_in_the_callers_part() -> None:
    """A KeyboardInterrupt inside a task is raised like any other error."""

    def task(part: int, worker: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers(2).run(task, 4)


def test_a_task_is_let_go() -> None:
    """After `run`, no thread holds on to the task, whose arrays may be large."""

    class Task:
        def __call__(self, part: int, worker: int) -> None:
            pass

    task = Task()
    alive = weakref.ref(task)
    pool = Workers(3)
    pool.run(task, 9)
    del task

    let_go(alive)


def test_threads_are_as_many_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """OMP_NUM_THREADS counts, as for BLAS; else the processors that this process may use."""
    for value in ("3", "3,2"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert thread_count() == 3
    for value in ("0", "many", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert 1 <= thread_count() <= (os.cpu_count() or 1)


def test_threads_that_dream_at_the_same_time() -> None:
    """Each has helpers of its own: every part runs once, and has run when `run` returns."""
    wrong: list[tuple[int, list[int]]] = []
    pool = Workers(2)

    def dream(salt: int) -> None:
        for step in range(1000):
            done: list[int] = []
            running: set[int] = set()

            def task(part: int, worker: int, done=done, running=running) -> None:
                running.add(part)
                time.sleep(0 if (part + salt) % 3 else 1e-4)
                done.append(part)
                running.discard(part)

            pool.run(task, 7)
            if sorted(done) != list(range(7)) or running:
                wrong.append((step, done))

    dreamers = [threading.Thread(target=dream, args=(n,), daemon=True) for n in range(3)]
    for dreamer in dreamers:
        dreamer.start()
    for dreamer in dreamers:
        dreamer.join(60)

    assert not any(dreamer.is_alive() for dreamer in dreamers)
    assert not wrong


def test_a_task_that_shares_out_its_own_work() -> None:
    """A task may call `run` again, on the same pool."""
    pool = Workers(2)
    done: list[tuple[int, int]] = []

    def task(part: int, worker: int) -> None:
        pool.run(lambda inner, worker: done.append((part, inner)), 3)

    outer = threading.Thread(target=pool.run, args=(task, 4), daemon=True)
    outer.start()
    outer.join(30)

    assert not outer.is_alive()
    assert sorted(done) == [(part, inner) for part in range(4) for inner in range(3)]


def test_helpers_are_kept() -> None:
    """A pool that is used again and again makes no new threads."""
    pool = Workers(3)
    pool.run(lambda part, worker: None, 9)
    before = threading.active_count()

    for _ in range(20):
        pool.run(lambda part, worker: None, 9)
        with pytest.raises(ValueError, match="no"):
            pool.run(_refuse, 9)

    assert threading.active_count() == before


def _refuse(part: int, worker: int) -> None:
    raise ValueError("no")


def test_one_pool_for_each_count() -> None:
    """Pools are made once."""
    assert workers(2) is workers(2)
    assert workers(2) is not workers(3)
    assert workers(3).count == 3


FORKED = """
import os, sys
from deepdream.running.plan.workers import workers

parent = workers(2)
parent.run(lambda part, worker: None, 4)
child = os.fork()
if not child:
    done = []
    parent.run(lambda part, worker: done.append(part), 9)  # a plan from before the fork has it
    os._exit(0 if sorted(done) == list(range(9)) else 1)
_, status = os.waitpid(child, 0)
done = []
workers(2).run(lambda part, worker: done.append(part), 9)
sys.exit(os.waitstatus_to_exitcode(status) or sorted(done) != list(range(9)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_threads_of_its_own() -> None:
    """Threads do not survive a fork: the child makes new ones, and the parent's go on."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=Path(__file__).parents[1], timeout=60,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
