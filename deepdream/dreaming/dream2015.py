"""Google's notebook of 2015, to the letter.

The same functions with the same names, arguments, arithmetic and random draws, so that what the
notebook made can be made again. They need no more of a net than pycaffe gives: ``net.blobs``,
``net.forward(end=...)``, ``net.backward(start=...)`` and ``net.transformer.mean['data']``.

What the notebook does by accident, it does here too: diffs that an earlier target left in the
net add to the gradient, and scipy's zoom sets the last row or column to zero for some sizes.
`deepdream.dream` is the same algorithm without these accidents. The one liberty taken: where the
gradient is zero, the notebook fills the picture with NaN, and we raise an error.

Source: google/deepdream, dream.ipynb.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import (
    FlatGradientError,
    ImageError,
    ParameterError,
    ShapeError,
    UnknownBlobError,
    nearest,
)
from ..picture import notice_unit_range
from ..quiet import quiet
from .objectives.functions import Function, objective_L2
from .pictures.fitting import with_sizes


def preprocess(net: Any, img: np.ndarray) -> np.ndarray:
    """Turn a picture into what a net reads.

    Parameters
    ----------
    net : Net
        Its ``transformer.mean['data']`` is subtracted, (3, 1, 1) in BGR order.
    img : (h, w, 3) array
        RGB, 0..255.

    Returns
    -------
    (3, h, w) float32 ndarray
        BGR, mean subtracted.

    Warns
    -----
    UserWarning
        Floating point values that all lie in 0..1. They are taken as they are.
    """
    _check_picture(img)
    notice_unit_range(img, stacklevel=3)
    return np.float32(np.rollaxis(np.asarray(img), 2)[::-1]) - input_mean(net)


def deprocess(net: Any, x: np.ndarray) -> np.ndarray:
    """Turn what a net reads back into a picture: the inverse of `preprocess`.

    Parameters
    ----------
    net : Net
        Its ``transformer.mean['data']`` is added.
    x : (3, h, w) array
        BGR, mean subtracted.

    Returns
    -------
    (h, w, 3) ndarray
        RGB, 0..255 where the dream was clipped.
    """
    return np.dstack((x + input_mean(net))[::-1])


def make_step(
    net: Any,
    step_size: float = 1.5,
    end: str = "inception_4c/output",
    jitter: int = 32,
    clip: bool = True,
    objective: Function = objective_L2,
) -> None:
    """Move the picture in ``net.blobs['data']`` one step uphill, in place.

    The picture is rolled by a random offset, the gradient of `objective` at `end` is taken,
    scaled so that the mean absolute change is `step_size`, added, and the roll undone.

    Parameters
    ----------
    net : Net
        ``net.blobs['data'].data`` holds one picture, (1, 3, h, w) float32, BGR, mean subtracted.
    step_size : float
        Mean absolute change of a value, in grey levels, before clipping.
    end : str
        A layer with a top blob of the same name; that blob is the target.
    jitter : int
        Largest roll along each axis, in pixels. One ``np.random.randint`` draws both rolls, width
        first; with 0 it is called all the same.
    clip : bool
        Keep channel c inside ``[-mean[c], 255 - mean[c]]``.
    objective : callable
        ``objective(dst)`` writes into ``dst.diff`` the gradient of what should grow.

    Raises
    ------
    UnknownBlobError
        The net has no blob called `end` (also a KeyError).
    FlatGradientError
        The gradient is zero or not finite, where the notebook would fill the picture with NaN.
    ShapeError
        The net does not take a picture of this size, where Caffe ends the process; the message
        names the nearest sizes that fit.

    Notes
    -----
    Source: the cell "make_step" of google/deepdream, dream.ipynb.
    """
    src = input_blob(net)
    dst = target_blob(net, end)
    if jitter < 0:
        raise ParameterError(f"jitter is {jitter}: it is the largest roll in pixels, 0 or more")

    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)

    _forward(net, end)
    objective(dst)
    net.backward(start=end)

    g = src.diff[0]
    src.data[:] += step_size / mean_gradient(g, dst, end) * g
    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)

    if clip:
        bias = input_mean(net)
        src.data[:] = np.clip(src.data, -bias, 255 - bias)


def deepdream(
    net: Any,
    base_img: np.ndarray,
    iter_n: int = 10,
    octave_n: int = 4,
    octave_scale: float = 1.4,
    end: str = "inception_4c/output",
    clip: bool = True,
    **step_params: Any,
) -> np.ndarray:
    """Dream on a picture, from its smallest octave to its full size.

    Parameters
    ----------
    net : Net
        Its blobs are reshaped and overwritten.
    base_img : (h, w, 3) array
        RGB, 0..255.
    iter_n : int
        Steps per octave.
    octave_n : int
        Number of octaves; the largest is the picture itself.
    octave_scale : float
        Ratio of neighbouring octaves' sides.
    end, clip, **step_params
        See `make_step`.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB, 0..255.

    Raises
    ------
    UnknownBlobError, FlatGradientError, ShapeError
        As for `make_step`, at whichever octave.

    Notes
    -----
    Source: the cell "deepdream" of google/deepdream, dream.ipynb.
    """
    for _ in dream_steps(net, base_img, iter_n, octave_n, octave_scale, end, clip, **step_params):
        pass
    return deprocess(net, input_blob(net).data[0])


def dream_steps(
    net: Any,
    base_img: np.ndarray,
    iter_n: int = 10,
    octave_n: int = 4,
    octave_scale: float = 1.4,
    end: str = "inception_4c/output",
    clip: bool = True,
    **step_params: Any,
) -> Iterator[tuple[int, int]]:
    """Do what `deepdream` does, and pause after each step, where the notebook shows the picture.

    Parameters
    ----------
    net, base_img, iter_n, octave_n, octave_scale, end, clip, **step_params
        See `deepdream`.

    Yields
    ------
    (int, int)
        Octave, 0 for the smallest, and step of this octave just done, from 0. The picture so far
        is in the net's input blob: look at it, but leave it as it is.
    """
    import scipy.ndimage as nd

    octaves = [preprocess(net, base_img)]
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], (1, 1.0 / octave_scale, 1.0 / octave_scale), order=1))

    src = input_blob(net)
    detail = np.zeros_like(octaves[-1])
    for octave, octave_base in enumerate(octaves[::-1]):
        h, w = octave_base.shape[-2:]
        if octave > 0:
            h1, w1 = detail.shape[-2:]
            detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)

        src.reshape(1, 3, h, w)
        src.data[0] = octave_base + detail
        for step in range(iter_n):
            make_step(net, end=end, clip=clip, **step_params)
            yield octave, step

        detail = src.data[0] - octave_base


def next_frame(frame: np.ndarray, s: float = 0.05) -> np.ndarray:
    """Enlarge a frame to the next one of a zoom, as the notebook did in 2015.

    Parameters
    ----------
    frame : (h, w, 3) array
        RGB.
    s : float
        Share of height and width that is cut off.

    Returns
    -------
    (h, w, 3) ndarray
        Of the frame's dtype. Pixel i shows what was at ``(1 - s) * (i + h * s / 2)``.

    Notes
    -----
    The notebook says ``nd.affine_transform(frame, [1-s, 1-s, 1], [h*s/2, w*s/2, 0], order=1)``.
    SciPy before 0.18, of 2016, read this as ``matrix * (i + offset)``; since then it reads
    ``matrix * i + offset``, which zooms about another point: 1.3 pixels a frame further at 1024
    pixels. Both are in the documentation of `scipy.ndimage.affine_transform`.

    SciPy 0.17.1 gives the same frames, to the bit.

    Source: the cell of google/deepdream, dream.ipynb, that feeds the dream to itself.
    """
    h, w = np.shape(frame)[:2]
    return sample_grid(frame, 1 - s, ((1 - s) * h * s / 2, (1 - s) * w * s / 2))


def sample_grid(frame: np.ndarray, step: float, offset: tuple[float, float]) -> np.ndarray:
    """Return a picture sampled at ``step * i + offset``, bilinearly.

    Parameters
    ----------
    frame : (h, w, c) array
    step : float
        Pixels of `frame` from one sample to the next.
    offset : (float, float)
        Row and column of the first sample.

    Returns
    -------
    (h, w, c) ndarray
        Of the frame's dtype.
    """
    import scipy.ndimage as nd

    # Older ones of scipy warn that they take this for a diagonal matrix, which it is.
    with quiet(UserWarning, "The behavior of affine_transform"):
        sampled: np.ndarray = nd.affine_transform(
            np.asarray(frame), [step, step, 1], [*offset, 0], order=1
        )
    return sampled


def guide_features(net: Any, guide: np.ndarray, end: str) -> np.ndarray:
    """Return what a guide picture gives at a layer, for `objective_guide`.

    Parameters
    ----------
    net : Net
        Its data blob is reshaped to the guide's size and overwritten.
    guide : (h, w, 3) array
        RGB, 0..255; used at its own size.
    end : str
        A layer with a top blob of the same name.

    Returns
    -------
    (channels, rows, columns) float32 ndarray
        A copy.

    Raises
    ------
    UnknownBlobError
        The net has no blob called `end`.
    ShapeError
        The net does not take a picture of this size; the message names the nearest ones that fit.

    Notes
    -----
    Source: the cells "Controlling dreams" of google/deepdream, dream.ipynb.
    """
    _check_picture(guide)
    h, w = np.shape(guide)[:2]
    src, dst = input_blob(net), target_blob(net, end)
    src.reshape(1, 3, h, w)
    src.data[0] = preprocess(net, guide)
    _forward(net, end)
    return dst.data[0].copy()


def _forward(net: Any, end: str) -> None:
    """Run the net; where it does not take the picture's size, say which it takes."""
    try:
        net.forward(end=end)
    except ShapeError as error:
        h, w = tuple(input_blob(net).shape)[-2:]
        raise with_sizes(net, end, (h, w), error) from None


