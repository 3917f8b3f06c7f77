"""Google's notebook of 2015 on `deepdream.caffe`, and the same notebook on the real Caffe."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import notebook_2015
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT, assert_close, relative_error
from PIL import Image

from deepdream import caffe
from deepdream.reading.proto import read_prototxt
from deepdream.running import fillers

NOTEBOOK = ROOT / "tests" / "notebook_2015.py"
GOOGLENET = ROOT / "prototxt" / "googlenet" / "deploy.prototxt"

pytestmark = [
    # Said by scipy about the notebook's zoom loop, whose matrix is a list of three numbers.
    pytest.mark.filterwarnings("ignore:The behavior of affine_transform:UserWarning"),
]

# -- a small net, in every run --------------------------------------------------------------------


def layer(name: str, kind: str, bottom: str, top: str, more: str = "") -> str:
    """Return a layer of a prototxt; `bottom` may be several names."""
    bottoms = " ".join(f'bottom: "{b}"' for b in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top}" {more} }}\n'


def convolution(name: str, bottom: str, count: int, kernel: int, stride: int = 1) -> str:
    """Return a convolution that keeps the size, and its in-place ReLU."""
    fill = 'weight_filler { type: "msra" } bias_filler { type: "constant" value: 0.1 }'
    return layer(
        name,
        "Convolution",
        bottom,
        name,
        f"convolution_param {{ num_output: {count} kernel_size: {kernel} stride: {stride} "
        f"pad: {kernel // 2} {fill} }}",
    ) + layer(f"{name}_relu", "ReLU", name, name)


# The blobs that the notebook names, on a body of three layers.
SMALL = (
    'name: "small"\nlayer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 2 dim: 3 dim: 40 dim: 56 } } }\n"
    + convolution("conv1", "data", 8, 5, stride=2)
    + layer("pool1", "Pooling", "conv1", "pool1", "pooling_param { kernel_size: 3 stride: 2 }")
    + layer("norm1", "LRN", "pool1", "norm1", "lrn_param { alpha: 0.0001 }")
    + convolution("inception_3b/1x1", "norm1", 6, 1)
    + convolution("inception_3b/5x5_reduce", "norm1", 5, 1)
    + convolution("inception_3b/5x5", "inception_3b/5x5_reduce", 7, 5)
    + layer("inception_3b/output", "Concat", "inception_3b/1x1 inception_3b/5x5",
            "inception_3b/output")
    + convolution("inception_4c/1x1", "inception_3b/output", 9, 1)
    + convolution("inception_4c/3x3", "inception_3b/output", 4, 3)
    + layer("inception_4c/output", "Concat", "inception_4c/1x1 inception_4c/3x3",
            "inception_4c/output")
)  # fmt: skip

SMALL_BLOBS = [
    "data",
    "conv1",
    "pool1",
    "norm1",
    "norm1_norm1_0_split_0",
    "norm1_norm1_0_split_1",
    "inception_3b/1x1",
    "inception_3b/5x5_reduce",
    "inception_3b/5x5",
    "inception_3b/output",
    "inception_3b/output_inception_3b/output_0_split_0",
    "inception_3b/output_inception_3b/output_0_split_1",
    "inception_4c/1x1",
    "inception_4c/3x3",
    "inception_4c/output",
]

SIZES = {"octave_n": 2, "iter_n": 3}


def noise_picture(path: Path, height: int, width: int, seed: int) -> Path:
    """Write a picture of random grey levels that change slowly from pixel to pixel."""
    coarse = np.random.RandomState(seed).randint(0, 256, (height // 4, width // 4, 3))
    Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def installed() -> Iterator[Any]:
    """``import caffe``, after `deepdream.caffe.install`."""
    before = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "caffe"}
    if before or importlib.util.find_spec("caffe") is not None:
        pytest.skip("another module called caffe is importable here")
    caffe.install()
    yield importlib.import_module("caffe")
    for name in [name for name in sys.modules if name.split(".")[0] == "caffe"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return files for the notebook: net, weights, pictures."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "deploy.prototxt").write_text(SMALL)
    caffe.set_random_seed(3)
    net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
    net.params["conv1"][0].data[...] /= 60  # it reads grey levels
    net.save(str(folder / "small.caffemodel"))
    return {
        "prototxt": folder / "deploy.prototxt",
        "weights": folder / "small.caffemodel",
        "sky": noise_picture(folder / "sky.png", 44, 68, seed=1),
        "flowers": noise_picture(folder / "flowers.png", 36, 28, seed=2),
    }


@pytest.fixture(scope="module")
def outcome(
    installed: Any, small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, np.ndarray], Path]:
    """Run the notebook on the small net once; return what was recorded, and its folder."""
    folder = tmp_path_factory.mktemp("run")
    return notebook_2015.run(installed, **small, folder=folder, **SIZES), folder


Outcome = tuple[dict[str, np.ndarray], Path]


def test_the_notebooks_net_has_caffes_blobs(outcome: Outcome) -> None:
    """Split blobs included, in Caffe's order, from a prototxt that protobuf printed."""
    arrays, folder = outcome

    assert arrays["blob_names"].tolist() == SMALL_BLOBS
    text = (folder / "tmp.prototxt").read_text()
    assert text.startswith('name: "small"\nforce_backward: true\n') or (
        "force_backward: true" in text.splitlines()
    )


