#!/usr/bin/env python3
"""Tell where the time until the first step of a dream goes: imports, the net, the step.

    scripts/bench/profile_startup.py                        the working tree
    scripts/bench/profile_startup.py --revision 053a3fe     another one, as --baseline builds it

Three looks at the same program, which loads a net and dreams until one step is done, with kernels
compiled: its phases by the clock, medians of several runs; `python -X importtime`, added up by
package, with the module that asked for each package first; and a profile after that. Both
`-X importtime` and the profiler make everything slower, imports by a quarter and calls by more:
they tell shares, and the phases tell times. Only the main thread is profiled.
"""

from __future__ import annotations

import argparse
import json
import pstats
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "scripts")]

from bench import options as bench_options  # noqa: E402
from bench.builds import Build, build_revision  # noqa: E402
from bench.process import WORKER, Failed, environment, imported_from, say  # noqa: E402
from bench.run import Bench  # noqa: E402


@dataclass
class Module:
    """An import, as ``-X importtime`` tells it; seconds, `own` without what it imports."""

    name: str
    own: float
    total: float
    imports: list[Module] = field(default_factory=list)

    @property
    def package(self) -> str:
        return self.name.split(".")[0]


def read_import_times(lines: Iterable[str]) -> list[Module]:
    """Return the imports of a program as trees.

    A line is ``import time: SELF | TOTAL | NAME``, in microseconds; modules that another one
    imports stand before it, and further in.
    """
    waiting: list[tuple[int, Module]] = []
    for line in lines:
        parts = line.partition("import time:")[2].split("|")
        if len(parts) != 3 or not parts[0].strip().isdigit():
            continue
        name = parts[2].rstrip()
        depth = len(name) - len(name.lstrip())
        module = Module(name.strip(), int(parts[0]) / 1e6, int(parts[1]) / 1e6)
        while waiting and waiting[-1][0] > depth:
            module.imports.insert(0, waiting.pop()[1])
        waiting.append((depth, module))
    return [module for _, module in waiting]


def walk(modules: Iterable[Module], asker: str = "") -> Iterator[tuple[Module, str]]:
    """Yield each module with the one that imported it."""
    for module in modules:
        yield module, asker
        yield from walk(module.imports, module.name)


def import_table(lines: Iterable[str], rows: int) -> Iterator[str]:
    """Yield the imports by package, the slowest first."""
    own: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    first: dict[str, str] = {}
    standard = getattr(sys, "stdlib_module_names", frozenset())  # from Python 3.10 on
    for module, asker in walk(read_import_times(lines)):
        package = module.package
        if package in standard or package.startswith("_"):
            package = "(standard library)"
        elif asker.split(".")[0] != package:
            first.setdefault(package, asker or "the program")
        own[package] += module.own
        count[package] += 1
    yield "| package | s | modules | asked for by |"
    yield "| --- | ---: | ---: | --- |"
    for package in sorted(own, key=own.__getitem__, reverse=True)[:rows]:
        asked = f"`{first[package]}`" if package in first else ""
        yield f"| {package} | {own[package]:.3f} | {count[package]} | {asked} |"
    yield f"| all | {sum(own.values()):.3f} | {sum(count.values())} | |"


def package_of(file: str) -> str:
    """Return which package a file of a profile belongs to."""
    parts = Path(file).parts
    if file.startswith(("~", "<")):
        return "(built in)"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].split(".")[0]
    for name in ("deepdream", "bench"):
        if name in parts:
            return name
    return "(standard library)"


def place(file: str, package: str) -> str:
    """Return a file's path from its package on."""
    parts = Path(file).parts
    return "/".join(parts[parts.index(package) :]) if package in parts else parts[-1]


