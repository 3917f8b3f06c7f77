"""Draw the example guide: a bed of flowers, from formulas and noise.

    python scripts/make_flowers.py examples/flowers.jpg

A flower head is a disc seen at a slant. Its petals are strips that narrow to both ends, laid over
each other in rings, each with a fold along its middle, veins, and a shadow on what lies below. The
centre is a heap of florets, each a golden angle further round than the last, as in real ones.
Behind the heads are leaves, and a garden out of focus.

Lengths are parts of the picture's height: x to the right, y down. The same seed gives the same
picture. Takes some ten seconds for 384 x 288.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, shift, zoom

SAMPLES = 3  # by which the picture is drawn larger, and shrunk at the end: smooth edges
GOLDEN = np.pi * (3 - np.sqrt(5))
LIGHT = np.float32([-0.55, -0.65])  # in the picture: from the upper left


def colour(red: float, green: float, blue: float) -> np.ndarray:
    """Return a colour as linear light, from the 0..255 of a screen."""
    return (np.float32([red, green, blue]) / 255) ** np.float32(2.2)


def noise(shape: tuple[int, int], cells: float, rng: np.random.RandomState) -> np.ndarray:
    """Return smooth noise, mean 0 and standard deviation 1, `cells` bumps from top to bottom."""
    h, w = shape
    rough = rng.randn(int(cells) + 3, int(cells * w / h) + 3).astype(np.float32)
    smooth = zoom(rough, (h / (rough.shape[0] - 2), w / (rough.shape[1] - 2)), order=3)[:h, :w]
    return (smooth - smooth.mean()) / smooth.std()


def ramp(low: float, high: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class Canvas:
    """A picture in linear light that things are laid upon, each with its shadow."""

    def __init__(self, width: int, height: int):
        self.h, self.w = height * SAMPLES, width * SAMPLES
        self.light = np.zeros((self.h, self.w, 3), np.float32)

    def window(self, x: float, y: float, reach: float) -> tuple[slice, slice] | None:
        """Return the pixels around a point, or None where all of them are outside."""
        top, bottom = (round((y + s * reach) * self.h) for s in (-1, 1))
        left, right = (round((x + s * reach) * self.h) for s in (-1, 1))
        if bottom <= 0 or right <= 0 or top >= self.h or left >= self.w:
            return None
        return slice(max(top, 0), min(bottom, self.h)), slice(max(left, 0), min(right, self.w))

    def places(self, part: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the pixels of a window."""
        rows, columns = (
            (np.arange(s.start, s.stop, dtype=np.float32) + 0.5) / self.h for s in part
        )
        return np.meshgrid(columns, rows)

    def lay(
        self, part: tuple[slice, slice], cover: np.ndarray, paint: np.ndarray, shadow: float
    ) -> None:
        """Lay `paint` where `cover` is 1, over a shadow as soft and far away as `shadow`."""
        if shadow:
            soft = shadow * self.h
            dark = gaussian_filter(cover, soft)
            dark = shift(dark, [-1.2 * soft * c for c in LIGHT[::-1]], order=1)
            self.light[part] *= (1 - 0.55 * dark)[..., None]
        below = self.light[part]
        self.light[part] = below + cover[..., None] * (paint - below)

    def picture(self) -> np.ndarray:
        h, w = self.h // SAMPLES, self.w // SAMPLES
        small = self.light.reshape(h, SAMPLES, w, SAMPLES, 3).mean((1, 3))
        return np.uint8(np.clip(small, 0, 1) ** (1 / 2.2) * 255 + 0.5)


@dataclass
class Petal:
    """What the petals of one kind of flower look like; lengths are parts of the flower's radius."""

    base: np.ndarray
    tip: np.ndarray
    width: float  # half of it
    widest: float  # where along the petal: 0.5 in the middle, more towards the tip
    blunt: float  # 1 pointed, less: round
    fold: float  # how dark the fold and the veins are
    veins: int


@dataclass
class Flower:
    """One kind of flower: rings of petals around a centre."""

    petal: Petal
    rings: Sequence[tuple[int, float]]  # how many petals, and how long; the lowest ring first
    centre: float
    inner: np.ndarray
    outer: np.ndarray
    florets: int


