#!/usr/bin/env python3
"""Build the site of the documentation, into build/site.

    scripts/make_site.py                all of it: runs the walkthrough, dreams a gallery; minutes
    scripts/make_site.py --quick        without running and dreaming; seconds
    scripts/make_site.py -o FOLDER

The pages of docs/ are written to be read on GitHub as well. They are copied, links from one to
another are turned into the site's, and Sphinx builds them; a warning is an error. The result works
from the file system and loads nothing from elsewhere.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import make_docs  # noqa: E402
import make_labs  # noqa: E402

LAYERS = "stem/conv,block*/output"
PHOTOS = ROOT / "examples" / "photos" / "README.md"
PHOTO = PHOTOS.with_name("lake.jpg")  # what the gallery dreams on

# What the site's front page lists, in this order, under these words.
CONTENTS = {
    "Begin": (
        "quickstart", "studio", "cookbook", "styles", "objectives", "visualize", "films", "what-if",
        "gallery", "Walkthrough <walkthrough>", "labs", "coming-from", "glossary",
    ),
    "Use": (
        "cli", "api", "studio-api", "film-files", "cluster", "models", "layers", "pycaffe",
        "real-caffe", "docker",
    ),
    "Understand": ("conventions", "how-it-works", "known-differences", "wild-nets", "performance"),
    "Take part": ("add-a-layer", "decisions", "contributing", "photographs", "changelog"),
}  # fmt: skip

# Sections of README.md that have pages of their own here, or are said on the front page.
ELSEWHERE = ("What it does", "Notebooks of 2015", "In a box", "Reading the source", "Licence")

FRONT = """# deepdream

A network looks at your photograph, and paints into it what it believes to see: Google's DeepDream of
2015, with Caffe's networks and Caffe's arithmetic, in plain Python.

![A mountain lake; and its dream, in which the mountains are furry animals with many eyes](images/lake.jpg)

* **You have photographs.** The [quick start](quickstart.md) needs one command, and no weights to download;
  the [cookbook](cookbook.md) tells what to turn for what you have in mind, and
  [what to do if](what-if.md) it is too weak, too slow or too small.
* **You want to know how it works**, or teach it. The [walkthrough](walkthrough.ipynb) takes Google's
  notebook apart line by line; the [labs](labs.md) go on from there, and there is a
  [glossary](glossary.md).
* **You have a notebook of 2015**, or a network of your own. It runs as it stands, and gives
  [what Caffe gave](known-differences.md).

"""

ON = """
## Where to go on

* The [walkthrough](walkthrough.ipynb): how it works, line by line, with checks.
* The [cookbook](cookbook.md), [nine styles](styles.md), and [what to do if](what-if.md) something
  is not as you want it.
* [The studio](studio.md): all of it on a page in the browser.
* [Films](films.md), and a camera in front of a picture; [many pictures](cluster.md), on many machines.
* [What is to grow](objectives.md): layers, channels, classes, mixed; and [what each looks like](visualize.md).
* [What every layer sees](gallery.md), and [which networks are known](models.md).
* [Notebooks of 2015](pycaffe.md), and dreaming with [the real Caffe](real-caffe.md).
* [Docker images](docker.md) with both.
"""

LABS = """# Labs

Five exercises with checks, for a course or for yourself, after the [walkthrough](walkthrough.ipynb).
Replace the lines that say it is your turn, and run the checks.

{table}

{download}

```{{toctree}}
:hidden:
:maxdepth: 1

labs/lab1_gradients
labs/lab2_octaves
labs/lab3_objectives
labs/lab4_layers
labs/lab5_objectives
instructor
```

[For instructors](instructor.md): solutions, timings, a room without internet, what students ask.
"""

# Notebooks load pictures by where they lie, so that they are of use only in their folders.
DOWNLOAD = (
    'To work on them yourself: <a href="notebooks.zip" download>notebooks.zip</a> has the walkthrough '
    "and the labs in their folders, with the pictures they load. Install the package, unpack it, and "
    "begin with `jupyter lab docs` in there."
)
ONE = 'This notebook alone: <a href="{up}notebooks/{path}" download>{name}</a>.'

GALLERY = """---
hide-toc: true
---

# Gallery

