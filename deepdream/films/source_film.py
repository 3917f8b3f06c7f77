"""Films that FFmpeg reads.

All packets are gone through once when a film is opened, without decoding: that gives the time of
every frame, how many there are, whether they come evenly, and where decoding can begin, for exact
seeking. What a file claims about itself is wrong too often.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import FilmError
from ..files import file_hash
from .decoded import pixels_of
from .hdr import is_hdr, name_of
from .interlaced import whole_frames
from .libraries import import_av, open_film
from .limits import Only
from .orientation import Turn, parse_matrix
from .reader import Raw, Reader
from .sound import Sound, Track

# Demuxers that take something for a film that is none, or would open other files, and the network.
_REFUSED = {"concat", "dash", "hls", "image2", "imf", "lavfi", "tty"}
_UNKNOWN_TRANSFER = 2


class _Index(NamedTuple):
    """What the packets of a film say.

    Attributes
    ----------
    pts : (frames,) int64 ndarray, or None
        When each frame is shown, ascending, in the stream's units. None where the file does not
        tell for every frame: then frames are counted.
    keys : (n,) int64 ndarray
        Those of frames where decoding can begin.
    frames : int
        How many there are.
    packets : int
        How many are stored: some are only there to decode others, or left out by the editor of a
        film that was trimmed.
    end : Fraction
        The latest time of a packet, of pictures or sound, in seconds.
    """

    pts: np.ndarray | None
    keys: np.ndarray
    frames: int
    packets: int
    end: Fraction


class FilmReader(Reader):
    """A film.

    Parameters
    ----------
    path : Path
        A file; see `source.open_source` for what is done before.
    name : str, optional
        What it is called in messages and recipes, where that is not the file's own name.
    only : Only, optional
        What it may be, where it comes from anybody.

    Raises
    ------
    FilmError
        FFmpeg cannot read it, there are no pictures in it, or it is not what it may be.
    EngineError
        PyAV is not installed.
    """

    def __init__(self, path: Path, name: str | None = None, only: Only | None = None) -> None:
        super().__init__(path.name if name is None else name)
        self._path, self._only = path, only
        self._called = str(path) if name is None else name
        self._av = import_av()
        with self._open() as container:
            stream = self._stream(container)
            self._codec = str(stream.codec_context.name)
            self._time_base = Fraction(stream.time_base)
            if only is not None:
                self._check_frames(stream, only)
            self.hints = [stream.guessed_rate, stream.average_rate, stream.base_rate]
            claimed = int(stream.frames or 0)
            length = container.duration
            tracks = [
                Track(audio.index, str(audio.codec_context.name))
                for audio in container.streams.audio
                if audio.codec_context is not None
                and audio.codec_context.name
                and (only is None or audio.codec_context.name in only.codecs)
            ]
            self._index = self._indexed(container, stream)
        first = self._first_frame()
        self._turn = _turn_of(first)
        self._transfer = self._transfer_of(first)
        self.size = self._turn.size(self._shown_size(first))
        self.check_size()
        if is_hdr(self._transfer):
            self.warnings.append(
                f"'{self.name}' is an HDR film ({name_of(self._transfer)}): its colours are mapped "
                "to sRGB, and its brightest light is rolled off"
            )
        self._woven = bool(first.interlaced_frame)
        if self._woven:
            self.warnings.append(
                f"'{self.name}' is interlaced: whole frames are made of its rows (bwdif)"
            )
        self.times = None
        origin = Fraction(0)
        if self._index.pts is not None and first.pts not in self._index.pts:
            self._index = self._index._replace(pts=None)  # packets and frames differ: count them
        if self._index.pts is not None:
            pts, unit = self._index.pts, self._time_base
            origin = int(pts[0]) * unit
            self.times = [int(value - pts[0]) * unit for value in pts]
        self.count = self._index.frames
        self.tracks = Sound(path, origin, tuple(tracks), only=only) if tracks else None
        self._note_a_cut(claimed, length)

    @property
    def digest(self) -> str:
        """The sha256 of the file."""
        return file_hash(self._path)

    def describe(self) -> str:
        """Return the codec and the sound."""
        sound = ", ".join(track.codec for track in self.tracks.tracks) if self.tracks else ""
        return f"{self._codec}{f', sound {sound}' if sound else ', no sound'}"

    def read(self, first: int = 0) -> Iterator[Raw]:
        """Yield the frames from `first` on; those that are damaged are left out."""
        begin = self._seekable(first)
        frames = self._whole(begin)
        last = -1
        for place, frame in enumerate(frames):
            number = self._number(frame, place, last)
            if number is None or number <= last:
                continue
            if last < 0 and begin is not None and number > first:
                frames.close()  # the seek went too far
                yield from self._from_start(first)
                return
            last = number
            if number >= first:
                yield self._raw(number, frame)
        if last < first and begin is not None:
            yield from self._from_start(first)

    def _from_start(self, index: int) -> Iterator[Raw]:
        last = -1
        for place, frame in enumerate(self._whole(None)):
            number = self._number(frame, place, last)
            if number is not None and number > last:
                last = number
                if number >= index:
                    yield self._raw(number, frame)

    def _raw(self, number: int, frame: Any) -> Raw:
        time = self.times[number] if self.times is not None else None
        return Raw(number, time, self._pixels(frame))

    def _pixels(self, frame: Any) -> np.ndarray:
        return self._turn.apply(pixels_of(frame, self._transfer, self._codec == "mjpeg"))

    def _number(self, frame: Any, place: int, last: int) -> int | None:
        """Return which frame of the film a decoded one is."""
        pts = self._index.pts
        if pts is None:
            return place
        if frame.pts is None:
            return last + 1 if last + 1 < len(pts) else None
        number = int(np.searchsorted(pts, frame.pts))
        if number < len(pts) and pts[number] == frame.pts:
            return number
        return None  # before the film's beginning, by an edit list

    def _seekable(self, index: int) -> int | None:
        """Return the time to seek to for a frame; None to begin at the start.

        It is the key frame before the last one: frames around one where references do not begin
        anew (an open group of pictures) are right by then.
        """
        pts, keys = self._index.pts, self._index.keys
        if pts is None or len(keys) < 2:
            return None
        place = int(np.searchsorted(keys, pts[min(index, len(pts) - 1)], side="right")) - 2
        return int(keys[place]) if place > 0 else None

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        name = self._called
        try:
            container = open_film(self._path, self._only)
        except (self._av.error.FFmpegError, UnicodeError, ValueError) as error:
            raise FilmError(self._unreadable(error)) from error
        try:
            if container.format.name.split(",")[0] in _REFUSED:
                raise FilmError(f"'{name}' is no film ({container.format.long_name}).")
            yield container
        finally:
            container.close()

    def _unreadable(self, error: Exception) -> str:
        with self._path.open("rb") as file:
            head = file.read(12)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return (
                f"'{self._called}' was cut off: the index that such a film has, often at its "
                "end, is missing, so that nothing in it can be found.\nGet it again; of a recording"
                " that was interrupted a repair program (untrunc) may save some."
            )
        reason = getattr(error, "strerror", None) or str(error)
        return f"'{self._called}' is no film that can be read: {reason}."

    def _check_frames(self, stream: Any, only: Only) -> None:
        """Refuse frames that nobody has to decode; the decoder refuses those that come later."""
        if self._codec not in only.codecs:
            raise FilmError(f"'{self._called}' has pictures of a kind that is not taken here "
                            f"({self._codec}).")  # fmt: skip
        w, h = int(stream.codec_context.width or 0), int(stream.codec_context.height or 0)
        if w * h > only.pixels:
            raise FilmError(f"'{self._called}' has frames of {w}x{h} pixels: "
                            f"{only.pixels / 1e6:.0f} million a frame are the most here."
                            )  # fmt: skip

    def _check_count(self, frames: int, end: Fraction) -> None:
        """Refuse a film that is longer than it may be, while its packets are counted."""
        only = self._only
        if only is not None and (frames > only.frames or end > only.seconds):
            raise FilmError(f"'{self._called}' is too long: {only.seconds:.0f} seconds and "
                            f"{only.frames} frames are the most here.")  # fmt: skip

    def _stream(self, container: Any) -> Any:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        streams = [
            stream
            for stream in streams
            if stream.codec_context is not None and stream.codec_context.name
        ]
        if not streams:
            if not len(container.streams):
                raise FilmError(self._unreadable(ValueError("there is nothing in it")))
            if container.streams.audio:
                held = "only sound"
            elif container.streams.video:
                held = "pictures in a format unknown here, or only a cover"
            else:
                held = "no pictures"
            raise FilmError(f"'{self._called}' has {held}: there is no film in it.")
        return max(streams, key=lambda stream: (stream.width or 0) * (stream.height or 0))

    def _indexed(self, container: Any, stream: Any) -> _Index:
        pts: list[int] = []
        keys: list[int] = []
        packets, frames, told, end = 0, 0, True, Fraction(0)
        with contextlib.suppress(self._av.error.FFmpegError):  # what was read before counts
            for packet in container.demux(stream, *container.streams.audio):
                if packet.size == 0 or packet.is_corrupt:
                    continue
                if packet.pts is not None:
                    end = max(end, packet.pts * packet.time_base)
                self._check_count(frames, end)
                if packet.stream_index != stream.index:
                    continue
                packets += 1
                if packet.is_discard or (self._codec == "vp8" and not _is_shown(packet)):
                    continue
                frames += 1
                if packet.pts is None:
                    told = False
                    continue
                pts.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        times = np.unique(np.array(pts, np.int64))
        exact = told and len(times) == frames and frames > 0
        return _Index(
            times if exact else None, np.unique(np.array(keys, np.int64)), frames, packets, end
        )

    def _whole(self, begin: int | None) -> Generator[Any, None, None]:
        """Yield decoded frames, none of them interlaced."""
        frames = self._decoded(begin)
        yield from whole_frames(frames, self._time_base) if self._woven else frames

    def _decoded(self, begin: int | None) -> Generator[Any, None, None]:
        with self._open() as container:
            stream = self._stream(container)
            if begin is not None:
                with contextlib.suppress(self._av.error.FFmpegError):  # `read` sees where it is
                    container.seek(begin, stream=stream)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except self._av.error.FFmpegError:
                    packet = None  # what is left cannot be read: the decoder gives what it has
                    with contextlib.suppress(self._av.error.FFmpegError):
                        yield from stream.decode(None)
                if packet is None:
                    return
                if packet.is_corrupt:
                    continue
                try:
                    frames = packet.decode()
                except self._av.error.FFmpegError:
                    continue
                yield from frames

    def _first_frame(self) -> Any:
        frames = self._decoded(None)
        first = next(frames, None)
        frames.close()
        if first is None:
            raise FilmError(f"'{self._called}' has no frame that can be decoded ({self._codec}).")
        return first

    def _transfer_of(self, frame: Any) -> int:
        """Return the transfer characteristics; PyAV 15 has them on the stream alone."""
        found = getattr(frame, "color_trc", None)
        if found is None:
            with self._open() as container:
                found = self._stream(container).codec_context.color_trc
        return _UNKNOWN_TRANSFER if found is None else int(found)

    def _shown_size(self, frame: Any) -> tuple[int, int]:
        """Return height and width with square pixels."""
        with self._open() as container:
            aspect = self._stream(container).sample_aspect_ratio
        h, w = int(frame.height), int(frame.width)
        if not aspect or aspect == 1 or not Fraction(1, 10) < aspect < 10:
            return h, w
        return (h, round(w * aspect)) if aspect > 1 else (round(h / aspect), w)

    def _note_a_cut(self, claimed: int, length: int | None) -> None:
        """Say so where the file promises more than it has."""
        rate = Fraction(next((hint for hint in self.hints if hint), 25))
        missing = Fraction(0) if length is None else Fraction(length, 1_000_000) - self._index.end
        # A count alone may hold frames that were never stored; a length may be rounded.
        few = claimed > self._index.packets and (length is None or missing > 2 / rate)
        if few or missing > max(2 / rate, Fraction(1, 2)):
            self.cut_after(self._index.frames - 1, claimed or None)


def _is_shown(packet: Any) -> bool:
    """Tell whether a packet of VP8 is a frame that is seen (RFC 6386, 9.1)."""
    return bool(bytes(packet)[0] & 0x10)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition.value & 0x0400)  # AV_DISPOSITION_ATTACHED_PIC


def _turn_of(frame: Any) -> Turn:
    for data in frame.side_data:
        if getattr(data.type, "name", "") == "DISPLAYMATRIX":
            return parse_matrix(bytes(data))
    return Turn()
