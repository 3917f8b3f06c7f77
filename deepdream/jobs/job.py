"""A job: one picture that is to be made, and what comes of it.

What all jobs of a run share, the net and most keywords of `deepdream.dream`, is not in them: a job
is small, and can be sent. A `Maker` has a net, makes jobs one at a time, and keeps what was made
ready for a goal from one job to the next.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional, Protocol

from ..dreaming.prepared import Latest, Prepared, parted
from ..dreaming.steps import OnStep
from ..errors import DeepDreamError, ImageError, OutOfMemoryError
from ..files import file_hash, replacing
from ..images import encode_image, load_image
from ..picture import Picture
from .notes import collected


@dataclass(frozen=True)
class File:
    """A picture's file, here or on its way to another machine.

    Attributes
    ----------
    path : str
        Where it lies; its name goes into recipes.
    sha256 : str
        Of its bytes.
    data : bytes or None
        Its bytes, where a machine that does not see `path` is to read it.
    """

    path: str
    sha256: str
    data: Optional[bytes] = field(default=None, repr=False)  # noqa: UP045 (Sphinx evaluates it)

    @classmethod
    def at(cls, path: Path) -> File:
        """Return the file that lies at a path.

        Raises
        ------
        OSError
            It cannot be read.
        """
        return cls(str(path), file_hash(path))

    def packed(self) -> File:
        """Return it with its bytes.

        Raises
        ------
        OSError
            It cannot be read.
        """
        data = Path(self.path).read_bytes()
        return File(self.path, hashlib.sha256(data).hexdigest(), data)

    def load(self) -> Picture:
        """Return the picture.

        Raises
        ------
        MissingFileError, ImageError
            As `deepdream.load_image`; also where another file lies there now.
        """
        if self.data is not None:
            file = io.BytesIO(self.data)
            file.name = self.path
            return load_image(file)
        picture = load_image(self.path)
        if (picture.source or {}).get("sha256") != self.sha256:
            raise ImageError(
                f"'{self.path}' is another file than it was, or another one where it was read: its "
                f"sha256 was {self.sha256[:12]}..."
            )
        return picture


@dataclass(frozen=True)
class Job:
    """One picture that is to be made.

    Attributes
    ----------
    name : str
        What messages call it.
    keywords : mapping
        Of `deepdream.dream`, where they are others than those that all share; `img`, and the
        pictures of other keywords, may be a `File`.
    file : str
        What will be its file, whose ending names the format.
    depth : int
        Bits per channel.
    writes : bool
        Write that file where the picture is made, instead of handing its bytes back.
    """

    name: str
    keywords: Mapping[str, Any]
    file: str
    depth: int = 8
    writes: bool = False


@dataclass(frozen=True)
class Made:
    """What came of a job.

    Attributes
    ----------
    data : bytes or None
        The picture's file; None where there is none, or where it was written already.
    size : int
        Its length in bytes, 0 where there is no picture.
    error : str
        Why there is none.
    short_of_memory : bool
        That was the reason.
    stopped : bool
        Ctrl-C, or `on_step` did not want it.
    notes : list of str
        What was to be said meanwhile, as of octaves left out.
    seconds : float
        How long it took.
    """

    data: Optional[bytes] = field(default=None, repr=False)  # noqa: UP045
    size: int = 0
    error: str = ""
    short_of_memory: bool = False
    stopped: bool = False
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def write(self, path: Path) -> None:
        """Write the picture, whole or not at all; one that is written already stays.

        Raises
        ------
        WriteError
        """
        if self.data is not None:
            with replacing(path) as part:
                part.write_bytes(self.data)


class Supply(Protocol):
    """Jobs that are to be made; some may be known only when others are made."""

    def begin(self, at_a_time: int) -> None:
        """Get ready: so many will be made at a time."""

    def take(self) -> tuple[int, Job] | None:
        """Return a job and its number; None while there is none that can be made now."""

    @property
    def over(self) -> bool:
        """Tell whether no more will come, unless from what is being made."""


class Listed:
    """Jobs that are all known beforehand.

    Parameters
    ----------
    jobs : sequence of Job
    order : sequence of int
        In which they are begun.
    """

    def __init__(self, jobs: Sequence[Job], order: Sequence[int]) -> None:
        self._jobs, self._order = jobs, deque(order)

    def begin(self, at_a_time: int) -> None:
        """See `Supply`."""

    def take(self) -> tuple[int, Job] | None:
        """See `Supply`."""
        if not self._order:
            return None
        number = self._order.popleft()
        return number, self._jobs[number]

    @property
    def over(self) -> bool:
        """See `Supply`."""
        return not self._order


class Maker:
    """Makes jobs with a net, one at a time.

    Parameters
    ----------
    net : Net
    shared : mapping
        Keywords of `deepdream.dream` for all jobs.

    Attributes
    ----------
    net, shared
        As they were given.
    one_at_a_time : bool
        Two of this kind must not work side by side in one process.
    """

    one_at_a_time = False

    def __init__(self, net: Any, shared: Mapping[str, Any]) -> None:
        self.net, self.shared = net, dict(shared)
        self._latest = Latest(net)

    def prepare(self) -> None:
        """Get ready, on the machine that is to make jobs, and before the first one.

        Raises
        ------
        DeepDreamError
            It could make none of them, or others than the machine where the run began.
        """

    def make(self, job: Job, on_step: OnStep | None = None) -> Made:
        """Make a job; what goes wrong with the picture is told in what is returned.

        Parameters
        ----------
        job : Job
        on_step : callable, optional
            See `deepdream.dream`. What it raises is raised here.
        """
        began = time.monotonic()
        watch = _Watch(on_step)
        with collected() as notes:
            try:
                made = self._done(job, None if on_step is None else watch)
            except Exception as error:
                if watch.raised:
                    raise
                short = isinstance(error, (OutOfMemoryError, MemoryError))
                made = Made(error=_reason(error), short_of_memory=short)
        return replace(made, notes=sorted(notes), seconds=round(time.monotonic() - began, 2))

    def _done(self, job: Job, on_step: OnStep | None) -> Made:
        """Do what a job says; other kinds of makers do something else."""
        return self._kept(job, self.picture(job, on_step))

    def picture(self, job: Job, on_step: OnStep | None) -> Picture:
        """Make the picture of a job; other kinds of makers make it in another way."""
        keywords = {**self.shared, **job.keywords}
        img, seed = keywords.pop("img"), keywords.pop("seed", None)
        if isinstance(img, File):
            img = img.load()
        own, goal = parted(keywords)
        return self.ready(goal).dream(img, seed=seed, on_step=on_step, progress=False, **own)

    def _kept(self, job: Job, picture: Picture) -> Made:
        """Return a picture's file, or write it where the job says so."""
        if picture.recipe and picture.recipe.get("stopped"):
            return Made(stopped=True)
        return self._handed(job, bytes(encode_image(picture, job.file, depth=job.depth)))

    def _handed(self, job: Job, data: bytes) -> Made:
        """Hand a file's bytes back, or write them where the job says so."""
        if not job.writes:
            return Made(data, len(data))
        with replacing(job.file) as part:
            part.write_bytes(data)
        return Made(None, len(data))

    def ready(self, goal: Mapping[str, Any]) -> Prepared:
        """Return what dreams by the keywords of a goal, see `prepared.parted`."""
        return self._latest.ready(goal)


class _Watch:
    """An `on_step` of the user's, and whether it has raised."""

    def __init__(self, on_step: OnStep | None) -> None:
        self._on_step, self.raised = on_step, False

    def __call__(self, step: Any) -> bool | None:
        assert self._on_step is not None
        try:
            return self._on_step(step)
        except BaseException:
            self.raised = True
            raise


def _reason(error: Exception) -> str:
    if isinstance(error, DeepDreamError):
        return str(error)
    return f"{type(error).__name__}: {error}".strip(": ")
