"""Between RGB and what films store: luma, and colour differences at half the resolution.

    Y = kr R + kg G + kb B,    Cb = (B - Y) / (2 - 2 kb),    Cr = (R - Y) / (2 - 2 kr)

Which kr and kb, and whether black is 0 or 16, a file says, or it does not, and players guess.
`guess_matrix` guesses as they do. FFmpeg's own scaler takes BT.601 where nothing is said, whatever
the size, and what it writes is BT.601, too, where only the tags are set: a green of 255 comes back
as 215. So the few lines of arithmetic are here, for every depth, in floating point.

Sources: ITU-R BT.601-7, BT.709-6, BT.2020-2; ITU-T H.273 for the numbers of the matrices and for
where chroma samples lie (8.7, ChromaLocType 0: beside the left one of two pixels, midway between
two rows).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BT601, BT709, BT2020 = 6, 1, 9  # MatrixCoefficients of H.273

# kr and kb by the matrix's number.
_LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
YCGCO = 8


class Planes(NamedTuple):
    """A frame as films store it.

    Attributes
    ----------
    y : (h, w) ndarray
    cb, cr : ndarray or None
        Of the same size, or halved, rounded up, along one axis or both; None for grey.
    bits : int
        8 to 16.
    full : bool
        Whether black is 0 and white the largest number; else 16 and 235 (of 8 bits).
    matrix : int
        A number of H.273; `guess_matrix` has one where a file says nothing.
    centred : bool
        Whether a chroma sample lies amid the pixels it is for, as in JPEG.
    """

    y: np.ndarray
    cb: np.ndarray | None
    cr: np.ndarray | None
    bits: int = 8
    full: bool = False
    matrix: int = BT709
    centred: bool = False


def guess_matrix(w: int, h: int) -> int:
    """Return the matrix that players take where a file names none, by the size in pixels."""
    return BT709 if w >= 1280 or h > 576 else BT601


def to_rgb(planes: Planes) -> np.ndarray:
    """Return the colours of a frame.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB, 0..255, not rounded. Colours that RGB has not are clipped.
    """
    h, w = planes.y.shape
    black, scale, middle, chroma_scale = _scales(planes.bits, planes.full)
    y = (planes.y.astype(np.float32) - np.float32(black)) * np.float32(scale)
    out = np.empty((h, w, 3), np.float32)
    if planes.cb is None or planes.cr is None:
        out[:] = y[..., np.newaxis]
        return np.clip(out, 0, 255, out=out)
    cb, cr = (
        (_doubled(part, (h, w), planes.centred) - np.float32(middle)) * np.float32(chroma_scale)
        for part in (planes.cb, planes.cr)
    )
    if planes.matrix == YCGCO:  # the first difference is Cg, the second Co
        rest = y - cb
        out[..., 0], out[..., 1], out[..., 2] = rest + cr, y + cb, rest - cr
        return np.clip(out, 0, 255, out=out)
    kr, kb = _LUMA.get(planes.matrix, _LUMA[BT709])
    kg = 1 - kr - kb
    out[..., 0] = y + np.float32(2 - 2 * kr) * cr
    out[..., 1] = (
        y - np.float32(kb * (2 - 2 * kb) / kg) * cb - np.float32(kr * (2 - 2 * kr) / kg) * cr
    )
    out[..., 2] = y + np.float32(2 - 2 * kb) * cb
    return np.clip(out, 0, 255, out=out)


def from_rgb(pixels: np.ndarray, *, matrix: int = BT709, halved: bool = True) -> Planes:
    """Return a frame as films store it: 8 bits, black at 16.

    Parameters
    ----------
    pixels : (h, w, 3) float32 ndarray
        RGB, 0..255; what is beyond is clipped.
    matrix : int
        Of H.273; not YCgCo.
    halved : bool
        Whether chroma has half the width and height, rounded up.

    Returns
    -------
    Planes
        uint8.
    """
    kr, kb = _LUMA[matrix]
    rgb = np.clip(pixels, 0, 255).astype(np.float32)
    r, b = rgb[..., 0], rgb[..., 2]
    y = np.float32(kr) * r + np.float32(1 - kr - kb) * rgb[..., 1] + np.float32(kb) * b
    cb, cr = (b - y) * np.float32(1 / (2 - 2 * kb)), (r - y) * np.float32(1 / (2 - 2 * kr))
    if halved:
        cb, cr = _halved(cb), _halved(cr)
    black, scale, middle, chroma_scale = _scales(8, full=False)

    def stored(values: np.ndarray, offset: float, factor: float) -> np.ndarray:
        return np.rint(values * np.float32(1 / factor) + np.float32(offset)).astype(np.uint8)

    return Planes(
        stored(y, black, scale),
        stored(cb, middle, chroma_scale),
        stored(cr, middle, chroma_scale),
        matrix=matrix,
    )


def _scales(bits: int, full: bool) -> tuple[float, float, float, float]:
    """Return black and the factor to 0..255 of luma, the middle and the factor of chroma."""
    unit = 1 << (bits - 8)
    middle = 128 * unit
    if full:
        factor = 255 / ((1 << bits) - 1)
        return 0.0, factor, middle, factor
    return 16 * unit, 255 / (219 * unit), middle, 255 / (224 * unit)


def _doubled(part: np.ndarray, size: tuple[int, int], centred: bool) -> np.ndarray:
    """Return chroma at the size of luma, interpolated linearly."""
    part = part.astype(np.float32)
    while part.shape[1] < size[1]:
        part = _between(part, 1, centred)
    while part.shape[0] < size[0]:
        part = _between(part, 0, True)
    return part[: size[0], : size[1]]


def _between(part: np.ndarray, axis: int, centred: bool) -> np.ndarray:
    """Double the length of an axis."""
    part = np.moveaxis(part, axis, 0)
    after = np.concatenate([part[1:], part[-1:]])
    out = np.empty((2 * len(part), *part.shape[1:]), np.float32)
    if centred:
        before = np.concatenate([part[:1], part[:-1]])
        out[0::2] = 0.75 * part + 0.25 * before
        out[1::2] = 0.75 * part + 0.25 * after
    else:
        out[0::2] = part
        out[1::2] = 0.5 * (part + after)
    return np.moveaxis(out, 0, axis)


def _halved(part: np.ndarray) -> np.ndarray:
    """Return chroma at half the width and height, where H.264's and VP9's samples lie."""
    h, w = part.shape
    if h % 2:
        part = np.concatenate([part, part[-1:]])
    rows = 0.5 * (part[0::2] + part[1::2])
    padded = np.concatenate([rows[:, :1], rows, rows[:, -1:], rows[:, -1:]], axis=1)
    left, here, right = (padded[:, i : i + w : 2][:, : (w + 1) // 2] for i in (0, 1, 2))
    return 0.25 * left + 0.5 * here + 0.25 * right
