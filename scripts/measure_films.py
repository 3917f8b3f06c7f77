#!/usr/bin/env python3
"""Measure films: how steady they are, how sharp they stay, whether they drift, what they cost.

    scripts/measure_films.py                     everything, half an hour; quiet, please
    scripts/measure_films.py --only steady --kinds pan --frames 30 --size 448x252
    scripts/measure_films.py --only caffe        needs scripts/install_caffe.sh
    scripts/measure_films.py --only cluster --size 320x180      two workers beside one process
    scripts/measure_films.py --sheets FOLDER     also every tenth frame, and differences, to look at

Prints tables in Markdown, for docs/films.md. The films are made of the examples by
`films.scenes`, so that it is known where each pixel was in the frame before.

Unsteadiness is the mean absolute difference, in grey levels, between what was dreamt on a frame
(the dream minus the frame, so that what changes in the frame itself does not count) and the same of
the frame before, moved along the true motion, where that was seen. Sharpness is the detail of each
octave band, by standard deviation, as a share of that of a frame dreamt by itself. What other work
on the machine would distort is told as processor time, or interleaved, frame by frame.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import scipy.ndimage as nd
from films.scenes import KINDS, Scene, Shot, backdrop, shift
from PIL import Image

import deepdream
from deepdream.dreaming.prepared import Prepared
from deepdream.films.film import Filming
from deepdream.films.flow import grey, motion_between, moved
from deepdream.films.script import Script, random_of
from deepdream.images import load_image, save_image

ROOT = Path(__file__).resolve().parents[1]
SETTLED = 12  # frames after which a film is what it stays
OTHERS = 24  # frames that are enough for the other ways, which take longer
FADED = 5  # frame with which a blend by halves may begin: at SETTLED its first dream is forgotten
BANDS = 5
SEED = 7


# -- measures -------------------------------------------------------------------------------------


def bands(detail: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each octave band, the finest first."""
    found = []
    for _ in range(BANDS):
        lower = nd.gaussian_filter(detail, (1, 1, 0))
        found.append((detail - lower).std())
        detail = lower[::2, ::2]
    return np.array(found)


def unsteadiness(now: np.ndarray, before: np.ndarray, shot: Shot) -> float:
    """Return how far the details of two frames are apart where the true motion joins them."""
    apart = np.abs(now - moved(before, shot.back))
    return float(apart[shot.seen].mean())


class Measured:
    """What is seen of a way to dream a film."""

    def __init__(self) -> None:
        self._unsteady: list[float] = []
        self._bands: list[np.ndarray] = []
        self._before: np.ndarray | None = None
        self.pictures: list[np.ndarray] = []

    def add(self, number: int, dreamt: np.ndarray, shot: Shot) -> None:
        detail = np.asarray(dreamt, np.float32) - shot.pixels
        if number >= SETTLED:
            assert self._before is not None
            self._unsteady.append(unsteadiness(detail, self._before, shot))
            self._bands.append(bands(detail))
        self._before = detail
        self.pictures.append(np.clip(np.rint(dreamt), 0, 255).astype(np.uint8))

    @property
    def unsteady(self) -> float:
        return float(np.mean(self._unsteady))

    @property
    def bands(self) -> np.ndarray:
        return np.mean(self._bands, axis=0)


# -- ways to dream a film -------------------------------------------------------------------------


def filmed(net: Any, shots: list[Shot], folder: Path, **options: Any) -> Iterator[np.ndarray]:
    """Yield the frames of a film, as `deepdream.film` makes it."""
    frames = [shot.pixels for shot in shots]
    with Filming(net, frames, folder, seed=SEED, **options) as making:
        yield from map(np.asarray, making.frames(progress=False))


def blended(net: Any, shots: list[Shot], few: bool) -> Iterator[np.ndarray]:
    """Yield dreams of frames of which half is the last dream, moved along the flow.

    As DeepDreamAnim makes them. With `few`, frames take as many steps as ours.
    """
    script, ready = Script(net, {}), Prepared(net)
    before: np.ndarray | None = None
    last: np.ndarray | None = None
    for number, shot in enumerate(shots):
        frame, own = shot.pixels, script.own(number, number / 25, not few or number == 0)
        begin = frame
        if before is not None and last is not None:
            motion = motion_between(grey(before), grey(frame), "farneback")
            begin = (0.5 * frame + 0.5 * moved(last, motion.back)).astype(np.float32)
        raw = ready.dream(
            begin, seed=random_of(SEED, number), progress=False,
            **{**own, "strength": 1.0, "keep_colors": False},
        )  # fmt: skip
        before, last = frame, np.asarray(raw)
        finish = script.finish(number, number / 25, number == 0)
        yield last if finish is None else finish(last.copy(), frame)


