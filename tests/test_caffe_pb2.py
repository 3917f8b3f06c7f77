"""The message classes: complete, like a generated module, and out of the real Caffe's way."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, text_format

from deepdream.reading import caffe_pb2

PACKAGE = Path(caffe_pb2.__file__).parent

# A process that registers another caffe.proto in protobuf's default pool, as the real Caffe does.
REAL_CAFFE = """
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
message = file.message_type.add(name="NetParameter")
message.field.add(name="name", number=1, type=9, label=1)
descriptor_pool.Default().Add(file) if hasattr(descriptor_pool.Default(), "Add") else \\
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
real = descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
"""
OURS = "from deepdream.reading.caffe_pb2 import NetParameter as ours\n"
CHECK = "assert len(real.fields) == 1 and len(ours.DESCRIPTOR.fields) == 10"


@pytest.mark.parametrize("order", [REAL_CAFFE + OURS, OURS + REAL_CAFFE], ids=["second", "first"])
def test_lives_beside_the_real_caffe(order):
    """The real caffe_pb2 and ours can be imported in one process, whichever comes first."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", order + CHECK], capture_output=True, text=True
    )

    assert result.stderr == ""
    assert result.returncode == 0


def test_is_compiled_from_caffe_proto():
    """caffe.desc and caffe_pb2.pyi say what caffe.proto says (else: scripts/compile_proto.py)."""
    pytest.importorskip("grpc_tools.protoc", reason="needs grpcio-tools")
    sys.path.insert(0, str(PACKAGE.parents[1] / "scripts"))
    try:
        from compile_proto import compile_proto
    finally:
        sys.path.pop(0)

    fresh = compile_proto(PACKAGE / "caffe.proto")

    read = descriptor_pb2.FileDescriptorProto.FromString
    assert read((PACKAGE / "caffe.desc").read_bytes()) == read(fresh["caffe.desc"])
    assert (PACKAGE / "caffe_pb2.pyi").read_text().count("_FIELD_NUMBER:") == fresh[
        "caffe_pb2.pyi"
    ].decode().count("_FIELD_NUMBER:")


def test_values_of_enums_are_in_the_module():
    """Phases and their wrapper are module attributes, nested values those of their message."""
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1)
    assert caffe_pb2.Phase.Name(1) == "TEST"
    assert caffe_pb2.V1LayerParameter.LayerType.Name(4) == "CONVOLUTION"
    assert caffe_pb2.V1LayerParameter.LayerType.Value("DECONVOLUTION") == 39
    assert caffe_pb2.PoolingParameter.AVE == 1
    assert caffe_pb2.LRNParameter.WITHIN_CHANNEL == 1


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("convolution_param.group", 1),
        ("convolution_param.bias_term", True),
        ("pooling_param.stride", 1),
        ("pooling_param.round_mode", caffe_pb2.PoolingParameter.CEIL),
        ("lrn_param.local_size", 5),
        ("lrn_param.beta", 0.75),
        ("dropout_param.dropout_ratio", 0.5),
        ("inner_product_param.axis", 1),
        ("crop_param.axis", 2),
        ("flatten_param.end_axis", -1),
        ("softmax_param.axis", 1),
        ("exp_param.base", -1),
        ("eltwise_param.operation", caffe_pb2.EltwiseParameter.SUM),
        ("reduction_param.operation", caffe_pb2.ReductionParameter.SUM),
        ("batch_norm_param.eps", pytest.approx(1e-5)),
        ("loss_param.normalization", caffe_pb2.LossParameter.VALID),
    ],
)
def test_defaults_are_those_of_caffe(field, default):
    """A field that is not set has Caffe's default."""
    message, name = field.split(".")

    assert getattr(getattr(caffe_pb2.LayerParameter(), message), name) == default


def test_field_numbers_are_those_of_files():
    """A V2 layer is field 100 of a net and has its blobs in field 7; a V1 layer in 2 and 6."""
    net = caffe_pb2.NetParameter()
    net.layer.add().blobs.add(num=1)
    net.layers.add().blobs.add(num=1)

    assert net.SerializeToString() == bytes([18, 4, 50, 2, 8, 1, 162, 6, 4, 58, 2, 8, 1])


def test_every_message_has_its_class():
    """Classes of fields are those of the module, so isinstance works, nested messages included."""
    net = caffe_pb2.NetParameter()

    for name, descriptor in caffe_pb2.DESCRIPTOR.message_types_by_name.items():
        assert getattr(caffe_pb2, name).DESCRIPTOR is descriptor
    assert type(net.layer.add()) is caffe_pb2.LayerParameter
    assert type(net.layer[0].blobs.add().shape) is caffe_pb2.BlobShape
    assert type(net.layers.add().layer) is caffe_pb2.V0LayerParameter


def test_copies_and_pickles():
    """Messages survive copy, deepcopy and pickle."""
    net = caffe_pb2.NetParameter(name="x")
    net.layer.add(name="y").pooling_param.kernel_size = 3

    for twin in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin == net
        assert type(twin) is caffe_pb2.NetParameter


def test_notebook_cell_works():
    """The notebook of 2015 merges text, sets force_backward and writes str(message)."""
    model = caffe_pb2.NetParameter()
    text_format.Merge('name: "GoogleNet"\ninput: "data"', model)
    model.force_backward = True

    assert str(model) == 'name: "GoogleNet"\ninput: "data"\nforce_backward: true\n'
