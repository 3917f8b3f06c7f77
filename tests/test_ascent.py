"""The dream on a plan: the same steps as with the net itself, at once or in tiles."""

from __future__ import annotations

import gc
import logging
import weakref

import numpy as np
import pytest
import torch
from helpers import assert_close, relative_error, worker
from net_planner import NetPlanner
from test_dreaming import SMALL, net_with_mean, picture
from tiny import SMOOTH, TINY
from wild_nets import NETS

from deepdream.dreaming import dream as dream_module
from deepdream.dreaming.ascent import device_steps, plan_source
from deepdream.dreaming.ascent.ascent import Ascent, Push, Settled
from deepdream.dreaming.ascent.net_source import NetSource
from deepdream.dreaming.ascent.plan_gradients import HostObjective, TiledGradient, writer
from deepdream.dreaming.ascent.plan_source import PlanSource, planned_features
from deepdream.dreaming.ascent.pulls import Pull
from deepdream.dreaming.dream import dream
from deepdream.dreaming.dream2015 import deprocess, guide_features, make_step, preprocess
from deepdream.dreaming.objectives import objective_guide, objective_L2
from deepdream.dreaming.pictures.borders import canvas_for
from deepdream.dreaming.pictures.looks import Move
from deepdream.dreaming.pictures.octaves import Bases
from deepdream.errors import FlatGradientError, OutOfMemoryError, ParameterError
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net
from deepdream.running.plan import Planner, Unplannable

END = "a/output"
PLENTY = 1 << 40
# At the first offset no value of TINY is near an edge of a ReLU or of a maximum: the nearest lies
# 7e-6 of the blob's largest away.
OFFSETS = [(29, -18), (-31, 12), (0, 0)]
PLANNERS = [NetPlanner, Planner]


def squares(dst):
    """Write an objective of one's own, which looks at all positions at once."""
    dst.diff[...] = dst.data * np.abs(dst.data).max() + dst.data.mean()


def guide():
    return objective_guide(np.random.RandomState(8).randn(17, 3, 4).astype(np.float32))


OBJECTIVES = {"L2": lambda: objective_L2, "guide": guide, "own": lambda: squares}


SETTLED, PUSH = Settled(), Push()
MEAN = net_with_mean().transformer.mean["data"]


def canvases_of(sizes, border="roll"):
    return [canvas_for(size, border, 32, (8, 8)) for size in sizes]


def ascent_of(source, sizes, img, settled=SETTLED, border="roll", **more):
    bases = Bases(source.ops, img, MEAN, list(sizes))
    return Ascent(source, bases, canvases_of(sizes, border), MEAN, settled, **more)


def planned(
    sizes=((53, 71),), *, planner=NetPlanner, objective=objective_L2, limit=PLENTY, end=END, h=53,
    w=71, net=None, border="roll", settled=SETTLED, mask=None, text=TINY,
):  # fmt: skip
    planner = planner(net or net_with_mean(text=text), end)
    source = PlanSource(planner, canvases_of(sizes, border), [Pull(end, objective)], limit=limit)
    return ascent_of(source, sizes, picture(h, w), settled, border, mask=mask)


LARGE = (403, 460)


def tight(planner=Planner, objective=objective_L2, text=TINY):
    """Return the bytes that a dream of the `LARGE` picture takes in crops of 190x180 at most."""
    h, w = LARGE
    whole = planned(planner=planner, objective=objective, h=h, w=w, sizes=[LARGE], text=text)
    crop = planner(net_with_mean(text=text), END).memory(180, 190)
    return crop + whole._source._pictures(0, tiled=True)


def by_the_net(
    sizes=((53, 71),), *, objective=objective_L2, h=53, w=71, end=END, border="roll",
    settled=SETTLED, mask=None, text=TINY,
):  # fmt: skip
    source = NetSource(net_with_mean(text=text), canvases_of(sizes, border), [Pull(end, objective)])
    return ascent_of(source, sizes, picture(h, w), settled, border, mask=mask)


