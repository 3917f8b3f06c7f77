"""Animations that Pillow reads: GIF, PNG, WebP, AVIF.

FFmpeg reads most of them, too, but not WebP's, and with other ideas of times and transparency.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FilmError
from ..files import file_hash
from ..quiet import quiet
from .limits import Only
from .reader import Raw, Reader

# Browsers show frames that claim no more than this for a tenth of a second.
_NOTHING = 10  # ms
_INSTEAD = 100  # ms


class AnimationReader(Reader):
    """An animation.

    Parameters
    ----------
    path : Path
        A file that Pillow reads, of more than one frame.
    name : str, optional
        What it is called in messages and recipes, where that is not the file's own name.
    only : Only, optional
        What it may be, where it comes from anybody.

    Raises
    ------
    FilmError
        It has one frame: a picture, not a film; or it is not what it may be.
    """

    def __init__(self, path: Path, name: str | None = None, only: Only | None = None) -> None:
        super().__init__(path.name if name is None else name)
        self._path, self._only = path, only
        self._called = str(path) if name is None else name
        # Pillow's plugin that alone reads it.
        self._formats = None if only is None else (only.container.upper(),)
        with self._open() as image:
            self._format = str(image.format)
            self.size = (image.height, image.width)
            self.check_size()
            if only is not None and self.size[0] * self.size[1] > only.pixels:
                raise FilmError(f"'{self._called}' has frames of {image.width}x{image.height} "
                                f"pixels: {only.pixels / 1e6:.0f} million a frame are the most "
                                "here.")  # fmt: skip
            try:
                frames = getattr(image, "n_frames", 1)
            except Exception as error:  # Pillow raises nearly anything for damaged files
                raise FilmError(f"'{self._called}' is damaged ({error}).") from error
            if frames < 2:
                raise FilmError(
                    f"'{self._called}' is a picture ({self._format}), not a film: deepdream dream "
                    "takes it, and deepdream zoom makes a film of it."
                )
            self.times = self._times_of(image, frames)
        self.count = len(self.times)
        if self.count < frames:
            self.cut_after(self.count - 1, frames)

    def _open(self) -> Image.Image:
        return Image.open(self._path, formats=self._formats)

    @property
    def digest(self) -> str:
        """The sha256 of the file."""
        return file_hash(self._path)

    def describe(self) -> str:
        """Return the format."""
        return f"animated {self._format}, no sound"

    def read(self, first: int = 0) -> Iterator[Raw]:
        """Yield the frames from `first` on."""
        assert self.times is not None
        with self._open() as image:
            for number in range(first, len(self.times)):
                image.seek(number)
                yield Raw(number, self.times[number], _on_white(image))

    def _times_of(self, image: Image.Image, frames: int) -> list[Fraction]:
        """Return when each frame begins; the file is gone through, and may end early."""
        times: list[Fraction] = []
        now = Fraction(0)
        for number in range(frames):
            try:
                with quiet():  # of damage, which is told once
                    image.seek(number)
                    image.load()  # WebP tells how long a frame is shown when it is decoded
            except Exception:
                if not times:
                    raise FilmError(f"'{self._called}' is damaged in its first frame.") from None
                break
            times.append(now)
            if self._only is not None and (number >= self._only.frames or now > self._only.seconds):
                raise FilmError(f"'{self._called}' is too long: {self._only.seconds:.0f} seconds "
                                f"and {self._only.frames} frames are the most here.")  # fmt: skip
            shown = Fraction(str(image.info.get("duration") or 0))
            now += Fraction(shown if shown > _NOTHING else _INSTEAD) / 1000
        return times


def _on_white(image: Image.Image) -> np.ndarray:
    """Return (h, w, 3) float32 colours; what is transparent is white, as on a page."""
    both = np.asarray(image.convert("RGBA"))
    colours = both[..., :3].astype(np.float32)
    alpha = both[..., 3]
    if alpha.min() == 255:
        return colours
    seen: np.ndarray = 255 + (colours - 255) * (alpha[..., np.newaxis] / np.float32(255))
    return seen
