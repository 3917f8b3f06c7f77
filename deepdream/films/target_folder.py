"""A folder of frames: ``0000.png``, ``0001.png`` ..., each with the film's recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import make_folder
from ..images import save_image
from .making import Making, check_quality


class Folder:
    """Pictures in a folder; a `making.Kind`.

    They are in their place when they are made. A part remembers nothing.
    """

    part_suffix = ".done"
    playable = False
    shortest = 1

    def __init__(self, making: Making) -> None:
        check_quality(making.quality, ("lossless",), "a folder of pictures")
        self._folder, self._recipe = making.path, making.recipe
        self.tick = 1 / making.rate
        self.notes = []
        if making.sound is not None:
            self.notes.append("the sound is left out: a folder of pictures has none")
        if making.variable:
            self.notes.append(
                "the frames' uneven times are left out: a folder of pictures has none"
            )
        self.settings: dict[str, Any] = {"encoder": "PNG", "quality": "lossless"}

    def open_part(self, path: Path, first: int) -> _Pictures:
        """Begin with the frame of the number `first`."""
        return _Pictures(make_folder(self._folder), path, first, self._recipe)

    def join(self, parts: Sequence[Path], ticks: Sequence[int], out: Path) -> None:
        """Nothing is left to be done."""


class _Pictures:
    def __init__(
        self, folder: Path, part: Path, first: int, recipe: Mapping[str, Any] | None
    ) -> None:
        self._folder, self._part, self._number, self._recipe = folder, part, first, recipe

    def add(self, pixels: np.ndarray, tick: int) -> None:
        """Write a frame."""
        recipe = None if self._recipe is None else {**self._recipe, "frame": self._number}
        save_image(pixels, self._folder / f"{self._number:04d}.png", recipe=recipe)
        self._number += 1

    def close(self) -> None:
        """Note that they are all there."""
        self._part.touch()
