"""``deepdream reproduce``: published pictures, made again."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..errors import DownloadError, ParameterError
from .arguments import cluster_arguments, collector_paused, command


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "reproduce", run, "make a published dream of 2015 again, and compare",
        "deepdream reproduce --list",
        "deepdream reproduce google-4c",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", nargs="?", help="a picture, as --list shows it")
    parser.add_argument("--list", action="store_true", help="list the pictures that are known")
    parser.add_argument(
        "-o", "--out", metavar="FOLDER",
        help="where pictures and the report go (default: a folder called NAME, here)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="for the first picture (default: 0)"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N",
        help="how many pictures to make, to learn how far seeds lie apart; 5 or more for a verdict "
        "(default: 1)",
    )  # fmt: skip
    parser.add_argument("--device", help="auto, cpu or cuda (default: auto)", default="auto")
    cluster_arguments(parser, "the seeds")


def run(args: argparse.Namespace) -> int:
    """List, or make."""
    from ..reproduce.works import WORKS, find_work

    if args.list:
        width = max(map(len, WORKS))
        for work in WORKS.values():
            print(f"{work.name:{width}}  {work.model}, {work.end}: {work.title}")
        return 0
    if args.name is None:
        raise ParameterError("which one? 'deepdream reproduce --list' shows what is known")
    if args.seeds < 1:
        raise ParameterError(f"--seeds is {args.seeds}: 1 or more is expected")
    from ..files import check_folder
    from ..jobs.run import check_cluster

    check_cluster(args.cluster, None, args.shared)
    work = find_work(args.name)
    check_folder(args.out or work.name)
    if not 0 <= args.seed <= 2**32 - args.seeds:
        raise ParameterError(
            f"--seed is {args.seed}: a whole number from 0 to 4294967295 is expected, for the last "
            f"of {args.seeds} pictures, too"
        )

    from ..progress import Bar, on_terminal
    from ..reproduce.pictures import describe_files, find_published, gather

    began = time.monotonic()
    files = gather(work, on_terminal())
    print(f"{work.title}.")
    for line in describe_files(work, files):
        print(line)
    try:
        published = find_published(work, on_terminal())
    except DownloadError as error:
        published = None
        print(f"Without the published picture: {error}")
    with collector_paused():
        from ..models.load import load_net
        from ..reproduce.make import (
            Stopped,
            describe_recipe,
            explanation,
            make,
            table,
            write_report,
        )

        net = load_net(work.model, mean=work.mean, device=args.device)
    print(f"recipe: {describe_recipe(work, net)}")
    seeds = [args.seed + k for k in range(args.seeds)]
    with Bar(len(seeds) * work.dreams) as bar:
        try:
            made = make(
                work, net, files, Path(args.out or work.name), seeds=seeds, published=published,
                on_step=bar.step, on_picture=bar.frame, cluster=args.cluster,
                shared=args.shared, shown=bar,
            )  # fmt: skip
        except Stopped as stopped:
            bar.close()
            print(stopped)
            return 130
    report = write_report(made)
    rows = [("", "published", "ours", ""), *table(made)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)).rstrip())
    for line in (*explanation(made), *work.notes, *work.differs):
        print(f"* {line}")
    count = len(made.pictures)
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    print(f"wrote {report} and {pictures} ({time.monotonic() - began:.0f} s)")
    return 0
