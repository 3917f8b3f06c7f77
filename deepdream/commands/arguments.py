"""Arguments that several commands take, and what they mean."""

from __future__ import annotations

import argparse
import ast
import gc
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DeepDreamError, ImageError, ParameterError, UnknownBlobError


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, *examples: str
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
    *examples : str
        Command lines for the end of its help, each with a comment if it needs one.

    Returns
    -------
    argparse.ArgumentParser
        To add its arguments to.
    """
    epilog = "\n".join(["examples:", *(f"  {example}" for example in examples)])
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog if examples else None,
    )  # fmt: skip
    parser.set_defaults(command=run, parser=parser)
    parser.siblings = commands.choices  # type: ignore[attr-defined]
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
        help="what the network subtracts: blue,green,red as 104,117,123; a .npy or .binaryproto "
        "file; or 2015, the notebook's "
        f"(default: {mean})",
    )  # fmt: skip
    group.add_argument(
        "--engine",
        help=f"what computes the network: auto, deepdream or caffe, a real Caffe (default: {auto})",
        default=unset,
    )
    group.add_argument(
        "--device", help=f"where: auto, cpu or cuda, an NVIDIA GPU (default: {auto})", default=unset
    )


# Flags that are keywords of `deepdream.dream`: name, type, metavar, help.
_DREAM_FLAGS: tuple[tuple[str, Any, str, str], ...] = (
    ("--iter-n", "whole", "N", "steps per octave: more of them, more dream"),
    ("--octave-n", "octaves", "N",
     "number of octaves, the sizes it dreams at from small to large; or all"),
    ("--octave-scale", float, "R", "how much larger each octave is than the one before"),
    ("--octave-min", int, "PIXELS", "with --octave-n all: the smaller side of the smallest octave"),
    ("--step-size", "number", "S", "mean change per step, in grey levels of 255"),
    ("--jitter", "whole", "PIXELS", "move the picture at random for each step, so far at most"),
    ("--smooth", "number", "PIXELS", "smooth each step, against grain"),
    ("--normalize", str, "HOW", "how a gradient becomes a step: mean, std, laplacian (bold) or "
     "spectrum (whole things, soft)"),
    ("--bands", int, "N", "with --normalize laplacian: how many sizes of detail it tells apart"),
    ("--border", str, "HOW", "roll, reflect or edge: what the network sees beyond the edges"),
    ("--strength", float, "S", "0 is the picture, 1 the dream, more exaggerates"),
    ("--blur", "number", "PIXELS", "blur the picture after each step"),
    ("--tv", "number", "W", "keep neighbouring pixels alike (total variation), as 0.15"),
    ("--l2", "number", "W", "pull the dream back to the picture, as 0.02"),
    ("--rotate", "number", "DEGREES", "turn the picture at random for each step, so far at most"),
    ("--rescale", "number", "SHARE", "scale the picture at random for each step, 0.1 for a tenth"),
)  # fmt: skip


def dream_arguments(
    parser: argparse.ArgumentParser, without: Collection[str] = (), recipe: bool = False
) -> None:
    """Add the flags that are keywords of `deepdream.dream`; `chosen` and `seed` read them.

    Parameters
    ----------
    parser : ArgumentParser
    without : collection of str
        Flags that the command leaves out, because it means something else by them.
    recipe : bool
        The command has the recipe of a picture, which says what is not given.
    """
    usual = "the recipe's" if recipe else "the style's"
    said = "as in the recipe" if recipe else "as the style says"
    group = parser.add_argument_group(
        "dream", f"What is not given is {said}. Most "
        "numbers may be two,\nfor the smallest and the largest octave: --iter-n 40:8."
    )  # fmt: skip
    own = "the recipe's" if recipe else "the model's recommended one"
    if "--style" not in without:
        group.add_argument(
            "--style",
            metavar="NAME",
            help=f"a ready-made look; 'deepdream styles' lists them (default: {own})",
        )
    if "--end" not in without:
        group.add_argument(
            "--end", action="append", metavar="LAYER",
            help="the layer to dream at, LAYER:13,40-42 for some of its channels, or class:hen; "
            "'deepdream layers' and 'deepdream labels' list them. Several times for several, each "
            "with its weight if they are not to be equally strong: LAYER*0.5, class:hen*-0.2 "
            f"(default: {usual if recipe else f'{usual}, or {own}'})",
        )  # fmt: skip
    for flag, kind, metavar, text in _DREAM_FLAGS:
        if flag not in without:
            group.add_argument(flag, type=_kind(kind), metavar=metavar, help=text)
    group.add_argument(
        "--keep-colors", type=_share, nargs="?", const=1.0, metavar="SHARE",
        help="keep the picture's colours and take only the dream's light; with a number from 0 to "
        "1, so much of them",
    )  # fmt: skip
    for flag, text in (("clip", "cut colours off at black and white after each step"),
                       ("flip", "mirror the picture at random, for each step")):  # fmt: skip
        group.add_argument(f"--{flag}", action=argparse.BooleanOptionalAction, help=text)
    several = "--end" not in without
    if several:
        group.add_argument(
            "--balance", action=argparse.BooleanOptionalAction, default=None if recipe else True,
            help="with several --end: let weights mean strength, whatever the scales of the layers",
        )  # fmt: skip
    group.add_argument(
        "--mask", action="append", metavar="IMAGE",
        help="white where the picture may change, black where not"
        + ("; several times: where each --end counts, in their order, - for everywhere"
           if several else ""),
    )  # fmt: skip
    group.add_argument(
        "--guide", action="append", metavar="IMAGE",
        help="a picture to steer by: what grows is what the layer sees in it; or several",
    )  # fmt: skip
    for flag in ("--width", "--height"):
        if flag not in without:
            group.add_argument(
                flag, type=int, metavar="PIXELS",
                help="make the same dream larger, with more detail" if recipe
                else "bring the picture to this size first; one of the two keeps its shape",
            )  # fmt: skip
    if "--seed" not in without:
        group.add_argument(
            "--seed", type=int, metavar="N",
            help="a number that makes the picture repeatable (default: "
            + ("the recipe's)" if recipe else "a new one, kept in the picture's recipe)"),
        )  # fmt: skip
    group = parser.add_argument_group("machine")
    group.add_argument(
        "--max-memory", metavar="SIZE",
        help="bytes to take at most, as 2G or 1500M; a picture that needs more goes through the "
        "net in tiles (default: most of what is free)",
    )  # fmt: skip
    group.add_argument(
        "--precision", choices=("float32", "tf32", "bfloat16"),
        default=None if recipe else "float32",
        help="how exactly the network computes; tf32 and bfloat16 are for GPUs (default: "
        + ("the recipe's)" if recipe else "float32)"),
    )  # fmt: skip


def cluster_arguments(parser: argparse.ArgumentParser, what: str = "the pictures") -> None:
    """Add the flags of commands that make many pictures, here or on other machines.

    Parameters
    ----------
    parser : ArgumentParser
    what : str
        Is made side by side.
    """
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--cluster", metavar="WHERE",
        help=f"make {what} side by side: local, on this machine's processors (local:4, four "
        "at a time); or on the machines of a Dask scheduler, by its address, tcp://HOST:PORT, or "
        "its scheduler file",
    )  # fmt: skip
    group.add_argument(
        "--shared", metavar="FOLDER",
        help="a folder that all machines see under this name: files below it do not travel",
    )  # fmt: skip


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a number from 0 to 1 may follow, not '{text}': put IMAGE before the flags"
        ) from None


def _kind(kind: Any) -> Any:
    """Return what reads a flag's value; argparse names it in its errors."""
    if kind == "octaves":

        def octaves(text: str) -> int | str:
            return text if text == "all" else int(text)

        octaves.__name__ = "a whole number, or all,"
        return octaves
    return number(kind == "whole") if kind in ("whole", "number") else kind


