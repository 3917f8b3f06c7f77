"""The benchmark measures what it says: same gradient, right arithmetic, honest ratios."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import ROOT, assert_close
from tiny import TEST, tiny_net

from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

sys.path.insert(0, str(ROOT / "scripts"))
import bench_report
from bench import parse
from bench_autograd import AutogradNet, convolution_flop, needed_layers

RESIDUAL = """
name: "residual"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 21 dim: 26 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1"
  scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "deep" type: "Convolution" bottom: "conv1" top: "deep"
  convolution_param { num_output: 6 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 group: 3 } }
layer { name: "clip" type: "Clip" bottom: "deep" top: "clip" clip_param { min: 0 max: 6 } }
layer { name: "sum" type: "Eltwise" bottom: "conv1" bottom: "clip" top: "sum" }
layer { name: "aside" type: "Convolution" bottom: "conv1" top: "aside"
  convolution_param { num_output: 9 kernel_size: 1 } }
layer { name: "last" type: "Pooling" bottom: "sum" top: "last"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
"""


def residual_net():
    net = Net(parse_prototxt(RESIDUAL), TEST, force_backward=True)
    seed_weights(net)
    return net


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("make", "end"),
    [(tiny_net, "a/output"), (tiny_net, "a/3x3"), (tiny_net, "pool2"), (residual_net, "last")],
)
def test_autograd_computes_what_net_computes(make, end, channels_last):
    """The module that we compare with gives Net's data and Net's gradient."""
    net = make()
    x = np.random.RandomState(3).uniform(-100, 100, net.blobs["data"].shape).astype(np.float32)
    module = AutogradNet(net, end, channels_last)
    picture = torch.from_numpy(x.copy()).requires_grad_()
    y = module(picture)
    y.backward(y.detach())
    data = y.detach().numpy().copy()

    net.blobs["data"].data[...] = x
    net.forward(end=end)
    net.blobs[end].diff[...] = net.blobs[end].data
    net.backward(start=end)

    assert_close(data, net.blobs[end].data)
    assert_close(picture.grad.numpy(), net.blobs["data"].diff)
    assert np.abs(net.blobs["data"].diff).max() > 0


def test_autograd_refuses_what_it_does_not_know():
    """A type without a stock operator is an error, not a layer left out."""
    net = Net(parse_prototxt(RESIDUAL.replace('"Clip"', '"BNLL"')), TEST)
    with pytest.raises(NotImplementedError, match="BNLL"):
        AutogradNet(net, "last")


def test_flop_counts_needed_convolutions_only():
    """By hand: two operations per weight and position, groups and stride counted, asides not."""
    net = residual_net()
    first = 6 * 3 * 3 * 3 * (11 * 13)
    deep = 6 * 2 * 3 * 5 * (11 * 13)

    assert convolution_flop(net, "last", 21, 26) == 2 * (first + deep)
    assert convolution_flop(net, "conv1", 21, 26) == 2 * first
    assert convolution_flop(net, "aside", 42, 26) == 2 * (first + 9 * 6 * 143) * 21 // 11


def test_flop_of_a_deconvolution_counts_its_bottom():
    """Each value of its bottom meets every weight once."""
    text = """
    layer { name: "data" type: "Input" top: "data"
      input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
      convolution_param { num_output: 4 kernel_size: 2 stride: 2 } }
    """

    assert convolution_flop(Net(parse_prototxt(text), TEST), "up", 5, 7) == 2 * 35 * 3 * 4 * 4


def test_needed_layers_leave_out_what_the_target_does_not_see():
    """Neither branches beside the target nor layers after it."""
    net = residual_net()
    names = [net._layer_names[i] for i in needed_layers(net, "sum")]

    assert {"conv1", "relu1", "deep", "clip", "sum"} <= set(names)
    assert not {"aside", "last"} & set(names)


STEP = {
    "net": "googlenet",
    "end": "inception_4c/output",
    "size": "1024x575",
    "flop": 6e9,
    "floor": [3e9, 6e9, 2e9],
    "seconds": {"caffe": [16.0, 9.0, 30.0], "plan": [2.0, 3.0, 3.0]},
    "peak": {"caffe": 1000.0, "plan": 500.0},
    "failed": {"net": "it fell asleep"},
    "idle": {"caffe": 0.004, "plan": 0.001},
    "disagree": {"caffe": 0.0, "plan": 3e-6},
}
RUNS = {
    "caffe": [{"wall": 60.0, "seconds": 50.0, "first": 2.5, "peak": 1200.0, "before": 200.0}],
    "command": [{"wall": 8.0, "peak": 600.0}],
}
RESULTS = {
    "facts": {"torch": "2.0"}, "processor": "abacus", "cores": 2, "memory": 4.0,
    "system": "Linux", "threads": 2, "device": "cpu", "precision": "float32", "rounds": 3,
    "picture": "sky.jpg", "help": 0.25, "steps": [STEP],
    "dreams": [{"net": "googlenet", "end": "inception_4c/output", "size": "1024x575",
                "runs": RUNS, "failed": {}}],
}  # fmt: skip


def test_ratios_are_medians_of_rounds():
    """The median of each round's ratio, which is not the ratio of the medians."""
    assert bench_report.of(STEP, "caffe", "plan") == 8
    assert bench_report.of(STEP, "plan", "floor") == 1
    assert bench_report.of(STEP, "net", "plan") is None


def test_the_report_says_what_was_reached_and_what_was_missed():
    """Bars with a figure, bars without, and who took no part."""
    results = {**RESULTS, "help": 0.4}
    text = bench_report.report(results)

    assert "| step at 1024x575: real Caffe / plan | ≥ 6 | 8.00 |  |" in text
    assert "real Caffe / `deepdream dream` | ≥ 6 | 7.50 |  |" in text
    assert "| step at 320x180: real Caffe / plan | ≥ 4 | not measured | |" in text
    assert "| `deepdream --help` | ≤ 0.3 s | 0.40 s | missed |" in text
    assert "Without `dream` on `Net`: it fell asleep." in text
    assert "| real Caffe 1.0 | 16000 | 8.00 | 3.00–10.0 |" in text
    assert "the others together used 0.5 % of one core" in text


@pytest.mark.parametrize("distance", [0.5, float("nan")])
def test_the_report_names_who_computes_something_else(distance):
    """A contestant with another gradient is no contestant."""
    step = {**STEP, "disagree": {"caffe": 0.0, "plan": distance}}

    assert "too far: `dream` on the plan" in bench_report.agreement(step)
    assert "too far" not in bench_report.agreement(STEP)


def test_the_options_refuse_what_is_not_there(capsys):
    """An unknown net or contestant ends before anything is measured."""
    with pytest.raises(SystemExit):
        parse(["--nets", "googlenet,lenet", "--contestants", "caffe,abacus"])

    assert "lenet, abacus" in capsys.readouterr().err


@pytest.mark.slow
def test_a_quick_run_prints_tables():
    """The whole way, on the smallest size, with two contestants."""
    done = subprocess.run(
        [sys.executable, "scripts/bench.py", "--quick", "--nets", "squeezenet_v1.1",
         "--contestants", "autograd,net", "--threads", "1"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Without" not in done.stdout
    assert "too far" not in done.stdout
    for title in ("PyTorch autograd", "`dream` on `Net`"):
        assert done.stdout.count(f"| {title} |") == 2
    assert "GFLOP/s; floor" in done.stdout
