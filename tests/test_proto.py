"""Prototxts: text that Caffe accepts becomes a net, and files that are none are named."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prototxt_syntax import ACCEPTED, ONLY_CAFFE_ACCEPTS, ONLY_WE_ACCEPT, REFUSED
from random_messages import fill

from deepdream.errors import MissingFileError, PrototxtError
from deepdream.reading import proto
from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.proto import parse_prototxt, print_prototxt, read_prototxt


@pytest.mark.parametrize(("text", "plain"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepts_what_caffe_accepts(text, plain):
    """Text means the same net as its plainer form."""
    assert parse_prototxt(text) == parse_prototxt(plain)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refuses_what_caffe_refuses(text):
    """Each mistake is a PrototxtError with a place, in three lines at most."""
    check_refusal(text)


@pytest.mark.parametrize("text", ONLY_CAFFE_ACCEPTS.values(), ids=ONLY_CAFFE_ACCEPTS)
def test_refuses_a_little_that_caffe_accepts(text):
    """protobuf's Python parser takes no blank behind a minus, no hexadecimal bool, no raw bytes."""
    check_refusal(text)


def check_refusal(text):
    """Fail unless a text is refused with its place, in three printable lines at most."""
    with pytest.raises(PrototxtError, match=r"^'x.prototxt', line \d+, column \d+: ") as caught:
        parse_prototxt(text, "x.prototxt")

    assert str(caught.value).count("\n") <= 2
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ONLY_WE_ACCEPT.values(), ids=ONLY_WE_ACCEPT)
def test_accepts_more_than_caffe(text):
    """A byte order mark is accepted on purpose; the rest is protobuf's Python parser."""
    assert parse_prototxt(text).ListFields()


def test_layers_and_inputs_come_as_written():
    """Nothing is upgraded: V1 layers and input fields stay what they are."""
    net = parse_prototxt('input: "data" input_dim: 1 layers { name: "x" type: RELU }')

    assert (len(net.layer), len(net.layers), list(net.input_dim)) == (0, 1, [1])


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10_000))
def test_printed_nets_are_read_back(seed):
    """Any net, of any generation, comes back equal from its text."""
    net = NetParameter()
    fill(net, random.Random(seed), 0, ())

    if net.IsInitialized():
        assert parse_prototxt(print_prototxt(net)) == net


def test_printed_names_are_readable():
    """Accents and quotes survive, accents as themselves."""
    net = NetParameter(name="n\u00e4t 'a' \"b\"\n")

    assert "n\u00e4t" in print_prototxt(net)
    assert parse_prototxt(print_prototxt(net)) == net


def test_clip_needs_its_limits():
    """min and max of clip_param are the only fields that must be given."""
    with pytest.raises(PrototxtError, match="clip_param of layer 'x' needs min and max"):
        parse_prototxt('layer { name: "x" clip_param { min: 1 } }')
    assert parse_prototxt("layer { clip_param { min: 1 max: 2 } }").layer[0].clip_param.max == 2


@pytest.mark.parametrize(
    "content",
    [
        b'name: "x"',
        b'\xef\xbb\xbfname: "x"',
        b'# n\xe4t in Latin-1 \xb2\xe3\r\nname: "x" # \xff\r\n',
    ],
    ids=["plain", "byte order mark", "comments in another encoding"],
)
def test_reads_a_file(tmp_path, content):
    """A byte order mark and comments in any encoding do not disturb."""
    path = tmp_path / "deploy.prototxt"
    path.write_bytes(content)

    assert read_prototxt(path) == NetParameter(name="x")
    assert read_prototxt(bytes(path)) == NetParameter(name="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'.*x.prototxt' is empty"),
        (b" \n# nothing\n", "is empty: there is no net in it"),
        (b"<!DOCTYPE html><title>Page not found</title>", "a web page titled 'Page not found'"),
        (
            b"version https://git-lfs.github.com/spec/v1\nsize 7\n",
            "Git LFS pointer .*'git lfs pull'",
        ),
        (b"\n\x05ReLU6\xa2\x06\x04\n\x02xy", r"is a binary file.*load_net\('deploy.prototxt', "),
        (b"PK\x03\x04....archive/data.pkl", "a PyTorch checkpoint, not a prototxt"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, not a prototxt. .* pass it as caffemodel"),
        ('name: "x"'.encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
        (b'name: "x"\nlayer { name: "\xe4" }', "line 2: byte 0xe4 is no UTF-8"),
        (
            b'net: "train_val.prototxt"\nbase_lr: 0.01',
            "prototxt of a solver.* 'train_val.prototxt'",
        ),
        (
            b'name: "x" layer { nam: "y" }',
            r"x.prototxt', line 1, column 19: .* Did you mean 'name'",
        ),
    ],
)
def test_names_what_is_no_prototxt(tmp_path, content, message):
    """What is no prototxt of a net is called what it is."""
    path = tmp_path / "x.prototxt"
    path.write_bytes(content)

    with pytest.raises(PrototxtError, match=message):
        read_prototxt(path)


def test_missing_folder_and_huge(tmp_path, monkeypatch):
    """A path without a file, a folder and a file beyond any prototxt have errors of their own."""
    path = tmp_path / "deploy.prototxt"
    path.write_text('name: "x"')

    with pytest.raises(MissingFileError, match=r"Did you mean 'deploy.prototxt'\?"):
        read_prototxt(tmp_path / "deploy.prototext")
    with pytest.raises(PrototxtError, match="is a folder"):
        read_prototxt(tmp_path)
    monkeypatch.setattr(proto, "MAX_SIZE", 5)
    with pytest.raises(PrototxtError, match="has 9 bytes, far more than a prototxt"):
        read_prototxt(path)


def test_real_prototxt(shared):
    """A published prototxt is read and comes back from its own print."""
    net = read_prototxt(shared / "data" / "squeezenet_dc" / "deploy.prototxt")

    assert net.name == "FireNet"
    assert list(net.input_dim) == [1, 3, 227, 227]
    assert parse_prototxt(print_prototxt(net)) == net
