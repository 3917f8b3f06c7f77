#!/usr/bin/env python3
"""Measure what styles cost and what they do: time, grain, edges, colours, prints.

    scripts/measure_styles.py            everything, some minutes; quiet, please
    scripts/measure_styles.py --rounds 3 --photos lake --only looks

Prints tables in Markdown, for docs/styles.md. Times are ratios: in each round both are taken one
after the other, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import scipy.ndimage as nd

import deepdream
from deepdream.dreaming.ascent.ascent import Ascent, Push, Settled
from deepdream.dreaming.ascent.plan_source import PlanSource, plan_for
from deepdream.dreaming.ascent.pulls import Pull
from deepdream.dreaming.dream2015 import input_mean
from deepdream.dreaming.objectives.functions import objective_L2
from deepdream.dreaming.pictures.borders import canvas_for
from deepdream.dreaming.pictures.looks import Move
from deepdream.dreaming.pictures.octaves import Bases
from deepdream.picture import resized

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SIZE = (575, 1024)
WINDOW = 48  # pixels of a side: what is looked at when flat places are asked for
FLAT = 3.0  # grey levels: standard deviation from a slope, in what counts as flat


def photo(name, size=None):
    img = deepdream.load_image(PHOTOS / f"{name}.jpg")
    return img if size is None else resized(img, size)


# -- time -----------------------------------------------------------------------------------------

STEPS = {
    "plain": (Settled(), Push()),
    "smooth=1.5": (Settled(), Push(smooth=1.5)),
    'normalize="std"': (Settled(normalize="std"), Push()),
    'normalize="laplacian"': (Settled(normalize="laplacian"), Push()),
}


def steps(net, rounds):
    """Print what a step costs beside a plain one, at 1024x575."""
    end, img = net.model.end, photo("lake", SIZE)
    planner = plan_for(net, end, "float32")
    canvas = canvas_for(SIZE, "roll", 32, None)
    ascents = {}
    for name, (settled, push) in STEPS.items():
        source = PlanSource(planner, [canvas], [Pull(end, objective_L2)], limit=1 << 40)
        bases = Bases(source.ops, img, input_mean(net), [SIZE])
        ascents[name] = Ascent(source, bases, [canvas], input_mean(net), settled), push
        ascents[name][0].begin(0)
    rng = np.random.RandomState(0)
    ratios = {name: [] for name in STEPS}
    for number in range(rounds + 1):
        took = {}
        order = [*STEPS]
        order = order[number % len(order) :] + order[: number % len(order)]
        for name in order:
            ascent, push = ascents[name]
            start = time.perf_counter()
            for _ in range(3):
                ascent.step(Move(*map(int, rng.randint(-32, 33, 2))), push)
            took[name] = time.perf_counter() - start
        if number:  # the first one compiles
            for name in STEPS:
                ratios[name].append(took[name] / took["plain"])
    print("| a step at 1024x575 | / plain |\n| --- | ---: |")
    for name in [*STEPS][1:]:
        print(f"| `{name}` | {median(ratios[name]):.3f} |")
    print()


def dreams(net, rounds):
    """Print what whole dreams cost: a style beside the notebook's, the last touches beside none."""
    img = photo("lake", SIZE)
    mask = np.linspace(0, 1, SIZE[0] * SIZE[1]).reshape(SIZE)
    usual = net.model.style
    pairs = {
        f"style `{usual}` / style `2015`": ({}, {"style": "2015"}),
        "`mask`, `keep_colors`, `strength` / none, style `2015`": (
            {"style": "2015", "mask": mask, "keep_colors": True, "strength": 0.8},
            {"style": "2015"},
        ),
    }
    print("| a whole dream of 1024x575 | ratio |\n| --- | ---: |")
    for name, (one, other) in pairs.items():
        ratios = []
        for number in range(rounds + 1):
            took = {}
            for which in ((0, 1), (1, 0))[number % 2]:
                start = time.perf_counter()
                deepdream.dream(net, img, seed=1, progress=False, **(one, other)[which])
                took[which] = time.perf_counter() - start
            if number:
                ratios.append(took[0] / took[1])
        print(f"| {name} | {median(ratios):.3f} |")
    print()


# -- what one sees --------------------------------------------------------------------------------


def flat_places(img):
    """Yield the corners of windows in which a photograph has no more than a slope."""
    grey = np.asarray(img).mean(-1)
    n = WINDOW
    i, j = np.mgrid[:n, :n].reshape(2, -1)
    plane = np.c_[i, j, np.ones(n * n)]
    for top in range(0, grey.shape[0] - n + 1, n):
        for left in range(0, grey.shape[1] - n + 1, n):
            values = grey[top : top + n, left : left + n].ravel()
            rest = values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
            if rest.std() < FLAT and 8 < values.mean() < 247:
                yield top, left


def grain(img, places):
    """Return the energy of waves of 2 to 4 pixels in some windows."""
    n = WINDOW
    hann = np.outer(np.hanning(n), np.hanning(n))[..., None]
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n)))
    band = (waves >= 1 / 4) & (waves <= 1 / 2)
    total = 0.0
    for top, left in places:
        window = np.asarray(img, float)[top : top + n, left : left + n]
        window = (window - window.mean((0, 1))) * hann
        total += (np.abs(np.fft.fft2(window, axes=(0, 1)))[band] ** 2).sum()
    return total / max(1, len(places))


