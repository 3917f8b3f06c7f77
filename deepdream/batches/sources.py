"""Which pictures a batch is of, and what its dreams are called."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DeepDreamError, MissingFileError, ParameterError
from ..files import PICTURES, FileName
from ..images import check_depth
from ..recipe import read_recipe


def find_pictures(given: FileName | Iterable[FileName]) -> list[Path]:
    """Return the files that are meant, each once, in the order given; those of a folder by name.

    Parameters
    ----------
    given : str or PathLike, or an iterable of them
        Files; folders, of which the pictures directly inside are taken; and patterns as in a
        shell, ``"photos/*.jpg"``, ``"photos/**/*.jpg"``.

    Raises
    ------
    MissingFileError
        A file that is not there, a folder without pictures, a pattern that fits nothing.
    """
    several = [given] if isinstance(given, (str, bytes, os.PathLike)) else list(given)
    if not several:
        raise MissingFileError("which pictures? Files, folders or patterns are expected.")
    found: dict[Path, None] = {}
    for each in several:
        found.update(dict.fromkeys(_meant(os.fsdecode(each))))
    return list(found)


def _meant(name: str) -> list[Path]:
    path = Path(name)
    if not path.exists():
        with contextlib.suppress(RuntimeError):  # "~$x.jpg" is nobody's home
            path = path.expanduser()
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if _is_picture(p))
        if not inside:
            raise MissingFileError(f"The folder '{name}' holds no pictures.")
        return inside
    if path.exists() or not glob.has_magic(name):
        return [path]  # what is missing, or no picture, fails by itself
    inside = sorted(Path(p) for p in glob.glob(str(path), recursive=True))  # noqa: PTH207 (any root)
    inside = [p for p in inside if _is_picture(p)]
    if not inside:
        raise MissingFileError(f"No picture fits '{name}'.")
    return inside


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def name_dreams(
    pictures: Sequence[Path], pattern: str, folder: Path, known: Mapping[str, Any], depth: int = 8
) -> dict[Path, Path]:
    """Return where the dream of each picture goes.

    Parameters
    ----------
    pictures : sequence of Path
        From `find_pictures`. A dream that an earlier call has made is none of them: a batch may go
        into the folder that its pictures are in.
    pattern : str
        ``"{name}_dream.png"``. In braces: ``name`` and ``ext`` of the picture, without the dot; the
        ``folder`` it is in; its ``number`` from 1, ``{number:04}`` for 0001; ``seed``; ``style``.
        May go into folders: ``"{folder}/{name}.jpg"``.
    folder : Path
        Where they go.
    known : mapping
        ``seed`` and ``style``.
    depth : int
        Bits per channel.

    Returns
    -------
    dict of Path to Path
        Picture to dream.

    Raises
    ------
    ParameterError
        The pattern has an unknown name in braces, two pictures would have one dream, or a picture
        would be written over.
    ImageError
        It has an ending that no picture can be written with, or not of this depth.
    """
    check_depth(pattern, depth)
    if "{number" in pattern:
        inside = next((p for p in pictures if _key(p.parent) == _key(folder)), None)
        if inside is not None:
            raise ParameterError(
                f"name is {pattern!r}, and '{inside}' is in the folder for the dreams: numbers "
                "would shift as it fills. Another folder, or {name}, is expected"
            )
    wanted = {p: folder / _filled(pattern, p, number, known)
              for number, p in enumerate(pictures, start=1)}  # fmt: skip
    earlier = {_key(dream): p for p, dream in wanted.items()}
    dreams: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for picture, dream in wanted.items():
        becomes = earlier.get(_key(picture))
        if becomes not in (None, picture) and _is_dream(picture):
            continue
        if becomes is not None:
            raise ParameterError(
                f"'{picture}' would be written over by the dream of '{becomes}': another folder, "
                "or another pattern, as name='{name}_dream.png', is expected"
            )
        other = taken.setdefault(_key(dream), picture)
        if other != picture:
            raise ParameterError(
                f"'{other}' and '{picture}' would both become '{dream}': a pattern that tells them "
                "apart is expected, as name='{folder}_{name}.png' or name='{name}_{ext}.png'"
            )
        dreams[picture] = dream
    return dreams


def _is_dream(picture: Path) -> bool:
    try:
        read_recipe(picture)
    except DeepDreamError:
        return False
    return True


def _key(path: Path) -> str:
    """Return what two names of one file have in common, also where case does not count."""
    return os.path.normcase(os.path.abspath(path)).lower()  # noqa: PTH100 (links stay as they are)


def _filled(pattern: str, picture: Path, number: int, known: Mapping[str, Any]) -> str:
    values = {
        "name": picture.stem, "ext": picture.suffix[1:], "number": number,
        "folder": picture.absolute().parent.name, **known,
    }  # fmt: skip
    try:
        filled = pattern.format(**values)
        if pattern.format(**{**values, "name": "", "number": 0}) == filled:
            raise ParameterError(
                f"name is {pattern!r}, the same for all: {{name}} or {{number}} is to be in it"
            )
        return filled
    except (KeyError, IndexError, AttributeError):
        known_ones = ", ".join(f"{{{field}}}" for field in values)
        raise ParameterError(f"name is {pattern!r}: {known_ones} can be in it") from None
    except ParameterError:
        raise
    except ValueError as error:  # what format says of braces
        raise ParameterError(f"name is {pattern!r}: {error}") from None
