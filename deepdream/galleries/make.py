"""One dream for every layer of a network, or for every channel of one layer, in a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import numbers
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from ..display import display_for
from ..dreaming.objectives.functions import objective_channel
from ..dreaming.objectives.goals import as_guides
from ..dreaming.objectives.objective import Objective
from ..dreaming.parameters import Parameters, check_precision, check_seed
from ..dreaming.styles import NOTEBOOK
from ..errors import DeepDreamError, ParameterError
from ..files import check_folder, make_folder
from ..images import Picture, as_picture, load_image, save_image, to_picture, to_uint8
from ..jobs.job import Job, Made, Maker
from ..jobs.run import check_cluster, run_jobs
from ..models.registry import LOOKS_SEEN_AT
from ..picture import file_of
from ..recipe import describe_net
from .manifest import INPUT, PAGE, Entry, Manifest, ascending, open_manifest, write_manifest
from .pace import expected_seconds, full_steps
from .page import Thumbnails, write_page
from .recreate import model_flags
from .targets import Target, find_targets, left_out

OctaveN = Union[int, str, Sequence[Union[int, str]], None]

# Parameters of a dream that all pictures of a gallery share; others change no picture, or are the
# gallery's own business.
_SHARED = tuple(name for name in NOTEBOOK if name != "octave_n")
_STEERS = ("guide", "objective")
_PICTURES = ("guide", "mask")
_OTHER = (*_STEERS, "mask", "style", "precision", "max_memory")
_WIDEST = 16  # octaves for which functions of the octave are written out

_PAGE_EVERY = 10.0  # seconds at least between two pages while pictures are made
_PAGE_SHARE = 0.05  # of the time that pages may take


def gallery(
    net: Any,
    img: Any,
    folder: str | os.PathLike[str],
    *,
    layers: str | None = "*",
    octave_n: OctaveN = None,
    channels: str | Sequence[int] | None = None,
    width: int | None = None,
    seed: int = 0,
    cluster: Any = None,
    shared: str | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Path:
    """Dream at many layers, and write a page to look at the pictures.

    An interrupted gallery goes on where it was: the same call makes what is missing or damaged. The
    page is written for what is there, also after Ctrl-C.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`.
    img : (h, w, 3) array or PIL.Image
        RGB, 0..255.
    folder : str or PathLike
        Made where it is missing. A picture is ``inception_4d_3x3_reduce.jpg``; with several
        numbers of octaves it is in ``octaves-2`` or ``octaves-6``. ``index.html`` is the page,
        ``input.png`` what was dreamt on, ``gallery.json`` what the folder holds.
    layers : str or None
        Patterns as in a shell, ``"inception_4*"``, several separated by commas. Numbers are whole:
        ``"block1*"`` is ``block1/output`` and not ``block10/output``. ``"*"`` is every layer, None
        those that are worth a picture: the outputs of blocks, and pools.
    octave_n : int or "all", or a sequence of them, optional
        Numbers of octaves; each layer is dreamt at with each of them. Default: the style's.
    channels : str or sequence of int, optional
        Instead of one picture of the layer one for each of these channels: ``"0-15,40"``,
        ``"all"``, or numbers. `layers` has to name one layer.
    width : int, optional
        Shrink the picture to so many pixels of width first; a gallery of a small picture is made
        in minutes, and fine for an overview.
    seed : int
        The same for all pictures, so that only the layer differs.
    cluster : str, PathLike or distributed.Client, optional
    shared : str, optional
        Machines to make the pictures on, and a folder that they see, as for `deepdream.batch`.
    progress : bool, optional
        As for `deepdream.dream`.
    **options
        Of `deepdream.dream`: the ``style``, what it decides (``iter_n, octave_scale, step_size,
        smooth, border, keep_colors`` ...), and ``mask, guide, objective, max_memory, precision,
        on_step``. ``suffix=".png"`` writes PNG instead of JPEG, ``embed=True`` puts the full
        pictures into the page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UnknownLayerError
        A pattern that fits no layer.
    ParameterError
        A value that makes no sense, or the folder holds a gallery made with other ones.
    WriteError
        A file cannot be written; pictures before it stay.
    KeyboardInterrupt
        Ctrl-C. The picture that was being made is dropped, the others stay.

    Notes
    -----
    A layer that cannot be dreamt at (the picture is too small, its gradient is zero) is shown on
    the page with the reason, and does not stop the others.
    """
    todo = write_gallery(net, img, folder, layers=layers, octave_n=octave_n, channels=channels,
                         width=width, seed=seed, cluster=cluster, shared=shared, progress=progress,
                         **options)  # fmt: skip
    for _ in todo:
        pass
    return Path(folder) / PAGE


def write_gallery(
    net: Any,
    img: Any,
    folder: str | os.PathLike[str],
    *,
    layers: str | None = "*",
    octave_n: OctaveN = None,
    channels: str | Sequence[int] | None = None,
    width: int | None = None,
    seed: int = 0,
    suffix: str = ".jpg",
    embed: bool = False,
    on_step: Any = None,
    on_start: Callable[[Start], None] | None = None,
    cluster: Any = None,
    shared: str | None = None,
    progress: bool | None = None,
    **dream_params: Any,
) -> Iterator[Entry]:
    """Make a gallery picture by picture; see `gallery`.

    Parameters
    ----------
    net, img, folder, layers, octave_n, channels, width, seed, cluster, shared, progress
        See `gallery`.
    suffix : str
        Of the pictures, ``".jpg"`` or ``".png"``.
    embed : bool
        Put the full pictures into the page.
    on_step : callable, optional
        Called after each step with a `PictureStep`. Where it returns False, the gallery ends
        without the unfinished picture.
    on_start : callable, optional
        Called before the first picture, with a `Start`; to know how long it will take, some steps
        are made and thrown away.
    **dream_params
        The other ``options`` of `gallery`.

    Yields
    ------
    Entry
        Each picture that this call made, when its file is written, and each that failed.
    """
    check_cluster(cluster, on_step, shared)
    params, chosen = _checked(net, octave_n, width, seed, suffix, channels, dream_params)
    check_folder(folder)
    octaves = ascending({c.octave_n for c in chosen})
    given = as_picture(img)
    size = _shrunk(given.shape[:2], width)
    targets = find_targets(net, size, layers, channels)
    how = {**params, "octave_n": octave_n, "channels": channels}
    if not looks_apply(net, size, chosen[0].style.name, how):
        targets = [dataclasses.replace(target, look="") for target in targets]
    network = describe_net(net)
    common = {name: value for c in chosen for name, value in c.plain(_WIDEST).items()}
    del common["octave_n"]
    common["precision"] = params.get("precision", "float32")
    steers = (*_STEERS, *_PICTURES)
    common.update({k: _named(params[k]) for k in steers if params.get(k) is not None})
    settings = {
        "network": network,
        "picture": _digest(given),
        "width": width,
        "parameters": common,
        "seed": seed,
        "format": suffix,
    }
    name = _name_of(given, seed)
    guides = [_file_of(guide) for guide in params.get("guide") or []]
    about = {
        "picture": name or "a picture",
        "size": [size[1], size[0]],
        "input": name,
        "width": size[1] if size != given.shape[:2] else None,
        "model_flags": model_flags(net, network),
        "guide": guides if len(guides) > 1 and all(guides) else (guides or [None])[0],
        "mask": _file_of(params.get("mask")),
        "style": chosen[0].style.name,
        "left_out": left_out(net),
    }
    folder = Path(folder)
    manifest = open_manifest(folder, settings, about, targets, octaves)
    make_folder(folder)
    write_manifest(folder, manifest)  # first: it tells that the other files are a gallery's
    small = _fit(given, size)
    if not (folder / INPUT).is_file():
        save_image(small, folder / INPUT, recipe=None)
    # A file is dreamt on as the command on the page does; an array as the folder keeps it.
    start = given if name else load_image(folder / INPUT)
    params = {**params, "seed": seed}
    if name and size != given.shape[:2]:
        params["width"] = size[1]
    todo = [
        (target, n)
        for target in targets
        for n in octaves
        if not manifest.is_made(folder, (target.layer, target.channel, n))
    ]
    steps = {c.octave_n: full_steps(c, size) for c in chosen}
    work = [target.cost * steps[n] for target, n in todo]
    if on_start is not None and todo:
        layer_n = len({target.layer for target in targets})
        seconds = expected_seconds(net, start, todo, work, params) if len(todo) > 1 else None
        on_start(Start(len(todo), layer_n, len(find_targets(net, size)), seconds))
    return _Gallery(folder, manifest, todo, embed).run(
        Maker(net, {**params, "img": start}), work, on_step, progress,
        cluster=cluster, shared=shared,
    )  # fmt: skip


@dataclass(frozen=True)
class Start:
    """What a gallery is going to make, for `on_start`.

    Attributes
    ----------
    picture_n : int
        Pictures that are still to be made.
    layer_n, layers_in_all : int
        Layers that were chosen, and those that there are to choose from.
    seconds : float or None
        About how long it will take; None where that is not known.
    """

    picture_n: int
    layer_n: int
    layers_in_all: int
    seconds: float | None


def looks_apply(net: Any, size: tuple[int, int], style: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether what the registry says of layers may be promised of these dreams.

    It was seen in dreams of the network's own style, of pictures of some size; in smaller ones
    there is no room for whole things.

    Parameters
    ----------
    net : Net
    size : (int, int)
        Height and width of the picture.
    style : str
    parameters : mapping
        Keywords of the dreams.
    """
    entry = getattr(net, "model", None)
    others = {"precision", "max_memory", "style"}
    changed = [n for n, value in parameters.items() if value is not None and n not in others]
    return entry is not None and max(size) >= LOOKS_SEEN_AT and style == entry.style and not changed


def _name_of(picture: Picture, seed: int) -> str:
    """Return what a command calls a picture: its file, or a noise's size; empty for an array."""
    source = file_of(picture) or {}
    if source.get("noise") == seed and "size" in source and "strength" not in source:
        w, h = source["size"]
        return f"noise:{w}x{h}"
    return str(source.get("file", ""))


class _Gallery:
    """Makes what is missing in a gallery, and keeps its page."""

    def __init__(
        self, folder: Path, manifest: Manifest, todo: list[tuple[Target, Any]], embed: bool
    ) -> None:
        self._folder, self._manifest, self._todo, self._embed = folder, manifest, todo, embed
        self._thumbnails = Thumbnails()

    def run(
        self, maker: Maker, work: list[float], on_step: Any, progress: bool | None, **where: Any
    ) -> Iterator[Entry]:
        """Make the pictures; `where` is the cluster, see `run_jobs`."""
        w, h = self._manifest.about["size"]
        jobs = [self._job(target, octave_n) for target, octave_n in self._todo]
        for folder in {Path(job.file).parent for job in jobs}:
            make_folder(folder)
        shown = display_for(progress, on_step, (h, w), max(1, len(self._todo)))
        next_page = self._write_page()
        finished = False
        try:
            with shown or contextlib.nullcontext():
                for number, made in run_jobs(
                    maker, jobs, work=work, shown=shown, on_step=on_step, **where
                ):
                    yield self._written(number, made)
                    if time.monotonic() > next_page:
                        next_page = self._write_page()
            finished = True
        finally:
            # Whatever ended it, the page shows what there is; a second error would hide the first.
            with contextlib.nullcontext() if finished else contextlib.suppress(DeepDreamError):
                write_manifest(self._folder, self._manifest)
                self._write_page()

    def _job(self, target: Target, octave_n: Any) -> Job:
        keywords = {"end": target.layer, "octave_n": octave_n}
        if target.channel is not None:
            keywords["objective"] = objective_channel(target.channel)
        file = self._folder / self._manifest.file_of(target, octave_n)
        return Job(describe_target(target), keywords, str(file))

    def _written(self, number: int, made: Made) -> Entry:
        """Write a picture's file, and what there is of it into the manifest."""
        target, octave_n = self._todo[number]
        file = self._manifest.file_of(target, octave_n)
        entry = Entry(target.layer, target.channel, octave_n, file, error=made.error)
        if not made.error:
            made.write(self._folder / file)
            entry.notes, entry.size, entry.seconds = made.notes, made.size, made.seconds
        self._manifest.entries[entry.layer, entry.channel, entry.octave_n] = entry
        write_manifest(self._folder, self._manifest)
        return entry

    def _write_page(self) -> float:
        """Write the page; return when it is time for the next one."""
        began = time.monotonic()
        write_page(
            [(self._folder, self._manifest)],
            self._folder / PAGE,
            embed=self._embed,
            thumbnails=self._thumbnails,
        )
        now = time.monotonic()
        return now + max(_PAGE_EVERY, (now - began) / _PAGE_SHARE)


def describe_target(target: Target) -> str:
    """Return a target in words: the layer's name, and ``channel 7`` if it is only one."""
    return target.layer if target.channel is None else f"{target.layer} channel {target.channel}"


def _checked(
    net: Any, octave_n: OctaveN, width: Any, seed: Any, suffix: str, channels: Any,
    dream_params: dict[str, Any],
) -> tuple[dict[str, Any], list[Parameters]]:  # fmt: skip
    """Return the keywords of all dreams, and what they settle for each number of octaves.

    What makes no sense for any layer is refused.
    """
    wrong = next((name for name in dream_params if name not in _SHARED + _OTHER), None)
    if wrong is not None:
        hint = ": 'layers' says where to dream" if wrong == "end" else ""
        raise ParameterError(f"a gallery has no parameter '{wrong}'{hint}")
    one = octave_n is None or isinstance(octave_n, (numbers.Integral, str))
    several: Sequence[Any] = [octave_n] if one else octave_n  # type: ignore[assignment]
    if not several:
        raise ParameterError("octave_n is empty: give one number of octaves or more")
    given = {name: dream_params.get(name) for name in _SHARED}
    chosen = [Parameters(net, dream_params.get("style"), {**given, "octave_n": n}) for n in several]
    check_seed(seed)
    check_precision(dream_params.get("precision", "float32"))
    if not isinstance(seed, numbers.Integral):
        raise ParameterError(f"seed is {seed!r}: a whole number, the same for all pictures")
    if width is not None and (not isinstance(width, numbers.Integral) or width < 1):
        raise ParameterError(f"width is {width!r}: a whole number of pixels is expected")
    if suffix not in (".jpg", ".png"):
        raise ParameterError(f"suffix is {suffix!r}: .jpg or .png is expected")
    params = dict(dream_params)
    steers = [name for name in _STEERS if params.get(name) is not None]
    if channels is not None and steers:
        raise ParameterError(f"channels and {steers[0]} both given: one of them says what grows")
    if len(steers) > 1:
        raise ParameterError("guide and objective both given: a guide is an objective; leave one")
    if isinstance(params.get("objective"), Objective):
        raise ParameterError(
            "objective is made of terms, which name their layers: a gallery goes through layers. A "
            "function of a blob is expected"
        )
    if params.get("guide") is not None:
        params["guide"] = as_guides(params["guide"])
    if params.get("mask") is not None:
        params["mask"] = to_picture(params["mask"])  # a mask may have any scale
    return params, chosen


def _shrunk(size: tuple[int, ...], width: int | None) -> tuple[int, int]:
    h, w = size
    if width is None or width >= w:
        return h, w
    return max(1, round(h * width / w)), int(width)


def _fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture in whole grey levels, shrunk to a size."""
    levels = to_uint8(picture)
    if size == levels.shape[:2]:
        return Picture(levels, picture.alpha)
    from PIL import Image

    h, w = size

    def shrunk(plane: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(plane).resize((w, h), Image.Resampling.LANCZOS))

    return Picture(shrunk(levels), None if picture.alpha is None else shrunk(picture.alpha))


def _digest(picture: Picture) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture, np.float32).tobytes()).hexdigest()[:16]


def _file_of(picture: Any) -> str | None:
    return (file_of(picture) or {}).get("file")


def _named(value: Any) -> str:
    """Return what tells guides, or an objective, from others."""
    if isinstance(value, list):
        return ", ".join(map(_digest, value))
    if isinstance(value, Picture):
        return _digest(value)
    return str(getattr(value, "__qualname__", type(value).__qualname__))
