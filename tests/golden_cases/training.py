"""Nets with losses: who runs backward, what is read then, and where diffs are put."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from .base import Case, input_layer, layer, net

ITEMS, CLASSES = 4, 5
LABELS = np.float32([2, 0, 4, 1])
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


def _numbers(seed: int, *shape: int) -> np.ndarray:
    values = np.random.RandomState(seed).randint(-512, 513, shape) / 256
    return np.asarray(values, np.float32)


def product(name: str, bottom: str, parameters: str = "", outputs: int = CLASSES) -> str:
    """Return an InnerProduct."""
    return layer(
        name, "InnerProduct", [bottom], [name],
        f"inner_product_param {{ num_output: {outputs} }} {parameters}",
    )  # fmt: skip


def _ready(case: Case, text: str, arrays: dict[str, np.ndarray], force: bool = True) -> Case:
    case.step("net", prototxt=net(text, force_backward=force))
    for blob, array in arrays.items():
        case.step("write", blob=blob, array=array)
    return case.step("draw_params", seed=3)


DATA = input_layer("d", (ITEMS, 6)) + input_layer("y", (ITEMS,))
GIVEN = {"d": _numbers(1, ITEMS, 6), "y": LABELS}


def _softmax(name: str, bottom: str, tops: Sequence[str] = (), parameters: str = "") -> str:
    return layer(name, "SoftmaxWithLoss", [bottom, "y"], tops, parameters)


def losses() -> Iterator[Case]:
    one = DATA + product("a", "d")
    two = one + product("b", "d")
    power = layer("p", "Power", ["l"], ["p"], "power_param { scale: 3 } %s")
    for name, what, text, force in (
        ("automatic", "a loss layer without a top is no output", one + _softmax("l", "a"), True),
        (
            "automatic_weight", "its weight",
            one + _softmax("l", "a", parameters="loss_weight: 0.5"), False,
        ),
        (
            "weight_is_read", "a loss with an explicit weight, whose top is read, counts twice",
            two + _softmax("l", "a", ["l"], "loss_weight: 0.5") + power % "", True,
        ),
        (
            "weight_is_read_by_a_loss", "the same, by a layer that has a weight too",
            two + _softmax("l", "a", ["l"], "loss_weight: 0.5") + power % "loss_weight: 2", False,
        ),
        (
            "read_without_weight", "a loss whose top is read, without an explicit weight",
            two + _softmax("l", "a", ["l"]) + power % "", True,
        ),
        (
            "one_top_is_read", "of two tops with weights one is read: both lose theirs",
            DATA + product("a", "d", outputs=6)
            + layer("s", "Slice", ["a"], ["l", "r"], "loss_weight: 2 loss_weight: 3") + power % "",
            False,
        ),
    ):  # fmt: skip
        case = _ready(Case(f"training/{name}", what), text, GIVEN, force).step("describe")
        case.step("forward", name="returned").step("read_all", name="data")
        yield case.step("backward").step("read_all", name="diff", part="diff")

    # Here pycaffe's names get mixed up, but the net runs.
    case = Case("training/two_automatic", "two loss layers without tops, and a third")
    third = layer("m", "EuclideanLoss", ["a", "b"], [])
    text = two + _softmax("l", "a") + _softmax("k", "b") + third
    _ready(case, text, GIVEN).step("run_layers", first=0, last=10, name="loss")
    case.step("run_layers", first=10, last=0, name="nothing", backward=True)
    for blob in ("d", "a", "b"):
        case.step("read", blob=blob, part="diff")
    yield case


def needs() -> Iterator[Case]:
    """Nets of one loss, by propagate_down and learning rates on the way."""
    asks = ("", "propagate_down: true", "propagate_down: false")
    pairs = ("", "propagate_down: [true, false]", "propagate_down: [false, true]")
    for number, (first, rate, pair) in enumerate(itertools.product(asks, ("", FROZEN), pairs)):
        second = asks[number % 3]
        case = Case(f"training/needs_{number}", f"who needs backward: {first} {rate} {pair}")
        text = (
            DATA + product("a", "d", f"{first} {rate}", 6) + layer("r", "ReLU", ["a"], ["a"])
            + product("b", "a", f"{second} {FROZEN if number % 2 else ''}")
            + product("c", "a", rate)
            + layer("e", "Eltwise", ["b", "c"], ["e"], pair) + _softmax("l", "e", ["l"])
        )  # fmt: skip
        _ready(case, text, GIVEN, force=False).step("forward").step("backward")
        case.step("read_all", name="diff", part="diff")
        for name in "abc":
            case.step("read_param", layer=name, index=0, part="diff")
        yield case
    case = Case("training/needs_nothing", "propagate_down, but nothing needs a gradient")
    text = input_layer("x", (2, 3)) + layer(
        "s", "Reduction", ["x"], ["s"], "loss_weight: 2 propagate_down: true"
    )
    case.step("net", prototxt=net(text, force_backward=False)).step("forward").step("backward")
    yield case.step("read", blob="x", part="diff")


def labels() -> Iterator[Case]:
    """What is written between two backward passes."""
    x, z = _numbers(5, ITEMS, CLASSES), _numbers(6, ITEMS, CLASSES)
    bits = np.float32(np.arange(x.size).reshape(x.shape) % 3 == 0)
    other = np.float32([1, 1, 0, 3])
    pairs = np.float32([1, 0, 1, 0]), np.float32([0, 0, 1, 1])
    ignore = "loss_param { ignore_label: 1 normalization: %s }"
    jobs = [
        ("SoftmaxWithLoss", ignore % mode, {"x": x, "y": LABELS}, {"y": other, "x": z})
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ] + [
        ("SigmoidCrossEntropyLoss", ignore % "VALID", {"x": x, "y": bits}, {"y": 1 - bits, "x": z}),
        ("HingeLoss", "", {"x": x, "y": LABELS}, {"y": other, "x": z}),
        ("MultinomialLogisticLoss", "", {"x": abs(x), "y": LABELS}, {"y": other, "x": abs(z)}),
        ("EuclideanLoss", "", {"x": x, "y": z}, {"y": x, "x": z}),
        (
            "ContrastiveLoss", "", {"x": x / 4, "y": z / 4, "s": pairs[0]},
            {"s": pairs[1], "x": z},
        ),
        (
            "ContrastiveLoss", "contrastive_loss_param { legacy_version: true }",
            {"x": x / 4, "y": z / 4, "s": pairs[0]}, {"s": pairs[1], "x": z},
        ),
    ]  # fmt: skip
    for number, (kind, parameters, given, later) in enumerate(jobs):
        case = Case(f"training/labels_{number}", f"{kind} reads again at backward: {parameters}")
        text = "".join(input_layer(name, array.shape) for name, array in given.items())
        text += layer("l", kind, list(given), ["l"], parameters)
        _ready(case, text, given).step("forward")
        for turn, (blob, array) in enumerate([("x", given["x"]), *later.items()]):
            case.step("write", blob=blob, array=np.asarray(array)).step("backward")
            case.step("read", blob="x", part="diff", name=f"{turn} x")
        yield case


def scale() -> Iterator[Case]:
    """Where Scale puts the gradient of its factor: twice backward, one item and several."""
    shapes = {"one": (1, 3, 4, 5), "two": (2, 3, 4, 5), "channel": (1, 1, 4, 5), "flat": (4, 3)}
    entries = ("bias_term: true", "axis: 0 num_axes: 0", "axis: 0 num_axes: -1", "axis: -1")
    for (name, shape), in_place in itertools.product(shapes.items(), (False, True)):
        case = Case(
            f"scale/again_{name}{'_in_place' if in_place else ''}",
            f"Scale's diffs after two backwards, bottom {shape}",
        )
        text, given, tops = "", {}, []
        for k, parameters in enumerate([*entries, "second", "second of all axes"]):
            bottoms = [f"x{k}"]
            if parameters.startswith("second"):
                bottoms.append(f"z{k}")
                wide = "all" in parameters
                given[f"z{k}"] = _numbers(20 + k, *(shape if wide else shape[1:2]))
                parameters = f"axis: {0 if wide else 1}"  # noqa: PLW2901
            given[f"x{k}"] = _numbers(10 + k, *shape)
            tops.append(f"x{k}" if in_place else f"y{k}")
            text += "".join(input_layer(b, given[b].shape) for b in bottoms)
            text += layer(f"s{k}", "Scale", bottoms, tops[-1:], f"scale_param {{ {parameters} }}")
        _ready(case, text, given).step("forward")
        for turn in range(2):
            for k, top in enumerate(tops):
                case.step("draw", blob=top, part="diff", seed=30 + k)
            case.step("backward")
            for blob in given:
                case.step("read", blob=blob, part="diff", name=f"{turn} {blob}")
            for k in range(len(entries)):
                name = f"{turn} s{k}"
                case.step("read_param", layer=f"s{k}", index=0, part="diff", name=name)
        yield case
    case = Case("scale/product_in_bottom", "no gradient for the bottom: its diff holds products")
    text = input_layer("x", (2, 3, 4, 5)) + layer("s", "Scale", ["x"], ["y"])
    text += layer("r", "Reduction", ["y"], ["r"], "loss_weight: 1")
    _ready(case, text, {"x": _numbers(9, 2, 3, 4, 5)}, force=False)
    yield case.step("forward").step("backward").step("read", blob="x", part="diff")


def cases() -> Iterator[Case]:
    yield from losses()
    yield from needs()
    yield from labels()
    yield from scale()
