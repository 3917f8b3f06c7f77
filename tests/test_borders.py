"""What the net sees of a picture, and what lies beyond its border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.dreaming.pictures.borders import BORDERS, MARGIN, Canvas, canvas_for, continued, runs
from deepdream.dreaming.pictures.looks import Look, Move
from deepdream.dreaming.pictures.operations import Operations

OPS = Operations()
PAD = {"roll": "wrap", "reflect": "reflect", "edge": "edge"}


def picture(h, w, seed=0):
    return np.random.RandomState(seed).uniform(-120, 140, (h, w, 3)).astype(np.float32)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("n", [1, 2, 3, 11])
def test_an_axis_goes_on_as_numpys_pad(border, n):
    """For so many positions on both sides that the axis is passed several times."""
    if n == 1 and border == "reflect":  # NumPy has nothing to mirror: it stays where it is
        assert not continued(np.arange(-5, 6), 1, border).any()
        return
    expected = np.pad(np.arange(n), 3 * n + 2, PAD[border])

    np.testing.assert_array_equal(continued(np.arange(-3 * n - 2, 4 * n + 2), n, border), expected)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.booleans())
def test_runs_put_an_index_together(index, turns):
    """The pieces follow each other, and name what the index names."""
    x, at = np.arange(10), 0
    found = []
    for to, source in runs(np.array(index), turns):
        assert to.start == at
        at = to.stop
        if not turns:
            assert source.step is None
            assert len(x[source]) == to.stop - to.start
        found += [*np.broadcast_to(x[source], to.stop - to.start)]

    assert found == index


@pytest.mark.parametrize(("ox", "oy"), [(0, 0), (3, -5), (-32, 31), (40, -77)])
def test_a_rolled_canvas_is_numpys_roll(ox, oy):
    """Of the picture's own size, and the way back is the roll back."""
    x = picture(23, 31)
    look = Look(OPS, canvas_for((23, 31), "roll", 32, None), Move(ox, oy))
    seen = np.empty((23, 31, 3), np.float32)
    look.write(seen, x)

    np.testing.assert_array_equal(seen, np.roll(np.roll(x, ox, 1), oy, 0))
    np.testing.assert_array_equal(look.back(seen), x)


@pytest.mark.parametrize("border", ["reflect", "edge"])
@pytest.mark.parametrize(("ox", "oy"), [(0, 0), (3, -5), (-32, 31)])
@pytest.mark.parametrize("stride", [None, (16, 8)])
def test_a_continued_canvas_is_numpys_pad(border, ox, oy, stride):
    """The picture lies whole in it, with a margin on all sides, and goes on around itself."""
    x = picture(23, 31)
    canvas = canvas_for((23, 31), border, 32, stride)
    look = Look(OPS, canvas, Move(ox, oy))
    seen = np.empty((*canvas.shape, 3), np.float32)
    look.write(seen, x)
    down, along = canvas.window(ox, oy)

    for span, n, whole in ((down, 23, canvas.shape[0]), (along, 31, canvas.shape[1])):
        assert span.stop - span.start == n
        assert span.start >= MARGIN
        assert span.stop <= whole - MARGIN
    around = (
        (down.start, canvas.shape[0] - down.stop),
        (along.start, canvas.shape[1] - along.stop),
    )
    np.testing.assert_array_equal(seen, np.pad(x, (*around, (0, 0)), PAD[border]))
    np.testing.assert_array_equal(look.back(seen), x)


def test_offsets_count_modulo_the_stride():
    """All places of the grid come up, and the canvas has no room for more."""
    canvas = canvas_for((23, 31), "reflect", 32, (16, 8))
    offsets = range(-32, 33)

    assert canvas.shape == (23 + 15 + 2 * MARGIN, 31 + 7 + 2 * MARGIN)
    assert {canvas.place(0, o) - MARGIN for o in offsets} == set(range(16))
    assert {canvas.place(1, o) - MARGIN for o in offsets} == set(range(8))
    few = canvas_for((23, 31), "reflect", 2, (16, 8))
    assert {few.place(0, o) - MARGIN for o in range(-2, 3)} == set(range(5))


