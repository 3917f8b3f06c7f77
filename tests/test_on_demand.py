"""Modules that are loaded late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deepdream.on_demand import OnDemand

ROOT = Path(__file__).resolve().parents[1]


def test_a_name_is_that_of_the_module() -> None:
    """Fetched once, then an attribute like any other."""
    import colorsys

    late = OnDemand("colorsys")
    assert "rgb_to_hsv" not in vars(late)
    assert late.rgb_to_hsv is colorsys.rgb_to_hsv
    assert "rgb_to_hsv" in vars(late)


def test_what_is_missing_is_missing() -> None:
    """A module that is not installed, and a name that a module does not have."""
    with pytest.raises(ImportError, match="no_such_module"):
        OnDemand("no_such_module").anything  # noqa: B018
    with pytest.raises(AttributeError, match="nothing"):
        OnDemand("colorsys").nothing  # noqa: B018


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
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
