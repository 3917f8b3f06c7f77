"""Arguments that several commands take, and what they mean."""

from __future__ import annotations

import argparse
import ast
import gc
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ParameterError


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    name : str
        What users type.
    run : callable
        Gets the arguments, returns the exit status.
    text : str
        What the command does, as the help says it: lower case, no full stop.

    Returns
    -------
    argparse.ArgumentParser
        To add its arguments to.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(command=run)
    parser.add_argument("--verbose", action="store_true", help="say more about what is done")
    return parser


def model_help(default: str = "the bundled network") -> str:
    """Return the help of ``--model``."""
    return f"a name from 'deepdream models', or a prototxt (default: {default})"


def model_arguments(parser: argparse.ArgumentParser, recipe: bool = False) -> None:
    """Add the flags that `load_net` reads.

    Parameters
    ----------
    parser : ArgumentParser
    recipe : bool
        The command has the recipe of a picture, which says what is not given.
    """
    group = parser.add_argument_group("network")
    model, mean, auto = ("the recipe's",) * 3
    if not recipe:
        model, mean, auto = "the bundled network", "the model's own", "auto"
    unset = None if recipe else "auto"
    group.add_argument("--model", metavar="NAME|PROTOTXT", help=model_help(model))
    group.add_argument(
        "--weights", metavar="FILE", help="the .caffemodel that goes with a prototxt"
    )
    group.add_argument(
        "--mean", metavar="MEAN",
        help="blue,green,red as 104,117,123; a .npy or .binaryproto file; or 2015, the notebook's "
        f"(default: {mean})",
    )  # fmt: skip
    group.add_argument("--engine", help=f"auto, torch or caffe (default: {auto})", default=unset)
    group.add_argument("--device", help=f"auto, cpu or cuda (default: {auto})", default=unset)


def dream_arguments(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add the flags that are keywords of `deepdream.dream`; `chosen` and `seed` read them.

    A command that means something else by a flag leaves it out, by its name.
    """
    defaults = signature_defaults("dreaming.dream", "dream")
    group = parser.add_argument_group("dream")
    flags = (
        ("--end", str, "LAYER", "layer to dream at (default: the model's recommended one)"),
        ("--iter-n", int, "N", "steps per octave"),
        ("--octave-n", int, "N", "number of octaves"),
        ("--octave-scale", float, "R", "ratio of neighbouring octaves"),
        ("--step-size", float, "S", "mean change per step, in grey levels"),
        ("--jitter", int, "PIXELS", "largest random roll"),
        (
            "--max-memory",
            str,
            "SIZE",
            "bytes to take at most, as 2G or 1500M; a picture that needs "
            "more goes through the net in tiles (default: most of what is free)",
        ),
    )
    keywords(group, defaults, *(flag for flag in flags if flag[0] not in without))
    precision = defaults["precision"]
    group.add_argument(
        "--precision", choices=("float32", "tf32", "bfloat16"), default=precision,
        help=f"of products in the net; tf32 and bfloat16 are for GPUs (default: {precision})",
    )  # fmt: skip
    group.add_argument(
        "--no-clip", dest="clip", action="store_false", help="let values leave 0..255 on the way"
    )
    group.add_argument("--guide", metavar="IMAGE", help="a picture to steer by")
    if "--seed" not in without:
        group.add_argument(
            "--seed", type=int, metavar="N",
            help="makes the picture repeatable (default: a new one, kept in the picture's recipe)",
        )  # fmt: skip


def keywords(parser: Any, defaults: Mapping[str, Any], *flags: tuple[str, Any, str, str]) -> None:
    """Add flags (name, type, metavar, help) whose defaults are those of a function's keywords."""
    for flag, kind, metavar, text in flags:
        default = defaults[flag[2:].replace("-", "_")]
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(flag, type=kind, metavar=metavar, default=default, help=text + shown)


@cache
def signature_defaults(module: str, function: str) -> Mapping[str, Any]:
    """Return the defaults in the signature of a function.

    They are read from its source, because importing it takes longer than printing the help may:
    it loads numpy and Pillow.

    Parameters
    ----------
    module : str
        Its module, below ``deepdream``: ``"dreaming.dream"``.
    function : str
        A function on the top level of that module.
    """
    source = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    found = next(
        node
        for node in ast.parse(source.read_bytes()).body
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    args = found.args
    positional = args.args[len(args.args) - len(args.defaults) :]
    pairs = [*zip(positional, args.defaults), *zip(args.kwonlyargs, args.kw_defaults)]
    return {arg.arg: ast.literal_eval(value) for arg, value in pairs if value is not None}


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of `deepdream.dream` among the flags, but for guide and seed."""
    names = ("end", "iter_n", "octave_n", "octave_scale", "step_size", "jitter", "clip",
             "max_memory", "precision")  # fmt: skip
    return {name: getattr(args, name) for name in names}


def seed(args: argparse.Namespace) -> int:
    """Return the seed given, or a new one."""
    return int.from_bytes(os.urandom(4), "little") if args.seed is None else args.seed


def load_net(args: argparse.Namespace) -> Any:
    """Return the net that the flags of `model_arguments` name.

    Raises
    ------
    ParameterError
        ``--mean`` is no three numbers.
    DeepDreamError
        What `deepdream.load_net` raises.
    """
    mean: Any = args.mean
    if mean is not None and "," in mean:
        try:
            mean = [float(value) for value in mean.split(",")]
        except ValueError:
            raise ParameterError(
                f"--mean is '{args.mean}': three numbers are expected, as 104,117,123"
            ) from None
    with collector_paused():
        from ..models.load import load_net

        return load_net(args.model, args.weights, mean=mean, engine=args.engine, device=args.device)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector out of the way while modules load.

    Importing torch makes some hundred thousand objects that all stay. The collector would walk
    through them again and again, for an eighth of the time that the import takes; and later, while
    Numba loads, so they are set apart for good.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if running:
            gc.enable()


def say(args: argparse.Namespace, text: str) -> None:
    """Print a line on standard error where ``--verbose`` asks for it."""
    if args.verbose:
        print(f"deepdream: {text}", file=sys.stderr)
