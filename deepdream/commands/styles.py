"""``deepdream styles``: what a dream uses where nothing is said."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import command


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "styles", run, "list the styles: ready-made looks for --style",
        "deepdream styles",
        "deepdream styles cities   # what it consists of",
    )  # fmt: skip
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="a style, to tell its parameters (default: list all)",
    )


def run(args: argparse.Namespace) -> int:
    """Print all styles with their looks, or the parameters of one."""
    from ..dreaming.schedules import in_words
    from ..dreaming.styles import NOTEBOOK, STYLES, style_named
    from ..models.registry import MODELS

    if args.name is None:
        width = max(map(len, STYLES))
        for style in STYLES.values():
            print(f"{style.name:{width}}  {style.look}")
        return 0
    style = style_named(args.name)
    print(f"{style.name}: {style.look}")
    rows = [(f"end on {model}", end) for model, end in style.ends.items()]
    rows += [
        (name, in_words(value))
        for name, value in {**NOTEBOOK, **style.parameters}.items()
        if name in style.parameters or style.name == "2015"
    ]
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"  {name:{width}}  {value}")
    users = [name for name, entry in MODELS.items() if entry.style == style.name]
    if users:
        print(f"  used without --style by {', '.join(users)}")
    return 0
