"""``deepdream dream``: one picture."""

from __future__ import annotations

import argparse
import itertools
import time
from contextlib import ExitStack
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
    parser = command(
        commands, "dream", run, "dream on a picture",
        "deepdream dream PHOTO.jpg                       # writes PHOTO_dream.png",
        "deepdream dream PHOTO.jpg -o less.jpg --strength 0.6 --keep-colors",
        "deepdream dream PHOTO.jpg --style cities        # 'deepdream styles' lists the styles",
        "deepdream dream PHOTO.jpg --end block7/output   # 'deepdream layers' lists the layers",
        "deepdream dream PHOTO.jpg --end block4/output --end 'block10/output*0.5'",
        "deepdream dream PHOTO.jpg --width 640           # smaller, and done sooner",
        "deepdream dream noise:1024x576 --style eyes     # a dream out of nothing",
    )  # fmt: skip
    parser.add_argument(
        "image", metavar="IMAGE",
        help="the picture to dream on: JPEG, PNG, TIFF, WebP and others; or noise:1024x576",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="OUT",
        help="the picture to write, .png, .jpg, .tif or .webp (default: IMAGE's name with "
        "_dream.png, in this folder; with _dream_2.png where that is there, and so on)",
    )  # fmt: skip
    parser.add_argument(
        "--depth", type=int, choices=(8, 16), default=8,
        help="bits per channel; 16 in .png and .tif (default: 8)",
    )  # fmt: skip
    parser.add_argument(
        "--show", action="store_true",
        help="show the picture as it grows, on a terminal that can draw (kitty, iTerm2, sixel)",
    )  # fmt: skip
    parser.add_argument(
        "--preview", metavar="FILE",
        help="write the picture so far to FILE, .png or .jpg, again and again, for an image viewer "
        "to watch; shrunk to 1000 pixels, and left there at the end",
    )  # fmt: skip
    model_arguments(parser)
    dream_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Dream, save, say what was written."""
    from .. import images
    from ..dreaming.dream import dream
    from ..dreaming.parameters import wanted_size
    from ..preview_file import PreviewFile, check_preview
    from ..progress import Bar
    from ..terminal import find_screen
    from ..terminal_picture import TerminalPicture

    began = time.monotonic()
    out = Path(args.out) if args.out else _unused(f"{stem_of(args.image)}_dream")
    images.check_writable(out, args.depth)
    if args.preview:
        check_preview(args.preview, [args.image, *(args.guide or []), *(args.mask or []), out])
    screen = find_screen() if args.show else None
    number = seed(args)
    img, keywords = load_start(args.image, number), chosen(args)
    net = load_net(args)
    say(args, f"network {net.name or args.model}, seed {number}")
    size = wanted_size(img.shape[:2], args.width, args.height)
    with ExitStack() as stack:
        watchers: list[Any] = [stack.enter_context(Bar())]
        if screen:
            watchers.append(stack.enter_context(TerminalPicture(screen, size)))
        if args.preview:
            watchers.append(PreviewFile(args.preview, size))

        def on_step(step: Any) -> None:
            for watcher in watchers:
                watcher.step(step)

        picture = dream(net, img, seed=number, on_step=on_step, **keywords)
        for watcher in watchers[1:]:
            watcher.done(picture)
    images.save_image(picture, out, depth=args.depth)
    stopped = bool(picture.recipe and picture.recipe.get("stopped"))
    h, w = picture.shape[:2]
    partly = ", stopped early: the picture so far" if stopped else ""
    print(f"wrote {out} ({w}x{h}, {time.monotonic() - began:.0f} s{partly})")
    return 130 if stopped else 0


def _unused(stem: str) -> Path:
    """Return a name that no file has: the seed of the dream before is in its file alone."""
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := Path(f"{name}.png")).exists())
