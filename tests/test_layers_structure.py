"""Split, Concat, Slice, Flatten, Reshape, Crop, Tile, Silence."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import OneLayer, check_gradient, normal

from deepdream.errors import PrototxtError, ShapeError

pytestmark = pytest.mark.usefixtures("device")

SHAPE = (2, 6, 5, 7)


def shares(a: np.ndarray, b: np.ndarray) -> bool:
    return np.shares_memory(a, b)


# -- Split --------------------------------------------------------------------------------------


def test_split_shares_data_and_sums_diffs():
    """The tops are the bottom's memory; its gradient is the sum of theirs, which are their own."""
    net = OneLayer('type: "Split"', SHAPE, tops=3)
    x, gs = normal(1, *SHAPE), [normal(2 + i, *SHAPE) for i in range(3)]

    tops = net.forward(x)
    (diff,) = net.backward(*gs)

    assert net.shapes == [SHAPE] * 3
    for blob, top in zip(net.top, tops):
        assert shares(blob.data, net.bottom[0].data)
        assert not shares(blob.diff, net.bottom[0].diff)
        np.testing.assert_array_equal(top, x)
    np.testing.assert_allclose(diff, gs[0] + gs[1] + gs[2], rtol=1e-12)


def test_split_of_nothing_has_no_gradient():
    """Where a picture has shrunk to nothing, backward says so, as Caffe's ends there."""
    net = OneLayer('type: "Split"', (1, 3, 0, 2), tops=2)
    net.forward(np.ones((1, 3, 0, 2)))

    with pytest.raises(ShapeError, match=r"\(1, 3, 0, 2\) are empty .* too small for this end"):
        net.backward()
    assert net.backward(propagate_down=[False])


# -- Concat -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "axis"), [("", 1), ("axis: 2", 2), ("axis: -1", 3), ("concat_dim: 0", 0)]
)
def test_concat(param, axis):
    """Bottoms lie one behind the other along the axis, and gradients go back to their parts."""
    shapes = []
    for length in (2, 3, 4):
        shape = list(SHAPE)
        shape[axis] = length
        shapes.append(tuple(shape))
    net = OneLayer(f'type: "Concat" concat_param {{ {param} }}', *shapes)
    xs = [normal(i, *shape) for i, shape in enumerate(shapes)]

    (y,) = net.forward(*xs)
    diffs = net.backward(y)

    np.testing.assert_array_equal(y, np.concatenate(xs, axis))
    for diff, x in zip(diffs, xs):
        np.testing.assert_array_equal(diff, x)
    check_gradient(net, *xs)


def test_concat_of_one_is_that_one():
    """A single bottom shares data and diff with the top."""
    net = OneLayer('type: "Concat"', SHAPE)

    assert shares(net.top[0].data, net.bottom[0].data)
    assert shares(net.top[0].diff, net.bottom[0].diff)
    np.testing.assert_array_equal(net.forward(normal(1, *SHAPE))[0], net.bottom[0].data)
    np.testing.assert_array_equal(net.backward(normal(2, *SHAPE))[0], normal(2, *SHAPE))


def test_concat_refuses():
    """Other axes must agree, and the axis be named once."""
    with pytest.raises(ShapeError, match=r"\(2, 3, 5\), \(2, 3, 4\).* except on axis 1"):
        OneLayer('type: "Concat"', (2, 3, 5), (2, 3, 4))
    with pytest.raises(ShapeError, match="except on axis 1"):
        OneLayer('type: "Concat"', (2, 3, 5), (2, 3))
    with pytest.raises(PrototxtError, match="axis and concat_dim are both given"):
        OneLayer('type: "Concat" concat_param { axis: 1 concat_dim: 1 }', (2, 3), (2, 3))
    with pytest.raises(PrototxtError, match="concat_dim is 4294967295"):
        OneLayer('type: "Concat" concat_param { concat_dim: 4294967295 }', (2, 3), (2, 3))
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        OneLayer('type: "Concat" concat_param { axis: 2 }', (2, 3), (2, 3))


# -- Slice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "axis", "ends"),
    [
        ("", 1, [2, 4]),
        ("slice_point: 1 slice_point: 4", 1, [1, 4]),
        ("axis: -1 slice_point: 2 slice_point: 3", 3, [2, 3]),
        ("slice_dim: 2 slice_point: 1 slice_point: 4", 2, [1, 4]),
    ],
)
def test_slice(param, axis, ends):
    """Tops are the parts between the cuts, and gradients go back to their places."""
    net = OneLayer(f'type: "Slice" slice_param {{ {param} }}', SHAPE, tops=3)
    x = normal(1, *SHAPE)

    tops = net.forward(x)
    (diff,) = net.backward(*tops)

    for top, part in zip(tops, np.split(x, ends, axis)):
        np.testing.assert_array_equal(top, part)
    np.testing.assert_array_equal(diff, x)
    check_gradient(net, x)


