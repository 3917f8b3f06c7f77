"""Colour spaces: what a file says of its colours, the way from there to sRGB, and sRGB's profile.

A file may say it by an ICC profile, by chunks of PNG (gAMA with cHRM, cICP), or by the codes that
films share with HEIC and AVIF. Most of them are three primaries and a curve: a `Shaper`, which is
evaluated here, for the LittleCMS in Pillow knows pictures of eight bits only. Every other profile
is LittleCMS's business; see ``stored_colors``.

Specifications: ICC.1:2022 (ICC), PNG third edition (W3C), H.273 (ITU-T), IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]
Point = tuple[float, float]

D65: Point = (0.3127, 0.3290)
_D50 = np.array([0xF6D6, 0x10000, 0xD32D]) / 0x10000  # X, Y, Z: the white of ICC's profiles

# Primaries: the (x, y) of red, green and blue.
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
_ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))

# H.273, table 2.
_CODED_PRIMARIES = {
    1: _SRGB,
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: _P3,
}
_UNSPECIFIED = 2

# How far a colour space may be from sRGB, in levels of 0..255, and still be called sRGB: the
# profiles that go by this name differ by half a level. Such pictures are left as they are stored.
ALIKE = 1.0


class Shaper(NamedTuple):
    """A colour space of three primaries, or of grey, and the curve of each channel.

    Attributes
    ----------
    matrix : (3, 3) float64 ndarray or None
        From linear red, green and blue to X, Y and Z under D50. None for grey.
    curves : tuple of callables
        From what is stored, 0..1, to linear light, 0..1: three, or one for grey.
    """

    matrix: np.ndarray | None
    curves: tuple[Curve, ...]

    def to_srgb(self, levels: np.ndarray) -> np.ndarray:
        """Return levels of this space as sRGB.

        Parameters
        ----------
        levels : (h, w, 3) or (h, w, 1) ndarray
            0..255; values beyond are clipped.

        Returns
        -------
        (h, w, 3) float32 ndarray
            0..255. Colours that sRGB cannot hold are clipped channel by channel, as LittleCMS does.
        """
        h, w, _ = levels.shape
        out = np.empty((h, w, 3), np.float32)
        to_linear = None if self.matrix is None else np.linalg.inv(_SRGB_MATRIX) @ self.matrix
        rows = max(1, _BAND // w)
        for i in range(0, h, rows):
            stored = np.clip(levels[i : i + rows] / np.float64(255), 0, 1)
            linear = np.stack([f(stored[..., c]) for c, f in enumerate(self.curves)], axis=-1)
            if to_linear is not None:
                linear = linear @ to_linear.T
            out[i : i + rows] = 255 * _srgb_encoded(np.clip(linear, 0, 1))
        return out

    def begins_at_black(self) -> bool:
        """Tell whether 0 is black; else LittleCMS makes it so, in its own way."""
        return all(float(curve(np.zeros(1))[0]) < 1e-3 for curve in self.curves)

    def is_srgb(self) -> bool:
        """Tell whether this is sRGB, to a level."""
        levels = some_colors(len(self.curves))
        return bool(np.abs(self.to_srgb(levels) - levels).max() < ALIKE)


_BAND = 1 << 18  # pixels that are worked on at once


def some_colors(channels: int) -> np.ndarray:
    """Return (1, n, channels) levels: all greys, and a coarse grid of colours."""
    greys = np.repeat(np.arange(256.0)[:, np.newaxis], channels, axis=1)
    steps = np.arange(0, 256, 51.0)
    grid = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(-1, channels)
    return np.concatenate([greys, grid])[np.newaxis]


def _srgb_encoded(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _srgb_linear(stored: np.ndarray) -> np.ndarray:
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def _power(gamma: float) -> Curve:
    return lambda stored: stored**gamma


def _xyz(point: Point) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])


_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _adaptation(white: Point) -> np.ndarray:
    """Return Bradford's matrix, which takes colours under a white to those under D50."""
    scales = (_BRADFORD @ _D50) / (_BRADFORD @ _xyz(white))
    return np.linalg.inv(_BRADFORD) @ np.diag(scales) @ _BRADFORD


