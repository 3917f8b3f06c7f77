"""What callers of kernels have to know: codes of activations, and sizes of scratch in floats."""

from __future__ import annotations

from ....compiling.processor import LANES, PANEL, ROWS

# How a number ends: as it is; ReLU and Clip, which leave a mask; and the gate of such a mask.
NONE, RELU, CLIP, GATE = 0, 1, 2, 3

# Of a block of products.
BLOCK = ROWS * PANEL

# Of a Winograd tile.
TILE = 36 * LANES


def lrn_scratch(channels: int, n: int) -> int:
    """Return what LRN takes for windows of n channels."""
    return 4 * LANES + 3 * (channels + n + LANES)
