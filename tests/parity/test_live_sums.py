"""Sums of terms against the real Caffe: its gradient for each target, balanced and added here."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_client import Job
from fakes import FakeNet
from flips import assert_gradient
from helpers import ROOT, assert_close, relative_error, worker
from sums import SIZE, SUMS, one_by_one, step_of, summed
from test_ascent import tight
from tiny import TINY

import deepdream
from deepdream.dreaming.dream2015 import preprocess
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

pytestmark = pytest.mark.pycaffe

STEP = {"iter_n": 1, "octave_n": 1, "jitter": 0, "clip": False, "seed": 1}

GOOGLENET = {
    "pre-ReLU, before a split and behind it": {
        "conv2/3x3": 1.0, "inception_3a/3x3_reduce": 0.5, "inception_3b/output": 1.0,
    },
    "before splits and inside branches": {
        "pool2/3x3_s2": -0.3, "inception_3a/1x1": 1.0, "inception_3b/5x5": 1.0,
    },
}  # fmt: skip


def ours(text, way="plan"):
    net = Net(parse_prototxt(text), 1)
    seed_weights(net, 0)
    net.transformer = FakeNet().transformer
    if way == "net":
        net.before_forward(lambda layer: None)
    if way == "torch":
        net.move("torch")
    return net


def start(text, x):
    """Return the steps that make a net with seeded weights and put a picture into it."""
    return [
        {"do": "net", "prototxt": text},
        {"do": "seed", "seed": 0},
        {"do": "reshape", "blob": "data", "shape": [1, *x.shape]},
        {"do": "write", "blob": "data", "array": "x"},
    ]


def asked(caffe, text, x, ends):
    """Return the real Caffe's gradient of each target, and what the gradients are checked by."""
    jobs = []
    for end in ends:
        run = [
            {"do": "forward", "end": end}, {"do": "clear_diffs"}, {"do": "objective", "blob": end},
            {"do": "backward", "start": end}, {"do": "read", "blob": "data", "part": "diff"},
        ]  # fmt: skip
        jobs.append(Job([*start(text, x), *run], {"x": x}))
    outcomes = caffe.ask(jobs)
    for outcome in outcomes:
        assert outcome.facts is not None, outcome.error or outcome.aborted
    return {end: outcome.results["data.diff"][0] for end, outcome in zip(ends, outcomes)}


def excused(caffe, text, x, theirs):
    """Return by how much our gradients are off for switches that rounding flips, and no other."""
    net, worst = ours(text, "net"), 0.0
    for end, expected in theirs.items():
        found = one_by_one(net, x, [end])[end]

        def trace(end=end):
            steps = [*start(text, x), {"do": "trace", "end": end, "name": "trace"}]
            (outcome,) = caffe.ask([Job(steps, {"x": x})])
            return {
                layer: {top: outcome.results[f"trace/{layer}/{top}"] for top in tops}
                for layer, tops in net.top_names.items()
                if all(f"trace/{layer}/{top}" in outcome.results for top in tops)
            }

        if relative_error(found, expected) > 1e-5:
            assert_gradient(net, end, expected[None], trace, end)
        worst = max(worst, relative_error(found, expected))
    return worst


@pytest.mark.parametrize("way", ["plan", "net", "torch"])
@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_made_of_caffes_gradients(name, way, real_caffe):
    """One step equals the step from Caffe's own gradients, each target's by itself."""
    weights, img = SUMS[name], np.float32(worker.natural_image((3, *SIZE), 3).transpose(1, 2, 0))
    x = preprocess(ours(TINY), img)
    theirs = asked(real_caffe, TINY, x, weights)

    found = deepdream.dream(ours(TINY, way), img, weights, **STEP)

    assert_close(np.asarray(found, np.float64) - img, step_of(summed(theirs, weights)), 1e-5)


@pytest.mark.parametrize("name", ["before and after a split", "in two branches"])
def test_a_sum_in_tiles_is_made_of_caffes_gradients(name, real_caffe):
    """The same of a picture that goes through the plan in parts."""
    weights = SUMS[name]
    img = np.float32(worker.natural_image((3, 403, 460), 4).transpose(1, 2, 0))
    x = preprocess(ours(TINY), img)
    theirs = asked(real_caffe, TINY, x, weights)

    found = deepdream.dream(ours(TINY), img, weights, max_memory=tight() + 900_000, **STEP)

    expected = step_of(summed(theirs, weights))
    allowed = 1e-5 + 2 * excused(real_caffe, TINY, x, theirs)
    assert_close(np.asarray(found, np.float64) - img, expected, allowed)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOGLENET)
def test_a_sum_in_googlenet_is_made_of_caffes_gradients(name, real_caffe):
    """Convolutions before their ReLUs, splits of four, and targets inside the blocks."""
    weights = GOOGLENET[name]
    text = (ROOT / "prototxt" / "googlenet" / "deploy.prototxt").read_text()
    img = np.float32(worker.natural_image((3, 61, 83), 5).transpose(1, 2, 0))
    x = preprocess(ours(TINY), img)
    forced = f"force_backward: true\n{text}"
    theirs = asked(real_caffe, forced, x, weights)

    expected = step_of(summed(theirs, weights))
    allowed = 1e-5 + 2 * excused(real_caffe, forced, x, theirs)
    for way in ("plan", "net"):
        found = deepdream.dream(ours(forced, way), img, weights, **STEP)
        assert_close(np.asarray(found, np.float64) - img, expected, allowed, way)
