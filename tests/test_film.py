"""Films from end to end, on a small net."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage as nd
from as_typed import as_typed
from PIL import Image
from tiny import SMOOTH, write_tiny

from deepdream.cli import main
from deepdream.dreaming.pictures.noise import noise
from deepdream.errors import ParameterError
from deepdream.films.again import rerun_film
from deepdream.films.camera import Move, motion_of
from deepdream.films.film import Filming, Stopped, film
from deepdream.films.flow import moved
from deepdream.films.script import random_of
from deepdream.films.shots import as_still
from deepdream.films.source import open_source
from deepdream.images import load_image, save_image
from deepdream.models.load import load_net
from deepdream.recipe import read_recipe

pytest.importorskip("cv2")
av = pytest.importorskip("av")

W, H = 70, 54
QUICK: dict[str, Any] = {"end": "a/output", "octave_n": 2, "iter_n": 1, "first": 3, "seed": 5,
                         "jitter": 3}  # fmt: skip


@pytest.fixture(scope="module")
def net(tmp_path_factory: Any) -> Any:
    """Return a net that nothing tips."""
    prototxt, weights = write_tiny(tmp_path_factory.mktemp("net"), text=SMOOTH)
    return load_net(prototxt, weights, mean=(104, 117, 123))


def texture(h: int = H + 60, w: int = W + 60, seed: int = 0) -> np.ndarray:
    """Return (h, w, 3) float32 of structures of a few pixels, whole levels."""
    noise = np.random.RandomState(seed).standard_normal((h, w, 3))
    rough = nd.gaussian_filter(noise, (2, 2, 0))
    return np.rint(np.clip(128 + 50 * rough / rough.std(), 0, 255)).astype(np.float32)


def panned(count: int = 5, seed: int = 0, step: int = 2) -> list[np.ndarray]:
    """Return frames of a camera that goes right."""
    whole = texture(seed=seed)
    return [whole[20 : 20 + H, step * t : step * t + W] for t in range(count)]


def frames_in(folder: Path) -> list[np.ndarray]:
    """Return the pictures of a folder."""
    return [np.asarray(load_image(path)) for path in sorted(folder.glob("*.png"))]


def bytes_in(folder: Path) -> list[bytes]:
    """Return the files of a folder."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


# -- what a frame is dreamt on ----------------------------------------------------------------


def test_frames_go_on_from_the_ones_before(tmp_path: Path, net: Any) -> None:
    """A film is steadier than its frames dreamt each by itself, by more than half."""
    frames = panned(6)
    film(net, frames, tmp_path / "steady", **QUICK)
    film(net, frames, tmp_path / "each", **QUICK, carry=0)

    back = np.zeros((H, W, 2), np.float32)
    back[..., 0] = 2

    def unsteadiness(folder: str) -> float:
        details = [d - f for d, f in zip(frames_in(tmp_path / folder), frames)]
        pairs = zip(details[2:], details[3:])
        return float(np.mean([np.abs(b - moved(a, back))[:, :-2].mean() for a, b in pairs]))

    assert unsteadiness("steady") < 0.5 * unsteadiness("each")


def test_a_cut_begins_anew(tmp_path: Path, net: Any) -> None:
    """The first frame after a cut is dreamt as a film's first one."""
    frames = [*panned(2), *panned(3, seed=9)]
    film(net, frames, tmp_path / "film", **QUICK)

    from deepdream.dreaming.dream import dream

    own = {name: QUICK[name] for name in ("end", "octave_n", "jitter")}
    alone = dream(net, frames[2], iter_n=3, seed=random_of(5, 2), **own)
    np.testing.assert_allclose(frames_in(tmp_path / "film")[2], alone, atol=0.51)


def test_frames_have_random_numbers_of_their_own() -> None:
    """They follow from the seed and the number, and differ."""
    draws = [random_of(seed, n).randint(1 << 30) for seed in (1, 2) for n in (0, 1, 2)]

    assert len(set(draws)) == 6
    assert draws[1] == random_of(1, 1).randint(1 << 30)


def test_colours_and_strength_are_the_frames(tmp_path: Path, net: Any) -> None:
    """What is carried is the whole dream, what is seen so much of it."""
    frames = panned(4)
    film(net, frames, tmp_path / "whole", **QUICK)
    film(net, frames, tmp_path / "half", **QUICK, strength=0.5)

    wholes, halves = frames_in(tmp_path / "whole"), frames_in(tmp_path / "half")
    assert len(wholes) == len(halves) == 4
    for frame, whole, half in zip(frames, wholes, halves):
        np.testing.assert_allclose(half, frame + 0.5 * (whole - frame), atol=1.01)
    film(net, frames, tmp_path / "none", **QUICK, strength=0)
    np.testing.assert_array_equal(frames_in(tmp_path / "none"), frames)


