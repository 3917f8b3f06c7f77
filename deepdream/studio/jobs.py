"""Jobs: dreams that wait, the one that is made, and the small pictures of looks between them.

A job is an object of JSON in a file of its own, so that the queue outlives the program: what was
running when it ended waits again when it starts; a film goes on after its last frame, and one that
failed may. Everything here happens on the server's event loop; what computes is `worker`, a process
of its own, which is started again where it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DeepDreamError, MissingFileError, ParameterError
from ..files import make_folder
from .events import Events
from .library import POSTER, Library
from .looks import Look, preview_settings
from .pace import Pace
from .processes import environment
from .settings import Settings, check_film, pictures_of
from .store import is_id, new_id, read_json, reason_of, write_json

MOST = 100  # jobs that wait
_LINE = 1 << 20  # bytes of a worker's message
_RECENT = 20  # finished jobs that are remembered
_AGAIN = 1.0  # seconds before a worker that ended is started again
_ENDED = "done", "failed", "cancelled"
_AT_WORK = "running", "stopping"

_IN_VAIN = 3  # starts of a worker that never was ready
_NO_WORKER = (
    "The part of the program that dreams cannot be started: what it printed in the terminal tells "
    "why."
)
_DIED = (
    "The part of the program that dreams was ended by the system, most likely because memory ran "
    "out: close other programs, or choose a smaller size."
)

_GONE = "was deleted, or a picture that its settings need: add it again, and dream on it anew."


class Jobs:
    """The queue.

    Parameters
    ----------
    library : Library
    events : Events
        Told of every change.
    pace : Pace
        Learns from what was made.
    looks : list of Look
    network : mapping
        Keywords of `deepdream.load_net`, for the worker.
    """

    def __init__(
        self, library: Library, events: Events, pace: Pace, looks: list[Look],
        network: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self._library, self._events, self._pace = library, events, pace
        self._looks = {look.name: look for look in looks}
        self._network = dict(network)
        self._path = make_folder(library.path / "jobs")
        self._jobs: dict[str, dict[str, Any]] = {}
        self._wanted: dict[str, list[str]] = {}  # names of looks that a picture is to have
        self._running: dict[str, Any] | None = None  # what the worker was given
        self._process: asyncio.subprocess.Process | None = None
        self._ready = self._was_ready = False
        self.broken = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._read_all()

    # -- the program's start and end ---------------------------------------------------------------

    def _read_all(self) -> None:
        for path in sorted(self._path.glob("*.json")):
            job = read_json(path) if is_id(path.stem) else None
            if job is None or not {"id", "picture", "name", "settings", "state", "asked"} <= {*job}:
                continue  # damaged, or of somebody else
            if job["state"] not in _ENDED:
                job["state"] = "waiting"
                job["progress"] = None
                if not self._begun(job):
                    job.pop("stop", None)  # nothing is there to be kept: it is made anew
            if not self._has_frames(job):
                job.pop("kept", None)
            self._jobs[path.stem] = job
        self._jobs = dict(sorted(self._jobs.items(), key=lambda pair: pair[1]["asked"]))
        for path in self._path.glob("now-*.jpg"):
            path.unlink()
        self._library.dreams.sweep(
            [id for id, job in self._jobs.items() if self._begun(job) or "kept" in job]
        )

    def _begun(self, job: Mapping[str, Any]) -> bool:
        """Tell whether a job that waits is a film of which there are frames."""
        return (
            job["state"] == "waiting"
            and "film" in job["settings"]
            and self._library.dreams.begun(job["id"])
        )

    def _has_frames(self, job: Mapping[str, Any]) -> bool:
        """Tell whether a job is a film that can be gone on with."""
        return "film" in job["settings"] and self._library.dreams.begun(job["id"], POSTER)

    async def start(self) -> None:
        """Start the worker."""
        self._tasks.append(asyncio.ensure_future(self._keep_worker()))

    async def close(self) -> None:
        """End the worker; what it was at waits for the next start."""
        for task in self._tasks:
            task.cancel()
        await self._end_worker()

    async def _keep_worker(self) -> None:
        in_vain = 0
        while not self.broken:
            self._was_ready = False
            why = _DIED
            try:
                await self._run_worker()
            except Exception as error:  # whatever it is: a queue that stands still is worse
                traceback.print_exc()
                why = reason_of(error)
            await self._end_worker()
            self._left_over(why)
            in_vain = 0 if self._was_ready else in_vain + 1
            if in_vain >= _IN_VAIN and not self.broken:
                self._break(_NO_WORKER)
            await asyncio.sleep(_AGAIN)

    def _break(self, why: str) -> None:
        self.broken = why
        self._events.tell("broken", why)

    async def _run_worker(self) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deepdream.studio.worker", json.dumps(self._network),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment(),
            limit=_LINE,
        )  # fmt: skip
        assert process.stdout is not None
        while True:
            line = await process.stdout.readline()
            if not line:
                return
            self._heard(json.loads(line))

    async def _end_worker(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    def _left_over(self, why: str) -> None:
        """Let what a worker was at fail: it is not there any more."""
        self._ready = False
        running, self._running = self._running, None
        if running is not None and running["do"] == "look":
            self._wanted.pop(running["of"], None)
        for job in [*self._jobs.values()]:
            if job["state"] in _AT_WORK:
                self._end(job["id"], "failed", why)

    # -- what the page wants -----------------------------------------------------------------------

    def all(self) -> list[dict[str, Any]]:
        """Return the jobs, in the order in which they were asked for."""
        return list(self._jobs.values())

    def job(self, id: str) -> dict[str, Any]:
        """Return a job.

        Raises
        ------
        MissingFileError
        """
        if id not in self._jobs:
            raise MissingFileError("There is no such job any more.")
        return self._jobs[id]

    def add(self, picture: str, settings: Settings) -> dict[str, Any]:
        """Put a dream at the end of the queue.

        Parameters
        ----------
        picture : str
            Its id in the library.
        settings : dict
            From `settings.checked`. Without a seed it gets one.

        Raises
        ------
        ParameterError
            Too many wait.
        MissingFileError
            A picture is not there.
        """
        self._check_room()
        about = self._library.pictures.about(picture)
        self._library.check_pictures(pictures_of(settings))
        check_film(settings, about.get("clip"))
        settings = {"seed": random.SystemRandom().randrange(2**32), **settings}
        w, h = about["size"]
        job = {
            "id": new_id(),
            "picture": picture,
            "name": about["name"],
            "settings": settings,
            "state": "waiting",
            "asked": time.time(),
            "seconds": self._pace.seconds(settings, (h, w), about.get("clip")),
            "progress": None,
        }
        self._write(job)
        self._jobs[job["id"]] = job
        self._told(job)
        self._next()
        return job

    def _check_room(self) -> None:
        if sum(job["state"] not in _ENDED for job in self._jobs.values()) >= MOST:
            raise ParameterError(f"{MOST} dreams wait already: let some of them end first")

    def go_on(self, id: str) -> dict[str, Any]:
        """Put a film that failed at the end of the queue; it goes on after its last frame.

        Parameters
        ----------
        id : str

        Raises
        ------
        ParameterError
            There is nothing of it to go on with, or too many wait.
        """
        job = self.job(id)
        if "kept" not in job:
            raise ParameterError("there is nothing of it to go on with: make it again")
        self._check_room()
        again = {name: value for name, value in job.items() if name not in ("kept", "why", "ended")}
        again.update(state="waiting", asked=time.time())
        self._write(again)
        del self._jobs[id]  # it comes last now
        self._jobs[id] = again
        self._told(again)
        self._next()
        return again

    def stop(self, id: str, keep: bool) -> dict[str, Any]:
        """End a job early.

        Parameters
        ----------
        id : str
        keep : bool
            Keep the picture so far; of one that has not begun there is none. A film of which there
            are frames from before the program's last start is ended when its turn comes.
        """
        job = self.job(id)
        if job["state"] == "waiting":
            if not (keep and self._begun(job)):
                self._end(id, "cancelled")
                return job
            job["stop"] = True
            self._write(job)
        elif job["state"] not in _ENDED:
            job["state"] = "stopping"
            if keep and "film" in job["settings"]:
                job["stop"] = True
                with contextlib.suppress(DeepDreamError):  # of a full disk the worker will tell
                    self._write(job)
            self._told(job)
            self._send({"do": "stop" if keep else "cancel", "id": id})
        return job

    def forget(self, id: str) -> None:
        """Take a job that has ended off the list."""
        if self.job(id)["state"] in _ENDED:
            self._remove(id)

    def want_looks(self, picture: str) -> dict[str, bool]:
        """Have the looks of a picture made, before those of others.

        Returns
        -------
        dict of str to bool
            The names of looks, and whether each is there.
        """
        folder = self._library.pictures.folder(picture)
        there = {name: (folder / f"look-{name}.jpg").is_file() for name in self._looks}
        missing = [name for name, made in there.items() if not made]
        others = {id: names for id, names in self._wanted.items() if id != picture}
        self._wanted = {picture: missing, **others} if missing else others
        self._next()
        return there

    def shown(self, id: str) -> Path:
        """Return the file of the picture so far."""
        self.job(id)
        return self._path / f"now-{id}.jpg"

    # -- the worker --------------------------------------------------------------------------------

    def _send(self, what: Mapping[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        process.stdin.write(json.dumps(what).encode() + b"\n")

    def _next(self) -> None:
        """Give the worker something to do, if it has nothing."""
        waiting = [job for job in self._jobs.values() if job["state"] == "waiting"]
        if self._running is not None:
            if waiting and self._running["do"] == "look":
                self._send({"do": "cancel", "id": self._running["id"]})
            return
        if not self._ready:
            return
        for job in waiting:
            try:
                self._begin(job)
                return
            except Exception as error:  # deleted, damaged, no room: the next one is another
                self._running = None
                gone = isinstance(error, MissingFileError)
                why = f"'{job['name']}' {_GONE}" if gone else reason_of(error)
                self._end(job["id"], "failed", why)
        for picture, names in [*self._wanted.items()]:
            if names:
                try:
                    self._begin_look(picture, names[0])
                    return
                except Exception:  # deleted, or damaged
                    del self._wanted[picture]

    def _begin(self, job: dict[str, Any]) -> None:
        id, settings = job["id"], job["settings"]
        task = {
            "do": "dream", "id": id, "settings": settings,
            "picture": self._file(job["picture"]),
            "pictures": {each: self._file(each) for each in pictures_of(settings)},
            "folder": str(self._library.dreams.unfinished(id, go_on="film" in settings)),
            "shown": str(self._path / f"now-{id}.jpg"),
        }  # fmt: skip
        clip = self._library.clip(job["picture"]) if "film" in settings else None
        if clip is not None:
            task["clip"] = {"file": str(clip[0]), "name": clip[1]}
        job.update(state="running", began=time.time(), spent=job.get("spent", 0.0))
        job.pop("phase", None)
        self._running = task
        self._told(job)
        self._send(task)
        if job.get("stop"):
            self._send({"do": "stop", "id": id})

    def _begin_look(self, picture: str, name: str) -> None:
        settings = preview_settings(self._looks[name])
        folder = self._library.pictures.folder(picture)
        known = self._file(picture)
        # The first one comes sooner from the picture for the screen; with the second the worker
        # has the original at hand when a dream on it is wanted.
        if not any(folder.glob("look-*.jpg")):
            known["file"] = str(folder / "screen.jpg")
        self._running = {
            "do": "look", "id": new_id(), "of": picture, "look": name, "settings": settings,
            "picture": known, "out": str(folder / f"look-{name}.jpg"),
        }  # fmt: skip
        self._send(self._running)

    def _file(self, picture: str) -> dict[str, str]:
        path, name = self._library.original(picture)
        return {"file": str(path), "name": name}

    def _heard(self, message: dict[str, Any]) -> None:
        told = message.pop("told")
        if told == "ready":
            self._ready = self._was_ready = True
            self._next()
            return
        if told == "broken":
            self._break(message["why"])
            return
        running = self._running
        if running is None or message["id"] != running["id"]:
            return
        if running["do"] == "look":
            self._heard_of_look(told, running, message)
        else:
            self._heard_of_dream(told, message)

    def _heard_of_look(
        self, told: str, running: Mapping[str, Any], message: Mapping[str, Any]
    ) -> None:
        self._running = None
        picture, name = running["of"], running["look"]
        if told != "cancelled":
            names = self._wanted.get(picture, [])
            if name in names:
                names.remove(name)
            self._events.tell("look", {"picture": picture, "look": name, "made": told == "done"})
        if told == "done":
            with contextlib.suppress(DeepDreamError):  # deleted meanwhile, or a full disk
                w, h = self._library.pictures.about(picture)["size"]
                self._pace.learn(running["settings"], (h, w), message["seconds"], small=True)
        self._next()

    def _heard_of_dream(self, told: str, message: dict[str, Any]) -> None:
        id = message.pop("id")
        job = self._jobs[id]
        if told in ("begun", "writing"):
            job["phase"] = told
            self._told(job)
        elif told == "step":
            if message["frame"] > (job["progress"] or message)["frame"]:  # it goes on after that
                self._count(job)
            job["progress"] = message
            self._events.tell("step", {"id": id, **message})
        else:
            self._running = None
            if told == "done":
                self._keep(job, message)
            else:
                self._end(id, "cancelled" if told == "cancelled" else "failed",
                          why=message.get("why"))  # fmt: skip
            self._next()

    def _keep(self, job: dict[str, Any], message: dict[str, Any]) -> None:
        id, settings = job["id"], job["settings"]
        about = {
            "picture": job["picture"],
            "name": job["name"],
            "settings": settings,
            "size": message["size"],
            "stopped": message["stopped"],
            "recipe": message["recipe"],
            "notes": message["notes"],
            "made": time.time(),
            "seconds": round(self._count(job), 2),
        }
        try:
            self._library.dreams.finish(id, about)
        except (DeepDreamError, OSError) as error:
            self._end(id, "failed", why=reason_of(error))
            return
        if message["whole"]:  # of a film the frames differ
            with contextlib.suppress(DeepDreamError):
                w, h = self._library.pictures.about(job["picture"])["size"]
                self._pace.learn(settings, (h, w), message["whole"], small=False)
        self._events.tell("dream", {**about, "id": id})
        self._end(id, "done")

    # -- files -------------------------------------------------------------------------------------

    def _count(self, job: dict[str, Any]) -> float:
        """Add the time that a job has taken since it was counted last; return all of it.

        Of a film it is written down: it may go on when the program is started again.
        """
        now = time.time()
        job["spent"] = job["spent"] + max(0.0, now - job["began"])
        job["began"] = now
        if "film" in job["settings"]:
            self._write_if_possible(job)
        return float(job["spent"])

    def _told(self, job: dict[str, Any]) -> None:
        self._events.tell("job", job)

    def _end(self, id: str, state: str, why: str | None = None) -> None:
        job = self._jobs[id]
        if job["state"] in _AT_WORK:
            self._count(job)
        if state == "failed" and self._has_frames(job):
            job["kept"] = True
        elif state != "done":
            self._library.dreams.drop(id)
        job.update(state=state, ended=time.time(), progress=None)
        if why:
            job["why"] = why
        with contextlib.suppress(OSError):
            (self._path / f"now-{id}.jpg").unlink()
        self._write_if_possible(job)
        self._events.tell("job", job)
        ended = [
            each["id"]
            for each in self._jobs.values()
            if each["state"] in _ENDED and "kept" not in each
        ]
        for old in ended[:-_RECENT]:
            self._remove(old)

    def _write_if_possible(self, job: Mapping[str, Any]) -> None:
        with contextlib.suppress(DeepDreamError):  # of a full disk the page is told by the reason
            self._write(job)

    def _write(self, job: Mapping[str, Any]) -> None:
        write_json(self._path / f"{job['id']}.json", job)

    def _remove(self, id: str) -> None:
        del self._jobs[id]
        if id not in self._library.dreams:
            self._library.dreams.drop(id)
        with contextlib.suppress(OSError):
            (self._path / f"{id}.json").unlink()
        self._events.tell("gone", id)
