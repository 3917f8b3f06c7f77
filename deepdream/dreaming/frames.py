"""Dreams of dreams: the zoom loop of the notebook.

Each frame is a dream on the last one, enlarged a little around its centre, so that after some
dozen frames nothing is left of the picture that it began with.

Source: google/deepdream, dream.ipynb, the cell that writes ``frames/%04d.jpg``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import numbers
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..display import display_for
from ..errors import ParameterError
from ..files import check_folder, make_folder, replacing
from ..images import Picture, as_picture, check_depth, save_image, to_picture
from ..quiet import quiet
from ..recipe import describe_net
from .dream2015 import next_frame, sample_grid
from .objectives.goals import as_guides
from .objectives.objective import Objective
from .parameters import Parameters, check_seed
from .pictures.fitting import SizeWarning
from .prepared import Latest, parted
from .schedules import Schedule
from .styles import NOTEBOOK, style_of


def zoom(
    net: Any,
    img: Any,
    frames: int = 100,
    scale: float = 0.05,
    *,
    first: Any = None,
    progress: bool | None = None,
    **dream_params: Any,
) -> Iterator[Picture]:
    """Dream, enlarge, dream again.

    Parameters
    ----------
    net : Net
    img : (h, w, 3) array or PIL.Image
        RGB, 0..255; where to start. A frame of an earlier run, enlarged by `enlarge`, goes on
        from there.
    frames : int
        How many frames, 1 or more.
    scale : float
        Share of the picture's height and width that is cut off between two frames, 0..1.
    first : int, pair or mapping, optional
        Steps per octave of the first frame, or keywords of `deepdream.dream` for it alone. Most
        styles say more for the first frame, which makes a dream of a photograph, than for those
        that go on from it; the notebook's treats all alike.
    progress : bool, optional
        As for `deepdream.dream`; one bar, and one preview, for all frames.
    **dream_params
        See `deepdream.dream`. With ``seed`` one random stream runs through all frames.

    Yields
    ------
    (h, w, 3) float32 Picture
        RGB, 0..255; a frame as soon as it is done. Frame 29 is the notebook's ``0029.jpg``. Append
        them to a list one by one if Ctrl-C is to leave you those before; `write_zoom` keeps them in
        a folder.

    Raises
    ------
    ParameterError
        `frames` or `scale` makes no sense; and what `deepdream.dream` raises.
    KeyboardInterrupt
        Ctrl-C in the middle of a frame, which is dropped. The loop ends quietly where `on_step`
        returns False.
    """
    return _zoom(net, as_picture(img), frames, scale, first, progress, dream_params, begins=True)


def _zoom(
    net: Any, start: Picture, frames: Any, scale: Any, first: Any, progress: bool | None,
    given: dict[str, Any], *, begins: bool, as_2015: bool = False,
) -> Iterator[Picture]:  # fmt: skip
    """Do what `zoom` does; without `begins`, the first of these frames is one of the others."""
    if not isinstance(frames, numbers.Integral) or frames < 1:
        raise ParameterError(f"frames is {frames!r}: a whole number from 1 is expected")
    if not isinstance(scale, numbers.Real) or not 0 <= float(scale) < 1:
        raise ParameterError(
            f"scale is {scale!r}: the share cut off between frames, from 0 to below 1 (0.05)"
        )
    given, scale = dict(given), float(scale)
    if given.get("guide") is not None:
        given["guide"] = as_guides(given["guide"])
    seed, on_step = given.pop("seed", None), given.pop("on_step", None)
    if seed is not None and not isinstance(seed, np.random.RandomState):
        seed = np.random.RandomState(seed)
    begin, others = _by_frame(net, first, given)
    for keywords in (begin, others):
        parted(keywords)  # refuses what is no parameter, before anything is done
    differs = _differing(_settled(net, begin), _settled(net, others))
    todo = [begin if begins else others, *[others] * (int(frames) - 1)]
    return _frames(net, start, todo, scale, seed, on_step, progress, differs, begins, as_2015)


def _by_frame(
    net: Any, first: Any, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of the first frame, and of all others."""
    said = {name: value for name, value in given.items() if value is not None}
    others = {**style_of(net, said.get("style")).again, **said}
    if first is None:
        return said, others
    if isinstance(first, Mapping):
        return {**others, **first}, others
    Schedule("first", first, whole=True, low=0, expected="a whole number from 0 is expected")
    return {**said, "iter_n": first}, others


