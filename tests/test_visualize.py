"""What a term wants to see: steps in waves, sheets, pictures that are unlike each other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT
from scipy import ndimage
from tiny import SMOOTH, TINY, tiny_net, write_tiny

import deepdream
from deepdream import objectives as o
from deepdream.cli import main
from deepdream.dreaming import visualize
from deepdream.dreaming.ascent.spectrum import Spectrum
from deepdream.dreaming.dream2015 import guide_features
from deepdream.dreaming.objectives.apart import Apart, gram
from deepdream.dreaming.pictures.operations import Operations
from deepdream.dreaming.visualize import caption, diverse, each_of
from deepdream.errors import ParameterError, ShapeError, UnknownLabelError
from deepdream.galleries.seen import see_each
from deepdream.galleries.sheet import sheet_of
from deepdream.images import to_uint8
from deepdream.models.load import load_graph
from deepdream.picture import resized

SIZE = (34, 45)  # height and width


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def transformer() -> Any:
    return SimpleNamespace(mean={"data": np.float32([104, 117, 123])[:, None, None]})


@pytest.fixture
def net() -> Any:
    """Return a net of 11 classes whose fully connected layer takes 29x37 only, uncast."""
    net = tiny_net(param_diffs=False)
    net.transformer = transformer()
    return net


# -- the waves -----------------------------------------------------------------------------------


def cosines_by_hand(x: np.ndarray) -> np.ndarray:
    """Return the orthonormal DCT-II along two axes, term by term."""
    for axis in (0, 1):
        n = x.shape[axis]
        k, i = np.arange(n)[:, None], np.arange(n)[None, :]
        basis = np.cos(np.pi * k * (i + 0.5) / n) * np.sqrt(np.where(k == 0, 1, 2) / n)
        x = np.moveaxis(np.tensordot(basis, x, (1, axis)), 0, axis)
    return x


def operations(kind: str) -> Operations:
    if kind == "numpy":
        return Operations()
    torch = pytest.importorskip("torch")
    from deepdream.dreaming.pictures.tensors import Tensors

    return Tensors(torch.device("cpu"))


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_cosines_are_those_of_the_formula(kind: str) -> None:
    ops, x = operations(kind), noise(7, 10, 3)
    waves = ops.cosines(ops.array(x))

    np.testing.assert_allclose(ops.numpy(waves), cosines_by_hand(x), atol=2e-6)
    np.testing.assert_allclose(ops.numpy(ops.pixels(waves)), x, atol=2e-6)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_first_step_moves_every_number_alike(kind: str) -> None:
    """Adam's first move is the sign: the root of the mean square is 1, whatever the gradient."""
    ops, g = operations(kind), noise(*SIZE, 3)

    d = ops.numpy(Spectrum(ops, SIZE).direction(ops.array(g)))
    other = ops.numpy(Spectrum(ops, SIZE).direction(ops.array(1000 * g)))

    assert d.shape == (*SIZE, 3)
    assert d.dtype == np.float32
    assert np.sqrt((d**2).mean()) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(other, d, atol=1e-3)
    assert (d * g).sum() > 0  # uphill


def test_steps_are_adams_on_the_strengths_of_waves() -> None:
    """Three steps by hand: a picture is a sum of waves, and their factors move by Adam's rule."""
    ops, spectrum = Operations(), Spectrum(Operations(), SIZE)
    strengths, colors = np.float64(spectrum._strengths), np.float64(spectrum._colors)
    mean = square = 0.0
    for step in range(1, 4):
        g = noise(*SIZE, 3, seed=step)
        at_factors = cosines_by_hand(g @ colors.T) * strengths  # the chain rule
        mean = 0.9 * mean + 0.1 * at_factors
        square = 0.999 * square + 0.001 * at_factors**2
        squares = square / (1 - 0.999**step)
        move = mean / (1 - 0.9**step) / np.sqrt(squares + 1e-8 * squares.mean())
        expected = ops.pixels(move * strengths) @ colors

        np.testing.assert_allclose(spectrum.direction(g), expected, atol=2e-4)


