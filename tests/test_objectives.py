"""What objectives write into dst.diff."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import FakeBlob

from deepdream.dreaming.objectives import (
    ask,
    functions,
    objective_channel,
    objective_guide,
    objective_L2,
)
from deepdream.errors import ParameterError, ShapeError


def blob(rng, *shape):
    made = FakeBlob(*shape)
    made.data[...] = rng.standard_normal(shape)
    return made


def test_L2_writes_the_data():
    """The gradient of half the squared length is the data itself."""
    dst = blob(np.random.RandomState(1), 2, 3, 5, 7)

    objective_L2(dst)

    np.testing.assert_array_equal(dst.diff, dst.data)
    assert dst.diff is not dst.data


def test_guide_writes_the_best_matching_column_at_each_position():
    """No other guide column has a larger dot product than the one written."""
    rng = np.random.RandomState(2)
    dst = blob(rng, 1, 6, 5, 7)
    guide = rng.standard_normal((6, 4, 3)).astype(np.float32)

    objective_guide(guide)(dst)

    columns = guide.reshape(6, -1).T
    for y in range(5):
        for x in range(7):
            products = [float(column @ dst.data[0, :, y, x]) for column in columns]
            np.testing.assert_array_equal(dst.diff[0, :, y, x], columns[np.argmax(products)])


def test_guide_matches_piece_by_piece_as_in_one(monkeypatch):
    """Matching a few positions at a time gives what matching all at once gives."""
    rng = np.random.RandomState(3)
    guide = rng.standard_normal((6, 4, 3)).astype(np.float32)
    whole, pieces = blob(rng, 1, 6, 5, 7), FakeBlob(1, 6, 5, 7)
    pieces.data[...] = whole.data

    objective_guide(guide)(whole)
    monkeypatch.setattr(functions, "_MATCHES_AT_ONCE", 12 * 4)
    objective_guide(guide)(pieces)

    np.testing.assert_array_equal(pieces.diff, whole.diff)


def test_guide_of_another_layer_is_refused():
    """Features with another number of channels cannot guide; both numbers are told."""
    with pytest.raises(ShapeError, match="6 channels, the target has 5"):
        objective_guide(np.ones((6, 4, 3), np.float32))(FakeBlob(1, 5, 3, 7))


@pytest.mark.parametrize("at_once", [2**26, 12 * 14, 1], ids=["whole", "two rows", "one row"])
def test_guide_on_tensors_is_the_guide_on_arrays(monkeypatch, at_once):
    """Tensors of any layout, whole or row by row, get the columns that arrays get."""
    rng = np.random.RandomState(4)
    dst = blob(rng, 1, 6, 5, 7)
    objective = objective_guide(rng.standard_normal((6, 4, 3)).astype(np.float32))
    objective(dst)
    monkeypatch.setattr(functions, "_MATCHES_AT_ONCE", at_once)

    # the target of a plan may be some channels of a wider, channels-last array
    wide = torch.zeros(1, 9, 5, 7).contiguous(memory_format=torch.channels_last)
    data, diff = wide[:, 2:8], torch.full((1, 6, 5, 7), 99.0)
    data.copy_(torch.from_numpy(dst.data))
    objective.on_tensors(data, diff)

    np.testing.assert_array_equal(diff.numpy(), dst.diff)
    with pytest.raises(ShapeError, match="6 channels, the target has 9"):
        objective.on_tensors(wide, diff)


def test_guide_has_a_plain_name():
    """In a recipe a guide is called as the function that made it."""
    assert objective_guide(np.ones((6, 4, 3), np.float32)).__qualname__ == "objective_guide"


def test_an_objective_without_what_it_needs_is_one_sentence():
    """No guide, the function itself in an objective's place, several channels."""
    dst = blob(np.random.RandomState(1), 1, 3, 5, 7)
    with pytest.raises(ParameterError, match="has got nothing: give dream.guide=PICTURE"):
        objective_guide()
    with pytest.raises(ParameterError, match="has got a FakeBlob: give dream.guide=PICTURE"):
        objective_guide(dst)
    with pytest.raises(ParameterError, match=r"channel is \[1, 2\]: one whole number"):
        objective_channel([1, 2])
    with pytest.raises(ParameterError, match="channel is FakeBlob: one whole number"):
        objective_channel(dst)
    for channel in (True, 1.0, "1", None):
        with pytest.raises(ParameterError, match="one whole number"):
            objective_channel(channel)
    objective_channel(np.int64(2))(dst)
    np.testing.assert_array_equal(dst.diff[:, 2], dst.data[:, 2])


def test_an_objective_that_returns_and_writes_nothing_is_told():
    """What it returns besides does not matter."""
    dst = blob(np.random.RandomState(1), 1, 3, 5, 7)
    with pytest.raises(ParameterError, match="returned a ndarray and wrote nothing: .* dst.diff"):
        ask(lambda dst: dst.data, dst)
    with pytest.raises(ParameterError, match="returned a float and wrote nothing"):
        ask(lambda dst: float(dst.data.mean()), dst)

    def writes(dst):
        dst.diff[...] = dst.data
        return 1.0

    ask(writes, dst)
    ask(objective_L2, dst)
    dst.diff[...] = 0
    ask(lambda dst: None, dst)  # nothing written is told where the gradient is zero
