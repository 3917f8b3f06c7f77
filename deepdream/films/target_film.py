"""Films as FFmpeg makes them: H.264 in MP4 and QuickTime, VP9 in WebM, FFV1 in Matroska.

Encoders run on one thread and without B-frames, and x264 takes no short cuts that some processors
have: the same frames give the same bytes, each packet is one frame, and packets of parts follow
each other as they are. A dream takes so much longer than its encoding that this costs nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import FilmError
from ..recipe import recipe_text
from .libraries import import_av, open_film, url_of
from .making import Making, check_quality, durations
from .sound_copy import SoundPlan, add_sound, interleaved, missing
from .yuv import BT709, from_rgb

_BT709 = 1  # of H.273, for matrix, primaries and transfer alike
_LIMITED = 1  # AVCOL_RANGE_MPEG
_BIT_EXACT = {"fflags": "+bitexact"}  # no random numbers, no versions
_FINE = Fraction(1, 90000)  # seconds, of uneven times in MP4


class _Codec(NamedTuple):
    encoder: str
    pixel_format: str
    options: dict[str, str]
    qualities: dict[str, float]  # by name, the encoder's crf


# With AVX-512 and without cpu-independent, x264 gave other bytes in two of a thousand runs.
_H264 = _Codec(
    "libx264", "yuv420p",
    {"preset": "medium", "bf": "0", "threads": "1",
     "x264-params": "lookahead-threads=1:cpu-independent=1"},
    {"small": 25.0, "good": 18.0, "best": 12.0},
)  # fmt: skip
_VP9 = _Codec(
    "libvpx-vp9", "yuv420p",
    {"b": "0", "deadline": "good", "cpu-used": "3", "threads": "1", "row-mt": "0"},
    {"small": 38.0, "good": 28.0, "best": 18.0},
)  # fmt: skip
_FFV1 = _Codec(
    "ffv1",
    "bgr0",
    {"level": "3", "slices": "4", "slicecrc": "1", "threads": "1"},
    {"lossless": 0.0},
)


class _Container(NamedTuple):
    name: str  # FFmpeg's
    codec: _Codec
    options: dict[str, str]
    lossless: _Codec | None = None


_FAST_START = {"movflags": "+faststart"}  # the index in front: pages play before all is loaded
_CONTAINERS = {
    ".mp4": _Container("mp4", _H264, _FAST_START),
    ".m4v": _Container("mp4", _H264, _FAST_START),
    # QuickTime's older kind of metadata ends at 64 KiB.
    ".mov": _Container("mov", _H264, {"movflags": "+faststart+use_metadata_tags"}),
    ".webm": _Container("webm", _VP9, {}),
    ".mkv": _Container("matroska", _H264, {}, lossless=_FFV1),
}
SUFFIXES = tuple(_CONTAINERS)


class Film:
    """A film that FFmpeg makes; a `making.Kind`."""

    part_suffix = ".mkv"  # plays as far as it is written
    playable = True
    shortest = 1

    def __init__(self, making: Making) -> None:
        self._making = making
        suffix = making.path.suffix.lower()
        self._container = container = _CONTAINERS[suffix]
        quality = making.quality
        if quality is None:
            quality = "lossless" if container.lossless else "good"
        lossless = quality == "lossless" and container.lossless is not None
        self._codec = container.lossless if lossless and container.lossless else container.codec
        names = [*container.codec.qualities, *(["lossless"] if container.lossless else [])]
        check_quality(quality, names, suffix)
        self._crf = self._codec.qualities.get(quality, quality)
        import_av()
        self.tick = 1 / making.rate
        if making.variable:
            self.tick = _FINE if container.name in ("mp4", "mov") else Fraction(1, 1000)
        self.notes: list[str] = []
        h, w = making.size
        self._padded = (h, w)
        if self._codec is _H264 and (h % 2 or w % 2):
            self._padded = (h + h % 2, w + w % 2)
            self.notes.append(
                f"H.264 has even sizes only: the film has {self._padded[1]}x{self._padded[0]} "
                f"pixels, the last of {w}x{h} twice"
            )
        self._sound = SoundPlan(making.sound, container.name)
        self.notes += self._sound.notes
        self.settings = {
            "encoder": self._codec.encoder,
            "quality": quality,
            "container": container.name,
        }

    def open_part(self, path: Path, first: int) -> _EncodedPart:
        """Begin a part."""
        return _EncodedPart(path, self._codec, self._crf, self._padded, self._making, self.tick)

    def join(self, parts: Sequence[Path], ticks: Sequence[int], out: Path) -> None:
        """Put the packets of all parts, and the sound's, into one file."""
        shown = durations(ticks, round(1 / self._making.rate / self.tick))
        length = (ticks[-1] + shown[-1] - ticks[0]) * self.tick
        plan = self._sound.for_film(len(ticks), length)
        # Hours of dreaming are not lost to sound that is damaged, or gone since.
        reason = "" if plan.sound is None else missing(plan.sound)
        if not reason:
            try:
                self._write(parts, ticks, shown, out, plan)
                return
            except ValueError as error:  # what PyAV raises where a file refuses what it is given
                if plan.sound is None:
                    raise
                reason = str(error)
        self.notes.append(f"the sound is left out: it cannot be taken over ({reason})")
        self._write(parts, ticks, shown, out, SoundPlan(None, self._container.name))

    def _write(
        self, parts: Sequence[Path], ticks: Sequence[int], shown: Sequence[int], out: Path,
        plan: SoundPlan,
    ) -> None:  # fmt: skip
        av = import_av()
        options = {**_BIT_EXACT, **self._container.options}
        with contextlib.ExitStack() as open_files:
            made = open_files.enter_context(
                av.open(url_of(out), "w", format=self._container.name, options=options)
            )
            if self._making.recipe is not None:
                made.metadata["comment"] = recipe_text(self._making.recipe)
            with open_film(parts[0]) as part:
                stream = made.add_stream_from_template(part.streams.video[0])
            stream.time_base = self.tick
            sound = add_sound(made, plan, self.tick, open_files)
            pictures = _packets(parts, ticks, shown, self.tick, stream, sound.lead)
            for packet in interleaved(pictures, sound):
                made.mux(packet)


