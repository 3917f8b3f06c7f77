"""Many small pictures in one, each with its caption: what one prints, or sends to a friend."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..drawing.raster import sans
from ..errors import ParameterError
from ..images import as_picture, load_image, to_uint8
from ..picture import Picture, resized
from .manifest import read_manifest

_PAPER, _INK = (255, 255, 255), (30, 30, 30)
_GAP = 12  # pixels around pictures
_LINE = 22  # height of a caption
_LETTERS = 15

CELL = 256  # longest side of a gallery's picture on its sheet


def sheet(
    pictures: Sequence[Any], captions: Sequence[str] | None = None, columns: int | None = None
) -> Picture:
    """Lay pictures out in rows on white, each above its caption.

    Parameters
    ----------
    pictures : sequence of (h, w, 3) arrays or PIL.Images
        RGB, 0..255, one or more. All cells are as large as the largest of them needs.
    captions : sequence of str, optional
        A line for each; what is too long for its picture is cut off with an ellipsis.
    columns : int, optional
        Pictures in a row. Default: as many as make the sheet about as wide as high.

    Returns
    -------
    (h, w, 3) float32 Picture

    Raises
    ------
    ParameterError
        No picture, not as many captions as pictures, or no number of columns.
    ImageError
        Something that is no picture.
    """
    shown = [to_uint8(as_picture(picture)) for picture in pictures]
    if not shown:
        raise ParameterError("a sheet of no pictures: one at least is expected")
    if captions is not None and (isinstance(captions, str) or len(captions) != len(shown)):
        raise ParameterError(f"{len(shown)} pictures and {len(captions)} captions: one for each")
    if columns is None:
        columns = math.ceil(math.sqrt(len(shown)))
    check_columns(columns)
    from PIL import Image, ImageDraw

    h, w = (max(picture.shape[axis] for picture in shown) for axis in (0, 1))
    columns = min(int(columns), len(shown))
    rows = -(-len(shown) // columns)
    line = 0 if captions is None else _LINE
    paper = Image.new("RGB", (_GAP + columns * (w + _GAP), _GAP + rows * (h + line + _GAP)), _PAPER)
    draw, font = ImageDraw.Draw(paper), sans(_LETTERS)
    for number, picture in enumerate(shown):
        x, y = _GAP + number % columns * (w + _GAP), _GAP + number // columns * (h + line + _GAP)
        image = Image.fromarray(picture)
        paper.paste(image, (x + (w - image.width) // 2, y + (h - image.height) // 2))
        if captions is not None:
            text = _fitting(captions[number], w, lambda words: draw.textlength(words, font=font))
            left = x + (w - draw.textlength(text, font=font)) / 2
            draw.text((left, y + h + 2), text, fill=_INK, font=font)
    return Picture(np.asarray(paper, np.float32))


def check_columns(columns: Any) -> None:
    """Refuse what is no number of columns.

    Raises
    ------
    ParameterError
    """
    if not isinstance(columns, numbers.Integral) or isinstance(columns, bool) or columns < 1:
        raise ParameterError(f"columns is {columns!r}: a whole number from 1 is expected")


def sheet_of(
    folder: str | os.PathLike[str], columns: int | None = None, cell: int = CELL
) -> Picture:
    """Return the pictures of a gallery on one sheet, with their layers and channels.

    Parameters
    ----------
    folder : str or PathLike
        Of `deepdream.gallery`.
    columns : int, optional
        See `sheet`.
    cell : int
        Pictures are shrunk until no side is longer, in pixels.

    Returns
    -------
    (h, w, 3) float32 Picture

    Raises
    ------
    ParameterError
        There is no picture in it yet.
    MissingFileError, ImageError
        It is no gallery, or a picture in it is damaged.
    """
    manifest, pictures, captions = read_manifest(folder), [], []
    for target in manifest.targets:
        for octave_n in manifest.octaves:
            key = target.layer, target.channel, octave_n
            if manifest.is_made(Path(folder), key):
                picture = load_image(Path(folder) / manifest.entries[key].file)
                shrink = min(1.0, cell / max(picture.shape[:2]))
                h, w = (max(1, round(n * shrink)) for n in picture.shape[:2])
                pictures.append(resized(picture, (h, w)))
                name = target.layer if target.channel is None else f"channel {target.channel}"
                many = len(manifest.octaves) > 1
                captions.append(f"{name}, octaves: {octave_n}" if many else name)
    return sheet(pictures, captions, columns)


def _fitting(text: str, width: int, length: Any) -> str:
    """Return a text, cut off where it would be wider."""
    if length(text) <= width:
        return text
    while text and length(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
