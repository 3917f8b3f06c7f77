"""Films as they are written: kinds, times, sizes, sound, recipes."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from film_files import make_film, number_of, numbered, packets_of
from PIL import Image

from deepdream.cli import main
from deepdream.errors import EngineError, FilmError, ImageError, ParameterError, WriteError
from deepdream.films.frame import Frame
from deepdream.films.source import open_source
from deepdream.films.target import open_target
from deepdream.recipe import read_recipe

av = pytest.importorskip("av")

FILMS = ["out.mp4", "out.m4v", "out.mov", "out.webm", "out.mkv"]
ANIMATIONS = ["out.gif", "out.png", "out.apng", "out.webp"]
RECIPE = {"deepdream": "0.1", "command": "film", "parameters": {"end": "läufer"}, "seed": 3}
NTSC = Fraction(30000, 1001)


def write(path: Path, times: list[Fraction], size: tuple[int, int] = (36, 52), **how: Any) -> Any:
    """Write numbered frames; return the target."""
    how.setdefault("rate", 25)
    with open_target(path, size=size, **how) as target:
        for i, time in enumerate(times):
            target.add(Frame(numbered(i, size).astype(np.float32), time, i))
    return target


def even(count: int, rate: Any = 25) -> list[Fraction]:
    """Return the times of frames that come evenly."""
    return [i / Fraction(rate) for i in range(count)]


@pytest.mark.parametrize("name", FILMS + ANIMATIONS)
@pytest.mark.parametrize("size", [(36, 52), (35, 51)], ids=["even", "odd"])
def test_every_kind_plays(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    """All frames arrive, in order, at their times, and nothing else lies in the folder."""
    write(tmp_path / name, even(7), size)

    source = open_source(tmp_path / name)
    frames = list(source.frames())

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [number_of(frame.pixels[: size[0], : size[1]]) for frame in frames] == list(range(7))
    assert [frame.time for frame in frames] == even(7)
    assert (source.rate, source.variable) == (25, False)
    assert source.warnings == []
    padded = size == (35, 51) and name.endswith(("mp4", "m4v", "mov"))
    assert source.size == ((36, 52) if padded else size)


def test_odd_sizes_are_told(tmp_path: Path) -> None:
    """The last row and column are there twice, no line of another colour."""
    target = write(tmp_path / "out.mp4", even(2), (35, 51), quality=1)

    assert target.notes == [
        "H.264 has even sizes only: the film has 52x36 pixels, the last of 51x35 twice"
    ]
    last = list(open_source(tmp_path / "out.mp4").frames())[1].pixels
    assert np.abs(last[-1] - last[-2]).max() < 6
    assert np.abs(last[:, -1] - last[:, -2]).max() < 6


@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_players_find_what_they_need(tmp_path: Path, name: str) -> None:
    """The index stands in front, the rate is told, every frame is one packet in order."""
    write(tmp_path / name, even(30, NTSC), rate=NTSC)

    data = (tmp_path / name).read_bytes()
    if name == "out.mp4":
        assert 0 < data.find(b"moov") < data.find(b"mdat")
        assert b"colr" in data
    with av.open(str(tmp_path / name)) as film:
        stream = film.streams.video[0]
        assert stream.average_rate == NTSC
        assert film.duration == pytest.approx(1e6 * 30 * 1001 / 30000, abs=1100)
        packets = [packet for packet in film.demux(stream) if packet.size]
    times = [packet.pts for packet in packets]
    assert times == sorted(times)
    assert times == [packet.dts for packet in packets]
    assert len(times) == 30


@pytest.mark.parametrize("name", FILMS + ANIMATIONS)
def test_uneven_times_are_kept(tmp_path: Path, name: str) -> None:
    """As finely as the format can: hundredths in a GIF, thousandths in WebM and WebP."""
    times = [Fraction(t, 1000) for t in (0, 40, 80, 280, 317, 333, 400)]

    write(tmp_path / name, times, variable=True, rate=Fraction(35, 2))

    source = open_source(tmp_path / name)
    found = [frame.time for frame in source.frames()]
    # A GIF's frame is shown for two hundredths at least.
    most = Fraction(1, 100) if name.endswith("gif") else Fraction(1, 1000)
    assert all(abs(one - other) <= most for one, other in zip(found, times))
    assert source.variable


def test_a_gif_of_30_frames_per_second_lasts_as_long(tmp_path: Path) -> None:
    """Its hundredths are rounded from the beginning, so that they do not add up to another time."""
    write(tmp_path / "out.gif", even(24, 30), rate=30)

    with Image.open(tmp_path / "out.gif") as image:
        delays = []
        for i in range(image.n_frames):
            image.seek(i)
            delays.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert set(delays) == {30, 40}
    assert sum(delays[:-1]) == 770
    assert delays[:6] == [30, 40, 30, 30, 40, 30]


def test_gifs_keep_hues(tmp_path: Path) -> None:
    """256 colours and dithering, seen from afar, are the colours that went in."""
    y, x = np.mgrid[:96, :144]
    frame = np.stack([255 - 1.6 * x, 60 + 1.9 * y, 90 + 60 * np.sin(x / 11 + y / 7)], axis=2)
    frame = np.clip(frame, 0, 255).astype(np.float32)
    with open_target(tmp_path / "out.gif", size=(96, 144), rate=10) as target:
        for i in range(2):
            target.add(Frame(frame, Fraction(i, 10), i))

    seen = next(iter(open_source(tmp_path / "out.gif").frames())).pixels
    blocks = (seen - frame).reshape(12, 8, 18, 8, 3).mean(axis=(1, 3))
    assert np.abs(blocks).max() < 7
    assert np.abs(blocks.mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize("name", ANIMATIONS)
def test_equal_frames_stay_frames(tmp_path: Path, name: str) -> None:
    """A pause keeps its length, even where nothing else moves."""
    with open_target(tmp_path / name, size=(36, 52), rate=10) as target:
        for i in range(5):
            target.add(Frame(numbered(4).astype(np.float32), Fraction(i, 10), i))

    assert open_source(tmp_path / name).count == 5


def test_a_film_of_one_frame(tmp_path: Path) -> None:
    """Lasts as long as the rate says."""
    write(tmp_path / "out.mp4", even(1, 4), rate=4)

    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.duration == 250_000


@pytest.mark.parametrize("name", FILMS + ANIMATIONS)
def test_the_recipe_is_in_the_file(tmp_path: Path, name: str) -> None:
    """And comes out as it went in."""
    write(tmp_path / name, even(3), recipe=RECIPE)

    assert read_recipe(tmp_path / name) == RECIPE


def test_show_tells_how_a_film_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command reads films as it reads pictures."""
    write(tmp_path / "out.mp4", even(2), recipe=RECIPE)

    assert main(["show", str(tmp_path / "out.mp4")]) == 0
    told = capsys.readouterr().out
    assert "deepdream 0.1, film" in told
    assert "läufer" in told


