"""The golden data is what the real Caffe says, today and on this machine."""

from __future__ import annotations

import pytest
from caffe_client import Job
from golden_cases import all_cases
from helpers import load_golden, resolve

pytestmark = [pytest.mark.pycaffe, pytest.mark.usefixtures("device")]
CASES = all_cases()


@pytest.fixture(scope="module")
def outcomes(real_caffe):
    """Return Caffe's answers to all cases."""
    jobs = [Job(resolve(case.steps), case.arrays) for case in CASES.values()]
    return dict(zip(CASES, real_caffe.ask(jobs)))


@pytest.mark.parametrize("name", CASES)
def test_caffe_still_gives_the_golden_answer(name, outcomes):
    """Golden data that somebody edited, or that another Caffe made, is noticed."""
    golden, outcome = load_golden(name), outcomes[name]

    assert outcome.error is None
    assert outcome.aborted == golden.aborts
    if golden.aborts is None:
        golden.check(outcome.results, outcome.facts)
