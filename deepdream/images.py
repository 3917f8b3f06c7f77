"""Pictures: files to arrays and back.

A picture is (h, w, 3) float32, RGB of sRGB, 0..255, whatever the file held: `load_image` turns it
the way the camera was held, takes palettes, grey, sixteen bits, CMYK and colour profiles apart, and
keeps transparency aside. `save_image` puts that back, rounds to whole grey levels, or to the levels
of sixteen bits, and writes the recipe and sRGB's profile.

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
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from .color_profiles import srgb_profile
from .deep_pixels import deep_transparency, read_deep, refuse_deep_jpeg2000
from .errors import ImageError, WriteError
from .files import FileName, open_view, replacing
from .picture import Picture as Picture
from .picture import check_pixels, fingerprint, notice_unit_range
from .picture import to_uint8 as to_uint8
from .picture_files import named_damage, open_picture
from .recipe import save_options
from .sixteen_bits import write_deep
from .stored_colors import Stored, level_scale, to_srgb
from .tiff_pixels import read_tiff
from .told_colors import profile_of

_ORIENTATION = 0x0112  # EXIF tag
_BITS, _PHOTOMETRIC, _PLANES = 258, 262, 284  # TIFF's
_LARGEST_FILE = 1 << 31  # bytes; nothing that holds a picture is larger


class _Format(NamedTuple):
    name: str  # Pillow's
    alpha: bool
    deep: bool  # whether there is a kind of it with sixteen bits per channel
    grey: bool  # whether grey stays grey in it
    options: Mapping[str, Any]


_JPEG = _Format(
    "JPEG", False, False, True, {"subsampling": 0}
)  # colour at full resolution: dreams are fine
_TIFF = _Format("TIFF", True, True, True, {"compression": "tiff_adobe_deflate"})
_FORMATS = {
    ".png": _Format("PNG", True, True, True, {}),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    # Colours stay under full transparency.
    ".webp": _Format("WEBP", True, False, False, {"exact": True}),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}


def load_image(path: FileName | BinaryIO) -> Picture:
    """Load a picture.

    Parameters
    ----------
    path : str, PathLike or binary file
        Any format that Pillow reads; HEIC with the package pillow-heif, JPEG XL with
        pillow-jxl-plugin. Of an animation, the first frame. What has ``read`` is read to its end.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB of sRGB, 0..255, turned as EXIF says. Grey is repeated. Sixteen bits of PNG, TIFF and
        PPM, and of grey in any format, are scaled to 0..255 without rounding; so are those of TIFF
        between 8 and 16. Floating point files are scaled from 0..1 where they lie within, and taken
        as 0..255 where not. A transparent picture has its ``alpha``, of 8 bits, and the colours
        that the file has under it.

        A colour profile is applied: an ICC profile, what PNG says by cICP, or by gAMA with cHRM,
        what HEIC says by nclx, and Adobe RGB as cameras say it in EXIF. What sRGB cannot hold is
        clipped. A profile that is sRGB to a level changes nothing. Profiles of three primaries and
        curves are applied to all bits, others to 8.

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    ImageError
        A folder, a file that is no picture, a damaged one, one of a format that a package is
        missing for, or one so large that Pillow takes it for an attack (more than twice
        ``PIL.Image.MAX_IMAGE_PIXELS``, about 179 million pixels).

    Warns
    -----
    UserWarning
        A colour profile that cannot be applied, or to 8 bits only; EXIF data that cannot be read;
        floating point values nearly all of which lie within 0..1.

    Notes
    -----
    The notebook's ``np.float32(PIL.Image.open('sky1024px.jpg'))`` gives the same numbers for an
    RGB file without rotation and without a profile.
    """
    name, view = _read(path)
    what = f"'{name}'"
    if len(view) == 0:
        raise ImageError(f"{what} is empty (0 bytes): get it again.")
    if len(view) > _LARGEST_FILE:
        raise ImageError(f"{what} has {len(view):,} bytes: no picture that can be read is so big.")
    pixels, alpha = _upright(_read_stored(view, what), what)
    h, w = pixels.shape[:2]
    source = {"file": Path(name).name, "sha256": hashlib.sha256(view).hexdigest(), "size": [w, h]}
    picture = Picture(pixels, alpha=alpha, source=source)
    picture.loaded = fingerprint(pixels)
    return picture


def _read(path: Any) -> tuple[str, memoryview]:
    """Return the name and the bytes of what `load_image` is given."""
    if hasattr(path, "read"):
        name, data = getattr(path, "name", None), path.read()
        if not isinstance(data, bytes):
            raise ImageError("a picture is read from a binary file: open it with 'rb'.")
        return (name if isinstance(name, str) else "a file without a name"), memoryview(data)
    if isinstance(path, bytes) and b"\0" in path:
        raise ImageError(
            "these bytes are no name of a file. If they are a picture: load_image(io.BytesIO(data))"
        )
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ImageError(
            f"load_image takes the name of a file; of the type {type(path).__name__} there is "
            "nothing to load. An array or a PIL.Image can be dreamt on as it is."
        )
    return os.fsdecode(path), open_view(path, ImageError)


def _read_stored(data: memoryview, what: str) -> Stored:
    """Return the colours that a file stores."""
    with named_damage(what):
        stored = read_tiff(data, what)
    if stored is not None:
        return stored
    with open_picture(data, what) as image:
        return _stored(image, data, what)


def _upright(stored: Stored, what: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return (h, w, 3) float32 sRGB and the (h, w) uint8 alpha, turned as EXIF says."""
    colours, alpha = to_srgb(stored, what), stored.alpha
    turn = _TURNS.get(stored.orientation)
    if turn is not None:
        colours = turn(colours)
        alpha = None if alpha is None else turn(alpha)
    return (
        np.ascontiguousarray(colours, np.float32),
        None if alpha is None else np.ascontiguousarray(alpha),
    )


