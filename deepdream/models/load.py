"""From a name, or a pair of files, to a net that can dream.

`load_net` is the door: a registered name is looked up, its weights are found in the cache or
fetched, checked, and loaded into a `Net` with a transformer. What is known of each network is in
`registry`; the files on this machine are `cache`'s business, whose functions are offered here too.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np

from .. import gpu
from ..errors import (
    CaffemodelError,
    DeepDreamError,
    EngineError,
    MissingFileError,
    ParameterError,
    PrototxtError,
    ShapeError,
    how_to_install,
)
from .cache import FileName, bundled_weights, check_weights
from .cache import add_model as add_model
from .cache import cache_folder as cache_folder
from .cache import fetch_model as fetch_model
from .cache import find_model as find_model
from .cache import find_weights as find_weights
from .cache import list_models as list_models
from .prototxts import prototxt_path as prototxt_path
from .registry import ALIASES, DEFAULT_MODEL, MODELS, NOTEBOOK_MEAN, ModelEntry, plain

if TYPE_CHECKING:
    from ..running.graph import Graph
    from ..running.net import Net

Mean = Union[FileName, Sequence[float], np.ndarray, None]

ENGINES = ("auto", "deepdream", "caffe")
# As ours was called once, and stands in the recipes of its pictures.
FORMER = {"torch": "deepdream"}

TEST = 1  # Caffe's phase; the constant lives beside the layers, which take time to import


def load_net(
    model: FileName | None = None,
    caffemodel: FileName | None = None,
    *,
    mean: Mean = None,
    engine: str = "auto",
    device: str = "auto",
    strict: bool = True,
) -> Net:
    """Load a net that can dream.

    Parameters
    ----------
    model : str or PathLike, optional
        The name of a registered network (``"googlenet"``; its weights are downloaded once), or
        the path of a prototxt. None is the bundled network, which needs no download.
    caffemodel : str or PathLike, optional
        Weights of your own: needed with a prototxt, and used instead of the published ones with
        a registered name.
    mean : optional
        What to subtract from pictures, in B, G, R order and grey levels (0..255): three numbers;
        the path of a ``.npy`` or ``.binaryproto`` (a mean picture is averaged to one number per
        channel, as the notebook does, because dreams come in any size); or ``"2015"`` for the
        notebook's 104, 116, 122. None is the model's own mean. For a prototxt of your own it is
        that of the registered network whose weights you give (by file name or size), else
        ImageNet's 104, 117, 123, with a warning.
    engine : {"auto", "deepdream", "caffe"}
        What computes. ``"deepdream"`` is our own; ``"caffe"`` is the real pycaffe, where it can be
        imported: you get its own `caffe.Net`. ``"auto"`` is ``"deepdream"``, or ``"caffe"`` in an
        environment of pycaffe's that has no Numba.
    device : {"auto", "cpu", "cuda"}
        Where. ``"auto"`` is the GPU where the engine finds one. Our own needs PyTorch for it.
    strict : bool
        A layer of the prototxt that finds no weights is an error that lists such layers. With
        False they keep their fillers' values (mostly zeros), with a warning, as in Caffe.

    Returns
    -------
    Net
        In TEST phase, with gradients for every layer (``force_backward``) but none for the
        parameters. Besides what pycaffe's nets have: ``transformer`` (transpose, channel swap and
        mean of the input, as `caffe.Classifier` sets it up), ``model`` (a `ModelEntry` or None),
        ``prototxt_path`` and ``weights_path``.

    Raises
    ------
    UnknownModelError
        No model of that name.
    MissingFileError
        A file that was named does not exist.
    PrototxtError, CaffemodelError
        A file is damaged or something else.
    WeightsError
        The weights belong to another net.
    DownloadError, WriteError
        The weights cannot be fetched or stored.
    ParameterError, EngineError
        A parameter makes no sense, or the engine is not available.

    Examples
    --------
    >>> net = load_net()                                             # doctest: +SKIP
    >>> net = load_net("googlenet", mean="2015")                     # doctest: +SKIP
    >>> net = load_net("deploy.prototxt", "x.caffemodel", mean=(104, 117, 123))  # doctest: +SKIP
    """
    engine = FORMER.get(engine, engine)
    if engine not in ENGINES:
        raise ParameterError(f"engine is {engine!r}; it must be one of {', '.join(ENGINES)}.")
    engine = _engine(engine)
    device = _device(device, engine)
    entry, prototxt = _which(DEFAULT_MODEL if model is None else model, caffemodel)
    if engine == "caffe" and entry is not None and entry.bundled:
        raise EngineError(
            f"Caffe 1.0 cannot run the bundled network, '{entry.name}': it has no layer of the "
            "type Clip.\nName another one (--model; 'deepdream models' lists them), or use "
            "engine='deepdream'."
        )
    # Before anything is downloaded or read, because it is quick to find wrong.
    mean_bgr = None if mean is None else parse_mean(mean)
    if caffemodel is not None:
        weights = Path(caffemodel).expanduser()
        _refuse_folder(weights, "*.caffemodel", CaffemodelError)
        if not weights.is_file():
            raise MissingFileError(f"There is no weights file '{weights}'.")
    else:
        assert entry is not None
        weights = _weights_of(entry)
    if mean_bgr is None:
        mean_bgr = np.array((entry or _guess(weights)).mean, np.float32)

    net: Any
    if engine == "caffe":
        from .real_caffe import load_real

        net = load_real(prototxt, weights, device, strict)
    else:
        from ..running.net import Net

        net = Net(
            str(prototxt),
            TEST,
            weights=str(weights),
            force_backward=True,
            strict=strict,
            device=device,
            param_diffs=False,
            lenient=True,
        )
    net.transformer = _transformer(net, mean_bgr, prototxt)
    net.model = entry
    net.prototxt_path = prototxt
    net.weights_path = weights
    return cast("Net", net)


def load_graph(model: FileName | None = None) -> Graph:
    """Build the layers of a network without its weights, to look at their shapes.

    Parameters
    ----------
    model : str or PathLike, optional
        As for `load_net`; a prototxt of your own needs no caffemodel here.

    Returns
    -------
    Graph
        With ``model``, a `ModelEntry` or None. Nothing is downloaded.

    Raises
    ------
    UnknownModelError, MissingFileError, PrototxtError
        As for `load_net`.
    """
    entry, prototxt = _which(DEFAULT_MODEL if model is None else model, "")

    from ..running.graph import Graph, read_wired

    source, wired = read_wired(prototxt, lenient=True)
    graph: Any = Graph(
        source,
        wired,
        TEST,
        again=lambda refused: read_wired(prototxt, lenient=True, refused=refused)[1],
    )
    graph.model = entry
    return cast("Graph", graph)


def _engine(engine: str) -> str:
    """Return ``"deepdream"`` (our own engine) or ``"caffe"``.

    Raises
    ------
    EngineError
        Ours is asked for, or nothing else is there, and what it needs is not installed.
    """
    if engine == "caffe":
        return "caffe"
    if find_spec("numba") is not None:
        return "deepdream"
    if engine == "auto" and find_spec("caffe") is not None:
        return "caffe"
    raise EngineError(
        "Our own engine needs Numba, which is not installed here.\nInstall it (pip install "
        "numba), or dream with the real Caffe where you have one: engine='caffe' (--engine caffe)."
    )


def _device(device: str, engine: str) -> str:
    """Return the device for our engine: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; Caffe's finds its own.

    Raises
    ------
    ParameterError
        There is no such device.
    EngineError
        PyTorch, which computes on a GPU, is not installed.
    """
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ParameterError(f"device is {device!r}; it must be 'auto', 'cpu' or 'cuda'.")
    if device == "cpu" or engine == "caffe":
        return device
    if device == "auto":
        return "cuda" if gpu.gpu_count() else "cpu"
    if not gpu.has_torch():
        raise EngineError(
            f"device is {device!r}, and PyTorch, which computes on a GPU, is not installed here.\n"
            f"Install it: {how_to_install('gpu')}; or use 'auto' or 'cpu'."
        )
    count = gpu.gpu_count()
    if int(device.partition(":")[2] or 0) >= count:
        raise ParameterError(
            f"device is {device!r}, and PyTorch finds {count or 'no'} CUDA GPU{'s'[: count != 1]} "
            "here: use 'auto' or 'cpu'. For a GPU, install a PyTorch build with CUDA."
        )
    return device


def _which(model: FileName, caffemodel: FileName | None) -> tuple[ModelEntry | None, Path]:
    """Return the entry (None for a file of the user's) and the prototxt."""
    text = os.fsdecode(model)
    path = Path(text).expanduser()
    if path.suffix in (".caffemodel", ".h5", ".hdf5"):
        first = next((e.name for e in MODELS.values() if e.weights_file == path.name), None)
        first = first or "deploy.prototxt"
        raise ParameterError(
            f"'{text}' is a weights file; the net's description comes first: "
            f"load_net('{first}', '{text}')."
        )
    looks_like_a_file = path.is_file() or path.suffix in (".prototxt", ".pbtxt", ".txt")
    plain_word = isinstance(model, str) and not re.search(r"[/\\]", text)
    if not (plain_word and plain(text) in ALIASES):
        _refuse_folder(path, "*.prototxt", PrototxtError)
    if plain_word and (plain(text) in ALIASES or not looks_like_a_file):
        entry = find_model(text)
        return entry, prototxt_path(entry)
    if not path.is_file():
        raise MissingFileError(f"There is no prototxt '{path}'.")
    if caffemodel is None:
        raise ParameterError(
            f"'{text}' describes a net but holds no weights; "
            f"give them too: load_net('{text}', 'x.caffemodel')."
        )
    return None, path


def _refuse_folder(path: Path, pattern: str, error: type[DeepDreamError]) -> None:
    """Raise `error` for a folder; it offers the files in it that fit a pattern."""
    if path.is_dir():
        inside = sorted(entry.name for entry in path.glob(pattern))[:3]
        which = f" It has {', '.join(map(repr, inside))}." if inside else ""
        raise error(f"'{path}' is a folder: give the file inside it.{which}")


def _weights_of(entry: ModelEntry) -> Path:
    """Return a registered network's checked weights, downloaded where they are missing."""
    if entry.bundled:
        return bundled_weights()
    path = find_weights(entry)
    if path is None:
        return fetch_model(entry)
    check_weights(entry, path)
    return path


def _guess(weights: Path) -> ModelEntry:
    """Return the registered network that `weights` seem to belong to; warn where there is none."""
    size = weights.stat().st_size
    for entry in MODELS.values():
        if weights.name == entry.weights_file or entry.size == size:
            return entry
    warnings.warn(
        f"No mean was given for '{weights.name}': using ImageNet's (104, 117, 123), B, G, R. "
        "If the net was trained with another one, pass mean=...",
        stacklevel=3,
    )
    return MODELS["googlenet"]


def parse_mean(mean: Mean) -> np.ndarray:
    """Return a mean as three numbers.

    Parameters
    ----------
    mean : sequence of float, ndarray, str or PathLike
        Three numbers B, G, R; ``"2015"``; ``"104,117,123"``; or the path of a ``.npy``,
        ``.binaryproto`` or ``.mat`` file. A mean picture, (3, h, w), (1, 3, h, w) or, with a
        warning about the order of its channels, (h, w, 3), is averaged over its pixels.

    Returns
    -------
    ndarray, (3,), float32
        B, G, R in grey levels.

    Raises
    ------
    ParameterError
        Not three finite numbers; the message tells the shape.
    MissingFileError, CaffemodelError
        The file does not exist, or is damaged.

    Warns
    -----
    UserWarning
        A picture of shape (h, w, 3) was taken as B, G, R.
    """
    found: Any = mean
    if isinstance(mean, (str, os.PathLike)):
        text = os.fsdecode(mean)
        numbers = text.split(",")
        if text == "2015":
            found = NOTEBOOK_MEAN
        elif len(numbers) > 1 and not Path(text).exists():
            found = numbers
        else:
            found = _mean_file(Path(text).expanduser())
    try:
        values = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    shape = values.shape
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.size == 3:
        values = values.reshape(3)
    elif values.ndim == 3 and values.shape[0] != 3 and values.shape[2] == 3:
        warnings.warn(
            f"The mean has the shape {shape}: its channels, the last axis, are taken as B, G, R. "
            "If they are R, G, B, pass mean[:, :, ::-1].",
            stacklevel=3,
        )
        values = values.mean(0).mean(0)
    elif values.ndim == 3:
        values = values.mean(1).mean(1)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise ParameterError(
            f"mean is {_described(mean, found, shape)}; give three numbers in B, G, R order such "
            "as (104, 117, 123), '2015', or a .npy, .binaryproto or .mat file with 3 channels."
            + _grey_advice(values)
        )
    return values.astype(np.float32)


def _described(mean: Mean, found: Any, shape: tuple[int, ...]) -> str:
    """Return a mean in a few words: its shape, and where it comes from."""
    if isinstance(mean, (str, os.PathLike)):
        text = repr(os.fsdecode(mean))
        return f"{text}, an array of shape {shape}" if isinstance(found, np.ndarray) else text
    text = repr(mean)
    return text if len(text) <= 60 and "\n" not in text else f"an array of shape {shape}"


def _grey_advice(values: np.ndarray) -> str:
    """Return what to do with a mean picture that has no channels; "" for others."""
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        return ""
    grey = f"{values.mean():.3f}"
    return f"\nA grey mean for a net of three channels would be ({grey}, {grey}, {grey})."


def _mean_file(path: Path) -> np.ndarray:
    _refuse_folder(path, "*.binaryproto", CaffemodelError)
    if not path.is_file():
        raise MissingFileError(
            f"There is no mean file '{path}'. A mean can also be three numbers: (104, 117, 123)."
        )
    from ..reading.proto import read_mean

    return np.asarray(read_mean(str(path)))


def _transformer(net: Any, mean_bgr: np.ndarray, prototxt: Path) -> Any:
    """Return a transformer for the net's input, set up as the notebook's `caffe.Classifier`."""
    from ..running.transformer import Transformer

    if not net.inputs:
        raise ShapeError(_no_input(prototxt))
    name = net.inputs[0]
    shape = tuple(net.blobs[name].shape)
    if len(shape) != 4 or shape[1] != 3 or 0 in shape:
        raise ShapeError(
            f"Input '{name}' of '{prototxt}' has shape {shape}; pictures need (n, 3, h, w)."
        )
    transformer = Transformer({name: shape})
    transformer.set_transpose(name, (2, 0, 1))
    transformer.set_channel_swap(name, (2, 1, 0))
    transformer.set_mean(name, mean_bgr)
    return transformer


def _no_input(prototxt: Path) -> str:
    """Return the error for a net without an input."""
    from ..reading.proto import read_prototxt
    from ..reading.upgrade import upgrade
    from ..running.wiring import training_advice

    advice = training_advice(upgrade(read_prototxt(prototxt)))
    return f"'{prototxt}' has no input blob to put a picture into" + (
        f": {advice}" if advice else "."
    )
