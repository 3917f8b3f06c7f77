"""Prototxt and weights files of every generation.

The files are put together here byte by byte (protobuf's wire format is that simple), so that they
can be what no current program writes any more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from .base import Case, input_layer, layer, net

# Wire format


def number(field: int, value: int) -> bytes:
    """Return an integer field."""
    return _varint(field << 3) + _varint(value)


def message(field: int, *content: bytes) -> bytes:
    """Return a field of bytes: a string, a packed array, or a message of other fields."""
    body = b"".join(content)
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def unpacked(field: int, values: np.ndarray) -> bytes:
    """Return a repeated float field the old way: every value under its own key."""
    return b"".join(_varint(field << 3 | 5) + struct.pack("<f", value) for value in values.flat)


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def legacy_blob(array: np.ndarray, data: bytes | None = None) -> bytes:
    """Return a BlobProto of before 2015: four sizes, ones in front."""
    shape = (1,) * (4 - array.ndim) + array.shape
    sizes = b"".join(number(field, size) for field, size in enumerate(shape, 1))
    return sizes + (data or message(5, array.astype("<f4").tobytes()))


def blob(array: np.ndarray, data: bytes | None = None) -> bytes:
    """Return a BlobProto with a shape."""
    shape = message(7, message(1, *(_varint(size) for size in array.shape)))
    return shape + (data or message(5, array.astype("<f4").tobytes()))


def doubles(array: np.ndarray) -> bytes:
    """Return the values of a BlobProto in double precision."""
    return message(8, array.astype("<f8").tobytes())


def v2_layer(name: str, *blobs: bytes, kind: str = "Convolution") -> bytes:
    """Return a layer as it is stored since 2015."""
    content = (message(1, name.encode()), message(2, kind.encode()))
    return message(100, *content, *(message(7, one) for one in blobs))


def v1_layer(name: str, *blobs: bytes, kind: int = 4) -> bytes:
    """Return a layer as it was stored in 2014; `kind` is V1LayerParameter.LayerType."""
    return message(2, message(4, name.encode()), number(5, kind), *(message(6, b) for b in blobs))


def v0_layer(name: str, *blobs: bytes, kind: str = "conv") -> bytes:
    """Return a layer as it was stored in 2013: a layer inside a connection."""
    inner = message(
        1, message(1, name.encode()), message(2, kind.encode()), *(message(50, b) for b in blobs)
    )
    return message(2, inner)


# One net in every spelling

V2 = net(
    input_layer("data", (2, 2, 5, 6)),
    layer(
        "c",
        "Convolution",
        ["data"],
        ["c"],
        "convolution_param { num_output: 3 kernel_size: 3 pad: 1 stride: 2 }",
    ),
    layer("r", "ReLU", ["c"], ["c"]),
    layer("n", "LRN", ["c"], ["n"], "lrn_param { local_size: 3 alpha: 0.5 beta: 0.5 }"),
    layer("p", "Pooling", ["n"], ["p"], "pooling_param { pool: AVE kernel_size: 2 stride: 2 }"),
    layer("ip", "InnerProduct", ["p"], ["ip"], "inner_product_param { num_output: 4 }"),
    layer("d", "Dropout", ["ip"], ["ip"], "dropout_param { dropout_ratio: 0.4 }"),
    layer("s", "Softmax", ["ip"], ["s"]),
)
INPUT_DIM = 'input: "data"\ninput_dim: 2\ninput_dim: 2\ninput_dim: 5\ninput_dim: 6\n'
V1_LAYERS = """
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
  weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 stride: 2 } }
layers { name: "r" type: RELU bottom: "c" top: "c" }
layers { name: "n" type: LRN bottom: "c" top: "n" lrn_param { local_size: 3 alpha: 0.5 beta: 0.5 } }
layers { name: "p" type: POOLING bottom: "n" top: "p"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "p" top: "ip"
  inner_product_param { num_output: 4 } }
layers { name: "d" type: DROPOUT bottom: "ip" top: "ip" dropout_param { dropout_ratio: 0.4 } }
layers { name: "s" type: SOFTMAX bottom: "ip" top: "s" }
"""
V0_LAYERS = """
layers { layer { name: "padded" type: "padding" pad: 1 } bottom: "data" top: "padded" }
layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 3 stride: 2
  blobs_lr: 1 blobs_lr: 2 } bottom: "padded" top: "c" }