def _stored(image: Image.Image, data: memoryview | None, what: str) -> Stored:
    """Return the colours of a Pillow image, read from `data` where that is known."""
    if 0 in image.size:
        raise ImageError(f"{what} has no pixels: {image.size[0]}x{image.size[1]}.")
    deep = None
    if data is not None:
        refuse_deep_jpeg2000(image, data, what)
        deep = read_deep(image, data, what)
    if deep is None:
        image.load()
        levels, space, alpha = _levels(image, what)
    else:
        channels = deep.shape[2]
        space = "RGB" if channels > 2 else "L"
        levels, alpha = deep, None
        if channels in (2, 4):
            levels, alpha = deep[..., :-1], np.rint(deep[..., -1]).astype(np.uint8)
        elif isinstance(image.info.get("transparency"), tuple):
            alpha = deep_transparency(deep, image.info["transparency"])
    return Stored(levels, space, alpha, profile_of(image, data, what), _orientation(image))


def _levels(image: Image.Image, what: str) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Return levels, space and alpha of a Pillow image, as `Stored` wants them."""
    mode, transparency = image.mode, image.info.get("transparency")
    if mode.startswith("I") or mode == "F":
        return _deep_grey(image, what)
    if mode == "LAB":
        stored = np.asarray(image)
        scaled = stored.view(np.int8).astype(np.float32)
        scaled[..., 0] = stored[..., 0] * np.float32(100 / 255)
        return scaled, "LAB", None
    if mode == "CMYK":
        return np.asarray(image), "CMYK", None
    if mode == "La":  # Pillow has no direct way from it
        image = image.convert("LA")
    try:
        if mode[-1] in "Aa" or transparency is not None:
            both = np.asarray(image.convert("RGBA"))
            grey = mode in ("1", "L", "LA", "La")
            return both[..., : 1 if grey else 3], "L" if grey else "RGB", both[..., 3]
        if mode in ("1", "L"):
            return np.asarray(image.convert("L"))[..., np.newaxis], "L", None
        return np.asarray(image.convert("RGB")), "RGB", None
    except ValueError as error:
        raise ImageError(f"{what} has the mode {mode}, which has no way to RGB.") from error


def _deep_grey(image: Image.Image, what: str) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Return grey of more than eight bits."""
    grey = np.asarray(image)[..., np.newaxis]
    # Pillow reads 16-bit PNG and PGM as mode I, depending on its version.
    sixteen = image.mode.startswith("I;16") or image.format in ("PNG", "PPM")
    bits = 16 if sixteen and image.mode != "F" else None
    levels = grey.astype(np.float32) * np.float32(level_scale(grey, bits, what))
    transparency = image.info.get("transparency")
    alpha = None
    if bits is not None and isinstance(transparency, int):
        alpha = deep_transparency(levels, (transparency,))
    return levels, "L", alpha


def _stored_of_image(image: Image.Image) -> Stored:
    """Return the colours of an image that Pillow has opened, and may have read."""
    what = "the picture"
    data = _unread(image)
    if data is not None:
        return _read_stored(data, what)
    tags = getattr(image, "tag_v2", None) or {}
    deep = max(tags.get(_BITS, (8,))) > 8
    if deep and tags.get(_PLANES) == 2:
        raise ImageError(
            "the picture comes from a TIFF of 16 bits in planes, which Pillow takes for something "
            "else: give the name of the file to load_image."
        )
    try:
        stored = _stored(image, None, what)
    except ImageError:
        raise
    except Exception as error:  # a lazily opened file that is damaged
        raise ImageError(f"the picture cannot be read: {error}") from error
    if deep and tags.get(_PHOTOMETRIC) == 0 and image.mode.startswith("I"):  # white is 0
        stored = stored._replace(levels=255 - stored.levels)
    return stored


