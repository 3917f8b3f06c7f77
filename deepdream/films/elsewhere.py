"""Films on a cluster: pieces of them are jobs, see `sharing`.

A worker reads the frames of its piece from the film's file, which it sees or which was sent to it
once; of frames that lie in no one file those of the piece are sent. What it dreams comes back as
the file of a `stretch`, and the film takes it when it has come there. All is done by the same
`dreamer` as without a cluster.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from ..dreaming.steps import OnStep, Step
from ..errors import EngineError, FilmError, ParameterError
from ..jobs.connect import is_local, sees, whole
from ..jobs.job import Job, Made, Maker
from ..jobs.sent import SentFile
from ..picture import to_uint8
from .dreamer import Dreamer
from .given import Given, Sent, sent
from .libraries import import_cv2
from .reel import Reel
from .sharing import Piece, pieces
from .shots import FilmShots, Mark, StillShots
from .stretch import packed, stretch_bytes

_MOST, _LEAST = 48, 4  # frames of a piece
_BYTES = 64 << 20  # of its frames, as they are; a worker holds them until they are fetched
_ALONE = 8  # frames of a piece whose frames need no other: each is a few seconds of work
_WAITING = 2 << 30  # bytes of frames, as they are, that may wait for those in front of them
_PLANNED = 256  # scenes that are known before they can be begun
_POLL = 0.1  # seconds
_LARGEST = 1 << 30  # bytes of a film's file that is sent


class FilmMaker(Maker):
    """Dreams pieces of a film; see `jobs.job.Maker`.

    `shared` has the film's ``source`` with its ``digest``, or the ``size`` of frames that come with
    the jobs; ``options`` of a `Dreamer`, the ``mask`` and the ``seed``; the version of ``opencv``,
    which finds the motion. A job has the number of the ``first`` frame, the ``count``, the
    ``state`` to go on from, whether it ``goes_on``, and the ``frames`` where they are sent.
    """

    def prepare(self) -> None:
        """Open the film.

        Raises
        ------
        EngineError
            OpenCV is another one here, which may find another motion.
        FilmError
            The film is another one here.
        MissingFileError
            It is not here.
        """
        known, cv2 = self.shared, import_cv2()
        if cv2.__version__ != known["opencv"]:
            raise EngineError(f"it has OpenCV {cv2.__version__}, not {known['opencv']}")
        cv2.setNumThreads(1)  # motion is found beside the dreams of other workers
        source = Given(known["size"]) if known["source"] is None else known["source"]
        options = dict(known["options"])
        if known.get("max_memory") is not None:
            options["max_memory"] = known["max_memory"]
        self._dreamer = Dreamer(self.net, source, seed=known["seed"], **options)
        self._dreamer.wear(known["mask"])
        shots = self._dreamer.shots
        if isinstance(shots, FilmShots) and shots.source.digest != known["digest"]:
            raise FilmError(f"'{source}' is another film there than here")

    def _done(self, job: Job, on_step: OnStep | None) -> Made:
        piece, dreamer = job.keywords, self._dreamer
        first, count = piece["first"], piece["count"]
        if "frames" in piece:
            dreamer.shots.source.held = piece["frames"]  # type: ignore[union-attr]
        dreamer.state = piece["state"]
        frames: list[bytes] = []
        times = []

        def watch(step: Step) -> Any:
            assert on_step is not None
            return on_step(replace(step, done=(len(frames) + step.done) / count))

        with contextlib.closing(dreamer.from_frame(first)) as shots:
            for shot in islice(shots, count):
                if shot.frame.number != first + len(frames):
                    break
                seen, dreamt = dreamer.dream(shot, None if on_step is None else watch)
                if dreamt.recipe and dreamt.recipe.get("stopped"):
                    return Made(stopped=True)
                frames.append(packed(to_uint8(seen)))
                times.append(shot.frame.time)
        if len(frames) < count:
            raise FilmError(f"frame {first + len(frames)} of the film cannot be read there")
        return self._handed(
            job, stretch_bytes(frames, times, dreamer.state if piece["goes_on"] else {})
        )


def piece_length(size: tuple[int, int]) -> int:
    """Return how many frames a piece has at most, by their height and width."""
    h, w = size
    return max(_LEAST, min(_MOST, _BYTES // (3 * h * w)))


def why_here(dreamer: Dreamer) -> str:
    """Return why a film has to be made by one process, where that is known beforehand, or nothing.

    Parameters
    ----------
    dreamer : Dreamer
    """
    if dreamer.count is None:
        return (
            "the frames come one by one, and nobody knows how many: they are dreamt here, not on "
            "the cluster. A list of them, a folder or a film can be shared out"
        )
    if dreamer.still:
        marks = dreamer.shots.marks(0, dreamer.alone)
        if sum(mark.begins for mark in islice(marks, dreamer.count)) == 1:
            return (
                "each frame follows from the one before, so nothing of this film can be made at "
                "the same time: it is made here, not on the cluster"
            )
    return ""


def film_elsewhere(
    net: Any, source: Any, dreamer: Dreamer, reel: Reel, cluster: Any, shared: str | None = None,
    shown: Any = None,
) -> Iterator[int]:  # fmt: skip
    """Make the frames of a film that are missing on a cluster.

    Parameters
    ----------
    net : Net
    source
        What the film is made of, see `film.film`.
    dreamer : Dreamer
        Of the same.
    reel : Reel
        Takes the frames.
    cluster, shared
        See `jobs.run.run_jobs`.
    shown : Bar or Preview, optional
        Shows how far the film is.

    Yields
    ------
    int
        How many frames are safe, whenever there are more.

    Raises
    ------
    EngineError, MissingFileError, ParameterError
        See `jobs.cluster.run_on_cluster`; frames that ended the workers that made them.
    FilmError
        Frames that cannot be read, or dreamt on.
    """
    from ..jobs.cluster import run_on_cluster

    if shared is None and is_local(cluster):
        shared = whole(reel.folder).anchor
    options = dreamer.sent()
    known = {
        **_source_of(source, dreamer, shared), "options": options, "mask": dreamer.mask,
        "seed": dreamer.seed, "max_memory": options.get("max_memory"),
        "opencv": import_cv2().__version__,
    }  # fmt: skip
    maker = FilmMaker(net, known)
    supply = _Pieces(dreamer, reel, frames=known["source"] is None)
    progress = _Progress(supply, reel, dreamer.count or 1, shown)
    said: set[str] = set()
    try:
        for number, made in run_on_cluster(
            maker, supply, cluster, shared=shared, tell=None if shown is None else progress.tell
        ):
            piece = supply.given[number]
            for note in made.notes:
                if note not in said:
                    warnings.warn(note, stacklevel=2)
                said.add(note)
            if made.error:
                supply.failed(piece, made)
                continue
            made.write(reel.ahead_file(piece.first, piece.count))
            reel.ahead[piece.first] = piece.count
            more = reel.catch_up()
            progress.finished(number)
            if more:
                yield reel.done
    finally:
        supply.close()
    supply.check()


def _source_of(source: Any, dreamer: Dreamer, shared: str | None) -> dict[str, Any]:
    """Return what workers read the frames from, and by which hash they know it."""
    if isinstance(dreamer.shots, StillShots):
        return {"source": dreamer.shots.picture, "digest": "", "size": dreamer.size}
    if isinstance(source, (str, bytes, os.PathLike)):
        path = whole(os.fsdecode(source))
        digest = dreamer.shots.source.digest
        if sees(shared, path):
            return {"source": str(path), "digest": digest, "size": dreamer.size}
        if path.is_file():
            size = path.stat().st_size
            if size > _LARGEST:
                raise ParameterError(
                    f"'{path}' has {size / 1e9:.1f} GB, too much to be sent to each worker: put it "
                    "into a folder that all machines see, and name that as shared (--shared)"
                )
            return {"source": SentFile(path, digest), "digest": digest, "size": dreamer.size}
    return {"source": None, "digest": "", "size": dreamer.size}


class _Pieces:
    """Gives out pieces; see `jobs.job.Supply`. They are found in a thread, ahead of the dreaming.

    Parameters
    ----------
    dreamer : Dreamer
    reel : Reel
    frames : bool
        Send the frames with the jobs.

    Attributes
    ----------
    given : dict of int to Piece
        By their jobs' numbers.
    """

    def __init__(self, dreamer: Dreamer, reel: Reel, frames: bool) -> None:
        self._dreamer, self._reel, self._frames = dreamer, reel, frames
        self.given: dict[int, Piece] = {}
        self._scenes: list[Piece] = []  # first pieces of scenes, in order
        self._others: dict[int, Piece] = {}  # by their first frame
        self._lock = threading.Lock()
        self._found, self._closed = False, threading.Event()
        self._seen, self._begun = 0, 0  # frames, and scenes
        self._told = False  # that there is only one
        self._error: Exception | None = None
        self._without: set[int] = set()  # frames whose frame before cannot be made
        self._why = ""
        self._at_a_time = 1
        self._thread: threading.Thread | None = None

    # -- finding

    def begin(self, at_a_time: int) -> None:
        """See `Supply`."""
        self._at_a_time = at_a_time
        there = self._reel.done, dict(self._reel.ahead)
        self._thread = threading.Thread(
            target=self._find, args=there, name="deepdream-scenes", daemon=True
        )
        self._thread.start()

    def _find(self, done: int, there: Mapping[int, int]) -> None:
        dreamer = self._dreamer
        left = (dreamer.count or done) - done
        alone = max(1, min(_ALONE, left // (4 * self._at_a_time)))
        marks = dreamer.shots.marks(done, dreamer.alone)
        counted = self._counted(islice(marks, left))
        try:
            for piece in pieces(counted, there, piece_length(dreamer.size), alone):
                with self._lock:
                    if piece.begins:
                        self._scenes.append(piece)
                    else:
                        self._others[piece.first] = piece
                while len(self._scenes) > _PLANNED and not self._closed.wait(_POLL):
                    pass
                if self._closed.is_set():
                    break
        except Exception as error:
            self._error = error
        finally:
            marks.close()
            self._found = True

    def _counted(self, marks: Iterator[Mark]) -> Iterator[Mark]:
        for mark in marks:
            self._begun += mark.begins or self._seen == 0
            self._seen += 1
            yield mark

    def close(self) -> None:
        """End the search."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(10)

    # -- giving out

    def take(self) -> tuple[int, Job] | None:
        """See `Supply`."""
        self._tell_of_one()
        with self._lock:
            piece = self._next()
        if piece is None:
            return None
        number = len(self.given)
        self.given[number] = piece
        return number, self._job(piece)

    def _next(self) -> Piece | None:
        reel = self._reel
        ends = {first + count for first, count in reel.ahead.items()} | {reel.done}
        ready = sorted(number for number in self._others if number in ends)
        # The frames in front are always made, so that those that wait are taken.
        if ready and (ready[0] == reel.done or self._room()):
            return self._others.pop(ready[0])
        if self._scenes and (self._scenes[0].first == reel.done or self._room()):
            return self._scenes.pop(0)
        return None

    def _room(self) -> bool:
        h, w = self._dreamer.size
        return sum(self._reel.ahead.values()) * 3 * h * w < _WAITING

    def _job(self, piece: Piece) -> Job:
        state: Mapping[str, Any] = {}
        if not piece.begins:
            state = self._reel.state_before(piece.first) or {}
            if not state:
                raise FilmError(
                    f"'{self._reel.folder}' is damaged: it does not tell what frame {piece.first} "
                    "goes on from. Delete the folder to start anew."
                )
        keywords = {"first": piece.first, "count": piece.count, "state": state,
                    "goes_on": piece.goes_on}  # fmt: skip
        if self._frames:
            before = piece.first if piece.begins else piece.first - 1
            keywords["frames"] = self._frames_from(before, piece.end - before)
        name = f"frames {piece.first} to {piece.end - 1}"
        return Job(name, keywords, str(self._reel.ahead_file(piece.first, piece.count)))

    def _frames_from(self, first: int, count: int) -> list[Sent]:
        shots = self._dreamer.shots
        assert isinstance(shots, FilmShots)
        return [sent(frame) for frame in islice(shots.source.frames(first), count)]

    def _tell_of_one(self) -> None:
        one = self._found and self._begun == 1 and self._seen > 1
        if one and self._at_a_time > 1 and not self._told:
            self._told = True
            warnings.warn(
                "what is to be made is one scene, whose frames follow from each other: one worker "
                "makes them all (carry=0 makes each frame by itself)",
                stacklevel=2,
            )

    @property
    def over(self) -> bool:
        """See `Supply`."""
        with self._lock:
            if self._why and not self._room():
                return True
            while lost := self._without & self._others.keys():
                self._without |= {self._others.pop(number).end for number in lost}
            return self._found and not self._scenes and not self._others

    # -- what fails

    def failed(self, piece: Piece, made: Made) -> None:
        """Note that a piece cannot be made.

        Raises
        ------
        FilmError
            At once, where another machine would not make it, either.
        """
        name = f"frames {piece.first} to {piece.end - 1}"
        if not made.short_of_memory:
            raise FilmError(f"{name}: {made.error}")
        with self._lock:
            self._without.add(piece.end)
        self._why = self._why or f"{name}: {made.error}"

    def check(self) -> None:
        """Raise what was noted.

        Raises
        ------
        EngineError
        """
        if self._error is not None:
            raise self._error
        if self._why:
            raise EngineError(
                f"{self._why}.\nAll other frames that can be made without them are kept in "
                f"'{self._reel.folder}'. The same call goes on there, with a cluster or without."
            )


class _Progress:
    """How far a film is, with what is being made."""

    def __init__(self, supply: _Pieces, reel: Reel, count: int, shown: Any) -> None:
        self._supply, self._reel, self._count, self._shown = supply, reel, count, shown
        self._shares: dict[int, float] = {}  # of pieces that are being made

    def tell(self, number: int, done: float) -> None:
        """Note how far a piece is, and show how far all are."""
        self._shares[number] = done
        self._show()

    def finished(self, number: int) -> None:
        """Note that a piece is made."""
        self._shares.pop(number, None)
        if self._shown is not None:
            self._show()

    def _show(self) -> None:
        made = self._reel.done + sum(self._reel.ahead.values())
        begun = sum(
            self._supply.given[number].count * share for number, share in [*self._shares.items()]
        )
        n = len(self._shares)
        at_work = f", {n} piece{'s' * (n > 1)} being made" if n else ""
        self._shown.share(min(1.0, (made + begun) / self._count),
                          f"frame {made}/{self._count}{at_work}")  # fmt: skip
