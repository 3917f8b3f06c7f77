"""Pictures: files to arrays and back.

A picture is (h, w, 3) float32, RGB, 0..255, whatever the file held: `load_image` turns it the way
the camera was held, takes palettes, grey, sixteen bits and CMYK apart, and keeps transparency
aside. `save_image` puts that back, rounds to whole grey levels, or to the levels of sixteen bits,
and writes the recipe.

The array itself and what belongs to it is `Picture`, in ``deepdream.picture``. No nets, no display,
no network here.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .errors import DeepDreamError, ImageError, WriteError
from .files import HEAD, FileName, open_view, recognise, replacing
from .picture import Picture as Picture
from .picture import check_pixels
from .picture import to_uint8 as to_uint8
from .recipe import save_options
from .sixteen_bits import write_deep

_ORIENTATION = 0x0112  # EXIF tag
_LARGEST_FILE = 1 << 31  # bytes; nothing that holds a picture is larger


class _Format(NamedTuple):
    name: str  # Pillow's
    alpha: bool
    deep: bool  # whether there is a kind of it with sixteen bits per channel
    options: Mapping[str, Any]


_JPEG = _Format(
    "JPEG", False, False, {"subsampling": 0}
)  # colour at full resolution: dreams are fine
_TIFF = _Format("TIFF", True, True, {"compression": "tiff_adobe_deflate"})
_FORMATS = {
    ".png": _Format("PNG", True, True, {}),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format("WEBP", True, False, {"exact": True}),  # colours stay under full transparency
    ".tif": _TIFF,
    ".tiff": _TIFF,
}


def load_image(path: FileName) -> Picture:
    """Load a picture.

    Parameters
    ----------
    path : str or PathLike
        Any format that Pillow reads. Of an animation, the first frame.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB, 0..255, turned as EXIF says. Grey is repeated; sixteen bits are scaled to 0..255
        without rounding; floating point files are scaled from 0..1 where they lie within, and
        taken as 0..255 where not. A transparent picture has its ``alpha``, and the colours that
        the file has under it. Colour profiles are not applied.

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    ImageError
        A folder, a file that is no picture, a damaged one, or one so large that Pillow takes it
        for an attack (more than twice ``PIL.Image.MAX_IMAGE_PIXELS``, about 179 million pixels).

    Notes
    -----
    The notebook's ``np.float32(PIL.Image.open('sky1024px.jpg'))`` gives the same numbers for an
    RGB file without rotation.
    """
    name = os.fsdecode(path)
    view = open_view(path, ImageError)
    if len(view) == 0:
        raise ImageError(f"'{name}' is empty (0 bytes): get it again.")
    if len(view) > _LARGEST_FILE:
        raise ImageError(
            f"'{name}' has {len(view):,} bytes: no picture that can be read is so big."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(view)) as image:
                image.load()
                pixels, alpha = _pixels(image, f"'{name}'")
    except DeepDreamError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageError(_unidentified(name, bytes(view[:HEAD]))) from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"'{name}' has more pixels than a harmless picture should: {error}\n"
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS, or make it smaller."
        ) from error
    # Pillow's readers meet damage with whatever their parsing stumbles over.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ImageError(f"'{name}' is a damaged picture ({reason}): get it again.") from error
    h, w = pixels.shape[:2]
    source = {"file": Path(name).name, "sha256": hashlib.sha256(view).hexdigest(), "size": [w, h]}
    return Picture(pixels, alpha=alpha, source=source)


def _unidentified(name: str, head: bytes) -> str:
    kind = recognise(head)
    if kind is not None and "picture" not in kind.what:
        return f"'{name}' is no picture but {kind.what}."
    return (
        f"'{name}' is no picture that can be read here. PNG, JPEG, WebP, TIFF, GIF, BMP and many "
        "others can: convert it to one of them."
    )


def _pixels(image: Image.Image, what: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the (h, w, 3) float32 colours of a Pillow image and its (h, w) uint8 alpha."""
    if 0 in image.size:
        raise ImageError(f"{what} has no pixels: {image.size[0]}x{image.size[1]}.")
    alpha = None
    if image.mode.startswith("I") or image.mode == "F":
        grey = _deep_grey(image, what)
        colours = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    else:
        if image.mode == "La":  # Pillow has no direct way from it
            image = image.convert("LA")
        if image.mode[-1] in "Aa" or "transparency" in image.info:
            both = np.asarray(image.convert("RGBA"))
            colours, alpha = both[..., :3].astype(np.float32), both[..., 3]
        else:
            colours = np.asarray(_to_rgb(image, what)).astype(np.float32)
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        colours = turn(colours)
        alpha = None if alpha is None else turn(alpha)
    return (
        np.ascontiguousarray(colours, np.float32),
        None if alpha is None else np.ascontiguousarray(alpha),
    )


