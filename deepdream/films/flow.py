"""Motion between two frames: where everything was, and what has only just come into sight.

The flow is asked for in both directions. What is seen in both frames comes back to where it began;
where the two disagree something was uncovered, and where they disagree everywhere there was a cut.

Source: Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated large displacement
optical flow" (2010), for the bound on disagreement; Kroeger and others, "Fast optical flow using
dense inverse search" (2016), and Farnebäck (2003) for the flows, which are OpenCV's.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

from ..errors import ParameterError
from .libraries import import_cv2

FLOWS = ("dis", "farneback", "none")

# Pyramid's ratio, its levels, window, iterations, neighbourhood, its Gaussian: as DeepDreamAnim.
_FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)

# Squared pixels that flows may disagree by: a share of their own, as Sundaram has it, and so many
# besides; he has 0.5, which in a camera's noise loses twice as much of what was seen.
_RELATIVE, _ABSOLUTE = 0.01, 2.0
_UNLIKE = 20.0  # grey levels by which what moved may differ, after a blur, before it is another
_BLUR = 1.5  # pixels, against noise
_EDGE = 1.5  # pixels over which what is kept fades out towards what is not
_CUT = 0.3  # share of the picture that is kept, below which there was a cut
_LEAST = 16  # pixels a side; DIS takes none below 12


class Motion(NamedTuple):
    """What happened between a frame and the one before.

    Attributes
    ----------
    back : (h, w, 2) float32 ndarray or None
        How far each pixel of the frame lay from here in the frame before, in pixels: to the right,
        then down. None: nothing moves.
    kept : (h, w) float32 ndarray
        1 where it was seen there, 0 where it has come into sight, softly between.
    cut : bool
        Nothing of the frame before is left.
    """

    back: Optional[np.ndarray]  # noqa: UP045 (evaluated by NamedTuple on Python 3.9)
    kept: np.ndarray
    cut: bool


def check_flow(flow: Any) -> None:
    """Refuse an unknown way to find motion.

    Raises
    ------
    ParameterError
    """
    if flow not in FLOWS:
        raise ParameterError(f"flow is {flow!r}: one of {', '.join(FLOWS)}")


def grey(frame: np.ndarray) -> np.ndarray:
    """Return a frame as flows read it.

    Parameters
    ----------
    frame : (h, w, 3) array
        RGB, 0..255.

    Returns
    -------
    (h, w) uint8 ndarray
        Rec. 601's luma.
    """
    values = np.asarray(frame, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def motion_between(before: np.ndarray, now: np.ndarray, flow: str = "dis") -> Motion:
    """Return the motion from one frame to the next.

    Parameters
    ----------
    before, now : (h, w) uint8 ndarrays
        From `grey`.
    flow : {"dis", "farneback", "none"}
        ``"none"``: nothing moves; what changes its brightness was uncovered.

    Raises
    ------
    EngineError
        OpenCV is not installed.
    ParameterError
        `flow` is none of these.
    """
    check_flow(flow)
    if flow == "none":
        return _judged(None, np.ones(now.shape, np.float32), before, now)
    cv2 = import_cv2()
    back, forth = _flow(now, before, flow), _flow(before, now, flow, rough=True)
    h, w = now.shape
    x, y = _positions(back)
    returned = cv2.remap(forth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = _squared(back + returned)
    allowed = _RELATIVE * (_squared(back) + _squared(returned)) + np.float32(_ABSOLUTE)
    inside = (x > -0.5) & (x < w - 0.5) & (y > -0.5) & (y < h - 0.5)
    kept = (apart < allowed) & inside
    return _judged(back, kept.astype(np.float32), before, now)


def moved(pixels: np.ndarray, back: np.ndarray | None) -> np.ndarray:
    """Return a picture carried along the motion, as it lies in the frame after.

    Parameters
    ----------
    pixels : (h, w) or (h, w, c) float32 ndarray
    back : (h, w, 2) float32 ndarray or None
        See `Motion`.

    Returns
    -------
    float32 ndarray of the same shape
        Bicubic, which keeps more of what is sharp than bilinear does, frame after frame; beyond the
        edge it is the edge's.
    """
    if back is None:
        return np.array(pixels, np.float32)
    cv2 = import_cv2()
    x, y = _positions(back)
    out: np.ndarray = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return out


def _flow(first: np.ndarray, second: np.ndarray, flow: str, rough: bool = False) -> np.ndarray:
    """Return how far what is in the first picture lies from there in the second, (h, w, 2).

    `rough` is good enough to compare with, in two thirds of the time.
    """
    cv2 = import_cv2()
    h, w = first.shape
    if min(h, w) < _LEAST:
        more = (0, max(0, _LEAST - h), 0, max(0, _LEAST - w))
        first, second = (
            cv2.copyMakeBorder(p, *more, cv2.BORDER_REPLICATE) for p in (first, second)
        )
    if flow == "dis":
        dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        if rough:
            dis.setVariationalRefinementIterations(0)
        found = dis.calc(first, second, None)
    else:
        found = cv2.calcOpticalFlowFarneback(first, second, None, *_FARNEBACK)
    return np.ascontiguousarray(found[:h, :w])


def _positions(back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, w = back.shape[:2]
    x = back[..., 0] + np.arange(w, dtype=np.float32)
    y = back[..., 1] + np.arange(h, dtype=np.float32)[:, None]
    return x, y


def _squared(v: np.ndarray) -> np.ndarray:
    return v[..., 0] * v[..., 0] + v[..., 1] * v[..., 1]


def _judged(back: np.ndarray | None, kept: np.ndarray, before: np.ndarray, now: np.ndarray
            ) -> Motion:  # fmt: skip
    """Return the motion, without what looks unlike, soft at its edges."""
    was = moved(before.astype(np.float32), back)
    is_now = now.astype(np.float32)
    # A flash, or a fade, changes all by the same: that is no other picture.
    seen = kept > 0
    if seen.any():
        was = was + np.float32(np.median(is_now[seen] - was[seen]))
    unlike = np.abs(_blurred(is_now - was, _BLUR))
    kept = _softened(kept * (unlike < _UNLIKE))
    return Motion(back, kept, bool(kept.mean() < _CUT))


def _softened(kept: np.ndarray) -> np.ndarray:
    """Return a mask that fades out inside its edges, so that nothing beyond them shows through."""
    if kept.all():
        return kept
    return np.clip(2 * _blurred(kept, _EDGE) - 1, 0, 1) * kept


def _blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    cv2 = import_cv2()
    size = 2 * round(3 * sigma) + 1
    out: np.ndarray = cv2.GaussianBlur(x, (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
    return out