def _check_picture(img: Any) -> None:
    """Refuse a file's name in a picture's place."""
    if isinstance(img, (str, bytes, os.PathLike)):
        raise ImageError(f"{os.fsdecode(img)!r} is a name, not a picture: use load_image first.")


def input_name(net: Any) -> str:
    """Return the name of the blob that takes the picture: ``data``, or the net's first input."""
    return "data" if "data" in net.blobs else str(net.inputs[0])


def input_blob(net: Any) -> Any:
    """Return the blob that takes the picture."""
    return net.blobs[input_name(net)]


def input_mean(net: Any) -> Any:
    """Return the mean that the net's input is free of.

    Returns
    -------
    (3, 1, 1) float32 ndarray
        BGR. Zeros where the net's transformer has none, as of a `caffe.Classifier` that was given
        none; a mean picture is averaged, because dreams come in any size.

    Raises
    ------
    ParameterError
        The net has no transformer.
    """
    transformer = getattr(net, "transformer", None)
    if transformer is None:
        raise ParameterError(
            f"this {type(net).__name__} does not tell the mean of its pictures: load it with "
            "deepdream.load_net(prototxt, caffemodel, mean=...), or with caffe.Classifier"
        )
    mean = transformer.mean.get(input_name(net))
    if mean is None:
        return np.zeros((3, 1, 1), np.float32)
    if np.shape(mean)[1:] in ((), (1, 1)):
        return mean
    return np.float32(np.mean(mean, axis=(1, 2), keepdims=True, dtype=np.float64))


