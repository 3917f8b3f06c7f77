"""The gradient of an objective at a picture, through a plan: at once, or tile by tile.

A picture is given as its rows (see ``running.rolling``), and by how far it shall be rolled; the
gradient is that of the rolled picture. An objective is a `Writer` here: a function that reads the
target's values and writes their gradient, both tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import torch

from ..running.blob import Blob
from ..running.plan import Plan
from ..running.rolling import image_of, roll_into, rows_of
from ..running.tiles import Tile
from .objectives import Channel, Guide, Objective, objective_L2

Writer = Callable[[torch.Tensor, torch.Tensor], None]


def writer(objective: Objective) -> Writer:
    """Return an objective as a function of two tensors.

    Parameters
    ----------
    objective : callable
        `objective_L2`, what `objective_guide` or `objective_channel` returns, or any other
        function of a blob.

    Returns
    -------
    callable
        ``writer(data, diff)``. For these nothing leaves the device; any other objective
        gets a blob in the machine's memory, as a `HostObjective`.
    """
    if objective is objective_L2:
        return _l2
    if isinstance(objective, (Channel, Guide)):
        return objective.on_tensors
    return HostObjective(objective)


def _l2(data: torch.Tensor, diff: torch.Tensor) -> None:
    diff.copy_(data)


class HostObjective:
    """A user's own objective, that reads ``dst.data`` and writes ``dst.diff`` with numpy.

    Parameters
    ----------
    objective : callable
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._blob: Blob | None = None

    def __call__(self, data: torch.Tensor, diff: torch.Tensor) -> None:
        """Show the objective a blob with `data`, and write into `diff` what it wrote there."""
        if self._blob is None or self._blob.shape != list(data.shape):
            self._blob = Blob(*data.shape)
        blob = self._blob
        torch.from_numpy(blob.data).copy_(data)
        blob.diff[...] = 0
        with torch.enable_grad():  # it may use autograd
            self._objective(blob)
        diff.copy_(torch.from_numpy(blob.diff))


def is_local(write: Writer) -> bool:
    """Tell whether an objective treats each position of the target by itself."""
    return not isinstance(write, HostObjective)


class Gradient(Protocol):
    """The gradient at pictures of one size."""

    def at(self, x: torch.Tensor, ox: int, oy: int) -> torch.Tensor:
        """Return the gradient of the picture rolled by ox columns and oy rows.

        Parameters
        ----------
        x : (h, 3 w) float32 tensor
            Rows of the picture before it is rolled.

        Returns
        -------
        (h, 3 w) float32 tensor
            Overwritten by the next call.
        """

    def target(self, x: torch.Tensor, ox: int, oy: int) -> Any:
        """Return the target and what the objective writes: ``data`` and ``diff``, numpy arrays."""


class WholeGradient:
    """The gradient of a picture that goes through the net at once.

    Parameters
    ----------
    plan : Plan
        For the size of the picture.
    end : str
        The target.
    write : callable
        See `writer`.

    Attributes
    ----------
    rows : (h, 3 w) float32 tensor
        Where `run` reads the rolled picture.
    """

    def __init__(self, plan: Plan, end: str, write: Writer) -> None:
        self.plan, self.write = plan, write
        self.rows = rows_of(plan.data)
        self._diff = rows_of(plan.diff)
        self._target = plan.target_data[end], plan.target_diff[end]

    def at(self, x: torch.Tensor, ox: int, oy: int) -> torch.Tensor:
        roll_into(self.rows, x, ox, oy)
        return self.run()

    def run(self) -> torch.Tensor:
        """Return the gradient at what is in `rows`."""
        self.plan.forward()
        self.write(*self._target)
        self.plan.backward()
        return self._diff

    def target(self, x: torch.Tensor, ox: int, oy: int) -> Any:
        roll_into(self.rows, x, ox, oy)
        self.plan.forward()
        self.write(*self._target)
        data, diff = (tensor.cpu().numpy() for tensor in self._target)
        return SimpleNamespace(data=data, diff=diff)


