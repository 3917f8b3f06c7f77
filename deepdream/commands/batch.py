"""``deepdream batch``: one dream for many pictures."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .arguments import (
    chosen,
    cluster_arguments,
    collector_paused,
    command,
    dream_arguments,
    keywords,
    load_net,
    model_arguments,
    signature_defaults,
)
from .words import in_flags


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "batch", run, "dream the same dream on many pictures",
        "deepdream batch holiday -o dreams                    # all pictures of a folder",
        "deepdream batch *.jpg -o dreams --style eyes --width 1024",
        "deepdream batch holiday -o dreams --recipe best.png  # as a dream that you like",
        "deepdream batch holiday -o dreams --name '{number:04}.jpg'",
        "deepdream batch holiday -o dreams --cluster local    # side by side, on all processors",
    )  # fmt: skip
    parser.add_argument(
        "pictures", metavar="PICTURES", nargs="+",
        help="files, folders (the pictures directly inside), or patterns as 'photos/**/*.jpg'",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", required=True,
        help="the folder for the dreams; what is there already is not made again",
    )  # fmt: skip
    default = signature_defaults("batches.make", "batch")
    group = parser.add_argument_group("batch")
    keywords(
        group, default,
        ("--name", str, "PATTERN", "what the dreams are called: {name} and {ext} of the picture, "
         "its {folder}, {number}, {seed}, {style}"),
    )  # fmt: skip
    group.add_argument(
        "--recipe", metavar="FILE",
        help="make them as this dream was made: a picture that deepdream has written, or the JSON "
        "of 'deepdream show --json'; other flags change it",
    )  # fmt: skip
    group.add_argument(
        "--depth", type=int, choices=(8, 16), default=default["depth"],
        help="bits per channel; 16 in .png and .tif (default: 8)",
    )  # fmt: skip
    group.add_argument(
        "--seed", type=int, metavar="N", help="of all dreams (default: the recipe's, or 0)"
    )
    cluster_arguments(parser)
    model_arguments(parser)
    dream_arguments(parser, without=("--seed",))


def run(args: argparse.Namespace) -> int:
    """Make what is missing, say what was written and what failed."""
    from ..files import check_folder

    check_folder(args.out)
    with collector_paused():
        from ..batches.make import FAILURES, write_batch
        from ..galleries.captions import count

    began = time.monotonic()
    params = chosen(args)
    net = _net(args, params)
    folder = Path(args.out)
    made, before, failed = 0, 0, []
    notes: dict[str, list[str]] = {}
    todo = write_batch(
        net, args.pictures, folder, name=args.name, recipe=args.recipe, depth=args.depth,
        seed=args.seed, cluster=args.cluster, shared=args.shared,
        on_start=lambda n: print(f"{count(n, 'picture')} to make") if n else None, **params,
    )  # fmt: skip
    try:
        for dreamt in todo:
            for note in dreamt.notes:
                notes.setdefault(note, []).append(dreamt.picture.name)
            if dreamt.error:
                failed.append(dreamt)
            elif dreamt.there:
                before += 1
            else:
                made += 1
    except KeyboardInterrupt:
        print(
            f"stopped: {count(made, 'picture')} written to {folder}; the same command goes on there"
        )
        return 130
    for dreamt in failed:
        print(f"{dreamt.picture}: {in_flags(dreamt.error, args.parser.flags())}", file=sys.stderr)
    tell(notes)
    what = f"{count(made, 'new picture')}" + (f", {before} from before" if before else "")
    if failed:
        what += f", {len(failed)} failed: {folder / FAILURES} says why"
    print(f"wrote {folder} ({what}, {time.monotonic() - began:.0f} s)")
    return 1 if failed else 0


_NOTES = 5  # that are told; more of them would be one for each picture


def tell(notes: Mapping[str, list[str]]) -> None:
    """Tell what was to be said while pictures were made, each once, with the first's name."""
    for note, names in [*notes.items()][:_NOTES]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        warnings.warn(f"{names[0]}{more}: {note}", stacklevel=2)
    if len(notes) > _NOTES:
        warnings.warn(f"{len(notes) - _NOTES} more notes of this kind", stacklevel=2)


def _net(args: argparse.Namespace, params: dict[str, Any]) -> Any:
    """Return the net that flags or the recipe name; of a recipe, flags that say nothing go."""
    if args.recipe is None:
        return load_net(args)
    from ..recipe import read_recipe
    from ..repeat import load_recipes_net

    for name, usual in (("precision", "float32"), ("balance", True)):
        if params.get(name) == usual:
            del params[name]
    given = {
        n: None if getattr(args, n) == "auto" else getattr(args, n) for n in ("engine", "device")
    }
    return load_recipes_net(
        read_recipe(args.recipe),
        model=args.model,
        weights=args.weights,
        mean=args.mean,
        **given,
    )
