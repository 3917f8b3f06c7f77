"""Films: a film, or a still and a camera, in; a film out.

Each frame begins with what was dreamt before, carried along the motion (`steady`), takes a few
steps, and goes to a `reel`, which keeps it safe. Reading, the search for motion and encoding run
beside the dreaming.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..display import display_for
from ..dreaming.parameters import check_seed
from ..dreaming.pictures.fitting import SizeWarning
from ..dreaming.pictures.masks import as_mask
from ..dreaming.prepared import told_of
from ..dreaming.steps import OnStep
from ..files import FileName
from ..jobs.run import check_cluster
from ..picture import Picture, as_recorded
from ..recipe import build_recipe, describe_net, json_types
from .dreamer import Dreamer
from .elsewhere import film_elsewhere, why_here
from .frame import Frame
from .reel import Reel, part_folder, settings_of
from .shots import Shot


class Stopped(KeyboardInterrupt):
    """Ctrl-C in the middle of a film: what was made is safe."""


def film(
    net: Any,
    source: Any,
    out: FileName,
    *,
    flow: str = "dis",
    carry: float | None = None,
    first: Any = None,
    start: Any = None,
    until: Any = None,
    every: int = 1,
    fps: Any = None,
    size: Any = None,
    frames: int | None = None,
    zoom: float = 0.0,
    turn: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    ease: float = 0.0,
    loop: bool = False,
    keyframes: Any = None,
    quality: Any = None,
    sound: bool = True,
    seed: int | None = None,
    on_step: OnStep | None = None,
    progress: bool | None = None,
    cluster: Any = None,
    shared: str | None = None,
    **dream_params: Any,
) -> Path | None:
    """Dream on a film, or make one of a still picture, steadily.

    Parameters
    ----------
    net : Net
    source : str, PathLike, iterable of arrays, or a picture
        A film that FFmpeg reads, an animation, a folder of pictures, an iterator of (h, w, 3)
        arrays; or a still picture, in front of which a camera moves.
    out : str or PathLike
        ``.mp4``, ``.m4v``, ``.mov``, ``.webm``, ``.mkv``, ``.gif``, ``.webp``, ``.png``, or a
        folder of pictures. While it is made there is a folder ``OUT.part`` beside it; the same call
        goes on there.
    flow : {"dis", "farneback", "none"}
        How motion is found. ``"none"``: the camera stands still, and what changes begins anew.
    carry : float, optional
        Share of what was dreamt that goes on to the next frame, 0..1. 0: each frame by itself, as
        a scene's first one. Default: 0.92; all of it in front of a still.
    first : int, pair or mapping, optional
        Steps per octave of a scene's first frame, or keywords of `deepdream.dream` for it alone.
        Default: as the style says. ``iter_n`` is of the other frames.
    start, until : float or str, optional
        Seconds, or ``"1:02.5"``: the part of the film that is taken. ``end`` as a time is `until`.
    every : int
        Each n-th frame.
    fps : float, optional
        Frames per second: of a still 25; of a film its own, or as many as this, by leaving some out
        or taking some twice.
    size : (int, int), int or str, optional
        Width and height of the frames, ``(640, 360)``, or one of them, ``"640x"``.
    frames : int, optional
        How many frames a still becomes (100), or how many of a film are taken at most.
    zoom, turn, shift : float, float, (float, float)
        The camera's move per frame in front of a still: share of height and width that is cut off,
        degrees clockwise, pixels to the right and down.
    ease : float
        Share of the film in which the camera gets going, and comes to rest, 0..0.5.
    loop : bool
        A film of a still ends where it began, to be played round and round.
    keyframes : str, PathLike or list of mappings, optional
        Any parameter, `carry`, the camera's moves, and weights of layers, at frames or times; see
        `films.keyframes`.
    quality : str or float, optional
        ``"small"``, ``"good"``, ``"best"``, ``"lossless"``, or the encoder's own number.
    sound : bool
        Carry the film's sound over.
    seed : int, optional
        Each frame's random numbers follow from it and the frame's number. Without it a new one is
        drawn, or that of the work that is gone on with taken.
    on_step : callable, optional
        Called after each step; where it returns False the work ends there, to be gone on with.
    progress : bool, optional
        As for `deepdream.dream`; one bar, and one preview, for all frames.
    cluster : str, PathLike or distributed.Client, optional
        Machines to make the film on, as for `deepdream.batch`: its scenes side by side; with
        ``carry=0`` its frames. The film is the same, byte for byte, on the same kind of processor.
        What was begun without a cluster goes on with one, and the other way round.
    shared : str, optional
        A folder that all machines of the cluster see under this name: a film below it is read
        there, and the frames of one that is made below it are written there.
    **dream_params
        See `deepdream.dream`: all but width, height and compose.

    Returns
    -------
    Path or None
        The film; None where `on_step` ended the work.

    Raises
    ------
    ParameterError
        A value that makes no sense, or work that was begun with other settings; the message says
        which.
    MissingFileError, FilmError, ImageError, EngineError, WriteError
        As `films.source.open_source` and `films.target.open_target`; and what `deepdream.dream`
        raises.
    KeyboardInterrupt
        Ctrl-C. All frames that were done are kept, and the same call goes on.

    Warns
    -----
    UserWarning
        What is to be said about the source and the film: sound that is left out, damage.
    """
    check_cluster(cluster, on_step, shared)
    options = {name: value for name, value in locals().items() if name not in _NOT_OPTIONS}
    with Filming(net, source, out, **options, **dream_params) as making:
        for note in making.notes:
            warnings.warn(note, stacklevel=2)
        if cluster is None:
            made: Iterator[Any] = making.frames(on_step, progress)
        else:
            made = making.frames_elsewhere(cluster, shared, progress)
        for _ in made:
            pass
        if making.stopped:
            return None
        for note in making.finish():
            warnings.warn(note, stacklevel=2)
    return making.path


_NOT_OPTIONS = ("net", "source", "out", "on_step", "progress", "cluster", "shared",
                "dream_params")  # fmt: skip


class Filming:
    """A film that is being made; a context manager, which leaves everything for another time.

    Parameters
    ----------
    net, source, out, **options
        See `film`.
    recipe : mapping, optional
        What the film is to carry, where it is made again from that.

    Attributes
    ----------
    count : int or None
        How many frames there will be.
    done : int
        How many are safe; those that were there already count.
    begun : int
        How many were there already.
    stopped : bool
        `on_step` has had enough.
    notes : list of str
        What is to be said before the work.
    seed : int
    recipe : dict
        What the film carries.
    """

    def __init__(
        self, net: Any, source: Any, out: FileName, *, flow: str = "dis",
        carry: float | None = None, first: Any = None, start: Any = None, until: Any = None,
        every: int = 1, fps: Any = None, size: Any = None, frames: int | None = None,
        zoom: float = 0.0, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0),
        ease: float = 0.0, loop: bool = False, keyframes: Any = None, quality: Any = None,
        sound: bool = True, seed: int | None = None, recipe: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:  # fmt: skip
        if isinstance(given.get("end"), (int, float)):
            until = given.pop("end")
        check_seed(seed)
        self._mask_given = given.pop("mask", None)
        self._net, self._source = net, source
        self.dreamer = dreamer = Dreamer(
            net, source, flow=flow, carry=carry, first=first, start=start, until=until,
            every=every, fps=fps, size=size, frames=frames, zoom=zoom, turn=turn, shift=shift,
            ease=ease, loop=loop, keyframes=keyframes, **given,
        )  # fmt: skip
        self.size, self.count = dreamer.size, dreamer.count
        if self._mask_given is not None:
            dreamer.wear(as_mask(self._mask_given, self.size))
        self.stopped = False
        before = settings_of(out)
        self.seed = dreamer.seed = _seed(seed, before)
        keys = dreamer.script.keys
        said = {
            "flow": None if dreamer.still else flow,
            "carry": dreamer.carry,
            "start": _exact(start), "until": _exact(until),
            "every": None if every == 1 else every, "fps": _exact(fps),
            "size": [self.size[1], self.size[0]],
            "frames": self.count if dreamer.still else frames,
            "zoom": zoom or None, "turn": turn or None,
            "shift": list(shift) if any(shift) else None,
            "ease": ease or None, "loop": loop or None,
            "keyframes": None if keys is None else [
                {**row, "time": _exact(row["time"])} if "time" in row else row for row in keys.rows
            ],
            "quality": quality, "sound": None if sound else False,
        }  # fmt: skip
        self.options = {
            name: json_types(value) for name, value in said.items() if value is not None
        }
        told = self._recipe(given)
        self.recipe = dict(recipe or told)
        self._reel = Reel(
            out, size=self.size, rate=dreamer.shots.rate, variable=dreamer.shots.variable,
            sound=dreamer.shots.sound if sound else None, quality=quality, recipe=self.recipe,
            settings=self._settings(told),
        )  # fmt: skip
        self.notes = [*dreamer.shots.warnings, *self._reel.notes]
        try:
            if self.count is not None:
                self._reel.drop_ahead(self.count)
            self._reel.catch_up()
        except BaseException:
            self._reel.close()
            raise
        self.begun = self._reel.done

    # -- what it is made with

    def _recipe(self, given: Mapping[str, Any]) -> dict[str, Any]:
        prepared, script = self.dreamer.ready, self.dreamer.script
        parameters = {**prepared.goal.recorded, **script.plain()}
        if given.get("precision") not in (None, "float32"):
            parameters["precision"] = given["precision"]
        if given.get("balance") is False and len(prepared.goal.shares) > 1:
            parameters["balance"] = False
        first, mask = script.first(), self._mask_given
        return build_recipe(
            self._net, parameters, command="film", seed=self.seed, source=self.dreamer.shots.told,
            style=script.style.name, film=self.options, first=first or None,
            guide=told_of(prepared.goal.guides),
            mask=None if mask is None else as_recorded(mask),
        )  # fmt: skip

    def _settings(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return what makes two films the same; a longer one of the same is the same."""
        guides = self.dreamer.ready.goal.guides
        masks = [] if self.dreamer.mask is None else [self.dreamer.mask]
        settings = {
            "seed": self.seed,
            "network": describe_net(self._net),
            **{name: recipe[name] for name in ("engine", "device") if name in recipe},
            **recipe["parameters"],
            "first": recipe.get("first", {}),
            **{name: ", ".join(map(_digest, pictures)) for name, pictures in (("mask", masks),
               ("guide", guides)) if pictures},
            **{n: v for n, v in self.options.items() if n not in ("size", "quality", "sound")},
            **self.dreamer.shots.settings,
        }  # fmt: skip
        if self.dreamer.loop is None and "ease" not in self.options:
            settings.pop("frames", None)  # more of them go on
        return settings

    # -- the work

    @property
    def path(self) -> Path:
        """The film that is to be."""
        return self._reel.path

    def describe(self) -> str:
        """Return in a line what it is made of."""
        return self.dreamer.shots.describe()

    @property
    def folder(self) -> Path:
        """Where the work is kept meanwhile."""
        return self._reel.folder

    @property
    def done(self) -> int:
        """How many frames are safe."""
        return self._reel.done

    @property
    def ahead(self) -> int:
        """How many are there besides, behind frames that are not: a cluster has made them."""
        return sum(self._reel.ahead.values())

    def frames(
        self, on_step: OnStep | None = None, progress: bool | None = None
    ) -> Iterator[Picture]:
        """Make the frames that are not there yet; yield each when it is safe.

        Raises
        ------
        Stopped
            Ctrl-C: a KeyboardInterrupt that tells how to go on.
        """
        if self._complete():
            return
        # Where nobody knows how many there will be, each frame has a bar of its own.
        done = 0 if self.count is None else self.done
        shown = display_for(progress, on_step, self.size, self.count, done)

        def watch(step: Any) -> bool:
            if shown is not None:
                shown.step(step)
            self.stopped = on_step is not None and on_step(step) is False
            return not self.stopped

        try:
            with shown or contextlib.nullcontext():
                while True:
                    for made in self._in_a_row(watch):
                        if shown is not None and self.count is not None:
                            shown.frame(self.done)
                        yield made
                    # Frames that are there already, by a cluster, are taken in between.
                    if self.stopped or self._complete() or not self._reel.catch_up():
                        return
        except KeyboardInterrupt as error:
            raise Stopped(self._safe()) from error

    def frames_elsewhere(
        self, cluster: Any, shared: str | None = None, progress: bool | None = None
    ) -> Iterator[int]:
        """Make the frames that are not there yet on a cluster; yield how many are safe by now.

        Parameters
        ----------
        cluster, shared, progress
            See `film`.

        Raises
        ------
        Stopped
            As `frames`; and what `elsewhere.film_elsewhere` raises.

        Warns
        -----
        UserWarning
            The film cannot be shared out, and is made here.
        """
        if self._complete():
            return
        why = why_here(self.dreamer)
        if why:
            warnings.warn(why, stacklevel=3)
            for _ in self.frames(progress=progress):
                yield self.done
            return
        shown = display_for(progress, None, self.size, self.count, self.done)
        try:
            with shown or contextlib.nullcontext():
                yield from film_elsewhere(
                    self._net, self._source, self.dreamer, self._reel, cluster, shared, shown
                )
        except KeyboardInterrupt as error:
            raise Stopped(self._safe()) from error

    def _in_a_row(self, watch: Any) -> Iterator[Picture]:
        """Make frames until there are all, or the next one is there already."""
        self.dreamer.state = self._reel.state or {}
        with contextlib.closing(self.dreamer.from_frame(self.done)) as shots:
            for shot in shots:
                if self.done in self._reel.ahead:
                    return
                made = self._dream(shot, watch)
                if made is None:
                    return
                yield made
                if self._complete():
                    return

    def _complete(self) -> bool:
        return self.count is not None and self.done >= self.count

    def _safe(self) -> str:
        ahead = f", and {self.ahead} behind them," if self.ahead else ""
        return f"{self.done} frames{ahead} are safe in '{self.folder}': the same call goes on there"

    def _dream(self, shot: Shot, watch: Any) -> Picture | None:
        frame = shot.frame
        with _quiet() if frame.number != self.begun else contextlib.nullcontext():
            seen, dreamt = self.dreamer.dream(shot, watch)
        if self.stopped:
            return None
        assert dreamt.recipe is not None
        if dreamt.recipe.get("stopped"):
            raise KeyboardInterrupt
        self._reel.add(Frame(seen, frame.time, frame.number), self.dreamer.state)
        return Picture(seen, recipe=dreamt.recipe)

    def finish(self) -> list[str]:
        """Make the film of its frames, with sound and recipe; return what is to be said of it."""
        self._reel.finish()
        notes = [*self.dreamer.shots.warnings, *self._reel.notes]
        return [note for note in notes if note not in self.notes]

    def __enter__(self) -> Filming:
        return self

    def __exit__(self, *error: Any) -> None:
        self._reel.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let a dream not say what the first frame's has said: its sizes, its plan, its memory."""
    logger = logging.getLogger(__name__.partition(".")[0])
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SizeWarning)
            yield
    finally:
        logger.setLevel(level)


def _seed(seed: int | None, before: Mapping[str, Any] | None) -> int:
    """Return the seed: as it is given, that of work that is gone on with, or a new one."""
    if seed is None and before is not None and "seed" in before:
        seed = before["seed"]
    return int.from_bytes(os.urandom(4), "little") if seed is None else int(seed)


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16]


def _exact(value: Any) -> Any:
    """Return a time or a rate as it can be written down."""
    return str(value) if isinstance(value, Fraction) else value


__all__ = ["Filming", "Stopped", "film", "part_folder"]
