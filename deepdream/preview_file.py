"""The dream while it is dreamt, as a file that an image viewer watches."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .color_profiles import srgb_profile
from .errors import ParameterError, WriteError
from .files import FileName, replacing
from .images import check_writable
from .preview import fitted, sample, shown_size
from .progress import Pace

_log = logging.getLogger(__name__)

_SIDE = 1000  # longest side, in pixels
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_HOW: dict[str, dict[str, int]] = {"PNG": {"compress_level": 1}, "JPEG": {"quality": 90}}


def check_preview(path: FileName, others: Iterable[FileName]) -> None:
    """Make sure, before any work is done, that a preview may be written there.

    Parameters
    ----------
    path : str or PathLike
    others : iterable of str or PathLike
        Files that it must not be: the picture to dream on, the one to write.

    Raises
    ------
    ParameterError
        It is one of `others`, or ends in something else than .png or .jpg.
    ImageError, WriteError
        As for `deepdream.images.check_writable`.
    """
    name = os.fsdecode(path)
    if Path(name).suffix.lower() not in _FORMATS:
        raise ParameterError(f"'{name}' is no name for a preview: it ends in .png or .jpg.")
    check_writable(path)
    here = os.path.realpath(name)
    for other in map(os.fsdecode, others):
        if os.path.realpath(other) == here or _same(other, name):
            raise ParameterError(
                f"the preview would take the place of '{other}': give it another name. It is "
                f"shrunk to {_SIDE} pixels and has no recipe."
            )


def _same(one: str, other: str) -> bool:
    """Tell whether two names are of one file, as on a disk that does not tell A from a."""
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is not there
        return False


class PreviewFile:
    """Writes the picture so far into a file, at the pace of `Pace`; it stays there at the end.

    Parameters
    ----------
    path : str or PathLike
        Ends in .png or .jpg. Each time the file is replaced, whole or not at all.
    size : (int, int)
        Height and width of the picture to come. Smaller octaves are enlarged to it, larger pictures
        shrunk to `_SIDE`, so that a viewer's window keeps its size.
    """

    def __init__(self, path: FileName, size: tuple[int, int]) -> None:
        self._path = path
        self._form = _FORMATS[Path(os.fsdecode(path)).suffix.lower()]
        self._size = size
        self._pace = Pace()
        self._works = True

    def step(self, step: Any) -> None:
        """Write, if it is time again; made to be a dream's `on_step`."""
        if self._works and self._pace.due():
            with self._pace.drawing():
                size = self._fit(step.size)
                self._write(sample(step, size), size)

    def done(self, picture: np.ndarray) -> None:
        """Write the picture that the dream has become, (h, w, 3) RGB."""
        if self._works:
            self._write(picture, self._fit((picture.shape[0], picture.shape[1])))

    def _fit(self, now: tuple[int, int]) -> tuple[int, int]:
        h, w = shown_size(self._size, now)
        scale = min(1, _SIDE / max(h, w))
        return max(1, round(h * scale)), max(1, round(w * scale))

    def _write(self, pixels: np.ndarray, size: tuple[int, int]) -> None:
        try:
            with replacing(self._path) as part:
                how = {"icc_profile": srgb_profile(3), **_HOW[self._form]}
                fitted(pixels, size).save(part, self._form, **how)
        except WriteError as error:  # the dream is worth more
            self._works = False
            _log.warning(f"{error}\nThe dream goes on without a preview.")
