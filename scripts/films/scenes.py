"""Films whose motion is known: pictures that move in front of each other.

Each layer is a picture with an outline; for each frame an affine map says where its pixels lie. So
for every pixel of a frame it is known where it was in the frame before, and whether it was seen
there at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import deepdream

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"
NOISE = 1.5  # grey levels of a camera's noise


class Layer(NamedTuple):
    """A picture, its outline, and where it lies.

    Attributes
    ----------
    pixels : (h, w, 3) float32 ndarray
    alpha : (h, w) float32 ndarray
        0..1.
    place : callable
        ``place(t)``: the (3, 3) map from the film's pixels at frame t to the picture's.
    """

    pixels: np.ndarray
    alpha: np.ndarray
    place: Callable[[int], np.ndarray]


class Shot(NamedTuple):
    """A frame and what is true of it.

    Attributes
    ----------
    pixels : (h, w, 3) float32 ndarray
        RGB, 0..255, whole levels.
    back : (h, w, 2) float32 ndarray
        How far each pixel lay from here in the frame before: to the right, then down.
    seen : (h, w) bool ndarray
        Whether it was seen there; False everywhere in the first frame.
    """

    pixels: np.ndarray
    back: np.ndarray
    seen: np.ndarray


class Scene:
    """A film of layers, the last in front.

    Parameters
    ----------
    layers : list of Layer
    size : (int, int)
        Height and width.
    noise : float
        Standard deviation of a camera's noise, in grey levels.
    """

    def __init__(self, layers: list[Layer], size: tuple[int, int], noise: float = NOISE) -> None:
        self.layers, self.size, self.noise = layers, size, noise

    def shots(self, count: int) -> Iterator[Shot]:
        """Yield the first so many frames."""
        rng = np.random.RandomState(1)
        before: np.ndarray | None = None
        for t in range(count):
            pixels, front = self._draw(t)
            back, seen = self._truth(t, front, before)
            noisy = pixels + self.noise * rng.standard_normal(pixels.shape)
            yield Shot(np.clip(np.rint(noisy), 0, 255).astype(np.float32), back, seen)
            before = front

    def _draw(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture of frame t, and the number of the front layer at each pixel."""
        h, w = self.size
        pixels = np.zeros((h, w, 3), np.float32)
        front = np.zeros((h, w), np.int32)
        for number, layer in enumerate(self.layers):
            place = layer.place(t)[:2].astype(np.float64)
            how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            outside = float(number == 0)  # the one behind goes on for ever
            drawn = cv2.warpAffine(
                layer.pixels, place, (w, h), flags=how, borderMode=cv2.BORDER_REFLECT_101
            )
            alpha = cv2.warpAffine(
                layer.alpha, place, (w, h), flags=how,
                borderMode=cv2.BORDER_CONSTANT, borderValue=outside,
            )  # fmt: skip
            pixels += alpha[..., None] * (drawn - pixels)
            front[alpha > 0.5] = number
        return pixels, front

    def _truth(
        self, t: int, front: np.ndarray, before: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        h, w = self.size
        y, x = np.mgrid[:h, :w].astype(np.float64)
        back = np.zeros((h, w, 2), np.float32)
        seen = np.zeros((h, w), bool)
        if before is None:
            return back, seen
        # One pixel from an outline two layers are mixed: neither is seen.
        low = cv2.erode(before.astype(np.uint8), np.ones((3, 3), np.uint8))
        high = cv2.dilate(before.astype(np.uint8), np.ones((3, 3), np.uint8))
        for number, layer in enumerate(self.layers):
            step = np.linalg.inv(layer.place(t - 1)) @ layer.place(t)
            px = step[0, 0] * x + step[0, 1] * y + step[0, 2]
            py = step[1, 0] * x + step[1, 1] * y + step[1, 2]
            here = front == number
            back[here] = np.stack([px - x, py - y], -1)[here]
            column, row = np.rint(px).astype(int), np.rint(py).astype(int)
            inside = (px >= 0) & (px <= w - 1) & (py >= 0) & (py <= h - 1)
            row, column = np.clip(row, 0, h - 1), np.clip(column, 0, w - 1)
            same = (low[row, column] == number) & (high[row, column] == number)
            seen[here] = (inside & same)[here]
        return back, seen


# -- maps -----------------------------------------------------------------------------------------


def shift(dx: float, dy: float) -> np.ndarray:
    """Return the map that adds to positions."""
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def turn(degrees: float, scale: float = 1.0) -> np.ndarray:
    """Return the map that turns positions about the origin, and scales them."""
    c, s = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float64)


def about(x: float, y: float, inner: np.ndarray) -> np.ndarray:
    """Return a map with (x, y) in the place of the origin."""
    return shift(x, y) @ inner @ shift(-x, -y)


