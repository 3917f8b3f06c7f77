"""What a dream costs in seconds on this machine, learnt from those that were made.

The work of a dream is known before: steps, pixels, how much of the network they go through, and how
many positions of guides each position is compared with.
What a unit of it takes is measured with each dream; the first are those of the looks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..dreaming.parameters import Parameters
from ..dreaming.pictures.octaves import ALL
from ..dreaming.styles import NOTEBOOK, end_of, style_of
from ..errors import MissingFileError
from ..galleries.targets import find_targets
from .settings import clip_frames, film_steps, size_for
from .store import read_json, write_json

_SIZE = (360, 480)
_NEW = 0.3  # how much a new measure counts
_GUESS = 8e-11  # seconds for a multiplication, before anything was measured
_BESIDE = 0.15  # seconds that every dream takes, and per megapixel for reading and writing it
_FILES = 0.9
_FRAME = 0.15  # the same for a film's frame
_MATCH = 0.8  # what a multiplication of a comparison with a guide takes, in those of the network
_FORWARD = 0.4  # share of a step that a guide's own way through the network takes


class Pace:
    """Tells how long dreams will take.

    Parameters
    ----------
    net : Graph
    path : Path
        A file that keeps what was learnt.
    size_of : callable
        Returns the (height, width) of a guide, by its id.
    """

    def __init__(self, net: Any, path: Path, size_of: Callable[[str], tuple[int, int]]) -> None:
        self._net, self._path, self._size_of = net, path, size_of
        pixels = _SIZE[0] * _SIZE[1]
        targets = find_targets(net, _SIZE)
        self._costs = {t.layer: t.cost / pixels for t in targets}
        # Channels, and positions per pixel.
        self._blobs = {t.layer: (t.shape[0], 1 / (t.stride[0] * t.stride[1]))
                       for t in targets if t.shape is not None}  # fmt: skip
        self._most = max(self._costs.values())
        found = read_json(path) or {}
        rate = found.get("rate")
        self._rate = float(rate) if isinstance(rate, (int, float)) and rate > 0 else None
        self._sure = self._rate is not None and found.get("sure") is True

    @property
    def learnt(self) -> bool:
        """Tell whether anything was measured on this machine."""
        return self._rate is not None

    def work(self, settings: Mapping[str, Any], size: tuple[int, int]) -> float:
        """Return the multiplications of a dream.

        Parameters
        ----------
        settings : mapping
            From `settings.checked`.
        size : (int, int)
            Height and width of the picture it begins with.
        """
        given = {name: value for name, value in settings.items() if name in NOTEBOOK}
        chosen = Parameters(self._net, settings.get("style"), given)
        size = size_for(size, settings.get("longest"))
        if "compose" in settings:
            w, h = settings["compose"]
            octave_n = _octaves(chosen, (h, w))
            larger = size[0] * size[1] / (w * h)
            steps = full_steps(chosen, octave_n) / larger
            while larger > 1.05:  # detail that is dreamt on
                steps += chosen.iter_n_at(octave_n, octave_n + 1) / larger
                larger /= float(chosen.octave_scale) ** 2
            steps += chosen.iter_n_at(octave_n, octave_n + 1)
        else:
            steps = full_steps(chosen, _octaves(chosen, size))
        cost, positions = self._cost(settings), self._guides(settings)
        for end in self._ends(settings) if positions else ():
            channels, share = self._blobs.get(end, (0, 0.0))
            cost += _MATCH * channels * share * share * positions
        return steps * cost * size[0] * size[1]

    def _ends(self, settings: Mapping[str, Any]) -> list[str]:
        if settings.get("end") or settings.get("classes"):
            return [*(settings.get("end") or {})]
        end = end_of(self._net, style_of(self._net, settings.get("style")))
        return [end or str(getattr(self._net.model, "end", ""))]

    def _cost(self, settings: Mapping[str, Any]) -> float:
        """Return the multiplications of a step for each pixel, without those of guides."""
        if settings.get("classes"):
            return self._most
        return max(self._costs.get(name, self._most) for name in self._ends(settings))

    def _guides(self, settings: Mapping[str, Any]) -> float:
        """Return how many pixels the guides have that are there; a dream without one is refused."""
        pixels = 0
        for id in settings.get("guide", ()):
            with contextlib.suppress(MissingFileError):
                h, w = self._size_of(id)
                pixels += h * w
        return pixels

    def seconds(
        self, settings: Mapping[str, Any], size: tuple[int, int],
        clip: Mapping[str, Any] | None = None,
    ) -> float:  # fmt: skip
        """Return about how long a dream, or a film, will take.

        Parameters
        ----------
        settings, size
            As for `work`.
        clip : mapping, optional
            What is known of the clip that it begins with, see `clips.look_into`.
        """
        rate = self._rate or _GUESS
        h, w = size_for(size, settings.get("longest"))
        if "film" in settings:
            film = settings["film"]
            still = {name: value for name, value in settings.items() if name != "film"}
            later = {**still, "iter_n": film_steps(settings)}
            if film["carry"] == 0:  # each frame by itself
                later = still
            count = film["frames"] if clip is None else clip_frames(film, clip)
            each = rate * self.work(later, size) + _FRAME * h * w / 1e6
            return self.seconds(still, size) + (count - 1) * each
        guides = _FORWARD * self._cost(settings) * self._guides(settings)
        return _BESIDE + _FILES * h * w / 1e6 + rate * (self.work(settings, size) + guides)

    def learn(
        self, settings: Mapping[str, Any], size: tuple[int, int], seconds: float, small: bool
    ) -> None:
        """Take note of how long the steps of a dream have taken.

        Parameters
        ----------
        settings, size
            As for `work`.
        seconds : float
        small : bool
            It was a look's picture. In small pictures a step takes longer than its work says, so
            that these count only until a dream has told better.
        """
        work = self.work(settings, size)
        if work <= 0 or seconds <= 0 or (small and self._sure):
            return
        rate = seconds / work
        if self._rate is None or (not small and not self._sure):
            self._rate = rate
        else:
            self._rate = (1 - _NEW) * self._rate + _NEW * rate
        self._sure = not small
        write_json(self._path, {"rate": self._rate, "sure": self._sure})


def _octaves(chosen: Parameters, size: tuple[int, int]) -> int:
    if chosen.octave_n != ALL:
        return int(chosen.octave_n)
    count, side = 1, min(size) / float(chosen.octave_scale)
    while side >= chosen.octave_min:
        count, side = count + 1, side / float(chosen.octave_scale)
    return count


def full_steps(chosen: Parameters, octave_n: int) -> float:
    """Return how many steps at full size take as long as all steps of a dream."""
    shrink = float(chosen.octave_scale) ** -2
    return float(
        sum(
            chosen.iter_n_at(octave, octave_n) * shrink ** (octave_n - 1 - octave)
            for octave in range(octave_n)
        )
    )
