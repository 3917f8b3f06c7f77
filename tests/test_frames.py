"""The zoom loop, in memory and in a folder."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage as nd
from fakes import FakeNet

from deepdream.dreaming import frames
from deepdream.dreaming.dream import dream
from deepdream.dreaming.dream2015 import deepdream, next_frame
from deepdream.dreaming.frames import enlarge, write_zoom, zoom
from deepdream.dreaming.styles import Style
from deepdream.errors import ParameterError
from deepdream.images import load_image
from deepdream.picture import Picture


class NamedNet(FakeNet):
    name = "fake"


def picture(h=22, w=34):
    return np.random.RandomState(5).uniform(0, 255, (h, w, 3)).astype(np.float32)


FEW = {"end": "top", "iter_n": 1, "octave_n": 2}


def test_zoom_is_the_notebooks_loop():
    """Dream, enlarge by an affine transform, dream again, with one random stream.

    Its offset is not the notebook's: the middle stays in the middle.
    """
    np.random.seed(4)
    frame, expected = picture(), []
    h, w = frame.shape[:2]
    for _ in range(3):
        frame = deepdream(NamedNet(), frame, **FEW)
        expected.append(frame)
        frame = nd.affine_transform(
            frame, [0.95, 0.95, 1], [0.05 * (h - 1) / 2, 0.05 * (w - 1) / 2, 0], order=1
        )

    made_frames = list(zoom(NamedNet(), picture(), frames=3, seed=4, **FEW))

    assert len(made_frames) == 3
    for made, wanted in zip(made_frames, expected):
        np.testing.assert_allclose(made, wanted, atol=1e-2)


def test_zoom_yields_as_it_goes():
    """The first frame comes before the others are made."""
    net = NamedNet()
    first = next(zoom(net, picture(), frames=100, **FEW))

    assert first.shape == (22, 34, 3)
    assert len(net.seen) == 2


def test_zoom_ends_where_on_step_says_so():
    """on_step returning False ends the loop without the unfinished frame."""
    steps = itertools.count()

    made = list(zoom(NamedNet(), picture(), on_step=lambda s: next(steps) < 3, **FEW))

    assert len(made) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 0}, "frames is 0"),
        ({"scale": 1}, "scale is 1"),
        ({"scale": -0.1}, "scale is"),
        ({"iterations": 5}, "no parameter 'iterations'. Did you mean 'iter_n'"),
        ({"first": {"stepsize": 2}}, "no parameter 'stepsize'. Did you mean 'step_size'"),
    ],
)
def test_impossible_values_are_refused_at_the_call(wrong, message):
    """frames and scale are checked before anything runs."""
    with pytest.raises(ParameterError, match=message):
        zoom(NamedNet(), picture(), **wrong)


def test_an_interrupted_folder_goes_on_as_if_nothing_had_happened(tmp_path):
    """Two runs with a stop between them write the frames of one run, bit for bit."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for path, _ in write_zoom(NamedNet(), picture(), whole, frames=4, seed=6, **FEW):
        assert path.exists()
    assert len(list(write_zoom(NamedNet(), picture(), parts, frames=2, seed=6, **FEW))) == 2

    rest = [path.name for path, _ in write_zoom(NamedNet(), picture(), parts, frames=4, **FEW)]

    assert rest == ["0002.png", "0003.png"]
    for number in range(4):
        name = f"{number:04d}.png"
        np.testing.assert_array_equal(load_image(parts / name), load_image(whole / name))


def test_a_folder_with_a_seed_of_numpys_goes_on(tmp_path):
    """Whole numbers are often NumPy's; a state that is random is none that a folder could keep."""
    for count in (1, 2):
        made = list(write_zoom(NamedNet(), picture(), tmp_path, frames=count, seed=np.int64(3),
                               **FEW))  # fmt: skip
        assert len(made) == 1
    with pytest.raises(ParameterError, match="a whole number, which the folder can keep"):
        next(write_zoom(NamedNet(), picture(), tmp_path, seed=np.random.RandomState(1), **FEW))


def test_ctrl_c_keeps_the_frames_before_it(tmp_path):
    """The unfinished frame leaves no file, and the next run makes it."""
    steps = itertools.count()

    def press(step):
        if next(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_zoom(NamedNet(), picture(), tmp_path, frames=3, seed=6, on_step=press, **FEW))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.png", "zoom.npz"]
    assert len(list(write_zoom(NamedNet(), picture(), tmp_path, frames=3, **FEW))) == 2


