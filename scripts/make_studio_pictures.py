#!/usr/bin/env python3
"""Make the pictures of docs/studio.md: the studio in headless Chromium, on photos of examples/.

    scripts/make_studio_pictures.py                    docs/images/studio/*.jpg; two minutes
    scripts/make_studio_pictures.py --to build/studio  elsewhere, to look at

It needs what tests/test_studio_page.py needs: scripts/install_chromium.sh, and selenium.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "examples" / "photos"
DESK, WIDE, PHONE = (1280, 860), (1920, 1080), (390, 844)
SEED = 1


class Studio:
    """The program and a browser that looks at it."""

    def __init__(self, library: Path) -> None:
        command = [sys.executable, "-m", "deepdream", "studio", "--library", str(library),
                   "--port", "0", "--no-browser"]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split(": ", 1)[1].strip()
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                         "--disable-dev-shm-usage"):  # fmt: skip
            options.add_argument(argument)
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        options.binary_location = found or shutil.which("google-chrome") or ""
        service = webdriver.ChromeService(shutil.which("chromedriver") or "")
        self.driver = webdriver.Chrome(options=options, service=service)

    def close(self) -> None:
        self.driver.quit()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def look(self, size: tuple[int, int], dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(f"return ({script})", *arguments)

    def wait(self, script: str, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise SystemExit(f"not within {seconds} seconds: {script}")
            time.sleep(0.1)

    def bring(self, photo: str, folder: Path = PHOTOS) -> None:
        field = self.driver.find_element("css selector", "input[type=file]")
        field.send_keys(str(folder / photo))
        self.wait(f"document.querySelector('.title .name').textContent.includes('{photo}')")

    def set(self, selector: str, value: object) -> None:
        self.run(
            "(e => { e.value = arguments[1]; for (const name of ['input', 'change'])"
            "e.dispatchEvent(new Event(name, {bubbles: true})) })(arguments[0])",
            self.driver.find_element("css selector", selector),
            value,
        )

    def click(self, text: str) -> None:
        self.run(
            "[...document.querySelectorAll('button, summary, a')].find(e => e.checkVisibility() &&"
            "(e.textContent.trim() === arguments[0] || e.ariaLabel === arguments[0])).click()",
            text,
        )

    def dream(self, look: int) -> None:
        self.run(f"document.querySelectorAll('.look')[{look}].click()")
        self.run("document.querySelector('.dream').click()")

    def done(self) -> None:
        self.wait("document.querySelector('.after-dream:not([hidden]) .actions') !== null")
        self.wait("document.querySelector('.stage .after').complete")

    def shoot(self, path: Path) -> None:
        time.sleep(0.6)
        image = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        image.save(path, quality=82, optimize=True, progressive=True)
        print(f"wrote {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images" / "studio")
    to = parser.parse_args().to
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "library")
        try:
            shoot_all(studio, to)
        finally:
            studio.close()


def shoot_all(studio: Studio, to: Path) -> None:
    studio.look(DESK)
    studio.driver.get(studio.address)
    studio.wait("document.querySelector('.bring:not([hidden])') !== null")
    studio.bring("dogs.jpg")
    studio.set(".control[data-name=seed] input", SEED)
    studio.dream(2)
    studio.done()
    studio.bring("lake.jpg")
    studio.wait("document.querySelectorAll('.looks li:not(.further) img:not([hidden])').length > 6")
    studio.dream(0)
    studio.wait("document.querySelector('.watch:not([hidden]) progress')?.value > 0.55")
    studio.shoot(to / "watch.jpg")
    studio.done()
    studio.set(".compare input", 45)
    studio.shoot(to / "compare.jpg")
    studio.look(DESK, dark=True)
    studio.run("document.querySelector('.controls').scrollIntoView()")
    studio.shoot(to / "controls.jpg")
    studio.run("scrollTo(0, 0)")
    studio.look(PHONE)
    studio.set(".compare input", 0)
    studio.shoot(to / "phone.jpg")
    studio.look(DESK)
    studio.bring("cat.jpg")
    studio.run("document.querySelector('.more').open = true")
    studio.click("Paint where")
    studio.wait("document.querySelector('.painting canvas') !== null")
    canvas = studio.driver.find_element("css selector", ".painting canvas")
    h, w = canvas.rect["height"], canvas.rect["width"]
    for y in (-0.3, -0.1, 0.1):
        actions = webdriver.ActionChains(studio.driver)
        actions.move_to_element_with_offset(canvas, int(-0.4 * w), int(y * h)).click_and_hold()
        actions.move_by_offset(int(0.3 * w), int(0.05 * h)).release().perform()
    studio.shoot(to / "mask.jpg")
    studio.click("Use this mask")
    studio.wait("document.querySelector('.control[data-name=mask] .thumb') !== null")
    studio.dream(3)
    studio.done()
    for photo, look in (("colosseum.jpg", 4), ("waves.jpg", 1)):
        studio.bring(photo)
        studio.dream(look)
        studio.done()
    shoot_clip(studio, to)
    studio.click("Library")
    studio.look(WIDE)
    studio.shoot(to / "library.jpg")


def shoot_clip(studio: Studio, to: Path) -> None:
    """Look at a clip, and at what can be chosen for its film; a short one is made."""
    with tempfile.TemporaryDirectory() as folder:
        make_clip(Path(folder) / "waves.mp4")
        studio.bring("waves.mp4", Path(folder))
        looks = "document.querySelectorAll('.looks li:not(.further) img:not([hidden])').length > 6"
        studio.wait(looks)
        studio.set(".control[data-name=from] input", 1)
        studio.set(".control[data-name=length] input", 2.5)
        studio.set(".control[data-name=fps] select", 15)
        studio.run("document.querySelector('.of-clip').scrollIntoView({block: 'center'})")
        studio.shoot(to / "clip.jpg")
        studio.set(".control[data-name=longest] select", 480)
        studio.set(".control[data-name=length] input", 0.5)
        studio.run("document.querySelector('.dream').click()")
        studio.wait("document.querySelector('.after-dream:not([hidden]) .actions') !== null")


def make_clip(path: Path) -> None:
    """Write a clip of four seconds, in which a camera passes over a picture."""
    import av

    w, h, count = 640, 360, 100
    whole = Image.open(PHOTOS / "waves.jpg").convert("RGB").resize((1024, 576))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        for n in range(count):
            x, y = (1024 - w) * n // count, (576 - h) * n // count
            seen = np.asarray(whole.crop((x, y, x + w, y + h)))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(seen, "rgb24")))
        film.mux(stream.encode(None))


if __name__ == "__main__":
    main()
