"""The contract of `contract.py` on every engine: a fake, ours, the real Caffe, and our adapter."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import contract
import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from fake_caffe import FakeCaffeNet
from helpers import ROOT, assert_close

from deepdream.reading.proto import parse_prototxt
from deepdream.running.net import Net

Report = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def by_fake() -> Report:
    return contract.run(FakeCaffeNet)


@pytest.fixture(scope="module", params=["cpu", "torch"])
def by_ours(request: pytest.FixtureRequest) -> Report:
    if request.param == "torch":
        pytest.importorskip("torch")
    return contract.run(lambda: Net(parse_prototxt(contract.PROTOTXT), 1, device=request.param))


@pytest.fixture(scope="module")
def by_caffe(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Reports of pycaffe's own net, and of the adapter's."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    done = subprocess.run(
        [str(python), str(ROOT / "tests" / "contract.py"), str(tmp_path_factory.mktemp("net"))],
        env={**caffe_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reports: dict[str, Report] = json.loads(done.stdout.splitlines()[-1])
    return reports


def hold(name: str, report: Report, reference: Report) -> None:
    """Fail with the check's own traceback, or where its arrays differ from the reference's."""
    assert "error" not in report[name], report[name]["error"]
    arrays, expected = report[name]["arrays"], reference[name]["arrays"]
    assert sorted(arrays) == sorted(expected)
    for key, value in expected.items():
        assert np.abs(value).max() > 0
        assert_close(np.float32(arrays[key]), np.float32(value), name=key)


@pytest.mark.parametrize("name", contract.CHECKS)
def test_the_fake(name: str, by_fake: Report) -> None:
    """The suite holds for what is written by hand, so it asks for nothing that is Caffe's alone."""
    hold(name, by_fake, by_fake)


@pytest.mark.parametrize("name", contract.CHECKS)
def test_ours(name: str, by_ours: Report, by_fake: Report) -> None:
    """`Net` keeps the contract, and computes what was written by hand."""
    hold(name, by_ours, by_fake)


@pytest.mark.pycaffe
@pytest.mark.parametrize("name", contract.CHECKS)
@pytest.mark.parametrize("engine", ["caffe", "adapter"])
def test_the_real_caffe(
    engine: str, name: str, by_caffe: dict[str, Report], by_fake: Report
) -> None:
    """The real Caffe keeps it, too, so the contract is not an invention of ours; and what the
    adapter looks at before each pass takes nothing away.
    """
    hold(name, by_caffe[engine], by_fake)


def test_a_broken_engine_is_noticed() -> None:
    """An engine that clears diffs before it runs fails the checks that are about them."""

    class Tidy(FakeCaffeNet):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            for blob in self.blobs.values():
                blob.diff[...] = 0
            return super().forward(*args, **kwargs)

    report = contract.run(Tidy)

    failed = {name for name, outcome in report.items() if "error" in outcome}
    assert failed == {"stale_diffs_stay", "forward_clears_no_diff"}
