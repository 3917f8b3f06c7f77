"""Losses and Accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from one_layer import OneLayer, check_gradient, normal

from deepdream.errors import ParameterError, PrototxtError, ShapeError

pytestmark = pytest.mark.usefixtures("device")

DATA = (3, 4, 5, 7)  # 4 classes at 3 * 5 * 7 places
PLACES = (3, 1, 5, 7)


def labels(seed: int, *shape: int, classes: int = 4) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, classes, shape).astype(float)


def softmax(x: np.ndarray, axis: int = 1) -> np.ndarray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


# -- SoftmaxWithLoss ----------------------------------------------------------------------------

NORMALIZATIONS = {
    # loss_param: what the sum over places is divided by, where `valid` places count
    "": lambda valid: valid,
    "normalization: FULL": lambda valid: 105,
    "normalization: VALID": lambda valid: valid,
    "normalization: BATCH_SIZE": lambda valid: 3,
    "normalization: NONE": lambda valid: 1,
    "normalize: false": lambda valid: 3,
    "normalize: true": lambda valid: valid,
    "normalize: true normalization: NONE": lambda valid: 1,
}


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize("param", NORMALIZATIONS)
def test_softmax_with_loss(param, ignore):
    """The mean of minus the logarithms at the labels, divided as the prototxt says."""
    text = f'type: "SoftmaxWithLoss" loss_param {{ {param} {"ignore_label: 2" if ignore else ""} }}'
    net = OneLayer(text, DATA, PLACES, tops=2)
    x, target = normal(1, *DATA), labels(2, *PLACES)

    loss, prob = net.forward(x, target)

    total, valid = 0.0, 0
    for n, i, j in np.ndindex(3, 5, 7):
        label = int(target[n, 0, i, j])
        if not (ignore and label == 2):
            total -= math.log(softmax(x)[n, label, i, j])
            valid += 1
    assert valid < 105 or not ignore
    np.testing.assert_allclose(loss, total / NORMALIZATIONS[param](valid), rtol=1e-9)
    np.testing.assert_allclose(prob, softmax(x), rtol=1e-9)
    single = OneLayer(text, DATA, PLACES)
    check_gradient(single, x, target, bottoms=[0])


def test_softmax_with_loss_along_another_axis():
    """The classes may lie on any axis."""
    net = OneLayer('type: "SoftmaxWithLoss" softmax_param { axis: -1 }', (3, 2, 4), (3, 2))
    x, target = normal(1, 3, 2, 4), labels(2, 3, 2)

    (loss,) = net.forward(x, target)

    prob = np.take_along_axis(softmax(x, 2), target[..., None].astype(int), 2)
    np.testing.assert_allclose(loss, -np.log(prob).mean(), rtol=1e-9)
    check_gradient(net, x, target, bottoms=[0])


def test_the_loss_weight_scales_the_gradient():
    """It lies in the diff of the top."""
    net = OneLayer('type: "SoftmaxWithLoss"', (3, 4), (3,))
    net.forward(normal(1, 3, 4), labels(2, 3))
    down = [True, False]

    once = net.backward(np.float64(1), propagate_down=down)[0]
    twice = net.backward(np.float64(2), propagate_down=down)[0]

    np.testing.assert_allclose(twice, 2 * once, rtol=1e-12)


def test_a_hopeless_probability_does_not_give_infinity():
    """Probabilities below the smallest float count as that."""
    net = OneLayer('type: "SoftmaxWithLoss"', (1, 2), (1,))

    (loss,) = net.forward(np.array([[0, 1e4]]), np.zeros(1))

    np.testing.assert_allclose(loss, -math.log(np.finfo(np.float32).tiny), rtol=1e-9)


# -- the others ---------------------------------------------------------------------------------


def test_euclidean_loss():
    """Half the squared distance per item; both bottoms get a gradient."""
    net = OneLayer('type: "EuclideanLoss"', (3, 4, 5), (3, 20))
    a, b = normal(1, 3, 4, 5), normal(2, 3, 20)

    (loss,) = net.forward(a, b)

    wanted = sum((x - y) ** 2 for x, y in zip(a.ravel(), b.ravel())) / 6
    np.testing.assert_allclose(loss, wanted, rtol=1e-9)
    check_gradient(net, a, b)


@pytest.mark.parametrize(
    ("param", "divisor"),
    [
        ("", lambda valid: 3),
        ("normalization: VALID", lambda valid: valid),
        ("normalization: FULL", lambda valid: 12),
        ("normalize: true ignore_label: 0", lambda valid: valid),
        ("ignore_label: 1", lambda valid: 3),
    ],
)
def test_sigmoid_cross_entropy_loss(param, divisor):
    """Cross entropy of targets and sigmoids, by default divided by the number of items."""
    net = OneLayer(f'type: "SigmoidCrossEntropyLoss" loss_param {{ {param} }}', (3, 4), (3, 4))
    x, target = 5 * normal(1, 3, 4), labels(2, 3, 4, classes=2)

    (loss,) = net.forward(x, target)

    total, valid = 0.0, 0
    for value, t in zip(x.ravel(), target.ravel()):
        if f"ignore_label: {int(t)}" not in param:
            p = 1 / (1 + math.exp(-value))
            total -= t * math.log(p) + (1 - t) * math.log(1 - p)
            valid += 1
    np.testing.assert_allclose(loss, total / divisor(valid), rtol=1e-9)
    check_gradient(net, x, target, bottoms=[0])


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_hinge_loss(norm):
    """Margins below 1 count, or their squares; forward leaves them in the bottom's diff."""
    net = OneLayer(f'type: "HingeLoss" hinge_loss_param {{ norm: {norm} }}', (3, 4, 1, 2), (3,))
    x, target = normal(1, 3, 4, 1, 2), labels(2, 3, classes=8)

    (loss,) = net.forward(x, target)

    terms = np.empty((3, 8))
    for n, k in np.ndindex(3, 8):
        sign = 1 if k == target[n] else -1
        terms[n, k] = max(0, 1 - sign * x.reshape(3, 8)[n, k])
    wanted = (terms**2 if norm == "L2" else terms).sum() / 3
    np.testing.assert_allclose(loss, wanted, rtol=1e-9)
    np.testing.assert_allclose(net.bottom[0].diff.reshape(3, 8), terms, rtol=1e-9)
    check_gradient(net, x, target, bottoms=[0])


