"""What films need besides, imported when a film is first opened: the extra ``[film]``.

PyAV is FFmpeg's libraries as a package, so that no program ``ffmpeg`` need be installed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import EngineError, how_to_install
from .limits import Only


def import_av() -> Any:
    """Return the module ``av``.

    Raises
    ------
    EngineError
        It is not installed.
    """
    return _imported("av", "films need PyAV")


def url_of(path: Path) -> str:
    """Return a file's name for FFmpeg, which takes what stands before a colon for a protocol."""
    return f"file:{path}"


def open_film(path: Path, only: Only | None = None) -> Any:
    """Open a film for reading: this file, and no other that it names, least of all in the network.

    Parameters
    ----------
    path : Path
    only : Only, optional
        What it may be.

    Returns
    -------
    av.container.InputContainer

    Raises
    ------
    EngineError
        PyAV is not installed.
    av.error.FFmpegError, ValueError
        It cannot be read; UnicodeError is a ValueError.
    """
    options, demuxer = {"protocol_whitelist": "file"}, None
    decoding: dict[str, str] = {}
    if only is not None:
        demuxer = only.container
        decoding = {"codec_whitelist": ",".join(only.codecs), "max_pixels": str(only.pixels)}
        options.update(decoding, format_whitelist=demuxer, enable_drefs="0")
    film = import_av().open(url_of(path), format=demuxer, options=options,
                            metadata_errors="replace")  # fmt: skip
    for stream in film.streams if decoding else ():
        # The container's options are for its own look into the streams; decoders have theirs.
        if stream.codec_context is not None:
            stream.codec_context.options = decoding
    return film


def import_cv2() -> Any:
    """Return the module ``cv2``.

    Raises
    ------
    EngineError
        It is not installed.
    """
    return _imported("cv2", "films need OpenCV")


def _imported(name: str, why: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EngineError(
            f"{why}, which cannot be imported ({error}).\nInstall it: {how_to_install('film')}. "
            "Pictures do without, and zooms into folders of frames."
        ) from error
