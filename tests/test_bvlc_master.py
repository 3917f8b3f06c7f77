"""What the last master of BVLC's Caffe has, and the build that the golden data comes from has not.

These are `Clip`, and `BatchNorm` with the statistics of the batch (that build has another one); and
`Swish`, which both have. Jobs are written as for golden data, and answered by a few lines of
float64 from the text of ``clip_layer.cpp``, ``swish_layer.cpp`` and ``batch_norm_layer.cpp``.

Against a build of that master the bundled network's data agreed to 2e-6 and its gradients to 7e-7
(relative L2, given the same blobs).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_cases.base import input_layer, layer, layer_case, net
from helpers import assert_close, run_ours, worker

pytestmark = pytest.mark.usefixtures("device")

SHAPES = ((2, 3, 4, 5), (1, 3, 4, 5), (7, 3), (2, 3, 2, 3, 4), (6,))
WITH_CHANNELS = SHAPES[:4]
both_places = pytest.mark.parametrize("in_place", [False, True])


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return what a golden case writes into a blob, in float64."""
    return np.float64(worker.drawn(shape, seed))


def answer(kind: str, parameters: str, shape: Any, in_place: bool, weights: Any = ()) -> Any:
    """Return x and g in float64, and our top and gradient for them."""
    case = layer_case("x", "", kind, parameters, shape, in_place=in_place, weights=weights)
    results, _ = run_ours(case.steps, case.arrays)
    top = results["x.data" if in_place else "y.data"]
    return drawn(shape, 1), drawn(shape, 11), top, results["x.diff"]


# -- Clip and Swish -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("low", "high"), [(-0.5, 1), (0, 6), (-1, -1), (-3, 3), (0.25, 0.5)])
@both_places
def test_clip(shape: tuple[int, ...], low: float, high: float, in_place: bool) -> None:
    """min(max(x, low), high); the gradient passes within the bounds, which count as within."""
    x, g, y, diff = answer("Clip", f"clip_param {{ min: {low} max: {high} }}", shape, in_place)

    clipped = np.maximum(low, np.minimum(x, high))
    seen = clipped if in_place else x  # backward finds what forward has left
    assert_close(y, clipped, 0)
    assert_close(diff, g * ((seen >= low) & (seen <= high)), 0)


@both_places
def test_clip_of_what_is_no_number(in_place: bool) -> None:
    """std::max(min, std::min(NaN, max)) is min; infinities are clipped; -0 stays -0."""
    x = np.float32([[np.nan, np.inf, -np.inf, -0.0, 0.5]])
    case = layer_case("x", "", "Clip", "clip_param { min: -2 max: 3 }", x, in_place=in_place)
    results, _ = run_ours(case.steps, case.arrays)
    top, g = results["x.data" if in_place else "y.data"], drawn((1, 5), 11)

    np.testing.assert_array_equal(top, np.float32([[-2, 3, -2, -0.0, 0.5]]))
    assert np.signbit(top[0, 3])
    passes = [1, 1, 1, 1, 1] if in_place else [0, 0, 0, 1, 1]
    np.testing.assert_array_equal(results["x.diff"], np.float32(g * passes))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beta", [1, 0.25, -2, 0, 10])
@both_places
def test_swish(shape: tuple[int, ...], beta: float, in_place: bool) -> None:
    """y = x / (1 + exp(-beta x)), and its derivative."""
    x, g, y, diff = answer("Swish", f"swish_param {{ beta: {beta} }}", shape, in_place)

    gate = 1 / (1 + np.exp(-beta * x))
    assert_close(y, x * gate, 3e-7)
    assert_close(diff, g * (gate + beta * x * gate * (1 - gate)), 5e-7)


# -- BatchNorm ------------------------------------------------------------------------------------


def by_channel(x: np.ndarray) -> tuple[tuple[int, ...], Any]:
    """Return the axes that statistics go over, and where channels broadcast."""
    return (0, *range(2, x.ndim)), (slice(None), *[None] * (x.ndim - 2))


MEAN, VAR = np.float32([0.5, -1, 2]), np.float32([1.5, 0.25, 3])


