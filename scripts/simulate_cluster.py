#!/usr/bin/env python3
"""What a picture costs on a cluster, measured here, and how that grows to a thousand workers.

    scripts/simulate_cluster.py measure         # figures of this machine, as JSON
    scripts/simulate_cluster.py grow            # the table of docs/cluster.md, from FIGURES
    scripts/simulate_cluster.py grow FILE       # ... from what `measure` has printed

`measure` starts a scheduler and two workers, each a process of its own, and makes a batch of small
pictures and one of 1024x575 on them. Processor time is counted, not the clock: what else the
machine does changes it little. Bytes are counted where Dask writes them to a socket, in every
process.

`grow` plays a batch: the client packs pictures and fetches results one after the other, the
scheduler handles one message at a time, the client's network carries so many bytes a second, the
net goes from worker to worker as Dask hands it on, and workers dream. A dream's own seconds are an
argument.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

# As `measure` printed them on an AMD EPYC, two hyperthreads, Python 3.11, Dask 2026.8.0, beside
# other work (load 7). The net is one of the size of GoogLeNet, which has to travel.
FIGURES = {
    "client_1024_s": 0.005,
    "scheduler_1024_s": 0.0083,
    "worker_s": 0.024,
    "load_s": 0.2,
    "sent_bytes": 255e3,
    "result_bytes": 902e3,
    "net_bytes": 54e6,
}

# Counts what Dask writes; loaded by scheduler and workers, some twice, and by this process.
COUNT = """
import distributed.comm.tcp as tcp
if not hasattr(tcp, "written"):
    tcp.written, tcp.counted = 0, tcp.TCP.write
    async def write(self, *args, **options):
        count = await tcp.counted(self, *args, **options)
        tcp.written += count
        return count
    tcp.TCP.write = write
