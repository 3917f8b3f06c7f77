"""Means: what a net subtracts from a picture, as Caffe's files hold it.

Source: BVLC Caffe (``compute_image_mean`` writes a BlobProto, the Python examples take ``.npy``).
"""

from __future__ import annotations

import os
import warnings

import numpy as np

from ..errors import CaffemodelError
from ..files import HEAD, FileName, open_view
from .blobproto import decode_blob, whole
from .caffemodel import holds_weights, refuse_foreign
from .wire import WireError


def read_mean(path: FileName) -> np.ndarray:
    """Read a mean: one number for each channel, or a mean picture.

    Parameters
    ----------
    path : str, bytes or PathLike
        A ``.binaryproto`` (one BlobProto) or a ``.npy``. The content decides.

    Returns
    -------
    ndarray, float32
        As stored, for example (1, 3, 256, 256), (3, 256, 256) or (3,).

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    CaffemodelError
        The file is damaged, empty or something else, or holds no finite numbers.
    """
    name = os.fsdecode(path)
    data = open_view(path, CaffemodelError)
    head = bytes(data[:HEAD])
    if head.startswith(b"\x93NUMPY"):
        mean = _read_npy(name)
    else:
        refuse_foreign(name, head, "a mean")
        if holds_weights(data):
            raise CaffemodelError(
                f"'{name}' holds the weights of a net, not a mean: pass it as caffemodel."
            )
        try:
            mean = decode_blob(data, whole(data), "the mean")
        except WireError as error:
            raise CaffemodelError(
                f"'{name}' is no mean (.binaryproto or .npy), or it is damaged: {error}. "
                "Get the file again."
            ) from error
    if not mean.size or not np.isfinite(mean).all():
        raise CaffemodelError(
            f"'{name}' is no mean: its shape is {mean.shape} and not all of it is finite numbers."
        )
    return mean


def _read_npy(name: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            # Mapped first: numpy then refuses a header that promises more than there is.
            stored = np.load(name, mmap_mode="r", allow_pickle=False)
            if stored.dtype.kind not in "fiu":
                raise ValueError(f"its numbers are of type {stored.dtype}")
            with np.errstate(over="ignore", invalid="ignore"):
                return np.array(stored, dtype=np.float32)
    except Exception as error:
        # numpy evaluates the header as Python, and lets through what that may raise.
        raise CaffemodelError(
            f"'{name}' is a damaged .npy file, or not one of real numbers: {error}."
        ) from error
