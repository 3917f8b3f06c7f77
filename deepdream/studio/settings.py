"""Settings: what the page says of one dream, as JSON.

Their names are the keywords of `deepdream.dream`, as far as styles decide them, and these::

    {"style": "animals", "end": {"block10/output": 1, "block4/output": 0.5},
     "classes": {"castle": 0.5}, "guide": ["<picture>"], "mask": "<picture>",
     "longest": 1024, "compose": [512, 288], "seed": 7, "iter_n": [32, 8], "strength": 0.8,
     "film": {"frames": 100, "zoom": 0.02, "turn": 0, "loop": false, "carry": 0.95}}

`film` is of a camera in front of a picture, or, without ``frames``, of a clip::

    {"carry": 0.92, "fps": 15, "start": 0, "until": 4.5, "sound": true}

Pictures are named by their ids in the library. `checked` refuses what makes no sense before
anything is made; `keywords_for` makes keywords of it, with the pictures; `from_recipe` finds the
settings in the recipe that a picture carries.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from ..dreaming.objectives.goals import ends_with_weights
from ..dreaming.objectives.terms import guide as guide_term
from ..dreaming.objectives.terms import label, layer
from ..dreaming.parameters import Parameters, check_seed
from ..dreaming.styles import NOTEBOOK, STYLES, end_of, style_named
from ..errors import ParameterError
from ..films.script import going_on
from ..films.steady import CARRY
from ..models.labels import find_labels
from .store import is_id

Settings = dict[str, Any]

LONGEST = (64, 20_000)  # of the longer side, in pixels
_MOST = {"iter_n": 2000, "octave_n": 40, "jitter": 1000, "smooth": 200, "blur": 200, "bands": 12}
_MOST_OF_OTHERS = 10_000
_MOST_TERMS, _MOST_GUIDES = 12, 4
_MOST_CHARACTERS = 200

_OTHERS = ("style", "end", "classes", "guide", "mask", "longest", "compose", "seed", "film")

FRAMES = (2, 3000)
SECONDS = 300  # of a clip that is brought
_MOST_ZOOM, _MOST_TURN = 0.2, 20
_FILM_LONGEST = 1920
_USUAL_ZOOM, _LEAST_ZOOM = 0.05, 0.01  # per frame
_OF_CAMERAS, _OF_CLIPS = ("frames", "zoom", "turn", "loop", "carry"), ("carry", "fps", "start",
                                                                      "until", "sound")  # fmt: skip
_MOST_FPS = 60
# With all of each dream in the next one the contrast of a long zoom grows until colours burn out. A
# little of the picture that comes through holds it: docs/studio.md has what was measured.
ZOOM_CARRY = 0.95
NOTEBOOK_STYLE = "2015"


def checked(net: Any, given: Any) -> Settings:
    """Return settings without those that are None, or say what is wrong with them.

    Parameters
    ----------
    net : Net or Graph
        Its layers and classes are known; nothing runs.
    given : object
        What came as JSON.

    Raises
    ------
    ParameterError, UnknownLabelError
        Something makes no sense; the message names it.
    """
    if not isinstance(given, Mapping):
        raise ParameterError("settings are expected as a JSON object of names and values")
    unknown = [name for name in given if name not in NOTEBOOK and name not in _OTHERS]
    if unknown:
        raise ParameterError(f"there is no setting called {str(unknown[0])[:40]!r}")
    found = {name: value for name, value in given.items() if value not in (None, {}, [])}
    _refuse_long(found)
    for name in NOTEBOOK:  # before anything counts up to one of them
        most = _MOST.get(name, _MOST_OF_OTHERS)
        if any(abs(number) > most for number in _numbers(found.get(name))):
            raise ParameterError(f"{name} is {found[name]!r}: {most} is the most that makes sense")
    chosen = Parameters(net, found.get("style"), {n: v for n, v in found.items() if n in NOTEBOOK})
    if "end" in found:
        found["end"] = ends_with_weights(found["end"])
        for name in found["end"]:
            if name not in net.blobs:
                raise ParameterError(f"the network has no layer called {name[:60]!r}")
    elif "classes" not in found:
        end_of(net, chosen.style)  # refuses a style of layers that this network has not
    if "classes" in found:
        if not isinstance(found["classes"], Mapping):
            raise ParameterError("classes are expected as names with weights")
        found["classes"] = ends_with_weights(found["classes"])
        for name in found["classes"]:
            find_labels(net, name)
    if len(found.get("end", {})) + len(found.get("classes", {})) > _MOST_TERMS:
        raise ParameterError(f"{_MOST_TERMS} layers and classes at most")
    _check_pictures(found)
    if "longest" in found:
        found["longest"] = _whole("longest", found["longest"], *LONGEST)
    if "compose" in found:
        pair = found["compose"]
        if not isinstance(pair, list) or len(pair) != 2:
            raise ParameterError("compose is expected as [width, height]")
        found["compose"] = [_whole("compose", side, 1, LONGEST[1]) for side in pair]
    check_seed(found.get("seed"))
    if "film" in found:
        found["film"] = _checked_film(found)
    return found


def _checked_film(found: Settings) -> dict[str, Any]:
    film = found["film"]
    if not isinstance(film, Mapping) or not ({*film} <= {*_OF_CAMERAS} or {*film} <= {*_OF_CLIPS}):
        raise ParameterError(
            f"film is expected as an object of {', '.join(_OF_CAMERAS)}; or, of a clip, of "
            f"{', '.join(_OF_CLIPS)}"
        )
    if "compose" in found or found.get("longest", _FILM_LONGEST + 1) > _FILM_LONGEST:
        raise ParameterError(f"a film needs longest, of {_FILM_LONGEST} pixels at most")
    if "frames" not in film and not {"zoom", "turn", "loop"} & {*film}:
        return _checked_clip(film)
    return {
        "frames": _whole("frames", film.get("frames"), *FRAMES),
        "zoom": _number("zoom", film.get("zoom", 0), -_MOST_ZOOM, _MOST_ZOOM),
        "turn": _number("turn", film.get("turn", 0), -_MOST_TURN, _MOST_TURN),
        "loop": _switch("loop", film.get("loop", False)),
        "carry": _number("carry", film.get("carry", ZOOM_CARRY), 0, 1),
    }


def _checked_clip(film: Mapping[str, Any]) -> dict[str, Any]:
    made = {
        "carry": _number("carry", film.get("carry", CARRY), 0, 1),
        "sound": _switch("sound", film.get("sound", True)),
    }
    for name, low, high in (("fps", 1, _MOST_FPS), ("start", 0, SECONDS), ("until", 0, SECONDS)):
        if film.get(name) is not None:
            made[name] = _number(name, film[name], low, high)
    if made.get("until", SECONDS) <= made.get("start", 0):
        raise ParameterError(f"until, {made['until']}, is not after start, {made['start']}")
    return made


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ParameterError(f"{name} is {value!r}: a number from {low} to {high} is expected")
    return float(value)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ParameterError(f"{name} is {value!r}: true or false is expected")
    return value


def check_film(settings: Mapping[str, Any], clip: Mapping[str, Any] | None) -> None:
    """Make sure that a film's settings are for what it is made of.

    Parameters
    ----------
    settings : mapping
        From `checked`.
    clip : mapping or None
        What is known of a clip, see `clips.look_into`; None of a picture.

    Raises
    ------
    ParameterError
        A camera's settings for a clip, or a clip's for a picture; or too many frames.
    """
    film = settings.get("film")
    if film is None:
        return
    if clip is None:
        if "frames" not in film:
            raise ParameterError("film of a picture is expected as frames, zoom, turn, loop, carry")
        return
    if "frames" in film:
        raise ParameterError("film of a clip is expected as carry, fps, start, until, sound")
    if film.get("start", 0) >= clip["seconds"]:
        raise ParameterError(
            f"start is {film['start']:.1f}, and the clip lasts {clip['seconds']:.1f} seconds"
        )
    frames = clip_frames(film, clip)
    if frames > FRAMES[1]:
        raise ParameterError(
            f"that makes {frames} frames, and {FRAMES[1]} are the most: choose a shorter part, or "
            "fewer frames per second"
        )


def clip_frames(film: Mapping[str, Any], clip: Mapping[str, Any]) -> int:
    """Return about how many frames the film of a clip has."""
    end = min(film.get("until", clip["seconds"]), clip["seconds"])
    return max(1, round((end - film.get("start", 0)) * film.get("fps", clip["rate"])))


def _refuse_long(found: Mapping[str, Any]) -> None:
    for name, value in found.items():
        if len(repr(value)) > 4 * _MOST_CHARACTERS and name not in ("end", "classes"):
            raise ParameterError(f"{name} is longer than any value that makes sense")
        if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
            raise ParameterError(f"{name} is longer than any name")


def _numbers(value: Any) -> Iterator[float]:
    """Yield the numbers in a value of JSON, however deep; those that are none as infinity."""
    if isinstance(value, (int, float)):
        yield value if math.isfinite(value) else math.inf
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, Mapping):
        yield from _numbers(list(value.values()))


def _check_pictures(found: Settings) -> None:
    guides = found.get("guide", [])
    if not isinstance(guides, list) or len(guides) > _MOST_GUIDES or not all(map(is_id, guides)):
        raise ParameterError(
            f"guide is expected as a list of pictures' ids, {_MOST_GUIDES} at most"
        )
    if "mask" in found and not is_id(found["mask"]):
        raise ParameterError("mask is expected as a picture's id")


def _whole(name: str, value: Any, low: int, high: int) -> int:
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or not low <= value <= high:
        raise ParameterError(
            f"{name} is {value!r}: a whole number from {low} to {high} is expected"
        )
    return int(value)


def pictures_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the ids of the pictures that settings need besides the one that is dreamt on."""
    return [*settings.get("guide", []), *([settings["mask"]] if "mask" in settings else [])]


