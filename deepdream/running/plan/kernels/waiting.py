"""Waiting for another thread without falling asleep.

To be woken up takes a thread 0.05 to 0.3 ms, as long as many an operation of a plan runs. For that
time it is cheaper to keep looking.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from ....compiling.decorators import exact_kernel
from ....compiling.kinds import Longs


def _atomic_load(typingctx: Any, array: Any, index: Any) -> Any:
    """Read a number that another thread may have changed; a plain read could leave the loop."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of = signature.args[0]
        place = cgutils.get_item_pointer(
            context, builder, of, make_array(of)(context, builder, arguments[0]), [arguments[1]]
        )
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(array, types.intp), generate


_look: Any = intrinsic(_atomic_load)


@exact_kernel
def wait_while(board: Longs, place: int, value: int, turns: int) -> None:
    """Return as soon as ``board[place] != value``, or after so many looks.

    Parameters
    ----------
    board : ndarray
        int64.
    place, value, turns : int
    """
    for _ in range(turns):
        if _look(board, place) != value:
            return
