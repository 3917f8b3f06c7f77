"""Pictures of another size, on tensors: what scipy's ``zoom(order=1, mode="nearest")`` gives.

Grid corners are aligned: output position i lies at i * (n - 1) / (m - 1) between the n positions
of the input, for m positions of the output. Positions and weights are computed in float64, as
scipy computes them; a bilinear interpolation in float32 that computes its positions in float32
too is off by some thousandths of a pixel where pictures have thousands of them.

Source: ``ndimage.zoom`` and ``NI_ZoomShift`` of scipy.
"""

from __future__ import annotations

import torch

# Values per band of the output. Large pictures are made band by band, so that besides input and
# output next to nothing is needed.
_BAND = 1 << 21


def resize(x: torch.Tensor, h: int, w: int) -> torch.Tensor:
    """Return a picture at another size.

    Parameters
    ----------
    x : (1, c, h1, w1) float32 tensor
        Of any strides, on any device.
    h, w : int
        The new height and width.

    Returns
    -------
    (1, c, h, w) float32 tensor
        New, channels-last.
    """
    out = torch.empty(
        (1, x.shape[1], h, w), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
    )
    return resize_into(out, x)


def resize_into(out: torch.Tensor, x: torch.Tensor, *, add: bool = False) -> torch.Tensor:
    """Resize a picture to the size of `out` and write it there.

    Parameters
    ----------
    out : (1, c, h, w) float32 tensor
        Overwritten, or with `add` added to.
    x : (1, c, h1, w1) float32 tensor
        On the device of `out`.
    add : bool
        Keep what `out` holds and add to it.

    Returns
    -------
    Tensor
        `out`.
    """
    h, w = out.shape[-2:]
    if tuple(x.shape[-2:]) == (h, w):
        return out.add_(x) if add else out.copy_(x)
    above, below, down = _positions(x.shape[-2], h, x)
    left, right, along = _positions(x.shape[-1], w, x)
    down, along = down.view(-1, 1), along.view(1, -1)
    rows = max(1, _BAND // max(1, out.shape[1] * max(w, x.shape[-1])))
    for first in range(0, h, rows):
        band = slice(first, first + rows)
        mixed = torch.lerp(x.index_select(2, above[band]), x.index_select(2, below[band]),
                           down[band])  # fmt: skip
        mixed = torch.lerp(mixed.index_select(3, left), mixed.index_select(3, right), along)
        if add:
            out[:, :, band].add_(mixed)
        else:
            out[:, :, band].copy_(mixed)
    return out


def _positions(n: int, m: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return for m positions among n: the neighbour before, the one after, and its weight."""
    step = (n - 1) / (m - 1) if m > 1 else 1.0
    at = (torch.arange(m, dtype=torch.float64) * step).clamp_(max=n - 1)
    before = at.floor().long()
    after = (before + 1).clamp_(max=n - 1)
    weight = (at - before).to(x.dtype)
    return before.to(x.device), after.to(x.device), weight.to(x.device)
