"""Films on a cluster of real processes: the same bytes, whoever made which frames, and who died."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from film_files import make_film
from test_film import QUICK, H, W, panned, write_film
from tiny import SMOOTH, write_tiny

from deepdream.cli import main
from deepdream.errors import EngineError, FilmError, ParameterError
from deepdream.films import elsewhere
from deepdream.films.film import Filming, film
from deepdream.films.flow import grey, motion_between
from deepdream.films.sharing import Piece, pieces
from deepdream.films.shots import Mark
from deepdream.films.source import open_source
from deepdream.images import save_image
from deepdream.jobs import connect
from deepdream.models.load import load_net

distributed = pytest.importorskip("distributed")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("av")
pytestmark = pytest.mark.filterwarnings("default")  # Dask's own


@pytest.fixture(scope="module")
def files(tmp_path_factory: Any) -> tuple[Path, Path]:
    """Return the files of a small net."""
    return write_tiny(tmp_path_factory.mktemp("net"), text=SMOOTH)


@pytest.fixture(scope="module")
def net(files: tuple[Path, Path]) -> Any:
    """Return that net."""
    return load_net(*files, mean=(104, 117, 123))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Yield a scheduler and two workers of one thread each."""
    with connect._environment_kept(), connect._local(2, 1) as made:
        yield made


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    """Yield a client of them."""
    with distributed.Client(cluster, set_as_default=False) as made:
        made.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of three frames: scenes of a test are short."""
    monkeypatch.setattr(elsewhere, "piece_length", lambda size: 3)


@pytest.fixture
def behind_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all other scenes be made before the first one is begun."""
    usual = elsewhere._Pieces._next

    def late(self: Any) -> Piece | None:
        if not self._found or self._reel.done:
            return usual(self) if self._reel.done else None
        if len(self._scenes) > 1:
            return self._scenes.pop()
        made = sum(self._reel.ahead.values())
        return usual(self) if made >= sum(p.count for p in self.given.values()) else None

    monkeypatch.setattr(elsewhere._Pieces, "_next", late)


def scenes(*lengths: int) -> list[np.ndarray]:
    """Return frames of scenes that have nothing in common."""
    return [frame for seed, count in enumerate(lengths) for frame in panned(count, seed=seed)]


def clip(path: Path, *lengths: int) -> Path:
    """Return a film of such scenes."""
    return make_film(path, [np.uint8(frame) for frame in scenes(*lengths)])


# -- which frames can be made side by side --------------------------------------------------------


def marks(text: str) -> list[Mark]:
    """Return marks: ``|`` begins a scene, ``0`` has nothing carried to it, ``-`` goes on."""
    return [Mark(n, letter in "|0", letter == "0") for n, letter in enumerate(text)]


def test_pieces_of_a_film() -> None:
    """Scenes are cut into pieces that go on from each other, single frames put together."""
    found = [*pieces(marks("|----|-|000-|"), {}, 3, 2)]

    assert [(p.first, p.count) for p in found] == [
        (0, 3), (3, 2), (5, 2), (7, 1), (8, 2), (10, 2), (12, 1)
    ]  # fmt: skip
    assert [p.begins for p in found] == [True, False, True, True, True, True, True]
    assert [p.goes_on for p in found] == [True, False, False, False, False, False, True]
    there = [*pieces(marks("|----|-|----"), {2: 3, 5: 1, 9: 2}, 3, 2)]
    assert there == [
        Piece(0, 2, True, True), Piece(6, 1, False, False), Piece(7, 2, True, True),
        Piece(11, 1, False, True),
    ]  # fmt: skip


def test_motion_is_the_same_on_any_number_of_processors() -> None:
    """Or a worker with others would dream another film."""
    before, now = (grey(frame) for frame in panned(2))
    threads = cv2.getNumThreads()
    found = set()
    try:
        for count in (1, 2, 3, 8):
            cv2.setNumThreads(count)
            motion = motion_between(before, now)
            found.add(motion.back.tobytes() + motion.kept.tobytes())
    finally:
        cv2.setNumThreads(threads)
    assert len(found) == 1


# -- the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"carry": 0},
        {"size": (48, 36), "every": 2, "strength": 0.7, "keep_colors": True, "flow": "none"},
        {"mask": np.eye(H, W) + np.eye(H, W, 9), "guide": panned(1, seed=40)[0]},
        {"keyframes": [{"frame": 3, "carry": 0.9}, {"frame": 7, "carry": 0}, {"frame": 9}]},
    ],
    ids=["scenes", "by themselves", "sizes", "mask and guide", "keyframes"],
)
@pytest.mark.usefixtures("short")
def test_a_film_on_a_cluster_is_the_one_made_here(
    tmp_path: Path, net: Any, client: Any, how: dict[str, Any]
) -> None:
    """Its file is sent to the workers."""
    source = clip(tmp_path / "in.mp4", 5, 2, 4)
    film(net, source, tmp_path / "here.mp4", **QUICK, **how)

    film(net, source, tmp_path / "there.mp4", **QUICK, **how, cluster=client)

    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.usefixtures("short")
