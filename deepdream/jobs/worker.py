"""What runs on a worker of a Dask cluster: nets that stay there, and jobs made with them.

A worker makes as many dreams at a time as Dask gives it threads, each with one thread, a net of its
own and its share of the memory; with less memory fewer, and one alone that needs all of it.

A picture may end its worker: more memory than there is, a fault in a library. Dask then hands it to
the next one. So each attempt is noted with the scheduler before it begins, and a picture whose
attempts have ended `ATTEMPTS` workers is not begun again. The second attempt is made alone, so that
others that were at work beside it are not taken for the cause.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from ..errors import DeepDreamError
from ..memory import free_memory, parse_size
from ..running.plan.workers import limited_threads
from ..version import __version__
from .job import Job, Made, Maker
from .sent import NetFiles, SentFile, Shared

REFUSED = "refused: "
ATTEMPTS = 2  # that a picture may end its worker by

_LOOK = 1.0  # seconds between two looks at whether anybody still wants the picture
_USABLE = 0.7  # of a worker's memory: at 0.8 Dask takes no new tasks, at 0.95 it ends the worker
_BESIDE = 3.0  # a net in memory, with what is packed of it, in sizes of its file
_LEAST = 256 << 20  # bytes for a dream, below which fewer are made at a time


def hold(value: Any) -> Any:
    """Return what is sent: as a task's result it goes from worker to worker, to each once."""
    return value


def work(files: NetFiles, shared: Shared, job: Job, number: int, topic: str) -> tuple[Made, str]:
    """Make a job on the worker that this runs on.

    Parameters
    ----------
    files : NetFiles
    shared : Shared
    job : Job
    number : int
        Of the job, in its run.
    topic : str
        Of the scheduler's events, for attempts.

    Returns
    -------
    Made, str
        And the worker's address. An error that begins with `REFUSED` is the worker's.
    """
    from distributed import get_worker

    worker = get_worker()
    here = f"{worker.address}"
    if shared.version != __version__:
        return Made(error=f"{REFUSED}it has deepdream {__version__}, not {shared.version}"), here
    log = _Log(worker, topic, number)
    ended = log.ended()
    if len(ended) >= ATTEMPTS:
        return Made(error=_killed(ended), short_of_memory=True), here
    try:
        place = _place(worker, files, shared)
    except DeepDreamError as error:
        return Made(error=f"{REFUSED}{error}"), here
    made = _made(place, job, log, alone=bool(ended))
    if made.short_of_memory and place.slots > 1 and not ended:
        made = _made(place, job, log, alone=True)
    return made, here


def _made(place: Place, job: Job, log: _Log, alone: bool) -> Made:
    with place.maker(alone) as maker, limited_threads(place.threads):
        log.begin()
        made = maker.make(job, log.step)
        log.end()
    return made


def _killed(workers: list[str]) -> str:
    return (
        f"it has ended {len(workers)} workers ({', '.join(workers)}), most likely for want of "
        "memory: a smaller width, or less max_memory, may help"
    )


class _Log:
    """A job's attempts, noted with the scheduler, and its progress."""

    def __init__(self, worker: Any, topic: str, number: int) -> None:
        self._worker, self._topic, self._number = worker, topic, number
        self._key, self._told = worker.get_current_task(), time.monotonic()

    def ended(self) -> list[str]:
        """Return the workers that attempts at this job have ended."""
        running: list[str] = []
        for _, event in self._ask("events", topic=self._topic):
            if event["job"] != self._number:
                continue
            if event["what"] == "begin":
                running.append(event["worker"])
            elif event["worker"] in running:
                running.remove(event["worker"])
        return running

    def begin(self) -> None:
        """Note that an attempt begins; the scheduler knows when this returns."""
        self._note("begin")

    def end(self) -> None:
        """Note that it has not ended the worker."""
        self._note("end")

    def _note(self, what: str) -> None:
        note = {"job": self._number, "what": what, "worker": self._worker.address}
        self._ask("log_event", topic=self._topic, msg=note)

    def _ask(self, what: str, **arguments: Any) -> Any:
        from distributed.utils import sync

        return sync(self._worker.loop, getattr(self._worker.scheduler, what), **arguments)

    def step(self, step: Any) -> bool:
        """Tell how far the picture is; stop it where nobody wants it any more."""
        now = time.monotonic()
        if now - self._told < _LOOK:
            return True
        self._told = now
        share = {"job": self._number, "what": "step", "done": round(step.done, 3)}
        self._worker.log_event(f"{self._topic.rpartition('/')[0]}/steps", share)
        task = self._worker.state.tasks.get(self._key)
        return task is not None and task.state != "cancelled"


