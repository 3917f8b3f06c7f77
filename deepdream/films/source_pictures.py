"""Frames that are pictures already: a folder of files, a list of arrays, an iterator."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FilmError, ImageError
from ..files import PICTURES
from ..images import as_picture, load_image
from .reader import Raw, Reader


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return what sorts names as people count: ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


class FolderReader(Reader):
    """Pictures of a folder, by their names in natural order.

    Parameters
    ----------
    path : Path
        Files with the endings of pictures count; others, and hidden ones, do not.

    Raises
    ------
    FilmError
        There are none.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        self._path = path
        names = [
            entry.name
            for entry in path.iterdir()
            if entry.suffix.lower() in PICTURES and not entry.name.startswith(".")
        ]
        self._files = [path / name for name in sorted(names, key=lambda n: (natural_key(n), n))]
        if not self._files:
            raise FilmError(f"the folder '{path}' holds no pictures: there is no film in it.")
        h, w = load_image(self._files[0]).shape[:2]
        self.size = (h, w)
        self.count = len(self._files)

    @property
    def digest(self) -> str:
        """A hash of the names and sizes of the files, and of the first and the last one."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        for file in (self._files[0], self._files[-1]):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """Return how many there are."""
        return "a folder of pictures, no sound"

    def read(self, first: int = 0) -> Iterator[Raw]:
        """Yield the pictures from `first` on; one that cannot be read is an error."""
        for number in range(first, len(self._files)):
            yield Raw(number, None, np.asarray(load_image(self._files[number])))


class ArraysReader(Reader):
    """Arrays or PIL images, of a sequence or an iterator.

    Parameters
    ----------
    frames : iterable
        What `images.as_picture` takes. An iterator is used up; it can be read once.

    Raises
    ------
    FilmError
        There is none.
    """

    def __init__(self, frames: Iterable[Any]) -> None:
        super().__init__("the frames")
        self._sequence: Any = None
        first: Any = None
        if isinstance(frames, (Sequence, np.ndarray)):
            self._sequence = frames
            self.count = len(frames)
            first = frames[0] if len(frames) else None
        else:
            self._rest = iter(frames)
            first = next(self._rest, None)
            self._rest = itertools.chain([first], self._rest)
        if first is None:
            raise FilmError("there are no frames: at least one is expected.")
        picture = as_picture(first)
        self.size = (picture.shape[0], picture.shape[1])
        self._first = hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()

    @property
    def digest(self) -> str:
        """A hash of the first frame, and of how many there are, where that is known."""
        return hashlib.sha256(f"{self._first} {self.count} {self.size}".encode()).hexdigest()

    def describe(self) -> str:
        """Return what they are."""
        return "arrays, no sound"

    def read(self, first: int = 0) -> Iterator[Raw]:
        """Yield the frames from `first` on."""
        if self._sequence is not None:
            numbered = enumerate(self._sequence[first:], first)
        else:
            numbered = enumerate(itertools.islice(self._rest, first, None), first)
        for number, frame in numbered:
            try:
                yield Raw(number, None, np.asarray(as_picture(frame)))
            except ImageError as error:
                raise FilmError(f"frame {number}: {error}") from error
