"""Sphinx's settings for the site; scripts/make_site.py puts the pages together."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from deepdream.version import __version__  # noqa: E402

project = "deepdream"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme = "furo"
html_title = "deepdream"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 3
nb_execution_mode = "off"  # scripts/make_site.py runs the walkthrough beforehand
nb_merge_streams = True  # what one cell prints is one box
nb_code_prompt_show = "Show a solution"
nb_code_prompt_hide = "Hide the solution"
default_role = "py:obj"  # in docstrings, a name in single backquotes is one of ours, or code
suppress_warnings = ["myst.header"]  # README.md's first line is its title on GitHub

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