def test_slice_of_one_is_that_one():
    """A single top shares data and diff with the bottom."""
    net = OneLayer('type: "Slice"', SHAPE)

    assert shares(net.top[0].data, net.bottom[0].data)
    assert shares(net.top[0].diff, net.bottom[0].diff)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("slice_point: 1", "1 slice_point for 3 tops: 2 expected"),
        ("slice_point: 4 slice_point: 1", r"slice_point \[4, 1\]: increasing"),
        ("slice_point: 0 slice_point: 1", r"slice_point \[0, 1\]: increasing numbers above 0"),
        ("slice_point: 1 slice_point: 6", "slice_point 6 is not inside axis 1"),
        ("slice_point: 1 slice_point: 4294967295", "slice_point 4294967295 is not inside"),
        ("axis: 2", "cannot be cut in 3 parts"),
        ("axis: 1 slice_dim: 1", "axis and slice_dim are both given"),
        ("axis: 4", "axis 4 does not exist"),
    ],
)
def test_slice_refuses(param, message):
    """Cuts must increase, lie inside, and be one fewer than the tops."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(f'type: "Slice" slice_param {{ {param} }}', SHAPE, tops=3)


# -- Flatten and Reshape ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "made"),
    [
        ("", (2, 210)),
        ("axis: 0", (420,)),
        ("axis: 2", (2, 6, 35)),
        ("axis: 1 end_axis: 2", (2, 30, 7)),
        ("axis: -3 end_axis: -2", (2, 30, 7)),
    ],
)
def test_flatten(param, made):
    """The axes become one, data is shared, and so is diff from the first backward on."""
    net = OneLayer(f'type: "Flatten" flatten_param {{ {param} }}', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)
    before = shares(net.top[0].diff, net.bottom[0].diff)
    (diff,) = net.backward(2 * y)

    np.testing.assert_array_equal(y, x.reshape(made))
    np.testing.assert_array_equal(diff, 2 * x)
    assert shares(net.top[0].data, net.bottom[0].data)
    assert not before
    assert shares(net.top[0].diff, net.bottom[0].diff)


@pytest.mark.parametrize(
    ("param", "made"),
    [
        ("shape { dim: 0 dim: -1 }", (2, 210)),
        ("shape { dim: 3 dim: 4 dim: 0 dim: 0 }", (3, 4, 5, 7)),
        ("shape { dim: -1 }", (420,)),
        ("shape { dim: 2 dim: -1 } axis: 1 num_axes: 1", (2, 2, 3, 5, 7)),
        ("shape { dim: 1 } axis: 2 num_axes: 0", (2, 6, 1, 5, 7)),
        ("shape { dim: 1 } axis: -1", (2, 6, 5, 7, 1)),
        ("shape { dim: 0 dim: 35 } axis: 1", (2, 6, 35)),
    ],
)
def test_reshape(param, made):
    """0 keeps a length, -1 takes what is left, and data and diff are the bottom's."""
    net = OneLayer(f'type: "Reshape" reshape_param {{ {param} }}', SHAPE)
    x, g = normal(1, *SHAPE), normal(2, *made)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    np.testing.assert_array_equal(y, x.reshape(made))
    np.testing.assert_array_equal(diff, g.reshape(SHAPE))
    assert shares(net.top[0].data, net.bottom[0].data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "Flatten" flatten_param { axis: 3 end_axis: 1 }', "end_axis 1 lies before axis 3"),
        ('type: "Flatten" flatten_param { axis: 4 }', "axis 4 does not exist"),
        ('type: "Reshape" reshape_param { shape { dim: -1 dim: -1 } }', "more than one -1"),
        ('type: "Reshape" reshape_param { shape { dim: -2 } }', "negative length other than -1"),
        ('type: "Reshape" reshape_param { shape { dim: 421 } }', r"cannot become \(421,\)"),
        ('type: "Reshape" reshape_param { shape { dim: 11 dim: -1 } }', "no whole length for -1"),
        (
            'type: "Reshape" reshape_param { shape { dim: 420 dim: 1 dim: 1 dim: 1 dim: 0 } }',
            "no axis for 0 to keep",
        ),
        ('type: "Reshape" reshape_param { axis: 5 }', "axis 5 and num_axes -1 reach beyond"),
        ('type: "Reshape" reshape_param { num_axes: -3 }', "num_axes is -3"),
        ('type: "Reshape" reshape_param { axis: 2 num_axes: 3 }', "num_axes 3 reach beyond"),
        (
            'type: "Reshape" reshape_param { shape { dim: 9223372036854775807 dim: -1 } }',
            "no whole length",
        ),
    ],
)
def test_flatten_and_reshape_refuse(text, message):
    """Axes must exist and the number of values stay."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(text, SHAPE)


# -- Crop and Tile ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "like", "starts"),
    [
        ("", (9, 9, 3, 4), (0, 0, 0, 0)),
        ("offset: 2", (9, 9, 3, 4), (0, 0, 2, 2)),
        ("offset: 1 offset: 3", (9, 9, 3, 4), (0, 0, 1, 3)),
        ("axis: 1 offset: 1", (9, 2, 3, 4), (0, 1, 1, 1)),
        ("axis: -1 offset: 3", (9, 9, 9, 4), (0, 0, 0, 3)),
    ],
)
def test_crop(param, like, starts):
    """The first bottom is cut to the second's size, from the axis on; the second gets nothing."""
    net = OneLayer(f'type: "Crop" crop_param {{ {param} }}', SHAPE, like)
    x = normal(1, *SHAPE)
    net.bottom[1].diff[...] = 7

    (y,) = net.forward(x, np.ones(like))
    diff, other = net.backward(y)

    axis = {"axis: 1 offset: 1": 1, "axis: -1 offset: 3": 3}.get(param, 2)
    made = (*SHAPE[:axis], *like[axis:])
    part = tuple(slice(start, start + length) for start, length in zip(starts, made))
    np.testing.assert_array_equal(y, x[part])
    wanted = np.zeros(SHAPE)
    wanted[part] = x[part]
    np.testing.assert_array_equal(diff, wanted)
    assert (other == 7).all()


