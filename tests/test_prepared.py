"""A net made ready once dreams what it would dream each time anew."""

from __future__ import annotations

import gc
import weakref
from copy import deepcopy

import numpy as np
import pytest
from test_dreaming import SMALL, net_with_mean, picture

from deepdream import objectives as o
from deepdream.dreaming import frames, prepared, visualize
from deepdream.dreaming.ascent import plan_source
from deepdream.dreaming.dream import dream
from deepdream.dreaming.frames import zoom
from deepdream.dreaming.prepared import Latest, Prepared
from deepdream.dreaming.styles import style_named
from deepdream.errors import EngineError, ShapeError, UnknownBlobError
from deepdream.running.plan import Planner
from deepdream.running.plan.workers import limited_threads

PICTURES = [(53, 71), (53, 71), (61, 44), (53, 71)]


def hooked():
    """Return a net that has to run layer by layer."""
    net = net_with_mean()
    net.before_forward(lambda layer: None)
    return net


@pytest.mark.parametrize("make", [net_with_mean, hooked])
@pytest.mark.parametrize(
    "how", [{}, {"guide": picture(33, 47, 6)}, {"border": "reflect", "smooth": 1.0}],
    ids=["plain", "guided", "reflected"],
)  # fmt: skip
def test_many_pictures_are_those_of_fresh_dreams(make, how):
    """Whatever sizes they have, and in whatever order: to the byte."""
    ready = Prepared(make(), **SMALL, **how)

    for seed, size in enumerate(PICTURES):
        made = ready.dream(picture(*size, seed), seed=seed)
        fresh = dream(make(), picture(*size, seed), seed=seed, **SMALL, **how)
        assert made.tobytes() == fresh.tobytes()
        assert made.recipe == fresh.recipe


