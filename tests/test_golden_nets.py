"""Whole nets against the real Caffe, from golden data: wiring, runs, files, dream steps."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from golden_cases import NETS, all_cases, files, refused
from golden_cases.base import input_layer, layer, net
from golden_cases.networks import small_inception, small_resnet
from helpers import GOLDEN, golden_names, load_golden, our_caffe, run_ours, worker

from deepdream.errors import DeepDreamError
from deepdream.reading.proto import read_caffemodel
from deepdream.running.fillers import seed_weights

pytestmark = pytest.mark.usefixtures("device")

CASES = all_cases(*(module for module in NETS if module is not refused))
REFUSED = all_cases(refused)
DEFINED = all_cases()
SEVERAL_TYPES = net(
    input_layer("data", (1, 3, 5, 7)),
    layer(
        "d", "Deconvolution", ["data"], ["d"], "convolution_param { num_output: 4 kernel_size: 2 }"
    ),
    layer("p", "PReLU", ["d"], ["p"]),
    layer("b", "Bias", ["p"], ["b"]),
    layer("i", "InnerProduct", ["b"], ["i"], "inner_product_param { num_output: 5 }"),
)
SAVED = [("files/saved", "saved.caffemodel"), ("files/hdf5", "saved.caffemodel.h5")]


def needs_h5py(name):
    """Skip where a case needs HDF5 and h5py, an extra, is not installed."""
    if "hdf5" in name:
        pytest.importorskip("h5py")


@pytest.mark.parametrize("name", CASES)
def test_a_net_does_what_caffe_does(name):
    """Names, shapes, data and diffs equal Caffe's after every step."""
    needs_h5py(name)
    golden = load_golden(name)

    results, facts = run_ours(golden.steps, golden.arrays)

    golden.check(results, facts)


@pytest.mark.parametrize("name", REFUSED)
def test_what_aborts_caffe_raises_an_error_here(name):
    """Where Caffe ends its process there is an error of ours, one to three lines long."""
    golden = load_golden(name)
    assert golden.aborts

    with pytest.raises(DeepDreamError) as caught:
        run_ours(golden.steps, golden.arrays)

    assert 1 <= len(str(caught.value).splitlines()) <= 3
    assert caught.value.failed_step.startswith(f"step {len(golden.steps) - 1} of")


@pytest.mark.parametrize(("name", "file"), SAVED)
def test_weights_saved_by_caffe_are_read(name, file, tmp_path):
    """A file that the real Caffe wrote holds the parameters that it wrote."""
    needs_h5py(name)
    golden = load_golden(name)
    (tmp_path / file).write_bytes(golden.results[f"file/{file}"].tobytes())
    steps = [
        {"do": "net", "prototxt": files.V2, "weights": "saved"},
        {"do": "write_image", "blob": "data", "seed": 3},
        {"do": "forward"},
        {"do": "read", "blob": "s", "name": "s.data"},
    ]

    results, _ = run_ours(steps, {"saved": golden.results[f"file/{file}"]})
    stored = read_caffemodel(tmp_path / file)

    np.testing.assert_allclose(results["s.data"], golden.results["s.data"], rtol=1e-5)
    for name in ("c", "ip"):
        for index in (0, 1):
            expected = golden.results[f"{name}[{index}].data"]
            np.testing.assert_array_equal(stored[name][index].reshape(expected.shape), expected)


@pytest.mark.parametrize("name", DEFINED)
def test_the_golden_job_is_the_defined_one(name):
    """A definition that changes needs new golden data: `make golden` or scripts/make_golden.py."""
    golden, case = load_golden(name), DEFINED[name]

    assert golden.steps == case.steps
    assert golden.rtol == case.rtol
    assert golden.what == case.what
    assert golden.arrays.keys() == case.arrays.keys()
    for key, array in case.arrays.items():
        np.testing.assert_array_equal(golden.arrays[key], array)


def test_there_are_no_golden_files_without_a_case():
    """Nothing is left in the folder from cases that are gone."""
    assert golden_names() == sorted(DEFINED)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.npz")), ids=lambda path: path.stem)
def test_golden_files_are_small(path):
    """One golden file has 50 kB at most."""
    assert path.stat().st_size <= 50_000


@pytest.mark.parametrize("text", [small_inception(), small_resnet(), SEVERAL_TYPES])
def test_seeded_weights_are_the_ones_of_the_package(text, tmp_path):
    """The worker and `deepdream.running.fillers.seed_weights` draw the same weights."""
    job = worker.Job(our_caffe(), {}, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for net in ("worker", "package"):
            job.take({"do": "net", "net": net, "prototxt": text})
    job.take({"do": "seed", "net": "worker", "seed": 5})
    seed_weights(job.nets["package"], seed=5)

    for name, blobs in job.nets["worker"].params.items():
        for index, blob in enumerate(blobs):
            ours = job.nets["package"].params[name][index].data
            np.testing.assert_array_equal(ours, blob.data)
