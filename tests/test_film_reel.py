"""Films in the making outlive Ctrl-C, a kill and a full disk, and come out the same."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from film_files import make_film, number_of, packets_of
from PIL import Image

from deepdream.errors import DeepDreamError, FilmError, ParameterError, WriteError
from deepdream.films import reel as reels
from deepdream.films.frame import Frame
from deepdream.films.reel import Reel, part_folder, part_length
from deepdream.films.source import open_source
from deepdream.images import to_uint8
from deepdream.recipe import read_recipe

pytest.importorskip("av")

SIZE = (18, 26)
RECIPE = {"deepdream": "0.1", "command": "film"}
NAMES = ["out.mp4", "out.webm", "out.mkv", "out.gif", "out.png", "out.webp"]


def dreamt(number: int) -> np.ndarray:
    """Return what stands for a dreamt frame: float32, with fractions and beyond 0..255."""
    noise = np.random.RandomState(number).normal(0, 40, (*SIZE, 3))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return (noise + (128 + 4 * x - 3 * y + number)[..., np.newaxis]).astype(np.float32)


def open_reel(path: Path, **changes: Any) -> Reel:
    """Open a reel of `dreamt` frames."""
    how: dict[str, Any] = {"size": SIZE, "rate": 25, "recipe": RECIPE, "settings": {"iter_n": 3}}
    return Reel(path, **{**how, **changes})


def work(reel: Reel, until: int) -> None:
    """Add frames until there are so many, each with a state that depends on all before."""
    for number in range(reel.done, until):
        before = 0.0 if reel.state is None else float(reel.state["sum"][1, 2])
        state = {"sum": np.full((2, 3), before + number), "last": number, "words": {"a": [1, None]}}
        reel.add(Frame(dreamt(number), Fraction(number, 25), number), state)


def finish(reel: Reel, count: int) -> None:
    """Add frames until there are so many, and make the film."""
    work(reel, count)
    reel.finish()


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts have five frames."""
    monkeypatch.setattr(reels, "_MOST_FRAMES", 5)
    monkeypatch.setattr(reels, "_LEAST_FRAMES", 5)


@pytest.mark.usefixtures("short_parts")
@pytest.mark.parametrize("name", NAMES)
def test_interrupted_anywhere_the_film_is_the_same(tmp_path: Path, name: str) -> None:
    """Byte for byte, wherever it stopped; frames and state are those that were given."""
    with open_reel(tmp_path / name) as reel:
        work(reel, 13)
        reel.finish()
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()

    for stop in (1, 4, 5, 6, 10, 13):
        with open_reel(tmp_path / name) as reel:
            work(reel, stop)
            assert reel.done == stop
        with open_reel(tmp_path / name) as reel:
            assert reel.done == stop
            assert reel.state is not None
            assert reel.state["last"] == stop - 1
            assert reel.state["words"] == {"a": [1, None]}
            np.testing.assert_array_equal(reel.state["sum"], np.full((2, 3), sum(range(stop))))

    with open_reel(tmp_path / name) as reel:
        reel.finish()
    assert (tmp_path / name).read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert read_recipe(tmp_path / name) == RECIPE
    assert open_source(tmp_path / name).count == 13


CHILD = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
import test_film_reel as t
reel = t.open_reel(Path({path!r}))
for number in range(reel.done + 1, 121):
    t.work(reel, number)
    print(number, flush=True)
time.sleep(60)  # on a busy machine the kill may come late
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.png"])
def test_killed_and_gone_on_with(tmp_path: Path, name: str) -> None:
    """A process ended by SIGKILL while it writes: every frame that it had told of is there."""
    path = tmp_path / name
    count = 130
    with open_reel(tmp_path / f"whole-{name}") as reel:
        work(reel, count)
        reel.finish()
    code = CHILD.format(
        tests=str(Path(__file__).parent), root=str(Path(__file__).parents[1]), path=str(path)
    )

    done = 0
    for target in (3, 50, 97):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        late = threading.Timer(300, child.kill)  # ends what is read below
        late.start()
        assert child.stdout is not None
        told = done
        while told < target:
            line = child.stdout.readline()
            assert line, f"it ended after {told} frames"
            told = int(line)
        time.sleep(0.003 * target % 0.02)
        child.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in child.stdout.read().split())])
        child.wait(60)
        child.stdout.close()
        late.cancel()
        with open_reel(path) as reel:
            assert told <= reel.done <= told + 1
            done = reel.done
    with open_reel(path) as reel:
        assert done < count
        work(reel, count)
        reel.finish()

    assert path.read_bytes() == (tmp_path / f"whole-{name}").read_bytes()


