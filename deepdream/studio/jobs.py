"""Jobs: dreams that wait, the one that is made, and the small pictures of looks between them.

A job is an object of JSON in a file of its own, so that the queue outlives the program: what was
running when it ended waits again when it starts; a film goes on after its last frame. Everything
here happens on the server's event loop; what computes is `worker`, a process of its own, which is
started again where it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DeepDreamError, MissingFileError, ParameterError
from ..files import make_folder
from .events import Events
from .library import Library
from .looks import Look, preview_settings
from .pace import Pace
from .processes import environment
from .settings import Settings, check_film, pictures_of
from .store import is_id, new_id, read_json, write_json

MOST = 100  # jobs that wait
_LINE = 1 << 20  # bytes of a worker's message
_RECENT = 20  # finished jobs that are remembered
_AGAIN = 1.0  # seconds before a worker that ended is started again
_ENDED = "done", "failed", "cancelled"

_IN_VAIN = 3  # starts of a worker that never was ready
_NO_WORKER = (
    "The part of the program that dreams cannot be started: what it printed in the terminal tells "
    "why."
)
_DIED = (
    "The part of the program that dreams was ended by the system, most likely because memory ran "
    "out: choose a smaller size."
)


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
            self._jobs[path.stem] = job
        self._jobs = dict(sorted(self._jobs.items(), key=lambda pair: pair[1]["asked"]))
        for path in self._path.glob("now-*.jpg"):
            path.unlink()
        self._library.dreams.sweep([id for id, job in self._jobs.items() if self._begun(job)])

    def _begun(self, job: Mapping[str, Any]) -> bool:
        """Tell whether a job that waits is a film of which there are frames."""
        return (
            job["state"] == "waiting"
            and "film" in job["settings"]
            and self._library.dreams.begun(job["id"])
        )

    async def start(self) -> None:
        """Start the worker."""
        self._tasks.append(asyncio.ensure_future(self._keep_worker()))

    async def close(self) -> None:
        """End the worker; what it was at waits for the next start."""
        for task in self._tasks:
            task.cancel()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep_worker(self) -> None:
        in_vain = 0
        while not self.broken:
            self._was_ready = False
            await self._run_worker()
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
                break
            self._heard(json.loads(line))
        await process.wait()
        self._ready = False
        running, self._running = self._running, None
        if running is not None:
            if running["do"] == "look":
                self._wanted.pop(running["of"], None)
            else:
                self._end(running["id"], "failed", why=_DIED)

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
        if sum(job["state"] not in _ENDED for job in self._jobs.values()) >= MOST:
            raise ParameterError(f"{MOST} dreams wait already: let some of them end first")
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
        waiting = next((job for job in self._jobs.values() if job["state"] == "waiting"), None)
        if self._running is not None:
            if waiting is not None and self._running["do"] == "look":
                self._send({"do": "cancel", "id": self._running["id"]})
            return
        if not self._ready:
            return
        if waiting is not None:
            self._begin(waiting)
            return
        for picture, names in [*self._wanted.items()]:
            if names:
                try:
                    self._begin_look(picture, names[0])
                    return
                except DeepDreamError:  # deleted, or damaged
                    del self._wanted[picture]

    def _begin(self, job: dict[str, Any]) -> None:
        id, settings = job["id"], job["settings"]
        try:
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
        except DeepDreamError as error:
            self._end(id, "failed", why=str(error))
            return
        job["state"] = "running"
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
            "seconds": round(time.time() - job.get("began", job["asked"]), 1),
        }
        try:
            self._library.dreams.finish(id, about)
        except (DeepDreamError, OSError) as error:
            self._end(id, "failed", why=str(error))
            return
        if message["whole"]:  # of a film the frames differ
            with contextlib.suppress(DeepDreamError):
                w, h = self._library.pictures.about(job["picture"])["size"]
                self._pace.learn(settings, (h, w), message["whole"], small=False)
        self._events.tell("dream", {**about, "id": id})
        self._end(id, "done")

    # -- files -------------------------------------------------------------------------------------

    def _told(self, job: dict[str, Any]) -> None:
        if job["state"] == "running" and "began" not in job:
            job["began"] = time.time()
        self._events.tell("job", job)

    def _end(self, id: str, state: str, why: str | None = None) -> None:
        job = self._jobs[id]
        if state != "done":
            self._library.dreams.drop(id)
        job.update(state=state, ended=time.time(), progress=None)
        if why:
            job["why"] = why
        with contextlib.suppress(OSError):
            (self._path / f"now-{id}.jpg").unlink()
        with contextlib.suppress(DeepDreamError):  # of a full disk the page is told by the reason
            self._write(job)
        self._events.tell("job", job)
        ended = [each["id"] for each in self._jobs.values() if each["state"] in _ENDED]
        for old in ended[:-_RECENT]:
            self._remove(old)

    def _write(self, job: Mapping[str, Any]) -> None:
        write_json(self._path / f"{job['id']}.json", job)

    def _remove(self, id: str) -> None:
        del self._jobs[id]
        with contextlib.suppress(OSError):
            (self._path / f"{id}.json").unlink()
        self._events.tell("gone", id)
