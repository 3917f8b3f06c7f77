"""``deepdream dream``: one picture."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from .arguments import (
    chosen,
    command,
    dream_arguments,
    load_net,
    load_start,
    model_arguments,
    say,
    seed,
    stem_of,
)


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(commands, "dream", run, "dream on a picture")
    parser.add_argument(
        "image", metavar="IMAGE", help="any picture that Pillow reads, or noise:WIDTHxHEIGHT"
    )
    parser.add_argument(
        "-o", "--out", metavar="OUT",
        help="the picture to write, .png, .jpg, .tif or .webp (default: IMAGE's name with "
        "_dream.png, in this folder)",
    )  # fmt: skip
    parser.add_argument(
        "--depth", type=int, choices=(8, 16), default=8,
        help="bits per channel; 16 in .png and .tif (default: 8)",
    )  # fmt: skip
    model_arguments(parser)
    dream_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Dream, save, say what was written."""
    from .. import images
    from ..dreaming.dream import dream
    from ..progress import Bar

    began = time.monotonic()
    out = Path(args.out) if args.out else Path(f"{stem_of(args.image)}_dream.png")
    images.check_writable(out, args.depth)
    number = seed(args)
    img, keywords = load_start(args.image, number), chosen(args)
    net = load_net(args)
    say(args, f"network {net.name or args.model}, seed {number}")
    with Bar() as bar:
        picture = dream(net, img, seed=number, on_step=bar.step, **keywords)
    images.save_image(picture, out, depth=args.depth)
    stopped = bool(picture.recipe and picture.recipe.get("stopped"))
    h, w = picture.shape[:2]
    partly = ", stopped early: the picture so far" if stopped else ""
    print(f"wrote {out} ({w}x{h}, {time.monotonic() - began:.0f} s{partly})")
    return 130 if stopped else 0