def test_steps_show_what_will_be_seen(tmp_path: Path, net: Any) -> None:
    """The picture of a frame's last step is the frame, also where the film shows half of it."""
    last: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    with Filming(net, panned(3), tmp_path / "o", **QUICK, strength=0.5) as making:

        def on_step(step: Any) -> None:
            last[making.done] = step.picture, step.sample(3)

        made = [np.asarray(picture) for picture in making.frames(on_step)]

    assert len(made) == 3
    for number, picture in enumerate(made):
        np.testing.assert_allclose(last[number][0], picture, atol=1e-3)
        np.testing.assert_allclose(last[number][1], picture[::3, ::3], atol=1e-3)


def test_a_mask_leaves_the_frames_bytes(tmp_path: Path, net: Any) -> None:
    """Where it is black each frame is as it came."""
    frames = panned(4)
    mask = np.zeros((H, W), np.float32)
    mask[:, : W // 2] = 1

    film(net, frames, tmp_path / "film", **QUICK, mask=mask)

    dreams = frames_in(tmp_path / "film")
    assert len(dreams) == 4
    for frame, made in zip(frames, dreams):
        np.testing.assert_array_equal(made[:, W // 2 :], frame[:, W // 2 :])
        assert np.abs(made - frame)[:, : W // 2].mean() > 0.5


def test_frames_may_come_from_an_iterator(tmp_path: Path, net: Any, capsys: Any) -> None:
    """Whose end nobody knows: the same film, and a bar for each frame."""
    film(net, panned(3), tmp_path / "list", **QUICK)

    film(net, iter(panned(3)), tmp_path / "iterator", **QUICK, progress=True)

    assert bytes_in(tmp_path / "iterator") == bytes_in(tmp_path / "list")
    assert "%" in capsys.readouterr().err


# -- stills -----------------------------------------------------------------------------------


def test_a_still_becomes_a_film(tmp_path: Path, net: Any) -> None:
    """As many frames as are asked for, of the size that is asked for."""
    save_image(texture(60, 90), tmp_path / "still.png")

    made = film(net, tmp_path / "still.png", tmp_path / "z.mp4", **QUICK, frames=7, size="60x",
                zoom=0.04, turn=2, ease=0.3)  # fmt: skip

    assert made == tmp_path / "z.mp4"
    source = open_source(made)
    assert (source.count, source.size, source.rate) == (7, (40, 60), 25)


def test_a_loop_ends_where_it_began(tmp_path: Path, net: Any) -> None:
    """What would follow the last frame is the first one, much more than without."""
    options = {**QUICK, "frames": 12, "zoom": 0.05}
    apart, step = {}, 0.0
    for name, loop in (("loop", True), ("line", False)):
        film(net, texture(H, W), tmp_path / name, **options, loop=loop)
        frames = frames_in(tmp_path / name)
        motion = motion_of(Move(zoom=0.05).map((H, W)), (H, W))
        follows = moved(frames[-1], motion.back)
        apart[name] = np.abs(follows - frames[0])[4:-4, 4:-4].mean()
        step = np.abs(moved(frames[5], motion.back) - frames[6])[4:-4, 4:-4].mean()

    assert apart["line"] > 5 * step
    assert apart["loop"] < 1.6 * step  # no more than from any frame to the next


def test_moves_are_for_stills_and_times_for_films(tmp_path: Path, net: Any) -> None:
    """The other way round it is an error that says so."""
    for name, value in (("zoom", 0.1), ("loop", True), ("ease", 0.1), ("shift", (1, 0))):
        with pytest.raises(ParameterError, match=f"{name}.*: for still pictures"):
            film(net, panned(), tmp_path / "o", **QUICK, **{name: value})
    for name, value in (("start", 1), ("until", "0:01"), ("every", 2)):
        with pytest.raises(ParameterError, match=f"{name}: for films"):
            film(net, panned()[0], tmp_path / "o", **QUICK, **{name: value})
    assert not list(tmp_path.iterdir())


def test_what_is_a_still(tmp_path: Path) -> None:
    """A file with one picture, an array of one; not an animation, a folder, or a list."""
    one, more = tmp_path / "one.png", tmp_path / "more.gif"
    save_image(texture(30, 40), one)
    shown = [Image.fromarray(p.astype(np.uint8)) for p in panned(2)]
    shown[0].save(more, save_all=True, append_images=shown[1:])

    for still in (one, str(one), shown[0], texture(30, 40), texture(30, 40)[..., 0]):
        found = as_still(still)
        assert found is not None
        assert found.ndim == 3
    for other in (more, tmp_path, panned(2), np.stack(panned(2)), iter(panned(2)), "missing.png"):
        assert as_still(other) is None


# -- keyframes --------------------------------------------------------------------------------


def test_keyframes_change_parameters(tmp_path: Path, net: Any) -> None:
    """Strength from none to all: the first frame is the film's, the last one the dream's."""
    keys = tmp_path / "keys.csv"
    keys.write_text("frame,strength\n0,0\n3,1\n")
    frames = panned(5)
    film(net, frames, tmp_path / "whole", **QUICK)

    film(net, frames, tmp_path / "keyed", **QUICK, keyframes=keys)

    whole, keyed = frames_in(tmp_path / "whole"), frames_in(tmp_path / "keyed")
    np.testing.assert_array_equal(keyed[0], frames[0])
    np.testing.assert_allclose(keyed[1], frames[1] + (whole[1] - frames[1]) / 3, atol=1.01)
    np.testing.assert_array_equal(keyed[4], whole[4])


def test_keyframes_move_the_camera(tmp_path: Path, net: Any) -> None:
    """A camera that stands, then goes: the first views are alike, the last are not."""
    rows = [{"frame": 2, "shift": [0.0, 0.0], "ease": "hold"}, {"frame": 3, "shift": [9.0, 0.0]}]
    film(net, texture(H, W), tmp_path / "k", **QUICK, frames=5, keyframes=rows, strength=0)

    frames = frames_in(tmp_path / "k")
    np.testing.assert_array_equal(frames[0], frames[2])
    assert np.abs(frames[2] - frames[3]).mean() > 5
    np.testing.assert_array_equal(frames[3][:, :-9], frames[2][:, 9:])


# -- long work --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 3])
def test_what_was_interrupted_goes_on_to_the_same_bytes(tmp_path: Path, net: Any, at: int) -> None:
    """Stopped in the middle of any frame, a film and a folder end as they would have."""
    for name in ("o.mp4", "o"):
        whole, broken = tmp_path / f"whole-{name}", tmp_path / f"broken-{name}"
        film(net, panned(), whole, **QUICK)
        seen = []

        def on_step(step: Any, seen: list = seen) -> bool:
            seen.append(step.octave)
            return seen.count(0) <= (0, 3, 5)[(0, 1, 3).index(at)]

        assert film(net, panned(), broken, **QUICK, on_step=on_step) is None
        film(net, panned(), broken, **QUICK)
        if whole.is_dir():
            assert bytes_in(broken) == bytes_in(whole)
        else:
            assert broken.read_bytes() == whole.read_bytes()
        assert not list(tmp_path.glob("*.part"))


def test_ctrl_c_keeps_what_was_made(tmp_path: Path, net: Any) -> None:
    """It says how many frames are safe, and where."""
    count = 0

    def interrupted(step: Any) -> None:
        nonlocal count
        count += step.octave == 0
        if count == 5:  # three steps of the first frame, one of the second
            raise KeyboardInterrupt

    with pytest.raises(Stopped, match=r"2 frames are safe in '.*o\.mp4\.part'"):
        film(net, panned(), tmp_path / "o.mp4", **QUICK, on_step=interrupted)
    with Filming(net, panned(), tmp_path / "o.mp4", **QUICK) as making:
        assert (making.begun, making.count) == (2, 5)


def test_a_new_seed_is_kept_for_going_on(tmp_path: Path, net: Any) -> None:
    """Without a seed the one that was drawn is used again."""
    quick = {**QUICK, "seed": None}
    with Filming(net, panned(), tmp_path / "o.mp4", **quick) as making:
        drawn = making.seed
        next(making.frames())
    with Filming(net, panned(), tmp_path / "o.mp4", **quick) as making:
        assert making.seed == drawn
        assert making.begun == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 6}, "seed 5, not 6"),
        ({"carry": 0.5}, "carry 0.92, not 0.5"),
        ({"step_size": 2.5}, "step_size 1.5, not 2.5"),
        ({"flow": "farneback"}, "flow dis, not farneback"),
        ({"first": 4}, "first iter_n 3, not 4"),
        ({"mask": np.eye(H, W)}, "mask none, not"),
        ({"keyframes": [{"frame": 0, "strength": 1}]}, "keyframes none"),
    ],
    ids=str,
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, net: Any, change: dict, said: str
) -> None:
    """Before any work it is told what differs; another film, too."""
    with Filming(net, panned(), tmp_path / "o.mp4", **QUICK) as making:
        next(making.frames())

    with pytest.raises(ParameterError, match=f"made with {said}"):
        Filming(net, panned(), tmp_path / "o.mp4", **{**QUICK, **change})
    with pytest.raises(ParameterError, match="made with source"):
        Filming(net, panned(seed=3), tmp_path / "o.mp4", **QUICK)