What the bundled network sees in one photograph, layer by layer: `deepdream gallery` makes such a page
of any network and picture. Each picture opens in the viewer, beside the photograph and with the
command that makes it.

"""

GALLERY_SOURCE = (
    "The photograph is Lake Sherburne in Montana, by Jacob W. Frank of the US National Park Service, in "
    "the public domain."
)

API = """# Python

What `import deepdream` offers. Names of Caffe's own are under `deepdream.caffe`:
[pycaffe, name by name](pycaffe.md).

"""

# The public names, in the order in which one meets them.
NAMES = {
    "Load and save": ("load_net", "load_image", "save_image", "noise"),
    "Dream": (
        "dream",
        "styles",
        "zoom",
        "film",
        "batch",
        "gallery",
        "visualize",
        "read_recipe",
        "rerun",
    ),  # fmt: skip
    "Objectives": ("objective_L2", "objective_channel", "objective_guide", "guide_features"),
    "Show": ("show", "sheet", "draw"),
    "The notebook of 2015": ("deepdream", "make_step", "preprocess", "deprocess"),
    "Errors": ("DeepDreamError",),
}


def stage(folder: Path, quick: bool) -> None:
    """Put the sources of the site together."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in ("images", "drawings"):
        shutil.copytree(ROOT / "docs" / name, folder / name)
    for page in (ROOT / "docs").glob("*.md"):
        if page.stem != "index":
            copy(page, folder / page.name)
    quickstart(folder / "quickstart.md")
    copy(ROOT / "CONTRIBUTING.md", folder / "contributing.md")
    copy(ROOT / "CHANGELOG.md", folder / "changelog.md")
    copy(PHOTOS, folder / "photographs.md")
    copy(ROOT / "docs" / "labs" / "instructor.md", folder / "instructor.md")
    contents = "\n".join(
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in CONTENTS.items()
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    licence = linked(sections(readme)["Licence"], ROOT)
    (folder / "index.md").write_text(FRONT + licence + "\n\n" + contents, encoding="utf-8")
    instructor = ROOT / "docs" / "labs" / "instructor.md"
    table = re.search(r"(^\|.*\n)+", instructor.read_text(encoding="utf-8"), re.MULTILINE)
    assert table is not None
    labs = LABS.format(table=linked(table[0], instructor.parent), download=DOWNLOAD)
    (folder / "labs.md").write_text(labs, encoding="utf-8")
    (folder / "api.md").write_text(API + api(), encoding="utf-8")
    notebooks(folder, quick)
    gallery(folder, quick)


def copy(page: Path, to: Path) -> None:
    """Copy a page, with links to where pages are on the site, and with short names of tests."""
    text = linked(page.read_text(encoding="utf-8"), page.parent)
    to.write_text(re.sub(r"`(tests/[\w/]+\.py)::(\w+)`", test_name, text), encoding="utf-8")


def test_name(match: re.Match[str]) -> str:
    """Return a test's name without its file, which is its tooltip, and with places to break it."""
    return f'<code title="{match[1]}">{match[2].replace("_", "_<wbr>")}</code>'


def quickstart(to: Path) -> None:
    """Write what of README.md one needs to begin."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, section in sections(text).items():
        if name in ELSEWHERE:
            text = text.replace(f"## {name}\n{section}", "")
    text = re.sub(r"^# .*$", "# Quick start", text, count=1, flags=re.MULTILINE)
    to.write_text(linked(text, ROOT).rstrip() + "\n" + ON, encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """Return the sections of a page by their headings."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {name: rest for name, _, rest in (part.partition("\n") for part in parts)}


def title(page: Path) -> str:
    """Return a page's title on the site."""
    if page.name in ("README.md", "walkthrough.py"):
        return {"README.md": "Quick start", "walkthrough.py": "Walkthrough"}[page.name]
    heading = re.search(r"^(?:# %%.*\n)?(?:# )?# (.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert heading is not None, page
    return heading[1]


def linked(text: str, folder: Path) -> str:
    """Return the text of a page that lies in `folder`, with links to where pages are on the site.

    A link that shows a file's name shows the page's title there.
    """

    def link(match: re.Match[str]) -> str:
        words = match[1]
        target, _, anchor = match[2].partition("#")
        here = (folder / target).resolve()
        known = {
            ROOT / "README.md": "quickstart.md",
            ROOT / "CONTRIBUTING.md": "contributing.md",
            ROOT / "CHANGELOG.md": "changelog.md",
            PHOTOS: "photographs.md",
            ROOT / "docs" / "walkthrough.py": "walkthrough.ipynb",
            ROOT / "docs" / "labs" / "instructor.md": "instructor.md",
            **{source: f"labs/{source.stem}.ipynb" for source in make_labs.SOURCES},
        }
        if here in known:
            place = known[here]
        elif (ROOT / "docs") in here.parents:
            place = here.relative_to(ROOT / "docs").as_posix()
        else:  # a file of the source, which the site does not have: named, not linked
            return words
        if words.strip("`").endswith(here.name):
            words = title(here)
        return f"[{words}]({place}{'#' + anchor if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)", link, pictures(text))


def pictures(text: str) -> str:
    """Return a page with its pictures where the site has them."""
    return re.sub(r"(!\[[^\]]*\]\()docs/", r"\1", text)


def api() -> str:
    """Return the page of public names: each by autodoc, in groups."""
    import deepdream

    grouped = [name for names in NAMES.values() for name in names]
    if sorted([*grouped, "caffe", "objectives"]) != sorted(deepdream.__all__):
        raise SystemExit(f"make_site.py: NAMES is not deepdream.__all__: {deepdream.__all__}")
    blocks = []
    for heading, names in NAMES.items():
        blocks.append(f"## {heading}\n")
        for name in names:
            kind = "autoexception" if name == "DeepDreamError" else "autofunction"
            blocks.append(f"```{{eval-rst}}\n.. {kind}:: deepdream.{name}\n```\n")
    blocks.append("## What grows: deepdream.objectives\n")
    for name in deepdream.objectives.__all__:
        kind = "autoclass" if name == "Objective" else "autofunction"
        more = "\n   :members: where, plain" if name == "Objective" else ""
        blocks.append(f"```{{eval-rst}}\n.. {kind}:: deepdream.objectives.{name}{more}\n```\n")
    return "\n".join(blocks)


def notebooks(folder: Path, quick: bool) -> None:
    """Write the walkthrough, run unless `quick`, and the labs as students get them."""
    import jupytext

    source = make_labs.WALKTHROUGH.read_text(encoding="utf-8")
    marked = [cell.source for cell in jupytext.reads(source, fmt="py:percent").cells]
    walkthrough = jupytext.reads(make_labs.solved(source), fmt="py:percent")
    if not quick:
        print("running the walkthrough ...")
        compile_kernels()
        execute(walkthrough)
    for cell, text in zip(walkthrough.cells, marked):
        if "BEGIN SOLUTION" in text:  # folded until the reader asks for it
            cell.metadata["tags"] = ["hide-input"]
    offer(walkthrough, "docs/walkthrough.ipynb", up="")
    jupytext.write(walkthrough, folder / "walkthrough.ipynb", fmt="ipynb")
    (folder / "labs").mkdir()
    for lab in make_labs.SOURCES:
        text = make_labs.stripped(lab.read_text(encoding="utf-8"))
        notebook = jupytext.reads(text, fmt="py:percent")
        offer(notebook, f"docs/labs/{lab.stem}.ipynb", up="../")
        jupytext.write(notebook, folder / "labs" / f"{lab.stem}.ipynb", fmt="ipynb")


def execute(notebook: Any) -> None:
    """Run a notebook in place. What it writes to standard error would be on the page: an error."""
    import nbclient

    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(ROOT / "docs")}}
    ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise SystemExit(f"make_site.py: a notebook warns: {output['text']}")


