"""What a kernel takes: the names that annotate its parameters.

A kernel has one signature, which its annotations spell out: `translate` compiles for it, and
`machine_code` packs arguments by it. ``int``, ``float`` and ``bool`` stand for themselves: 64 bits
each.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

# Flat, C-contiguous arrays.
Floats = Annotated[np.ndarray, "float32"]
Doubles = Annotated[np.ndarray, "float64"]
Bytes = Annotated[np.ndarray, "uint8"]
Longs = Annotated[np.ndarray, "int64"]

# Whole numbers.
Pair = Annotated[tuple, 2]
Triple = Annotated[tuple, 3]
Five = Annotated[tuple, 5]

# No mask, no bias, no weights.
NO_MASK = np.empty(0, np.uint8)
NOTHING = np.empty(0, np.float32)