class Place:
    """A net on a worker, and makers for as many dreams at a time as there is room for.

    Parameters
    ----------
    worker : distributed.Worker
    files : NetFiles
    shared : Shared

    Attributes
    ----------
    slots : int
        How many dreams at a time.
    threads : int
        Of one dream.
    """

    def __init__(self, worker: Any, files: NetFiles, shared: Shared) -> None:
        self._files, self._kind = files, shared.maker
        self._folder = Path(worker.local_directory)
        self._keywords = {
            name: value.unpack(self._folder) if isinstance(value, SentFile) else value
            for name, value in shared.keywords.items()
        }
        self.threads = shared.threads
        self._memory = _memory(worker, shared)
        needed = _LEAST + int(_BESIDE * files.size)
        self.slots = max(1, min(int(worker.state.nthreads), self._memory // needed))
        if shared.maker.one_at_a_time:
            self.slots = 1
        self._memory = max(self._memory - int(_BESIDE * files.size) * self.slots, _LEAST)
        self._room = threading.Condition()
        self._running, self._waiting_alone = 0, False
        self._free = [self._new(self.slots)]

    def _new(self, of: int) -> Maker:
        """Return a maker that takes one of so many parts of the memory."""
        memory = self._memory // of
        maker = self._kind(self._files.load(self._folder), {**self._keywords, "max_memory": memory})
        maker.prepare()
        return maker

    @contextlib.contextmanager
    def maker(self, alone: bool = False) -> Iterator[Maker]:
        """Wait for room, and lend a maker; `alone`, while no other is at work."""
        with self._room:
            if alone:
                self._room.wait_for(lambda: not self._waiting_alone)
                self._waiting_alone = True
                self._room.wait_for(lambda: self._running == 0)
                self._running = self.slots
                self._free.clear()
            else:
                self._room.wait_for(lambda: self._running < self.slots and not self._waiting_alone)
                self._running += 1
            lent = None if alone or not self._free else self._free.pop()
        try:
            lent = self._new(1 if alone else self.slots) if lent is None else lent
            yield lent
        finally:
            with self._room:
                if alone:
                    self._running, self._waiting_alone = 0, False
                else:
                    self._running -= 1
                    if lent is not None:
                        self._free.append(lent)
                self._room.notify_all()


_KEPT = 2  # runs whose nets stay
_places: dict[str, Place] = {}
_lock = threading.Lock()


def _place(worker: Any, files: NetFiles, shared: Shared) -> Place:
    """Return the place of a run; those of earlier runs go."""
    with _lock:
        if shared.run not in _places:
            while len(_places) >= _KEPT:
                del _places[next(iter(_places))]
            _one_blas_thread()
            _places[shared.run] = Place(worker, files, shared)
        return _places[shared.run]


def _one_blas_thread() -> None:
    """Keep BLAS to one thread in this process: dreams are made side by side."""
    from threadpoolctl import ThreadpoolController

    ThreadpoolController().limit(limits=1, user_api="blas")


def _memory(worker: Any, shared: Shared) -> int:
    """Return how many bytes the dreams of a worker may take together, with their nets."""
    nthreads = int(worker.state.nthreads)
    host = worker.address.rpartition(":")[0].rpartition("/")[2]
    part = nthreads / max(nthreads, shared.dreams_on.get(host, nthreads))
    limits = [0.8 * free_memory() * part]
    own = getattr(getattr(worker, "memory_manager", None), "memory_limit", None)
    if own:
        limits.append(_USABLE * own - psutil.Process().memory_info().rss)
    asked = shared.keywords.get("max_memory")
    if asked is not None:
        limits.append(parse_size(asked) * part)
    return max(int(min(limits)), _LEAST)
