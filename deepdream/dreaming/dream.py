"""Dreaming: a net and a picture in, a picture out.

`dream` is Google's algorithm of 2015 with its known defects mended. The picture is taken apart
into octaves, sizes that shrink by `octave_scale`. From the smallest to the largest, the detail
dreamed so far is enlarged and added to the octave, and some steps of gradient ascent follow, each
on a picture rolled by a random offset so that no pattern settles on the grid of the net's strides.

What is mended, against `deepdream.deepdream`:

* the gradient is clean: nothing that an earlier target left in the net adds to it;
* no octave gets a last row or column of zeros from scipy's zoom;
* octaves too small for the net are left out, with a note, where Caffe would abort;
* with `seed` the random offsets are the dream's own, and the picture can be made again.

Source: google/deepdream, dream.ipynb. Differences: docs/known-differences.md.
"""

from __future__ import annotations

import logging
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import numpy as np

from ..display import watching
from ..errors import OutOfMemoryError, ParameterError, UnknownLayerError
from ..images import Picture, as_picture
from ..recipe import build_recipe
from .ascent import Ascent, NetAscent
from .dream2015 import guide_features, input_name, target_blob
from .objectives import Objective, objective_guide, objective_L2
from .octaves import Size, check_size, octave_sizes

_log = logging.getLogger(__name__)

PRECISIONS = ("float32", "tf32", "bfloat16")

Seed = Union[int, np.random.RandomState, None]


@dataclass(frozen=True)
class Step:
    """Where a dream stands, for `on_step`.

    Attributes
    ----------
    octave, octave_n : int
        Octave just worked on, 0 for the smallest, and how many there are.
    step, iter_n : int
        Step of this octave just done, from 0, and how many there are.
    size : (int, int)
        Height and width of this octave in pixels.
    done : float
        Share of the dream's work that is done, 0..1, counted in pixels.
    """

    octave: int
    octave_n: int
    step: int
    iter_n: int
    size: tuple[int, int]
    done: float
    _gradient: Callable[[], float] = field(repr=False)
    _picture: Callable[[], np.ndarray] = field(repr=False)
    _sample: Callable[[int], np.ndarray] = field(repr=False)

    @property
    def gradient(self) -> float:
        """Mean absolute value of the gradient before scaling. Reading it waits for a GPU."""
        return self._gradient()

    @property
    def picture(self) -> np.ndarray:
        """The picture so far: (h, w, 3) float32 RGB 0..255, at this octave's size."""
        return self._picture()

    def sample(self, every: int) -> np.ndarray:
        """Return every so many-th row and column of `picture`; only while `on_step` runs."""
        return self._sample(every)


OnStep = Callable[[Step], Optional[bool]]


class _Stop(Exception):  # noqa: N818 (no error: `on_step` has had enough)
    pass


