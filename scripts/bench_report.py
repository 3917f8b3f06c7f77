"""What `scripts/bench.py` has measured, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

TITLES = {
    "caffe": "real Caffe 1.0",
    "autograd": "PyTorch autograd",
    "autograd-cl": "PyTorch autograd, channels last",
    "net": "`dream` on `Net`",
    "plan": "`dream` on the plan",
    "plan-bare": "the plan alone (no roll, no clip)",
    "command": "`deepdream dream`",
}

# First steps further apart than this are not the same step. Below it, rounding has turned the
# choice of a few maxima.
SAME = 0.02

MIDDLE, SMALL = "1024x575", "320x180"


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the ratios of each round."""
    return median(a / b for a, b in zip(above, below))


def floor_seconds(step: dict[str, Any]) -> list[float]:
    """Return, for each round, how long the convolutions would take at the rate of sgemm."""
    return [step["flop"] / rate for rate in step["floor"]]


def report(results: dict[str, Any]) -> str:
    """Return all tables."""
    lines = [*machine(results), "", *bars(results)]
    for step in results["steps"]:
        lines += ["", *step_table(step)]
    for dream in results["dreams"]:
        lines += ["", *dream_table(dream)]
    return "\n".join(lines)


def machine(results: dict[str, Any]) -> Iterator[str]:
    """Yield what the figures were taken on."""
    facts = dict(results["facts"])
    where = f"{facts['gpu']}, CUDA {facts['cuda']}, beside " if "gpu" in facts else ""
    yield (
        f"{where}{results['processor']}, {results['cores']} cores, {results['memory']:.0f} GiB, "
        f"{results['system']}; {results['threads']} threads; {results['precision']}."
    )
    versions = ("python", "torch", "numba", "numpy", "caffe")
    found = ", ".join(f"{name} {facts[name]}" for name in versions if name in facts)
    yield ""
    yield (
        f"Versions: {found}; PyTorch uses {facts.get('instructions', 'unknown')} instructions. "
        f"Picture: {results['picture']}. Weights: seeded. {results['rounds']} rounds."
    )
    yield ""
    if "help" in results:
        yield f"`deepdream --help`: {results['help']:.2f} s."


def bars(results: dict[str, Any]) -> Iterator[str]:
    """Yield the goals and what was reached, as far as it was measured."""
    yield "| bar | goal | reached | |"
    yield "| --- | --- | --- | --- |"
    for what, sign, goal, value, unit in goals(results):
        if value is None:
            yield f"| {what} | {sign} {goal:g}{unit} | not measured | |"
            continue
        met = value >= goal if sign == "≥" else value <= goal
        verdict = "" if met else "missed"
        yield f"| {what} | {sign} {goal:g}{unit} | {figure(value)}{unit} | {verdict} |"


def goals(results: dict[str, Any]) -> Iterator[tuple[str, str, float, float | None, str]]:
    """Yield (what, sign, goal, value or None, unit) of each bar for this device."""
    steps = {(step["net"], step["size"]): step for step in results["steps"]}
    dreams = {(dream["net"], dream["size"]): dream for dream in results["dreams"]}
    middle, dream = steps.get(("googlenet", MIDDLE)), dreams.get(("googlenet", MIDDLE))
    if results["device"] != "cpu":
        warm = against(dream, "plan", None, "seconds")
        yield "default dream at 1024x575 after warm-up", "≤", 100, warm and 1000 * warm, " ms"
        yield "the same: autograd / plan", "≥", 8, against(dream, "autograd", "plan", "seconds"), ""
        return
    small = steps.get(("googlenet", SMALL))
    yield "step at 1024x575: real Caffe / plan", "≥", 6, of(middle, "caffe", "plan"), ""
    yield "step at 320x180: real Caffe / plan", "≥", 4, of(small, "caffe", "plan"), ""
    yield "step at 1024x575: autograd / plan", "≥", 3.5, of(middle, "autograd", "plan"), ""
    yield "step at 1024x575: plan / sgemm floor", "≤", 1.8, of(middle, "plan", "floor"), ""
    what = "default dream at 1024x575, whole process: "
    whole = against(dream, "caffe", "command", "wall")
    yield what + "real Caffe / `deepdream dream`", "≥", 6, whole, ""
    peak = against(dream, "command", "caffe", "peak")
    yield "peak memory of it: `deepdream dream` / real Caffe", "≤", 0.6, peak, ""
    for net in ("efficientnet_lite0", "squeezenet_v1.1", "vgg16", "resnet50"):
        value = of(steps.get((net, MIDDLE)), "autograd", "plan")
        yield f"{net}, step at 1024x575: autograd / plan", "≥", 2, value, ""
    yield "`deepdream --help`", "≤", 0.3, results.get("help"), " s"
    yield "first step of a dream, after its process started", "≤", 3, against(
        dream, "plan", None, "first"
    ), " s"  # fmt: skip


