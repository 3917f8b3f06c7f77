"""What stands before the passes of a net of the real Caffe, with a fake in its place."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from contract import PROTOTXT, fill
from fake_caffe import FakeCaffeNet

from deepdream.errors import PrototxtError, ShapeError
from deepdream.models.guarded import guarded_class
from deepdream.running.graph import Graph, read_wired


@pytest.fixture
def net(tmp_path):
    """The contract's net, as the adapter has it."""
    path = tmp_path / "net.prototxt"
    path.write_text(PROTOTXT)
    made = guarded_class(SimpleNamespace(Net=FakeCaffeNet))()
    made.graph = Graph(*read_wired(path), 1)
    return made


def test_shapes_are_looked_at_once(net, monkeypatch):
    """A size and an end that have been seen cost a look into a set."""
    looked, infer = [], net.graph.infer_shapes

    def look(*arguments, **more):
        looked.append(arguments)
        return infer(*arguments, **more)

    monkeypatch.setattr(net.graph, "infer_shapes", look)
    fill(net)
    for _ in range(3):
        net.forward(end="sum")
    assert len(looked) == 1
    net.forward(end="left")
    net.blobs["data"].reshape(1, 3, 6, 4)
    net.forward(end="sum")
    assert len(looked) == 3
    net.forward(start="left", end="sum")  # from blobs that are the user's
    assert len(looked) == 3


def test_what_would_end_the_process_is_an_error(net):
    """Nothing left of the picture, whoever runs the net."""
    net.blobs["data"].reshape(2, 3, 0, 7)
    for call in (net.forward, net.reshape):
        with pytest.raises(ShapeError, match="too small"):
            call()
    with pytest.raises(ShapeError, match="input 'data' of this net has no values"):
        net.backward(start="left")


def test_layers_without_a_gradient(net):
    """They are named before backward runs them, also beside the way."""
    object.__setattr__(net.graph._layers[5], "type", "ArgMax")
    fill(net)
    net.forward()
    with pytest.raises(PrototxtError, match="'right' .ArgMax.*no gradient"):
        net.backward(start="sum")
    net.backward(start="left")


def test_without_a_graph_nothing_is_looked_at(net):
    """The net is Caffe's alone, and says that it knows no shapes."""
    assert net.infer_shapes({"data": (1, 3, 6, 4)}, "left")["left"] == (1, 3, 6, 4)
    net.graph = None
    assert not hasattr(net, "infer_shapes")
    fill(net)
    assert sorted(net.forward()) == ["sum"]
