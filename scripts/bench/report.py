"""What `scripts/bench.py` has measured, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from bench.bars import Bar, bars, figures, floor_seconds, instructions, over_floor, ratios

TITLES = {
    "caffe": "real Caffe 1.0",
    "autograd": "PyTorch autograd",
    "autograd-cl": "PyTorch autograd, channels last",
    "net": "`dream` on `Net`",
    "baseline": "`dream` of the baseline",
    "plan": "`dream` on the plan",
    "plan-bare": "the plan alone (no roll, no clip)",
    "baseline-command": "`deepdream` of the baseline",
    "command": "`deepdream`",
    "floor": "the sgemm floor",
}

# First steps further apart than this are not the same step. Below it, rounding has turned the
# choice of a few maxima.
SAME = 0.02


def report(results: dict[str, Any]) -> str:
    """Return all tables."""
    lines = [*machine(results)]
    tables = (
        *(bars_table(results, threads) for threads in thread_counts(results)),
        help_table(results["help"]),
        sizes_table(results["builds"]),
        *map(step_table, results["steps"]),
        *map(dream_table, results["dreams"]),
        *map(start_table, results["starts"]),
        *map(fresh_table, results["fresh"]),
    )
    for table in tables:
        text = list(table)
        if text:
            lines += ["", *text]
    return "\n".join(lines)


def thread_counts(results: dict[str, Any]) -> list[int]:
    """Return with how many threads something was measured; 0 where only what has none was."""
    entries = [entry for part in ("steps", "dreams", "starts", "fresh") for entry in results[part]]
    return sorted({entry["threads"] for entry in entries}) or [0]


def machine(results: dict[str, Any]) -> Iterator[str]:
    """Yield what the figures were taken on."""
    facts = results["facts"]
    gpu = next((known for known in facts.values() if "gpu" in known), None)
    where = f"{gpu['gpu']}, CUDA {gpu['cuda']}, beside " if gpu else ""
    yield (
        f"{where}{results['processor']}, {results['cores']} cores, {results['memory']:.0f} GiB, "
        f"{results['system']}; {results['precision']}; {instructions(results)} instructions. "
        f"Picture: {results['picture']}. Weights: seeded. {results['rounds']} rounds of steps, "
        f"{results['dreaming']} of dreams. Load before: {results['load']:.1f}."
    )
    yield ""
    for kind, build in results["builds"].items():
        title = {"baseline": "Baseline", "tree": "New"}[kind]
        changed = ", and what is not committed" if build.get("changed") else ""
        yield (
            f"{title}: {build['name']}, {build['commit'][:12]} ({build['subject']}){changed}; "
            f"Python {build['python'].split()[0]}, {versions(build['versions'])}."
        )
        yield ""
    others = {} if results["builds"] else facts.get("plan", next(iter(facts.values()), {}))
    told = versions({**others, **facts.get("caffe", {})})
    if told:
        yield f"Versions: {told}."


def versions(known: dict[str, str]) -> str:
    """Return names with versions of what computes."""
    names = ("python", "torch", "numba", "numpy", "caffe")
    return ", ".join(f"{name} {known[name]}" for name in names if name in known)


def bars_table(results: dict[str, Any], threads: int) -> Iterator[str]:
    """Yield the goals and what was reached, as far as it was measured."""
    yield f"**Goals, {counted(threads)}**" if threads else "**Goals**"
    yield ""
    yield "| bar | goal | reached | range | |"
    yield "| --- | --- | --- | --- | --- |"
    for bar in bars(results, threads):
        yield f"| {bar.what} | {bar.sign} {bar.goal:g}{bar.unit} | {reached(bar)} |"


def reached(bar: Bar) -> str:
    """Return the last three columns."""
    if bar.reached is None:
        return "not measured | |"
    verdict = "missed" if bar.missed else ""
    return f"{figure(bar.reached)}{bar.unit} | {spread(bar.values)} | {verdict}"


def help_table(result: dict[str, Any]) -> Iterator[str]:
    """Yield how long ``deepdream --help`` takes."""
    if not rows(result):
        return
    yield "**`deepdream --help`, the whole process**"
    yield ""
    yield "| | s | range |"
    yield "| --- | ---: | ---: |"
    for name in rows(result):
        seconds = figures(result, name, "wall")
        yield f"| {TITLES[name]} | {figure(median(seconds))} | {spread(seconds)} |"
    yield from failures(result)


def sizes_table(builds: dict[str, Any]) -> Iterator[str]:
    """Yield what installations take."""
    if not builds:
        return
    yield "**What `pip install .` takes in an empty environment**"
    yield ""
    yield "| | MiB | the largest packages |"
    yield "| --- | ---: | --- |"
    for build in builds.values():
        largest = [f"{name} {size / 2**20:.0f}" for name, size in build["packages"].items()][:6]
        yield f"| {build['name']} | {build['bytes'] / 2**20:.0f} | {', '.join(largest)} |"


def step_table(step: dict[str, Any]) -> Iterator[str]:
    """Yield the table of one net at one size."""
    if not rows(step):
        return
    yield (
        f"**{step['net']}, one step to `{step['end']}` at {step['size']}, "
        f"{counted(step['threads'])}**"
    )
    yield ""
    floor = floor_seconds(step)
    if floor:
        rate = step["flop"] / median(floor)
        yield (
            f"{step['flop'] / 1e9:.1f} GFLOP of convolutions, forward and gradient; sgemm "
            f"{rate / 1e9:.0f} GFLOP/s; floor {milliseconds(median(floor))} ms."
        )
        yield ""
    yield "| | ms per step | / plan | range | / floor | cores | peak MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in rows(step):
        if name == "floor":
            continue
        seconds, above = figures(step, name, "seconds"), over_floor(step, name)
        cells = [
            TITLES[name], milliseconds(median(seconds)), *versus(step, name, "plan", "seconds"),
            figure(median(above)) if above else "",
            f"{median(figures(step, name, 'cores')):.1f}",
            f"{step['runs'][name][-1]['peak']:.0f}",
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
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
    if not step["idle"]:
        return text.strip() or "Stopped before the end."
    busy = 100 * sum(step["idle"].values())
    return f"{text}While one worked, the others together used {busy:.1f} % of one core."


def dream_table(dream: dict[str, Any]) -> Iterator[str]:
    """Yield the table of whole dreams of one net at one size."""
    if not rows(dream):
        return
    yield (
        f"**{dream['net']}, a whole default dream (4 octaves of 10 steps) to `{dream['end']}` "
        f"at {dream['size']}, {counted(dream['threads'])}**"
    )
    yield ""
    yield "| | process s | / `deepdream` | range | dream s | peak MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in rows(dream):
        runs = dream["runs"][name]
        seconds = [run["seconds"] for run in runs if "seconds" in run]
        cells = [
            TITLES[name], f"{median(run['wall'] for run in runs):.1f}",
            *versus(dream, name, "command", "wall"),
            f"{median(seconds):.2f}" if seconds else "",
            f"{median(run['peak'] for run in runs):.0f}",
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield from failures(dream)


def start_table(start: dict[str, Any]) -> Iterator[str]:
    """Yield the table of first steps."""
    if not rows(start):
        return
    yield (
        f"**{start['net']}, seconds from the start of the process at {start['size']}, "
        f"{counted(start['threads'])}**"
    )
    yield ""
    yield "| | imports done | net loaded | first step done | / plan | range | peak MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in rows(start):
        times = [figure(median(figures(start, name, what))) for what in
                 ("imports", "loaded", "first")]  # fmt: skip
        peak = f"{median(figures(start, name, 'peak')):.0f}"
        cells = [TITLES[name], *times, *versus(start, name, "plan", "first"), peak]
        yield f"| {' | '.join(cells)} |"
    yield from failures(start)


def fresh_table(fresh: dict[str, Any]) -> Iterator[str]:
    """Yield the table of very first runs."""
    if not rows(fresh):
        return
    yield (
        f"**{fresh['net']}, the very first default dream, nothing cached, at {fresh['size']}, "
        f"{counted(fresh['threads'])}**"
    )
    yield ""
    yield "| | first s | second s | longer by s | range |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in rows(fresh):
        first, second, longer = (
            figures(fresh, name, what) for what in ("first", "second", "longer")
        )
        yield (
            f"| {TITLES[name]} | {figure(median(first))} | {figure(median(second))} "
            f"| {figure(median(longer))} | {spread(longer)} |"
        )
    yield from failures(fresh)


def rows(result: dict[str, Any]) -> list[str]:
    """Return the contestants that have finished a round."""
    return [name for name, runs in result.get("runs", {}).items() if runs]


def versus(result: dict[str, Any], name: str, base: str, what: str) -> tuple[str, str]:
    """Return the ratio to another contestant and its range; empty without that one."""
    found = ratios(result, name, base, what)
    return (figure(median(found)), spread(found)) if found else ("", "")


def failures(result: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each contestant that took no part."""
    for name, reason in result["failed"].items():
        yield ""
        yield f"Without {TITLES.get(name, name)}: {reason}."


def counted(threads: int) -> str:
    """Return how many threads."""
    return f"{threads} thread{'' if threads == 1 else 's'}"


def spread(values: Sequence[float]) -> str:
    """Return the smallest and the largest value, where there are several."""
    return f"{figure(min(values))}–{figure(max(values))}" if len(values) > 1 else ""


def milliseconds(seconds: float) -> str:
    """Return a time with three digits."""
    return figure(1000 * seconds)


def figure(value: float) -> str:
    """Return a number with three digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
