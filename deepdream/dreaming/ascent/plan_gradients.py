"""The gradient of what pulls at a picture, through a plan: at once, or tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...compiling.packing import packed
from ...running.arrays.blas import one_blas_thread
from ...running.blob import Blob
from ...running.plan import Plan, kernels
from ...running.plan.workers import thread_count, workers
from ...running.tiles import Tile
from ..objectives.functions import Function, Guide, Part, ask
from ..pictures.looks import Look
from ..pictures.operations import Operations
from .pulls import Pulls, Writer, on_arrays

Targets = Mapping[str, Any]


def writer(function: Function, native: bool = False) -> Writer:
    """Return how a function is carried out on a plan's arrays.

    Parameters
    ----------
    function : callable
        One of `objectives.functions`, or any other function of a blob.
    native : bool
        The arrays are a native plan's.

    Returns
    -------
    Writer
        For those of this package nothing leaves the device; any other function gets a blob in the
        machine's memory, as a `HostObjective`, with all positions at once.
    """
    if isinstance(function, Guide):
        if native:
            return Writer(Matches(function))
        return Writer(lambda data, diff, part: _match(function, data, diff))
    own = on_arrays(function)
    return Writer(HostObjective(function), local=False) if own is None else own


def _match(guide: Guide, data: Any, diff: Any) -> None:
    if isinstance(data, np.ndarray):  # the whole target of a picture in tiles
        guide(SimpleNamespace(data=data, diff=diff))
    else:
        guide.on_tensors(data, diff)


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

    def __call__(self, data: Any, diff: Any, _: Part | None = None) -> None:
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

    def __init__(self, objective: Function) -> None:
        self._objective = objective
        self._blob: Blob | None = None

    def __call__(self, data: Any, diff: Any, part: Part | None = None) -> None:
        """Show the objective a blob with `data`, and write into `diff` what it wrote there."""
        if self._blob is None or self._blob.shape != list(data.shape):
            self._blob = Blob(*data.shape)
        blob = self._blob
        blob.diff[...] = 0
        if isinstance(data, np.ndarray):
            blob.data[...] = data
            with one_blas_thread():  # the same bytes on any number of them, as layer by layer
                ask(self._objective, blob)
            diff[...] = blob.diff
            return
        import torch

        blob.data[...] = data.cpu().numpy()
        with torch.enable_grad():  # it may use autograd
            ask(self._objective, blob)
        diff.copy_(torch.from_numpy(blob.diff))


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
    pulls : Pulls
    ops : Operations

    Attributes
    ----------
    seen : (H, W, 3) array
        Where the plan reads what the net is to see.
    """

    def __init__(self, plan: Plan, pulls: Pulls, ops: Operations) -> None:
        self.plan, self.pulls, self._ops = plan, pulls, ops
        self.seen = pixels_of(plan.data)
        self._diff = pixels_of(plan.diff)

    def targets(self, x: Any, look: Look) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the targets' data and what is written there, numpy arrays, the deepest last."""
        raise NotImplementedError

    def explain(self, x: Any, look: Look, mean: float) -> Exception:
        """Return the error that tells why the gradient is no direction."""
        return self.pulls.explain(mean, self.targets(x, look))


class WholeGradient(PlanGradient):
    """The gradient of a picture that goes through the net at once."""

    def at(self, x: Any, look: Look) -> Any:
        self.pulls.aim(look)
        look.write(self.seen, x)
        return self.run()

    def run(self) -> Any:
        """Return the gradient at what is in `seen`."""
        self.plan.forward()
        self._write()
        self.plan.backward()
        return self._diff

    def _write(self) -> None:
        with self.plan.threads():
            for end in self.plan.ends:
                data = self.plan.target_data[end]
                self.pulls.write(end, data, self.plan.target_diff[end], _positions(data))

    def targets(self, x: Any, look: Look) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        self.pulls.aim(look)
        look.write(self.seen, x)
        self.plan.forward()
        self._write()
        data, diff = self.plan.target_data, self.plan.target_diff
        return {
            end: (self._ops.numpy(data[end]), self._ops.numpy(diff[end])) for end in self.plan.ends
        }


class TiledGradient(PlanGradient):
    """The gradient of a picture that goes through the net in parts.

    Each tile answers for its own positions of each target, and the gradients of the tiles add up.
    A function that looks at all positions at once is shown the whole target, which takes a pass
    forward through all tiles before the one forward and backward.

    Parameters
    ----------
    plan, pulls, ops
        See `PlanGradient`.
    tiles : list of dict of str to Tile
        From ``running.tiles.tiles_of``, for the canvas: for each crop, by target.
    shape : (int, int)
        Height and width of the canvas.
    """

    def __init__(
        self, plan: Plan, pulls: Pulls, ops: Operations, tiles: list[dict[str, Tile]],
        shape: tuple[int, int],
    ) -> None:  # fmt: skip
        super().__init__(plan, pulls, ops)
        self.tiles = tiles
        self._whole = {end: whole_of(tiles, end) for end in plan.ends}
        self._g = ops.empty((*shape, 3))

    def at(self, x: Any, look: Look) -> Any:
        self.pulls.aim(look)
        seen = {} if self.pulls.local else self._written(x, look, local=False)
        g = self._g
        g[...] = 0
        for tiles in self.tiles:
            crop = self._forward(tiles, x, look)
            with self.plan.threads():
                for end, tile in tiles.items():
                    self._differentiate(end, tile, seen.get(end))
            self.plan.backward()
            g[crop] += self._diff
        return g

    def _forward(self, tiles: Mapping[str, Tile], x: Any, look: Look) -> Any:
        crop = next(iter(tiles.values())).crop
        look.write(self.seen, x, crop)
        self.plan.forward()
        return crop

    def _differentiate(self, end: str, tile: Tile, seen: Any) -> None:
        """Write the gradient at the tile's own positions, zero at the others."""
        data, diff = self.plan.target_data[end], self.plan.target_diff[end]
        diff[...] = 0
        inner = (..., *tile.inner)
        if 0 in data[inner].shape:  # this crop is there for another target
            return
        self.pulls.write(end, data[inner], diff[inner], self._whole[end], tile.own, local=True)
        if seen is not None:
            diff[inner] += self._ops.array(seen[1][..., tile.own[0], tile.own[1]])

    def _written(
        self, x: Any, look: Look, local: bool | None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the whole targets, and what is written there, in the machine's memory."""
        found = {}
        for end in self.plan.ends:
            if local is not None and not self.pulls.has(end, local):
                continue
            channels = self.plan.target_data[end].shape[:2]
            found[end] = np.empty((*channels, *self._whole[end]), np.float32)
        for tiles in self.tiles:
            self._forward(tiles, x, look)
            for end, data in found.items():
                tiles[end].gather(self._ops.numpy(self.plan.target_data[end]), data)
        targets = {}
        for end, data in found.items():
            diff = np.empty_like(data)
            self.pulls.write(end, data, diff, self._whole[end], local=local)
            targets[end] = data, diff
        return targets

    def targets(self, x: Any, look: Look) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        self.pulls.aim(look)
        return self._written(x, look, local=None)


def whole_of(tiles: list[dict[str, Tile]], end: str) -> tuple[int, int]:
    """Return the rows and columns of a target, of which each tile has some."""
    h, w = (max(part[end].own[axis].stop for part in tiles) for axis in (0, 1))
    return h, w


def _positions(data: Any) -> tuple[int, int]:
    h, w = (*data.shape[2:4], 1, 1)[:2]
    return h, w


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
