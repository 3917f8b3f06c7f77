"""Loss layers and Accuracy, which published train_val files carry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Case, layer_case

SCORES = (4, 5)
LABELS = np.float32([2, 0, 4, 1])
PIXELS = (2, 3, 4, 5)


def _pixel_labels(shape: tuple[int, ...], classes: int) -> np.ndarray:
    return np.random.RandomState(3).randint(0, classes, shape).astype(np.float32)


def softmax_with_loss() -> Iterator[Case]:
    # A second top (the softmax) is in the book, but Caffe 1.0 refuses every number of loss weights.
    def one(name: str, what: str, parameters: str = "", *bottoms) -> Case:
        return layer_case(
            f"softmax_with_loss/{name}",
            f"SoftmaxWithLoss: {what}",
            "SoftmaxWithLoss",
            parameters,
            *(bottoms or (SCORES, LABELS)),
        )

    yield one("default", "labels of a batch")
    pixels = PIXELS, _pixel_labels((2, 1, 4, 5), 3)
    yield one("pixels", "a label per pixel", "", *pixels)
    for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
        yield one(
            f"ignore_{mode.lower()}",
            f"labels to ignore, normalization {mode}",
            f"loss_param {{ ignore_label: 1 normalization: {mode} }}",
            *pixels,
        )
    yield one(
        "normalize_false",
        "normalize: false divides by the batch",
        "loss_param { normalize: false }",
        *pixels,
    )
    yield one(
        "last_axis",
        "softmax over the last axis",
        "softmax_param { axis: -1 }",
        (2, 3, 5),
        _pixel_labels((2, 3), 5),
    )
    yield one("weight", "a loss weight", "loss_weight: 0.25")


def others() -> Iterator[Case]:
    targets = np.random.RandomState(5).randint(-1024, 1025, (4, 5)).astype(np.float32) / 512
    yield layer_case(
        "euclidean_loss/default",
        "EuclideanLoss: half the mean squared distance, both gradients",
        "EuclideanLoss",
        "",
        (4, 3, 5),
        (4, 3, 5),
    )
    binary = np.random.RandomState(6).randint(0, 2, (4, 5)).astype(np.float32)
    yield layer_case(
        "sigmoid_cross_entropy_loss/default",
        "SigmoidCrossEntropyLoss: binary targets",
        "SigmoidCrossEntropyLoss",
        "",
        SCORES,
        binary,
        low=-8,
        high=8,
    )
    ignored = binary.copy()
    ignored[1, 2:] = 7
    for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
        yield layer_case(
            f"sigmoid_cross_entropy_loss/ignore_{mode.lower()}",
            f"SigmoidCrossEntropyLoss: targets to ignore, normalization {mode}",
            "SigmoidCrossEntropyLoss",
            f"loss_param {{ ignore_label: 7 normalization: {mode} }}",
            SCORES,
            ignored,
        )
    for norm in ("L1", "L2"):
        yield layer_case(
            f"hinge_loss/{norm.lower()}",
            f"HingeLoss: {norm}",
            "HingeLoss",
            f"hinge_loss_param {{ norm: {norm} }}",
            SCORES,
            LABELS,
        )
    probabilities = np.abs(targets) / np.abs(targets).sum(1, keepdims=True)
    yield layer_case(
        "multinomial_logistic_loss/default",
        "MultinomialLogisticLoss: of probabilities",
        "MultinomialLogisticLoss",
        "",
        probabilities,
        LABELS,
    )
    yield layer_case(
        "contrastive_loss/default",
        "ContrastiveLoss: similar and dissimilar pairs",
        "ContrastiveLoss",
        "contrastive_loss_param { margin: 2.5 }",
        (4, 3),
        (4, 3),
        np.float32([1, 0, 0, 1]),
    )
    yield layer_case(
        "contrastive_loss/legacy",
        "ContrastiveLoss: the margin of the squared distance",
        "ContrastiveLoss",
        "contrastive_loss_param { margin: 2.5 legacy_version: true }",
        (4, 3),
        (4, 3),
        np.float32([1, 0, 0, 1]),
    )


def accuracy() -> Iterator[Case]:
    def one(name: str, what: str, parameters: str, *bottoms, tops: int = 1) -> Case:
        return layer_case(
            f"accuracy/{name}",
            f"Accuracy: {what}; no backward pass",
            "Accuracy",
            parameters,
            *bottoms,
            tops=tops,
            backward=False,
            rtol=1e-6,
        )

    labels = _pixel_labels((2, 4, 5), 3)
    yield one("default", "share of best scores", "", SCORES, np.float32([0, 1, 2, 3]))
    yield one("top3", "share of best three scores", "accuracy_param { top_k: 3 }", SCORES, LABELS)
    yield one("pixels", "a label per pixel", "", PIXELS, labels)
    yield one("ignore", "labels to ignore", "accuracy_param { ignore_label: 1 }", PIXELS, labels)
    yield one("per_class", "the second top is one share per class", "", PIXELS, labels, tops=2)
    ties = np.float32([[1, 2, 2, 0], [3, 3, 3, 3], [0, 0, 1, 0], [5, 4, 5, 5]])
    yield one("ties", "equal scores", "accuracy_param { top_k: 2 }", ties, np.float32([1, 3, 0, 2]))


def cases() -> Iterator[Case]:
    yield from softmax_with_loss()
    yield from others()
    yield from accuracy()
