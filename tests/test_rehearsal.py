"""The child process that builds a Caffe net first, with a short Caffe in the real one's place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deepdream.models.rehearsal import rehearse

CAFFE = """
import os

class Net:
    def __init__(self, path, phase):
        assert phase == 1
        print("my net has no weights", end="")
        {in_net}
    def copy_from(self, path):
        {in_weights}

def set_device(number):
    assert number == 3
def set_mode_gpu():
    {in_device}
"""
DIES = (
    r"""os.write(2, b"F1125 08:21:42.0 1 filler.hpp:294] Check failed: no filler\n"); os.abort()"""
)


@pytest.fixture
def rehearsed(tmp_path, monkeypatch):
    """Return what a rehearsal finds where one of Caffe's functions does something."""

    def run(device="cpu", **lines):
        body = {"in_net": "pass", "in_weights": "pass", "in_device": "pass", **lines}
        (tmp_path / "caffe.py").write_text(CAFFE.format(**body))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path, Path("elsewhere")])  # Python passes over it
        return rehearse(tmp_path / "a.prototxt", tmp_path / "a.caffemodel", device)

    return run


@pytest.mark.parametrize(
    ("where", "done"),
    [
        ("in_device", set()),
        ("in_net", {"device"}),
        ("in_weights", {"device", "net"}),
        ("nowhere", {"device", "net", "weights"}),
    ],
)
def test_how_far_caffe_came(rehearsed, where, done):
    """Up to the step it died in, whatever layers print, with its last words."""
    found = rehearsed("cuda:3", **({where: DIES} if where != "nowhere" else {}))

    assert found.done == done
    assert found.died == (where != "nowhere")
    if found.died:
        assert found.words == "Check failed: no filler"


def test_an_exception_is_no_death(rehearsed):
    """The process here would get it, too, and can catch it."""
    found = rehearsed(in_net="raise ModuleNotFoundError(\"No module named 'my_layers'\")")

    assert not found.died
    assert found.done == {"device"}
    assert found.words == "ModuleNotFoundError: No module named 'my_layers'"


def test_an_end_without_words(rehearsed):
    """The status stands for them."""
    found = rehearsed(in_weights="os._exit(7)")

    assert found.died
    assert found.words == "it ended with status 7"
