"""Which sizes of pictures a net takes."""

from __future__ import annotations

import itertools
import math
import random
import time

import pytest
from tiny import TINY
from uneven import ASKEW, FIXED, RARE, UNEVEN, branches, head

from deepdream.errors import DeepDreamError, ShapeError
from deepdream.reading.proto import parse_prototxt
from deepdream.running.geometry import views
from deepdream.running.graph import Graph, read_wired
from deepdream.running.sizes import Sizes, shapes_by_size, sizes_of

TEST = 1


def graph(text: str) -> Graph:
    return Graph(*read_wired(parse_prototxt(text)), TEST)


def takes(net: Graph, end: str, size: tuple[int, int]) -> bool:
    """Ask the net itself."""
    try:
        shapes = net.infer_shapes({"data": (1, 3, *size)}, end)
    except ShapeError:
        return False
    return all(map(math.prod, shapes.values()))


# -- against slow loops ---------------------------------------------------------------------------


def drawn(r: random.Random) -> tuple[str, str]:
    """Return a net with branches that meet, of any kernels, strides and pads, and its end."""
    text, bottom = head(r.randint(17, 70), r.randint(17, 70)), "data"
    for number in range(r.randint(1, 4)):
        strides = [r.choice([1, 2, 2, 3]) for _ in "hw"]
        settings = []
        for _ in range(2):
            kernel = [max(stride, r.randint(1, 4)) for stride in strides]
            pad = [r.randint(0, k - 1) if r.random() < 0.6 else 0 for k in kernel]
            settings.append(
                " ".join(
                    f"{name}_{axis}: {value}"
                    for name, values in (("kernel", kernel), ("stride", strides), ("pad", pad))
                    for axis, value in zip("hw", values)
                )
            )
        text += branches(number, bottom, *settings)
        bottom = f"cat{number}"
    return text, bottom


@pytest.mark.parametrize("seed", range(12))
def test_the_next_sizes_are_those_that_slow_loops_find(seed):
    """The smallest fitting size that is nowhere smaller, the largest that is nowhere larger."""
    r = random.Random(seed)
    while True:
        text, end = drawn(r)
        try:
            net = graph(text)
            break
        except DeepDreamError:  # branches that never meet
            continue
    sizes = Sizes(net, end)
    fit = [size for size in itertools.product(range(1, 91), repeat=2) if takes(net, end, size)]

    for _ in range(10):
        h, w = r.randint(1, 60), r.randint(1, 60)
        larger = [size for size in fit if size[0] >= h and size[1] >= w]
        smaller = [size for size in fit if size[0] <= h and size[1] <= w]
        assert sizes.fits((h, w)) == ((h, w) in fit)
        found = sizes.larger((h, w))
        if larger or (found is not None and max(found) < 91):
            assert found == min(larger, key=math.prod)
        assert sizes.smaller((h, w)) == max(smaller, key=math.prod, default=None)


@pytest.mark.parametrize(
    ("text", "end", "size", "smaller", "larger"),
    [
        (UNEVEN, "cat1", (183, 182), (182, 182), (184, 182)),
        (UNEVEN, "cat1", (182, 183), (182, 182), (182, 184)),
        (UNEVEN, "cat1", (183, 183), (182, 182), (184, 184)),
        (UNEVEN, "a1", (183, 183), (183, 183), (183, 183)),
        (UNEVEN, "p1", (183, 183), (183, 183), (183, 183)),
        (RARE, "cat5", (33, 161), (32, 160), (64, 192)),
        (RARE, "cat4", (33, 161), (32, 160), (48, 176)),
        (RARE, "cat5", (96, 191), (96, 160), (96, 192)),
        (ASKEW, "cat1", (61, 102), (60, 102), (62, 102)),
        (ASKEW, "cat1", (60, 103), (60, 102), (60, 105)),
        (ASKEW, "cat1", (61, 104), (60, 102), (62, 105)),
    ],
)
def test_height_and_width_are_looked_at_apart(text, end, size, smaller, larger):
    """Each side goes to its own next size; a target before the branches meet takes every one."""
    sizes = Sizes(graph(text), end)

    assert sizes.smaller(size) == smaller
    assert sizes.larger(size) == larger
    assert takes(graph(text), end, larger)