@pytest.mark.parametrize("shape", WITH_CHANNELS)
@pytest.mark.parametrize("factor", [1, 999.982, 0])
@pytest.mark.parametrize("eps", [1e-5, 0.01])
@both_places
def test_batch_norm_with_stored_statistics(
    shape: tuple[int, ...], factor: float, eps: float, in_place: bool
) -> None:
    """Sums over the factor, where that is 0 zeros; a linear function, and its gradient."""
    weights = (MEAN, VAR, np.float32([factor]))
    x, g, y, diff = answer(
        "BatchNorm", f"batch_norm_param {{ eps: {eps} }}", shape, in_place, weights
    )

    _, wide = by_channel(x)
    share = 1 / np.float64(np.float32(factor)) if factor else 0
    std = np.sqrt(np.float64(VAR) * share + eps)[wide]
    assert_close(y, (x - (np.float64(MEAN) * share)[wide]) / std, 5e-7)
    assert_close(diff, g / std, 5e-7)


@pytest.mark.parametrize("shape", WITH_CHANNELS)
@pytest.mark.parametrize(("phase", "parameters"), [
    ("TEST", "use_global_stats: false"), ("TRAIN", ""), ("TRAIN", "use_global_stats: false"),
    ("TRAIN", "moving_average_fraction: 0.5 eps: 0.01"),
])  # fmt: skip
@both_places
def test_batch_norm_with_the_statistics_of_the_batch(
    shape: tuple[int, ...], phase: str, parameters: str, in_place: bool
) -> None:
    """The batch's mean and biased variance, the full gradient, and what is stored meanwhile."""
    case = layer_case(
        "x", "", "BatchNorm", f"batch_norm_param {{ {parameters} }}", shape, in_place=in_place,
        weights=(MEAN, VAR, np.float32([2.5])),
    )  # fmt: skip
    case.steps[0]["phase"] = phase
    for index in range(3):
        case.step("read_param", layer="L", index=index)
    results, _ = run_ours(case.steps, case.arrays)

    x, g = drawn(shape, 1), drawn(shape, 11)
    axes, wide = by_channel(x)
    eps, fraction = (0.01, 0.5) if "eps" in parameters else (1e-5, 0.999)
    mean, var, count = x.mean(axes), x.var(axes), x.size // 3
    std = np.sqrt(var + eps)[wide]
    y = (x - mean[wide]) / std
    grad = (g - g.mean(axes)[wide] - y * (g * y).mean(axes)[wide]) / std
    assert_close(results["x.data" if in_place else "y.data"], y, 1e-6)
    assert_close(results["x.diff"], grad, 2e-6)
    unbiased = var * count / (count - 1)
    for index, (before, now) in enumerate([(MEAN, mean), (VAR, unbiased), (2.5, 1.0)]):
        assert_close(results[f"L[{index}].data"], np.ravel(before * fraction + now), 1e-6)


def test_batch_norm_learns_what_it_then_uses() -> None:
    """Two nets of one file: TRAIN stores the statistics, TEST uses them by their factor."""
    shape = (4, 3, 5, 2)
    text = net(input_layer("x", shape), layer("L", "BatchNorm", ["x"], ["y"]))
    steps: list[dict[str, Any]] = [
        {"do": "net", "prototxt": text.splitlines(), "phase": "TRAIN"},
        {"do": "net", "prototxt": text.splitlines(), "net": "test"},
        {"do": "share_with", "other": "net", "net": "test"},
    ]
    seeds = (1, 2, 3)
    for seed in seeds:
        steps += [{"do": "draw", "blob": "x", "seed": seed}, {"do": "forward"}]
    steps += [
        {"do": "draw", "blob": "x", "seed": 9, "net": "test"},
        {"do": "forward", "net": "test"},
        {"do": "read", "blob": "y", "net": "test"},
    ]
    results, _ = run_ours(steps, {})

    batches = [drawn(shape, seed) for seed in seeds]
    axes, wide = by_channel(batches[0])
    powers = 0.999 ** np.arange(len(seeds))[::-1, None] / (0.999 ** np.arange(len(seeds))).sum()
    mean = (np.array([x.mean(axes) for x in batches]) * powers).sum(0)
    var = (np.array([x.var(axes, ddof=1) for x in batches]) * powers).sum(0)
    y = (drawn(shape, 9) - mean[wide]) / np.sqrt(var + 1e-5)[wide]
    assert_close(results["y.data"], y, 1e-6)
