"""What dreams the frames of a film one after the other, in whichever process.

Each begins with what was dreamt before, carried along the motion (`steady`), and takes a few steps.
What follows from one frame for the next is in `state`; a frame's random numbers follow from the
seed and its number. So frames can be dreamt anywhere: the same source, the same keywords and the
state of the frame before make the same frame.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..dreaming.objectives.goals import as_guides
from ..dreaming.pictures.finish import Finish
from ..dreaming.prepared import Latest, Prepared
from ..dreaming.steps import OnStep, Step
from ..picture import Picture, resized
from .flow import check_flow
from .loop import Loop
from .script import Script, random_of
from .shots import Shot, StillShots, as_still, open_shots
from .steady import CARRY, Steady

OPTIONS = ("flow", "carry", "first", "start", "until", "every", "fps", "size", "frames", "zoom",
           "turn", "shift", "ease", "loop", "keyframes")  # fmt: skip
"""Keywords of `film.film` that decide what the frames are."""


class Dreamer:
    """Dreams the frames of a film.

    Parameters
    ----------
    net : Net
    source
        See `film.film`; or a `source.Given`.
    seed : int or None
        May be set later, before the first frame.
    **options
        See `film.film`: `OPTIONS`, and those of `deepdream.dream` but for `mask`.

    Attributes
    ----------
    script : Script
    shots : FilmShots or StillShots
    still : bool
        It is a film of a still picture.
    carry : float
        As it is given, or what is usual.
    size : (int, int)
        Height and width of the frames.
    count : int or None
        How many there are; None where only reading tells.
    mask : (h, w) float32 ndarray or None
        Where frames may change, 0..1.
    ready : Prepared
        What dreams the frame that was the last one.
    """

    def __init__(
        self, net: Any, source: Any, *, seed: int | None = None, flow: str = "dis",
        carry: float | None = None, first: Any = None, start: Any = None, until: Any = None,
        every: int = 1, fps: Any = None, size: Any = None, frames: int | None = None,
        zoom: float = 0.0, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0),
        ease: float = 0.0, loop: bool = False, keyframes: Any = None, **given: Any,
    ) -> None:  # fmt: skip
        check_flow(flow)
        still = as_still(source)
        self.still = still is not None
        self.carry = (1.0 if self.still else CARRY) if carry is None else carry
        self.script = Script(net, given, first=first, carry=self.carry, zoom=zoom, turn=turn,
                             shift=shift, keyframes=keyframes)  # fmt: skip
        self.shots = open_shots(
            source if still is None else still, flow=flow, move=self.script.move,
            moves=self.script.moves, start=start, until=until, every=every, fps=fps, size=size,
            frames=frames, ease=ease, loop=loop,
        )  # fmt: skip
        self.size = self.shots.size
        counts = [count for count in (self.shots.count, frames) if count is not None]
        self.count = min(counts) if counts else None
        self.seed = seed
        self.loop = None
        if loop and isinstance(self.shots, StillShots):
            self.loop = Loop(self.shots.camera)
        self._given = given
        self._options = {
            "flow": flow, "carry": self.carry, "first": first, "start": start, "until": until,
            "every": every, "fps": fps, "size": size, "frames": frames, "zoom": zoom, "turn": turn,
            "shift": shift, "ease": ease, "loop": loop,
            "keyframes": None if self.script.keys is None else self.script.keys.rows,
        }  # fmt: skip
        # As in the notebook's zoom: each dream is the picture that the next one begins with.
        self._onward = self.still and self.carry == 1
        self.wear(None)
        self._beginning: np.ndarray | None = None  # the first frame's dream, for a loop
        self._latest = Latest(net)
        self.ready = self._ready_for(0, Fraction(0))

    def wear(self, mask: np.ndarray | None) -> None:
        """Set the mask, before the first frame: (h, w) float32, of the frames' size."""
        self.mask = mask
        self._steady = Steady(mask, hold=not self._onward)

    def sent(self) -> dict[str, Any]:
        """Return the keywords that make such a one on another machine, besides mask and seed."""
        given = dict(self._given)
        if given.get("guide") is not None:
            given["guide"] = as_guides(given["guide"])
        return {**given, **self._options}

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What goes on from the last frame, as arrays; `state` may be set to what it was."""
        state = dict(self._steady.state)
        if self.loop is not None and self._beginning is not None:
            state["beginning"] = self._beginning
        return state

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self._steady.state = {n: v for n, v in state.items() if isinstance(v, np.ndarray)}
        self._beginning = state.get("beginning")

    def alone(self, number: int, time: Fraction) -> bool:
        """Tell whether nothing is carried to a frame, so that it needs none before it."""
        return self.loop is None and self.script.carry(number, time) == 0

    def from_frame(self, first: int) -> Generator[Shot, None, None]:
        """Yield what is dreamt on, from a frame on."""
        return self.shots.shots(first)

    def dream(self, shot: Shot, watch: OnStep | None) -> tuple[np.ndarray, Picture]:
        """Dream on a frame.

        Parameters
        ----------
        shot : Shot
            The one behind the frame that `state` is of.
        watch : callable or None
            See `deepdream.dream`; its pictures are as they will be seen.

        Returns
        -------
        (h, w, 3) float32 ndarray, Picture
            What is seen, and the dream, whose recipe tells whether it was ``stopped``; then `state`
            has not gone on.

        Raises
        ------
        What `Prepared.dream` raises.
        """
        frame, script = shot.frame, self.script
        when = frame.number, frame.time
        assert self.seed is not None
        begun = self._steady.begin(frame.pixels, shot.motion, script.carry(*when))
        view, pixels = frame.pixels, begun.pixels
        if self.loop is not None and self._beginning is not None:
            view, pixels = self.loop.mixed(frame.number, view, pixels, self._beginning)
        under = pixels if self._onward else view
        finish = script.finish(*when, begun.first)
        self.ready = self._ready_for(*when)
        own = {**script.own(*when, begun.first), "strength": 1.0, "keep_colors": False}
        if finish is not None and watch is not None:
            watch = _finished(finish, under, watch)
        dreamt = self.ready.dream(
            pixels, mask=self.mask, seed=random_of(self.seed, frame.number), on_step=watch,
            progress=False, **own,
        )  # fmt: skip
        raw = np.asarray(dreamt)
        assert dreamt.recipe is not None
        if dreamt.recipe.get("stopped"):
            return raw, dreamt
        seen = raw if finish is None else finish(raw.copy(), under)
        if self.mask is not None:
            np.copyto(seen, under, where=(self.mask == 0)[..., None])
        kept = seen if self._onward else raw
        self._steady.keep(view, kept)
        if self.loop is not None and self._beginning is None:
            self._beginning = np.asarray(kept).astype(np.float16)
        return seen, dreamt

    def _ready_for(self, number: int, time: Fraction) -> Prepared:
        """Return what dreams a frame; nothing is planned anew while its layers stay."""
        return self._latest.ready(self.script.goal(number, time))


def _finished(finish: Finish, under: np.ndarray, watch: OnStep) -> OnStep:
    """Return what shows steps as they would be seen in the film, where that is asked for."""
    sizes: dict[tuple[int, int], np.ndarray] = {}

    def below(size: tuple[int, int]) -> np.ndarray:
        if size not in sizes:
            sizes.clear()
            sizes[size] = np.asarray(resized(Picture(under), size))
        return sizes[size]

    def show(step: Step) -> bool | None:
        def sample(every: int) -> np.ndarray:
            return finish(step.sample(every), below(step.size)[::every, ::every])

        def picture() -> np.ndarray:
            return finish(step.picture.copy(), below(step.size))

        return watch(replace(step, _picture=picture, _sample=sample))

    return show
