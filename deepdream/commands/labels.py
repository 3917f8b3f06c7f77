"""``deepdream labels``: the classes that a network tells apart."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from .arguments import collector_paused, command, model_help


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "labels", run, "list the classes that a network knows: names for class:NAME",
        "deepdream labels",
        "deepdream labels bird",
        "deepdream labels castle --model googlenet_places365",
    )  # fmt: skip
    parser.add_argument(
        "word", metavar="WORD", nargs="?", default=None,
        help="list the classes that this names or is a part of (default: all)",
    )  # fmt: skip
    parser.add_argument("--model", metavar="NAME|PROTOTXT", help=model_help())


def run(args: argparse.Namespace) -> int:
    """Print numbers and names, and the words that stand for many classes."""
    with collector_paused():
        from ..models.labels import classes_of, find_labels
        from ..models.load import load_graph

        net = load_graph(args.model)
    classes = classes_of(net)
    if args.word is None:
        numbers: Iterable[int] = range(len(classes.labels))
        families = classes.families
    else:
        found = {*classes.containing(args.word)}
        families = classes.families_of(args.word)
        numbers = sorted(found.union(*families.values())) or find_labels(net, args.word)
    for number in numbers:
        print(f"{number:4}  {classes.labels[number]}")
    for word, members in families.items():
        print(f"{word}: {len(members)} classes together, {_ranges(members)}")
    return 0


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers in words: ``7 to 24, 80``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
