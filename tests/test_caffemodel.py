"""Weights come out of caffemodels of every age, and damaged files are named for what they are."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.errors import (
    CaffemodelError,
    MissingFileError,
    ParameterError,
    WeightsError,
    WriteError,
)
from deepdream.reading import caffemodel
from deepdream.reading.caffe_pb2 import BlobProto, NetParameter
from deepdream.reading.caffemodel import read_caffemodel, write_caffemodel
from deepdream.reading.proto import read_prototxt
from deepdream.reading.upgrade import upgrade

W = np.random.RandomState(1).standard_normal((4, 3, 5, 2)).astype(np.float32)
B = np.random.RandomState(2).standard_normal(4).astype(np.float32)


def new_blob(array: np.ndarray) -> BlobProto:
    blob = BlobProto(data=array.ravel().tolist())
    blob.shape.dim.extend(array.shape)
    return blob


def old_blob(array: np.ndarray) -> BlobProto:
    """Return a blob as before 2015: four axes, ones in front."""
    num, channels, height, width = (1,) * (4 - array.ndim) + array.shape
    return BlobProto(
        num=num, channels=channels, height=height, width=width, data=array.ravel().tolist()
    )


def v0_net() -> NetParameter:
    net = NetParameter(name="x")
    for name, type_, blobs in (
        ("data", "data", []),
        ("c", "conv", [old_blob(W), old_blob(B)]),
    ):
        net.layers.add().layer.CopyFrom(
            type(net.layers[0].layer)(name=name, type=type_, blobs=blobs)
        )
    return net


def v1_net() -> NetParameter:
    net = NetParameter(name="x", input=["data"])
    net.layers.add(name="data", type="DATA")
    net.layers.add(name="c", type="CONVOLUTION", blobs=[old_blob(W), old_blob(B)])
    return net


def v2_net() -> NetParameter:
    net = NetParameter(name="x")
    net.layer.add(name="data", type="Input")
    net.layer.add(name="c", type="Convolution", blobs=[new_blob(W), new_blob(B)])
    net.layer[1].convolution_param.num_output = 4
    return net


def saved(tmp_path, content: NetParameter | bytes):
    path = tmp_path / "x.caffemodel"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("net", "bias_shape"),
    [(v0_net(), (1, 1, 1, 4)), (v1_net(), (1, 1, 1, 4)), (v2_net(), (4,))],
    ids=["v0", "v1", "v2"],
)
def test_every_generation(tmp_path, net, bias_shape):
    """Names and blobs are found in V0, V1 and V2; shapes are as stored; data layers left out."""
    weights = read_caffemodel(saved(tmp_path, net))

    assert list(weights) == ["c"]
    assert [blob.shape for blob in weights["c"]] == [W.shape, bias_shape]
    for blob, expected in zip(weights["c"], (W, B)):
        assert blob.dtype == np.float32
        assert blob.flags.c_contiguous
        assert blob.flags.writeable
        np.testing.assert_array_equal(blob.ravel(), expected.ravel())


def test_arrays_are_copies(tmp_path):
    """Arrays can be changed, and outlive the file."""
    path = saved(tmp_path, v2_net())
    weights = read_caffemodel(path)
    weights["c"][0][:] = 7
    path.unlink()

    assert (weights["c"][0] == 7).all()
    np.testing.assert_array_equal(weights["c"][1], B)


def test_doubles_become_float32(tmp_path):
    """double_data counts where there is some; what float32 cannot hold becomes infinite."""
    net = NetParameter()
    blob = BlobProto(data=[1, 2], double_data=[0.1, 1e300])
    blob.shape.dim.append(2)
    net.layer.add(name="c", blobs=[blob])

    (array,) = read_caffemodel(saved(tmp_path, net))["c"]

    np.testing.assert_array_equal(array, np.float32([0.1, np.inf]))


def test_the_later_of_two_layers_counts(tmp_path):
    """Of two layers with blobs and one name, the later one's are returned."""
    net = v2_net()
    net.layer.add(name="c", blobs=[new_blob(B)])

    assert [blob.shape for blob in read_caffemodel(saved(tmp_path, net))["c"]] == [(4,)]


def test_a_net_without_weights(tmp_path):
    """A net of layers without blobs is a caffemodel without weights, not an error."""
    net = NetParameter()
    net.layer.add(name="c", type="ReLU")

    assert read_caffemodel(saved(tmp_path, net)) == {}


def test_unknown_fields_are_passed_over(tmp_path):
    """Fields of Caffe's variants, in the net or in a layer, do not disturb."""
    content = b"\xfa\x3f\x03new" + v2_net().SerializeToString()  # field 1023

    np.testing.assert_array_equal(read_caffemodel(saved(tmp_path, content))["c"][0], W)


