"""``deepdream zoom``: a film, or a folder of frames."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..files import FILMS, MOVING, check_folder
from .arguments import (
    chosen,
    command,
    dream_arguments,
    keywords,
    load_net,
    load_start,
    model_arguments,
    signature_defaults,
)
from .film_arguments import camera_arguments, film_arguments, given_of, make


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "zoom", run, "dream on dreams, zooming in: a film, or a folder of frames",
        "deepdream zoom PHOTO.jpg -o zoom.mp4            # go on after Ctrl-C by the same",
        "deepdream zoom PHOTO.jpg -o zoom.gif --size 480x --frames 60 --turn 1 --loop",
        "deepdream zoom PHOTO.jpg -o frames --frames 30 --scale 0.03 --style eyes",
    )  # fmt: skip
    parser.add_argument(
        "image", metavar="IMAGE", help="the picture to begin with, or noise:1024x576"
    )
    parser.add_argument(
        "-o", "--out", metavar="OUT", required=True,
        help="the film, .mp4, .mov, .webm, .mkv, .gif or .webp; or a folder for the frames, "
        "0000.png, 0001.png ...; what was interrupted goes on",
    )  # fmt: skip
    keywords(
        parser,
        signature_defaults("dreaming.frames", "zoom"),
        ("--frames", int, "N", "how many frames"),
        ("--scale", float, "S", "share of height and width cut off between frames"),
    )
    parser.add_argument(
        "--format",
        choices=("png", "jpg"),
        help="of the frames in a folder (default: png)",
    )
    parser.add_argument(
        "--depth", type=int, choices=(8, 16),
        help="bits per channel of the frames in a folder; 16 in png (default: 8)",
    )  # fmt: skip
    film_arguments(parser)
    camera_arguments(parser)
    model_arguments(parser)
    dream_arguments(parser, without=("--width", "--height"))


def run(args: argparse.Namespace) -> int:
    """Make a film, or a folder of frames, as the name says."""
    film = Path(args.out).suffix.lower() in FILMS | MOVING and not Path(args.out).is_dir()
    return _film(args) if film else _folder(args)


_OF_FOLDERS = ("format", "depth")
_OF_FILMS = ("carry", "turn", "shift", "ease", "loop", "keyframes", "fps", "size", "quality")


def _film(args: argparse.Namespace) -> int:
    for name in given_of(args, *_OF_FOLDERS):
        raise ParameterError(f"--{name} is for the frames in a folder, and '{args.out}' is a film: "
                             "leave it out, or name a folder")  # fmt: skip
    img = load_start(args.image, args.seed or 0)
    options = {**chosen(args), **given_of(args, "first", "frames", "seed", *_OF_FILMS)}
    net = load_net(args)
    from ..films.film import Filming

    return make(args, Filming(net, img, args.out, zoom=args.scale, **options))


def _folder(args: argparse.Namespace) -> int:
    """Write frames until all are there, or until Ctrl-C."""
    for name in given_of(args, *_OF_FILMS):
        raise ParameterError(f"--{name} is for films, and '{args.out}' is a folder: name a film, "
                             f"as {args.out}.mp4")  # fmt: skip
    suffix = f".{args.format or 'png'}"
    check_folder(args.out, suffix)
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
                net, img, folder, frames=args.frames, scale=args.scale, suffix=suffix,
                depth=args.depth or 8, first=args.first, seed=args.seed, on_step=bar.step,
                **keywords,
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
