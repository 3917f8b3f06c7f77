"""The goals that `scripts/bench.py` is measured by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

NET, MIDDLE, SMALL = "googlenet", "1024x575", "320x180"


@dataclass(frozen=True)
class Bar:
    """A goal beside what was measured.

    Attributes
    ----------
    what : str
    sign : {"≥", "≤"}
    goal : float
    values : sequence of float or None
        One for each round; the median counts. None was not measured.
    unit : str
    """

    what: str
    sign: str
    goal: float
    values: Sequence[float] | None
    unit: str = ""

    @property
    def reached(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def missed(self) -> bool:
        if self.reached is None:
            return False
        return self.reached < self.goal if self.sign == "≥" else self.reached > self.goal


def bars(results: dict[str, Any], threads: int) -> Iterator[Bar]:
    """Yield those that hold for this device, and for a baseline where there is one."""
    if results["device"] != "cpu":
        yield from _on_a_gpu(results, threads)
    elif "baseline" in results["builds"]:
        yield from _beside_a_baseline(results, threads)
    else:
        yield from _alone(results, threads)


def _on_a_gpu(results: dict[str, Any], threads: int) -> Iterator[Bar]:
    dream = find(results["dreams"], threads)
    warm = figures(dream, "plan", "seconds")
    yield Bar(
        "default dream at 1024x575 after warm-up", "≤", 100,
        warm and [1000 * seconds for seconds in warm], " ms",
    )  # fmt: skip
    yield Bar("the same: autograd / plan", "≥", 8, ratios(dream, "autograd", "plan", "seconds"))


def _beside_a_baseline(results: dict[str, Any], threads: int) -> Iterator[Bar]:
    dream, fresh = find(results["dreams"], threads), find(results["fresh"], threads)
    start = find(results["starts"], threads)
    yield Bar(
        "first step, from the start of the process: baseline / new", "≥", 2.5,
        ratios(start, "baseline", "plan", "first"),
    )  # fmt: skip
    whole = "default dream at 1024x575, whole process: "
    yield Bar(
        whole + "baseline / new", "≥", 1.6, ratios(dream, "baseline-command", "command", "wall")
    )
    yield Bar(
        whole + "real Caffe / new", "≥", 5.5 if instructions(results) == "AVX2" else 7,
        ratios(dream, "caffe", "command", "wall"),
    )  # fmt: skip
    steps = [step for step in results["steps"] if step["threads"] == threads]
    for size in (MIDDLE, SMALL):
        step = find(steps, threads, NET, size)
        yield Bar(
            f"step at {size}: baseline / new", "≥", 1.25, seconds_ratios(step, "baseline", "plan")
        )
    for step in steps:
        if (step["net"], step["size"]) not in ((NET, MIDDLE), (NET, SMALL)):
            yield Bar(
                f"{step['net']}, step at {step['size']}: baseline / new", "≥", 1,
                seconds_ratios(step, "baseline", "plan"),
            )  # fmt: skip
    yield Bar(
        "peak memory of the dream at 1024x575: baseline / new", "≥", 1.6,
        ratios(dream, "baseline-command", "command", "peak"),
    )  # fmt: skip
    yield Bar(
        "what the very first run takes longer than the second", "≤", 4,
        figures(fresh, "command", "longer"), " s",
    )  # fmt: skip
    builds = results["builds"]
    yield Bar(
        "size of an installation: new / baseline" + _torch_build(builds["baseline"]), "≤", 0.4,
        [builds["tree"]["bytes"] / builds["baseline"]["bytes"]],
    )  # fmt: skip
    yield Bar("`deepdream --help`", "≤", 0.1, figures(results["help"], "command", "wall"), " s")


def _torch_build(build: dict[str, Any]) -> str:
    """Say what is wrong with the comparison where the baseline has PyTorch with CUDA."""
    version = build["versions"].get("torch", "")
    return "" if not version or version.endswith("+cpu") else " (with PyTorch's usual build)"


def _alone(results: dict[str, Any], threads: int) -> Iterator[Bar]:
    dream, start = find(results["dreams"], threads), find(results["starts"], threads)
    big = find(results["steps"], threads)
    small = find(results["steps"], threads, NET, SMALL)
    for above, goal in (("caffe", 6), ("autograd", 3.5)):
        name = {"caffe": "real Caffe", "autograd": "autograd"}[above]
        yield Bar(f"step at 1024x575: {name} / plan", "≥", goal, seconds_ratios(big, above, "plan"))
    yield Bar("step at 320x180: real Caffe / plan", "≥", 4, seconds_ratios(small, "caffe", "plan"))
    yield Bar("step at 1024x575: plan / sgemm floor", "≤", 1.8, over_floor(big, "plan"))
    yield Bar(
        "default dream at 1024x575, whole process: real Caffe / `deepdream dream`", "≥", 6,
        ratios(dream, "caffe", "command", "wall"),
    )  # fmt: skip
    yield Bar(
        "peak memory of it: `deepdream dream` / real Caffe", "≤", 0.6,
        ratios(dream, "command", "caffe", "peak"),
    )  # fmt: skip
    for net in ("efficientnet_lite0", "squeezenet_v1.1", "vgg16", "resnet50"):
        step = find(results["steps"], threads, net)
        yield Bar(
            f"{net}, step at 1024x575: autograd / plan", "≥", 2,
            seconds_ratios(step, "autograd", "plan"),
        )  # fmt: skip
    yield Bar("`deepdream --help`", "≤", 0.3, figures(results["help"], "command", "wall"), " s")
    yield Bar(
        "first step, from the start of the process", "≤", 3, figures(start, "plan", "first"), " s"
    )


# -- looking up -------------------------------------------------------------------------------


def find(
    entries: Sequence[dict[str, Any]], threads: int, net: str = NET, size: str = MIDDLE
) -> dict[str, Any] | None:
    """Return the measurement of a net at a size, or None where there is none."""
    for entry in entries:
        if (entry["net"], entry["size"], entry["threads"]) == (net, size, threads):
            return entry
    return None


def figures(result: dict[str, Any] | None, name: str, what: str) -> list[float] | None:
    """Return a contestant's figure of each round, or None where it has none."""
    runs = result["runs"].get(name) if result else None
    return [run[what] for run in runs] if runs else None


def ratios(
    result: dict[str, Any] | None, above: str, below: str, what: str
) -> list[float] | None:  # fmt: skip
    """Return the ratio of two contestants' figures in each round, or None where one has none."""
    a, b = figures(result, above, what), figures(result, below, what)
    return [x / y for x, y in zip(a, b)] if a and b else None


def seconds_ratios(
    step: dict[str, Any] | None, above: str, below: str
) -> list[float] | None:  # fmt: skip
    """Return the ratios of two contestants' steps."""
    return ratios(step, above, below, "seconds")


def floor_seconds(step: dict[str, Any]) -> list[float] | None:
    """Return, for each round, how long the convolutions would take at the rate of sgemm."""
    products = figures(step, "floor", "seconds")
    return [step["flop"] * seconds / (2 * 2048**3) for seconds in products] if products else None


def over_floor(step: dict[str, Any] | None, name: str) -> list[float] | None:
    """Return a contestant's steps as multiples of the floor."""
    seconds = figures(step, name, "seconds")
    floor = floor_seconds(step) if step else None
    return [a / b for a, b in zip(seconds, floor)] if seconds and floor else None


def instructions(results: dict[str, Any]) -> str:
    """Return the vector instructions that were used."""
    found = [
        facts["instructions"] for facts in results["facts"].values() if "instructions" in facts
    ]
    return found[0] if found else "unknown"
