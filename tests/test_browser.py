"""The gallery's page as a visitor meets it: headless Chromium opens it from disk.

``scripts/install_chromium.sh`` installs what is needed, where it can; elsewhere these are skipped.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import chromium
import numpy as np
import pytest
from chromium import webdriver
from tiny import TINY

from deepdream.galleries.make import gallery
from deepdream.galleries.page import compare_galleries
from deepdream.models.load import load_net
from deepdream.picture import Picture
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

ROOT = Path(__file__).resolve().parents[1]
pytestmark = chromium.MARKS

# A layer whose name is an attack on the page.
ATTACK = "</script><script>document.title='broken'</script>"
PHONE, LANDSCAPE, DESK = (390, 844), (844, 390), (1280, 900)
# The same net with another stride.
OTHER = TINY.replace('name: "tiny"', 'name: "other"').replace(
    "size: 5 stride: 2", "size: 5 stride: 4"
)


def picture(seed, h=43, w=59):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two galleries with two numbers of octaves, one failure, and a page that compares them."""
    folder = tmp_path_factory.mktemp("galleries")
    net = written(folder, "tiny", TINY.replace('"a/3x3_reduce"', json.dumps(ATTACK)))
    for name, seed in (("one gallery", 1), ("other's", 2)):
        img = Picture(picture(seed), source={"file": f"sky {seed}.png", "sha256": "", "size": []})
        gallery(net, img, folder / name, layers="*", octave_n=(1, 2), iter_n=2, jitter=3)
    compare_galleries([folder / "one gallery", folder / "other's"], folder / "compare.html")
    tall = Picture(picture(3, 640, 310), source={"file": "tall.png", "sha256": "", "size": []})
    gallery(written(folder, "other", OTHER), tall, folder / "tall", layers="conv1,pool1",
            octave_n=1, iter_n=1, embed=True)  # fmt: skip
    compare_galleries([folder / "one gallery", folder / "tall"], folder / "two nets.html")
    return folder


def written(folder, name, text):
    """Write a net's files, with a layer that nothing comes out of, and return it loaded."""
    files = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
    files[0].write_text(text)
    net = Net(parse_prototxt(text), 1, force_backward=True)
    seed_weights(net, 0)
    net.params["a/1x1"][0].data[...] = 0
    net.save(files[1])
    return load_net(*files, mean=(104, 117, 123))


@pytest.fixture(scope="module")
def browser():
    with chromium.chromium("--force-prefers-reduced-motion") as driver:
        yield driver


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
        # On a busy machine `get` may come back while about:blank is still there.
        self.wait("document.readyState == 'complete' && location.protocol == 'file:'")
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

    def card(self, name):
        """Return the card of a layer."""
        cards = self.all(".card")
        return next(c for c in cards if c.find_element("css selector", "h3").text == name)

    def choose(self, selector, text):
        """Choose one of the options of a select."""
        next(o for o in self.all(f"{selector} option") if o.text == text).click()

    def box(self, element):
        """Return left, top, right and bottom of an element on the screen."""
        return self.run(
            "(({left, top, right, bottom}) => [left, top, right, bottom])"
            "(arguments[0].getBoundingClientRect())",
            element,
        )

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


