#!/usr/bin/env python3
"""Time dreams: the real Caffe, plain PyTorch with autograd, `Net`, and the plan, side by side.

    scripts/bench.py                 everything, about half an hour
    scripts/bench.py --quick         a smoke test, seconds
    scripts/bench.py --nets googlenet --sizes 1024x575 --dreams 0 --json bench.json

It prints a table in Markdown, for docs/performance.md, which says how to read it.

Every contestant is a process of its own (`scripts/bench_worker.py`) with the same seeded weights
and the same picture. All of them are alive at once, and one at a time works: a round is one step of
each in turn, starting with another one each time. Figures are medians of rounds, and ratios are
medians of each round's ratio, so that a machine that is slower for a while is slower for all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_process import Failed, Process, environment
from bench_report import report

ROOT = Path(__file__).resolve().parents[1]

STEPS = ("caffe", "autograd", "autograd-cl", "net", "plan", "plan-bare")
DREAMS = ("caffe", "autograd", "autograd-cl", "net", "plan", "command")

# A target in the middle of each network: what is dreamed of, and the mean it was trained with.
NETS = {
    "googlenet": ("inception_4c/output", (104, 117, 123)),
    "efficientnet_lite0": ("block10/output", (127, 127, 127)),
    "squeezenet_v1.1": ("fire6/concat", (104, 117, 123)),
    "vgg16": ("conv4_3", (103.939, 116.779, 123.68)),
    "resnet50": ("res4c", (104, 117, 123)),
}
SIZES = ("320x180", "1024x575", "1920x1080")
MIDDLE = "1024x575"  # where the other nets run


class Bench:
    """The measurements of one run.

    Parameters
    ----------
    options : argparse.Namespace
        See `parse`.
    folder : Path
        For weights, pictures and dreams; the caller removes it.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.facts: dict[str, str] = {}
        self.results: dict[str, Any] = {
            **self.machine(), "facts": self.facts, "steps": [], "dreams": [],
        }  # fmt: skip
        self.pictures = {size: self._picture(size) for size in options.sizes}

    def _picture(self, size: str) -> Path:
        from PIL import Image

        w, h = pair(size)
        path = self.folder / f"{size}.png"
        with Image.open(self.options.image) as image:
            image.convert("RGB").resize((w, h), Image.Resampling.LANCZOS).save(path)
        return path

    def job(self, net: str, size: str, **more: Any) -> dict[str, Any]:
        """Return what a contestant is given: paths, the target, the mean, threads, its task."""
        end, mean = NETS[net]
        return {
            "prototxt": str(self.folder / f"{net}.prototxt"),
            "caffemodel": str(self.folder / f"{net}.caffemodel"),
            "picture": str(self.pictures[size]),
            "end": end,
            "mean": mean,
            "threads": self.options.threads,
            "device": self.options.device,
            "dream": {"precision": self.options.precision} if self.options.precision else {},
            **more,
        }

    def prepare(self, net: str, sizes: list[str]) -> dict[str, Any]:
        """Write a net's files; return its layer types and the arithmetic of each size."""
        source = ROOT / "prototxt" / net / "deploy.prototxt"
        job = self.job(net, sizes[0], task="prepare", sizes=[pair(size) for size in sizes])
        Path(job["prototxt"]).write_text("force_backward: true\n" + source.read_text("utf-8"))
        process = Process("prepare", job)
        try:
            answer = process.ask()
        finally:
            process.close()
        flop = dict(zip(sizes, answer.pop("flop")))
        types = answer.pop("types")
        self.facts.update(answer)
        return {"types": types, "flop": flop}

    # -- steps ----------------------------------------------------------------------------------

    def steps(self, net: str, size: str, known: dict[str, Any], rounds: int) -> dict[str, Any]:
        """Time steps of a net at a size; see the module."""
        say(f"steps of {net} at {size}")
        result: dict[str, Any] = {
            "net": net, "end": NETS[net][0], "size": size, "flop": known["flop"][size],
            "seconds": {}, "failed": {}, "peak": {},
        }  # fmt: skip
        with contextlib.ExitStack() as stack:
            alive = {}
            for name in (*self.options.contestants, "floor"):
                check = self.folder / f"{name}.npy"
                job = self.job(net, size, task="steps", types=known["types"], check=str(check))
                try:
                    process = Process(name, job)
                    stack.callback(process.close)
                    answer = process.ask()
                    process.ask("step")  # the first step is slower
                except Failed as failure:
                    result["failed"][name] = str(failure)
                    continue
                answer.pop("ready")
                self.facts.update(answer)
                alive[name] = process
            names = list(alive)
            turns: dict[str, list[float]] = {name: [] for name in names}
            peaks = {}
            start = time.perf_counter()
            for i in range(rounds):
                first = i % len(names)
                for name in names[first:] + names[:first]:
                    if name in result["failed"]:
                        continue
                    try:
                        answer = alive[name].ask("step")
                    except Failed as failure:
                        result["failed"][name] = str(failure)
                        del turns[name]
                        continue
                    turns[name].append(answer["seconds"])
                    peaks[name] = answer["peak"]
            wall = time.perf_counter() - start
            idle = {name: alive[name].ask("end")["idle"] for name in turns}
        result["floor"] = [2 * 2048**3 / seconds for seconds in turns.pop("floor", [])]
        result["seconds"], result["peak"] = turns, peaks
        result["idle"] = {name: seconds / wall for name, seconds in idle.items()}
        result["disagree"] = self._disagree(turns)
        return result

    def _disagree(self, names: Any) -> dict[str, float]:
        """Return the relative L2 distance of each one's first step from that of the first one."""
        import numpy as np

        moves = {name: np.load(self.folder / f"{name}.npy").astype("f8") for name in names}
        if not moves:
            return {}
        base = next(iter(moves.values()))
        return {n: float(np.linalg.norm(m - base) / np.linalg.norm(base)) for n, m in moves.items()}

    # -- dreams ---------------------------------------------------------------------------------

    def dreams(self, net: str, size: str, known: dict[str, Any], rounds: int) -> dict[str, Any]:
        """Time whole default dreams, each in a fresh process from its start to its end."""
        say(f"dreams with {net} at {size}")
        result: dict[str, Any] = {
            "net": net, "end": NETS[net][0], "size": size, "runs": {}, "failed": {},
        }  # fmt: skip
        names = [name for name in DREAMS if name in (*self.options.contestants, "command")]
        for _ in range(rounds):
            for name in names:
                if name in result["failed"]:
                    continue
                try:
                    run = self._dream(name, net, size, known)
                except Failed as failure:
                    result["failed"][name] = str(failure)
                else:
                    result["runs"].setdefault(name, []).append(run)
        return result

    def _dream(self, name: str, net: str, size: str, known: dict[str, Any]) -> dict[str, Any]:
        output = self.folder / f"dream-{name}.png"
        job = self.job(
            net, size, task="dream", types=known["types"], output=str(output),
            began=time.time(), warm=int(self.options.device != "cpu"),
        )  # fmt: skip
        start = time.perf_counter()
        if name == "command":
            return self._command(job, start)
        process = Process(name, job)
        try:
            answer = process.ask()
        finally:
            process.close()
        return {"wall": time.perf_counter() - start, **answer}

    def _command(self, job: dict[str, Any], start: float) -> dict[str, Any]:
        """Run ``deepdream dream``; the peak is that of the process."""
        command = [
            sys.executable, "-m", "deepdream", "dream", job["picture"], "-o", job["output"],
            "--model", job["prototxt"], "--weights", job["caffemodel"], "--end", job["end"],
            "--mean", ",".join(map(str, job["mean"])), "--device", job["device"],
        ]  # fmt: skip
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment(job["threads"]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise Failed(f"'deepdream dream' ended with {child.returncode}")
        unit = 2**20 if sys.platform == "darwin" else 1024
        return {"wall": time.perf_counter() - start, "peak": used.ru_maxrss / unit}

    def start_up(self) -> float:
        """Return the seconds of ``deepdream --help``, the median of five."""
        took = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "deepdream", "--help"],
                cwd=ROOT, stdout=subprocess.DEVNULL, check=True,
            )  # fmt: skip
            took.append(time.perf_counter() - start)
        return median(took)

    def run(self) -> None:
        """Measure all that the options ask for; `results` has at any time what is done."""
        options, results = self.options, self.results
        results["help"] = self.start_up()
        for number, net in enumerate(options.nets):
            sizes = list(options.sizes) if number == 0 else [middle(options.sizes)]
            known = self.prepare(net, sizes)
            # The middle size first: a run that is cut short has it.
            for size in sorted(sizes, key=lambda size: size != middle(options.sizes)):
                results["steps"].append(self.steps(net, size, known, options.rounds))
                if number == 0 and options.dreams:
                    results["dreams"].append(self.dreams(net, size, known, options.dreams))
            # Weights may be half a gigabyte.
            Path(self.job(net, sizes[0])["caffemodel"]).unlink()

    def machine(self) -> dict[str, Any]:
        """Return what the figures were taken on."""
        return {
            "processor": processor(),
            "cores": cores(),
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            "system": f"{platform.system()} {platform.machine()}",
            "threads": self.options.threads,
            "device": self.options.device,
            "precision": self.options.precision or "float32",
            "picture": Path(self.options.image).name,
            "rounds": self.options.rounds,
        }


