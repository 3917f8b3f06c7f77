"""Frames as PyAV decodes them, to colours.

Planes are taken as they lie in memory; only formats that are neither planar nor RGB go through
FFmpeg's scaler first, into a planar one of the same kind, which changes no colour.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from . import hdr
from .yuv import BT2020, Planes, guess_matrix, to_rgb

_PLANAR = re.compile(r"(yuvj?|yuva)4\d\dp(\d+le)?|gray(\d+le)?")
_SEMIPLANAR = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p",
    "p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le",
    "p012le": "yuv420p12le", "p016le": "yuv420p16le",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p",
}  # fmt: skip

_UNSPECIFIED = 2
_FULL = 2  # AVCOL_RANGE_JPEG
_SIXTEEN = np.float32(255 / 65535)


def pixels_of(frame: Any, transfer: int = 0, centred: bool = False) -> np.ndarray:
    """Return the colours of a decoded frame.

    Parameters
    ----------
    frame : av.VideoFrame
    transfer : int
        The transfer characteristics of H.273 that the film names; PQ and HLG are mapped to what a
        screen of today's pages shows, see `hdr`. Others are taken for sRGB's.
    centred : bool
        Whether chroma lies amid its pixels, as in JPEG.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB, 0..255, as stored: not upright yet. What is transparent is laid on white.
    """
    name = frame.format.name
    if frame.format.is_rgb or frame.format.has_palette or name.startswith(("pal", "mono")):
        return _rgb(frame)
    if not _PLANAR.fullmatch(name):
        parts = frame.format.components
        bits = max((part.bits for part in parts), default=8)
        kind = "yuva444p" if any(part.is_alpha for part in parts) else "yuv444p"
        name = _SEMIPLANAR.get(name, kind if bits <= 8 else f"{kind}16le")
        colorspace, wide = frame.colorspace, frame.color_range
        frame = frame.reformat(format=name)
        frame.colorspace, frame.color_range = colorspace, wide
    return _laid_on_white(frame, hdr.to_srgb(to_rgb(_planes(frame, transfer, centred)), transfer))


def _rgb(frame: Any) -> np.ndarray:
    bits = max((part.bits for part in frame.format.components), default=8)
    deep = bits > 8
    shown = frame.reformat(format="rgba64le" if deep else "rgba")
    values = _plane(shown.planes[0], "<u2" if deep else "u1", shown.height, 4 * shown.width)
    values = values.reshape(shown.height, shown.width, 4)
    colours = values[..., :3].astype(np.float32)
    if deep:
        colours *= _SIXTEEN
    alpha = values[..., 3].astype(np.float32) / np.float32(65535 if deep else 255)
    return _over_white(colours, alpha)


def _planes(frame: Any, transfer: int, centred: bool) -> Planes:
    name = frame.format.name
    bits = frame.format.components[0].bits
    kind = "u1" if bits == 8 else "<u2"
    w, h = frame.width, frame.height
    y = _plane(frame.planes[0], kind, h, w)
    full = frame.color_range == _FULL or name.startswith("yuvj")
    if name.startswith("gray"):
        return Planes(y, None, None, bits, full or frame.color_range == 0)
    cb, cr = (
        _plane(frame.planes[i], kind, frame.planes[i].height, frame.planes[i].width) for i in (1, 2)
    )
    matrix = int(frame.colorspace)
    if matrix == _UNSPECIFIED or matrix > 10:
        matrix = BT2020 if hdr.is_hdr(transfer) else guess_matrix(w, h)
    return Planes(y, cb, cr, bits, full, matrix, centred)


def _laid_on_white(frame: Any, colours: np.ndarray) -> np.ndarray:
    """Return what is seen of a frame with a fourth plane."""
    if not frame.format.name.startswith("yuva"):
        return colours
    bits = frame.format.components[3].bits
    alpha = _plane(frame.planes[3], "u1" if bits == 8 else "<u2", *colours.shape[:2])
    return _over_white(colours, alpha.astype(np.float32) / np.float32((1 << bits) - 1))


def _over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    if alpha.min() >= 1:
        return colours
    shown: np.ndarray = 255 + (colours - 255) * alpha[..., np.newaxis]
    return shown


def _plane(plane: Any, kind: str, rows: int, columns: int) -> np.ndarray:
    """Return a view of the numbers of a plane, without the bytes behind each row."""
    values = np.frombuffer(plane, kind)
    stride = plane.line_size // values.itemsize
    return values[: rows * stride].reshape(rows, stride)[:, :columns]
