"""What the studio's other processes are started with."""

from __future__ import annotations

import os
from pathlib import Path


def environment() -> dict[str, str]:
    """Return an environment in which ``python -m deepdream...`` finds this very package."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path}
