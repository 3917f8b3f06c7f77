"""Losses, and Accuracy: what a training net ends in.

A dream needs none of them, but published train_val prototxts have them. The gradient of a loss
starts from the diff of its top, where the net puts the loss weight.

Source: ``loss_layer.cpp``, ``softmax_loss_layer.cpp``, ``accuracy_layer.cpp`` ... of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ParameterError, PrototxtError, ShapeError
from ..arrays import Array
from ..blob import Blob
from .activation import sigmoid
from .base import Layer, Shape, Window, canonical_axis, in_range, refuse_in_place, register
from .common import softmax

FULL, VALID, BATCH_SIZE, NONE = range(4)  # what a loss is divided by
SMALLEST_FLOAT = float(np.finfo(np.float32).tiny)
SMALLEST_PROBABILITY = 1e-20


class LossLayer(Layer):
    """A number that says how far bottom 0 is from the labels, bottom 1."""

    bottoms: tuple[int, int | None] = (2, 2)
    auto_tops = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        data, labels = (tuple(shape) for shape in bottom_shapes[:2])
        if not math.prod(data):
            raise ShapeError(f"data of shape {data} is empty: the picture is too small")
        if not data or data[:1] != labels[:1]:
            raise ShapeError(
                f"data of shape {data} and labels of shape {labels}: as many items are expected"
            )
        return [()]

    def window(self) -> Window | None:
        return None

    def default_loss_weight(self, index: int) -> float:
        return 1.0 if index == 0 else 0.0

    def allow_force_backward(self, index: int) -> bool:
        return index != 1

    def weight(self, top: Sequence[Blob]) -> float:
        """Return the loss weight, which lies in the diff of the top."""
        return float(top[0].get_diff())


def _refuse_label_gradient(propagate_down: Sequence[bool]) -> None:
    if propagate_down[1]:
        raise PrototxtError("labels have no gradient: set propagate_down: false for bottom 1")


def _weighted(ops: Any, x: Array, weight: Any) -> Array:
    """Return weight * x, but 0 where the weight is: as BLAS's axpby, whatever x is there."""
    return ops.where((weight * ops.ones_like(x)) == 0, 0, weight * x)


