"""From a picture to the net's input, and back.

`Transformer` is ``caffe.io.Transformer``: per input blob it holds an axis order, a channel order,
two scales and a mean, and applies them in a fixed order. The notebook of 2015 asks it for one
thing only, ``net.transformer.mean['data']``; classification uses all of it.

The mean is subtracted after the channels were put in the net's order, so it is given in that
order: blue, green, red for nets trained with Caffe.

numpy and scipy only: no net, no torch, no files.

Source: ``python/caffe/io.py`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ParameterError, ShapeError, UnknownBlobError, nearest


class Transformer:
    """Turn pictures into what the inputs of a net expect.

    Parameters
    ----------
    inputs : dict of str to tuple of int
        Input blob name -> its shape (n, c, h, w). Give tuples: the size of a picture is compared
        with ``shape[2:]``, and a tuple never equals a list, so that with a list every picture
        would be resized.

    Attributes
    ----------
    inputs : dict
        As given.
    transpose, channel_swap, raw_scale, mean, input_scale : dict
        Input name -> what was set. A name that is missing means that the step is skipped.

    Examples
    --------
    >>> transformer = Transformer({"data": (1, 3, 2, 2)})
    >>> transformer.set_transpose("data", (2, 0, 1))
    >>> transformer.set_channel_swap("data", (2, 1, 0))
    >>> transformer.set_mean("data", np.float32([104.0, 116.0, 122.0]))
    >>> picture = np.full((2, 2, 3), 200, np.float32)
    >>> transformer.preprocess("data", picture)[:, 0, 0].tolist()
    [96.0, 84.0, 78.0]
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, Any] = {}
        self.mean: dict[str, Any] = {}
        self.input_scale: dict[str, Any] = {}

    def _check_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise UnknownBlobError(
                f"{in_} is not one of the net inputs: {self.inputs}."
                f"{nearest(str(in_), map(str, self.inputs))}"
            )

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """Return one picture as the net wants it.

        In this order: to float32, resize to the input's height and width where they differ,
        transpose, reorder channels, times `raw_scale`, minus `mean`, times `input_scale`.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        data : ndarray, (h, w, c)
            The picture, any dtype. **Careful, as in pycaffe:** a float32 array that needs neither
            a resize nor a channel swap is scaled and mean-subtracted in place. Pass a copy to
            keep it.

        Returns
        -------
        ndarray, float32, (c, h, w)
            With the axes as `set_transpose` ordered them.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        ShapeError
            The array has the wrong number of axes or channels.
        """
        self._check_input(in_)
        caffe_in = np.asarray(data).astype(np.float32, copy=False)
        in_dims = self.inputs[in_][2:]
        try:
            if caffe_in.shape[:2] != in_dims:
                caffe_in = resize_image(caffe_in, in_dims)
            if self.transpose.get(in_) is not None:
                caffe_in = caffe_in.transpose(self.transpose[in_])
            if self.channel_swap.get(in_) is not None:
                caffe_in = caffe_in[self.channel_swap[in_], :, :]
            # In place, as Caffe does it: the result stays float32 whatever the mean's dtype.
            if self.raw_scale.get(in_) is not None:
                caffe_in *= self.raw_scale[in_]
            if self.mean.get(in_) is not None:
                caffe_in -= self.mean[in_]
            if self.input_scale.get(in_) is not None:
                caffe_in *= self.input_scale[in_]
        except (ValueError, IndexError) as error:
            raise ShapeError(
                f"{error}: a picture of shape {np.shape(data)} does not fit input '{in_}' of shape "
                f"{tuple(self.inputs[in_])}.\nGive an array (h, w, {self.inputs[in_][1]}); a grey "
                "picture needs its channel repeated."
            ) from error
        return caffe_in

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """Undo `preprocess`, except for the resize.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        data : ndarray, (1, c, h, w) or (c, h, w)
            What `preprocess` returned or an input blob's data. It is not changed. Axes of length
            1 are dropped first, as in pycaffe.

        Returns
        -------
        ndarray, (h, w, c)
            The dtype of `data`.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        ShapeError
            The array has the wrong number of axes or channels.
        """
        self._check_input(in_)
        decaf_in = np.array(data).squeeze()
        try:
            if self.input_scale.get(in_) is not None:
                decaf_in /= self.input_scale[in_]
            if self.mean.get(in_) is not None:
                decaf_in += self.mean[in_]
            if self.raw_scale.get(in_) is not None:
                decaf_in /= self.raw_scale[in_]
            if self.channel_swap.get(in_) is not None:
                decaf_in = decaf_in[np.argsort(self.channel_swap[in_]), :, :]
            if self.transpose.get(in_) is not None:
                decaf_in = decaf_in.transpose(np.argsort(self.transpose[in_]))
        except (ValueError, IndexError) as error:
            raise ShapeError(
                f"{error}: an array of shape {np.shape(data)} does not fit input '{in_}' of shape "
                f"{tuple(self.inputs[in_])}.\nGive one picture as the net holds it, for example "
                f"net.blobs['{in_}'].data[0]."
            ) from error
        return decaf_in

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of axes: (2, 0, 1) makes (c, h, w) of a picture (h, w, c).

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        order : sequence of int
            As for ``numpy.transpose``, one entry per axis of the blob but the first.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        ParameterError
            `order` has another number of entries.
        """
        self._check_input(in_)
        wanted = len(self.inputs[in_]) - 1
        if len(order) != wanted:
            raise ParameterError(
                "Transpose order needs to have the same number of dimensions as the input: "
                f"{wanted} for '{in_}', not {len(order)}. For pictures (h, w, c) give (2, 0, 1)."
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of channels, applied after the transpose: (2, 1, 0) swaps RGB and BGR.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        order : sequence of int
            Channel k of the net is channel ``order[k]`` of the picture.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        ParameterError
            `order` has not one entry per channel of the blob.
        """
        self._check_input(in_)
        wanted = self.inputs[in_][1]
        if len(order) != wanted:
            raise ParameterError(
                "Channel swap needs to have the same number of dimensions as the input channels: "
                f"{wanted} for '{in_}', not {len(order)}. For RGB to BGR give (2, 1, 0)."
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Set the factor before the mean, for example 255 for pictures in 0..1.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        scale : float
            The factor.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        """
        self._check_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """Set what is subtracted, in the net's channel order and on its scale.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        mean : ndarray
            (c,), one number per channel: kept as (c, 1, 1) with its dtype. (c, h, w) of the
            input's size: kept as it is. (c, h', w') of another size, or (1, h', w') for all
            channels: resized, float32. (h, w) for inputs of one channel and that size.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        ShapeError
            The number of channels or axes does not fit.

        Warns
        -----
        RuntimeWarning
            A mean (c, h', w') that has to be resized holds one value only. The result is NaN
            everywhere, as in pycaffe, which scales the mean to 0..1 on the way.
        """
        self._check_input(in_)
        mean = np.asarray(mean)
        in_shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if mean.shape[0] != in_shape[0]:
                raise ShapeError(
                    f"Mean channels incompatible with input. There are {mean.shape[0]} numbers "
                    f"but '{in_}' has {in_shape[0]} channels."
                )
            self.mean[in_] = mean[:, np.newaxis, np.newaxis]
            return
        shape = (1, *mean.shape) if mean.ndim == 2 else mean.shape
        if len(shape) != 3:
            raise ShapeError(
                f"Mean shape invalid: {mean.shape}. Give (c,) or (c, h, w) for input '{in_}' of "
                f"shape {tuple(self.inputs[in_])}; of a mean file (1, c, h, w) take [0]."
            )
        if shape != in_shape:
            if mean.ndim == 2 or shape[0] not in (1, in_shape[0]):
                raise ShapeError(
                    f"Mean channels incompatible with input: the mean has shape {mean.shape} but "
                    f"'{in_}' has (c, h, w) = {in_shape}. Give (c,) or (c, h, w)."
                )
            mean = _resize_mean(mean, in_shape[1:])
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Set the factor after the mean, for example 0.017 for nets trained on unit variance.

        Parameters
        ----------
        in_ : str
            Name of an input blob.
        scale : float
            The factor.

        Raises
        ------
        UnknownBlobError
            `in_` is not one of `inputs`.
        """
        self._check_input(in_)
        self.input_scale[in_] = scale


def resize_image(im: np.ndarray, new_dims: Sequence[int], interp_order: int = 1) -> np.ndarray:
    """Return a picture in another size, as ``caffe.io.resize_image`` did in 2015.

    Pictures of 1 or 3 channels are sampled on the grid of pixel centres, ``(i + 0.5) * h / new_h
    - 0.5``, where everything beyond the border is the picture's minimum, and without a low-pass
    before shrinking: scikit-image added that in 2018. Other pictures are sampled with their corner
    pixels on the corners (``scipy.ndimage.zoom``).

    Parameters
    ----------
    im : ndarray, (h, w, c)
        The picture, any dtype and range. It is not changed.
    new_dims : (int, int)
        Height and width to make.
    interp_order : int
        0 nearest, 1 bilinear, 2 to 5 splines.

    Returns
    -------
    ndarray, float32, (new_dims[0], new_dims[1], c)

    Raises
    ------
    ShapeError
        `im` is not (h, w, c) or holds no pixel, or `new_dims` are not two positive numbers.
    """
    im = np.asarray(im)
    dims = tuple(int(size) for size in new_dims)
    if im.ndim != 3 or 0 in im.shape:
        raise ShapeError(f"cannot resize an array of shape {im.shape}: give (h, w, c) with pixels")
    if len(dims) != 2 or min(dims) < 1:
        raise ShapeError(f"cannot resize to {dims}: give a height and a width of at least 1")
    from scipy import ndimage  # here, because it loads slowly and dreams need no other size

    zoom = (dims[0] / im.shape[0], dims[1] / im.shape[1], 1)
    if im.shape[2] not in (1, 3):
        resized = ndimage.zoom(im, zoom, order=interp_order)
        return resized.astype(np.float32)
    low, high = im.min(), im.max()
    if not high > low:
        return np.full((*dims, im.shape[2]), low, np.float32)
    # scikit-image wanted values in 0..1; the 0 beyond the border is a 0 of this scale.
    normal = ((im - low) / (high - low)).astype(np.float64)
    resized = ndimage.zoom(normal, zoom, order=interp_order, mode="grid-constant", grid_mode=True)
    return (resized.clip(0, 1) * (high - low) + low).astype(np.float32)


def _resize_mean(mean: np.ndarray, dims: Sequence[int]) -> np.ndarray:
    """Resize a mean (c, h', w') to float32 (c, h, w), by way of 0..1 as pycaffe does."""
    low, high = mean.min(), mean.max()
    if not high > low:
        warnings.warn(
            f"a mean of one value only ({low}) cannot be resized to {tuple(dims)}: it becomes NaN, "
            "as in pycaffe. Give one number per channel instead.",
            RuntimeWarning,
            stacklevel=3,
        )
        return np.full((mean.shape[0], *dims), np.nan, np.float32)
    normal = (mean - low) / (high - low)
    resized = resize_image(normal.transpose(1, 2, 0), dims).transpose(2, 0, 1)
    return (resized * (high - low) + low).astype(np.float32)
