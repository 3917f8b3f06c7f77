"""One dream for every layer of a network, or for every channel of one layer, in a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import numbers
import os
import time
import warnings
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
from ..dreaming.pictures.octaves import ALL
from ..dreaming.prepared import Prepared, parted
from ..dreaming.steps import Step
from ..dreaming.styles import NOTEBOOK
from ..errors import DeepDreamError, ParameterError
from ..files import check_folder, make_folder
from ..images import Picture, as_picture, load_image, save_image, to_picture, to_uint8
from ..models.registry import LOOKS_SEEN_AT
from ..recipe import describe_net
from .manifest import INPUT, PAGE, Entry, Manifest, open_manifest, write_manifest
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


@dataclass(frozen=True)
class GalleryStep(Step):
    """Where a gallery stands, for `on_step`: a dream's `Step` and what it is about.

    Attributes
    ----------
    what : str
        The layer, and the channel if it is only one.
    picture_number, picture_n : int
        Which picture this is, from 0, and how many this call makes.
    all_done : float
        Share of all its work that is done, 0..1.
    """

    what: str = ""
    picture_number: int = 0
    picture_n: int = 1
    all_done: float = 0.0


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
                         width=width, seed=seed, progress=progress, **options)  # fmt: skip
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
    progress: bool | None = None,
    **dream_params: Any,
) -> Iterator[Entry]:
    """Make a gallery picture by picture; see `gallery`.

    Parameters
    ----------
    net, img, folder, layers, octave_n, channels, width, seed, progress, **dream_params
        See `gallery`.
    suffix : str
        Of the pictures, ``".jpg"`` or ``".png"``.
    embed : bool
        Put the full pictures into the page.
    on_step : callable, optional
        Called after each step with a `GalleryStep`. Where it returns False, the gallery ends
        without the unfinished picture.
    on_start : callable, optional
        Called before the first picture, with a `Start`; to know how long it will take, some steps
        are made and thrown away.

    Yields
    ------
    Entry
        Each picture that this call made, when its file is written, and each that failed.
    """
    params, chosen = _checked(net, octave_n, width, seed, suffix, channels, dream_params)
    check_folder(folder)
    octaves = sorted({c.octave_n for c in chosen}, key=lambda n: (n == ALL, n))
    given = as_picture(img)
    size = _shrunk(given.shape[:2], width)
    targets = find_targets(net, size, layers, channels)
    how = {**params, "octave_n": octave_n, "channels": channels}
    if not looks_apply(net, size, chosen[0].style.name, how):
        targets = [dataclasses.replace(target, look="") for target in targets]
    network = describe_net(net)
    shared = chosen[0].plain(_WIDEST)
    del shared["octave_n"]
    shared["precision"] = params.get("precision", "float32")
    steers = (*_STEERS, *_PICTURES)
    shared.update({k: _named(params[k]) for k in steers if params.get(k) is not None})
    settings = {
        "network": network,
        "picture": _digest(given),
        "width": width,
        "parameters": shared,
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
    maker = _Maker(net, start, folder, manifest, todo, params, embed, work)
    return maker.run(on_step, progress)


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
    source = picture.source or {}
    if source.get("noise") == seed and "size" in source and "strength" not in source:
        w, h = source["size"]
        return f"noise:{w}x{h}"
    return str(source.get("file", ""))


class _Maker:
    """Makes what is missing in a gallery."""

    def __init__(
        self, net: Any, start: Picture, folder: Path, manifest: Manifest,
        todo: list[tuple[Target, Any]], params: dict[str, Any], embed: bool, work: list[float],
    ) -> None:  # fmt: skip
        self._net, self._start, self._folder = net, start, folder
        self._manifest, self._todo, self._params, self._embed = manifest, todo, params, embed
        self._work = work
        self._thumbnails = Thumbnails()
        self._stopped = False
        self._ready: Prepared | None = None

    def run(self, on_step: Any, progress: bool | None) -> Iterator[Entry]:
        w, h = self._manifest.about["size"]
        shown = display_for(progress, on_step, (h, w), max(1, len(self._todo)))
        next_page = 0.0
        finished = False
        try:
            with shown or contextlib.nullcontext():
                for number, (target, octave_n) in enumerate(self._todo):
                    if time.monotonic() > next_page:
                        next_page = self._write_page()
                    entry = self._make(number, target, octave_n, shown, on_step)
                    if self._stopped:
                        break
                    assert entry is not None
                    key = entry.layer, entry.channel, entry.octave_n
                    self._manifest.entries[key] = entry
                    write_manifest(self._folder, self._manifest)
                    if shown is not None:
                        shown.frame(number + 1)
                    yield entry
            finished = True
        finally:
            # Whatever ended it, the page shows what there is; a second error would hide the first.
            with contextlib.nullcontext() if finished else contextlib.suppress(DeepDreamError):
                write_manifest(self._folder, self._manifest)
                self._write_page()

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

    def _make(
        self, number: int, target: Target, octave_n: Any, shown: Any, on_step: Any
    ) -> Entry | None:
        """Return what came of one picture, or None where it was stopped."""
        file = self._manifest.file_of(target, octave_n)
        entry = Entry(target.layer, target.channel, octave_n, file)
        watch = _Watch(self._work, number, target, shown, on_step)
        params = {**self._params, "octave_n": octave_n}
        if target.channel is not None:
            params["objective"] = objective_channel(target.channel)
        began = time.monotonic()
        try:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                own, goal = parted(params)
                seed, keep = goal.pop("seed"), target.channel is not None
                # Channels of one layer share its plans.
                like, self._ready = self._ready if keep else None, None
                self._ready = Prepared(self._net, target.layer, like=like, keep=keep, **goal)
                picture = self._ready.dream(
                    self._start, seed=seed, on_step=watch, progress=False, **own
                )
        except Exception as error:
            if watch.error is not None:
                raise
            entry.error = _reason(error)
            return entry
        if watch.stopped:
            self._stopped = True
            return None
        if picture.recipe and picture.recipe.get("stopped"):
            raise KeyboardInterrupt
        entry.notes = sorted({str(note.message) for note in notes if _concerns_users(note)})
        path = self._folder / file
        make_folder(path.parent)
        save_image(picture, path)
        entry.size = path.stat().st_size
        entry.seconds = round(time.monotonic() - began, 2)
        return entry


class _Watch:
    """Called after each step: shows it, and asks the user whether to go on."""

    def __init__(
        self, work: list[float], number: int, target: Target, shown: Any, on_step: Any
    ) -> None:
        self._before, self._own = sum(work[:number]), work[number]
        self._total, self._count, self._number = sum(work), len(work), number
        self._what = describe_target(target)
        self._shown, self._on_step = shown, on_step
        self.stopped = False
        self.error: BaseException | None = None

    def __call__(self, step: Step) -> bool:
        done = (self._before + self._own * step.done) / self._total
        values = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
        told = GalleryStep(**values, what=self._what, picture_number=self._number,
                           picture_n=self._count, all_done=done)  # fmt: skip
        if self._shown is not None:
            # What shows it takes all dreams for equally long, deeper layers take longer.
            self._shown.step(dataclasses.replace(told, done=done * self._count - self._number))
        if self._on_step is None:
            return True
        try:
            self.stopped = self._on_step(told) is False
        except BaseException as error:
            self.error = error
            raise
        return not self.stopped


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
    return (getattr(picture, "source", None) or {}).get("file")


def _named(value: Any) -> str:
    """Return what tells guides, or an objective, from others."""
    if isinstance(value, list):
        return ", ".join(map(_digest, value))
    if isinstance(value, Picture):
        return _digest(value)
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def _reason(error: Exception) -> str:
    if isinstance(error, DeepDreamError):
        return str(error)
    return f"{type(error).__name__}: {error}".strip(": ")


def _concerns_users(note: warnings.WarningMessage) -> bool:
    return issubclass(note.category, (UserWarning, RuntimeWarning))
