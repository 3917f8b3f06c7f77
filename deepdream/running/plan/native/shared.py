"""What the native operations share: how work is cut up, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import kernels
from ..arrays import Array, Flags
from ..kernels import NO_MASK
from ..kernels import NOTHING as NOTHING
from ..operation import Activated, Operation, spanning

KINDS = {"ReLU": kernels.RELU, "Clip": kernels.CLIP}

# What one thread works on at a time should stay in its second cache: 1 MB of floats.
CACHED = 256 * 1024

# What `kernels.finish` is told: activation, bounds, mask and its place (offset, line, step).
Ending = tuple[int, float, float, np.ndarray, tuple[int, int, int]]

PLAIN: Ending = (kernels.NONE, 0.0, 0.0, NO_MASK, (0, 0, 0))


def pixels_of(array: Array, first: int = 0) -> tuple[int, int, int]:
    """Return the place of an array's pixels from number `first` on, as one line of them."""
    return array.start + first * array.step, 0, array.step


def _place_of(mask: Flags | None) -> tuple[np.ndarray, int, int]:
    """Return a mask, its start and its step; `NO_MASK` for none."""
    return (NO_MASK, 0, 0) if mask is None else (mask.flat, mask.start, mask.step)


class Native(Operation):
    """What can run on a plan's threads, and may shut the gates of the node below."""

    masks = True

    def gate(self, i: int = 0) -> tuple[np.ndarray, int, int]:
        """Return the mask for the diff of bottom `i`, its start and its step; or none."""
        return _place_of(self.bottom_masks[i])

    def gating(self, i: int = 0, first: int = 0, line: int = 0, step: int = 1) -> Ending:
        """Return how a gradient for bottom `i` ends, as kernels take it.

        Parameters
        ----------
        i : int
        first, line, step : int
            Number of the first pixel, and pixels from one line, and one column, to the next.
        """
        mask, start, apart = self.gate(i)
        if not apart:
            return PLAIN
        return kernels.GATE, 0.0, 0.0, mask, (start + first * apart, line * apart, step * apart)

    def over(
        self, count: int, size: int, task: Callable[[int, int, int], None], unit: int = 1
    ) -> None:
        """Call ``task(first, last, worker)`` on ranges of 0..count, `size` long at most.

        The ranges are equal, and as many for each thread; but for the last one their length is a
        multiple of `unit`, which divides `size`.
        """
        threads = self.workers.count
        parts = max(1, -(-count // max(1, size)))
        parts = min(count, -(-parts // threads) * threads)
        length = -(-count // (parts * unit)) * unit if parts else 0

        def part(number: int, worker: int) -> None:
            first = number * length
            if first < count:
                task(first, min(count, first + length), worker)

        self.workers.run(part, parts)

    def over_pixels(self, pixels: int, floats: int, task: Callable[[int, int, int], None]) -> None:
        """Call `task` on ranges of pixels with `floats` numbers each."""
        self.over(pixels, max(64, CACHED // floats), task)

    def over_rows(self, rows: int, task: Callable[[int, int, int], None]) -> None:
        """Call `task` on ranges of rows, a few for each thread."""
        self.over(rows, max(4, -(-rows // (4 * self.workers.count))), task)


class NativeActivated(Native, Activated):
    """What may end with an activation."""

    def bind(self) -> None:
        super().bind()
        activation = self.node.activation
        self.act = KINDS[activation.kind] if activation else kernels.NONE
        self.low, self.high = (activation.low, activation.high) if activation else (0.0, 0.0)
        self.flags, self.flags_at, self.flags_step = _place_of(self.mask)
        self.out = spanning(self.tops)
        gs = [g for g in self.top_diffs if g is not None]
        self.g = spanning(gs) if len(gs) == len(self.tops) else None
        self._open = [
            (sum(top.c for top in self.tops[:i]), top.c)
            for i, top in enumerate(self.tops)
            if self.mask is not None and not self.masked[i]
        ]

    def ending(self, first: int = 0, channel: int = 0) -> Ending:
        """Return how a top ends from pixel `first` and `channel` on, as kernels take it."""
        step = self.flags_step
        place = (self.flags_at + first * step + channel, step * self.out.w, step)
        return self.act, self.low, self.high, self.flags, place

    def mask_diff(self, first: int, last: int) -> None:
        """Take away the gradient that the activation stops, from a range of the top's pixels."""
        g = self.g
        assert g is not None
        for offset, channels in self._open:
            start, line, step = pixels_of(g, first)
            at = (start + offset, line, step)
            gate = (self.flags_at + first * self.flags_step + offset, 0, self.flags_step)
            kernels.affine(
                g.flat, at, NOTHING, 1.0, NOTHING, channels, kernels.GATE, 0.0, 0.0, self.flags,
                gate, g.flat, at, False, (1, last - first),
            )  # fmt: skip

    def mask_all(self) -> None:
        """Take away the gradient that the activation stops, from the whole top."""
        g = self.g
        assert g is not None
        if self._open:
            self.over_pixels(g.pixels, g.c, lambda first, last, _: self.mask_diff(first, last))
