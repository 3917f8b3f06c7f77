"""`deepdream.caffe`: what ``import caffe`` promises, name by name."""

from __future__ import annotations

import copy
import importlib
import inspect
import multiprocessing
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from caffe_client import caffe_environment, caffe_python
from google.protobuf import text_format
from helpers import ROOT, assert_close

import deepdream.caffe
from deepdream import caffe
from deepdream.caffe import mode
from deepdream.errors import (
    EngineError,
    MissingFileError,
    ParameterError,
    ShapeError,
    UnknownLayerTypeError,
)

H, W = 5, 7

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3
    weight_filler { type: "gaussian" std: 0.05 } bias_filler { type: "constant" value: 0.25 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 11 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""  # noqa: E501


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write the tiny net's prototxt and seeded weights; return the two paths."""
    prototxt, weights = tmp_path / "tiny.prototxt", tmp_path / "tiny.caffemodel"
    prototxt.write_text(NET)
    caffe.set_random_seed(7)
    caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


def pictures(*shape: int, seed: int = 11) -> np.ndarray:
    """Return float32 grey levels 0..255 without structure."""
    return np.random.RandomState(seed).uniform(0, 255, shape).astype(np.float32)


# -- names ----------------------------------------------------------------------------------------


def test_every_promised_name_is_there() -> None:
    """The row `deepdream.caffe` of the design, and what the notebooks of 2015 use."""
    names = (
        "Net Classifier io proto TRAIN TEST set_mode_cpu set_mode_gpu set_device set_random_seed "
        "layer_type_list __version__ install NetSpec layers params to_proto Layer draw"
    )
    inside = (
        "Transformer load_image resize_image oversample blobproto_to_array array_to_blobproto "
        "arraylist_to_blobprotovector_str blobprotovector_str_to_arraylist array_to_datum "
        "datum_to_array caffe_pb2"
    )

    missing = [name for name in names.split() if not hasattr(caffe, name)]
    missing += [name for name in inside.split() if not hasattr(caffe.io, name)]
    assert missing == []
    assert (caffe.TRAIN, caffe.TEST, caffe.__version__) == (0, 1, "1.0.0")
    assert issubclass(caffe.Classifier, caffe.Net)


def test_dir_lists_the_lazy_names() -> None:
    """Tab completion shows Net before torch is loaded."""
    assert {"Net", "Classifier", "io", "install"} <= set(dir(caffe))


def test_import_does_not_load_torch() -> None:
    """Reading a prototxt or a mean by caffe.io needs no engine."""
    code = "import sys, deepdream.caffe; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_message_classes_are_one_module_under_every_name() -> None:
    """A NetParameter made by one name is accepted wherever another name is used."""
    by_path = importlib.import_module("deepdream.caffe.proto.caffe_pb2")

    assert caffe.io.caffe_pb2 is caffe.proto.caffe_pb2 is by_path


def test_messages_do_what_the_notebook_does_with_them() -> None:
    """Merge text, set force_backward, write ``str(message)``: name and flag come first."""
    message = caffe.io.caffe_pb2.NetParameter()
    text_format.Merge(NET, message)
    message.force_backward = True

    assert str(message).startswith('name: "tiny"\n')
    assert "force_backward: true" in str(message).splitlines()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SGDSolver", "caffe.SGDSolver is not part of deepdream.caffe: .*does not train"),
        ("Detector", "use Classifier"),
        ("set_mode_gpi", "no attribute 'set_mode_gpi'. Did you mean 'set_mode_gpu'"),
    ],
)
def test_a_missing_name_says_what_to_use(name: str, message: str) -> None:
    """pycaffe's other names are attribute errors with a way out."""
    with pytest.raises(AttributeError, match=message):
        getattr(caffe, name)


def test_layer_types_are_sorted_strings() -> None:
    """As in Caffe, whose registry is a sorted map."""
    types = caffe.layer_type_list()

    assert {"Convolution", "LRN", "Pooling", "Split"} <= set(types)
    assert types == sorted(types)


def test_what_serves_training_and_databases_has_no_layer_type() -> None:
    """The types of Caffe 1.0 that are not here; nets of these cannot be built."""
    absent = (
        "BatchReindex Data Embed Filter HDF5Data HDF5Output Im2col ImageData InfogainLoss LSTM "
        "LSTMUnit Parameter RNN SPP WindowData"
    )

    assert not set(absent.split()) & set(caffe.layer_type_list())
    for kind in absent.split():
        net = text_format.Parse(f'layer {{ type: "{kind}" }}', caffe.io.caffe_pb2.NetParameter())
        with pytest.raises(UnknownLayerTypeError, match=f"layer type '{kind}' is not known"):
            caffe.Net(net, caffe.TEST)


