"""What the live comparisons with the real Caffe share."""

from __future__ import annotations

import pytest
import torch
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
    """Let our engine round the same way every time, as the real Caffe with one thread does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
