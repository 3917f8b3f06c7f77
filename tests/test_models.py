"""Loading a net by name or by files, with its mean and transformer."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepdream.errors import (
    CaffemodelError,
    DeepDreamError,
    EngineError,
    MissingFileError,
    ParameterError,
    PrototxtError,
    ShapeError,
    UnknownModelError,
    WeightsError,
)
from deepdream.models import load
from deepdream.models.load import load_net, parse_mean
from deepdream.models.registry import MODELS, ModelEntry

PROTOTXT = """
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: %d dim: 11 dim: 13 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "%s" type: "Convolution" bottom: "conv" top: "%s"
  convolution_param { num_output: 7 kernel_size: 1 weight_filler { type: "msra" } } }
"""
MEAN = (101.5, 111.0, 120.25)


def describe(folder: Path, last: str = "last", channels: int = 3) -> Path:
    """Write the prototxt of a net of two convolutions."""
    path = folder / f"{last}{channels}.prototxt"
    path.write_text(PROTOTXT % (channels, last, last))
    return path


def save_weights(prototxt: Path, caffemodel: Path) -> Path:
    """Write random weights for a prototxt."""
    from deepdream.running.fillers import set_random_seed
    from deepdream.running.net import Net

    set_random_seed(7)
    Net(str(prototxt), 1).save(str(caffemodel))
    return caffemodel


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of a prototxt and its weights."""
    folder = tmp_path_factory.mktemp("tiny")
    prototxt = describe(folder)
    return str(prototxt), str(save_weights(prototxt, folder / "tiny.caffemodel"))


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that fit the registered prototxt of SqueezeNet 1.1, all zero."""
    folder = tmp_path_factory.mktemp("squeezenet")
    prototxt = load.prototxt_path(MODELS["squeezenet_v1.1"])
    return save_weights(prototxt, folder / "own.caffemodel")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("DEEPDREAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def stored(
    squeezenet: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ModelEntry]:
    """Put the zero weights into the cache as those of SqueezeNet 1.1."""

    def store(**changes: Any) -> ModelEntry:
        data = squeezenet.read_bytes()
        facts = {"size": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
        entry = dataclasses.replace(MODELS["squeezenet_v1.1"], **{**facts, **changes})
        monkeypatch.setitem(MODELS, entry.name, entry)  # type: ignore[arg-type]
        home.mkdir()
        (home / entry.weights_file).write_bytes(data)
        return entry

    return store


# -- nets


def test_a_net_of_ones_own_is_ready_to_dream(tiny: tuple[str, str]) -> None:
    """TEST phase, weights loaded, and a gradient that reaches the picture."""
    net = load_net(*tiny, mean=MEAN)
    net.blobs["data"].data[...] = np.random.RandomState(3).randn(2, 3, 11, 13)

    net.forward(end="last")
    net.blobs["last"].diff[...] = net.blobs["last"].data
    net.backward(start="last")

    assert net.phase == 1
    assert net.blobs["last"].data.std() > 0.1
    assert np.abs(net.blobs["data"].diff).mean() > 0.01


def test_a_dreaming_net_computes_no_gradients_of_its_weights(tiny: tuple[str, str]) -> None:
    """Nobody reads them, and they take half of the time."""
    net = load_net(*tiny, mean=MEAN)
    net.blobs["last"].diff[...] = 1

    net.backward(start="last")

    assert not net.params["conv"][0].diff.any()


def test_the_transformer_is_the_notebooks(tiny: tuple[str, str]) -> None:
    """Axes, channels and mean as caffe.Classifier sets them up; the mean is (3, 1, 1)."""
    transformer = load_net(*tiny, mean=MEAN).transformer

    assert transformer.inputs == {"data": (2, 3, 11, 13)}
    assert transformer.transpose["data"] == (2, 0, 1)
    assert transformer.channel_swap["data"] == (2, 1, 0)
    assert transformer.mean["data"].shape == (3, 1, 1)
    assert transformer.mean["data"].dtype == np.float32
    assert transformer.mean["data"].ravel().tolist() == list(MEAN)
    assert transformer.raw_scale == {}


def test_a_net_knows_where_it_came_from(tiny: tuple[str, str]) -> None:
    """Paths for messages, no entry for files of one's own."""
    net = load_net(Path(tiny[0]), Path(tiny[1]), mean=MEAN)

    assert net.model is None
    assert net.prototxt_path == Path(tiny[0])
    assert net.weights_path == Path(tiny[1])


