#!/usr/bin/env python3
"""Make the pictures of README and docs from the photographs in examples/photos.

    scripts/make_pictures.py                  all of them, in docs/images; half an hour
    scripts/make_pictures.py --only cookbook  one group: first, further, pairs, styles, cookbook,
                                              objectives, choice, classes or units

Every picture is dreamt by the bundled network with the seed 1 (of noise: 0), by the parameters that
stand beside it here and in the text.
"""

from __future__ import annotations

import argparse
import io
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as nd
from PIL import Image, ImageDraw, ImageFont

import deepdream
from deepdream import objectives as o
from deepdream.dreaming.styles import STYLES as ALL_STYLES
from deepdream.dreaming.visualize import STYLE, diverse
from deepdream.picture import Picture, resized

STYLES = {name: style for name, style in ALL_STYLES.items() if name != STYLE}  # of photographs

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "examples" / "photos"
IMAGES = ROOT / "docs" / "images"
SEED = 1

GAP = 12  # pixels around and between pictures
PAPER, INK, FAINT = (250, 250, 248), (30, 30, 30), (110, 110, 110)

# Photographs and what they are dreamt with; docs/styles.md shows them all.
PAIRS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lake", {}),
    ("street", {"style": "cities"}),
    ("waves", {"style": "cities"}),
    ("osprey", {"style": "cities"}),
    ("colosseum", {"style": "eyes"}),
    ("night", {"style": "creatures"}),
    ("citrus", {}),
    ("clouds", {"style": "cities"}),
    ("cat", {"style": "ornament"}),
    ("astronaut", {"style": "strokes"}),
    ("self-portrait", {}),
    ("dogs", {"style": "cities"}),
)


@cache
def net() -> Any:
    return deepdream.load_net()


@cache
def photo(name: str) -> Picture:
    return deepdream.load_image(PHOTOS / f"{name}.jpg")


def dreamt(img: Any, **how: Any) -> Picture:
    how.setdefault("seed", SEED)
    return deepdream.dream(net(), img, progress=False, **how)


# -- laying out -----------------------------------------------------------------------------------


def levels(picture: Any) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(np.asarray(picture)), 0, 255).astype(np.uint8))


def narrowed(picture: Any, width: int) -> Image.Image:
    image = levels(picture)
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def sheet(rows: list[list[tuple[Image.Image, str]]], size: int = 15) -> Image.Image:
    """Return pictures in rows, each with its caption below; in a row all are equally high."""
    caption = size + 8 if any(words for row in rows for _, words in row) else 0
    width = max(sum(image.width + GAP for image, _ in row) for row in rows) + GAP
    height = sum(max(image.height for image, _ in row) + caption + GAP for row in rows) + GAP
    paper = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(paper)
    top = GAP
    for row in rows:
        left = GAP
        for image, words in row:
            paper.paste(image, (left, top))
            ink = FAINT if words == "photograph" else INK
            draw.text((left, top + image.height + 4), words, ink, ImageFont.load_default(size))
            left += image.width + GAP
        top += max(image.height for image, _ in row) + caption + GAP
    return paper


def write(image: Image.Image, name: str, most: int = 190_000) -> None:
    """Write a JPEG of no more bytes than `most`."""
    path = IMAGES / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in range(92, 60, -3):
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=quality, optimize=True, subsampling=0)
        if encoded.tell() <= most:
            break
    path.write_bytes(encoded.getvalue())
    print(f"wrote {path.relative_to(ROOT)} ({image.width}x{image.height}, quality {quality})")
    sys.stdout.flush()


def strip(name: str, cells: list[tuple[Any, str]], width: int, columns: int = 0) -> None:
    """Write pictures side by side, or in rows of `columns`."""
    made = [(narrowed(picture, width), words) for picture, words in cells]
    columns = columns or len(made)
    write(sheet([made[i : i + columns] for i in range(0, len(made), columns)]), name)


# -- groups ---------------------------------------------------------------------------------------


def first() -> None:
    """README's first picture: a photograph and its dream."""
    img = photo("lake")
    made = sheet([[(narrowed(img, 620), ""), (narrowed(dreamt(img), 620), "")]])
    write(made.crop((GAP, GAP, made.width - GAP, made.height - GAP)), "lake")