def _settled(net: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what styles and keywords decide, as a recipe has it."""
    known = {name: given.get(name) for name in NOTEBOOK}
    return Parameters(net, given.get("style"), known).plain(_SOME)


def _differing(begin: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the first frame that are not those of the others."""
    return {
        name: begin.get(name, NOTEBOOK.get(name))
        for name in {**begin, **others}
        if begin.get(name) != others.get(name)
    }


def _frames(
    net: Any, frame: Picture, todo: list[dict[str, Any]], scale: float, seed: Any, on_step: Any,
    progress: bool | None, differs: dict[str, Any], begins: bool,
    as_2015: bool,
) -> Iterator[Picture]:  # fmt: skip
    shown = display_for(progress, on_step, frame.shape[:2], len(todo))
    stopped_on_purpose, told = False, frame.told
    latest = Latest(net)

    def watch(step: Any) -> bool:
        nonlocal stopped_on_purpose
        if shown is not None:
            shown.step(step)
        stopped_on_purpose = on_step is not None and on_step(step) is False
        return not stopped_on_purpose

    with shown or contextlib.nullcontext():
        for i, params in enumerate(todo):
            if i:
                frame = enlarge(frame, scale, as_2015)
                frame.told = told
            # What the first frame has said is not said again.
            with quiet(SizeWarning) if i else contextlib.nullcontext():
                own, goal = parted(params)
                frame = latest.ready(goal).dream(
                    frame, seed=seed, on_step=watch, progress=False, **own
                )
            assert frame.recipe is not None
            if differs and not (begins and i == 0):
                frame.recipe["first"] = differs
            if stopped_on_purpose:
                return
            if frame.recipe.get("stopped"):
                raise KeyboardInterrupt
            if shown is not None:
                shown.frame(i + 1)
            yield frame


def enlarge(frame: Picture, scale: float, as_2015: bool = False) -> Picture:
    """Return the middle of a picture, enlarged to its size.

    Parameters
    ----------
    frame : (h, w, 3) float32 Picture
    scale : float
        Share of height and width that is cut off.
    as_2015 : bool
        Zoom about the point that the notebook's line zoomed about with the SciPy of its time, see
        `dream2015.next_frame`. Otherwise the middle of the picture, between its first and its last
        pixel, stays where it is.

    Returns
    -------
    (h, w, 3) float32 Picture
    """
    if as_2015:
        enlarged = next_frame(np.asarray(frame), scale)
    else:
        h, w = frame.shape[:2]
        offset = (scale * (h - 1) / 2, scale * (w - 1) / 2)
        enlarged = sample_grid(np.asarray(frame), 1 - scale, offset)
    return Picture(enlarged, alpha=frame.alpha, source=frame.source)


def write_zoom(
    net: Any,
    img: Any,
    folder: str | os.PathLike[str],
    *,
    frames: int = 100,
    scale: float = 0.05,
    suffix: str = ".png",
    depth: int = 8,
    seed: int | None = None,
    as_2015: bool = False,
    **dream_params: Any,
) -> Iterator[tuple[Path, Picture]]:
    """Write the frames of a zoom into a folder, going on where an earlier run was interrupted.

    Parameters
    ----------
    net, img, frames, scale, **dream_params
        See `zoom`.
    folder : str or PathLike
        Made where it is missing. Besides ``0000.png``, ``0001.png`` ... it holds ``zoom.npz``: the
        last frame without rounding, the state of the random stream, and what the zoom was
        asked to do.
    suffix : str
        Format of the frames, ``".png"`` or ``".jpg"``.
    depth : {8, 16}
        Bits per channel of the frames; 16 in ``".png"``.
    seed : int, optional
        Without it a new one is drawn, or that of the interrupted run taken.
    as_2015 : bool
        Zoom about the notebook's point of 2015, see `enlarge`.

    Yields
    ------
    (Path, Picture)
        Each frame that this call made, when its file is written.

    Raises
    ------
    ParameterError
        The folder holds frames of another zoom.
    ImageError
        The format has not this depth.
    WriteError
        A file cannot be written; frames before it stay.
    KeyboardInterrupt
        Ctrl-C; the same call goes on from the last frame.
    """
    check_depth(f"0000{suffix}", depth)
    check_folder(folder, suffix)
    check_seed(seed)
    if isinstance(seed, np.random.RandomState):
        raise ParameterError(f"seed is {seed!r}: a whole number, which the folder can keep")
    folder, seed = Path(folder), None if seed is None else int(seed)
    state_file = folder / _STATE
    picture = as_picture(img)
    asked = {**_asked(net, picture, scale, suffix, dream_params), "depth": str(depth)}
    asked["middle"] = "as in 2015" if as_2015 else "kept"
    state = _read_state(state_file)
    if state is None:
        if any(folder.glob("[0-9]" * 4 + ".*")):
            raise ParameterError(
                f"'{folder}' holds frames, but no {_STATE} to go on from: choose another folder, "
                "or delete them"
            )
        first, frame = 0, picture
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        rng = np.random.RandomState(seed)
    else:
        seed = state.seed if seed is None else seed
        before = {"depth": "8", **state.asked, "seed": state.seed}  # older folders name no depth
        _check_same({**asked, "seed": seed}, before, folder)
        first, rng = state.number + 1, np.random.RandomState()
        rng.set_state(state.rng)
        frame = enlarge(Picture(state.frame, picture.alpha, source=picture.source), scale, as_2015)
    make_folder(folder)
    left = frames - first
    if left <= 0:
        return
    params = {**dream_params, "seed": rng}
    first_frame, progress = params.pop("first", None), params.pop("progress", None)
    todo = _zoom(
        net,
        frame,
        left,
        scale,
        first_frame,
        progress,
        params,
        begins=state is None,
        as_2015=as_2015,
    )
    for number, made in enumerate(todo, start=first):
        path = folder / f"{number:04d}{suffix}"
        made.recipe = {**(made.recipe or {}), "command": "zoom", "seed": seed, "frame": number,
                       "scale": scale}  # fmt: skip
        save_image(made, path, depth=depth)
        _write_state(state_file, _State(number, seed, np.asarray(made), rng.get_state(), asked))
        yield path, made


def last_frame(folder: str | os.PathLike[str]) -> tuple[int, np.ndarray] | None:
    """Return the number and the pixels, not rounded, of the last frame in a zoom's folder.

    Returns
    -------
    (int, (h, w, 3) float32 ndarray) or None
        None where there is no frame yet.

    Raises
    ------
    ParameterError
        The folder's ``zoom.npz`` is damaged.
    """
    state = _read_state(Path(folder) / _STATE)
    return None if state is None else (state.number, state.frame)


_STATE = "zoom.npz"
_SOME = 16  # octaves for which functions of the octave are written out
_NO_MATTER = ("on_step", "max_memory", "progress")  # parameters that change no picture
# What older folders do not tell of the network, and how a recipe calls it.
_OF_THE_NET = {"mean": "mean", "weights": "caffemodel_sha256"}


@dataclass(frozen=True)
class _State:
    number: int
    seed: int
    frame: np.ndarray
    rng: Any
    asked: dict[str, str]


def _asked(
    net: Any, picture: Picture, scale: float, suffix: str, dream_params: dict[str, Any]
) -> dict[str, str]:
    """Return what makes two zooms the same, as text."""
    said = {
        name: value for name, value in dream_params.items() if name not in (*_NO_MATTER, "first")
    }
    begin, given = _by_frame(net, dream_params.get("first"), said)
    settled = _settled(net, given)
    # As a recipe has it: what is as in the notebook is not named, nor is it in older folders.
    asked = {name: str(value) for name, value in settled.items()}
    for name, value in _differing(_settled(net, begin), settled).items():
        asked[f"first {name}"] = str(value)
    given = {name: value for name, value in given.items() if name not in (*NOTEBOOK, "style")}
    for name, usual in (("precision", "float32"), ("balance", True)):
        if given.get(name) == usual:
            del given[name]
    for name, value in given.items():
        if value is not None:
            asked[name] = _as_text(name, value)
    known = describe_net(net)
    return {
        **asked,
        "picture": _digest(picture),
        "scale": str(scale),
        "format": suffix,
        "network": str(net.name),
        **{name: str(known[key]) for name, key in _OF_THE_NET.items() if key in known},
    }


def _as_text(name: str, value: Any) -> str:
    if name == "guide":
        return ", ".join(_digest(guide) for guide in as_guides(value))
    if name == "mask":
        return _digest(to_picture(value))
    return json.dumps(value.plain()) if isinstance(value, Objective) else str(value)


def _digest(picture: Picture) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture, np.float32).tobytes()).hexdigest()[:16]