PROTOTXT = b'name: "x"\nlayer { name: "data" type: "Input" }\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'.*x.caffemodel' is empty"),
        (b"<!DOCTYPE html><title>404</title>", "a web page titled '404', not a caffemodel"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 7\n", "to 7 bytes.* 'git lfs pull'"),
        (b"PK\x03\x04....archive/data.pkl", "a PyTorch checkpoint, not a caffemodel"),
        (b"\x1f\x8b\x08\x00....", "a gzip archive, not a caffemodel. Unpack it first"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
        (PROTOTXT, "is text, perhaps a prototxt: the weights are in a second file"),
        (bytes(1000), "nothing but zeros"),
        (old_blob(W).SerializeToString(), r"one array of shape \(4, 3, 5, 2\).*: pass it as mean"),
        (b"\x0a\x01\x02", "no layer in it"),
        (b"\xff\x01\xfd\x06" * 9, "is no caffemodel, or is cut short"),
    ],
)
def test_names_foreign_files(tmp_path, content, message):
    """What is no caffemodel is called what it is."""
    with pytest.raises(CaffemodelError, match=message):
        read_caffemodel(saved(tmp_path, content))


def test_missing_and_folder(tmp_path):
    """A path without a file and a folder have errors of their own."""
    with pytest.raises(MissingFileError, match="There is no file"):
        read_caffemodel(tmp_path / "x.caffemodel")
    with pytest.raises(CaffemodelError, match="is a folder"):
        read_caffemodel(tmp_path)


def test_file_that_is_cut_short(tmp_path):
    """The message says how many layers are complete, and how much is missing."""
    content = v2_net().SerializeToString()

    with pytest.raises(CaffemodelError, match=r"is cut short .* after 1 layers: .* \d+ are left"):
        read_caffemodel(saved(tmp_path, content[:-7]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data": [1, 2]},
            r"layer 'c', blob 0 has 122 numbers, but its shape \(4, 3, 5, 2\) takes",
        ),
        ({"num": 3}, r"blob 0 has 120 numbers, but its shape \(3, 0, 0, 0\) takes 0"),
        ({"num": -1, "channels": 1}, "impossible shape"),
    ],
)
def test_blob_that_does_not_fit_its_shape(tmp_path, change, message):
    """Layer and blob are named where numbers and shape disagree."""
    net = v2_net()
    net.layer[1].blobs[0].MergeFrom(BlobProto(**change))

    with pytest.raises(CaffemodelError, match=message):
        read_caffemodel(saved(tmp_path, net))


