"""Jobs, made on a Dask cluster.

A job is a task. What all share is a task's result, too, so that Dask hands it on from worker to
worker, to each once. Only some more jobs are given out than can be made at a time: they carry their
pictures, which would pile up on the scheduler.

Workers that die are Dask's business: it gives their jobs to others. Ours is to refuse workers that
would make other pictures, to report a picture that ends its workers, and to keep what is made when
the scheduler is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import queue
import secrets
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError, ParameterError
from ..version import __version__
from .connect import connected, dashboard, is_local, sees, whole
from .job import File, Job, Made, Maker, Supply
from .sent import NetFiles, Shared, look
from .worker import REFUSED, hold, work

_log = logging.getLogger(__name__)

_AHEAD = 2  # jobs given out for each that can be made at a time
_TICK = 0.5  # seconds between two looks at the scheduler
_SOON = 0.05  # seconds between two looks for jobs that are not known yet
_RECENT = 2.0  # seconds for which the list of workers is taken to be right
_ROUND = 5.0  # seconds between two looks for workers that are new
_PATIENCE = 60.0  # seconds to wait for the first worker
_ALONE = 10.0  # seconds without any worker, after which that is said
_LOST = 120.0  # and after which those that this process has started do not come back
_FETCH = 300.0  # for a picture to come from its worker, which may have ended meanwhile
_GROUP = 50  # jobs whose attempts stand under one topic of the scheduler's
_TRIES = 5  # how often a job is given out again for reasons that are not its own


def run_on_cluster(
    maker: Maker,
    supply: Supply,
    cluster: Any,
    *,
    shared: str | None = None,
    tell: Callable[[int, float], None] | None = None,
) -> Iterator[tuple[int, Made]]:
    """Make jobs on a cluster.

    Parameters
    ----------
    maker : Maker
        Whose net and shared keywords are sent.
    supply : Supply
        Gives the jobs out. It may have more of them when the caller has taken what was made.
    cluster
        See `connect.connected`.
    shared : str, optional
        A folder that all machines see under this path: files below it are read and written there.
    tell : callable, optional
        Called with the number of a job and the share of it that is done.

    Yields
    ------
    (int, Made)
        The number of a job, and what came of it, as soon as it is known.

    Raises
    ------
    EngineError
        No scheduler, no worker that may make these pictures, or the scheduler has gone.
    ParameterError
        The net cannot be had on other machines.
    """
    files = NetFiles.of(maker.net)
    folder = None if shared is None else _folder(shared)
    with connected(cluster) as (client, threads):
        run = _Run(client, threads, files, maker, supply, folder, tell, is_local(cluster))
        try:
            yield from run
        finally:
            run.cancel()


def _folder(shared: str) -> Path:
    folder = whole(Path(shared).expanduser())
    if not folder.is_dir():
        raise ParameterError(f"shared is '{shared}': a folder that all machines see is expected")
    return folder


def _only(workers: list[str]) -> dict[str, Any]:
    """Return keywords of `submit` for a task that these workers alone may run, if there are any."""
    return {"workers": workers, "allow_other_workers": False} if workers else {}


class _Run:
    """Jobs given out, and what is known of the workers."""

    def __init__(
        self, client: Any, threads: int, files: NetFiles, maker: Maker, supply: Supply,
        folder: Path | None, tell: Callable[[int, float], None] | None, own: bool,
    ) -> None:  # fmt: skip
        self._own = own  # nobody else starts workers
        self._client, self._files, self._supply = client, files, supply
        self._folder = folder
        self._name = f"deepdream-{secrets.token_hex(6)}"
        self._jobs: dict[int, Job] = {}  # that have been given out, and are not made
        self._again: deque[int] = deque()  # of them, what is to be given out once more
        self._tries: Counter[int] = Counter()
        self._keys = itertools.count()
        # Futures, the numbers of their jobs, and to which workers alone they may go, if that is so.
        self._out: dict[Any, tuple[int, list[str]]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._looked: dict[str, str] = {}  # addresses, and why a worker is refused, or nothing
        self._machine: set[str] = set()
        self._known: Mapping[str, Any] = {}  # workers
        self._asked = -float("inf")
        self._lonely_since: float | None = None
        self._told_so = False
        self._address = str(client.scheduler.address)
        self._wait_for_the_first()
        self._look_at_workers()
        if not self._good():
            raise EngineError(self._why_nobody())
        self._say_where()
        self._share = Shared(self._name, maker.shared, self._dreams_on(), threads, type(maker))
        self._send_shared()
        self._looked_at = time.monotonic()
        supply.begin(sum(self._share.dreams_on.values()))
        self._tell = tell
        if tell is not None:
            client.subscribe_topic(f"{self._name}/steps", self._step)

    def _send_shared(self) -> None:
        """Send what all jobs need."""
        number, self._only = next(self._keys), self._where()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this is large: it travels once
            self._net, self._shared = (
                self._client.submit(
                    hold, what, key=f"{self._name}-{name}-{number}", **_only(self._only)
                )
                for name, what in (("net", self._files), ("shared", self._share))
            )

    def _step(self, event: Any) -> None:
        _, note = event
        assert self._tell is not None
        self._tell(note["job"], note["done"])

    # -- workers ---------------------------------------------------------------------------------

    def _wait_for_the_first(self) -> None:
        if not self._workers():
            _log.warning(f"{self._address} has no worker yet: waiting for one")
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except asyncio.TimeoutError:  # no TimeoutError before Python 3.11
            raise EngineError(
                f"The scheduler at {self._address} has no worker: start some by "
                f"'dask worker {self._address} --nworkers -1 --nthreads 1'"
            ) from None
        self._asked = -float("inf")

    def _workers(self, age: float = _RECENT) -> Mapping[str, Any]:
        """Return what the scheduler tells of its workers, by address; at most `age` seconds old."""
        now = time.monotonic()
        if now > self._asked + age:
            self._known = self._client.scheduler_info(n_workers=-1)["workers"]
            self._asked = now
        return self._known

    def _look_at_workers(self) -> None:
        """Ask workers that are new what they are; refuse those that would make other pictures."""
        # One that has just died would be waited for.
        new = [address for address in self._workers(0) if address not in self._looked]
        if not new:
            return
        told = self._client.run(
            look, self._files.known, self._files.bundled, workers=new, on_error="return"
        )
        there = self._workers(0)
        for address, found in told.items():
            if isinstance(found, OSError) and address not in there:
                continue  # it died meanwhile
            self._looked[address] = why = self._why_not(found)
            if why:
                warnings.warn(
                    f"the worker {address} gets no work: {why}", UserWarning, stacklevel=2
                )
            else:
                self._machine.add(found["processor"])
        if len(self._machine) > 1:
            self._machine = {"several"}
            warnings.warn(
                "the workers have processors of several kinds: pictures are equal between those of "
                "one kind, and differ by rounding between others",
                UserWarning, stacklevel=2,
            )  # fmt: skip

    def _why_not(self, found: Any) -> str:
        if isinstance(found, OSError):
            return f"it does not answer ({type(found).__name__})"
        if isinstance(found, BaseException):
            return f"deepdream {__version__} cannot be used there ({type(found).__name__}: {found})"
        if found["version"] != __version__:
            return f"it has deepdream {found['version']}, and this is {__version__}"
        if found.get("problem"):
            return str(found["problem"])
        wanted = self._files.known.get("caffemodel_sha256")
        if self._files.bundled and found["weights"] != wanted:
            return (
                f"its weights of '{self._files.known['name']}' are others: sha256 "
                f"{found['weights'][:12]}... instead of {str(wanted)[:12]}..."
            )
        return ""

    def _good(self) -> list[str]:
        return [a for a in self._workers() if self._looked.get(a, "not yet") == ""]

    def _why_nobody(self) -> str:
        reasons = [f"{address}: {why}" for address, why in self._looked.items() if why]
        some = "; ".join(reasons[:3]) + (" ..." if len(reasons) > 3 else "")
        return f"No worker at {self._address} can make these pictures: {some or 'there is none'}"

    def _where(self) -> list[str]:
        """Return the workers that alone may get tasks; none, unless some worker is refused."""
        return self._good() if any(self._looked.values()) else []

    def _dreams_on(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for worker in self._workers().values():
            found[worker["host"]] = found.get(worker["host"], 0) + worker["nthreads"]
        return found

    def _say_where(self) -> None:
        on = self._dreams_on()
        machines = f" on {len(on)} machines" if len(on) > 1 else ""
        page = dashboard(self._client)
        said = f"{sum(on.values())} dreams at a time{machines}"
        if page:
            _log.warning(f"{said}; Dask's page about them: {page}")
        else:
            _log.info(said)

    # -- jobs ------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[tuple[int, Made]]:
        while True:
            self._look_around()
            yield from self._give_out()
            if not self._out and not self._again and self._supply.over:
                return
            try:
                # What is still being thought up comes soon.
                future = self._done.get(timeout=_TICK if self._supply.over else _SOON)
            except queue.Empty:
                self._check()
                continue
            number, _ = self._out.pop(future, (None, []))
            if number is not None:
                made = self._outcome(future, number)
                future.release()
                if made is not None:
                    del self._jobs[number]
                    yield number, made

    def _look_around(self) -> None:
        """Look at new workers now and then, and give them what waits for some that are gone."""
        if time.monotonic() < self._looked_at + _ROUND:
            return
        self._look_at_workers()
        self._looked_at = time.monotonic()
        there = set(self._workers())
        if not self._good():
            return
        gone = bool(self._only) and not there.intersection(self._only)
        if gone:
            self._send_shared()
        for future, (number, only) in list(self._out.items()):
            if gone or (only and not there.intersection(only)):
                del self._out[future]
                self._again.appendleft(number)
                future.cancel()

    def _give_out(self) -> Iterator[tuple[int, Made]]:
        """Give out jobs, some more than can be made at a time; yield those that cannot be sent."""
        only = self._where()
        if any(self._looked.values()) and not only:  # those that were right are gone
            return
        most = _AHEAD * sum(worker["nthreads"] for worker in self._workers().values()) + 1
        while len(self._out) < most:
            if self._again:
                number = self._again.popleft()
            else:
                given = self._supply.take()
                if given is None:
                    return
                number = given[0]
                self._jobs[number] = given[1]
            try:
                job = self._sent(self._jobs[number])
            except OSError as error:
                del self._jobs[number]
                yield number, Made(error=f"{type(error).__name__}: {error}")
                continue
            topic = f"{self._name}/{number // _GROUP}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                future = self._client.submit(
                    work, self._net, self._shared, job, number, topic,
                    key=f"{self._name}-{number}-{next(self._keys)}", **_only(only),
                )  # fmt: skip
            self._out[future] = number, only
            future.add_done_callback(self._done.put)

    def _sent(self, job: Job) -> Job:
        """Return a job with its picture, unless the workers see that; and where they write."""
        keywords = {
            name: value.packed() if isinstance(value, File) and not self._seen(value.path) else
            dataclasses.replace(value, path=str(whole(value.path)))
            if isinstance(value, File) else value
            for name, value in job.keywords.items()
        }  # fmt: skip
        writes = self._seen(job.file)
        file = str(whole(job.file)) if writes else Path(job.file).name
        return dataclasses.replace(job, keywords=keywords, file=file, writes=writes)

    def _seen(self, path: str) -> bool:
        """Tell whether all machines see a file under its name."""
        return sees(self._folder, path)

    def _outcome(self, future: Any, number: int) -> Made | None:
        """Return what came of a job, or None where it is given out again."""
        from distributed import KilledWorker

        self._check()
        try:
            made, worker = future.result(timeout=_FETCH)
        except KilledWorker as error:
            # Dask counts all jobs that a worker had, also those that had not begun.
            return self._once_more(number, f"its workers were ended: {error}")
        except Exception as error:
            self._check()
            return self._once_more(number, f"{type(error).__name__}: {error}")
        if made.error.startswith(REFUSED):
            why = made.error[len(REFUSED) :]
            if not self._looked.get(worker):
                self._looked[worker] = why
                warnings.warn(f"the worker {worker} gets no work: {why}", UserWarning, stacklevel=2)
            if not self._good():
                raise EngineError(self._why_nobody())
            return self._once_more(number, why)
        if made.stopped:
            return self._once_more(number, "it was stopped")
        checked: Made = made
        return checked

    def _once_more(self, number: int, why: str) -> Made | None:
        self._tries[number] += 1
        if self._tries[number] > _TRIES:
            return Made(error=why)
        self._again.appendleft(number)
        return None

    # -- what goes wrong -------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise where the scheduler is gone; say where there are no workers."""
        if self._client.status != "running":
            raise EngineError(
                f"The scheduler at {self._address} is gone. What is made is kept: start it again "
                "('dask scheduler', 'dask worker'), and the same command goes on from there."
            )
        if self._good() or (self._workers() and not any(self._looked.values())):
            self._lonely_since = None
            return
        now = time.monotonic()
        if self._lonely_since is None:
            self._lonely_since, self._told_so = now, False
        if self._own and now > self._lonely_since + _LOST:
            raise EngineError(
                "The processes that dreamt on this machine have ended and do not come back. What "
                "is made is kept, and the same command goes on from there: with fewer of them, as "
                "in --cluster local:1, each has more memory."
            )
        if not self._told_so and now > self._lonely_since + _ALONE:
            self._told_so = True
            warnings.warn(
                f"there is no worker at {self._address} now that can make these pictures: waiting "
                "for one (Ctrl-C keeps what is made)",
                UserWarning, stacklevel=2,
            )  # fmt: skip

    def cancel(self) -> None:
        """Take back what is still to be made."""
        with contextlib.suppress(Exception):
            if self._client.status == "running":
                if self._tell is not None:
                    self._client.unsubscribe_topic(f"{self._name}/steps")
                self._client.cancel([*self._out, self._net, self._shared], force=True)
