"""What users may call: removing a name fails here until api_surface.json is edited with it."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import deepdream

SURFACE = json.loads((Path(__file__).parent / "api_surface.json").read_text())


def test_the_public_names_are_the_ones_agreed():
    """__all__ is the list under review."""
    assert sorted(deepdream.__all__) == SURFACE["names"]


@pytest.mark.parametrize("name", [n for n in SURFACE["names"] if n not in ("caffe", "objectives")])
def test_every_public_name_is_documented(name):
    """Functions tell parameters, and what they return, yield or change."""
    value = getattr(deepdream, name)
    doc = inspect.getdoc(value)

    assert doc
    if inspect.isfunction(value):
        assert "Parameters\n----------" in doc or not inspect.signature(value).parameters
        for parameter in inspect.signature(value).parameters:
            assert parameter in doc, parameter


@pytest.mark.parametrize("name", deepdream.objectives.__all__)
def test_every_term_is_documented(name):
    """Those of `deepdream.objectives`, too."""
    value = getattr(deepdream.objectives, name)
    doc = inspect.getdoc(value)

    assert doc
    for parameter in inspect.signature(value).parameters:
        assert parameter in doc, parameter


@pytest.mark.parametrize("name", sorted(SURFACE["signatures"]))
def test_signatures_are_the_contract(name):
    """Keywords and defaults are what notebooks rely on."""
    parameters = inspect.signature(getattr(deepdream, name)).parameters.values()
    shown = [str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters]
    shown = [re.sub(r"<function (\w+) at 0x\w+>", r"\1", text) for text in shown]

    assert shown == SURFACE["signatures"][name]


def test_importing_the_package_is_light():
    """import deepdream loads neither torch nor numpy; unknown names are AttributeErrors."""
    code = (
        "import sys, deepdream\n"
        "assert not {'torch', 'numpy', 'scipy', 'IPython'} & set(sys.modules)\n"
        "assert 'dream' in dir(deepdream)\n"
        "try: deepdream.nothing\n"
        "except AttributeError as e: print(e)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            cwd=Path(__file__).parents[1])  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert "no attribute 'nothing'" in result.stdout


def test_show_outside_a_notebook_says_what_to_do():
    """Without IPython there is nothing to draw on."""
    with pytest.raises(deepdream.DeepDreamError, match="save_image"):
        deepdream.show([[0]])