def change(ascent, push=PUSH):
    """Return what some steps of the first octave have changed."""
    ascent.begin(0)
    changes = []
    before = ascent.picture()()
    for ox, oy in OFFSETS:
        ascent.step(Move(ox, oy), push)
        after = ascent.picture()()
        changes.append(after - before)
        before = after
    ascent.end_octave()
    return changes


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("planner", PLANNERS)
def test_steps_are_those_of_the_net(planner, name):
    """The first change agrees to rounding; later ones too, where rounding tips nothing."""
    for text, steps in ((TINY, 1), (SMOOTH, len(OFFSETS))):
        make = {"objective": OBJECTIVES[name](), "text": text}
        ours, net = change(planned(planner=planner, **make)), change(by_the_net(**make))

        # grey levels around 100 are rounded to 8e-6 each, and the change is 1.5 of them
        for a, b in list(zip(ours, net))[:steps]:
            assert_close(a, b, 1e-5)
            assert np.abs(a).mean() > 1


def test_octaves_pass_on_what_was_dreamt():
    """Enlarged detail lands on the next octave, and what is not finished at full size."""
    sizes = [(29, 37), (40, 51), (53, 71)]
    ours, net = planned(sizes, text=SMOOTH), by_the_net(sizes, text=SMOOTH)
    for ascent in (ours, net):
        for octave in (0, 1):
            ascent.begin(octave)
            ascent.step(Move(4, -7), Push())
            ascent.end_octave()
    assert_close(ours.picture()(), net.picture()(), 1e-5)
    assert_close(ours.result(), net.result(), 1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("planner", PLANNERS)
def test_tiles_give_the_gradient_of_the_whole(planner, name):
    """With little memory the picture goes through in parts, and the change is the same."""
    objective = OBJECTIVES[name]()
    make = {"planner": planner, "objective": objective, "text": SMOOTH}
    make.update(h=403, w=460, sizes=[LARGE])
    whole, tiled = planned(**make), planned(**make, limit=tight(planner, objective, SMOOTH))
    tiled.begin(0)
    assert isinstance(tiled._gradient, TiledGradient)
    assert len(tiled._source._tiles[0]) > 1
    assert tiled.work[0] > whole.work[0] == 403 * 460

    for ours, expected in zip(change(tiled)[:1], change(whole)[:1]):
        assert_close(ours, expected, 2e-5)


def test_tiles_have_no_seams():
    """Twice the same dream, in tiles and not, differs nowhere by more than rounding."""
    img = picture(*LARGE)
    kept = {"end": END, "iter_n": 1, "octave_n": 1, "seed": 4}
    whole = dream(net_with_mean(text=SMOOTH), img, **kept)

    tiled = dream(net_with_mean(text=SMOOTH), img, max_memory=tight(text=SMOOTH), **kept)

    assert np.abs(tiled - whole).max() < 1e-3


def test_tiles_are_announced(caplog):
    """A dream in tiles says so before it starts, with size, number and memory."""
    kept = {"end": END, "iter_n": 0, "octave_n": 1, "seed": 4}
    with caplog.at_level(logging.INFO, "deepdream"):
        dream(net_with_mean(), picture(), **kept)
        assert "71x53 at once" in caplog.text
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
        dream(net_with_mean(), picture(*LARGE), max_memory=tight(), **kept)

    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith("460x403 in ")
    assert " tiles of " in said[0]


def test_too_little_memory_is_an_error_before_anything_is_done():
    """What is needed is told, and nobody is killed."""
    kept = {"end": END, "seed": 1}
    with pytest.raises(OutOfMemoryError, match=r"pictures alone, .* may be used"):
        dream(net_with_mean(), picture(), max_memory=1000, **kept)
    with pytest.raises(OutOfMemoryError, match=r"needs .* may be used"):
        dream(net_with_mean(), picture(), max_memory="130K", octave_n=1, **kept)
    with pytest.raises(ParameterError, match="'much' is no size"):
        dream(net_with_mean(), picture(), max_memory="much", **kept)


def test_layer_by_layer_memory_is_bounded_too(monkeypatch):
    """A net without a plan keeps all its blobs; too many are refused."""
    no_plan(monkeypatch)
    with pytest.raises(OutOfMemoryError, match="layer by layer and cannot run in\ntiles|tiles"):
        dream(net_with_mean(), picture(), max_memory="100K", **SMALL)


def no_plan(monkeypatch):
    def refuse(*_):
        raise Unplannable("not today")

    monkeypatch.setattr(plan_source, "plan_for", refuse)


def test_a_net_without_a_plan_runs_layer_by_layer_and_says_why(monkeypatch, caplog):
    """The dream is the same, and --verbose tells the reason."""
    one = {"end": END, "iter_n": 1, "octave_n": 1, "seed": 26}  # drawn: far from all edges, too
    expected = dream(net_with_mean(), picture(), **one)
    no_plan(monkeypatch)
    with caplog.at_level(logging.INFO, "deepdream"):
        out = dream(net_with_mean(), picture(), **one)

    assert "layer by layer, without a plan: not today" in caplog.text
    assert_close(out - picture(), expected - picture(), 1e-5)
    with pytest.raises(ParameterError, match="precision is 'tf32', but .* not today"):
        dream(net_with_mean(), picture(), precision="tf32", **one)


class OwnNet(Net):
    """A net with a forward of its own."""

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (lambda: object(), "object is not"),
        (lambda: OwnNet(parse_prototxt(TINY), 1), "OwnNet has a forward of its own"),
        (lambda: Net(parse_prototxt(TINY), 1, dtype=np.float64), "float64"),
    ],
    ids=["other", "subclass", "float64"],
)
def test_what_only_the_net_can_do_has_no_plan(net, reason):
    """Where a plan would leave out what the user has asked for, there is none."""
    with pytest.raises(Unplannable, match=reason):
        plan_source.plan_for(net(), END, "float32")


