"""What a film from anybody may be, and how large."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """How large a film from anybody may be; see `Only`."""

    pixels: int
    frames: int
    seconds: float


class Only(NamedTuple):
    """What a film may be that comes from anybody: all else is refused before it is decoded.

    Attributes
    ----------
    container : str
        FFmpeg's demuxer, which alone reads it, whatever the file looks like.
    codecs : tuple of str
        FFmpeg's decoders that may run, of pictures and of sound.
    pixels : int
        Of a frame, at most.
    frames : int
        At most.
    seconds : float
        At most.
    """

    container: str
    codecs: tuple[str, ...]
    pixels: int
    frames: int
    seconds: float