def number(whole: bool = False) -> Callable[[str], Any]:
    """Return what reads a number, or two as ``40:8`` for the smallest and the largest octave."""

    def read(text: str) -> Any:
        from ..dreaming.schedules import parse_scheduled

        return parse_scheduled(text, whole)

    read.__name__ = (
        f"a {'whole ' if whole else ''}number, or two as {'40:8' if whole else '2:0.5'},"
    )
    return read


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


def chosen(args: argparse.Namespace, load: bool = True) -> dict[str, Any]:
    """Return the keywords of `deepdream.dream` among the flags that are given, but for the seed.

    Parameters
    ----------
    args : Namespace
    load : bool
        Load the pictures that belong to the whole dream; else they are the names of their files.
        Those of single terms are loaded.
    """
    from ..dreaming.objectives.typed import steering
    from ..images import load_image

    names = ["style", "keep_colors", "clip", "flip", "balance", "width", "height", "max_memory",
             "precision", *(flag[2:].replace("-", "_") for flag, *_ in _DREAM_FLAGS)]  # fmt: skip
    found = {name: getattr(args, name, None) for name in names}
    found.update(steering(*(getattr(args, name, None) or [] for name in ("end", "mask", "guide"))))
    for name in ("mask", "guide") if load else ():
        file = found.get(name)
        if file is not None:
            several = isinstance(file, list)
            found[name] = [*map(load_image, file)] if several else load_image(file)
    return {name: value for name, value in found.items() if value is not None}


