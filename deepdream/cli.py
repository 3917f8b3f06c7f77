"""The command line: ``deepdream dream``, ``zoom``, ``layers``, ``models``.

Each command reads its arguments, calls public functions, and saves. Flags are the keywords of those
functions, their defaults are read from the signatures. Modules that take long to load are imported
by the command that needs them: help is there at once.

Exit status: 0 when done, 2 for an error that was expected (one to three lines, no traceback),
130 after Ctrl-C, when what was made so far has been kept.
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from .errors import DeepDreamError, ParameterError
from .version import __version__

Progress = Callable[[Any], None]


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


# -- arguments ------------------------------------------------------------------------------------


_MODEL_HELP = "a name from 'deepdream models', or a prototxt (default: the bundled network)"


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

    dream = _command(commands, "dream", _dream, "dream on a picture")
    dream.add_argument("image", metavar="IMAGE", help="any picture that Pillow reads")
    dream.add_argument(
        "-o", "--out", metavar="OUT",
        help="the picture to write, .png, .jpg, .tif or .webp (default: IMAGE's name with "
        "_dream.png, in this folder)",
    )  # fmt: skip
    _model_arguments(dream)
    _dream_arguments(dream)

    zoom = _command(commands, "zoom", _zoom, "dream on dreams, zooming in: a folder of frames")
    zoom.add_argument("image", metavar="IMAGE", help="the picture to begin with")
    zoom.add_argument(
        "-o", "--out", metavar="FOLDER", required=True,
        help="folder for 0000.png, 0001.png ...; a zoom that was interrupted there goes on",
    )  # fmt: skip
    _keywords(
        zoom,
        _signature_defaults("frames", "zoom"),
        ("--frames", int, "N", "how many frames"),
        ("--scale", float, "S", "share of height and width cut off between frames"),
    )
    zoom.add_argument(
        "--format", choices=("png", "jpg"), default="png", help="of the frames (default: png)"
    )
    _model_arguments(zoom)
    _dream_arguments(zoom)

    layers = _command(commands, "layers", _layers, "list the layers one can dream at")
    layers.add_argument("--model", metavar="NAME|PROTOTXT", help=_MODEL_HELP)
    layers.add_argument(
        "--size", metavar="WxH", default=None,
        help="tell the shapes for a picture of this size (default: the prototxt's)",
    )  # fmt: skip
    layers.add_argument(
        "--all", action="store_true", help="also layers without a blob of their own"
    )

    models = _command(commands, "models", _models, "list networks, fetch one, or add a file")
    actions = models.add_subparsers(metavar="ACTION")
    fetch = _command(actions, "fetch", _models_fetch, "download a model's weights, checked")
    fetch.add_argument("name", metavar="NAME", help="as the list shows it")
    add = _command(actions, "add", _models_add, "take weights that are already on disk")
    add.add_argument("file", metavar="FILE", help="a .caffemodel, or the archive it came in")
    add.add_argument("--name", metavar="NAME", help="which model it is, where FILE does not tell")
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(command=run)
    parser.add_argument("--verbose", action="store_true", help="say more about what is done")
    return parser


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument("--model", metavar="NAME|PROTOTXT", help=_MODEL_HELP)
    group.add_argument(
        "--weights", metavar="FILE", help="the .caffemodel that goes with a prototxt"
    )
    group.add_argument(
        "--mean", metavar="MEAN",
        help="blue,green,red as 104,117,123; a .npy or .binaryproto file; or 2015, the notebook's "
        "(default: the model's own)",
    )  # fmt: skip
    group.add_argument("--engine", help="auto, torch or caffe (default: auto)", default="auto")
    group.add_argument("--device", help="auto, cpu or cuda (default: auto)", default="auto")


def _dream_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("dream")
    _keywords(
        group,
        _signature_defaults("dream", "dream"),
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
    precision = _signature_defaults("dream", "dream")["precision"]
    group.add_argument(
        "--precision", choices=("float32", "tf32", "bfloat16"), default=precision,
        help=f"of products in the net; tf32 and bfloat16 are for GPUs (default: {precision})",
    )  # fmt: skip
    group.add_argument(
        "--no-clip", dest="clip", action="store_false", help="let values leave 0..255 on the way"
    )
    group.add_argument("--guide", metavar="IMAGE", help="a picture to steer by")
    group.add_argument(
        "--seed", type=int, metavar="N",
        help="makes the picture repeatable (default: a new one, kept in the picture's recipe)",
    )  # fmt: skip


def _keywords(parser: Any, defaults: Mapping[str, Any], *flags: tuple[str, Any, str, str]) -> None:
    """Add flags (name, type, metavar, help) whose defaults are those of a function's keywords."""
    for flag, kind, metavar, text in flags:
        default = defaults[flag[2:].replace("-", "_")]
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(flag, type=kind, metavar=metavar, default=default, help=text + shown)