def test_crop_refuses():
    """The cut must lie inside, and offsets be one, or one for each axis."""
    with pytest.raises(ShapeError, match="offset 2 and length 4 reach beyond axis 2"):
        OneLayer('type: "Crop" crop_param { offset: 2 }', SHAPE, (2, 6, 4, 4))
    text = 'type: "Crop" crop_param { offset: 1 offset: 1 offset: 1 }'
    with pytest.raises(PrototxtError, match="3 offsets found, 1 or 2 expected"):
        OneLayer(text, SHAPE, (2, 6, 3, 3))
    with pytest.raises(ShapeError, match="as many axes are expected"):
        OneLayer('type: "Crop"', SHAPE, (2, 6, 3))
    with pytest.raises(ShapeError, match="offset 4294967295 and length 3 reach beyond"):
        OneLayer('type: "Crop" crop_param { offset: 4294967295 }', SHAPE, (2, 6, 3, 3))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_tile(axis):
    """Copies follow one another along the axis, and their gradients add up."""
    net = OneLayer(f'type: "Tile" tile_param {{ axis: {axis} tiles: 3 }}', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    np.testing.assert_array_equal(y, np.concatenate([x] * 3, axis))
    check_gradient(net, x)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("", "tiles is missing"),
        ("tiles: 0", "tiles is 0: at least 1"),
        ("tiles: 2 axis: 4", "axis 4 does not exist"),
        ("tiles: 2147483647", "more than 2147483647 values"),
    ],
)
def test_tile_refuses(param, message):
    """There must be copies, but not more than a blob can hold."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(f'type: "Tile" tile_param {{ {param} }}', SHAPE)


# -- Silence and all ----------------------------------------------------------------------------


def test_silence_sends_zeros_back():
    """Bottoms that nobody reads get a gradient of zero, where they want one."""
    net = OneLayer('type: "Silence"', (2, 3), (4,), tops=0)
    for blob in net.bottom:
        blob.diff[...] = 7

    net.forward(np.ones((2, 3)), np.ones(4))
    diffs = net.backward(propagate_down=[True, False])

    assert not diffs[0].any()
    assert (diffs[1] == 7).all()


@pytest.mark.parametrize(
    ("text", "shapes", "tops"),
    [
        ('type: "Split"', 1, 1),
        ('type: "Concat"', 2, 1),
        ('type: "Slice"', 1, 2),
        ('type: "Flatten"', 1, 1),
        ('type: "Reshape" reshape_param { shape { dim: -1 } }', 1, 1),
        ('type: "Crop"', 2, 1),
        ('type: "Tile" tile_param { tiles: 2 }', 1, 1),
    ],
)
def test_no_work_in_place(text, shapes, tops):
    """A top that is a bottom would be overwritten before it is read."""
    with pytest.raises(PrototxtError, match="cannot work in place"):
        OneLayer(text, *[SHAPE] * shapes, tops=tops, in_place=True)


@pytest.mark.parametrize(
    ("text", "shapes", "tops"),
    [
        ('type: "Concat"', 2, 1),
        ('type: "Slice"', 1, 2),
        ('type: "Flatten"', 1, 1),
        ('type: "Reshape" reshape_param { shape { dim: 0 dim: 0 } num_axes: 2 }', 1, 1),
        ('type: "Crop"', 2, 1),
        ('type: "Tile" tile_param { tiles: 2 }', 1, 1),
    ],
)
def test_empty_blobs_pass(text, shapes, tops):
    """Nothing goes in, nothing comes out."""
    shape = (1, 4, 0, 2)
    net = OneLayer(text, *[shape] * shapes, tops=tops)

    made = net.forward(*[np.ones(shape)] * shapes)

    assert [top.size for top in made] == [0] * tops
    assert net.backward(*made)[0].shape == shape


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('type: "Split"', True),
        ('type: "Concat"', True),
        ('type: "Flatten"', False),
        ('type: "Reshape" reshape_param { shape { dim: -1 } }', False),
        ('type: "Tile" tile_param { tiles: 2 }', True),
        ('type: "Tile" tile_param { tiles: 2 axis: 2 }', False),
    ],
)
def test_windows(text, seen):
    """A layer that leaves pixels where they are tells a window, one that moves them none."""
    assert (OneLayer(text, SHAPE).layer.window() is not None) == seen