_NO_BLOB = re.compile(r"no blob named '([^']*[^\W\d][^']*)'")
_NOISE = re.compile(r"noise:(\d+)x(\d+)", re.IGNORECASE)


def load_start(name: str, number: int = 0) -> Any:
    """Return the picture that a dream begins with: a file's, or noise for ``noise:1024x576``.

    Parameters
    ----------
    name : str
    number : int
        The seed of the noise.

    Raises
    ------
    ParameterError
        ``noise:`` without a size.
    ImageError
        A folder. See `deepdream.load_image`.
    """
    if not name.lower().startswith("noise:"):
        from ..images import load_image

        if Path(name).is_dir():
            raise ImageError(
                f"'{name}' is a folder: give a picture in it. For all of them: "
                f"deepdream batch {shlex.quote(name)} -o FOLDER"
            )
        return load_image(name)
    found = _NOISE.fullmatch(name)
    if found is None:
        raise ParameterError(f"'{name}' is no noise: its size is expected, as noise:1024x576")
    from ..dreaming.pictures.noise import noise

    w, h = (int(side) for side in found.groups())
    return noise(h, w, number)


def stem_of(name: str) -> str:
    """Return the name of a picture, without folder and ending, to name others by."""
    return "noise" if name.lower().startswith("noise:") else Path(name).stem


def class_meant(args: argparse.Namespace, error: DeepDreamError) -> str:
    """Return what to add to an error where the name that is no layer is one of a class."""
    found = _NO_BLOB.match(str(error)) if isinstance(error, UnknownBlobError) else None
    if found is None or not hasattr(args, "end"):
        return ""
    from ..models.labels import find_labels
    from ..models.load import load_graph

    try:
        find_labels(load_graph(args.model), found[1])
    except DeepDreamError:
        return ""
    return f"\nIt is the name of a class: --end {shlex.quote(f'class:{found[1]}')}"


def seed(args: argparse.Namespace) -> int:
    """Return the seed given, or a new one."""
    return int.from_bytes(os.urandom(4), "little") if args.seed is None else args.seed


def load_net(args: argparse.Namespace) -> Any:
    """Return the net that the flags of `model_arguments` name.

    Raises
    ------
    DeepDreamError
        What `deepdream.load_net` raises.
    """
    with collector_paused():
        from ..models.load import load_net

        return load_net(
            args.model, args.weights, mean=args.mean, engine=args.engine, device=args.device
        )


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector out of the way while modules load.

    Importing Numba makes some forty thousand objects that all stay, and PyTorch, for a GPU, two
    hundred thousand. The collector would walk through them again and again, for a sixth of the time
    that the import takes; and later, so they are set apart for good.
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
