"""The site of the documentation builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest

import deepdream

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")
pytest.importorskip("jupytext")

ROOT = Path(__file__).resolve().parents[1]

spec = importlib.util.spec_from_file_location("make_site", ROOT / "scripts" / "make_site.py")
assert spec is not None
assert spec.loader is not None
make_site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_site)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A quick build."""
    site = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, "scripts/make_site.py", "--quick", "-o", str(site)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return site


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_site_has_its_pages_and_needs_no_network(site):
    """Every page of the contents, every public name, no address but in links."""
    names = {page.stem for page in site.glob("*.html")}
    expected = (
        "index quickstart walkthrough labs gallery cli api models layers performance changelog "
        "glossary what-if photographs"
    )
    assert set(expected.split()) <= names
    api = read(site / "api.html")
    for name in deepdream.__all__:
        assert f'id="deepdream.{name}"' in api or name in ("caffe", "objectives"), name
    for name in deepdream.objectives.__all__:
        assert f'id="deepdream.objectives.{name}"' in api, name
    loads = re.compile(r"<(?:script|img|iframe|source)[^>]*\bsrc=[\"'](https?:[^\"']+)"
                       r"|<link[^>]*\bhref=[\"'](https?:[^\"']+)")  # fmt: skip
    for page in site.rglob("*.html"):
        assert not loads.search(read(page)), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", read(sheet))


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site):
    """Pages, downloads, pictures and places within pages are there."""
    ids = {page.resolve(): set(re.findall(r'\bid="([^"]+)"', read(page)))
           for page in site.rglob("*.html")}  # fmt: skip
    seen = 0
    for page in ids:
        for found in re.findall(r'<(?:a|img)\b[^>]*\b(?:href|src)="([^"]+)"', read(page)):
            if found.startswith(("http", "mailto:", "data:")):
                continue
            name, _, place = html.unescape(found).partition("#")
            target = (page.parent / unquote(name)).resolve() if name else page
            if "/gallery/" in target.as_posix() and not (site / "gallery").is_dir():
                continue  # not in a quick build
            assert target.exists(), (page.name, found)
            if place.startswith("view="):  # a picture in the gallery's viewer
                assert f'"name":"{place[5:]}"' in read(target), found
                place = ""
            assert not place or target not in ids or place in ids[target], (page.name, found)
            seen += 1
    assert seen > 500


@pytest.mark.slow
def test_links_are_called_by_titles(site):
    """No page shows the name of another page's file; files of the source are not links."""
    for page in site.glob("*.html"):
        body = read(page).split('role="main"')[-1]
        for words in re.findall(r'<a class="reference internal"[^>]*>(.*?)</a>', body):
            assert not re.search(r"\.(md|ipynb)<?$|\.md</", words), (page.name, words)


@pytest.mark.slow
def test_notebooks_can_be_downloaded(site):
    """The walkthrough and the labs as students get them, beside the pictures they load."""
    student = [Path("docs/walkthrough.ipynb")]
    student += [Path(f"docs/labs/{lab.stem}.ipynb") for lab in make_site.make_labs.SOURCES]
    for path in student:
        text = read(site / "notebooks" / path)
        assert "your turn: replace" in text
        assert "*Answer.*" not in text
        for loaded in re.findall(r'load_image\(\\"([^"]+)\\"\)', text):
            place = (site / "notebooks" / path).parent / loaded
            assert place.exists() or loaded == "photo.jpg", loaded
        page = site / path.relative_to("docs").with_suffix(".html")
        up = "" if page.parent == site else "../"
        assert f'href="{up}notebooks/{path.as_posix()}"' in read(page)
        assert f'href="{up}notebooks.zip"' in read(page)
    assert 'href="notebooks.zip"' in read(site / "labs.html")
    with zipfile.ZipFile(site / "notebooks.zip") as archive:
        names = set(archive.namelist())
    assert {f"deepdream-notebooks/{path.as_posix()}" for path in student} <= names
    assert {f"deepdream-notebooks/examples/{name}.jpg" for name in ("clouds", "flowers")} <= names


@pytest.mark.slow
def test_solutions_of_the_walkthrough_are_folded(site):
    """The page has them, for who wants to see them; the labs' pages have none."""
    page = read(site / "walkthrough.html")

    assert page.count("Show a solution") == read(make_site.make_labs.WALKTHROUGH).count(
        "BEGIN SOLUTION"
    )
    assert "NotImplementedError" not in page
    for lab in make_site.make_labs.SOURCES:
        assert "NotImplementedError" in read(site / "labs" / f"{lab.stem}.html")


@pytest.mark.slow
def test_what_the_pages_hold(site):
    """The quick start is short, the labs' page has the table, models link to their papers."""
    quick = read(site / "quickstart.html")
    for heading in make_site.ELSEWHERE:
        assert f"<h2>{heading}<" not in quick
    assert "<h2>Dreaming<" in quick
    labs = read(site / "labs.html")
    for lab in make_site.make_labs.SOURCES:
        assert f'href="labs/{lab.stem}.html"' in labs
    assert ">Walkthrough</a>" in read(site / "index.html")
    assert 'href="https://arxiv.org/abs/1905.11946"' in read(site / "models.html")
    assert "_static/site.css" in quick


def test_public_names_are_in_groups():
    """Each once, in the order in which one meets them."""
    text = make_site.api()
    places = [text.index(f"## {heading}\n") for heading in make_site.NAMES]

    assert places == sorted(places)
    for name in deepdream.__all__:
        module = name in ("caffe", "objectives")
        assert module or text.count(f":: deepdream.{name}\n") == 1, name


def test_pictures_of_the_gallery_say_what_they_look_like():
    """By the registry's words; the layer that is used by itself is marked."""
    default = make_site.figure(Path("block10_output.jpg"))
    plain = make_site.figure(Path("block3_output.jpg"))

    assert "<code>block10/output</code> (the default): whole furry animals" in default
    assert 'src="gallery/block10_output.jpg"' in default
    assert 'href="gallery/index.html#view=block10/output"' in default
    assert "<figcaption><code>block3/output</code></figcaption>" in plain


def test_a_walkthrough_that_warns_is_no_walkthrough():
    """What a cell writes to standard error would be shown to readers."""
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    cell = nbformat.v4.new_code_cell("import sys; sys.stderr.write('compiling kernels')")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}

    with pytest.raises(SystemExit, match="compiling kernels"):
        make_site.execute(notebook)


def test_links_of_pages():
    """To pages by their titles, to files of the source not at all."""
    text = (
        "[docs/models.md](docs/models.md), [the list](docs/models.md#vgg16), [LICENSE](LICENSE), "
        "[walk](docs/walkthrough.py), ![sky](docs/images/lake.jpg), [x](https://a.b)"
    )
    assert make_site.linked(text, ROOT) == (
        "[Models](models.md), [the list](models.md#vgg16), LICENSE, "
        "[walk](walkthrough.ipynb), ![sky](images/lake.jpg), [x](https://a.b)"
    )
    assert json.dumps(make_site.sections("# a\n## b\nc\n## d\ne\n")) == '{"b": "c\\n", "d": "e\\n"}'
