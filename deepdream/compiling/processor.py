"""The processor that kernels are made for, and the sizes that follow from it.

Source: ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES``, Numba's environment variables.
"""

from __future__ import annotations

import functools
import os

import llvmlite.binding

# Numbers of a vector: one register of 512 bits, or two or four shorter ones.
LANES = 16


@functools.cache
def processor() -> tuple[str, str]:
    """Return LLVM's name of the processor, and its features, of which there are many."""
    name = os.environ.get("NUMBA_CPU_NAME") or "host"
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        if name != "host":
            return name, ""
        features = llvmlite.binding.get_host_cpu_features().flatten()
    return (llvmlite.binding.get_host_cpu_name() if name == "host" else name), features


def _wide() -> bool:
    """Tell whether it has 32 registers of 512 bits."""
    name, features = processor()
    if features:
        return "+avx512f" in features
    return any(part in name for part in ("avx512", "rapids", "znver4", "znver5"))


# Rows of a block of products, and numbers of a panel: as many sums as there are registers for.
# With AVX-512 28 sums, 2 vectors of weights and a number; with 16 registers of 8 numbers 12 sums, 2
# and one.
ROWS, PANEL = (14, 2 * LANES) if _wide() else (6, LANES)
FEW = 4  # where there are not even ROWS rows
