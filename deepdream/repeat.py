"""A picture again, from the recipe that it carries, or one like it.

On the same machine with the same versions it is the same picture, byte for byte: `dream` with a
seed repeats itself, and everything else that mattered is in the recipe. Files are recognised by
their hashes, so that a picture of the same name is not mistaken for the one that was used.

Parameters may be changed on the way. A larger width or height makes the same dream larger: it is
composed at the size of the recipe, and goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dreaming.dream import OnStep, dream
from .dreaming.frames import zoom
from .dreaming.objectives.functions import objective_channel
from .dreaming.objectives.objective import Objective
from .dreaming.objectives.terms import from_plain
from .dreaming.objectives.typed import why_not_again
from .dreaming.parameters import wanted_size
from .dreaming.pictures.noise import noise_of
from .dreaming.styles import NOTEBOOK, STYLES, style_named
from .errors import ImageError, MissingFileError, ParameterError, WeightsError
from .files import FileName, file_hash
from .images import load_image
from .models.load import load_net
from .models.registry import MODELS
from .picture import Picture
from .recipe import describe_net, read_recipe
from .version import __version__

if TYPE_CHECKING:
    from .running.net import Net

_CHANNEL = "objective_channel("
_GIVE = "Give its place (--input, --guide or --mask)."
_BESIDE = "Put it beside the picture."


def rerun(
    path: FileName,
    *,
    img: FileName | None = None,
    guide: FileName | Sequence[FileName] | None = None,
    mask: FileName | None = None,
    net: Net | None = None,
    on_step: OnStep | None = None,
    progress: bool | None = None,
    **changes: Any,
) -> Picture:
    """Make a picture again, or one that differs from it in some parameters.

    Parameters
    ----------
    path : str or PathLike
        A picture that this package has written: a dream, a frame of a zoom, a picture of a gallery.
    img, guide, mask : str or PathLike, optional
        The picture that it was made from, its guide (a list of several) and its mask. Without them
        they are looked for by name beside `path`, one folder above, and in the current folder; so
        are the pictures of an objective's terms.
    net : Net, optional
        What is to dream, see `load_recipes_net`; needed where the recipe's network is not a
        registered one.
    on_step, progress
        As for `deepdream.dream`.
    **changes
        Parameters of `deepdream.dream` that are to be others than the recipe's, of a dream (not of
        a zoom). ``style=`` replaces all that styles decide. With a larger ``width`` or ``height``
        the dream is composed at the recipe's size, and its detail is dreamt on at the larger one.

    Returns
    -------
    Picture
        With the recipe of `path` where nothing was changed. The frames before a zoom's frame are
        made, too.

    Raises
    ------
    ImageError
        `path` carries no recipe, or one that nobody could repeat: no seed, stopped early, an
        objective of the user's own, made from an array.
    MissingFileError
        The picture it was made from, or the guide, is in none of these places.
    ParameterError
        A file or a net is another one than the recipe's.
    """
    recipe = read_recipe(path)
    keywords = repeatable(recipe, os.fsdecode(path))
    changes = {name: value for name, value in changes.items() if value is not None}
    if recipe["command"] == "film":
        raise ParameterError(
            f"'{os.fsdecode(path)}' is a film: 'deepdream rerun' on the command line makes it "
            "again, or deepdream.films.again.rerun_film"
        )
    if changes and recipe["command"] == "zoom":
        raise ParameterError(
            f"'{os.fsdecode(path)}' is a frame of a zoom: it can be made again as it is, not with "
            f"another {next(iter(changes))}"
        )
    beside = Path(os.fsdecode(path)).parent
    places = [beside, beside.parent, Path()]  # a gallery has its input above its folders
    picture = _start(recipe["input"], img, places)
    pictures_again(recipe, keywords, changes, places, guide, mask)
    net = load_recipes_net(recipe) if net is None else net
    check_net(net, recipe["model"])
    keywords.update(seed=recipe["seed"], on_step=on_step, progress=progress)
    if recipe["command"] == "zoom":
        count = int(recipe["frame"]) + 1
        if "first" in recipe and count > 1:
            keywords["first"] = recipe["first"]
        *_, made = zoom(net, picture, count, float(recipe["scale"]), **keywords)
    elif changes:
        h, w = picture.shape[:2]
        return dream(net, picture, **changed(keywords, changes, (h, w)))
    else:
        made = dream(net, picture, **keywords)
    now = {**recipe, **(made.recipe or {})}
    made.recipe = {
        **recipe,
        **{key: now[key] for key in ("engine", "device") if key in recipe},
        "deepdream": __version__,
    }
    return made


def pictures_again(
    recipe: Mapping[str, Any], keywords: dict[str, Any], changes: dict[str, Any],
    places: list[Path], guide: FileName | Sequence[FileName] | None, mask: FileName | None,
) -> None:  # fmt: skip
    """Load guides, mask and the pictures of terms, and put them among the keywords of a dream.

    Parameters
    ----------
    recipe : mapping
    keywords : dict
        From `repeatable`; it gets what the recipe names.
    changes : dict
        What is to be another; it gets what is given and the recipe does not name.
    places : list of Path
        Folders to look into.
    guide, mask : str or PathLike, optional
        Where the user says that they are.

    Raises
    ------
    MissingFileError, ParameterError
        See `find_file`.
    """
    guides: Sequence[FileName] | None = None
    if guide is not None:
        guides = [guide] if isinstance(guide, (str, bytes, os.PathLike)) else guide
    if recipe.get("guide") is not None and "objective" not in changes:
        keywords["guide"] = _guides(recipe["guide"], guides, places)
    elif guides is not None:
        changes["guide"] = [load_image(each) for each in guides]
    if recipe.get("mask") is not None:
        keywords["mask"] = load_image(find_file(recipe["mask"], mask, places, "its mask"))
    elif mask is not None:
        changes["mask"] = load_image(mask)
    if isinstance(keywords.get("objective"), Mapping) and "objective" not in changes:
        keywords["objective"] = from_plain(
            keywords["objective"],
            lambda known, what: load_image(
                find_file(known, None, places, f"the {what} of a term", _BESIDE)
            ),
        )


def for_others(recipe: Mapping[str, Any], name: str, places: list[Path]) -> dict[str, Any]:
    """Return the keywords of `dream` that make a recipe's dream of any picture.

    Parameters
    ----------
    recipe : mapping
        From `read_recipe`; that of a zoom's frame gives the dream of its frames.
    name : str
        The picture's, for messages.
    places : list of Path
        Where its guide and its mask are looked for, by their names.

    Raises
    ------
    ImageError
        It cannot be repeated; or it is of a dream that was enlarged, which is composed at the size
        of its own picture.
    MissingFileError, ParameterError
        See `rerun`.
    """
    # The picture, the seed and the moment at which it was stopped are those of the other dreams.
    any_picture = {**recipe, "input": {}, "seed": 0, "stopped": None}
    keywords = repeatable(any_picture, name)
    if "compose" in keywords:
        raise ImageError(
            f"'{name}' was enlarged by a rerun, from a dream of its own picture: give the recipe "
            "of the smaller one, and enlarge the dreams that you like by deepdream rerun --width"
        )
    pictures_again(recipe, keywords, {}, places, None, None)
    if recipe.get("style") in STYLES:  # a name; all that it decides is there
        keywords = {**NOTEBOOK, **keywords, "style": recipe["style"]}
    return keywords


def repeatable(recipe: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the keywords of `dream` that a recipe holds, and the notebook's for all others.

    Parameters
    ----------
    recipe : mapping
        From `read_recipe`.
    name : str
        The picture's, for messages.

    Raises
    ------
    ImageError
        It cannot be repeated; the message says why.
    """
    keywords = {"style": "2015", **recipe.get("parameters", {})}
    objective = keywords.pop("objective", None)
    reason = ""
    if recipe.get("reproduces"):
        reason = (
            f"it is one of a work's; 'deepdream reproduce {recipe['reproduces']} "
            f"--seed {recipe.get('seed')}' makes it"
        )
    elif recipe.get("command") not in ("dream", "zoom", "film"):
        reason = f"it was made by '{recipe.get('command')}', which cannot be repeated"
    elif recipe.get("stopped"):
        reason = "its dream was stopped early, and nobody knows at which moment"
    elif recipe.get("seed") is None:
        reason = "it was made without a seed"
    elif not isinstance(recipe.get("input"), Mapping):
        reason = "it was made from an array, not from a file"
    elif not isinstance(recipe.get("mask", {}), Mapping):
        reason = "its mask was an array, not a file"
    elif recipe.get("guide") is not None:
        if not all(isinstance(each, Mapping) for each in _listed(recipe["guide"])):
            reason = "its guide was an array, not a file"
    elif isinstance(objective, Mapping):
        reason, keywords["objective"] = why_not_again(objective), objective
    elif isinstance(objective, str) and objective.startswith(_CHANNEL):
        keywords["objective"] = objective_channel(int(objective[len(_CHANNEL) : -1]))
    elif objective not in (None, "objective_L2"):
        reason = f"its objective was a function of the user's ('{objective}')"
    if reason:
        raise ImageError(
            f"'{name}' cannot be made again: {reason}.\n"
            "'deepdream show' prints what is known of it."
        )
    return keywords


