"""``deepdream zoom``: a folder of frames."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from .arguments import (
    chosen,
    command,
    dream_arguments,
    keywords,
    load_net,
    load_start,
    model_arguments,
    number,
    signature_defaults,
)


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "zoom", run, "dream on dreams, zooming in: a folder of frames, for a film",
        "deepdream zoom PHOTO.jpg -o frames              # go on after Ctrl-C by the same",
        "deepdream zoom PHOTO.jpg -o frames --frames 30 --scale 0.03 --style eyes",
    )  # fmt: skip
    parser.add_argument(
        "image", metavar="IMAGE", help="the picture to begin with, or noise:1024x576"
    )
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", required=True,
        help="the folder for the frames, 0000.png, 0001.png ...; one that was interrupted goes on",
    )  # fmt: skip
    keywords(
        parser,
        signature_defaults("dreaming.frames", "zoom"),
        ("--frames", int, "N", "how many frames"),
        ("--scale", float, "S", "share of height and width cut off between frames"),
    )
    parser.add_argument(
        "--first", type=number(whole=True), metavar="N",
        help="steps per octave of the first frame (default: the style's)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("png", "jpg"), default="png", help="of the frames (default: png)"
    )
    parser.add_argument(
        "--depth", type=int, choices=(8, 16), default=8,
        help="bits per channel of the frames; 16 in png (default: 8)",
    )  # fmt: skip
    model_arguments(parser)
    dream_arguments(parser, without=("--width", "--height"))


def run(args: argparse.Namespace) -> int:
    """Write frames until all are there, or until Ctrl-C."""
    from ..files import check_folder

    check_folder(args.out, f".{args.format}")
    from ..dreaming.frames import write_zoom
    from ..progress import Bar

    began = time.monotonic()
    if args.frames < 1:
        raise ParameterError(f"--frames is {args.frames}: 1 or more is expected")
    img, keywords = load_start(args.image, args.seed or 0), chosen(args)
    net = load_net(args)
    folder = Path(args.out)
    count = 0
    with Bar(args.frames) as bar:
        try:
            for path, _ in write_zoom(
                net, img, folder, frames=args.frames, scale=args.scale, suffix=f".{args.format}",
                depth=args.depth, first=args.first, seed=args.seed, on_step=bar.step, **keywords,
            ):  # fmt: skip
                count += 1
                bar.frame(path)
        except KeyboardInterrupt:
            bar.close()
            print(f"stopped: {count} frames written to {folder}; the same command goes on there")
            return 130
    if not count:
        print(f"{folder} has {args.frames} frames already: more of them, as by --frames "
              f"{args.frames + 100}, go on there")  # fmt: skip
        return 0
    print(f"wrote {count} frames to {folder} ({time.monotonic() - began:.0f} s)")
    return 0