# -- tables ---------------------------------------------------------------------------------------


def steady(net: Any, args: argparse.Namespace, folder: Path) -> None:
    """Print unsteadiness and sharpness, by kind of film."""
    print("| film | way | unsteadiness | / each by itself | sharpness by band, fine to coarse |")
    print("|---|---|---|---|---|")
    w, h = args.size
    for kind in args.kinds:
        shots = list(KINDS[kind](w, h).shots(args.frames))
        alone, mixed = shots[SETTLED - 1 : OTHERS], shots[FADED:OTHERS]
        ways = {
            "each by itself": (SETTLED - 1, filmed(net, alone, folder / f"{kind}-itself", carry=0)),
            "blended, all steps": (FADED, blended(net, mixed, few=False)),
            "blended, our steps": (FADED, blended(net, mixed, few=True)),
            "ours": (0, filmed(net, shots, folder / f"{kind}-ours")),
        }
        seen = {way: Measured() for way in ways}
        for number, shot in enumerate(shots):
            for way, (first, dreams) in ways.items():
                if number >= first and (way == "ours" or number < OTHERS):
                    seen[way].add(number, next(dreams), shot)
        itself = seen["each by itself"]
        for way, measured in seen.items():
            sharp = " ".join(f"{share:.2f}" for share in measured.bands / itself.bands)
            ratio = measured.unsteady / itself.unsteady
            print(
                f"| {kind} | {way} | {measured.unsteady:.2f} | {ratio:.2f} | {sharp} |", flush=True
            )
        if args.sheets:
            for way in ("ours", "each by itself"):
                sheet(args.sheets, f"{kind}-{way.split()[0]}", seen[way].pictures)


def drift(net: Any, args: argparse.Namespace, folder: Path) -> None:
    """Print how the mean colour of a still scene changes."""
    w, h = args.size
    still = Scene([backdrop("lake", w + 20, lambda t: shift(10, 5))], (h, w))
    shots = list(still.shots(3 * args.frames))
    means, kept, first = [], [], None
    for number, made in enumerate(filmed(net, shots, folder / "drift")):
        detail = made - shots[number].pixels
        means.append(made.mean((0, 1)))
        first = bands(detail) if first is None else first
        if number >= SETTLED:
            kept.append(bands(detail) / first)
    apart = np.abs(np.array(means) - means[0])
    sharp = " ".join(f"{share:.2f}" for share in kept[-1])
    print(
        f"\nA still scene of {len(shots)} frames: its mean colour goes at most {apart.max():.2f} "
        f"grey levels from the first frame's; at the end {apart[-1].max():.2f}. Detail by band at "
        f"the end, of the first frame's: {sharp}.",
        flush=True,
    )


def share(net: Any, args: argparse.Namespace, folder: Path) -> None:
    """Print what everything beside the steps costs: reading, motion, carrying, writing."""
    w, h = args.size
    source = folder / "walk.mp4"
    write(source, [shot.pixels for shot in KINDS["walk"](w, h).shots(60)])
    calls: list[tuple[tuple, dict, float]] = []
    plain = Prepared.dream

    def recorded(self: Prepared, *given: Any, **options: Any) -> Any:
        began = time.perf_counter()
        made = plain(self, *given, **options)
        calls.append((given, options, time.perf_counter() - began))
        return made

    costs, outside = [], []
    with Filming(net, source, folder / "share.mp4", seed=SEED) as making:
        frames = making.frames(progress=False)
        next(frames)
        next(frames)
        ready = making._ready[1]
        for _ in range(5):
            Prepared.dream = recorded
            calls.clear()
            began, clock = time.process_time(), time.perf_counter()
            for _ in range(10):
                next(frames)
            whole, waited = time.process_time() - began, time.perf_counter() - clock
            Prepared.dream = plain
            began = time.process_time()
            for given, options, _ in calls:
                options = {**options, "seed": random_of(SEED, 1), "on_step": None}
                plain(ready, *given, **options)
            costs.append(1 - (time.process_time() - began) / whole)
            outside.append(1 - sum(call[2] for call in calls) / waited)
    print(
        f"\nReading, motion, carrying, encoding and keeping take {100 * median(costs):.1f} % of a "
        f"film's processor time ({', '.join(f'{100 * cost:.1f}' for cost in costs)}), and hold the "
        f"dreaming up for {100 * median(outside):.1f} % of the time.",
        flush=True,
    )