def test_long_waves_and_lightness_are_stronger() -> None:
    d = Spectrum(Operations(), (64, 80)).direction(noise(64, 80, 3))
    light, blue_red = d.sum(2), d[..., 2] - d[..., 0]

    coarse = ndimage.gaussian_filter(light, 3)
    assert coarse.std() > 0.5 * light.std()  # of white noise it would be a tenth
    assert blue_red.std() < light.std()


def test_contrast_is_kept_at_a_photographs_or_the_pictures_own() -> None:
    """Around the picture's mean; what has less stays as it is."""
    for start, kept in ((4, 48), (70, 70)):
        spectrum, n = Spectrum(Operations(), SIZE), noise(*SIZE, 3)
        spectrum.limit(20 + start * n / n.std())
        grown = 20 + 90 * (n - n.mean()) / n.std()
        limited = spectrum.limit(grown)

        assert limited.std() == pytest.approx(kept, rel=1e-3)
        assert limited.mean() == pytest.approx(20, abs=1e-3)
        np.testing.assert_allclose((limited - 20) / kept, (grown - 20) / 90, atol=1e-3)
        small = 20 + 30 * n / n.std()
        assert spectrum.limit(small) is small


def test_colors_are_orthonormal() -> None:
    colors = np.float64(Spectrum(Operations(), (5, 6))._colors)

    np.testing.assert_allclose(colors @ colors.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(colors[1:].sum(1), 0, atol=1e-6)  # contrasts leave grey alone


@pytest.mark.parametrize("border", ["roll", "reflect"])
def test_a_dream_in_waves_is_repeatable(net: Any, border: str) -> None:
    img = 127 + 9 * noise(61, 73, 3)
    how: dict[str, Any] = {
        "end": "a/output", "normalize": "spectrum", "iter_n": 3, "octave_n": 2, "rotate": 5,
        "border": border,
    }  # fmt: skip
    one, again, other = (deepdream.dream(net, img, seed=s, **how) for s in (1, 1, 2))

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.recipe["parameters"]["normalize"] == "spectrum"


def test_a_dream_in_waves_by_pytorch() -> None:
    """The same as by NumPy, to rounding, on a net in which nothing tips."""
    pytest.importorskip("torch")
    img, made = 127 + 9 * noise(61, 73, 3), []
    for device in ("cpu", "torch"):
        net: Any = tiny_net(text=SMOOTH, param_diffs=False)
        net.transformer = transformer()
        net.move(device)
        made.append(
            deepdream.dream(
                net,
                img,
                "a/output",
                normalize="spectrum",
                iter_n=3,
                octave_n=2,
                border="reflect",
                rotate=4,
                seed=1,
            )  # fmt: skip
        )

    assert np.abs(made[0] - img).mean() > 1
    np.testing.assert_allclose(made[1], made[0], atol=2e-3)


# -- visualize -----------------------------------------------------------------------------------


def small(**more: Any) -> dict[str, Any]:
    return {"size": (45, 34), "iter_n": 4, "octave_n": 1, **more}


def test_a_class_grows(net: Any) -> None:
    """Its number before the softmax is larger than in the noise, and than other classes' pictures'.

    The picture is larger than the net takes, and the classes are looked at in several places.
    """
    from deepdream.running.casting import cast

    made = [deepdream.visualize(net, o.label(c), **small(iter_n=12)) for c in (3, 7)]
    answers = [guide_features(cast(net), picture, "fc").reshape(11, -1).mean(1) for picture in made]

    assert made[0].shape == (34, 45, 3)
    assert answers[0][3] > answers[1][3]
    assert answers[1][7] > answers[0][7]


def test_what_a_class_is_not(net: Any) -> None:
    how = small(iter_n=12)
    more, less = (deepdream.visualize(net, f"class:3*{w}", **how) for w in (2, -1))

    assert np.array_equal(more, deepdream.visualize(net, o.label(3), **how))
    assert np.array_equal(less, deepdream.visualize(net, -o.label(3), **how))
    assert not np.array_equal(more, less)


def test_it_is_a_dream_of_faint_noise(net: Any) -> None:
    made = deepdream.visualize(net, "a/output:3", seed=5, **small())
    start = deepdream.noise(34, 45, 5, 4.0)
    same = deepdream.dream(
        net, start, objective=o.channel("a/output", 3), style="seen", seed=5, iter_n=4, octave_n=1
    )

    assert np.array_equal(made, same)
    assert made.recipe["input"] == {"noise": 5, "size": [45, 34], "strength": 4.0}
    assert made.recipe["style"] == "seen"


def test_it_can_be_made_again(tmp_path: Path) -> None:
    prototxt, weights = write_tiny(tmp_path)
    net = deepdream.load_net(prototxt, weights, mean=(104, 117, 123), device="cpu")
    made = deepdream.visualize(net, o.label(4), seed=2, **small())
    deepdream.save_image(made, tmp_path / "class.png")

    again = deepdream.rerun(tmp_path / "class.png", net=net)

    assert np.array_equal(again, made)


@pytest.mark.parametrize(
    ("objective", "how", "message"),
    [
        (o.label(11), {}, "there is no class 11"),
        ("class:hen", {}, "names of the 11 classes .* are not known"),
        ("class:", {}, "'class:' without a name"),
        ("nowhere", {}, "nowhere"),
        (13, {}, "objective is 13: terms"),
        ("a/output", {"size": 0}, "size is 0: pixels, or width and height"),
        ("a/output", {"size": (3, 4, 5)}, "size is"),
        ("a/output", {"size": True}, "size is True"),
        ("a/output", {"apart_from": np.zeros((5, 6, 3))}, "apart_from is one array"),
        ("a/output", {"style": "sen"}, "Did you mean 'seen'"),
    ],
)
def test_what_makes_no_sense(net: Any, objective: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(deepdream.DeepDreamError, match=message):
        deepdream.visualize(net, objective, **how)


def test_a_picture_smaller_than_a_class_can_be_seen_in(net: Any) -> None:
    """Mirrored at its borders it can; rolled it cannot, and the message says what can."""
    assert deepdream.visualize(net, o.label(3), **small(size=20)).shape == (20, 20, 3)
    with pytest.raises(ShapeError, match="20x20 is too small for 'fc': 31x23 pixels or more"):
        deepdream.visualize(net, o.label(3), **small(size=20, border="roll"))


def test_octaves_too_small_for_a_class_are_left_out(net: Any) -> None:
    with pytest.warns(UserWarning, match="of 3 octaves are left out"):
        deepdream.visualize(net, o.label(3), **small(octave_n=3, border="roll"))


def test_noise_of_another_strength() -> None:
    usual, faint = deepdream.noise(40, 52, 3), deepdream.noise(40, 52, 3, 4.0)

    assert np.asarray(faint).std() == pytest.approx(4, rel=0.01)
    np.testing.assert_allclose((usual - 128) / 4, faint - 128, atol=1e-4)
    with pytest.raises(ParameterError, match="strength is 0: grey levels"):
        deepdream.noise(4, 5, 0, 0)


CAFFES = """
import sys
import numpy as np
import deepdream

net = deepdream.load_net(*sys.argv[1:3], mean=(104, 117, 123), engine="caffe")
objective = deepdream.objectives.label(3)
made = deepdream.visualize(net, objective, size=(61, 50), iter_n=5, octave_n=1)
np.save(sys.argv[3], made)
print(made.recipe["engine"])
"""


@pytest.mark.pycaffe
@pytest.mark.slow
@pytest.mark.parametrize("flat", [False, True])
def test_a_class_by_the_real_caffe(tmp_path: Path, flat: bool) -> None:
    """Cast by its own surgery, at a size that the net itself does not take."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    text = SMOOTH
    if flat:
        column = 'layer { name: "flat" type: "Flatten" bottom: "pool2" top: "flat" }\n'
        text = text.replace('bottom: "pool2" top: "fc"', 'bottom: "flat" top: "fc"')
        text = text.replace('layer { name: "fc"', f'{column}layer {{ name: "fc"')
    files = write_tiny(tmp_path, text=text)
    done = subprocess.run(
        [str(python), "-c", CAFFES, *map(str, files), str(tmp_path / "made.npy")],
        env={**caffe_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    ours = deepdream.load_net(*files, mean=(104, 117, 123), device="cpu")
    made = deepdream.visualize(ours, o.label(3), size=(61, 50), iter_n=5, octave_n=1)

    assert done.stdout == "caffe\n"
    assert np.abs(made - 128).mean() > 1
    np.testing.assert_allclose(np.load(tmp_path / "made.npy"), made, atol=2e-3)


# -- unlike each other ---------------------------------------------------------------------------


def blob(data: np.ndarray) -> Any:
    return SimpleNamespace(data=data, diff=np.full_like(data, np.nan))


def test_the_gradient_away_from_others_is_right() -> None:
    """Against differences of the formula in its docstring, in float64."""
    rng = np.random.RandomState(0)
    others = [gram(rng.standard_normal((4, 3, 5))) for _ in range(2)]
    x = rng.standard_normal((1, 4, 6, 7))

    def alike(data: np.ndarray) -> float:
        g = gram(data[0])
        return sum(float((g * a).sum() / np.linalg.norm(g) / np.linalg.norm(a)) for a in others)

    dst = blob(x)
    Apart(others)(dst)

    for _ in range(5):
        v = rng.standard_normal(x.shape)
        slope = (alike(x + 1e-5 * v) - alike(x - 1e-5 * v)) / 2e-5
        assert (dst.diff * v).sum() == pytest.approx(-slope, rel=1e-6)


def test_away_from_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="apart from what"):
        Apart([])
    with pytest.raises(ShapeError, match="have 4 channels, the target has 5"):
        Apart([np.eye(4)])(blob(noise(1, 5, 2, 3)))


def test_a_dream_away_from_a_picture(net: Any) -> None:
    """What the layer sees becomes less and less like what it sees in the other picture."""
    first = deepdream.visualize(net, "a/pool:2", **small())
    seen = gram(guide_features(net, first, "a/output"))

    def alike(picture: Any) -> float:
        g = gram(guide_features(net, picture, "a/output"))
        return float((g * seen).sum() / np.linalg.norm(g) / np.linalg.norm(seen))

    away = o.function("a/output", Apart([seen]))
    made = [deepdream.visualize(net, away, seed=1, **small(iter_n=n, l2=0)) for n in (1, 6, 30)]

    assert alike(made[2]) < alike(made[1]) < alike(made[0])


def test_diverse_pictures_begin_with_the_plain_one(net: Any) -> None:
    first, second, third = diverse(net, "a/pool:2", 3, seed=1, **small())
    alone = [deepdream.visualize(net, "a/pool:2", seed=seed, **small()) for seed in (1, 2)]

    assert np.array_equal(first, alone[0])
    assert not np.array_equal(second, alone[1])
    assert not np.array_equal(third, second)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_no_number_of_pictures(net: Any, count: Any) -> None:
    with pytest.raises(ParameterError, match="a whole number of pictures is expected"):
        next(diverse(net, "a/output", count))


# -- sheets --------------------------------------------------------------------------------------


def test_a_sheet_holds_every_picture_where_it_belongs() -> None:
    pictures = [np.full((20, 30, 3), level, np.float32) for level in (0, 60, 120, 180, 240)]
    made = deepdream.sheet(pictures, columns=3)

    assert made.shape == (12 + 2 * 32, 12 + 3 * 42, 3)
    for number, level in enumerate((0, 60, 120, 180, 240)):
        y, x = 12 + number // 3 * 32, 12 + number % 3 * 42
        assert (made[y : y + 20, x : x + 30] == level).all()
    assert (made[-32:-12, -42:] == 255).all()  # the sixth cell is empty


def test_captions_are_below_their_pictures() -> None:
    pictures = [np.zeros((20, 60, 3), np.float32), np.zeros((10, 40, 3), np.float32)]
    made = deepdream.sheet(pictures, ["hen", "a name that is much too long for its picture"])

    below = made[32:54]
    assert (below[:, 12:72] < 200).any()
    assert (below[:, 84:144] < 200).any()
    assert (below[:, 72:84] == 255).all()  # the long one is cut off


@pytest.mark.parametrize(
    ("pictures", "how", "message"),
    [
        ([], {}, "a sheet of no pictures"),
        ([np.zeros((2, 3, 3))], {"captions": ["a", "b"]}, "1 pictures and 2 captions"),
        ([np.zeros((2, 3, 3))], {"columns": 0}, "columns is 0"),
        ([np.zeros((2, 3, 3))], {"columns": 1.5}, "columns is 1.5"),
    ],
)
def test_no_sheet(pictures: list[Any], how: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        deepdream.sheet(pictures, **how)


def test_a_gallery_of_channels_on_a_sheet(net: Any, tmp_path: Path) -> None:
    """Made by the mechanism of `visualize`'s sheets, from the folder."""
    img = 127 + 9 * noise(30, 40, 3)
    how: dict[str, Any] = {"iter_n": 1, "octave_n": 1, "suffix": ".png"}
    deepdream.gallery(net, img, tmp_path / "g", layers="conv1", channels="1,4,5", **how)
    made = sheet_of(tmp_path / "g", cell=20)
    files = [tmp_path / "g" / f"conv1_channel{n}.png" for n in (1, 4, 5)]

    assert made.shape == (12 + 2 * (15 + 22 + 12), 12 + 2 * 32, 3)
    small = [resized(deepdream.load_image(file), (15, 20)) for file in sorted(files)]
    np.testing.assert_allclose(made[12:27, 12:32], small[0], atol=1)
    np.testing.assert_allclose(made[12:27, 44:64], small[1], atol=1)


# -- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("class:hen", ["class:hen"]),
        ("class:hen, golden retriever,8", ["class:hen", "class:golden retriever", "class:8"]),
        ("conv1:3", ["conv1:3"]),
        ("a/3x3:0-2,9", ["a/3x3:0", "a/3x3:1", "a/3x3:2", "a/3x3:9"]),
        ("a/output", ["a/output"]),
        ("class:", ["class:"]),
        ("class:hen*-1,cock", ["class:hen*-1", "class:cock"]),
        ("a/3x3:4-5*-0.5", ["a/3x3:4*-0.5", "a/3x3:5*-0.5"]),
    ],
)
def test_what_is_shown_one_by_one(text: str, terms: list[str]) -> None:
    assert each_of(text) == terms


