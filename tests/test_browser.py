"""The gallery's page as a visitor meets it: headless Chromium opens it from disk.

``scripts/install_chromium.sh`` installs what is needed, where it can; elsewhere these are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time

import numpy as np
import pytest
from tiny import TINY

from deepdream.galleries.make import gallery
from deepdream.galleries.page import compare_galleries
from deepdream.models.load import load_net
from deepdream.picture import Picture
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
DRIVER = shutil.which("chromedriver") or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium and chromedriver (scripts/install_chromium.sh)",
    ),
]

# A layer whose name is an attack on the page.
ATTACK = "</script><script>document.title='broken'</script>"
PHONE, DESK = (390, 844), (1280, 900)


def picture(seed, h=43, w=59):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two galleries with two numbers of octaves, one failure, and a page that compares them."""
    folder = tmp_path_factory.mktemp("galleries")
    text = TINY.replace('"a/3x3_reduce"', json.dumps(ATTACK))
    (folder / "deploy.prototxt").write_text(text)
    net = Net(parse_prototxt(text), 1, force_backward=True)
    seed_weights(net, 0)
    net.params["a/1x1"][0].data[...] = 0
    net.save(folder / "tiny.caffemodel")
    net = load_net(folder / "deploy.prototxt", folder / "tiny.caffemodel", mean=(104, 117, 123))
    for name, seed in (("one gallery", 1), ("other's", 2)):
        img = Picture(picture(seed), source={"file": f"sky {seed}.png", "sha256": "", "size": []})
        gallery(net, img, folder / name, octave_n=(1, 2), iter_n=2, jitter=3)
    compare_galleries([folder / "one gallery", folder / "other's"], folder / "compare.html")
    return folder


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update",
                 "--force-prefers-reduced-motion"]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in containers; Chromium refuses otherwise
        arguments.append("--no-sandbox")
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