def test_a_link_to_a_picture_opens_it_in_the_viewer(visitor, folder):
    """By its layer's name; another name, or one behind it that is half a code, opens nothing."""
    page = folder / "one gallery" / "index.html"
    visitor.driver.get("about:blank")
    visitor.open(page)
    for name, shown in (("a/pool", "a/pool"), ("conv1", "conv1"), ("conv9", "conv1")):
        visitor.run("void (location.hash = arguments[0])", f"#view={name}")
        visitor.wait(f"document.getElementById('v-name').textContent === '{shown}'")
        assert visitor.one("#viewer").is_displayed()
    visitor.driver.get("about:blank")
    visitor.driver.get(page.as_uri() + "#view=pool2")
    visitor.wait("document.getElementById('viewer').open")
    assert visitor.texts("#v-name") == ["pool2"]
    assert visitor.loaded("v-a", "v-b") == [59, 59]


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

    for text, found in (
        ("stride 2", ["conv1"]),  # and not what has a 2 elsewhere
        ("stride 4 pooling", ["pool1", "a/pool"]),
        ("sees 1", []),
        ("sees 17 pool", ["a/pool"]),
    ):
        visitor.press("/", text)
        assert visitor.texts(".card h3") == found
        visitor.press(KEYS.ESCAPE)

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

    visitor.press("/")  # keys work behind a click on a button, too
    assert visitor.focused().get_attribute("id") == "filter"
    visitor.press(KEYS.ESCAPE)
    visitor.all(".switch label")[0].click()
    visitor.press("o")
    assert set(sources()) == {"octaves-2"}


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
        button = visitor.card(layer).find_element("css selector", ".pick")
        visitor.driver.execute_script("arguments[0].focus()", button)
        visitor.press(KEYS.ENTER)

    mark("conv1")
    assert "conv1" in visitor.texts("#tray")[0]
    mark("pool2")

    assert visitor.texts("#v-name") == ["conv1"]
    assert visitor.texts("#v-tag-a, #v-tag-b") == ["conv1", "pool2"]
    sources = [visitor.one(name).get_attribute("src") for name in ("#v-a", "#v-b")]
    assert [source.rpartition("/")[2] for source in sources] == ["conv1.jpg", "pool2.jpg"]
    assert visitor.loaded("v-a", "v-b") == [59, 59]

    choices = visitor.texts("#against option")
    assert choices[:2] == ["the input", "2 octaves"]
    visitor.choose("#against", "2 octaves")
    assert visitor.one("#v-b").get_attribute("src").endswith("octaves-2/conv1.jpg")
    assert visitor.texts("#v-tag-a, #v-tag-b") == ["1 octave", "2 octaves"]
    assert not visitor.all("#tray")


def test_the_other_octaves_stay_chosen(visitor, folder):
    """At the next layer the picture is compared with that layer's; o lets the two change places."""
    visitor.open(folder / "one gallery" / "index.html")
    visitor.all(".open")[0].click()
    visitor.choose("#against", "2 octaves")
    visitor.one(".modes [data-mode=both]").click()

    def sources():
        names = [visitor.one(name).get_attribute("src") for name in ("#v-a", "#v-b")]
        return [name.rpartition("octaves-")[2] for name in names]

    shown = [sources()]
    for key in (KEYS.ARROW_RIGHT, "o", KEYS.ARROW_RIGHT, "o"):
        visitor.press(key)
        shown.append(sources())
    assert shown == [
        ["1/conv1.jpg", "2/conv1.jpg"],
        ["1/pool1.jpg", "2/pool1.jpg"],
        ["2/pool1.jpg", "1/pool1.jpg"],
        ["2/norm1.jpg", "1/norm1.jpg"],
        ["1/norm1.jpg", "2/norm1.jpg"],
    ]


def test_the_other_octaves_come_back_behind_a_layer_without_them(visitor, folder):
    """A layer that only one of two galleries has is compared with its input meanwhile."""
    visitor.open(folder / "two nets.html")
    visitor.all(".open")[1].click()
    other = "other, 1 octave, tall.png, 1 step, jitter 32"
    visitor.choose("#against", other)
    tags = [visitor.texts(".side figcaption")[-1]]
    for button in ("#v-next", "#v-prev"):
        visitor.one(button).click()
        visitor.one("#stage").click()  # flips to what the picture is compared with
        tags.append(visitor.texts(".side figcaption")[-1])
    assert visitor.texts("#v-name") == ["pool1"]
    assert tags[1:] == ["the input", other]


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

    labels = visitor.texts("#series option")
    assert labels == ["1 octave, sky 1.png", "2 octaves, sky 1.png", "1 octave, sky 2.png",
                      "2 octaves, sky 2.png", "side by side"]  # fmt: skip
    visitor.choose("#series", labels[2])
    visitor.all(".open")[0].click()

    assert visitor.loaded("v-a", "v-b") == [59, 59]
    assert "other's/octaves-1/" in visitor.one("#v-a").get_attribute("src").replace("%27", "'")
    assert (
        visitor.one("#v-b").get_attribute("src").replace("%27", "'").endswith("other's/input.png")
    )