def further() -> None:
    """README's second picture: a frame of a zoom into the dream, and a dream guided by flowers."""
    h, w = photo("lake").shape[:2]
    img = resized(photo("lake"), (round(h * 820 / w), 820))
    *_, frame = deepdream.zoom(net(), img, 13, seed=SEED, progress=False)
    flowers = deepdream.load_image(ROOT / "examples" / "flowers.jpg")
    petals = dreamt(img, guide=flowers, end="block9/output", keep_colors=False)
    made = sheet([[(narrowed(frame, 620), ""), (narrowed(petals, 620), "")]])
    write(made.crop((GAP, GAP, made.width - GAP, made.height - GAP)), "further")


def pairs() -> None:
    """Twelve photographs and their dreams."""
    for name, how in PAIRS:
        img = photo(name)
        width = 500 if img.shape[1] >= img.shape[0] else 330
        made = sheet([[(narrowed(img, width), ""), (narrowed(dreamt(img, **how), width), "")]])
        write(made.crop((GAP, GAP, made.width - GAP, made.height - GAP)), f"pairs/{name}", 110_000)


def styles() -> None:
    """One photograph in every style, and each style on three others."""
    img = photo("colosseum")
    cells = [(img, "photograph"), *((dreamt(img, style=name), name) for name in STYLES)]
    strip("styles", cells, 330, 4)
    for name in STYLES:
        made = [(dreamt(photo(p), style=name), "") for p in ("lake", "cat", "street")]
        row = [(narrowed(p, round(230 * p.shape[1] / p.shape[0])), words)
               for p, words in made]  # fmt: skip
        whole = sheet([row])
        write(whole.crop((GAP, GAP, whole.width - GAP, whole.height - GAP)), f"styles/{name}",
              90_000)  # fmt: skip


def cookbook() -> None:
    """A picture for every option."""
    lake, portrait, rome = photo("lake"), photo("astronaut"), photo("colosseum")
    full = dreamt(lake)
    blend = {s: dreamt(lake, strength=s) for s in (0.5, 1.5)}
    strip("cookbook/strength", [
        (lake, "photograph"), (blend[0.5], "strength=0.5"), (full, "strength=1"),
        (blend[1.5], "strength=1.5"),
    ], 320)  # fmt: skip
    strip("cookbook/steps", [(dreamt(lake, iter_n=n), f"iter_n={n}") for n in ((8, 3), (32, 8),
                             (90, 20))], 430)  # fmt: skip
    strip("cookbook/colors", [(dreamt(rome, keep_colors=k), f"keep_colors={k:g}")
                              for k in (0, 0.6, 1)], 430)  # fmt: skip
    sky = sky_of(lake)
    strip("cookbook/sky", [(255 * np.repeat(sky[..., None], 3, 2), "mask"),
                           (dreamt(lake, mask=sky, style="creatures"), "mask=sky"),
                           (dreamt(lake, mask=1 - sky), "mask=1 - sky")], 430)  # fmt: skip
    around = all_but_the_face(portrait)
    strip("cookbook/portrait", [
        (portrait, "photograph"),
        (dreamt(portrait, style="subtle"), 'style="subtle"'),
        (dreamt(portrait, mask=around), "mask: all but the face"),
        (dreamt(portrait, style="strokes"), 'style="strokes"'),
    ], 320)  # fmt: skip
    counts = (2, 4, "all")
    strip("cookbook/octaves", [(dreamt(rome, octave_n=n), f"octave_n={n!r}") for n in counts], 430)
    close = (slice(0, 260), slice(560, 990))
    plain = {"normalize": "mean", "keep_colors": False, "step_size": 1.5}
    strip("cookbook/smooth", [(dreamt(lake, smooth=s, **plain)[close], f"smooth={s:g}")
                              for s in (0, 1, 2)], 430)  # fmt: skip
    how = {"mean": 1.5, "std": (2.5, 1.5), "laplacian": (1.2, 0.8)}
    strip("cookbook/normalize", [
        (dreamt(rome, normalize=n, step_size=s, keep_colors=False, smooth=1.0),
         f'normalize="{n}", step_size={s}') for n, s in how.items()
    ], 430)  # fmt: skip
    corner = (slice(0, 130), slice(0, 215))
    strip("cookbook/border", [
        (levels(dreamt(photo("street"), style="2015", border=b)[corner])
         .resize((430, 260), 0), f'border="{b}"') for b in ("roll", "reflect", "edge")
    ], 430)  # fmt: skip
    size = (576, 1024)
    blank = deepdream.noise(*size, seed=4)
    strip("cookbook/noise", [(blank, "noise"), *(
        (dreamt(blank, style=s, keep_colors=False, iter_n=(60, 16)), f'style="{s}"')
        for s in ("animals", "creatures", "cities"))], 320)  # fmt: skip
    free = {"keep_colors": False, "iter_n": (60, 16)}
    strip("cookbook/priors", [
        (dreamt(blank, **free), "none"), (dreamt(blank, blur=0.4, **free), "blur=0.4"),
        (dreamt(blank, tv=0.15, **free), "tv=0.15"), (dreamt(lake, l2=0.02), "l2=0.02"),
    ], 320)  # fmt: skip
    turned = {"rotate": 12, "rescale": 0.15, "flip": True}
    strip("cookbook/transforms", [
        (dreamt(blank, **free), "none"), (dreamt(blank, **free, **turned),
        "rotate=12, rescale=0.15, flip=True"),
    ], 620)  # fmt: skip
    strip("cookbook/schedules", [
        (dreamt(rome, step_size=s), f"step_size={s}") for s in ((4, 0.5), (2.5, 1.5), (0.5, 4))
    ], 430)  # fmt: skip
    flowers = deepdream.load_image(ROOT / "examples" / "flowers.jpg")
    guided = {"guide": flowers, "end": "block4/output", "keep_colors": False}
    strip("cookbook/guide", [(flowers, "guide"), (dreamt(photo("clouds"), **guided),
                             "guide=flowers")], 430)  # fmt: skip
    prints(lake)