@pytest.mark.usefixtures("short_parts")
@pytest.mark.parametrize("fails", ["frame", "state", "part", "join"])
def test_a_full_disk_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """The error names the film; with room again it goes on to the same bytes."""
    with open_reel(tmp_path / "whole.mp4") as reel:
        work(reel, 9)
        reel.finish()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "out.mp4"
    reel = open_reel(path)
    work(reel, 4)
    with monkeypatch.context() as patch:
        if fails == "frame":
            patch.setattr(reels, "_write_picture", full)
        elif fails == "state":
            patch.setattr(np, "savez", full)
        elif fails == "part":
            from deepdream.films.target_film import _EncodedPart

            patch.setattr(_EncodedPart, "close", full)
        else:
            from deepdream.films.target_film import Film

            patch.setattr(Film, "join", full)
        with pytest.raises(WriteError, match=r"'.*out\.mp4.*' cannot be written: No space left"):
            finish(reel, 9)
        done = reel.done
        reel.close()
    assert not path.exists()
    expected = {"frame": [4], "state": [4], "part": range(5, 10), "join": [9]}
    assert done in expected[fails]

    with open_reel(path) as reel:
        assert reel.done == done
        work(reel, 9)
        reel.finish()
    assert path.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.skipif(not hasattr(os, "setrlimit") and os.name == "nt", reason="needs Unix's limits")
def test_a_real_limit_on_files(tmp_path: Path) -> None:
    """Where no file may grow beyond some kilobytes, the finishing fails and nothing is lost."""
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, "
        f"{str(Path(__file__).parents[1])!r}]\n"
        "import resource, signal\n"
        "from pathlib import Path\n"
        "import test_film_reel as t\n"
        "from deepdream.errors import WriteError\n"
        f"reel = t.open_reel(Path({str(tmp_path / 'out.mkv')!r}))\n"
        "t.work(reel, 60)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "try:\n    reel.finish()\nexcept WriteError as error:\n    print(error)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "out.mkv' cannot be written: File too large" in done.stdout
    assert not (tmp_path / "out.mkv").exists()
    with open_reel(tmp_path / "out.mkv") as reel:
        assert reel.done == 60
        reel.finish()
    assert open_source(tmp_path / "out.mkv").count == 60


def test_other_settings_are_named(tmp_path: Path) -> None:
    """Before any work, with what differs; the folder stays as it is."""
    path = tmp_path / "out.mp4"
    settings = {"iter_n": 3, "parameters": {"end": "a", "pair": (1, 2)}}
    with open_reel(path, settings=settings) as reel:
        work(reel, 2)

    with pytest.raises(ParameterError) as caught:
        open_reel(path, settings={"iter_n": 4, "parameters": {"end": "b", "pair": (1, 2)}, "x": 1})
    assert str(caught.value) == (
        f"'{path}.part' holds the beginning of this film, made with iter_n 3, not 4; "
        "parameters end a, not b; x none, not 1.\n"
        "Go on with the same settings, or delete that folder to start anew."
    )
    for changes, told in (
        ({"quality": "best"}, "quality good, not best"),
        ({"size": (18, 28)}, "size 26x18, not 28x18"),
        ({"rate": 30}, "rate 25, not 30"),
    ):
        with pytest.raises(ParameterError, match=told):
            open_reel(path, settings=settings, **changes)
    with open_reel(path, settings=settings) as reel:
        assert reel.done == 2


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two that write one film would spoil it."""
    pytest.importorskip("fcntl")
    with (
        open_reel(tmp_path / "out.mp4"),
        pytest.raises(ParameterError, match="another process is working in"),
    ):
        open_reel(tmp_path / "out.mp4")
    open_reel(tmp_path / "out.mp4").close()


@pytest.mark.usefixtures("short_parts")
def test_what_is_there_plays(tmp_path: Path) -> None:
    """The list names files that are films, with all frames; those of the last are pictures, too."""
    with open_reel(tmp_path / "out.mp4") as reel:
        work(reel, 13)
    folder = part_folder(tmp_path / "out.mp4")

    lines = (folder / "film.m3u").read_text().splitlines()

    assert lines == ["#EXTM3U", "0000.mkv", "0001.mkv", "open-0002.mkv"]
    assert [open_source(folder / line).count for line in lines[1:]] == [5, 5, 3]
    frames = sorted(folder.glob("frame-*"))
    assert len(frames) == 3
    with Image.open(frames[1]) as image:
        np.testing.assert_array_equal(np.asarray(image), to_uint8(dreamt(11)))


@pytest.mark.usefixtures("short_parts")
def test_damage_is_named(tmp_path: Path) -> None:
    """A file that somebody has deleted or broken is said, not guessed at."""
    path = tmp_path / "out.mp4"
    with open_reel(path) as reel:
        work(reel, 8)
    folder = part_folder(path)
    lost = (folder / "frame-000006.ppm").read_bytes()

    (folder / "frame-000006.ppm").unlink()
    with pytest.raises(FilmError, match=r"is damaged: there is no 'frame-000006\.ppm'"):
        open_reel(path)
    (folder / "frame-000006.ppm").write_bytes(lost)
    (folder / "state.npz").write_bytes(b"x")
    with pytest.raises(FilmError, match=r"state\.npz' cannot be read"):
        open_reel(path)
    (folder / "reel.json").write_text("{")
    with pytest.raises(FilmError, match=r"reel\.json' cannot be read"):
        open_reel(path)


def test_frames_in_order_and_size(tmp_path: Path) -> None:
    """Anything else is an error, and costs nothing."""
    with open_reel(tmp_path / "out.mp4") as reel:
        with pytest.raises(FilmError, match="frame 1 was given, and 0 is expected"):
            reel.add(Frame(dreamt(1), Fraction(1, 25), 1))
        with pytest.raises(FilmError, match=r"frame 0 has the shape \(2, 3, 3\)"):
            reel.add(Frame(np.zeros((2, 3, 3), np.float32), Fraction(0), 0))
        with pytest.raises(FilmError, match="would have no frames"):
            reel.finish()


def test_encoding_errors_come_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the thread beside meets is raised where frames are added."""
    from deepdream.films.target_film import _EncodedPart

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("here")

    monkeypatch.setattr(_EncodedPart, "add", fail)
    with open_reel(tmp_path / "out.mp4") as reel, pytest.raises(ZeroDivisionError, match="here"):
        work(reel, 9)


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: each frame replaces a file, which disks wait for."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_ten_thousand_frames(quick_folder: Path) -> None:
    """Memory and files stay few."""
    import psutil

    tmp_path = quick_folder
    size = (16, 24)
    process = psutil.Process()
    frames = [np.full((*size, 3), level, np.float32) for level in range(0, 250, 5)]
    used, files = [], []
    with Reel(tmp_path / "out.mkv", size=size, rate=25, quality="small") as reel:
        for number in range(10_000):
            reel.add(Frame(frames[number % 50], Fraction(number, 25), number), {"n": number})
            if number % 1000 == 999:
                used.append(process.memory_info().rss)
                files.append(len([*reel.folder.glob("frame-*")]))
        reel.finish()

    assert max(files) <= 2 * part_length(size)
    assert used[-1] - used[1] < 12 << 20
    assert open_source(tmp_path / "out.mkv").count == 10_000


