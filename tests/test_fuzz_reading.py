"""Thousands of damaged files: each is read or refused with one of our errors, soon and lightly.

Good files are cut, flipped, spliced and filled in, all by seeded random numbers, so that a failure
can be had again: its seed is in the name of the test.
"""

from __future__ import annotations

import io
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from torch_bytes import archive, legacy, pickled, plain, stored, tensor

from deepdream.errors import CaffemodelError, DeepDreamError
from deepdream.reading.blobproto import array_to_blobproto
from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.hdf5 import write_hdf5
from deepdream.reading.proto import parse_prototxt, read_caffemodel, read_mean, read_prototxt
from deepdream.reading.torch_file import read_state_dict
from deepdream.reading.upgrade import upgrade

LEGACY = Path(__file__).parent / "data" / "legacy"
BATCHES = 20
ROUNDS = 50  # of each kind of file, in each batch

# Bytes that mean something to one of the parsers: tags, lengths, the ends of ranges, braces.
LIKELY = np.frombuffer(
    b"\x00\x01\x07\x0a\x0b\x0c\x12\x2a\x2d\x3a\x7f\x80\xa2\xff{}:#\"'<>[]-.9\n", "u1"
)


def caffemodels() -> list[bytes]:
    """Return one caffemodel of each generation, unpacked floats and doubles among them."""
    rng = np.random.RandomState(0)
    found = []
    for version in ("v0", "v1", "v2"):
        net = parse_prototxt((LEGACY / f"deploy_{version}.prototxt").read_text())
        for index, layer in enumerate([*net.layers, *net.layer]):
            blobs = layer.layer.blobs if version == "v0" else layer.blobs
            for shape in ((2, 3, 5, 1), (7,))[: index % 3]:
                blob = array_to_blobproto(rng.standard_normal(shape))
                if version != "v2":
                    blob.ClearField("shape")
                    blob.num, blob.channels, blob.height, blob.width = (1, 1, 1, *shape)[-4:]
                if index % 2:
                    blob.double_data.extend(blob.data)
                blobs.append(blob)
        found.append(net.SerializeToString())
    tagged = b"\x0a\x01c\x3a" + bytes([5 * 7 + 4]) + b"\x2d1234" * 7 + b"\x3a\x02\x08\x07"
    return [*found, b"\xa2\x06" + bytes([len(tagged)]) + tagged]


def means() -> list[bytes]:
    """Return a mean in each of its two formats."""
    mean = np.arange(3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7)
    file = io.BytesIO()
    np.save(file, mean)
    return [array_to_blobproto(mean).SerializeToString(), file.getvalue()]


def state_dicts() -> list[bytes]:
    """Return files of torch.save in both of its formats: several types, views of one storage."""
    rng = np.random.RandomState(0)
    arrays = {
        f"layer{i}.{dtype}": rng.uniform(0, 100, (2, 3, i)).astype(dtype)
        for i, dtype in enumerate(("f4", "f8", "f2", "i8", "u1", "b1"))
    }
    found = []
    for write, old in ((archive, False), (legacy, True)):
        state, storages = plain(arrays, old)
        shared = stored(np.arange(35, dtype="f4"), "9", old)
        state["a"], state["b"] = (
            tensor(shared, 0, (5, 7), (1, 5)),
            tensor(shared, 3, (2, 4), (7, 2)),
        )
        found.append(write(state, [*storages, shared]))
    return found


def prototxts() -> list[bytes]:
    """Return the nets of every generation as text."""
    return [path.read_bytes() for path in sorted(LEGACY.glob("*.prototxt"))]