def test_a_registered_net_loads_from_the_cache(stored: Callable[..., ModelEntry]) -> None:
    """With its own mean, and without asking anybody."""
    entry = stored(mean=MEAN)

    net = load_net("SqueezeNet")

    assert net.model is entry
    assert net.transformer.mean["data"].ravel().tolist() == list(MEAN)
    assert entry.end in net.blobs
    assert net.weights_path.name == "squeezenet_v1.1.caffemodel"


def test_the_mean_of_2015_can_be_asked_for(stored: Callable[..., ModelEntry]) -> None:
    """The notebook's 104, 116, 122."""
    stored()

    net = load_net("squeezenet", mean="2015")

    assert net.transformer.mean["data"].ravel().tolist() == [104, 116, 122]


def test_weights_in_the_cache_are_checked(stored: Callable[..., ModelEntry]) -> None:
    """A changed file is not loaded."""
    stored(hashes={"sha256": "0" * 64})

    with pytest.raises(CaffemodelError, match="sha256 .* instead of 000000000000"):
        load_net("squeezenet")


def test_a_registered_prototxt_takes_weights_of_ones_own(squeezenet: Path) -> None:
    """For fine-tuned networks."""
    net = load_net("squeezenet", squeezenet)

    assert net.model is MODELS["squeezenet_v1.1"]
    assert net.weights_path == squeezenet


def test_published_weights_are_known_by_their_name(tiny: tuple[str, str], tmp_path: Path) -> None:
    """With a prototxt of one's own, too, they get the mean they were trained with."""
    weights = tmp_path / MODELS["googlenet_places205"].weights_file
    weights.write_bytes(Path(tiny[1]).read_bytes())

    net = load_net(tiny[0], weights)

    assert net.transformer.mean["data"].ravel().tolist() == pytest.approx(
        [105.417, 113.753, 116.047], abs=1e-4
    )


def test_a_net_of_ones_own_without_a_mean_gets_imagenets_with_a_warning(
    tiny: tuple[str, str],
) -> None:
    """The warning points at the caller."""
    with pytest.warns(UserWarning, match="No mean was given for 'tiny.caffemodel'") as caught:
        net = load_net(*tiny)

    assert net.transformer.mean["data"].ravel().tolist() == [104, 117, 123]
    assert caught[0].filename == __file__


def test_a_net_without_a_registered_mean_asks_no_warning_for_the_zero_mean(
    tiny: tuple[str, str],
) -> None:
    """(0, 0, 0) is an answer."""
    net = load_net(*tiny, mean=(0, 0, 0))

    assert not net.transformer.mean["data"].any()


# -- what goes wrong


def test_a_layer_without_weights_is_an_error(tiny: tuple[str, str], tmp_path: Path) -> None:
    """It is listed."""
    with pytest.raises(WeightsError, match="no weights for 1 layers? .*'renamed'"):
        load_net(describe(tmp_path, "renamed"), tiny[1], mean=MEAN)


def test_a_layer_without_weights_is_a_warning_when_not_strict(
    tiny: tuple[str, str], tmp_path: Path
) -> None:
    """As Caffe does, but not silently."""
    with pytest.warns(UserWarning, match="'renamed'"):
        net = load_net(describe(tmp_path, "renamed"), tiny[1], mean=MEAN, strict=False)

    assert "renamed" in net.params