def test_names_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts lie in a folder of that name, too."""
    monkeypatch.chdir(tmp_path)

    with open_reel(Path("a:b.mp4")) as reel:
        work(reel, 3)
        reel.finish()

    assert open_source("a:b.mp4").count == 3


def test_a_folder_of_frames(tmp_path: Path) -> None:
    """Frames are in their place when they are done."""
    with open_reel(tmp_path / "out") as reel:
        work(reel, 3)
    assert len([*(tmp_path / "out").glob("*.png")]) == 3
    with open_reel(tmp_path / "out") as reel:
        work(reel, 5)
        reel.finish()

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[-1] == "0004.png"
    assert read_recipe(tmp_path / "out" / "0003.png") == {**RECIPE, "frame": 3}


def test_sound_and_uneven_times(tmp_path: Path) -> None:
    """They come through parts and joining."""
    ticks = [0, 1, 2, 6, 7, 9, 14, 15]
    make_film(
        tmp_path / "in.mp4", 8, ticks=ticks, time_base=Fraction(1, 25), sound="aac", seconds=0.8
    )
    source = open_source(tmp_path / "in.mp4")
    how = {"size": source.size, "rate": source.rate, "variable": True, "sound": source.sound}

    for first in (0, 3):
        with Reel(tmp_path / "out.mp4", **how) as reel:  # type: ignore[arg-type]
            for frame in source.frames(reel.done):
                reel.add(frame)
                if not first and frame.number == 2:
                    break
            if first:
                reel.finish()

    out = open_source(tmp_path / "out.mp4")
    assert [frame.time for frame in out.frames()] == [Fraction(tick, 25) for tick in ticks]
    assert [number_of(frame.pixels) for frame in out.frames()] == list(range(8))
    assert packets_of(tmp_path / "out.mp4") == packets_of(tmp_path / "in.mp4")


def test_a_later_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that this version does not understand is refused."""
    with monkeypatch.context() as patch:
        patch.setattr(reels, "_FORMAT", 99)
        open_reel(tmp_path / "out.mp4").close()
    with pytest.raises(DeepDreamError, match="was begun by deepdream .*: update it"):
        open_reel(tmp_path / "out.mp4")
