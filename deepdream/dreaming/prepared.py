"""A dream made ready: what is done once for a net, a goal and options, whatever the pictures are.

`dream` makes one picture. Frames of a zoom or of a film, galleries and batches make many, with the
same net and the same goal: a `Prepared` plans and packs the net's weights once, reads a guide once,
and keeps plans of a size from one picture to the next. The pictures are those that `dream` makes.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Union

import numpy as np

from ..display import watching
from ..errors import OutOfMemoryError, ParameterError, nearest
from ..images import Picture, as_picture
from ..picture import as_recorded, file_of, resized
from ..recipe import Recipe, build_recipe
from .ascent.ascent import Ascent, Source
from .ascent.pulls import Pull
from .dream2015 import guide_features, input_mean, input_name
from .objectives.functions import Function, objective_guide
from .objectives.goals import Goal
from .objectives.objective import GuideTerm, Objective, Term
from .parameters import Parameters, check_precision, check_seed, composed_size, wanted_size
from .pictures.borders import Canvas, Size, canvas_for, continued
from .pictures.finish import finish_for
from .pictures.fitting import Fitting, SizeWarning, named, note_on
from .pictures.masks import as_mask
from .pictures.masks import fitted as fitted_mask
from .pictures.octaves import Bases, larger_sizes, octave_sizes
from .steps import OnStep, Step
from .styles import NOTEBOOK, Style

_log = logging.getLogger(__name__)

_NO_BLOBS = (
    "deepdream.dream ran this net through a plan, which keeps no blobs. Fill them with "
    "net.forward(end=...); for those of each step give the net a hook before the dream, as "
    "net.before_forward(lambda layer: None)"
)

Seed = Union[int, np.random.RandomState, None]


# Keywords that a single picture may have for itself; see `Prepared.dream`.
_OWN = {*NOTEBOOK, "mask", "width", "height", "compose"}
# And those that belong to what is made ready; see `Prepared`.
_GOAL = {"end", "style", "objective", "guide", "balance", "max_memory", "precision"}


_SHORT = 72  # letters of a term's name


class _Stop(Exception):  # noqa: N818 (no error: `on_step` has had enough)
    pass


class Prepared:
    """A net that is ready to dream on pictures of any size.

    Parameters
    ----------
    net : Net
        Its parameters and hooks are looked at now, and later changes are not seen.
    end, style, objective, guide, balance, max_memory, precision
        See `deepdream.dream`.
    keep : bool
        Keep what was made for a size, for the next picture, while `max_memory` allows it.
    like : Prepared, optional
        One whose plans serve here too, where net, layers and precision are the same: for another
        channel of a layer, say, or for other weights. Guides that it has read are not read again.
    **given
        Any other parameter that styles decide.

    Attributes
    ----------
    goal : Goal
        What is to grow.
    style : str
        The name of the style.

    Raises
    ------
    UnknownBlobError, UnknownLayerError, UnknownLabelError, ImageError, ParameterError
        As `deepdream.dream`, for what does not depend on the picture.
    """

    def __init__(
        self, net: Any, end: Any = None, *, style: Any = None, objective: Any = None,
        guide: Any = None, balance: bool = True, max_memory: int | str | None = None,
        precision: str = "float32", keep: bool = True, like: Prepared | None = None, **given: Any,
    ) -> None:  # fmt: skip
        self._given, self._style = given, style
        chosen = Parameters(net, style, given)
        check_precision(precision)
        if not isinstance(balance, (bool, np.bool_)):
            raise ParameterError(f"balance is {balance!r}: True or False is expected")
        self.net, self._precision, self._balance = net, precision, bool(balance)
        self.style = chosen.style.name
        self.goal = goal = Goal(net, end, objective, guide, chosen.style)
        self._mean = input_mean(net)
        self._max_memory, self._keep = max_memory, keep
        self._planner: Any
        self._why_not: str
        self._plans: Any = None
        self._writers: dict[Term, Any] = {}  # a plan's
        self._features: dict[tuple[bool, Term], Function] = {}  # by whether a plan has read them
        if like is not None and (like.goal.net is not goal.net or like._precision != precision):
            like = None
        if like is not None:  # what a guide gives at other layers is not kept: it may be large
            terms = {share.term for share in goal.shares}
            self._features = {at: f for at, f in like._features.items() if at[1] in terms}
            self._writers = {term: how for term, how in like._writers.items() if term in terms}
        if like is not None and like.goal.ends == goal.ends:
            self._planner, self._why_not, self._plans = like._planner, like._why_not, like._plans
        else:
            self._planner, self._why_not = _planner(goal.net, goal.ends, precision)
        beside = self._planner is None
        guides = [(s.term.end, p) for s in goal.shares if isinstance(s.term, GuideTerm)
                  for p in s.term.pictures]  # fmt: skip
        shapes = [
            (shown.size, Fitting(goal.net, at, beside=beside).shape(shown.size, "guide"))
            for at, shown in guides
        ]
        self._guides_grown = [pair for pair in dict.fromkeys(shapes) if pair[0] != pair[1]]

    def dream(
        self, img: Any, *, mask: Any = None, width: int | None = None, height: int | None = None,
        compose: tuple[int, int] | None = None, seed: Seed = None, on_step: OnStep | None = None,
        progress: bool | None = None, weights: Sequence[float] | None = None, **changes: Any,
    ) -> Picture:  # fmt: skip
        """Dream on a picture.

        Parameters
        ----------
        img, mask, width, height, compose, seed, on_step, progress
            See `deepdream.dream`.
        weights : sequence of float, optional
            Other weights of the terms, in their order, for this picture.
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
        goal = self.goal if weights is None else self.goal.weighed(weights)
        net, ends = goal.net, goal.ends
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

        canvas, fitting, sizes = self._octaves(goal, chosen, composed or size)
        octave_n_found = len(sizes)
        if composed is not None:
            sizes += larger_sizes(composed, size, chosen.octave_scale)
        canvases = [canvas(size) for size in sizes]
        fitted = [replace(seen, shape=fitting.shape(seen.size)) for seen in canvases]
        grown = [(seen.size, now.shape) for seen, now in zip(canvases, fitted) if now != seen]
        canvases = fitted
        note = note_on(ends, grown, len(sizes), chosen.border, self._guides_grown)
        if note:
            warnings.warn(note, SizeWarning, stacklevel=3)
        source = self._source(goal, canvases, chosen, size, masked is not None)
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

        recipe = self._recipe(goal, chosen, octave_n_found, file_of(original), mask, seed,
                              {"width": width, "height": height, "compose": compose},
                              stopped)  # fmt: skip
        made = Picture(pixels, start.alpha, recipe, original.source)
        made.loaded = original.loaded
        return made

    def recipe_for(
        self, size: tuple[int, int], source: Mapping[str, Any] | None = None, *, mask: Any = None,
        width: int | None = None, height: int | None = None,
        compose: tuple[int, int] | None = None, seed: int | None = None, **changes: Any,
    ) -> Recipe:  # fmt: skip
        """Return the recipe of a dream that is not dreamt: to tell whether it is there already.

        Parameters
        ----------
        size : (int, int)
            Height and width of the picture.
        source : mapping, optional
            Its ``source``, see `Picture`.
        mask, width, height, compose, seed, **changes
            See `dream`.

        Raises
        ------
        ParameterError, ShapeError
            As `dream`, for what can be told before.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        chosen = Parameters(self.net, self._style, {**self._given, **changes})
        size = wanted_size(size, width, height)
        composed = size if compose is None else composed_size(compose, size)
        *_, sizes = self._octaves(self.goal, chosen, composed)
        return self._recipe(self.goal, chosen, len(sizes), source, mask, seed,
                            {"width": width, "height": height, "compose": compose})  # fmt: skip

    def _octaves(
        self, goal: Goal, chosen: Parameters, size: Size
    ) -> tuple[Callable[[Size], Canvas], Fitting, list[Size]]:
        """Return what tells canvases, what fits them to the net, and the octaves' sizes."""
        net, ends = goal.net, goal.ends
        canvas = _canvases(net, ends, chosen)
        fitting = Fitting(net, ends, lambda size: canvas(size).shape, beside=self._planner is None)
        sizes = octave_sizes(net, ends, size, chosen.octave_n, chosen.octave_scale,
                             chosen.octave_min, fitting)  # fmt: skip
        return canvas, fitting, sizes

    def _recipe(
        self, goal: Goal, chosen: Parameters, octave_n: int, source: Mapping[str, Any] | None,
        mask: Any, seed: Seed, sides: Mapping[str, Any], stopped: bool | None = None,
    ) -> Recipe:  # fmt: skip
        parameters = {**goal.recorded, **chosen.plain(octave_n)}
        if not self._balance and len(goal.shares) > 1:
            parameters["balance"] = False
        parameters.update((name, value) for name, value in sides.items() if value is not None)
        if self._precision != "float32":
            parameters["precision"] = self._precision
        return build_recipe(
            self.net,
            parameters,
            seed=None if isinstance(seed, np.random.RandomState) else seed,
            source=source,
            style=chosen.style.name,
            guide=told_of(goal.guides),
            mask=None if mask is None else as_recorded(mask),
            stopped=stopped,
        )

    def _source(
        self, goal: Goal, canvases: list[Canvas], chosen: Parameters, size: Size, masked: bool
    ) -> Source:
        """Return where gradients come from, by a plan where there is one."""
        from ..memory import memory_limit

        net, planner, why_not = goal.net, self._planner, self._why_not
        # What a GPU of Caffe's has free only PyTorch could tell, which is not there.
        ours = getattr(net, "engine", "") == "deepdream"
        limit = memory_limit(self._max_memory, str(net.device) if ours else "cpu")
        if planner is not None:
            from ..running.plan import Unplannable
            from .ascent.plan_source import Plans, PlanSource, planned_features, writers_of

            if self._plans is None:
                self._plans = Plans(planner, self._keep)
            if self._max_memory is None:  # what is kept would be given back
                limit += self._plans.held

            def planned(end: str, guide: np.ndarray) -> np.ndarray:
                alone = planner
                if alone.ends != (end,):
                    alone = _planner(net, (end,), self._precision)[0]
                return planned_features(alone, guide, limit)

            try:
                pulls = self._pulls(goal, size, True, planned)
                for share, pull in zip(goal.shares, pulls):
                    if share.term not in self._writers:
                        self._writers[share.term] = writers_of([pull], planner)[0]
                writers = [self._writers[share.term] for share in goal.shares]
                made = PlanSource(planner, canvases, pulls, limit=limit,
                                  arrays=chosen.arrays(masked), recorded=not chosen.waits,
                                  plans=self._plans, writers=writers,
                                  balance=self._balance)  # fmt: skip
                net.leave_out(_NO_BLOBS)
                return made
            except Unplannable as error:
                why_not = f": {error}"
        from .ascent.net_source import NetSource, same_bits

        _check_memory(net, goal.ends, canvases[-1].shape, limit)
        if self._precision != "float32":
            raise ParameterError(
                f"precision is {self._precision!r}, but this net runs layer by layer in "
                f"float32{why_not}"
            )
        _log.info(f"layer by layer, without a plan{why_not}")

        def read(end: str, guide: np.ndarray) -> np.ndarray:
            with same_bits(net):
                return guide_features(net, guide, end)

        pulls = self._pulls(goal, size, False, read)
        return NetSource(net, canvases, pulls, self._balance)

    def _pulls(
        self,
        goal: Goal,
        size: Size,
        planned: bool,
        features: Callable[[str, np.ndarray], np.ndarray],
    ) -> list[Pull]:
        """Return the terms for a picture of some size; guides are read when first wanted."""
        pulls = []
        for share in goal.shares:
            term, mask = share.term, None
            if share.mask is not None:
                mask = fitted_mask(share.mask.pixels, size, f"the mask of {term!r}")
            if (planned, term) not in self._features:
                self._features[planned, term] = self._function(term, planned, features)
            found = self._features[planned, term]
            pulls.append(Pull(term.end, found, share.weight, mask, _short(repr(term))))
        return pulls

    def _function(
        self, term: Term, planned: bool, features: Callable[[str, np.ndarray], np.ndarray]
    ) -> Function:
        if not isinstance(term, GuideTerm):
            return term.function()
        net, end = self.goal.net, term.end
        read = [
            _fitted_features(net, end, shown.pixels, partial(features, end), not planned)
            for shown in term.pictures
        ]
        if len(read) == 1:
            return objective_guide(read[0])
        # Of several, all positions are there to choose from.
        return objective_guide(np.concatenate([f.reshape(f.shape[0], -1) for f in read], axis=1))


