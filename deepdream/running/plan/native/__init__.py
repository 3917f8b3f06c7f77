"""The steps of a plan on a CPU: compiled kernels on NumPy's memory.

Each thread works on pixels of its own, few enough that what one kernel writes is still in the cache
when the next one reads it. What a number is computed from, and in which order, does not depend on
how the work is cut up: a step gives the same bytes on any number of threads. No operation allocates
memory.
"""

from __future__ import annotations

from ..concat import Concat
from ..operation import Operation
from .convolutions import Bands, Depthwise, Pointwise, Winograd
from .elementwise import Affine, Eltwise, ReLU
from .neighbours import LRN, AveragePooling, MaxPooling

NATIVE: dict[str, tuple[type[Operation], ...]] = {
    "Affine": (Affine,),
    "Concat": (Concat,),
    "Convolution": (Pointwise, Depthwise, Winograd, Bands),
    "Eltwise": (Eltwise,),
    "LRN": (LRN,),
    "Pooling": (MaxPooling, AveragePooling),
    "ReLU": (ReLU,),
}