# -- install --------------------------------------------------------------------------------------


@pytest.fixture
def no_caffe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget every module called caffe, before and after the test."""

    def forget() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.split(".")[0] == "caffe"]
        return {name: sys.modules.pop(name) for name in names}

    before = forget()
    yield
    forget()
    sys.modules.update(before)


@pytest.mark.usefixtures("no_caffe")
def test_install_makes_notebook_imports_work() -> None:
    """The imports of the notebooks of 2015 give this package's own modules."""
    if caffe_importable():
        pytest.skip("the real Caffe is importable here")
    assert caffe.install() is caffe
    names: dict[str, Any] = {}
    exec(
        "import caffe, caffe.io, caffe.proto.caffe_pb2\n"
        "from caffe import Classifier, Net\n"
        "from caffe.proto import caffe_pb2\n"
        "from caffe.io import Transformer\n"
        "import caffe.classifier\n",
        names,
    )

    assert names["caffe"] is caffe
    assert names["caffe"].io is caffe.io is sys.modules["caffe.io"]
    assert names["caffe_pb2"] is caffe.io.caffe_pb2 is sys.modules["caffe.proto.caffe_pb2"]
    assert names["Classifier"] is caffe.Classifier is sys.modules["caffe.classifier"].Classifier
    assert caffe.install() is caffe


def caffe_importable() -> bool:
    """Tell whether this very Python has a real Caffe."""
    spec = importlib.util.find_spec("caffe")
    return spec is not None and spec.origin is not None


