"""Arguments of the commands that make films, and how a film is made of them."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from .arguments import number, say

_CAMERA: tuple[tuple[str, Any, str, str], ...] = (
    ("--turn", float, "DEGREES", "turn the camera so far from frame to frame, clockwise"),
    ("--shift", "pair", "X:Y", "move it so many pixels to the right and down, as 2:0"),
    ("--ease", float, "SHARE", "get going, and come to rest, in so much of the film, as 0.2"),
)  # fmt: skip


def camera_arguments(parser: argparse.ArgumentParser) -> Any:
    """Add the flags of a camera in front of a still picture; return their group."""
    group = parser.add_argument_group("camera", "In front of a still picture.")
    for flag, kind, metavar, text in _CAMERA:
        group.add_argument(flag, type=_pair if kind == "pair" else kind, metavar=metavar, help=text)
    group.add_argument(
        "--loop", action="store_true", default=None,
        help="end where it began, to be played round and round",
    )  # fmt: skip
    return group


def film_arguments(parser: argparse.ArgumentParser) -> Any:
    """Add the flags of all films; return their group."""
    group = parser.add_argument_group("film")
    group.add_argument(
        "--fps", metavar="N",
        help="frames per second (default: the film's own, by leaving some out or taking some "
        "twice; of a still 25)",
    )  # fmt: skip
    group.add_argument(
        "--size", metavar="WxH", help="of the frames, as 640x360, 640x or x360 (default: as it is)"
    )
    group.add_argument(
        "--carry", type=float, metavar="SHARE",
        help="how much of what was dreamt goes on to the next frame, 0 to 1; 0: each frame by "
        "itself (default: 0.92; of a still 1)",
    )  # fmt: skip
    group.add_argument(
        "--first", type=number(whole=True), metavar="N",
        help="steps per octave of a scene's first frame; --iter-n is of the others (default: as "
        "the style says)",
    )  # fmt: skip
    group.add_argument(
        "--keyframes", metavar="FILE",
        help="a .csv or .json with parameters, weights of layers and moves of the camera at frames "
        "or times; docs/films.md",
    )  # fmt: skip
    group.add_argument(
        "--quality", metavar="Q",
        help="small, good, best, lossless (.mkv), or the encoder's own number (default: good)",
    )  # fmt: skip
    return group


def _pair(text: str) -> tuple[float, float]:
    x, _, y = text.partition(":")
    return float(x), float(y or 0)


_pair.__name__ = "two numbers as 2:0"


def quality_of(text: str | None) -> Any:
    """Return a quality: a word, or a number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def given_of(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the flags of these names that are given."""
    found = {name: getattr(args, name, None) for name in names}
    if "quality" in found:
        found["quality"] = quality_of(found["quality"])
    return {name: value for name, value in found.items() if value is not None}


def make(
    args: argparse.Namespace, making: Any, cluster: str | None = None, shared: str | None = None
) -> int:
    """Make a film, say what was written, and how it goes on; return the exit status.

    Parameters
    ----------
    args : Namespace
    making : Filming
    cluster, shared : str, optional
        Where to make it, see `films.film.film`.
    """
    from ..films.film import Stopped

    began = time.monotonic()
    with making:
        say(args, f"seed {making.seed}, {making.describe()}")
        for note in making.notes:
            print(f"note: {note}", file=sys.stderr)
        if making.begun:
            print(f"going on after {making.begun} frames, in {making.folder}", file=sys.stderr)
        try:
            made = making.frames() if cluster is None else making.frames_elsewhere(cluster, shared)
            for _ in made:
                pass
        except Stopped:
            of = "" if making.count is None else f" of {making.count}"
            ahead = f", and {making.ahead} behind them," if making.ahead else ""
            print(f"stopped: {making.done}{of} frames{ahead} are safe in {making.folder}; the same "
                  "command goes on there")  # fmt: skip
            return 130
        for note in making.finish():
            print(f"note: {note}", file=sys.stderr)
        h, w = making.size
        made = f"{w}x{h}, {making.done} frames, {time.monotonic() - began:.0f} s"
        print(f"wrote {making.path} ({made})")
    return 0