def size_for(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return the (height, width) of a dream on a picture of `size`.

    Parameters
    ----------
    size : (int, int)
        Height and width.
    longest : int or None
        Of the longer side; None leaves the picture as it is.
    """
    if longest is None:
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def keywords_for(
    settings: Mapping[str, Any], size: tuple[int, int], load: Callable[[str], Any]
) -> dict[str, Any]:
    """Return the keywords of `deepdream.dream`.

    Parameters
    ----------
    settings : mapping
        From `checked`.
    size : (int, int)
        Height and width of the picture.
    load : callable
        Returns the picture of an id.
    """
    found = {name: value for name, value in settings.items() if name in NOTEBOOK}
    for name in ("style", "seed"):
        if name in settings:
            found[name] = settings[name]
    for name, value in found.items():  # JSON has no tuples
        found[name] = tuple(value) if isinstance(value, list) else value
    if "mask" in settings:
        found["mask"] = load(settings["mask"])
    h, w = size_for(size, settings.get("longest"))
    if (h, w) != size:
        found.update(width=w, height=h)
    if "compose" in settings:
        found["compose"] = tuple(settings["compose"])
    ends, classes = settings.get("end", {}), settings.get("classes", {})
    guides = [load(each) for each in settings.get("guide", [])]
    if classes:
        terms = [weight * label(name) for name, weight in classes.items()]
        for name, weight in ends.items():
            term = guide_term(name, *guides) if guides else layer(name)
            terms.append(weight * term)
        found["objective"] = sum(terms[1:], terms[0])
        return found
    if ends:
        found["end"] = next(iter(ends)) if len(ends) == 1 else dict(ends)
    if guides:
        found["guide"] = guides if len(guides) > 1 else guides[0]
    return found


def film_keywords_for(
    settings: Mapping[str, Any], size: tuple[int, int], load: Callable[[str], Any]
) -> dict[str, Any]:
    """Return the keywords of `deepdream.film`, for a camera in front of a still or for a clip.

    Parameters
    ----------
    settings, size, load
        As for `keywords_for`; there is ``film`` in the settings.
    """
    found = keywords_for(settings, size, load)
    h, w = found.pop("height", size[0]), found.pop("width", size[1])
    if "iter_n" in found:  # of the frames after the first the style knows better
        found["first"] = {"iter_n": found.pop("iter_n")}
    if "frames" in settings["film"]:
        found["iter_n"] = film_steps(settings)
    return {**found, **settings["film"], "size": (w, h)}


def film_steps(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Return ``iter_n`` of a film's frames after the first.

    Styles know how many steps a dream on a dream takes: of a clip's frames, and for a zoom of
    `_USUAL_ZOOM` per frame. A slower camera shows each place in more frames, which need fewer: as
    many would burn colours out.
    """
    style = style_named(settings.get("style", NOTEBOOK_STYLE))
    usual = going_on(style)["iter_n"]
    first, last = usual if isinstance(usual, tuple) else (usual, usual)
    zoom = settings["film"].get("zoom")
    if zoom is None or "iter_n" not in style.again:
        return int(first), int(last)
    share = min(1.0, max(abs(zoom), _LEAST_ZOOM) / _USUAL_ZOOM)
    return max(1, round(first * share)), max(1, round(last * share))


def from_recipe(
    net: Any, recipe: Mapping[str, Any], clip: bool = False
) -> tuple[Settings, list[str]]:
    """Return the settings that a recipe tells, and what of it they cannot hold.

    Parameters
    ----------
    net : Net or Graph
        On which they are to be used.
    recipe : mapping
        From a picture or a film, so from anybody.
    clip : bool
        What carries it is a film, and becomes one again.

    Returns
    -------
    settings : dict
    left_out : list of {"network", "goal", "guide", "mask", "other"}
    """
    try:
        found, left_out = _told(net, recipe)
        if clip:
            found["film"] = _film_of(recipe.get("film", {}))
            found["longest"] = min(found.get("longest", _FILM_LONGEST), _FILM_LONGEST)
        return checked(net, found), left_out
    except Exception:  # a recipe may say anything
        return {}, ["other"]


def _told(net: Any, recipe: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    left_out = []
    if recipe["model"].get("name") != getattr(net.model, "name", None):
        left_out.append("network")
    parameters = recipe["parameters"]
    style = recipe.get("style")
    found: Settings = {
        "style": style if style in STYLES else NOTEBOOK_STYLE,
        "seed": recipe.get("seed"),
    }
    found.update((name, parameters[name]) for name in NOTEBOOK if name in parameters)
    goal = _goal_of(parameters)
    if goal is None:
        left_out.append("goal")
    else:
        found.update(goal)
    left_out += [name for name in ("guide", "mask") if recipe.get(name) is not None]
    sides = [parameters.get("width"), parameters.get("height")]
    if any(sides):
        found["longest"] = _longest(recipe["input"]["size"], *sides)
    film = recipe.get("film")
    if film is not None:
        found.update((name, value) for name, value in recipe.get("first", {}).items()
                     if name in NOTEBOOK)  # fmt: skip
        if "size" in film:
            found["longest"] = max(map(int, film["size"]))
        if "keyframes" in film:
            left_out.append("other")
    return found, left_out


def _film_of(film: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a film's options those that another clip can be given.

    What a camera was told says nothing of a clip; nor does the part that was taken, which is all
    that there is of the film.
    """
    if "flow" not in film:
        return {"carry": CARRY}
    found: dict[str, Any] = {"carry": film.get("carry", CARRY), "sound": film.get("sound", True)}
    if "fps" in film:
        found["fps"] = float(Fraction(film["fps"]))
    return found


def _goal_of(parameters: Mapping[str, Any]) -> Settings | None:
    """Return layers and classes, or None where a goal is more than that."""
    objective = parameters.get("objective")
    if not isinstance(objective, Mapping):
        end = parameters.get("end")
        usual = objective in (None, "objective_L2", "objective_guide")
        return {"end": ends_with_weights(end)} if usual and end else None
    goal: Settings = {"end": {}, "classes": {}}
    for term in objective.get("terms", []):
        weight = term.get("weight", 1.0)
        if term.get("mask") is not None:
            return None
        if term.get("term") == "layer" and term.get("power", 2) == 2:
            goal["end"][term["end"]] = weight
        elif term.get("term") == "label":
            goal["classes"][str(term["label"])] = weight
        else:
            return None
    return goal


def _longest(size: Any, width: Any, height: Any) -> int:
    if width and height:
        return max(int(width), int(height))
    w, h = size
    return round(width * max(1, h / w)) if width else round(height * max(1, w / h))