@pytest.mark.usefixtures("no_caffe")
@pytest.mark.parametrize("imported", [False, True])
def test_install_refuses_where_the_real_caffe_is(
    imported: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Caffe that can be imported, or already is, stays what `import caffe` gives."""
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / "__init__.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    if imported:
        importlib.import_module("caffe")

    with pytest.raises(EngineError, match="another Caffe.*\n.*import deepdream.caffe as caffe"):
        caffe.install()
    assert importlib.import_module("caffe").real


@pytest.mark.usefixtures("no_caffe")
def test_a_bare_folder_called_caffe_is_no_caffe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notebooks lie beside a checkout of Caffe; Python takes the folder for a package."""
    if caffe_importable():
        pytest.skip("the real Caffe is importable here")
    (tmp_path / "caffe" / "models").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert caffe.install() is sys.modules["caffe"] is caffe


# -- mode and seed --------------------------------------------------------------------------------


# Without a GPU or other threads: each of these programs once hung, or found no caffe.
WORKER = """
import caffe
import numpy as np

def work(number):
    net = caffe.Net({prototxt!r}, {weights!r}, caffe.TEST)
    net.blobs["data"].data[...] = number
    return float(net.forward()["prob"][0, 3])
"""
PARENT = """
import multiprocessing, sys
import deepdream.caffe
deepdream.caffe.install()
sys.path.insert(0, {folder!r})
import worker
if __name__ == "__main__":
    here = [worker.work(number) for number in (1, 2)]
    with multiprocessing.get_context({kind!r}).Pool(2) as pool:
        there = pool.map_async(worker.work, (1, 2)).get(timeout=60)
    assert there == here, (there, here)
    print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["spawn", "fork", "forkserver"])
@pytest.mark.parametrize("main", [True, False])
def test_children_find_caffe_and_compute(
    kind: str, main: bool, files: tuple[str, str], tmp_path: Path
) -> None:
    """However a program starts its workers, and whether or not it is a file that they import."""
    if kind not in multiprocessing.get_all_start_methods():
        pytest.skip(f"{kind} is not for this system")
    (tmp_path / "worker.py").write_text(WORKER.format(prototxt=files[0], weights=files[1]))
    code = PARENT.format(folder=str(tmp_path), kind=kind)
    (tmp_path / "parent.py").write_text(code)
    command = [str(tmp_path / "parent.py")] if main else ["-c", code]
    done = subprocess.run(
        [sys.executable, *command],
        env={**caffe_environment(2), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "equal\n"


@pytest.mark.slow
def test_a_script_runs_as_it_stands(files: tuple[str, str], tmp_path: Path) -> None:
    """By ``python -m deepdream.caffe``, with its arguments, its folder, and its own status."""
    (tmp_path / "beside.py").write_text("from caffe._caffe import layer_type_list as types\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport caffe\nfrom caffe.proto import caffe_pb2\nimport beside\n"
        "net = caffe.Net(sys.argv[1], sys.argv[2], caffe.TEST)\n"
        "print(__name__, sys.argv[0], len(net.blobs), 'Pooling' in beside.types())\nsys.exit(7)\n"
    )
    command = [sys.executable, "-m", "deepdream.caffe"]
    environment = {**caffe_environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, str(script), *files], env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"__main__ {script} 4 True\n", done.stderr
    assert done.returncode == 7
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "usage: python -m deepdream.caffe SCRIPT" in done.stderr


@pytest.fixture
def fresh_mode(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that pretends to have so many GPUs; CPU mode, nothing warned yet."""
    for name, value in {"_gpu": False, "_number": 0, "_warned": False}.items():
        monkeypatch.setattr(mode, name, value)

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_gpu_mode_without_a_gpu_warns_once_and_stays_on_the_cpu(
    fresh_mode: Callable[[int], None],
) -> None:
    """A notebook that asks for a GPU still runs, and says that it is slow."""
    fresh_mode(0)
    with pytest.warns(RuntimeWarning, match="no CUDA GPU.*run on the CPU"):
        caffe.set_mode_gpu()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caffe.set_device(0)
        caffe.set_mode_gpu()

    assert mode.current_device() == "cpu"


def test_device_is_used_in_gpu_mode_only(fresh_mode: Callable[[int], None]) -> None:
    """set_device alone changes nothing; set_mode_cpu goes back."""
    fresh_mode(3)
    caffe.set_device(2)
    before = mode.current_device()
    caffe.set_mode_gpu()
    during = mode.current_device()
    caffe.set_mode_cpu()

    assert (before, during, mode.current_device()) == ("cpu", "cuda:2", "cpu")


@pytest.mark.parametrize("number", [-1, 3])
def test_a_gpu_that_does_not_exist_is_refused(
    fresh_mode: Callable[[int], None], number: int
) -> None:
    """Caffe would end the process."""
    fresh_mode(3)

    with pytest.raises(ParameterError, match=rf"set_device\({number}\).*3 CUDA GPUs"):
        caffe.set_device(number)


def test_nets_are_made_on_the_chosen_device(
    fresh_mode: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode reaches the engine as its device, unless the call names one."""
    fresh_mode(2)
    seen: list[Any] = []
    monkeypatch.setattr(
        "deepdream.running.net.Net.__init__",
        lambda self, *args, **kwargs: seen.append((args, kwargs)),
    )
    caffe.set_device(1)
    caffe.set_mode_gpu()
    caffe.Net("x.prototxt", caffe.TEST)
    caffe.Net("x.prototxt", caffe.TEST, device="cpu")

    assert seen == [
        (("x.prototxt", 1), {"device": "cuda:1"}),
        (("x.prototxt", 1), {"device": "cpu"}),
    ]


@pytest.mark.filterwarnings("ignore:backward computes nothing")
def test_a_net_follows_the_mode_with_all_it_holds(
    fresh_mode: Callable[[int], None], files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its next forward, as in Caffe: data, diffs, weights and views come along, there and back.

    ``torch`` stands in for a GPU: tensors there do not share memory with arrays.
    """
    here = ["cpu"]
    monkeypatch.setattr("deepdream.caffe.pycaffe.current_device", lambda: here[0])
    stays, moves = caffe.Net(*files, caffe.TEST, device="cpu"), caffe.Net(*files, caffe.TEST)
    view = moves.blobs["data"].data

    for step, here[0] in enumerate(("cpu", "torch", "torch", "cpu")):
        for net in (stays, moves):
            net.blobs["data"].data[...] += pictures(4, 3, 5, 7, seed=step)
            net.params["ip"][0].data[...] *= 1.25
            net.forward()
            net.blobs["prob"].diff[...] = net.blobs["prob"].data
            net.backward()
        for name in stays.blobs:
            for part in ("data", "diff"):
                expected = getattr(stays.blobs[name], part)
                found = getattr(moves.blobs[name], part)
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.std())
        assert stays.device == "cpu"
        assert moves.device == here[0]
        np.testing.assert_array_equal(view, stays.blobs["data"].data)
    assert caffe.Net(*files, caffe.TEST, device="cpu")._chosen_device is None


def test_paths_may_be_path_objects(files: tuple[str, str]) -> None:
    """Where pycaffe takes nothing but strings."""
    prototxt, weights = map(Path, files)
    net = caffe.Net(prototxt, caffe.TEST, weights=weights)

    assert net.params["conv"][0].data.any()
    assert caffe.Classifier(prototxt, weights).inputs == ["data"]


def test_random_seed_repeats_the_fillers(files: tuple[str, str]) -> None:
    """Two nets without weights are equal after the same seed, and differ after another."""
    weights = []
    for seed in (5, 5, 6):
        caffe.set_random_seed(seed)
        weights.append(caffe.Net(files[0], caffe.TEST).params["conv"][0].data.copy())

    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


# -- Classifier -----------------------------------------------------------------------------------


def test_classifier_sets_up_the_notebooks_transformer(files: tuple[str, str]) -> None:
    """The call of the notebook of 2015, positional and keyword arguments as there."""
    net = caffe.Classifier(*files, mean=np.float32([104.0, 116.0, 122.0]), channel_swap=(2, 1, 0))

    transformer = net.transformer
    assert isinstance(transformer, caffe.io.Transformer)
    assert transformer.inputs == {"data": (4, 3, H, W)}
    assert transformer.transpose == {"data": (2, 0, 1)}
    assert transformer.channel_swap == {"data": (2, 1, 0)}
    assert transformer.raw_scale == transformer.input_scale == {}
    assert transformer.mean["data"].dtype == np.float32
    np.testing.assert_array_equal(transformer.mean["data"][:, 0, 0], [104, 116, 122])
    assert net.crop_dims.tolist() == list(net.image_dims) == [H, W]
    assert net.phase == caffe.TEST


def test_classifier_loads_the_weights(files: tuple[str, str]) -> None:
    """The second argument is a caffemodel, and has to exist."""
    saved = caffe.Net(files[0], files[1], caffe.TEST).params["ip"][0].data
    net = caffe.Classifier(*files)

    assert saved.std() > 0.005
    np.testing.assert_array_equal(net.params["ip"][0].data, saved)
    with pytest.raises(MissingFileError, match="nowhere.caffemodel"):
        caffe.Classifier(files[0], "nowhere.caffemodel")


def probabilities(net: Any, crops: np.ndarray) -> np.ndarray:
    """Return the net's answers to crops (n, h, w, c), one at a time."""
    answers = []
    for crop in crops:
        net.blobs["data"].data[...] = net.transformer.preprocess("data", crop.copy())
        answers.append(net.forward()["prob"][0].copy())
    return np.array(answers)


def test_predict_averages_ten_crops(files: tuple[str, str]) -> None:
    """Pictures of any size are resized to image_dims, cropped ten times, and averaged."""
    net = caffe.Classifier(*files, image_dims=(8, 9), mean=np.float32([10, 20, 30]))
    images = [pictures(6, 13, 3), pictures(17, 8, 3, seed=12), pictures(8, 9, 3, seed=13)]

    result = net.predict(images)

    assert result.shape == (3, 11)
    for image, row in zip(images, result):
        crops = caffe.io.oversample([caffe.io.resize_image(image, (8, 9))], (H, W))
        np.testing.assert_allclose(row, probabilities(net, crops).mean(0), rtol=1e-5)


def test_predict_without_oversampling_takes_the_centre(files: tuple[str, str]) -> None:
    """Of 8 x 10 pixels the rows 1..5 and the columns 1..7 are the centre of 5 x 7."""
    net = caffe.Classifier(*files, image_dims=(8, 10), raw_scale=0.5, input_scale=2.0)
    image = pictures(8, 10, 3)

    result = net.predict([image], oversample=False)

    resized = caffe.io.resize_image(image, (8, 10))
    np.testing.assert_allclose(result, probabilities(net, resized[np.newaxis, 1:6, 1:8]), rtol=1e-5)


@pytest.mark.parametrize("oversample", [False, True])
def test_predict_refuses_image_dims_below_the_input(
    files: tuple[str, str], oversample: bool
) -> None:
    """No crop of 5 x 7 can be cut out of 4 x 9 pixels."""
    net = caffe.Classifier(*files, image_dims=(4, 9))

    with pytest.raises(ShapeError, match=r"5x7 do(es)? not fit into .*4x9"):
        net.predict([pictures(6, 13, 3)], oversample)


def test_image_dims_may_be_an_array(files: tuple[str, str]) -> None:
    """pycaffe fails on the truth value of an array here."""
    net = caffe.Classifier(*files, image_dims=np.array([8, 9]))

    assert list(net.image_dims) == [8, 9]


def test_image_dims_of_nothing_are_the_inputs(files: tuple[str, str]) -> None:
    """As in pycaffe, whatever false value says it."""
    for nothing in (None, (), 0):
        assert list(caffe.Classifier(*files, image_dims=nothing).image_dims) == [5, 7]


def test_more_is_accepted_than_by_pycaffe(files: tuple[str, str]) -> None:
    """Lists for arrays, nothing at all for forward_all, copies of nets and blobs, and any array
    for a MemoryData layer.
    """
    net = caffe.Net(*files, caffe.TEST)
    x = pictures(4, 3, 5, 7)
    expected = net.forward(data=x)["prob"].copy()
    np.testing.assert_array_equal(net.forward(data=x.tolist())["prob"], expected)
    assert net.forward_all(data=x[:0]) == {}
    twin, blob = copy.deepcopy(net), pickle.loads(pickle.dumps(net.blobs["data"]))
    net.blobs["data"].data[...] = 0
    np.testing.assert_array_equal(twin.blobs["data"].data, x)
    np.testing.assert_array_equal(blob.data, x)
    memory = caffe.Net(
        text_format.Parse(
            'layer { name: "m" type: "MemoryData" top: "x" top: "y" memory_data_param { '
            "batch_size: 2 channels: 3 height: 5 width: 7 } }",
            caffe.io.caffe_pb2.NetParameter(),
        ),
        caffe.TEST,
    )
    memory.set_input_arrays(x.astype(np.float64)[::-1], [0, 1, 2, 3])
    memory.forward()
    np.testing.assert_array_equal(memory.blobs["x"].data, x[:1:-1])


def test_arguments_of_the_wrong_kind_are_errors_of_one_class(files: tuple[str, str]) -> None:
    """pycaffe takes any number as the phase, and has RuntimeErrors where Python has TypeErrors."""
    for phase in (2, True):
        with pytest.raises(TypeError, match="phase is"):
            caffe.Net(files[0], phase)
    net = caffe.Net(*files, caffe.TEST)
    with pytest.raises(TypeError):
        net.blobs["data"].reshape(1, 3, 5, 7, axis=2)


# -- the real Caffe -------------------------------------------------------------------------------


def probe(caffe, prototxt, weights):  # type: ignore[no-untyped-def]
    """Return what io and Classifier give; runs here and, as source text, under the real Caffe."""
    import numpy as np

    rng = np.random.RandomState(1)
    image = rng.uniform(0, 255, (9, 6, 3)).astype(np.float32)
    out = {}
    # Larger only: since 2018 the real one blurs before it shrinks.
    for order in (0, 1):
        out[f"resize {order}"] = caffe.io.resize_image(image, (14, 19), order)
    out["resize grey"] = caffe.io.resize_image(image[:, :, :1], (10, 6))
    out["resize five"] = caffe.io.resize_image(np.dstack([image, image])[:, :, :5], (4, 13))
    out["resize uint8"] = caffe.io.resize_image(image.astype(np.uint8), (11, 12))
    out["oversample"] = caffe.io.oversample([image, image + 1], (5, 3))

    transformer = caffe.io.Transformer({"data": (4, 3, 12, 8)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 0, 1))
    transformer.set_raw_scale("data", 1.5)
    transformer.set_mean("data", rng.uniform(0, 255, (3, 7, 5)))
    transformer.set_input_scale("data", 0.25)
    out["mean"] = transformer.mean["data"]
    out["preprocess"] = transformer.preprocess("data", image)
    out["deprocess"] = transformer.deprocess("data", out["preprocess"][np.newaxis])

    net = caffe.Classifier(
        prototxt, weights, image_dims=(11, 9), mean=np.float32([104, 116, 122]),
        channel_swap=(2, 1, 0), raw_scale=0.5, input_scale=2.0,
    )  # fmt: skip
    out["predict ten"] = net.predict([image, image[::-1]])
    out["predict centre"] = net.predict([image, image[::-1]], oversample=False)

    blob = caffe.io.array_to_blobproto(image, image + 1)
    out["blob data"] = caffe.io.blobproto_to_array(blob)
    out["blob diff"] = caffe.io.blobproto_to_array(blob, True)
    return out


@pytest.mark.pycaffe
def test_io_and_classifier_match_the_real_caffe(files: tuple[str, str], tmp_path: Path) -> None:
    """Same dtypes, same shapes, same numbers from the same calls."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: run scripts/install_caffe.sh")
    program = (
        "import sys, numpy, caffe\n"
        + inspect.getsource(probe)
        + "numpy.savez(sys.argv[1], **probe(caffe, *sys.argv[2:]))\n"
    )
    arguments = [str(tmp_path / "theirs.npz"), *files]
    subprocess.run([str(python), "-c", program, *arguments], env=caffe_environment(), check=True)

    ours = probe(deepdream.caffe, *files)

    with np.load(tmp_path / "theirs.npz", allow_pickle=False) as theirs:
        assert sorted(ours) == sorted(theirs.files)
        for name, array in ours.items():
            assert array.dtype == theirs[name].dtype, name
            assert_close(array, theirs[name], rtol=1e-6, name=name)