def strip(
    canvas: Canvas, kind: Petal, at: tuple[float, float], along: np.ndarray, reach: float,
    slant: np.ndarray, bright: float, rng: np.random.RandomState, shadow: float,
) -> None:  # fmt: skip
    """Lay one petal or leaf that begins at `at` and points `along`, in the plane of `slant`."""
    part = canvas.window(*at, reach * 1.15)
    if part is None:
        return
    x, y = canvas.places(part)
    # Into the plane of the flower, then along and across the petal.
    flat = np.tensordot(np.linalg.inv(slant), np.stack([x - at[0], y - at[1]]), 1)
    u = (flat[0] * along[0] + flat[1] * along[1]) / reach
    v = (flat[1] * along[0] - flat[0] * along[1]) / reach
    bend = rng.uniform(-0.12, 0.12)
    v = v - bend * u * u
    inside = np.clip(u, 0, 1)
    power = np.log(0.5) / np.log(kind.widest)
    half = kind.width * np.sin(np.pi * inside**power) ** kind.blunt
    half = half * (1 + 0.05 * np.sin(9 * u + rng.uniform(0, 6)))
    pixel = 1 / (canvas.h * reach)
    cover = np.clip((half - np.abs(v)) / pixel * 0.7, 0, 1) * (u > 0) * (u < 1)
    across = np.clip(v / np.maximum(half, 1e-4), -1, 1)
    paint = kind.base + (kind.tip - kind.base) * ramp(0.0, 0.85, inside)[..., None]
    # A gutter: the side that faces the light is bright, the fold is dark, veins run beside it.
    facing = float(-(LIGHT[0] * -along[1] + LIGHT[1] * along[0]))
    shade = 1 + 0.30 * facing * across - 0.12 * across**2
    shade -= kind.fold * np.exp(-((across / 0.10) ** 2)) * (1 - 0.6 * inside)
    shade *= 1 - 0.5 * kind.fold * (0.5 + 0.5 * np.cos(kind.veins * np.pi * across)) * (1 - inside)
    shade *= (0.55 + 0.45 * ramp(0.0, 0.45, inside)) * bright
    shade *= 1 + 0.03 * noise(u.shape, 12, rng)
    canvas.lay(part, cover.astype(np.float32), paint * shade[..., None], shadow)


def bloom(
    canvas: Canvas, kind: Flower, at: tuple[float, float], radius: float, turn: float,
    slant: float, rng: np.random.RandomState,
) -> None:  # fmt: skip
    """Lay a whole flower head. `slant` is how much of its height is left; `turn` its direction."""
    c, s = np.cos(turn), np.sin(turn)
    plane = np.float32([[c, -s], [s, c]]) @ np.diag(np.float32([1, slant]))
    plane = plane @ np.float32([[c, s], [-s, c]])
    for ring, (count, length) in enumerate(kind.rings):
        start = rng.rand() * 2 * np.pi
        order = list(range(0, count, 2)) + list(range(1, count, 2))
        for i in order:
            angle = start + 2 * np.pi * (i + 0.22 * rng.uniform(-1, 1)) / count
            along = np.float32([np.cos(angle), np.sin(angle)])
            reach = radius * length * rng.uniform(0.92, 1.05)
            bright = (0.80 + 0.20 * (ring + 1) / len(kind.rings)) * rng.uniform(0.9, 1.08)
            strip(canvas, kind.petal, at, along, reach, plane, bright, rng, 0.010 * radius / 0.3)
    heart(canvas, kind, at, radius * kind.centre, plane, rng)


def heart(
    canvas: Canvas, kind: Flower, at: tuple[float, float], radius: float, plane: np.ndarray,
    rng: np.random.RandomState,
) -> None:  # fmt: skip
    """Lay the centre: a dark dome, and its florets from the rim inwards."""
    part = canvas.window(*at, radius * 1.4)
    if part is None:
        return
    x, y = canvas.places(part)
    flat = np.tensordot(np.linalg.inv(plane), np.stack([x - at[0], y - at[1]]), 1) / radius
    away = np.hypot(*flat)
    cover = np.clip((1 - away) * radius * canvas.h * 0.7, 0, 1)
    dome = (
        0.55 + 0.45 * np.clip(1 - away, 0, 1) - 0.35 * (flat[0] * -LIGHT[0] + flat[1] * -LIGHT[1])
    )
    base = kind.outer + (kind.inner - kind.outer) * np.clip(1 - away, 0, 1)[..., None]
    canvas.lay(part, cover.astype(np.float32), 0.5 * base * dome[..., None], 0.012 * radius / 0.1)
    size = 1.15 / np.sqrt(kind.florets)
    for i in reversed(range(kind.florets)):
        distance = np.sqrt((i + 0.5) / kind.florets)
        angle = i * GOLDEN
        middle = np.float32([np.cos(angle), np.sin(angle)]) * distance
        where = plane @ middle * radius + np.float32(at) - [0, 0.22 * radius * (1 - distance**2)]
        part = canvas.window(*where, 1.3 * size * radius)
        if part is None:
            continue
        x, y = canvas.places(part)
        flat = np.stack([x - where[0], y - where[1]]) / (size * radius)
        flat[1] /= plane[1, 1]
        away = np.hypot(*flat)
        cover = np.clip((1 - away) * size * radius * canvas.h, 0, 1)
        shine = 1.05 - 0.45 * away**2 + 0.45 * (flat[0] * LIGHT[0] + flat[1] * LIGHT[1])
        shine *= rng.uniform(0.85, 1.1)
        paint = kind.inner + (kind.outer - kind.inner) * distance**1.5
        canvas.lay(part, cover.astype(np.float32), paint * shine[..., None], 0)