def test_films_without_a_recipe(tmp_path: Path) -> None:
    """Are told apart from what is no film, and from films that PyAV is missing for."""
    write(tmp_path / "out.mp4", even(2))

    with pytest.raises(ImageError, match="carries no recipe"):
        read_recipe(tmp_path / "out.mp4")
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "out.mp4").read_bytes()[:36])
    with pytest.raises(FilmError, match="is no film that can be read"):
        read_recipe(tmp_path / "broken.mp4")


def test_animations_and_folders_need_no_pyav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only films do; the error says what to install."""
    monkeypatch.setitem(sys.modules, "av", None)

    for name in (*ANIMATIONS, "out"):
        write(tmp_path / name, even(2))
        assert open_source(tmp_path / name).count == 2
    with pytest.raises(EngineError, match=r"pip install '\.\[film\]'"):
        open_target(tmp_path / "out.mp4", size=(36, 52), rate=25)


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    """Numbered, each with the recipe and its own number."""
    target = write(tmp_path / "out", even(3), recipe=RECIPE)

    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "0000.png", "0001.png", "0002.png", "out",
    ]  # fmt: skip
    assert target.notes == []
    assert read_recipe(tmp_path / "out" / "0002.png") == {**RECIPE, "frame": 2}
    assert [number_of(f.pixels) for f in open_source(tmp_path / "out").frames()] == [0, 1, 2]


@pytest.mark.parametrize("name", FILMS + ANIMATIONS)
def test_the_same_frames_make_the_same_bytes(tmp_path: Path, name: str) -> None:
    """No dates, no random numbers, no threads that race."""
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / name, even(12), recipe=RECIPE)

    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


# -- sound


@pytest.mark.parametrize(
    ("source", "codec", "target"),
    [
        ("in.mp4", "aac", "out.mp4"),
        ("in.mp4", "aac", "out.mov"),
        ("in.mp4", "aac", "out.mkv"),
        ("in.mkv", "libopus", "out.webm"),
        ("in.mkv", "libopus", "out.mp4"),
        ("in.mov", "pcm_s16le", "out.mov"),
        ("in.mov", "pcm_s16le", "out.mkv"),
        ("in.mkv", "libmp3lame", "out.mp4"),
        ("in.mkv", "flac", "out.mkv"),
        ("in.mov", "alac", "out.m4v"),
    ],
)
def test_sound_is_copied(tmp_path: Path, source: str, codec: str, target: str) -> None:
    """Packets out are packets in, byte for byte, at the same times."""
    rate = 48000 if codec == "libopus" else 44100
    make_film(tmp_path / source, 30, sound=codec, sound_rate=rate)
    opened = open_source(tmp_path / source)
    assert opened.sound is not None

    made = write(tmp_path / target, even(30), sound=opened.sound)

    before, after = packets_of(tmp_path / source), packets_of(tmp_path / target)
    assert made.notes == []
    assert [data for _, data in after] == [data for _, data in before]
    assert len(before) > 10
    moved = [float(new - old) for (new, _), (old, _) in zip(after, before)]
    # Matroska has no times below 0: there, pictures and sound move together.
    picture = (
        packets_of(tmp_path / target, "video")[0][0] - packets_of(tmp_path / source, "video")[0][0]
    )
    assert max(abs(move - float(picture)) for move in moved) < 0.0011


def test_sound_from_the_middle(tmp_path: Path) -> None:
    """With `start` and `end` it begins and ends with the pictures, to a packet's length."""
    make_film(tmp_path / "in.mp4", 75, sound="aac", options={"g": "10"})
    opened = open_source(tmp_path / "in.mp4", start=1, end=2)

    write(tmp_path / "out.mp4", even(25), sound=opened.sound)

    before = dict((data, time) for time, data in packets_of(tmp_path / "in.mp4"))
    after = packets_of(tmp_path / "out.mp4")
    assert 42 <= len(after) <= 45
    for time, data in after:
        assert abs(before[data] - time - 1) < Fraction(1, 1000)
    assert -0.013 < after[0][0] < 0.013
    assert 0.96 < after[-1][0] < 1