def test_multinomial_logistic_loss():
    """Minus the logarithm of the probability at the label, but not of less than 1e-20."""
    net = OneLayer('type: "MultinomialLogisticLoss"', (3, 4), (3, 1))
    prob, target = softmax(normal(1, 3, 4)), np.array([[1], [3], [1.0]])

    (loss,) = net.forward(prob, target)
    (worst,) = net.forward(0 * prob, target)

    wanted = -sum(math.log(prob[n, k]) for n, k in enumerate((1, 3, 1))) / 3
    np.testing.assert_allclose(loss, wanted, rtol=1e-9)
    np.testing.assert_allclose(worst, 20 * math.log(10), rtol=1e-9)
    check_gradient(net, prob, target, bottoms=[0])


@pytest.mark.parametrize("legacy", [False, True])
def test_contrastive_loss(legacy):
    """Similar pairs cost their squared distance, others what they lack of the margin."""
    param = f"margin: 4 legacy_version: {str(legacy).lower()}"
    net = OneLayer(
        f'type: "ContrastiveLoss" contrastive_loss_param {{ {param} }}', (5, 3), (5, 3), (5,)
    )
    a, b, similar = normal(1, 5, 3), normal(2, 5, 3), np.array([1, 0, 0, 1, 0.0])
    b[4] += 9  # far apart already

    (loss,) = net.forward(a, b, similar)

    total = 0.0
    for n in range(5):
        squared = ((a[n] - b[n]) ** 2).sum()
        far = max(4 - squared, 0) if legacy else max(4 - math.sqrt(squared), 0) ** 2
        total += squared if similar[n] else far
    np.testing.assert_allclose(loss, total / 10, rtol=1e-9)
    # Caffe adds 1e-4 to the distance that it divides by.
    check_gradient(net, a, b, similar, bottoms=[0, 1], rtol=1e-3)


# -- Accuracy -----------------------------------------------------------------------------------


def slow_accuracy(x, target, top_k, ignore):
    """Return the share of labels with fewer than top_k other scores as high, whole and by class."""
    right, count = np.zeros(4), np.zeros(4)
    for n, i, j in np.ndindex(3, 5, 7):
        label = int(target[n, 0, i, j])
        if label == ignore:
            continue
        count[label] += 1
        higher = sum(x[n, k, i, j] >= x[n, label, i, j] for k in range(4) if k != label)
        right[label] += higher < top_k
    by_class = [a / b if b else 0 for a, b in zip(right, count)]
    return (right.sum() / count.sum(), by_class)


@pytest.mark.parametrize("ignore", [None, 1])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_accuracy(top_k, ignore):
    """A label counts as found unless top_k others score as high; ignored labels do not count."""
    param = f"top_k: {top_k}" + (f" ignore_label: {ignore}" if ignore else "")
    net = OneLayer(f'type: "Accuracy" accuracy_param {{ {param} }}', DATA, PLACES, tops=2)
    x = np.random.RandomState(1).randint(0, 5, DATA).astype(float)
    target = labels(2, *PLACES)

    share, by_class = net.forward(x, target)

    wanted = slow_accuracy(x, target, top_k, ignore)
    np.testing.assert_allclose(share, wanted[0], rtol=1e-12)
    np.testing.assert_allclose(by_class, wanted[1], rtol=1e-12)