class Latest:
    """The latest `Prepared` of a net, which stays while the goal does.

    Goals at one layer, or with one guide, share what was planned and read.

    Parameters
    ----------
    net : Net
    """

    def __init__(self, net: Any) -> None:
        self._net = net
        self._goal: dict[str, Any] = {}
        self._ready: Prepared | None = None

    def ready(self, goal: Mapping[str, Any]) -> Prepared:
        """Return what dreams by the keywords of a goal, see `parted`.

        Raises
        ------
        UnknownBlobError, UnknownLayerError, UnknownLabelError, ImageError, ParameterError
            As `Prepared`.
        """
        if self._ready is None or not _same(self._goal, goal):
            like, self._ready = self._ready, None
            self._ready, self._goal = Prepared(self._net, like=like, **goal), {**goal}
        return self._ready


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two goals are one: the same objects, or equal names, numbers and terms."""
    return one.keys() == other.keys() and all(
        one[name] is other[name] or (_plain(one[name]) and one[name] == other[name]) for name in one
    )


def _plain(value: Any) -> bool:
    if isinstance(value, (Mapping, list, tuple)):
        return all(map(_plain, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, (str, int, float, Objective, Style, type(None)))


def _short(text: str) -> str:
    """Return a term as one types it, for a message: of hundreds of numbers some are enough."""
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 2]}…)"


def parted(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of `deepdream.dream` in two parts.

    Returns
    -------
    dict, dict
        What a single picture may have for itself (`Prepared.dream`), and for what a net is made
        ready (`Prepared`).

    Raises
    ------
    ParameterError
        There is no such keyword; the nearest is offered.
    """
    own = {name: value for name, value in keywords.items() if name in _OWN}
    goal = {name: value for name, value in keywords.items() if name not in _OWN}
    wrong = next((name for name in goal if name not in _GOAL), None)
    if wrong is not None:
        raise ParameterError(
            f"there is no parameter '{wrong}'.{nearest(wrong, sorted(_OWN | _GOAL))}"
        )
    return own, goal


