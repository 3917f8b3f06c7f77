#!/usr/bin/env python3
"""Time what `engine="caffe"` adds to a step of bare pycaffe, in one process, step by step in turn.

    ~/.cache/deepdream/caffe-1.0/bin/python scripts/bench/adapter.py [--rounds N]

Run it with the Python of `scripts/install_caffe.sh`. The contestants, on nets of their own:

bare        the notebook's lines, written out here, on a `caffe.Net` that is loaded by hand
make_step   `deepdream.make_step` on `deepdream.load_net(..., engine="caffe")`
bare again  a third net like the first: what two equal nets differ by

It prints the median of each round's ratio to *bare* with its quartiles, and the ratio of the
fastest steps. How far *bare again* is from 1 is what this machine cannot tell apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "scripts")]

import caffe  # noqa: E402
import numpy as np  # noqa: E402
from caffe_worker import natural_image, seeded_blobs  # noqa: E402

import deepdream  # noqa: E402

END = "inception_4c/output"
MEAN = np.float32([104, 117, 123]).reshape(3, 1, 1)


def bare_step(net, step_size=1.5, jitter=32):
    """Do one step as the notebook's cell does."""
    src, dst = net.blobs["data"], net.blobs[END]
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)
    net.forward(end=END)
    dst.diff[:] = dst.data
    net.backward(start=END)
    g = src.diff[0]
    src.data[:] += step_size / np.abs(g).mean() * g
    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)
    src.data[:] = np.clip(src.data, -MEAN, 255 - MEAN)


def bare_net(prototxt, weights):
    """Load a net by hand, gradients switched on in a copy of the prototxt."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write("force_backward: true\n" + prototxt.read_text())
        file.flush()
        return caffe.Net(file.name, caffe.TEST, weights=str(weights))


def seeded(prototxt, folder):
    """Write seeded weights and return their path."""
    net = caffe.Net(str(prototxt), caffe.TEST)
    for name, layer in zip(net._layer_names, net.layers):
        shapes = [tuple(blob.shape) for blob in layer.blobs]
        for blob, value in zip(
            layer.blobs, seeded_blobs(name, layer.type, shapes, 0, name == "conv1/7x7_s2")
        ):
            blob.data[...] = value
    path = Path(folder) / "seeded.caffemodel"
    net.save(str(path))
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--size", default="320x180", help="width x height (default: 320x180)")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    prototxt = ROOT / "prototxt" / "googlenet" / "deploy.prototxt"
    with tempfile.TemporaryDirectory() as folder:
        weights = seeded(prototxt, folder)
        adapted = deepdream.load_net(prototxt, weights, mean=(104, 117, 123), engine="caffe")
        contestants = {
            "bare": (bare_step, bare_net(prototxt, weights)),
            "make_step": (lambda net: deepdream.make_step(net, end=END), adapted),
            "bare again": (bare_step, bare_net(prototxt, weights)),
        }
    picture = natural_image((3, height, width), 1) - MEAN
    for step, net in contestants.values():
        net.blobs["data"].reshape(1, 3, height, width)
        net.blobs["data"].data[0] = picture
        step(net)
    names = list(contestants)
    times = {name: [] for name in names}
    for number in range(args.rounds):
        for name in names[number % 3 :] + names[: number % 3]:
            step, net = contestants[name]
            start = time.perf_counter()
            step(net)
            times[name].append(time.perf_counter() - start)
    base = np.array(times["bare"])
    print(f"GoogLeNet to {END}, {args.size}, {args.rounds} rounds")
    for name in names[1:]:
        quartiles = np.percentile(np.array(times[name]) / base, (25, 50, 75))
        print(
            f"{name:10}  median {quartiles[1]:.4f} of bare "
            f"(quartiles {quartiles[0]:.4f} to {quartiles[2]:.4f}), "
            f"fastest {min(times[name]) / base.min():.4f}"
        )


if __name__ == "__main__":
    main()