def _rows(x: Array) -> Array:
    """Return x with one row for each item."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def _same_count(shapes: Sequence[Shape], start: int = 0) -> None:
    if math.prod(shapes[0][start:]) != math.prod(shapes[1][start:]):
        raise ShapeError(
            f"bottoms of shapes {tuple(shapes[0])} and {tuple(shapes[1])}: as many values are "
            "expected"
        )


def _labels(ops: Any, blob: Blob, classes: int, shape: Sequence[int], ignore: int | None) -> Array:
    """Return the labels as whole numbers of this shape; refuse those that are no class."""
    labels = ops.integers(blob.get_data()).reshape(tuple(shape))
    wrong = (labels < 0) | (labels >= classes)
    if ignore is not None:
        wrong &= labels != ignore
    if wrong.any():
        raise ParameterError(f"label {int(labels[wrong][0])} found, 0 to {classes - 1} expected")
    return labels


def _ignored(p: Any) -> int | None:
    return p.ignore_label if p.HasField("ignore_label") else None


def _normalization(p: Any, default: int) -> int:
    """Return what the loss is divided by; the old field ``normalize`` counts where it is alone."""
    if p.HasField("normalization"):
        return p.normalization
    if p.HasField("normalize"):
        return VALID if p.normalize else BATCH_SIZE
    return default


def _divisor(normalization: int, items: int, full: int, valid: int) -> float:
    return max(1.0, {FULL: full, VALID: valid, BATCH_SIZE: items, NONE: 1}[normalization])


@register("SoftmaxWithLoss")
class SoftmaxWithLossLayer(LossLayer):
    """Minus the logarithm of the softmax at the label; a second top gets the softmax."""

    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.axis = canonical_axis(self.param.softmax_param.axis, len(bottom[0].shape))
        self.ignore = _ignored(self.param.loss_param)
        self.normalization = _normalization(self.param.loss_param, VALID)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shapes = super().top_shapes(bottom_shapes)
        data, labels = (tuple(shape) for shape in bottom_shapes)
        wanted = math.prod(data[: self.axis] + data[self.axis + 1 :])
        if math.prod(labels) != wanted:
            raise ShapeError(
                f"{math.prod(labels)} labels found, {wanted} expected: one for each position of "
                f"{data} but axis {self.axis}"
            )
        return [*shapes, data]

    def _by_class(self, x: Array) -> Array:
        """Return x as (outer, classes, inner)."""
        outer, inner = math.prod(x.shape[: self.axis]), math.prod(x.shape[self.axis + 1 :])
        return x.reshape(outer, x.shape[self.axis], inner)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        prob = self._by_class(softmax(self.ops, bottom[0].get_data(), self.axis))
        labels, counts, divisor = self._targets(bottom[1], prob)
        picked = self.ops.clip(self.ops.pick(prob, labels[:, None], 1)[:, 0], low=SMALLEST_FLOAT)
        losses = self.ops.where(counts, self.ops.log(picked), 0)
        top[0].mutable_data()[...] = -losses.sum() / divisor
        if len(top) > 1:
            top[1].mutable_data()[...] = prob.reshape(tuple(top[1].shape))
        self.keep(prob)

    def _targets(self, blob: Blob, prob: Array) -> tuple[Array, Array, float]:
        """Return the labels as they are now, which of them count, and what the loss is divided by.

        Backward asks anew: between two of them the labels may be written.
        """
        outer, classes, inner = prob.shape
        labels = _labels(self.ops, blob, classes, (outer, inner), self.ignore)
        counts = labels >= 0 if self.ignore is None else labels != self.ignore
        divisor = _divisor(self.normalization, outer, outer * inner, int(counts.sum()))
        return self.ops.where(counts, labels, 0), counts, divisor

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        _refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            prob = self.kept()
            labels, counts, divisor = self._targets(bottom[1], prob)
            hit = self.ops.zeros_like(prob)
            self.ops.put(hit, labels[:, None], 1, 1)
            grad = self.ops.where(counts[:, None], prob - hit, 0)
            diff = bottom[0].mutable_diff()
            self.ops.scale(grad.reshape(diff.shape), self.weight(top) / divisor, out=diff)


@register("EuclideanLoss")
class EuclideanLossLayer(LossLayer):
    """Half the squared distance of the bottoms, per item; both get a gradient."""

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        _same_count(bottom_shapes, 1)
        return super().top_shapes(bottom_shapes)

    def allow_force_backward(self, index: int) -> bool:
        return True

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a = bottom[0].get_data()
        distance = a - bottom[1].get_data().reshape(a.shape)
        self.keep(distance)
        top[0].mutable_data()[...] = self.ops.square(distance).sum() / len(a) / 2

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        grad = _weighted(self.ops, self.kept(), self.weight(top) / len(self.kept()))
        for blob, sign, wanted in zip(bottom, (1, -1), propagate_down):
            if wanted:
                diff = blob.mutable_diff()
                diff[...] = (sign * grad).reshape(diff.shape)


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLossLayer(LossLayer):
    """Cross entropy of targets between 0 and 1 and the sigmoid of bottom 0."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.ignore = _ignored(self.param.loss_param)
        self.normalization = _normalization(self.param.loss_param, BATCH_SIZE)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        _same_count(bottom_shapes)
        return super().top_shapes(bottom_shapes)

    def _target(self, bottom: Sequence[Blob]) -> tuple[Array, Array]:
        """Return the targets, and where they count."""
        target = bottom[1].get_data().reshape(tuple(bottom[0].shape))
        ignore = math.inf if self.ignore is None else self.ignore
        return target, self.ops.trunc(target) != ignore

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].get_data()
        target, counts = self._target(bottom)
        loss = self.ops.log1p(self.ops.exp(-self.ops.abs(x)))
        loss += self.ops.clip(x, low=0) - x * target
        divisor = _divisor(self.normalization, len(x), math.prod(x.shape), int(counts.sum()))
        self.keep((sigmoid(self.ops, x), divisor))
        top[0].mutable_data()[...] = self.ops.where(counts, loss, 0).sum() / divisor

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        _refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            prob, divisor = self.kept()
            target, counts = self._target(bottom)
            grad = self.ops.where(counts, prob - target, 0)
            self.ops.scale(grad, self.weight(top) / divisor, out=bottom[0].mutable_diff())


