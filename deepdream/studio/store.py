"""Folders of the studio's own: names that nobody else gives, files that are no links.

Everything lies in folders that are named by ids, 16 hexadecimal digits, and under names that stand
in this package. What comes from outside, a name or an id, is never made a path before it has been
found to be an id.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DeepDreamError, MissingFileError, WriteError
from ..files import make_folder, replacing

_ID = re.compile(r"[0-9a-f]{16}")
_UNFINISHED = "unfinished-"


def is_id(text: Any) -> bool:
    """Tell whether something is an id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def new_id() -> str:
    """Return an id that nothing has."""
    return secrets.token_hex(8)


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read, if it is one: no link, no pipe, no folder.

    Raises
    ------
    MissingFileError
        It is not there, or something else.
    """
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        number = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise MissingFileError("That file is not there.") from error
    if not stat.S_ISREG(os.fstat(number).st_mode) or path.parent.is_symlink():
        os.close(number)
        raise MissingFileError("That file is not there.")
    return os.fdopen(number, "rb")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file, or None where there is none."""
    try:
        with open_plain(path) as file:
            found = json.load(file)
    except (MissingFileError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, value: Any) -> None:
    """Write an object, whole or not at all.

    Raises
    ------
    WriteError
        A full disk, no permission.
    """
    with replacing(path) as part:
        part.write_text(json.dumps(value, allow_nan=False), "utf-8")


def reason_of(error: BaseException) -> str:
    """Return in a sentence why something could not be done, without names of files of ours."""
    cause = error.__cause__ if isinstance(error, WriteError) else error
    if isinstance(cause, OSError) and cause.errno is not None:
        if cause.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
            return "The disk is full: free some space, then try again."
        return f"The library cannot be written or read: {cause.strerror}."
    if isinstance(error, DeepDreamError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory: choose a smaller size."
    return f"Something went wrong, and it is written in the terminal: {error!r}"[:300]


class Shelf:
    """A folder of folders, each named by an id and with its ``about.json``.

    Parameters
    ----------
    path : Path
        Made where it is missing.
    trash : Path
        Where what is deleted waits; on the same disk.
    """

    def __init__(self, path: Path, trash: Path) -> None:
        self._path = make_folder(path)
        self._trash = make_folder(trash)

    def sweep(self, but: Collection[str] = ()) -> None:
        """Take away what was not finished, but for that of some ids."""
        for left in self._path.glob(f"{_UNFINISHED}*"):
            if left.name[len(_UNFINISHED) :] not in but:
                shutil.rmtree(left, ignore_errors=True)

    def folder(self, id: str) -> Path:
        """Return the folder of an id.

        Raises
        ------
        MissingFileError
            That is none, or there is no such folder.
        """
        path = self._path / (id if is_id(id) else "")
        if not is_id(id) or path.is_symlink() or not path.is_dir():
            raise MissingFileError("There is nothing of that name here.")
        return path

    def __contains__(self, id: str) -> bool:
        try:
            self.folder(id)
        except MissingFileError:
            return False
        return True

    def unfinished(self, id: str, go_on: bool = False) -> Path:
        """Return a folder that `finish` makes the one of this id; an empty one, or to go on in."""
        path = self._path / f"{_UNFINISHED}{id}"
        if not go_on:
            shutil.rmtree(path, ignore_errors=True)
        return make_folder(path)

    def begun(self, id: str, file: str = "") -> bool:
        """Tell whether there is a folder of this id that is not finished, and a file in it."""
        return (self._path / f"{_UNFINISHED}{id}" / file).exists()

    def finish(self, id: str, about: dict[str, Any]) -> None:
        """Put a folder that has all its files among the others."""
        made = self._path / f"{_UNFINISHED}{id}"
        write_json(made / "about.json", about)
        made.rename(self._path / id)

    def drop(self, id: str) -> None:
        """Take away a folder that was not finished."""
        shutil.rmtree(self._path / f"{_UNFINISHED}{id}", ignore_errors=True)

    def about(self, id: str) -> dict[str, Any]:
        """Return what is known of an id.

        Raises
        ------
        MissingFileError
        """
        found = read_json(self.folder(id) / "about.json")
        if found is None:
            raise MissingFileError("There is nothing of that name here.")
        return {**found, "id": id}

    def change(self, id: str, **changes: Any) -> dict[str, Any]:
        """Write down what has become known of an id, and return all that is."""
        about = {**self.about(id), **changes}
        write_json(self.folder(id) / "about.json", about)
        return about

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield what is known of each, in no order; what is damaged is left out."""
        for path in self._path.iterdir():
            if is_id(path.name):
                with contextlib.suppress(MissingFileError):
                    yield self.about(path.name)

    def delete(self, id: str) -> None:
        """Move a folder to the trash."""
        folder = self.folder(id)
        shutil.rmtree(self._trash / id, ignore_errors=True)
        try:
            folder.rename(self._trash / id)
            os.utime(self._trash / id)
        except OSError as error:
            raise WriteError(f"It cannot be deleted: {error.strerror}.") from error

    def restore(self, id: str) -> None:
        """Take a folder out of the trash.

        Raises
        ------
        MissingFileError
            It is not there any more.
        """
        path = self._trash / (id if is_id(id) else "")
        if not is_id(id) or path.is_symlink() or not path.is_dir() or id in self:
            raise MissingFileError("It is not in the trash any more.")
        path.rename(self._path / id)


def empty_trash(trash: Path, older: float) -> None:
    """Remove for good what was deleted before a time, in seconds since 1970."""
    for path in trash.iterdir():
        with contextlib.suppress(OSError):
            if is_id(path.name) and not path.is_symlink() and path.stat().st_mtime < older:
                shutil.rmtree(path)