def target_blob(net: Any, end: str) -> Any:
    """Return the blob that a dream at layer `end` works on: the one of the same name.

    Parameters
    ----------
    net : Net
    end : str

    Returns
    -------
    Blob

    Raises
    ------
    UnknownBlobError
        No such blob. Where `end` is a layer that writes another blob (a ReLU in place, say), the
        message names that blob; otherwise it offers the nearest names.
    """
    blobs = net.blobs
    # The pycaffe of 2015, and a stand-in in a test, have no top_names.
    tops = getattr(net, "top_names", None) or {name: [name] for name in blobs}
    if end in blobs and end in tops:
        return blobs[end]
    targets = [name for name in blobs if name in tops]
    if end in tops and not tops[end]:
        raise UnknownBlobError(f"layer '{end}' makes no blob: choose a layer with a blob as end")
    if end in tops:
        blob = tops[end][0]
        if blob in net.bottom_names[end]:
            raise UnknownBlobError(
                f"layer '{end}' has no blob of its own: it rewrites blob '{blob}' in place.\n"
                f"Use end='{blob}' (the values before this layer)"
            )
        raise UnknownBlobError(
            f"layer '{end}' has no blob of its own name: it makes '{blob}'. Use a layer whose "
            f"blob is called like the layer.{nearest(end, targets)}"
        )
    if end in blobs:
        maker = next(layer for layer, made in tops.items() if end in made)
        raise UnknownBlobError(
            f"'{end}' is a blob, but there is no layer of that name: layer '{maker}' makes it."
            f"{nearest(maker, targets)}"
        )
    hint = nearest(end, targets) or " List them: deepdream layers, or list(net.blobs)"
    reason = getattr(net, "unbuilt", {}).get(end)
    if reason is not None:
        raise UnknownBlobError(
            f"layer '{end}' cannot be built: {reason}. Choose a layer before it: deepdream layers, "
            "or list(net.blobs)"
        )
    raise UnknownBlobError(f"no blob named '{end}' among the {len(blobs)} of this net.{hint}")


