"""What ends Caffe's process. Our engine has to raise an error of its own instead."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Case, input_layer, layer, net
from .files import V2, blob, legacy_blob, message, v2_layer, weights
from .networks import small_inception

X = (2, 3, 5, 7)


def _text(name: str, what: str, text: str) -> Case:
    return Case(f"refused/{name}", what, aborts=True).step("net", prototxt=text)


def _one(name: str, what: str, kind: str, parameters: str = "", shape=X, tops=("y",)) -> Case:
    return _text(
        name, what, net(input_layer("x", shape), layer("L", kind, ["x"], tops, parameters))
    )


def descriptions() -> Iterator[Case]:
    x, relu = input_layer("x", X), layer("r", "ReLU", ["x"], ["y"])
    yield _text("garbage", "a text that is no prototxt", "this is no prototxt")
    yield _text("unknown_field", "a field that no message has", x.replace("name", "nam", 1))
    yield _text(
        "fraction_for_integer",
        "3.0 where a whole number belongs",
        net(x, layer("c", "Convolution", ["x"], ["y"], "convolution_param { num_output: 3.0 }")),
    )
    for name, what, first, second in (
        ("too_many_params", "more param entries than parameters", "", "} param {} param {"),
        ("shared_lr_mult", "a shared parameter with two lr_mult", "lr_mult: 1", "lr_mult: 2"),
        ("shared_decay_mult", "the same, decay_mult", "decay_mult: 1", "decay_mult: 2"),
    ):
        text = 'inner_product_param { num_output: 7 } param { name: "w" %s }'
        layers = [
            layer("L", "InnerProduct", ["v"], ["a"], text % first),
            layer("M", "InnerProduct", ["a"], ["b"], text % second),
        ]
        yield _text(name, what, net(input_layer("v", (2, 7)), *layers))
    yield _one(
        "loss_weights",
        "as many loss_weight as tops, or none",
        "Slice",
        "slice_param { axis: 2 slice_point: 2 } loss_weight: 1",
        tops=("y", "z"),
    )
    yield _text("negative_size", "a negative size of an input", net(input_layer("x", (2, -3))))
    yield _text(
        "enormous_size",
        "sizes whose product no memory holds",
        net(input_layer("x", (65536, 65536, 3))),
    )
    yield _text("field_twice", "a single field given twice", net(x, relu, head='name: "a"\n'))
    yield _text(
        "both_generations",
        "layer and layers in one file",
        net(relu.replace("layer", "layers", 1).replace('"ReLU"', "RELU"), x),
    )
    yield _text(
        "unknown_type", "a layer type that does not exist", net(x, layer("L", "Nope", ["x"], ["y"]))
    )
    yield _text(
        "type_in_capitals", "types are case sensitive", net(x, layer("L", "RELU", ["x"], ["y"]))
    )
    yield _text(
        "unknown_bottom",
        "a bottom that no layer made before",
        net(x, layer("L", "ReLU", ["q"], ["y"])),
    )
    yield _text("bottom_made_later", "a bottom that is made only later", net(relu, x))
    yield _text(
        "two_producers",
        "two layers that make the same blob",
        net(x, relu, layer("s", "TanH", ["x"], ["y"])),
    )
    yield _text(
        "too_many_bottoms",
        "a layer with a bottom too many",
        net(x, layer("L", "ReLU", ["x", "x"], ["y"])),
    )
    yield _text("no_top", "a layer without its top", net(x, layer("L", "ReLU", ["x"], [])))
    yield _text(
        "in_place_absval",
        "a layer in place that cannot be",
        net(x, layer("L", "AbsVal", ["x"], ["x"])),
    )
    yield _text(
        "rule_both_ways",
        "include and exclude in one layer",
        net(
            x, layer("L", "ReLU", ["x"], ["y"], "include { phase: TEST } exclude { phase: TRAIN }")
        ),
    )


def parameters() -> Iterator[Case]:
    def conv(text: str) -> str:
        return f"convolution_param {{ {text} }}"

    def pool(text: str) -> str:
        return f"pooling_param {{ {text} }}"

    yield _one(
        "conv_no_kernel", "a convolution without kernel", "Convolution", conv("num_output: 2")
    )
    yield _one(
        "conv_no_outputs", "a convolution without outputs", "Convolution", conv("kernel_size: 1")
    )
    yield _one(
        "conv_kernel_zero",
        "a kernel of size 0",
        "Convolution",
        conv("num_output: 2 kernel_size: 0"),
    )
    yield _one(
        "conv_stride_zero",
        "a stride of 0",
        "Convolution",
        conv("num_output: 2 kernel_size: 1 stride: 0"),
    )
    yield _one(
        "conv_group",
        "groups that do not divide the channels",
        "Convolution",
        conv("num_output: 4 kernel_size: 1 group: 2"),
    )
    yield _one(
        "conv_group_outputs",
        "groups that do not divide the outputs",
        "Convolution",
        conv("num_output: 4 kernel_size: 1 group: 3"),
    )
    yield _one(
        "conv_mixed",
        "kernel_size and kernel_h together",
        "Convolution",
        conv("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3"),
    )
    yield _one(
        "conv_too_large",
        "a kernel far larger than its input",
        "Convolution",
        conv("num_output: 2 kernel_size: 9"),
    )
    yield _one("pool_no_kernel", "a pooling layer without kernel", "Pooling")
    yield _one(
        "pool_pad", "a padding as large as the kernel", "Pooling", pool("kernel_size: 2 pad: 2")
    )
    yield _one(
        "pool_global_kernel",
        "global pooling with a kernel",
        "Pooling",
        pool("global_pooling: true kernel_size: 2"),
    )
    yield _one(
        "pool_too_large", "a window far larger than its input", "Pooling", pool("kernel_size: 9")
    )
    yield _one(
        "pool_three_axes",
        "pooling of three axes",
        "Pooling",
        pool("kernel_size: 2"),
        shape=(2, 3, 5),
    )
    yield _one(
        "pool_ave_mask",
        "places of maxima of an average",
        "Pooling",
        pool("pool: AVE kernel_size: 2"),
        tops=("y", "mask"),
    )
    yield _one(
        "lrn_even", "LRN over an even number of channels", "LRN", "lrn_param { local_size: 4 }"
    )
    yield _one("ip_no_outputs", "an inner product without outputs", "InnerProduct")
    yield _one(
        "concat_both",
        "concat_dim and axis together",
        "Concat",
        "concat_param { axis: 1 concat_dim: 1 }",
    )
    yield _one("slice_uneven", "channels that do not divide", "Slice", tops=("a", "b"))
    yield _one(
        "slice_points",
        "points that do not rise",
        "Slice",
        "slice_param { slice_point: 2 slice_point: 1 }",
        tops=("a", "b", "c"),
    )
    yield _one(
        "reshape_count",
        "a shape of another count",
        "Reshape",
        "reshape_param { shape { dim: 4 dim: -1 } }",
    )
    yield _one(
        "axis", "an axis that the blob does not have", "Softmax", "softmax_param { axis: 4 }"
    )
    yield _one("tile_zero", "zero tiles", "Tile", "tile_param { tiles: 0 }")
    yield _one(
        "argmax_top_k", "more winners than entries", "ArgMax", "argmax_param { top_k: 8 axis: -1 }"
    )
    yield _one("log_base", "a logarithm of negative base", "Log", "log_param { base: -2 }")
    for kind, parameters in (
        ("InnerProduct", "inner_product_param { num_output: 2 }"),
        ("Flatten", ""),
        ("Reshape", "reshape_param { shape { dim: -1 } }"),
        ("BatchNorm", ""),
        ("Reduction", ""),
    ):
        text = net(input_layer("x", X), layer("L", kind, ["x", "x"], ["y"], parameters))
        yield _text(f"two_bottoms_{kind.lower()}", f"{kind} of two bottoms", text)
    two = net(
        input_layer("x", X),
        input_layer("z", (2, 3, 5, 6)),
        layer("L", "Eltwise", ["x", "z"], ["y"]),
    )
    yield _text("eltwise_shapes", "a sum of different shapes", two)
    yield _text("concat_shapes", "joining blobs that do not fit", two.replace("Eltwise", "Concat"))
    yield _text(
        "crop_larger",
        "a crop larger than the blob",
        net(
            input_layer("x", X),
            input_layer("z", (2, 3, 6, 7)),
            layer("L", "Crop", ["x", "z"], ["y"]),
        ),
    )
    yield _text(
        "eltwise_coeff",
        "fewer coefficients than bottoms",
        net(
            input_layer("x", X),
            layer("L", "Eltwise", ["x", "x"], ["y"], "eltwise_param { coeff: 1 }"),
        ),
    )


def running() -> Iterator[Case]:
    def case(name: str, what: str, text: str) -> Case:
        return Case(f"refused/{name}", what, aborts=True).step("net", prototxt=text)

    x = input_layer("x", X)
    conv = layer(
        "c", "Convolution", ["x"], ["y"], "convolution_param { num_output: 2 kernel_size: 3 }"
    )
    for name, what, shape in (
        ("other_channels", "another number of channels", (2, 4, 5, 7)),
        ("other_axes", "another number of axes", (2, 3, 35)),
        ("too_small", "a picture smaller than the kernel", (2, 3, 1, 7)),
    ):
        bad = case(f"run_{name}", f"a run after a reshape to {what}", net(x, conv))
        yield bad.step("reshape", blob="x", shape=shape).step("forward")
    norm = layer("n", "BatchNorm", ["x"], ["y"], "batch_norm_param { use_global_stats: true }")
    bad = case(
        "run_other_channels_norm", "a BatchNorm after a reshape of the channels", net(x, norm)
    )
    yield bad.step("reshape", blob="x", shape=[2, 4, 5, 7]).step("forward")
    ip = layer("ip", "InnerProduct", ["x"], ["y"], "inner_product_param { num_output: 2 }")
    yield (
        case("run_other_count", "an inner product after a reshape", net(x, ip))
        .step("reshape", blob="x", shape=[2, 3, 5, 8])
        .step("forward")
    )
    yield case("negative_reshape", "a negative size", net(x)).step(
        "reshape", blob="x", shape=[2, -3]
    )
    yield case(
        "num_of_five_axes", "num of a blob with five axes", net(input_layer("x", (1, 2, 3, 5, 7)))
    ).step("legacy_shape", blob="x", name="shape")
    for kind, parameters in (("ArgMax", ""), ("Threshold", "")):
        bad = case(
            f"backward_{kind.lower()}",
            f"{kind} has no backward pass",
            net(x, layer("L", kind, ["x"], ["y"], parameters)),
        )
        yield bad.step("forward").step("backward")
    labels = net(
        input_layer("x", (2, 3)), input_layer("l", (2,)), layer("L", "Accuracy", ["x", "l"], ["y"])
    )
    yield (
        case("backward_accuracy", "Accuracy has no backward pass", labels)
        .step("forward")
        .step("backward")
    )
    stochastic = layer(
        "L", "Pooling", ["x"], ["y"], "pooling_param { pool: STOCHASTIC kernel_size: 2 }"
    )
    yield case("stochastic_pooling", "stochastic pooling on the CPU", net(x, stochastic)).step(
        "forward"
    )
    # GoogLeNet's arithmetic in small: the second block vanishes, forward runs, backward cannot.
    tiny = case("vanished_block", "a gradient from an end that has no pixels", small_inception())
    tiny.step("reshape", blob="data", shape=[1, 3, 3, 3]).step("forward", end="b/output")
    yield tiny.step("objective", blob="b/output").step("backward", start="b/output")


def weights_files() -> Iterator[Case]:
    cw, cb, iw, ib = weights().values()
    ip = v2_layer("ip", blob(iw), blob(ib))
    for name, what, content in (
        ("garbage", "bytes that are no weights", b"version https://git-lfs.github.com/spec/v1"),
        ("cut", "a file cut short", (v2_layer("c", blob(cw), blob(cb)) + ip)[:-9]),
        ("missing_blob", "a layer without its bias", v2_layer("c", blob(cw)) + ip),
        ("blob_too_many", "a blob too many", v2_layer("c", blob(cw), blob(cb), blob(cb)) + ip),
        ("shape", "weights of another shape", v2_layer("c", blob(cw[:, :, :2]), blob(cb)) + ip),
        (
            "flat",
            "the right count in another shape",
            v2_layer("c", blob(cw.reshape(3, 18)), blob(cb)) + ip,
        ),
        (
            "legacy_shape",
            "a bias of four sizes with the ones behind",
            v2_layer("c", legacy_blob(cw), legacy_blob(cb.reshape(3, 1, 1, 1))) + ip,
        ),
        (
            "count",
            "a value less than the shape says",
            v2_layer("c", blob(cw, message(5, cw.tobytes()[:-4])), blob(cb)) + ip,
        ),
    ):
        case = Case(f"refused/weights_{name}", f"weights: {what}", aborts=True)
        yield case.step("net", prototxt=V2, weights=content)


def cases() -> Iterator[Case]:
    yield from descriptions()
    yield from parameters()
    yield from running()
    yield from weights_files()
