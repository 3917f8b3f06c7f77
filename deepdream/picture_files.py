"""Opening files of pictures: what Pillow reads by itself, and what it reads with another package.

HEIC and JPEG XL, and AVIF with a Pillow before 11.3, need a package that registers itself with
Pillow; where it is installed it is used, where not the error names it. What looks like a picture
and is none that can be read, a camera's raw file or a film, is called by its name.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image

from .errors import DeepDreamError, ImageError
from .files import AVIF, HEAD, HEIC, recognise
from .quiet import quiet


class _Plugin(NamedTuple):
    """A kind of picture that Pillow needs another package for.

    Attributes
    ----------
    what : str
        With an article.
    modules : tuple of str
        Who reads it; the first is the one to install.
    package : str
        What to say to pip.
    register : str
        The function that makes a module known to Pillow; empty where the import does.
    """

    what: str
    modules: tuple[str, ...]
    package: str
    register: str = ""


_HEIC = _Plugin(
    "a HEIC picture (as iPhones take them)",
    ("pillow_heif", "pi_heif"),
    "pillow-heif",
    "register_heif_opener",
)
_JXL = _Plugin("a JPEG XL picture", ("pillow_jxl",), "pillow-jxl-plugin")
_AVIF = _Plugin("an AVIF picture", ("pillow_avif",), '"pillow>=11.3"')

_RAW = "a camera's raw file"
_DEVELOP = "Develop it first, to a TIFF of 16 bits or a JPEG."
_CONVERT = "Save it as PNG or TIFF first."

# What has a name of its own, and what to do with it.
_OTHERS = (
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture", "Save it as a TIFF first."),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance picture (.hdr)", "Save it as a TIFF first."),
    (rb"II\xbc", "a JPEG XR picture", _CONVERT),
    (rb"BPG\xfb", "a BPG picture", _CONVERT),
    (rb"8BPS", "a Photoshop file of an unusual kind", "Save it as a TIFF first."),
    (rb"gimp xcf", "GIMP's own file", "Export it as PNG or TIFF first."),
    (rb"FUJIFILMCCD-RAW|FOVb|\0MRM|IIRO|IIRS|MMOR|IIU\0|....ftypcrx|II\x1a\0\0\0HEAPCCDR",
     _RAW, _DEVELOP),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "a film",
     "'deepdream film' dreams on it; or give one of its frames, as PNG or JPEG."),
    (rb"\s*(<\?xml.{0,1000})?<svg\b", "a drawing (SVG)", "Draw it into a PNG first."),
    (rb"\x93NUMPY", "a NumPy array (.npy)", "Hand over the array itself: numpy.load reads it."),
)  # fmt: skip


@contextmanager
def open_picture(data: memoryview | bytes, name: str) -> Iterator[Image.Image]:
    """Open a picture with Pillow, and whatever is installed besides.

    Parameters
    ----------
    data : memoryview or bytes
        The file.
    name : str
        What to call it in errors.

    Yields
    ------
    PIL.Image.Image
        Its pixels are not read yet.

    Raises
    ------
    ImageError
        No picture, one that a package is missing for, or what `named_damage` says.
    """
    head = bytes(data[:HEAD])
    plugin = _plugin_for(head)
    missing = plugin is not None and not _register(plugin)
    with named_damage(name):
        try:
            with quiet(Image.DecompressionBombWarning):
                image = Image.open(io.BytesIO(data))
        except Image.UnidentifiedImageError as error:
            raise ImageError(_unidentified(name, head, missing)) from error
        with image:
            yield image


@contextmanager
def named_damage(name: str) -> Iterator[None]:
    """Turn whatever is raised while a picture is read into an error that names it.

    Pillow's readers meet damage with whatever their parsing stumbles over.

    Raises
    ------
    ImageError
        A damaged picture, or one so large that Pillow takes it for an attack.
    """
    try:
        yield
    except DeepDreamError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has more pixels than a harmless picture should: {error}\n"
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS, or make it smaller."
        ) from error
    except Exception as error:
        # Readers of some formats go on for lines about how to build their library.
        reason = str(error).strip().split("\n", 1)[0].split(". ", 1)[0] or type(error).__name__
        raise ImageError(f"{name} is a damaged picture ({reason}): get it again.") from error


def _plugin_for(head: bytes) -> _Plugin | None:
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return _JXL
    if head[4:8] != b"ftyp":
        return None
    length = min(max(int.from_bytes(head[:4], "big"), 16), 256)
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, length, 4))}
    if brands & AVIF:
        return _AVIF
    return _HEIC if brands & HEIC else None


def _register(plugin: _Plugin) -> bool:
    """Let Pillow know who reads these pictures; return whether anybody does."""
    Image.init()  # Pillow's own readers, and those of packages that were imported before
    known = {_HEIC: "HEIF", _JXL: "JXL", _AVIF: "AVIF"}[plugin]
    if known in Image.OPEN:
        return True
    for name in plugin.modules:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if plugin.register:
            getattr(module, plugin.register)()
        return True
    return False


def _unidentified(name: str, head: bytes, missing: bool) -> str:
    plugin = _plugin_for(head)
    if plugin is not None and missing:
        return (
            f"{name} is {plugin.what}, which another package reads: "
            f"pip install {plugin.package}\nOr save it as PNG or JPEG first."
        )
    if plugin is not None:
        return f"{name} looks like {plugin.what}, but cannot be read: it is damaged or unusual."
    for pattern, what, advice in _OTHERS:
        if re.match(pattern, head, re.DOTALL):
            return f"{name} is no picture that can be read here but {what}. {advice}"
    kind = recognise(head)
    if kind is not None and "picture" not in kind.what:
        return f"{name} is no picture but {kind.what}."
    return (
        f"{name} is no picture that can be read here. PNG, JPEG, WebP, TIFF, GIF, BMP and many "
        "others can: convert it to one of them."
    )