def mean_gradient(g: np.ndarray, dst: Any, end: str) -> Any:
    """Return the mean absolute value of a gradient.

    Parameters
    ----------
    g : ndarray
        The gradient with respect to the picture.
    dst : Blob
        The target, to tell why the gradient is flat.
    end : str
        Its name.

    Returns
    -------
    float
        Larger than zero.

    Raises
    ------
    FlatGradientError
        The gradient is zero everywhere, or not finite; the message says why and what to try.
    """
    mean = np.abs(g).mean()
    if mean > 0 and np.isfinite(mean):
        return mean
    raise flat_gradient(mean, g.shape[-2:], dst, end)


def flat_gradient(mean: Any, size: Any, dst: Any, end: str) -> FlatGradientError:
    """Return the error that explains a gradient which is zero or not finite.

    Parameters
    ----------
    mean : float
        The mean absolute value of the gradient: zero, infinite or NaN.
    size : (int, int)
        Height and width of the picture.
    dst : Blob
        The target, with what the objective wrote.
    end : str
        Its name.

    Returns
    -------
    FlatGradientError
    """
    h, w = size
    where = f"at '{end}' for a picture of {w}x{h}"
    if not np.isfinite(mean):
        return FlatGradientError(
            f"the gradient {where} is not finite: the weights or the picture hold NaN or infinite "
            "values, or the objective writes them into dst.diff"
        )
    if not np.any(dst.data):
        return FlatGradientError(
            f"the gradient {where} is zero, because every value of the blob is zero there (all its "
            "ReLUs are off):\nnothing can grow. Try an earlier layer, or a picture with more "
            "structure"
        )
    if not np.any(dst.diff):
        return FlatGradientError(
            f"the gradient {where} is zero, because the objective wrote only zeros into dst.diff: "
            "with a guide,\nits features are zero; with your own objective, look at what it writes"
        )
    return FlatGradientError(
        f"the gradient {where} is zero: none arrives at the picture.\nThe net may have been loaded "
        "without force_backward (use deepdream.load_net, or force_backward: true in the prototxt), "
        "or its weights are zero"
    )
