"""Frames of films, animations, folders and lists."""

from __future__ import annotations

import threading
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import film_files
import numpy as np
import pytest
from film_files import make_film, number_of, numbered
from PIL import Image

from deepdream.errors import DeepDreamError, FilmError, MissingFileError, ParameterError
from deepdream.films.source import open_source

pytest.importorskip("av")

NTSC = Fraction(30000, 1001)


def numbers(source: Any, first: int = 0) -> list[int]:
    """Return the numbers that the frames of a source tell."""
    return [number_of(frame.pixels) for frame in source.frames(first)]


KINDS = {
    "H.264": ("film.mp4", {"options": {"g": "5", "crf": "10"}}),
    "H.264 with open groups": (
        "film.mkv",
        {"options": {"g": "5", "crf": "10", "bf": "3", "x264-params": "open-gop=1"}},
    ),
    "H.264 4:4:4": ("film.mp4", {"pix_fmt": "yuv444p", "options": {"g": "4", "crf": "10"}}),
    "H.264 10 bits": ("film.mov", {"pix_fmt": "yuv420p10le", "options": {"crf": "10"}}),
    "VP9": ("film.webm", {"codec": "libvpx-vp9", "options": {"crf": "10", "b": "0", "g": "5"}}),
    "MPEG-4": ("film.avi", {"codec": "mpeg4", "options": {"qscale": "2", "flags": "+qscale"}}),
    "MPEG-2 in a stream": ("film.ts", {"codec": "mpeg2video", "options": {"b": "8M", "bf": "2"}}),
    "MJPEG": (
        "film.avi",
        {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full": True,
         "options": {"qscale": "2", "flags": "+qscale"}},
    ),
    "HEVC 12 bits": (
        "film.mkv",
        {"codec": "libx265", "pix_fmt": "yuv422p12le",
         "options": {"x265-params": "log-level=none:keyint=5", "crf": "10"}},
    ),
    "ProRes": ("film.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
    "RGB": ("film.mov", {"codec": "qtrle", "pix_fmt": "rgb24"}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "how"), KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("rate", [25, NTSC], ids=["25", "29.97"])
def test_films_play(tmp_path: Path, name: str, how: dict[str, Any], rate: Any) -> None:
    """Every frame comes, in order, at its time, in its colours; and from any frame on."""
    path = make_film(tmp_path / name, 12, rate=rate, **how)

    source = open_source(path)
    frames = list(source.frames())

    assert (source.count, source.rate, source.variable) == (12, rate, False)
    assert source.size == film_files.SIZE
    assert source.warnings == []
    assert [number_of(frame.pixels) for frame in frames] == list(range(12))
    assert [frame.number for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == [i / Fraction(rate) for i in range(12)]
    for (row, column), colour in {
        (9, 12): (200, 30, 30), (9, 40): (30, 200, 30), (27, 12): (30, 30, 200)
    }.items():  # fmt: skip
        assert np.abs(frames[3].pixels[row, column] - colour).max() < 4
    for first in (1, 6, 11):
        rest = list(source.frames(first))
        assert [frame.number for frame in rest] == list(range(first, 12))
        for one, other in zip(rest, frames[first:]):
            np.testing.assert_array_equal(one.pixels, other.pixels)
            assert one.time == other.time
    assert list(source.frames(12)) == []


def test_seeking_decodes_no_more_than_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a late frame on, two groups of pictures before it at most are decoded in vain."""
    path = make_film(tmp_path / "film.mp4", 25, options={"g": "5"})
    source = open_source(path)
    decoded = []
    real = source._reader._decoded
    monkeypatch.setattr(
        source._reader, "_decoded", lambda begin: (decoded.append(1) or f for f in real(begin))
    )

    assert numbers(source, 22) == [22, 23, 24]
    assert 3 <= len(decoded) <= 15


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    """A film of 10, then 30 frames per second: each frame at its own time."""
    ticks = [*range(0, 60, 6), *range(60, 80, 2)]
    path = make_film(tmp_path / "film.mp4", 20, ticks=ticks, time_base=Fraction(1, 60), rate=60)

    source = open_source(path)

    assert source.variable
    assert [frame.time for frame in source.frames()] == [Fraction(tick, 60) for tick in ticks]
    assert source.rate == Fraction(19 * 60, 78)
    assert numbers(open_source(path, fps=10)) == [*range(10), 10, 13, 16, 19]
    assert not open_source(path, fps=10).variable


def test_start_end_every_and_fps(tmp_path: Path) -> None:
    """They choose by time; numbers and times begin at 0 again."""
    path = make_film(tmp_path / "film.mp4", 25, options={"g": "6"})

    source = open_source(path, start="0:00.2", end=0.6, every=3)

    assert source.count == 4
    assert source.rate == Fraction(25, 3)
    assert numbers(source) == [5, 8, 11, 14]
    assert numbers(source, 2) == [11, 14]
    assert [frame.time for frame in source.frames()] == [Fraction(3 * i, 25) for i in range(4)]
    doubled = open_source(path, fps=50, end=0.2)
    assert numbers(doubled) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert numbers(doubled, 5) == [2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"start": "x"}, "start is 'x': seconds"),
        ({"start": 1, "end": 0.5}, "end, 0.5, is not after start, 1"),
        ({"start": 9}, "no frames there: its last one is at 0.44 seconds"),
        ({"every": 0}, "every is 0: a whole number from 1"),
        ({"fps": "fast"}, "fps is 'fast': frames per second"),
        ({"size": "big"}, "size is 'big': width and height"),
        ({"size": (0, 99)}, r"size is \(0, 99\)"),
    ],
)
def test_keywords_that_make_no_sense(tmp_path: Path, keywords: Any, told: str) -> None:
    """Each is named, with what was expected."""
    path = make_film(tmp_path / "film.mp4")

    with pytest.raises((ParameterError, FilmError), match=told):
        open_source(path, **keywords)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("26x36", (36, 26)),
        ("26x", (18, 26)),
        ("x18", (18, 26)),
        (26, (18, 26)),
        ((104, None), (72, 104)),
    ],
)
def test_sizes(tmp_path: Path, size: Any, expected: tuple[int, int]) -> None:
    """One side decides on the other; frames come in that size."""
    source = open_source(make_film(tmp_path / "film.mp4", 3), size=size)

    assert source.size == expected
    frame = next(iter(source.frames()))
    assert frame.pixels.shape == (*expected, 3)
    assert np.abs(frame.pixels[2, 2] - (200, 30, 30)).max() < 5


@pytest.mark.parametrize("mirrored", ["", "left and right", "top and bottom"])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_phones_are_upright(tmp_path: Path, degrees: int, mirrored: str) -> None:
    """The display matrix is applied, mirroring included.

    What is expected is worked out pixel by pixel from the matrix, as the standard has it.
    """
    import av

    path = make_film(
        tmp_path / "film.mp4", 2, pix_fmt="yuv444p", options={"crf": "5"},
        rotate=(degrees, mirrored == "left and right", mirrored == "top and bottom"),
    )  # fmt: skip
    stored = numbered(1)
    matrix = np.array([[1, 0], [0, 1]])
    with av.open(str(path)) as film:
        for data in next(film.decode(video=0)).side_data:
            if data.type.name == "DISPLAYMATRIX":
                a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / 65536
                matrix = np.round([[a, b], [c, d]]).astype(int)
    h, w = stored.shape[:2]
    corners = np.array([[0, 0], [w - 1, 0], [0, h - 1], [w - 1, h - 1]]) @ matrix
    shown = np.zeros((*(np.ptp(corners, axis=0) + 1)[::-1], 3), np.uint8)
    for y in range(h):
        for x in range(w):
            column, row = (x, y) @ matrix - corners.min(axis=0)
            shown[row, column] = stored[y, x]

    frame = list(open_source(path).frames())[1]

    assert (degrees, mirrored) == (0, "") or not np.array_equal(shown, stored)
    assert frame.pixels.shape == shown.shape
    assert np.abs(frame.pixels - shown).max() < 6


@pytest.mark.parametrize("name", ["film.ts", "film.mp4"])
def test_interlaced_films_are_not_combed(tmp_path: Path, name: str) -> None:
    """Rows of two times become frames of one; numbers and times stay, from any frame on."""

    def scene(time: float) -> np.ndarray:
        frame = np.full((64, 96, 3), 60, np.uint8)
        frame[16:48, round(8 + 6 * time) : round(32 + 6 * time)] = 200
        return frame

    woven = []
    for i in range(9):
        frame = scene(i)
        frame[1::2] = scene(i + 0.5)[1::2]
        woven.append(frame)
    how = {
        "film.ts": {
            "codec": "mpeg2video",
            "options": {"b": "9M", "flags": "+ildct+ilme", "g": "3"},
        },
        "film.mp4": {"options": {"crf": "4", "g": "3", "x264-params": "tff=1"}},
    }[name]
    path = make_film(tmp_path / name, woven, **how)  # type: ignore[arg-type]

    source = open_source(path)
    frames = list(source.frames())

    def combed(pixels: np.ndarray) -> float:
        rows = np.asarray(pixels, np.float32)[20:44, :, 1]
        return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())

    assert source.warnings == [f"'{name}' is interlaced: whole frames are made of its rows (bwdif)"]
    assert [frame.number for frame in frames] == list(range(9))
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(9)]
    assert combed(woven[4]) > 5
    assert combed(frames[4].pixels) < 2
    for one, other in zip(source.frames(7), frames[7:]):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    """A DVD's frames are shown wider than they are stored, and come so."""
    path = make_film(tmp_path / "film.mkv", 2, aspect=Fraction(16, 11))

    assert open_source(path).size == (36, round(52 * 16 / 11))


def test_a_film_that_is_cut_off_in_the_middle(tmp_path: Path) -> None:
    """What can be read is given; then it is told where it ended."""
    whole = make_film(tmp_path / "whole.mp4", 25, options={"g": "5", "movflags": "faststart"})
    remuxed(whole, tmp_path / "front.mp4", options={"movflags": "+faststart"})
    data = (tmp_path / "front.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 7 // 10])

    source = open_source(path)
    read = numbers(source)

    assert 3 < len(read) < 25
    assert read == list(range(len(read)))
    assert source.warnings == [
        f"'cut.mp4' is cut off after frame {len(read) - 1} of 24: what was read is kept"
    ]


def remuxed(path: Path, out: Path, change: Any = None, **options: Any) -> Path:
    """Write a film's packets into another file; `change` makes new bytes of a packet's."""
    import av

    with av.open(str(path)) as film, av.open(str(out), "w", **options) as made:
        stream = made.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(film.demux(video=0)):
            if not packet.size:
                continue
            ready = packet
            if change is not None:
                ready = av.Packet(change(number, bytes(packet)))
                for name in ("pts", "dts", "duration", "time_base", "is_keyframe"):
                    setattr(ready, name, getattr(packet, name))
            ready.stream = stream
            made.mux(ready)
    return out


def test_frames_that_are_not_shown(tmp_path: Path) -> None:
    """VP8 has packets that others refer to and nobody sees: they are no frames."""
    path = make_film(tmp_path / "in.webm", 12, codec="libvpx", options={"b": "2M", "g": "5"})

    def hide(number: int, data: bytes) -> bytes:
        return bytes([data[0] & ~0x10]) + data[1:] if number == 7 else data

    source = open_source(remuxed(path, tmp_path / "out.webm", hide))

    assert source.count == 11
    assert numbers(source) == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert source.variable
    assert source.warnings == []


def test_a_film_that_was_trimmed(tmp_path: Path) -> None:
    """What an edit list leaves out is no frame, and nothing is cut off."""
    ticks = list(range(-6, 14))
    path = make_film(
        tmp_path / "film.mp4", 20, ticks=ticks, time_base=Fraction(1, 25), options={"bf": "2"}
    )

    source = open_source(path)
    seen = numbers(source)

    assert seen == list(range(20))[-len(seen) :]
    assert len(seen) == 14
    assert source.warnings == []


@pytest.mark.parametrize("sound", [None, "aac"])
def test_a_stream_that_is_cut_off_says_so(tmp_path: Path, sound: str | None) -> None:
    """Matroska tells its length at the beginning."""
    data = make_film(tmp_path / "film.mkv", 60, rate=10, sound=sound).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(data[: len(data) // 2])

    source = open_source(path)

    assert [warning.partition(" after")[0] for warning in source.warnings] == [
        "'cut.mkv' is cut off"
    ]


@pytest.mark.parametrize("name", ["film.mkv", "film.ts"])
def test_streams_that_are_cut_off(tmp_path: Path, name: str) -> None:
    """Matroska and transport streams, too."""
    codec = "libx264" if name.endswith("mkv") else "mpeg2video"
    data = make_film(tmp_path / name, 25, codec=codec, options={"g": "5"}).read_bytes()
    path = tmp_path / f"cut-{name}"
    path.write_bytes(data[: len(data) * 6 // 10])

    source = open_source(path)
    read = numbers(source)

    assert 3 < len(read) < 25
    assert read == list(range(len(read)))


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """Frames behind a damaged stretch come at their times; what is missing stays on the screen."""
    path = make_film(tmp_path / "film.avi", 25, codec="mjpeg", pix_fmt="yuvj420p", full=True)
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data[i : i + 3] == b"\xff\xd8\xff"]
    data[starts[9] : starts[10] - 8] = b"\x55" * (starts[10] - 8 - starts[9])
    path.write_bytes(data)

    frames = list(open_source(path).frames())

    assert len(frames) == 25
    assert [frame.number for frame in frames] == list(range(25))
    told = [number_of(frame.pixels) for frame in frames]
    assert told[:9] == list(range(9))
    assert told[10:] == list(range(10, 25))


def cut_before_its_index(path: Path) -> None:
    make_film(path, 12)
    path.write_bytes(path.read_bytes()[:-400])


def only_sound(path: Path) -> None:
    import av

    with av.open(str(path), "w") as film:
        track = film.add_stream("aac", rate=44100)
        film_files.add_tone(film, track, 9000, 44100)


STILL = Image.new("RGB", (9, 7))

BROKEN = {
    "empty": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "a picture": (lambda path: STILL.save(path, "PNG"), r"is a picture \(PNG\)"),
    "a JPEG": (lambda path: STILL.save(path, "JPEG"), "is a picture, not a film"),
    "a still GIF": (lambda path: STILL.save(path, "GIF"), r"a picture \(GIF\)"),
    "a web page": (lambda path: path.write_text("<html><title>404</title>"), "titled '404'"),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 40), "is no film that can be read"),
    "text": (lambda path: path.write_text("words " * 99), "is no film"),
    "a list of other files": (
        lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n"), "is no film"
    ),
    "without its index": (cut_before_its_index, "was cut off: the index .* is missing"),
    "only sound": (only_sound, "has only sound: there is no film in it"),
}  # fmt: skip


@pytest.mark.parametrize(("write", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_film_is_named(tmp_path: Path, write: Any, told: str) -> None:
    """Whatever its name says."""
    path = tmp_path / "film.mp4"
    write(path)

    with pytest.raises(FilmError, match=told) as caught:
        open_source(path)

    assert str(caught.value).count("\n") < 3


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.gif", "a.png", "a.webp"])
def test_damage_of_all_kinds(tmp_path: Path, name: str) -> None:
    """Whatever is broken, frames come or an error of ours; never another one."""
    path = tmp_path / name
    if name in ("a.gif", "a.png", "a.webp"):
        save_animation(path, [40] * 6)
    else:
        make_film(path, 8, codec="mpeg4" if name == "a.avi" else "libx264", sound="aac")
    data = path.read_bytes()
    rng = np.random.RandomState(len(data))
    shown = refused = 0
    for kind in range(24):
        broken = bytearray(data)
        if kind % 3 == 0:
            broken = broken[: rng.randint(len(broken))]
        elif kind % 3 == 1:
            for _ in range(rng.randint(1, 30)):
                broken[rng.randint(len(broken))] = rng.randint(256)
        else:
            begin = rng.randint(len(broken))
            broken[begin : begin + 200] = rng.bytes(200)
        path.write_bytes(bytes(broken))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for frame in open_source(path).frames():
                    assert np.isfinite(frame.pixels).all()
                    shown += 1
        except DeepDreamError:
            refused += 1
    assert shown > 0
    assert refused > 0


def test_frames_that_are_too_large(tmp_path: Path) -> None:
    """A damaged file may claim any size, and reading it would take minutes."""
    path = save_animation(tmp_path / "a.webp", [40] * 3)
    data = bytearray(path.read_bytes())
    data[27:30] = (20000 - 1).to_bytes(3, "little")  # the height
    path.write_bytes(bytes(data))

    with pytest.raises(FilmError, match="claims frames of 52x20000 pixels: up to 16384 a side"):
        open_source(path)


def test_no_such_film(tmp_path: Path) -> None:
    """Names beside it are offered."""
    make_film(tmp_path / "holiday.mp4", 2)

    with pytest.raises(MissingFileError, match=r"Did you mean 'holiday\.mp4'"):
        open_source(tmp_path / "holidays.mp4")


@pytest.mark.parametrize("name", ["a:b.mp4", "100%d.mp4", "ü ñ.mp4"])
def test_names_of_all_kinds(tmp_path: Path, name: str) -> None:
    """A colon is no protocol, and a per cent sign no pattern."""
    make_film(tmp_path / "film.mp4", 3).rename(tmp_path / name)

    assert numbers(open_source(tmp_path / name)) == [0, 1, 2]


def save_animation(path: Path, delays: list[int], **options: Any) -> Path:
    """Save numbered frames with Pillow, with delays in milliseconds."""
    first, *rest = [Image.fromarray(numbered(i)) for i in range(len(delays))]
    first.save(path, save_all=True, append_images=rest, duration=delays, loop=0, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {}), ("a.png", {}), ("a.webp", {"lossless": True})],
)
def test_animations(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """GIF, PNG and WebP keep their times; frames are whole, from any number on."""
    delays = [40, 40, 200, 70, 40]
    source = open_source(save_animation(tmp_path / name, delays, **options))

    frames = list(source.frames())

    assert [number_of(frame.pixels) for frame in frames] == list(range(5))
    assert [frame.time for frame in frames] == [Fraction(t, 1000) for t in (0, 40, 80, 280, 350)]
    assert source.variable
    assert numbers(source, 3) == [3, 4]
    assert np.abs(frames[2].pixels - numbered(2)).max() < 12


def test_gifs_without_delays_play_as_in_browsers(tmp_path: Path) -> None:
    """A delay of 0 or 10 ms is a tenth of a second."""
    source = open_source(save_animation(tmp_path / "a.gif", [0, 10, 0]))

    assert [frame.time for frame in source.frames()] == [0, Fraction(1, 10), Fraction(1, 5)]
    assert not source.variable


def test_transparent_animations_lie_on_white(tmp_path: Path) -> None:
    """As on a page."""
    frames = []
    for level in (20, 90):
        rgba = np.full((20, 30, 4), (255, level, 0, 255), np.uint8)
        rgba[:, 15:, 3] = 0
        frames.append(Image.fromarray(rgba))
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100)

    first = next(iter(open_source(tmp_path / "a.png").frames())).pixels

    assert first[5, 20].tolist() == [255, 255, 255]
    assert first[5, 5].tolist() == [255, 20, 0]


def test_folders_in_natural_order(tmp_path: Path) -> None:
    """Frame 10 comes after frame 9; other files do not count."""
    for i in range(12):
        Image.fromarray(numbered(i)).save(tmp_path / f"frame{i}.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")

    source = open_source(tmp_path, every=2, fps=10)

    assert numbers(source) == list(range(0, 12, 2))
    assert numbers(source, 4) == [8, 10]
    assert (source.rate, source.count, source.variable) == (10, 6, False)
    assert source.sound is None


def test_folders_of_unlike_pictures(tmp_path: Path) -> None:
    """One of another shape is named, unless a size is given for all."""
    Image.fromarray(numbered(0)).save(tmp_path / "0.png")
    Image.fromarray(numbered(1, (52, 36))).save(tmp_path / "1.png")

    with pytest.raises(FilmError, match="frame 1 .* has 36x52 pixels, the first one 52x36"):
        list(open_source(tmp_path).frames())
    assert len(list(open_source(tmp_path, size=(40, 30)).frames())) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(FilmError, match="holds no pictures"):
        open_source(tmp_path / "empty")


def test_lists_and_iterators() -> None:
    """Arrays of any kind of picture; a list may be read again, an iterator tells no length."""
    arrays = [numbered(i) for i in range(7)]

    listed = open_source(arrays)
    assert (listed.count, listed.size) == (7, film_files.SIZE)
    assert numbers(listed) == numbers(listed) == list(range(7))
    assert numbers(listed, 5) == [5, 6]
    once = open_source((array for array in arrays), every=3)
    assert once.count is None
    assert numbers(once) == [0, 3, 6]
    assert numbers(open_source(iter(arrays)), 4) == [4, 5, 6]
    assert numbers(open_source(np.stack(arrays), start=0.08)) == [2, 3, 4, 5, 6]
    with pytest.raises(FilmError, match="there are no frames"):
        open_source([])
    with pytest.raises(FilmError, match="frame 1: an array of shape"):
        list(open_source([numbered(0), np.zeros((3, 4, 5, 6))]).frames())
    with pytest.raises(FilmError, match="of the type int no film can be read"):
        open_source(3)


def test_iterators_are_not_read_far_ahead() -> None:
    """Two frames or three, not all: memory stays flat."""
    asked = []

    def many() -> Any:
        for i in range(1000):
            asked.append(i)
            yield numbered(i)

    frames = open_source(many()).frames()
    next(frames)
    frames.close()

    assert len(asked) < 9
    assert not [t for t in threading.enumerate() if t.name.startswith("deepdream-ahead")]


def test_errors_come_to_the_caller() -> None:
    """What an iterator raises comes up where its frames are used, after those before it."""

    def failing() -> Any:
        yield numbered(0)
        yield numbered(1)
        raise ZeroDivisionError("here")

    frames = open_source(failing()).frames()

    assert next(frames).number == 0
    with pytest.raises(ZeroDivisionError, match="here"):
        list(frames)


def test_digests_tell_sources_apart(tmp_path: Path) -> None:
    """The same file anywhere is the same source."""
    one = make_film(tmp_path / "one.mp4", 3)
    other = make_film(tmp_path / "other.mp4", 4)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(one.read_bytes())

    assert open_source(one).digest == open_source(copy).digest != open_source(other).digest
    assert open_source([numbered(0)]).digest != open_source([numbered(1)]).digest


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, and what there is without."""
    path = make_film(tmp_path / "film.mp4", 2)
    monkeypatch.setitem(__import__("sys").modules, "av", None)

    said = r"need PyAV.*\n.*pip install '\.\[film\]'\)\. Pictures do without"
    with pytest.raises(DeepDreamError, match=said):
        open_source(path)


def test_a_line_about_it(tmp_path: Path) -> None:
    """What --verbose prints."""
    path = make_film(tmp_path / "film.mp4", 5, sound="aac", rate=NTSC)

    assert open_source(path, size=26).describe() == (
        "film.mp4: 52x36 to 26x18, h264, sound aac, 29.97 frames/s, 5 frames"
    )
