"""One dream for many pictures: each into a file of its own, and what is there already stays."""

from __future__ import annotations

import contextlib
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from ..display import display_for
from ..dreaming.objectives.goals import as_guides
from ..dreaming.parameters import Parameters, check_seed, wanted_size
from ..dreaming.prepared import Prepared, parted
from ..dreaming.styles import NOTEBOOK
from ..errors import DeepDreamError, ParameterError
from ..files import FileName, check_folder, make_folder, replacing
from ..images import load_image, to_picture
from ..jobs.job import File, Job, Made, Maker
from ..jobs.run import check_cluster, run_jobs
from ..quiet import quiet
from ..recipe import read_recipe, same_dream
from ..repeat import changed, check_net, for_others
from .sources import find_pictures, name_dreams

FAILURES = "batch-failures.txt"


@dataclass(frozen=True)
class Dreamt:
    """What a batch has of one picture.

    Attributes
    ----------
    picture, dream : Path
        What was dreamt on, and the file that was written.
    there : bool
        An earlier call has made it.
    error : str
        Why there is none; empty where there is one.
    notes : list of str
        What was to be said while it was made, as of octaves left out.
    seconds : float
        How long it took.
    """

    picture: Path
    dream: Path
    there: bool = False
    error: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def batch(
    net: Any,
    pictures: FileName | Iterable[FileName],
    folder: FileName,
    *,
    name: str = "{name}_dream.png",
    recipe: FileName | None = None,
    depth: int = 8,
    seed: int | None = None,
    cluster: Any = None,
    shared: str | None = None,
    progress: bool | None = None,
    **options: Any,
) -> list[Dreamt]:
    """Dream the same dream on many pictures, and write each into a folder.

    What is there already, by the recipe in its file, is not made again: an interrupted batch goes
    on where it was, and new pictures are added. A picture that cannot be read or dreamt on does not
    stop the others.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`.
    pictures : str or PathLike, or an iterable of them
        Files, folders (the pictures directly inside), patterns as ``"photos/**/*.jpg"``.
    folder : str or PathLike
        Made where it is missing. Where some pictures failed, it has ``batch-failures.txt``.
    name : str
        What a dream is called, and by its ending in which format it is written. In braces:
        ``name`` and ``ext`` of the picture, the ``folder`` that it is in, its ``number``, as
        ``{number:04}``, ``seed`` and ``style``.
    recipe : str or PathLike, optional
        A dream whose parameters all others get, or the JSON of its recipe. Its guide and its mask
        are looked for beside it and in the current folder. What is given besides wins.
    depth : {8, 16}
        Bits per channel.
    seed : int, optional
        The same for all pictures. Default: the recipe's, or 0.
    cluster : str, PathLike or distributed.Client, optional
        Machines to make them on: ``"local"``, the processors of this one; ``"local:4"``, four
        dreams at a time; ``"tcp://HOST:PORT"``, a scheduler of Dask's, or the file that it has
        written; a client, or a cluster of Dask's. The pictures are the same, byte for byte, on the
        same kind of processor. Needs the extra ``cluster``.
    shared : str, optional
        A folder that all machines of the cluster see under this name: pictures below it are read
        and written there.
    progress : bool, optional
        As for `deepdream.dream`.
    **options
        Of `deepdream.dream`. ``on_step`` gets a `jobs.run.PictureStep`; where it returns False, the
        batch ends without the unfinished picture.

    Returns
    -------
    list of Dreamt
        In the order of the pictures. Those with an ``error`` have failed.

    Raises
    ------
    MissingFileError
        A folder without pictures, a pattern that fits nothing.
    ParameterError, UnknownLayerError, UnknownLabelError
        What is wrong for all pictures; two of them would be written to one file.
    WriteError
        A file cannot be written; pictures before it stay.
    KeyboardInterrupt
        Ctrl-C. The picture that was being made is dropped, the others stay.

    Examples
    --------
    >>> deepdream.batch(net, "holiday/*.jpg", "dreams", style="eyes")    # doctest: +SKIP
    """
    if not isinstance(pictures, (str, bytes, os.PathLike)):
        pictures = list(pictures)  # an iterator gives its pictures once
    order = {picture: i for i, picture in enumerate(find_pictures(pictures))}
    todo = write_batch(net, pictures, folder, name=name, recipe=recipe, depth=depth,
                       seed=seed, cluster=cluster, shared=shared, progress=progress,
                       **options)  # fmt: skip
    return sorted(todo, key=lambda dreamt: order.get(dreamt.picture, len(order)))


def write_batch(
    net: Any,
    pictures: FileName | Iterable[FileName],
    folder: FileName,
    *,
    name: str = "{name}_dream.png",
    recipe: FileName | None = None,
    depth: int = 8,
    seed: int | None = None,
    cluster: Any = None,
    shared: str | None = None,
    progress: bool | None = None,
    on_step: Any = None,
    on_start: Callable[[int], None] | None = None,
    **dream_params: Any,
) -> Iterator[Dreamt]:
    """Make a batch picture by picture; see `batch`.

    Parameters
    ----------
    net, pictures, folder, name, recipe, depth, seed, cluster, shared, progress
        See `batch`.
    on_step, **dream_params
        Its ``options``.
    on_start : callable, optional
        Called before the first picture, with how many are to be made.

    Yields
    ------
    Dreamt
        Those that are there, then each as soon as its file is written, or it has failed.
    """
    check_folder(folder)
    check_cluster(cluster, on_step, shared)
    folder = Path(os.fsdecode(folder))
    common = _loaded({k: value for k, value in dream_params.items() if value is not None})
    if recipe is not None:
        common = _by_recipe(net, recipe, common)
    common["seed"] = seed = common.pop("seed", 0) if seed is None else seed
    check_seed(seed)
    if not isinstance(seed, numbers.Integral):
        raise ParameterError(f"seed is {seed!r}: a whole number, the same for all pictures")
    maker = Maker(net, common)
    own, goal = parted({k: value for k, value in common.items() if k != "seed"})
    ready = maker.ready(goal)
    Parameters(net, ready.style, {name: own.get(name) for name in NOTEBOOK})  # sense, for all
    wanted_size((1, 1), own.get("width"), own.get("height"))
    known = {"seed": seed, "style": ready.style}
    dreams = name_dreams(find_pictures(pictures), name, folder, known, depth)
    there = partial(_is_there, ready, {**own, "seed": seed}, depth)
    run = partial(run_jobs, maker, on_step=on_step, cluster=cluster, shared=shared)
    return _made(run, dreams, there, own, folder, depth, progress, on_step, on_start)


