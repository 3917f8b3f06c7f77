"""``caffe.Classifier``: a net together with the transformer of its first input.

The notebook of 2015 loads its net with this class, for the sake of ``net.transformer``.

Source: ``python/caffe/classifier.py`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Union

import numpy as np

from ..errors import NetArgumentError, ShapeError
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
    NetArgumentError
        An argument of another kind, or of 2014; the message shows the call that was meant.
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
        **unknown: Any,
    ) -> None:
        _check_arguments(pretrained_file, image_dims, mean, channel_swap, unknown)
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
        NetArgumentError
            A single picture, or a file's name, in the place of a list of pictures.
        ShapeError
            A crop is larger than `image_dims`, or the channels do not fit.
        """
        _check_pictures(inputs)
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


_CALL = "Classifier('deploy.prototxt', 'x.caffemodel', image_dims=(256, 256))"

# Arguments of 2014.
_BEFORE = {
    "gpu": "since 2015 the mode is the module's: caffe.set_mode_gpu()",
    "mean_file": "since 2015 an array is passed: mean=numpy.load('mean.npy')",
}


def _check_arguments(
    pretrained_file: Any, image_dims: Any, mean: Any, channel_swap: Any, unknown: dict[str, Any]
) -> None:
    """Refuse arguments that no net is made of, with the call that was meant."""
    for name in unknown:
        hint = _BEFORE.get(name, f"see help(caffe.Classifier); a call looks like {_CALL}")
        raise NetArgumentError(f"Classifier has no argument {name!r}: {hint}")
    if isinstance(pretrained_file, (int, float)):
        raise NetArgumentError(
            f"the weights are passed second, not {pretrained_file!r}; the phase is TEST: {_CALL}"
        )
    # 0 and () are no size, but the net's own.
    if np.any(image_dims) and (isinstance(image_dims, str) or np.shape(image_dims) != (2,)):
        raise NetArgumentError(
            f"image_dims is {image_dims!r}: height and width are expected (no phase): {_CALL}"
        )
    if isinstance(mean, (str, bytes, os.PathLike)):
        raise NetArgumentError(
            f"mean is {os.fsdecode(mean)!r}: an array is expected, as of "
            "numpy.load('mean.npy').mean(1).mean(1)"
        )
    if channel_swap is not None and (isinstance(channel_swap, str) or not np.ndim(channel_swap)):
        raise NetArgumentError(f"channel_swap is {channel_swap!r}: write channel_swap=(2, 1, 0)")


def _check_pictures(inputs: Any) -> None:
    """Refuse what is no list of pictures, with the call that was meant."""
    if isinstance(inputs, np.ndarray) and inputs.ndim == 3:
        raise NetArgumentError(
            f"predict takes a list of pictures, not one of shape {inputs.shape}: write "
            "predict([image])"
        )
    names = [inputs] if isinstance(inputs, (str, bytes, os.PathLike)) else inputs
    for image in names:
        if isinstance(image, (str, bytes, os.PathLike)):
            name = os.fsdecode(image)
            raise NetArgumentError(
                f"predict takes pictures, not names: write predict([caffe.io.load_image({name!r})])"
            )
