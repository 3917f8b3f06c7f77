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

import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Union

import numpy as np

from ..display import watching
from ..errors import OutOfMemoryError, ParameterError, UnknownLayerError
from ..images import Picture, as_picture
from ..picture import resized
from ..recipe import build_recipe
from .ascent.ascent import Ascent, Source
from .dream2015 import guide_features, input_mean, input_name, target_blob
from .fitting import Fitting, SizeWarning, note_on
from .objectives import Objective, objective_guide, objective_L2
from .parameters import Parameters, check_precision, check_seed, composed_size, wanted_size
from .pictures.borders import Canvas, Size, canvas_for, continued
from .pictures.finish import finish_for
from .pictures.masks import as_mask
from .pictures.octaves import Bases, larger_sizes, octave_sizes
from .schedules import Scheduled
from .styles import Style, end_of

_log = logging.getLogger(__name__)

_NO_BLOBS = (
    "deepdream.dream ran this net through a plan, which keeps no blobs. Fill them with "
    "net.forward(end=...); for those of each step give the net a hook before the dream, as "
    "net.before_forward(lambda layer: None)"
)

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
    objective: Objective | None = None,
    guide: Any = None,
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
    end : str, optional
        The layer whose blob is to grow. Without it the style's layer, or the one recommended for
        the model; for a net of your own ``inception_4c/output`` where there is one.
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
    normalize : {"mean", "std", "laplacian"}
        How a gradient becomes a step: divided by its mean absolute value (the notebook's), by its
        standard deviation, or each band of a Laplacian pyramid by its own, so that coarse shapes
        grow as fast as fine ones. `ascent.directions.direction` has the formulas.
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
    objective : callable, optional
        ``objective(dst)`` reads ``dst.data`` and writes ``dst.diff``, the gradient of what is to
        be maximised, (1, channels, h, w) numpy arrays. Default: `objective_L2`. Where the picture
        goes through the net continued, see Notes, they are those of the continued one.
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
        `img`, `mask` or `guide` is no picture, or holds NaN.
    ParameterError
        A value that makes no sense, an unknown style, a mask of another shape, or a `precision`
        that this net cannot have; the message says which.
    OutOfMemoryError
        The dream would take more than `max_memory`; nothing has been done.
    ShapeError
        The picture or the guide is too small for the net, or the net takes neither its size nor a
        larger one (behind an inner product); the message tells which sizes fit.
    FlatGradientError
        The gradient is zero or not finite.

    Warns
    -----
    UserWarning
        The net takes some sizes only, and something goes through it continued; or octaves are left
        out, because they are too small for the net.

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
    given = {"iter_n": iter_n, "octave_n": octave_n, "octave_scale": octave_scale,
             "octave_min": octave_min, "step_size": step_size, "jitter": jitter, "clip": clip,
             "smooth": smooth, "normalize": normalize, "bands": bands, "border": border,
             "keep_colors": keep_colors, "strength": strength, "blur": blur, "tv": tv, "l2": l2,
             "rotate": rotate, "rescale": rescale, "flip": flip}  # fmt: skip
    chosen = Parameters(net, style, given)
    check_seed(seed)
    check_precision(precision)
    if objective is not None and not callable(objective):
        raise ParameterError(
            f"objective is {objective!r}: a function of a blob is expected, see objective_L2"
        )
    if end is not None and not isinstance(end, str):
        raise ParameterError(f"end is {end!r}: the name of one layer is expected")
    if guide is not None and objective is not None:
        raise ParameterError("guide and objective both given: a guide is an objective; leave one")
    original = as_picture(img)
    size = wanted_size(original.shape[:2], width, height)
    start = resized(original, size)
    composed = None if compose is None else composed_size(compose, size)
    masked = None if mask is None else as_mask(mask, size)
    if end is None:
        end = end_of(net, chosen.style) or recommended_end(net)
    target_blob(net, end)
    mean = input_mean(net)
    planner, why_not = _planner(net, end, precision)
    guide_grown = None
    if guide is not None:
        guide = as_picture(guide)
        fitting = Fitting(net, end, beside=planner is None)
        guide_shape = fitting.shape(guide.shape[:2], "guide")
        if guide_shape != guide.shape[:2]:
            guide_grown = guide.shape[:2], guide_shape
    rng: Any = np.random
    if seed is not None:
        rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)

    canvas = _canvases(net, end, chosen)
    fitting = Fitting(net, end, lambda size: canvas(size).shape, beside=planner is None)
    sizes = octave_sizes(net, end, composed or size, chosen.octave_n, chosen.octave_scale,
                         chosen.octave_min, fitting)  # fmt: skip
    octave_n_found = len(sizes)
    if composed is not None:
        sizes += larger_sizes(composed, size, chosen.octave_scale)
    canvases = [canvas(size) for size in sizes]
    fitted = [replace(seen, shape=fitting.shape(seen.size)) for seen in canvases]
    grown = [(seen.size, now.shape) for seen, now in zip(canvases, fitted) if now != seen]
    canvases = fitted
    note = note_on(end, grown, len(sizes), chosen.border, guide_grown)
    if note:
        warnings.warn(note, SizeWarning, stacklevel=2)
    source, objective = _source(net, end, planner, why_not, canvases, chosen, objective, guide,
                                max_memory, precision, masked is not None)  # fmt: skip
    bases = Bases(source.ops, start, mean, sizes,
                  None if composed is None else octave_n_found, original)  # fmt: skip
    ascent = Ascent(source, bases, canvases, mean, chosen.settled, masked, finish_for(chosen))
    steps = [chosen.iter_n_at(octave, octave_n_found) for octave in range(len(sizes))]
    total, done = sum(n * work for n, work in zip(steps, ascent.work)), 0
    stopped = None
    try:
        with watching(progress, on_step, size) as watch:
            for octave, octave_size in enumerate(sizes):
                ascent.begin(octave)
                for i in range(steps[octave]):
                    ascent.step(chosen.move(rng, octave, i, octave_n_found),
                                chosen.push(octave, i, octave_n_found))  # fmt: skip
                    done += ascent.work[octave]
                    if watch is not None and watch(
                        Step(octave, len(sizes), i, steps[octave], octave_size, done / total,
                             ascent.gradient(), ascent.picture(), ascent.sample)
                    ) is False:  # fmt: skip
                        raise _Stop
                ascent.end_octave()
    except (KeyboardInterrupt, _Stop):
        stopped = True
    pixels = ascent.result()

    parameters = {"end": end, **chosen.plain(octave_n_found), "objective": objective}
    for name, value in (("width", width), ("height", height), ("compose", compose)):
        if value is not None:
            parameters[name] = value
    if precision != "float32":
        parameters["precision"] = precision
    recipe = build_recipe(
        net,
        parameters,
        seed=None if isinstance(seed, np.random.RandomState) else seed,
        source=original.source,
        style=chosen.style.name,
        guide=None if guide is None else guide.source or "an array",
        mask=None if mask is None else getattr(mask, "source", None) or "an array",
        stopped=stopped,
    )
    return Picture(pixels, start.alpha, recipe, original.source)