layers { layer { name: "r" type: "relu" } bottom: "c" top: "c" }
layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 0.5 beta: 0.5 } bottom: "c" top: "n" }
layers { layer { name: "p" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "n" top: "p" }
layers { layer { name: "ip" type: "innerproduct" num_output: 4 } bottom: "p" top: "ip" }
layers { layer { name: "d" type: "dropout" dropout_ratio: 0.4 } bottom: "ip" top: "ip" }
layers { layer { name: "s" type: "softmax" } bottom: "ip" top: "s" }
"""
HEAD = 'name: "old"\nforce_backward: true\n'
TEXTS = {
    "v2": V2,
    "v2 with input_dim": HEAD + INPUT_DIM + V2.split("\n", 3)[3],
    "v2 with input_shape": HEAD
    + 'input: "data"\ninput_shape { dim: 2 dim: 2 dim: 5 dim: 6 }\n'
    + V2.split("\n", 3)[3],
    "v2 with input after the layers": HEAD + V2.split("\n", 3)[3] + INPUT_DIM,
    "v1": HEAD + INPUT_DIM + V1_LAYERS,
    "v0": HEAD + INPUT_DIM + V0_LAYERS,
}
# What a text may contain besides: everything here is one net.
ODD = """
# a comment
name: 'single ' "and double quotes, joined"   # another comment
force_backward: True;
input: "data" input_shape: < dim: [0x2, 2], dim: 5 dim: 06 >
layer: {
  name: "c", type: "Convolution"; bottom: ["data"] top: "c"
  convolution_param { num_output: 0x3 kernel_size: [3, 3] pad: 1 stride: 2 bias_term: f
    weight_filler < type: "constant" value: .5e0 > engine: 1 }
}
layer { name: "p" type: "Pooling" bottom: "c" top: "\\160"
  pooling_param { pool: 1 kernel_size: 2 } }
layer { name: "l" type: "LRN" bottom: "p" top: "l"
  lrn_param { norm_region: 1 alpha: 1e-1f beta: 1 } }
"""


def weights() -> dict[str, np.ndarray]:
    """Return the parameters of the net above."""
    rng = np.random.RandomState(12)

    def values(*shape: int) -> np.ndarray:
        return (rng.randint(-256, 257, shape) / 256).astype(np.float32)

    return {"cw": values(3, 2, 3, 3), "cb": values(3), "iw": values(4, 12), "ib": values(4)}


def caffemodels() -> dict[str, bytes]:
    """Return those parameters in every kind of weights file."""
    cw, cb, iw, ib = weights().values()
    v1_dims = [(legacy_blob(cw), legacy_blob(cb)), (legacy_blob(iw), legacy_blob(ib))]
    return {
        "v2": v2_layer("c", blob(cw), blob(cb)) + v2_layer("ip", blob(iw), blob(ib)),
        "v2 with legacy dims": v2_layer("c", *v1_dims[0]) + v2_layer("ip", *v1_dims[1]),
        "v2 with doubles": v2_layer("c", blob(cw, doubles(cw)), blob(cb))
        + v2_layer("ip", blob(iw), blob(ib, doubles(ib))),
        "v2 with doubles and floats": v2_layer(
            "c", blob(cw, doubles(cw) + message(5, (0 * cw).tobytes())), blob(cb)
        )
        + v2_layer("ip", blob(iw), blob(ib)),
        "v2 unpacked": v2_layer("c", blob(cw, unpacked(5, cw)), blob(cb, unpacked(5, cb)))
        + v2_layer("ip", blob(iw, unpacked(5, iw)), blob(ib)),
        "v2 in pieces": v2_layer(
            "c", blob(cw, unpacked(5, cw[:1]) + message(5, cw[1:].tobytes())), blob(cb)
        )
        + v2_layer("ip", blob(iw), blob(ib)),
        "v1": v1_layer("c", *v1_dims[0]) + v1_layer("ip", *v1_dims[1], kind=14),
        "v1 with shapes": v1_layer("c", blob(cw), blob(cb))
        + v1_layer("ip", blob(iw), blob(ib), kind=14),
        "v1 with inputs": message(1, b"old")
        + message(3, b"data")
        + b"".join(number(4, size) for size in (2, 2, 5, 6))
        + v1_layer("c", *v1_dims[0])
        + v1_layer("ip", *v1_dims[1], kind=14),
        "v0": v0_layer("c", *v1_dims[0]) + v0_layer("ip", *v1_dims[1], kind="innerproduct"),
    }


def _loaded(case: Case, label: str, text: str, content: bytes, call: str = "net") -> None:
    case.step(call, net=label, prototxt=text, weights=content)
    case.step("write_image", net=label, blob="data", seed=3).step("forward", net=label)
    case.step("read", net=label, blob="s", name=f"{label}: s")


def cases() -> Iterator[Case]:
    models = caffemodels()
    case = Case("files/prototxt", "one net described in every generation of Caffe")
    for label, text in TEXTS.items():
        case.step("net", net=label, prototxt=text, weights=models["v2"])
        case.step("describe", net=label, name=label)
        case.step("write_image", net=label, blob="data", seed=3).step("forward", net=label)
        case.step("objective", net=label, blob="p").step("backward", net=label, start="p")
        case.step("read", net=label, blob="s", name=f"{label}: s")
        case.step("read", net=label, blob="data", part="diff", name=f"{label}: gradient")
    yield case

    case = Case(
        "files/prototxt_syntax", "what a text may contain: quotes, lists, separators, numbers"
    )
    case.step("net", prototxt=ODD).step("describe").step("write_image", blob="data", seed=3)
    yield case.step("forward").step("read", blob="l")

    case = Case("files/caffemodel", "one set of weights stored in every generation of Caffe")
    for label, content in models.items():
        _loaded(case, label, V2, content)
    _loaded(case, "v1 into v0", TEXTS["v0"], models["v1"])
    _loaded(case, "three positions", V2, models["v1"], call="legacy_net")
    yield case

    cw, cb, iw, ib = weights().values()
    case = Case("files/matching", "weights find their layer by name, and only by name")
    for label, content in {
        "layers in another order, and foreign ones": v2_layer("foreign", blob(cw))
        + v2_layer("ip", blob(iw), blob(ib), kind="NoSuchType")
        + v2_layer("c", blob(cw), blob(cb)),
        "one layer missing": v2_layer("c", blob(cw), blob(cb)),
        "a layer twice": v2_layer("c", blob(0 * cw), blob(0 * cb))
        + v2_layer("ip", blob(iw), blob(ib))
        + v2_layer("c", blob(cw), blob(cb)),
        "a layer without blobs": v2_layer("c", blob(cw), blob(cb)) + v2_layer("r", kind="ReLU"),
    }.items():
        _loaded(case, label, V2, content)
    case.step("copy_from", net="one layer missing", weights=models["v1"])
    case.step("forward", net="one layer missing")
    yield case.step("read", net="one layer missing", blob="s", name="loaded in two goes")

    case = Case("files/duplicate_names", "of two layers with one name the first gets the weights")
    text = net(
        input_layer("data", (1, 4)),
        layer("ip", "InnerProduct", ["data"], ["a"], "inner_product_param { num_output: 4 }"),
        layer("ip", "InnerProduct", ["a"], ["s"], "inner_product_param { num_output: 4 }"),
    )
    square = v2_layer("ip", blob(iw[:, :4]), blob(ib))
    case.step("net", prototxt=text, weights=square).step("draw", blob="data", seed=1)
    yield case.step("forward").step("read_all", name="data")

    for name, hdf5 in (("saved.caffemodel", False), ("saved.caffemodel.h5", True)):
        case = Case(
            f"files/{'hdf5' if hdf5 else 'saved'}",
            f"weights saved by Caffe as {name}, and loaded again",
        )
        case.step("net", prototxt=V2, weights=models["v2"])
        case.step("save", name=name, hdf5=hdf5, keep=True)
        case.step("net", net="again", prototxt=V2, weights=f"saved:{name}")
        case.step("write_image", net="again", blob="data", seed=3).step("forward", net="again")
        for index, of in ((0, "c"), (1, "c"), (0, "ip"), (1, "ip")):
            case.step("read_param", net="again", layer=of, index=index)
        yield case.step("read", net="again", blob="s")