def dream(
    net: Any,
    img: Any,
    end: str | None = None,
    *,
    iter_n: int = 10,
    octave_n: int = 4,
    octave_scale: float = 1.4,
    step_size: float = 1.5,
    jitter: int = 32,
    clip: bool = True,
    objective: Objective | None = None,
    guide: Any = None,
    seed: Seed = None,
    on_step: OnStep | None = None,
    max_memory: int | str | None = None,
    precision: str = "float32",
    progress: bool | None = None,
) -> Picture:
    """Dream on a picture.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`; any net with pycaffe's interface and a ``transformer`` works.
    img : (h, w, 3) array or PIL.Image
        RGB, 0..255. Left as it is.
    end : str, optional
        The layer whose blob is to grow. Without it the layer recommended for the model; for a net
        of your own ``inception_4c/output`` where there is one.
    iter_n : int
        Steps per octave.
    octave_n : int
        Number of octaves, 1 or more. Those too small for the net are left out with a warning.
    octave_scale : float
        Ratio of neighbouring octaves' sides, above 1.
    step_size : float
        Mean absolute change of a value per step, in grey levels, before clipping.
    jitter : int
        Largest random roll in pixels, 0 or more.
    clip : bool
        Keep all values in 0..255.
    objective : callable, optional
        ``objective(dst)`` reads ``dst.data`` and writes ``dst.diff``, the gradient of what is to
        be maximised, (1, channels, h, w) numpy arrays. Default: `objective_L2`.
    guide : (h, w, 3) array or PIL.Image, optional
        A picture to steer by, instead of an objective; used at its own size.
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
    UnknownBlobError, UnknownLayerError
        `end` is no layer with a blob of its own; the message says which to use.
    ImageError
        `img` or `guide` is no picture, or holds NaN.
    ParameterError
        A value that makes no sense, or a `precision` that this net cannot have; the message says
        which.
    OutOfMemoryError
        The dream would take more than `max_memory`; nothing has been done.
    ShapeError
        The picture is too small for the net, even at full size.
    FlatGradientError
        The gradient is zero or not finite.

    Notes
    -----
    Equal to the notebook's ``deepdream`` to rounding, on a net that has not been used, for sizes
    that scipy's zoom leaves no zero border on, and ``np.random.seed(seed)``.

    This package's own nets run through a plan (``running.plan``) and keep no blobs for you to read.
    Other nets, and those that have hooks or no plan, run layer by layer. The logger ``deepdream``
    tells which way it goes and how much memory it takes (level INFO, and WARNING for tiles).
    """
    check_parameters(iter_n=iter_n, octave_n=octave_n, octave_scale=octave_scale,
                     step_size=step_size, jitter=jitter, seed=seed,
                     precision=precision)  # fmt: skip
    if guide is not None and objective is not None:
        raise ParameterError("guide and objective both given: a guide is an objective; leave one")
    picture = as_picture(img)
    end = recommended_end(net) if end is None else end
    target_blob(net, end)
    if guide is not None:
        guide = as_picture(guide)
        check_size(net, end, *guide.shape[:2], what="guide")
    rng: Any = np.random
    if seed is not None:
        rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)

    sizes = octave_sizes(net, end, picture.shape[:2], octave_n, octave_scale)
    ascent, objective = _ascent(net, end, picture, sizes, objective, guide, max_memory, precision,
                                step_size=step_size, clip=clip)  # fmt: skip
    total, done = iter_n * sum(ascent.work), 0
    stopped = None
    try:
        with watching(progress, on_step, picture.shape[:2]) as watch:
            for octave, size in enumerate(sizes):
                ascent.begin(octave)
                for i in range(iter_n):
                    ox, oy = rng.randint(-jitter, jitter + 1, 2)
                    ascent.step(int(ox), int(oy))
                    done += ascent.work[octave]
                    if watch is not None and watch(
                        Step(octave, len(sizes), i, iter_n, size, done / total, ascent.gradient(),
                             ascent.picture(), ascent.sample)
                    ) is False:  # fmt: skip
                        raise _Stop
                ascent.end_octave()
    except (KeyboardInterrupt, _Stop):
        stopped = True
    pixels = ascent.result()

    parameters = {"end": end, "iter_n": iter_n, "octave_n": octave_n, "octave_scale": octave_scale,
                  "step_size": step_size, "jitter": jitter, "clip": clip,
                  "objective": objective}  # fmt: skip
    if precision != "float32":
        parameters["precision"] = precision
    recipe = build_recipe(
        net,
        parameters,
        seed=None if isinstance(seed, np.random.RandomState) else seed,
        source=picture.source,
        guide=None if guide is None else guide.source or "an array",
        stopped=stopped,
    )
    return Picture(pixels, picture.alpha, recipe, picture.source)


def _ascent(
    net: Any, end: str, picture: Picture, sizes: list[Size], objective: Objective | None,
    guide: Picture | None, max_memory: Any, precision: str, *, step_size: float, clip: bool,
) -> tuple[Ascent, Objective]:  # fmt: skip
    """Return what takes the steps, through a plan where there is one, and the objective."""
    from ..memory import memory_limit

    reason = ""
    # What a GPU of Caffe's has free only PyTorch could tell, which is not there.
    ours = getattr(net, "engine", "") == "torch"
    limit = memory_limit(max_memory, str(net.device) if ours else "cpu")
    if ours:
        from ..running.plan import Unplannable
        from .plan_ascent import PlanAscent, plan_for, planned_features

        try:
            planner = plan_for(net, end, precision)
            if guide is not None:
                objective = objective_guide(planned_features(planner, guide, limit))
            objective = objective or objective_L2
            made = PlanAscent(planner, picture, sizes, objective,
                              step_size=step_size, clip=clip, limit=limit)  # fmt: skip
            return made, objective
        except Unplannable as error:
            reason = f": {error}"
    _check_memory(net, end, sizes[-1], limit)
    if precision != "float32":
        raise ParameterError(
            f"precision is {precision!r}, but this net runs layer by layer in float32{reason}"
        )
    _log.info(f"layer by layer, without a plan{reason}")
    if guide is not None:
        objective = objective_guide(guide_features(net, guide, end))
    objective = objective or objective_L2
    return NetAscent(net, end, picture, sizes, objective, step_size=step_size, clip=clip), objective


