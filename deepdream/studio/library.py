"""The library: pictures that were brought, masks that were painted, dreams that were made.

On disk, below one folder::

    pictures/<id>/about.json original screen.jpg thumb.jpg look-<name>.jpg
    pictures/<id>/still.png                 of a clip: its first frame
    dreams/<id>/about.json picture.png deep.tif screen.jpg before.jpg thumb.jpg
    dreams/<id>/film.mp4                    of a film
    jobs/<id>.json now-<id>.jpg
    trash/<id>/

A picture's id is the beginning of its sha256, so that the same one is kept once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import ImageError, MissingFileError, OutOfMemoryError
from ..files import file_hash, make_folder, open_view
from ..images import load_image
from ..memory import format_size, free_memory
from ..picture import Picture
from ..picture_files import open_picture
from ..recipe import find_recipe
from .clips import look_into
from .settings import from_recipe
from .small import write_small
from .store import Shelf, empty_trash, open_plain

MEGAPIXELS = 120
_BYTES_PER_PIXEL = 40  # while a picture is decoded: float32 of three channels, and what PIL holds
_TRASH_DAYS = 7

_MASK, _PHOTO, CLIP = "mask", "photo", "clip"
_STILL = "still.png"
POSTER = "picture.png"  # of a film: its first frame


class Library:
    """All that the studio keeps.

    Parameters
    ----------
    path : Path
        A folder, made where it is missing.
    net : Graph
        Of the network: whose settings recipes are to become.

    Attributes
    ----------
    path : Path
    pictures, dreams : Shelf
    """

    def __init__(self, path: Path, net: Any) -> None:
        self.path = make_folder(path)
        trash = path / "trash"
        self.pictures = Shelf(path / "pictures", trash)
        self.dreams = Shelf(path / "dreams", trash)  # what is unfinished there is for the jobs
        self.pictures.sweep()
        make_folder(path / "jobs")
        self._net = net
        self._adding = threading.Lock()
        self._opening: asyncio.Lock | None = None
        empty_trash(trash, time.time() - _TRASH_DAYS * 86400)

    def add(self, file: Path, name: str, mask: bool = False) -> dict[str, Any]:
        """Take a picture in.

        Parameters
        ----------
        file : Path
            What was received; it is moved away.
        name : str
            What the picture is called, for people only.
        mask : bool
            It was painted as a mask, and is none that anybody brought.

        Returns
        -------
        dict
            Its id and what is known of it. ``settings`` are those of the recipe that it carries.

        Raises
        ------
        ImageError
            It is no picture, damaged, or too large.
        OutOfMemoryError
            There is not enough memory to open it.
        """
        name = plain_name(name)
        view = open_view(file, ImageError)
        recipe = _look_at(view, name)
        digits = hashlib.sha256(view).hexdigest()
        size = len(view)
        view.release()
        id = digits[:16]
        with self._adding:  # the same one may come twice at once
            if id in self.pictures:
                about = self.pictures.about(id)
                if not mask and about["kind"] == _MASK:
                    about = self.pictures.change(id, kind=_PHOTO, name=name)
                return about
            about = {
                "kind": _MASK if mask else _PHOTO,
                "name": name,
                "bytes": size,
                "sha256": digits,
                "added": time.time(),
            }
            if recipe is not None:
                settings, left_out = from_recipe(self._net, recipe)
                about.update(settings=settings, left_out=left_out)
            return self._take_in(file, id, about)

    def _take_in(self, file: Path, id: str, about: dict[str, Any]) -> dict[str, Any]:
        picture = load_named(file, about["name"])
        h, w = picture.shape[:2]
        folder = self.pictures.unfinished(id)
        try:
            write_small(picture, folder)
            shutil.move(str(file), folder / "original")
            about = {**about, "size": [w, h]}
            self.pictures.finish(id, about)
        except BaseException:
            self.pictures.drop(id)
            raise
        return {**about, "id": id}

    async def add_clip(self, file: Path, name: str) -> dict[str, Any]:
        """Take a clip in; nothing of it is decoded in this process.

        Parameters
        ----------
        file, name
            As for `add`.

        Returns
        -------
        dict
            Its id and what is known of it; ``clip`` has what `clips.look_into` has found;
            ``settings`` are those of the recipe that it carries.

        Raises
        ------
        FilmError
            It is no clip, damaged, too large or too long.
        """
        digits = await asyncio.to_thread(file_hash, file)
        id = digits[:16]
        self._opening = self._opening or asyncio.Lock()  # one after the other
        async with self._opening:
            if id in self.pictures:
                return self.pictures.about(id)
            folder = self.pictures.unfinished(id)
            try:
                found = await look_into(file, name, folder)
                recipe = found.pop("recipe", None)
                about = {
                    "kind": CLIP,
                    "name": name,
                    "size": found.pop("size"),
                    "clip": found,
                    "bytes": file.stat().st_size,
                    "sha256": digits,
                    "added": time.time(),
                }
                if recipe is not None:
                    settings, left_out = from_recipe(self._net, recipe, clip=True)
                    about.update(settings=settings, left_out=left_out)
                file.replace(folder / "original")
                self.pictures.finish(id, about)
            except BaseException:
                self.pictures.drop(id)
                raise
        return {**about, "id": id}

    def original(self, id: str) -> tuple[Path, str]:
        """Return the file of a picture, or of a clip's first frame, and what it is called."""
        about = self.pictures.about(id)
        name = _STILL if about["kind"] == CLIP else "original"
        return self.pictures.folder(id) / name, about["name"]

    def clip(self, id: str) -> tuple[Path, str] | None:
        """Return the file of a clip, and what it is called; None where it is a picture."""
        about = self.pictures.about(id)
        if about["kind"] != CLIP:
            return None
        path = self.pictures.folder(id) / "original"
        open_plain(path).close()  # refuses a link, which FFmpeg would follow
        return path, about["name"]

    def size_of(self, id: str) -> tuple[int, int]:
        """Return the height and width of a picture."""
        w, h = self.pictures.about(id)["size"]
        return int(h), int(w)

    def check_pictures(self, ids: list[str]) -> None:
        """Make sure that pictures are here.

        Raises
        ------
        MissingFileError
        """
        for id in ids:
            if id not in self.pictures:
                raise MissingFileError(
                    "A picture that is needed is not here any more: add it again."
                )


