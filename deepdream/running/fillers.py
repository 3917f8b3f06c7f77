"""What parameters hold before anything is learned, and the random numbers for it.

`fill` does what a prototxt's filler says; it serves nets without weights. `seed_weights` gives any
net, ours or the real pycaffe's, reproducible weights whose responses keep about the same size from
layer to layer, so that two engines can be compared without trained weights.

The random stream here also seeds TRAIN-phase dropout. A dream's jitter does not come from it.

Source: ``filler.hpp`` of BVLC/caffe (our stream of random numbers is another one).
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..errors import PrototxtError

PART = 2**18  # numbers that are drawn at a time: in a core's cache

_random_state = np.random.RandomState()


def set_random_seed(seed: int) -> None:
    """Make fillers and TRAIN-phase dropout repeatable.

    Parameters
    ----------
    seed : int
        Any whole number; its lowest 32 bits count.
    """
    _random_state.seed(int(seed) & 0xFFFFFFFF)


def random_state() -> np.random.RandomState:
    """Return the stream that `set_random_seed` seeds."""
    return _random_state


def fill(blob: Any, filler: Any, rng: np.random.RandomState) -> None:
    """Fill a parameter as the prototxt says.

    Parameters
    ----------
    blob : Blob or ndarray
        What to fill; a Blob's data.
    filler : FillerParameter
        Type and numbers; an empty one fills with 0.
    rng : numpy.random.RandomState
        Where random numbers come from.

    Raises
    ------
    PrototxtError
        The type is unknown, or does not suit the shape or its other fields.
    """
    array = blob if isinstance(blob, np.ndarray) else blob.data
    try:
        values = _FILLERS[filler.type]
    except KeyError:
        raise PrototxtError(
            f"filler type '{filler.type}' is not known: {', '.join(_FILLERS)} are"
        ) from None
    if filler.sparse != -1 and filler.type != "gaussian":
        raise PrototxtError(f"sparse is for gaussian fillers, not for '{filler.type}'")
    if not array.size:
        return
    made = values(array.shape, filler, rng)
    if not callable(made):
        array[...] = made
        return
    flat = array.reshape(-1)  # a copy where the array has gaps
    seed = rng.randint(2**31 - 1)
    starts = range(0, flat.size, PART)

    def draw(start: int) -> None:
        """Fill one part, from a stream of its own: the same numbers on any number of threads."""
        generator = np.random.Generator(np.random.SFC64([seed, start // PART]))
        made(generator, flat[start : start + PART])

    if len(starts) == 1:
        draw(0)
    else:
        with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1)) as threads:
            list(threads.map(draw, starts))
    if not array.flags.c_contiguous:
        array[...] = flat.reshape(array.shape)


# A filler returns the values for a shape, or a function that draws them: it gets a generator and a
# flat array of float32 or float64, a part of the whole.

Draw = Callable[[np.random.Generator, np.ndarray], None]


def _constant(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    return filler.value


def _uniform(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    if not filler.min <= filler.max:
        raise PrototxtError(f"filler min {filler.min:g} is above max {filler.max:g}")
    return _between(filler.min, filler.max)


def _between(low: float, high: float) -> Draw:
    def draw(generator: np.random.Generator, part: np.ndarray) -> None:
        generator.random(out=part, dtype=part.dtype)
        part *= high - low
        part += low

    return draw


def _normal(mean: float, std: float) -> Draw:
    def draw(generator: np.random.Generator, part: np.ndarray) -> None:
        generator.standard_normal(out=part, dtype=part.dtype)
        part *= std
        part += mean

    return draw


def _gaussian(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    if not filler.std >= 0:
        raise PrototxtError(f"filler std is {filler.std:g}: 0 or more is expected")
    if filler.sparse == -1:
        return _normal(filler.mean, filler.std)
    values = filler.mean + filler.std * rng.standard_normal(shape)
    outputs = shape[0] if shape else 1
    if not 0 <= filler.sparse <= outputs:
        raise PrototxtError(f"sparse is {filler.sparse}: -1 to {outputs}, the outputs, is expected")
    return values * (rng.uniform(size=shape) < filler.sparse / outputs)


def _positive_unitball(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    """Return positive values that sum to 1 over each item of the first axis."""
    values = rng.uniform(size=shape)
    return values / values.sum(axis=tuple(range(1, len(shape))), keepdims=True)


def _xavier(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    limit = math.sqrt(3 / _fan(shape, filler))
    return _between(-limit, limit)


def _msra(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    return _normal(0, math.sqrt(2 / _fan(shape, filler)))


def _fan(shape: tuple[int, ...], filler: Any) -> float:
    """Return how many inputs, outputs, or both on average, a value takes part in."""
    if not shape:
        raise PrototxtError(f"a '{filler.type}' filler needs a blob with axes: this is one number")
    count = math.prod(shape)
    fan_in = count / shape[0]
    fan_out = count / shape[1] if len(shape) > 1 else count
    return (fan_in, fan_out, (fan_in + fan_out) / 2)[filler.variance_norm]


def _bilinear(shape: tuple[int, ...], filler: Any, rng: np.random.RandomState) -> Any:
    """Return kernels with which a Deconvolution enlarges pictures smoothly."""
    if len(shape) != 4 or shape[2] != shape[3]:
        raise PrototxtError(f"a 'bilinear' filler needs square kernels of 4 axes, not {shape}")
    half = math.ceil(shape[3] / 2)
    middle = (shape[3] - 1) / 2
    ramp = 1 - np.abs(np.arange(shape[3]) - middle) / half
    return np.multiply.outer(ramp, ramp)


_FILLERS = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}


def seed_weights(net: Any, seed: int = 0) -> None:
    """Fill every parameter of a net with reproducible numbers.

    The numbers of a layer depend on its name and on `seed` alone, so that two nets, or two engines,
    get the same. They are drawn in float64 and rounded to float32.

    Parameters
    ----------
    net : Net
        Ours or the real pycaffe's: it has ``_layer_names``, ``layers``, ``bottom_names``, and
        ``inputs``.
    seed : int
        Another seed, other weights.

    Notes
    -----
    Convolution and InnerProduct: normal with variance 2 / (values per output), so that ReLU nets
    keep their scale; Deconvolution: 2 / (input channels). The first convolution that reads an
    input is divided by 60, about the standard deviation of a picture. Biases: 0.1 * normal. Scale
    and PReLU lie around 1 and 0.25, BatchNorm's variances around 1.
    """
    inputs, first = set(net.inputs), True
    for name, layer in zip(net._layer_names, net.layers):
        if not len(layer.blobs):
            continue
        rng = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
        shapes = [tuple(blob.shape) for blob in layer.blobs]
        values = _seeded(layer.type, shapes, rng)
        reads_input = inputs.intersection(net.bottom_names[name])
        if first and reads_input and layer.type == "Convolution":
            values[0] = values[0] / 60
            first = False
        for blob, value in zip(layer.blobs, values):
            blob.data[...] = np.float32(value)


def _seeded(kind: str, shapes: list[tuple[int, ...]], rng: np.random.RandomState) -> list[Any]:
    """Return a layer's values, one array for each blob."""
    normal, uniform = rng.standard_normal, rng.uniform
    if kind == "BatchNorm":
        values = [0.2 * normal(shapes[0]), uniform(0.5, 1.5, shapes[1]), np.ones(shapes[2])]
        return [*values, *([uniform(0.6, 1.4, shapes[3]), 0.1 * normal(shapes[4])]
                           if len(shapes) > 3 else [])]  # fmt: skip
    if kind == "BN":  # scale and shift, or those and mean and variance
        values = [uniform(0.6, 1.4, shapes[0]), 0.1 * normal(shapes[1])]
        return [*values, *([0.2 * normal(shapes[2]), uniform(0.5, 1.5, shapes[3])]
                           if len(shapes) > 2 else [])]  # fmt: skip
    if kind == "Normalize":
        return [uniform(5, 20, shapes[0])]
    if kind == "Bias":
        return [0.1 * normal(shapes[0])]
    if kind in ("Scale", "PReLU"):
        low, high = (0.6, 1.4) if kind == "Scale" else (0.1, 0.4)
        weight = uniform(low, high, shapes[0])
    else:
        fan = shapes[0][:1] if kind == "Deconvolution" else shapes[0][1:]
        weight = normal(shapes[0]) * np.sqrt(2 / max(1, math.prod(fan)))
    return [weight, *(0.1 * normal(shape) for shape in shapes[1:])]
