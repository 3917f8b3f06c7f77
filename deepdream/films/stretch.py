"""Frames of a film that were dreamt before those in front of them: a file for each stretch.

On a cluster the scenes of a film are made side by side, and a scene may be done when the one before
has only begun. Its frames wait in files, 48 of them or fewer in each, with what goes on from the
last one. The film grows in order, and takes them when it has come there.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import FilmError
from .frame import Frame

_TIMES, _FRAME = "stretch times", "stretch frame "  # names in the file beside those of the state


def packed(pixels: np.ndarray) -> bytes:
    """Return (h, w, 3) uint8 RGB as a PNG: half of its bytes, and all of its levels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def unpacked(data: bytes) -> np.ndarray:
    """Return the (h, w, 3) uint8 RGB of a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def stretch_bytes(
    frames: Sequence[bytes], times: Sequence[Fraction], state: Mapping[str, np.ndarray]
) -> bytes:
    """Return the file of a stretch.

    Parameters
    ----------
    frames : sequence of bytes
        Of `packed`.
    times : sequence of Fraction
        When each is shown.
    state : mapping
        Arrays that the frame behind goes on from; none where that begins anew.
    """
    file = io.BytesIO()
    text = json.dumps([str(time) for time in times]).encode()
    arrays = {f"{_FRAME}{k}": np.frombuffer(data, np.uint8) for k, data in enumerate(frames)}
    np.savez(file, **{**state, **arrays, _TIMES: np.frombuffer(text, np.uint8)})  # type: ignore[arg-type]
    return file.getvalue()


class Stretch:
    """The file of a stretch, open for reading; a context manager.

    Parameters
    ----------
    path : Path
    first : int
        The number of its first frame.

    Raises
    ------
    FilmError
        It cannot be read.
    """

    def __init__(self, path: Path, first: int) -> None:
        self._path, self._first = path, first
        with contextlib.ExitStack() as opened, self._reading():
            self._file = np.load(opened.enter_context(path.open("rb")), allow_pickle=False)
            self.times = [Fraction(text) for text in json.loads(self._file[_TIMES].tobytes())]
            self._opened = opened.pop_all()

    def frames(self) -> Iterator[Frame]:
        """Yield its frames; their pixels are uint8."""
        for k, time in enumerate(self.times):
            with self._reading():
                pixels = unpacked(self._file[f"{_FRAME}{k}"].tobytes())
            yield Frame(pixels, time, self._first + k)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the frame behind goes on from."""
        with self._reading():
            return {
                name: self._file[name]
                for name in self._file.files
                if name != _TIMES and not name.startswith(_FRAME)
            }

    def _reading(self) -> Any:
        return _Reading(self._path)

    def __enter__(self) -> Stretch:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()
        self._opened.close()


class _Reading:
    """Tells which file it is that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception):  # zip files raise nearly anything
            raise FilmError(
                f"'{self._path}' cannot be read ({error}): delete it, and it is made again."
            ) from error
