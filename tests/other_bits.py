"""A processor that does not exist: one on which convolutions end in other last bits.

In which order a library adds depends on the processor, and so do the last bits of every sum. Of
real processors one can try a few; of these there are as many as there are numbers. What is added to
the results of `Net`'s convolutions is as large as what two real processors differ by, and depends
on nothing but a value and the number: the same computation still repeats itself to the bit.

`install` is called by conftest.py where ``DEEPDREAM_OTHER_BITS`` holds a number, for the process of
the tests alone; scripts/portable.py sets that.
"""

from __future__ import annotations

import math

import numpy as np

from deepdream.running.layers.vision import FilterLayer

# The largest change, compared with a blob's root mean square. It has grown to 5e-6 in the bundled
# network's last block, where AVX-512 and SSE are 4e-6 apart.
ROUNDING = 1.5e-7


def install(number: int) -> None:
    """Let convolutions end in other bits, for as long as the process lives."""
    forward, backward = FilterLayer.forward, FilterLayer.backward

    def other_forward(self, bottom, top):
        forward(self, bottom, top)
        for blob in top:
            blob.unkept = ""  # it has just been filled; the net says so after the layer
            shake(blob.data, number)

    def other_backward(self, top, propagate_down, bottom):
        backward(self, top, propagate_down, bottom)
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                shake(blob.diff, number)

    FilterLayer.forward, FilterLayer.backward = other_forward, other_backward


def shake(values: np.ndarray, number: int) -> None:
    """Change float32 values by rounding errors, in place; zero stays zero."""
    if values.dtype != np.float32 or not values.size:
        return
    exact = values.astype(np.float64)
    size = float(np.sqrt(np.square(exact).mean()))
    if size > 0 and math.isfinite(size):
        size = 2.0 ** round(math.log2(size))
        # So fast a sine is a number between -1 and 1 that nobody can foresee.
        values[...] = exact + ROUNDING * size * np.sin(exact / size * (1e9 + 12345 * number))
