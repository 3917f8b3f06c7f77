"""Films of a still that end where they began, to be played round and round.

Towards the end what the film began with comes into sight where the camera will find it again: small
in the middle when the camera comes nearer, at the edge when it goes aside, all over when it only
turns. The dream goes on over the seam, so that one grows out of the other; what would be the next
frame after the last is the first.
"""

from __future__ import annotations

import numpy as np

from .camera import Camera, motion_of
from .flow import moved

_SMALL = 0.25  # of its side: how small the beginning is when it comes into sight
_FADES = 0.4  # of the film: how long it takes to come where it does not begin small
_LONGEST = 0.7  # of the film
_IN = 0.6  # of that time: until it is all there
# How softly its edge goes over into what was there: over so much of the frame's smaller side, or of
# its way to the frame's edge, whichever is less.
_SOFT, _NEAR = 0.3, 0.8


class Loop:
    """The way back to the first frame.

    Parameters
    ----------
    camera : Camera
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._first = next(camera.views()).pixels
        count = camera.count
        self.length = max(1, int(_FADES * count))
        for left in range(1, int(_LONGEST * count) + 1):
            shrunk = np.sqrt(abs(np.linalg.det(camera.from_end(count - left)[:2, :2])))
            if shrunk >= 1 / _SMALL:
                self.length = left
                break

    def mixed(
        self, number: int, frame: np.ndarray, pixels: np.ndarray, beginning: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a frame, and what its dream begins with, with so much of the first as is due.

        Parameters
        ----------
        number : int
            Of the frame.
        frame, pixels : (h, w, 3) float32 ndarrays
            What the camera sees, and with what was carried.
        beginning : (h, w, 3) array
            The dream of the film's first frame.

        Returns
        -------
        frame, pixels : (h, w, 3) float32 ndarrays
        """
        left = self._camera.count - number
        if left > self.length:
            return frame, pixels
        back = motion_of(self._camera.from_end(number), self._camera.size).back
        assert back is not None
        done = min(1.0, (1 - (left - 1) / self.length) / _IN)
        share = done * done * (3 - 2 * done)
        weight = (share * self._softly(back, number))[..., None]
        first = self._first
        now, then = pixels - frame, np.asarray(beginning, np.float32) - first
        frame = frame + weight * (moved(first, back) - frame)
        # Two details that have nothing in common lose contrast in an even mixture.
        contrast = np.sqrt(weight * weight + (1 - weight) * (1 - weight))
        pixels = frame + ((1 - weight) * now + weight * moved(then, back)) / contrast
        return np.clip(frame, 0, 255), np.clip(pixels, 0, 255)

    def _softly(self, back: np.ndarray, number: int) -> np.ndarray:
        """Return how much of the first frame is there, 0 beyond its edge.

        The nearer its edge comes to the frame's own, the harder it is: at the end it is not seen.
        """
        h, w = self._camera.size
        x = back[..., 0] + np.arange(w, dtype=np.float32)
        y = back[..., 1] + np.arange(h, dtype=np.float32)[:, None]
        inside = np.minimum(np.minimum(x, w - 1 - x), np.minimum(y, h - 1 - y)) + 1
        corners = np.array([[0, w - 1, 0, w - 1], [0, 0, h - 1, h - 1], [1, 1, 1, 1]], np.float64)
        apart = (np.linalg.inv(self._camera.from_end(number)) @ corners - corners)[:2]
        soft = np.clip(_NEAR * np.hypot(*apart).max(), 1, _SOFT * min(h, w))
        ramp = np.clip(inside / np.float32(soft), 0, 1)
        weight: np.ndarray = ramp * ramp * (3 - 2 * ramp)
        return weight