def test_every_cell_shows_another_picture(outcome: Outcome, small: dict[str, Any]) -> None:
    """Five dreams of the picture's size, in range, none like the sky or like each other."""
    arrays, folder = outcome
    sky = np.float32(Image.open(small["sky"]))
    pictures = [sky, *(arrays[f"dream_{k}_final"] for k in range(5))]

    assert [p.shape for p in pictures] == [(44, 68, 3)] * 6
    assert all(p.min() > -0.01 and p.max() < 255.01 for p in pictures)
    assert min(np.abs(a - b).mean() for a, b in combinations(pictures, 2)) > 1.0
    assert sorted(p.name for p in (folder / "frames").iterdir()) == ["0000.jpg", "0001.jpg"]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_step_is_the_formula(outcome: Outcome, step: int) -> None:
    """Rolled, moved along the gradient by 1.5 on average, clipped, and rolled back."""
    arrays, _ = outcome
    x, g = (arrays[f"step_{step}_{what}"].astype(np.float64) for what in ("input", "gradient"))
    ox, oy = np.random.RandomState(0).randint(-32, 33, (3, 2))[step]
    bias = np.float64([104, 116, 122])[:, np.newaxis, np.newaxis]

    assert np.count_nonzero(g) > g.size / 2
    moved = np.roll(x + 1.5 * g / np.abs(g).mean(), (-oy, -ox), (-2, -1))
    expected = np.clip(moved, -bias, 255 - bias)
    np.testing.assert_allclose(arrays[f"step_{step}_output"], expected, rtol=0, atol=1e-4)


def test_the_same_seed_gives_the_same_pictures(
    installed: Any, small: dict[str, Any], outcome: Outcome, tmp_path: Path
) -> None:
    """On one machine the notebook repeats itself to the bit; another seed does not."""
    again = notebook_2015.run(installed, **small, folder=tmp_path, **SIZES)
    other = notebook_2015.run(installed, **small, folder=tmp_path, seed=1, **SIZES)

    for name, array in outcome[0].items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
    assert np.abs(other["dream_0_final"] - again["dream_0_final"]).mean() > 0.1


def test_the_second_dream_finds_stale_diffs(
    installed: Any, small: dict[str, Any], outcome: Outcome, tmp_path: Path
) -> None:
    """The gradient at 5x5_reduce differs from a fresh net's: the 1x1 branch kept its diff."""
    arrays, _ = outcome
    fresh = notebook_2015.load_net(installed, small["prototxt"], small["weights"], tmp_path)
    x = arrays["step_1_input"]
    fresh.blobs["data"].reshape(*x.shape)
    fresh.blobs["data"].data[...] = x
    fresh.forward(end="inception_3b/5x5_reduce")
    notebook_2015.objective_L2(fresh.blobs["inception_3b/5x5_reduce"])
    fresh.backward(start="inception_3b/5x5_reduce")

    assert relative_error(arrays["step_1_gradient"], fresh.blobs["data"].diff) > 0.1


# -- GoogLeNet, against the real Caffe ------------------------------------------------------------

SEEDS = (0, 1, 2)
DREAMS = range(5)
FLIP = 2e-2  # the largest relative error that a flipped ReLU or max may explain


