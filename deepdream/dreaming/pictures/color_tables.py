"""Tables of what `colors` computes with powers, for the kernel."""

from __future__ import annotations

import numpy as np

from .colors import (
    CONES,
    FROM_CONES,
    FROM_OPPONENTS,
    OPPONENTS,
    decode,
    encode,
)

# Linear interpolation between these entries is right to 1e-4 grey levels.
FINE = 16  # per grey level
_DECODED = decode(np.arange(255 * FINE + 2) / FINE).astype(np.float32)
ROOTS = 4096  # by the square root of light, or of a cone's response
_ENCODED = encode((np.arange(ROOTS + 2) / ROOTS) ** 2).astype(np.float32)
_CUBE_ROOTS = np.cbrt((np.arange(1.1 * ROOTS) / ROOTS) ** 2).astype(np.float32)

_TO_CONES = np.float32(CONES).reshape(-1)
_TO_LIGHT = np.float32(FROM_CONES).reshape(-1)
_TO_OPPONENTS = np.float32(OPPONENTS).reshape(-1)
_TO_ROOTS = np.float32(FROM_OPPONENTS).reshape(-1)
TABLES = np.concatenate(
    [_DECODED, _ENCODED, _CUBE_ROOTS, _TO_CONES, _TO_LIGHT, _TO_OPPONENTS, _TO_ROOTS]
)
# Where each begins in `TABLES`.
ENCODED_AT = len(_DECODED)
ROOTS_AT = ENCODED_AT + len(_ENCODED)
CONES_AT = ROOTS_AT + len(_CUBE_ROOTS)
LIGHT_AT, OPPONENTS_AT, BACK_AT = CONES_AT + 9, CONES_AT + 18, CONES_AT + 27
