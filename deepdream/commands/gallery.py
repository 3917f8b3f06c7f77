"""``deepdream gallery``: one dream for every layer, and a page to look at them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..errors import ParameterError
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
)


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "gallery", run, "dream at many layers of a network: a folder with a page",
        "deepdream gallery PHOTO.jpg -o gallery --width 400      # then open gallery/index.html",
        "deepdream gallery PHOTO.jpg -o all --layers '*'         # every layer: may take hours",
        "deepdream gallery PHOTO.jpg -o some --layers 'block7*'  # block7 and its parts",
        "deepdream gallery PHOTO.jpg -o one --layers block7/output --channels 0-15 --sheet s.png",
        "deepdream gallery PHOTO.jpg -o gallery --cluster local   # side by side",
        "deepdream gallery --compare gallery some -o compare.html",
    )  # fmt: skip
    parser.add_argument(
        "image", metavar="IMAGE", nargs="?", help="the picture to dream on, or noise:1024x576"
    )
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", required=True,
        help="the folder for the pictures and their page, index.html; one that was interrupted "
        "goes on. With --compare: the page to write, as compare.html",
    )  # fmt: skip
    group = parser.add_argument_group("gallery")
    keywords(
        group,
        # A command that makes every layer of a network takes hours, and is begun by a line.
        {**signature_defaults("galleries.make", "gallery"), "layers": None},
        (
            "--layers",
            str,
            "GLOB",
            "which layers, as 'inception_4*' or 'conv1,conv2*'; '*' is all. Numbers are whole: "
            "'block1*' is block1/output, not block10/output (default: those that are worth it, "
            "the outputs of blocks and pools)",
        ),
        (
            "--octave-n",
            str,
            "N,N",
            "numbers of octaves, as 2,6 or 4,all; each layer is dreamt at with each (default: the "
            "style's)",
        ),
        (
            "--channels",
            str,
            "N-N,N",
            "one picture for each of these channels of the one layer that --layers names, as "
            "0-15,40 or all",
        ),
        ("--width", int, "PIXELS", "shrink the picture to this width first"),
        ("--seed", int, "N", "of all pictures: only the layer differs between them"),
    )
    group.add_argument(
        "--format", choices=("jpg", "png"), default="jpg", help="of the pictures (default: jpg)"
    )
    group.add_argument(
        "--embed", action="store_true",
        help="put the full pictures into the page, to hand over one file",
    )  # fmt: skip
    group.add_argument(
        "--sheet", metavar="FILE",
        help="also write all pictures on one sheet, with captions, as .png or .jpg",
    )  # fmt: skip
    group.add_argument(
        "--compare", metavar="FOLDER", nargs="+",
        help="make no pictures: write one page for these galleries, as of two models",
    )  # fmt: skip
    cluster_arguments(parser)
    model_arguments(parser)
    without = ("--end", "--octave-n", "--seed", "--width", "--height")
    dream_arguments(parser, without=without)


def run(args: argparse.Namespace) -> int:
    """Make what is missing, write the page, say what was written."""
    if args.compare is not None:
        return _compare(args)
    if args.image is None:
        raise ParameterError("which picture? deepdream gallery IMAGE -o FOLDER")
    from ..files import check_folder

    check_folder(args.out)
    if args.sheet is not None:
        from ..images import check_writable

        check_writable(args.sheet)
    from ..galleries.captions import count
    from ..galleries.make import write_gallery
    from ..galleries.manifest import read_manifest

    began = time.monotonic()
    img, params = load_start(args.image, args.seed), chosen(args)
    octaves = _octaves(args.octave_n)
    net = load_net(args)
    params = {name: value for name, value in params.items() if name not in ("octave_n", "width")}
    folder = Path(args.out)
    made, failed, last = 0, 0, ""
    todo = write_gallery(
        net, img, folder, layers=args.layers, octave_n=octaves, channels=args.channels,
        width=args.width, seed=args.seed, suffix=f".{args.format}", embed=args.embed,
        cluster=args.cluster, shared=args.shared,
        on_start=lambda start: print(_announced(start, args.layers)), **params,
    )  # fmt: skip
    try:
        for entry in todo:
            made, failed = made + (not entry.error), failed + bool(entry.error)
            last = entry.error or last
    except KeyboardInterrupt:
        print(
            f"stopped: {count(made, 'picture')} written to {folder}; the same command goes on there"
        )
        return 130
    before = read_manifest(folder).count_made(folder) - made
    if failed and not made and not before:
        raise ParameterError(f"no picture could be made, of {failed}; the last one: {last}")
    what = count(made, "new picture")
    what += f", {before} from before" if before else ""
    what += f", {failed} could not be made: the page says why" if failed else ""
    seconds = time.monotonic() - began
    print(f"wrote {folder / 'index.html'} ({what}, {seconds:.0f} s)")
    if args.sheet is not None:
        from ..galleries.sheet import sheet_of
        from ..images import save_image

        save_image(sheet_of(folder), args.sheet)
        print(f"wrote {args.sheet}")
    return 0


def _announced(start: Any, layers: str | None) -> str:
    """Return what is going to be made, and how long that will take, in a line."""
    from ..galleries.captions import count
    from ..progress import in_time

    some = layers is None and start.layer_n < start.layers_in_all
    more = "; --layers '*' takes all" if some else ""
    took = "" if start.seconds is None else f", about {in_time(start.seconds)}"
    return (
        f"{count(start.picture_n, 'picture')} to make{took} ({start.layer_n} of "
        f"{count(start.layers_in_all, 'layer')}{more}). Ctrl-C keeps what is made."
    )


def _compare(args: argparse.Namespace) -> int:
    from ..galleries.page import compare_galleries

    folders = args.compare if args.image is None else [args.image, *args.compare]
    if len(folders) < 2:
        raise ParameterError("--compare takes two galleries or more: --compare FOLDER FOLDER")
    page = compare_galleries(folders, args.out, embed=args.embed)
    print(f"wrote {page} ({len(folders)} galleries)")
    return 0


def _octaves(text: str | None) -> list[int | str] | None:
    if text is None:
        return None
    try:
        return [part if part == "all" else int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(
            f"--octave-n is '{text}': numbers are expected, as 4 or 2,6, or all"
        ) from None