def test_absurd_sizes_take_no_memory(tmp_path):
    """Shapes and lengths beyond the file are refused before anything is allocated."""
    net = v2_net()
    del net.layer[1].blobs[0].shape.dim[:]
    net.layer[1].blobs[0].shape.dim.extend([2**31 - 1] * 3)
    shaped = net.SerializeToString()
    claimed = b"\xa2\x06\xff\xff\xff\xff\x07" + shaped  # a layer of 2 GiB in a few kB
    for content in (shaped, claimed):
        path = saved(tmp_path, content)
        tracemalloc.start()
        with pytest.raises(CaffemodelError):
            read_caffemodel(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert peak < 1 << 20


def test_two_gigabytes_are_too_many(tmp_path):
    """A file beyond what protobuf can hold is refused without being read."""
    path = saved(tmp_path, v2_net())
    with path.open("r+b") as file:
        file.truncate(2**31)  # sparse: takes no space

    with pytest.raises(
        CaffemodelError, match="2,147,483,648 bytes, but a caffemodel ends at 2 GiB"
    ):
        read_caffemodel(path)


def test_round_trip(tmp_path):
    """What is written is read back, in its shapes, and the net is in the file."""
    path = tmp_path / "x.caffemodel"
    net = v2_net()

    write_caffemodel(path, net, {"c": [2 * W, np.float64(3), B[:0]]})

    weights = read_caffemodel(path)
    np.testing.assert_array_equal(weights["c"][0], 2 * W)
    assert [blob.shape for blob in weights["c"]] == [W.shape, (), (0,)]
    stored = NetParameter.FromString(path.read_bytes())
    assert stored.layer[1].convolution_param.num_output == 4
    assert len(stored.layer[0].blobs) == 0


def test_writes_the_bytes_that_protobuf_writes(tmp_path):
    """A net with weights is the same file, whether protobuf or `write_caffemodel` made it."""
    net = v2_net()
    bare = v2_net()
    del bare.layer[1].blobs[:]
    path = tmp_path / "x.caffemodel"

    write_caffemodel(path, bare, {"c": [W, B]})

    assert path.read_bytes() == net.SerializeToString()


def test_layers_of_one_name_share_their_weights(tmp_path):
    """A name that occurs twice, as for a convolution and its ReLU, reads back as one."""
    net = v2_net()
    net.layer.add(name="c", type="ReLU")
    path = tmp_path / "x.caffemodel"

    write_caffemodel(path, net, {"c": [W, B]})

    np.testing.assert_array_equal(read_caffemodel(path)["c"][1], B)


def test_writing_refuses(tmp_path, monkeypatch):
    """Old nets, weights of unknown layers and files beyond 2 GiB are not written."""
    path = tmp_path / "x.caffemodel"

    with pytest.raises(ParameterError, match="old format"):
        write_caffemodel(path, v1_net(), {})
    with pytest.raises(WeightsError, match=r"no layer 'cc' to store. Did you mean 'c'\?"):
        write_caffemodel(path, v2_net(), {"cc": [B]})
    with pytest.raises(WriteError, match="there is no folder"):
        write_caffemodel(tmp_path / "nowhere" / "x", v2_net(), {})
    monkeypatch.setattr(caffemodel, "LIMIT", 500)
    with pytest.raises(WriteError, match="but a caffemodel ends at 2 GiB: save as HDF5"):
        write_caffemodel(path, v2_net(), {"c": [W, B]})
    assert not list(tmp_path.iterdir())


def test_large_files_are_read_in_no_time(tmp_path):
    """100 MB of weights take well under a second; number by number they would take ten."""
    path = tmp_path / "x.caffemodel"
    rng = np.random.RandomState(3)
    large = rng.randint(0, 255, 100_000_000, np.uint8).view(np.float32).reshape(1000, 25, 1000)
    net = NetParameter()
    net.layer.add(name="c", type="InnerProduct")
    write_caffemodel(path, net, {"c": [large]})

    start = time.process_time()
    weights = read_caffemodel(path)
    seconds = time.process_time() - start

    assert seconds < 3
    assert weights["c"][0].tobytes() == large.tobytes()


def test_unpacked_numbers_are_read_in_no_time(tmp_path):
    """A million numbers with a tag each are not read one by one."""
    values = np.arange(1_000_000, dtype="<f4")
    tagged = np.zeros(values.size, [("tag", "u1"), ("value", "<f4")])
    tagged["tag"], tagged["value"] = 0x2D, values
    blob = tagged.tobytes() + b"\x3a\x04\x08" + b"\xc0\x84\x3d"
    layer = b"\x0a\x01c\x3a" + b"\xc6\x96\xb1\x02" + blob
    assert len(blob) == 5_000_006
    size = len(layer)
    content = b"\xa2\x06" + bytes(
        [size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]
    )

    start = time.process_time()
    weights = read_caffemodel(saved(tmp_path, content + layer))
    seconds = time.process_time() - start

    assert seconds < 1
    np.testing.assert_array_equal(weights["c"][0], values)


def test_real_weights_read_as_protobuf_reads_them(shared):
    """Every weight of a published caffemodel is the number that protobuf finds."""
    folder = shared / "data" / "squeezenet_dc"

    weights = read_caffemodel(folder / "squeezenet_dc.caffemodel")

    content = (folder / "squeezenet_dc.caffemodel").read_bytes()
    expected = {
        layer.name: [np.float32(blob.data).reshape(blob.shape.dim) for blob in layer.blobs]
        for layer in NetParameter.FromString(content).layer
        if layer.blobs
    }
    assert list(weights) == list(expected)
    for name, blobs in expected.items():
        for array, blob in zip(weights[name], blobs):
            np.testing.assert_array_equal(array, blob)
    net = upgrade(read_prototxt(folder / "deploy.prototxt"))
    assert set(weights) <= {layer.name for layer in net.layer}


@settings(deadline=None, derandomize=True, max_examples=80)
@given(generation=st.sampled_from([v0_net, v1_net, v2_net]), data=st.data())
def test_cut_anywhere(tmp_path_factory, generation, data):
    """A file cut at any byte is refused, or has a prefix of the layers; nothing else happens."""
    content = generation().SerializeToString()
    cut = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / "x.caffemodel"
    path.write_bytes(content[:cut])

    try:
        weights = read_caffemodel(path)
    except CaffemodelError:
        return

    assert weights == {}  # the only layer with weights is the last


@pytest.mark.parametrize("net", [v0_net(), v1_net(), v2_net()], ids=["v0", "v1", "v2"])
def test_views_of_the_file_are_the_same_numbers(tmp_path, net):
    """Without a copy nobody can write to them, and so not to the file."""
    path = saved(tmp_path, net)
    copies, views = read_caffemodel(path), read_caffemodel(path, copy=False)

    assert list(views) == list(copies)
    for copied, view in zip(copies["c"], views["c"]):
        np.testing.assert_array_equal(view, copied)
        assert copied.flags.writeable
        assert not view.flags.writeable


def test_what_cannot_be_a_view_is_copied(tmp_path):
    """Doubles become float32 either way."""
    net = v2_net()
    for blob in net.layer[1].blobs:
        blob.double_data.extend(blob.data)
        blob.ClearField("data")
    views = read_caffemodel(saved(tmp_path, net), copy=False)

    np.testing.assert_array_equal(views["c"][0], W)
    assert views["c"][0].dtype == np.float32
