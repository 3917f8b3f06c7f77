"""Array operations on a GPU, in PyTorch: the one module of layers that loads it.

Functions that NumPy has under the same name, with the same arguments, are PyTorch's own. What each
function does is told in `numpy_ops`, `columns` and `pooling`.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import abs as abs
from torch import add as add
from torch import amax as amax
from torch import concatenate as concatenate
from torch import divide as divide
from torch import empty_like as empty_like
from torch import exp as exp
from torch import expm1 as expm1
from torch import flip as flip
from torch import isnan as isnan
from torch import log as log
from torch import log1p as log1p
from torch import matmul as matmul
from torch import maximum as maximum
from torch import moveaxis as moveaxis
from torch import multiply as multiply
from torch import ones_like as ones_like
from torch import sqrt as sqrt
from torch import square as square
from torch import subtract as subtract
from torch import tanh as tanh
from torch import trunc as trunc
from torch import where as where
from torch import zeros_like as zeros_like

from . import pooling
from .windows import Filter, Pool

# What rounds factors to TF32 is set for the whole process. Of several threads one passes at a time;
# it may enter again, with another setting.
_flags = threading.RLock()


def _after_fork() -> None:
    """Let a forked child compute: its OpenMP would wait for threads that stayed in the parent."""
    global _flags
    _flags = threading.RLock()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def computing(tf32: bool = False) -> Iterator[None]:
    """Record nothing for autograd, and round no factor to TF32 (10 bits) unless asked to."""
    with torch.no_grad():
        if not torch.cuda.is_available():
            yield
            return
        with (
            _flags,
            torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32
            ),
        ):
            before = torch.backends.cuda.matmul.allow_tf32
            torch.backends.cuda.matmul.allow_tf32 = tf32
            try:
                yield
            finally:
                torch.backends.cuda.matmul.allow_tf32 = before


def device_of(name: str) -> torch.device:
    """Return PyTorch's device for a name; ``"torch"`` is its CPU."""
    return torch.device("cpu" if name == "torch" else name)


def flat_zeros(count: int, dtype: Any, device: str) -> Any:
    """Return zeros on a device; ``"torch"`` is the CPU."""
    kind = torch.float64 if np.dtype(dtype) == np.float64 else torch.float32
    return torch.zeros(count, dtype=kind, device=device_of(device))


def parts(*arrays: Any) -> Iterable[tuple[Any, ...]]:
    return (arrays,)


def by_position(*arrays: Any) -> Iterable[tuple[Any, ...]]:
    return (arrays,)


def like(values: np.ndarray, x: Any) -> Any:
    return torch.from_numpy(values).to(x)


def copy(x: Any) -> Any:
    return x.clone()


def integers(x: Any) -> Any:
    return x.long()


def clip(x: Any, low: float | None = None, high: float | None = None, out: Any = None) -> Any:
    if high is not None:
        x = out = torch.clamp(x, max=high, out=out)
    if low is not None:
        out = torch.clamp(x, min=low, out=out)
    return out


def sign(x: Any) -> Any:
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


def scale(x: Any, factor: Any, out: Any) -> None:
    torch.mul(x, factor, out=out)
    if isinstance(factor, torch.Tensor):
        out.masked_fill_((factor == 0) | torch.isnan(factor), 0)
    elif not factor or math.isnan(factor):
        out.zero_()


def power(x: Any, exponent: float, out: Any = None) -> Any:
    # PyTorch takes roots for these numbers: -infinity would become NaN, and -0 -infinity.
    exponents = torch.full_like(x, exponent) if exponent in (0.5, -0.5) else exponent
    return torch.pow(x, exponents, out=out)


def leaky(x: Any, slope: float, out: Any) -> None:
    torch.ops.aten.leaky_relu.out(x, slope, out=out)
    out.add_(0)  # makes 0 of -0


def argsort(x: Any, axis: int) -> Any:
    return torch.argsort(x, dim=axis, stable=True)


def pick(x: Any, places: Any, axis: int) -> Any:
    return torch.take_along_dim(x, places, axis)


def put(x: Any, places: Any, values: Any, axis: int) -> None:
    if isinstance(values, torch.Tensor):
        x.scatter_(axis, places, values.expand_as(places))
    else:
        x.scatter_(axis, places, values)


def add_at(x: Any, places: Any, values: Any) -> None:
    x.index_add_(0, places, values)


