"""Short films from anybody, as a page takes them: what they are is looked at, never believed.

FFmpeg reads more than films: lists that name other files, pages of the network, pictures in a row,
subtitles. Here the first bytes say which of three kinds a file is, that kind's reader alone opens
it, and only decoders that today's films need may run. What is too long or too large is refused by
what it claims, before a frame is decoded, and again by what it has.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..errors import FilmError
from ..files import open_view
from ..recipe import Recipe, find_recipe, parse_recipe
from .comment import read_comment
from .limits import Limits, Only
from .reader import Reader
from .source_animation import AnimationReader
from .source_film import FilmReader

GIF = "gif"
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_EBML = b"\x1aE\xdf\xa3"

_PICTURES = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "h263", "mjpeg", "prores")
_SOUND = ("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac", "ac3",
          "eac3", "amrnb", "amrwb", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be",
          "pcm_f32le")  # fmt: skip
_LONGEST_RECIPE = 1 << 20  # characters


def container_of(head: bytes) -> str | None:
    """Return which kind of film a file is by its first bytes, or None: none that is taken.

    Parameters
    ----------
    head : bytes
        Twelve at least, where the file has them.

    Returns
    -------
    {"mov", "matroska", "gif"} or None
        MP4 is ``"mov"``, WebM ``"matroska"``. A GIF may hold a single picture.
    """
    if head[4:8] in _ATOMS and not (head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS):
        return "mov"
    if head[:4] == _EBML:
        return "matroska"
    return GIF if head[:6] in (b"GIF87a", b"GIF89a") else None


def open_clip(path: Path, name: str, limits: Limits) -> Reader:
    """Open a film from anybody.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages and recipes.
    limits : Limits

    Raises
    ------
    FilmError
        It is no such film, damaged, or larger than `limits`; the message names it.
    EngineError
        PyAV is not installed.
    """
    view = open_view(path, FilmError)
    container = container_of(bytes(view[:16]))
    view.release()
    if container is None:
        raise FilmError(f"'{name}' is no film that is taken here: MP4, MOV, WebM, Matroska or GIF.")
    only = _only(container, limits)
    if container == GIF:
        return AnimationReader(path, name, only)
    return FilmReader(path, name, only)


def recipe_of(path: Path, container: str, limits: Limits) -> Recipe | None:
    """Return the recipe that a film from anybody carries, or None.

    Parameters
    ----------
    path : Path
    container : str
        From `container_of`.
    limits : Limits
    """
    try:
        if container == GIF:
            with Image.open(path, formats=(GIF.upper(),)) as image:
                return find_recipe(image)
        text = read_comment(path, _only(container, limits))
        return parse_recipe(text) if len(text) <= _LONGEST_RECIPE else None
    except (FilmError, OSError, ValueError):
        return None


def _only(container: str, limits: Limits) -> Only:
    return Only(container, (*_PICTURES, *_SOUND), *limits)
