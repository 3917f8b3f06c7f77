"""Operations on pictures on PyTorch's devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .borders import Span
from .filters import half_gaussian
from .operations import Operations


class Tensors(Operations):
    """Operations by PyTorch's operators; none of them moves a picture to another device.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._around: dict[tuple[int, int, int, str], Any] = {}
        self._bases: dict[int, torch.Tensor] = {}

    def array(self, pixels: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).to(self.device)

    def numpy(self, x: Any) -> np.ndarray:
        found: np.ndarray = x.cpu().numpy()
        return found

    def empty(self, shape: Sequence[int]) -> Any:
        return torch.empty(tuple(shape), dtype=torch.float32, device=self.device)

    def indices(self, values: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(values, np.int64)).to(self.device)

    def around(self, n: int, before: int, after: int, border: str) -> Any:
        # Kept: while steps are recorded, nothing may come from the machine's memory.
        key = n, before, after, border
        if key not in self._around:
            self._around[key] = super().around(*key)
        return self._around[key]

    def copy(self, x: Any) -> Any:
        return x.clone()

    def total(self, x: Any, weights: Any = None) -> Any:
        return float(self.sum(x, weights))

    def sum(self, x: Any, weights: Any = None) -> torch.Tensor:
        """Return what `total` returns, as a float64 tensor on the device, not waited for."""
        x = x if weights is None else x * weights
        return x.reshape(x.shape[0], -1).sum(1).sum(dtype=torch.float64)

    def scatter_add(self, x: Any, rows: Any, columns: Any, values: Any) -> None:
        x.index_put_((rows, columns), values, accumulate=True)

    def fill(self, out: Any, x: Any, rows: np.ndarray, columns: np.ndarray) -> None:
        out.copy_(x[self.indices(rows)][:, self.indices(columns)])

    def climb(self, x: Any, g: Any, there: Span, here: Span, factor: float, low: Any, high: Any,
              weights: Any = None) -> None:  # fmt: skip
        part, moved = x[there], g[here]
        if weights is not None:
            moved = moved * weights[there]
        part.add_(moved, alpha=factor)
        if low is not None:
            torch.clamp(part, low, high, out=part)

    def cosines(self, x: Any) -> Any:
        return self._transformed(x, inverse=False)

    def pixels(self, waves: Any) -> Any:
        return self._transformed(waves, inverse=True)

    def _transformed(self, x: Any, inverse: bool) -> Any:
        """Return a DCT along rows and columns, as two products: PyTorch has none of its own."""
        h, w = x.shape[:2]
        down, along = self._basis(h), self._basis(w)
        if inverse:
            down, along = down.T, along.T
        return torch.einsum("ih,hwc,jw->ijc", down, x, along)

    def _basis(self, n: int) -> torch.Tensor:
        """Return the orthonormal cosines of n positions, one a row."""
        if n not in self._bases:
            k, i = np.arange(n)[:, None], np.arange(n)[None, :]
            basis = np.cos(np.pi * k * (2 * i + 1) / (2 * n)) * np.sqrt(2 / n)
            basis[0] /= np.sqrt(2)
            self._bases[n] = self.array(basis)
        return self._bases[n]

    def blur(self, x: Any, sigmas: Sequence[float], border: str) -> Any:
        total = torch.zeros_like(x)
        for sigma in sigmas:
            half = half_gaussian(sigma).tolist()
            radius = len(half) - 1
            y = x
            for _ in (0, 1):
                n = y.shape[0]
                p = y[self.around(n, radius, radius, border)]
                y = half[0] * p[radius : radius + n]
                for t in range(1, radius + 1):
                    y.add_(p[radius - t : radius - t + n], alpha=half[t])
                    y.add_(p[radius + t : radius + t + n], alpha=half[t])
                y = y.swapaxes(0, 1)
            total += y
        return total.div_(len(sigmas))
