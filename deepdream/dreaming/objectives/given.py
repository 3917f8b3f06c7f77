"""Pictures as values: guides and masks of terms, which are equal where their pixels are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ParameterError
from ...images import as_picture, load_image
from ...picture import file_of, pixels_hash
from ..pictures.masks import read_mask

# Finds the picture that a recipe names: ``find({"file": ..., "sha256": ...}, "mask")``.
Find = Callable[[Mapping[str, Any], str], Any]


class Given:
    """A picture that belongs to a term.

    Parameters
    ----------
    pixels : ndarray
        (h, w, 3) float32 of a guide, (h, w) float32 0..1 of a mask. It is not to be changed.
    source : mapping or None
        The file that holds it, as `file_of` tells.
    """

    def __init__(self, pixels: np.ndarray, source: Mapping[str, Any] | None) -> None:
        self.pixels = pixels
        self.source = None if source is None else dict(source)
        self._digest = pixels_hash(pixels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        if self.source is not None and "file" in self.source:
            return repr(self.source["file"])
        h, w = self.pixels.shape[:2]
        return f"<picture of {w}x{h}, sha256 {self._digest[:8]}>"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def is_file(self) -> bool:
        """Tell whether a recipe can name it."""
        return self.source is not None and "file" in self.source

    def plain(self) -> Any:
        """Return what a recipe keeps: the file's name and hash, or in words what it was."""
        return self.source if self.is_file else f"an array of sha256 {self._digest}"


def given_guide(picture: Any) -> Given:
    """Return a guide: a picture, or the name of its file."""
    shown = as_picture(_loaded(picture))
    return Given(np.asarray(shown), file_of(shown))


def given_mask(mask: Any) -> Given:
    """Return a mask, see `masks.read_mask`, or the name of its file.

    Raises
    ------
    ParameterError
        It is black everywhere.
    """
    loaded = _loaded(mask)
    grey = np.clip(read_mask(loaded), 0, 1)
    if not grey.any():
        raise ParameterError(
            "the mask is black everywhere: the term would count nowhere. White is where it counts"
        )
    return Given(grey, file_of(loaded))


def found(plain: Any, find: Find, what: str) -> Any:
    """Return the picture that a recipe names.

    Raises
    ------
    ParameterError
        It was an array.
    """
    if not isinstance(plain, Mapping):
        raise ParameterError(f"a {what} of the objective was an array, not a file: {plain}")
    return find(plain, what)


def _loaded(picture: Any) -> Any:
    if isinstance(picture, (str, os.PathLike)):
        return load_image(Path(picture))
    return picture
