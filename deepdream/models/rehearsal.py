"""Caffe in a process of its own, before it runs in ours.

Caffe ends its process wherever a check of its fails: at a filler that it does not know, an engine
that it was built without, weights of another shape, a GPU that is not there. No list of such checks
is ever complete. So a child builds the net and loads the weights first; if it dies, its last words
become an error, and this process lives.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
def done(step):
    print("\\nrehearsed:", step, flush=True)
import caffe
if sys.argv[2] != "cpu":
    caffe.set_device(int(sys.argv[2][5:]))
    caffe.set_mode_gpu()
done("device")
net = caffe.Net(sys.argv[3], 1)
done("net")
net.copy_from(sys.argv[4])
done("weights")
"""
_STEP = re.compile(r"^rehearsed: (\w+)$", re.MULTILINE)  # layers in Python may print, too
_FATAL = re.compile(r"F\d+ .*?\] (.*)")  # how glog writes what it ends the process for
_PYTHON = re.compile(r"(?!SystemError)\w+(?:Error|Exception): .*")


@dataclass(frozen=True)
class Rehearsal:
    """How far Caffe came.

    Attributes
    ----------
    done : frozenset of {"device", "net", "weights"}
        What it has set, built and loaded.
    died : bool
        It ended the process; else what is not done is an exception in Python, which the process
        here may well get itself.
    words : str
        What it said at last.
    """

    done: frozenset[str]
    died: bool
    words: str


def rehearse(prototxt: Path, weights: Path, device: str) -> Rehearsal:
    """Build a net of the real Caffe in a child process.

    Parameters
    ----------
    prototxt, weights : Path
        As Caffe will get them.
    device : str
        ``"cpu"``, or ``"cuda:0"``.
    """
    path = json.dumps([entry for entry in sys.path if isinstance(entry, str)])  # as Python does
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, path, device, str(prototxt), str(weights)],
        env={**os.environ, "GLOG_minloglevel": "2", "GLOG_logtostderr": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = done.stderr.splitlines()
    said = [found[1] for found in map(_FATAL.match, lines) if found]
    said += [line for line in lines if _PYTHON.match(line)]
    words = said[0] if said else f"it ended with status {done.returncode}"
    steps = frozenset(_STEP.findall(done.stdout))
    return Rehearsal(steps, done.returncode not in (0, 1), words[:300])
