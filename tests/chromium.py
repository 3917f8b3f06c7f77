"""Chromium without a window, for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
DRIVER = shutil.which("chromedriver") or ""

# The marks of a module that needs one.
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium and chromedriver (scripts/install_chromium.sh)",
    ),
]


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """Start one that tells what is written to its console and what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    common = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
              "--disable-background-networking", "--disable-component-update"]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in containers; Chromium refuses otherwise
        common.append("--no-sandbox")
    for argument in (*common, *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_script_timeout(20)
        yield driver
    finally:
        driver.quit()