def notebook(
    python: Path, folder: Path, files: dict[str, Path], *options: str, threads: int = 1
) -> dict[int, dict[str, np.ndarray]]:
    """Run the notebook as a program, once per seed; return the recorded arrays by seed."""
    environment = caffe_environment(threads)
    if "--install" in options:
        environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [
            str(python), "-W", "ignore::UserWarning", str(NOTEBOOK),
            *(str(files[name]) for name in ("prototxt", "weights", "sky", "flowers")),
            str(folder), "--seeds", *map(str, SEEDS), *options,
        ],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    recorded = {}
    for seed in SEEDS:
        with np.load(folder / f"seed_{seed}.npz", allow_pickle=False) as stored:
            recorded[seed] = {name: stored[name] for name in stored.files}
    return recorded


Runs = dict[str, dict[int, dict[str, np.ndarray]]]


@pytest.fixture(scope="module")
def runs(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run the notebook on GoogLeNet with seeded weights: ours, and Caffe in three ways.

    Caffe with one thread, with two, and with a picture that is off by 1e-4 grey levels differ by
    rounding alone. What that grows to in a whole dream is the noise of Caffe itself.
    """
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: run scripts/install_caffe.sh")
    folder = tmp_path_factory.mktemp("googlenet")
    pictures = shared / "data" / "notebook"
    files = {
        "prototxt": GOOGLENET,
        "weights": folder / "seeded.caffemodel",
        "sky": folder / "sky.png",
        "flowers": folder / "flowers.png",
    }
    # PNG, made once: two Pillows need not decode and resize a JPEG alike.
    for name, source, size in (("sky", "sky1024px.jpg", (132, 79)),
                               ("flowers", "flowers.jpg", (84, 63))):  # fmt: skip
        with Image.open(pictures / source) as picture:
            picture.convert("RGB").resize(size, Image.LANCZOS).save(files[name])
    net = caffe.Net(str(GOOGLENET), caffe.TEST)
    fillers.seed_weights(net, seed=0)
    net.save(str(files["weights"]))

    with ThreadPoolExecutor(2) as pool:
        jobs = {
            "ours": pool.submit(
                notebook, Path(sys.executable), folder / "ours", files, "--install"
            ),
            "caffe": pool.submit(notebook, python, folder / "caffe", files),
            "noise": pool.submit(notebook, python, folder / "noise", files, "--noise", "1e-4"),
            "threads": pool.submit(notebook, python, folder / "threads", files, threads=2),
        }
    return {name: job.result() for name, job in jobs.items()}


@pytest.mark.pycaffe
@pytest.mark.slow
def test_googlenet_has_the_real_caffes_blobs(runs: Runs) -> None:
    """121 names in the same order, 36 of them from splits."""
    ours = runs["ours"][0]["blob_names"].tolist()

    assert ours == runs["caffe"][0]["blob_names"].tolist()
    assert len(ours) == 121
    assert sum("_split_" in name for name in ours) == 36


@pytest.mark.pycaffe
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_first_steps_are_the_real_caffes(runs: Runs, seed: int) -> None:
    """One step of each dream, stale diffs included: 1e-5, or a flip that is shown."""
    ours, theirs = runs["ours"][seed], runs["caffe"][seed]
    names = ours["blob_names"].tolist()
    flipped: list[str] = []
    for step, end in enumerate(
        ("inception_4c/output", "inception_3b/5x5_reduce", "inception_3b/output")
    ):
        prefix = f"step_{step}_"
        np.testing.assert_array_equal(ours[prefix + "input"], theirs[prefix + "input"])
        blobs = {
            which: {
                name: arrays[f"{prefix}blob_{number}"]
                for number, name in enumerate(names)
                if f"{prefix}blob_{number}" in arrays
            }
            for which, arrays in (("ours", ours), ("theirs", theirs))
        }
        assert blobs["ours"].keys() == blobs["theirs"].keys()
        assert end in blobs["ours"]
        for name, data in blobs["ours"].items():
            assert_close(data, blobs["theirs"][name], name=f"seed {seed}, step {step}, {name}")
        # A flip also leaves its mark on the stale diffs that the next steps find.
        flipped += flips(blobs["ours"], blobs["theirs"], end)
        flipped += other_columns(ours, theirs, prefix, blobs["theirs"][end])
        error = relative_error(ours[prefix + "gradient"], theirs[prefix + "gradient"])
        if error > 1e-5:
            assert flipped, f"seed {seed}, step {step}: gradient off by {error:.2g}, no flip found"
            assert error < FLIP, f"seed {seed}, step {step}: {error:.2g} in spite of {flipped}"


def flips(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], end: str) -> list[str]:
    """Return the ReLUs and max-pools before `end` that rounding decided differently.

    A ReLU counts where one engine's value is 0 and the other's is positive but tiny; a max-pool
    where the two maxima lie at different places and the values there are equal to rounding.
    """
    found = []
    for param in read_prototxt(GOOGLENET).layer:
        if param.name == end:
            break
        if param.type == "ReLU":
            a, b = ours[param.top[0]], theirs[param.top[0]]
            tiny = np.maximum(a, b)[(a > 0) != (b > 0)]
            if tiny.size and tiny.max() < 1e-5 * b.max():
                found.append(f"{tiny.size} values of {param.name}")
        elif param.type == "Pooling":
            a, b = ours[param.bottom[0]], theirs[param.bottom[0]]
            here, there = winners(a, param.pooling_param), winners(b, param.pooling_param)
            planes = b.reshape(*b.shape[:2], -1)
            gap = np.take_along_axis(planes, there, 2) - np.take_along_axis(planes, here, 2)
            if (here != there).any() and np.abs(gap).max() < 1e-5 * np.abs(b).max():
                found.append(f"{(here != there).sum()} windows of {param.name}")
    return found


def winners(data: np.ndarray, pooling: Any) -> np.ndarray:
    """Return for each window of a max-pool the flat position of its maximum: (n, c, windows)."""
    _, where = F.max_pool2d(
        torch.from_numpy(data),
        pooling.kernel_size,
        pooling.stride,
        pooling.pad,
        ceil_mode=True,
        return_indices=True,
    )
    return where.flatten(2).numpy()


def other_columns(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], prefix: str, dst: np.ndarray
) -> list[str]:
    """Return where the two chose different columns of the guide that fit equally well."""
    x, a, b = (
        array[0].reshape(array.shape[1], -1).astype(np.float64)
        for array in (dst, ours[prefix + "objective"], theirs[prefix + "objective"])
    )
    moved = np.abs(a - b).max(0) > 1e-3 * np.abs(b).max()
    if not moved.any():
        assert_close(a, b, name=prefix + "objective")
        return []
    fit_a, fit_b = (x * a).sum(0)[moved], (x * b).sum(0)[moved]
    np.testing.assert_allclose(fit_a, fit_b, rtol=1e-5)
    return [f"{moved.sum()} columns of the guide"]


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root of the mean squared difference, in grey levels."""
    return float(np.sqrt(np.mean((np.float64(a) - b) ** 2)))


@pytest.mark.pycaffe
@pytest.mark.slow
def test_the_first_dream_starts_like_the_real_caffes(runs: Runs) -> None:
    """In the notebook as it is, too: equal inputs wherever a dream starts from the picture."""
    for seed in SEEDS:
        ours, theirs = runs["ours"][seed], runs["caffe"][seed]
        for k in (0, 1, 2, 4):
            np.testing.assert_array_equal(ours[f"dream_{k}_input"], theirs[f"dream_{k}_input"])
        error = relative_error(ours["dream_0_gradient"], theirs["dream_0_gradient"])
        # The same step as step 0 of the test above, which tells a flip from a fault.
        assert error == relative_error(ours["step_0_gradient"], theirs["step_0_gradient"])


@pytest.mark.pycaffe
@pytest.mark.slow
def test_whole_dreams_differ_no_more_than_caffe_from_itself(
    runs: Runs, record_property: Any
) -> None:
    """Mean over seeds and dreams: at most 1.5 times what rounding does to Caffe alone."""
    caffes = ("caffe", "threads", "noise")

    def apart(one: str, two: str) -> np.ndarray:
        return np.array(
            [
                [rms(runs[one][s][f"dream_{k}_final"], runs[two][s][f"dream_{k}_final"])
                 for k in DREAMS]
                for s in SEEDS
            ]
        )  # fmt: skip

    self_noise = np.array([apart(a, b) for a, b in combinations(caffes, 2)])
    difference = np.array([apart("ours", name) for name in caffes])
    record_property("self_noise", self_noise.mean((0, 1)).round(2).tolist())
    record_property("difference", difference.mean((0, 1)).round(2).tolist())

    assert self_noise.mean() > 0.5  # dreams long enough to tell
    assert difference.mean() <= 1.5 * self_noise.mean()
    # Each dream by itself, too: few flips make its mean jump about, its largest value less.
    assert (difference.mean((0, 1)) <= 1.5 * self_noise.max((0, 1))).all()