def told_of(guides: Sequence[Picture]) -> Any:
    """Return what a recipe says of guides, see `picture.as_recorded`: of several a list."""
    sources = [as_recorded(guide) for guide in guides]
    return sources[0] if len(sources) == 1 else sources or None


def _canvases(net: Any, ends: Sequence[str], chosen: Parameters) -> Callable[[Size], Canvas]:
    """Return what tells the canvas of a picture of some size."""
    jitter = 0
    if chosen.border != "roll":
        # Octaves are not known before canvases are: of a function, some values have to do.
        jitter = int(chosen.largest("jitter", 16))
    stride = None if chosen.transforms else _stride(net, ends)
    return lambda size: canvas_for(size, chosen.border, jitter, stride)


def _stride(net: Any, ends: Sequence[str]) -> Size | None:
    """Return how many pixels the picture may be moved by so that all targets move whole positions.

    None where that is not known.
    """
    graph = getattr(net, "graph", net)
    if not hasattr(graph, "infer_shapes") or not hasattr(graph, "layer_index"):
        return None
    from ..running.geometry import views
    from ..running.sizes import sizes_of

    # At the prototxt's own size: that of the blobs is of whatever ran last.
    sizes = sizes_of(net, ends)
    declared = None if sizes is None else sizes.declared
    seen = views(graph, declared and {input_name(net): (1, 3, *declared)})
    strides = [None if end not in seen else seen[end].stride for end in ends]
    common = [1, 1]
    for stride in strides:
        if stride is None:
            return None
        common = [a * b // math.gcd(a, b) for a, b in zip(common, stride)]
    return common[0], common[1]


def _planner(net: Any, ends: Sequence[str], precision: str) -> tuple[Any, str]:
    """Return what plans a dream, or None and the reason, for a log."""
    if getattr(net, "engine", "") != "deepdream":
        return None, ""
    from ..running.plan import Unplannable
    from .ascent.plan_source import plan_for

    try:
        return plan_for(net, ends, precision), ""
    except Unplannable as error:
        return None, f": {error}"


def _fitted_features(
    net: Any,
    end: str,
    guide: np.ndarray,
    features: Callable[[np.ndarray], np.ndarray],
    beside: bool,
) -> np.ndarray:
    """Return what a guide gives at the target, where need be continued to a size that fits."""
    size = guide.shape[0], guide.shape[1]
    shape = Fitting(net, end, beside=beside).shape(size, "guide")
    if shape == size:
        return features(guide)
    rows, columns = (continued(np.arange(n), m, "edge") for n, m in zip(shape, size))
    found = features(guide[rows][:, columns])
    stride = _stride(net, [end])
    if stride is None or found.ndim != 3:
        return found
    # So many positions at the end see the continuation alone.
    beyond = [(n - m) // step for n, m, step in zip(shape, size, stride)]
    kept = [max(1, n - more) for n, more in zip(found.shape[1:], beyond)]
    return found[:, : kept[0], : kept[1]]


def _check_memory(net: Any, ends: Sequence[str], size: Size, limit: int) -> None:
    """Refuse a picture whose blobs would not fit, where the net keeps them all."""
    from ..memory import format_size

    if not hasattr(net, "infer_shapes"):
        return
    h, w = size
    shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, ends[-1])
    itemsize = np.dtype(getattr(net, "dtype", np.float32)).itemsize
    needed = 2 * itemsize * sum(math.prod(shape) for shape in shapes.values())
    if needed > limit:
        raise OutOfMemoryError(
            f"a {w}x{h} picture at {named(ends)} needs {format_size(needed)} of memory, "
            f"{format_size(limit)} may be used:\nthis net runs layer by layer and cannot run in "
            "tiles. Use a smaller picture, an earlier layer, or a larger max_memory"
        )
