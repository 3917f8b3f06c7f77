"""Gradients through a plan: the fast way for our own nets, in bounded memory.

`plan_for` tells whether a net has a plan, `PlanSource` gets the gradients. The picture stays on the
plan's device from the first octave to the last. Where a plan for the whole picture would take more
memory than there is, the picture goes through the net in tiles.

Of a large picture each array counts (8192 x 4608 pixels are 432 MiB), so there are few: what the
user gave, what is dreamt, the smaller octaves, with tiles the gradient, and what an option needs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...compiling.machine_code import make_ready
from ...errors import OutOfMemoryError
from ...memory import format_size
from ...running.net import Net
from ...running.plan import Plan, Planner, Unplannable
from ...running.plan.workers import thread_count, workers
from ...running.tiles import Tile, choose_tiles, tiles_of
from ..dream2015 import input_name, preprocess
from ..pictures.borders import Canvas, Size
from ..pictures.operations import Operations
from .ascent import Ascent, Gradient
from .plan_gradients import TiledGradient, WholeGradient, features, writer
from .pulls import Pull, Pulls, Writer

if TYPE_CHECKING:
    from .device_steps import DeviceSteps

_log = logging.getLogger(__name__)


def plan_for(net: Any, ends: str | Sequence[str], precision: str) -> Planner:
    """Return the planner of a net.

    Parameters
    ----------
    net : Net
    ends : str or sequence of str
        The targets.
    precision : {"float32", "tf32", "bfloat16"}

    Raises
    ------
    Unplannable
        The net has to run layer by layer; the text says why.
    """
    if not isinstance(net, Net):
        raise Unplannable(f"{type(net).__name__} is not this package's Net")
    for name in ("forward", "backward", "_forward", "_backward"):
        if getattr(type(net), name) is not getattr(Net, name) or name in vars(net):
            raise Unplannable(f"{type(net).__name__} has a {name} of its own")
    if any(net._hooks.values()):
        raise Unplannable("functions are to be called before or after its layers")
    if np.dtype(net.dtype) != np.float32:
        raise Unplannable(f"it computes in {np.dtype(net.dtype)}")
    net.follow_mode()
    if precision != "float32" and str(net.device) == "cpu":
        _log.warning(f"precision={precision!r} is for GPUs: a CPU computes in float32")
    return Planner(net, ends, precision=precision)


class Plans:
    """Plans of a net, by the size of what goes through it.

    Parameters
    ----------
    planner : Planner
    keep : bool
        Whether those of one picture are kept for the next.
    """

    def __init__(self, planner: Planner, keep: bool) -> None:
        self._planner, self._keep = planner, keep
        self._kept: dict[Size, Plan] = {}

    @property
    def held(self) -> int:
        """Bytes of the plans that are kept."""
        return sum(self._planner.memory(*size) for size in self._kept)

    def take(self, size: Size, beside: int, limit: int) -> Plan:
        """Return a plan for a size.

        Parameters
        ----------
        size : (int, int)
            Height and width.
        beside : int
            Bytes that are needed besides the plan.
        limit : int
            Bytes that there are. Where others have to go for it, the largest go first: they come
            once in each picture as all do, and the fewest have to be made anew.
        """
        plan = self._kept.pop(size, None)
        needed = beside + self._planner.memory(*size)
        for other in sorted(self._kept, key=math.prod, reverse=True):
            if self.held + needed <= limit:
                break
            del self._kept[other]
        if plan is None:
            plan = self._planner.plan(*size)
        if self._keep:
            self._kept[size] = plan
        return plan


class PlanSource:
    """A plan of a net; see `ascent.Source`.

    Parameters
    ----------
    planner : Planner
        For the targets of `pulls`.
    canvases : list of Canvas
        What the net sees at each octave, the smallest first.
    pulls : sequence of Pull
        One or more.
    limit : int
        Bytes that the dream may take, besides the net and what the user gave.
    arrays : float
        How many more arrays of the picture's size a step takes, for what the user has asked for.
    recorded : bool
        Whether steps on a GPU may be recorded: they do nothing that waits for a number.
    plans : Plans, optional
        Those of `planner` that earlier pictures have left.
    writers : sequence of Writer, optional
        Those of `pulls`, where they are there from an earlier picture.
    balance : bool
        Whether weights mean strength.

    Raises
    ------
    Unplannable
        At one of these sizes the net has no plan.
    OutOfMemoryError
        A plan for the smallest tiles takes more than `limit`, or the net cannot run in tiles.
    """

    def __init__(
        self, planner: Planner, canvases: list[Canvas], pulls: Sequence[Pull], *, limit: int,
        arrays: float = 0.0, recorded: bool = True, plans: Plans | None = None,
        writers: Sequence[Writer] | None = None, balance: bool = True,
    ) -> None:  # fmt: skip
        self._plans = Plans(planner, keep=False) if plans is None else plans
        self._limit = limit
        self.ops = operations_for(planner)
        self._planner, self._canvases, self._pulls = planner, canvases, tuple(pulls)
        self._writers = writers_of(pulls, planner) if writers is None else writers
        self._balance = balance
        # Besides, masks are kept at the octave's size.
        arrays += sum(pull.mask is not None for pull in pulls) / 3
        self._arrays, self._may_record = arrays, recorded
        self._tiles = [self._choose(octave, limit) for octave in range(len(canvases))]
        self._say_what_it_takes()
        # All that has to be compiled is compiled at once.
        sizes = {_size(tiles) for tiles in self._tiles}
        make_ready([*self.ops.kernels, *(k for size in sizes for k in planner.kernels(*size))])
        self._gradient: Any = None

    # -- memory ---------------------------------------------------------------------------------

    def _pictures(self, octave: int, tiled: bool) -> int:
        """Return the bytes of the arrays that are there beside a plan at one octave."""
        canvas, to_come = self._canvases[octave], self._canvases[octave:-1]
        h, w = canvas.shape
        one = math.prod(canvas.size)
        bytes_ = 12 * sum(math.prod(smaller.size) for smaller in to_come)
        bytes_ += int(12 * ((1 + self._arrays) * one + tiled * h * w))
        pulling = [pull.end for pull in self._pulls]
        extra = dict.fromkeys(self._planner.ends, 0)  # bytes for each value of a target
        for pull, how in zip(self._pulls, self._writers):
            if not how.local:  # data and diff in the user's blob, and in tiles the whole target
                extra[pull.end] += 16 if tiled else 8
            if pulling.count(pull.end) > 1:  # what a pull writes before it is added
                extra[pull.end] = max(4, extra[pull.end])
        if not any(extra.values()):
            return bytes_
        net = self._planner.net
        last = max(self._planner.ends, key=net.layer_index)
        shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, last, strict=False)
        return bytes_ + sum(each * math.prod(shapes[end]) for end, each in extra.items())

    def _choose(self, octave: int, limit: int) -> list[dict[str, Tile]]:
        planner, canvas = self._planner, self._canvases[octave]
        left = limit - self._pictures(octave, tiled=False)
        if planner.memory(*canvas.shape) > left:
            left = limit - self._pictures(octave, tiled=True)
        if left <= 0:
            h, w = canvas.size
            raise OutOfMemoryError(
                f"a dream of {w}x{h} needs {format_size(limit - left)} for its "
                f"pictures alone, {format_size(limit)} may be used: use a smaller picture, fewer "
                "octaves, or a larger max_memory"
            )
        return tiles_of(planner.net, planner.ends, canvas.shape, planner.memory, left)

    def _say_what_it_takes(self) -> None:
        for note in self._planner.notes:
            _log.info(note)
        most = max(
            self._planner.memory(*_size(tiles)) + self._pictures(octave, len(tiles) > 1)
            for octave, tiles in enumerate(self._tiles)
        )
        h, w = self._canvases[-1].size
        tiles = self._tiles[-1]
        if len(tiles) == 1:
            _log.info(f"{w}x{h} at once, {format_size(most)} of memory")
            return
        th, tw = _size(tiles)
        _log.warning(f"{w}x{h} in {len(tiles)} tiles of {tw}x{th}, {format_size(most)} of memory")

    def work(self, octave: int) -> int:
        tiles = self._tiles[octave]
        return len(tiles) * math.prod(_size(tiles))

    # -- octaves --------------------------------------------------------------------------------

    def open(self, octave: int) -> Gradient:
        tiles = self._tiles[octave]
        beside = self._pictures(octave, len(tiles) > 1)
        plan = self._plans.take(_size(tiles), beside, self._limit)
        canvas = self._canvases[octave]
        parts = plan, Pulls(self._pulls, self._writers, canvas, self._balance), self.ops
        if len(tiles) > 1:
            self._gradient = TiledGradient(*parts, tiles, canvas.shape)
        else:
            self._gradient = WholeGradient(*parts)
        gradient: Gradient = self._gradient
        return gradient

    def close(self) -> None:
        self._gradient = None

    def recorded(self, octave: int, ascent: Ascent) -> DeviceSteps | None:
        gradient = self._gradient
        if not isinstance(gradient, WholeGradient) or not gradient.pulls.local:
            return None
        if gradient.pulls.follows:  # their masks are made anew for each step
            return None
        if not self._may_record or not stays_on(self._planner.device):
            return None
        from .device_steps import DeviceSteps

        with gradient.plan.threads():
            return DeviceSteps(gradient, self._canvases[octave], ascent)


def writers_of(pulls: Sequence[Pull], planner: Planner) -> list[Writer]:
    """Return how pulls write into a planner's arrays."""
    return [writer(pull.function, planner.native) for pull in pulls]


