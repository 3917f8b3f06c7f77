"""Blobs: reshapes, memory that is kept or shared."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Case, input_layer, layer, net
from .networks import dream, ready, small_resnet


def reshaping() -> Iterator[Case]:
    relu = net(input_layer("x", (4, 4)), layer("r", "ReLU", ["x"], ["y"]))
    case = Case(
        "reshaping/capacity", "a reshape keeps the flat buffer until it has to grow", rtol=0
    )
    case.step("net", prototxt=relu)
    for part in ("data", "diff"):
        case.step("read", blob="x", part=part, name=f"{part} at first")
        case.step("draw", blob="x", part=part, seed=1 + (part == "diff"))
    case.step("hold", blob="x", name="old")
    for number, shape in enumerate(([2, 3], [3, 1, 5], [4, 4], [16], [2, 0, 3], [2, 8])):
        case.step("reshape", blob="x", shape=shape)
        case.step("read", blob="x", name=f"data {number}").step(
            "read", blob="x", part="diff", name=f"diff {number}"
        )
        case.step("shapes", name=f"shapes {number}")
    case.step("write_held", held="old", value=9).step(
        "read", blob="x", name="written through the old view"
    )
    case.step("reshape", blob="x", shape=[17])
    case.step("read", blob="x", name="grown data").step(
        "read", blob="x", part="diff", name="grown diff"
    )
    case.step("draw", blob="x", seed=8).step("reshape", blob="x", shape=[3, 3])
    yield case.step("read", blob="x", name="after growing").step("forward").step("read", blob="y")

    case = ready("reshaping/lazy", "a new input shape reaches each layer when it runs", rtol=None)
    case.step("reshape", blob="data", shape=[2, 3, 11, 15]).step("shapes", name="at once")
    case.step("write_image", blob="data", seed=3)
    case.step("forward", end="a/output").step("shapes", name="after a run to a/output")
    case.step("read", blob="a/output")
    case.step("reshape").step("shapes", name="after net.reshape()")
    case.step("forward").step("read", blob="prob")
    case.step("reshape", blob="data", shape=[1, 3, 17, 23]).step("write_image", blob="data", seed=4)
    yield dream(case, "b/output")

    case = ready("reshaping/diffs_stay", "forward never clears a diff", small_resnet(), rtol=0)
    case.step("write", blob="conv1", part="diff", value=3).step("forward")
    yield case.step("read", blob="conv1", part="diff")

    case = Case(
        "reshaping/legacy_shape", "num, channels, height, width of blobs with other axes", rtol=0
    )
    layers = [input_layer(f"x{n}", (2, 3, 5, 7)[:n]) for n in range(1, 5)]
    case.step("net", prototxt=net(*layers, layer("l", "Reduction", ["x4"], ["s"])))
    for blob in ("x1", "x2", "x3", "x4", "s"):
        case.step("legacy_shape", blob=blob, name=blob)
    yield case

    case = Case("reshaping/sharing", "tops that share memory with their bottom", rtol=0)
    text = net(
        input_layer("x", (2, 3, 5)),
        layer("split", "Split", ["x"], ["s0", "s1"]),
        layer("reshape", "Reshape", ["s0"], ["r"], "reshape_param { shape { dim: 6 dim: 5 } }"),
        layer("flatten", "Flatten", ["s1"], ["f"]),
        layer("concat", "Concat", ["f"], ["c"]),
        layer("slice", "Slice", ["c"], ["l"]),
    )
    case.step("net", prototxt=text).step("draw", blob="x", seed=1).step("forward")
    case.step("hold", blob="x", name="x").step("hold", blob="r", name="r").step(
        "hold", blob="l", name="l"
    )
    for number, blob in enumerate(("x", "r", "s1", "l")):
        case.step("write", blob=blob, value=10 + number)
        case.step("read_all", name=f"after writing {blob}")
    for blob in ("s0", "s1", "r", "f", "c", "l"):
        case.step("draw", blob=blob, part="diff", seed=ord(blob[0]))
    case.step("backward", start="slice", end="flatten")
    case.step("read_all", name="first run back", part="diff")
    case.step("draw", blob="f", part="diff", seed=77).step("backward")
    yield case.step("read_all", name="second run back", part="diff")

    case = ready("reshaping/lifetime", "a view outlives its net", small_resnet(), rtol=0)
    case.step("hold", blob="data", name="view").step("delete")
    yield case.step("read_held", held="view", name="data")


def cases() -> Iterator[Case]:
    yield from reshaping()