"""


def written() -> int:
    import distributed.comm.tcp as tcp

    return int(tcp.written)


def measure(count: int) -> dict[str, float]:
    """Return the figures of this machine."""
    import numpy as np
    import psutil

    import deepdream
    from deepdream.batches.make import write_batch
    from deepdream.dreaming.prepared import Prepared

    exec(COUNT, {})
    from distributed import Client

    began = time.process_time()
    net = deepdream.load_net()
    Prepared(net)
    loaded = time.process_time() - began
    clouds = deepdream.load_image(ROOT / "examples" / "clouds.jpg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "count.py").write_text(COUNT)
        place = folder / "scheduler.json"
        common = ["--preload", str(folder / "count.py"), "--no-dashboard"]
        began = time.monotonic()
        processes = [start("scheduler", *common, "--scheduler-file", str(place), "--port", "0",
                           "--host", "127.0.0.1")]  # fmt: skip
        ended = contextlib.ExitStack()
        try:
            while not (place.exists() and place.read_text().rstrip().endswith("}")):
                time.sleep(0.05)
            processes += [
                start("worker", *common, "--scheduler-file", str(place), "--nthreads", "1",
                      "--no-nanny", "--local-directory", str(folder))
                for _ in range(2)
            ]  # fmt: skip
            client = ended.enter_context(Client(scheduler_file=str(place)))
            client.wait_for_workers(2, timeout=60)
            started = time.monotonic() - began
            known = [psutil.Process(process.pid) for process in processes]

            def bytes_of_all() -> int:
                own = [written(), client.run_on_scheduler(written)]
                return sum([*own, *client.run(written).values()])

            def spent() -> list[float]:
                return [sum(p.cpu_times()[:2]) for p in [psutil.Process(), *known]]

            def run(label: str, n: int, size: tuple[int, int], **how: Any) -> dict[str, float]:
                inside = folder / label
                inside.mkdir()
                h, w = size
                for number in range(n):
                    rows = (np.arange(h) + 7 * number) % clouds.shape[0]
                    part = clouds[rows][:, np.arange(w) % clouds.shape[1]]
                    deepdream.save_image(part, inside / f"{number}.jpg", quality=90)
                before, bytes_before, at = spent(), bytes_of_all(), time.monotonic()
                made = [*write_batch(net, inside, folder / f"{label}-out", cluster=client, **how)]
                wall = time.monotonic() - at
                after, bytes_after = spent(), bytes_of_all()
                assert not [entry.error for entry in made if entry.error]
                result = sum(entry.dream.stat().st_size for entry in made)
                pictures = sum(entry.picture.stat().st_size for entry in made)
                own, scheduler, *workers = (b - a for a, b in zip(before, after))
                dreams = sum(entry.seconds for entry in made)
                return {"client": own, "scheduler": scheduler, "workers": sum(workers),
                        "wall": wall, "dreams": dreams, "bytes": bytes_after - bytes_before,
                        "result": result, "pictures": pictures, "n": n}  # fmt: skip

            small = {"iter_n": 1, "octave_n": 1, "style": "2015"}
            run("first", 4, (64, 96), **small)  # everything is loaded
            few = run("few", 10, (64, 96), **small)
            many = run("many", 10 + count, (64, 96), **small)
            large = run("large", 4, (575, 1024), **small)
            larger = run("larger", 10, (575, 1024), **small)
        finally:
            ended.close()
            for process in processes:
                process.kill()
                process.wait()

    def each(key: str, one: dict[str, float], other: dict[str, float]) -> float:
        return (other[key] - one[key]) / (other["n"] - one["n"])

    def besides(one: dict[str, float], other: dict[str, float]) -> float:
        carried = {**one, "x": one["bytes"] - 2 * one["result"]}  # a result goes by the scheduler
        return each("x", carried, {**other, "x": other["bytes"] - 2 * other["result"]})

    return {
        "client_s": round(each("client", few, many), 5),
        "scheduler_s": round(each("scheduler", few, many), 5),
        # All that a worker's time goes into besides dreams, by the clock: other work counts too.
        "worker_s": round(2 * each("wall", few, many) - each("dreams", few, many), 5),
        "client_1024_s": round(each("client", large, larger), 5),
        "scheduler_1024_s": round(each("scheduler", large, larger), 5),
        "start_s": round(started, 2),
        "load_s": round(loaded, 2),
        "sent_bytes": round(besides(large, larger)),
        "picture_bytes": round(each("pictures", large, larger)),
        "result_bytes": round(each("result", large, larger)),
        "small_besides_bytes": round(besides(few, many)),
    }


# -- how it grows --------------------------------------------------------------------------------

WORKERS = (1, 2, 8, 30, 100, 300, 1000)
AHEAD = 2  # pictures given out for each worker, as `deepdream.jobs.cluster` does


class Server:
    """Something that does one thing after the other."""

    def __init__(self) -> None:
        self.free, self.busy = 0.0, 0.0

    def serve(self, at: float, seconds: float) -> float:
        """Return when what comes at a time is done."""
        self.free = max(self.free, at) + seconds
        self.busy += seconds
        return self.free


def play(
    workers: int, pictures: int, dream: float, figures: dict[str, float], bandwidth: float
) -> dict[str, float]:
    """Play a batch; return its seconds, and how busy client, scheduler and workers were."""
    draw = random.Random(1)
    client, scheduler, link = Server(), Server(), Server()
    packs, writes = figures["client_1024_s"] / 2, figures["client_1024_s"] / 2
    handles = figures["scheduler_1024_s"] / 2
    # The net is handed on: in each round all who have it give it to one more.
    carried = figures["net_bytes"] / bandwidth
    ready = [(figures["load_s"] + carried * math.ceil(math.log2(n + 2)), n) for n in range(workers)]
    heapq.heapify(ready)
    events: list[tuple[float, int, int]] = []  # when, what (0 done, 1 written), which
    given, written, end = 0, 0, 0.0
    while written < pictures:
        if given < pictures and given - written < AHEAD * workers + 1:
            at = client.serve(0.0, packs)
            at = link.serve(at, figures["sent_bytes"] / bandwidth)
            at = scheduler.serve(at, handles)
            free, number = heapq.heappop(ready)
            done = max(free, at) + figures["worker_s"] + dream * draw.uniform(0.8, 1.2)
            heapq.heappush(ready, (done, number))
            heapq.heappush(events, (done, 0, given))
            given += 1
            continue
        at, _, _ = heapq.heappop(events)
        at = scheduler.serve(at, handles)
        at = link.serve(at, figures["result_bytes"] / bandwidth)
        end = client.serve(at, writes)
        written += 1
    return {"wall": end, "client": client.busy / end, "scheduler": scheduler.busy / end,
            "workers": pictures * dream / workers / end, "link": link.busy / end}  # fmt: skip


def grow(figures: dict[str, float], dream: float, bandwidth: float) -> list[str]:
    """Return the lines of a table in Markdown."""
    lines = [
        "| workers | pictures | minutes | pictures a minute | workers dream | client | scheduler | "
        "client's network |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for workers in WORKERS:
        pictures = 20 * workers
        seen = play(workers, pictures, dream, figures, bandwidth)
        shares = (seen[name] for name in ("workers", "client", "scheduler", "link"))
        lines.append(
            f"| {workers} | {pictures} | {seen['wall'] / 60:.1f} | "
            f"{60 * pictures / seen['wall']:.0f} | "
            + " | ".join(f"{share:.0%}" for share in shares)
            + " |"
        )
    return lines


def start(what: str, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("measure", "grow"))
    parser.add_argument("file", nargs="?")
    parser.add_argument("--count", type=int, default=100, help="small pictures (default: 100)")
    parser.add_argument(
        "--dream", type=float, default=30.0, help="seconds of a dream on one core (default: 30)"
    )
    parser.add_argument(
        "--bandwidth", type=float, default=1000.0,
        help="of the network, in megabits a second (default: 1000)",
    )  # fmt: skip
    args = parser.parse_args()
    if args.what == "measure":
        print(json.dumps(measure(args.count), indent=2))
        return 0
    figures = FIGURES if args.file is None else json.loads(Path(args.file).read_text())
    print("\n".join(grow({**FIGURES, **figures}, args.dream, args.bandwidth * 1e6 / 8)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
