"""The gradient of an objective at a picture, through a plan: at once, or tile by tile.

An objective is a `Writer` here: a function that reads the target's values and writes their
gradient, both arrays as the plan has them: NumPy's, or on a GPU PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...compiling.packing import packed
from ...running.blob import Blob
from ...running.plan import Plan, kernels
from ...running.plan.workers import thread_count, workers
from ...running.tiles import Tile
from ..dream2015 import flat_gradient
from ..objectives import Channel, Guide, Objective, ask, objective_L2
from ..pictures.borders import Canvas
from ..pictures.looks import Look
from ..pictures.operations import Operations

Writer = Callable[[Any, Any], None]


def writer(objective: Objective, native: bool = False) -> Writer:
    """Return an objective as a function of two arrays.

    Parameters
    ----------
    objective : callable
        `objective_L2`, what `objective_guide` or `objective_channel` returns, or any other
        function of a blob.
    native : bool
        The arrays are a native plan's.

    Returns
    -------
    callable
        ``writer(data, diff)``. For these nothing leaves the device; any other objective
        gets a blob in the machine's memory, as a `HostObjective`.
    """
    if objective is objective_L2:
        return _l2
    if isinstance(objective, Guide):
        return Matches(objective) if native else objective.on_tensors
    if isinstance(objective, Channel):
        return objective.on_arrays
    return HostObjective(objective)


def _l2(data: Any, diff: Any) -> None:
    diff[...] = data


class Matches:
    """A guide's objective by compiled products, with the same bytes on any number of threads.

    Parameters
    ----------
    guide : Guide
    """

    # Numbers of the products that a thread makes at a time: a part of its cache.
    AT_ONCE = 2**18

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._weights = packed(guide.columns)

    def __call__(self, data: Any, diff: Any) -> None:
        """Write the guide's column that matches best into each position."""
        self._guide.check(data.shape[1])
        if data.ndim == 2:  # behind an inner product: a single position
            data, diff = data[..., None, None], diff[..., None, None]
        out = diff[0].transpose(1, 2, 0)
        channels, count = self._guide.columns.shape
        x = np.ascontiguousarray(data[0].transpose(1, 2, 0)).reshape(-1)
        positions, width = len(x) // channels, out.shape[1]
        best = np.empty(positions, np.intp)
        length = max(1, self.AT_ONCE // count)

        def part(number: int, worker: int) -> None:
            first, last = number * length, min(positions, (number + 1) * length)
            n = last - first
            made = np.empty(n * count, np.float32)
            kernels.products(
                x, (first * channels, 0, channels), (1, 0, 1, 0, channels), self._weights, 0,
                count, kernels.NOTHING, kernels.NONE, 0.0, 0.0, kernels.NO_MASK, (0, 0, 0), made,
                (0, 0, count), False, (1, n), np.empty(kernels.BLOCK, np.float32),
            )  # fmt: skip
            best[first:last] = made.reshape(n, count).argmax(1)

        workers(thread_count()).run(part, -(-positions // length))
        out[...] = self._guide.columns.T[best].reshape(-1, width, channels)


class HostObjective:
    """A user's own objective, that reads ``dst.data`` and writes ``dst.diff`` with numpy.

    Parameters
    ----------
    objective : callable
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._blob: Blob | None = None

    def __call__(self, data: Any, diff: Any) -> None:
        """Show the objective a blob with `data`, and write into `diff` what it wrote there."""
        if self._blob is None or self._blob.shape != list(data.shape):
            self._blob = Blob(*data.shape)
        blob = self._blob
        blob.diff[...] = 0
        if isinstance(data, np.ndarray):
            blob.data[...] = data
            ask(self._objective, blob)
            diff[...] = blob.diff
            return
        import torch

        blob.data[...] = data.cpu().numpy()
        with torch.enable_grad():  # it may use autograd
            ask(self._objective, blob)
        diff.copy_(torch.from_numpy(blob.diff))


def is_local(write: Writer) -> bool:
    """Tell whether an objective treats each position of the target by itself."""
    return not isinstance(write, HostObjective)


def pixels_of(image: Any) -> Any:
    """Return a channels-last (1, 3, h, w) array as a picture, (h, w, 3): a view."""
    if isinstance(image, np.ndarray):
        return image[0].transpose(1, 2, 0)
    return image[0].permute(1, 2, 0)


class PlanGradient:
    """What gradients through a plan share.

    Parameters
    ----------
    plan : Plan
        For the size of the canvas, or of the tiles' crops.
    end : str
        The target.
    write : callable
        See `writer`.
    ops : Operations
    """

    def __init__(self, plan: Plan, end: str, write: Writer, ops: Operations) -> None:
        self.plan, self.write, self._ops, self._end = plan, write, ops, end
        self.seen = pixels_of(plan.data)
        self._diff = pixels_of(plan.diff)
        self._target = plan.target_data[end], plan.target_diff[end]

    def target(self, x: Any, look: Look) -> Any:
        """Return the target and what the objective writes: ``data`` and ``diff``, numpy arrays."""
        raise NotImplementedError

    def explain(self, x: Any, look: Look, mean: float) -> Exception:
        """Return the error that tells why the gradient is no direction."""
        return flat_gradient(mean, look.canvas.size, self.target(x, look), self._end)


class WholeGradient(PlanGradient):
    """The gradient of a picture that goes through the net at once.

    Attributes
    ----------
    seen : (H, W, 3) array
        Where `run` reads what the net is to see.
    """

    def at(self, x: Any, look: Look) -> Any:
        look.write(self.seen, x)
        return self.run()

    def run(self) -> Any:
        """Return the gradient at what is in `seen`."""
        self.plan.forward()
        with self.plan.threads():
            self.write(*self._target)
        self.plan.backward()
        return self._diff

    def target(self, x: Any, look: Look) -> Any:
        look.write(self.seen, x)
        self.plan.forward()
        self.write(*self._target)
        data, diff = map(self._ops.numpy, self._target)
        return SimpleNamespace(data=data, diff=diff)


class TiledGradient(PlanGradient):
    """The gradient of a picture that goes through the net in parts.

    Each tile answers for its own positions of the target, and the gradients of the tiles add up.
    An objective that looks at all positions at once is shown the whole target, which takes a pass
    forward through all tiles before the one forward and backward.

    Parameters
    ----------
    plan, end, write, ops
        See `PlanGradient`.
    tiles : list of Tile
        From ``running.tiles.choose_tiles``, for the canvas.
    canvas : Canvas
    """

    def __init__(
        self, plan: Plan, end: str, write: Writer, ops: Operations, tiles: list[Tile],
        canvas: Canvas,
    ) -> None:  # fmt: skip
        super().__init__(plan, end, write, ops)
        self.tiles = tiles
        data = self._target[0]
        self._shape = (
            *data.shape[:2],
            *(max(tile.own[axis].stop for tile in tiles) for axis in (0, 1)),
        )
        self._g = ops.empty((*canvas.shape, 3))

    def at(self, x: Any, look: Look) -> Any:
        whole = None
        if not is_local(self.write):
            data = self._assemble(x, look)
            whole = np.empty_like(data)
            self.write(data, whole)
            del data
        g = self._g
        g[...] = 0
        for tile in self.tiles:
            self._forward(tile, x, look)
            with self.plan.threads():
                self._differentiate(tile, whole)
            self.plan.backward()
            g[tile.crop] += self._diff
        return g

    def _forward(self, tile: Tile, x: Any, look: Look) -> None:
        look.write(self.seen, x, tile.crop)
        self.plan.forward()

    def _differentiate(self, tile: Tile, whole: np.ndarray | None) -> None:
        """Write the gradient at the tile's own positions, zero at the others."""
        data, diff = self._target
        if whole is not None:
            tile.scatter(self._ops.array(whole), diff)
            return
        diff[...] = 0
        inner = (..., *tile.inner)
        self.write(data[inner], diff[inner])

    def _assemble(self, x: Any, look: Look) -> np.ndarray:
        """Return the target of the whole picture, in the machine's memory."""
        data = np.empty(self._shape, np.float32)
        for tile in self.tiles:
            self._forward(tile, x, look)
            tile.gather(self._ops.numpy(self._target[0]), data)
        return data

    def target(self, x: Any, look: Look) -> Any:
        data = self._assemble(x, look)
        diff = np.empty_like(data)
        self.write(data, diff)
        return SimpleNamespace(data=data, diff=diff)


def features(
    plan: Plan, end: str, tiles: list[Tile], image: np.ndarray, ops: Operations
) -> np.ndarray:
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
    ops : Operations

    Returns
    -------
    (channels, rows, columns) float32 ndarray
    """
    found, into, rows = plan.target_data[end], pixels_of(plan.data), ops.array(image)
    if len(tiles) == 1:
        into[...] = rows
        plan.forward()
        return ops.numpy(found)[0].copy()
    h, w = (max(tile.own[axis].stop for tile in tiles) for axis in (0, 1))
    data = np.empty((1, found.shape[1], h, w), np.float32)
    for tile in tiles:
        into[...] = rows[tile.crop]
        plan.forward()
        tile.gather(ops.numpy(found), data)
    return data[0]
