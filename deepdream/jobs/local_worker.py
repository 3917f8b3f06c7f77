"""What a worker process on this machine loads before its first job.

Ctrl-C reaches every process of a terminal. The command that the user runs answers it, and ends its
workers; what they themselves would say to it is of no use to anybody.
"""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(_: Any) -> None:
    """Leave Ctrl-C to the process that started this one; Dask calls it in a new worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