def prints(img: Picture) -> None:
    """The same dream at 512 and at 2048 pixels, and a close look at both."""
    h, w = img.shape[:2]
    small = dreamt(img, width=512)
    large = dreamt(img, width=2048, compose=(512, round(512 * h / w)))
    part = (slice(80, 180), slice(230, 440))
    near = tuple(slice(4 * axis.start, 4 * axis.stop) for axis in part)
    enlarged = levels(small[part]).resize((430, 205), Image.Resampling.LANCZOS)
    made = [
        (narrowed(small, 430), "width=512"),
        (enlarged, "width=512, enlarged"),
        (levels(large[near]).resize((430, 205), Image.Resampling.LANCZOS),
         "rerun --width 2048"),
    ]  # fmt: skip
    write(sheet([made]), "cookbook/print")


def sky_of(img: Picture) -> np.ndarray:
    """Return a mask of the lake's sky: what is above the mountains' outline, with a soft edge."""
    red, _, blue = np.moveaxis(np.asarray(img), 2, 0)
    above = nd.gaussian_filter(blue - red, 3) > 35
    above &= np.arange(img.shape[0])[:, None] < 0.45 * img.shape[0]
    return nd.gaussian_filter(nd.binary_opening(above, iterations=4).astype(np.float32), 3)


def all_but_the_face(img: Picture) -> np.ndarray:
    """Return a mask that leaves an ellipse around the astronaut's face alone."""
    h, w = img.shape[:2]
    i, j = np.mgrid[:h, :w]
    away = np.hypot((i - 0.22 * h) / (0.17 * h), (j - 0.44 * w) / (0.13 * w))
    return np.clip((away - 0.9) / 0.4, 0, 1).astype(np.float32)


