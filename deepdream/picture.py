"""The picture in memory: an array with what belongs to it.

A `Picture` is (h, w, 3) float32, RGB, 0..255, with the transparency, the recipe and the source of
its pixels attached. `check_pixels` says why something else is none. Files are the business of
`images`.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zlib
from typing import Any, SupportsIndex

import numpy as np

from .errors import ImageError
from .memory import check_room


class Picture(np.ndarray):
    """An (h, w, 3) array that remembers its transparency and its origin.

    Parameters
    ----------
    pixels : array_like
        Seen, not copied.
    alpha : (h, w) uint8 ndarray, optional
        0 is transparent, 255 opaque.
    recipe : dict, optional
        How it was made; see `deepdream.recipe`.
    source : dict, optional
        The file it was loaded from: its ``file`` name, ``sha256`` and ``size`` [w, h].

    Notes
    -----
    The three attributes follow through copies, pickles and arithmetic (of two pictures, the first
    one's count). `file_of` tells whether a picture still is what its source holds. A crop or a flip
    made by slicing crops or flips `alpha`, too. What is no picture any more, as ``img[0]`` or
    ``img.mean(axis=0)``, is a plain array. Operations that move pixels in another way (``np.roll``,
    ``transpose``) leave `alpha` where it was: move it yourself.

    As the last line of a notebook's cell a picture shows itself.
    """

    _alpha: np.ndarray | None
    recipe: dict[str, Any] | None
    source: dict[str, Any] | None
    loaded: int | None = None  # the `fingerprint` of the pixels that its source holds
    told = False  # whether `notice_unit_range` has said something of it

    def __new__(
        cls,
        pixels: Any,
        alpha: np.ndarray | None = None,
        recipe: dict[str, Any] | None = None,
        source: dict[str, Any] | None = None,
    ) -> Picture:
        picture = np.asarray(pixels).view(cls)
        picture.alpha, picture.recipe, picture.source = alpha, recipe, source
        return picture

    @property
    def alpha(self) -> np.ndarray | None:
        """(h, w) uint8, or None; an alpha of another size than the array is none of its own."""
        fits = self._alpha is not None and self._alpha.shape == self.shape[:2]
        return self._alpha if fits else None

    @alpha.setter
    def alpha(self, value: np.ndarray | None) -> None:
        if value is not None and np.shape(value) != self.shape[:2]:
            raise ImageError(f"alpha has the shape {np.shape(value)}, the picture {self.shape[:2]}")
        self._alpha = value

    def __array_finalize__(self, obj: Any) -> None:
        # The shape may not be the final one yet, so that only the property can compare.
        self._follow(obj)

    def _follow(self, other: Any) -> None:
        self._alpha = getattr(other, "_alpha", None)
        self.recipe = getattr(other, "recipe", None)
        self.source = getattr(other, "source", None)
        self.loaded = getattr(other, "loaded", None)
        self.told = getattr(other, "told", False)

    def __array_wrap__(  # numpy 1 passes two arguments, numpy 2 three
        self, array: np.ndarray, context: Any = None, return_scalar: bool = False
    ) -> Any:
        if array.ndim == 0:
            return array[()]
        if array is self:  # img += 1
            return self
        if array.shape[:2] != self.shape[:2]:
            return np.asarray(array)
        wrapped = np.asarray(array).view(type(self))
        wrapped._follow(self)
        return wrapped

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if not isinstance(part, Picture):
            return part
        keys = key if isinstance(key, tuple) else (key,)
        if keys and keys[0] is Ellipsis and len(keys) <= self.ndim - 1:
            keys = ()  # img[..., ::-1]: all rows and columns
        window = (*keys[:2], slice(None), slice(None))[:2]
        if not all(isinstance(axis, slice) for axis in window) or part.ndim < 2:
            return np.asarray(part)
        alpha = self.alpha
        part.alpha = None if alpha is None else alpha[window]
        return part

    def _repr_png_(self) -> bytes | None:
        """Return the picture for a notebook that has it as the last line of a cell."""
        if self.ndim != 3 or self.shape[2] != 3 or not self.size or not np.isfinite(self).all():
            return None
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(to_uint8(np.asarray(self))).save(file, "PNG")
        return file.getvalue()

    def __reduce__(self) -> Any:
        reduced: Any = super().__reduce__()
        rebuild, arguments, state = reduced
        return rebuild, arguments, (state, self._alpha, self.recipe, self.source, self.loaded)

    def __setstate__(self, state: Any) -> None:
        array, self._alpha, self.recipe, self.source, self.loaded = state
        super().__setstate__(array)

    def __deepcopy__(self, memo: Any) -> Picture:
        alpha = None if self.alpha is None else self.alpha.copy()
        made = Picture(np.array(self), alpha, self.recipe, self.source)
        made.loaded = self.loaded
        return made

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return self.__reduce__()  # ndarray's own would leave the attributes out


def fingerprint(pixels: np.ndarray) -> int:
    """Return a number that other pixels hardly have: CRC-32 of their shape and float32 values."""
    values = np.ascontiguousarray(pixels, np.float32)
    return zlib.crc32(values.data, zlib.crc32(repr(values.shape).encode()))


def file_of(picture: Any) -> dict[str, Any] | None:
    """Return the source of a picture whose pixels are those that were loaded from it.

    Of ``255 - load_image("mask.png")`` the file is no longer what one would have to load.

    Parameters
    ----------
    picture : object
        Anything; only a `Picture` has a source.

    Returns
    -------
    dict or None
    """
    source: dict[str, Any] | None = getattr(picture, "source", None)
    if source is None:
        return None
    loaded = getattr(picture, "loaded", None)
    return source if loaded is None or loaded == fingerprint(picture) else None


def as_recorded(picture: Any) -> dict[str, Any] | str:
    """Return what a recipe says of a guide or a mask: where it comes from, or which array it is.

    Parameters
    ----------
    picture : array_like

    Returns
    -------
    dict or str
        The source of a `Picture` that still is its file's, else ``"an array of sha256 ..."``.
    """
    return file_of(picture) or f"an array of sha256 {pixels_hash(picture)}"


def pixels_hash(pixels: Any) -> str:
    """Return a hash of shape and float32 values, which tells pixels from others."""
    content = np.ascontiguousarray(pixels, np.float32)
    return hashlib.sha256(str(content.shape).encode() + content.tobytes()).hexdigest()


def check_pixels(img: Any) -> np.ndarray:
    """Return `img` as a plain array after making sure that it is a picture.

    Parameters
    ----------
    img : array_like
        (h, w, 3), (h, w, 4), (h, w, 1) or (h, w), any real numbers. Whole numbers lie in 0..255,
        floating point ones may lie beyond.

    Returns
    -------
    ndarray
        `img` itself, or a view of it, where it is an array.

    Raises
    ------
    ImageError
        Another number of dimensions or channels, no pixels, NaN or infinity, no numbers.
    """
    if img is None:
        raise ImageError("None is no picture; an array (h, w, 3) is expected.")
    try:
        pixels = np.asarray(img)
    except Exception as error:  # a ragged list, a tensor on a GPU
        raise ImageError(f"{type(img).__name__} cannot become an array: {error}") from error
    if pixels.dtype.kind not in "uif":
        raise ImageError(
            f"an array of {pixels.dtype} is no picture; numbers in 0..255 are expected."
        )
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        hint = ""
        if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4):
            hint = " Channels come last here: img.transpose(1, 2, 0)."
        elif pixels.ndim == 4:
            hint = " One picture at a time: img[0]."
        raise ImageError(
            f"an array of shape {pixels.shape} is no picture; (h, w, 3), (h, w, 4) or (h, w) is "
            f"expected.{hint}"
        )
    if pixels.size == 0:
        raise ImageError(f"a picture of shape {pixels.shape} has no pixels.")
    if pixels.dtype.kind == "f":
        wrong = ~np.isfinite(pixels)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0][:2])
            raise ImageError(
                f"the picture holds NaN or infinity in {int(wrong.sum())} of {pixels.size} values, "
                f"first at (row, column) {where}."
            )
    elif pixels.dtype != np.uint8 and (pixels.min() < 0 or pixels.max() > 255):
        raise ImageError(
            f"the picture has {pixels.dtype} values from {pixels.min()} to {pixels.max()}; 0..255 "
            "is expected. Divide 16-bit values by 257."
        )
    return pixels


_SLACK = 0.1  # how far resizing may have thrown values beyond 0..1


def in_unit_range(values: np.ndarray) -> bool:
    """Tell whether floating point values lie in 0..1, or beyond it by less than resizing does."""
    low, high = float(values.min()), float(values.max())
    return values.dtype.kind == "f" and low >= -_SLACK and high <= 1 + _SLACK


def notice_unit_range(img: Any, stacklevel: int = 2) -> bool:
    """Warn of a picture in 0..1, the scale of other libraries; here 0 is black and 255 is white.

    Parameters
    ----------
    img : array_like
        What `check_pixels` accepts. It is left as it is.
    stacklevel : int
        Whose line the warning names, as for ``warnings.warn``: 2 is the caller's.

    Returns
    -------
    bool
        Whether it is one: floating point colours, all in 0..1 or beyond it by less than resizing
        does. One whole level alone, as a black picture has it, may be meant; so may levels 0 and 1
        in a file.

    Warns
    -----
    UserWarning
        Once for a picture and what is made of it in here.
    """
    values = np.asarray(img)
    if values.dtype.kind != "f" or getattr(img, "told", False):
        return False
    colours = values[..., :3] if values.ndim == 3 else values
    if not colours.size or not in_unit_range(colours):
        return False
    low, high = float(colours.min()), float(colours.max())
    if (isinstance(img, Picture) or low == high) and not (colours % 1).any():
        return False
    name = "about 0..1" if low < 0 or high > 1 else "0..1"
    warnings.warn(
        f"this picture's values lie in {name}, the scale of other libraries; here they go from 0, "
        "black, to 255, white, so that it is black. Multiply by 255: img * 255",
        stacklevel=stacklevel,
    )
    return True


def to_uint8(img: Any) -> np.ndarray:
    """Round a picture to whole grey levels.

    Parameters
    ----------
    img : array_like
        Any shape; values beyond 0..255 are clipped.

    Returns
    -------
    uint8 ndarray
        The nearest whole number (a half goes to the even one). The notebook's
        ``np.uint8(np.clip(a, 0, 255))`` cuts the fraction off instead, half a level darker on
        average.

    Raises
    ------
    ImageError
        NaN or infinity.
    """
    values = np.asarray(img)
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError("NaN or infinity cannot be saved as a grey level.")
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture at another size, sharp and without ripples of its own.

    Parameters
    ----------
    picture : (h, w, 3) Picture
    size : (int, int)
        Height and width.

    Returns
    -------
    (h, w, 3) float32 Picture
        `picture` itself where it has this size. Lanczos's filter, over all pixels that go into one;
        where that would leave the range of the picture's values, it is cut off. The transparency is
        resized with it, source and recipe stay.

    Raises
    ------
    OutOfMemoryError
        It is larger than the memory.
    """
    h, w = size
    if tuple(picture.shape[:2]) == (h, w):
        return picture
    check_room(size, 20)  # the picture, one channel of it, and the same as Pillow has it
    from PIL import Image

    def channel(values: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(values, np.float32))
        return np.asarray(image.resize((w, h), Image.Resampling.LANCZOS))

    pixels = np.asarray(picture)
    out = np.empty((h, w, 3), np.float32)
    for c in range(3):
        np.clip(
            channel(pixels[..., c]), pixels[..., c].min(), pixels[..., c].max(), out=out[..., c]
        )
    alpha = picture.alpha
    if alpha is not None:
        alpha = to_uint8(channel(alpha))
    made = Picture(out, alpha, picture.recipe, picture.source)
    made.told = picture.told
    return made
