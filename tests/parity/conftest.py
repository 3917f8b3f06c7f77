"""What the live comparisons with the real Caffe share."""

from __future__ import annotations

import pytest
from caffe_client import RealCaffe, caffe_python


@pytest.fixture(scope="session")
def real_caffe():
    """Return a `RealCaffe` for all tests, or skip where it is not installed."""
    if caffe_python() is None:
        pytest.skip("the real Caffe is not installed (scripts/install_caffe.sh, needs Python 3.9)")
    with RealCaffe() as caffe:
        yield caffe
