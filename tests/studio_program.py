"""The studio as users start it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from as_typed import as_typed

ROOT = Path(__file__).resolve().parents[1]


class Program:
    """``deepdream studio --no-browser``, whose three lines have been read.

    ``address`` is what it prints, ``here`` and ``token`` are its parts.
    """

    def __init__(self, library: Path, port: int = 0) -> None:
        command = [sys.executable, "-m", "deepdream", "studio", "--library", str(library),
                   "--port", str(port), "--no-browser"]  # fmt: skip
        self.library = library
        # Its errors go to a file: nobody reads a pipe while it runs.
        self._errors = library.with_name(f"{library.name}.errors")
        with self._errors.open("a") as errors:
            self.process = subprocess.Popen(
                as_typed(*command), stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        assert self.process.stdout is not None
        late = threading.Timer(120, self.process.kill)  # ends what is read below
        late.start()
        self.lines = [self.process.stdout.readline() for _ in range(3)]
        late.cancel()
        if not self.lines[2]:
            self.process.kill()
            self.process.communicate(timeout=20)
            raise AssertionError(f"the studio has not opened: {self.lines}\n{self.errors}")
        self.address = self.lines[0].split(": ", 1)[1].strip()
        self.here, _, self.token = self.address.partition("/?token=")
        self.port = int(self.here.rpartition(":")[2])

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._errors.read_text()

    def end(self, how: int = signal.SIGINT) -> None:
        """Press Ctrl-C, or send another signal."""
        self.process.send_signal(how)
        try:
            self.process.communicate(timeout=60)
        finally:
            self.process.kill()

    def dreams(self) -> list[dict[str, Any]]:
        """Return what is kept about the dreams, in the order in which they were made."""
        found = [json.loads(p.read_text()) for p in self.library.glob("dreams/*/about.json")]
        return sorted(found, key=lambda dream: dream["made"])

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        """Return the JSON of an answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.here + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def wait(self, id: str, done: Callable[[Any], bool], seconds: float = 120) -> None:
        """Wait until something is true of a job."""
        end = time.monotonic() + seconds
        while not done(job := self.ask("GET", f"/api/jobs/{id}")):
            assert job["state"] not in ("failed", "cancelled"), job
            assert time.monotonic() < end, job
            time.sleep(0.02)

    def status(self, path: str = "/api", **headers: str) -> int:
        """Return the status of an answer."""
        headers.setdefault("Authorization", f"Bearer {self.token}")
        request = urllib.request.Request(self.here + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