def caffe(net: Any, args: argparse.Namespace, folder: Path) -> None:
    """Print the time of the loop of 2015 on the real Caffe, and ours of the same steps."""
    sys.path.insert(0, str(ROOT / "tests"))
    from caffe_client import caffe_environment, caffe_python

    from deepdream.running.fillers import seed_weights
    from deepdream.running.net import Net

    python = caffe_python()
    if python is None:
        print("\nThe real Caffe is not here: scripts/install_caffe.sh")
        return
    prototxt, weights = folder / "googlenet.prototxt", folder / "googlenet.caffemodel"
    text = (ROOT / "prototxt" / "googlenet" / "deploy.prototxt").read_text("utf-8")
    prototxt.write_text("force_backward: true\n" + text)
    seeded = Net(str(prototxt), 1)
    seed_weights(seeded)
    seeded.save(str(weights))
    del seeded
    w, h = args.size
    end, steps, octaves = "inception_4c/output", 10, 4
    shots = list(KINDS["walk"](w, h).shots(args.rounds + 2))
    source = folder / "walk2015.mp4"
    write(source, [shot.pixels for shot in shots])
    program = ROOT / "scripts" / "films" / "caffe_loop.py"
    loop = [program, prototxt, weights, end, steps, octaves, "1.4"]
    there = subprocess.Popen(
        [str(python), *map(str, loop)], env=caffe_environment(args.threads), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert there.stdin is not None
    assert there.stdout is not None
    there.stdout.readline()
    googlenet = deepdream.load_net(prototxt, weights, mean=(104, 116, 122))
    ratios, times = [], []
    with Filming(
        googlenet, source, folder / "ours2015.mp4", seed=SEED, end=end, style="2015", iter_n=steps,
        octave_n=octaves, carry=0.5, flow="farneback",
    ) as making:  # fmt: skip
        frames = making.frames(progress=False)
        last = _turn_2015(there, folder, shots, 0, None)[1]
        next(frames)
        for number in range(1, args.rounds + 1):
            theirs, last = _turn_2015(there, folder, shots, number, last)
            began = time.perf_counter()
            next(frames)
            ours = time.perf_counter() - began
            ratios.append(theirs / ours)
            times.append((theirs, ours))
        making.stopped = True
    there.stdin.close()
    there.wait()
    print(
        f"\nThe loop of 2015 on the real Caffe, GoogLeNet of seeded weights, {octaves} octaves of "
        f"{steps} steps, {args.threads} threads: {median(t for t, _ in times):.1f} s a frame; ours "
        f"{median(o for _, o in times):.2f} s. Per frame {median(ratios):.1f} times "
        f"({min(ratios):.1f} to {max(ratios):.1f}).",
        flush=True,
    )


def _turn_2015(
    there: Any, folder: Path, shots: list[Shot], number: int, last: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """Do one frame as DeepDreamAnim does: JPEG, flow, blend, dream, JPEG; return its seconds."""
    jpeg, name = folder / "frame.jpg", folder / "frame.npy"
    save_image(shots[number].pixels, jpeg)  # ffmpeg did that
    before = None if number == 0 else shots[number - 1].pixels
    began = time.perf_counter()
    frame = np.asarray(load_image(jpeg))
    if before is not None and last is not None:
        grays = [cv2.cvtColor(p.astype(np.uint8), cv2.COLOR_RGB2GRAY) for p in (before, frame)]
        flow = cv2.calcOpticalFlowFarneback(grays[0], grays[1], None, 0.5, 3, 15, 3, 5, 1.2, 0)
        h, w = grays[0].shape
        grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).astype(np.float32)
        halfway = cv2.remap(last, grid - flow, None, cv2.INTER_LINEAR)
        frame = 0.5 * frame + 0.5 * halfway
    taken = time.perf_counter() - began
    np.save(name, frame.astype(np.float32))
    print(name, file=there.stdin, flush=True)
    taken += float(there.stdout.readline())
    made = np.load(f"{name}.out.npy")
    began = time.perf_counter()
    Image.fromarray(np.uint8(np.clip(made, 0, 255))).save(folder / "dream.jpg")
    return taken + time.perf_counter() - began, made


# -- on two workers -------------------------------------------------------------------------------


def cluster(net: Any, args: argparse.Namespace, folder: Path) -> None:
    """Print what a film of six scenes costs on two workers, and in one process."""
    w, h = args.size
    photos = ("astronaut", "cat", "colosseum", "dogs", "lake", "street")
    frames = [
        pixels
        for name in photos
        for pixels in _panned(load_image(ROOT / "examples" / "photos" / f"{name}.jpg"), (h, w), 12)
    ]
    source, made = folder / "scenes.mp4", folder / "made.mp4"
    write(source, frames)
    ways = {"two workers of one thread": ("local:2", "1"), "one process of two": ("", "2")}
    print(f"\n| {len(frames)} frames in {len(photos)} scenes, {w}x{h} | by the clock, s | "
          "processor, s |\n| --- | --- | --- |")  # fmt: skip
    for what, more in (("steady", []), ("each by itself", ["--carry", "0"])):
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        films = set()
        for turn in range(args.pairs):
            for way in [*ways][:: 1 if turn % 2 else -1]:
                taken[way].append(_timed(source, made, ways[way], more))
                films.add(made.read_bytes())
        assert len(films) == 1
        for way, pairs in taken.items():
            clock, processor = (", ".join(f"{t:.1f}" for t in times) for times in zip(*pairs))
            print(f"| {what}, {way} | {clock} | {processor} |", flush=True)


def _panned(photo: np.ndarray, size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    """Yield what a camera sees that goes to the right, two pixels a frame."""
    h, w = size
    scale = max((w + 2 * count) / photo.shape[1], h / photo.shape[0])
    whole = cv2.resize(np.asarray(photo), None, fx=scale * 1.01, fy=scale * 1.01,
                       interpolation=cv2.INTER_AREA)  # fmt: skip
    for t in range(count):
        yield np.ascontiguousarray(whole[:h, 2 * t : 2 * t + w])


def _timed(source: Path, out: Path, where: tuple[str, str], more: list[str]) -> tuple[float, float]:
    """Return the seconds of a command that makes a film, by the clock and of processors."""
    import resource

    out.unlink(missing_ok=True)
    there, threads = where
    command = [
        sys.executable,
        "-m",
        "deepdream",
        "film",
        str(source),
        "-o",
        str(out),
        "--seed",
        "1",
    ]
    command += [*more, *(["--cluster", there] if there else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)}
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- files ----------------------------------------------------------------------------------------


def write(path: Path, frames: list[np.ndarray]) -> None:
    """Write a film of frames."""
    from fractions import Fraction

    from deepdream.films.frame import Frame
    from deepdream.films.target import open_target

    with open_target(path, size=frames[0].shape[:2], rate=25) as target:
        for number, pixels in enumerate(frames):
            target.add(Frame(pixels, Fraction(number, 25), number))


def sheet(folder: Path, name: str, pictures: list[np.ndarray]) -> None:
    """Write every tenth frame, and below each by how much the next one differs, fourfold."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = range(0, len(pictures) - 1, 10)
    rows = []
    for at in range(0, len(chosen), 5):
        some = list(chosen)[at : at + 5]
        some += [some[-1]] * (5 - len(some))
        rows.append(np.concatenate([pictures[i] for i in some], 1))
        apart = [np.clip(4 * np.abs(np.int32(pictures[i + 1]) - pictures[i]), 0, 255) for i in some]
        rows.append(np.concatenate(apart, 1).astype(np.uint8))
    Image.fromarray(np.concatenate(rows, 0)).save(folder / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"steady": steady, "drift": drift, "share": share, "caffe": caffe,
             "cluster": cluster}  # fmt: skip
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=[*KINDS])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rounds", type=int, default=7, help="frames beside the real Caffe")
    parser.add_argument("--pairs", type=int, default=3, help="films on two workers")
    parser.add_argument("--sheets", type=Path)
    args = parser.parse_args()
    args.size = tuple(map(int, args.size.split("x")))
    args.threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    net = deepdream.load_net()
    with tempfile.TemporaryDirectory() as folder:
        for part in args.only:
            parts[part](net, args, Path(folder))


if __name__ == "__main__":
    main()
