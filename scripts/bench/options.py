"""What `scripts/bench.py` can be asked for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from bench.process import ROOT

# A target in the middle of each network: what is dreamed of, and the mean it was trained with.
NETS = {
    "googlenet": ("inception_4c/output", (104, 117, 123)),
    "efficientnet_lite0": ("block10/output", (127, 127, 127)),
    "squeezenet_v1.1": ("fire6/concat", (104, 117, 123)),
    "vgg16": ("conv4_3", (103.939, 116.779, 123.68)),
    "resnet50": ("res4c", (104, 117, 123)),
}

MIDDLE = "1024x575"  # where the other nets run, and whole dreams
SIZES = ("320x180", MIDDLE, "1920x1080")
SIZES_BESIDE_A_BASELINE = ("320x180", MIDDLE)

CONTESTANTS = {
    "caffe": "the real Caffe",
    "autograd": "stock operators of PyTorch and autograd",
    "autograd-cl": "the same, channels last",
    "net": "`deepdream.dream`, layer by layer",
    "plan": "`deepdream.dream` as users call it",
    "plan-bare": "the plan without what a step does around it",
}
CONTESTANTS_BESIDE_A_BASELINE = ("caffe", "plan")

PARTS = {
    "help": "`deepdream --help`",
    "size": "what an installation takes (beside a baseline)",
    "steps": "steps of every net",
    "dreams": "whole default dreams with the first net: time and peak memory",
    "start": "the first step, from the start of the process",
    "fresh": "what a very first run takes longer than the second",
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options, checked; what was not given depends on ``--baseline``."""
    parser = argparse.ArgumentParser(
        prog="bench.py",
        description="Time dreams, start-up and memory, and print tables in Markdown. All "
        "contestants are alive at once, one at a time works, and rounds go on until Ctrl-C or the "
        "end: what was finished by then is printed.",
        epilog=_listed("parts", PARTS) + "\n" + _listed("contestants", CONTESTANTS)
        + "\nscripts/bench/README.md says how to read the tables.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--baseline", metavar="REVISION",
        help="build this revision and the working tree in environments of their own, in "
        "build/bench, and compare them in the same rounds")  # fmt: skip
    add("--quick", action="store_true",
        help="a smoke test: one net, the smallest size, 2 rounds")  # fmt: skip
    add("--only", type=words, default=list(PARTS), metavar="PART,PART",
        help="these parts (default: all)")  # fmt: skip
    add("--nets", type=words, default=list(NETS), metavar="A,B",
        help="the first in all sizes and with whole dreams, others in the middle size; "
        f"of {', '.join(NETS)}")  # fmt: skip
    add("--sizes", type=words, metavar="WxH,WxH",
        help=f"of pictures (default: {','.join(SIZES)}; beside a baseline "
        f"{','.join(SIZES_BESIDE_A_BASELINE)})")  # fmt: skip
    add("--contestants", type=words, metavar="A,B",
        help="default: all; beside a baseline "
        f"{','.join(CONTESTANTS_BESIDE_A_BASELINE)}")  # fmt: skip
    add("--threads", type=numbers, default=None, metavar="N,N",
        help="how many each may use; with several numbers all is measured with each "
        "(default: 2)")  # fmt: skip
    add("--rounds", type=int, default=7,
        help="of steps and of first steps (default: %(default)s)")  # fmt: skip
    add("--dreams", type=int, metavar="ROUNDS",
        help="of whole dreams and of very first runs; 0 for none (default: 1; beside a baseline "
        "3)")  # fmt: skip
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--precision", help="passed to dream; default: its own, float32")
    add("--image", default=str(ROOT / "examples" / "clouds.jpg"),
        help="the picture, brought to each size (default: examples/clouds.jpg)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write every single turn there, too")
    options = parser.parse_args(arguments)

    beside = options.baseline is not None
    options.sizes = options.sizes or list(SIZES_BESIDE_A_BASELINE if beside else SIZES)
    options.contestants = options.contestants or list(
        CONTESTANTS_BESIDE_A_BASELINE if beside else CONTESTANTS
    )
    options.threads = options.threads or [min(2, cores())]
    if options.dreams is None:
        options.dreams = 3 if beside else 1
    if options.quick:
        options.nets, options.sizes = options.nets[:1], ["96x64"]
        options.rounds, options.dreams = 2, min(1, options.dreams)
    for known, asked in ((NETS, options.nets), (CONTESTANTS, options.contestants),
                         (PARTS, options.only)):  # fmt: skip
        unknown = [word for word in asked if word not in known]
        if unknown:
            parser.error(f"not known: {', '.join(unknown)}; there are {', '.join(known)}")
    for size in options.sizes:
        try:
            pair(size)
        except ValueError:
            parser.error(f"a size is like {MIDDLE}, width and height: not {size}")
    if options.rounds < 1 or options.dreams < 0:
        parser.error("there is at least one round of steps, and not less than no dream")
    if not beside and options.only == ["size"]:
        parser.error("installations are made for --baseline only")
    if beside and options.device != "cpu":
        parser.error("--baseline compares on CPUs only")
    return options


def _listed(title: str, entries: dict[str, str]) -> str:
    """Return lines for the end of ``--help``."""
    lines = [f"  {name:12}{text.replace('`', chr(39))}" for name, text in entries.items()]
    return "\n".join([f"{title}:", *lines]) + "\n"


def words(text: str) -> list[str]:
    """Return the words of a list with commas, at least one."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise argparse.ArgumentTypeError("at least one is expected")
    return found


def numbers(text: str) -> list[int]:
    """Return the numbers of a list with commas, all of them 1 or more."""
    try:
        found = [int(word) for word in words(text)]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"numbers like 1,2 are expected: not {text}")
    return found


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pair(size: str) -> tuple[int, int]:
    """Return width and height of ``WIDTHxHEIGHT``."""
    w, h = size.split("x")
    return int(w), int(h)


def middle(sizes: Any) -> str:
    """Return the size at which bars are set, or else the first one."""
    return MIDDLE if MIDDLE in sizes else sizes[0]
