"""``deepdream models``: networks that are known by name."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .arguments import command


def add(commands: Any) -> None:
    """Add the command's parser, and those of its actions."""
    models = command(
        commands, "models", run, "list the networks; fetch one's weights, or add a file",
        "deepdream models",
    )  # fmt: skip
    actions = models.add_subparsers(metavar="ACTION")
    fetch = command(
        actions, "fetch", run_fetch, "download a network's weights, and check them",
        "deepdream models fetch googlenet",
    )  # fmt: skip
    fetch.add_argument("name", metavar="NAME", help="the network, as 'deepdream models' lists it")
    add_file = command(
        actions, "add", run_add, "take weights that are already on disk",
        "deepdream models add bvlc_googlenet.caffemodel",
        "deepdream models add old.caffemodel --name googlenet",
    )  # fmt: skip
    add_file.add_argument("file", metavar="FILE", help="a .caffemodel, or the archive it came in")
    add_file.add_argument(
        "--name", metavar="NAME", help="which model it is, where FILE does not tell"
    )


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    from ..models.cache import list_models

    rows = [("model", "weights", "licence", "end")]
    for status in list_models():
        entry = status.entry
        licence = entry.licence + (" (non-commercial)" if entry.non_commercial else "")
        size = f", {status.size / 1e6:.0f} MB" if status.size else ""
        rows.append((entry.name, status.status + size, licence, entry.end))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """Fetch one model's weights."""
    from ..models.cache import fetch_model

    path = fetch_model(args.name, progress=sys.stderr.isatty())
    print(f"wrote {path}")
    return 0


def run_add(args: argparse.Namespace) -> int:
    """Take a file into the cache."""
    from ..models.cache import add_model

    print(f"wrote {add_model(args.file, args.name)}")
    return 0