def choice() -> None:
    """The sheets by which the styles were chosen."""
    lake, face = photo("lake"), photo("astronaut")
    base = {"style": "2015"}
    steps = {
        "2015": base,
        "octave_n='all'": {**base, "octave_n": "all"},
        "and iter_n=20": {**base, "octave_n": "all", "iter_n": 20},
        "and smooth=1.5, border='reflect'": {**base, "octave_n": "all", "iter_n": 20,
                                              "smooth": 1.5, "border": "reflect"},
    }  # fmt: skip
    made = [[(narrowed(dreamt(img, **how), 330), words) for words, how in steps.items()]
            for img in (lake, photo("street"))]  # fmt: skip
    write(sheet(made), "choice/octaves")
    ways = {
        "mean, iter_n=20": {"normalize": "mean", "step_size": 1.5, "iter_n": 20},
        "mean, iter_n=(32, 8)": {"normalize": "mean", "step_size": (2.0, 1.0)},
        "std, iter_n=(32, 8)": {},
        "laplacian, iter_n=(32, 8)": {"normalize": "laplacian", "step_size": (1.2, 0.7)},
    }
    made = [[(narrowed(dreamt(img, keep_colors=0.6, **how), 330), words)
             for words, how in ways.items()] for img in (lake, face)]  # fmt: skip
    write(sheet(made), "choice/directions")
    made = [[(narrowed(dreamt(img, keep_colors=k), 260), f"keep_colors={k:g}")
             for k in (0, 0.3, 0.6, 0.8, 1)] for img in (lake, face)]  # fmt: skip
    write(sheet(made), "choice/colors")
    ends = [f"block{n}/output" for n in range(2, 15)]
    cells = [(narrowed(dreamt(lake, end=end), 260), end.partition("/")[0]) for end in ends]
    write(sheet([cells[i : i + 5] for i in range(0, len(cells), 5)]), "choice/layers")
    names = [name for name, _ in PAIRS]
    made = []
    for name in names:
        img = photo(name)
        small = resized(img, (round(img.shape[0] * 640 / max(img.shape)),
                              round(img.shape[1] * 640 / max(img.shape))))  # fmt: skip
        row = [(small, name), *((dreamt(small, style=s), s) for s in STYLES)]
        made.append([(narrowed(p, round(84 * p.shape[1] / p.shape[0])), words) for p, words in row])
    half = len(made) // 2
    for part, rows in (("a", made[:half]), ("b", made[half:])):
        write(sheet(rows, 12), f"choice/all-{part}")


def objectives() -> None:
    """Terms that add up: two layers, each alone and together; with masks, and with classes."""
    img = photo("lake")
    h, w = img.shape[:2]
    left = np.tile(np.clip((0.55 - np.arange(w) / w) / 0.1, 0, 1), (h, 1))
    low, high = o.layer("block4/output"), o.layer("block10/output")
    cells: list[tuple[str, dict[str, Any]]] = [
        ("block4/output", {"objective": low}),
        ("block4/output + block10/output", {"objective": low + high}),
        ("block10/output", {"objective": high}),
        ("block4 on the left, block10 on the right",
         {"objective": low.where(left) + high.where(1 - left)}),
        ("block10/output + castle", {"objective": high + o.label("castle")}),
        ("block10/output - 0.7 dog", {"objective": high - 0.7 * o.label("dog")}),
    ]  # fmt: skip
    made = [(dreamt(img, width=448, **how), words) for words, how in cells]
    strip("objectives", made, 448, 3)


# What a person names without being told, most of the time; docs/visualize.md says which not.
CLASSES = ("hen", "flamingo", "jellyfish", "volcano", "goldfish", "parachute", "banana",
           "pineapple", "lighthouse", "ladybug", "snail", "hummingbird")  # fmt: skip


def classes() -> None:
    """Classes of the bundled network, out of noise."""
    made = [(deepdream.visualize(net(), f"class:{name}", progress=False), name) for name in CLASSES]
    strip("visualize/classes", made, 256, 4)


def units() -> None:
    """Channels of a layer, and several pictures of one class, each unlike those before."""
    channels = (3, 24, 51, 78)
    cells = [
        (deepdream.visualize(net(), o.channel("block10/output", c), progress=False), f"channel {c}")
        for c in channels
    ]
    strip("visualize/channels", cells, 256)
    several = diverse(net(), "class:flamingo", 3, progress=False)
    cells = [(picture, f"flamingo, {n}") for n, picture in enumerate(several, 1)]
    strip("visualize/diversity", cells, 256)


GROUPS = {
    "first": first,
    "further": further,
    "pairs": pairs,
    "styles": styles,
    "cookbook": cookbook,
    "objectives": objectives,
    "choice": choice,
    "classes": classes,
    "units": units,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=GROUPS, help="one group")
    args = parser.parse_args()
    for name, make in GROUPS.items():
        if args.only in (None, name):
            make()


if __name__ == "__main__":
    main()
