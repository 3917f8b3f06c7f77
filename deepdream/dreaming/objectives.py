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

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ParameterError, ShapeError

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
    dst.diff[...] = dst.data


def ask(objective: Objective, dst: Any) -> None:
    """Let an objective write into ``dst.diff``, which is zero.

    Raises
    ------
    ParameterError
        It has returned something, and written nothing.
    """
    returned: Any = objective(dst)  # type: ignore[func-returns-value]
    if returned is not None and not np.any(dst.diff):
        raise ParameterError(
            f"the objective returned a {type(returned).__name__} and wrote nothing: it is to write "
            "the gradient into dst.diff, as in dst.diff[...] = dst.data"
        )


def objective_guide(guide_features: np.ndarray | None = None) -> Objective:
    """Return an objective that pulls every position towards its best match in a guide.

    Parameters
    ----------
    guide_features : (channels, h, w) float32 ndarray
        What the guide picture gives at the same layer; see `deepdream.guide_features`. There is no
        objective without.

    Returns
    -------
    callable
        ``objective(dst)`` for a blob of batch 1 with as many channels. At each position the
        gradient is the guide's column with the largest dot product with the data there.

    Raises
    ------
    ParameterError
        These are no features: none, or a blob, where the function itself was taken for an
        objective.
    ShapeError
        When called with a blob of another number of channels: the guide's features come from
        another layer.
    """
    if not isinstance(guide_features, np.ndarray) or guide_features.ndim < 1:
        found = "nothing" if guide_features is None else f"a {type(guide_features).__name__}"
        raise ParameterError(
            f"objective_guide makes an objective of a guide's features, and has got {found}: give "
            "dream(guide=PICTURE), or objective=objective_guide(guide_features(net, PICTURE, end))"
        )
    return Guide(guide_features)


def objective_channel(channel: int) -> Objective:
    """Return an objective that makes one channel of the target grow, and no other.

    Parameters
    ----------
    channel : int
        Its number, from 0. Channels are what each position of a layer has learnt to look for.

    Returns
    -------
    callable
        ``objective(dst)`` for a blob that has such a channel.

    Raises
    ------
    ParameterError
        It is no whole number.
    ShapeError
        When called with a blob that has too few channels.
    """
    if not isinstance(channel, numbers.Integral) or isinstance(channel, bool):
        found = type(channel).__name__ if hasattr(channel, "diff") else repr(channel)
        raise ParameterError(
            f"channel is {found}: one whole number from 0 is expected, as in objective_channel(13)."
            " An objective of your own may write several channels of dst.diff"
        )
    return Channel(channel)


class Channel:
    """What `objective_channel` returns: an objective on numpy blobs that knows tensors, too.

    Parameters
    ----------
    channel : int
    """

    def __init__(self, channel: int) -> None:
        self.__qualname__ = f"objective_channel({channel})"  # its name in recipes
        self.channel = channel

    def __call__(self, dst: Any) -> None:
        """Copy the channel from ``dst.data`` into ``dst.diff``; the rest of it becomes zero."""
        self.on_arrays(dst.data, dst.diff)

    def on_arrays(self, data: Any, diff: Any) -> None:
        """Do the same with arrays or tensors, (1, channels, h, w) float32."""
        count = data.shape[1]
        if not 0 <= self.channel < count:
            raise ShapeError(
                f"the target has {count} channels, 0 to {count - 1}: there is no {self.channel}"
            )
        diff[...] = 0
        diff[:, self.channel] = data[:, self.channel]


class Guide:
    """What `objective_guide` returns: an objective on numpy blobs that knows tensors, too.

    Parameters
    ----------
    features : (channels, h, w) float32 ndarray
    """

    def __init__(self, features: np.ndarray) -> None:
        self.__qualname__ = "objective_guide"  # its name in recipes
        self.channels = features.shape[0]
        # (channels, guide positions)
        self.columns = np.ascontiguousarray(features).reshape(self.channels, -1)
        self._tensor: Any = None

    def __call__(self, dst: Any) -> None:
        """Write into ``dst.diff`` what pulls ``dst.data`` towards the guide."""
        self.check(dst.data.shape[1])
        x = dst.data[0].reshape(self.channels, -1)  # (channels, positions)
        rows = self._rows()
        best = np.concatenate(
            [x[:, i : i + rows].T.dot(self.columns).argmax(1) for i in range(0, x.shape[1], rows)]
        )
        dst.diff[0].reshape(self.channels, -1)[:] = self.columns[:, best]

    def on_tensors(self, data: Any, diff: Any) -> None:
        """Do the same with tensors.

        Parameters
        ----------
        data : (1, channels, h, w) float32 tensor
            The target, on any device, of any strides.
        diff : (1, channels, h, w) float32 tensor
            Overwritten.
        """
        self.check(data.shape[1])
        if data.ndim == 2:  # behind an inner product: a single position
            data, diff = data[..., None, None], diff[..., None, None]
        if self._tensor is None or self._tensor.device != data.device:
            self._tensor = data.new_tensor(self.columns.T)  # (guide positions, channels)
        y = self._tensor
        x, out = data[0].permute(1, 2, 0), diff[0].permute(1, 2, 0)  # (h, w, channels)
        rows = max(1, self._rows() // max(1, x.shape[1]))
        for i in range(0, x.shape[0], rows):
            out[i : i + rows] = y[(x[i : i + rows] @ y.T).argmax(-1)]

    def check(self, channels: int) -> None:
        """Refuse a target with another number of channels."""
        if channels != self.channels:
            raise ShapeError(
                f"the guide's features have {self.channels} channels, the target has "
                f"{channels}: take both at the same layer"
            )

    def _rows(self) -> int:
        """Return how many positions are matched at once."""
        return max(1, _MATCHES_AT_ONCE // max(1, self.columns.shape[1]))