def test_weights_of_another_net_are_an_error(squeezenet: Path, tiny: tuple[str, str]) -> None:
    """Nothing of them fits."""
    with pytest.raises(WeightsError, match="no weights for 2 layers") as caught:
        load_net(tiny[0], squeezenet, mean=MEAN)

    assert "'conv'" in str(caught.value)
    assert "'last'" in str(caught.value)


def test_a_grey_net_is_refused(tmp_path: Path) -> None:
    """Pictures have three channels."""
    prototxt = describe(tmp_path, channels=1)
    weights = save_weights(prototxt, tmp_path / "grey.caffemodel")

    with pytest.raises(ShapeError, match=r"Input 'data'.*\(2, 1, 11, 13\); pictures need"):
        load_net(prototxt, weights, mean=MEAN)


def test_an_unknown_name_offers_the_nearest() -> None:
    """And says how to load a net of one's own."""
    with pytest.raises(UnknownModelError, match="'vgg16'.*(.|\n)*deploy.prototxt"):
        load_net("vgg17")


@pytest.mark.parametrize(
    ("model", "caffemodel", "error", "words"),
    [
        ("nowhere/deploy.prototxt", "x.caffemodel", MissingFileError, "no prototxt 'nowhere"),
        ("deploy.prototxt", None, MissingFileError, "no prototxt 'deploy.prototxt'"),
        ("squeezenet", "x.caffemodel", MissingFileError, "no weights file 'x.caffemodel'"),
        ("x.caffemodel", None, ParameterError, r"load_net\('deploy.prototxt', 'x.caffemodel'\)"),
        ("x.caffemodel", "deploy.prototxt", ParameterError, "the net's description comes first"),
        (
            "a/bvlc_googlenet.caffemodel",
            None,
            ParameterError,
            r"load_net\('googlenet', 'a/bvlc_googlenet.caffemodel'\)",
        ),
    ],
)
def test_files_that_do_not_help_are_named(
    model: str, caffemodel: str | None, error: type[DeepDreamError], words: str
) -> None:
    """With the call that would work."""
    with pytest.raises(error, match=words):
        load_net(model, caffemodel)


def test_a_prototxt_needs_weights(tiny: tuple[str, str]) -> None:
    """A net of zeros cannot dream."""
    with pytest.raises(ParameterError, match="holds no weights; give them too"):
        load_net(tiny[0])