@pytest.mark.parametrize("name", ["zoom.avi", "zoom.MTS"])
def test_a_zoom_of_another_films_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """It is told which films can be written, and nothing is made."""
    arguments = ["zoom", *command(tmp_path, tmp_path / name)[1:]]
    zoom = arguments.index("--zoom")
    before = sorted(tmp_path.iterdir())

    assert main([*arguments[:zoom], *arguments[zoom + 2 :]]) == 2

    assert "a film is written as .mp4" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_guides_are_told_apart_by_their_pixels(tmp_path: Path, net: Any) -> None:
    """Arrays have no names, and a file's picture that was changed is an array."""
    save_image(texture(40, 50), tmp_path / "guide.png")
    guide = load_image(tmp_path / "guide.png")
    with Filming(net, panned(), tmp_path / "o.mp4", guide=255 - guide, **QUICK) as making:
        next(making.frames())

    for other in (guide, np.asarray(guide) / 2):
        with pytest.raises(ParameterError, match="made with guide"):
            Filming(net, panned(), tmp_path / "o.mp4", guide=other, **QUICK)
    with Filming(net, panned(), tmp_path / "o.mp4", guide=255 - guide, **QUICK) as making:
        assert making.begun == 1
        for _ in making.frames():
            pass
        making.finish()
    assert read_recipe(tmp_path / "o.mp4")["guide"].startswith("an array of sha256 ")