def test_a_guide_is_read_with_one_thread(monkeypatch):
    """Layer by layer too: a recipe repeats on machines with other numbers of cores."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = []
    original = prepared.guide_features

    def watched(*arguments):
        pools = threadpoolctl.threadpool_info()
        seen.extend(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
        return original(*arguments)

    monkeypatch.setattr(prepared, "guide_features", watched)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        dream(hooked(), picture(), seed=1, guide=picture(33, 47, 6), **SMALL)

    assert seen
    assert {*seen} == {1}


@pytest.mark.parametrize("make", [net_with_mean, hooked])
def test_an_objective_of_ones_own_computes_with_one_thread(make):
    """By plan as layer by layer: its products have the same bits on any number of cores."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = []

    def objective(dst):
        pools = threadpoolctl.threadpool_info()
        seen.extend(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
        dst.diff[...] = dst.data

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        dream(make(), picture(), seed=1, objective=objective, **SMALL)

    assert seen
    assert {*seen} == {1}


@pytest.mark.parametrize("make", [net_with_mean, hooked])
def test_what_pictures_are_to_differ_in_is_read_with_one_thread(make, monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = []
    original = visualize.gram

    def watched(features):
        pools = threadpoolctl.threadpool_info()
        seen.extend(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
        return original(features)

    monkeypatch.setattr(visualize, "gram", watched)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        visualize.visualize(make(), "a/3x3", size=40, iter_n=1, apart_from=[picture(40, 40)])

    assert seen
    assert {*seen} == {1}


def test_what_changes_for_one_picture_is_not_there_for_the_next():
    """Keywords of a single picture take the place of those that were said for all."""
    ready = Prepared(net_with_mean(), **SMALL)

    other = ready.dream(picture(), seed=1, iter_n=1, step_size=(3.0, 1.0), clip=None)
    again = ready.dream(picture(), seed=1)

    changed = {**SMALL, "iter_n": 1, "step_size": (3.0, 1.0)}
    assert other.tobytes() == dream(net_with_mean(), picture(), seed=1, **changed).tobytes()
    assert again.tobytes() == dream(net_with_mean(), picture(), seed=1, **SMALL).tobytes()


@pytest.fixture
def made(monkeypatch):
    """Sizes of the plans that are made, in their order."""
    sizes = []
    original = Planner.plan
    monkeypatch.setattr(
        Planner, "plan", lambda self, h, w: sizes.append((h, w)) or original(self, h, w)
    )
    return sizes


def test_plans_of_a_size_are_made_once(made):
    """The second picture of a size finds those of the first, at each octave."""
    ready = Prepared(net_with_mean(), **SMALL)
    for seed in range(3):
        ready.dream(picture(), seed=seed)

    assert made == [(38, 51), (53, 71)]


def test_without_keeping_nothing_is_held(made):
    """A single dream leaves no plan behind."""
    ready = Prepared(net_with_mean(), keep=False, **SMALL)
    for seed in range(2):
        ready.dream(picture(), seed=seed)

    assert made == [(38, 51), (53, 71)] * 2
    assert ready._plans.held == 0


def test_plans_are_kept_while_the_memory_allows(made):
    """The largest goes first, so that the others are there for the next picture."""
    planner = Planner(net_with_mean(), "a/output")
    small, large = planner.memory(38, 51), planner.memory(53, 71)
    plans = plan_source.Plans(planner, keep=True)

    for _ in range(2):
        plans.take((38, 51), 100, 100 + small + large)
        plans.take((53, 71), 100, 100 + small + large)
    assert made == [(38, 51), (53, 71)]

    plans.take((53, 71), 101, 100 + small + large)
    assert plans.held == large
    plans.take((38, 51), 0, small)
    assert plans.held == small


def test_limited_memory_changes_no_picture(made):
    """What is kept counts, and a picture in tiles is in the same tiles each time."""
    limit = 8_000_000
    how = {**SMALL, "max_memory": limit, "octave_n": 1, "iter_n": 1}
    with limited_threads(1):  # each has memory of its own, which counts
        ready = Prepared(net_with_mean(), **how)
        first, second = (ready.dream(picture(403, 460), seed=2) for _ in range(2))

        fresh = dream(net_with_mean(), picture(403, 460), seed=2, **how)

    assert max(made) < (403, 460)
    assert first.tobytes() == second.tobytes() == fresh.tobytes()


def test_another_goal_at_the_same_layers_takes_the_plans(made, monkeypatch):
    """Nothing is planned or read again; other layers are planned for themselves."""
    read = []
    original = prepared.objective_guide
    monkeypatch.setattr(
        prepared, "objective_guide", lambda features: read.append(1) or original(features)
    )
    guided = o.guide("a/output", picture(33, 47, 6))
    how = {"iter_n": 2, "octave_n": 2}
    first = Prepared(net_with_mean(), objective=guided + o.layer("norm1"), **how)
    first.dream(picture(), seed=1)
    before = len(made)

    second = Prepared(first.net, objective=guided - 0.5 * o.channel("norm1", 2), like=first, **how)
    out = second.dream(picture(), seed=1)
    third = Prepared(first.net, "pool2", like=second, **how)

    assert len(made) == before
    assert len(read) == 1
    fresh = dream(net_with_mean(), picture(), objective=guided - 0.5 * o.channel("norm1", 2),
                  seed=1, **how)  # fmt: skip
    assert out.tobytes() == fresh.tobytes()
    plain = dream(net_with_mean(), picture(), "pool2", seed=1, **how)
    assert third.dream(picture(), seed=1).tobytes() == plain.tobytes()


def test_a_zoom_makes_a_net_ready_once(monkeypatch):
    """All its frames share it, also where the first has more steps."""
    count = []
    original = prepared.Prepared
    monkeypatch.setattr(prepared, "Prepared", lambda *a, **k: count.append(1) or original(*a, **k))
    rng = np.random.RandomState(3)
    expected, frame = [], picture()
    for steps in (3, 2, 2):
        if expected:
            frame = frames.enlarge(expected[-1], 0.05)
        expected.append(dream(net_with_mean(), frame, seed=rng, **{**SMALL, "iter_n": steps}))

    found = list(zoom(net_with_mean(), picture(), 3, first=3, seed=3, **SMALL))

    assert len(count) == 1
    assert [a.tobytes() for a in found] == [b.tobytes() for b in expected]


@pytest.mark.parametrize(
    ("goal", "other"),
    [
        ({"end": {"pool1": 1.0}}, {"end": {"pool1": 0.5}}),
        ({"end": ["pool1", "conv1"]}, {"end": ["pool1"]}),
        ({"objective": o.layer("pool1")}, {"objective": o.layer("conv1")}),
        ({"end": "pool1", "style": style_named("bold")}, {"end": "pool1", "style": "2015"}),
    ],
)
def test_what_is_ready_stays_while_the_goal_does(goal, other):
    """Goals that say the same are one, whichever objects say it."""
    latest = Latest(net_with_mean())
    ready = latest.ready(goal)

    assert latest.ready(deepcopy(goal)) is ready
    assert latest.ready(other) is not ready


def test_other_guides_are_another_goal():
    """Arrays are the same where they are the very same."""
    latest, guide = Latest(net_with_mean()), picture()
    ready = latest.ready({"end": "pool1", "guide": guide})

    assert latest.ready({"end": "pool1", "guide": guide}) is ready
    assert latest.ready({"end": "pool1", "guide": guide + 0}) is not ready
    with pytest.raises(UnknownBlobError):
        latest.ready({"end": "nowhere"})
    assert latest.ready({"end": "pool1", "guide": guide}).style == ready.style


def test_what_a_guide_gives_elsewhere_goes(monkeypatch):
    """A guided gallery goes through all layers: it would keep the guide's features of each."""
    read, real = [], prepared._fitted_features

    def fitted_features(*arguments):
        found = real(*arguments)
        read.append(weakref.ref(found))
        return found

    monkeypatch.setattr(prepared, "_fitted_features", fitted_features)
    latest, guide = Latest(net_with_mean()), picture(33, 47, 6)
    for end in ("conv1", "pool1", "a/output"):
        latest.ready({"end": end, "guide": guide}).dream(picture(), seed=1, iter_n=1, octave_n=1)
    gc.collect()

    assert [ref() is None for ref in read] == [True, True, False]


def test_a_zoom_whose_first_frame_has_another_layer():
    """Then each has a net made ready for itself."""
    found = list(zoom(net_with_mean(), picture(), 2, first={"end": "pool1"}, seed=3, **SMALL))

    assert [frame.recipe["parameters"]["end"] for frame in found] == ["pool1", "a/output"]


def test_a_forward_that_fails_shows_no_blobs_that_it_has_not_filled():
    """What a plan has left out stays so, behind the layer that cannot take the size."""
    net = net_with_mean()
    dream(net, picture(), seed=1, **SMALL)
    net.blobs["data"].reshape(1, 3, 64, 90)

    with pytest.raises(ShapeError, match="layer 'fc'"):
        net.forward()

    with pytest.raises(EngineError, match="keeps no blobs"):
        assert net.blobs["prob"].data.any()
    net.forward(end="a/output")
    assert net.blobs["a/output"].data.any()
