"""The same bytes for any number of threads, on one machine."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from plan_checks import by_plan, normal, seeded_net
from random_graphs import SIZE, random_graph
from tiny import tiny_net

from deepdream.running.plan import Planner, Unplannable, planner

COUNTS = (1, 2, 3, 8)
X = normal(1, (1, 3, *SIZE))


def results(net, end: str, count: int, x: np.ndarray, g: np.ndarray) -> tuple:
    """Return a target's data and the picture's gradient, computed by so many threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "thread_count", lambda: count)
        plan = Planner(net, end).plan(*x.shape[2:])
    assert plan.workers is not None
    assert plan.workers.count == count
    data, diff = by_plan(plan, x, {end: g})
    return data[end], diff


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 2**20))
def test_random_graphs_give_the_same_bytes_on_any_number_of_threads(seed: int) -> None:
    """What a number is summed from, and in which order, does not depend on who sums."""
    graph = random_graph(random.Random(seed), steps=9)
    note(graph.text)
    net = seeded_net(graph.text, seed)
    ends = [end for end in graph.targets if not graph.before(end)]
    if not ends:
        return
    end = random.Random(seed).choice(ends)
    g = normal(2, tuple(net.infer_shapes()[end]))
    try:
        data, diff = results(net, end, 1, X, g)
    except Unplannable:
        return
    for count in COUNTS[1:]:
        again = results(net, end, count, X, g)
        np.testing.assert_array_equal(again[0], data)
        np.testing.assert_array_equal(again[1], diff)


@pytest.mark.parametrize("size", [(211, 187), (64, 300)])
def test_a_larger_picture_is_cut_otherwise_and_gives_the_same(size: tuple[int, int]) -> None:
    """Where there are more ranges than threads, and where there are fewer."""
    net, end = tiny_net(), "a/output"
    x = normal(3, (1, 3, *size))
    shape = tuple(net.infer_shapes({"data": x.shape}, end)[end])
    wanted = results(net, end, 1, x, normal(4, shape))
    assert np.abs(wanted[1]).max() > 0
    for count in COUNTS[1:]:
        for found, first in zip(results(net, end, count, x, normal(4, shape)), wanted):
            np.testing.assert_array_equal(found, first)


def test_nets_in_threads_of_their_own_give_the_same() -> None:
    """Several plans at work at once do not meet, though each has more threads than one."""
    end, x = "a/output", normal(3, (1, 3, 64, 150))
    nets = [tiny_net() for _ in range(3)]
    g = normal(4, tuple(nets[0].infer_shapes({"data": x.shape}, end)[end]))
    wanted = results(nets[0], end, 1, x, g)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "thread_count", lambda: 2)
        plans = [Planner(net, end).plan(*x.shape[2:]) for net in nets]
    found: list[tuple] = []

    def repeat(plan) -> None:
        for _ in range(20):
            data, diff = by_plan(plan, x, {end: g})
            found.append((data[end], diff))

    threads = [threading.Thread(target=repeat, args=(plan,), daemon=True) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 60
    for data, diff in found:
        np.testing.assert_array_equal(data, wanted[0])
        np.testing.assert_array_equal(diff, wanted[1])


DREAM = """
import sys
import numpy as np
sys.path.insert(0, "tests")
from tiny import tiny_net
import deepdream
from deepdream.models.load import _transformer
net = tiny_net()
net.transformer = _transformer(net, np.float32([104, 117, 123]), "x")
img = np.random.RandomState(0).uniform(0, 255, (150, 203, 3)).astype(np.float32)
guide = np.random.RandomState(1).uniform(0, 255, (61, 47, 3)).astype(np.float32)
how = dict(iter_n=3, octave_n=3, seed=3, progress=False, smooth=1.0, normalize="laplacian")
how.update(HOW)
out = deepdream.dream(net, img, "a/output", **how)
sys.stdout.write(np.asarray(out).tobytes().hex())
"""


@pytest.mark.parametrize(
    "how",
    ["{}", "dict(guide=guide)", "dict(border='reflect', keep_colors=True, tv=0.1)"],
    ids=["plain", "guided", "reflected"],
)
def test_a_dream_is_the_same_with_any_number_of_threads(how: str) -> None:
    """In processes of their own, because BLAS asks the environment once."""
    found = set()
    for count in COUNTS:
        made = subprocess.run(
            [sys.executable, "-c", DREAM.replace("HOW", how)],
            cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": str(count)},
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        found.add(made.stdout)
    assert len(found) == 1
