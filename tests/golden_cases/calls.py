"""Who runs backward, whose parameters are whose, what calls take and return."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Case, input_layer, layer, net


def gradients() -> Iterator[Case]:
    body = (
        layer("ip", "InnerProduct", ["x"], ["ip"], "inner_product_param { num_output: 4 }"),
        layer("t", "TanH", ["ip"], ["t"]),
    )
    frozen = body[0].replace(
        "inner_product_param", "param { lr_mult: 0 } param { lr_mult: 0 } inner_product_param"
    )
    down = body[0].replace("inner_product_param", "propagate_down: true inner_product_param")
    no_down = body[0].replace("inner_product_param", "propagate_down: false inner_product_param")
    loss = layer("l", "Reduction", ["t"], ["l"], "loss_weight: 2")
    case = Case(
        "gradients/needed", "who runs backward: force_backward, a loss, lr_mult, propagate_down"
    )
    x = input_layer("x", (2, 3))
    for label, layers, force in (
        ("forced", body, True),
        ("no loss", body, False),
        ("loss", (*body, loss), False),
        ("loss, frozen", (frozen, body[1], loss), False),
        ("loss, propagate_down", (down, body[1], loss), False),
        ("forced, no propagate_down", (no_down, body[1]), True),
        ("propagate_down without loss", (down, body[1]), False),
        ("forced and loss", (*body, loss), True),
    ):
        case.step("net", net=label, prototxt=net(x, *layers, force_backward=force))
        case.step("seed", net=label, seed=1).step("draw", net=label, blob="x", seed=2)
        case.step("forward", net=label).step("draw", net=label, blob="t", part="diff", seed=3)
        case.step("backward", net=label)
        case.step("read", net=label, blob="x", part="diff", name=f"{label}: data")
        case.step(
            "read_param", net=label, layer="ip", index=0, part="diff", name=f"{label}: weights"
        )
    yield case

    case = Case(
        "gradients/unwanted", "layers below a loss whose bottom wants no gradient: who writes it"
    )
    for kind in ("BatchNorm", "Scale", "Softmax", "LRN", "MVN", "TanH", "Power"):
        text = net(
            input_layer("x", (2, 3, 4, 5)),
            layer("k", kind, ["x"], ["k"]),
            layer("ip", "InnerProduct", ["k"], ["ip"], "inner_product_param { num_output: 4 }"),
            layer("l", "Reduction", ["ip"], ["l"], "loss_weight: 2"),
            force_backward=False,
        )
        if kind == "Scale":  # without what it learns, it wants none either
            text = text.replace('type: "Scale"', 'type: "Scale" param { lr_mult: 0 }')
        case.step("net", net=kind, prototxt=text).step("seed", net=kind, seed=1)
        case.step("draw", net=kind, blob="x", seed=2)
        case.step("forward", net=kind).step("backward", net=kind)
        case.step("read", net=kind, blob="x", part="diff", name=kind)
    yield case

    case = Case("gradients/loss", "losses of a net: weights, their sum, the seeds of backward")
    text = net(
        input_layer("x", (4, 5)),
        input_layer("t", (4, 5)),
        layer("e", "EuclideanLoss", ["x", "t"], ["e"]),
        layer(
            "r", "Reduction", ["x"], ["r"], "loss_weight: -0.5 reduction_param { operation: SUMSQ }"
        ),
        layer("free", "Reduction", ["t"], ["free"], "reduction_param { operation: MEAN }"),
    )
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1).step(
        "draw", blob="t", seed=2
    )
    last = 6  # data, data, two splits, three losses
    case.step("run_layers", first=0, last=last, name="whole loss")
    case.step("run_layers", first=4, last=4, name="of one layer")
    case.step("run_layers", first=last, last=0, backward=True, name="backward")
    for blob in ("e", "r", "free", "x", "t"):
        case.step("read", blob=blob, part="diff")
    yield case.step("read", blob="e").step("read", blob="r")

    case = Case("gradients/shared_params", "layers that share parameters by name")
    one = 'param { name: "w" } param { name: "b" }'
    shared = [
        layer(
            "first", "InnerProduct", ["x"], ["a"], f"{one} inner_product_param {{ num_output: 5 }}"
        ),
        layer(
            "second", "InnerProduct", ["a"], ["b"], f"{one} inner_product_param {{ num_output: 5 }}"
        ),
        layer(
            "third",
            "InnerProduct",
            ["b"],
            ["c"],
            'param { name: "w" share_mode: PERMISSIVE } inner_product_param'
            " { num_output: 1 axis: 0 bias_term: false }",
        ),
    ]
    text = net(input_layer("x", (5, 5)), *shared)
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1)
    case.step("draw_params", seed=2, layer="first").step("forward").step("read_all", name="data")
    case.step("draw", blob="c", part="diff", seed=3).step("backward").step(
        "read_all", name="diff", part="diff"
    )
    for name in ("first", "second", "third"):
        case.step("read_param", layer=name, index=0, name=f"{name} weights")
        case.step("read_param", layer=name, index=0, part="diff", name=f"{name} diff")
    case.step("write_param", layer="second", index=1, value=0.5)
    case.step("clear_param_diffs")
    case.step("read_param", layer="first", index=0, part="diff", name="cleared")
    yield case.step("read_param", layer="first", index=1, name="bias of first")

    case = Case("gradients/duplicate_names", "two layers of one name: start and end mean the first")
    text = net(
        input_layer("x", (2, 3)),
        layer("same", "InnerProduct", ["x"], ["a"], "inner_product_param { num_output: 4 }"),
        layer("same", "InnerProduct", ["a"], ["b"], "inner_product_param { num_output: 5 }"),
        layer("last", "TanH", ["b"], ["c"]),
    )
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1)
    case.step("seed", seed=2).step("forward", end="same", name="to same").step("read", blob="b")
    case.step("forward", start="same", name="whole").step("draw", blob="c", part="diff", seed=3)
    yield case.step("backward", end="same", name="back").step("read", blob="x", part="diff")


def calls() -> Iterator[Case]:
    text = net(
        input_layer("x", (2, 3)),
        layer("ip", "InnerProduct", ["x"], ["ip"], "inner_product_param { num_output: 4 }"),
        layer("t", "TanH", ["ip"], ["t"]),
        layer("a", "AbsVal", ["ip"], ["a"]),
    )

    def fresh(name: str, what: str) -> Case:
        case = Case(f"calls/{name}", what).step("net", prototxt=text)
        return case.step("seed", seed=1).step("draw", blob="x", seed=2)

    rng = np.random.RandomState(4)
    x = (rng.randint(-99, 100, (2, 3)) / 64).astype(np.float32)
    case = fresh("returned", "what forward and backward return")
    case.step("forward", name="all").step("forward", end="ip", name="to ip")
    case.step("forward", start="t", end="t", blobs=["ip", "x"], name="with blobs")
    case.step("forward", inputs={"x": x}, name="with input")
    case.step("forward", inputs={"x": x.astype(np.float64) * 2}, end="t", name="float64 input")
    tops = {blob: (rng.randint(-99, 100, (2, 4)) / 64).astype(np.float32) for blob in ("t", "a")}
    case.step("backward", tops=tops, name="with diffs")
    case.step("backward", diffs=["ip", "t"], name="diffs of blobs")
    case.step("backward", end="ip", name="to the ip layer")
    yield case.step("backward", start="ip", end="t", name="nothing runs")

    case = fresh("refused", "Python exceptions of forward and backward, and what they leave behind")
    wide = np.zeros((2, 5), np.float32)
    for label, step in {
        "unknown end": {"do": "forward", "end": "nope"},
        "unknown start": {"do": "forward", "start": "nope"},
        "split blob as end": {"do": "forward", "end": "ip_ip_0_split_0"},
        "blob that is no layer": {"do": "backward", "start": "ip_ip_0_split_0"},
        "unknown blob": {"do": "forward", "blobs": ["nope"]},
        "unknown diff": {"do": "backward", "diffs": ["nope"]},
    }.items():
        case.step("attempt", step=step, name=label)
    for label, do, key, arrays in (
        ("wrong input name", "forward", "inputs", {"y": x}),
        ("one input too many", "forward", "inputs", {"x": x, "y": x}),
        ("wrong batch", "forward", "inputs", {"x": x[:1]}),
        ("wrong width", "forward", "inputs", {"x": wide}),
        ("diffs of one top only", "backward", "tops", {"t": tops["t"]}),
        ("wrong batch of diffs", "backward", "tops", {"t": tops["t"][:1], "a": tops["a"][:1]}),
    ):
        stored = case._stored(arrays)
        case.step("attempt", step={"do": do, key: stored}, name=label)
    case.step("attempt", step={"do": "reshape", "blob": "x", "shape": [1.5, 3]}, name="float size")
    case.step(
        "attempt",
        step={"do": "set_input_arrays", "data": "a0", "labels": "a0"},
        name="no MemoryData",
    )
    yield case.step("read_all", name="data")

    case = fresh("forward_all", "any number of items in batches of the net's size, padding dropped")
    many = (rng.randint(-99, 100, (5, 3)) / 64).astype(np.float32)
    case.step("forward_all", name="five", inputs={"x": many})
    case.step("forward_all", name="one", inputs={"x": many[:1]}, blobs=["ip"])
    # Whole batches only: pycaffe forgets to drop the padding of all tops but one.
    diffs = {blob: (rng.randint(-99, 100, (4, 4)) / 64).astype(np.float32) for blob in ("t", "a")}
    yield case.step("forward_backward_all", name="both", inputs={"x": many[:4]}, tops=diffs)

    case = fresh("share_with", "two nets with the same weights")
    case.step("net", net="other", prototxt=text).step("share_with", net="other", other="net")
    case.step("draw", net="other", blob="x", seed=3).step("forward", net="other").step(
        "read", net="other", blob="t"
    )
    case.step("write_param", layer="ip", index=0, value=0.25).step("forward", net="other")
    case.step("read", net="other", blob="t", name="after a change")
    case.step("delete").step("forward", net="other")
    yield case.step("read", net="other", blob="t", name="after the first net is gone")


def cases() -> Iterator[Case]:
    yield from gradients()
    yield from calls()