def compile_kernels() -> None:
    """Dream a tiny picture: the first dream of a machine says that kernels are compiled."""
    code = (
        "import numpy as np, deepdream; deepdream.dream(deepdream.load_net(), np.ones((64, 64, 3)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


def offer(notebook: Any, path: str, up: str) -> None:
    """Say below a notebook's first cell where it can be had."""
    import nbformat

    words = ONE.format(up=up, path=path, name=Path(path).name)
    words += " " + DOWNLOAD.replace("To work on them yourself: ", "Better: ").replace(
        'href="', f'href="{up}'
    )
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(words))


def downloads(site: Path) -> None:
    """Put the notebooks as students get them beside the pages, in their folders, and as one file."""
    with tempfile.TemporaryDirectory() as folder:
        make_labs.write(Path(folder), ("student",))
        student = Path(folder) / "student"
        shutil.copytree(student, site / "notebooks", dirs_exist_ok=True)
        student.rename(Path(folder) / "deepdream-notebooks")
        shutil.make_archive(str(site / "notebooks"), "zip", folder, "deepdream-notebooks")


def gallery(folder: Path, quick: bool) -> None:
    """Dream the bundled network's gallery, which goes on where it was interrupted, and show it."""
    made = ROOT / "build" / "gallery"
    text = GALLERY
    if quick and not (made / "index.html").is_file():
        text += "It is not part of a quick build.\n"
    else:
        if not quick:
            command = ["gallery", str(PHOTO), "-o", str(made), "--layers", LAYERS]
            subprocess.run([sys.executable, "-m", "deepdream", *command], check=True, cwd=ROOT)
        shown = sorted(made.glob("block*_output.jpg"), key=lambda path: number(path))
        first = next(path for path in shown if layer_of(path) == strongest())
        text += f'<div class="gallery-first">\n{figure(first)}</div>\n\n'
        text += (
            "The whole gallery, with a filter and a comparison with the photograph: "
            f'<a href="gallery/index.html">open it</a>. {GALLERY_SOURCE}\n\n'
        )
        text += f'<div class="gallery">\n{"".join(map(figure, shown))}</div>\n'
    (folder / "gallery.md").write_text(text, encoding="utf-8")


