"""The command line: ``deepdream dream``, ``zoom``, ``layers``, ``models`` and others.

Each command is a module in ``commands``: it reads its arguments, calls public functions, and saves.
Flags are the keywords of those functions, their defaults are read from the signatures; errors and
notes, which speak of keywords, are put into the words of flags here, where they are printed.
Modules that take long to load are imported by the command that needs them: help is there at once.

Exit status: 0 when done, 1 where some pictures of many failed, 2 for an error that was expected
(one to three lines, no traceback), 130 after Ctrl-C, when what was made so far has been kept.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .commands import (
    batch,
    dream,
    film,
    gallery,
    labels,
    layers,
    models,
    reproduce,
    rerun,
    show,
    studio,
    styles,
    visualize,
    zoom,
)
from .commands.arguments import class_meant
from .commands.parser import Parser
from .commands.words import in_flags
from .errors import DeepDreamError
from .version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    given = [*(sys.argv[1:] if argv is None else argv)]
    parser = build_parser()
    if not given:
        parser.print_help()
        return 0
    if given[0] == "help":
        given = [*given[1:], "--help"]
    args = parser.parse_args(given)

    def worded(message: Any) -> str:
        text = in_flags(str(message), args.parser.flags())
        model = getattr(args, "model", None)
        if model is not None:  # what lists the layers lists this network's
            known = f"deepdream layers --model {shlex.quote(model)}"
            text = re.sub(r"deepdream layers( --model \S+)?(?=[\s']|$)", lambda _: known, text)
        return text

    def note(message: Any, category: Any, *_: Any) -> None:
        if issubclass(category, (UserWarning, RuntimeWarning)):
            print(f"note: {worded(message)}", file=sys.stderr)

    with warnings.catch_warnings(), _told(args.verbose, worded):
        warnings.simplefilter("always" if args.verbose else "default")
        warnings.showwarning = note  # type: ignore[assignment]
        try:
            return int(args.command(args))
        except DeepDreamError as error:
            print(f"deepdream: {worded(error)}{class_meant(args, error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("deepdream: stopped", file=sys.stderr)
            return 130
        except BrokenPipeError:  # deepdream layers | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


def build_parser() -> Parser:
    """Return the parser with all commands; docs/cli.md is made from it."""
    parser = Parser(
        prog="deepdream",
        description="A network looks at your picture, and paints into it what it believes to see.",
        epilog="examples:\n"
        "  deepdream dream PHOTO.jpg                  # writes PHOTO_dream.png\n"
        "  deepdream dream PHOTO.jpg --style cities   # 'deepdream styles' lists the looks",
    )
    parser.add_argument("--version", action="version", version=f"deepdream {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True,
        description="'deepdream COMMAND --help' tells what a command takes.",
    )  # fmt: skip

    for module in (
        dream, studio, film, zoom, visualize, styles, layers, labels, gallery, batch, show,
        rerun, models, reproduce,
    ):  # fmt: skip
        module.add(commands)
    return parser


@contextmanager
def _told(verbose: bool, worded: Callable[[str], str]) -> Iterator[None]:
    """Print what the package logs: with `verbose` all that it does, else what takes long."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from tqdm import tqdm

            tqdm.write(
                f"deepdream: {worded(record.getMessage())}", file=sys.stderr
            )  # above the bar

    logger, lines = logging.getLogger("deepdream"), Lines()
    before = logger.level
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