def test_hooks_are_called():
    """A net with hooks runs layer by layer, so that they are called."""
    net, called = net_with_mean(), []
    net.before_forward(called.append)
    dream(net, picture(), seed=1, **SMALL)

    assert called


def test_no_stale_weights():
    """A second dream sees weights that have changed since the first."""
    net = net_with_mean()
    first = dream(net, picture(), seed=1, **SMALL)
    net.params["conv1"][0].data[...] *= -1
    second = dream(net, picture(), seed=1, **SMALL)

    assert np.abs(second - first).mean() > 0.1


# -- steps on the device --------------------------------------------------------------------------


def on_tensors(net, end, **keywords):
    """Return a planner whose plans are PyTorch's, as on a GPU, on its CPU tensors."""
    net.move("torch")
    return Planner(net, end, **keywords)


@pytest.fixture
def on_the_device(monkeypatch):
    """Take the steps of a GPU, on the CPU."""
    monkeypatch.setattr(plan_source, "Planner", on_tensors)
    monkeypatch.setattr(plan_source, "stays_on", lambda device: True)


HOWS = {
    "plain": {},
    "unclipped": {"settled": Settled(clip=False)},
    "smooth": {"push": Push(9, smooth=1.5)},
    "std": {"settled": Settled(normalize="std")},
    "laplacian": {"settled": Settled(normalize="laplacian", bands=3), "push": Push(9, smooth=1)},
    "reflect": {"border": "reflect", "push": Push(9, smooth=1)},
    "edge": {"border": "edge"},
    "masked": {"mask": np.linspace(-1, 1, 53 * 71, dtype=np.float32).reshape(53, 71).clip(0)},
    "masked bands": {
        "mask": np.tri(53, 71, 9, dtype=np.float32), "border": "reflect",
        "settled": Settled(normalize="laplacian"),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["L2", "guide"])
@pytest.mark.parametrize("how", HOWS)
def test_steps_on_the_device_are_the_steps_on_the_host(monkeypatch, name, how):
    """What the net sees, directions, masks and clipping without the host: the same pictures."""
    make = {"objective": OBJECTIVES[name](), "planner": Planner, "text": SMOOTH, **HOWS[how]}
    push = make.pop("push", Push(9))
    host = planned(**make)
    expected, expected_mean = change(host, push), host.gradient()()
    make["planner"] = on_tensors
    waiting = change(planned(**make), push)
    monkeypatch.setattr(plan_source, "stays_on", lambda device: True)
    device = planned(**make)
    ours = change(device, push)

    assert device._recorded is not None
    for a, b, c in zip(ours, waiting, expected):
        assert_close(a, c, 2e-5)
        assert_close(b, c, 2e-5)
    assert device.gradient()() == pytest.approx(expected_mean, rel=1e-5)
    assert np.abs(expected[0]).mean() > 0.5


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("planner", PLANNERS)
def test_every_way_of_a_step_is_the_same_layer_by_layer(planner, how):
    """Smoothed, normalised, continued, masked: the first change is that of the net itself."""
    make = {"text": SMOOTH, **HOWS[how]}
    push = make.pop("push", Push(9))
    ours, net = change(planned(planner=planner, **make), push), change(by_the_net(**make), push)

    assert_close(ours[0], net[0], 2e-5)
    assert np.abs(ours[0]).mean() > 0.5


@pytest.mark.parametrize("how", ["smooth", "laplacian", "reflect", "edge"])
def test_every_way_of_a_step_is_the_same_in_tiles(how):
    """Tiles are cut from the canvas, and what follows sees one gradient."""
    make = {"h": 403, "w": 460, "sizes": [LARGE], "planner": Planner, "text": SMOOTH, **HOWS[how]}
    push = make.pop("push", Push(9))
    around = 12 * (426 * 483 - 403 * 460)  # what a canvas has more, in the gradient and in a plan
    tiled = planned(**make, limit=tight(text=SMOOTH) + 2 * around)
    whole = planned(**make)
    ours, expected = change(tiled, push), change(whole, push)

    assert isinstance(tiled._gradient, TiledGradient)
    assert_close(ours[0], expected[0], 2e-5)


@pytest.mark.parametrize("border", ["roll", "reflect"])
@pytest.mark.parametrize("planner", PLANNERS)
def test_turned_pictures_step_alike(planner, border):
    """A rotated, scaled and mirrored look gives the net's own gradient, carried back."""
    move = Move(5, -3, angle=7.0, scale=1.1, flip=True)
    changes = []
    make = {"border": border, "text": SMOOTH}
    for ascent in (planned(planner=planner, **make), by_the_net(**make)):
        ascent.begin(0)
        before = ascent.picture()()
        ascent.step(move, Push())
        changes.append(ascent.picture()() - before)

    assert_close(changes[0], changes[1], 2e-5)
    assert np.abs(changes[0]).mean() > 1


def test_own_objectives_and_tiles_step_on_the_host(on_the_device):
    """What needs the machine's memory in each step is not recorded."""
    ascent = planned(objective=squares)
    ascent.begin(0)

    assert ascent._recorded is None


def test_a_flat_gradient_on_the_device_is_told_at_the_end_of_the_octave(on_the_device):
    """Steps after it leave the picture alone, and the message is the usual one."""
    net = net_with_mean()
    for blob in net.params["conv1"]:
        blob.data[...] = 0
    ascent = planned(planner=on_tensors, net=net, end="conv1")
    ascent.begin(0)
    before = ascent.picture()()
    ascent.step(Move(1, 2), Push())
    ascent.step(Move(3, 4), Push())

    np.testing.assert_array_equal(ascent.picture()(), before)
    with pytest.raises(FlatGradientError, match="'conv1' for a picture of 71x53 is zero, because"):
        ascent.end_octave()


class FakeGraph:
    """Record nothing, count replays."""

    replays = 0

    def replay(self):
        FakeGraph.replays += 1


class FakeCuda:
    """The part of ``torch.cuda`` that a capture needs."""

    CUDAGraph = FakeGraph

    class Stream:
        def wait_stream(self, other):
            pass

    def current_stream(self):
        return self.Stream()

    def stream(self, stream):
        return pytest.MonkeyPatch.context()

    graph = stream


class CudaTensor:
    """A number that says that it lies on a GPU."""

    device = torch.device("cuda")

    def __init__(self, value):
        self.value = value

    def clone(self):
        return CudaTensor(self.value)

    def copy_(self, other):
        self.value = other.value


def test_a_capture_leaves_no_trace(monkeypatch):
    """Trial runs are undone, and what comes back replays the graph."""
    monkeypatch.setattr(device_steps.torch, "cuda", FakeCuda())
    x = CudaTensor(5)

    def step():
        x.value += 1

    run = device_steps.capture(step, [x])
    assert x.value == 5
    run()
    assert (x.value, FakeGraph.replays) == (5, 1)


def test_what_cannot_be_captured_is_launched(monkeypatch, caplog):
    """A step that waits for the device runs without a graph, and that is told."""
    cuda = FakeCuda()
    monkeypatch.setattr(device_steps.torch, "cuda", cuda)
    x = CudaTensor(5)

    def broken(graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    cuda.graph = broken
    with caplog.at_level(logging.INFO, "deepdream"):
        run = device_steps.capture(lambda: setattr(x, "value", x.value + 1), [x])
    run()

    assert x.value == 6
    assert "without a CUDA graph" in caplog.text


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_dream_on_a_gpu(precision):
    """One captured step is the step of the CPU, as far as the precision goes."""
    one = {"end": END, "iter_n": 1, "octave_n": 1, "seed": 2}
    expected = dream(net_with_mean(), picture(), **one) - picture()
    net = net_with_mean()
    gpu = Net(parse_prototxt(TINY), 1, device="cuda")
    seed_weights(gpu, 0)
    gpu.transformer = net.transformer

    ours = dream(gpu, picture(), precision=precision, **one) - picture()

    loose = {"float32": 1e-4, "tf32": 0.05, "bfloat16": 0.3}
    assert relative_error(ours, expected) < loose[precision]


# -- pictures and objectives ----------------------------------------------------------------------


def test_a_kept_step_keeps_its_picture():
    """Each step's picture can be read after the dream, whatever came later."""
    read_at_once, kept = [], []

    def on_step(step):
        kept.append(step)

    def on_step_reading(step):
        read_at_once.append(step.picture.copy())

    dream(net_with_mean(), picture(), seed=1, on_step=on_step, **SMALL)
    dream(net_with_mean(), picture(), seed=1, on_step=on_step_reading, **SMALL)

    for step, expected in zip(kept, read_at_once):
        np.testing.assert_array_equal(step.picture, expected)
    assert all(step.gradient > 0 for step in kept)


def test_a_step_that_nobody_keeps_costs_no_picture(monkeypatch):
    """Without a reader the picture never leaves the plan's device, but for the result."""
    reads = []
    real = Ascent._deprocess
    monkeypatch.setattr(Ascent, "_deprocess", lambda self, x: reads.append(1) or real(self, x))
    dream(net_with_mean(), picture(), seed=1, on_step=lambda step: None, **SMALL)

    assert len(reads) == 1


def test_memory_is_given_back():
    """A kept step does not keep the plan's memory."""
    ascent = planned()
    ascent.begin(0)
    ascent.step(Move(1, 2), Push())
    shown = ascent.picture()
    plan = weakref.ref(ascent._gradient.plan)
    ascent.result()
    del ascent
    gc.collect()

    assert plan() is None
    assert shown().shape == (53, 71, 3)


def test_one_plan_at_a_time():
    """The next octave's arrays are made after the last octave's plan has gone."""
    ascent = planned([(29, 37), (53, 71)])
    ascent.begin(0)
    ascent.step(Move(1, 2), Push())
    before, alive = weakref.ref(ascent._gradient.plan), []
    new = ascent._bases.new

    def watched(octave):
        alive.append(before())
        return new(octave)

    ascent._bases.new = watched
    ascent.begin(1)

    assert alive == [None]


def test_own_objectives_get_a_blob_like_the_nets():
    """An objective sees shape, data and a clean diff, and may use autograd inside."""
    seen = []

    def objective(dst):
        seen.append((dst.shape, dst.channels, dst.diff.any(), torch.is_grad_enabled()))
        dst.diff[:, 2] = dst.data[:, 2]

    write, local = writer(objective)
    assert isinstance(write, HostObjective)
    assert not local
    data, diff = torch.randn(1, 5, 3, 4), torch.full((1, 5, 3, 4), 7.0)
    with torch.no_grad():
        write(data, diff)
        write(data, diff)

    assert seen == [([1, 5, 3, 4], 5, False, True)] * 2
    assert torch.equal(diff[:, 2], data[:, 2])
    assert diff[:, 3].abs().max() == 0


@pytest.mark.parametrize("limit", [lambda: PLENTY, tight], ids=["whole", "tiles"])
def test_features_of_a_guide(limit):
    """Through a plan, at once or in tiles, the guide gives what it gives through the net."""
    expected = guide_features(net_with_mean(), picture(*LARGE), END)

    found = planned_features(Planner(net_with_mean(), END), picture(*LARGE), limit())

    assert_close(found, expected, 1e-5)


def test_precision_is_checked_and_recorded():
    """An unknown precision is refused; one that changes the picture is in its recipe."""
    with pytest.raises(ParameterError, match="precision is 'half': one of float32, tf32, bfloat16"):
        dream(net_with_mean(), picture(), precision="half", **SMALL)
    out = dream(net_with_mean(), picture(), seed=1, precision="tf32", **SMALL)

    assert out.recipe["parameters"]["precision"] == "tf32"
    plain = dream(net_with_mean(), picture(), seed=1, **SMALL)
    assert "precision" not in plain.recipe["parameters"]


def test_done_counts_what_is_computed():
    """With tiles at the largest octave only, its steps count for more than its pixels."""
    ascent = planned(sizes=[(29, 37), (53, 71)])
    assert ascent.work == [29 * 37, 53 * 71]
    assert dream_module.Step.gradient.fget is not None


@pytest.mark.parametrize("name", [name for name in NETS if len(NETS[name].inputs) == 1])
def test_nets_of_the_wild_dream_through_their_plans(name):
    """What a step adds to a picture is what the notebook's step adds with the net itself."""
    wild = NETS[name]
    h, w = wild.sizes[0]
    # Of forty pictures the one that keeps farthest from all edges of ReLUs and maxima.
    img = worker.natural_image((3, h, w), 0).transpose(1, 2, 0)

    def net():
        made = Net(parse_prototxt(wild.text()), 1, force_backward=True)
        seed_weights(made, 1)
        made.transformer = net_with_mean().transformer
        return made

    how = {"jitter": 0, "clip": False}
    for end in wild.ends:
        by_layers = net()
        by_layers.blobs["data"].reshape(1, 3, h, w)
        by_layers.blobs["data"].data[0] = preprocess(by_layers, img)
        make_step(by_layers, end=end, **how)
        expected = deprocess(by_layers, by_layers.blobs["data"].data[0]) - img
        dreaming = net()
        assert plan_source.plan_for(dreaming, end, "float32") is not None

        made = dream(dreaming, img, end, iter_n=1, octave_n=1, **how)

        assert_close(np.asarray(made) - img, expected, name=f"{name}, {end}")