def _check_same(asked: dict[str, Any], before: dict[str, Any], folder: Path) -> None:
    other = [
        name
        for name in {**asked, **before}
        if asked.get(name) != before.get(name) and (name in before or name not in _OF_THE_NET)
    ]
    if other:
        name = other[0]
        then, now = (known.get(name, "as in the notebook") for known in (before, asked))
        if name == "weights":  # hashes say nothing to people
            then, now = f"of sha256 {str(then)[:12]}...", f"{now[:12]}..."
        raise ParameterError(
            f"'{folder}' holds another zoom, made with {name} {then}, not {now}: choose another "
            "folder, or delete it to start anew"
        )


def _read_state(path: Path) -> _State | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            rng = ("MT19937", arrays["keys"], about["pos"], about["has_gauss"], about["gauss"])
            return _State(about["number"], about["seed"], arrays["frame"], rng, about["asked"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ParameterError(
            f"'{path}' cannot be read ({error}): delete the folder to start anew"
        ) from error


def _write_state(path: Path, state: _State) -> None:
    _, keys, pos, has_gauss, gauss = state.rng
    about = {"number": state.number, "seed": state.seed, "pos": int(pos),
             "has_gauss": int(has_gauss), "gauss": float(gauss), "asked": state.asked}  # fmt: skip
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, frame=state.frame, keys=keys, about=json.dumps(about))