def processor() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pair(size: str) -> tuple[int, int]:
    """Return width and height of ``WIDTHxHEIGHT``."""
    w, h = size.split("x")
    return int(w), int(h)


def middle(sizes: Any) -> str:
    """Return the size at which bars are set, or else the first one."""
    return MIDDLE if MIDDLE in sizes else sizes[0]


def say(text: str) -> None:
    """Tell what is going on, beside the table."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def words(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return [word for word in text.split(",") if word]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: smallest size, 2 rounds"
    )
    parser.add_argument("--nets", type=words, default=list(NETS), metavar="A,B",
                        help="the first at all sizes with whole dreams, others at the middle one; "
                        f"of {', '.join(NETS)}")  # fmt: skip
    parser.add_argument("--sizes", type=words, default=list(SIZES), metavar="WxH,WxH")
    parser.add_argument("--contestants", type=words, default=list(STEPS), metavar="A,B",
                        help=f"of {', '.join(STEPS)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7, help="of steps (default: %(default)s)")
    parser.add_argument("--dreams", type=int, default=1, help="rounds of whole dreams; 0 for none")
    parser.add_argument("--threads", type=int, default=cores(), help="default: all cores")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", help="passed to dream; default: its own, float32")
    parser.add_argument("--image", default=str(ROOT / "examples" / "clouds.jpg"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there, too")
    options = parser.parse_args(arguments)
    if options.quick:
        options.nets, options.sizes = options.nets[:1], ["96x64"]
        options.rounds, options.dreams = 2, min(1, options.dreams)
    unknown = [net for net in options.nets if net not in NETS]
    unknown += [name for name in options.contestants if name not in STEPS]
    if unknown:
        parser.error(f"not known: {', '.join(unknown)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="deepdream-bench-") as folder:
        bench = Bench(options, Path(folder))
        try:
            bench.run()
        except KeyboardInterrupt:
            say("stopped; this is what was done by then")
    if options.json:
        options.json.write_text(json.dumps(bench.results, indent=1) + "\n")
    print(report(bench.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