def _look_at(view: memoryview, name: str) -> Mapping[str, Any] | None:
    """Return the recipe of a picture; refuse it by its size before it is decoded."""
    if len(view) == 0:
        raise ImageError(f"'{name}' is empty: choose another picture.")
    with _sized(view, name) as image:
        w, h = image.size
        if w * h > MEGAPIXELS * 1e6:
            raise _too_large(name, w * h)
        needed = w * h * _BYTES_PER_PIXEL
        if needed > free_memory():
            raise OutOfMemoryError(
                f"Opening '{name}' ({w}x{h}) takes {format_size(needed)} of memory, and less is "
                "free: close other programs, or make the picture smaller."
            )
        return find_recipe(image)


@contextlib.contextmanager
def _sized(view: memoryview, name: str) -> Iterator[Image.Image]:
    """Open a picture; where Pillow refuses its size say how large it is."""
    try:
        with open_picture(view, f"'{name}'") as image:
            yield image
    except ImageError as error:
        found = re.search(r"\((\d+) pixels\)", str(error))
        if found and isinstance(error.__cause__, Image.DecompressionBombError):
            raise _too_large(name, int(found[1])) from error
        raise


def _too_large(name: str, pixels: int) -> ImageError:
    return ImageError(
        f"'{name}' has {pixels / 1e6:.0f} megapixels, and {MEGAPIXELS} are the most that can be "
        "opened here: make it smaller first."
    )


class _Named(io.BytesIO):
    """A file whose name is what people call it: messages and recipes have no other."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def load_named(file: Path, name: str) -> Picture:
    """Return the picture in a file of the library, whose source is what people call it."""
    with open_plain(file) as opened:
        return load_image(_Named(opened.read(), name))


def plain_name(name: Any) -> str:
    """Return what a file is called, fit to be shown and to name a download: never a path."""
    text = re.split(r"[/\\]", str(name))[-1]
    text = re.sub(r"[^\w .,()+'-]", "_", text).strip(" .")
    return text[-80:] or "picture"
