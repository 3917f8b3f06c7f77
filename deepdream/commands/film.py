"""``deepdream film``: a film, dreamt on steadily."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from .arguments import (
    chosen,
    cluster_arguments,
    command,
    dream_arguments,
    keywords,
    load_net,
    load_start,
    model_arguments,
    signature_defaults,
    stem_of,
)
from .film_arguments import camera_arguments, film_arguments, given_of, make

_TIME = re.compile(r"[\d:.]+")

_OPTIONS = ("flow", "carry", "first", "start", "until", "every", "fps", "size", "frames", "zoom",
            "turn", "shift", "ease", "loop", "keyframes", "quality", "sound", "seed")  # fmt: skip


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "film", run, "dream on a film, steadily, with its sound",
        "deepdream film CLIP.mp4                         # writes CLIP_dream.mp4; the same goes on",
        "deepdream film CLIP.mp4 -o dream.webm --size 640x --style creatures",
        "deepdream film CLIP.mp4 -o part.mp4 --start 0:10 --until 0:15 --every 2",
        "deepdream film CLIP.mp4 --cluster local         # its scenes side by side",
        "deepdream film PHOTO.jpg -o loop.gif --size 480x --frames 48 --turn 1 --zoom 0.02 --loop",
    )  # fmt: skip
    parser.add_argument(
        "source", metavar="FILM",
        help="a film, an animation, a folder of pictures; or a picture, for a camera to move in "
        "front of",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="OUT",
        help="the film to write, .mp4, .mov, .webm, .mkv, .gif, .webp or .png, or a folder for "
        "pictures (default: FILM's name with _dream.mp4, in this folder)",
    )  # fmt: skip
    defaults = signature_defaults("films.film", "film")
    group = film_arguments(parser)
    group.add_argument(
        "--flow", choices=("dis", "farneback", "none"), default="dis",
        help="how motion is found; none: the camera stands still (default: dis)",
    )  # fmt: skip
    group.add_argument("--start", metavar="TIME", help="begin there: seconds, or 1:02.5")
    group.add_argument("--until", metavar="TIME", help="end there; --end TIME is the same")
    group.add_argument(
        "--frames", type=int, metavar="N", help="so many at most; of a still 100 by default"
    )
    keywords(group, defaults, ("--every", int, "N", "take each n-th frame"))
    group.add_argument(
        "--no-sound", dest="sound", action="store_false", default=None, help="leave the sound out"
    )
    camera_arguments(parser).add_argument(
        "--zoom", type=float, metavar="SHARE",
        help="come nearer by so much of height and width from frame to frame, as 0.02",
    )  # fmt: skip
    cluster_arguments(parser, "the film's scenes, with --carry 0 its frames,")
    model_arguments(parser)
    dream_arguments(parser, without=("--width", "--height"))


def run(args: argparse.Namespace) -> int:
    """Make the film, or go on with it."""
    _part_times(args)
    source: Any = args.source
    if source.lower().startswith("noise:"):
        source = load_start(source, args.seed or 0)
    out = Path(args.out) if args.out else Path(f"{stem_of(args.source)}_dream.mp4")
    options = {**chosen(args), **given_of(args, *_OPTIONS)}
    net = load_net(args)
    from ..films.film import Filming
    from ..jobs.run import check_cluster

    check_cluster(args.cluster, None, args.shared)
    return make(args, Filming(net, source, out, **options), args.cluster, args.shared)


def _part_times(args: argparse.Namespace) -> None:
    """Let ``--end 0:15`` be a time, and ``--end block7/output`` a layer."""
    given = args.end if isinstance(args.end, list) else [args.end]
    times = [end for end in given if isinstance(end, str) and _TIME.fullmatch(end)]
    if times:
        args.until = times[-1]
        rest = [end for end in given if end not in times]
        args.end = (rest or None) if isinstance(args.end, list) else None