def _matrix(primaries: tuple[Point, ...], white: Point = D65) -> np.ndarray:
    """Return the matrix from linear RGB to X, Y and Z under D50.

    Raises
    ------
    ValueError
        The primaries lie on a line, or at y = 0.
    """
    if min(y for _, y in (*primaries, white)) <= 0:
        raise ValueError("a chromaticity without brightness")
    columns = np.stack([_xyz(point) for point in primaries], axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("primaries on a line")
    return _adaptation(white) @ (columns * np.linalg.solve(columns, _xyz(white)))


_SRGB_MATRIX = _matrix(_SRGB)
_SRGB_CURVES: tuple[Curve, ...] = (_srgb_linear,) * 3


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* under D50 as sRGB.

    Parameters
    ----------
    lab : (h, w, 3) ndarray
        L* 0..100, a* and b* about -128..127.

    Returns
    -------
    (h, w, 3) float32 ndarray
        0..255, clipped.
    """
    out = np.empty(lab.shape, np.float32)
    rows = max(1, _BAND // lab.shape[1])
    to_linear = np.linalg.inv(_SRGB_MATRIX)
    for i in range(0, len(lab), rows):
        light, a, b = np.moveaxis(lab[i : i + rows].astype(np.float64), -1, 0)
        y = (light + 16) / 116
        roots = np.stack([y + a / 500, y, y - b / 200], axis=-1)
        xyz = _D50 * np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
        out[i : i + rows] = 255 * _srgb_encoded(np.clip(xyz @ to_linear.T, 0, 1))
    return out


ADOBE_RGB = Shaper(_matrix(_ADOBE_RGB), (_power(563 / 256),) * 3)


# -- ICC profiles ---------------------------------------------------------------------------------


def profile_space(profile: bytes) -> str:
    """Return what an ICC profile is for: ``"RGB"``, ``"GRAY"``, ``"CMYK"``, ``"Lab"`` ...

    Raises
    ------
    ValueError
        It is no ICC profile, is cut short, or belongs to no picture (a link between devices).
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise ValueError("it is no ICC profile")
    (size,) = struct.unpack(">I", profile[:4])
    if size > len(profile):
        raise ValueError(f"it is cut short: {len(profile)} of {size} bytes")
    kind = profile[12:16]
    if kind not in (b"scnr", b"mntr", b"prtr", b"spac"):
        raise ValueError(f"it is of the class {kind.decode('latin-1')!r}, not that of a picture")
    return profile[16:20].decode("latin-1").strip()


def parse_shaper(profile: bytes) -> Shaper | None:
    """Return an ICC profile's primaries and curves.

    Parameters
    ----------
    profile : bytes

    Returns
    -------
    Shaper or None
        None where the profile is another kind: one with tables of colours (which have precedence),
        or of CMYK.

    Raises
    ------
    ValueError
        A damaged profile.
    """
    space = profile_space(profile)
    tags = _tags(profile)
    tables = {"A2B0", "A2B1", "A2B2", "D2B0", "D2B1", "D2B2"}
    if space not in ("RGB", "GRAY") or profile[20:24] != b"XYZ " or tables & tags.keys():
        return None
    if space == "GRAY":
        return Shaper(None, (_parse_curve(tags["kTRC"]),)) if "kTRC" in tags else None
    if not {f"{c}{kind}" for c in "rgb" for kind in ("XYZ", "TRC")} <= tags.keys():
        return None
    columns = [struct.unpack(">3i", tags[f"{c}XYZ"][8:20]) for c in "rgb"]
    matrix = np.array(columns, np.float64).T / 0x10000
    return Shaper(matrix, tuple(_parse_curve(tags[f"{c}TRC"]) for c in "rgb"))


def _tags(profile: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack(">I", profile[128:132])
    tags = {}
    for i in range(min(count, 1000)):
        entry = profile[132 + 12 * i :][:12]
        if len(entry) < 12:
            raise ValueError("its list of tags is cut short")
        name, start, length = struct.unpack(">4sII", entry)
        tags[name.decode("latin-1")] = profile[start : start + length]
    return tags


def _parse_curve(tag: bytes) -> Curve:
    """Return the function that a ``curv`` or ``para`` tag describes, from 0..1 to 0..1."""
    try:
        if tag[:4] == b"curv":
            (n,) = struct.unpack(">I", tag[8:12])
            if n == 0:
                return lambda stored: stored
            points = np.frombuffer(tag, ">u2", n, 12).astype(np.float64)
            if n == 1:
                return _power(float(points[0]) / 256)
            points /= 65535
            places = np.linspace(0, 1, n)
            return lambda stored: np.interp(stored, places, points)
        if tag[:4] == b"para":
            (kind,) = struct.unpack(">H", tag[8:10])
            n = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
            numbers = [value / 0x10000 for value in struct.unpack(f">{n}i", tag[12 : 12 + 4 * n])]
            return _parametric(kind, numbers)
    except (KeyError, struct.error, ValueError) as error:
        raise ValueError("one of its curves is damaged") from error
    raise ValueError("one of its curves is of an unknown kind")


def _parametric(kind: int, numbers: list[float]) -> Curve:
    """Return ``(a x + b)^g + e`` from `d` on, and ``c x + f`` below, as ICC's types 0 to 4 say."""
    g, a, b, c, d, e, f = [numbers[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    if kind > 0:
        a, b = numbers[1:3]
    if kind in (1, 2):
        d = -b / a if a else 0.0
        e = f = numbers[3] if kind == 2 else 0.0
    if kind in (3, 4):
        c, d = numbers[3:5]
        e, f = numbers[5:7] if kind == 4 else (0.0, 0.0)

    def curve(stored: np.ndarray) -> np.ndarray:
        upper = np.maximum(a * stored + b, 0) ** g + e
        return np.clip(np.where(stored >= d, upper, c * stored + f), 0, 1)

    return curve


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 0x10000) for value in values))


def _words(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(data), 28) + data


def _srgb_profile(channels: int) -> bytes:
    curve = b"para" + struct.pack(">IHH", 0, 3, 0)
    curve += _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    grey = channels == 1
    tags = {
        b"desc": _words("sRGB grey" if grey else "sRGB"),
        b"cprt": _words("No copyright, use freely"),
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(*_D50),
        b"chad": b"sf32\0\0\0\0" + _fixed(*_adaptation(D65).ravel()),
    }
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = np.rint(_SRGB_MATRIX.T * 0x10000) / 0x10000
        columns[1] = _D50 - columns[0] - columns[2]  # white is white, after the rounding too
        for name, column in zip((b"r", b"g", b"b"), columns):
            tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
            tags[name + b"TRC"] = curve
    listed, data = b"", b""
    places: dict[bytes, int] = {}
    for name, tag in tags.items():
        if tag not in places:  # the three curves are one
            places[tag] = 132 + 12 * len(tags) + len(data)
            data += tag + b"\0" * (-len(tag) % 4)
        listed += struct.pack(">4sII", name, places[tag], len(tag))
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sII4sQI12s4s44s",
        132 + len(listed) + len(data),
        b"",
        0x04400000,  # ICC version 4.4
        b"mntr",
        b"GRAY" if grey else b"RGB ",
        b"XYZ ",
        *(2026, 1, 1, 0, 0, 0),  # always the same: files made again have the same bytes
        b"acsp",
        b"",
        0,
        0,
        b"",
        0,
        0,  # perceptual
        _fixed(*_D50),
        b"",
        b"",
    )
    return head + struct.pack(">I", len(tags)) + listed + data


