"""Input, DummyData, MemoryData."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import OneLayer, normal

from deepdream.errors import ParameterError, PrototxtError, ShapeError
from deepdream.running import fillers

pytestmark = pytest.mark.usefixtures("device")


def source(text: str, tops: int = 1, **kwargs) -> OneLayer:
    return OneLayer(text, tops=tops, **kwargs)


# -- Input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "tops", "made"),
    [
        ("shape { dim: 2 dim: 3 dim: 5 }", 1, [(2, 3, 5)]),
        ("shape { dim: 2 dim: 3 }", 2, [(2, 3), (2, 3)]),
        ("shape { dim: 2 dim: 3 } shape { dim: 4 }", 2, [(2, 3), (4,)]),
        ("shape { }", 1, [()]),
        ("shape { dim: 0 dim: 3 }", 1, [(0, 3)]),
    ],
)
def test_input_shapes(shapes, tops, made):
    """There may be one shape for all tops, or one for each."""
    assert source(f'type: "Input" input_param {{ {shapes} }}', tops).shapes == made


def test_input_without_shape_waits_for_reshape():
    """Without a shape the blob has no values until it is given one."""
    net = source('type: "Input"')

    assert net.top[0].count == 0
    net.top[0].reshape(2, 3)
    assert net.forward()[0].shape == (2, 3)


def test_input_keeps_what_it_is_given():
    """Forward and backward leave shape, data and diff alone."""
    net = source('type: "Input" input_param { shape { dim: 2 dim: 3 } }')
    net.top[0].reshape(4, 5)
    x = normal(1, 4, 5)
    net.top[0].data[...] = x
    net.top[0].diff[...] = 2 * x

    net.forward()
    net.backward()

    assert net.shapes == [(4, 5)]
    np.testing.assert_array_equal(net.top[0].data, x)
    np.testing.assert_array_equal(net.top[0].diff, 2 * x)


@pytest.mark.parametrize(
    ("shapes", "tops", "message"),
    [
        ("shape { dim: 2 } shape { dim: 3 }", 3, "2 shapes for 3 tops: none, one, or one for each"),
        ("shape { dim: -1 dim: 3 }", 1, "negative length"),
        ("shape { dim: 65536 dim: 65536 }", 1, "more than 2147483647 values"),
        ("shape { dim: 9223372036854775807 }", 1, "more than 2147483647 values"),
        ("", 0, "0 top blobs found, 1 or more expected"),
    ],
)
def test_input_refuses(shapes, tops, message):
    """Sizes that no blob can have are refused before memory is taken."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        source(f'type: "Input" input_param {{ {shapes} }}', tops)


# -- DummyData ----------------------------------------------------------------------------------


def test_constant_dummy_data_is_filled_once():
    """A value that the user writes over a constant stays."""
    text = 'type: "DummyData" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 5 } }'
    net = source(text)
    first = net.top[0].data.copy()
    net.top[0].data[0] = 7

    (y,) = net.forward()

    np.testing.assert_array_equal(first, np.full((2, 3), 5))
    np.testing.assert_array_equal(y, [[7, 7, 7], [5, 5, 5]])


def test_random_dummy_data_is_new_every_time():
    """Other fillers run before every forward, and follow the seed."""
    text = (
        'type: "DummyData" dummy_data_param { shape { dim: 4 dim: 5 } '
        'data_filler { type: "gaussian" } data_filler { value: 2 } }'
    )
    fillers.set_random_seed(3)
    net = source(text, 2)
    first, second = net.forward(), net.forward()
    fillers.set_random_seed(3)

    again = net.forward()

    assert (first[0] != second[0]).all()
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(second[1], np.full((4, 5), 2))


def test_old_dummy_data_fields():
    """num, channels, height and width may each be given once, or once for each top."""
    text = (
        'type: "DummyData" dummy_data_param { num: 2 channels: 3 channels: 4 height: 5 width: 7 }'
    )
    net = source(text, 2)

    assert net.shapes == [(2, 3, 5, 7), (2, 4, 5, 7)]
    assert not net.forward()[0].any()


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("", "0 shapes for 2 tops: one, or one for each"),
        ("num: 1 shape { dim: 1 }", "both given"),
        ("num: 1 channels: 1 height: 1", "width is given 0 times: 1 or 2 expected"),
        (
            "shape { dim: 1 } data_filler { } data_filler { } data_filler { }",
            "3 data_fillers for 2 tops",
        ),
        ("num: 4294967295 channels: 1 height: 1 width: 1", "more than 2147483647 values"),
    ],
)
def test_dummy_data_refuses(param, message):
    """Shapes and fillers are for all tops, or one for each."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        source(f'type: "DummyData" dummy_data_param {{ {param} }}', 2)


# -- MemoryData ---------------------------------------------------------------------------------

MEMORY = 'type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }'


def test_memory_data_goes_round():
    """Each forward takes the next batch, and after the last the first."""
    net = source(MEMORY, 2)
    x, labels = normal(1, 4, 3, 4, 5), np.array([7, 8, 9, 10.0])
    net.layer.reset(x, labels)

    runs = [net.forward() for _ in range(3)]

    for (data, label), batch in zip(runs, (slice(0, 2), slice(2, 4), slice(0, 2))):
        np.testing.assert_array_equal(data, x[batch])
        assert label.shape == (2, 1, 1, 1)
        np.testing.assert_array_equal(label.ravel(), labels[batch])


def test_memory_data_shapes_before_any_data():
    """The prototxt gives the shapes; the labels have one axis until the first forward."""
    assert source(MEMORY, 2).shapes == [(2, 3, 4, 5), (2,)]


def test_memory_data_refuses():
    """Arrays must fit, and be there."""
    net = source(MEMORY, 2)

    with pytest.raises(ParameterError, match="no data yet: call net.set_input_arrays"):
        net.forward()
    with pytest.raises(ParameterError, match=r"\(3, 3, 4, 5\) found, \(n, 3, 4, 5\) expected"):
        net.layer.reset(np.ones((3, 3, 4, 5)), np.ones(3))
    with pytest.raises(ParameterError, match=r"\(2, 3, 4, 6\) found"):
        net.layer.reset(np.ones((2, 3, 4, 6)), np.ones(2))
    with pytest.raises(ParameterError, match="3 labels found, 2 expected"):
        net.layer.reset(np.ones((2, 3, 4, 5)), np.ones(3))
    with pytest.raises(PrototxtError, match="batch_size is 0"):
        source('type: "MemoryData"', 2)
    with pytest.raises(PrototxtError, match="1 top blobs found, 2 expected"):
        source(MEMORY, 1)