def test_accuracy_of_ignored_labels_only():
    """Without a label that counts the accuracy is 0."""
    net = OneLayer('type: "Accuracy" accuracy_param { ignore_label: 0 }', (2, 3), (2,))

    assert net.forward(np.ones((2, 3)), np.zeros(2)) == [0]


def test_accuracy_has_no_gradient():
    """Asked for one it refuses; not asked it keeps quiet."""
    net = OneLayer('type: "Accuracy"', (2, 3), (2,))
    net.forward(np.ones((2, 3)), np.zeros(2))

    with pytest.raises(PrototxtError, match="no gradient: choose an end before it"):
        net.backward()
    net.backward(propagate_down=[False, False])


# -- all ----------------------------------------------------------------------------------------

LOSSES = {
    "SoftmaxWithLoss": [(3, 4), (3,)],
    "EuclideanLoss": [(3, 4), (3, 4)],
    "SigmoidCrossEntropyLoss": [(3, 4), (3, 4)],
    "HingeLoss": [(3, 4), (3,)],
    "MultinomialLogisticLoss": [(3, 4), (3,)],
    "ContrastiveLoss": [(3, 4), (3, 4), (3,)],
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_is_one_number_of_weight_one(kind):
    """The top has no axes, counts once into the loss, and need not be named."""
    net = OneLayer(f'type: "{kind}"', *LOSSES[kind])

    assert net.shapes == [()]
    assert net.layer.auto_tops
    assert [net.layer.default_loss_weight(i) for i in (0, 1)] == [1, 0]
    assert net.layer.window() is None


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("SoftmaxWithLoss", [True, False]),
        ("EuclideanLoss", [True, True]),
        ("SigmoidCrossEntropyLoss", [True, False]),
        ("ContrastiveLoss", [True, True, False]),
    ],
)
def test_force_backward_leaves_labels_out(kind, allowed):
    """Labels have no gradient, except where they are data too."""
    layer = OneLayer(f'type: "{kind}"', *LOSSES[kind]).layer

    assert [layer.allow_force_backward(i) for i in range(len(allowed))] == allowed


@pytest.mark.parametrize(
    "kind", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss", "HingeLoss", "MultinomialLogisticLoss"]
)
def test_labels_have_no_gradient(kind):
    """Asking for the labels' gradient is refused."""
    net = OneLayer(f'type: "{kind}"', *LOSSES[kind])
    net.forward(np.full((3, 4), 0.25), np.zeros(LOSSES[kind][1]))

    with pytest.raises(PrototxtError, match="labels have no gradient"):
        net.backward(np.float64(1))


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "HingeLoss", "MultinomialLogisticLoss"])
@pytest.mark.parametrize("label", [4, -1])
def test_a_label_that_is_no_class_is_refused(kind, label):
    """Caffe would read beyond its memory."""
    net = OneLayer(f'type: "{kind}"', *LOSSES[kind])

    with pytest.raises(ParameterError, match=f"label {label} found, 0 to 3 expected"):
        net.forward(np.ones((3, 4)), np.array([0, label, 1]))


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_refuse_other_numbers_of_items(kind):
    """There must be as many labels as items."""
    data, target, *rest = LOSSES[kind]

    with pytest.raises(ShapeError, match="expected"):
        OneLayer(f'type: "{kind}"', data, (2, *target[1:]), *rest)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ('type: "SoftmaxWithLoss"', [(3, 4, 5), (3,)], "3 labels found, 15 expected"),
        ('type: "HingeLoss"', [(3, 4), (3, 2)], "6 labels found, 3 expected"),
        ('type: "MultinomialLogisticLoss"', [(3, 4), (3, 2)], "one an item is expected"),
        ('type: "EuclideanLoss"', [(3, 4), (3, 5)], "as many values"),
        ('type: "ContrastiveLoss"', [(3, 4), (3, 5), (3,)], r"\(n, c\), \(n, c\) and"),
        ('type: "ContrastiveLoss"', [(3, 4), (3, 4), (2,)], "2 marks of similarity found, 3"),
        ('type: "Accuracy"', [(3, 4), (2,)], "2 labels found, 3 expected"),
        ('type: "Accuracy" accuracy_param { top_k: 5 }', [(3, 4), (3,)], "only 4 classes"),
        ('type: "Accuracy" accuracy_param { top_k: 0 }', [(3, 4), (3,)], "top_k is 0"),
    ],
)
def test_shapes_that_do_not_fit(text, shapes, message):
    """The message tells what was found and what was expected."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(text, *shapes)
