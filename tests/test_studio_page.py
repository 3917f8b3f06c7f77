"""The studio's page as a visitor meets it: headless Chromium, the program as users start it.

``scripts/install_chromium.sh`` and ``scripts/install_axe.sh`` bring what is needed, where they can;
elsewhere these are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import chromium
import numpy as np
import psutil
import pytest
from chromium import webdriver
from PIL import Image
from studio_program import Program

pytest.importorskip("uvicorn", reason="the extra studio is not installed")
KEYS = pytest.importorskip("selenium.webdriver.common.keys").Keys

WRONG = pytest.importorskip("selenium.common.exceptions").WebDriverException

ROOT = Path(__file__).resolve().parents[1]
pytestmark = chromium.MARKS

PHONE, DESK, WIDE = (390, 844), (1280, 900), (2560, 1300)
BUSY = ".watch:not([hidden])"
DONE = ".after-dream:not([hidden]) .actions"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """One for all tests that do not end it."""
    program = Program(tmp_path_factory.mktemp("studio") / "library")
    yield program
    program.end()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files to bring, each another picture."""
    folder = tmp_path_factory.mktemp("photos")
    whole = Image.open(ROOT / "examples" / "clouds.jpg")
    paths = []
    for n in range(6):
        path = folder / f"sky {n}.jpg"
        whole.crop((100 + 40 * n, 80, 420 + 40 * n, 300)).save(path, quality=92)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short film in which a photo goes by."""
    pytest.importorskip("av", reason="the extra film is not installed")
    pytest.importorskip("cv2", reason="the extra film is not installed")
    from film_files import make_film

    whole = np.asarray(Image.open(ROOT / "examples" / "clouds.jpg").convert("RGB"))
    frames = [np.ascontiguousarray(whole[80:260, 100 + 4 * n : 420 + 4 * n]) for n in range(20)]
    return make_film(tmp_path_factory.mktemp("clips") / "sky walk.mp4", frames, rate=10)


@pytest.fixture(scope="module")
def browser():
    with chromium.chromium(
        "--force-device-scale-factor=1", "--hide-scrollbars", "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    ) as driver:  # fmt: skip
        yield driver


class Visitor:
    """Somebody at the page."""

    def __init__(self, driver, program):
        self.driver, self.program = driver, program

    def open(self, size=DESK, dark=False, fresh=True):
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                 {"name": "prefers-reduced-motion", "value": "reduce"}]  # fmt: skip
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        self.size(size)
        self.driver.get(self.program.address)
        self.wait("document.querySelector('.bring, .work') !== null")
        if fresh:
            self.run("sessionStorage.clear()")
            self.driver.get(f"{self.program.here}/#make")
            self.driver.refresh()
            self.wait("document.querySelector('.bring:not([hidden])') !== null")
        return self

    def size(self, size):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )

    def upload_at(self, speed):
        """Let files go out so many bytes a second; -1 is without limit.

        The domain Network stays enabled: what is asked from outside is read from its log.
        """
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": speed},
        )

    def run(self, script, *arguments):
        return self.driver.execute_script(f"return ({script})", *arguments)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return [e for e in self.driver.find_elements("css selector", selector) if e.is_displayed()]

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def button(self, text, within="body"):
        """Return a button by its words, as soon as it is there."""
        end = time.monotonic() + 120
        kinds = ", ".join(f"{within} {kind}" for kind in ("button", "summary", "a"))
        while True:
            found = self.driver.execute_script(
                "return [...document.querySelectorAll(arguments[1])].find(e => e.checkVisibility()"
                "&& (e.textContent.trim() === arguments[0] || e.ariaLabel === arguments[0]))",
                text,
                kinds,
            )
            if found:
                return found
            assert time.monotonic() < end, text
            time.sleep(0.02)

    def click(self, text, within="body"):
        end = time.monotonic() + 120
        while True:  # tiles that come in move what is below them
            button = self.button(text, within)
            self.run("arguments[0].scrollIntoView({block: 'center'})", button)
            try:
                return button.click()
            except WRONG:
                assert time.monotonic() < end, text
                time.sleep(0.1)

    def more(self):
        """Open the further controls; tiles that come in may move them away from a click."""
        end = time.monotonic() + 120
        while not self.run("document.querySelector('.more').open"):
            assert time.monotonic() < end
            self.click("Finish, classes, guide, mask, chance")

    def wait(self, script, seconds=120):
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"not within {seconds} seconds: {script}"
            time.sleep(0.02)

    def there(self, selector, seconds=120):
        self.wait(f"Boolean(document.querySelector({json.dumps(selector)}))", seconds)

    def bring(self, path):
        self.one("input[type=file]").send_keys(str(path))
        self.wait(f"document.querySelector('.title .name').textContent.includes('{path.name}')")

    def set(self, selector, value):
        """Give a slider or a list a value, as a visitor does."""
        self.run(
            "(e => { e.value = arguments[1]; e.dispatchEvent(new Event('input', {bubbles: true}));"
            "e.dispatchEvent(new Event('change', {bubbles: true})) })(arguments[0])",
            self.one(selector),
            value,
        )

    def quick(self, longest="512"):
        """Choose what is done in a second."""
        self.set(".control[data-name=longest] select", longest)
        self.set(".control[data-name=steps] input", "0.25")
        self.set(".control[data-name=octaves] input", "1")

    def quick_film(self):
        self.quick("320")

    def dream(self):
        """Have it made, and return what has been kept."""
        before = len(self.program.dreams())
        self.one(".dream").click()
        self.there(BUSY)
        self.there(DONE)
        found = self.program.dreams()
        assert len(found) == before + 1
        return found[-1]


@pytest.fixture
def visitor(browser, program):
    """A visitor; afterwards nothing was wrong on the page, and nothing was asked from outside."""
    visitor = Visitor(browser, program)
    browser.get_log("browser")
    browser.get_log("performance")
    yield visitor
    with contextlib.suppress(Exception):  # what a failed test has left would hold up the next one
        visitor.driver.execute_async_script(
            "fetch('/api/jobs').then((r) => r.json()).then(({jobs}) => Promise.all(jobs.map("
            "({id}) => fetch(`/api/jobs/${id}`, {method: 'DELETE'}))))"
            ".then(arguments[0], arguments[0])"
        )
    browser.get("about:blank")
    wrong = [entry["message"] for entry in browser.get_log("browser")]
    hosts = set()
    for entry in browser.get_log("performance"):
        with contextlib.suppress(KeyError):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                hosts.add(url.split("/")[2] if url.startswith("http") else url.split(":")[0])
    assert wrong == []
    assert program.here.split("/")[2] in hosts
    assert hosts <= {program.here.split("/")[2], "about", "data", "blob"}


def test_from_a_dropped_photo_to_a_saved_dream(visitor, photos):
    """Dropped, looked at, dreamt, compared, found in the library, deleted and brought back."""
    visitor.open()
    drop(visitor, photos[0])
    visitor.there(".looks img:not([hidden])")
    visitor.quick()
    visitor.wait("document.querySelector('.price').textContent.includes('about')")
    dream = visitor.dream()

    assert dream["name"] == "sky 0.jpg"
    assert max(dream["size"]) == 512
    visitor.wait("document.querySelector('.stage .after').naturalWidth === 512")
    # Before and after: by the slider, and by a key that is held.
    visitor.set(".compare input", "50")
    assert "inset(0px 0px 0px 256px)" in visitor.run(
        "document.querySelector('.stage .after').style.clipPath"
    )
    visitor.set(".compare input", "0")
    webdriver.ActionChains(visitor.driver).key_down("b").perform()
    assert "512px" in visitor.run("document.querySelector('.stage .after').style.clipPath")
    webdriver.ActionChains(visitor.driver).key_up("b").perform()
    assert visitor.run("document.querySelector('.stage .after').style.clipPath") == ""
    # Down to pixels.
    visitor.click("One to one")
    for _ in range(4):
        visitor.click("Closer")
    assert visitor.run("document.querySelector('.canvas').classList.contains('close')")
    visitor.click("Whole picture")
    # Kept.
    visitor.click("Library")
    visitor.there(".search input")
    visitor.one(".search input").send_keys("sky 0 animals")
    assert len(visitor.all(".card")) == 1
    visitor.one(".search input").send_keys(" castle")
    assert visitor.all(".card") == []
    visitor.one(".search input").clear()
    visitor.one(".search input").send_keys("sky")
    visitor.all(".card")[0].click()
    visitor.there(".viewing .recipe")
    assert any("Grown: animals" in line.text for line in visitor.all(".recipe li"))
    count = len(visitor.program.dreams())
    visitor.click("Delete", ".actions")
    visitor.there(".toast button")
    visitor.wait("location.hash === '#library'")
    assert len(visitor.program.dreams()) == count - 1
    visitor.click("Undo")
    visitor.there(".card")
    assert len(visitor.program.dreams()) == count


def drop(visitor, path):
    """Let go of a file over the page."""
    field = visitor.run(
        "(() => { const f = document.createElement('input'); f.type = 'file'; f.id = 'dropped';"
        "document.body.append(f); return f })()"
    )
    field.send_keys(str(path))
    visitor.run(
        "(() => { const data = new DataTransfer();"
        "data.items.add(document.getElementById('dropped').files[0]);"
        "document.getElementById('dropped').remove();"
        "for (const name of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent("
        "new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true})) })()"
    )
    visitor.wait(f"document.querySelector('.title .name').textContent.includes('{path.name}')")


def test_mix_and_mask_and_put_back(visitor, photos):
    """Two looks with shares, a class, a painted mask: all are in what was dreamt."""
    visitor.open()
    visitor.bring(photos[1])
    visitor.quick()
    visitor.set(".control[data-name=steps] input", "3")
    visitor.all(".look")[5].click()
    visitor.click("Add Weave to the mix")
    visitor.set(".mix .share:nth-of-type(2) input", "50")
    visitor.more()
    field = visitor.one(".classes input[type=search]")
    field.send_keys("teapot")
    visitor.there(".found button")
    field.send_keys(KEYS.ARROW_DOWN)
    visitor.press(KEYS.ENTER)
    visitor.there(".chip")
    visitor.click("Paint where")
    visitor.there(".painting canvas")
    canvas = visitor.one(".painting canvas")
    box = canvas.rect
    actions = webdriver.ActionChains(visitor.driver)
    actions.move_to_element_with_offset(canvas, -int(box["width"] * 0.3), -int(box["height"] * 0.3))
    actions.click_and_hold().move_by_offset(0, int(box["height"] * 0.6)).release().perform()
    assert visitor.button("Undo", ".painting").is_enabled()
    visitor.click("Use this mask")
    visitor.there(".control[data-name=mask] .thumb")
    dream = visitor.dream()

    settings = dream["settings"]
    assert settings["end"] == {"block4/output": 1, "block2/output": 0.5}
    assert settings["classes"] == {"teapot": 1}
    folder = max(visitor.program.library.glob("dreams/*"), key=lambda p: p.stat().st_mtime)
    made = np.asarray(Image.open(folder / "picture.png"), np.int16)
    before = np.asarray(Image.open(folder / "before.jpg"), np.int16)
    changed = np.abs(made - before).mean(axis=2)
    w = made.shape[1]
    assert changed[:, : w // 3].mean() > 3 * changed[:, w // 2 :].mean()
    visitor.click("Put back")
    assert visitor.all(".chip") == []
    assert visitor.run("document.querySelector('.control[data-name=mask] .thumb')") is None


def test_stop_reload_and_two_tabs(visitor, photos):
    """A long dream outlives a reload, shows in another tab, is stopped there, and is kept."""
    visitor.open()
    visitor.bring(photos[2])
    visitor.set(".control[data-name=steps] input", "4")
    visitor.set(".control[data-name=longest] select", "3072")
    visitor.one(".dream").click()
    visitor.there(".stage.two")
    visitor.driver.refresh()
    visitor.there(BUSY)
    visitor.there(".stage.two")
    assert visitor.one(".title .name").text.startswith("sky 2.jpg")
    assert visitor.run("document.querySelector('.control[data-name=steps] input').value") == "4"
    first = visitor.driver.current_window_handle
    visitor.driver.switch_to.new_window("tab")
    try:
        visitor.driver.get(f"{visitor.program.here}/#make")
        visitor.there(".busy-now:not(:empty)")
        visitor.driver.switch_to.window(first)
        before = len(visitor.program.dreams())
        visitor.click("Stop and keep")
        visitor.there(DONE)
        visitor.driver.switch_to.window(visitor.driver.window_handles[-1])
        visitor.wait("document.querySelector('.busy-now').textContent === ''")
        visitor.click("Library")
        visitor.wait(f"document.querySelectorAll('.card').length === {before + 1}")
    finally:
        visitor.driver.close()
        visitor.driver.switch_to.window(first)
    assert visitor.program.dreams()[-1]["stopped"]
    visitor.run("sessionStorage.clear()")


def test_camera_guide_and_what_a_dream_leads_to(visitor, photos, tmp_path):
    """A photo is taken, steered by a second picture, dreamt again, larger, as a film, and brought
    back with its settings.
    """
    visitor.open()
    visitor.click("Take a photo")
    visitor.there("dialog.camera video")
    visitor.wait("document.querySelector('dialog video').videoWidth > 0")
    visitor.click("Take it")
    visitor.wait("document.querySelector('.title .name').textContent.includes('photo.jpg')")
    visitor.quick()
    visitor.more()
    visitor.one(".guide input[type=file]").send_keys(str(photos[1]))
    visitor.there(".control[data-name=guide] .thumb")
    first = visitor.dream()
    assert len(first["settings"]["guide"]) == 1
    count = len(visitor.program.dreams())

    def made(more):
        end = time.monotonic() + 120
        while len(visitor.program.dreams()) < count + more:
            assert time.monotonic() < end
            time.sleep(0.05)
        visitor.there(DONE)
        return visitor.program.dreams()[-1]

    visitor.click("Another one")
    second = made(1)
    assert second["settings"]["seed"] != first["settings"]["seed"]
    assert {**second["settings"], "seed": 0} == {**first["settings"], "seed": 0}
    visitor.click("Larger for print")
    visitor.there("dialog[open]")
    visitor.set("dialog input[type=number]", "600")
    visitor.wait("document.querySelector('dialog output').textContent.startsWith('600')")
    visitor.click("Make it larger")
    assert max(made(2)["size"]) == 600
    pytest.importorskip("av", reason="the extra film is not installed")
    visitor.click("Zoom film")
    visitor.there("dialog[open]")
    visitor.set("dialog .slide input", "1")
    visitor.set("dialog select", "320")
    visitor.wait("document.querySelector('dialog output.help').textContent.startsWith('25 frames')")
    visitor.click("Make the film")
    film = made(3)
    assert film["settings"]["film"]["frames"] == 25
    visitor.wait("document.querySelector('video.film').videoWidth === 320")
    # What was dreamt is dropped in: its settings are offered, and used.
    about = next(path for path in visitor.program.library.glob("dreams/*/about.json")
                 if json.loads(path.read_text())["made"] == second["made"])  # fmt: skip
    shutil.copy(about.with_name("picture.png"), tmp_path / "found.png")
    visitor.open()
    visitor.bring(tmp_path / "found.png")
    assert "its guide picture is not in the file" in visitor.all(".note")[0].text
    visitor.click("Use its settings")
    seed = visitor.run("document.querySelector('.control[data-name=seed] input').value")
    assert seed == str(second["settings"]["seed"])
    assert visitor.run("document.querySelector('.control[data-name=octaves] input').value") == "1"


def test_a_clip_becomes_a_film(visitor, clip, tmp_path):
    """Dropped, played, a part of it chosen, its cost told, made, played, kept, stopped."""
    visitor.open()
    drop(visitor, clip)
    assert visitor.one(".title .name").text.endswith("2 s")
    visitor.wait("document.querySelector('video.film').videoWidth === 320")
    visitor.there(".looks img:not([hidden])")
    visitor.quick_film()
    visitor.set(".control[data-name=from] input", "0.5")
    visitor.wait("Math.abs(document.querySelector('video.film').currentTime - 0.5) < 0.01")
    visitor.set(".control[data-name=length] input", "0.8")
    visitor.set(".control[data-name=steady] input", "80")
    visitor.wait("document.querySelector('.price').textContent.includes('about')")
    visitor.wait("document.querySelector('.try .price').textContent !== ''")
    film = visitor.dream()
    assert film["settings"]["film"] == {"carry": 0.8, "start": 0.5, "until": 1.3, "sound": False}
    visitor.wait("document.querySelector('video.film').duration > 0.7")
    assert visitor.run("document.querySelector('video.film').src").endswith("/film")
    assert visitor.button("Download", ".actions")
    assert not [e for e in visitor.all(".actions button") if e.text == "Zoom film"]
    # Found again, with its recipe in words; its settings come back.
    visitor.click("Library")
    visitor.there(".card .kind")
    visitor.one(".search input").send_keys("sky walk film")
    visitor.all(".card")[0].click()
    visitor.there(".viewing .recipe")
    told = [line.text for line in visitor.all(".recipe li")]
    assert any("A film of 0.8 s of the clip, from 0.5 s on" in line for line in told), told
    visitor.click("Use these settings")
    visitor.there(".work:not([hidden]) .of-clip")
    assert visitor.run("document.querySelector('.control[data-name=steady] input').value") == "80"
    assert visitor.run("document.querySelector('.control[data-name=from] input').value") == "0.5"
    # One frame of it, to see what it will be.
    visitor.click("Put back: Steadiness")
    before = len(visitor.program.dreams())
    visitor.one(".try").click()
    visitor.there(BUSY)
    visitor.there(DONE)
    assert len(visitor.program.dreams()) == before + 1
    assert "film" not in visitor.program.dreams()[-1]["settings"]
    # A long one is stopped, and has the frames so far.
    visitor.set(".control[data-name=steps] input", "4")
    visitor.set(".control[data-name=octaves] input", "12")
    visitor.set(".control[data-name=steady] input", "0")
    visitor.one(".dream").click()
    visitor.wait("document.querySelector('.where')?.textContent.startsWith('Frame 2')")
    visitor.driver.refresh()
    visitor.there(BUSY)
    visitor.click("Stop and keep")
    visitor.there(DONE)
    assert visitor.program.dreams()[-1]["stopped"]


def test_what_is_no_clip_is_told(visitor, clip, tmp_path):
    """A list of files that is called a film, and a film that was cut off: in a sentence."""
    visitor.open()
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:9,\nfile:secret.mp4\n")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    for name, said in (("list.mp4", "'list.mp4'"), ("cut.mp4", "'cut.mp4' was cut off")):
        visitor.one("input[type=file]").send_keys(str(tmp_path / name))
        visitor.wait(f"document.querySelector('.toast').textContent.includes({json.dumps(said)})")
        assert visitor.all(".bring")
    refused = [entry["message"] for entry in visitor.driver.get_log("browser")]
    assert all("400" in message for message in refused), refused


def worker_of(program):
    """Return the process that dreams."""
    children = psutil.Process(program.process.pid).children()
    return next(child for child in children if "deepdream.studio.worker" in child.cmdline())


def test_a_film_that_fails_is_gone_on_with(visitor, clip):
    """Its reason stands in the queue; it outlives a reload, is gone on with and watched again."""
    visitor.open()
    visitor.bring(clip)
    visitor.quick_film()
    for name, value in (("steps", "4"), ("octaves", "12"), ("steady", "0")):
        visitor.set(f".control[data-name={name}] input", value)
    visitor.one(".dream").click()
    visitor.wait("document.querySelector('.where')?.textContent.startsWith('Frame 3')")
    worker_of(visitor.program).kill()
    visitor.there(".queue .why")
    assert "ended by the system" in visitor.one(".queue .why").text
    visitor.click("Your pictures")
    assert visitor.all(".bring .queue")
    visitor.driver.refresh()
    visitor.there(".bring .queue .why")
    visitor.click("Go on: sky walk.mp4")
    visitor.there(".queue button.who")
    visitor.one(".queue button.who").click()
    visitor.wait("document.querySelector('.where')?.textContent.startsWith('Frame')")
    visitor.click("Stop and keep")
    visitor.there(DONE)
    made = visitor.program.dreams()[-1]
    assert made["stopped"]
    # Dropped in again, the film offers its settings.
    folder = max(visitor.program.library.glob("dreams/*"), key=lambda p: p.stat().st_mtime)
    visitor.bring(folder / "film.mp4")
    assert visitor.all(".note")[0].text.startswith("This film was dreamt before")
    visitor.click("Use its settings")
    assert visitor.run("document.querySelector('.control[data-name=steady] input').value") == "0"
    assert visitor.run("document.querySelector('.control[data-name=steps] input').value") == "4"


def test_pictures_are_chosen_again_and_deleted(visitor, photos):
    """From the page of a picture back to all of them; one is deleted, and brought back."""
    visitor.open()
    visitor.bring(photos[0])
    visitor.bring(photos[1])
    visitor.click("Your pictures")
    visitor.click("Delete sky 1.jpg", ".recent")
    visitor.wait("!document.querySelector('.recent img[alt=\"sky 1.jpg\"]')")
    visitor.click("Undo")
    visitor.there('.recent img[alt="sky 1.jpg"]')
    visitor.one('.recent img[alt="sky 0.jpg"]').click()
    visitor.wait("document.querySelector('.title .name').textContent.startsWith('sky 0.jpg')")
    # Somebody else deletes the one that is looked at.
    visitor.run(
        "fetch('/api/pictures').then((r) => r.json()).then(({pictures}) => fetch('/api/pictures/'"
        "+ pictures.find((p) => p.name === 'sky 0.jpg').id, {method: 'DELETE'})) && true"
    )
    visitor.there(".bring:not([hidden])")
    late = [entry["message"] for entry in visitor.driver.get_log("browser")]
    assert all("404" in message for message in late), late  # what was on its way to be asked


def test_settings_without_a_picture_and_a_dream_that_is_gone(visitor, photos):
    """Settings wait for the picture that is brought next; what is not there is said."""
    visitor.open()
    visitor.bring(photos[0])
    visitor.quick()
    visitor.dream()
    visitor.driver.get(f"{visitor.program.here}/#library")
    visitor.there(".card")
    visitor.all(".card")[0].click()
    visitor.there(".viewing .recipe")
    visitor.run(
        "fetch('/api/pictures').then((r) => r.json()).then(({pictures}) => Promise.all(pictures."
        "map(({id}) => fetch(`/api/pictures/${id}`, {method: 'DELETE'})))) && true"
    )
    visitor.wait(f"fetch('{visitor.program.here}/api/pictures').then((r) => r.json())"
                 ".then(({pictures}) => pictures.length === 0)")  # fmt: skip
    visitor.click("Use these settings")
    visitor.there(".bring:not([hidden])")
    assert visitor.all(".said")[0].text.startswith("These settings are chosen")
    visitor.bring(photos[1])
    assert visitor.run("document.querySelector('.control[data-name=steps] input').value") == "0.25"
    visitor.driver.get(f"{visitor.program.here}/#dream/0123456789abcdef")
    visitor.there(".library")
    visitor.wait("document.querySelector('.said').textContent.startsWith('That dream is not')")
    late = [entry["message"] for entry in visitor.driver.get_log("browser")]
    assert all("404" in message for message in late), late


def test_a_dream_that_waits_leaves_the_other_in_sight(visitor, photos):
    """A second one is put in the queue, and can be watched from there."""
    visitor.open()
    visitor.bring(photos[2])
    visitor.set(".control[data-name=steps] input", "4")
    visitor.set(".control[data-name=longest] select", "3072")
    visitor.one(".dream").click()
    visitor.there(".stage.two")
    visitor.one(".dream").click()
    visitor.there(".queue button.who")
    assert visitor.all(".toast")[0].text.startswith("It waits in the queue")
    assert visitor.button("Stop and keep")
    visitor.one(".queue button.who").click()
    visitor.wait("document.querySelector('.where').textContent.startsWith('Waiting')")
    visitor.click("Throw away", ".watch")
    visitor.wait("document.querySelector('.watch').hidden")
    visitor.click("Throw away: sky 2.jpg")
    visitor.wait("document.querySelector('.queue').hidden")


def test_bringing_a_picture_is_cancelled(visitor, photos, tmp_path):
    """Half-way: nothing of it comes in, and the last one that was chosen counts."""
    (tmp_path / "noise.png").write_bytes(os.urandom(4_000_000))
    visitor.open()
    visitor.bring(photos[3])
    visitor.upload_at(100_000)
    try:
        visitor.one("input[type=file]").send_keys(str(tmp_path / "noise.png"))
        visitor.there(".sending:not([hidden])")
        visitor.click("Cancel", ".sending")
        visitor.there(".sending[hidden]")
        assert not visitor.all(".problem, .said")
        visitor.one("input[type=file]").send_keys(str(tmp_path / "noise.png"))
        visitor.there(".sending:not([hidden])")
        visitor.bring(photos[4])
        assert not visitor.all(".problem, .said, .sending")
    finally:
        visitor.upload_at(-1)
    end = time.monotonic() + 120
    while [*visitor.program.library.glob("received-*")]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_by_keyboard_alone(visitor, photos):
    """From the top of the page to a dream, without a pointer; what has the focus shows it."""
    visitor.open()
    visitor.press(KEYS.TAB)
    assert visitor.driver.switch_to.active_element.text == "Skip to the picture"
    visitor.press(KEYS.ENTER)
    visitor.press(KEYS.TAB)
    assert visitor.driver.switch_to.active_element.text.startswith("Choose a photo")
    visitor.bring(photos[3])  # the system's dialog, which no test can drive
    visitor.quick()
    visitor.run("document.querySelector('.look').focus()")
    focused = []
    for _ in range(80):
        visitor.press(KEYS.TAB)
        element = visitor.driver.switch_to.active_element
        focused.append(element.get_attribute("class") or element.tag_name)
        style = visitor.run("(s => [s.outlineStyle, s.outlineWidth])"
                            "(getComputedStyle(arguments[0]))", element)  # fmt: skip
        assert style[0] != "none", focused[-1]
        if "dream" in focused[-1].split():
            break
    assert "main dream" in focused
    before = len(visitor.program.dreams())
    visitor.press(KEYS.ENTER)
    visitor.there(DONE)
    assert len(visitor.program.dreams()) == before + 1


@pytest.mark.parametrize("size", [PHONE, DESK, WIDE], ids=["phone", "desk", "wide"])
def test_nothing_sticks_out(visitor, photos, clip, size):
    """No sideways scrolling, buttons that a finger can hit."""
    visitor.open(size)
    width = "document.documentElement.scrollWidth"
    assert visitor.run(width) <= size[0]
    visitor.bring(photos[0])
    assert visitor.run(width) <= size[0]
    visitor.more()
    assert visitor.run(width) <= size[0]
    small = visitor.run(
        "[...document.querySelectorAll('button, select, summary')].map(e => [e.textContent,"
        "e.getBoundingClientRect()]).filter(([, b]) => b.width && (b.height < 30 || b.width < 30))"
        ".map(([t]) => t)"
    )
    assert small == []
    visitor.bring(clip)
    visitor.there(".of-clip:not([hidden])")
    assert visitor.run(width) <= size[0]
    visitor.driver.get(f"{visitor.program.here}/#library")
    visitor.there(".library")
    assert visitor.run(width) <= size[0]


@pytest.fixture(scope="module")
def axe():
    """The program that looks for what keeps people out."""
    script = next(iter(ROOT.glob("build/axe-core-*/axe.min.js")), None)
    if script is None:
        pytest.skip("no axe-core (scripts/install_axe.sh)")
    return script.read_text("utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(axe, visitor, photos, clip, dark):
    """On each view, light and dark, and on a phone."""

    def look(what):
        visitor.driver.execute_script(axe)
        found = visitor.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations']}).then(arguments[0])"
        )
        told = [(v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"][:300])
                for v in found["violations"]]  # fmt: skip
        assert told == [], what

    visitor.open(dark=dark)
    look("empty")
    visitor.bring(photos[4])
    visitor.there(".looks img:not([hidden])")
    visitor.more()
    visitor.quick()
    visitor.dream()
    visitor.set(".compare input", "40")
    look("made")
    visitor.size(PHONE)
    look("phone")
    visitor.size(DESK)
    visitor.click("Larger for print")
    visitor.there("dialog[open]")
    look("print")
    visitor.press(KEYS.ESCAPE)
    visitor.click("Paint where")
    visitor.there("dialog[open] canvas")
    look("mask")
    visitor.press(KEYS.ESCAPE)
    visitor.click("Library")
    visitor.there(".card")
    look("library")
    visitor.all(".card")[0].click()
    visitor.there(".recipe")
    look("dream")
    visitor.driver.get(f"{visitor.program.here}/#make")
    visitor.there(".making")
    visitor.bring(clip)
    visitor.wait("document.querySelector('video.film').videoWidth > 0")
    look("clip")
    visitor.size(PHONE)
    look("clip on a phone")
    visitor.size(DESK)
    visitor.quick_film()
    visitor.set(".control[data-name=length] input", "0.5")
    visitor.dream()
    look("film")


def test_a_restart_in_the_middle(browser, photos, tmp_path):
    """The page says that the connection is lost, finds the program again by itself, and the dream
    goes on.
    """
    program = Program(tmp_path / "library")
    try:
        visitor = Visitor(browser, program).open()
        visitor.bring(photos[5])
        visitor.set(".control[data-name=steps] input", "4")
        visitor.one(".dream").click()
        visitor.there(".stage.two")
        program.end(signal.SIGKILL)
        visitor.there(".lost:not([hidden])")
        visitor.one(".dream").click()
        visitor.there(".problem:not([hidden])")
        program = Program(tmp_path / "library", program.port)
        visitor.there(".lost[hidden]")
        visitor.there(".problem[hidden]")
        visitor.there(".stage.two")
        visitor.click("Stop and keep")
        visitor.there(DONE)
        assert program.dreams()[-1]["stopped"]
    finally:
        program.end()
        browser.get("about:blank")


def test_the_first_sign_comes_soon(visitor, tmp_path):
    """From a photo of 12 megapixels to its first look, and from the button to the first step.

    3 s and 1 s are the aim on a machine that does nothing else; tests run beside others, and
    what would be wrong takes for ever.
    """
    pixels = np.random.RandomState(0).randint(0, 256, (30, 40, 3), np.uint8)
    large = Image.fromarray(pixels).resize((4000, 3000), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=90)
    visitor.open()
    began = time.monotonic()
    visitor.bring(tmp_path / "large.jpg")
    visitor.there(".looks img:not([hidden])")
    look = time.monotonic() - began
    began = time.monotonic()
    visitor.one(".dream").click()
    visitor.there(".stage.two")
    step = time.monotonic() - began
    visitor.click("Throw away")
    visitor.wait("document.querySelector('.watch').hidden")
    print(f"first look {look:.1f} s, first step {step:.1f} s")
    assert look < 60
    assert step < 40