def _unread(image: Image.Image) -> memoryview | None:
    """Return the file of an image whose pixels Pillow has not read yet, and would cut to 8 bits."""
    file = getattr(image, "fp", None)
    deep = image.format in ("JPEG2000", "PNG", "PPM", "TIFF") and getattr(image, "tile", None)
    if not deep or file is None or image.tell() != 0:
        return None
    try:
        place = file.tell()
        file.seek(0)
        data = file.read()
        file.seek(place)
    except (OSError, ValueError):  # closed, or a pipe
        return None
    return memoryview(data)


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns it while loading; old versions leave the tag
        return 1
    if image.format == "JXL" and not getattr(image, "jpeg", False):  # turned by its decoder
        return 1
    # Damaged EXIF makes Pillow raise nearly anything; the picture itself may be fine.
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception as error:
        warnings.warn(f"the EXIF data cannot be read ({error}): not turned", stacklevel=5)
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
        C-contiguous. `img` itself where it is that already, so do not write to it. A PIL image is
        read as `load_image` reads its file: its colour profile is applied, and sixteen bits are
        kept where Pillow has not read the pixels yet.

    Raises
    ------
    ImageError
        Another number of dimensions or channels, no pixels, NaN or infinity, no numbers.

    Warns
    -----
    UserWarning
        Floating point values that all lie in 0..1: the scale of other libraries. They are taken as
        they are.
    """
    picture = to_picture(img)
    if notice_unit_range(picture if isinstance(img, Image.Image) else img, stacklevel=4):
        picture = picture.view()  # not the caller's: it is told, and is not told again
        picture.told = True
    return picture


def to_picture(img: Any) -> Picture:
    """Do what `as_picture` does, and say nothing of the scale: for masks, which may have any."""
    if isinstance(img, Image.Image):
        return Picture(*_upright(_stored_of_image(img), "the picture"))
    if isinstance(img, (str, bytes, os.PathLike)):
        raise ImageError(f"{os.fsdecode(img)!r} is a name, not a picture: use load_image first.")
    if hasattr(img, "blobs"):
        raise ImageError(
            f"a network ({type(img).__name__}) is given where the picture belongs: the network "
            "comes first, dream(net, img)."
        )
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
    made = Picture(colours, alpha, getattr(img, "recipe", None), getattr(img, "source", None))
    made.loaded = getattr(img, "loaded", None)
    return made


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

    The file says that its colours are sRGB, by an ICC profile.

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

    Warns
    -----
    UserWarning
        Floating point values that all lie in 0..1: the file is black.
    """
    data = encode_image(img, path, quality, recipe, depth)
    with replacing(path) as part:
        part.write_bytes(data)


def encode_image(
    img: Any,
    name: FileName,
    quality: int = 95,
    recipe: Mapping[str, Any] | None = None,
    depth: int | None = None,
) -> memoryview:
    """Return the bytes of the file that `save_image` writes.

    Parameters
    ----------
    name : str or PathLike
        Its ending names the format.
    img, quality, recipe, depth
        See `save_image`.

    Raises
    ------
    ImageError
        As `save_image`.
    """
    format = _format_of(name)
    if not isinstance(quality, (int, np.integer)) or not 1 <= quality <= 100:
        raise ImageError(f"quality is {quality!r}: a whole number from 1 to 100 is expected.")
    if recipe is None:
        recipe = getattr(img, "recipe", None)
    if depth is None:
        depth = depth_for(name, recipe)
    check_depth(name, depth)
    if recipe is not None:  # of this file, wherever the recipe was read
        recipe = {key: value for key, value in recipe.items() if key != "depth"}
        recipe.update({"depth": depth} if depth != 8 else {})
    if isinstance(img, Image.Image):
        img = as_picture(img)
    pixels = check_pixels(img)
    notice_unit_range(img, stacklevel=4)
    alpha = getattr(img, "alpha", None) if format.alpha else None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    options = {
        **format.options,
        **save_options(recipe, format.name),
        "icc_profile": srgb_profile(channels if format.grey else 3),
    }
    encoded = io.BytesIO()
    if depth == 16:
        write_deep(encoded, format.name, pixels, alpha, options)
        return encoded.getbuffer()
    levels = to_uint8(pixels)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[..., 0]
    if alpha is not None and not (levels.ndim == 3 and levels.shape[2] == 4):
        levels = np.dstack([levels, to_uint8(alpha)])  # (h, w, 2) or (h, w, 4)
    elif not format.alpha and levels.ndim == 3:
        levels = levels[..., :3]
    if format.name in ("JPEG", "WEBP"):
        options["quality"] = int(quality)
    try:
        Image.fromarray(np.ascontiguousarray(levels)).save(encoded, format.name, **options)
    except Exception as error:  # each writer has its own limits, and words for them
        h, w = levels.shape[:2]
        raise ImageError(
            f"{w}x{h} pixels cannot be saved as {format.name} ({error}). PNG and TIFF hold any "
            "size."
        ) from error
    return encoded.getbuffer()
