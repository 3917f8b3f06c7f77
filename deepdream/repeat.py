"""A picture again, from the recipe that it carries.

On the same machine with the same versions it is the same picture, byte for byte: `dream` with a
seed repeats itself, and everything else that mattered is in the recipe. Files are recognised by
their hashes, so that a picture of the same name is not mistaken for the one that was used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dreaming.dream import OnStep, dream
from .dreaming.frames import zoom
from .dreaming.objectives import objective_channel
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


def rerun(
    path: FileName,
    *,
    img: FileName | None = None,
    guide: FileName | None = None,
    net: Net | None = None,
    on_step: OnStep | None = None,
    progress: bool | None = None,
) -> Picture:
    """Make a picture again.

    Parameters
    ----------
    path : str or PathLike
        A picture that this package has written: a dream, a frame of a zoom, a picture of a gallery.
    img, guide : str or PathLike, optional
        The picture that it was made from, and its guide. Without them they are looked for by name
        beside `path`, one folder above, and in the current folder.
    net : Net, optional
        What is to dream, see `load_recipes_net`; needed where the recipe's network is not a
        registered one.
    on_step, progress
        As for `deepdream.dream`.

    Returns
    -------
    Picture
        With the recipe of `path`. The frames before a zoom's frame are made, too.

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
    beside = Path(os.fsdecode(path)).parent
    places = [beside, beside.parent, Path()]  # a gallery has its input above its folders
    picture = load_image(
        find_file(recipe.get("input"), img, places, "the picture it was made from")
    )
    if recipe.get("guide") is not None:
        keywords["guide"] = load_image(find_file(recipe["guide"], guide, places, "its guide"))
    net = load_recipes_net(recipe) if net is None else net
    check_net(net, recipe["model"])
    keywords.update(seed=recipe["seed"], on_step=on_step, progress=progress)
    if recipe["command"] == "zoom":
        count = int(recipe["frame"]) + 1
        *_, made = zoom(net, picture, count, float(recipe["scale"]), **keywords)
    else:
        made = dream(net, picture, **keywords)
    now = {**recipe, **(made.recipe or {})}
    made.recipe = {
        **recipe,
        **{key: now[key] for key in ("engine", "device") if key in recipe},
        "deepdream": __version__,
    }
    return made


def repeatable(recipe: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the keywords of `dream` that a recipe holds.

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
    keywords = dict(recipe.get("parameters", {}))
    objective = keywords.pop("objective", None)
    reason = ""
    if recipe.get("reproduces"):
        reason = (
            f"it is one of a work's; 'deepdream reproduce {recipe['reproduces']} "
            f"--seed {recipe.get('seed')}' makes it"
        )
    elif recipe.get("command") not in ("dream", "zoom"):
        reason = f"it was made by '{recipe.get('command')}', which cannot be repeated"
    elif recipe.get("stopped"):
        reason = "its dream was stopped early, and nobody knows at which moment"
    elif recipe.get("seed") is None:
        reason = "it was made without a seed"
    elif not isinstance(recipe.get("input"), Mapping):
        reason = "it was made from an array, not from a file"
    elif recipe.get("guide") is not None:
        if not isinstance(recipe["guide"], Mapping):
            reason = "its guide was an array, not a file"
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


def find_file(
    known: Mapping[str, Any] | None, given: FileName | None, places: Iterable[Path], what: str
) -> Path:
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
        raise MissingFileError(
            f"{what}, '{name}', is missing: there is no {where}. Give its place "
            "(--input, or --guide for a guide)."
        )
    for path in there:
        if digits is None or file_hash(path) == digits:
            return path
    raise ParameterError(
        f"'{there[0]}' is not {what}: its sha256 is {file_hash(there[0])[:12]}..., the recipe says "
        f"{str(digits)[:12]}.... Give the right file (--input, or --guide for a guide)."
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
