"""Gradients of GoogLeNet and steps of a dream.

Weights are seeded, not stored, and every step starts from a picture that is written down: a dream
that runs on by itself multiplies rounding, so that even Caffe does not repeat its own.

A gradient jumps where the input of a ReLU crosses zero or two values of a max window change places,
and among millions of values rounding alone makes some do so. The pictures here were picked from
sixty so that in Caffe nothing comes closer to such a switch than 2e-5 of its blob's rms, which is
thirty roundings.
"""

from __future__ import annotations

from collections.abc import Iterator

from .base import Case
from .networks import small_inception

GOOGLENET = "prototxt/googlenet/deploy.prototxt"


def googlenet(name: str, what: str, size: tuple[int, int], picture: int) -> Case:
    """Return a case with a seeded GoogLeNet and a picture in it."""
    case = Case(f"googlenet/{name}", f"GoogLeNet with seeded weights: {what}")
    case.step("net", prototxt_file=GOOGLENET).step("seed", seed=0)
    case.step("reshape", blob="data", shape=[1, 3, *size])
    return case.step("write_image", blob="data", seed=picture)


def gradient(case: Case, end: str) -> Case:
    """Add one gradient of the notebook's objective."""
    return case.step("forward", end=end).step("objective", blob=end).step("backward", start=end)


def cases() -> Iterator[Case]:
    what = "every blob up to the notebook's first end"
    case = gradient(googlenet("4c_output", what, (37, 53), 30), "inception_4c/output")
    case.step("read", blob="data", part="diff", name="gradient")
    yield case.step("digest", name="data", end="inception_4c/output")

    what = "the notebook's second end after its first, diffs not cleared"
    case = googlenet("3b_5x5_reduce_stale", what, (37, 53), 30)
    gradient(gradient(case, "inception_4c/output"), "inception_3b/5x5_reduce")
    case.step("read", blob="data", part="diff", name="gradient")
    yield case.step("digest", name="diff", part="diff", end="inception_3b/output")

    what = "the last inception block at the smallest height it takes"
    case = googlenet("5b_output", what, (31, 45), 13)
    for end in ("inception_3b/5x5_reduce", "inception_4a/pool_proj", "inception_5b/output"):
        gradient(case.step("clear_diffs"), end)
        case.step("digest", name=f"data gradient of {end}", part="diff", blobs=["data"])
    case.step("read", blob="data", part="diff", name="gradient")
    yield case.step("digest", name="diff", part="diff", end="inception_5b/output")

    case = googlenet("prob", "the whole net at the one size that it takes", (224, 224), 1)
    case.step("forward").step("digest", name="data").step("read", blob="prob")
    # Only the top of the way back: at this size some switch below is sure to be on the edge.
    case.step("draw", blob="prob", part="diff", seed=4).step("backward", end="pool5/7x7_s1")
    tops = ["inception_5b/output", "pool5/7x7_s1", "loss3/classifier"]
    yield case.step("digest", name="diff", part="diff", blobs=tops)

    case = Case("dreams/notebook_steps", "three steps of the notebook on a small net, with jitter")
    case.step("net", prototxt=small_inception((1, 3, 29, 41))).step("seed", seed=2)
    case.step("write_image", blob="data", seed=3)
    for number, (end, roll) in enumerate(
        (("a/output", (5, -7)), ("b/output", (-3, 8)), ("a/3x3", (0, 2)))
    ):
        case.step("notebook_step", end=end, roll=list(roll))
        case.step("read", blob="data", name=f"picture {number}")
    yield case