def changed(
    keywords: Mapping[str, Any], changes: Mapping[str, Any], size: tuple[int, int]
) -> dict[str, Any]:
    """Return the keywords of a dream that is to differ from another one.

    Parameters
    ----------
    keywords : mapping
        From `repeatable`.
    changes : mapping
        What is to be another. A style takes the place of all that styles decide.
    size : (int, int)
        Height and width of the picture that the dream began with.

    Raises
    ------
    ParameterError
        A guide is to take the place of terms, which name their layers, and has none itself.
    """
    kept = dict(keywords)
    if "end" in changes and isinstance(kept.get("objective"), (Objective, Mapping)):
        kept.pop("objective")  # whose terms name their layers
    if isinstance(changes.get("objective"), Objective):
        kept.pop("end", None)
    if "style" in changes:
        kept = {name: value for name, value in kept.items() if name not in NOTEBOOK}
        if end_of_style(changes["style"]):
            kept.pop("end", None)
            if isinstance(kept.get("objective"), (Objective, Mapping)):
                kept.pop("objective")
    if "guide" in changes and isinstance(kept.get("objective"), (Objective, Mapping)):
        raise ParameterError(
            "guide would take the place of the recipe's objective, whose terms name their layers: "
            "give the guide's layer, too (end=)"
        )
    if "guide" in changes or "objective" in changes:
        kept.pop("objective", None)
        kept.pop("guide", None)
    if "width" in changes or "height" in changes:
        before = wanted_size(size, kept.pop("width", None), kept.pop("height", None))
        after = wanted_size(size, changes.get("width"), changes.get("height"))
        if after[0] >= before[0] and after[1] >= before[1] and after != before:
            kept.setdefault("compose", [before[1], before[0]])
    return {**kept, **changes}