def test_a_folder_of_another_zoom_is_not_mixed_with(tmp_path):
    """Other parameters, another seed or another picture are refused, and say what differs."""
    list(write_zoom(NamedNet(), picture(), tmp_path, frames=1, seed=6, **FEW))

    for change, message in (
        ({"scale": 0.1}, "scale 0.05, not 0.1"),
        ({"seed": 7}, "seed 6, not 7"),
        ({"iter_n": 3}, "iter_n 1, not 3"),
    ):
        with pytest.raises(ParameterError, match=message):
            list(write_zoom(NamedNet(), picture(), tmp_path, frames=2, **{**FEW, **change}))
    with pytest.raises(ParameterError, match="picture"):
        list(write_zoom(NamedNet(), picture() / 2, tmp_path, frames=2, **FEW))


def test_a_folder_of_another_mean_is_not_mixed_with(tmp_path, monkeypatch):
    """Nor of other weights; folders of earlier versions, which do not tell, go on."""

    class Known(NamedNet):
        def __init__(self, mean, weights):
            super().__init__()
            self.transformer.mean = {"data": np.float32(mean).reshape(3, 1, 1)}
            self.weights_path = tmp_path / weights

    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    # Places': in the last channel, behind many digits, they may differ alone.
    mean, folder = [105.417, 113.753, 116.047], tmp_path / "frames"
    list(write_zoom(Known(mean, "one"), picture(), folder, frames=1, seed=6, **FEW))

    for net, message in (
        (Known([105.417, 113.753, 20], "one"), r"mean \[105.4\d+, 113.7\d+, 116.0\d+\], not"),
        (Known(mean, "two"), r"weights of sha256 6b86\w{8}\.\.\., not d473\w{8}\.\.\.:"),
    ):
        with pytest.raises(ParameterError, match=message):
            list(write_zoom(net, picture(), folder, frames=2, **FEW))
    assert len(list(write_zoom(Known(mean, "one"), picture(), folder, frames=2, **FEW))) == 1
    with monkeypatch.context() as earlier:
        earlier.setattr(frames, "_OF_THE_NET", {})
        list(write_zoom(Known(mean, "one"), picture(), tmp_path / "old", frames=1, seed=6, **FEW))
    assert len(list(write_zoom(Known(mean, "one"), picture(), tmp_path / "old", frames=2, **FEW)))


def test_a_zoom_goes_on_with_other_memory(tmp_path):
    """What changes no picture may differ between two runs; the default precision has no name."""
    list(write_zoom(NamedNet(), picture(), tmp_path, frames=1, seed=6, **FEW))
    more = {**FEW, "max_memory": "1G", "precision": "float32"}

    assert len(list(write_zoom(NamedNet(), picture(), tmp_path, frames=2, **more))) == 1
    with pytest.raises(ParameterError, match="precision as in the notebook, not tf32"):
        list(write_zoom(NamedNet(), picture(), tmp_path, frames=3, **{**FEW, "precision": "tf32"}))


def test_a_folder_of_foreign_frames_is_not_written_over(tmp_path):
    """Frames without a state file are somebody's; they stay."""
    (tmp_path / "0000.jpg").write_bytes(b"somebody's")

    with pytest.raises(ParameterError, match="choose another folder"):
        list(write_zoom(NamedNet(), picture(), tmp_path, frames=1, **FEW))
    assert frames.last_frame(tmp_path) is None
    for content in (b"damaged", b""):
        (tmp_path / "zoom.npz").write_bytes(content)
        with pytest.raises(ParameterError, match=r"zoom.npz' cannot be read"):
            list(write_zoom(NamedNet(), picture(), tmp_path, frames=1, **FEW))


def styled():
    """Return a style with more steps in the first frame, and a net that takes it."""
    return Style("quick", "for a test", {"iter_n": (4, 2), "step_size": 2.0}, again={"iter_n": 1})


def test_frames_after_the_first_go_on_with_fewer_steps():
    """As the style says; a keyword counts for all, `first` for the first alone."""
    net = NamedNet()

    def steps(**more):
        taken = []
        for frame in zoom(net, picture(), 3, seed=1, end="top", octave_n=2,
                          on_step=lambda step: taken.append(step.size), **more):  # fmt: skip
            yield len(taken), frame.recipe
            taken.clear()

    assert [n for n, _ in steps(style=styled())] == [6, 2, 2]
    assert [n for n, _ in steps(style=styled(), iter_n=3)] == [6, 6, 6]
    assert [n for n, _ in steps(style=styled(), iter_n=3, first=5)] == [10, 6, 6]
    assert [n for n, _ in steps(style="2015", iter_n=2)] == [4, 4, 4]
    firsts = [recipe.get("first") for _, recipe in steps(style=styled())]
    assert firsts == [None, {"iter_n": (4, 2)}, {"iter_n": (4, 2)}]


