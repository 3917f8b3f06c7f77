"""PyTorch is asked for GPUs where there may be one, and not missed where there is none."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from deepdream import gpu
from deepdream.caffe import mode
from deepdream.errors import EngineError
from deepdream.models import load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installation without it: not to be found, not to be imported."""
    monkeypatch.setitem(sys.modules, "torch", None)


def test_without_pytorch_there_are_no_gpus(no_torch: None) -> None:
    """device="auto" is the CPU, and Caffe's GPU mode warns as it does without a GPU."""
    assert not gpu.has_torch()
    assert gpu.gpu_count() == 0
    assert load._device("auto", "torch") == "cpu"
    assert load._device("cpu", "torch") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_without_pytorch_is_an_error_of_two_lines(no_torch: None, device: str) -> None:
    """They say what is missing, and the command that installs it."""
    with pytest.raises(EngineError, match=rf"device is '{device}', and PyTorch") as caught:
        load._device(device, "torch")

    first, second = str(caught.value).split("\n")
    assert "not installed" in first
    assert "pip install torch" in second
    assert "'.[gpu]'" in second


def test_gpu_mode_without_pytorch_warns(no_torch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; nets stay on the CPU."""
    for name, value in {"_gpu": False, "_number": 0, "_warned": False}.items():
        monkeypatch.setattr(mode, name, value)
    with pytest.warns(RuntimeWarning, match="no CUDA GPU that PyTorch can use"):
        mode.set_mode_gpu()

    assert mode.current_device() == "cpu"


def test_pytorch_is_not_loaded_to_look_for_a_gpu_that_cannot_be() -> None:
    """Without a driver, neither device="auto" nor Caffe's GPU mode imports it, if it is there."""
    code = (
        "import sys, warnings\nfrom deepdream import gpu\nfrom deepdream.models import load\n"
        "from deepdream.caffe import mode\nwarnings.simplefilter('ignore')\n"
        "gpu.has_driver = lambda: False\n"
        "assert load._device('auto', 'torch') == 'cpu'\nmode.set_mode_gpu()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_pytorch_is_asked_where_there_is_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or where it is loaded anyway."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)

    assert gpu.gpu_count() == 3
    assert load._device("auto", "torch") == "cuda"


@pytest.mark.parametrize(
    ("installed", "expected"),
    [(set(), False), ({"libcuda.so.1"}, True), ({"nvcuda.dll"}, True), ({"libc.so.6"}, False)],
    ids=str,
)
def test_drivers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: set[str], expected: bool
) -> None:
    """NVIDIA's by its library, on Linux and Windows."""

    def load_library(name: str) -> None:
        if name not in installed:
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load_library)
    monkeypatch.setattr(gpu, "_AMD", tmp_path / "kfd")

    assert gpu.has_driver() == expected


def test_amds_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its device, whatever libraries there are."""
    monkeypatch.setattr(gpu, "_AMD", tmp_path)

    assert gpu.has_driver()
