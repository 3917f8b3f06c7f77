"""Compiled loops over pictures; see `running.plan.kernels` for the manner."""

from ....compiling.kinds import NOTHING as NOTHING
from ....compiling.machine_code import Kernel
from ....compiling.processor import LANES as LANES
from .codes import ABS as ABS
from .codes import EDGE as EDGE
from .codes import PLAIN as PLAIN
from .codes import REFLECT as REFLECT
from .codes import ROLL as ROLL
from .codes import SQUARE as SQUARE

gaussians = Kernel(f"{__name__}.loops", "gaussians")
row_sums = Kernel(f"{__name__}.loops", "row_sums")
climb = Kernel(f"{__name__}.loops", "climb")
reduce = Kernel(f"{__name__}.loops", "reduce")
join = Kernel(f"{__name__}.loops", "join")
warp = Kernel(f"{__name__}.loops", "warp")
warp_back = Kernel(f"{__name__}.loops", "warp_back")
keep_colors = Kernel(f"{__name__}.colors", "keep_colors")
