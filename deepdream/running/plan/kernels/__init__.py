"""Compiled loops of the plan on a CPU.

A kernel is written as loops over flat float32 arrays in a module of this package, and called by the
name that it has here: see `compiling` for how the one becomes the other.

**Layout.** A value of the plan is one picture in NHWC order inside a flat array `a`, and its place
is a pair `a_at = (offset, pix)`: the number at row i, column j, channel c is
``a[offset + (i * w + j) * pix + c]``. `pix` is larger than the number of channels where several
values are neighbours in one storage, as the bottoms of a Concat are. Some kernels take a triple
`(offset, line, step)` instead, ``a[offset + i * line + j * step + c]``, and go over a part of the
pixels. Sizes, kernels, strides, pads and dilations are pairs (along the height, along the width).

**Masks.** A mask tells for each number of an activation whether the gradient passes: uint8, 1 or 0,
in a flat array with a place of its own. `NO_MASK` stands for no mask.

**Threads.** No kernel starts threads. Each works on a range of pixels, rows or tiles that the
caller gives it, releases the interpreter's lock, and writes nothing outside that range, so that
several Python threads may call it at once with ranges that do not overlap. Backward kernels own
rows of the gradient that they *write* and look up what flows into them, for the same reason. What
a number is made of, and in which order, does not depend on the range that it lies in.

**Memory.** Kernels allocate nothing: scratch, `s`, is given to them.

**Vectors.** Kernels over channels compute with vectors of sixteen numbers, written out
(``compiling.lanes``); what Numba makes of plain loops was two to five times slower.
"""

from ....compiling.kinds import NO_MASK as NO_MASK
from ....compiling.kinds import NOTHING as NOTHING
from ....compiling.machine_code import Kernel
from .codes import BLOCK as BLOCK
from .codes import CLIP as CLIP
from .codes import GATE as GATE
from .codes import NONE as NONE
from .codes import RELU as RELU
from .codes import TILE as TILE
from .codes import lrn_scratch as lrn_scratch

products = Kernel(f"{__name__}.products", "products")
affine = Kernel(f"{__name__}.products", "affine")
padded = Kernel(f"{__name__}.products", "padded")
spread_out = Kernel(f"{__name__}.products", "spread_out")
input_transform = Kernel(f"{__name__}.winograd", "input_transform")
output_transform = Kernel(f"{__name__}.winograd", "output_transform")
depthwise = Kernel(f"{__name__}.depthwise", "depthwise")
depthwise_back = Kernel(f"{__name__}.depthwise", "depthwise_back")
max_pool = Kernel(f"{__name__}.pooling", "max_pool")
max_pool_back = Kernel(f"{__name__}.pooling", "max_pool_back")
average_pool = Kernel(f"{__name__}.pooling", "average_pool")
average_pool_back = Kernel(f"{__name__}.pooling", "average_pool_back")
lrn = Kernel(f"{__name__}.lrn", "lrn")
lrn_back = Kernel(f"{__name__}.lrn", "lrn_back")
wait_while = Kernel(f"{__name__}.waiting", "wait_while")
