"""Dreaming: a net and a picture in, a picture out.

`dream` is Google's algorithm of 2015 with its known defects mended. The picture is taken apart
into octaves, sizes that shrink by `octave_scale`. From the smallest to the largest, the detail
dreamed so far is enlarged and added to the octave, and some steps of gradient ascent follow, each
on a picture rolled by a random offset so that no pattern settles on the grid of the net's strides.

What is mended, against `deepdream.deepdream`:

* the gradient is clean: nothing that an earlier target left in the net adds to it;
* no octave gets a last row or column of zeros from scipy's zoom;
* octaves of sizes that the net does not take go through it continued to the next size that it
  takes, with a note, and those too small for it are left out, where Caffe would abort;
* with `seed` the random offsets are the dream's own, and the picture can be made again.

Source: google/deepdream, dream.ipynb. Differences: docs/known-differences.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..images import Picture, as_picture
from .objectives.functions import Function
from .objectives.goals import recommended_end as recommended_end
from .objectives.objective import Objective
from .prepared import Prepared, Seed
from .schedules import Scheduled
from .steps import OnStep
from .steps import Step as Step
from .styles import Style


def dream(
    net: Any,
    img: Any,
    end: str | Sequence[str] | Mapping[str, float] | None = None,
    *,
    style: str | Style | None = None,
    iter_n: Scheduled | None = None,
    octave_n: int | str | None = None,
    octave_scale: float | None = None,
    octave_min: int | None = None,
    step_size: Scheduled | None = None,
    jitter: Scheduled | None = None,
    clip: bool | None = None,
    smooth: Scheduled | None = None,
    normalize: str | None = None,
    bands: int | None = None,
    border: str | None = None,
    mask: Any = None,
    keep_colors: bool | None = None,
    strength: float | None = None,
    width: int | None = None,
    height: int | None = None,
    compose: tuple[int, int] | None = None,
    blur: Scheduled | None = None,
    tv: Scheduled | None = None,
    l2: Scheduled | None = None,
    rotate: Scheduled | None = None,
    rescale: Scheduled | None = None,
    flip: bool | None = None,
    objective: Objective | Function | None = None,
    guide: Any = None,
    balance: bool = True,
    seed: Seed = None,
    on_step: OnStep | None = None,
    max_memory: int | str | None = None,
    precision: str = "float32",
    progress: bool | None = None,
) -> Picture:
    """Dream on a picture.

    Parameters that are not given are those of the style. Where a step uses a number, there may be
    a pair ``(first octave, last octave)`` or a function ``f(octave, step)`` instead: these are
    marked "schedule".

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`; any net with pycaffe's interface and a ``transformer`` works.
    img : (h, w, 3) array or PIL.Image
        RGB, 0..255. Left as it is. `deepdream.noise` makes one of noise.
    end : str, sequence of str or mapping of str to float, optional
        The layer whose blob is to grow; or several, equally strong or each with a weight. Without
        it the style's layer, or the one recommended for the model; for a net of your own
        ``inception_4c/output`` where there is one.
    style : str, optional
        A name from `deepdream.styles`. Without it the one recommended for the model: ``"2015"``,
        the notebook's numbers, for the networks of 2015 and your own.
    iter_n : int, schedule
        Steps per octave.
    octave_n : int or "all"
        Number of octaves, 1 or more; ``"all"``: as many as there are with a smaller side of
        `octave_min` pixels. Those too small for the net are left out, of a number with a warning.
    octave_scale : float
        Ratio of neighbouring octaves' sides, above 1.
    octave_min : int
        For ``octave_n="all"``: smaller side of the smallest octave, in pixels.
    step_size : float, schedule
        Mean absolute change of a value per step, in grey levels, before clipping (with
        ``normalize="mean"``; see there).
    jitter : int, schedule
        Largest random offset in pixels, 0 or more.
    clip : bool
        Keep all values in 0..255.
    smooth : float, schedule
        Pixels. The gradient is the mean of itself blurred by Gaussians with standard deviations of
        half, once and twice this: no grain of two or three pixels. 0 leaves it.
    normalize : {"mean", "std", "laplacian", "spectrum"}
        How a gradient becomes a step: divided by its mean absolute value (the notebook's), by its
        standard deviation, or each band of a Laplacian pyramid by its own, so that coarse shapes
        grow as fast as fine ones. `ascent.directions.direction` has the formulas. Or in waves of
        all lengths and in lightness and contrasts of colours, each at its own pace by Adam's rule:
        what classes are legible in (`ascent.spectrum`).
    bands : int
        Of the pyramid.
    border : {"roll", "reflect", "edge"}
        What the net sees beyond the picture's edge: its other side (the notebook's roll, which
        leaves a frame of another texture along the edges), the picture mirrored, or its last row
        and column continued.
    mask : (h, w) or (h, w, 3) array or PIL.Image, optional
        Where the picture may change: white or 1; black or 0 where not, and between them less. The
        result has the input's own values where it is 0. Steps are as strong inside as `step_size`
        says. Of the picture's shape, at any size.
    keep_colors : bool
        The dream's lightness with the input's colours, see `pictures.colors`.
    strength : float
        0 is the input, 1 the dream, between them a blend; above 1 exaggerates.
    width, height : int, optional
        The picture is first brought to this size, in pixels; one of them keeps its shape.
    compose : (int, int), optional
        Width and height at which the dream is composed, where that is smaller than its size: the
        octaves up to there are those of a dream of that size, and on the way to the full size
        detail is dreamt on. What ``rerun --width`` uses for prints.
    blur : float, schedule
        Pixels: after each step the picture is blurred by a Gaussian of this standard deviation.
    tv, l2 : float, schedule
        Priors. From each step's direction, whose mean is 1, so many times the gradient of the
        total variation is taken (small differences between neighbours go), or so many times the
        distance from the input in grey levels (the dream stays near it).
    rotate : float, schedule
        Degrees: besides its offset the picture is turned by a random angle, this at most, for each
        step.
    rescale : float, schedule
        The same for its scale, between ``1 / (1 + rescale)`` and ``1 + rescale``.
    flip : bool
        Mirrored, left and right exchanged, in every second step on average.
    objective : Objective or callable, optional
        Terms of `deepdream.objectives`, which name their layers, instead of `end`. Or a function:
        ``objective(dst)`` reads ``dst.data`` and writes ``dst.diff``, the gradient of what is to
        be maximised, (1, channels, h, w) numpy arrays; of several layers it is called for each.
        Default: `objective_L2`. Where the picture goes through the net continued, see Notes, they
        are those of the continued one.
    guide : (h, w, 3) array or PIL.Image, or a list of them, optional
        Pictures to steer by, instead of an objective; each is used at its own size.
    balance : bool
        With several terms or layers, let weights mean strength: at the first step of each octave
        the gradient of each is measured by itself, and each weight divided by its mean absolute
        value. False takes gradients as they are.
    seed : int or numpy.random.RandomState, optional
        Makes the dream repeatable, whatever else draws random numbers. Without it the offsets
        come from ``np.random``.
    on_step : callable, optional
        Called after each step with a `Step`. Where it returns False, the dream ends there.
    max_memory : int or str, optional
        Bytes that the dream may take besides the net and `img`, or a size as ``"2G"``. A picture
        that needs more goes through the net in tiles, which gives the same dream. Default: most of
        what the machine (or the GPU) has free.
    precision : {"float32", "tf32", "bfloat16"}
        Of the products inside the net. The last two are for GPUs: faster, and a little different.
    progress : bool, optional
        Show how far the dream is, and how much time is left: in a notebook with the picture so far,
        at most twice a second and for at most 2 % of the time; elsewhere as a bar on standard
        error. False never, True always. Default: in a notebook and on a terminal, where there is
        no `on_step`, which may want to show things itself.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB, 0..255 (beyond it where `clip` is false). It has the alpha channel of `img`, and the
        ``recipe`` that made it. After Ctrl-C, or where `on_step` said so, it is the picture so
        far, with ``recipe["stopped"]``. In a notebook the kernel's interrupt button is Ctrl-C.

    Raises
    ------
    UnknownBlobError, UnknownLayerError, UnknownLabelError
        `end`, or what a term names, is no layer with a blob of its own, or no class; the message
        says which to use.
    ImageError
        `img`, `mask` or `guide` is no picture, or holds NaN.
    ParameterError
        A value that makes no sense, an unknown style, a mask of another shape, weights that are
        all zero, or a `precision` that this net cannot have; the message says which.
    OutOfMemoryError
        The dream would take more than `max_memory`; nothing has been done.
    ShapeError
        The picture or the guide is too small for the net, or the net takes neither its size nor a
        larger one (behind an inner product); the message tells which sizes fit.
    FlatGradientError
        The gradient is zero or not finite; that of a sum also where its terms cancel.

    Warns
    -----
    UserWarning
        A term finds nothing to grow in one octave, and is left out there. The net takes some sizes
        only, and something goes through it continued; or octaves are left out, because they are too
        small for the net.

    Notes
    -----
    Some nets take some sizes only: their branches have to be equally long where they meet. What
    does not fit is continued beyond the right and lower border, after the roll, by the border's
    values (or as `border` says), to the next size that fits. The gradient there is not used, and a
    guide's features from there are left out. Octaves and the result keep their own sizes.

    With the style ``"2015"`` equal to the notebook's ``deepdream`` to rounding, on a net that has
    not been used, for sizes that scipy's zoom leaves no zero border on, and
    ``np.random.seed(seed)``.

    This package's own nets run through a plan (``running.plan``) and keep no blobs for you to read:
    from the first step on, ``data`` and ``diff`` of blobs that are no inputs raise an `EngineError`
    until ``net.forward`` has filled them. With a hook on the net they are those of the last pass.
    Other nets, and those that have hooks or no plan, run layer by layer. The logger ``deepdream``
    tells which way it goes and how much memory it takes (level INFO, and WARNING for tiles).
    """
    given: dict[str, Any] = {"iter_n": iter_n, "octave_n": octave_n, "octave_scale": octave_scale,
             "octave_min": octave_min, "step_size": step_size, "jitter": jitter, "clip": clip,
             "smooth": smooth, "normalize": normalize, "bands": bands, "border": border,
             "keep_colors": keep_colors, "strength": strength, "blur": blur, "tv": tv, "l2": l2,
             "rotate": rotate, "rescale": rescale, "flip": flip}  # fmt: skip
    img = as_picture(img)
    prepared = Prepared(net, end, style=style, objective=objective, guide=guide, balance=balance,
                        max_memory=max_memory, precision=precision,
                        keep=False, **given)  # fmt: skip
    return prepared.dream(img, mask=mask, width=width, height=height, compose=compose, seed=seed,
                          on_step=on_step, progress=progress)  # fmt: skip
