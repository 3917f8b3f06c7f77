"""Other processors: how the tests are run as on them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, load_script, relative_error
from other_bits import shake

portable = load_script("portable")


def test_other_bits_are_other_rounding():
    """As far away as rounding puts a value, zero at zero, the same again, other by number."""
    x = np.random.RandomState(0).standard_normal((2, 3, 31, 17)).astype(np.float32) * 50
    x[0, 1] = 0
    made = [x.copy() for _ in range(3)]
    for values, number in zip(made, (1, 1, 2)):
        shake(values, number)
    once, again, other = made

    assert 5e-8 < relative_error(once, x) < 2e-7
    assert not once[0, 1].any()
    np.testing.assert_array_equal(again, once)
    assert 5e-8 < relative_error(other, once) < 3e-7
    exact = x.astype(np.float64)
    shake(exact, 1)
    np.testing.assert_array_equal(exact, x)


def test_a_setting_that_is_none_is_refused(capsys):
    """With those that there are."""
    with pytest.raises(SystemExit):
        portable.main(["--only", "threads,abacus"])

    assert "no setting 'abacus' for this processor; there are: threads, " in capsys.readouterr().err


@pytest.mark.slow
def test_a_line_for_each_setting(tmp_path):
    """A step has other bits there; what fails is named, and the exit status tells."""
    path = tmp_path / "test_two.py"
    path.write_text("def test_right():\n    pass\ndef test_wrong():\n    assert not 1\n")

    done = subprocess.run(
        [sys.executable, "scripts/portable.py", "--fast", "--only", "bits5,bits6", str(path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert names == ["here", "bits5", "FAILED", "bits6", "FAILED"]
    assert len({line.split()[2] for line in lines if " net " in line}) == 3
    assert all("test_two.py::test_wrong" in line for line in lines if "FAILED" in line)
    assert all("1 failed, 1 passed" in line for line in lines if "bits" in line)