def _deep_grey(image: Image.Image, what: str) -> np.ndarray:
    """Return grey of more than eight bits as (h, w) float32, 0..255."""
    grey = np.asarray(image).astype(np.float32)
    if not np.isfinite(grey).all():
        raise ImageError(f"{what} holds values that are not finite (NaN or infinity).")
    low, high = float(grey.min()), float(grey.max())
    if image.mode == "F":
        return grey * np.float32(255) if low >= 0 and high <= 1 else grey
    # Pillow reads 16-bit PNG and PGM as mode I, depending on its version.
    sixteen = image.mode != "I" or image.format in ("PNG", "PPM")
    if low < 0 or high > 65535:
        raise ImageError(
            f"{what} holds whole numbers from {low:.0f} to {high:.0f}: 0..255 or 0..65535 can be "
            "read. Save it with 8 or 16 bits."
        )
    return grey / np.float32(257) if sixteen or high > 255 else grey


def _to_rgb(image: Image.Image, what: str) -> Image.Image:
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ImageError(f"{what} has the mode {image.mode}, which has no way to RGB.") from error


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns it while loading; old versions leave the tag
        return 1
    # Damaged EXIF makes Pillow raise nearly anything; the picture itself may be fine.
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception as error:
        warnings.warn(f"the EXIF data cannot be read ({error}): not turned", stacklevel=4)
        return 1


# EXIF says where row 0 and column 0 of the stored picture belong.
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def as_picture(img: Any) -> Picture:
    """Return anything that is a picture as one, or say why it is none.

    Parameters
    ----------
    img : array_like or PIL.Image.Image
        (h, w, 3) RGB, (h, w, 4) with alpha last, or (h, w) and (h, w, 1) grey; any real numbers
        in 0..255. Floating point values may lie beyond, whole numbers may not.

    Returns
    -------
    (h, w, 3) float32 Picture
        C-contiguous. `img` itself where it is that already, so do not write to it.

    Raises
    ------
    ImageError
        Another number of dimensions or channels, no pixels, NaN or infinity, no numbers.

    Warns
    -----
    UserWarning
        All values lie in 0..1, with fractions: the scale of other libraries.
    """
    if isinstance(img, Image.Image):
        try:
            return Picture(*_pixels(img, "the picture"))
        except DeepDreamError:
            raise
        except Exception as error:  # a lazily opened file that is damaged
            raise ImageError(f"the picture cannot be read: {error}") from error
    if isinstance(img, (str, bytes, os.PathLike)):
        raise ImageError(f"{os.fsdecode(img)!r} is a name, not a picture: use load_image first.")
    pixels = check_pixels(img)
    alpha = getattr(img, "alpha", None)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] == 4:
        alpha = to_uint8(pixels[..., 3])
        pixels = pixels[..., :3]
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    ready = pixels.dtype == np.float32 and pixels.flags.c_contiguous
    if isinstance(img, Picture) and pixels.shape == img.shape and ready:
        return img
    colours = np.ascontiguousarray(pixels, np.float32)
    inside = pixels.dtype.kind == "f" and colours.min() >= 0 and 0 < colours.max() <= 1
    if inside and (colours % 1).any():
        warnings.warn(
            "this picture's values lie in 0..1; here they go from 0 to 255. Multiply by 255?",
            stacklevel=3,
        )
    return Picture(colours, alpha, getattr(img, "recipe", None), getattr(img, "source", None))


def check_writable(path: FileName, depth: int | None = None) -> None:
    """Make sure, before any work is done, that `save_image` will be able to write there.

    Parameters
    ----------
    path : str or PathLike
    depth : int, optional
        As for `save_image`.

    Raises
    ------
    ImageError
        The name has an unknown ending, or one of a format that has not this depth.
    WriteError
        The folder does not exist or cannot be written, or `path` is a folder.
    """
    check_depth(path, depth)
    name = os.fsdecode(path)
    folder = Path(os.path.realpath(name)).parent
    if Path(name).is_dir():
        raise WriteError(f"'{name}' is a folder: give the name of a file.")
    if not folder.is_dir():
        raise WriteError(
            f"'{name}' cannot be written: there is no folder '{folder}'. Make it first."
        )
    if not os.access(folder, os.W_OK):
        raise WriteError(f"'{name}' cannot be written: no permission to write in '{folder}'.")