def test_a_folder_that_all_see(tmp_path: Path, net: Any, client: Any, monkeypatch: Any) -> None:
    """Workers read the film there, and write frames into the folder of the film in the making."""
    times = [0, 1, 2, 5, 8, 9, 11]
    write_film(tmp_path / "in.mp4", scenes(3, 4), times, sound=True)
    film(net, tmp_path / "in.mp4", tmp_path / "here.mp4", **QUICK)
    came = []
    monkeypatch.setattr(elsewhere.Made, "write", lambda made, path: came.append(made.data))

    film(net, tmp_path / "in.mp4", tmp_path / "there.mp4", **QUICK, cluster=client,
         shared=str(tmp_path))  # fmt: skip

    assert came == [None] * 3
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.usefixtures("short")
def test_frames_that_lie_in_no_file_are_sent(tmp_path: Path, net: Any, client: Any) -> None:
    """Of a list, with fractions of levels, and of a folder of pictures."""
    frames = [frame + np.float32(0.3) for frame in scenes(4, 3)]
    folder = tmp_path / "in"
    folder.mkdir()
    for number, frame in enumerate(frames):
        save_image(frame, folder / f"{number}.png")
    for name, source in (("list", frames), ("folder", folder)):
        film(net, source, tmp_path / f"{name}.gif", **QUICK)
        film(net, source, tmp_path / f"{name}-there.gif", **QUICK, cluster=client)

        there = (tmp_path / f"{name}-there.gif").read_bytes()
        assert there == (tmp_path / f"{name}.gif").read_bytes()


def test_stills_by_themselves(tmp_path: Path, net: Any, client: Any) -> None:
    """A camera's frames to which nothing is carried need no other."""
    still = panned(1)[0]
    how = {**QUICK, "carry": 0, "frames": 7, "zoom": 0.03, "ease": 0.3}
    film(net, still, tmp_path / "here.gif", **how)

    film(net, still, tmp_path / "there.gif", **how, cluster=client)

    assert (tmp_path / "there.gif").read_bytes() == (tmp_path / "here.gif").read_bytes()


def test_a_film_that_is_cut_off(tmp_path: Path, net: Any, client: Any) -> None:
    """What can be read is the film, and the note is the same."""
    path = tmp_path / "in.mp4"
    write_film(path, panned(9), [*range(9)], sound=False)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    for name, how in (("here", {}), ("there", {"cluster": client})):
        with pytest.warns(UserWarning, match="cut off"):
            film(net, path, tmp_path / f"{name}.mp4", **QUICK, carry=0, **how)

    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


# -- what is made waits, and is gone on with ------------------------------------------------------


@pytest.mark.usefixtures("short")
def test_begun_alone_and_gone_on_with(tmp_path: Path, net: Any, client: Any) -> None:
    """In the middle of a scene, by a cluster."""
    source = clip(tmp_path / "in.mp4", 6, 4)
    film(net, source, tmp_path / "here.mp4", **QUICK)
    with Filming(net, source, tmp_path / "there.mp4", **QUICK) as making:
        made = making.frames()
        next(made), next(made)

    film(net, source, tmp_path / "there.mp4", **QUICK, cluster=client)

    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.usefixtures("short", "behind_first")