def end_of_style(style: Any) -> bool:
    """Tell whether a style names layers of its own."""
    return bool(style_named(style).ends)


def _listed(guide: Any) -> list[Any]:
    return list(guide) if isinstance(guide, (list, tuple)) else [guide]


def _guides(known: Any, given: Sequence[FileName] | None, places: list[Path]) -> list[Picture]:
    """Return the guides that a recipe names."""
    named = _listed(known)
    paths: Sequence[FileName | None] = [None] * len(named) if given is None else given
    if len(paths) != len(named):
        raise ParameterError(
            f"guide is given {len(paths)} times, the recipe names {len(named)}: give as many, in "
            "the same order"
        )
    return [
        load_image(find_file(each, path, places, "its guide")) for each, path in zip(named, paths)
    ]


def _start(known: Mapping[str, Any], given: FileName | None, places: list[Path]) -> Picture:
    """Return the picture that a recipe began with."""
    if "noise" in known:
        return noise_of(known)
    return load_image(find_file(known, given, places, "the picture it was made from"))


def find_file(
    known: Mapping[str, Any] | None, given: FileName | None, places: Iterable[Path], what: str,
    advice: str = _GIVE,
) -> Path:  # fmt: skip
    """Return the file that a recipe names.

    Parameters
    ----------
    known : mapping
        Its ``file`` name and ``sha256``.
    given : str or PathLike, optional
        Where the user says it is.
    places : iterable of Path
        Folders to look into, otherwise.
    what : str
        What it is, for messages.
    advice : str
        What to do about it.

    Raises
    ------
    MissingFileError
        It is nowhere.
    ParameterError
        The file given, or the only one of that name, has another hash.
    """
    assert known is not None
    name, digits = str(known.get("file")), known.get("sha256")
    paths = [Path(os.fsdecode(given))] if given is not None else [place / name for place in places]
    there = [path for path in paths if path.is_file()]
    if not there:
        where = " or ".join(f"'{path}'" for path in dict.fromkeys(paths))
        raise MissingFileError(f"{what}, '{name}', is missing: there is no {where}. {advice}")
    for path in there:
        if digits is None or file_hash(path) == digits:
            return path
    raise ParameterError(
        f"'{there[0]}' is not {what}: its sha256 is {file_hash(there[0])[:12]}..., the recipe says "
        f"{str(digits)[:12]}.... Give the right file (--input, --guide or --mask)."
    )


