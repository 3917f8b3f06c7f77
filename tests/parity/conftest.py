"""What the live comparisons with the real Caffe share."""

from __future__ import annotations

import sys

import pytest
from caffe_client import RealCaffe, caffe_python


@pytest.fixture(scope="session")
def real_caffe():
    """Return a `RealCaffe` for all tests, or skip where it is not installed."""
    if caffe_python() is None:
        pytest.skip("the real Caffe is not installed (scripts/install_caffe.sh, needs Python 3.9)")
    with RealCaffe() as caffe:
        yield caffe


@pytest.fixture(autouse=True)
def one_thread():
    """Let PyTorch round the same way every time, as the real Caffe with one thread does."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(threads)