@pytest.mark.parametrize("border", BORDERS)
def test_a_crop_of_the_canvas_is_cut_from_the_whole(border):
    """What a tile sees is what the whole would show there."""
    x = picture(23, 31)
    canvas = canvas_for((23, 31), border, 5, None)
    for move in (Move(4, -3), Move(4, -3, 12.0, 1.2, True)):
        look = Look(OPS, canvas, move)
        whole = np.empty((*canvas.shape, 3), np.float32)
        look.write(whole, x)
        crop = slice(2, 19), slice(7, 30)
        part = np.empty((17, 23, 3), np.float32)
        look.write(part, x, crop)

        np.testing.assert_array_equal(part, whole[crop])


def test_a_rolled_canvas_may_be_larger():
    """What is rolled goes on below and to the right by its border's values."""
    x = picture(5, 7)
    look = Look(OPS, Canvas((5, 7), (8, 9)), Move(2, -1))
    seen = np.empty((8, 9, 3), np.float32)
    look.write(seen, x)
    rolled = np.roll(np.roll(x, 2, 1), -1, 0)

    np.testing.assert_array_equal(seen, np.pad(rolled, ((0, 3), (0, 2), (0, 0)), "edge"))
    np.testing.assert_array_equal(look.back(seen), x)


def test_a_larger_rolled_canvas_is_turned_first():
    """As on one of the picture's own size, then continued; the gradient there is not used."""
    x, move = picture(11, 17), Move(3, -2, 17.0, 1.2, True)
    own, larger = (Look(OPS, Canvas((11, 17), shape), move) for shape in ((11, 17), (13, 20)))
    turned, seen = np.empty((11, 17, 3), np.float32), np.empty((13, 20, 3), np.float32)
    own.write(turned, x)
    larger.write(seen, x)
    around = ((0, 2), (0, 3), (0, 0))
    np.testing.assert_array_equal(seen, np.pad(turned, around, "edge"))
    part = np.empty((4, 9, 3), np.float32)
    larger.write(part, x, (slice(9, 13), slice(11, 20)))
    np.testing.assert_array_equal(part, seen[9:, 11:])

    g = picture(13, 20, 1)
    np.testing.assert_array_equal(larger.back(g), own.back(g[:11, :17].copy()))


@pytest.mark.parametrize("border", BORDERS)
def test_a_quarter_turn_and_a_mirror_are_numpys(border):
    """On a square: whole pixels come out as they went in, counter-clockwise."""
    x = picture(9, 9)
    canvas = canvas_for((9, 9), border, 0, None)
    top = 0 if border == "roll" else MARGIN
    window = slice(top, top + 9), slice(top, top + 9)
    for move, expected in (
        (Move(0, 0, angle=90.0), np.rot90(x)),
        (Move(0, 0, flip=True), x[:, ::-1]),
    ):
        look = Look(OPS, canvas, move)
        seen = np.empty((*canvas.shape, 3), np.float32)
        look.write(seen, x)

        np.testing.assert_allclose(seen[window], expected, atol=1e-3)
        if border == "roll":  # beyond the border others would fold it back, or drop it
            np.testing.assert_allclose(look.back(seen), x, atol=1e-3)


def test_an_enlarged_picture_shows_its_middle():
    """At twice the size, every second pixel is one of the picture's."""
    x = picture(9, 9)
    look = Look(OPS, canvas_for((9, 9), "edge", 0, None, margin=0), Move(0, 0, scale=2.0))
    seen = np.empty((9, 9, 3), np.float32)
    look.write(seen, x)

    np.testing.assert_allclose(seen[::2, ::2], x[2:7, 2:7], atol=1e-3)


def test_the_rim_is_faded_on_all_sides():
    """By the square root of a half at the edge, not at all further in; corners by both."""
    g = np.ones((31, 40, 3), np.float32)
    OPS.fade(g, OPS.gains((31, 40)))
    root = np.sqrt(0.5)

    np.testing.assert_allclose(g[0, 12], root, rtol=1e-6)
    np.testing.assert_allclose(g[15, -1], root, rtol=1e-6)
    np.testing.assert_allclose(g[-1, 0], 0.5, rtol=1e-6)
    assert (g[8:-8, 8:-8] == 1).all()
    assert (np.diff(g[:16, 20, 0]) >= 0).all()
    np.testing.assert_array_equal(g, g[::-1, ::-1])
    small = np.ones((3, 5, 3), np.float32)
    OPS.fade(small, OPS.gains((3, 5)))
    assert small.min() > 0.3
