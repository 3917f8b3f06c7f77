"""Fixtures that more than one test file uses."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Be the processor that scripts/portable.py asks for, and keep kernels in one place.

    Tests give child processes homes of their own, where each would compile them again.
    """
    from deepdream.compiling.machine_code import kernels_folder

    os.environ.setdefault("DEEPDREAM_KERNELS", str(kernels_folder()))
    number = os.environ.get("DEEPDREAM_OTHER_BITS")
    if number:
        import other_bits

        other_bits.install(int(number))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference pictures and weights beside the checkout; skips where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder


@pytest.fixture(params=["cpu", "torch"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where single layers, and nets by Caffe's names, compute: NumPy, and then PyTorch.

    PyTorch's tensors on the CPU, in memory of their own, stand in for a GPU.
    """
    import one_layer

    name: str = request.param
    if name == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr(one_layer, "DEVICE", name)
    monkeypatch.setattr("deepdream.caffe.pycaffe.current_device", lambda: name)
    return name


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test reach beyond this machine: sockets connect to loopback only."""
    real_connect = socket.socket.connect

    def connect(self, address):  # type: ignore[no-untyped-def]
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "localhost",
            "::1",
        ):
            raise OSError(f"a test tried to reach {address[0]}")
        return real_connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def no_stand_in() -> Iterator[None]:
    """Take back what `deepdream.caffe.install` appends to the path: later tests have no caffe."""
    yield
    sys.path[:] = [entry for entry in sys.path if Path(str(entry)).name != "stand_in"]
