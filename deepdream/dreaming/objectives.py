"""What a dream makes grow.

An objective is a function of one blob, `dst`: it reads ``dst.data`` and writes into ``dst.diff``
the gradient of the quantity to be *maximised*. That is all the notebook of 2015 asks of one, so
your own is a few lines::

    def objective_channel_13(dst):
        dst.diff[...] = 0
        dst.diff[:, 13] = dst.data[:, 13]

Nothing here knows about nets.

Source: google/deepdream, dream.ipynb, the cells "make_step" and "Controlling dreams".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError

Objective = Callable[[Any], None]

# Dot products held at once, 256 MiB: a large picture is matched with its guide piece by piece.
_MATCHES_AT_ONCE = 2**26


def objective_L2(dst: Any) -> None:
    """Make whatever is there stronger: the gradient of half the squared length is the data itself.

    Parameters
    ----------
    dst : Blob
        The target; ``dst.diff`` becomes a copy of ``dst.data``.
    """
    dst.diff[:] = dst.data


def objective_guide(guide_features: np.ndarray) -> Objective:
    """Return an objective that pulls every position towards its best match in a guide.

    Parameters
    ----------
    guide_features : (channels, h, w) float32 ndarray
        What the guide picture gives at the same layer; see `deepdream.guide_features`.

    Returns
    -------
    callable
        ``objective(dst)`` for a blob of batch 1 with as many channels. At each position the
        gradient is the guide's column with the largest dot product with the data there.

    Raises
    ------
    ShapeError
        When called with a blob of another number of channels: the guide's features come from
        another layer.
    """
    channels = guide_features.shape[0]
    y = np.ascontiguousarray(guide_features).reshape(channels, -1)  # (channels, guide positions)

    def objective(dst: Any) -> None:
        if dst.data.shape[1] != channels:
            raise ShapeError(
                f"the guide's features have {channels} channels, the target has "
                f"{dst.data.shape[1]}: take both at the same layer"
            )
        x = dst.data[0].reshape(channels, -1)  # (channels, positions)
        rows = max(1, _MATCHES_AT_ONCE // max(1, y.shape[1]))
        best = np.concatenate(
            [x[:, i : i + rows].T.dot(y).argmax(1) for i in range(0, x.shape[1], rows)]
        )
        dst.diff[0].reshape(channels, -1)[:] = y[:, best]

    return objective