class Visitor:
    """Somebody who looks at one page."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, size=DESK):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(path.as_uri())
        return self

    def run(self, script, *arguments):
        return self.driver.execute_script(f"return ({script})", *arguments)

    def all(self, selector):
        return [e for e in self.driver.find_elements("css selector", selector) if e.is_displayed()]

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def texts(self, selector):
        return [element.text for element in self.all(selector)]

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def wait(self, script):
        """Wait until a script is true; pictures take their time to load."""
        end = time.monotonic() + 10
        while not self.run(script):
            assert time.monotonic() < end, f"not within 10 seconds: {script}"
            time.sleep(0.02)

    def loaded(self, *ids):
        """Wait for pictures, and return their natural widths."""
        for name in ids:
            self.wait(f"document.getElementById('{name}').complete")
        return [self.run(f"document.getElementById('{name}').naturalWidth") for name in ids]


@pytest.fixture
def visitor(browser):
    """A visitor; afterwards, nothing was wrong on the page, and nothing was asked from outside."""
    yield Visitor(browser)
    messages = [entry["message"] for entry in browser.get_log("browser")]
    asked = set()
    for entry in browser.get_log("performance"):
        with contextlib.suppress(KeyError):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"].split(":")[0])
    assert messages == []
    assert asked <= {"file", "data", "about"}
    assert "file" in asked


KEYS = pytest.importorskip("selenium.webdriver.common.keys").Keys


def test_the_page_opens_from_disk(visitor, folder):
    """Every picture is shown, a failure in its place, and a hostile name is only a name."""
    visitor.open(folder / "one gallery" / "index.html")

    assert visitor.driver.title == "What tiny sees in sky 1.png"
    assert len(visitor.all(".card")) == 9
    assert len(visitor.all(".open img")) == 8
    widths = visitor.run("[...document.querySelectorAll('.open img')].map(i => i.naturalWidth)")
    assert widths == [59] * 16
    assert ATTACK in visitor.texts(".card h3")
    failed = visitor.texts(".absent")
    assert len(failed) == 1
    assert failed[0].startswith("No picture")
    assert "gradient" in failed[0]


def test_the_filter_finds_layers(visitor, folder):
    """By name, type and numbers; Escape shows all again."""
    visitor.open(folder / "one gallery" / "index.html")

    visitor.press("/")
    assert visitor.focused().get_attribute("id") == "filter"
    visitor.press("POOLING stride 8")
    assert visitor.texts(".card h3") == ["pool2"]
    assert visitor.texts("#count") == ["1 of 9 layers"]
    visitor.press(KEYS.ESCAPE)
    assert len(visitor.all(".card")) == 9
    assert visitor.texts("#count") == ["9 layers"]

    visitor.press("/", "nothing like this")
    assert visitor.all(".card") == []
    visitor.one("#clear").click()
    assert len(visitor.all(".card")) == 9


def test_octaves_are_switched_and_shown_side_by_side(visitor, folder):
    """The letter o goes through the series, the last of which is all of them."""
    visitor.open(folder / "one gallery" / "index.html")
    assert visitor.texts(".switch label") == ["1 octave", "2 octaves", "side by side"]

    def sources():
        return visitor.run(
            "[...document.querySelectorAll('.open')].filter(a => a.offsetWidth)"
            ".map(a => a.getAttribute('href').split('/')[0])"
        )

    assert set(sources()) == {"octaves-1"}
    visitor.press("o")
    assert set(sources()) == {"octaves-2"}
    visitor.all(".switch label")[2].click()
    assert sources() == ["octaves-1", "octaves-2"] * 8


def test_a_picture_opens_beside_its_input(visitor, folder):
    """With its facts, the command, and three ways to compare."""
    visitor.open(folder / "one gallery" / "index.html")

    next(link for link in visitor.all(".open") if "a_pool" in link.get_attribute("href")).click()

    assert visitor.one("#viewer").is_displayed()
    assert visitor.texts("#v-name") == ["a/pool"]
    facts = dict(zip(visitor.texts("#v-facts dt"), visitor.texts("#v-facts dd")))
    assert facts["Type"] == "Pooling"
    assert facts["Blob"] == "6×11×15"
    assert facts["Sees"] == "17 pixels"
    assert visitor.loaded("v-a", "v-b") == [59, 59]
    assert "--end a/pool" in visitor.one("#v-command").text
    assert visitor.one("#v-a").is_displayed()
    assert not visitor.one("#v-b").is_displayed()

    visitor.one("#stage").click()
    assert visitor.one("#v-b").is_displayed()
    assert visitor.texts("#v-tag-b") == ["the input"]

    visitor.press("s")
    assert visitor.focused().get_attribute("id") == "split"
    before = visitor.run("getComputedStyle(document.getElementById('v-a')).clipPath")
    visitor.press(KEYS.ARROW_RIGHT, KEYS.ARROW_RIGHT)
    assert visitor.run("getComputedStyle(document.getElementById('v-a')).clipPath") != before
    assert visitor.texts("#v-name") == ["a/pool"]

    visitor.press("b")
    a, b = (visitor.one(name).rect for name in ("#v-a", "#v-b"))
    assert a["x"] + a["width"] <= b["x"] or a["y"] + a["height"] <= b["y"]
    assert (a["width"], a["height"]) == (b["width"], b["height"])
    visitor.press(KEYS.ESCAPE)
    assert not visitor.one("#viewer").is_displayed()
    assert "a_pool" in visitor.focused().get_attribute("href")


def test_two_pictures_are_compared(visitor, folder):
    """Marked one after the other, or chosen in the viewer."""
    visitor.open(folder / "one gallery" / "index.html")

    def mark(layer):
        button = visitor.one(f"#{layer} .pick")
        visitor.driver.execute_script("arguments[0].focus()", button)
        visitor.press(KEYS.ENTER)

    mark("conv1")
    assert "conv1" in visitor.texts("#tray")[0]
    mark("pool2")

    assert visitor.texts("#v-name") == ["conv1"]
    assert visitor.texts("#v-tag-a") == ["conv1, 1 octave"]
    assert visitor.texts("#v-tag-b") == ["pool2, 1 octave"]
    sources = [visitor.one(name).get_attribute("src") for name in ("#v-a", "#v-b")]
    assert [source.rpartition("/")[2] for source in sources] == ["conv1.jpg", "pool2.jpg"]
    assert visitor.loaded("v-a", "v-b") == [59, 59]

    choices = visitor.texts("#against option")
    assert choices[:2] == ["the input", "2 octaves"]
    next(o for o in visitor.all("#against option") if o.text == "2 octaves").click()
    assert visitor.one("#v-b").get_attribute("src").endswith("octaves-2/conv1.jpg")
    assert not visitor.all("#tray")


def test_the_keyboard_is_enough(visitor, folder):
    """Arrows go from picture to picture on the page and in the viewer; focus comes back."""
    visitor.open(folder / "one gallery" / "index.html")
    links = visitor.all(".open")
    names = [link.get_attribute("href").rpartition("/")[2] for link in links]
    columns = len({link.rect["x"] for link in links})
    assert columns > 1

    visitor.press(KEYS.ARROW_RIGHT)
    assert visitor.focused() == links[0]
    visitor.press(KEYS.ARROW_RIGHT)
    assert visitor.focused() == links[1]
    visitor.press(KEYS.ARROW_DOWN)
    below = visitor.focused()
    assert below.rect["y"] > links[1].rect["y"]
    assert below.rect["x"] == links[1].rect["x"]
    visitor.press(KEYS.ARROW_UP, KEYS.ARROW_LEFT)
    assert visitor.focused() == links[0]

    visitor.press(KEYS.ENTER)
    shown = [visitor.one("#v-a").get_attribute("src").rpartition("/")[2]]
    for key in (KEYS.ARROW_RIGHT, KEYS.ARROW_RIGHT, KEYS.ARROW_LEFT, "o"):
        visitor.press(key)
        shown.append(visitor.one("#v-a").get_attribute("src").rpartition("/")[2])
    assert shown == [names[0], names[1], names[2], names[1], names[1]]
    assert "octaves-2" in visitor.one("#v-a").get_attribute("src")
    visitor.press(" ")
    assert visitor.one("#v-b").is_displayed()
    visitor.press(KEYS.ESCAPE)
    visitor.press("c")
    assert visitor.texts("#tray")[0].startswith("pool1, 2 octaves: mark")
    visitor.press(KEYS.ESCAPE)
    assert not visitor.all("#tray")


def test_two_galleries_are_compared_on_one_page(visitor, folder):
    """Four series, each with the input of its own gallery."""
    visitor.open(folder / "compare.html")

    labels = visitor.texts(".switch label")
    assert labels == ["1 octave, sky 1.png", "2 octaves, sky 1.png", "1 octave, sky 2.png",
                      "2 octaves, sky 2.png", "side by side"]  # fmt: skip
    visitor.all(".switch label")[2].click()
    visitor.all(".open")[0].click()

    assert visitor.loaded("v-a", "v-b") == [59, 59]
    assert "other's/octaves-1/" in visitor.one("#v-a").get_attribute("src").replace("%27", "'")
    assert (
        visitor.one("#v-b").get_attribute("src").replace("%27", "'").endswith("other's/input.png")
    )


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_sticks_out(visitor, folder, size):
    """No sideways scrolling, on the page and in the viewer; buttons have names, pictures texts."""
    visitor.open(folder / "one gallery" / "index.html", size)

    root = "document.documentElement"
    assert visitor.run(f"{root}.scrollWidth") == visitor.run(f"{root}.clientWidth") <= size[0]
    visitor.all(".open")[3].click()
    for mode in ("flip", "slide", "both"):
        visitor.one(f".modes [data-mode={mode}]").click()
        assert visitor.run("document.getElementById('viewer').scrollWidth") <= size[0]
        for name in ("#v-a", "#v-b") if mode == "both" else ("#v-a",):
            rect = visitor.run(
                "(({left, right, top}) => [left, right, top])"
                f"(document.querySelector('{name}').getBoundingClientRect())"
            )
            assert 0 <= rect[0] < rect[1] <= size[0]
            assert rect[2] >= 0
    nameless = visitor.run(
        "[...document.querySelectorAll('button, a, input, select')].filter(e => "
        "!(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.querySelector('img[alt]')))"
        ".length + [...document.querySelectorAll('.card img')].filter(i => !i.alt).length"
    )
    assert nameless == 0


def test_the_page_prints(visitor, folder):
    """Pictures and facts, no tool bar; and it is a document with pages."""
    visitor.open(folder / "one gallery" / "index.html")
    visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len(visitor.all(".card img")) == 8
        assert visitor.all(".bar, .pick, #help") == []
        assert set(visitor.texts(".shot figcaption")) == {"1 octave"}
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = visitor.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 10_000