def profile_tables(path: Path, rows: int) -> Iterator[str]:
    """Yield a profile by package, and its functions: ours with what they call, all by their own."""
    stats: Any = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    own: dict[str, float] = defaultdict(float)
    ours, single = [], []
    for (file, line, name), (_, calls, spent, total, _) in stats.items():
        package = package_of(file)
        own[package] += spent
        where = f"`{place(file, package)}:{line} {name}`" if line else f"`{name}`"
        single.append((spent, calls, where))
        if package == "deepdream":
            ours.append((total, calls, where))
    yield "| package | s of its own |"
    yield "| --- | ---: |"
    for package in sorted(own, key=own.__getitem__, reverse=True)[: min(rows, 12)]:
        yield f"| {package} | {own[package]:.3f} |"
    for title, found in (("of deepdream, with what it calls", ours), ("by its own", single)):
        yield ""
        yield f"| function {title} | s | calls |"
        yield "| --- | ---: | ---: |"
        for spent, calls, where in sorted(found, reverse=True)[:rows]:
            yield f"| {where} | {spent:.3f} | {calls} |"


class Program:
    """What is looked at: a contestant that dreams until its first step is done."""

    def __init__(self, build: Build | None, job: dict[str, Any]) -> None:
        self.job = {**job, "task": "start", **imported_from(build.folder if build else None)}
        self.python = str(build.python if build else sys.executable)
        self.environment = environment(job["threads"], build.variables() if build else None)

    def run(self, *flags: str) -> tuple[dict[str, Any], str]:
        """Run it; return what it answers, and what it and Python wrote beside that.

        Raises
        ------
        Failed
            It says that it cannot.
        """
        job = json.dumps({**self.job, "began": time.time()})
        done = subprocess.run(
            [self.python, *flags, str(WORKER), "plan", job], env=self.environment,
            cwd=WORKER.parent,  # with -m this folder is on the path
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
        if "first" not in answer:
            raise Failed(answer.get("error") or done.stderr.strip() or "it ended without a word")
        return answer, done.stderr

    def bare(self) -> float:
        """Return the seconds that Python alone takes to start and end."""
        start = time.perf_counter()
        subprocess.run([self.python, "-c", "pass"], env=self.environment, check=True)
        return time.perf_counter() - start


def phases_table(program: Program, runs: int) -> Iterator[str]:
    """Yield the phases by the clock."""
    bare = median(program.bare() for _ in range(runs))
    answers = [program.run()[0] for _ in range(runs)]
    imports, loaded, first = (
        median(answer[what] for answer in answers) for what in ("imports", "loaded", "first")
    )
    yield "| phase | s | until then |"
    yield "| --- | ---: | ---: |"
    yield f"| Python itself | {bare:.2f} | {bare:.2f} |"
    yield f"| `import deepdream`, its functions | {imports - bare:.2f} | {imports:.2f} |"
    yield f"| `load_net` | {loaded - imports:.2f} | {loaded:.2f} |"
    yield f"| the picture, and the first step | {first - loaded:.2f} | {first:.2f} |"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="profile_startup.py", description=str(__doc__).splitlines()[0]
    )
    add = parser.add_argument
    add("--revision", help="in an environment of its own, see scripts/bench.py --baseline")
    add("--net", default="googlenet", choices=bench_options.NETS)
    add("--size", default=bench_options.MIDDLE, metavar="WxH")
    add("--threads", type=int, default=2, help="default: %(default)s")
    add("--runs", type=int, default=5, help="of the phases (default: %(default)s)")
    add("--rows", type=int, default=20, help="of each table (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="deepdream-startup-") as name:
        folder = Path(name)
        asked = ["--nets", args.net, "--sizes", args.size, "--threads", str(args.threads)]
        bench = Bench(bench_options.parse(asked), folder)
        try:
            build = build_revision(args.revision) if args.revision else None
            bench.prepare(args.net, [args.size])
            program = Program(build, bench.job(args.net, args.size, args.threads))
            program.run()  # kernels are compiled, files are in memory
            print(f"**The first step with {args.net} at {args.size}**\n")
            print("\n".join(phases_table(program, args.runs)))
            print("\n**Imports** (`python -X importtime`)\n")
            print(
                "\n".join(import_table(program.run("-X", "importtime")[1].splitlines(), args.rows))
            )
            print("\n**Profile**\n")
            profile = folder / "profile"
            program.run("-m", "cProfile", "-o", str(profile))
            print("\n".join(profile_tables(profile, args.rows)))
        except Failed as failure:
            say(str(failure))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
