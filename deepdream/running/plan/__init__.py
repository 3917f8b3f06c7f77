"""The plan: the fast way through a net, for given targets and one size.

`Net` defines what is computed; a plan computes the same gradient with less work. Named passes make
it, each in a module of its own:

* `prune`: only layers that the targets depend on; layers in place make new values;
* `fold`: BatchNorm, Scale and Bias go into the convolution before them;
* `fuse`: so do ReLU and Clip, as its last touch;
* `merge`: 1x1 convolutions that read one blob become one;
* `schedule`: what happens when, and how long each array is needed;
* `allocate`: where each array lies, in one block of memory.

The operations are compiled kernels of this package on NumPy's memory (`native`), on threads of
this package (`workers`); on a GPU they are PyTorch's own (`tensors`); and, where neither has one, a
layer runs by its own class (`by_layer`).
"""

from .planner import Plan, Planner
from .program import Unplannable

__all__ = ["Plan", "Planner", "Unplannable"]