def test_a_styled_zoom_goes_on_as_if_nothing_had_happened(tmp_path):
    """The frame after an interruption is no first one, and its recipe tells what the first had."""
    how = {"end": "top", "octave_n": 2, "style": styled(), "seed": 6}
    whole = [made for _, made in write_zoom(NamedNet(), picture(), tmp_path / "a", frames=3, **how)]
    list(write_zoom(NamedNet(), picture(), tmp_path / "b", frames=1, **how))
    rest = [made for _, made in write_zoom(NamedNet(), picture(), tmp_path / "b", frames=3, **how)]

    assert len(rest) == 2
    for one, other in zip(whole[1:], rest):
        np.testing.assert_array_equal(one, other)
        assert one.recipe == other.recipe
    with pytest.raises(ParameterError, match="first iter_n"):
        list(write_zoom(NamedNet(), picture(), tmp_path / "b", frames=4, first=7, **how))


def sampled(frame, rows, columns):
    """Return a picture at these rows and columns, by the four pixels around each."""
    made = np.empty(frame.shape, np.float64)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            top, left = int(y), int(x)
            below, right = y - top, x - left
            bottom, side = min(top + 1, len(frame) - 1), min(left + 1, frame.shape[1] - 1)
            upper = frame[top, left] * (1 - right) + frame[top, side] * right
            lower = frame[bottom, left] * (1 - right) + frame[bottom, side] * right
            made[i, j] = upper * (1 - below) + lower * below
    return made


def test_the_notebooks_frame_of_2015():
    """SciPy's documentation: before 0.18 pixel o was taken from matrix * (o + offset)."""
    frame, s = np.float64(picture()), 0.05
    h, w = frame.shape[:2]
    rows = [(1 - s) * (i + h * s / 2) for i in range(h)]
    columns = [(1 - s) * (j + w * s / 2) for j in range(w)]

    np.testing.assert_allclose(next_frame(frame, s), sampled(frame, rows, columns), atol=1e-9)
    today = nd.affine_transform(frame, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)
    assert np.abs(today - next_frame(frame, s)).max() > 1
    # The two lie this many pixels apart: at 1024 pixels 1.3 a frame.
    assert 1024 * s / 2 * s == pytest.approx(1.28)


@pytest.mark.parametrize("size", [(21, 34), (22, 33), (1, 9)])
def test_the_middle_of_a_zoom_stays_where_it_is(size):
    """Between the first and the last pixel of each axis, also after many frames."""
    h, w = size
    ramp = np.zeros((h, w, 3), np.float32)
    ramp[..., 0], ramp[..., 1] = np.arange(h)[:, None], np.arange(w)
    frame = Picture(ramp)
    for _ in range(30):
        frame = enlarge(frame, 0.05)

    middle = np.asarray(frame).reshape(-1, 3).mean(0)
    np.testing.assert_allclose(middle, [(h - 1) / 2, (w - 1) / 2, 0], atol=1e-4)
    rows = [0.05 * (h - 1) / 2 + 0.95 * i for i in range(h)]
    columns = [0.05 * (w - 1) / 2 + 0.95 * j for j in range(w)]
    np.testing.assert_allclose(
        enlarge(Picture(ramp), 0.05), sampled(ramp, rows, columns), atol=1e-4
    )


def test_a_zoom_as_of_2015(tmp_path):
    """`write_zoom` makes it, too, and does not go on with another one."""
    made = [frame for _, frame in write_zoom(
        NamedNet(), picture(), tmp_path, frames=2, seed=4, as_2015=True, **FEW
    )]  # fmt: skip
    rng = np.random.RandomState(4)
    first = dream(NamedNet(), picture(), seed=rng, **FEW)
    second = dream(NamedNet(), next_frame(np.asarray(first)), seed=rng, **FEW)

    np.testing.assert_array_equal(made[1], second)
    with pytest.raises(ParameterError, match="made with middle as in 2015, not kept"):
        list(write_zoom(NamedNet(), picture(), tmp_path, frames=3, seed=4, **FEW))
