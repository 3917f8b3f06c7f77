"""Scripts as they were written for pycaffe in 2015, unmodified, on both engines.

They lie in tests/programs and know nothing of this package. On ours, ``deepdream.caffe.install()``
runs first; nothing else differs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT, assert_close

from deepdream.reading.proto import print_prototxt, read_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

pytestmark = [pytest.mark.pycaffe, pytest.mark.slow]

PROGRAMS = sorted(path.stem for path in (ROOT / "tests" / "programs").glob("*.py"))
# Words for ours only: a Caffe without CUDA ends at its first layer in GPU mode.
OURS_ONLY = {"gpu_loop": ["--gpu"]}
INSTALL = (
    "import runpy, sys; import deepdream.caffe; deepdream.caffe.install(); "
    "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
)


def files_for(program: str, folder: Path) -> list[str]:
    """Write a net with seeded weights that has the gradients switched on: SqueezeNet, or GoogLeNet
    for classes.

    At 224x224 GoogLeNet has so many ReLUs that rounding flips one in most gradients, so that it is
    compared in test_live_nets.py, which can prove a flip; here it is smaller.
    """
    model = "googlenet" if program == "class_visualisation" else "squeezenet_v1.1"
    message = read_prototxt(ROOT / "prototxt" / model / "deploy.prototxt")
    message.force_backward = True
    if model == "googlenet":
        message.layer[0].input_param.shape[0].dim[:] = [10, 3, 40, 48]
        pool = next(layer for layer in message.layer if layer.name == "pool5/7x7_s1")
        pool.pooling_param.Clear()
        pool.pooling_param.pool = pool.pooling_param.AVE
        pool.pooling_param.global_pooling = True
    prototxt, weights = folder / "deploy.prototxt", folder / "seeded.caffemodel"
    prototxt.write_text(print_prototxt(message))
    net = Net(str(prototxt), 1)
    seed_weights(net, 3)
    net.save(weights)
    return [str(prototxt), str(weights)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_old_program(name: str, tmp_path: Path) -> None:
    """Everything that a script keeps agrees: features, objectives, gradients, losses, pictures."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    program = str(ROOT / "tests" / "programs" / f"{name}.py")
    files = files_for(name, tmp_path)
    theirs, ours = tmp_path / "caffe.npz", tmp_path / "ours.npz"
    environment = caffe_environment()
    _run([str(python), program, *files, str(theirs)], environment)
    _run(
        [sys.executable, "-c", INSTALL, program, *files, str(ours), *OURS_ONLY.get(name, [])],
        {**environment, "PYTHONPATH": str(ROOT)},
    )

    found, expected = np.load(ours), np.load(theirs)
    assert sorted(found) == sorted(expected)
    for key in expected:
        if expected[key].dtype.kind == "U":
            assert list(found[key]) == list(expected[key])
            continue
        assert np.abs(expected[key]).max() > 0
        assert_close(found[key], expected[key], name=f"{name}: {key}")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
