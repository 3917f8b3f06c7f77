"""Draw the example picture: a summer sky, from noise alone.

    python scripts/make_clouds.py examples/clouds.jpg

The clouds are a heap of cumulus between two heights. How tall they grow at each place of the
ground is a two-dimensional noise; their cauliflower surface is a three-dimensional one, made of
the distances to random points (Worley noise, upside down, so that it swells in bubbles). Every
pixel sends a ray through them, and every sample on it looks towards the sun through what lies
between. The rest is a gradient of blue, a veil of cirrus, haze that grows with distance, grain.

Units are kilometres: x to the right, y up, z away from the camera, which stands at the origin.
The same seed gives the same picture. Takes about two minutes for 1024 x 575.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

BASE, TOP = 1.15, 3.1  # heights of the flat bases and of the highest possible top
FARTHEST = 34.0  # rays end here; haze has swallowed everything by then
SUN = np.float32([-0.62, 0.66, -0.42]) / np.float32(np.linalg.norm([-0.62, 0.66, -0.42]))
FIELD_OF_VIEW = np.radians(58)  # horizontal
PITCH = np.radians(19.5)  # the middle of the picture looks this far above the horizon
EXTINCTION = 34.0  # of the densest cloud, per kilometre

# Linear light, red green blue
ZENITH = np.float32([0.030, 0.150, 0.44])
HORIZON = np.float32([0.50, 0.70, 0.86])
SUNLIGHT = np.float32([1.0, 0.965, 0.90])
SKYLIGHT = np.float32([0.30, 0.37, 0.47])


def worley(size: int, cells: int, rng: np.random.RandomState) -> np.ndarray:
    """Return a periodic cube of noise that bulges around `cells` ** 3 random points.

    Returns
    -------
    ndarray
        (size, size, size) float32 from 0 (far from every point) to 1 (on a point).
    """
    points = rng.rand(cells, cells, cells, 3).astype(np.float32)
    axis = np.arange(size, dtype=np.float32) * (cells / size)
    cell = axis.astype(int)
    inside = axis - cell
    nearest = np.full((size, size, size), 9.0, np.float32)
    for shift in np.ndindex(3, 3, 3):
        a, b, c = ((cell + s - 1) % cells for s in shift)
        p = points[np.ix_(a, b, c)]
        square = (p[..., 0] + shift[0] - 1 - inside[:, None, None]) ** 2
        square += (p[..., 1] + shift[1] - 1 - inside[None, :, None]) ** 2
        square += (p[..., 2] + shift[2] - 1 - inside[None, None, :]) ** 2
        np.minimum(nearest, square, out=nearest)
    return np.clip(1 - np.sqrt(nearest), 0, 1)


def billows(size: int, cells: tuple[int, ...], rng: np.random.RandomState) -> np.ndarray:
    """Return several octaves of `worley`, each half as strong as the last, from 0 to 1."""
    total = np.zeros((size, size, size), np.float32)
    for i, count in enumerate(cells):
        total += 0.5**i * worley(size, count, rng)
    return (total - total.min()) / (total.max() - total.min())


def smooth_noise(
    size: int, octaves: int, rng: np.random.RandomState, roughness: float = 0.5, first: int = 4
) -> np.ndarray:
    """Return periodic gradient noise in two dimensions, mean 0 and standard deviation 1."""
    total = np.zeros((size, size), np.float32)
    axis = np.arange(size, dtype=np.float32)
    for octave in range(octaves):
        cells = first * 2**octave
        angle = rng.rand(cells, cells).astype(np.float32) * np.float32(2 * np.pi)
        where = axis * (cells / size)
        cell = where.astype(int) % cells
        t = where - where.astype(int)
        fade = t * t * t * (t * (t * 6 - 15) + 10)
        corners = []
        for dy, dx in np.ndindex(2, 2):
            turn = angle[np.ix_((cell + dy) % cells, (cell + dx) % cells)]
            corners.append(np.sin(turn) * (t - dy)[:, None] + np.cos(turn) * (t - dx)[None, :])
        upper = corners[0] + fade[None, :] * (corners[1] - corners[0])
        lower = corners[2] + fade[None, :] * (corners[3] - corners[2])
        total += roughness**octave * (upper + fade[:, None] * (lower - upper))
    return (total - total.mean()) / total.std()


def look_up(noise: np.ndarray, *where: np.ndarray) -> np.ndarray:
    """Read a periodic `noise` between its grid points; coordinates count whole periods."""
    size = noise.shape[0]
    flat = noise.ravel()
    lows, rests = [], []
    for coordinate in where:
        position = coordinate * np.float32(size)
        low = np.floor(position)
        rests.append((position - low).astype(np.float32))
        lows.append(low.astype(np.int32) % size)
    value = np.zeros(where[0].shape, np.float32)
    for corner in np.ndindex(*(2,) * len(where)):
        index = np.zeros(where[0].shape, np.int32)
        weight = np.ones(where[0].shape, np.float32)
        for bit, low, rest in zip(corner, lows, rests):
            index = index * size + (low + bit) % size
            weight *= rest if bit else 1 - rest
        value += weight * flat[index]
    return value


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


Density = Callable[..., np.ndarray]


def cumulus(rng: np.random.RandomState) -> tuple[Density, Density]:
    """Return two functions of (x, y, z): what the clouds may fill, and their density.

    The first is cheap and never too small: where it is not above 0 there is no cloud. The second
    takes its result, too, and says how dense the cloud is, from 0 to 1.
    """
    ground = smooth_noise(512, 5, rng, 0.48, first=4)
    coarse = billows(128, (4, 8, 16), rng)
    fine = billows(128, (5, 11, 23), rng)

    def room(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        height = (y - BASE) / (TOP - BASE)
        mound = 0.42 * look_up(ground, x / 15.0 + 0.37, z / 15.0 + 0.11) - 0.20
        # Broad at the foot, round at the top: the mound must be the higher, the higher we are.
        fill = np.minimum(mound, 0.75) - 0.9 * height
        return np.where((height > -0.02) & (height < 1), fill + 0.26, -1)

    def density(x: np.ndarray, y: np.ndarray, z: np.ndarray, fill: np.ndarray) -> np.ndarray:
        height = (y - BASE) / (TOP - BASE)
        swell = np.minimum(look_up(coarse, x / 2.6, y / 2.6, z / 2.6), 0.86)
        bubbles = look_up(fine, x / 0.9, y / 0.9, z / 0.9)
        grain = look_up(fine, x / 0.23, y / 0.23, z / 0.23)
        # What is finer than a pixel would only sparkle.
        far = np.hypot(x, z)
        bubbles = 0.5 + (bubbles - 0.5) * (1 - 0.75 * smoothstep(12, 30, far))
        grain = 0.5 + (grain - 0.5) * (1 - smoothstep(6, 15, far))
        solid = fill - 0.26 + 0.58 * (swell - 0.56) + 0.22 * (bubbles - 0.5) + 0.07 * (grain - 0.5)
        # Flat, but not planed.
        ragged = 0.05 * (bubbles - 0.5) + 0.02 * (grain - 0.5) + 0.07 * (swell - 0.3)
        foot = smoothstep(-0.01, 0.06, height - ragged)
        return np.clip(solid * 9, 0, 1) * foot

    return room, density


def sunlight(
    room: Density, density: Density, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Return how much sunlight reaches points inside the clouds, 0 to 1.

    Light that is scattered several times goes further into a cloud than Beer's law lets it; three
    terms with ever weaker extinction stand for that (Wrenninge, Kulla and Lundqvist 2013).
    """
    depth = np.zeros(x.shape, np.float32)
    step, done = 0.022, 0.0
    for _ in range(7):
        t = done + 0.5 * step
        px, py, pz = x + SUN[0] * t, y + SUN[1] * t, z + SUN[2] * t
        fill = room(px, py, pz)
        some = fill > 0
        if some.any():
            depth[some] += step * density(px[some], py[some], pz[some], fill[some])
        done += step
        step *= 1.65
    depth *= EXTINCTION
    return 0.62 * np.exp(-depth) + 0.26 * np.exp(-0.28 * depth) + 0.12 * np.exp(-0.07 * depth)