def command(tmp_path: Path, out: Path) -> list[str]:
    """Return the arguments of a film of a still with the small net."""
    prototxt, weights = write_tiny(tmp_path, text=SMOOTH)
    save_image(texture(60, 80), tmp_path / "still.png")
    return ["film", str(tmp_path / "still.png"), "-o", str(out), "--model", str(prototxt),
            "--weights", str(weights), "--mean", "104,117,123", "--end", "a/output",
            "--octave-n", "2", "--iter-n", "1", "--first", "3", "--frames", "25", "--zoom", "0.03",
            "--seed", "4"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="these signals are Unix's")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "ctrl-c"])
def test_a_process_that_was_ended_is_gone_on_with(tmp_path: Path, by: signal.Signals) -> None:
    """The film is the same, byte for byte; after Ctrl-C a line says how it goes on."""
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    assert main(command(tmp_path, whole)) == 0
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        as_typed(sys.executable, "-m", "deepdream", *command(tmp_path, broken)),
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    part = tmp_path / "broken.mp4.part"
    deadline = time.monotonic() + 60
    while not (part / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(by)
    try:
        said, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert part.is_dir()
    assert not broken.exists()
    if by == signal.SIGINT:
        assert process.returncode == 130
        assert f"of 25 frames are safe in {part}; the same command goes on there" in said

    assert main(command(tmp_path, broken)) == 0

    assert broken.read_bytes() == whole.read_bytes()
    assert not part.exists()


# -- files ------------------------------------------------------------------------------------


def write_film(path: Path, frames: list[np.ndarray], times: list[int], sound: bool) -> None:
    """Write a film whose frames are shown at so many thirtieths of a second."""
    # The index in front: what is left of a film that is cut off can be read.
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream("libx264", 30, options={"g": "1"})
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        if sound:
            track = out.add_stream("aac", 44100)
        for pixels, tick in zip(frames, times):
            frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound:
            tone = np.sin(np.arange(22050) / 20).astype(np.float32)[None]
            voice = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            voice.sample_rate, voice.pts = 44100, 0
            out.mux(track.encode(voice))
            out.mux(track.encode(None))


def packets(path: Path) -> list[bytes]:
    """Return the sound's packets."""
    with av.open(str(path)) as film:
        return [bytes(p) for p in film.demux(film.streams.audio[0]) if p.size]


def test_sound_and_uneven_times_go_through(tmp_path: Path, net: Any) -> None:
    """Frames are shown when they were, and the sound is the same, byte for byte."""
    times = [0, 1, 2, 5, 8, 9]
    write_film(tmp_path / "in.mp4", panned(6), times, sound=True)

    film(net, tmp_path / "in.mp4", tmp_path / "out.mp4", **QUICK)

    shown = [frame.time for frame in open_source(tmp_path / "out.mp4").frames()]
    np.testing.assert_allclose([float(t) for t in shown], [t / 30 for t in times], atol=2e-3)
    assert packets(tmp_path / "out.mp4") == packets(tmp_path / "in.mp4")


def test_what_could_be_read_of_a_damaged_film_is_dreamt_on(tmp_path: Path, net: Any) -> None:
    """A film that was cut off becomes a shorter one, with a warning."""
    path = tmp_path / "in.mp4"
    write_film(path, panned(9), [*range(9)], sound=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])

    with pytest.warns(UserWarning, match="cut off"):
        film(net, path, tmp_path / "o", **QUICK)

    assert 2 <= len(frames_in(tmp_path / "o")) < 9


