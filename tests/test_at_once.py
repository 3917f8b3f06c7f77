"""What a whole process shares, where several threads of it dream at once."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from PIL import Image
from test_dreaming import net_with_mean

from deepdream.dreaming.dream import dream
from deepdream.dreaming.visualize import visualize
from deepdream.images import load_image
from deepdream.quiet import quiet
from deepdream.running.arrays.blas import one_blas_thread
from deepdream.running.plan.workers import limited_threads


@contextmanager
def in_a_thread(context: AbstractContextManager) -> Iterator[Callable[[], None]]:
    """Enter a context in another thread, which leaves it at the end, or when it is called."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with context:
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold, daemon=True)

    def end() -> None:
        leave.set()
        thread.join(30)
        assert not thread.is_alive()

    thread.start()
    assert entered.wait(30)
    try:
        yield end
    finally:
        end()


def run_together(work: Callable[[], None], count: int) -> None:
    """Call a function in several threads, which take turns as often as Python lets them."""
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)


def blas_threads() -> set[int]:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = threadpoolctl.threadpool_info()
    return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}


def test_the_one_thread_of_blas_stays_while_anybody_wants_it() -> None:
    """The first to leave does not lift what another thread computes under, nor does it stay."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with in_a_thread(one_blas_thread()) as leave, one_blas_thread():
            leave()
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_the_one_thread_of_blas_after_a_thread_that_left_later() -> None:
    """And the other way round: who has come last leaves first."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with in_a_thread(one_blas_thread()):
            with one_blas_thread():
                pass
            assert blas_threads() == {1}
        assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_not_held_up_by_blas_of_another_thread() -> None:
    """The child has none of the threads that were inside, and lifts their limit with its own."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with in_a_thread(one_blas_thread()):
            child = os.fork()
            if not child:
                try:
                    with one_blas_thread():
                        inside = blas_threads()
                    os._exit(0 if (inside, blas_threads()) == ({1}, before) else 1)
                finally:
                    os._exit(2)
            _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_warnings_are_as_before_when_threads_passed_over_some() -> None:
    """Also where the first to come is the first to leave."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        before = [*warnings.filters]
        with in_a_thread(quiet(UserWarning)) as leave, quiet(DeprecationWarning, "old"):
            leave()
            warnings.warn("old things", DeprecationWarning, stacklevel=1)
        assert warnings.filters == before
        warnings.warn("old things", DeprecationWarning, stacklevel=1)
        warnings.warn("for users", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in heard] == ["old things", "for users"]


def test_pictures_read_by_several_threads_change_no_filter(tmp_path) -> None:
    file = tmp_path / "x.png"
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(file)
    load_image(file)  # loads what reads it
    before = [*warnings.filters]

    def read() -> None:
        for _ in range(40):
            load_image(file)

    run_together(read, 6)
    assert warnings.filters == before


def test_one_threads_precision_is_not_anothers(monkeypatch) -> None:
    """PyTorch's flags belong to the process: who wants others waits, and finds them as it set."""
    torch = pytest.importorskip("torch")
    from deepdream.running.arrays.torch_ops import computing

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    seen: list[tuple[bool, bool]] = []

    def other() -> None:
        with computing(tf32=True):
            seen.append((cudnn.allow_tf32, matmul.allow_tf32))

    thread = threading.Thread(target=other, daemon=True)
    with computing():
        thread.start()
        thread.join(0.3)
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (False, False)
        with computing(tf32=True):  # a layer by itself within a plan
            assert (cudnn.allow_tf32, matmul.allow_tf32) == (True, True)
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (False, False)
    thread.join(30)

    assert seen == [(True, True)]
    assert (cudnn.allow_tf32, matmul.allow_tf32) == before


def test_threads_of_one_precision_leave_it_as_it_was(monkeypatch) -> None:
    """The first to leave does not put back what another computes under."""
    torch = pytest.importorskip("torch")
    from deepdream.running.arrays.torch_ops import computing

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before, wrong = torch.backends.cudnn.allow_tf32, []

    def work() -> None:
        for _ in range(300):
            with computing():
                for _ in range(3):
                    if torch.backends.cudnn.allow_tf32:
                        wrong.append(True)

    run_together(work, 3)
    assert not wrong
    assert torch.backends.cudnn.allow_tf32 == before


def picture(seed: int, h: int, w: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


def hooked():
    """Return a net that runs layer by layer."""
    net = net_with_mean()
    net.before_forward(lambda layer: None)
    return net


HOW = {"iter_n": 2, "octave_n": 2, "seed": 3, "progress": False}
DREAMS = {
    "guided": (
        net_with_mean,
        lambda net: dream(net, picture(1, 70, 91), "a/output", guide=picture(9, 40, 33), **HOW),
    ),
    "layer by layer": (
        hooked,
        lambda net: dream(net, picture(2, 55, 64), "a/output", guide=picture(9, 40, 33), **HOW),
    ),
    "masked": (
        net_with_mean,
        lambda net: dream(
            net, picture(3, 60, 50), "a/3x3", mask=np.tri(60, 50), border="reflect", blur=0.5,
            rotate=5, keep_colors=True, **HOW,
        ),
    ),
    "in tiles": (
        net_with_mean,
        lambda net: dream(net, picture(4, 403, 460), "a/3x3", max_memory=9_000_000, **HOW),
    ),
    "seen": (net_with_mean, lambda net: visualize(net, "a/3x3:2", size=(48, 64), iter_n=2)),
}  # fmt: skip


def test_dreams_in_threads_of_their_own_are_those_of_one_after_the_other() -> None:
    """Each net has its thread; sizes, engines and options are mixed, and work is shared out."""
    with limited_threads(2):
        wanted = {name: run(make()).tobytes() for name, (make, run) in DREAMS.items()}
    nets = {name: make() for name, (make, _) in DREAMS.items()}
    found: dict[str, list[bytes]] = {name: [] for name in DREAMS}

    def repeat(name: str) -> None:
        with limited_threads(2):
            for _ in range(3):
                found[name].append(DREAMS[name][1](nets[name]).tobytes())

    threads = [threading.Thread(target=repeat, args=(name,), daemon=True) for name in DREAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)

    assert {name: [each == wanted[name] for each in made] for name, made in found.items()} == {
        name: [True] * 3 for name in DREAMS
    }
