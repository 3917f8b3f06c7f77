"""A small net with what dreaming nets have: LRN, ceil pooling, ReLUs in place, branches.

Two engines, or two processors, round otherwise. Where that tips a ReLU or a maximum, the gradient
jumps, and the next steps make more of it: whole dreams on `TINY` may part anywhere. `SMOOTH` has
nothing that tips. Its dreams of thirty steps stay within 1e-4 grey levels of each other, on every
processor, so a bound on them can be as tight as one on a single step.
"""

from __future__ import annotations

from pathlib import Path

from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

TEST = 1

TINY = """
name: "tiny"
force_backward: true
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 29 dim: 37 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 5 stride: 2 pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.001 beta: 0.75 } }
layer { name: "a/1x1" type: "Convolution" bottom: "norm1" top: "a/1x1"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "a/relu_1x1" type: "ReLU" bottom: "a/1x1" top: "a/1x1" }
layer { name: "a/3x3_reduce" type: "Convolution" bottom: "norm1" top: "a/3x3_reduce"
  convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "a/relu_3x3_reduce" type: "ReLU" bottom: "a/3x3_reduce" top: "a/3x3_reduce" }
layer { name: "a/3x3" type: "Convolution" bottom: "a/3x3_reduce" top: "a/3x3"
  convolution_param { num_output: 7 kernel_size: 3 pad: 1 } }
layer { name: "a/relu_3x3" type: "ReLU" bottom: "a/3x3" top: "a/3x3" }
layer { name: "a/pool" type: "Pooling" bottom: "norm1" top: "a/pool"
  pooling_param { kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "a/output" type: "Concat" bottom: "a/1x1" bottom: "a/3x3" bottom: "a/pool"
  top: "a/output" }
layer { name: "pool2" type: "Pooling" bottom: "a/output" top: "pool2"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool2" top: "fc"
  inner_product_param { num_output: 11 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""

SMOOTH = TINY.replace('"ReLU"', '"BNLL"').replace(
    "pooling_param { kernel_size", "pooling_param { pool: AVE kernel_size"
)


def tiny_net(seed: int = 0, text: str = TINY, **options):
    """Return the net with seeded weights; options as for Net."""
    net = Net(parse_prototxt(text), TEST, **options)
    seed_weights(net, seed)
    return net


def write_tiny(folder: Path, seed: int = 0, text: str = TINY) -> tuple[Path, Path]:
    """Write the net's two files and return their paths."""
    prototxt, caffemodel = folder / "deploy.prototxt", folder / "tiny.caffemodel"
    prototxt.write_text(text)
    tiny_net(seed, text).save(caffemodel)
    return prototxt, caffemodel