# -- filters ------------------------------------------------------------------------------------


def correlate(x: Any, weight: Any, f: Filter, out: Any) -> None:
    if not out.numel():
        return
    if not x.numel():  # nothing but padding
        out.zero_()
        return
    weight, settings = _cut(weight, x, f)
    out.copy_(torch.convolution(x, weight, None, *settings))


def spread(g: Any, weight: Any, f: Filter, out: Any) -> None:
    if not g.numel() or not out.numel():
        out.zero_()
        return
    out.copy_(_backward(g, out, weight, f, (True, False, False))[0])


def weight_diff(x: Any, g: Any, f: Filter, out: Any) -> None:
    if g.numel() and x.numel():
        _cut(out, x, f)[0].add_(_backward(g, x, out, f, (False, True, False))[1])


def _backward(g: Any, x: Any, weight: Any, f: Filter, mask: tuple[bool, ...]) -> Any:
    weight, settings = _cut(weight, x, f)
    # Of the pictures, or of the weights, only the shape counts.
    return torch.ops.aten.convolution_backward(g, x, weight, None, *settings, list(mask))


def _cut(weight: Any, x: Any, f: Filter) -> tuple[Any, tuple[Any, ...]]:
    """Return the weights that can meet the padded x, and PyTorch's settings.

    Division that truncates toward zero gives an output even where the kernel is larger than the
    padded picture; the rest of it meets zeros.
    """
    stride = list(f.stride)
    for axis, (size, k, pad, d) in enumerate(zip(x.shape[2:], f.kernel, f.pad, f.dilation)):
        reach = min(k, -(-(size + 2 * pad) // d))
        if reach < k:
            weight = weight.narrow(2 + axis, 0, reach)
            stride[axis] = size + 2 * pad  # there is one output, whatever the stride
    return weight, (tuple(stride), f.pad, f.dilation, False, (0,) * len(f.kernel), f.group)


# -- pooling ------------------------------------------------------------------------------------


# Of Caffe's windows PyTorch lacks some, and in its maximum NaN wins. These are rare: NumPy looks at
# them.


def _kind(x: Any) -> Any:
    return np.float64 if x.dtype == torch.float64 else np.float32


def _has(x: Any, p: Pool, out: Any) -> bool:
    """Tell whether PyTorch's pooling has the same windows."""
    fits = all(s <= k and 2 * pad <= k for k, s, pad in zip(*p[:3]))
    return fits and x.numel() > 0 and out.numel() > 0


def max_pool(x: Any, p: Pool, out: Any) -> Any:
    if _has(x, p, out):
        found, where = torch.ops.aten.max_pool2d_with_indices(
            x, p.kernel, p.stride, p.pad, (1, 1), not p.floor
        )
        if math.isfinite(found.sum()):  # no NaN among them, which win in PyTorch
            out.copy_(found)
            return where
    made = np.empty(tuple(out.shape), _kind(x))
    winners = pooling.max_pool(x.cpu().numpy(), p, made)
    out.copy_(torch.from_numpy(made))
    return torch.from_numpy(pooling.places(winners)).to(x.device)


def places(found: Any) -> Any:
    return found


def spread_maximum(found: Any, g: Any, out: Any) -> None:
    out.zero_()
    if out.numel() and g.numel():
        g = torch.where(found < 0, 0, g)  # empty windows give to nobody
        out.flatten(2).scatter_add_(2, found.clamp(min=0).flatten(2), g.flatten(2))


def average_pool(x: Any, p: Pool, out: Any) -> None:
    if _has(x, p, out):
        out.copy_(
            torch.nn.functional.avg_pool2d(x, p.kernel, p.stride, p.pad, ceil_mode=not p.floor)
        )
        return
    made = np.empty(tuple(out.shape), _kind(x))
    with np.errstate(all="ignore"):
        pooling.average_pool(x.cpu().numpy(), p, made)
    out.copy_(torch.from_numpy(made))


def spread_average(p: Pool, g: Any, out: Any) -> None:
    if _has(out, p, g):
        settings = (p.kernel, p.stride, p.pad, not p.floor, True, None)
        out.copy_(torch.ops.aten.avg_pool2d_backward(g, out, *settings))
        return
    made = np.zeros(tuple(out.shape), _kind(g))
    with np.errstate(all="ignore"):
        pooling.spread_average(p, g.cpu().numpy(), made)
    out.copy_(torch.from_numpy(made))