def _check_memory(net: Any, end: str, size: Size, limit: int) -> None:
    """Refuse a picture whose blobs would not fit, where the net keeps them all."""
    from ..memory import format_size

    if not hasattr(net, "infer_shapes"):
        return
    h, w = size
    shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, end)
    itemsize = np.dtype(getattr(net, "dtype", np.float32)).itemsize
    needed = 2 * itemsize * sum(math.prod(shape) for shape in shapes.values())
    if needed > limit:
        raise OutOfMemoryError(
            f"a {w}x{h} picture at '{end}' needs {format_size(needed)} of memory, "
            f"{format_size(limit)} may be used:\nthis net runs layer by layer and cannot run in "
            "tiles. Use a smaller picture, an earlier layer, or a larger max_memory"
        )


def recommended_end(net: Any) -> str:
    """Return the layer to dream at where the user names none.

    Parameters
    ----------
    net : Net

    Returns
    -------
    str
        What the registry recommends for the model, or ``inception_4c/output``.

    Raises
    ------
    UnknownLayerError
        The net is not in the registry and has no such layer; the message suggests some.
    """
    model = getattr(net, "model", None)
    if model is not None:
        return str(model.end)
    if "inception_4c/output" in net.blobs:
        return "inception_4c/output"
    tops = getattr(net, "top_names", None) or dict.fromkeys(net.blobs)
    spatial = [
        name
        for name, blob in net.blobs.items()
        if name in tops
        and name not in net.inputs
        and len(blob.shape) == 4
        and min(blob.shape[2:]) > 1
    ]
    third = max(1, len(spatial) // 4)
    some = ", ".join(repr(name) for name in spatial[third::third])
    raise UnknownLayerError(
        f"which layer? This net has no recommended one: pass end=, for example {some}.\n"
        "List them: deepdream layers --model PROTOTXT, or list(net.blobs)"
    )


def check_parameters(
    *,
    iter_n: Any = 10,
    octave_n: Any = 4,
    octave_scale: Any = 1.4,
    step_size: Any = 1.5,
    jitter: Any = 32,
    seed: Any = None,
    precision: Any = "float32",
) -> None:
    """Refuse values that make no sense, before any work is done.

    Raises
    ------
    ParameterError
        The message names the parameter, the value, and what is expected.
    """
    for name, value, low in (
        ("iter_n", iter_n, 0),
        ("octave_n", octave_n, 1),
        ("jitter", jitter, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < low:
            raise ParameterError(f"{name} is {value!r}: a whole number from {low} is expected")
    for name, value in (("octave_scale", octave_scale), ("step_size", step_size)):
        if (
            isinstance(value, bool)
            or not isinstance(value, numbers.Real)
            or not math.isfinite(value)
        ):
            raise ParameterError(f"{name} is {value!r}: a finite number is expected")
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}: one of {', '.join(PRECISIONS)}")
    if octave_scale < 1:
        raise ParameterError(
            f"octave_scale is {octave_scale!r}: the ratio of an octave to the next smaller one is "
            "1 or more (1.4 in the notebook)"
        )
    if isinstance(seed, np.random.RandomState) or seed is None:
        return
    if (
        isinstance(seed, bool)
        or not isinstance(seed, numbers.Integral)
        or not 0 <= int(seed) < 2**32
    ):
        raise ParameterError(f"seed is {seed!r}: a whole number from 0 to 4294967295 is expected")