def _packets(
    parts: Sequence[Path], ticks: Sequence[int], shown: Sequence[int], tick: Fraction,
    stream: Any, lead: Fraction,
) -> Iterator[tuple[Fraction, Any]]:  # fmt: skip
    """Yield the packets of the pictures, each with its time in seconds."""
    delay = round(lead / tick)
    number = 0
    for path in parts:
        with open_film(path) as part:
            for packet in part.demux(part.streams.video[0]):
                if packet.size == 0:
                    continue
                packet.stream = stream
                packet.time_base = tick
                packet.pts = packet.dts = ticks[number] + delay
                packet.duration = shown[number]
                yield packet.pts * tick, packet
                number += 1
    if number != len(ticks):
        raise FilmError(
            f"the parts of the film hold {number} frames, not {len(ticks)}: one is damaged. "
            f"Delete the folder '{parts[0].parent}' to start anew."
        )


class _EncodedPart:
    """Frames in a file of their own."""

    def __init__(
        self, path: Path, codec: _Codec, crf: float, size: tuple[int, int], making: Making,
        tick: Fraction,
    ) -> None:  # fmt: skip
        self._av = import_av()
        self._codec, self._size, self._tick = codec, size, tick
        self._file = self._av.open(url_of(path), "w", format="matroska", options=dict(_BIT_EXACT))
        options = dict(codec.options)
        if "lossless" not in codec.qualities:
            options["crf"] = f"{crf:g}"
        stream = self._file.add_stream(codec.encoder, rate=making.rate, options=options)
        stream.height, stream.width = size
        stream.pix_fmt = codec.pixel_format
        context = stream.codec_context
        context.time_base = tick
        if codec.pixel_format != "bgr0":
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        self._stream = stream

    def add(self, pixels: np.ndarray, tick: int) -> None:
        """Encode a frame."""
        h, w = pixels.shape[:2]
        if (h, w) != self._size:
            pixels = np.pad(
                pixels, ((0, self._size[0] - h), (0, self._size[1] - w), (0, 0)), mode="edge"
            )
        frame = self._frame(pixels)
        frame.pts, frame.time_base = tick, self._tick
        for packet in self._stream.encode(frame):
            self._file.mux(packet)

    def _frame(self, pixels: np.ndarray) -> Any:
        h, w = pixels.shape[:2]
        frame = self._av.VideoFrame(w, h, self._codec.pixel_format)
        if self._codec.pixel_format == "bgr0":
            rows = _writable(frame.planes[0], h, 4 * w).reshape(h, w, 4)
            rows[..., :3], rows[..., 3] = pixels[..., ::-1], 0
            return frame
        frame.colorspace, frame.color_range = _BT709, _LIMITED
        stored = from_rgb(pixels, matrix=BT709)
        for plane, values in zip(frame.planes, (stored.y, stored.cb, stored.cr)):
            assert values is not None
            _writable(plane, *values.shape)[:] = values
        return frame

    def close(self) -> None:
        """Take the last packets out of the encoder."""
        for packet in self._stream.encode(None):
            self._file.mux(packet)
        self._file.close()


def _writable(plane: Any, rows: int, columns: int) -> np.ndarray:
    """Return a view of a plane's bytes, without those behind each row."""
    values = np.frombuffer(plane, np.uint8)
    return values[: rows * plane.line_size].reshape(rows, plane.line_size)[:, :columns]
