"""``caffe.io``: pictures and arrays on their way into a net, under pycaffe's names.

`Transformer` and `resize_image` live in ``deepdream.running.transformer``, the two functions for
BlobProtos in ``deepdream.reading.blobproto``. The pictures of this `load_image` go from 0 to 1,
as in pycaffe; those of ``deepdream.load_image`` go to 255.

Source: ``python/caffe/io.py`` in BVLC/caffe 1.0. Where that needed scikit-image of 2015, this
needs Pillow.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
from PIL import Image

from ..errors import CaffemodelError, ImageError, MissingFileError, ShapeError, nearest
from ..reading.proto import array_to_blobproto as array_to_blobproto
from ..reading.proto import blobproto_to_array as blobproto_to_array
from ..running.transformer import Transformer as Transformer
from ..running.transformer import resize_image as resize_image
from .proto import caffe_pb2 as caffe_pb2

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

# Luminance of linear Rec. 709 red, green and blue, as scikit-image has it.
_LUMINANCE = np.array([0.2125, 0.7154, 0.0721], np.float32)

_Path = Union[str, "os.PathLike[str]"]


def load_image(filename: _Path, color: bool = True) -> np.ndarray:
    """Load a picture as floats from 0 to 1.

    Parameters
    ----------
    filename : str or PathLike
        Any format that Pillow reads. The rotation that a camera wrote into the file is not
        applied, as in pycaffe; ``deepdream.load_image`` does apply it.
    color : bool
        True: three channels, grey repeated. False: one channel, colours mixed to luminance.

    Returns
    -------
    ndarray, float32, (h, w, 3) or (h, w, 1)
        RGB or luminance, 0..1. Transparency is dropped: what lies under it shows.

    Raises
    ------
    MissingFileError
        Nothing at `filename`.
    ImageError
        Pillow cannot read the file as a picture.
    """
    try:
        with Image.open(filename) as picture:
            pixels = _pixels(picture)
    except FileNotFoundError:
        raise MissingFileError(f"no picture at '{filename}'") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"'{filename}' cannot be read as a picture: {error}") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if color:
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    return pixels if pixels.shape[2] == 1 else (pixels @ _LUMINANCE)[:, :, np.newaxis]


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return float32 0..1, (h, w) for grey or (h, w, 3)."""
    mode = picture.mode
    if mode == "F":
        return np.asarray(picture, np.float32)
    if mode.startswith("I"):  # 16 bits; Pillow calls them I;16, or I in older versions
        return np.asarray(picture).astype(np.float32) / np.float32(65535)
    if mode in ("1", "L", "LA", "La"):
        grey = picture.convert("LA").getchannel(0)
        return np.asarray(grey, np.float32) / np.float32(255)
    # By way of RGBA: Pillow warns where a palette with transparency goes to RGB directly.
    rgb = picture.convert("RGBA" if mode in ("P", "PA", "RGBa") else "RGB")
    return np.asarray(rgb, np.float32)[:, :, :3] / np.float32(255)


def oversample(
    images: Sequence[np.ndarray] | np.ndarray, crop_dims: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Cut ten crops of each picture: the corners, the centre, and the five mirrored.

    Parameters
    ----------
    images : sequence of ndarray, (h, w, c)
        N pictures of one size.
    crop_dims : (int, int)
        Height and width of a crop.

    Returns
    -------
    ndarray, float32, (10 * N, crop_dims[0], crop_dims[1], c)
        For each picture: top left, top right, bottom left, bottom right, centre, and these five
        mirrored left to right.

    Raises
    ------
    ShapeError
        A crop would be larger than the picture.
    """
    height, width, channels = np.shape(images[0])
    h, w = (int(size) for size in crop_dims)
    if h > height or w > width:
        raise ShapeError(
            f"crops of {h}x{w} do not fit into pictures of {height}x{width}: enlarge the pictures "
            "(Classifier does it by image_dims)"
        )
    corners = [(top, left) for top in (0, height - h) for left in (0, width - w)]
    corners.append(((height - h) // 2, (width - w) // 2))
    crops = np.empty((len(images), 2, 5, h, w, channels), np.float32)
    for image, (plain, mirrored) in zip(images, crops):
        for k, (top, left) in enumerate(corners):
            plain[k] = image[top : top + h, left : left + w]
        mirrored[:] = plain[:, :, ::-1]
    return crops.reshape(-1, h, w, channels)


def arraylist_to_blobprotovector_str(arraylist: Iterable[np.ndarray]) -> bytes:
    """Return the bytes of a BlobProtoVector that holds these arrays.

    Parameters
    ----------
    arraylist : iterable of ndarray
        Any shapes; stored as float32.

    Returns
    -------
    bytes
    """
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend([array_to_blobproto(arr) for arr in arraylist])
    return bytes(vector.SerializeToString())


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """Return the arrays in the bytes of a BlobProtoVector.

    Parameters
    ----------
    str : bytes
        What `arraylist_to_blobprotovector_str` made.

    Returns
    -------
    list of ndarray, float64
    """
    vector = caffe_pb2.BlobProtoVector()
    vector.ParseFromString(str)
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Any:
    """Return a Datum, the record of Caffe's databases, with one picture.

    Parameters
    ----------
    arr : ndarray, (c, h, w)
        uint8 is stored as bytes, everything else as float32.
    label : int, optional
        The class.

    Returns
    -------
    Datum

    Raises
    ------
    ShapeError
        The array has not three axes.
    """
    if arr.ndim != 3:
        raise ShapeError(f"Incorrect array shape. It is {arr.shape}; give (c, h, w).")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """Return the picture of a Datum; its class is ``datum.label``.

    Parameters
    ----------
    datum : Datum
        With raw pixels; encoded ones (JPEG, PNG) are not decoded.

    Returns
    -------
    ndarray, (c, h, w)
        uint8 where the Datum holds bytes, else float64.

    Raises
    ------
    CaffemodelError
        The number of values does not fit the sizes, as in an encoded Datum.
    """
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        values = np.frombuffer(datum.data, np.uint8)
    else:
        values = np.array(datum.float_data, float)
    if values.size != np.prod(shape):
        hint = ": its bytes are a compressed picture" if datum.encoded else ""
        raise CaffemodelError(
            f"a Datum of (c, h, w) = {shape} holds {values.size} values, {np.prod(shape)} "
            f"expected{hint}"
        )
    # A copy, since the bytes of a message cannot be written to.
    return values.reshape(shape).copy()


def __getattr__(name: str) -> Any:
    """Give what pycaffe's module has from other packages: scikit-image, where it is installed."""
    if name == "zoom":
        from scipy.ndimage import zoom

        return zoom
    if name in ("skimage", "resize"):
        try:
            import skimage.io
            import skimage.transform
        except ImportError:
            raise AttributeError(
                f"caffe.io.{name} is scikit-image's, which is not installed: run 'pip install "
                "scikit-image', or use caffe.io.load_image and caffe.io.resize_image"
            ) from None
        return skimage if name == "skimage" else skimage.transform.resize
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{nearest(name, __all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), "resize", "skimage", "zoom"})