@register("HingeLoss")
class HingeLossLayer(LossLayer):
    """Sum over classes of max(0, 1 - t x), or of its square; t = 1 for the label's class, else -1.

    As in Caffe, forward leaves the terms in the diff of bottom 0, where backward finds them.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.squared = self.param.hinge_loss_param.norm == 2

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shapes = super().top_shapes(bottom_shapes)
        if math.prod(bottom_shapes[1]) != bottom_shapes[0][0]:
            raise ShapeError(
                f"{math.prod(bottom_shapes[1])} labels found, {bottom_shapes[0][0]} expected"
            )
        return shapes

    def _signs(self, bottom: Sequence[Blob], like: Array) -> Array:
        """Return -1 at each item's label and 1 elsewhere."""
        items, classes = like.shape
        labels = _labels(self.ops, bottom[1], classes, (items, 1), None)
        signs = self.ops.ones_like(like)
        self.ops.put(signs, labels, -1, 1)
        return signs

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = _rows(bottom[0].get_data())
        terms = self.ops.clip(1 + self._signs(bottom, x) * x, low=0)
        terms = self.ops.where(self.ops.isnan(terms), 0, terms)  # max(0, NaN) is 0 in C++
        bottom[0].mutable_diff()[...] = terms.reshape(tuple(bottom[0].shape))
        total = (self.ops.square(terms) if self.squared else terms).sum()
        top[0].mutable_data()[...] = total / len(x)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        _refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            diff = _rows(bottom[0].mutable_diff())
            slope = 2 * diff if self.squared else self.ops.sign(diff)
            slope *= self._signs(bottom, diff)
            self.ops.scale(slope, self.weight(top) / len(diff), out=diff)


@register("MultinomialLogisticLoss")
class MultinomialLogisticLossLayer(LossLayer):
    """Minus the logarithm of the probability that bottom 0 gives for the label."""

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shapes = super().top_shapes(bottom_shapes)
        if math.prod(bottom_shapes[1][1:]) != 1:
            raise ShapeError(f"labels of shape {tuple(bottom_shapes[1])}: one an item is expected")
        return shapes

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        prob = _rows(bottom[0].get_data())
        labels = _labels(self.ops, bottom[1], prob.shape[1], (len(prob), 1), None)
        picked = self.ops.clip(self.ops.pick(prob, labels, 1), low=SMALLEST_PROBABILITY)
        top[0].mutable_data()[...] = -self.ops.log(picked).sum() / len(prob)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        _refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            prob = _rows(bottom[0].get_data())
            labels = _labels(self.ops, bottom[1], prob.shape[1], (len(prob), 1), None)
            picked = self.ops.clip(self.ops.pick(prob, labels, 1), low=SMALLEST_PROBABILITY)
            diff = _rows(bottom[0].mutable_diff())
            diff[...] = 0
            self.ops.put(diff, labels, -self.weight(top) / len(prob) / picked, 1)


