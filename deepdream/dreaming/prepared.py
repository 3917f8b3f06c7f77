"""A dream made ready: what is done once for a net, a goal and options, whatever the pictures are.

`dream` makes one picture. Frames of a zoom or of a film, galleries and batches make many, with the
same net and the same goal: a `Prepared` plans and packs the net's weights once, reads a guide once,
and keeps plans of a size from one picture to the next. The pictures are those that `dream` makes.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Union

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
from .steps import OnStep, Step
from .styles import end_of

_log = logging.getLogger(__name__)

_NO_BLOBS = (
    "deepdream.dream ran this net through a plan, which keeps no blobs. Fill them with "
    "net.forward(end=...); for those of each step give the net a hook before the dream, as "
    "net.before_forward(lambda layer: None)"
)

Seed = Union[int, np.random.RandomState, None]


class _Stop(Exception):  # noqa: N818 (no error: `on_step` has had enough)
    pass


class Prepared:
    """A net that is ready to dream on pictures of any size.

    Parameters
    ----------
    net : Net
        Its parameters and hooks are looked at now, and later changes are not seen.
    end, style, objective, guide, max_memory, precision
        See `deepdream.dream`.
    keep : bool
        Keep what was made for a size, for the next picture, while `max_memory` allows it.
    **given
        Any other parameter that styles decide.

    Raises
    ------
    UnknownBlobError, UnknownLayerError, ImageError, ParameterError
        As `deepdream.dream`, for what does not depend on the picture.
    """

    def __init__(
        self, net: Any, end: str | None = None, *, style: Any = None,
        objective: Objective | None = None, guide: Any = None,
        max_memory: int | str | None = None, precision: str = "float32", keep: bool = True,
        **given: Any,
    ) -> None:  # fmt: skip
        self._given, self._style = given, style
        chosen = Parameters(net, style, given)
        check_precision(precision)
        if objective is not None and not callable(objective):
            raise ParameterError(
                f"objective is {objective!r}: a function of a blob is expected, see objective_L2"
            )
        if end is not None and not isinstance(end, str):
            raise ParameterError(f"end is {end!r}: the name of one layer is expected")
        if guide is not None and objective is not None:
            raise ParameterError(
                "guide and objective both given: a guide is an objective; leave one"
            )
        if end is None:
            end = end_of(net, chosen.style) or recommended_end(net)
        target_blob(net, end)
        self.net, self.end, self._objective, self._precision = net, end, objective, precision
        self._mean = input_mean(net)
        self._max_memory, self._keep = max_memory, keep
        self._planner, self._why_not = _planner(net, end, precision)
        self._plans: Any = None
        self._guide = None if guide is None else as_picture(guide)
        self._guided: dict[bool, Objective] = {}  # by whether a plan has read the guide
        self._guide_grown: tuple[Size, Size] | None = None
        if self._guide is not None:
            size = self._guide.shape[:2]
            shape = Fitting(net, end, beside=self._planner is None).shape(size, "guide")
            self._guide_grown = None if shape == size else (size, shape)

    def dream(
        self, img: Any, *, mask: Any = None, width: int | None = None, height: int | None = None,
        compose: tuple[int, int] | None = None, seed: Seed = None, on_step: OnStep | None = None,
        progress: bool | None = None, **changes: Any,
    ) -> Picture:  # fmt: skip
        """Dream on a picture.

        Parameters
        ----------
        img, mask, width, height, compose, seed, on_step, progress
            See `deepdream.dream`.
        **changes
            Parameters that styles decide, where they are others for this picture.

        Returns
        -------
        (h, w, 3) float32 Picture
            What `deepdream.dream` returns.

        Raises
        ------
        ImageError, ParameterError, OutOfMemoryError, ShapeError, FlatGradientError
            As `deepdream.dream`.

        Warns
        -----
        UserWarning
            As `deepdream.dream`.
        """
        net, end = self.net, self.end
        changes = {name: value for name, value in changes.items() if value is not None}
        chosen = Parameters(net, self._style, {**self._given, **changes})
        check_seed(seed)
        original = as_picture(img)
        size = wanted_size(original.shape[:2], width, height)
        start = resized(original, size)
        composed = None if compose is None else composed_size(compose, size)
        masked = None if mask is None else as_mask(mask, size)
        rng: Any = np.random
        if seed is not None:
            rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)

        canvas = _canvases(net, end, chosen)
        fitting = Fitting(net, end, lambda size: canvas(size).shape, beside=self._planner is None)
        sizes = octave_sizes(net, end, composed or size, chosen.octave_n, chosen.octave_scale,
                             chosen.octave_min, fitting)  # fmt: skip
        octave_n_found = len(sizes)
        if composed is not None:
            sizes += larger_sizes(composed, size, chosen.octave_scale)
        canvases = [canvas(size) for size in sizes]
        fitted = [replace(seen, shape=fitting.shape(seen.size)) for seen in canvases]
        grown = [(seen.size, now.shape) for seen, now in zip(canvases, fitted) if now != seen]
        canvases = fitted
        note = note_on(end, grown, len(sizes), chosen.border, self._guide_grown)
        if note:
            warnings.warn(note, SizeWarning, stacklevel=3)
        source, objective = self._source(canvases, chosen, masked is not None)
        bases = Bases(source.ops, start, self._mean, sizes,
                      None if composed is None else octave_n_found, original)  # fmt: skip
        ascent = Ascent(source, bases, canvases, self._mean, chosen.settled, masked,
                        finish_for(chosen))  # fmt: skip
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
        if self._precision != "float32":
            parameters["precision"] = self._precision
        recipe = build_recipe(
            net,
            parameters,
            seed=None if isinstance(seed, np.random.RandomState) else seed,
            source=original.source,
            style=chosen.style.name,
            guide=None if self._guide is None else self._guide.source or "an array",
            mask=None if mask is None else getattr(mask, "source", None) or "an array",
            stopped=stopped,
        )
        return Picture(pixels, start.alpha, recipe, original.source)

    def _source(
        self, canvases: list[Canvas], chosen: Parameters, masked: bool
    ) -> tuple[Source, Objective]:
        """Return where gradients come from, by a plan where there is one, and the objective."""
        from ..memory import memory_limit

        net, end, planner, why_not = self.net, self.end, self._planner, self._why_not
        # What a GPU of Caffe's has free only PyTorch could tell, which is not there.
        ours = getattr(net, "engine", "") == "deepdream"
        limit = memory_limit(self._max_memory, str(net.device) if ours else "cpu")
        if planner is not None:
            from ..running.plan import Unplannable
            from .ascent.plan_source import Plans, PlanSource, planned_features

            if self._plans is None:
                self._plans = Plans(planner, self._keep)
            if self._max_memory is None:  # what is kept would be given back
                limit += self._plans.held
            try:
                objective = self._goal(True, lambda guide: planned_features(planner, guide, limit))
                made = PlanSource(planner, canvases, objective, limit=limit,
                                  arrays=chosen.arrays(masked), recorded=not chosen.waits,
                                  plans=self._plans)  # fmt: skip
                net.leave_out(_NO_BLOBS)
                return made, objective
            except Unplannable as error:
                why_not = f": {error}"
        from .ascent.net_source import NetSource

        _check_memory(net, end, canvases[-1].shape, limit)
        if self._precision != "float32":
            raise ParameterError(
                f"precision is {self._precision!r}, but this net runs layer by layer in "
                f"float32{why_not}"
            )
        _log.info(f"layer by layer, without a plan{why_not}")
        objective = self._goal(False, lambda guide: guide_features(net, guide, end))
        return NetSource(net, end, canvases, objective), objective

    def _goal(self, planned: bool, features: Callable[[np.ndarray], np.ndarray]) -> Objective:
        """Return the objective; a guide is read when it is first wanted."""
        if self._guide is None:
            return self._objective or objective_L2
        if planned not in self._guided:
            found = _fitted_features(self.net, self.end, self._guide, features, not planned)
            self._guided[planned] = objective_guide(found)
        return self._guided[planned]


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
