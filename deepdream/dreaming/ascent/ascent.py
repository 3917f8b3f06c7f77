"""Gradient ascent on one picture, octave by octave.

`dream` decides how many steps there are, how they move the picture, and when to stop. An `Ascent`
holds the picture and takes the steps; a `Source` gets the gradients.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..pictures.borders import Canvas
from ..pictures.finish import Finish
from ..pictures.looks import Look, Move
from ..pictures.octaves import Bases
from ..pictures.operations import Operations
from .directions import direction, smoothed
from .pulls import Pulls
from .spectrum import Spectrum


class Push(NamedTuple):
    """What one step does with a gradient; see `deepdream.dream`."""

    step_size: float = 1.5
    smooth: float = 0.0
    blur: float = 0.0
    tv: float = 0.0
    l2: float = 0.0


class Gradient(Protocol):
    """The gradient at pictures on one canvas.

    Attributes
    ----------
    pulls : Pulls
        What it is the gradient of.
    """

    pulls: Pulls

    def at(self, x: Any, look: Look) -> Any:
        """Return the gradient with respect to what the net sees, (H, W, 3).

        Parameters
        ----------
        x : (h, w, 3) array
            The picture.
        look : Look
            How the net sees it.

        Returns
        -------
        array
            Overwritten by the next call.
        """

    def explain(self, x: Any, look: Look, mean: float) -> Exception:
        """Return the error that tells why the gradient is no direction."""


class Source(Protocol):
    """Where gradients come from.

    Attributes
    ----------
    ops : Operations
        On the arrays that its gradients take and return.
    """

    ops: Operations

    def work(self, octave: int) -> int:
        """Return what a step costs at an octave, in pixels that go through the net."""

    def open(self, octave: int) -> Gradient:
        """Return the gradient at an octave; the one before is closed."""

    def close(self) -> None:
        """Give the memory of the open gradient back."""

    def recorded(self, octave: int, ascent: Ascent) -> Any:
        """Return steps that are recorded for a device, or None."""


class Settled(NamedTuple):
    """What stays the same through all steps; see `deepdream.dream`."""

    clip: bool = True
    normalize: str = "mean"
    bands: int = 4


class Ascent:
    """Steps on a picture.

    Parameters
    ----------
    source : Source
    bases : Bases
        The picture at each octave.
    canvases : list of Canvas
        What the net sees at each octave, the smallest first.
    mean : (3) ndarray
        What the net's input is free of, B, G, R.
    settled : Settled
    mask : (h, w) float32 ndarray, optional
        Where the picture may change, 0..1, at full size.
    finish : callable, optional
        What is done to the picture when it is shown or done, see `pictures.finish`.
    """

    def __init__(
        self, source: Source, bases: Bases, canvases: list[Canvas], mean: np.ndarray,
        settled: Settled, mask: np.ndarray | None = None, finish: Finish | None = None,
    ) -> None:  # fmt: skip
        self._source, self._ops, self._bases = source, source.ops, bases
        self._canvases, self.settled = canvases, settled
        self._mean = np.ravel(mean).astype(np.float32)
        self.low = self.high = None
        if settled.clip:
            self.low = self._ops.array(-self._mean)
            self.high = self._ops.array(255 - self._mean)
        self.work = [source.work(octave) for octave in range(len(canvases))]
        self._full_mask, self._finish = mask, finish
        self.mask: Any = None
        self.gains: Any = None  # see `Operations.fade`
        self._masked = 0.0  # how many values the mask lets change
        self.octave = -1
        self.x: Any = None
        self._gradient: Gradient | None = None
        self._recorded: Any = None
        self._last = 0.0
        self._start: Any = None  # of this octave
        self._spectrum: Spectrum | None = None  # of this octave
        self._shown: Callable[[], _Snapshot | None] = lambda: None

    # -- octaves --------------------------------------------------------------------------------

    def begin(self, octave: int) -> None:
        """Enlarge what has been dreamt, and add it to the picture at this octave's size."""
        self._keep_shown()
        self._gradient = self._recorded = self._start = self._spectrum = None
        self._source.close()
        ops, x = self._ops, self._bases.new(octave)
        canvas = self._canvases[octave]
        self.gains = None if canvas.border == "roll" else ops.gains(canvas.size)
        self.mask = self._mask_at(octave)
        if self.mask is not None:
            self._masked = ops.count(x, self.mask)
        if octave > 0:
            detail = self.x - self._bases.of(octave - 1)
            if self.mask is None:
                ops.add_resized(x, detail)
            else:  # enlarged, it reaches a little beyond the mask
                x += ops.resize(detail, x.shape[:2]) * (self.mask > 0)
            del detail
        self.x, self.octave = x, octave
        for done in range(octave):
            self._bases.forget(done)
        if self.settled.normalize == "spectrum":
            self._spectrum = Spectrum(ops, canvas.size)
        self._gradient = self._source.open(octave)
        self._recorded = self._source.recorded(octave, self)

    def _mask_at(self, octave: int) -> Any:
        if self._full_mask is None:
            return None
        ops, size = self._ops, self._canvases[octave].size
        mask = ops.empty((*size, 3))
        mask[...] = ops.resize(ops.array(self._full_mask[..., None]), size)
        return mask

    def end_octave(self) -> None:
        """Wait for the last step.

        Raises
        ------
        FlatGradientError
            A step's gradient was no direction, on a device that is not waited for.
        """
        wrong = None if self._recorded is None else self._recorded.check()
        if wrong is not None:
            self._explain(self._look(wrong.move), wrong.mean)

    # -- steps ----------------------------------------------------------------------------------

    def _look(self, move: Move) -> Look:
        return Look(self._ops, self._canvases[self.octave], move)

    def step(self, move: Move, push: Push) -> None:
        """Take one step.

        Raises
        ------
        FlatGradientError
            The gradient is zero or not finite; the picture is as it was before the step. Where
            the device is not waited for, `end_octave` may be the one to raise it.
        """
        self._keep_shown()
        assert self._gradient is not None
        look = self._look(move)
        if self._gradient.pulls.unbalanced:
            self._balance(look)
        if self._recorded is not None:
            self._recorded.step(move, push)
            return
        g = self._gradient.at(self.x, look)
        if (
            move.is_shift
            and self.settled.normalize == "mean"
            and push == (push.step_size, 0, 0, 0, 0)
        ):
            self._plain_step(g, look, push.step_size)
            return
        ops, border = self._ops, look.canvas.border
        g = look.back(g)
        if self.gains is not None:
            ops.fade(g, self.gains)
        g = smoothed(ops, g, push.smooth, border)
        if self._spectrum is None:
            d, factor, mean = direction(
                ops, g, self.settled.normalize, self.settled.bands, border, self.mask
            )
            self._check(mean, look)
        else:
            self._check(ops.sum_abs(g, self.mask) / ops.count(g, self.mask), look)
            d, factor = self._spectrum.direction(g), 1.0
        if push.tv or push.l2:
            d, factor = d * factor, 1.0
            if push.tv:
                d -= push.tv * ops.tv_gradient(self.x)
            if push.l2:
                if self._start is None:
                    self._start = self._bases.of(self.octave)
                d -= push.l2 * (self.x - self._start)
        h, w = look.canvas.size
        whole = slice(0, h), slice(0, w)
        ops.climb(self.x, d, whole, whole, push.step_size * factor, self.low, self.high, self.mask)
        if self._spectrum is not None and self.mask is None:
            self.x = self._spectrum.limit(self.x)
        if push.blur:
            blurred = ops.blur(self.x, (push.blur,), border)
            if self.mask is not None:
                blurred = self.x + self.mask * (blurred - self.x)
            self.x = blurred

    def _balance(self, look: Look) -> None:
        """Measure each pull by itself at the picture, and let weights mean strength from here on.

        The measure is the one by which a step is scaled: the mean absolute value, within a mask.
        """
        assert self._gradient is not None
        pulls, ops, strengths = self._gradient.pulls, self._ops, []
        for number in range(len(pulls)):
            with pulls.alone(number):
                g = look.back(self._gradient.at(self.x, look))
            strengths.append(float(ops.sum_abs(g, self.mask) / ops.count(g, self.mask)))
        pulls.balance(strengths)

    def _plain_step(self, g: Any, look: Look, step_size: float) -> None:
        """Take the notebook's step, part by part, without an array more."""
        ops, mask, pieces = self._ops, self.mask, list(look.pieces())
        h, w = look.canvas.size
        seen = g[:h, :w] if self.gains is None else g[pieces[0][1]]
        if self.gains is not None:
            ops.fade(seen, self.gains)
        if mask is None:
            mean = ops.sum_abs(seen) / ops.count(seen)
        else:
            total = sum(ops.sum_abs(g[here], mask[there]) for there, here in pieces)
            mean = total / self._masked
        self._check(mean, look)
        for there, here in pieces:
            ops.climb(self.x, g, there, here, step_size / mean, self.low, self.high, mask)

    def _check(self, mean: float, look: Look) -> None:
        if not (mean > 0 and math.isfinite(mean)):
            self._explain(look, mean)
        self._last = mean

    def _explain(self, look: Look, mean: float) -> None:
        assert self._gradient is not None
        raise self._gradient.explain(self.x, look, mean)

    def gradient(self) -> Callable[[], float]:
        """Return what tells the last step's mean absolute gradient before scaling."""
        mean = self._last if self._recorded is None else self._recorded.mean()
        return lambda: float(mean)

    # -- pictures -------------------------------------------------------------------------------

    def picture(self) -> Callable[[], np.ndarray]:
        """Return what tells the picture as it is now: (h, w, 3) float32 RGB, at this size.

        It may be asked at any later time.
        """
        shown = self._shown()
        if shown is None:
            shown = _Snapshot(lambda: self.sample(1))
            self._shown = weakref.ref(shown)
        return shown

    def _keep_shown(self) -> None:
        """Let who still holds the picture of the last step have it, before it changes."""
        shown = self._shown()
        if shown is not None:
            shown()
        self._shown = lambda: None

    def sample(self, every: int) -> np.ndarray:
        """Return every so many-th row and column of the picture as it is now, for a preview."""
        pixels = self._deprocess(self.x[::every, ::every])
        if self._finish is None:
            return pixels
        return self._finish(pixels, self._deprocess(self._bases.of(self.octave)[::every, ::every]))

    def _deprocess(self, x: Any) -> np.ndarray:
        pixels = self._ops.numpy(x)
        out = np.empty(pixels.shape, np.float32)
        np.add(pixels[..., ::-1], self._mean[::-1], out=out)
        return out

    def result(self) -> np.ndarray:
        """Return the picture so far at full size, (h, w, 3) float32 RGB; nothing follows."""
        last = len(self._canvases) - 1
        if self.octave < 0:
            return self._deprocess(self._bases.of(last))
        self._keep_shown()
        self._gradient = self._recorded = None
        self._source.close()
        x, start = self.x, np.asarray(self._bases.picture)
        if self.octave < last:
            detail = x - self._bases.of(self.octave)
            x = self._bases.new(last)
            self._ops.add_resized(x, detail)
        pixels = self._deprocess(x)
        if self._finish is not None:
            pixels = self._finish(pixels, start)
        if self._full_mask is not None:
            np.copyto(pixels, start, where=(self._full_mask == 0)[..., None])
        return pixels


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
