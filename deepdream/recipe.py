"""Recipes: how a picture or a film was made, kept inside it.

A recipe is a plain dict that JSON can hold. It names the version of this package, the network by
its name and the hashes of its two files, what computed it, every parameter, the seed and the
picture that it began with::

    {"deepdream": "0.1.0", "command": "dream",
     "model": {"name": "googlenet", "prototxt_sha256": "...", "caffemodel_sha256": "...",
               "mean": [104.0, 117.0, 123.0]},
     "engine": "deepdream", "device": "cpu",
     "parameters": {"end": "inception_4c/output", "iter_n": 10, ...},
     "seed": 7,
     "input": {"file": "sky.jpg", "sha256": "...", "size": [1024, 575]}}

`build_recipe` makes one, `read_recipe` finds it in a file. Where a file keeps it depends on the
format: an ``iTXt`` chunk named ``deepdream`` in PNG, the comment in JPEG, GIF and films, the EXIF
field ImageDescription in WebP and TIFF. Only file names go in, never folders. The recipe in a file
with more than 8 bits per channel says so (``"depth": 16``).

Nothing here touches pixels; `images` calls `save_options` and `find_recipe`.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from .errors import FilmError, ImageError
from .files import FileName, file_hash, open_view
from .films.comment import is_film, read_comment
from .picture_files import open_picture
from .version import __version__

Recipe = dict[str, Any]

_KEY = "deepdream"  # first key of every recipe, and name of the chunk in PNG
_IMAGE_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131  # EXIF and TIFF tags
_JPEG_COMMENT = 0xFFFF - 2  # most bytes that fit behind the 16-bit length of a JPEG segment
_NO_MATTER = {_KEY, "engine", "device"}
_FEW = 16  # arrays up to this size are written out


def build_recipe(
    net: Any,
    parameters: Mapping[str, Any],
    *,
    command: str = "dream",
    seed: int | None = None,
    source: Mapping[str, Any] | None = None,
    **more: Any,
) -> Recipe:
    """Return the recipe of a picture.

    Parameters
    ----------
    net : Net
        What dreamed; see `describe_net`.
    parameters : mapping
        Keyword to value, as they were given to the function that made the picture.
    command : str
        Name of that function: ``"dream"``, ``"zoom"``, ``"film"``.
    seed : int, optional
        None where the random numbers cannot be had again.
    source : mapping, optional
        What the picture was made from: ``source`` of a `Picture` that was loaded from a file.
    **more
        Further entries, for example ``guide=`` or ``frame=``. Those that are None are left out.

    Returns
    -------
    dict
        Only strings, numbers, booleans, None, lists and dicts. A function is its name, a path is
        its file name, a large array is its shape and a hash.
    """
    recipe = {
        _KEY: __version__,
        "command": command,
        "model": describe_net(net),
        # Not a part of the model: another engine or device computes the same, but for rounding.
        **{name: str(getattr(net, name)) for name in ("engine", "device") if hasattr(net, name)},
        "parameters": dict(parameters),
        "seed": seed,
        "input": None if source is None else dict(source),
        **{name: value for name, value in more.items() if value is not None},
    }
    plain: Recipe = json_types(recipe)
    return plain


def describe_net(net: Any) -> dict[str, Any]:
    """Return the name of a net, the hashes of its files and its mean, as far as they are known.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`. Of a net made in another way only its name is known.

    Returns
    -------
    dict
        ``name``, and where known ``prototxt_sha256``, ``caffemodel_sha256`` (hex digits) and
        ``mean`` (three numbers, B, G, R).
    """
    model = getattr(net, "model", None)
    found: dict[str, Any] = {"name": str(getattr(model, "name", "") or getattr(net, "name", ""))}
    files = {"prototxt_sha256": "prototxt_path", "caffemodel_sha256": "weights_path"}
    for key, attribute in files.items():
        path = getattr(net, attribute, None)
        if path is not None and Path(path).is_file():
            found[key] = file_hash(path)
    means = getattr(getattr(net, "transformer", None), "mean", None) or {}
    mean = next((value for value in means.values() if value is not None), None)
    if mean is not None and np.shape(mean)[:1] == (3,):  # a picture counts by its averages
        values = np.reshape(mean, (3, -1)).mean(axis=1, dtype=np.float64)
        found["mean"] = [float(value) for value in np.float32(values)]
    return found


def json_types(value: Any) -> Any:
    """Return `value` in the types that JSON has, as a recipe holds it; see `build_recipe`."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, np.ndarray):
        if value.size <= _FEW:
            return json_types(value.tolist())
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array {value.dtype} {value.shape} sha256 {digest}"
    if isinstance(value, np.generic):
        return json_types(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): json_types(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_types(item) for item in value]
    if isinstance(value, os.PathLike):
        return Path(os.fsdecode(value)).name
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def same_dream(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two recipes are of one picture.

    Other versions, engines and devices compute the same, but for rounding; an input is known by its
    hash, whatever its name.
    """
    here, there = (_essence(recipe) for recipe in (one, other))
    return here == there


def _essence(recipe: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in recipe.items() if key not in _NO_MATTER}
    for key in ("input", "mask"):
        if isinstance(found.get(key), Mapping) and "sha256" in found[key]:
            found[key] = found[key]["sha256"]
    found.setdefault("depth", 8)
    return found


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return a recipe as one line of JSON in ASCII, the version first."""
    ordered = {_KEY: recipe.get(_KEY, __version__), **recipe}
    return json.dumps(json_types(ordered), allow_nan=False)


def parse_recipe(text: str | bytes) -> Recipe | None:
    """Return the recipe that `text` holds, or None where it is something else."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        found = json.loads(text.strip("\0 \n"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _KEY in found else None


def save_options(recipe: Mapping[str, Any] | None, format: str) -> dict[str, Any]:
    """Return the keywords that make ``PIL.Image.save`` put a recipe into the file.

    Parameters
    ----------
    recipe : mapping or None
    format : {"PNG", "JPEG", "WEBP", "TIFF"}
        As Pillow spells it.

    Returns
    -------
    dict
        Empty without a recipe.

    Warns
    -----
    UserWarning
        The recipe is longer than a JPEG comment can be; it is left out.
    """
    if recipe is None:
        return {}
    text, software = recipe_text(recipe), f"deepdream {recipe.get(_KEY, __version__)}"
    if format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Software", software)
        chunks.add_itxt(_KEY, text)
        return {"pnginfo": chunks}
    if format == "JPEG":
        if len(text) > _JPEG_COMMENT:
            warnings.warn(
                f"the recipe has {len(text)} bytes, a JPEG comment {_JPEG_COMMENT} at most: it is "
                "left out. PNG has room for it.",
                stacklevel=3,
            )
            return {}
        return {"comment": text.encode("ascii")}
    if format == "TIFF":
        return {"tiffinfo": {_IMAGE_DESCRIPTION: text, _SOFTWARE: software}}
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = text
    exif[_SOFTWARE] = software
    return {"exif": exif.tobytes()}


def find_recipe(image: Image.Image) -> Recipe | None:
    """Return the recipe in an opened picture, or None.

    Parameters
    ----------
    image : PIL.Image.Image
        As ``PIL.Image.open`` returns it; its pixels need not be read.
    """
    places = [image.info.get(_KEY), image.info.get("comment")]
    # Other programs' EXIF may be damaged in ways that raise nearly anything.
    try:
        places.append(image.getexif().get(_IMAGE_DESCRIPTION))
    except Exception as error:
        warnings.warn(f"the EXIF data cannot be read ({error})", stacklevel=2)
    for text in places:
        recipe = parse_recipe(text) if isinstance(text, (str, bytes)) else None
        if recipe is not None:
            return recipe
    return None


def read_recipe(path: FileName) -> Recipe:
    """Return the recipe that a picture or a film carries.

    Parameters
    ----------
    path : str or PathLike
        A picture or a film that this package has written; or the JSON of its recipe, as ``deepdream
        show --json`` prints it.

    Returns
    -------
    dict
        See `build_recipe`; `parameters` are those of the function that ``command`` names.

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    ImageError
        Neither a picture nor a film, one that cannot be read, or one without a recipe.
    EngineError
        A film, and PyAV, which reads it, is not installed.
    """
    name = os.fsdecode(path)
    view = open_view(path, ImageError)
    if name.lower().endswith(".json"):
        recipe = parse_recipe(bytes(view))
        if recipe is None:
            raise ImageError(
                f"'{name}' holds no recipe: 'deepdream show PICTURE --json' prints one."
            )
        return recipe
    try:
        if is_film(bytes(view[:16])):
            recipe = parse_recipe(read_comment(Path(name)))
        else:
            with open_picture(view, "it") as image:
                recipe = find_recipe(image)
    except FilmError:
        raise
    except ImageError as error:
        unknown = str(error).startswith("it is no picture that can be read here.")
        reason = "it is none, or of a format unknown here" if unknown else error
        raise ImageError(f"'{name}' cannot be read as a picture: {reason}") from error
    if recipe is None:
        raise ImageError(
            f"'{name}' carries no recipe: it was not made by deepdream, or a program that saved it "
            "since has dropped it."
        )
    return recipe
