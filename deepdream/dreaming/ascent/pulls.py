"""What pulls at the targets: terms bound to blobs, with their weights and their masks.

A `Pull` is one term for one picture: a function that writes a gradient at a blob. `Pulls` holds all
of them for one octave. It writes at each target what all its pulls write there together, and keeps
the factors that `Ascent` has found for them.

Weights mean strength: a pull's factor is its weight divided by the mean absolute gradient that it
gives at the picture by itself, measured at the first step of the octave. A single pull needs no
factor, because a step does not depend on how long the gradient is.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, Optional

import numpy as np

from ...errors import FlatGradientError, ShapeError
from ..dream2015 import flat_gradient
from ..objectives.functions import Function, Neuron, Part, ask, objective_L2
from ..pictures.borders import Canvas, Size, Span
from ..pictures.fitting import named
from ..pictures.looks import Look
from ..pictures.operations import Operations

# Writes the gradient at some positions of a target: ``write(data, diff, part)``.
Write = Callable[[Any, Any, Part], None]


class Writer(NamedTuple):
    """How a pull's function is carried out on some kind of arrays.

    Attributes
    ----------
    write : callable
        ``write(data, diff, part)`` overwrites all of `diff`.
    local : bool
        Whether each position of the target is treated by itself.
    """

    write: Write
    local: bool = True


class Pull(NamedTuple):
    """One term at one target.

    Attributes
    ----------
    end : str
        The target.
    function : callable
        See `objectives.functions`.
    weight : float
        Not zero.
    mask : (h, w) float32 ndarray or None
        0..1, where in the picture it counts, at the picture's full size.
    name : str
        What the user calls it.
    """

    end: str
    function: Function
    weight: float = 1.0
    mask: Optional[np.ndarray] = None  # noqa: UP045 (evaluated by Sphinx)
    name: str = ""

    @property
    def follows(self) -> bool:
        """Tell whether it depends on where in the canvas the picture lies."""
        place = self.function if isinstance(self.function, Neuron) else None
        return self.mask is not None or (place is not None and isinstance(place.y, float))


class Pulls:
    """All that pulls, at pictures of one octave.

    Parameters
    ----------
    pulls : sequence of Pull
        One or more.
    writers : sequence of Writer
        One for each.
    canvas : Canvas
        What the net sees.
    balance : bool
        Whether weights mean strength.

    Attributes
    ----------
    ends : tuple of str
        The targets, in the order of the pulls.
    unbalanced : bool
        Whether `balance` is still to be called.
    """

    def __init__(
        self, pulls: Sequence[Pull], writers: Sequence[Writer], canvas: Canvas, balance: bool = True
    ) -> None:
        self._pulls, self._writers, self._canvas = tuple(pulls), tuple(writers), canvas
        self.ends = tuple(dict.fromkeys(pull.end for pull in pulls))
        several = len(self._pulls) > 1
        self.unbalanced = several and balance
        self._factors = [pull.weight if several else np.sign(pull.weight) for pull in self._pulls]
        self._look: Look | None = None
        self._masks = [self._at_this_size(pull.mask) for pull in self._pulls]
        self._weights: dict[tuple[int, Size], np.ndarray] = {}
        self._spare: dict[str, Any] = {}

    def _at_this_size(self, mask: np.ndarray | None) -> np.ndarray | None:
        if mask is None or mask.shape == self._canvas.size:
            return mask
        return Operations().resize(mask[..., None], self._canvas.size)[..., 0]

    def __len__(self) -> int:
        return len(self._pulls)

    @property
    def local(self) -> bool:
        """Tell whether all treat each position of their targets by itself."""
        return all(writer.local for writer in self._writers)

    @property
    def follows(self) -> bool:
        """Tell whether what is written depends on where in the canvas the picture lies."""
        return any(pull.follows for pull in self._pulls)

    def has(self, end: str, local: bool) -> bool:
        """Tell whether some pull at a target treats each position by itself, or does not."""
        return any(
            pull.end == end and writer.local == local
            for pull, writer in zip(self._pulls, self._writers)
        )

    def aim(self, look: Look) -> None:
        """Tell how the net sees the picture from here on."""
        self._look = look
        self._weights.clear()

    # -- factors --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """Let one of them pull by itself, without its weight."""
        kept = self._factors
        self._factors = [float(i == number) for i in range(len(kept))]
        try:
            yield
        finally:
            self._factors = kept

    def balance(self, strengths: Sequence[float]) -> None:
        """Divide each weight by the mean absolute gradient of the pull by itself.

        Raises
        ------
        FlatGradientError
            One of them is not finite.

        Warns
        -----
        UserWarning
            One is zero: it counts nothing in this octave.
        """
        h, w = self._canvas.size
        for pull, strength in zip(self._pulls, strengths):
            if not np.isfinite(strength):
                raise FlatGradientError(
                    f"the gradient of {pull.name or pull.end} for a picture of {w}x{h} is not "
                    "finite: the weights or the picture hold NaN or infinite values, or the "
                    "function writes them into dst.diff"
                )
            if not strength and any(strengths):
                warnings.warn(
                    f"{pull.name or pull.end} finds nothing to grow in a picture of {w}x{h}: it is "
                    "left out of this octave",
                    stacklevel=2,
                )
        self._factors = [
            pull.weight / strength if strength else 0.0
            for pull, strength in zip(self._pulls, strengths)
        ]
        self.unbalanced = False

    # -- at the targets -------------------------------------------------------------------------

    def write(
        self, end: str, data: Any, diff: Any, whole: Size, own: Span | None = None,
        local: bool | None = None,
    ) -> None:  # fmt: skip
        """Write the gradient at a target.

        Parameters
        ----------
        end : str
        data, diff : (1, channels, rows, columns) arrays or tensors
            Or (1, channels); all of `diff` is overwritten.
        whole : (int, int)
            Rows and columns of the whole target.
        own : (slice, slice), optional
            Which of them `data` and `diff` are; by default all.
        local : bool, optional
            Only the pulls that treat each position by itself, or only the others.
        """
        rows, columns = own or (slice(0, whole[0]), slice(0, whole[1]))
        part = Part(rows, columns, whole, lambda y, x: self._find(y, x, whole))
        written = False
        for number, (pull, writer) in enumerate(zip(self._pulls, self._writers)):
            factor = self._factors[number]
            if pull.end != end or not factor or local not in (None, writer.local):
                continue
            out = self._spare_of(end, diff) if written else diff
            if pull.function is objective_L2 and isinstance(data, np.ndarray):
                np.multiply(data, np.float32(factor), out=out)
            else:
                try:
                    writer.write(data, out, part)
                except ShapeError as error:  # of which of the terms
                    raise ShapeError(f"{pull.name or pull.end}: {error}") from error
                if factor != 1:
                    out *= float(factor)
            if pull.mask is not None:
                out *= self._weights_for(number, data, part)
            if written:
                diff += out
            written = True
        if not written:
            diff[...] = 0

    def _spare_of(self, end: str, diff: Any) -> Any:
        """Return an array like `diff`, kept from step to step."""
        spare = self._spare.get(end)
        if spare is None or spare.shape != diff.shape:
            numpy = isinstance(diff, np.ndarray)
            spare = self._spare[end] = np.empty_like(diff) if numpy else diff.new_empty(diff.shape)
        return spare

    # -- where in the picture -------------------------------------------------------------------

    def _weights_for(self, number: int, data: Any, part: Part) -> Any:
        """Return a pull's mask at the positions of a part, for multiplying."""
        if data.ndim != 4:
            pull = self._pulls[number]
            raise ShapeError(
                f"'{pull.end}' has no rows and columns, so that {pull.name or 'its term'} can have "
                "no mask: mask the whole dream (mask=), or choose an earlier layer"
            )
        if (number, part.whole) not in self._weights:
            mask = self._masks[number]
            assert mask is not None
            self._weights[number, part.whole] = self._on_blob(mask, part.whole)
        weights = self._weights[number, part.whole][part.rows, part.columns]
        return weights if isinstance(data, np.ndarray) else data.new_tensor(weights)

    def _on_blob(self, mask: np.ndarray, whole: Size) -> np.ndarray:
        """Return a mask as the net sees it, each position of a blob the mean of its share."""
        assert self._look is not None
        canvas, move = self._canvas, self._look.move
        if move.is_shift:
            rows, columns = (
                canvas.index(axis, offset, np.arange(canvas.shape[axis]))
                for axis, offset in ((0, move.oy), (1, move.ox))
            )
            seen = mask[rows][:, columns]
        else:
            out = np.empty((*canvas.shape, 3), np.float32)
            Look(Operations(), canvas, move).write(out, np.repeat(mask[..., None], 3, 2))
            seen = out[..., 0]
        return shares(shares(seen, whole[1]).T, whole[0]).T.astype(np.float32)

    def _find(self, y: float, x: float, whole: Size) -> tuple[int, int]:
        """Tell at which position of a blob a place of the picture lies."""
        assert self._look is not None
        place = self._look.find(y, x)
        row, column = (
            min(n - 1, int((at + 0.5) * n / length))
            for at, n, length in zip(place, whole, self._canvas.shape)
        )
        return row, column

    # -- why not --------------------------------------------------------------------------------

    def explain(self, mean: float, targets: dict[str, tuple[Any, Any]]) -> Exception:
        """Return the error that tells why the gradient is no direction.

        Parameters
        ----------
        mean : float
            Its mean absolute value: zero, infinite or NaN.
        targets : mapping of str to (data, diff)
            What is there, and what has been written.
        """
        size, deepest = self._canvas.size, [*targets][-1]
        ends = named(tuple(targets))
        if len(self) > 1 and np.isfinite(mean) and any(np.any(d) for d, _ in targets.values()):
            return FlatGradientError(
                f"the gradient at {ends} for a picture of {size[1]}x{size[0]} is zero: the terms "
                "cancel each other, or none arrives at the picture.\nChange a weight, or leave one "
                "term out"
            )
        data, diff = targets[deepest]
        return flat_gradient(mean, size, SimpleNamespace(data=data, diff=diff), ends[1:-1])