def test_rare_sizes_are_found_at_once():
    """The worst of a net that takes one size in 1024 costs some thousand looks at shapes."""
    net = graph(RARE)
    began = time.process_time()
    for side in range(900, 932):
        assert Sizes(net, "cat5").larger((side, side + 5)) == (
            -(-side // 32) * 32, -(-(side + 5) // 32) * 32,
        )  # fmt: skip
    assert time.process_time() - began < 5


# -- too small ------------------------------------------------------------------------------------


def test_too_small_is_where_a_layer_has_nothing_to_look_at():
    """Not where branches differ, nor where an inner product wants another shape."""
    tiny = Sizes(graph(TINY), "a/output")
    least = next(n for n in range(1, 30) if not tiny.too_small((n, n)))
    assert takes(graph(TINY), "a/output", (least, least))
    assert not takes(graph(TINY), "a/output", (least - 1, least - 1))

    uneven, rare = Sizes(graph(UNEVEN), "cat1"), Sizes(graph(RARE), "cat5")
    assert [n for n in range(1, 9) if uneven.too_small((n, n))] == [1]
    assert not uneven.too_small((3, 3))
    assert [n for n in range(1, 60) if rare.too_small((n, n))] == [*range(1, 17)]
    assert rare.larger((17, 17)) == (32, 32)
    assert rare.too_small((90, 16))
    assert rare.too_small((16, 90))
    fixed = Sizes(graph(FIXED), "fc")
    assert not fixed.too_small((9, 7))
    assert not fixed.too_small((900, 700))
    assert fixed.too_small((1, 48))


def test_too_large_is_not_too_small():
    """A blob of more than 2**31 values is the layer's to tell."""
    sizes = Sizes(graph(UNEVEN), "cat1")

    assert not sizes.too_small((100_000, 100_000))
    assert sizes.larger((100_000, 100_000)) is None
    refusal = sizes.refusal((100_000, 100_000))
    assert refusal is not None
    assert "more than 2147483647 values" in sizes.named(refusal)


# -- one size only --------------------------------------------------------------------------------


def test_behind_an_inner_product_there_is_one_size():
    """Smaller ones lead there, from larger ones nothing does; both are told apart by axis."""
    sizes = Sizes(graph(FIXED), "fc")

    assert sizes.declared == (64, 48)
    assert sizes.only() == ((64, 48), (64, 48))
    assert sizes.larger((20, 31)) == (64, 48)
    assert sizes.larger((64, 48)) == (64, 48)
    assert sizes.smaller((131, 90)) == (64, 48)
    for size in ((65, 48), (64, 49), (20, 49), (500, 400)):
        assert sizes.larger(size) is None
    assert Sizes(graph(FIXED), "cat1").only() is None


def test_what_rounds_to_the_same_shapes_fits_too():
    """All sizes between the smallest and the largest around the prototxt's own."""
    net = graph(TINY)
    usual = net.infer_shapes()["pool2"]
    smallest, largest = Sizes(net, "fc").only()
    sides = [range(a, b + 1) for a, b in zip(smallest, largest)]

    assert smallest[0] < 29 <= largest[0]
    for size in itertools.product(range(20, 40), range(28, 48)):
        inside = size[0] in sides[0] and size[1] in sides[1]
        assert (net.infer_shapes({"data": (1, 3, *size)}, "pool2")["pool2"] == usual) == inside
        assert takes(net, "fc", size) or not inside


def test_nothing_of_the_net_is_changed():
    """Neither its blobs nor what an end sees."""
    net = graph(FIXED)
    before = {name: tuple(blob.shape) for name, blob in net.blobs.items()}
    sizes = Sizes(net, "fc")
    sizes.larger((33, 21))
    sizes.only()

    assert {name: tuple(blob.shape) for name, blob in net.blobs.items()} == before
    net.blobs["data"].reshape(1, 3, 77, 99)
    assert Sizes(net, "fc").declared == (64, 48)


def test_a_net_whose_layers_are_not_known_takes_whatever_comes():
    """There is nothing to look at."""
    assert sizes_of(object(), "top") is None


# -- layers in Python -----------------------------------------------------------------------------

PYTHON = """
from deepdream.caffe import Layer

class Even(Layer):
    def setup(self, bottom, top):
        pass
    def reshape(self, bottom, top):
        n, c, h, w = bottom[0].shape
        if w % 5 or h % 2:
            raise ValueError("no")
        top[0].reshape(n, c, h, w)
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff

class Square(Even):
    def reshape(self, bottom, top):
        n, c, h, w = bottom[0].shape
        if h != w:
            raise ValueError("no square")
        top[0].reshape(n, c, h, w)
"""


@pytest.mark.parametrize(
    ("kind", "size", "larger"),
    [
        ("Even", (31, 46), (32, 50)),
        ("Even", (32, 51), (32, 55)),
        ("Square", (31, 46), (46, 46)),
        ("Square", (46, 31), (46, 46)),
    ],
)
def test_what_only_the_users_own_code_knows(tmp_path, monkeypatch, kind, size, larger):
    """Sizes are tried one by one, those that differ least first."""
    (tmp_path / "picky_layers.py").write_text(PYTHON)
    monkeypatch.syspath_prepend(str(tmp_path))
    net = graph(
        head(40, 40) + f'layer {{ name: "x" type: "Python" bottom: "data" top: "x" python_param {{ '
        f'module: "picky_layers" layer: "{kind}" }} }}\n'
    )

    assert Sizes(net, "x").larger(size) == larger


# -- shapes of what is continued ------------------------------------------------------------------


def test_shapes_go_on_behind_a_size_that_does_not_fit():
    """Blobs before it have the picture's own shapes, those behind the continued one's."""
    net = graph(RARE)
    shapes, beyond = shapes_by_size(net, {"data": (1, 3, 35, 64)})

    assert shapes["a1"] == (1, 4, 18, 32)
    assert shapes["p1"] == (1, 3, 17, 32)
    assert [size for size, _ in beyond] == [(36, 64), (40, 64), (48, 64), (64, 64)]
    assert beyond[0][1]["cat1"] == (1, 7, 18, 32)
    assert beyond[3][1]["cat5"] == (1, 23, 2, 2)
    seen = views(net, {"data": (1, 3, 35, 64)})
    assert seen["cat5"].shape == (1, 23, 2, 2)
    assert seen["a1"].shape == (1, 4, 18, 32)
    assert [*seen] == [*views(net)]


def test_shapes_end_where_nothing_fits():
    """Behind an inner product a larger picture has none."""
    net = graph(FIXED)

    assert "fc" not in views(net, {"data": (1, 3, 66, 48)})
    assert views(net, {"data": (1, 3, 60, 48)})["fc"].shape == (1, 5)
    assert "cat1" not in views(net, {"data": (1, 3, 1, 1)})
