"""``python -m deepdream.caffe SCRIPT ...``: run a script that imports caffe, as it stands."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from . import install

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m deepdream.caffe SCRIPT [ARGUMENTS ...]")
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)  # as Python does for a script
    install()
    runpy.run_path(sys.argv[0], run_name="__main__")