def test_the_real_caffe_has_to_be_installed(
    tiny: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the error says which engine does the same."""
    monkeypatch.setitem(sys.modules, "caffe", None)
    with pytest.raises(EngineError, match="cannot be imported(.|\n)*engine='deepdream' computes"):
        load_net(*tiny, mean=(104, 117, 123), engine="caffe")


def test_the_real_caffe_is_not_ours(tiny: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """deepdream.caffe.install() takes the name, and the error says so."""
    import deepdream.caffe

    monkeypatch.setitem(sys.modules, "caffe", deepdream.caffe)
    with pytest.raises(EngineError, match="install"):
        load_net(*tiny, mean=(104, 117, 123), engine="caffe")


@pytest.mark.parametrize(
    ("keyword", "value"), [("engine", "tf"), ("device", "gpu"), ("device", 0), ("device", "cpux")]
)
def test_an_impossible_choice_lists_the_possible_ones(keyword: str, value: Any) -> None:
    """Before anything is read or fetched."""
    with pytest.raises(ParameterError, match=f"{keyword} is {value!r}; it must be"):
        load_net(**{keyword: value})


def test_a_gpu_that_is_not_there_is_named(
    tiny: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the net is built, where PyTorch would fail at its first product."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="PyTorch finds no CUDA GPUs here"):
        load_net(*tiny, mean=MEAN, device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParameterError, match="'cuda:1', and PyTorch finds 1 CUDA GPU here"):
        load_net(*tiny, mean=MEAN, device="cuda:1")


@pytest.mark.parametrize("engine", ["auto", "deepdream", "torch"])
def test_our_engine_goes_by_its_former_name_too(tiny: tuple[str, str], engine: str) -> None:
    """ "torch" stands in the recipes of older pictures."""
    assert load_net(*tiny, mean=MEAN, engine=engine).engine == "deepdream"


def test_engine_auto_is_caffe_where_ours_cannot_run(
    tiny: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an error where neither can; ours, where it can, goes first."""
    found = {"numba": object(), "caffe": object()}
    monkeypatch.setattr(load, "find_spec", found.get)
    assert load_net(*tiny, mean=MEAN).engine == "deepdream"
    del found["numba"]
    with pytest.raises(EngineError, match="needs the real pycaffe"):
        load_net(*tiny, mean=MEAN)
    with pytest.raises(EngineError, match="engine needs Numba"):
        load_net(*tiny, mean=MEAN, engine="torch")
    del found["caffe"]
    with pytest.raises(EngineError, match="engine needs Numba"):
        load_net(*tiny, mean=MEAN)


# -- means


@pytest.mark.parametrize(
    "mean",
    [
        pytest.param(MEAN, id="tuple"),
        pytest.param(list(MEAN), id="list"),
        pytest.param(np.float32(MEAN), id="array"),
        pytest.param(np.float32(MEAN)[:, None, None], id="(3, 1, 1)"),
        pytest.param("101.5,111, 120.25", id="text"),
    ],
)
def test_three_numbers_are_a_mean(mean: Any) -> None:
    """In B, G, R order, as float32."""
    found = parse_mean(mean)

    assert found.dtype == np.float32
    assert found.tolist() == list(MEAN)


@pytest.mark.parametrize(
    "mean",
    [(1, 2), 117, (1, 2, 3, 4), (1, 2, np.nan), (1, 2, np.inf), "1,2,x", np.ones((2, 3, 4, 5))],
    ids=str,
)
def test_what_is_no_mean_is_refused(mean: Any) -> None:
    """Two numbers, one, four, NaN, words, two pictures."""
    with pytest.raises(ParameterError, match="give three numbers in B, G, R order"):
        parse_mean(mean)


def test_a_mean_picture_is_averaged_per_channel(tmp_path: Path) -> None:
    """The arithmetic of the notebook's cousins: mean.mean(1).mean(1)."""
    picture = np.random.RandomState(5).uniform(90, 130, (3, 5, 7))
    np.save(tmp_path / "mean.npy", picture)

    assert (
        parse_mean(tmp_path / "mean.npy").tolist() == np.float32(picture.mean(1).mean(1)).tolist()
    )


def test_a_mean_of_three_numbers_can_come_from_a_file(tmp_path: Path) -> None:
    """Shape (3,)."""
    np.save(tmp_path / "mean.npy", np.float64(MEAN))

    assert parse_mean(str(tmp_path / "mean.npy")).tolist() == list(MEAN)


def test_a_binaryproto_is_a_mean(tmp_path: Path) -> None:
    """(1, 3, h, w), as Caffe's tools write it."""
    from deepdream.reading.proto import array_to_blobproto

    picture = np.random.RandomState(5).uniform(90, 130, (1, 3, 5, 7)).astype(np.float32)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(array_to_blobproto(picture).SerializeToString())

    np.testing.assert_allclose(parse_mean(path), picture[0].mean((1, 2)), rtol=1e-6)


def test_a_mean_with_its_channels_last_is_read_with_a_warning(tmp_path: Path) -> None:
    """(h, w, 3), as pictures are kept in Python: the order of the channels is a guess."""
    picture = np.random.RandomState(5).uniform(90, 130, (5, 7, 3))
    np.save(tmp_path / "mean.npy", picture)

    for mean in (picture, tmp_path / "mean.npy"):
        with pytest.warns(UserWarning, match=r"\(5, 7, 3\).* taken as B, G, R"):
            found = parse_mean(mean)
        np.testing.assert_allclose(found, picture.mean((0, 1)), rtol=1e-6)
    assert parse_mean(np.float64(MEAN).reshape(1, 1, 3)).tolist() == list(MEAN)
    assert parse_mean(np.float64(MEAN).reshape(1, 3)).tolist() == list(MEAN)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 7), r"array of shape \(5, 7\).*\n.* would be \(1.000, 1.000, 1.000\)"),
        ((2, 3, 5, 7), r"array of shape \(2, 3, 5, 7\); give three numbers"),
        ((4, 5, 7), r"array of shape \(4, 5, 7\)"),
        ((1000,), r"array of shape \(1000,\)"),
    ],
)
def test_a_mean_that_is_none_tells_its_shape(tmp_path: Path, shape: tuple, words: str) -> None:
    """As an array and as a file."""
    np.save(tmp_path / "mean.npy", np.ones(shape))

    with pytest.raises(ParameterError, match=words):
        parse_mean(np.ones(shape))
    with pytest.raises(ParameterError, match=rf"mean.npy', an {words}"):
        parse_mean(tmp_path / "mean.npy")