def test_a_part_of_a_film_is_taken(tmp_path: Path, net: Any) -> None:
    """From a time until another, each second frame."""
    write_film(tmp_path / "in.mp4", panned(6), [0, 3, 6, 9, 12, 15], sound=False)

    film(net, tmp_path / "in.mp4", tmp_path / "o", **QUICK, start=0.1, until="0.45", every=2)

    assert len(frames_in(tmp_path / "o")) == 2


# -- the command ------------------------------------------------------------------------------


def test_the_command_makes_a_film_with_its_recipe(tmp_path: Path, capsys: Any) -> None:
    """One line says what was written; the recipe tells everything."""
    out = tmp_path / "o.mp4"
    given = command(tmp_path, out)
    given[given.index("25")] = "4"

    assert main([*given, "--turn", "1", "--loop"]) == 0

    assert capsys.readouterr().out.startswith(f"wrote {out} (80x60, 4 frames, ")
    capsys.readouterr()
    assert main(["show", str(out), "--json"]) == 0
    recipe = json.loads(capsys.readouterr().out)
    assert recipe["command"] == "film"
    assert recipe["seed"] == 4
    assert recipe["film"]["zoom"] == 0.03
    assert recipe["film"]["loop"] is True
    assert recipe["input"]["file"] == "still.png"
    assert recipe["parameters"]["iter_n"] == 1
    assert recipe["first"] == {"iter_n": 3}


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_is_made_again_from_its_recipe(tmp_path: Path, capsys: Any, suffix: str) -> None:
    """The same, byte for byte; with a change it is another, and says so."""
    out, again = tmp_path / f"o{suffix}", tmp_path / f"again{suffix}"
    given = command(tmp_path, out)
    given[given.index("25")] = "4"
    keys = tmp_path / "keys.csv"
    keys.write_text("frame,strength,end:a/output,end:pool1\n0,0.5,1,0\n3,1,0.5,1\n")
    at = given.index("--end")
    given[at : at + 2] = ["--keyframes", str(keys)]
    assert main([*given, "--turn", "1", "--loop", "--style", "bold"]) == 0
    model = given[given.index("--model") : given.index("--model") + 4]
    capsys.readouterr()

    assert main(["rerun", str(out), "-o", str(again), *model]) == 0

    assert "byte for byte" in capsys.readouterr().out
    assert again.read_bytes() == out.read_bytes()
    assert main(["rerun", str(out), "-o", str(again), *model, "--seed", "9"]) == 0
    assert again.read_bytes() != out.read_bytes()


CHANGES: dict[str, Any] = {
    "iter_n": 2, "octave_n": 1, "octave_scale": 1.2, "octave_min": 10, "step_size": 2.5,
    "jitter": 7, "clip": False, "smooth": 2.0, "normalize": "mean", "bands": 2, "border": "edge",
    "keep_colors": False, "strength": 0.4, "blur": 0.5, "tv": 0.1, "l2": 0.01, "rotate": 5.0,
    "rescale": 0.1, "flip": True, "end": "pool1", "carry": 0.5, "first": 2, "fps": 10,
    "size": "40x", "frames": 2, "seed": 77, "zoom": 0.1, "turn": 2.0,
    "shift": (1.0, 2.0), "ease": 0.2, "loop": True, "keyframes": [{"frame": 0, "strength": 0.3}],
}  # fmt: skip


