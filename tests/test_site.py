"""The site of the documentation builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_site_builds_and_needs_no_network(tmp_path):
    """A quick build: every page of the contents, every public name, no address but in links."""
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "scripts/make_site.py", "--quick", "-o", str(site)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    import deepdream

    names = {page.stem for page in site.glob("*.html")}
    expected = (
        "index quickstart walkthrough labs gallery cli api models layers performance changelog"
    )
    assert set(expected.split()) <= names
    api = (site / "api.html").read_text(encoding="utf-8")
    for name in deepdream.__all__:
        assert f'id="deepdream.{name}"' in api or name == "caffe", name
    loads = re.compile(r"<(?:script|img|iframe|source)[^>]*\bsrc=[\"'](https?:[^\"']+)"
                       r"|<link[^>]*\bhref=[\"'](https?:[^\"']+)")  # fmt: skip
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text(encoding="utf-8")), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", sheet.read_text(encoding="utf-8"))
