"""The command line: ``deepdream dream``, ``zoom``, ``layers``, ``models``.

Each command is a module in ``commands``: it reads its arguments, calls public functions, and saves.
Flags are the keywords of those functions, their defaults are read from the signatures. Modules that
take long to load are imported by the command that needs them: help is there at once.

Exit status: 0 when done, 2 for an error that was expected (one to three lines, no traceback),
130 after Ctrl-C, when what was made so far has been kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .commands import dream, gallery, layers, models, reproduce, rerun, show, styles, zoom
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
    args = build_parser().parse_args(argv)
    with warnings.catch_warnings(), _told(args.verbose):
        warnings.simplefilter("always" if args.verbose else "default")
        warnings.showwarning = _note  # type: ignore[assignment]
        try:
            return int(args.command(args))
        except DeepDreamError as error:
            print(f"deepdream: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("deepdream: stopped", file=sys.stderr)
            return 130
        except BrokenPipeError:  # deepdream layers | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands; docs/cli.md is made from it."""
    parser = argparse.ArgumentParser(
        prog="deepdream",
        description="Google's DeepDream of 2015, with Caffe's networks and without Caffe.",
        epilog="examples:\n"
        "  deepdream dream sky.jpg -o dream.png\n"
        "  deepdream dream sky.jpg -o dream.png --model googlenet --end inception_3b/5x5_reduce\n"
        "  deepdream layers --model googlenet",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"deepdream {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    dream.add(commands)
    zoom.add(commands)
    gallery.add(commands)
    reproduce.add(commands)
    show.add(commands)
    rerun.add(commands)
    styles.add(commands)
    layers.add(commands)
    models.add(commands)
    return parser


def _note(message: Any, category: Any, *_: Any) -> None:
    if issubclass(category, (UserWarning, RuntimeWarning)):
        print(f"note: {message}", file=sys.stderr)


@contextmanager
def _told(verbose: bool) -> Iterator[None]:
    """Print what the package logs: with `verbose` all that it does, else what takes long."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from tqdm import tqdm

            tqdm.write(f"deepdream: {record.getMessage()}", file=sys.stderr)  # above the bar

    logger, lines = logging.getLogger("deepdream"), Lines()
    before = logger.level
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