INSET = 96  # pixels that are cut off around a part


def edges(net, img, **how):
    """Return a part's outer 16 pixels / the same pixels inside the whole: of the change, by band.

    What is photographed at an edge differs from what is in the middle, so that only the same pixels
    can be compared: those of a part that is dreamt by itself, and of the whole picture.
    """
    found, n = {}, INSET
    inner = np.ascontiguousarray(np.asarray(img)[n:-n, n:-n])
    part = np.asarray(deepdream.dream(net, inner, seed=1, progress=False, **how)) - inner
    whole = np.asarray(deepdream.dream(net, img, seed=1, progress=False, **how)) - np.asarray(img)
    h, w = part.shape[:2]
    i, j = np.mgrid[:h, :w]
    outer = np.minimum.reduce([i, j, h - 1 - i, w - 1 - j]) < 16
    pairs = [part, whole[n:-n, n:-n]]
    found["mean change"] = np.abs(pairs[0][outer]).mean() / np.abs(pairs[1][outer]).mean()
    blurred = []
    for change, cut in ((part, slice(None)), (whole, slice(n, -n))):
        scales = [
            change,
            *(nd.gaussian_filter(change, (s, s, 0), mode="nearest") for s in (1, 2, 4)),
        ]
        blurred.append([x[cut, cut] for x in scales])
    for k, name in enumerate(("2 to 4", "4 to 8", "8 to 16")):
        energy = [((x[k] - x[k + 1])[outer] ** 2).mean() for x in blurred]
        found[f"{name} pixels"] = energy[0] / energy[1]
    return found


def chroma(img, places):
    """Return the standard deviation of the chroma in some windows, in CIELAB's units."""
    light = np.asarray(img, float) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    xyz = light @ to_xyz.T / (0.95047, 1, 1.08883)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    a, b = 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])
    c = np.hypot(a, b)
    n = WINDOW
    return float(np.mean([c[i : i + n, j : j + n].std() for i, j in places]))


def looks(net, names):
    """Print grain and colours, for each photograph."""
    print("| photograph | flat windows | grain, default / `2015` | chroma deviation: photograph | "
          "with `keep_colors` | without |\n| --- | ---: | ---: | ---: | ---: | ---: |")  # fmt: skip
    for name in names:
        img = photo(name)
        places = [*flat_places(img)]
        made = {
            kind: deepdream.dream(net, img, seed=1, progress=False, **how)
            for kind, how in (
                ("default", {}),
                ("2015", {"style": "2015"}),
                ("kept", {"keep_colors": True}),
                ("free", {"keep_colors": False}),
            )
        }
        if len(places) >= 4:
            deviation = [chroma(x, places) for x in (img, made["kept"], made["free"])]
            print(f"| {name} | {len(places)} | "
                  f"{grain(made['default'], places) / grain(made['2015'], places):.2f} | "
                  + " | ".join(f"{value:.2f}" for value in deviation) + " |")  # fmt: skip
    print()


def frames(net, names):
    """Print what a picture's edges are like, beside the same pixels where they are none."""
    by_border = {}
    for name in names:
        for border in ("reflect", "roll"):
            for band, value in edges(net, photo(name), border=border).items():
                by_border.setdefault(border, {}).setdefault(band, []).append(value)
    bands = [*by_border["reflect"]]
    print(f"| outer 16 pixels / the same inside | {' | '.join(bands)} |\n"
          f"| --- | {' | '.join(['---:'] * len(bands))} |")  # fmt: skip
    for border, measured in by_border.items():
        means = [np.exp(np.mean(np.log(measured[band]))) for band in bands]
        print(f'| `border="{border}"` | {" | ".join(f"{value:.2f}" for value in means)} |')
    print()


def prints(net, names):
    """Print how much of a small dream a larger one shows, after shrinking."""
    print("| from 512 to 2048 pixels | correlation of the pictures | of the changes |\n"
          "| --- | ---: | ---: |")  # fmt: skip
    for name in names:
        img = photo(name)
        small = deepdream.dream(net, img, width=512, seed=1, progress=False)
        h, w = small.shape[:2]
        large = deepdream.dream(net, img, width=4 * w, compose=(w, h), seed=1, progress=False)
        shrunk, start = (np.asarray(resized(x, (h, w))) for x in (large, img))
        pair = np.asarray(small), shrunk
        found = [np.corrcoef(*(x.ravel() - y for x in pair))[0, 1] for y in (0, start.ravel())]
        print(f"| {name} | {found[0]:.3f} | {found[1]:.3f} |")
    print()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="of each time (default: 9)")
    every = sorted(path.stem for path in PHOTOS.glob("*.jpg"))
    parser.add_argument("--photos", default=",".join(every), help="by name, with commas")
    parser.add_argument(
        "--only", choices=("steps", "dreams", "looks", "frames", "prints"), help="one of the tables"
    )
    args = parser.parse_args()
    net = deepdream.load_net()
    if args.only in (None, "steps"):
        steps(net, args.rounds)
    if args.only in (None, "dreams"):
        dreams(net, args.rounds)
    if args.only in (None, "looks"):
        looks(net, args.photos.split(","))
    if args.only in (None, "frames"):
        frames(net, args.photos.split(","))
    if args.only in (None, "prints"):
        prints(net, args.photos.split(",")[:3])


if __name__ == "__main__":
    main()
