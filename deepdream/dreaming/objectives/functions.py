"""Objectives as the notebook of 2015 has them: functions of one blob.

Such a function takes `dst`, reads ``dst.data`` and writes into ``dst.diff`` the gradient of the
quantity to be *maximised*. That is all the notebook asks of one, so your own is a few lines::

    def objective_channel_13(dst):
        dst.diff[...] = 0
        dst.diff[:, 13] = dst.data[:, 13]

Those of this package do the same with plain arrays, and with a part of a blob: they have a method
``on_arrays(data, diff, part)`` besides, of arrays or tensors (1, channels, rows, columns), or
(1, channels) behind an inner product. Nothing here knows about nets.

Source: google/deepdream, dream.ipynb, the cells "make_step" and "Controlling dreams".
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...errors import ParameterError, ShapeError

Function = Callable[[Any], None]

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


def ask(objective: Function, dst: Any) -> None:
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


def objective_guide(guide_features: np.ndarray | None = None) -> Function:
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


def objective_channel(channel: int) -> Function:
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
    return Channels([channel])


class Part(NamedTuple):
    """Which positions of a blob an array holds.

    Attributes
    ----------
    rows, columns : slice
        Of the whole blob; ``slice(0, 1)`` behind an inner product.
    whole : (int, int)
        How many rows and columns the whole blob has.
    find : callable
        ``find(y, x)`` tells at which row and column of the whole blob a place of the picture lies,
        given in shares of its height and width, 0..1.
    """

    rows: slice
    columns: slice
    whole: tuple[int, int]
    find: Callable[[float, float], tuple[int, int]]

    @property
    def positions(self) -> int:
        """How many positions the whole blob has."""
        return math.prod(self.whole)


def part_of(shape: Any, find: Any = None) -> Part:
    """Return the part that is a whole blob of this shape."""
    h, w = (*shape[2:4], 1, 1)[:2]
    return Part(slice(0, h), slice(0, w), (h, w), find or (lambda y, x: _nearest(y, x, (h, w))))


def _nearest(y: float, x: float, size: tuple[int, int]) -> tuple[int, int]:
    row, column = (min(n - 1, int(share * n)) for share, n in zip((y, x), size))
    return row, column


class _OnArrays:
    """An objective that is written for arrays, as a function of a blob."""

    def __call__(self, dst: Any) -> None:
        """Read ``dst.data``, write ``dst.diff``."""
        self.on_arrays(dst.data, dst.diff, part_of(dst.data.shape))

    def on_arrays(self, data: Any, diff: Any, part: Part | None = None) -> None:
        """Write the gradient at these positions; all of `diff` is overwritten."""
        raise NotImplementedError


class Mean(_OnArrays):
    """The mean of a blob's values: its gradient is one over their number."""

    def __init__(self) -> None:
        self.__qualname__ = "mean"

    def on_arrays(self, data: Any, diff: Any, part: Part | None = None) -> None:
        part = part or part_of(data.shape)
        diff[...] = 1 / (data.shape[0] * data.shape[1] * part.positions)


class Channels(_OnArrays):
    """Some channels of a blob: half their squared length, or their mean.

    Parameters
    ----------
    channels : sequence of int
    power : {2, 1}
    """

    def __init__(self, channels: Any, power: int = 2) -> None:
        self.channels, self.power = [int(channel) for channel in channels], power
        shown = ", ".join(map(str, self.channels))
        self.__qualname__ = f"objective_channel({shown})"  # its name in recipes

    def on_arrays(self, data: Any, diff: Any, part: Part | None = None) -> None:
        check_channels(self.channels, data.shape[1])
        diff[...] = 0
        if self.power == 2:
            for channel in self.channels:
                diff[:, channel] = data[:, channel]
            return
        part = part or part_of(data.shape)
        for channel in self.channels:
            diff[:, channel] = 1 / (data.shape[0] * len(self.channels) * part.positions)


class Neuron(_OnArrays):
    """One value of a blob: its gradient is one there, and zero elsewhere.

    Parameters
    ----------
    channel : int
    y, x : int or float
        Row and column of the blob, counted from 0; or shares of the picture, 0.0 to 1.0.
    """

    def __init__(self, channel: int, y: float, x: float) -> None:
        self.channel, self.y, self.x = channel, y, x
        self.__qualname__ = "neuron"

    def on_arrays(self, data: Any, diff: Any, part: Part | None = None) -> None:
        check_channels([self.channel], data.shape[1])
        part = part or part_of(data.shape)
        diff[...] = 0
        row, column = self._place(part)
        h, w = part.whole
        if not (row < h and column < w):
            raise ShapeError(
                f"the target has {h} rows and {w} columns here: there is no position ({row}, "
                f"{column}). Shares of the picture (0.0 to 1.0) hold for octaves of any size"
            )
        if data.ndim == 2:
            diff[:, self.channel] = 1
            return
        down, along = part.rows, part.columns
        if down.start <= row < down.stop and along.start <= column < along.stop:
            diff[:, self.channel, row - down.start, column - along.start] = 1

    def _place(self, part: Part) -> tuple[int, int]:
        if isinstance(self.y, int):
            return self.y, int(self.x)
        return part.find(self.y, self.x)


class Direction(_OnArrays):
    """The mean projection of a blob's columns on a vector.

    Parameters
    ----------
    vector : (channels) array_like
    """

    def __init__(self, vector: Any) -> None:
        self.vector = np.asarray(vector, np.float32)
        self.__qualname__ = "direction"

    def on_arrays(self, data: Any, diff: Any, part: Part | None = None) -> None:
        count = data.shape[1]
        if len(self.vector) != count:
            raise ShapeError(
                f"the direction has {len(self.vector)} numbers, the target has {count} channels: "
                "one for each is expected"
            )
        part = part or part_of(data.shape)
        shares = self.vector / np.float32(data.shape[0] * part.positions)
        if not isinstance(data, np.ndarray):
            shares = data.new_tensor(shares)
        diff[...] = shares.reshape(-1, *(1,) * (data.ndim - 2))


def check_channels(channels: Any, count: int) -> None:
    """Refuse channels that a target does not have.

    Raises
    ------
    ShapeError
    """
    for channel in channels:
        if not 0 <= channel < count:
            raise ShapeError(
                f"the target has {count} channels, 0 to {count - 1}: there is no {channel}"
            )


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