@cache
def _signature_defaults(module: str, function: str) -> Mapping[str, Any]:
    """Return the defaults in the signature of a function of ``deepdream.dreaming``.

    They are read from its source, because importing it takes longer than printing the help may:
    it loads numpy and Pillow.
    """
    tree = ast.parse((Path(__file__).parent / "dreaming" / f"{module}.py").read_bytes())
    found = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function
    )
    args = found.args
    positional = args.args[len(args.args) - len(args.defaults) :]
    pairs = [*zip(positional, args.defaults), *zip(args.kwonlyargs, args.kw_defaults)]
    return {arg.arg: ast.literal_eval(value) for arg, value in pairs if value is not None}


# -- commands -------------------------------------------------------------------------------------


def _dream(args: argparse.Namespace) -> int:
    from . import images
    from .dreaming.dream import dream

    began = time.monotonic()
    out = Path(args.out) if args.out else Path(f"{Path(args.image).stem}_dream.png")
    images.check_writable(out)
    img = images.load_image(args.image)
    guide = None if args.guide is None else images.load_image(args.guide)
    net = _load_net(args)
    seed = _seed(args)
    _say(args, f"network {net.name or args.model}, seed {seed}")
    with _Bar() as bar:
        picture = dream(net, img, guide=guide, seed=seed, on_step=bar.step, **_chosen(args))
    images.save_image(picture, out)
    stopped = bool(picture.recipe and picture.recipe.get("stopped"))
    h, w = picture.shape[:2]
    partly = ", stopped early: the picture so far" if stopped else ""
    print(f"wrote {out} ({w}x{h}, {time.monotonic() - began:.0f} s{partly})")
    return 130 if stopped else 0


def _zoom(args: argparse.Namespace) -> int:
    from . import images
    from .dreaming.frames import write_zoom

    began = time.monotonic()
    img = images.load_image(args.image)
    guide = None if args.guide is None else images.load_image(args.guide)
    net = _load_net(args)
    folder = Path(args.out)
    count = 0
    with _Bar(args.frames) as bar:
        try:
            for path, _ in write_zoom(
                net, img, folder, frames=args.frames, scale=args.scale, suffix=f".{args.format}",
                guide=guide, seed=args.seed, on_step=bar.step, **_chosen(args),
            ):  # fmt: skip
                count += 1
                bar.frame(path)
        except KeyboardInterrupt:
            bar.close()
            print(f"stopped: {count} frames written to {folder}; the same command goes on there")
            return 130
    print(f"wrote {count} frames to {folder} ({time.monotonic() - began:.0f} s)")
    return 0


