"""``deepdream show``: how a picture or a film was made."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .arguments import command


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "show", run, "tell how a picture or a film was made: the recipe that it carries",
        "deepdream show dream.png", "deepdream show dream.mp4",
    )  # fmt: skip
    parser.add_argument(
        "file", metavar="FILE", help="a picture or a film that deepdream has written"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    from ..recipe import read_recipe

    recipe = read_recipe(args.file)
    if args.json:
        print(json.dumps(recipe, indent=2))
        return 0
    rows = [*lines(recipe)]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")
    return 0


def lines(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and values, the network and the input before the parameters."""
    from ..dreaming.objectives import typed
    from ..dreaming.schedules import in_words

    model = recipe.get("model") or {}
    yield "made by", f"deepdream {recipe.get('deepdream')}, {recipe.get('command')}"
    yield "network", str(model.get("name") or "without a name")
    for key in ("caffemodel_sha256", "prototxt_sha256"):
        if key in model:
            yield f"  {key.partition('_')[0]}", f"sha256 {model[key]}"
    if "mean" in model:
        yield "  mean", ", ".join(f"{value:g}" for value in model["mean"]) + " (B, G, R)"
    if "engine" in recipe:
        yield "computed by", f"engine {recipe['engine']} on {recipe.get('device', 'a device')}"
    if "style" in recipe:
        yield "style", str(recipe["style"])
    guides = recipe.get("guide")
    shown_pictures = [("input", recipe.get("input"))]
    shown_pictures += [("guide", g) for g in (guides if isinstance(guides, list) else [guides])]
    for what, source in [*shown_pictures, ("mask", recipe.get("mask"))]:
        if isinstance(source, Mapping):
            w, h = source.get("size") or ("?", "?")
            if "noise" in source:
                yield what, f"noise of seed {source['noise']} ({w}x{h})"
                continue
            yield what, f"{source.get('file')} ({w}x{h})"
            yield "", f"sha256 {source.get('sha256')}"
        elif what == "input" or source is not None:
            yield what, "an array" if source is None else str(source)
    for name, value in (recipe.get("parameters") or {}).items():
        if name in ("end", "objective"):
            yield name, typed.in_words(value)
            continue
        yield name, "all" if value == "all" else in_words(value)
    yield "seed", "none" if recipe.get("seed") is None else str(recipe["seed"])
    shown = {"deepdream", "command", "model", "engine", "device", "style", "input", "guide", "mask",
             "parameters", "seed"}  # fmt: skip
    for name, value in recipe.items():
        if name in shown:
            continue
        if isinstance(value, Mapping):
            for inner, each in value.items():
                yield f"{name} {inner}", str(each)
            continue
        yield name, str(value)
