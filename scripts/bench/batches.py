#!/usr/bin/env python3
"""Tell what a batch of pictures would win on the plan: eight at once against one by one.

    scripts/bench/batches.py                    8 pictures of 224x224, the bundled network
    scripts/bench/batches.py --pictures 4 --threads 1

Eight pictures side by side are one picture with the same arithmetic, whose plan calls each kernel
once for all of them and reads each layer's weights once: what a batch would win, it wins too. In a
round each of the two has one turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=8, metavar="N")
    parser.add_argument("--size", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--ends", nargs="+", default=["block10/output", "classifier"])
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # before the workers are started

    import numpy as np

    import deepdream
    from deepdream.running.plan import Planner

    net = deepdream.load_net(device="cpu")
    rng = np.random.RandomState(0)
    print("| target | one by one, ms a picture | at once | ratio | range |")
    print("| --- | --- | --- | --- | --- |")
    for end in args.ends:
        planner = Planner(net, end)
        plans = [planner.plan(args.size, args.size * n) for n in (1, args.pictures)]
        for plan in plans:
            plan.data[...] = rng.uniform(-99, 99, plan.data.shape)
            step(plan)
        times: list[list[float]] = [[], []]
        for turn in range(args.rounds):
            for which in (0, 1) if turn % 2 else (1, 0):
                began = time.perf_counter()
                for _ in range(args.pictures if which == 0 else 1):
                    step(plans[which])
                times[which].append((time.perf_counter() - began) / args.pictures * 1e3)
        ratios = [one / many for one, many in zip(*times)]
        print(f"| `{end}` | {median(times[0]):.1f} | {median(times[1]):.1f} "
              f"| {median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |")  # fmt: skip


def step(plan: object) -> None:
    """Run a plan forward and backward."""
    plan.forward()  # type: ignore[attr-defined]
    for diff in plan.target_diff.values():  # type: ignore[attr-defined]
        diff[...] = 1
    plan.backward()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
