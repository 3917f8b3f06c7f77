#!/usr/bin/env python3
"""Write the pages of docs/ that follow from the code: layers.md, models.md, cli.md.

    scripts/make_docs.py            write them
    scripts/make_docs.py --check    say which are out of date, and exit with 1

Layer types come from the registry, their parameters and defaults from the message descriptors,
models from the registry of networks, and the command line from its parser.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HEADER = "<!-- made by scripts/make_docs.py: edit the code instead -->\n\n"

# Where a type's parameters are in LayerParameter, if not under its own name.
PARAM_FIELDS = {
    "ConvolutionDepthwise": "convolution_param",
    "Deconvolution": "convolution_param",
    "DepthwiseConvolution": "convolution_param",
    "Normalize": "norm_param",
    "SoftmaxWithLoss": "loss_param",
    "SigmoidCrossEntropyLoss": "loss_param",
}

PAGES = {}


def page(name):
    def enter(function):
        PAGES[name] = function
        return function

    return enter


@page("layers.md")
def layers() -> Iterator[str]:
    from deepdream.reading import caffe_pb2
    from deepdream.running.layers import LAYERS

    yield "# Layer types\n"
    yield (
        "Every type of Caffe that a net for dreaming can hold, and some of its variants. Defaults "
        "are those of `caffe.proto`. Add one: [add-a-layer.md](add-a-layer.md).\n"
    )
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    by_module: dict[str, list[str]] = {}
    for name, cls in LAYERS.items():
        by_module.setdefault(cls.__module__.rsplit(".", 1)[1], []).append(name)
    for module in sorted(by_module):
        summary = sys.modules[f"deepdream.running.layers.{module}"].__doc__.splitlines()[0]
        yield f"## {summary.rstrip('.')}\n"
        yield "| type | what it does | parameters (defaults) |"
        yield "| --- | --- | --- |"
        for name in sorted(by_module[module]):
            doc = " ".join((LAYERS[name].__doc__ or "").split("\n\n")[0].split())
            field = fields.get(PARAM_FIELDS.get(name, "")) or own_field(name, fields)
            yield f"| `{name}` | {escape(doc)} | {escape(parameters(field))} |"
        yield ""


def own_field(name: str, fields: Any) -> Any:
    """Return the field that is called like the type: lrn_param, batch_norm_param."""
    snake = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return fields.get(f"{snake}_param") or fields.get(f"{name.lower()}_param")


def parameters(field: Any) -> str:
    if field is None:
        return ""
    skipped = ("filler", "engine", "force_nd_im2col", "debug_info")
    shown = []
    for inner in field.message_type.fields:
        if inner.name.endswith(skipped):
            continue
        shown.append(f"`{inner.name}`{default(inner)}")
    return ", ".join(shown)


def default(field: Any) -> str:
    if field.default_value in (None, "", []) or field.message_type is not None:
        return ""
    if not field.has_default_value:
        return ""
    if field.enum_type is not None:
        return f" ({field.enum_type.values_by_number[field.default_value].name})"
    value = field.default_value
    return f" ({str(value).lower() if isinstance(value, bool) else f'{value:g}'})"


@page("models.md")
def models() -> Iterator[str]:
    from deepdream.models.registry import DEFAULT_MODEL, MODELS

    yield "# Models\n"
    yield (
        "`deepdream.load_net(NAME)` and `--model NAME` take these names. Weights are fetched once, "
        "checked against the published hash, and kept in the user's cache folder; "
        "`deepdream models add FILE` takes a file that is already on disk.\n"
    )
    yield "| name | what | weights | recommended `end` |"
    yield "| --- | --- | --- | --- |"
    for entry in MODELS.values():
        size = "bundled" if entry.bundled else f"{entry.size / 1e6:.0f} MB" if entry.size else "?"
        mark = " (default)" if entry.name == DEFAULT_MODEL else ""
        yield (
            f"| `{entry.name}`{mark} | {escape(entry.title)}: {escape(entry.classes)} | {size} "
            f"| `{entry.end}` |"
        )
    yield "\n## Classes\n"
    yield (
        "All of them are classifiers, and their classes have names: `deepdream labels [WORD] "
        "[--model NAME]` lists them, with the numbers of the outputs. A class can be called by any "
        "of its names, by its number, or, where it is one of many, with the others of its family: "
        "`dog` is all 118 breeds. A name of one class wins over a family, and a word that may be "
        "any of several classes is an error that lists them.\n"
    )
    yield (
        "ImageNet's words are those of Caffe's `synset_words.txt`, the synsets of ILSVRC 2012 in "
        "the order of their WordNet numbers; the names of places are those of "
        "`categoryIndex_places205.csv` and `categories_places365.txt`, which MIT published with "
        "the networks. The families are ours, in `deepdream/models/classes/imagenet.families`. A "
        "net of your own with 1000, 205 or 365 outputs is taken for one of these three kinds; of "
        "any other the classes are called by their numbers.\n"
    )
    for entry in MODELS.values():
        yield f"## {entry.name}\n"
        mean = ", ".join(f"{value:g}" for value in entry.mean)
        licence = entry.licence + (", **non-commercial**" if entry.non_commercial else "")
        yield f"{entry.title}. Source: <{entry.source}>\n"
        yield f"Licence: {licence}. Mean (blue, green, red): {mean}.\n"
        hashes = "; ".join(f"{kind} `{digits}`" for kind, digits in entry.hashes.items())
        if not entry.bundled:
            yield (
                f"File `{entry.weights_file}`"
                + (f", {entry.size:,} bytes" if entry.size else "")
                + (f"; {hashes}.\n" if hashes else "; no published hash: the first download is "
                   "remembered.\n")
            )  # fmt: skip
        if entry.layers:
            yield "| layer | looks like |"
            yield "| --- | --- |"
            for layer, look in entry.layers.items():
                yield f"| `{layer}` | {escape(look)} |"
            yield ""


@page("cli.md")
def cli() -> Iterator[str]:
    from deepdream.cli import build_parser

    yield "# Command line\n"
    yield (
        "Exit status: 0 when done, 1 where some pictures of a batch failed, 2 for an error with "
        "its message on standard error, 130 after Ctrl-C, when what was made has been kept.\n"
    )
    yield from commands(build_parser(), "##")


def commands(parser: argparse.ArgumentParser, level: str) -> Iterator[str]:
    actions = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    words = [a.metavar for a in actions if not a.option_strings and a.metavar]
    yield f"{level} `{' '.join([parser.prog, *words])}`\n"
    yield f"{parser.description}\n"
    yield "| argument | meaning |"
    yield "| --- | --- |"
    for action in actions:
        names = ", ".join(action.option_strings) or str(action.metavar)
        choices = "|".join(map(str, action.choices)) if action.choices else None
        value = action.metavar or choices or action.dest.upper()
        takes_value = action.option_strings and action.nargs != 0
        name = f"{names} {value}" if takes_value else names
        yield f"| `{escape(name)}` | {escape(str(action.help))} |"
    yield ""
    if parser.epilog:
        yield f"```text\n{parser.epilog}\n```\n"
    for action in inner:
        for command in action.choices.values():
            yield from commands(command, level)


def escape(text: str) -> str:
    return re.sub(r"``([^`]*)``", r"`\1`", text).replace("|", "\\|")


def page(name: str) -> str:
    """Return the text of a generated page."""
    return HEADER + "\n".join(PAGES[name]()).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if out of date")
    args = parser.parse_args()
    stale = []
    for name in PAGES:
        path, text = ROOT / "docs" / name, page(name)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not args.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if args.check and stale:
        print(f"out of date: {', '.join(stale)}. Run scripts/make_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