def damaged(content: bytes, others: list[bytes], rng: np.random.RandomState) -> bytes:
    """Return a file with one to three injuries."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(len(data) + 1)
        kind = rng.randint(6)
        if kind == 0:  # cut
            del data[at:]
        elif kind == 1 and data:  # flip bits
            for place in rng.randint(0, len(data), rng.randint(1, 9)):
                data[place] ^= 1 << rng.randint(8)
        elif kind == 2:  # splice
            other = others[rng.randint(len(others))]
            data[at:] = other[rng.randint(len(other)) :]
        elif kind == 3:  # insert
            data[at:at] = rng.choice(LIKELY, rng.randint(1, 12)).tobytes()
        elif kind == 4:  # take out
            del data[at : at + rng.randint(1, 40)]
        else:  # overwrite
            new = rng.choice(LIKELY, rng.randint(1, 6)).tobytes()
            data[at : at + len(new)] = new
    return bytes(data)


def read_net(path: Path) -> NetParameter:
    return upgrade(read_prototxt(path))


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize(
    ("read", "originals"),
    [
        (read_caffemodel, caffemodels),
        (read_net, prototxts),
        (read_mean, means),
        (read_state_dict, state_dicts),
    ],
    ids=["caffemodel", "prototxt", "mean", "torch.save"],
)
def test_damaged_files(tmp_path, read, originals, batch):
    """Whatever happens to a file, reading it gives a result or a DeepDreamError of three lines."""
    rng = np.random.RandomState(batch)
    files = originals()
    others = [*files, b"<html>", *caffemodels()]
    path = tmp_path / "x"
    outcomes = {True: 0, False: 0}
    for _ in range(ROUNDS):
        path.write_bytes(damaged(files[rng.randint(len(files))], others, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                read(path)
            except DeepDreamError as error:
                message = str(error)
            else:
                message = ""
        outcomes[bool(message)] += 1
        assert message.count("\n") <= 2
        assert message.replace("\n", "").isprintable()
        assert len(message) < 1000

    assert outcomes[True] > 5  # the injuries matter
    assert outcomes[False] > 0 or read is not read_caffemodel  # and do not always kill


def test_damaged_hdf5(tmp_path):
    """Damaged HDF5 is refused with a CaffemodelError, whatever h5py raises."""
    pytest.importorskip("h5py", reason="needs h5py")
    path = tmp_path / "x.h5"
    write_hdf5(path, {"a/b": [np.ones((3, 5)), np.ones(3)], "c": [np.ones((2, 7))]})
    content = path.read_bytes()
    rng = np.random.RandomState(8)
    refused = 0
    for _ in range(100):
        path.write_bytes(damaged(content, [content], rng))
        try:
            read_caffemodel(path)
        except CaffemodelError as error:
            refused += str(error).count("\n") <= 2

    assert 20 < refused < 100


@pytest.mark.parametrize("original", range(4))
def test_damaged_sizes_cost_nothing(tmp_path, original):
    """Whatever sizes a caffemodel of a few kB claims, it is refused in no time and no memory."""
    content = caffemodels()[original]
    rng = np.random.RandomState(original)
    path = tmp_path / "x.caffemodel"
    tracemalloc.start()
    start = time.process_time()
    for _ in range(150):
        data = bytearray(content)
        for at in rng.randint(0, len(data) - 9, 3):
            data[at : at + 5] = b"\xff\xff\xff\xff\x07"  # 2 GiB - 1, as a length or a size
        path.write_bytes(data)
        try:
            read_caffemodel(path)
        except DeepDreamError:
            pass
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 4 << 20
    assert seconds < 5


@pytest.mark.parametrize("original", ["zip", "legacy"])
def test_damaged_pickles_stay_small_and_call_nothing(tmp_path, original):
    """With checksums put right, every opcode may turn into every other; no module is loaded."""
    state, storages = plain({"a.b": np.ones((3, 5), "f4"), "c": np.arange(7)}, original == "legacy")
    good = pickled(state)
    rng = np.random.RandomState(3)
    path = tmp_path / "x.pth"
    opcodes = np.frombuffer(b"()].}teusbaqhrjcRQNKMJXUT\x80\x81\x85\x86\x87\x88\x89\x8a", "u1")
    write = archive if original == "zip" else legacy
    loaded, outcomes = set(sys.modules), [0, 0]
    tracemalloc.start()
    for _ in range(2000):
        data = bytearray(good)
        for at in rng.randint(2, len(data) - 1, rng.randint(1, 4)):
            data[at] = rng.choice(opcodes) if rng.randint(2) else rng.randint(256)
        path.write_bytes(write(bytes(data), storages))
        try:
            found = read_state_dict(path)
        except CaffemodelError as error:
            message, found = str(error), {}
        else:
            message = ""
        outcomes[bool(message)] += 1
        assert message.replace("\n", "").isprintable()
        assert len(message) < 1000
        assert all(type(array) is np.ndarray for array in found.values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert min(outcomes) > 50
    assert peak < 4 << 20
    assert set(sys.modules) - loaded <= {"pickletools", "doctest", "codecs", "_pickle", "pickle"}