_SRGB_PROFILES = {1: _srgb_profile(1), 3: _srgb_profile(3)}


def srgb_profile(channels: int) -> bytes:
    """Return sRGB as an ICC profile of version 4.

    Parameters
    ----------
    channels : {1, 2, 3, 4}
        Of the picture: grey, with alpha or without, has a profile of grey, of sRGB's curve.
    """
    return _SRGB_PROFILES[1 if channels < 3 else 3]


# -- what else files say --------------------------------------------------------------------------


def coded_shaper(primaries: int, transfer: int) -> Shaper | None:
    """Return the colour space that two code points of H.273 name: cICP of PNG, nclx of HEIC.

    Returns
    -------
    Shaper or None
        None where it is sRGB, or says nothing.

    Raises
    ------
    ValueError
        Light of high dynamic range (PQ, HLG), or codes that are not known here.
    """
    if transfer in (16, 18):
        raise ValueError(f"it is of high dynamic range ({'PQ' if transfer == 16 else 'HLG'})")
    # The curves of television (1, 6, 14, 15) are a camera's; what a screen makes of them is sRGB's.
    curves: Mapping[int, Curve] = {
        **dict.fromkeys((_UNSPECIFIED, 1, 6, 13, 14, 15), _srgb_linear),
        4: _power(2.2),
        5: _power(2.8),
        8: _power(1.0),
    }
    if primaries == _UNSPECIFIED:
        primaries = 1
    if primaries not in _CODED_PRIMARIES or transfer not in curves:
        raise ValueError(f"primaries {primaries} with transfer {transfer} are not known here")
    shaper = Shaper(_matrix(_CODED_PRIMARIES[primaries]), (curves[transfer],) * 3)
    return None if shaper.is_srgb() else shaper


def png_shaper(gamma: float, chromaticities: tuple[float, ...] | None) -> Shaper | None:
    """Return the colour space that PNG's gAMA and cHRM describe.

    Parameters
    ----------
    gamma : float
        Of the file: 0.45455 is what most have.
    chromaticities : tuple of 8 float, optional
        x and y of white, red, green and blue.

    Returns
    -------
    Shaper or None
        None where both say sRGB. Of a gamma near 1/2.2 with sRGB's primaries the curve is taken to
        be sRGB's: the specification has writers of sRGB put that gamma beside it.

    Raises
    ------
    ValueError
        Numbers that describe no colours.
    """
    if not 0.05 < gamma < 20:
        raise ValueError(f"a gamma of {gamma:g}")
    points = [*D65, *(value for point in _SRGB for value in point)]
    told = points if chromaticities is None else list(chromaticities)
    if len(told) != 8:
        raise ValueError(f"{len(told)} chromaticities")
    alike = np.abs(np.subtract(told, points)).max() < 0.005
    if alike and abs(2.2 * gamma - 1) < 0.05:
        return None
    if alike:
        told = points
    white, *primaries = zip(told[::2], told[1::2])
    return Shaper(_matrix(tuple(primaries), white), (_power(1 / gamma),) * 3)