def check_depth(path: FileName, depth: int | None) -> None:
    """Make sure that a picture of this name can have so many bits per channel.

    Raises
    ------
    ImageError
        An unknown ending, a format that has only 8 bits, or a `depth` that is neither 8 nor 16.
    """
    format = _format_of(path)
    if depth not in (None, 8, 16):
        raise ImageError(f"depth is {depth!r}: 8 or 16 bits per channel are expected.")
    if depth == 16 and not format.deep:
        able = ", ".join(suffix for suffix, known in _FORMATS.items() if known.deep)
        raise ImageError(
            f"'{os.fsdecode(path)}' would be a {format.name} file, which has 8 bits per channel: "
            f"16 can be written as {able}."
        )


def depth_for(path: FileName, recipe: Mapping[str, Any] | None) -> int:
    """Return the bits per channel of a file where nobody asks for a number.

    Those that the recipe tells, where a picture of this name can have them; otherwise 8.
    """
    return (recipe or {}).get("depth", 8) if _format_of(path).deep else 8


def _format_of(path: FileName) -> _Format:
    name = os.fsdecode(path)
    suffix = Path(name).suffix.lower()
    if suffix not in _FORMATS:
        ending = f"the ending '{suffix}'" if suffix else "no ending"
        raise ImageError(
            f"'{name}' has {ending}; a picture can be written as {', '.join(_FORMATS)}."
        )
    return _FORMATS[suffix]


def save_image(
    img: Any,
    path: FileName,
    quality: int = 95,
    recipe: Mapping[str, Any] | None = None,
    depth: int | None = None,
) -> None:
    """Save a picture, whole or not at all.

    Parameters
    ----------
    img : (h, w, 3), (h, w, 4) or (h, w) array, or PIL.Image.Image
        0..255; values beyond are clipped, fractions rounded to the nearest level. The ``alpha`` of
        a `Picture` is put back where the format has room for it (not in JPEG).
    path : str or PathLike
        Ends in .png, .jpg, .jpeg, .webp, .tif or .tiff. A file of that name is replaced.
    quality : int
        Of JPEG and WebP, 1..100.
    recipe : mapping, optional
        Written into the file; `deepdream.recipe.read_recipe` finds it. Without it that of a
        `Picture`, if any.
    depth : {8, 16}, optional
        Bits per channel. 16 keeps fractions of a level, to the nearest 257th, in PNG and TIFF; the
        recipe in the file then says so (``"depth": 16``). Without it what the recipe says, as of a
        picture that `deepdream.rerun` has made again, and the format can; else 8.

    Raises
    ------
    ImageError
        Not a picture (wrong shape, no pixels, NaN), an unknown ending, a size or a depth that the
        format cannot hold.
    WriteError
        No such folder, no permission, a full disk. A file that was there before is untouched.
    """
    format = _format_of(path)
    if not isinstance(quality, (int, np.integer)) or not 1 <= quality <= 100:
        raise ImageError(f"quality is {quality!r}: a whole number from 1 to 100 is expected.")
    if recipe is None:
        recipe = getattr(img, "recipe", None)
    if depth is None:
        depth = depth_for(path, recipe)
    check_depth(path, depth)
    if recipe is not None:  # of this file, wherever the recipe was read
        recipe = {key: value for key, value in recipe.items() if key != "depth"}
        recipe.update({"depth": depth} if depth != 8 else {})
    if isinstance(img, Image.Image):
        img = as_picture(img)
    pixels = check_pixels(img)
    alpha = getattr(img, "alpha", None) if format.alpha else None
    options = {**format.options, **save_options(recipe, format.name)}
    if depth == 16:
        with replacing(path) as part, part.open("wb") as file:
            write_deep(file, format.name, pixels, alpha, options)
        return
    levels = to_uint8(pixels)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[..., 0]
    if alpha is not None and not (levels.ndim == 3 and levels.shape[2] == 4):
        levels = np.dstack([levels, to_uint8(alpha)])  # (h, w, 2) or (h, w, 4)
    elif not format.alpha and levels.ndim == 3:
        levels = levels[..., :3]
    if format.name in ("JPEG", "WEBP"):
        options["quality"] = int(quality)
    encoded = io.BytesIO()
    try:
        Image.fromarray(np.ascontiguousarray(levels)).save(encoded, format.name, **options)
    except Exception as error:  # each writer has its own limits, and words for them
        h, w = levels.shape[:2]
        raise ImageError(
            f"{w}x{h} pixels cannot be saved as {format.name} ({error}). PNG and TIFF hold any "
            "size."
        ) from error
    with replacing(path) as part:
        part.write_bytes(encoded.getbuffer())