def garden(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Fill the canvas with what is far behind: greens, and round spots of light, out of focus."""
    y, x = np.mgrid[: canvas.h, : canvas.w].astype(np.float32) / canvas.h
    shape = (canvas.h, canvas.w)
    green = ramp(-1.6, 1.6, noise(shape, 3, rng) + 0.6 * noise(shape, 6, rng))
    light = colour(40, 66, 32) + (colour(128, 158, 84) - colour(40, 66, 32)) * green[..., None]
    light = light * (1.15 - 0.75 * y)[..., None]
    spots = [colour(190, 205, 120), colour(225, 190, 200), colour(200, 215, 225)]
    for _ in range(34):
        cx, cy = rng.rand() * canvas.w / canvas.h, rng.rand() * 0.75
        size = rng.uniform(0.02, 0.055)
        disc = np.clip((size - np.hypot(x - cx, y - cy)) / (0.25 * size), 0, 1)
        light += (0.16 * rng.rand() * disc)[..., None] * spots[rng.randint(len(spots))]
    canvas.light[:] = gaussian_filter(light, (0.009 * canvas.h, 0.009 * canvas.h, 0))


def draw(width: int, height: int, seed: int) -> np.ndarray:
    """Return the picture, (height, width, 3) uint8."""
    rng = np.random.RandomState(seed)
    canvas = Canvas(width, height)
    garden(canvas, rng)
    leaf = Petal(colour(46, 84, 34), colour(104, 148, 62), 0.17, 0.42, 0.8, 0.34, 9)
    upright = np.eye(2, dtype=np.float32)
    for i in range(46):  # the farther, the darker and softer
        near = i / 45
        at = (rng.rand() * width / height, rng.uniform(0.35, 1.1))
        angle = rng.uniform(-2.6, -0.5)
        along = np.float32([np.cos(angle), np.sin(angle)])
        strip(canvas, leaf, at, along, rng.uniform(0.25, 0.5), upright,
              0.35 + 0.65 * near, rng, 0.012)  # fmt: skip
        if i in (16, 30):
            soft = 0.006 * canvas.h * (1 - near)
            canvas.light[:] = gaussian_filter(canvas.light, (soft, soft, 0))
    yellow, brown = colour(250, 205, 40), colour(96, 52, 22)
    daisy = Flower(
        Petal(colour(214, 212, 190), colour(252, 250, 244), 0.115, 0.62, 0.55, 0.16, 6),
        [(17, 1.0), (16, 0.93)], 0.27, colour(206, 150, 24), yellow, 150,
    )  # fmt: skip
    gerbera = Flower(
        Petal(colour(168, 14, 52), colour(240, 62, 96), 0.12, 0.60, 0.6, 0.22, 6),
        [(19, 1.0), (18, 0.86), (15, 0.62), (13, 0.42)], 0.21, colour(52, 20, 22),
        colour(226, 150, 60), 120,
    )  # fmt: skip
    sunflower = Flower(
        Petal(colour(206, 112, 8), colour(255, 206, 30), 0.125, 0.52, 0.85, 0.25, 6),
        [(20, 1.0), (19, 0.92)], 0.42, colour(40, 22, 14), brown, 330,
    )  # fmt: skip
    violet = Flower(
        Petal(colour(58, 36, 128), colour(146, 118, 226), 0.20, 0.64, 0.45, 0.22, 8),
        [(9, 1.0), (8, 0.8)], 0.18, colour(180, 150, 30), yellow, 70,
    )  # fmt: skip
    poppy = Flower(
        Petal(colour(70, 8, 10), colour(236, 84, 26), 0.42, 0.66, 0.42, 0.14, 12),
        [(4, 1.0), (4, 0.86)], 0.17, colour(60, 80, 40), colour(24, 18, 26), 60,
    )  # fmt: skip
    for kind, x, y, radius, turn, slant in (
        (violet, 0.64, 0.13, 0.15, 0.2, 0.80),
        (daisy, 1.24, 0.17, 0.17, -0.3, 0.82),
        (poppy, 0.10, 0.20, 0.19, 0.3, 0.80),
        (violet, 0.12, 0.90, 0.20, -0.2, 0.84),
        (poppy, 0.70, 0.93, 0.19, 0.1, 0.78),
        (daisy, 0.30, 0.56, 0.24, 0.2, 0.90),
        (gerbera, 1.20, 0.80, 0.27, 0.1, 0.90),
        (sunflower, 0.80, 0.48, 0.29, -0.1, 0.93),
    ):
        bloom(canvas, kind, (x, y), radius, turn, slant, rng)
    return canvas.picture()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--size", nargs=2, type=int, default=(384, 288), metavar=("W", "H"))
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--quality", type=int, default=93, help="of the JPEG")
    arguments = parser.parse_args()
    picture = Image.fromarray(draw(*arguments.size, seed=arguments.seed))
    picture.save(arguments.path, quality=arguments.quality, optimize=True)
    print(f"{arguments.path}: {arguments.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
