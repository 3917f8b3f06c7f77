"""Sound from one film into another: its packets as they are, where the new file can hold them.

What it cannot hold is encoded anew: AAC in MP4 and QuickTime, Opus in WebM.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from .libraries import import_av, open_film
from .sound import Sound, Track

# By FFmpeg's names. Matroska holds everything.
_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "mp3float", "opus"})
_HELD = {
    "mp4": _MP4,
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp3", "mp3float"}),
    "webm": frozenset({"opus", "vorbis"}),
}
_INSTEAD = {"mp4": "aac", "mov": "aac", "webm": "libopus"}
_NAMES = {"aac": "AAC", "libopus": "Opus"}
_BITS_PER_SECOND = 192_000
_TOGETHER = Fraction(1, 200)  # seconds that nobody hears or sees
_OPUS_RATE = 48000  # Hz, the only one that its encoder takes besides divisors of it

Timed = tuple[Fraction, Any]  # seconds, and a packet


class SoundPlan:
    """What becomes of a film's sound.

    Attributes
    ----------
    sound : Sound or None
    copied, encoded : list of Track
        Whose packets are taken as they are, and which are encoded anew.
    notes : list of str
        A line that says so.
    """

    def __init__(self, sound: Sound | None, container: str) -> None:
        self.sound = sound
        self.container = container
        tracks = [] if sound is None else sound.tracks
        self.copied = [track for track in tracks if _holds(container, track)]
        self.encoded = [track for track in tracks if not _holds(container, track)]
        self.notes = []
        if self.encoded:
            codecs = ", ".join(sorted({track.codec for track in self.encoded}))
            self.notes.append(
                f"the sound is encoded anew as {_NAMES[_INSTEAD[container]]}: {container} does not "
                f"hold {codecs}"
            )

    def for_film(self, frames: int, length: Fraction) -> SoundPlan:
        """Return the plan for a film of so many frames and seconds."""
        sound = None if self.sound is None else self.sound.for_film(frames, length)
        return SoundPlan(sound, self.container)


def _holds(container: str, track: Track) -> bool:
    held = _HELD.get(container)
    if held is None or track.codec in held:
        return True
    return container == "mov" and track.codec.startswith("pcm_")


class _Sounding:
    """The packets of all tracks, and how much earlier than the pictures they begin."""

    def __init__(self, packets: Iterable[Timed], lead: Fraction) -> None:
        self.packets, self.lead = packets, lead


def missing(sound: Sound) -> str:
    """Return why a film's sound cannot be had any more; empty where it can."""
    try:
        with open_film(sound.path, sound.only) as film:
            known = {stream.index for stream in film.streams.audio}
    except (import_av().error.FFmpegError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    lost = [track.stream for track in sound.tracks if track.stream not in known]
    return "the film has been replaced by another" if lost else ""


def add_sound(
    made: Any, plan: SoundPlan, tick: Fraction, open_files: contextlib.ExitStack
) -> _Sounding:
    """Add a film's tracks to a file that is being made.

    Parameters
    ----------
    made : av.container.OutputContainer
        With its stream of pictures.
    plan : SoundPlan
    tick : Fraction
        Seconds, of the pictures' times.
    open_files : contextlib.ExitStack
        Closes the film that the sound is taken from.

    Returns
    -------
    an object with ``packets`` and ``lead``
        In seconds.
    """
    sound = plan.sound
    if sound is None or not sound.tracks:
        return _Sounding([], Fraction(0))
    lead = _lead(sound, tick)
    film = open_files.enter_context(open_film(sound.path, sound.only))
    ways: dict[int, _Copied | _Encoded] = {}
    for track in sound.tracks:
        stream = film.streams[track.stream]
        if track in plan.copied:
            ways[track.stream] = _Copied(made.add_stream_from_template(stream))
        else:
            ways[track.stream] = _Encoded(made, stream, _INSTEAD[plan.container])
        language = stream.metadata.get("language")
        if language:
            ways[track.stream].stream.metadata["language"] = language
    return _Sounding(_taken(film, sound, ways, lead), lead)


def _lead(sound: Sound, tick: Fraction) -> Fraction:
    """Return by how much later the pictures begin, so that no sound is lost, in seconds.

    It is a whole number of ticks, by which both are moved, so that they stay together.
    """
    if sound.cut:
        return Fraction(0)
    begins = Fraction(0)
    with open_film(sound.path, sound.only) as film:
        seen = set()
        streams = [film.streams[track.stream] for track in sound.tracks]
        with contextlib.suppress(import_av().error.FFmpegError):  # damage: what was read counts
            for packet in film.demux(*streams):
                if packet.pts is None or packet.is_discard or packet.stream_index in seen:
                    continue
                seen.add(packet.stream_index)
                heard = packet.pts * packet.time_base + _filling(packet)
                begins = min(begins, heard - sound.origin)
                if len(seen) == len(streams):
                    break
    if -begins < _TOGETHER:
        return Fraction(0)
    return math.ceil(-begins / tick) * tick


def _has_none(_: str) -> bool:
    """Stand in for what PyAV has since version 16."""
    return False


def _filling(packet: Any) -> Fraction:
    """Return how much of a packet only fills the decoder, and is not heard, in seconds."""
    if not getattr(packet, "has_sidedata", _has_none)("skip_samples"):
        return Fraction(0)
    samples = int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")
    return Fraction(samples, packet.stream.codec_context.sample_rate or 48000)


def _taken(
    film: Any, sound: Sound, ways: dict[int, _Copied | _Encoded], lead: Fraction
) -> Iterator[Timed]:
    av = import_av()
    packets = film.demux(*(film.streams[index] for index in ways))
    with contextlib.suppress(av.error.FFmpegError):  # a film that is cut off: what was read counts
        for packet in packets:
            if packet.size == 0:
                continue
            unit = packet.time_base
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None:
                continue
            time = stamp * unit - sound.origin
            if sound.cut and time + (packet.duration or 0) * unit / 2 < 0:
                continue
            if sound.end is not None and time >= sound.end:
                continue
            shift = round((lead - sound.origin) / unit)
            yield from ways[packet.stream_index].taken(packet, shift)
    for way in ways.values():
        yield from way.rest()


class _Copied:
    """A track whose packets stay as they are, but for their times."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._last: int | None = None

    def taken(self, packet: Any, shift: int) -> Iterator[Timed]:
        unit = packet.time_base
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = packet.pts if packet.dts is None else packet.dts + shift
        if self._last is not None and packet.dts <= self._last:
            return  # damage: no file holds two packets of one time
        self._last = packet.dts
        packet.stream = self.stream
        yield packet.dts * unit, packet

    def rest(self) -> Iterator[Timed]:
        return iter(())


class _Encoded:
    """A track that is decoded and encoded."""

    def __init__(self, made: Any, stream: Any, encoder: str) -> None:
        av = import_av()
        context = stream.codec_context
        rate = _OPUS_RATE if encoder == "libopus" else context.sample_rate
        self.stream = made.add_stream(encoder, rate=rate, layout=context.layout.name)
        self.stream.bit_rate = _BITS_PER_SECOND
        self._decoder, self._wrong = context, av.error.FFmpegError
        coder = self.stream.codec_context
        coder.open()
        self._resampler = av.AudioResampler(
            coder.format, coder.layout, coder.sample_rate, frame_size=coder.frame_size or None
        )
        self._next: int | None = None  # in samples

    def taken(self, packet: Any, shift: int) -> Iterator[Timed]:
        if self._next is None and packet.pts is not None:
            begins = (packet.pts + shift) * packet.time_base
            self._next = max(0, round(begins * self.stream.codec_context.sample_rate))
        try:
            frames = packet.decode()
        except self._wrong:
            return
        for frame in frames:
            frame.pts = None
            yield from self._encode(self._resampler.resample(frame))

    def rest(self) -> Iterator[Timed]:
        with contextlib.suppress(self._wrong):
            for frame in self._decoder.decode(None):
                frame.pts = None
                yield from self._encode(self._resampler.resample(frame))
        yield from self._encode(self._resampler.resample(None))
        yield from self._packets(None)

    def _encode(self, frames: Iterable[Any]) -> Iterator[Timed]:
        for frame in frames:
            if frame is None:
                continue
            frame.pts = self._next or 0
            frame.time_base = Fraction(1, frame.sample_rate)
            self._next = frame.pts + frame.samples
            yield from self._packets(frame)

    def _packets(self, frame: Any) -> Iterator[Timed]:
        for packet in self.stream.encode(frame):
            yield packet.dts * packet.time_base, packet


def interleaved(pictures: Iterable[Timed], sound: _Sounding) -> Iterator[Any]:
    """Yield packets in the order of their times, so that none has to be held back."""
    for _, packet in heapq.merge(pictures, sound.packets, key=lambda timed: timed[0]):
        yield packet
