"""Compiled loops of the plan on a CPU: what PyTorch's operators do slowly, or not at all.

The matrix products stay with PyTorch; everything around them is here. A kernel is written as loops
over flat float32 arrays and compiled by Numba when it is first called; the machine code is
kept on disk for the next process. Numba is optional: without it the plan uses PyTorch only.

**Layout.** A value of the plan is one picture in NHWC order inside a flat array `a`, and its place
is a pair `a_at = (offset, pix)`: the number at row i, column j, channel c is
``a[offset + (i * w + j) * pix + c]``. `pix` is larger than the number of channels where several
values are neighbours in one storage, as the bottoms of a Concat are. Sizes, kernels, strides, pads
and dilations are pairs (along the height, along the width).

**Masks.** A mask tells for each number of an activation whether the gradient passes: uint8, 1 or 0,
in a flat array with a place of its own. `NO_MASK` stands for no mask.

**Threads.** No kernel starts threads. Each works on a range of pixels, rows or tiles that the
caller gives it, releases the interpreter's lock, and writes nothing outside that range, so that
several Python threads may call it at once with ranges that do not overlap. Backward kernels own
rows of the gradient that they *write* and look up what flows into them, for the same reason.

**Vectors.** Kernels over channels compute with vectors of sixteen numbers, written out
(``compiling.lanes``); what Numba makes of plain loops was two to five times slower.
"""

from ....compiling.decorators import NO_MASK as NO_MASK
from .activation import CLIP as CLIP
from .activation import NONE as NONE
from .activation import RELU as RELU
from .columns import scatter_columns as scatter_columns
from .columns import scatter_planes as scatter_planes
from .depthwise import depthwise as depthwise
from .depthwise import depthwise_back as depthwise_back
from .lrn import lrn as lrn
from .lrn import lrn_back as lrn_back
from .pointwise import apply_mask as apply_mask
from .pointwise import bias_act as bias_act
from .pooling import average_pool as average_pool
from .pooling import average_pool_back as average_pool_back
from .pooling import max_pool as max_pool
from .pooling import max_pool_back as max_pool_back
from .winograd import input_transform as input_transform
from .winograd import output_transform as output_transform
from .winograd import outputs_of as outputs_of
from .winograd import tiles as tiles
from .winograd import weights_transform as weights_transform