def test_two_nets_stand_side_by_side(visitor, folder):
    """Every picture is as large as the others and whole, with the facts of its own net."""
    visitor.open(folder / "two nets.html")
    told = visitor.card("conv1").find_elements("css selector", ".facts")
    assert [("stride 2" in one.text, "stride 4" in one.text) for one in told if one.text] == [
        (True, False)
    ]
    visitor.choose("#series", "side by side")
    visitor.wait("[...document.querySelectorAll('.open img')].every(image => image.complete)")

    boxes = [visitor.box(image) for image in visitor.all(".open img")]
    widths = [right - left for left, _, right, _ in boxes]
    assert len(boxes) == 2 * 8 + 2
    assert min(widths) > 0.95 * max(widths)
    for (_, _, right, _), (left, *_) in zip(boxes, boxes[1:]):
        assert right <= left or left < right - max(widths)  # in the next column, or the next row
    ratios = [(bottom - top) / (right - left) for left, top, right, bottom in boxes]
    expected = {round(43 / 59, 1), round(640 / 310, 1)}
    assert {round(ratio, 1) for ratio in ratios} == expected
    told = visitor.card("conv1").find_elements("css selector", ".facts")
    assert ["stride 4" in one.text for one in told if one.text][-1]
    assert len(visitor.card("pool2").find_elements("css selector", ".facts")) == 1


def test_the_bar_hides_nothing(visitor, folder):
    """What the keyboard goes to is below it, also where it has several rows."""
    visitor.open(folder / "one gallery" / "index.html", (720, 500))
    bar = visitor.one(".bar")
    assert visitor.box(bar)[3] - visitor.box(bar)[1] > 80

    visitor.press(*[KEYS.ARROW_DOWN] * 4, *[KEYS.ARROW_UP] * 2)

    assert visitor.run("scrollY") > 0
    assert visitor.box(visitor.focused())[1] >= visitor.box(bar)[3]
    visitor.open(folder / "one gallery" / "index.html", LANDSCAPE)  # no room for it there
    assert visitor.run("getComputedStyle(document.querySelector('.bar')).position") == "static"


def test_a_tall_input_leaves_room_for_the_dreams(visitor, folder):
    """At the head of the page, on a desk and on a phone."""
    for size, most in ((DESK, 14 * 16), (PHONE, 0.4 * PHONE[1])):
        visitor.open(folder / "tall" / "index.html", size)
        _, top, _, bottom = visitor.box(visitor.one(".inputs img"))
        assert 100 < bottom - top <= most + 1


def test_the_viewer_on_a_phone(visitor, folder):
    """Tall pictures stand beside each other, names are not cut, and the buttons stay in reach."""
    visitor.open(folder / "tall" / "index.html", PHONE)
    visitor.all(".open")[0].click()
    visitor.one(".modes [data-mode=both]").click()
    a, b = (visitor.box(visitor.one(name)) for name in ("#v-a", "#v-b"))
    assert a[2] <= b[0]
    assert a[3] - a[1] > 300
    assert visitor.run("document.getElementById('v-name').querySelector('wbr') !== null")
    visitor.run("document.querySelector('.panel').scrollTo(0, 9999)")
    assert 0 <= visitor.box(visitor.one("#v-close"))[3] <= PHONE[1]
    assert visitor.texts("#v-file") == ["Save conv1.jpg"]  # it is in the page

    visitor.open(folder / "compare.html", PHONE)
    visitor.all(".open")[0].click()
    visitor.choose("#against", "2 octaves, sky 2.png")
    visitor.one(".modes [data-mode=slide]").click()
    for tag in visitor.all(".side figcaption"):
        assert visitor.run("arguments[0].scrollHeight <= arguments[0].clientHeight", tag)
        assert visitor.run("arguments[0].scrollWidth <= arguments[0].clientWidth", tag)
    assert visitor.texts("#v-tag-a, #v-tag-b") == ["1 octave, sky 1.png", "2 octaves, sky 2.png"]


@pytest.mark.parametrize("mode", ["flip", "slide", "both"])
def test_the_viewer_on_a_phone_on_its_side(visitor, folder, mode):
    """The picture is whole, beside the panel."""
    visitor.open(folder / "two nets.html", LANDSCAPE)
    visitor.choose("#series", "side by side")
    for number in (0, 1):
        visitor.all(".open")[number].click()
        visitor.loaded("v-a", "v-b")
        visitor.one(f".modes [data-mode={mode}]").click()
        names = ("#v-a", "#v-b") if mode == "both" else ("#v-b",) if mode == "flip" else ("#v-a",)
        for name in names:
            left, top, right, bottom = visitor.box(visitor.one(name))
            assert left >= 0
            assert top >= 0
            assert bottom <= LANDSCAPE[1]
            assert bottom - top > 100
            assert right <= visitor.box(visitor.one(".panel"))[0]
        visitor.one("#v-close").click()


