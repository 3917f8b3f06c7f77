"""The process that dreams: jobs come in as lines of JSON, and what happens goes out as such.

It runs apart from the server, so that the page answers at once whatever is computed here, and that
what takes too much memory ends this process and not the server. It ends when its input ends.

In::

    {"do": "dream", "id": ..., "picture": {"file", "name"}, "settings": {...}, "folder": ...,
     "shown": FILE.jpg, "pictures": {ID: {"file", "name"}}, "clip": {"file", "name"}}
    {"do": "look", "id": ..., "picture": ..., "settings": ..., "out": FILE.jpg}
    {"do": "stop", "id": ...}     the picture, or the film, so far is kept
    {"do": "cancel", "id": ...}   nothing is kept

Out: ``{"told": "ready"}``, and of a job ``step``, ``done``, ``cancelled`` or ``failed``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from ..dreaming.dream import dream
from ..errors import DeepDreamError, FilmError, ImageError, ParameterError
from ..files import FolderLock, replacing
from ..films.clips import open_clip
from ..images import save_image
from ..models.load import load_net
from ..picture import Picture, resized
from ..preview import fitted, sample, shown_size
from ..progress import Pace
from .clips import LIMITS
from .library import POSTER, load_named
from .settings import film_keywords_for, keywords_for
from .small import THUMB, write_jpeg, write_small
from .store import reason_of

_TELL = 0.1  # seconds between two messages of a job
_SHOWN = 1400  # longer side of the picture so far, in pixels
_NICE = 5  # the page comes first
_CLIP = "clip"
_SURE = 0.04  # share of the work after which the time left can be told


class Worker:
    """Does jobs one after the other.

    Parameters
    ----------
    out : file
        Where messages go.
    network : mapping
        Keywords of `deepdream.load_net`.
    """

    def __init__(self, out: TextIO, network: Mapping[str, Any]) -> None:
        self._out, self._network = out, network
        self._lock = threading.Lock()
        self._jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ended: dict[str, str] = {}  # how a job is to end, by its id
        self._net: Any = None
        self._cached: tuple[str, Picture] | None = None

    def serve(self, lines: TextIO) -> None:
        """Work until there is no more to come."""
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        try:
            self._net = load_net(**self._network)
        except DeepDreamError as error:
            self._tell("broken", why=str(error))
            return
        self._tell("ready")
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._work(job)

    def _read(self, lines: TextIO) -> None:
        for line in lines:
            job = json.loads(line)
            if job["do"] in ("stop", "cancel"):
                self._ended[job["id"]] = job["do"]
            else:
                self._jobs.put(job)
        self._jobs.put(None)
        os._exit(0)  # the server is gone: nobody waits for what is being dreamt

    def _tell(self, told: str, **what: Any) -> None:
        try:
            with self._lock:
                print(json.dumps({"told": told, **what}), file=self._out, flush=True)
        except BrokenPipeError:
            os._exit(0)  # the server is gone

    def _work(self, job: Mapping[str, Any]) -> None:
        id = job["id"]
        try:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("default", UserWarning)
                done = self._do(job)
            if self._ended.get(id) == "cancel" or (done is None):
                self._tell("cancelled", id=id)
            else:
                told = [str(n.message) for n in notes if issubclass(n.category, UserWarning)]
                self._tell("done", id=id, notes=told[:3], **done)
        except Exception as error:  # whatever it is, the next job is another one
            if not isinstance(error, (DeepDreamError, MemoryError, OSError)):
                traceback.print_exc()
            self._tell("failed", id=id, why=reason_of(error))
        finally:
            self._ended.pop(id, None)
            gc.collect()

    # -- one job -----------------------------------------------------------------------------------

    def _do(self, job: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what is to be told of what was made, or None where nothing is kept."""
        if job["do"] == "look":
            return self._look(job)
        return self._film(job) if "film" in job["settings"] else self._dream(job)

    def _film(self, job: Mapping[str, Any]) -> dict[str, Any] | None:
        id, settings, folder = job["id"], job["settings"], Path(job["folder"])
        picture = self._picture(job["picture"])
        size = picture.shape[0], picture.shape[1]
        keywords = film_keywords_for(settings, size, lambda each: load_of(job["pictures"][each]))
        source: Any = picture
        if "clip" in job:
            source = open_clip(_own(job["clip"]["file"], folder), job["clip"]["name"], LIMITS)
        self._tell("begun", id=id)
        with self._filming(source, folder, keywords) as making:
            watch = _Watch(self, id, Path(job["shown"]), making.count or 1)
            watch.frame = making.done
            for frame in making.frames(watch, progress=False):
                watch.frame = making.done
                if making.done == 1:
                    self._write_poster(frame, picture, folder)
            if not making.done or self._ended.get(id) == "cancel":
                return None
            self._tell("writing", id=id)
            notes = [*making.notes, *making.finish()]
        (folder / _CLIP).unlink(missing_ok=True)
        for note in notes:
            warnings.warn(note, stacklevel=1)
        h, w = making.size
        return {"size": [w, h], "stopped": making.stopped, "recipe": making.recipe,
                "seconds": watch.seconds, "whole": None}  # fmt: skip

    def _filming(self, source: Any, folder: Path, keywords: Mapping[str, Any]) -> Any:
        """Return a film to be made, or to be gone on with where its folder has its beginning."""
        from ..films.film import Filming, part_folder

        path = folder / "film.mp4"
        begun = part_folder(path)
        if not (folder / POSTER).exists():  # ended before the first frame was kept
            shutil.rmtree(begun, ignore_errors=True)
        try:
            return Filming(self._net, source, path, **keywords)
        except (ParameterError, FilmError):
            if not begun.exists():
                raise
            FolderLock(begun).release()  # raises where another program is still at it
            shutil.rmtree(begun)  # damaged, or begun by another version: made anew
            return Filming(self._net, source, path, **keywords)

    def _write_poster(self, frame: Picture, picture: Picture, folder: Path) -> None:
        """Write what the page shows of a film: its first frame. The last of these files counts."""
        write_small(frame, folder)
        before = resized(picture, (frame.shape[0], frame.shape[1]))
        write_jpeg(fitted(before, before.shape[:2]), folder / "before.jpg", max(before.shape[:2]))
        save_image(frame, folder / POSTER)

    def _dream(self, job: Mapping[str, Any]) -> dict[str, Any] | None:
        id, settings = job["id"], job["settings"]
        picture = self._picture(job["picture"])
        size = picture.shape[0], picture.shape[1]
        keywords = keywords_for(settings, size, lambda each: load_of(job["pictures"][each]))
        watch = _Watch(self, id, Path(job["shown"]))
        self._tell("begun", id=id)
        made = dream(self._net, picture, on_step=watch, progress=False, **keywords)
        if self._ended.get(id) == "cancel":
            return None
        self._tell("writing", id=id)
        folder = Path(job["folder"])
        save_image(made, folder / "picture.png")
        save_image(made, folder / "deep.tif", depth=16)
        write_small(made, folder)
        before = resized(picture, (made.shape[0], made.shape[1]))
        write_jpeg(fitted(before, before.shape[:2]), folder / "before.jpg", max(before.shape[:2]))
        h, w = made.shape[:2]
        recipe = made.recipe or {}
        return {
            "size": [w, h],
            "stopped": bool(recipe.get("stopped")),
            "recipe": recipe,
            "seconds": watch.seconds,
            "whole": watch.whole,
        }

    def _look(self, job: Mapping[str, Any]) -> dict[str, Any] | None:
        id, settings = job["id"], job["settings"]
        picture = self._picture(job["picture"])
        keywords = keywords_for(settings, picture.shape[:2], load_of)
        times: list[tuple[float, float]] = []

        def on_step(step: Any) -> bool:
            times.append((time.monotonic(), step.done))
            return id not in self._ended

        made = dream(self._net, picture, on_step=on_step, progress=False, **keywords)
        if id in self._ended:
            return None
        write_jpeg(fitted(made, made.shape[:2]), Path(job["out"]), THUMB, quality=85)
        (began, before), (ended, _) = times[0], times[-1]
        return {"seconds": (ended - began) / max(1e-9, 1 - before)}

    def _picture(self, known: Mapping[str, str]) -> Picture:
        """Return a picture; the last one is kept, because mostly it is wanted again."""
        if self._cached is None or self._cached[0] != known["file"]:
            self._cached = None
            self._cached = known["file"], load_of(known)
        return self._cached[1]


