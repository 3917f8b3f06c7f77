"""Count what of a folder of prototxts is read, and what gives a gradient at a layer in its middle.

    python scripts/count_nets.py FOLDER [--list]

For each ``*.prototxt`` below FOLDER: is it read; can a net be built of it; and does a layer in the
middle of the description, with seeded weights and a picture of noise, give a gradient at the input
that is finite and not zero. Descriptions of training and solvers are counted apart: they are no
nets to dream on, and their errors say so. Nothing is written.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deepdream.errors import DeepDreamError
from deepdream.reading.proto import read_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

NO_NETS = ("this describes training", "is the prototxt of a solver")


def main() -> int:
    """Print one line for each file, or the counts alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", action="store_true", help="tell the outcome of each file, too")
    args = parser.parse_args()
    files = sorted(path for path in args.folder.rglob("*.prototxt") if path.is_file())
    counts: Counter[str] = Counter()
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome, words = judge(path)
        counts[outcome] += 1
        if args.list:
            print(f"{path.relative_to(args.folder)}: {outcome}{f' ({words})' if words else ''}")
    nets = len(files) - counts["no net"]
    read = nets - counts["not read"]
    print(f"{len(files)} files, {nets} of them nets")
    print(f"read: {read} of {nets}")
    print(f"gradient in the middle: {counts['gradient']} of {nets}")
    return 0


def judge(path: Path) -> tuple[str, str]:
    """Return what becomes of a file, and in which words."""
    try:
        message = read_prototxt(path)
    except DeepDreamError as error:
        words = first_line(error)
        return ("no net" if any(sign in words for sign in NO_NETS) else "not read"), words
    try:
        without_fillers(message)
        net = Net(message, 1, force_backward=True, param_diffs=False, lenient=True)
        end = middle(net, message)
        gradient = gradient_at(net, end)
    except DeepDreamError as error:
        words = first_line(error)
        return ("no net" if any(sign in words for sign in NO_NETS) else "no gradient"), words
    if not np.isfinite(gradient).all() or not gradient.any():
        return "no gradient", f"at '{end}' it is zero or not finite"
    return "gradient", f"at '{end}'" + (f", {len(net.unbuilt)} layers left out" * bool(net.unbuilt))


def without_fillers(message: Any) -> None:
    """Take away what parameters hold without weights: a net that is dreamt with has weights."""
    for layer in (*message.layer, *message.layers):
        for name in ("convolution_param", "inner_product_param"):
            if layer.HasField(name):
                getattr(layer, name).ClearField("weight_filler")
                getattr(layer, name).ClearField("bias_filler")


def middle(net: Any, message: Any) -> str:
    """Return the layer with rows and columns that lies nearest to the middle of a description."""
    described = [layer.name for layer in (*message.layer, *message.layers)]
    half = len(described) // 2
    names = [
        name
        for name, tops in net.top_names.items()
        if net.bottom_names[name] and tops and len(net.blobs[tops[0]].shape) == 4
        and name in described
    ]  # fmt: skip
    if not names:
        raise DeepDreamError("no layer has rows and columns")
    return min(names, key=lambda name: abs(described.index(name) - half))


def gradient_at(net: Any, end: str) -> np.ndarray:
    """Return the gradient for the length of a layer's first top, at the input with most of it."""
    seed_weights(net)
    rng = np.random.RandomState(0)
    for name in net.inputs:
        blob = net.blobs[name]
        if blob.shape:
            blob.reshape(1, *blob.shape[1:])
            blob.data[...] = 60 * rng.standard_normal(blob.data.shape)
    net.forward(end=end)
    top = net.blobs[net.top_names[end][0]]
    top.diff[...] = top.data
    net.backward(start=end)
    # Of several inputs a layer in the middle may read any.
    gradients: list[np.ndarray] = [net.blobs[name].diff for name in net.inputs]
    return max(gradients, key=lambda gradient: np.abs(gradient).max(initial=0))


def first_line(error: Exception) -> str:
    """Return the first line of an error."""
    return str(error).splitlines()[0][:200]


if __name__ == "__main__":
    raise SystemExit(main())
