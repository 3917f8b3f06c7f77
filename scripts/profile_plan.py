#!/usr/bin/env python3
"""Tell where the time of a step goes: every operation of a plan, forward and backward.

    scripts/profile_plan.py                                     GoogLeNet to inception_4c/output
    scripts/profile_plan.py vgg16 conv4_3 --size 640x360

Weights are seeded. Times are medians over steps, in milliseconds; a rate is that of the direct
convolution's arithmetic, so that Winograd's can be above what a matrix product reaches.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from deepdream.running.fillers import seed_weights  # noqa: E402
from deepdream.running.net import Net  # noqa: E402
from deepdream.running.plan import Planner  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", nargs="?", default="googlenet", help="a folder of prototxt/")
    parser.add_argument("end", nargs="?", default="inception_4c/output")
    parser.add_argument("--size", default="1024x575", metavar="WxH")
    parser.add_argument("--steps", type=int, default=9)
    args = parser.parse_args()
    width, height = (int(side) for side in args.size.split("x"))
    path = ROOT / "prototxt" / args.net / "deploy.prototxt"
    net = Net(path, 1, force_backward=True, param_diffs=False)
    seed_weights(net, 0)
    plan = Planner(net, args.end).plan(height, width)

    generator = torch.Generator().manual_seed(1)
    plan.data.copy_(200 * torch.rand(plan.data.shape, generator=generator) - 100)
    picture = plan.data.clone()
    times: dict[tuple[str, object], list[float]] = defaultdict(list)
    steps, products = [], []
    square = torch.rand(2048, 2048)
    for number in range(args.steps + 2):  # the first two warm up
        began = time.perf_counter()
        plan.data.copy_(picture)
        with plan.threads():
            for way, operations in (("forward", plan._forward), ("backward", plan._backward)):
                if way == "backward":
                    for end in plan.ends:
                        plan.target_diff[end].copy_(plan.target_data[end])
                for operation in operations:
                    start = time.perf_counter()
                    getattr(operation, way)()
                    if number >= 2:
                        times[way, operation].append(time.perf_counter() - start)
        if number >= 2:
            steps.append(time.perf_counter() - began)
        start = time.perf_counter()
        square @ square
        products.append(time.perf_counter() - start)

    def milliseconds(way: str, operation: object) -> float:
        return 1000 * statistics.median(times.get((way, operation), [0.0]))

    rate = 2 * 2048**3 / statistics.median(products) / 1e9
    print(f"{args.net} to {args.end} at {args.size}, {torch.get_num_threads()} threads; ", end="")
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
            flops = 2 * node.weight.numel() * operation.tops[0].pixels / 1e9
            arithmetic, speed = f"{flops:.2f}", f"{2000 * flops / (there + back):.0f}"
        names = node.names[0] + (f" and {len(node.tops) - 1} more" if len(node.tops) > 1 else "")
        print(f"| `{names}` | {kind} | {there:.1f} | {back:.1f} | {arithmetic} | {speed} |")
    print("\n| operation | ms | share |\n| --- | ---: | ---: |")
    for kind, spent in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f"| {kind} | {spent:.0f} | {spent / sum(kinds.values()):.0%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
