"""Films as headless Chromium plays them: size, length, sound, colours.

``scripts/install_chromium.sh`` installs what is needed, where it can; elsewhere these are skipped.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest
from film_files import make_film
from PIL import Image

from deepdream.films.frame import Frame
from deepdream.films.source import open_source
from deepdream.films.target import open_target

pytest.importorskip("av")

pytestmark = chromium.MARKS

COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 40, 90)], np.float32)
WAIT = """
const done = arguments[arguments.length - 1], film = document.querySelector('#film');
const tell = () => done({
    w: film.videoWidth || film.naturalWidth, h: film.videoHeight || film.naturalHeight,
    seconds: film.duration, sound: film.webkitAudioDecodedByteCount, error: film.error?.message});
if (film.tagName == 'IMG') { film.decode().then(tell, tell); return; }
film.onerror = tell;
film.onseeked = () => requestAnimationFrame(() => requestAnimationFrame(tell));
const seek = () => { film.currentTime = film.duration - 0.05; };
film.readyState >= 2 ? seek() : film.onloadeddata = seek;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with chromium.chromium("--force-color-profile=srgb") as driver:
        yield driver


@pytest.mark.parametrize(
    "name", ["out.mp4", "out.m4v", "out.webm", "out.gif", "out.webp", "out.png"]
)
def test_a_browser_shows_what_went_in(tmp_path: Path, browser: Any, name: str) -> None:
    """The right size, length and colours, at the end of the film as well as at its beginning."""
    make_film(tmp_path / "in.mp4", 25, sound="aac")
    frame = COLOURS.reshape(2, 2, 3).repeat(60, axis=0).repeat(80, axis=1)
    with open_target(
        tmp_path / name, size=(120, 160), rate=25, sound=open_source(tmp_path / "in.mp4").sound
    ) as target:
        for i in range(25):
            target.add(Frame(frame, Fraction(i, 25), i))
    film = name.endswith(("mp4", "m4v", "webm"))
    tag = "<video id=film muted src={}></video>" if film else "<img id=film src={}>"
    page = tmp_path / "page.html"
    page.write_text(f"<body style='margin:0'>{tag.format(name)}")

    browser.get(page.as_uri())
    found = browser.execute_async_script(WAIT)
    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as shot:
        seen = np.asarray(shot.convert("RGB"), np.float32)[:120, :160]

    assert found.get("error") is None, found
    assert (found["w"], found["h"]) == (160, 120)
    if film:
        assert found["seconds"] == pytest.approx(1, abs=0.05)
        assert found["sound"] > 0
    middles = seen[30::60, 40::80].reshape(4, 3)
    # Chromium's arithmetic without a GPU has 2.0 where BT.709 has 2.11 of Cb in blue: 12 levels.
    # Read by the wrong matrix, green would be 40 away.
    assert np.abs(middles - COLOURS)[..., :2].max() <= 8
    assert np.abs(middles - COLOURS)[..., 2].max() <= (14 if film else 8)
