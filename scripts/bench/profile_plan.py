#!/usr/bin/env python3
"""Tell where the time of a step goes: every operation of a plan, forward and backward.

    scripts/bench/profile_plan.py                                GoogLeNet to inception_4c/output
    scripts/bench/profile_plan.py vgg16 conv4_3 --size 640x360

Weights are seeded. Times are medians over steps, in milliseconds; a rate is that of the direct
convolution's arithmetic, so that Winograd's can be above what a matrix product reaches.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "scripts")]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="profile_plan.py", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("net", nargs="?", default="googlenet", help="a folder of prototxt/")
    parser.add_argument("end", nargs="?", default="inception_4c/output")
    parser.add_argument("--size", default="1024x575", metavar="WxH")
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # before a library reads it

    import numpy as np

    from bench.arrays import like
    from bench.contestants import Floor
    from deepdream.running.fillers import seed_weights
    from deepdream.running.net import Net
    from deepdream.running.plan import Planner

    width, height = (int(side) for side in args.size.split("x"))
    path = ROOT / "prototxt" / args.net / "deploy.prototxt"
    net = Net(path, 1, force_backward=True, param_diffs=False)
    seed_weights(net, 0)
    plan = Planner(net, args.end).plan(height, width)
    floor = Floor({"mean": (0, 0, 0), "threads": args.threads, "device": "cpu"})

    random = np.random.RandomState(1).uniform(-100, 100, tuple(plan.data.shape))
    picture = like(plan.data, random.astype(np.float32))
    times: dict[tuple[str, object], list[float]] = defaultdict(list)
    steps, products = [], []
    for number in range(args.steps + 2):  # the first two warm up
        began = time.perf_counter()
        plan.data[:] = picture
        with plan.threads():
            for way, operations in (("forward", plan._forward), ("backward", plan._backward)):
                if way == "backward":
                    for end in plan.ends:
                        plan.target_diff[end][:] = plan.target_data[end]
                for operation in operations:
                    start = time.perf_counter()
                    getattr(operation, way)()
                    if number >= 2:
                        times[way, operation].append(time.perf_counter() - start)
        if number >= 2:
            steps.append(time.perf_counter() - began)
        start = time.perf_counter()
        floor.product()
        products.append(time.perf_counter() - start)

    def milliseconds(way: str, operation: object) -> float:
        return 1000 * statistics.median(times.get((way, operation), [0.0]))

    rate = 2 * floor.SIDE**3 / statistics.median(products) / 1e9
    print(f"{args.net} to {args.end} at {args.size}, {args.threads} threads; ", end="")
    print(f"sgemm {rate:.0f} GFLOP/s; a step {1000 * statistics.median(steps):.0f} ms\n")
    print("| layer | operation | forward ms | backward ms | GFLOP each | GFLOP/s |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    kinds: dict[str, float] = defaultdict(float)
    for operation in plan._forward:
        node, kind = operation.node, type(operation).__name__
        there, back = milliseconds("forward", operation), milliseconds("backward", operation)
        kinds[kind] += there + back
        arithmetic = speed = ""
        if node.type == "Convolution" and node.weight is not None:
            flops = 2 * math.prod(node.weight.shape) * operation.tops[0].pixels / 1e9
            arithmetic, speed = f"{flops:.2f}", f"{2000 * flops / (there + back):.0f}"
        names = node.names[0] + (f" and {len(node.tops) - 1} more" if len(node.tops) > 1 else "")
        print(f"| `{names}` | {kind} | {there:.1f} | {back:.1f} | {arithmetic} | {speed} |")
    print("\n| operation | ms | share |\n| --- | ---: | ---: |")
    for kind, spent in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f"| {kind} | {spent:.0f} | {spent / sum(kinds.values()):.0%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