@pytest.mark.parametrize("size", [PHONE, LANDSCAPE, DESK], ids=["phone", "landscape", "desk"])
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
        border = "getComputedStyle(document.querySelector('.absent')).borderTopWidth"
        assert visitor.run(border) == "1px"  # printers leave its colour out
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = visitor.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 10_000


# What JupyterLab says of tables in outputs (its classes, its specificities).
JUPYTER = """<!doctype html><style>
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td { text-align: right }
.jp-RenderedHTMLCommon tbody tr:nth-child(even) { background: rgb(245, 245, 245) }
.jp-RenderedHTMLCommon tr { border: 0 } .jp-RenderedHTMLCommon thead { border-bottom: 1px solid }
</style><body><div class="jp-RenderedHTMLCommon">%s</div></body>"""


def test_a_net_in_jupyter(browser, folder):
    """The table keeps its own look among Jupyter's rules, and its mark without a style sheet."""
    net = load_net()
    (folder / "net.html").write_text(JUPYTER % net._repr_html_(), "utf-8")
    bare = re.sub("<style>.*?</style>", "", net._repr_html_(), flags=re.DOTALL)
    (folder / "untrusted.html").write_text(JUPYTER % bare, "utf-8")
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"

    browser.get((folder / "net.html").as_uri())
    looks = {
        (what, name): browser.execute_script(style, what, name)
        for what, name in (
            ("tbody td:nth-child(2)", "textAlign"),
            ("tbody .n", "textAlign"),
            ("tr.target", "backgroundColor"),
        )
    }
    assert list(looks.values()) == ["left", "right", "rgba(194, 24, 91, 0.16)"]
    browser.get((folder / "untrusted.html").as_uri())
    assert browser.execute_script(style, "tr.target", "backgroundColor") == (
        "rgba(194, 24, 91, 0.16)"
    )
    assert browser.execute_script(style, "details > div", "overflowY") == "auto"


# -- the site of the documentation ----------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A quick build."""
    for name in ("sphinx", "myst_nb", "jupytext"):
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "scripts/make_site.py", "--quick", "-o", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return out


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_of_the_site_are_as_wide_as_the_window(visitor, site, size):
    """Nothing sticks out; wide tables scroll inside of themselves."""
    for page in sorted(site.glob("*.html")):
        if page.name == "genindex.html":
            continue
        visitor.open(page, size)
        width = visitor.run("document.documentElement.scrollWidth")
        assert width <= size[0], (page.name, width)


def test_the_link_that_skips_to_the_text_is_over_no_text(visitor, site):
    """It is there for the keyboard only: not in the window before, and never on paper."""
    look = "(({clipPath, display}) => [clipPath, display])(getComputedStyle(arguments[0]))"
    for name in ("index", "walkthrough", "models"):
        visitor.open(site / f"{name}.html")
        link = visitor.one(".skip-to-content")
        assert visitor.run(look, link)[0] == "inset(50%)"
        visitor.press(KEYS.TAB)
        assert visitor.focused() == link
        assert visitor.run(look, link) == ["none", "block"]
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert visitor.run(look, link)[1] == "none"
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_tables_of_the_site_have_room_for_their_words(visitor, site, size):
    """No column with sentences is narrower than 180 pixels, on a phone 100; it was 85."""
    columns = """[...document.querySelectorAll('article table.docutils')].map(table =>
        [...table.rows[1].cells].map((cell, at) => [cell.getBoundingClientRect().width,
            Math.max(...[...table.rows].map(row => row.cells[at].textContent.length))]))"""
    for name in ("models", "layers", "glossary", "labs", "conventions"):
        visitor.open(site / f"{name}.html", size)
        tables = visitor.run(columns)
        assert tables
        for widths in tables:
            for width, longest in widths:
                assert width > (180 if size == DESK else 100) or longest <= 60, (name, width)