@pytest.mark.parametrize("again", [False, True], ids=["alone", "on a cluster"])
def test_begun_on_a_cluster_and_gone_on_with(
    tmp_path: Path, net: Any, client: Any, again: bool
) -> None:
    """Frames of later scenes are kept, and not dreamt again."""
    source = clip(tmp_path / "in.mp4", 8, 3, 3)
    film(net, source, tmp_path / "here.mp4", **QUICK)
    with Filming(net, source, tmp_path / "there.mp4", **QUICK) as making:
        made = making.frames_elsewhere(client)
        assert next(made) == 3
        made.close()
        assert (making.done, making.ahead) == (3, 6)
    assert not client.futures

    dreamt = []
    with Filming(net, source, tmp_path / "there.mp4", **QUICK) as making:
        assert (making.begun, making.ahead) == (3, 6)
        if again:
            for _ in making.frames_elsewhere(client):
                pass
        else:
            dreamt = [*making.frames()]
        making.finish()

    assert again or len(dreamt) == 14 - 3 - 6
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.usefixtures("short")
def test_no_more_waits_than_there_is_room_for(
    tmp_path: Path, net: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames in front go before scenes that would have to wait."""
    monkeypatch.setattr(elsewhere, "_WAITING", 2 * 3 * H * W)
    source = clip(tmp_path / "in.mp4", 9, 2, 2, 2, 2, 2)
    film(net, source, tmp_path / "here.mp4", **QUICK)
    most = 0

    with Filming(net, source, tmp_path / "there.mp4", **QUICK) as making:
        for _ in making.frames_elsewhere(client):
            most = max(most, making.ahead)
        making.finish()

    # Two frames, and what was given out when there was still room.
    assert most <= 2 + 2 * 5
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.usefixtures("short", "behind_first")
def test_a_film_that_is_to_end_before_what_waits(tmp_path: Path, net: Any, client: Any) -> None:
    """Frames behind its end are dropped; a file that cannot be read is named."""
    source = clip(tmp_path / "in.mp4", 8, 3, 3)
    film(net, source, tmp_path / "here.mp4", **QUICK, frames=12)
    with Filming(net, source, tmp_path / "there.mp4", **QUICK) as making:
        made = making.frames_elsewhere(client)
        next(made)
        made.close()

    (damaged,) = (tmp_path / "there.mp4.part").glob("ahead-*8-3.npz")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-100])
    with pytest.raises(FilmError, match=r"ahead-000008-3.npz' cannot be read"):
        film(net, source, tmp_path / "there.mp4", **QUICK, frames=12)
    damaged.write_bytes(whole)
    film(net, source, tmp_path / "there.mp4", **QUICK, frames=12)

    there = open_source(tmp_path / "there.mp4")
    assert there.count == 12
    for one, other in zip(there.frames(), open_source(tmp_path / "here.mp4").frames()):
        np.testing.assert_array_equal(one.pixels, other.pixels)


# -- what cannot be shared out --------------------------------------------------------------------


def test_what_is_not_shared_out_is_told(tmp_path: Path, net: Any, client: Any) -> None:
    """And made all the same."""
    still = {**QUICK, "frames": 3, "zoom": 0.03}
    with pytest.warns(UserWarning, match="follows from the one before.* made here"):
        film(net, panned(1)[0], tmp_path / "still.gif", **still, cluster=client)
    with pytest.warns(UserWarning, match="come one by one"):
        film(net, iter(panned(3)), tmp_path / "iterator.gif", **QUICK, cluster=client)
    with pytest.warns(UserWarning, match="one scene.* one worker"):
        film(net, panned(3), tmp_path / "scene.gif", **QUICK, cluster=client)
    film(net, panned(1)[0], tmp_path / "still-here.gif", **still)
    film(net, panned(3), tmp_path / "here.gif", **QUICK)

    assert (tmp_path / "still.gif").read_bytes() == (tmp_path / "still-here.gif").read_bytes()
    assert (tmp_path / "scene.gif").read_bytes() == (tmp_path / "here.gif").read_bytes()
    assert (tmp_path / "iterator.gif").is_file()


def test_what_does_not_go_with_a_cluster(tmp_path: Path, net: Any, client: Any) -> None:
    """A function that is called at each step, here; a folder without machines."""
    with pytest.raises(ParameterError, match="on_step and cluster"):
        film(net, panned(2), tmp_path / "o.gif", **QUICK, cluster=client, on_step=print)
    with pytest.raises(ParameterError, match="shared is given without cluster"):
        film(net, panned(2), tmp_path / "o.gif", **QUICK, shared=str(tmp_path))


def test_a_film_too_large_to_send(
    tmp_path: Path, net: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do."""
    monkeypatch.setattr(elsewhere, "_LARGEST", 100)
    with pytest.raises(ParameterError, match="put it into a folder that all machines see"):
        film(net, clip(tmp_path / "in.mp4", 2), tmp_path / "o.mp4", **QUICK, cluster=client)


def test_a_worker_that_would_make_another_film_is_refused(
    tmp_path: Path, net: Any, client: Any
) -> None:
    """By name: one with another OpenCV, which may find another motion. The others do its work."""
    first, second = client.scheduler_info()["workers"]
    source = clip(tmp_path / "in.mp4", 3, 3)
    film(net, source, tmp_path / "here.mp4", **QUICK)

    def become(version: str) -> None:
        import cv2

        cv2.__version__ = version

    try:
        client.run(become, "3.1.4", workers=[first])
        with pytest.warns(UserWarning, match=f"{first} gets no work: it has OpenCV 3.1.4"):
            film(net, source, tmp_path / "there.mp4", **QUICK, carry=0, cluster=client)
        client.run(become, "3.1.4", workers=[second])
        with pytest.raises(EngineError, match="No worker at"):
            film(net, source, tmp_path / "none.mp4", **QUICK, cluster=client)
    finally:
        client.run(become, cv2.__version__)

    film(net, source, tmp_path / "none.mp4", **QUICK, cluster=client)
    assert (tmp_path / "none.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


# -- the command, and processes that die ----------------------------------------------------------


def command(files: tuple[Path, Path], source: Path, out: Path, iter_n: int = 1) -> list[str]:
    """Return the arguments of a film with the small net."""
    return ["film", str(source), "-o", str(out), "--model", str(files[0]), "--weights",
            str(files[1]), "--mean", "104,117,123", "--end", "a/output", "--octave-n", "2",
            "--iter-n", str(iter_n), "--first", str(2 * iter_n), "--seed", "4"]  # fmt: skip


def test_the_command(tmp_path: Path, files: Any, cluster: Any, capsys: Any) -> None:
    """`--cluster`; the film is that of the command without."""
    source = clip(tmp_path / "in.mp4", 3, 3)
    assert main(command(files, source, tmp_path / "here.mp4")) == 0
    where = ["--cluster", cluster.scheduler_address, "--shared", str(tmp_path)]

    assert main([*command(files, source, tmp_path / "there.mp4"), *where]) == 0

    assert "6 frames" in capsys.readouterr().out
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_workers_that_are_killed(tmp_path: Path, net: Any, client: Any) -> None:
    """Whatever dies, all frames are made, and the film is that of an undisturbed run."""
    how = {**QUICK, "iter_n": 20, "first": 40}
    source = clip(tmp_path / "in.mp4", 6, 6, 6, 6)
    film(net, source, tmp_path / "here.mp4", **how)
    killed: list[int] = []
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.2) and len(killed) < 2:
            with contextlib.suppress(Exception):
                pids = [pid for _, pid in sorted(client.run(os.getpid).items())]
                pid = pids[len(killed) % len(pids)]
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        film(net, source, tmp_path / "there.mp4", **how, cluster=client)
    except EngineError as error:
        if len(killed) < 2 or "has ended 2 workers" not in str(error):
            raise
        # Both have met the same frames, which are taken for the reason.
        film(net, source, tmp_path / "there.mp4", **how, cluster=client)
    finally:
        done.set()
        killer.join(60)

    assert killed
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_frame_that_ends_its_workers(tmp_path: Path, net: Any, client: Any) -> None:
    """It is reported after two, all that can be made is kept, and the film goes on without them."""
    white = [np.full((H, W, 3), 255, np.uint8)] * 2
    frames = [np.uint8(frame) for frame in scenes(4, 5, 3)]
    source = make_film(tmp_path / "in.mp4", [*frames[:4], *white, *frames[4:]])
    counted, here = tmp_path / "count", os.getpid()

    def objective(dst: Any) -> None:
        if os.getpid() != here and dst.data.std(axis=(1, 2)).max() > 1.8:  # white
            with counted.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        dst.diff[...] = dst.data

    how = {**QUICK, "objective": objective, "border": "reflect"}
    film(net, source, tmp_path / "here.mp4", **how)

    # From white to the next scene is no cut.
    with pytest.raises(EngineError, match=r"frames 4 to 6: it has ended 2 workers.*\n.* kept in"):
        film(net, source, tmp_path / "there.mp4", **how, cluster=client)

    assert counted.read_text() == "xx"
    with Filming(net, source, tmp_path / "there.mp4", **how) as making:
        assert (making.begun, making.ahead) == (4, 3)
    film(net, source, tmp_path / "there.mp4", **how)
    assert (tmp_path / "there.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


def test_a_frame_that_nobody_can_dream_on(tmp_path: Path, net: Any, client: Any) -> None:
    """Another machine could not, either: the film ends there at once, and what is safe stays."""

    def objective(dst: Any) -> None:
        raise ValueError("no such dream")

    with pytest.raises(FilmError, match="frames 0 to 1: ValueError: no such dream"):
        film(net, panned(2), tmp_path / "o.mp4", **QUICK, objective=objective, cluster=client)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_ctrl_c_keeps_what_is_made(tmp_path: Path, files: Any) -> None:
    """As a terminal sends it, to all processes; without a cluster the film goes on."""
    source = clip(tmp_path / "in.mp4", 4, 4, 4, 4)
    here, there = tmp_path / "here.mp4", tmp_path / "there.mp4"
    assert main(command(files, source, here, 20)) == 0
    root = Path(__file__).resolve().parents[1]
    run = subprocess.Popen(
        [sys.executable, "-m", "deepdream", *command(files, source, there, 20), "--cluster",
         "local:2"],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    part = tmp_path / "there.mp4.part"
    deadline = time.monotonic() + 120
    while not (part / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=60)

    assert run.returncode == 130, said
    assert f"are safe in {part}; the same command goes on there" in said
    assert "Traceback" not in said
    assert main(command(files, source, there, 20)) == 0
    assert there.read_bytes() == here.read_bytes()
