"""``deepdream visualize``: what a network has learnt, out of noise."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import DeepDreamError, ParameterError
from .arguments import (
    chosen,
    cluster_arguments,
    command,
    dream_arguments,
    load_net,
    model_arguments,
    say,
    seed,
)
from .words import in_flags


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "visualize", run, "show what a class, a channel or a layer wants to see",
        "deepdream visualize --end class:hen                   # writes class_hen.png",
        "deepdream visualize --end class:hen,volcano,banana -o sheet.png",
        "deepdream visualize --end block10/output:0-8 -o channels.png",
        "deepdream visualize --end class:hen --diversity 4     # four pictures, none like another",
    )  # fmt: skip
    parser.add_argument(
        "--end", action="append", required=True, metavar="WHAT",
        help="class:NAME, LAYER:CHANNEL or LAYER; with several names or channels, as class:hen,jay "
        "or LAYER:0-8, and where it is given several times, a sheet with a picture for each",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="OUT",
        help="the picture to write, .png, .jpg, .tif or .webp (default: what it shows, .png)",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, default=256, metavar="PIXELS",
        help="sides of each picture (default: 256)",
    )  # fmt: skip
    parser.add_argument(
        "--diversity", type=int, default=1, metavar="N",
        help="make N pictures of each, none like another (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--columns", type=int, metavar="N", help="pictures in a row of a sheet (default: a square)"
    )
    cluster_arguments(parser)
    model_arguments(parser)
    dream_arguments(parser, without=("--end", "--width", "--height", "--style"))


def run(args: argparse.Namespace) -> int:
    """Make the pictures, lay them out, save."""
    from ..dreaming.visualize import caption, check_terms, diverse, each_of
    from ..galleries.sheet import check_columns, sheet
    from ..images import check_writable, save_image
    from ..jobs.run import check_cluster
    from ..progress import Bar

    began = time.monotonic()
    if args.mask or args.guide:
        raise ParameterError("mask and guide are for dreams on pictures: leave them out")
    check_cluster(args.cluster, None, args.shared)
    if args.columns is not None:
        check_columns(args.columns)
    terms = [term for text in args.end for term in each_of(text)]
    out = Path(args.out) if args.out else Path(f"{_plain(terms[0] if len(terms) == 1 else '')}.png")
    check_writable(out)
    number = seed(args)
    options = {key: value for key, value in chosen(args).items() if key not in _SAID_BEFORE}
    net = load_net(args)
    say(args, f"network {net.name or args.model}, seed {number}")
    check_terms(net, terms, **options)
    captions = [caption(net, term) for term in terms]
    made: list[tuple[Any, str]] = []
    failed: list[str] = []
    stopped = False
    elsewhere = args.cluster is not None
    if elsewhere:
        made, failed, stopped = _elsewhere(args, net, terms, captions, number, options)
    for term, words in [] if elsewhere else zip(terms, captions):
        with Bar() as bar:
            todo = diverse(
                net, term, args.diversity, size=args.size, seed=number, on_step=bar.step, **options
            )
            try:
                for picture in todo:
                    stopped = bool(picture.recipe and picture.recipe.get("stopped"))
                    made.append((picture, words))
            except DeepDreamError as error:
                if not made and term == terms[-1]:
                    raise
                failed.append(f"{term}: {error}")
        if stopped:
            break
    if len(terms) * args.diversity == 1:
        picture = made[0][0]
    else:
        columns = args.columns
        if columns is None and args.diversity > 1:
            columns = args.diversity
        picture = sheet([p for p, _ in made], [words for _, words in made], columns)
    save_image(picture, out)
    h, w = picture.shape[:2]
    what = "" if len(made) == 1 else f", {len(made)} pictures"
    partly = ", stopped early: the pictures so far" if stopped else ""
    for text in failed:
        print(f"deepdream: {in_flags(text, args.parser.flags())}", file=sys.stderr)
    print(f"wrote {out} ({w}x{h}{what}, {time.monotonic() - began:.0f} s{partly})")
    return 130 if stopped else 1 if failed else 0


def _elsewhere(
    args: argparse.Namespace, net: Any, terms: list[str], captions: list[str], number: int,
    options: dict[str, Any],
) -> tuple[list[tuple[Any, str]], list[str], bool]:  # fmt: skip
    """Return the pictures of a sheet, made on a cluster; what failed; whether Ctrl-C ended it."""
    from ..galleries.seen import see_each
    from ..progress import Bar

    if args.diversity > 1 or len(terms) < 2:
        raise ParameterError(
            "cluster is for sheets of several terms, each in one picture: pictures that are to be "
            "unlike each other are made one after the other"
        )
    with Bar(len(terms)) as bar:
        todo = see_each(
            net, terms, cluster=args.cluster, shared=args.shared, size=args.size, seed=number,
            shown=bar, **options,
        )  # fmt: skip
        pictures: dict[int, Any] = {}
        failed, stopped = [], False
        try:
            for k, picture in todo:
                pictures[k] = picture
        except (KeyboardInterrupt, DeepDreamError) as error:
            if not pictures:
                raise
            stopped = isinstance(error, KeyboardInterrupt)
            failed = [] if stopped else [str(error)]
    return [(pictures[k], captions[k]) for k in sorted(pictures)], failed, stopped


# Keywords of `deepdream.dream` that this command has other flags for.
_SAID_BEFORE = ("end", "objective", "guide", "mask")


def _plain(text: str) -> str:
    """Return a file's name for a term."""
    name = "".join(letter if letter.isalnum() else "_" for letter in text)
    return name or "sheet"