def test_a_film_outlives_its_sound(tmp_path: Path) -> None:
    """Where the source is gone, or its sound is damaged, the film is made all the same."""
    path = make_film(tmp_path / "in.mp4", 10, sound="aac")
    sound = open_source(path).sound
    path.unlink()

    made = write(tmp_path / "out.mp4", even(10), sound=sound)

    assert made.notes == [
        "the sound is left out: it cannot be taken over (No such file or directory)"
    ]
    assert open_source(tmp_path / "out.mp4").count == 10
    assert packets_of(tmp_path / "out.mp4") == []


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus"])
def test_damaged_sound(tmp_path: Path, codec: str) -> None:
    """Bytes changed at random anywhere: the pictures are never lost to it."""
    path = make_film(tmp_path / "in.mkv", 10, sound=codec, sound_rate=48000)
    data = path.read_bytes()
    rng = np.random.RandomState(len(data))
    read = 0
    for _ in range(12):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 30)):
            broken[rng.randint(len(broken))] = rng.randint(256)
        path.write_bytes(bytes(broken))
        try:
            sound = open_source(path).sound
        except FilmError:
            continue
        for name in ("out.mp4", "out.webm", "out.mkv"):
            write(tmp_path / name, even(10), sound=sound)
            assert len(packets_of(tmp_path / name, "video")) == 10
        read += 1
    assert read > 0


