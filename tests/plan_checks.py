"""Comparing a plan with the net it was made from."""

from __future__ import annotations

import math

import numpy as np
import torch
from helpers import RTOL, relative_error

from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

TEST = 1

# How near to a kink, compared with the largest value of its blob, a value may not lie. Rounding
# moves values by 1e-7 to 3e-6 of that (Winograd's most), and a value on the other side of a kink
# has another gradient, which is no mistake.
MARGIN = 1e-5


def seeded_net(text: str, seed: int = 0, **options) -> Net:
    """Return a net with weights for inputs of standard deviation 1."""
    net = Net(parse_prototxt(text), TEST, **options)
    seed_weights(net, seed)
    inputs = set(net.inputs)
    for name, layer in zip(net._layer_names, net.layers):
        if layer.type == "Convolution" and inputs & set(net.bottom_names[name]):
            layer.blobs[0].data[...] *= 60  # what seed_weights has divided
            break
    return net


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal float32 numbers."""
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def run_forward(net: Net, x: np.ndarray, end: str) -> np.ndarray:
    """Write the picture, run up to a layer, and return a copy of its blob."""
    net.blobs["data"].reshape(*x.shape)
    net.blobs["data"].data[...] = x
    net.forward(end=end)
    return net.blobs[end].data.copy()


def by_net(net: Net, x: np.ndarray, end: str, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a target's data and the picture's gradient, as a net gives them that never ran."""
    for blob in net.blobs.values():
        blob.diff[...] = 0
    data = run_forward(net, x, end)
    net.blobs[end].diff[...] = g
    net.backward(start=end)
    return data, net.blobs["data"].diff.copy()


def by_plan(plan, x: np.ndarray, gs: dict[str, np.ndarray]) -> tuple[dict, np.ndarray]:
    """Return the targets' data and the picture's gradient."""
    write(plan.data, x)
    plan.forward()
    data = {end: np.asarray(plan.target_data[end]).copy() for end in gs}
    for end, g in gs.items():
        write(plan.target_diff[end], g)
    plan.backward()
    return data, np.asarray(plan.diff).copy()


def write(array, values: np.ndarray) -> None:
    """Fill one of a plan's arrays, an ndarray or a tensor."""
    array[...] = values if isinstance(array, np.ndarray) else torch.from_numpy(values)


def first_near_kink(text: str, seed: int, x: np.ndarray) -> str | None:
    """Return the first layer whose gradient rounding might change, computed in float64."""
    net = seeded_net(text, seed, dtype=np.float64)
    found: list[str] = []

    def look(i: int) -> None:
        layer, bottoms = net.layers[i], [torch.from_numpy(blob.data) for blob in net._bottoms[i]]
        if not found and _distance(layer, bottoms) < MARGIN:
            found.append(net._layer_names[i])

    net.before_forward(look)
    net.blobs["data"].reshape(*x.shape)
    net.blobs["data"].data[...] = x
    net.forward()
    return found[0] if found else None


def _distance(layer, bottoms: list[torch.Tensor]) -> float:
    """Return how far from a kink the nearest value lies, compared with the largest one."""
    if not bottoms:
        return math.inf
    x = bottoms[0]
    size = float(max(b.abs().max() for b in bottoms)) or 1.0
    if layer.type in ("ReLU", "ELU", "PReLU", "AbsVal"):
        gaps = x.abs()
    elif layer.type == "Clip":
        gaps = torch.minimum((x - layer.low).abs(), (x - layer.high).abs())
    elif layer.type == "Eltwise" and layer.operation == layer.MAX:
        best = torch.stack(bottoms).sort(0, descending=True).values
        gaps = best[0] - best[1]
    elif layer.type == "Pooling" and layer.method == layer.MAX:
        gaps = _lead(layer, x)
    else:
        return math.inf
    gaps = gaps[gaps > 0]  # equal in float64: made of equal numbers, and equal in float32
    return float(gaps.min()) / size if gaps.numel() else math.inf


def _lead(layer, x: torch.Tensor) -> torch.Tensor:
    """Return how far the largest value of each window lies above the next."""
    kernel, (ph, pw) = layer.kernel or tuple(x.shape[2:]), layer.pad
    wide = torch.nn.functional.pad(x, (pw, pw + kernel[1], ph, ph + kernel[0]), value=-math.inf)
    windows = wide.unfold(2, kernel[0], layer.stride[0]).unfold(3, kernel[1], layer.stride[1])
    best = windows.flatten(4).sort(-1, descending=True).values
    if best.shape[-1] < 2:
        return best.new_empty(0)
    gaps = best[..., 0] - best[..., 1]
    return gaps[torch.isfinite(gaps)]


def check(
    results: tuple[dict, np.ndarray], net: Net, exact: Net, x: np.ndarray, gs: dict[str, np.ndarray]
) -> None:
    """Compare a plan's data and gradient with a net's: the sum over targets, each by itself.

    They are 1e-5 apart at most; or, where terms nearly cancel, ten times as far as rounding puts
    the net itself from `exact`, the net in float64.
    """
    data, diff = results
    wanted = {end: by_net(net, x, end, g) for end, g in gs.items()}
    pairs = {end: (value, wanted[end][0]) for end, value in data.items()}
    pairs["data"] = (diff, sum(gradient.astype(np.float64) for _, gradient in wanted.values()))
    for name, (value, desired) in pairs.items():
        error = relative_error(value, desired)
        if error > RTOL:
            true = {end: by_net(exact, x, end, g) for end, g in gs.items()}
            best = true[name][0] if name in true else sum(g for _, g in true.values())
            assert error <= 10 * relative_error(desired, best), f"{[*gs]}: '{name}' is {error} off"