def load_recipes_net(
    recipe: Mapping[str, Any],
    *,
    model: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    mean: Any = None,
    engine: str | None = None,
    device: str | None = None,
) -> Net:
    """Load the network that a recipe names, to be computed as the recipe says.

    Parameters
    ----------
    recipe : mapping
        From `read_recipe`.
    model, weights, mean, engine, device : optional
        As for `deepdream.load_net`, where they are not to be the recipe's. A GPU that is not here
        is no error unless it is asked for.

    Raises
    ------
    ParameterError
        The network is none of the registered ones, and its files are not given.
    """
    known = recipe["model"]
    if model is None:
        model = str(known.get("name"))
        if model not in MODELS:
            raise ParameterError(
                f"the recipe's network, '{model}', is not a registered one: give its files "
                "(--model PROTOTXT --weights FILE)."
            )
    mean = known.get("mean") if mean is None else mean
    engine = engine or recipe.get("engine", "auto")
    if device is None:
        device = "cpu" if recipe.get("device") == "cpu" else "auto"
    return load_net(model, weights, mean=mean, engine=engine, device=device)


def check_net(net: Any, model: Mapping[str, Any]) -> None:
    """Make sure that a net is the one that a recipe names.

    Raises
    ------
    WeightsError
        Its weights are others.
    ParameterError
        Its prototxt or its mean is another.
    """
    here = describe_net(net)
    for key, what in (("caffemodel_sha256", "weights"), ("prototxt_sha256", "prototxt")):
        before, now = model.get(key), here.get(key)
        if before is not None and now is not None and before != now:
            kind = WeightsError if what == "weights" else ParameterError
            raise kind(
                f"the {what} of '{here['name']}' are not the recipe's: sha256 {now[:12]}... "
                f"instead of {before[:12]}.... Give the right ones (--model, --weights)."
            )
    if model.get("mean") is not None and here.get("mean") not in (None, model["mean"]):
        raise ParameterError(
            f"the mean of the net is {here['mean']}, the recipe's is {model['mean']}: give it "
            "(--mean)."
        )
