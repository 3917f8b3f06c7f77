"""``deepdream layers``: what one can dream at."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from ..errors import ParameterError
from .arguments import collector_paused, command, model_help


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "layers", run, "list the layers one can dream at: names for --end",
        "deepdream layers",
        "deepdream layers --model googlenet --size 1024x575",
        "deepdream layers --svg network.svg   # a drawing, for a browser",
    )  # fmt: skip
    parser.add_argument("--model", metavar="NAME|PROTOTXT", help=model_help())
    parser.add_argument(
        "--size", metavar="WxH", default=None,
        help="tell the shapes for a picture of this size (default: the prototxt's)",
    )  # fmt: skip
    parser.add_argument(
        "--all", action="store_true", help="also layers without a blob of their own"
    )
    parser.add_argument(
        "--end", metavar="LAYER", help="layer to mark (default: the model's recommended one)"
    )
    parser.add_argument(
        "--svg", metavar="FILE", help="draw the network into an .svg or .png file instead"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table, or draw the network."""
    from ..dreaming.dream2015 import input_name
    from ..models.registry import LOOKS_SEEN_AT

    with collector_paused():
        from ..drawing.boxes import boxes, find_target, pair
        from ..models.load import load_graph

        net = load_graph(args.model)
    inputs = None
    if args.size:
        try:
            w, h = (int(side) for side in args.size.lower().split("x"))
        except ValueError:
            raise ParameterError(f"--size is '{args.size}': WxH is expected, as 1024x575") from None
        inputs = {input_name(net): (1, 3, h, w)}
    if args.svg is not None:
        from ..drawing.diagram import draw

        drawing = draw(net, args.end, inputs)
        drawing.save(args.svg)
        print(f"wrote {args.svg} ({drawing.width}x{drawing.height})")
        return 0
    made = boxes(net, inputs)
    target = find_target(net, made, args.end)
    looks = net.model.layers if net.model else {}
    told = f"what its dreams look like, at {LOOKS_SEEN_AT} pixels or more" if looks else ""
    rows = [("layer", "type", "blob shape", "stride", "field", told)]
    for box in made:
        if box.view is None:
            continue
        if box.name in box.targets and box.kind != "input":
            shape = "x".join(map(str, box.view.shape[1:])) or "1"
            look = looks.get(box.name, "")
            if box.name == target:
                look = f"* {look}" if look else "* recommended" if args.end is None else "*"
            sees = pair(box.view.stride, "x"), pair(box.view.field, "x")
            rows.append((box.name, box.type, shape, *sees, look))
        elif args.all and box.kind != "input":
            rows.append((box.name, box.type, f"makes {box.view.blob}", "", "", ""))
        for layer in box.folded if args.all else []:
            rows.append((layer.name, layer.type, f"rewrites {box.view.blob}", "", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))
        print(f"{'  '.join(cells)}  {row[5]}".rstrip())
    for note in _missing(net):
        print(f"note: {note}", file=sys.stderr)
    if args.size:
        for note in _notes(net, (h, w), inputs):
            print(f"note: {note}", file=sys.stderr)
    return 0


def _missing(net: Any) -> Iterator[str]:
    """Yield which layers cannot be built, the reasons first that are not another layer."""
    for name, reason in net.unbuilt.items():
        yield f"layer '{name}' cannot be built: {reason}"


def _notes(net: Any, size: tuple[int, int], inputs: Any) -> Iterator[str]:
    """Yield what is to be said of a picture's size where it does not fit."""
    from ..dreaming.pictures.fitting import Fitting
    from ..running.sizes import shapes_by_size

    h, w = size
    shapes, beyond = shapes_by_size(net, inputs)
    for (high, wide), more in beyond:
        first = next(layer for layer, tops in net.top_names.items() if more.keys() & set(tops))
        yield (
            f"{w}x{h} does not fit from '{first}' on: it goes through the net continued, as "
            f"{wide}x{high}"
        )
        shapes.update(more)
    last = next((name for name, tops in net.top_names.items() if not shapes.keys() >= {*tops}), "")
    if last:
        yield f"{w}x{h} {Fitting(net, last).why_not(size)}"