def test_names_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would take what stands before one for a protocol."""
    monkeypatch.chdir(tmp_path)

    write(Path("a:b.mp4"), even(2))

    assert open_source("a:b.mp4").count == 2


def test_all_tracks_are_taken(tmp_path: Path) -> None:
    """Two languages stay two, with their names."""
    for codec in ("aac", "libmp3lame"):
        make_film(tmp_path / f"{codec}.mkv", 30, sound=codec)
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        opened = [av.open(str(tmp_path / f"{codec}.mkv")) for codec in ("aac", "libmp3lame")]
        streams = [opened[0].streams.video[0], *(film.streams.audio[0] for film in opened)]
        made = [out.add_stream_from_template(stream) for stream in streams]
        for stream, language in zip(made[1:], ("fra", "deu")):
            stream.metadata["language"] = language
        for stream, new in zip(streams, made):
            for packet in stream.container.demux(stream):
                if packet.size:
                    packet.stream = new
                    out.mux(packet)
            stream.container.seek(0)
        for film in opened:
            film.close()

    write(tmp_path / "out.mp4", even(30), sound=open_source(tmp_path / "in.mkv").sound)

    with av.open(str(tmp_path / "out.mp4")) as film:
        tracks = film.streams.audio
        assert [track.metadata["language"] for track in tracks] == ["fra", "deu"]
        assert [track.codec_context.name[:3] for track in tracks] == ["aac", "mp3"]
    before = {data for _, data in packets_of(tmp_path / "in.mkv")}
    assert before == {data for _, data in packets_of(tmp_path / "out.mp4")}


def test_sound_of_a_film_that_ends_early(tmp_path: Path) -> None:
    """Fewer frames than the source gives: the sound ends with the last of them."""
    make_film(tmp_path / "in.mp4", 75, sound="aac")
    opened = open_source(tmp_path / "in.mp4")

    write(tmp_path / "out.mp4", even(25), sound=opened.sound)

    after = packets_of(tmp_path / "out.mp4")
    assert after == packets_of(tmp_path / "in.mp4")[: len(after)]
    assert 0.96 < after[-1][0] < 1


@pytest.mark.parametrize(
    ("source", "codec", "target", "becomes"),
    [
        ("in.mp4", "aac", "out.webm", "opus"),
        ("in.mov", "pcm_s16le", "out.mp4", "aac"),
        ("in.mkv", "libopus", "out.mov", "aac"),
    ],
)
def test_sound_that_does_not_fit_is_encoded_anew(
    tmp_path: Path, source: str, codec: str, target: str, becomes: str
) -> None:
    """A line says so; it is the same tone, as long and as loud."""
    rate = 48000 if codec == "libopus" else 44100
    make_film(tmp_path / source, 50, sound=codec, sound_rate=rate)

    made = write(tmp_path / target, even(50), sound=open_source(tmp_path / source).sound)

    assert len(made.notes) == 1
    assert "the sound is encoded anew as" in made.notes[0]
    with av.open(str(tmp_path / target)) as film:
        track = film.streams.audio[0]
        assert track.codec_context.name in (becomes, f"lib{becomes}")
        samples = [frame.to_ndarray()[0] for frame in film.decode(track)]
        rate = track.codec_context.sample_rate
    tone = np.concatenate(samples)
    assert abs(len(tone) / rate - 2) < 0.1
    middle = tone[rate // 2 : rate // 2 + rate]
    spectrum = np.abs(np.fft.rfft(middle))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert 0.2 < np.abs(middle).max() < 0.4


def test_sound_that_begins_before_the_pictures(tmp_path: Path) -> None:
    """It stays as much earlier as it was."""
    ticks = list(range(5, 30))
    make_film(tmp_path / "in.mkv", 25, ticks=ticks, time_base=Fraction(1, 25), sound="aac")

    opened = open_source(tmp_path / "in.mkv")
    write(tmp_path / "out.mp4", even(25), sound=opened.sound)

    def offset(path: Path) -> Fraction:
        return packets_of(path, "video")[0][0] - packets_of(path)[5][0]

    assert abs(offset(tmp_path / "out.mp4") - offset(tmp_path / "in.mkv")) < Fraction(2, 1000)
    assert len(packets_of(tmp_path / "out.mp4")) == len(packets_of(tmp_path / "in.mkv"))


@pytest.mark.parametrize("name", ["out.gif", "out"])
def test_where_sound_is_left_out(tmp_path: Path, name: str) -> None:
    """One line says so."""
    make_film(tmp_path / "in.mp4", 5, sound="aac")

    made = write(tmp_path / name, even(5), sound=open_source(tmp_path / "in.mp4").sound)

    assert [note.partition(":")[0] for note in made.notes] == ["the sound is left out"]


# -- what cannot be


@pytest.mark.parametrize(
    ("name", "how", "error", "told"),
    [
        ("out.wmv", {}, FilmError, r"ends in \.wmv: a film is written as \.mp4, .* a folder"),
        ("out.mp4", {"quality": "lossless"}, FilmError, r"\.mp4 has no lossless kind .* \.mkv"),
        ("out.mp4", {"quality": "fine"}, ParameterError, "quality is 'fine': one of small, good"),
        ("none/out.mp4", {}, WriteError, "there is no folder '.*none'. Make it first"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(
    tmp_path: Path, name: str, how: Any, error: type[Exception], told: str
) -> None:
    """Is said before any work is done."""
    with pytest.raises(error, match=told):
        open_target(tmp_path / name, size=(36, 52), rate=25, **how)
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_size(tmp_path: Path) -> None:
    """Are an error, and nothing is left behind."""
    target = open_target(tmp_path / "out.mp4", size=(36, 52), rate=25)
    with pytest.raises(FilmError, match=r"frame 0 has the shape \(52, 36, 3\)"), target:
        target.add(Frame(numbered(0, (52, 36)), Fraction(0), 0))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FilmError, match="would have no frames"):
        open_target(tmp_path / "out.mp4", size=(36, 52), rate=25).finish()
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_was_there_stays_where_one_fails(tmp_path: Path) -> None:
    """It is replaced when the new one is complete."""
    (tmp_path / "out.mp4").write_text("before")
    target = open_target(tmp_path / "out.mp4", size=(36, 52), rate=25)
    target.add(Frame(numbered(0), Fraction(0), 0))
    with pytest.raises(FilmError), target:
        target.add(Frame(numbered(1, (52, 36)), Fraction(1), 1))
    assert (tmp_path / "out.mp4").read_text() == "before"


def test_long_recipes(tmp_path: Path) -> None:
    """A recipe of 100 kB goes into every kind."""
    recipe = {**RECIPE, "keyframes": [[i, i * 0.125] for i in range(7000)]}
    assert len(json.dumps(recipe)) > 90_000
    for name in FILMS + ANIMATIONS:
        write(tmp_path / name, even(2), recipe=recipe)
        assert read_recipe(tmp_path / name) == recipe