def _layers(args: argparse.Namespace) -> int:
    from .dreaming.dream2015 import input_name

    with _collector_paused():
        from .models.load import load_graph
        from .running.geometry import views

        net = load_graph(args.model)
    inputs = None
    if args.size:
        try:
            w, h = (int(side) for side in args.size.lower().split("x"))
        except ValueError:
            raise ParameterError(f"--size is '{args.size}': WxH is expected, as 1024x575") from None
        inputs = {input_name(net): (1, 3, h, w)}
    looks = net.model.layers if net.model else {}
    recommended = net.model.end if net.model else None
    rows = [("layer", "type", "blob shape", "stride", "field", "")]
    own = {view.layer: view for view in views(net, inputs).values() if view.layer == view.blob}
    for name, layer in zip(net._layer_names, net.layers):
        view = own.get(name)
        if view is None or layer.type in ("Input", "Split"):
            if args.all and view is None and layer.type != "Split":
                tops = ", ".join(net.top_names[name])
                rows.append((name, layer.type, f"rewrites {tops}" if tops else "", "", "", ""))
            continue
        shape = "x".join(map(str, view.shape[1:])) or "1"
        look = looks.get(name, "")
        if name == recommended:
            look = f"* {look}" if look else "* recommended"
        rows.append((name, layer.type, shape, _pair(view.stride), _pair(view.field), look))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))
        print(f"{'  '.join(cells)}  {row[5]}".rstrip())
    return 0


def _pair(value: tuple[int, int] | None) -> str:
    if value is None:
        return "all"
    return str(value[0]) if value[0] == value[1] else f"{value[1]}x{value[0]}"


def _models(args: argparse.Namespace) -> int:
    from .models.cache import list_models

    rows = [("model", "weights", "licence", "end")]
    for status in list_models():
        entry = status.entry
        licence = entry.licence + (" (non-commercial)" if entry.non_commercial else "")
        size = f", {status.size / 1e6:.0f} MB" if status.size else ""
        rows.append((entry.name, status.status + size, licence, entry.end))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def _models_fetch(args: argparse.Namespace) -> int:
    from .models.cache import fetch_model

    path = fetch_model(args.name, progress=sys.stderr.isatty())
    print(f"wrote {path}")
    return 0


def _models_add(args: argparse.Namespace) -> int:
    from .models.cache import add_model

    print(f"wrote {add_model(args.file, args.name)}")
    return 0


# -- helpers of the commands ----------------------------------------------------------------------


def _load_net(args: argparse.Namespace) -> Any:
    mean: Any = args.mean
    if mean is not None and "," in mean:
        try:
            mean = [float(value) for value in mean.split(",")]
        except ValueError:
            raise ParameterError(
                f"--mean is '{args.mean}': three numbers are expected, as 104,117,123"
            ) from None
    with _collector_paused():
        from .models.load import load_net

        return load_net(args.model, args.weights, mean=mean, engine=args.engine, device=args.device)


@contextmanager
def _collector_paused() -> Iterator[None]:
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


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    names = ("end", "iter_n", "octave_n", "octave_scale", "step_size", "jitter", "clip",
             "max_memory", "precision")  # fmt: skip
    return {name: getattr(args, name) for name in names}


def _seed(args: argparse.Namespace) -> int:
    return int.from_bytes(os.urandom(4), "little") if args.seed is None else args.seed


def _say(args: argparse.Namespace, text: str) -> None:
    if args.verbose:
        print(f"deepdream: {text}", file=sys.stderr)


class _Bar:
    """Progress with time left, on a terminal only."""

    def __init__(self, frames: int = 1) -> None:
        from tqdm import tqdm

        self._frames = frames
        self._frame = 0
        self._bar = tqdm(
            total=100 * frames,
            disable=not sys.stderr.isatty(),
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left",
            leave=False,
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._bar.close()

    def step(self, step: Any) -> None:
        h, w = step.size
        where = f"frame {self._frame + 1}/{self._frames}, " if self._frames > 1 else ""
        self._bar.set_description_str(
            f"{where}octave {step.octave + 1}/{step.octave_n} ({w}x{h}), "
            f"step {step.step + 1}/{step.iter_n}"
        )
        self._bar.update(100 * (self._frame + step.done) - self._bar.n)

    def frame(self, path: Path) -> None:
        self._frame = int(path.stem) + 1