def shares(x: np.ndarray, n: int) -> np.ndarray:
    """Return n means of a matrix's columns: each of an equally long stretch of them.

    Parameters
    ----------
    x : (rows, columns) float ndarray
    n : int

    Returns
    -------
    (rows, n) float64 ndarray
        Where a stretch ends inside a column, the column counts in part.
    """
    columns = x.shape[1]
    sums = np.zeros((x.shape[0], columns + 1))
    np.cumsum(x, axis=1, dtype=np.float64, out=sums[:, 1:])
    at = np.arange(n + 1) * (columns / n)
    before = np.minimum(at.astype(int), columns - 1)
    ends = sums[:, before] + (sums[:, before + 1] - sums[:, before]) * (at - before)
    return np.diff(ends, axis=1) * (n / columns)


def on_arrays(function: Function) -> Writer | None:
    """Return how a function of this package writes into NumPy's arrays or tensors, or None."""
    if function is objective_L2:
        return Writer(_l2)
    if hasattr(function, "on_arrays"):
        return Writer(function.on_arrays)
    return None


def _l2(data: Any, diff: Any, part: Part) -> None:
    diff[...] = data


def on_blob(function: Function, blob: Any) -> Writer:
    """Return how any function writes at a blob of a net, or into an array of the blob's shape."""
    own = on_arrays(function)
    if own is not None:
        return own

    def write(data: Any, diff: Any, part: Part) -> None:
        # What an earlier pull has written at the blob is to stay.
        kept = None if np.may_share_memory(diff, blob.diff) else blob.diff.copy()
        blob.diff[...] = 0
        ask(function, blob)
        if kept is not None:
            diff[...] = blob.diff
            blob.diff[...] = kept

    return Writer(write)