class TiledGradient:
    """The gradient of a picture that goes through the net in parts.

    Each tile answers for its own positions of the target, and the gradients of the tiles add up.
    An objective that looks at all positions at once is shown the whole target, which takes a pass
    forward through all tiles before the one forward and backward.

    Parameters
    ----------
    plan : Plan
        For the size of the tiles' crops.
    end : str
        The target.
    write : callable
        See `writer`.
    tiles : list of Tile
        From ``running.tiles.choose_tiles``.
    size : (int, int)
        Height and width of the picture.
    """

    def __init__(
        self, plan: Plan, end: str, write: Writer, tiles: list[Tile], size: tuple[int, int]
    ) -> None:
        h, w = size
        self.plan, self.write, self.tiles = plan, write, tiles
        self._rows = rows_of(plan.data)
        self._data, self._diff = plan.target_data[end], plan.target_diff[end]
        self._shape = (
            *self._data.shape[:2],
            *(max(tile.own[axis].stop for tile in tiles) for axis in (0, 1)),
        )
        self._g = plan.data.new_empty((h, 3 * w))

    def at(self, x: torch.Tensor, ox: int, oy: int) -> torch.Tensor:
        whole = None
        if not is_local(self.write):
            data = self._assemble(x, ox, oy)
            whole = torch.empty_like(data)
            self.write(data, whole)
            del data
        g = image_of(self._g.zero_())
        for tile in self.tiles:
            self._forward(tile, x, ox, oy)
            self._differentiate(tile, whole)
            self.plan.backward()
            tile.cut(g).add_(self.plan.diff)
        return self._g

    def _forward(self, tile: Tile, x: torch.Tensor, ox: int, oy: int) -> None:
        roll_into(self._rows, x, ox, oy, tile.crop)
        self.plan.forward()

    def _differentiate(self, tile: Tile, whole: torch.Tensor | None) -> None:
        """Write the gradient at the tile's own positions, zero at the others."""
        if whole is not None:
            tile.scatter(whole.to(self._diff.device), self._diff)
            return
        self._diff.zero_()
        inner = (..., *tile.inner)
        self.write(self._data[inner], self._diff[inner])

    def _assemble(self, x: torch.Tensor, ox: int, oy: int) -> torch.Tensor:
        """Return the target of the whole picture, in the machine's memory."""
        data = torch.empty(self._shape)
        for tile in self.tiles:
            self._forward(tile, x, ox, oy)
            tile.gather(self._data, data)
        return data

    def target(self, x: torch.Tensor, ox: int, oy: int) -> Any:
        data = self._assemble(x, ox, oy)
        diff = torch.empty_like(data)
        self.write(data, diff)
        return SimpleNamespace(data=data.numpy(), diff=diff.numpy())


def features(plan: Plan, end: str, tiles: list[Tile], image: np.ndarray) -> np.ndarray:
    """Return what a picture gives at a layer: `guide_features` through a plan.

    Parameters
    ----------
    plan : Plan
        For the size of the tiles' crops.
    end : str
    tiles : list of Tile
        One or more.
    image : (h, w, 3) float32 ndarray
        BGR, mean subtracted.

    Returns
    -------
    (channels, rows, columns) float32 ndarray
    """
    found = plan.target_data[end]
    if len(tiles) == 1:
        plan.data.copy_(torch.from_numpy(image).permute(2, 0, 1)[None])
        plan.forward()
        return found[0].cpu().numpy().copy()
    h, w = (max(tile.own[axis].stop for tile in tiles) for axis in (0, 1))
    data = torch.empty((1, found.shape[1], h, w))
    rows = torch.from_numpy(image).view(image.shape[0], -1)
    into = rows_of(plan.data)
    for tile in tiles:
        roll_into(into, rows, 0, 0, tile.crop)
        plan.forward()
        tile.gather(found, data)
    return data[0].numpy()
