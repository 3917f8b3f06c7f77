"""A test that waits for ever fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

WAITS = """
import queue, subprocess, sys, threading, time
from pathlib import Path
import pytest

SLEEPS = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"

def test_a_pipe(tmp_path):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}, {PID!r}])"
    subprocess.run([sys.executable, "-c", code], capture_output=True)

def test_a_thread():
    def of_the_thread():
        time.sleep(600)
    thread = threading.Thread(target=of_the_thread, daemon=True)
    thread.start()
    thread.join()

@pytest.fixture
def never():
    yield
    queue.Queue().get()

def test_a_teardown(never):
    pass

def test_others_go_on():
    pass
"""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs Unix's alarm")
def test_what_waits_for_ever_fails(tmp_path: Path) -> None:
    """In a test, in a fixture's end; it is told where, and processes are ended with their own."""
    pid = tmp_path / "pid"
    (tmp_path / "test_waits.py").write_text(f"PID = {str(pid)!r}\n{WAITS}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "patience", "-q", "--rootdir", tmp_path,
         tmp_path / "test_waits.py"],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "DEEPDREAM_TEST_SECONDS": "3"},
    )  # fmt: skip

    told = done.stdout
    assert "2 failed, 2 passed, 1 error" in told, told + done.stderr
    assert told.count("the test has not ended within 3 seconds") >= 2
    assert "the teardown has not ended within 3 seconds" in told
    assert "in of_the_thread" in told
    assert "in never" in told
    assert not psutil.pid_exists(int(pid.read_text()))
