"""Gradient ascent on a plan: the fast way for our own nets, in bounded memory.

`plan_for` tells whether a net has a plan, `PlanAscent` takes the steps. The picture stays on the
plan's device from the first octave to the last. Where a plan for the whole picture would take more
memory than there is, the picture goes through the net in tiles.

Of a large picture each array counts (8192 x 4608 pixels are 432 MiB), so there are few: what the
user gave, what is dreamt, the smaller octaves, and with tiles the gradient.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..errors import OutOfMemoryError
from ..memory import format_size
from ..running.net import Net
from ..running.plan import Plan, Planner, Unplannable
from ..running.resample import resize, resize_into
from ..running.rolling import climb, image_of, mean_abs
from ..running.tiles import Tile, choose_tiles
from .device_steps import DeviceSteps
from .dream2015 import flat_gradient, input_mean, input_name, preprocess
from .gradients import Gradient, TiledGradient, WholeGradient, features, is_local, writer
from .objectives import Objective
from .octaves import Size

_log = logging.getLogger(__name__)


def plan_for(net: Any, end: str, precision: str) -> Planner:
    """Return the planner of a net.

    Parameters
    ----------
    net : Net
    end : str
        The target.
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
    return Planner(net, end, device=net.device, precision=precision)


class PlanAscent:
    """Steps through a plan; see `Ascent`.

    Parameters
    ----------
    planner : Planner
        For one target.
    picture : (h, w, 3) float32 ndarray
        RGB, 0..255.
    sizes : list of (int, int)
        See `octave_sizes`.
    objective : callable
        See `gradients.writer`.
    step_size : float
    clip : bool
    limit : int
        Bytes that the dream may take, besides the net and what the user gave.

    Raises
    ------
    Unplannable
        At one of these sizes the net has no plan.
    OutOfMemoryError
        A plan for the smallest tiles takes more than `limit`, or the net cannot run in tiles.
    """

    def __init__(
        self, planner: Planner, picture: np.ndarray, sizes: list[Size], objective: Objective,
        *, step_size: float, clip: bool, limit: int,
    ) -> None:  # fmt: skip
        net = planner.net
        self.sizes = sizes
        self._planner, self._end = planner, planner.ends[0]
        self._picture, self._write = picture, writer(objective)
        self._mean = torch.from_numpy(np.ravel(input_mean(net)).astype(np.float32))
        self._step_size, self._clip = step_size, clip
        self._tiles = [self._choose(octave, limit) for octave in range(len(sizes))]
        self.work = [sum(h * w for h, w in (tile.size for tile in tiles)) for tiles in self._tiles]
        self._say_what_it_takes()

        self._octave = -1
        self._base: list[torch.Tensor] = []
        self._x = torch.empty(0)
        self._plan: Plan | None = None
        self._gradient: Gradient | None = None
        self._steps: DeviceSteps | None = None
        self._last = 0.0
        self._shown: Callable[[], _Snapshot | None] = lambda: None

    # -- memory ---------------------------------------------------------------------------------

    def _pictures(self, octave: int, tiled: bool) -> int:
        """Return the bytes of the arrays that are there beside a plan at one octave."""
        (h, w), to_come = self.sizes[octave], self.sizes[octave:-1]
        bytes_ = 12 * (sum(a * b for a, b in to_come) + (2 if tiled else 1) * h * w)
        if is_local(self._write):
            return bytes_
        net = self._planner.net
        shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, self._end)
        # data and diff in the user's blob, and with tiles in the whole target
        return bytes_ + (16 if tiled else 8) * math.prod(shapes[self._end])

    def _choose(self, octave: int, limit: int) -> list[Tile]:
        planner, size = self._planner, self.sizes[octave]
        left = limit - self._pictures(octave, tiled=False)
        if planner.memory(*size) > left:
            left = limit - self._pictures(octave, tiled=True)
        if left <= 0:
            raise OutOfMemoryError(
                f"a dream of {size[1]}x{size[0]} needs {format_size(limit - left)} for its "
                f"pictures alone, {format_size(limit)} may be used: use a smaller picture, fewer "
                "octaves, or a larger max_memory"
            )
        return choose_tiles(planner.net, self._end, size, planner.memory, left)

    def _say_what_it_takes(self) -> None:
        for note in self._planner.notes:
            _log.info(note)
        most = max(
            self._planner.memory(*tiles[0].size) + self._pictures(octave, len(tiles) > 1)
            for octave, tiles in enumerate(self._tiles)
        )
        h, w = self.sizes[-1]
        tiles = self._tiles[-1]
        if len(tiles) == 1:
            _log.info(f"{w}x{h} at once, {format_size(most)} of memory")
            return
        th, tw = tiles[0].size
        _log.warning(f"{w}x{h} in {len(tiles)} tiles of {tw}x{th}, {format_size(most)} of memory")

    # -- octaves --------------------------------------------------------------------------------

    def begin(self, octave: int) -> None:
        self._keep_shown()
        self._gradient = self._steps = self._plan = None  # the last plan's memory
        x = self._full_base() if octave == len(self.sizes) - 1 else self._bases()[octave].clone()
        if octave > 0:
            detail = image_of(self._x) - image_of(self._bases()[octave - 1])
            resize_into(image_of(x), detail, add=True)
            del detail
        self._x, self._octave = x, octave
        for done in range(octave):
            self._bases()[done] = torch.empty(0)
        h, w = self.sizes[octave]
        tiles = self._tiles[octave]
        self._plan = plan = self._planner.plan(*tiles[0].size)
        low, high = self._bounds(w)
        self._low, self._high = low, high
        if len(tiles) > 1:
            self._gradient = TiledGradient(plan, self._end, self._write, tiles, (h, w))
            return
        self._gradient = whole = WholeGradient(plan, self._end, self._write)
        if stays_on(plan.data.device) and is_local(self._write):
            with plan.threads():
                self._steps = DeviceSteps(whole, x, self._step_size, low, high)

    def _bounds(self, w: int) -> tuple[torch.Tensor, torch.Tensor]:
        low = -self._mean if self._clip else torch.full((3,), -math.inf)
        high = 255 - self._mean if self._clip else torch.full((3,), math.inf)
        device = self._planner.device
        return low.repeat(w).to(device), high.repeat(w).to(device)

    def _full_base(self) -> torch.Tensor:
        """Return the rows of the picture, as the net reads it; new at each call."""
        h, w = self.sizes[-1]
        rows = torch.empty((h, 3 * w))
        bgr = np.asarray(self._picture)[..., ::-1]
        np.subtract(bgr, self._mean.numpy(), out=rows.view(h, w, 3).numpy())
        return rows.to(self._planner.device)

    def _bases(self) -> list[torch.Tensor]:
        """Return the rows of all octaves but the last."""
        if len(self._base) < len(self.sizes) - 1:
            base = image_of(self._full_base())
            for h, w in self.sizes[-2::-1]:
                base = resize(base, h, w)
                self._base.insert(0, base.permute(0, 2, 3, 1).view(h, 3 * w))
        return self._base

    # -- steps ----------------------------------------------------------------------------------

    def step(self, ox: int, oy: int) -> None:
        self._keep_shown()
        assert self._plan is not None
        assert self._gradient is not None
        if self._steps is not None:
            self._steps.step(ox, oy)
            return
        with self._plan.threads():
            g = self._gradient.at(self._x, ox, oy)
            mean = float(mean_abs(g))
            if not (mean > 0 and math.isfinite(mean)):
                self._explain(mean, ox, oy)
            climb(self._x, g, ox, oy, self._step_size / mean, self._low, self._high)
        self._last = mean

    def _explain(self, mean: float, ox: int, oy: int) -> None:
        assert self._gradient is not None
        dst = self._gradient.target(self._x, ox, oy)
        raise flat_gradient(mean, self.sizes[self._octave], dst, self._end)

    def end_octave(self) -> None:
        steps = self._steps
        wrong = None if steps is None else steps.check()
        if steps is not None and wrong is not None:
            self._explain(float(steps.means[wrong]), *steps.offsets[wrong])

    def gradient(self) -> Callable[[], float]:
        mean = self._last if self._steps is None else self._steps.means[-1]
        return lambda: float(mean)

    # -- pictures -------------------------------------------------------------------------------

    def picture(self) -> Callable[[], np.ndarray]:
        shown = self._shown()
        if shown is None:
            shown = _Snapshot(self._read)
            self._shown = weakref.ref(shown)
        return shown

    def _keep_shown(self) -> None:
        """Let who still holds the picture of the last step have it, before it changes."""
        shown = self._shown()
        if shown is not None:
            shown()
        self._shown = lambda: None

    def sample(self, every: int) -> np.ndarray:
        h = self._x.shape[0]
        few = self._x.view(h, -1, 3)[::every, ::every]
        return self._deprocess(few.reshape(few.shape[0], -1))

    def _read(self) -> np.ndarray:
        return self._deprocess(self._x)

    def _deprocess(self, x: torch.Tensor) -> np.ndarray:
        pixels = x.cpu().numpy().reshape(x.shape[0], -1, 3)
        out = np.empty_like(pixels)
        np.add(pixels[..., ::-1], self._mean.numpy()[::-1], out=out)
        return out

    def result(self) -> np.ndarray:
        if self._octave < 0:
            return self._deprocess(self._full_base())
        self._keep_shown()
        self._gradient = self._steps = self._plan = None
        x, last = self._x, len(self.sizes) - 1
        if self._octave < last:
            detail = image_of(x) - image_of(self._bases()[self._octave])
            x = self._full_base()
            resize_into(image_of(x), detail, add=True)
        return self._deprocess(x)


class _Snapshot:
    """The picture of one step: read when it is asked for, or just before it changes."""

    def __init__(self, read: Callable[[], np.ndarray]) -> None:
        self._read: Callable[[], np.ndarray] | None = read
        self._picture: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        if self._read is not None:
            self._picture, self._read = self._read(), None
        assert self._picture is not None
        return self._picture


def stays_on(device: torch.device) -> bool:
    """Tell whether steps had better not wait for each other's results."""
    return device.type == "cuda"


def planned_features(planner: Planner, guide: np.ndarray, limit: int) -> np.ndarray:
    """Return what a guide picture gives at the target: `guide_features` through a plan.

    Parameters
    ----------
    planner : Planner
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
        As for `PlanAscent`.
    """
    end, size = planner.ends[0], (int(guide.shape[0]), int(guide.shape[1]))
    image = np.ascontiguousarray(np.moveaxis(preprocess(planner.net, guide), 0, 2))
    left = max(1, limit - 2 * image.nbytes)
    tiles = choose_tiles(planner.net, end, size, planner.memory, left)
    return features(planner.plan(*tiles[0].size), end, tiles, image)
