"""Means: what a net subtracts from a picture, as Caffe's files hold it.

Source: BVLC Caffe (``compute_image_mean`` writes a BlobProto, the Python examples take ``.npy``).
"""

from __future__ import annotations

import os

import numpy as np

from ..errors import CaffemodelError, EngineError
from ..files import HEAD, FileName, open_view
from ..quiet import quiet
from .blobproto import decode_blob, whole
from .caffemodel import holds_weights, refuse_foreign
from .wire import WireError


def read_mean(path: FileName) -> np.ndarray:
    """Read a mean: one number for each channel, or a mean picture.

    Parameters
    ----------
    path : str, bytes or PathLike
        A ``.binaryproto`` (one BlobProto), a ``.npy``, or a ``.mat`` of MATLAB's before 7.3. The
        content decides.

    Returns
    -------
    ndarray, float32
        As stored, for example (1, 3, 256, 256), (3, 256, 256) or (3,). A picture of a ``.mat``,
        (w, h, 3) with Caffe's order of channels, becomes (3, h, w).

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    CaffemodelError
        The file is damaged, empty or something else, or holds no finite numbers.
    EngineError
        A ``.mat``, and SciPy is not installed.
    """
    name = os.fsdecode(path)
    data = open_view(path, CaffemodelError)
    head = bytes(data[:HEAD])
    if head.startswith(b"\x93NUMPY"):
        mean = _read_npy(name)
    elif head.startswith(b"MATLAB 5.0"):
        mean = _read_mat(name)
    elif head.startswith(b"MATLAB"):
        raise CaffemodelError(
            f"'{name}' is a MATLAB 7.3 file: save it with save(..., '-v7'), or give three numbers, "
            "B, G, R."
        )
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
                f"'{name}' is no mean (.binaryproto, .npy or .mat), or it is damaged: {error}. "
                "Get the file again."
            ) from error
    if not mean.size or not np.isfinite(mean).all():
        raise CaffemodelError(
            f"'{name}' is no mean: its shape is {mean.shape} and not all of it is finite numbers."
        )
    return mean


def _read_npy(name: str) -> np.ndarray:
    try:
        with quiet():  # about headers that Python 2 wrote
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


# What Caffe's and MatConvNet's own files call a mean.
_NAMES = ("mean_data", "image_mean", "IMAGE_MEAN", "mean", "mean_bgr", "averageImage")


def _read_mat(name: str) -> np.ndarray:
    """Return the mean in a MATLAB file: the variable that is called so, or the only one."""
    try:
        from scipy.io import loadmat  # takes a moment, and few need it
    except ImportError as error:
        raise EngineError(
            f"'{name}' is a MATLAB file, and SciPy, which reads those, is not installed: pip "
            "install scipy. A mean can also be three numbers: (104, 117, 123)."
        ) from error
    try:
        stored = loadmat(name)
    except Exception as error:  # whatever a damaged file makes of it
        raise CaffemodelError(f"'{name}' is a damaged MATLAB file: {error}.") from error
    arrays = {
        key: value
        for key, value in stored.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.size
    }
    found = next((key for key in _NAMES if key in arrays), None)
    if found is None and len(arrays) == 1:
        found = next(iter(arrays))
    if found is None:
        shapes = ", ".join(f"{key} {value.shape}" for key, value in arrays.items()) or "no array"
        raise CaffemodelError(
            f"'{name}' is a MATLAB file in which no variable is called {', '.join(_NAMES[:3])}: it "
            f"has {shapes}. Save the mean alone."
        )
    mean = np.asarray(arrays[found], np.float32)
    # MATLAB counts columns first, and Caffe's interface to it keeps that: width, height, channels.
    return mean.transpose(2, 1, 0).copy() if mean.ndim == 3 and mean.shape[2] == 3 else mean