def figure(picture: Path) -> str:
    """Return a picture of the gallery with its layer, and what that looks like."""
    from deepdream.models.registry import DEFAULT_MODEL, MODELS

    entry = MODELS[DEFAULT_MODEL]
    layer = layer_of(picture)
    look = entry.layers.get(layer, "")
    words = f"<code>{layer}</code>{' (the default)' if layer == entry.end else ''}"
    words += f": {look}" if look else ""
    place = f"gallery/{picture.name}"
    return (
        f'<figure><a href="gallery/index.html#view={layer}"><img src="{place}" loading="lazy" '
        f'alt="A dream at {layer}{": " + look if look else ""}"></a>'
        f"<figcaption>{words}</figcaption></figure>\n"
    )


def layer_of(picture: Path) -> str:
    """Return the layer that a picture of the gallery was dreamt at."""
    return picture.stem.replace("_", "/", 1)


def strongest() -> str:
    """Return the layer that the page opens on: the one that is recommended."""
    from deepdream.models.registry import DEFAULT_MODEL, MODELS

    return MODELS[DEFAULT_MODEL].end


def number(path: Path) -> int:
    """Return the block's number in a picture's name."""
    return int(re.findall(r"\d+", path.stem)[0])


def build(sources: Path, site: Path) -> int:
    """Run Sphinx; a warning is an error."""
    command = ["-b", "html", "-W", "--keep-going", "-q", "-E", "-c", str(ROOT / "docs"),
               "-d", str(sources.parent / "doctrees"), str(sources), str(site)]  # fmt: skip
    return subprocess.run([sys.executable, "-m", "sphinx", *command], check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="run no notebook, dream no gallery")
    args = parser.parse_args()
    for name in make_docs.PAGES:
        (ROOT / "docs" / name).write_text(make_docs.page(name), encoding="utf-8")
    sources = args.out.parent / f"{args.out.name}-sources"
    stage(sources, args.quick)
    status = build(sources, args.out)
    if status == 0:
        made = ROOT / "build" / "gallery"
        downloads(args.out)
        if (made / "index.html").is_file():
            shutil.copytree(made, args.out / "gallery", dirs_exist_ok=True)
            page = args.out / "gallery" / "index.html"
            back = '<p><a href="../gallery.html">Back to the documentation</a></p>'
            text = page.read_text(encoding="utf-8")
            page.write_text(text.replace("</h1>", f"</h1>\n{back}", 1), encoding="utf-8")
        print(f"wrote {args.out / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