# -- pictures -------------------------------------------------------------------------------------


def photo(name: str, width: int) -> np.ndarray:
    """Return an example's pixels at a width."""
    picture = deepdream.load_image(PHOTOS / f"{name}.jpg")
    from deepdream.picture import resized

    h, w = picture.shape[:2]
    return np.array(resized(picture, (round(h * width / w), width)), np.float32)


def outline(h: int, w: int, corners: int) -> np.ndarray:
    """Return the soft outline of a shape: an ellipse, or a star of so many corners."""
    y, x = (np.mgrid[:h, :w].T / np.array([h - 1, w - 1]) * 2 - 1).T
    radius = np.hypot(x, y)
    bound = 0.95 * np.ones_like(radius)
    if corners:
        bound = 0.72 + 0.22 * np.cos(corners * np.arctan2(y, x))
    return np.clip((bound - radius) * min(h, w) / 4 + 0.5, 0, 1).astype(np.float32)


def thing(name: str, size: int, corners: int, place: Callable[[int], np.ndarray]) -> Layer:
    """Return a layer: the middle of a photograph with an outline; `place` puts its middle."""
    pixels = photo(name, 2 * size)
    h, w = pixels.shape[:2]
    top, left = max(0, (h - size) // 2), (w - size) // 2
    pixels = np.ascontiguousarray(pixels[top : top + size, left : left + size])
    h, w = pixels.shape[:2]
    return Layer(pixels, outline(h, w, corners), lambda t: shift(w / 2, h / 2) @ place(t))


def backdrop(name: str, width: int, place: Callable[[int], np.ndarray]) -> Layer:
    """Return a layer that has no outline."""
    pixels = photo(name, width)
    return Layer(pixels, np.ones(pixels.shape[:2], np.float32), place)


# -- three films ----------------------------------------------------------------------------------


def still(w: int = 640, h: int = 360) -> Scene:
    """Return a still camera, with things that move in front of a landscape and of each other."""
    u = w / 640

    def fruit(t: int) -> np.ndarray:
        x, y = u * (100 + 3.7 * t % 520), u * (200 + 60 * math.sin(t / 9))
        return turn(-2.5 * t) @ shift(-x, -y)

    def cat(t: int) -> np.ndarray:
        return shift(-u * (430 + 130 * math.cos(t / 17)), -u * (150 + 70 * math.sin(t / 13)))

    layers = [
        backdrop("lake", round(660 * u), lambda t: shift(8 * u, 8 * u)),
        thing("cat", round(150 * u), 0, cat),
        thing("citrus", round(110 * u), 5, fruit),
    ]
    return Scene(layers, (h, w))


def pan(w: int = 640, h: int = 360) -> Scene:
    """Return a camera that pans over a street, evenly, with something that crosses."""
    u = w / 640

    def bird(t: int) -> np.ndarray:
        return shift(-u * (560 - 2.3 * t), -u * (110 + 30 * math.sin(t / 7)))

    layers = [
        backdrop("street", round(1100 * u), lambda t: shift(u * (20 + 3.35 * t), u * 120)),
        thing("osprey", round(130 * u), 0, bird),
    ]
    return Scene(layers, (h, w))


def walk(w: int = 640, h: int = 360) -> Scene:
    """Return a walk with the camera in the hand: it comes nearer, shakes, and what is near moves
    more."""
    u = w / 640

    def shake(t: int, depth: float) -> np.ndarray:
        dx = 5.0 * math.sin(t / 5.1) + 1.7 * math.sin(t / 1.9 + 1) + 0.9 * t
        dy = 3.5 * math.sin(t / 3.7 + 2) + 1.1 * math.sin(t / 1.3)
        degrees = 0.9 * math.sin(t / 8.3) + 0.25 * math.sin(t / 2.1)
        nearer = turn(degrees, math.exp(-0.0016 * depth * t))
        return shift(u * dx * depth, u * dy * depth) @ about(w / 2, h / 2, nearer)

    def near(name: str, size: int, corners: int, x: float, y: float, depth: float) -> Layer:
        return thing(
            name, round(size * u), corners, lambda t: shift(-x * u, -y * u) @ shake(t, depth)
        )

    layers = [
        backdrop("colosseum", round(860 * u), lambda t: shift(70 * u, 60 * u) @ shake(t, 0.5)),
        near("dogs", 170, 0, 190, 260, 1.1),
        near("waves", 120, 6, 480, 110, 1.6),
        near("citrus", 200, 0, 560, 300, 2.4),
    ]
    return Scene(layers, (h, w))


KINDS = {"still": still, "pan": pan, "walk": walk}
"""A still camera, a pan, and a walk."""
