#!/usr/bin/env python3
"""Make the films of docs/films.md, in docs/images/films.

    scripts/make_films.py            all three, some minutes
    scripts/make_films.py loop

What the last two show is what the commands in docs/films.md make, smaller; the first one is put
together of two.
"""

from __future__ import annotations

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from films.scenes import PHOTOS, pan, walk

import deepdream
from deepdream.films.frame import Frame
from deepdream.films.source import open_source
from deepdream.films.target import open_target

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images" / "films"
RATE = 12
QUALITY = 55
SEED = 7


def frames_of(path: Path) -> list[np.ndarray]:
    """Return the frames of a film."""
    return [frame.pixels for frame in open_source(path).frames()]


def write(name: str, frames: list[np.ndarray]) -> None:
    """Write frames as an animation, of few bytes."""
    path = FOLDER / f"{name}.webp"
    h, w = frames[0].shape[:2]
    with open_target(path, size=(h, w), rate=RATE, quality=QUALITY) as target:
        for number, pixels in enumerate(frames):
            target.add(Frame(pixels, Fraction(number, RATE), number))
    print(f"wrote {path.relative_to(ROOT)} ({path.stat().st_size // 1024} kB)")


def steady(net: Any, folder: Path) -> None:
    """Each frame by itself beside a film, one above the other."""
    frames = [shot.pixels for shot in walk(400, 225).shots(30)]
    made = []
    for carry in (0, None):
        out = folder / f"steady-{carry}"
        deepdream.film(net, frames, out, seed=SEED, carry=carry)
        made.append(frames_of(out))
    gap = np.full((4, 400, 3), 255, np.float32)
    write("steady", [np.concatenate([a, gap, b]) for a, b in zip(*made)])


def loop(net: Any, folder: Path) -> None:
    """A zoom that ends where it began."""
    out = folder / "loop"
    deepdream.film(net, PHOTOS / "lake.jpg", out, seed=SEED, size="400x225", frames=60, zoom=0.04,
                   turn=0.8, loop=True)  # fmt: skip
    write("loop", frames_of(out))


def keys(net: Any, folder: Path) -> None:
    """A pan on which one layer's dream turns into another's, and then goes."""
    frames = [shot.pixels for shot in pan(400, 225).shots(48)]
    rows = [
        {"frame": 0, "strength": 0, "end:block4/output": 1, "end:block10/output": 0},
        {"frame": 10, "strength": 1, "end:block4/output": 1, "end:block10/output": 0},
        {"frame": 26, "end:block4/output": 0, "end:block10/output": 1},
        {"frame": 36, "strength": 1},
        {"frame": 47, "strength": 0},
    ]
    out = folder / "keys"
    deepdream.film(net, frames, out, seed=SEED, keyframes=rows)
    write("keys", frames_of(out))


FILMS = {"steady": steady, "loop": loop, "keys": keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="*", metavar="FILM", help=f"{', '.join(FILMS)}; or all")
    chosen = parser.parse_args().films or [*FILMS]
    FOLDER.mkdir(parents=True, exist_ok=True)
    net = deepdream.load_net()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            FILMS[name](net, Path(folder))


if __name__ == "__main__":
    main()