def directions(width: int, height: int) -> np.ndarray:
    """Return the unit vector that each pixel looks along, (height, width, 3) float32."""
    reach = np.tan(FIELD_OF_VIEW / 2)
    right = (np.arange(width) + 0.5) / width * 2 - 1
    up = (1 - (np.arange(height) + 0.5) / height * 2) * (height / width)
    right, up = np.meshgrid(right * reach, up * reach)
    rays = np.stack(
        [
            right,
            up * np.cos(PITCH) + np.sin(PITCH),
            np.cos(PITCH) - up * np.sin(PITCH),
        ],
        axis=-1,
    )
    return (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)


def blue_sky(rays: np.ndarray) -> np.ndarray:
    """Return the colour of the clear sky along `rays`: pale at the horizon, deep blue above."""
    rise = np.clip(rays[..., 1], 0.001, 1)
    pale = np.exp(-4.6 * rise)[..., None]
    glow = 0.10 * np.clip(rays @ SUN * 0.5 + 0.5, 0, 1)[..., None] ** 3
    return ZENITH + (HORIZON - ZENITH) * pale + glow * HORIZON


def cirrus(rays: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return how much of the sky behind a veil of ice cloud is hidden, 0 to 1."""
    broad = smooth_noise(512, 4, rng, 0.5)
    threads = smooth_noise(1024, 7, rng, 0.62)
    distance = 8.5 / np.clip(rays[..., 1], 0.05, 1)
    x, z = rays[..., 0] * distance, rays[..., 2] * distance
    u, v = 0.83 * x + 0.55 * z, 0.83 * z - 0.55 * x  # the wind blows along u
    bend_u = look_up(broad, u / 60 + 0.2, v / 60 + 0.7)
    bend_v = look_up(broad, u / 45 + 0.6, v / 45 + 0.3)
    wisps = look_up(threads, u / 95 + 0.02 * bend_u, v / 26 + 0.035 * bend_v)
    where = look_up(broad, u / 80 + 0.45, v / 80 + 0.15)
    veil = smoothstep(-0.2, 2.6, wisps) * smoothstep(-0.5, 1.5, where)
    return 0.62 * veil * smoothstep(0.08, 0.3, rays[..., 1])


def march(
    rays: np.ndarray, room: Density, density: Density, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow `rays` (n, 3) through the clouds.

    Returns
    -------
    light : ndarray
        (n, 3) what the clouds on the way send towards the camera.
    clear : ndarray
        (n,) the part of the sky behind that still shines through.
    distance : ndarray
        (n,) how far away the cloud is, on average.
    """
    n = len(rays)
    light, clear = np.zeros((n, 3), np.float32), np.ones(n, np.float32)
    distance, seen = np.zeros(n, np.float32), np.full(n, 1e-6, np.float32)
    rise = np.maximum(rays[:, 1], 1e-4)
    t = (BASE - 0.04) / rise
    t *= 1 + 0.002 * rng.rand(n).astype(np.float32)  # no rings where all rays step alike
    last = np.minimum(TOP / rise, FARTHEST)
    going = np.flatnonzero(t < last)
    # Towards the sun, cloud droplets scatter forward: a silver lining.
    forward = 1 + 0.5 * np.clip(rays @ SUN, 0, 1) ** 6
    while len(going):
        step = 0.0033 * t[going] + 0.003
        x, y, z = (rays[going, i] * t[going] for i in range(3))
        fill = room(x, y, z)
        near = np.flatnonzero(fill > 0)
        if len(near):
            d = density(x[near], y[near], z[near], fill[near])
            hit = d > 0
            near, d = near[hit], d[hit]
        if len(near):
            which = going[near]
            px, py, pz = x[near], y[near], z[near]
            sun = sunlight(room, density, px, py, pz) * forward[which]
            height = np.clip((py - BASE) / (TOP - BASE), 0, 1)
            ambient = (0.34 + 0.62 * height) * (1 - 0.25 * d)
            colour = sun[:, None] * SUNLIGHT * 1.55 + ambient[:, None] * SKYLIGHT
            through = np.exp(-EXTINCTION * d * step[near])
            part = clear[which] * (1 - through)
            light[which] += part[:, None] * colour
            distance[which] += part * t[which]
            seen[which] += part
            clear[which] *= through
        # Where nothing is near, a longer stride does no harm.
        t[going] += step * np.where(fill > -0.25, 1.0, 3.0)
        going = going[(t[going] < last[going]) & (clear[going] > 0.01)]
    return light, clear, distance / seen


def draw(width: int = 1024, height: int = 575, seed: int = 3) -> np.ndarray:
    """Return the picture, (height, width, 3) uint8 RGB."""
    rng = np.random.RandomState(seed)
    room, density = cumulus(rng)
    rays = directions(width, height)
    sky = blue_sky(rays)
    veil = cirrus(rays, rng)[..., None]
    behind = sky + veil * (np.float32([0.86, 0.90, 0.95]) - sky)

    picture = np.empty((height, width, 3), np.float32)
    for row in range(0, height, 25):
        part = slice(row, row + 25)
        flat = rays[part].reshape(-1, 3)
        light, clear, distance = march(flat, room, density, rng)
        haze = 1 - np.exp(-((distance / 21.0) ** 1.6))[:, None]
        background = behind[part].reshape(-1, 3)
        cloud = light + haze * ((1 - clear)[:, None] * background - light)
        picture[part] = (cloud + clear[:, None] * background).reshape(picture[part].shape)

    # A film's shoulder, the sRGB curve, grain that is strongest in the middle tones.
    bent = picture * (1 + picture / 1.9) / (1 + picture * 1.02)
    coded = np.clip(bent, 0, 1) ** (1 / 2.2)
    grain = rng.normal(0, 1, (height, width, 1)) + 0.4 * rng.normal(0, 1, (height, width, 3))
    coded += 0.0065 * grain * (0.5 + 2 * coded * (1 - coded))
    return np.rint(np.clip(coded * 255, 0, 255)).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a summer sky from noise.")
    parser.add_argument("path", type=Path, help="where to write it, for example clouds.jpg")
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 575), metavar=("W", "H"))
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--quality", type=int, default=93, help="of the JPEG")
    arguments = parser.parse_args()
    picture = Image.fromarray(draw(*arguments.size, seed=arguments.seed))
    picture.save(arguments.path, quality=arguments.quality, optimize=True)
    print(f"{arguments.path}: {arguments.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