@pytest.mark.slow
def test_a_film_made_again_with_a_change_is_the_one_made_with_it(tmp_path: Path, net: Any) -> None:
    """Whatever is changed: the bytes, and so the recipe, are those of a film made so at once."""
    save_image(texture(H, W), tmp_path / "still.png")
    how = {"end": "a/output", "octave_n": 2, "octave_min": 20, "seed": 5, "style": "bold",
           "frames": 3, "zoom": 0.02, "progress": False}  # fmt: skip
    film(net, tmp_path / "still.png", tmp_path / "first.gif", **how)
    for name, value in CHANGES.items():
        film(net, tmp_path / "still.png", tmp_path / "direct.gif", **{**how, name: value})

        rerun_film(tmp_path / "first.gif", tmp_path / "again.gif", net=net, **{name: value})

        again = (tmp_path / "again.gif").read_bytes()
        assert again == (tmp_path / "direct.gif").read_bytes(), name
        assert again != (tmp_path / "first.gif").read_bytes(), name


@pytest.mark.parametrize(
    "how",
    [
        {"fps": Fraction(24000, 1001)}, {"start": Fraction(1, 30)}, {"every": np.int64(2)},
        {"frames": np.int64(2)}, {"carry": np.float32(0.5)}, {"quality": np.int64(20)},
        {"keyframes": [{"time": Fraction(1, 30), "strength": np.float32(0.5)}]},
        {"keyframes": [{"frame": np.int64(1), "carry": np.float64(0.5)}]},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_of_any_type(tmp_path: Path, net: Any, how: dict[str, Any]) -> None:
    """Fractions and NumPy's are written down, and read again: the film is made again from them."""
    write_film(tmp_path / "in.mp4", panned(4), [0, 1, 2, 3], sound=False)
    film(net, tmp_path / "in.mp4", tmp_path / "o.mp4", **{**QUICK, **how})

    rerun_film(tmp_path / "o.mp4", tmp_path / "again.mp4", net=net)

    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "o.mp4").read_bytes()


def test_a_film_of_noise_is_made_again(tmp_path: Path, net: Any) -> None:
    """Of as strong noise."""
    picture = noise(H, W, 3, strength=40)
    film(net, picture, tmp_path / "o.gif", **QUICK, frames=2, zoom=0.02)

    rerun_film(tmp_path / "o.gif", tmp_path / "again.gif", net=net)

    assert (tmp_path / "again.gif").read_bytes() == (tmp_path / "o.gif").read_bytes()


def test_another_width_is_refused_by_its_name(tmp_path: Path, net: Any) -> None:
    """A film has a size."""
    film(net, noise(H, W, 3), tmp_path / "o.gif", **QUICK, frames=2)
    with pytest.raises(ParameterError, match="^width is a picture's: a film has size="):
        rerun_film(tmp_path / "o.gif", tmp_path / "again.gif", net=net, width=640)


def test_zoom_writes_films(tmp_path: Path, capsys: Any) -> None:
    """`zoom -o zoom.gif` is a film, `-o frames` a folder; flags of films belong to films."""
    given = ["zoom", *command(tmp_path, tmp_path / "zoom.gif")[1:]]
    at = given.index("--zoom")
    given[at : at + 2] = ["--scale", "0.05"]
    given[given.index("25")] = "3"

    assert main(given) == 0

    assert open_source(tmp_path / "zoom.gif").count == 3
    capsys.readouterr()
    given[given.index(str(tmp_path / "zoom.gif"))] = str(tmp_path / "frames")
    assert main([*given, "--turn", "2"]) == 2
    assert "--turn is for films" in capsys.readouterr().err


def test_an_end_that_is_a_time_is_no_layer(tmp_path: Path, capsys: Any) -> None:
    """On the command line, too."""
    write_film(tmp_path / "in.mp4", panned(4), [0, 30, 60, 90], sound=False)
    given = command(tmp_path, tmp_path / "o.mp4")
    given[1] = str(tmp_path / "in.mp4")
    for flag in ("--zoom", "--frames"):
        at = given.index(flag)
        del given[at : at + 2]

    assert main([*given, "--end", "0:02"]) == 0

    assert open_source(tmp_path / "o.mp4").count == 2
