"""Films for tests, made by PyAV: any codec, depth, rate, tags, rotation, sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZE = (36, 52)  # height and width


def numbered(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a frame that tells its number, and which way is up: (h, w, 3) uint8.

    Its upper left quarter is red, the upper right one green, the lower left one blue; the last one
    is grey of the level 20 + 9 * number, again from 20 at each 25th.
    """
    h, w = size
    frame = np.empty((h, w, 3), np.uint8)
    frame[: h // 2, : w // 2] = (200, 30, 30)
    frame[: h // 2, w // 2 :] = (30, 200, 30)
    frame[h // 2 :, : w // 2] = (30, 30, 200)
    frame[h // 2 :, w // 2 :] = 20 + 9 * (number % 25)
    return frame


def number_of(pixels: np.ndarray) -> int:
    """Return the number that a frame of `numbered` tells, from 0 to 24."""
    h, w = pixels.shape[:2]
    grey = np.asarray(pixels, np.float32)[h // 2 + h // 6 : -3, w // 2 + w // 6 : -3]
    return round((float(grey.mean()) - 20) / 9)


def make_film(
    path: Path,
    frames: int | Iterable[np.ndarray] = 12,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Any = 25,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    rotate: tuple[float, bool, bool] | None = None,
    sound: str | None = None,
    sound_rate: int = 44100,
    seconds: float | None = None,
    matrix: int = 2,
    full: bool = False,
    tags: dict[str, int] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Make a film.

    Parameters
    ----------
    path : Path
        Its ending is the container.
    frames : int or iterable of (h, w, 3) uint8
        So many of `numbered`, or these.
    ticks, time_base
        When each frame is shown; without them, at an even rate.
    rotate : (degrees, flip left and right, flip top and bottom), optional
        What the display matrix says.
    sound : str, optional
        Its codec; a tone, as long as the film or `seconds`.
    matrix : int
        Number of H.273 that colours are stored by and tagged with; 2 stores BT.601 and says
        nothing.
    full : bool
        Of the range, likewise.
    tags : dict, optional
        Attributes of the codec's context.

    Returns
    -------
    Path
        `path`.
    """
    import av

    if matrix == 9 and not hasattr(av.video.reformatter.Colorspace, "BT2020"):
        pytest.skip("this PyAV converts to no BT.2020")
    images = [numbered(i) for i in range(frames)] if isinstance(frames, int) else [*frames]
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotate is not None:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV writes no display matrix")
            stream.set_display_rotation(rotate[0], hflip=rotate[1], vflip=rotate[2])
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        said = {"colorspace": matrix, "color_range": 2 if full else 0 if matrix == 2 else 1}
        for name, value in {**said, **(tags or {})}.items():
            setattr(stream.codec_context, name, value)
        track = film.add_stream(sound, rate=sound_rate) if sound else None
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            if not pix_fmt.startswith(("rgb", "gbr", "bgr")):
                frame = frame.reformat(
                    format=pix_fmt,
                    dst_colorspace=5 if matrix in (2, 6) else matrix,
                    dst_color_range=2 if full else 1,
                    interpolation="BICUBIC",
                )
                frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.pts = i if ticks is None else ticks[i]
            frame.time_base = time_base or 1 / Fraction(rate)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if track is not None:
            length = len(images) / Fraction(rate) if seconds is None else seconds
            add_tone(film, track, round(length * sound_rate), sound_rate)
    return path


def add_tone(film: Any, track: Any, samples: int, rate: int) -> None:
    """Encode 440 Hz into a stream of sound."""
    import av

    context = track.codec_context
    size = context.frame_size or 1024
    tone = 0.3 * np.sin(np.arange(samples + size) * (2 * np.pi * 440 / rate))
    resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=rate)
    for begin in range(0, samples, size):
        frame = av.AudioFrame.from_ndarray(
            tone[np.newaxis, begin : begin + size].astype(np.float32), "fltp", "mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        for ready in resampler.resample(frame):
            film.mux(track.encode(ready))
    film.mux(track.encode(None))


def packets_of(path: Path, kind: str = "audio") -> list[tuple[Fraction, bytes]]:
    """Return times in seconds and bytes of all packets of the streams of a kind."""
    import av

    with av.open(str(path)) as film:
        streams = getattr(film.streams, kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in (film.demux(*streams) if streams else ())
            if packet.size
        ]
