"""Measure what `scripts/bench.py` was asked for, in rounds, and print it.

Every contestant is a process of its own (`worker.py`) with the same seeded weights and the same
picture. All of them are alive at once, and one at a time works: a round is one turn of each,
starting with another one each time. Figures are medians of rounds, and ratios are medians of each
round's ratio, so that a machine that is slower for a while is slower for all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.builds import Build, build_revision, build_tree, cache_variables
from bench.options import CONTESTANTS, NETS, cores, middle, pair, parse
from bench.process import ROOT, Failed, Process, caffe_python, imported_from, run_command, say
from bench.report import report

# Those that are ours, installed or not, as the command ``deepdream dream``.
COMMANDS = ("baseline-command", "command")

# The notebook's parameters, which are said because a revision's defaults may be others.
NOTEBOOK = ("--iter-n", "10", "--octave-n", "4", "--octave-scale", "1.4", "--step-size", "1.5",
            "--jitter", "32", "--seed", "0")  # fmt: skip

# A load average above this is not ours alone.
BUSY = 0.5

MEASURED = ("help", "steps", "dreams", "starts", "fresh")


class Bench:
    """The measurements of one run.

    Parameters
    ----------
    options : argparse.Namespace
        See `parse`.
    folder : Path
        For weights, pictures and dreams; the caller removes it.

    Attributes
    ----------
    results : dict
        What is measured by now, as `report` takes it; finished rounds are in it at any time.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.tree: Build | None = None
        self.baseline: Build | None = None
        self.facts: dict[str, dict[str, str]] = {}
        self._styles: dict[str, list[str]] = {}
        self.results: dict[str, Any] = {
            **self.machine(), "facts": self.facts, "builds": {}, "help": {},
            **{part: [] for part in MEASURED if part != "help"},
        }  # fmt: skip
        self.pictures = {size: self._picture(size) for size in options.sizes}

    def run(self) -> None:
        """Measure all that the options ask for."""
        options, only = self.options, self.options.only
        if self.results["load"] > BUSY:
            say(f"others are at work here (load {self.results['load']:.1f}): figures will be noisy")
        if options.baseline is not None:
            self.baseline, self.tree = build_revision(options.baseline), build_tree()
            self.results["builds"] = {
                "baseline": {"name": self.baseline.name, **self.baseline.stamp},
                "tree": {"name": self.tree.name, **self.tree.stamp},
            }
        if "help" in only:
            self.help()
        if not {"steps", "dreams", "start", "fresh"}.intersection(only):
            return
        for number, net in enumerate(options.nets if "steps" in only else options.nets[:1]):
            sizes = list(options.sizes) if number == 0 else [middle(options.sizes)]
            known = self.prepare(net, sizes)
            # The middle size first: a run that is cut short has it.
            for size in sorted(sizes, key=lambda size: size != middle(options.sizes)):
                for threads in options.threads:
                    if "steps" in only:
                        self.steps(net, size, threads, known)
                    if number == 0 and size == middle(options.sizes):
                        self.processes(net, size, threads, known)
            # Weights may be half a gigabyte.
            Path(self.job(net, sizes[0], 1)["caffemodel"]).unlink()

    # -- who takes part -------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the contestants that take steps, the baseline beside what it is compared with."""
        chosen = [name for name in CONTESTANTS if name in self.options.contestants]
        if self.options.baseline is None:
            return chosen
        at = chosen.index("plan") if "plan" in chosen else len(chosen)
        return [*chosen[:at], "baseline", *chosen[at:]]

    def commands(self) -> list[str]:
        """Return which of `COMMANDS` there are."""
        return [name for name in COMMANDS if name == "command" or self.options.baseline is not None]

    def build(self, name: str) -> Build | None:
        """Return the environment of a contestant; None for those that run where this runs."""
        if name.startswith("baseline"):
            return self.baseline
        return self.tree if name in ("plan", "net", "plan-bare", "command") else None

    def process(self, name: str, job: dict[str, Any]) -> Process:
        """Start a contestant in its environment."""
        build = self.build(name)
        if name == "caffe":
            python = caffe_python()
            if python is None:
                raise Failed("not installed (scripts/install_caffe.sh)")
            return Process(name, job, python)
        if build is None:
            return Process(name, {**job, **imported_from(None)})
        job = {**job, **imported_from(build.folder)}
        return Process(name, job, build.python, build.variables())

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return ``deepdream`` with arguments, of the baseline or of the working tree."""
        build = self.build(name)
        if build is None:
            return [sys.executable, "-m", "deepdream", *arguments]
        return [str(build.python.with_name("deepdream")), *arguments]

    def variables(self, name: str) -> dict[str, str]:
        """Return the environment variables of a command."""
        build = self.build(name)
        return {} if build is None else build.variables()

    def job(self, net: str, size: str, threads: int, **more: Any) -> dict[str, Any]:
        """Return what a contestant is given: paths, the target, the mean, threads, its task."""
        end, mean = NETS[net]
        return {
            "prototxt": str(self.folder / f"{net}.prototxt"),
            "caffemodel": str(self.folder / f"{net}.caffemodel"),
            "picture": str(self.pictures[size]),
            "end": end,
            "mean": mean,
            "threads": threads,
            "device": self.options.device,
            "dream": {"precision": self.options.precision} if self.options.precision else {},
            **more,
        }

    def prepare(self, net: str, sizes: list[str]) -> dict[str, Any]:
        """Write a net's files; return its layer types and the arithmetic of each size."""
        source = ROOT / "prototxt" / net / "deploy.prototxt"
        job = self.job(
            net, sizes[0], self.options.threads[0], task="prepare", **imported_from(None),
            sizes=[pair(size) for size in sizes],
        )  # fmt: skip
        Path(job["prototxt"]).write_text("force_backward: true\n" + source.read_text("utf-8"))
        with Process("prepare", job) as process:
            answer = process.ask()
        return {"types": answer["types"], "flop": dict(zip(sizes, answer["flop"]))}

    def _picture(self, size: str) -> Path:
        from PIL import Image

        path = self.folder / f"{size}.png"
        with Image.open(self.options.image) as image:
            image.convert("RGB").resize(pair(size), Image.Resampling.LANCZOS).save(path)
        return path

    # -- rounds ---------------------------------------------------------------------------------

    def rounds(
        self, count: int, names: Iterable[str], result: dict[str, Any],
        turn: Callable[[str], dict[str, float]],
    ) -> None:  # fmt: skip
        """Give each a turn in each round, starting with another one each time.

        What a turn returns is appended to ``result["runs"][name]``. Who fails is out, with the
        reason in ``result["failed"]``. Only finished rounds stay, whatever ends them.
        """
        names = [name for name in names if name not in result["failed"]]
        runs = result["runs"]
        runs.update((name, []) for name in names)
        done = 0
        try:
            for i in range(count):
                first = i % max(1, len(names))
                for name in names[first:] + names[:first]:
                    if name not in runs:
                        continue
                    try:
                        runs[name].append(turn(name))
                    except Failed as failure:
                        result["failed"][name] = str(failure)
                        del runs[name]
                done += 1
        finally:
            for name in runs:
                del runs[name][done:]

    # -- steps ----------------------------------------------------------------------------------

    def steps(self, net: str, size: str, threads: int, known: dict[str, Any]) -> None:
        """Time steps of a net at a size; see the module."""
        say(f"steps of {net} at {size}, {plural(threads, 'thread')}")
        result = self._result("steps", net, size, threads)
        result.update(flop=known["flop"][size], idle={}, disagree={})
        with contextlib.ExitStack() as stack:
            alive: dict[str, Process] = {}
            for name in (*self.names(), "floor"):
                check = self.folder / f"{name}.npy"
                job = self.job(
                    net, size, threads, task="steps", types=known["types"], check=str(check)
                )
                try:
                    process = stack.enter_context(self.process(name, job))
                    answer = process.ask()
                    process.ask("step")  # the first step is slower
                except Failed as failure:
                    result["failed"][name] = str(failure)
                    continue
                answer.pop("ready")
                self.facts[name] = answer
                alive[name] = process
            result["disagree"] = self._disagree([name for name in alive if name != "floor"])
            start = time.perf_counter()
            self.rounds(self.options.rounds, alive, result, lambda name: alive[name].ask("step"))
            wall = time.perf_counter() - start
            for name in result["runs"]:
                result["idle"][name] = alive[name].ask("end")["idle"] / wall

    def _result(self, part: str, net: str, size: str, threads: int) -> dict[str, Any]:
        """Return a new entry of the results."""
        result: dict[str, Any] = {
            "net": net, "end": NETS[net][0], "size": size, "threads": threads,
            "runs": {}, "failed": {},
        }  # fmt: skip
        self.results[part].append(result)
        return result

    def _disagree(self, names: Sequence[str]) -> dict[str, float]:
        """Return the relative L2 distance of each one's first step from that of the first one."""
        import numpy as np

        moves = {name: np.load(self.folder / f"{name}.npy").astype("f8") for name in names}
        if not moves:
            return {}
        base = next(iter(moves.values()))
        return {n: float(np.linalg.norm(m - base) / np.linalg.norm(base)) for n, m in moves.items()}

    # -- processes from their start -------------------------------------------------------------

    def processes(self, net: str, size: str, threads: int, known: dict[str, Any]) -> None:
        """Measure whole dreams, first steps and very first runs, as far as they are asked for."""
        only = self.options.only
        if not self.options.dreams:
            only = [part for part in only if part not in ("dreams", "fresh")]
        if {"dreams", "start"}.intersection(only):
            for name in self.commands():  # kernels are compiled, files are in memory
                with contextlib.suppress(Failed):  # it will say so again
                    say(f"a short dream ({name}), untimed, so that its kernels are compiled")
                    self._dream(name, self.job(net, size, threads), "--iter-n", "1")
        if "dreams" in only:
            self.dreams(net, size, threads, known)
        if "start" in only:
            self.start(net, size, threads, known)
        if "fresh" in only:
            self.fresh(net, size, threads)

    def dreams(self, net: str, size: str, threads: int, known: dict[str, Any]) -> None:
        """Time whole default dreams, each in a fresh process from its start to its end."""
        say(f"dreams with {net} at {size}, {plural(threads, 'thread')}")
        names = [name for name in self.names() if name != "plan-bare"]
        if self.options.baseline is not None:  # the commands stand for these
            names = [name for name in names if name not in ("baseline", "plan")]
        result = self._result("dreams", net, size, threads)

        def turn(name: str) -> dict[str, float]:
            job = self.job(
                net, size, threads, task="dream", types=known["types"],
                output=str(self.folder / f"dream-{name}.png"),
                warm=int(self.options.device != "cpu"),
            )  # fmt: skip
            if name in COMMANDS:
                return self._dream(name, job)
            start = time.perf_counter()
            with self.process(name, job) as process:
                answer = process.ask()
            return {"wall": time.perf_counter() - start, **answer}

        self.rounds(self.options.dreams, [*names, *self.commands()], result, turn)

    def _dream(
        self, name: str, job: dict[str, Any], *more: str, caches: Path | None = None
    ) -> dict[str, float]:
        """Run ``deepdream dream``; the peak is that of the process."""
        arguments = [
            "dream", job["picture"], "-o", str(self.folder / f"dream-{name}.png"),
            "--model", job["prototxt"], "--weights", job["caffemodel"], "--end", job["end"],
            "--mean", ",".join(map(str, job["mean"])), "--device", job["device"],
            *NOTEBOOK, *self._style(name), *more,
        ]  # fmt: skip
        variables = self.variables(name) if caches is None else cache_variables(caches)
        return run_command(self.command(name, *arguments), job["threads"], variables)

    def _style(self, name: str) -> list[str]:
        """Return the notebook's style, where a revision has styles at all."""
        if name not in self._styles:
            done = subprocess.run(self.command(name, "dream", "--help"), cwd=ROOT,
                                  capture_output=True, text=True)  # fmt: skip
            self._styles[name] = ["--style", "2015"] if "--style" in done.stdout else []
        return self._styles[name]

    def start(self, net: str, size: str, threads: int, known: dict[str, Any]) -> None:
        """Time the first step of a dream from the start of its process."""
        say(f"first steps with {net} at {size}, {plural(threads, 'thread')}")
        names = [name for name in self.names() if name != "plan-bare"]
        result = self._result("starts", net, size, threads)

        def turn(name: str) -> dict[str, float]:
            job = self.job(
                net, size, threads, task="start", types=known["types"], began=time.time()
            )
            with self.process(name, job) as process:
                answer = process.ask()
            self.facts.setdefault(name, answer.pop("facts"))
            return answer

        self.rounds(self.options.rounds, names, result, turn)

    def fresh(self, net: str, size: str, threads: int) -> None:
        """Time the very first dream, with nothing cached, and the second one after it."""
        say(f"very first dreams with {net} at {size}, {plural(threads, 'thread')}")
        result = self._result("fresh", net, size, threads)

        def turn(name: str) -> dict[str, float]:
            build, job = self.build(name), self.job(net, size, threads)
            if build is not None:
                build.tidy()
            caches = self.folder / "caches"
            shutil.rmtree(caches, ignore_errors=True)
            first, second = (self._dream(name, job, caches=caches)["wall"] for _ in range(2))
            return {"first": first, "second": second, "longer": first - second}

        self.rounds(self.options.dreams, self.commands(), result, turn)

    def help(self) -> None:
        """Time ``deepdream --help``."""
        result: dict[str, Any] = {"runs": {}, "failed": {}}
        self.results["help"] = result
        threads = self.options.threads[0]

        def turn(name: str) -> dict[str, float]:
            return run_command(self.command(name, "--help"), threads, self.variables(name))

        for name in self.commands():
            with contextlib.suppress(Failed):
                turn(name)  # its files are in memory from now on
        self.rounds(max(5, self.options.rounds), self.commands(), result, turn)

    def machine(self) -> dict[str, Any]:
        """Return what the figures were taken on."""
        return {
            "processor": processor(),
            "cores": cores(),
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            "system": f"{platform.system()} {platform.machine()}",
            "load": os.getloadavg()[0],
            "device": self.options.device,
            "precision": self.options.precision or "float32",
            "picture": Path(self.options.image).name,
            "rounds": self.options.rounds,
            "dreaming": self.options.dreams,
        }


def processor() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def plural(count: int, noun: str) -> str:
    """Return ``1 thread`` or ``2 threads``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    options = parse(arguments)
    status = 0
    with tempfile.TemporaryDirectory(prefix="deepdream-bench-") as folder:
        bench = Bench(options, Path(folder))
        try:
            bench.run()
        except KeyboardInterrupt:
            say("stopped; this is what was done by then")
            status = 130
        except Failed as failure:
            say(str(failure))
            status = 1
    if status and not any(bench.results[part] for part in MEASURED):
        return status
    if options.json:
        options.json.write_text(json.dumps(bench.results, indent=1) + "\n")
    print(report(bench.results))
    return status
