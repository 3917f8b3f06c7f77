"""NaN, infinity and -0 on their way through layers, above all where a factor is 0.

BLAS writes zeros where it is told to scale by 0, whatever the values are; C++'s ``max`` and ``min``
drop NaN on one side and keep it on the other. A case is a net of many layers side by side, each
with inputs of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .base import Case, input_layer, layer, net

NAN, INF = np.nan, np.inf
X = np.float32([
    0, -0.0, NAN, INF, -INF, 1.5, -2, 0.5, 3, -0.25, NAN, INF,
    -INF, 60, -60, 1e-40, 2, -1, 0.75, NAN, -INF, INF, 1, -1,
]).reshape(2, 3, 4, 1)  # fmt: skip
OTHER = np.roll(X.ravel(), 5).reshape(X.shape)
GRADIENT = np.roll(X.ravel(), 7).reshape(X.shape)
FINITE = (np.arange(24, dtype=np.float32).reshape(X.shape) - 12) / 4
SLOPES = np.float32([0, 1, -0.5])

Inputs = Sequence[np.ndarray]
Entry = tuple[str, str, Inputs, Inputs]  # type, parameters, bottoms, parameter blobs


def _alone(kind: str, message: str, *parameters: str) -> list[Entry]:
    """Return one entry for each text of parameters."""
    return [(kind, f"{message} {{ {text} }}", (X,), ()) for text in parameters]


UNARY = [
    *_alone("ReLU", "relu_param", "", "negative_slope: 0.5"),
    *_alone("ELU", "elu_param", "", "alpha: 0"),
    *[(kind, "", (X,), ()) for kind in ("Sigmoid", "TanH", "BNLL", "Dropout")],
    *_alone("Swish", "swish_param", "", "beta: 0"),
    *_alone(
        "Power", "power_param", "scale: 0 shift: 2", "power: 0", "power: 2 scale: 3",
        "power: 2 scale: 3 shift: 1", "power: 3", "power: -0.5", "scale: 2 shift: 1",
    ),
    *_alone(
        "Exp", "exp_param", "", "scale: 0", "base: 1 shift: 1", "base: 0.5 shift: 1e30",
        "base: 2 scale: 0.5 shift: 1",
    ),
    *_alone("Log", "log_param", "", "scale: 0", "scale: 0 shift: 2", "base: 2 shift: 1"),
    ("PReLU", "", (X,), (SLOPES,)),
]  # fmt: skip
NOT_IN_PLACE = [
    ("AbsVal", "", (X,), ()),
    *_alone("LRN", "lrn_param", "", "alpha: 0 k: 2", "beta: 0"),
    *_alone(
        "LRN", "lrn_param", "norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0",
        "norm_region: WITHIN_CHANNEL local_size: 3 beta: 0",
    ),
]  # fmt: skip
AFFINE = [
    ("Scale", "", (X,), (SLOPES,)),
    ("Scale", "", (X,), (np.float32([NAN, INF, -0.5]),)),
    ("Scale", "scale_param { bias_term: true }", (X,), (SLOPES, np.float32([0, NAN, 1]))),
    ("Scale", "scale_param { axis: 0 num_axes: -1 }", (X,), (FINITE,)),
    ("Scale", "scale_param { axis: 0 num_axes: 0 }", (X,), (np.array(0, np.float32),)),
    ("Scale", "", (X, np.float32([0, 1, NAN])), ()),
    ("Scale", "scale_param { axis: 0 }", (FINITE, X), ()),
    ("Bias", "", (X,), (SLOPES,)),
    ("BatchNorm", "", (X,), (np.float32([NAN, 1, 2]), np.float32([1, INF, 3]), np.float32([0]))),
    ("BatchNorm", "", (X,), (np.float32([NAN, 1, 2]), np.float32([1, INF, -3]), np.float32([2]))),
    ("Softmax", "", (X,), ()),
    ("MVN", "", (X,), ()),
]
MANY = [
    ("Eltwise", f"eltwise_param {{ {text} }}", bottoms, ())
    for bottoms in ((X, OTHER), (OTHER, X))
    for text in (
        "", "coeff: 2 coeff: 0", "coeff: 0 coeff: -1", "operation: PROD",
        "operation: PROD stable_prod_grad: false", "operation: MAX",
    )
] + [
    ("Eltwise", "eltwise_param { operation: MAX }", (OTHER, X, FINITE), ()),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: 0 coeff: 2 }", (OTHER, X, FINITE), ()),
]  # fmt: skip
REDUCED = [
    ("Reduction", f"reduction_param {{ operation: {operation} coeff: {coeff} axis: 2 }}", (X,), ())
    for operation in ("SUM", "ASUM", "SUMSQ", "MEAN")
    for coeff in (0, 1, 2)
]
SCORES = np.float32(
    [[0, NAN, 1, 2, 3], [1, INF, 0, 2, -INF], [1, 2, 3, -1, 0], [-INF, -INF, 1, 0, 0]]
)
SHIFTED = np.roll(SCORES, 1)
LABELS = np.float32([2, 0, 4, 1])
BITS = np.float32(np.arange(20).reshape(4, 5) % 2)
LOSSES = [
    ("SoftmaxWithLoss", "", (SCORES, LABELS), ()),
    ("SoftmaxWithLoss", "loss_param { ignore_label: 2 }", (SCORES, LABELS), ()),
    ("EuclideanLoss", "", (SCORES, SHIFTED), ()),
    ("SigmoidCrossEntropyLoss", "", (SCORES, BITS), ()),
    ("SigmoidCrossEntropyLoss", "loss_param { ignore_label: 1 }", (SCORES, BITS), ()),
    ("HingeLoss", "", (SCORES, LABELS), ()),
    ("HingeLoss", "hinge_loss_param { norm: L2 }", (SCORES, LABELS), ()),
    ("MultinomialLogisticLoss", "", (SCORES, LABELS), ()),
    ("ContrastiveLoss", "", (SCORES, SHIFTED, np.float32([1, 0, 1, 0])), ()),
    (
        "ContrastiveLoss",
        "contrastive_loss_param { legacy_version: true }",
        (SCORES, SHIFTED, np.float32([0, 1, 0, 1])),
        (),
    ),
]


def _side_by_side(
    name: str,
    what: str,
    entries: Sequence[Entry],
    gradient: np.ndarray | float,
    in_place: bool = False,
) -> Case:
    case, text = Case(f"not_finite/{name}", what), ""
    for number, (kind, parameters, bottoms, _) in enumerate(entries):
        names = [f"x{number}_{k}" for k in range(len(bottoms))]
        text += "".join(input_layer(x, array.shape) for x, array in zip(names, bottoms))
        top = names[0] if in_place else f"y{number}"
        text += layer(f"L{number}", kind, names, [top], parameters)
    case.step("net", prototxt=net(text))
    for number, (_, _, bottoms, weights) in enumerate(entries):
        for k, array in enumerate(bottoms):
            case.step("write", blob=f"x{number}_{k}", array=array)
        for k, array in enumerate(weights):
            case.step("write_param", layer=f"L{number}", index=k, array=array)
    case.step("forward")
    tops = [f"x{number}_0" if in_place else f"y{number}" for number in range(len(entries))]
    for top in tops:
        case.step("read", blob=top)
    for top in tops:
        if isinstance(gradient, np.ndarray):
            case.step("write", blob=top, part="diff", array=gradient)
        else:
            case.step("write", blob=top, part="diff", value=gradient)
    case.step("backward")
    for number, (kind, _, bottoms, weights) in enumerate(entries):
        labelled = kind.endswith("Loss") and kind != "EuclideanLoss"
        for k in range(len(bottoms) - labelled):
            case.step("read", blob=f"x{number}_{k}", part="diff")
        for k in range(len(weights) if kind != "BatchNorm" else 0):
            case.step("read_param", layer=f"L{number}", index=k, part="diff")
    return case


def cases() -> Iterator[Case]:
    for name, entries in (("unary", UNARY), ("affine", AFFINE)):
        yield _side_by_side(name, f"layers of one value: {name}", entries, GRADIENT)
        yield _side_by_side(f"{name}_in_place", f"{name}, in place", entries, GRADIENT, True)
        yield _side_by_side(f"{name}_zero", f"{name}, a gradient of zeros", entries, 0)
    yield _side_by_side("neighbours", "LRN and AbsVal", NOT_IN_PLACE, GRADIENT)
    yield _side_by_side("several", "Eltwise", MANY, GRADIENT)
    for name, value in (("one", 1), ("zero", 0), ("nan", np.array(NAN, np.float32))):
        yield _side_by_side(f"reduction_{name}", f"Reduction, gradient {name}", REDUCED, value)
        yield _side_by_side(f"losses_{name}", f"losses, weight {name}", LOSSES, value)