def _size(tiles: list[dict[str, Tile]]) -> Size:
    """Return the size of all crops."""
    return next(iter(tiles[0].values())).size


def operations_for(planner: Planner) -> Operations:
    """Return the operations on pictures where a plan has them."""
    if not planner.native:
        from ...running.arrays.torch_ops import device_of
        from ..pictures.tensors import Tensors

        return Tensors(device_of(planner.device))
    from ..pictures.compiled import Compiled

    threads = thread_count()
    return Compiled(workers(threads).run, threads)


def stays_on(device: str) -> bool:
    """Tell whether steps had better not wait for each other's results."""
    return device.startswith("cuda")


def planned_features(planner: Planner, guide: np.ndarray, limit: int) -> np.ndarray:
    """Return what a guide picture gives at the target: `guide_features` through a plan.

    Parameters
    ----------
    planner : Planner
        For the layer alone.
    guide : (h, w, 3) float32 ndarray
        RGB, 0..255; used at its own size.
    limit : int
        Bytes that this may take.

    Returns
    -------
    (channels, rows, columns) float32 ndarray

    Raises
    ------
    Unplannable, OutOfMemoryError
        As for `PlanSource`.
    """
    end, size = planner.ends[0], (int(guide.shape[0]), int(guide.shape[1]))
    image = np.ascontiguousarray(np.moveaxis(preprocess(planner.net, guide), 0, 2))
    left = max(1, limit - 2 * image.nbytes)
    tiles = choose_tiles(planner.net, end, size, planner.memory, left)
    return features(planner.plan(*tiles[0].size), end, tiles, image, operations_for(planner))
