"""Commands as a shell starts them: Ctrl-C ends them, and the terminal is theirs."""

from __future__ import annotations

import sys

# A process that sets itself up and becomes the command. What runs between fork and exec
# (``preexec_fn``) can deadlock where the test's process has other threads.
_CODE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
if os.getsid(0) == os.getpid() and os.isatty(0):
    import fcntl, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def as_typed(*command: str) -> list[str]:
    """Return what to start instead of a command.

    Shells let what they run in the background ignore SIGINT, tests among it; this does not. With
    ``start_new_session=True`` and a terminal as standard input, that becomes its terminal, and the
    command is in the foreground.
    """
    return [sys.executable, "-I", "-S", "-c", _CODE, *command]