@register("ContrastiveLoss")
class ContrastiveLossLayer(LossLayer):
    """Pull two vectors together where bottom 2 is 1, push them ``margin`` apart where it is 0."""

    bottoms = (3, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        p = self.param.contrastive_loss_param
        self.margin, self.legacy = p.margin, p.legacy_version

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shapes = super().top_shapes(bottom_shapes)
        a, b, similar = ((*shape, 1, 1)[:4] for shape in bottom_shapes)
        if a[1:] != b[1:] or math.prod(a[2:]) != 1 or math.prod(similar[1:]) != 1:
            raise ShapeError(
                f"bottoms of shapes {', '.join(str(tuple(s)) for s in bottom_shapes)}: (n, c), "
                "(n, c) and (n,) are expected"
            )
        if similar[0] != a[0]:
            raise ShapeError(f"{similar[0]} marks of similarity found, {a[0]} expected")
        return shapes

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = (_rows(blob.get_data()) for blob in bottom[:2])
        squared = self.ops.square(a - b).sum(1)
        similar = self._similar(bottom)
        if self.legacy:
            apart = self.ops.clip(self.margin - squared, low=0)
        else:
            apart = self.ops.square(self.ops.clip(self.margin - self.ops.sqrt(squared), low=0))
        total = self.ops.where(similar, squared, apart).sum()
        top[0].mutable_data()[...] = total / len(a) / 2
        self.keep((a - b, squared))

    def _similar(self, bottom: Sequence[Blob]) -> Array:
        """Tell which pairs belong together, by the labels as they are now."""
        return self.ops.trunc(bottom[2].get_data().reshape(-1)) != 0

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        distance, squared = self.kept()
        weight = self.weight(top) / len(distance)
        if self.legacy:
            near, push = squared < self.margin, self.ops.ones_like(squared)
        else:
            far = self.ops.sqrt(squared)
            near, push = far < self.margin, (self.margin - far) / (far + 1e-4)  # not by 0
        push = self.ops.where(near, -push * weight, 0)
        factor = self.ops.where(self._similar(bottom), weight, push)
        grad = _weighted(self.ops, distance, factor[:, None])
        for blob, sign, wanted in zip(bottom[:2], (1, -1), propagate_down):
            if wanted:
                diff = blob.mutable_diff()
                diff[...] = (sign * grad).reshape(diff.shape)


@register("Accuracy")
class AccuracyLayer(Layer):
    """Share of labels among the ``top_k`` highest scores; a second top gets it for each class."""

    bottoms = (2, 2)
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.accuracy_param
        self.top_k, self.ignore = in_range("top_k", p.top_k, 1), _ignored(p)
        self.axis = canonical_axis(p.axis, len(bottom[0].shape))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        data, labels = (tuple(shape) for shape in bottom_shapes)
        axis = canonical_axis(self.axis, len(data))
        wanted = math.prod(data[:axis] + data[axis + 1 :])
        if math.prod(labels) != wanted:
            raise ShapeError(f"{math.prod(labels)} labels found, {wanted} expected")
        if self.top_k > data[axis]:
            raise ShapeError(f"top_k is {self.top_k}, but there are only {data[axis]} classes")
        return [(), (data[axis],)]

    def window(self) -> Window | None:
        return None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.ops.moveaxis(bottom[0].get_data(), self.axis, -1)
        x = x.reshape(-1, x.shape[-1])  # (labels, classes)
        labels = _labels(self.ops, bottom[1], x.shape[1], (len(x),), self.ignore)
        if self.ignore is not None:
            x, labels = x[labels != self.ignore], labels[labels != self.ignore]
        # A class with the same score counts as better.
        better = (x >= self.ops.pick(x, labels[:, None], 1)).sum(1) - 1
        right = self.ops.ones_like(x[:, 0]) * (better < self.top_k)
        top[0].mutable_data()[...] = right.mean() if len(right) else 0
        if len(top) > 1:
            each = top[1].mutable_data()
            count = self.ops.zeros_like(each)
            self.ops.add_at(count, labels, self.ops.ones_like(right))
            each[...] = 0
            self.ops.add_at(each, labels, right)
            each /= self.ops.clip(count, low=1)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if any(propagate_down):
            super().backward(top, propagate_down, bottom)