def of(step: dict[str, Any] | None, above: str, below: str) -> float | None:
    """Return the ratio of two contestants' steps, or None where one of them is missing."""
    if step is None:
        return None
    seconds = {**step["seconds"], "floor": floor_seconds(step)}
    if not seconds.get(above) or not seconds.get(below):
        return None
    return ratio(seconds[above], seconds[below])


def against(dream: dict[str, Any] | None, above: str, below: str | None, what: str) -> float | None:
    """Return the median of a dream's figure, or its ratio to another's; None where missing."""
    if dream is None or not {above, below or above} <= set(dream["runs"]):
        return None
    values = [run[what] for run in dream["runs"][above]]
    if below is None:
        return median(values)
    return ratio(values, [run[what] for run in dream["runs"][below]])


def step_table(step: dict[str, Any]) -> Iterator[str]:
    """Yield the table of one net at one size."""
    yield f"**{step['net']}, one step to `{step['end']}` at {step['size']}**"
    yield ""
    if step["floor"]:
        yield (
            f"{step['flop'] / 1e9:.1f} GFLOP of convolutions, forward and gradient; sgemm "
            f"{median(step['floor']) / 1e9:.0f} GFLOP/s; floor "
            f"{milliseconds(median(floor_seconds(step)))} ms."
        )
        yield ""
    yield "| | ms per step | / plan | range | / floor | peak MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    plan = step["seconds"].get("plan")
    for name, seconds in step["seconds"].items():
        versus, spread = "", ""
        if plan:
            ratios = [a / b for a, b in zip(seconds, plan)]
            versus, spread = figure(median(ratios)), f"{figure(min(ratios))}–{figure(max(ratios))}"
        floor = of(step, name, "floor")
        yield (
            f"| {TITLES[name]} | {milliseconds(median(seconds))} | {versus} | {spread} "
            f"| {'' if floor is None else figure(floor)} | {step['peak'][name]:.0f} |"
        )
    yield from failures(step)
    yield ""
    yield agreement(step)


def agreement(step: dict[str, Any]) -> str:
    """Say how far the first steps are apart, and how quiet the others were while one worked."""
    text = ""
    base = next(iter(step["disagree"]), None)
    if len(step["disagree"]) > 1:
        distances = {name: value for name, value in step["disagree"].items() if name != base}
        far = [TITLES[name] for name, value in distances.items() if not value < SAME]
        text = f"First steps lie within {max(distances.values()):.0e} of that of {TITLES[base]}"
        text += f", **too far: {', '.join(far)}**. " if far else " (relative L2). "
    busy = 100 * sum(step["idle"].values())
    return f"{text}While one worked, the others together used {busy:.1f} % of one core."


def dream_table(dream: dict[str, Any]) -> Iterator[str]:
    """Yield the table of whole dreams of one net at one size."""
    yield (
        f"**{dream['net']}, a whole default dream (4 octaves of 10 steps) to `{dream['end']}` "
        f"at {dream['size']}**"
    )
    yield ""
    yield "| | process s | dream s | first step after s | peak MiB | of it after imports MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, runs in dream["runs"].items():
        cells = [TITLES[name], f"{median(run['wall'] for run in runs):.1f}"]
        for what in ("seconds", "first"):
            values = [run[what] for run in runs if what in run]
            cells.append(f"{median(values):.2f}" if values else "")
        cells.append(f"{median(run['peak'] for run in runs):.0f}")
        grown = [run["peak"] - run["before"] for run in runs if "before" in run]
        cells.append(f"{median(grown):.0f}" if grown else "")
        yield f"| {' | '.join(cells)} |"
    yield from failures(dream)


def failures(result: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each contestant that took no part."""
    for name, reason in result["failed"].items():
        yield ""
        yield f"Without {TITLES.get(name, name)}: {reason}."


def milliseconds(seconds: float) -> str:
    """Return a time with three digits."""
    return figure(1000 * seconds)


def figure(value: float) -> str:
    """Return a number with three digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