def test_a_matlab_file_is_a_mean(tmp_path: Path) -> None:
    """As Caffe's interface to MATLAB has it: width, height, channels."""
    from scipy.io import savemat

    picture = np.random.RandomState(5).uniform(90, 130, (7, 5, 3))
    savemat(tmp_path / "mean.mat", {"mean_data": picture})

    np.testing.assert_allclose(parse_mean(tmp_path / "mean.mat"), picture.mean((0, 1)), rtol=1e-6)


def test_a_folder_is_called_one(tiny: tuple[str, str], tmp_path: Path) -> None:
    """In place of each of the three files; what is in it is offered."""
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "deploy.prototxt").write_text("")

    with pytest.raises(PrototxtError, match="is a folder: .* It has 'deploy.prototxt'"):
        load_net(folder, tiny[1], mean=MEAN)
    with pytest.raises(CaffemodelError, match="is a folder: give the file inside it"):
        load_net(tiny[0], folder, mean=MEAN)
    with pytest.raises(CaffemodelError, match="is a folder: give the file inside it"):
        load_net(*tiny, mean=folder)


def test_a_mean_file_that_is_not_there_is_named() -> None:
    """With the other way to give a mean."""
    with pytest.raises(MissingFileError, match="no mean file 'nowhere.npy'.*three numbers"):
        parse_mean("nowhere.npy")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("vgg16", "vgg19")])
def test_a_registered_prototxt_has_the_registered_number_of_parameters(name: str) -> None:
    """Built without weights."""
    from deepdream.running.net import Net

    net = Net(str(load.prototxt_path(MODELS[name])), 1)
    counts = [blob.data.size for blobs in net.params.values() for blob in blobs]

    assert sum(counts) == MODELS[name].parameters


def test_googlenets_prototxt_gives_bvlcs_blobs() -> None:
    """121 of them, in Caffe's order, splits included."""
    from deepdream.running.net import Net

    net = Net(str(load.prototxt_path(MODELS["googlenet"])), 1)
    names = list(net.blobs)

    assert len(net._layer_names) == 152
    assert len(names) == 121
    assert names[:4] == ["data", "conv1/7x7_s2", "pool1/3x3_s2", "pool1/norm1"]
    assert [n for n in names if n.startswith("pool2")] == [
        "pool2/3x3_s2",
        *(f"pool2/3x3_s2_pool2/3x3_s2_0_split_{k}" for k in range(4)),
    ]
    assert net.blobs["data"].data.shape == (10, 3, 224, 224)
    assert net.blobs["prob"].data.shape == (10, 1000)


def test_trained_weights_load(shared: Path) -> None:
    """A real network of 2016, which is not in the registry."""
    folder = shared / "data" / "squeezenet_dc"

    net = load_net(
        folder / "deploy.prototxt", folder / "squeezenet_dc.caffemodel", mean=(104, 117, 123)
    )

    assert net.params["conv1"][0].data.shape == (96, 3, 7, 7)
    assert 0.01 < net.params["conv1"][0].data.std() < 1
