"""``deepdream rerun``: a picture or a film again, from its recipe."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .arguments import (
    chosen,
    collector_paused,
    command,
    dream_arguments,
    model_arguments,
)
from .film_arguments import make


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "rerun", run,
        "make a picture or a film again, from its recipe: as it was, larger, or with changes",
        "deepdream rerun dream.png                         # the same, byte for byte",
        "deepdream rerun dream.png -o print.png --width 4096",
        "deepdream rerun dream.png -o other.png --end block7/output --iter-n 20",
        "deepdream rerun dream.png -o again.png --seed 5   # the same dream, dreamt anew",
    )  # fmt: skip
    parser.add_argument(
        "file", metavar="FILE", help="a picture or a film that deepdream has written"
    )
    parser.add_argument(
        "-o", "--out", metavar="OUT",
        help="the picture to write (default: FILE's name with _rerun, in this folder)",
    )  # fmt: skip
    parser.add_argument(
        "--input", metavar="IMAGE",
        help="the picture it was made from (default: by its name, beside FILE or in this folder)",
    )  # fmt: skip
    parser.add_argument(
        "--depth", type=int, choices=(8, 16),
        help="bits per channel; 16 in .png and .tif (default: FILE's, where OUT can have them)",
    )  # fmt: skip
    model_arguments(parser, recipe=True)
    dream_arguments(parser, recipe=True)


def run(args: argparse.Namespace) -> int:
    """Make it, save it, and say how it compares with the one there is."""
    from .. import images
    from ..progress import Bar

    began = time.monotonic()
    path = Path(args.file)
    out = Path(args.out) if args.out else Path(f"{path.stem}_rerun{path.suffix}")
    with collector_paused():
        from ..repeat import load_recipes_net, repeatable, rerun

    from ..recipe import read_recipe

    recipe = read_recipe(path)
    repeatable(recipe, str(path))  # before a net is loaded
    if recipe["command"] == "film":
        return _film(args, path, out, recipe)
    images.check_writable(out, args.depth)
    changes, files = _changes(args)
    net = load_recipes_net(
        recipe, model=args.model, weights=args.weights, mean=args.mean, engine=args.engine,
        device=args.device,
    )  # fmt: skip
    frames = int(recipe.get("frame", 0)) + 1
    with Bar(frames) as bar:
        made = rerun(
            path, img=args.input, net=net, on_step=bar.step, progress=False, **files, **changes
        )
    images.save_image(made, out, depth=args.depth or images.depth_for(out, recipe))
    stopped = made.recipe is not None and made.recipe.get("stopped")
    new = [name for name in files if name not in recipe]
    different = [*changes, *new]
    what = f"changed: {', '.join(different)}" if different else compared(path, out)
    print(f"wrote {out} ({time.monotonic() - began:.0f} s); {what}")
    return 130 if stopped else 0


def _changes(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is to be another than in the recipe, and the files of guides and mask."""
    changes = chosen(args, load=False)
    if args.seed is not None:
        changes["seed"] = args.seed
    return changes, {name: changes.pop(name) for name in ("guide", "mask") if name in changes}


def _film(args: argparse.Namespace, path: Path, out: Path, recipe: Mapping[str, Any]) -> int:
    """Make a film again."""
    from ..films.again import film_again
    from ..repeat import load_recipes_net

    changes, files = _changes(args)
    net = load_recipes_net(
        recipe, model=args.model, weights=args.weights, mean=args.mean, engine=args.engine,
        device=args.device,
    )  # fmt: skip
    making = film_again(path, out, img=args.input, net=net, **files, **changes)
    status = make(args, making)
    if not status and not changes and out.is_file() and path.is_file():
        same = out.read_bytes() == path.read_bytes()
        print(f"it is {path}, byte for byte" if same else f"it differs from {path}")
    return status


def compared(before: Path, after: Path) -> str:
    """Return in words how far two pictures are apart."""
    import numpy as np

    from ..images import load_image
    from ..recipe import read_recipe

    if before.read_bytes() == after.read_bytes():
        return f"it is {before}, byte for byte"
    old, new = np.asarray(load_image(before)), np.asarray(load_image(after))
    if old.shape != new.shape:
        return f"{before} has another size"
    apart = np.abs(old - new)
    if not apart.any():
        return f"it has the pixels of {before}"
    lossy = {".jpg", ".jpeg", ".webp"} & {before.suffix.lower(), after.suffix.lower()}
    reason = "another machine, device, engine or version rounds in other ways"
    if before.suffix.lower() != after.suffix.lower() and lossy:
        reason = f"{' and '.join(sorted(lossy))} keeps no exact pixels"
    depths = [read_recipe(path).get("depth", 8) for path in (before, after)]
    if depths[0] != depths[1]:
        reason = f"{depths[0]} and {depths[1]} bits round differently"
    return (
        f"it differs from {before} by {apart.mean():.2f} grey levels on average, {apart.max():.0f} "
        f"at most: {reason}"
    )
