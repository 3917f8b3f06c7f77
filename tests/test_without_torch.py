"""On a CPU nets are built, and compute, without PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers import ROOT

PROGRAM = """
import sys

if {barred}:
    sys.modules["torch"] = None

import deepdream
import deepdream.caffe as caffe

net = caffe.Net(sys.argv[1], caffe.TEST)
net.blobs["data"].reshape(1, 3, 224, 224)
net.blobs["data"].data[...] = 1
net.forward()
net.blobs["prob"].diff[...] = net.blobs["prob"].data
net.backward()
assert net.blobs["data"].diff.shape == (1, 3, 224, 224)
net.blobs["data"].reshape(1, 3, 231, 227)
net.forward(end="inception_3a/output")
caffe.set_random_seed(3)
print({barred} or "torch" not in sys.modules)
"""


@pytest.mark.parametrize("barred", [False, True], ids=["installed", "barred"])
def test_a_net_on_a_cpu_leaves_pytorch_alone(barred, tmp_path):
    """Forward and backward through GoogLeNet load nothing of it, and need nothing."""
    text = (ROOT / "prototxt" / "googlenet" / "deploy.prototxt").read_text("utf-8")
    (tmp_path / "net.prototxt").write_text(f"force_backward: true\n{text}", "utf-8")

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(barred=barred), str(tmp_path / "net.prototxt")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


@pytest.mark.parametrize("model", ["googlenet", "resnet50", "efficientnet_lite0"])
def test_shapes_are_known_without_pytorch(model: str) -> None:
    """Layers are built and asked, a gallery's targets found, in a Python where torch is barred."""
    code = f"""
import sys
sys.modules["torch"] = None
from deepdream.models.load import load_graph
from deepdream.galleries.targets import find_targets
print(len(find_targets(load_graph({model!r}), (180, 320))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