def test_a_term_of_a_sheet_may_have_a_weight(net: Any) -> None:
    """As the same term has it by itself."""
    how: dict[str, Any] = {"size": 40, "seed": 2, "iter_n": 2, "octave_n": 1}
    terms = ["conv1:1*-1", "conv1:1"]

    made = dict(see_each(net, terms, cluster=None, **how))

    for number, term in enumerate(terms):
        alone = to_uint8(deepdream.visualize(net, term, **how))
        np.testing.assert_array_equal(made[number], alone)
    assert (np.asarray(made[0]) != made[1]).any()


def test_what_is_said_of_a_sheets_picture_is_told(net: Any) -> None:
    how: dict[str, Any] = {"size": 40, "seed": 2, "iter_n": 1, "octave_n": 9, "border": "roll"}
    with pytest.warns(UserWarning, match="octaves are left out"):
        list(see_each(net, ["class:3"], cluster=None, **how))


def test_ctrl_c_keeps_the_pictures_of_a_sheet(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(net: Any, terms: Any, **options: Any) -> Any:
        yield 1, deepdream.noise(30, 30, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr("deepdream.galleries.seen.see_each", stopped)
    command = ["visualize", *files, "--end", "a/output:0-2", "--cluster", "local", "-o", "s.png"]
    assert main(command) == 130
    assert "stopped early: the pictures so far" in capsys.readouterr().out
    assert Path("s.png").is_file()


def test_captions_are_the_usual_names() -> None:
    net = load_graph()

    assert caption(net, "class:8") == "hen"
    assert caption(net, "class:Strix nebulosa") == "great grey owl"
    assert caption(net, "class:dog") == "dog"
    assert caption(net, "conv1:3") == "conv1:3"
    assert caption(net, "class:8*-1") == "not hen"
    assert caption(net, "conv1:3*2") == "conv1:3"
    with pytest.raises(UnknownLabelError):
        caption(net, "class:henn")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    prototxt, weights = write_tiny(tmp_path, text=TINY)
    monkeypatch.chdir(tmp_path)
    return ["--model", str(prototxt), "--weights", str(weights), "--mean", "104,117,123",
            "--size", "40", "--iter-n", "2", "--octave-n", "1", "--seed", "1"]  # fmt: skip


def test_the_command_writes_a_picture_with_its_recipe(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["visualize", "--end", "class:3", *files]) == 0

    assert "wrote class_3.png (40x40, " in capsys.readouterr().out
    assert deepdream.read_recipe("class_3.png")["parameters"]["objective"]["terms"] == [
        {"term": "label", "label": 3, "weight": 1.0}
    ]


def test_the_command_writes_a_sheet(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["visualize", "--end", "class:3,7", "--end", "conv1:0-1", *files]) == 0
    assert "wrote sheet.png (116x160, 4 pictures" in capsys.readouterr().out

    assert main(["visualize", "--end", "class:3", "--diversity", "3", "-o", "d.png", *files]) == 0
    assert "wrote d.png (168x86, 3 pictures" in capsys.readouterr().out


def test_the_command_gallery_writes_a_sheet_too(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deepdream.save_image(127 + 9 * noise(30, 40, 3), tmp_path / "in.png")
    more = [*files[:6], "--iter-n", "1", "--octave-n", "1"]

    assert main(["gallery", "in.png", "-o", "g", "--layers", "conv1,a/3x3", "--sheet", "s.png",
                 *more]) == 0  # fmt: skip
    assert capsys.readouterr().out.endswith("wrote s.png\n")
    assert deepdream.load_image("s.png").shape == (76, 12 + 2 * 52, 3)
    assert main(["gallery", "in.png", "-o", "g", "--sheet", "s.xyz", *more]) == 2


def test_a_picture_that_fails_costs_no_others(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sheet has those that could be made, and the status is 1; with none there is no sheet."""
    real = visualize.dream

    def fails(net: Any, start: Any, *, objective: Any, **options: Any) -> Any:
        if objective == o.channel("conv1", 1):
            raise ParameterError("iter_n is wrong with it")
        return real(net, start, objective=objective, **options)

    monkeypatch.setattr(visualize, "dream", fails)
    assert main(["visualize", "--end", "conv1:0-2", "-o", "s.png", *files]) == 1
    said = capsys.readouterr()
    assert "2 pictures" in said.out
    assert "deepdream: conv1:1: --iter-n is wrong with it" in said.err
    assert main(["visualize", "--end", "conv1:1", "-o", "none.png", *files]) == 2
    assert not Path("none.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--end", "conv1", "--end", "nowhere"], "nowhere"),
        (["--end", "conv1:0,99"], "channel('conv1', 99): the target has 6 channels, 0 to 5"),
        (["--end", "conv1:0-1", "--columns", "0"], "--columns is 0: a whole number from 1"),
        (["--end", "conv1", "--shared", "."], "shared is given without"),
        (["--end", "conv1", "--end", "conv1:1", "--strength", "-1"], "--strength is -1"),
    ],
)
def test_the_command_refuses_at_once(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    """Before the first picture of a sheet is made."""
    monkeypatch.setattr(visualize, "dream", lambda *_, **__: pytest.fail("it has begun"))
    assert main(["visualize", *arguments, *files]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--end", "class:hen"], "names of the 11 classes"),
        (["--end", "conv1:99"], "6 channels, 0 to 5: there is no 99"),
        (["--end", "conv1", "--diversity", "0"], "a whole number of pictures"),
        (["--end", "conv1", "--mask", "x.png"], "mask and guide are for dreams on pictures"),
    ],
)
def test_the_command_refuses(
    files: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["visualize", *arguments, *files]) == 2
    assert message in capsys.readouterr().err
