"""``caffe.Classifier``: a net together with the transformer of its first input.

The notebook of 2015 loads its net with this class, for the sake of ``net.transformer``.

Source: ``python/caffe/classifier.py`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Union

import numpy as np

from ..errors import ShapeError
from . import TEST, io
from .pycaffe import Net

_Path = Union[str, "os.PathLike[str]"]


class Classifier(Net):
    """A net in TEST phase that knows how its pictures are prepared.

    Parameters
    ----------
    model_file : str or PathLike
        The prototxt.
    pretrained_file : str or PathLike
        The caffemodel.
    image_dims : (int, int), optional
        Height and width to which `predict` resizes its pictures before it crops them. Default: the
        size of the net's input.
    mean : ndarray, (c,) or (c, h, w), optional
        Subtracted, in the net's channel order (BGR); see `Transformer.set_mean`.
    input_scale, raw_scale : float, optional
        Factors after and before the mean is subtracted.
    channel_swap : sequence of int, optional
        (2, 1, 0) for RGB pictures and a BGR net.

    Attributes
    ----------
    transformer : Transformer
        Of the first input, with (h, w, c) to (c, h, w) always set.
    crop_dims : ndarray of int, (2,)
        Height and width of the net's input.
    image_dims
        As given, or `crop_dims`.

    Raises
    ------
    MissingFileError
        One of the two files does not exist.
    DeepDreamError
        As for `Net`, and as for the setters of `Transformer`.
    """

    def __init__(
        self,
        model_file: _Path,
        pretrained_file: _Path,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        in_ = self.inputs[0]
        shape = self.blobs[in_].data.shape
        self.transformer = io.Transformer({in_: shape})
        self.transformer.set_transpose(in_, (2, 0, 1))
        if mean is not None:
            self.transformer.set_mean(in_, mean)
        if input_scale is not None:
            self.transformer.set_input_scale(in_, input_scale)
        if raw_scale is not None:
            self.transformer.set_raw_scale(in_, raw_scale)
        if channel_swap is not None:
            self.transformer.set_channel_swap(in_, channel_swap)
        self.crop_dims = np.array(shape[2:])
        self.image_dims: Any = (
            image_dims if np.any(image_dims) else self.crop_dims  # 0, () and None are no size
        )

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Classify pictures.

        Parameters
        ----------
        inputs : sequence of ndarray, (h, w, c)
            Pictures with the same number of channels, of any size.
        oversample : bool
            True: the mean over ten crops (`io.oversample`). False: the centre crop alone.

        Returns
        -------
        ndarray, float32, (len(inputs), classes)
            The first output of the net, flattened per picture when `oversample`.

        Raises
        ------
        ShapeError
            A crop is larger than `image_dims`, or the channels do not fit.
        """
        images = np.stack([io.resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            crops = io.oversample(images, self.crop_dims)
        else:
            top, left = (images.shape[1:3] - self.crop_dims) // 2
            if top < 0 or left < 0:
                sizes = ["x".join(map(str, dims)) for dims in (self.crop_dims, self.image_dims)]
                raise ShapeError(
                    f"the net's input of {sizes[0]} does not fit into image_dims of {sizes[1]}: "
                    "give larger ones, or none"
                )
            h, w = self.crop_dims
            crops = images[:, top : top + h, left : left + w]
        in_ = self.inputs[0]
        caffe_in = np.stack([self.transformer.preprocess(in_, crop) for crop in crops])
        batch: dict[str, Any] = {in_: caffe_in}
        predictions = self.forward_all(**batch)[self.outputs[0]]
        if oversample:
            predictions = predictions.reshape(len(inputs), 10, -1).mean(1)
        return predictions