def _own(clip: str, folder: Path) -> Path:
    """Return a clip under a name of its own: one that is deleted is missed by no film's end."""
    path = folder / _CLIP
    if not path.exists():
        try:
            os.link(clip, path)
        except OSError:  # a disk that has no links
            with replacing(path) as part:
                shutil.copyfile(clip, part)
    return path


def load_of(known: Any) -> Picture:
    """Return the picture that a job names."""
    try:
        return load_named(Path(known["file"]), known["name"])
    except DeepDreamError as error:
        raise ImageError(f"'{known['name']}' cannot be opened any more: add it again.") from error


class _Watch:
    """Called after each step: tells how far it is, and shows it."""

    def __init__(self, worker: Worker, id: str, shown: Path, frames: int = 1) -> None:
        self._worker, self._id, self._shown = worker, id, shown
        self._frames, self.frame = frames, 0
        self._pace = Pace()
        self._count = 0
        self._told = 0.0
        self._began: tuple[float, float] | None = None
        self._size: tuple[int, int] | None = None
        self._last = 0.0
        self.seconds = 0.0  # of the steps so far
        self.whole = 0.0  # what all steps would have taken

    def __call__(self, step: Any) -> bool:
        now = time.monotonic()
        done = (self.frame + step.done) / self._frames
        if self._began is None:
            self._began = now, done  # what came before was mostly preparation
        began, before = self._began
        self.seconds = now - began
        if done > before:
            self.whole = self.seconds / (done - before)
        if self._pace.due():
            with self._pace.drawing():
                self._show(step)
        if now - self._told >= _TELL or done >= 1:
            self._told = now
            left = None
            if done - before > _SURE:
                left = self.whole * (1 - done)
            h, w = step.size
            self._worker._tell(
                "step", id=self._id, octave=step.octave + 1, octave_n=step.octave_n,
                step=step.step + 1, iter_n=step.iter_n, size=[w, h], done=done, left=left,
                shown=self._count, frame=self.frame + 1, frames=self._frames,
            )  # fmt: skip
        return self._id not in self._worker._ended

    def _show(self, step: Any) -> None:
        h, w = step.size
        size = shown_size(step.size, step.size)
        scale = min(1.0, _SHOWN / max(size))
        size = max(1, round(h * scale)), max(1, round(w * scale))
        with contextlib.suppress(OSError, DeepDreamError), replacing(self._shown) as part:
            fitted(sample(step, size), size).save(part, "JPEG", quality=85)
        self._count += 1


def main() -> None:
    """Serve the process that started this one."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints does not get between the messages
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICE)
    Worker(out, json.loads(sys.argv[1])).serve(sys.stdin)


if __name__ == "__main__":
    main()
