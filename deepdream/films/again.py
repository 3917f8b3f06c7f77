"""A film again, from the recipe that it carries, or one like it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dreaming.pictures.noise import noise_of
from ..dreaming.styles import NOTEBOOK, STYLES
from ..errors import ParameterError
from ..files import FileName
from ..recipe import read_recipe
from ..repeat import (
    changed,
    check_net,
    find_file,
    load_recipes_net,
    pictures_again,
    repeatable,
)
from .film import Filming
from .script import check_names

if TYPE_CHECKING:
    from ..running.net import Net


def film_again(
    path: FileName,
    out: FileName,
    *,
    img: FileName | None = None,
    guide: FileName | Sequence[FileName] | None = None,
    mask: FileName | None = None,
    net: Net | None = None,
    **changes: Any,
) -> Filming:
    """Return a film that is to be made as another one was.

    Parameters
    ----------
    path : str or PathLike
        A film that this package has written.
    out : str or PathLike
        The film to write.
    img, guide, mask : str or PathLike, optional
        The film or picture that it was made from, its guides and its mask, where they are not found
        by their names beside `path` or in the current folder.
    net : Net, optional
        What is to dream; needed where the recipe's network is not a registered one.
    **changes
        Parameters of `deepdream.film` that are to be others than the recipe's: in all frames, but
        for `iter_n`, which scenes' first frames have of their own (`first`).

    Returns
    -------
    Filming
        Its ``frames`` and ``finish`` make it. With the same ending, and nothing changed, the file
        has the bytes of `path`, on the same machine with the same versions.

    Raises
    ------
    ImageError
        `path` carries no recipe, or one that nobody could repeat.
    MissingFileError, ParameterError
        What it was made from is missing, or another file.
    """
    recipe = read_recipe(path)
    keywords = repeatable(recipe, os.fsdecode(path))
    if recipe.get("command") != "film":
        raise ParameterError(f"'{os.fsdecode(path)}' is no film: deepdream.rerun makes it again")
    changes = {name: value for name, value in changes.items() if value is not None}
    place = Path(os.fsdecode(path)).parent
    places = [place, place.parent, Path()]
    source = _source(recipe["input"], img, places)
    pictures_again(recipe, keywords, changes, places, guide, mask)
    net = load_recipes_net(recipe) if net is None else net
    check_net(net, recipe["model"])
    options = dict(recipe.get("film", {}))
    own = {name: changes.pop(name) for name in [*changes] if name in _FILM}
    check_names(changes)
    different = bool(changes or own)
    first: Any = {"iter_n": keywords["iter_n"], **recipe.get("first", {})}
    if recipe.get("style") in STYLES:  # a name; all that it decides is there
        keywords = {**NOTEBOOK, **keywords, "style": recipe["style"]}
    keywords = changed(keywords, changes, (1, 1))
    if "style" in changes:
        first = own.pop("first", None)
    else:
        first = {name: v for name, v in first.items() if name == "iter_n" or name not in changes}
        more = own.pop("first", {})
        first.update(more if isinstance(more, Mapping) else {"iter_n": more})
    given = {**keywords, **options, "first": first, "seed": recipe["seed"], **own}
    if "seed" in changes:
        given["seed"] = changes["seed"]
    return Filming(net, source, out, recipe=None if different else recipe, **given)


_FILM = ("flow", "carry", "first", "start", "until", "every", "fps", "size", "frames", "zoom",
         "turn", "shift", "ease", "loop", "keyframes", "quality", "sound")  # fmt: skip


def rerun_film(
    path: FileName, out: FileName, *, on_step: Any = None, progress: bool | None = None,
    **options: Any,
) -> Path | None:  # fmt: skip
    """Make a film again; see `film_again`, and `film.film` for the rest.

    Parameters
    ----------
    path, out, **options
        See `film_again`.
    on_step, progress
        See `film.film`.

    Returns
    -------
    Path or None
        The film; None where `on_step` ended the work.
    """
    with film_again(path, out, **options) as making:
        for _ in making.frames(on_step, progress):
            pass
        if making.stopped:
            return None
        making.finish()
    return making.path


def _source(known: Mapping[str, Any], given: FileName | None, places: list[Path]) -> Any:
    if "noise" in known:
        return noise_of(known)
    return find_file(known, given, places, "what it was made from")