def _loaded(params: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with pictures read once for all."""
    for wrong in ("img", "compose"):
        if wrong in params:
            raise ParameterError(f"a batch has no parameter '{wrong}'")
    if params.get("guide") is not None:
        params["guide"] = as_guides(params["guide"])
    if params.get("mask") is not None:
        params["mask"] = to_picture(params["mask"])
    return params


def _by_recipe(net: Any, path: FileName, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a recipe's dream, with some of them changed."""
    known = read_recipe(path)
    beside = Path(os.fsdecode(path)).parent
    keywords = for_others(known, os.fsdecode(path), [beside, beside.parent, Path()])
    check_net(net, known["model"])
    sides = {name: changes[name] for name in ("width", "height") if name in changes}
    if sides:
        keywords = {k: value for k, value in keywords.items() if k not in ("width", "height")}
    others = {name: value for name, value in changes.items() if name not in sides}
    seed = 0 if known.get("seed") is None else known["seed"]
    return {**changed(keywords, others, (1, 1)), **sides, "seed": seed}


def _made(
    run: Callable[..., Iterator[tuple[int, Made]]], dreams: Mapping[Path, Path],
    there: Callable[[Path, str], bool], own: Mapping[str, Any], folder: Path, depth: int,
    progress: Any, on_step: Any, on_start: Any,
) -> Iterator[Dreamt]:  # fmt: skip
    todo: list[tuple[Path, Path, Job]] = []
    failed: list[Dreamt] = []
    for picture, dream in dreams.items():
        try:
            file = File.at(picture)
        except OSError as error:
            failed.append(_unreadable(picture, dream, error))
            continue
        if there(dream, file.sha256):
            yield Dreamt(picture, dream, there=True)
            continue
        todo.append((picture, dream, Job(picture.name, {"img": file}, str(dream), depth)))
    yield from failed
    if on_start is not None:
        on_start(len(todo))
    for place in dict.fromkeys([folder, *(dream.parent for _, dream, _ in todo)]):
        make_folder(place)
    work = [_work(picture, own) for picture, *_ in todo]
    shown = display_for(progress, on_step, _size(todo[0][0]) if todo else (1, 1), len(todo) or 1)
    jobs = [job for *_, job in todo]
    finished = False
    try:
        with shown or contextlib.nullcontext():
            for number, made in run(jobs, work=work, shown=shown):
                picture, dream, _ = todo[number]
                dreamt = Dreamt(picture, dream, error=made.error, notes=made.notes,
                                seconds=made.seconds)  # fmt: skip
                if made.error:
                    failed.append(dreamt)
                else:
                    made.write(dream)
                yield dreamt
        finished = True
    finally:
        # A second error would hide the first.
        with contextlib.nullcontext() if finished else contextlib.suppress(DeepDreamError):
            _write_failures(folder / FAILURES, failed)


def _unreadable(picture: Path, dream: Path, error: OSError) -> Dreamt:
    try:
        load_image(picture)
        reason = str(error)
    except DeepDreamError as known:
        reason = str(known)
    return Dreamt(picture, dream, error=reason)


def _is_there(
    ready: Prepared, own: Mapping[str, Any], depth: int, dream: Path, sha256: str
) -> bool:
    """Tell whether a file holds the dream that is wanted of a picture, whole."""
    if not dream.is_file():
        return False
    with quiet():
        try:
            before = read_recipe(dream)
            known = before.get("input") or {}
            w, h = known["size"]
            wanted = ready.recipe_for((h, w), {**known, "sha256": sha256}, **own)
            if not same_dream({**wanted, "depth": depth}, before):
                return False
            load_image(dream)  # nobody has cut it off since
        except (DeepDreamError, TypeError, KeyError, ValueError):
            return False
    return True


def _size(picture: Path) -> tuple[int, int]:
    """Return about which height and width a picture has."""
    try:
        with quiet(), Image.open(picture) as image:
            return image.height, image.width
    except Exception:  # the dream will tell what is wrong with it
        return 1, 1


def _work(picture: Path, own: Mapping[str, Any]) -> float:
    """Return about how much a dream is, in pixels."""
    h, w = wanted_size(_size(picture), own.get("width"), own.get("height"))
    return float(h * w)


def _write_failures(path: Path, failed: Sequence[Dreamt]) -> None:
    """Write which pictures failed, and why; no file where none did."""
    if not failed:
        with contextlib.suppress(OSError):
            path.unlink()
        return
    with replacing(path) as part:
        lines = (f"{dreamt.picture}: {' '.join(dreamt.error.split())}\n" for dreamt in failed)
        part.write_text("".join(lines), "utf-8")
