"""Pictures rolled by an offset, on tensors, without copies that are not needed.

A picture is held as its rows here: (h, 3 w) float32, the channels of a pixel beside each other. So
every piece of a row is one piece of memory. The value at row i and column j of a picture that is
rolled by oy rows and ox columns is that at row i - oy and column j - ox of the picture, counted
around the border: ``numpy.roll``.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

Span = tuple[slice, slice]


def rows_of(image: torch.Tensor) -> torch.Tensor:
    """Return a channels-last (1, c, h, w) tensor as its rows: a view (h, w * c)."""
    return image.permute(0, 2, 3, 1).view(image.shape[2], -1)


def image_of(rows: torch.Tensor, channels: int = 3) -> torch.Tensor:
    """Return rows (h, w * c) as a picture: a channels-last view (1, c, h, w)."""
    return rows.view(1, rows.shape[0], -1, channels).permute(0, 3, 1, 2)


def pieces(span: slice, shift: int, n: int) -> Iterator[Span]:
    """Tell where along one axis a part of the rolled picture comes from.

    Parameters
    ----------
    span : slice
        The part, start to stop, within 0..n.
    shift : int
        How far the picture is rolled, any whole number.
    n : int
        Length of the axis.

    Yields
    ------
    (slice, slice)
        Counted from the start of the part, and in the picture that is not rolled; one pair, or
        two where the part lies across the border.
    """
    length = span.stop - span.start
    start = (span.start - shift) % n
    first = min(length, n - start)
    yield slice(0, first), slice(start, start + first)
    if first < length:
        yield slice(first, length), slice(0, length - first)


def rolled_pieces(
    crop: Span, ox: int, oy: int, size: tuple[int, int], channels: int = 3
) -> Iterator[tuple[Span, Span]]:
    """Yield for each piece of a crop of the rolled picture where it lies, there and here.

    Parameters
    ----------
    crop : (slice, slice)
        Rows and columns of the rolled picture.
    ox, oy : int
        By how many columns and rows it is rolled.
    size : (int, int)
        Height and width of the picture.

    Yields
    ------
    ((slice, slice), (slice, slice))
        Indices into the rows of the crop, and into those of the picture that is not rolled.
    """
    h, w = size
    for down_to, down_from in pieces(crop[0], oy, h):
        for along_to, along_from in pieces(crop[1], ox, w):
            to, source = (
                slice(along.start * channels, along.stop * channels)
                for along in (along_to, along_from)
            )
            yield (down_to, to), (down_from, source)


def roll_into(
    out: torch.Tensor, x: torch.Tensor, ox: int, oy: int, crop: Span | None = None
) -> None:
    """Write a rolled picture, or a crop of it.

    Parameters
    ----------
    out : (rows, columns * 3) float32 tensor
        Overwritten, the size of the crop.
    x : (h, w * 3) float32 tensor
        The picture.
    ox, oy : int
        By how many columns and rows it is rolled.
    crop : (slice, slice), optional
        Rows and columns of the rolled picture; all without it.
    """
    h, w = x.shape[0], x.shape[1] // 3
    for to, source in rolled_pieces(crop or (slice(0, h), slice(0, w)), ox, oy, (h, w)):
        out[to].copy_(x[source])


def climb(
    x: torch.Tensor, g: torch.Tensor, ox: int, oy: int, scale: float, low: torch.Tensor,
    high: torch.Tensor,
) -> None:  # fmt: skip
    """Add a rolled gradient to the picture that is not rolled, and clip.

    Parameters
    ----------
    x : (h, w * 3) float32 tensor
        The picture, changed in place.
    g : (h, w * 3) float32 tensor
        The gradient of the rolled picture.
    ox, oy : int
        By how many columns and rows.
    scale : float
        Factor of the gradient.
    low, high : (w * 3) float32 tensors
        Bounds of a row's values.
    """
    h, w = x.shape[0], x.shape[1] // 3
    for here, there in rolled_pieces((slice(0, h), slice(0, w)), ox, oy, (h, w)):
        part = x[there]
        part.add_(g[here], alpha=scale)
        torch.clamp(part, low[there[1]], high[there[1]], out=part)


def mean_abs(g: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute value of rows, a float64 tensor without axes, on their device."""
    return torch.linalg.vector_norm(g, 1, dim=1).sum(dtype=torch.float64) / g.numel()
