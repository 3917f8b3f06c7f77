"""InnerProduct, layers that join, cut and reshape blobs, and sources of data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Case, dims, input_layer, layer, layer_case, net

X = (2, 3, 5, 7)


def inner_product() -> Iterator[Case]:
    for name, what, parameters, shape in (
        ("default", "everything but the batch", "", X),
        ("two_axes", "a blob of two axes", "", (5, 7)),
        ("axis2", "axis 2 keeps two leading axes", "axis: 2", X),
        ("axis_negative", "axis -1 keeps three leading axes", "axis: -1", X),
        ("axis0", "axis 0: the whole blob is one vector", "axis: 0", X),
        ("transpose", "weights stored (inputs, outputs)", "transpose: true", X),
        ("transpose_axis2", "transposed weights from axis 2", "transpose: true axis: 2", X),
    ):
        yield layer_case(
            f"inner_product/{name}",
            f"InnerProduct: {what}",
            "InnerProduct",
            f"inner_product_param {{ num_output: 4 {parameters} }}",
            shape,
            params=2,
        )
    yield layer_case(
        "inner_product/no_bias",
        "InnerProduct: bias_term: false leaves one parameter blob",
        "InnerProduct",
        "inner_product_param { num_output: 4 bias_term: false }",
        X,
        params=1,
    )


def joining() -> Iterator[Case]:
    for name, what, parameters, shapes in (
        ("channels", "along the channels", "", [(2, 3, 5, 7), (2, 1, 5, 7), (2, 4, 5, 7)]),
        ("axis0", "along the batch", "concat_param { axis: 0 }", [(2, 3, 5), (1, 3, 5)]),
        ("axis2", "along the height", "concat_param { axis: 2 }", [(2, 3, 1, 7), (2, 3, 4, 7)]),
        (
            "negative_axis",
            "along the last axis",
            "concat_param { axis: -1 }",
            [(2, 3, 5), (2, 3, 2)],
        ),
        (
            "concat_dim",
            "the old word for axis",
            "concat_param { concat_dim: 2 }",
            [(2, 3, 4), (2, 3, 1)],
        ),
        ("single", "one bottom", "", [X]),
    ):
        yield layer_case(f"concat/{name}", f"Concat: {what}", "Concat", parameters, *shapes, rtol=0)
    for name, what, parameters, tops, shape in (
        ("equal", "into equal parts", "", 3, (2, 6, 3, 5)),
        (
            "points",
            "at given channels",
            "slice_param { slice_point: 1 slice_point: 4 }",
            3,
            (2, 7, 3, 5),
        ),
        ("axis2", "along the height", "slice_param { axis: 2 slice_point: 2 }", 2, X),
        ("negative_axis", "along the last axis", "slice_param { axis: -1 slice_point: 3 }", 2, X),
        ("slice_dim", "the old word for axis", "slice_param { slice_dim: 3 slice_point: 6 }", 2, X),
        ("single", "one top", "", 1, X),
    ):
        yield layer_case(
            f"slice/{name}", f"Slice: {what}", "Slice", parameters, shape, tops=tops, rtol=0
        )


def eltwise() -> Iterator[Case]:
    for name, what, parameters, count in (
        ("sum", "the sum of three", "", 3),
        ("sum_coeff", "a weighted sum", "coeff: 0.5 coeff: -2 coeff: 0", 3),
        ("prod", "the product of two", "operation: PROD", 2),
        ("prod_three", "the product of three", "operation: PROD", 3),
    ):
        yield layer_case(
            f"eltwise/{name}",
            f"Eltwise: {what}",
            "Eltwise",
            f"eltwise_param {{ {parameters} }}",
            *[X] * count,
        )
    for count in (2, 3):
        yield layer_case(
            f"eltwise/prod_unstable_{count}",
            "Eltwise: stable_prod_grad: false divides the product by the factor",
            "Eltwise",
            "eltwise_param { operation: PROD stable_prod_grad: false }",
            *[X] * count,
            low=0.25,
        )
    yield layer_case(
        "eltwise/prod_unstable_zero",
        "Eltwise: that division is NaN where a factor is 0",
        "Eltwise",
        "eltwise_param { operation: PROD stable_prod_grad: false }",
        np.float32([[0, 1, -2, 0]]),
        np.float32([[3, 0, 0.5, 0]]),
    )
    yield layer_case(
        "eltwise/prod_zero",
        "Eltwise: the stable gradient of a product with zeros",
        "Eltwise",
        "eltwise_param { operation: PROD }",
        np.float32([[0, 1, -2, 0]]),
        np.float32([[3, 0, 0.5, 0]]),
        np.float32([[5, 7, 0, 1]]),
        rtol=0,
    )
    for count in (2, 3, 4):
        yield layer_case(
            f"eltwise/max_ties_{count}",
            "Eltwise: of equal values the second of the first two bottoms wins, a later one never",
            "Eltwise",
            "eltwise_param { operation: MAX }",
            *[X] * count,
            low=-1,
            high=1,
            steps=1,
            rtol=0,
        )
    yield layer_case(
        "eltwise/sum_same_bottom",
        "Eltwise: a blob added to another one in three axes",
        "Eltwise",
        "",
        (3, 5, 7),
        (3, 5, 7),
        rtol=1e-6,
    )


def softmax() -> Iterator[Case]:
    for name, what, parameters, shape in (
        ("channels", "over the channels of every pixel", "", X),
        ("two_axes", "over classes", "", (3, 7)),
        ("axis0", "over the batch", "softmax_param { axis: 0 }", X),
        ("negative_axis", "over the last axis", "softmax_param { axis: -1 }", X),
    ):
        yield layer_case(
            f"softmax/{name}", f"Softmax: {what}", "Softmax", parameters, shape, low=-9, high=9
        )
    yield layer_case(
        "softmax/in_place", "Softmax: in place", "Softmax", "", X, low=-9, high=9, in_place=True
    )


def reshaping() -> Iterator[Case]:
    for name, what, parameters in (
        ("default", "all axes after the batch", ""),
        ("axis2", "from axis 2", "flatten_param { axis: 2 }"),
        ("axis0_end1", "the first two axes", "flatten_param { axis: 0 end_axis: 1 }"),
        ("end_negative", "up to axis -2", "flatten_param { axis: 1 end_axis: -2 }"),
    ):
        yield layer_case(f"flatten/{name}", f"Flatten: {what}", "Flatten", parameters, X, rtol=0)
    for name, what, parameters in (
        ("copy_infer", "0 copies an axis, -1 is worked out", "shape { dim: 0 dim: -1 dim: 5 }"),
        ("merge", "all axes into one", "shape { dim: -1 }"),
        ("axis1", "the axes before `axis` stay", "shape { dim: -1 } axis: 1"),
        (
            "middle",
            "num_axes axes are replaced, the others stay",
            "shape { dim: 5 dim: 3 } axis: 1 num_axes: 2",
        ),
        ("insert", "num_axes 0 puts axes in", "shape { dim: 1 dim: 1 } axis: 2 num_axes: 0"),
        ("append", "an axis of one at the end", "shape { dim: 1 } axis: -1 num_axes: 0"),
    ):
        yield layer_case(
            f"reshape/{name}",
            f"Reshape: {what}",
            "Reshape",
            f"reshape_param {{ {parameters} }}",
            X,
            rtol=0,
        )
    for name, what, parameters in (
        ("channels", "along the channels", "tiles: 3"),
        ("axis0", "along the batch", "tiles: 2 axis: 0"),
        ("negative_axis", "along the last axis", "tiles: 2 axis: -1"),
        ("once", "one tile", "tiles: 1 axis: 2"),
    ):
        yield layer_case(
            f"tile/{name}", f"Tile: {what}", "Tile", f"tile_param {{ {parameters} }}", X, rtol=1e-6
        )


def reduction() -> Iterator[Case]:
    for operation in ("SUM", "ASUM", "SUMSQ", "MEAN"):
        for name, what, parameters in (
            ("all", "of the whole blob", ""),
            ("axis2", "of each plane", "axis: 2 coeff: 0.5"),
            ("negative_axis", "of each row", "axis: -1 coeff: -2"),
        ):
            yield layer_case(
                f"reduction/{operation.lower()}_{name}",
                f"Reduction: {operation} {what}",
                "Reduction",
                f"reduction_param {{ operation: {operation} {parameters} }}",
                X,
            )
    yield layer_case(
        "reduction/asum_zero",
        "Reduction: ASUM has no gradient at 0",
        "Reduction",
        "reduction_param { operation: ASUM }",
        np.float32([[-2, 0, 3, -0.0]]),
    )


def argmax() -> Iterator[Case]:
    ties = np.float32([[1, 3, 3, 2, 0], [5, 5, -1, 5, 2]])
    for name, what, parameters in (
        ("default", "the last of equal values", ""),
        ("top3", "the best three, the last of equal values first", "top_k: 3"),
        ("pairs", "places, then values", "top_k: 3 out_max_val: true"),
        ("axis1", "places along an axis", "axis: 1 top_k: 2"),
        ("axis1_values", "values along an axis", "axis: 1 top_k: 2 out_max_val: true"),
    ):
        yield layer_case(
            f"argmax/{name}",
            f"ArgMax: {what}; no backward pass",
            "ArgMax",
            f"argmax_param {{ {parameters} }}",
            ties,
            rtol=0,
            backward=False,
        )
    for name, what, parameters in (
        ("planes", "over channels and pixels together", "top_k: 2"),
        ("channels", "over the channels of every pixel", "axis: 1"),
        ("negative_axis", "along each row", "axis: -1 top_k: 3 out_max_val: true"),
    ):
        yield layer_case(
            f"argmax/{name}",
            f"ArgMax: {what}; no backward pass",
            "ArgMax",
            f"argmax_param {{ {parameters} }}",
            X,
            rtol=0,
            backward=False,
        )


def sources() -> Iterator[Case]:
    case = Case("dummy_data/default", "DummyData: constants are filled once and then kept", rtol=0)
    text = net(
        layer(
            "d",
            "DummyData",
            [],
            ["a", "b"],
            f"dummy_data_param {{ {dims((2, 3))} {dims((1, 2, 5))}"
            ' data_filler { value: 1.5 } data_filler { type: "constant" value: -2 } }',
        ),
        layer("p", "Power", ["a"], ["y"], "power_param { scale: 2 }"),
    )
    case.step("net", prototxt=text).step("describe")
    case.step("forward").step("read", blob="a").step("read", blob="b").step("read", blob="y")
    case.step("write", blob="a", value=7).step("forward").step("read", blob="y", name="again")
    yield case

    case = Case(
        "dummy_data/legacy", "DummyData: num, channels, height, width; one value for all", rtol=0
    )
    text = net(
        layer(
            "d",
            "DummyData",
            [],
            ["a", "b"],
            "dummy_data_param { num: 2 channels: 3 height: 1 width: 5 data_filler { value: 0.5 } }",
        ),
    )
    yield (
        case.step("net", prototxt=text)
        .step("forward")
        .step("describe")
        .step("read_all", name="all")
    )

    case = Case("memory_data/default", "MemoryData: batches of the arrays it was given", rtol=0)
    text = net(
        layer(
            "m",
            "MemoryData",
            [],
            ["data", "label"],
            "memory_data_param { batch_size: 2 channels: 3 height: 1 width: 5 }",
        ),
        layer("p", "Power", ["data"], ["y"], "power_param { scale: 2 }"),
    )
    data = np.arange(60, dtype=np.float32).reshape(4, 3, 1, 5)
    labels = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    case.step("net", prototxt=text).step("describe")
    case.step("set_input_arrays", data=data, labels=labels)
    for number in range(3):
        case.step("forward")
        case.step("read", blob="y", name=f"y{number}")
        case.step("read", blob="label", name=f"label{number}")
    yield case

    case = Case("input/shapes", "Input: no shape, one for all tops, one for each top", rtol=0)
    text = net(
        layer("a", "Input", [], ["a0", "a1"], f"input_param {{ {dims((2, 3))} }}"),
        layer("b", "Input", [], ["b0", "b1"], f"input_param {{ {dims((2,))} {dims((3, 5))} }}"),
        layer("c", "Input", [], ["c0"], ""),
    )
    case.step("net", prototxt=text).step("describe")
    yield case.step("reshape", blob="c0", shape=[2, 1]).step("read", blob="c0")

    case = Case("silence/default", "Silence: no top, and a gradient of zero", rtol=0)
    text = net(
        input_layer("x", (2, 3)),
        input_layer("z", (1, 5)),
        layer("s", "Silence", ["x", "z"], []),
    )
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1)
    case.step("write", blob="x", part="diff", value=3).step("write", blob="z", part="diff", value=4)
    case.step("forward").step("backward")
    yield case.step("read", blob="x", part="diff").step("read", blob="z", part="diff")

    case = Case("split/explicit", "Split: data are shared, gradients add up", rtol=1e-6)
    text = net(input_layer("x", X), layer("s", "Split", ["x"], ["a", "b", "c"]))
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1).step("forward")
    for index, blob in enumerate("abc"):
        case.step("read", blob=blob).step("draw", blob=blob, part="diff", seed=11 + index)
    yield case.step("backward").step("read", blob="x", part="diff")


def cases() -> Iterator[Case]:
    yield from inner_product()
    yield from joining()
    yield from eltwise()
    yield from softmax()
    yield from reshaping()
    yield from reduction()
    yield from argmax()
    yield from sources()