def _canvases(net: Any, end: str, chosen: Parameters) -> Callable[[Size], Canvas]:
    """Return what tells the canvas of a picture of some size."""
    jitter = 0
    if chosen.border != "roll":
        # Octaves are not known before canvases are: of a function, some values have to do.
        jitter = int(chosen.largest("jitter", 16))
    stride = None if chosen.transforms else _stride(net, end)
    return lambda size: canvas_for(size, chosen.border, jitter, stride)


def _stride(net: Any, end: str) -> Size | None:
    """Return how many pixels lie between two positions of a target, or None."""
    graph = getattr(net, "graph", net)
    if not hasattr(graph, "infer_shapes") or not hasattr(graph, "layer_index"):
        return None
    from ..running.geometry import views
    from ..running.sizes import sizes_of

    # At the prototxt's own size: that of the blobs is of whatever ran last.
    sizes = sizes_of(net, end)
    declared = None if sizes is None else sizes.declared
    view = views(graph, declared and {input_name(net): (1, 3, *declared)}).get(end)
    return None if view is None else view.stride


def _planner(net: Any, end: str, precision: str) -> tuple[Any, str]:
    """Return what plans a dream, or None and the reason, for a log."""
    if getattr(net, "engine", "") != "deepdream":
        return None, ""
    from ..running.plan import Unplannable
    from .ascent.plan_source import plan_for

    try:
        return plan_for(net, end, precision), ""
    except Unplannable as error:
        return None, f": {error}"


def _source(
    net: Any, end: str, planner: Any, why_not: str, canvases: list[Canvas], chosen: Parameters,
    objective: Objective | None, guide: Picture | None, max_memory: Any, precision: str,
    masked: bool,
) -> tuple[Source, Objective]:  # fmt: skip
    """Return where gradients come from, through a plan where there is one, and the objective."""
    from ..memory import memory_limit

    # What a GPU of Caffe's has free only PyTorch could tell, which is not there.
    ours = getattr(net, "engine", "") == "deepdream"
    limit = memory_limit(max_memory, str(net.device) if ours else "cpu")
    if planner is not None:
        from ..running.plan import Unplannable
        from .ascent.plan_source import PlanSource, planned_features

        try:
            if guide is not None:
                features = _fitted_features(
                    net, end, guide, lambda seen: planned_features(planner, seen, limit), False
                )
                objective = objective_guide(features)
            objective = objective or objective_L2
            made = PlanSource(planner, canvases, objective, limit=limit,
                              arrays=chosen.arrays(masked), recorded=not chosen.waits)  # fmt: skip
            net.leave_out(_NO_BLOBS)
            return made, objective
        except Unplannable as error:
            why_not = f": {error}"
    from .ascent.net_source import NetSource

    _check_memory(net, end, canvases[-1].shape, limit)
    if precision != "float32":
        raise ParameterError(
            f"precision is {precision!r}, but this net runs layer by layer in float32{why_not}"
        )
    _log.info(f"layer by layer, without a plan{why_not}")
    if guide is not None:
        features = _fitted_features(
            net, end, guide, lambda seen: guide_features(net, seen, end), True
        )
        objective = objective_guide(features)
    objective = objective or objective_L2
    return NetSource(net, end, canvases, objective), objective


def _fitted_features(
    net: Any, end: str, guide: Picture, features: Callable[[np.ndarray], np.ndarray], beside: bool
) -> np.ndarray:
    """Return what a guide gives at the target, where need be continued to a size that fits."""
    size = guide.shape[:2]
    shape = Fitting(net, end, beside=beside).shape(size, "guide")
    if shape == size:
        return features(guide)
    rows, columns = (continued(np.arange(n), m, "edge") for n, m in zip(shape, size))
    found = features(np.asarray(guide)[rows][:, columns])
    stride = _stride(net, end)
    if stride is None or found.ndim != 3:
        return found
    # So many positions at the end see the continuation alone.
    beyond = [(n - m) // step for n, m, step in zip(shape, size, stride)]
    kept = [max(1, n - more) for n, more in zip(found.shape[1:], beyond)]
    return found[:, : kept[0], : kept[1]]


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
