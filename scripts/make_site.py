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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import make_docs  # noqa: E402
import make_labs  # noqa: E402

LAYERS = "stem/conv,block*/output"

# What the site's front page lists, in this order, under these words.
CONTENTS = {
    "Begin": ("quickstart", "walkthrough", "labs", "gallery"),
    "Use": ("cli", "api", "models", "layers", "pycaffe", "real-caffe", "docker"),
    "Understand": ("conventions", "how-it-works", "known-differences", "performance"),
    "Take part": ("add-a-layer", "decisions", "contributing", "changelog"),
}

FRONT = """# deepdream

Google's DeepDream of 2015, with Caffe's networks and Caffe's arithmetic, in plain Python on PyTorch.

![A dream of clouds: animals with fur and eyes grow out of a summer sky](images/dream.jpg)

* **You have photographs.** The [quick start](quickstart.md) needs one command and no other download.
* **You want to know how it works**, or teach it. The [walkthrough](walkthrough.ipynb) takes Google's
  notebook apart line by line; the [labs](labs.md) go on from there.
* **You have a notebook of 2015**, or a network of your own. It runs as it stands, and gives
  [what Caffe gave](known-differences.md).
"""

LABS = """# Labs

Four exercises with checks, for a course or for yourself, after the [walkthrough](walkthrough.ipynb).
Replace the lines that say it is your turn, and run the checks.

```{toctree}
:maxdepth: 1

labs/lab1_gradients
labs/lab2_octaves
labs/lab3_objectives
labs/lab4_layers
instructor
```
"""

GALLERY = """# Gallery

What the bundled network sees in one picture, layer by layer: `deepdream gallery` makes such a page of
any network and picture.

"""

API = """# Python

What `import deepdream` offers. Names of Caffe's own are under `deepdream.caffe`.

"""


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
    copy(ROOT / "README.md", folder / "quickstart.md", title="Quick start")
    copy(ROOT / "CONTRIBUTING.md", folder / "contributing.md")
    copy(ROOT / "CHANGELOG.md", folder / "changelog.md")
    copy(ROOT / "docs" / "labs" / "instructor.md", folder / "instructor.md")
    contents = "\n".join(
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in CONTENTS.items()
    )
    (folder / "index.md").write_text(FRONT + "\n" + contents, encoding="utf-8")
    (folder / "labs.md").write_text(LABS, encoding="utf-8")
    (folder / "api.md").write_text(API + api(), encoding="utf-8")
    notebooks(folder, quick)
    gallery(folder, quick)


def copy(page: Path, to: Path, title: str | None = None) -> None:
    """Copy a page, with links to where pages are on the site."""
    text = page.read_text(encoding="utf-8")
    if title is not None:
        text = re.sub(r"^# .*$", f"# {title}", text, count=1, flags=re.MULTILINE)

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        here = (page.parent / target).resolve()
        known = {
            ROOT / "README.md": "quickstart.md",
            ROOT / "CONTRIBUTING.md": "contributing.md",
            ROOT / "CHANGELOG.md": "changelog.md",
            ROOT / "docs" / "walkthrough.py": "walkthrough.ipynb",
            ROOT / "docs" / "labs" / "instructor.md": "instructor.md",
        }
        if here in known:
            place = known[here]
        elif (ROOT / "docs") in here.parents:
            place = here.relative_to(ROOT / "docs").as_posix()
        else:  # a file of the source: named, not linked
            return f"]({match[1]})"
        return f"]({place}{'#' + anchor if anchor else ''})"

    text = re.sub(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)", link, text)
    # What is left are files of the source, which the site does not have.
    outside = r"\[([^\]]*)\]\((?:\.\./|prototxt/|LICENSE|tests/|deepdream/)[^)\s]*\)"
    to.write_text(re.sub(outside, r"\1", text), encoding="utf-8")


def api() -> str:
    """Return the page of public names: each by autodoc."""
    import deepdream

    blocks = []
    for name in deepdream.__all__:
        if name == "caffe":
            continue
        kind = "autoexception" if name == "DeepDreamError" else "autofunction"
        blocks.append(f"```{{eval-rst}}\n.. {kind}:: deepdream.{name}\n```\n")
    return "\n".join(blocks)


def notebooks(folder: Path, quick: bool) -> None:
    """Write the walkthrough, run unless `quick`, and the labs as students get them."""
    import jupytext

    walkthrough = jupytext.read(ROOT / "docs" / "walkthrough.py")
    if not quick:
        import nbclient

        print("running the walkthrough ...")
        nbclient.NotebookClient(
            walkthrough, timeout=600, resources={"metadata": {"path": str(ROOT / "docs")}}
        ).execute()
    jupytext.write(walkthrough, folder / "walkthrough.ipynb", fmt="ipynb")
    (folder / "labs").mkdir()
    for source in make_labs.SOURCES:
        text = make_labs.stripped(source.read_text(encoding="utf-8"))
        notebook = jupytext.reads(text, fmt="py:percent")
        jupytext.write(notebook, folder / "labs" / f"{source.stem}.ipynb", fmt="ipynb")


def gallery(folder: Path, quick: bool) -> None:
    """Dream the bundled network's gallery, which goes on where it was interrupted, and show it."""
    made = ROOT / "build" / "gallery"
    text = GALLERY
    if quick and not (made / "index.html").is_file():
        text += "It is not part of a quick build.\n"
    else:
        if not quick:
            command = ["gallery", str(ROOT / "examples" / "clouds.jpg"), "-o", str(made),
                       "--width", "480", "--layers", LAYERS, "--octave-n", "2,4"]  # fmt: skip
            subprocess.run([sys.executable, "-m", "deepdream", *command], check=True, cwd=ROOT)
        text += (
            "The whole gallery, with both octave counts, a filter and a comparison with the input: "
            '<a href="gallery/index.html">open it</a>.\n\n'
        )
        shown = sorted(
            (made / "octaves-4").glob("block*_output.jpg"), key=lambda path: number(path)
        )
        for path in shown:
            place = folder / "images" / f"gallery_{path.name}"
            shutil.copy(path, place)
            layer = path.stem.replace("_", "/", 1)
            text += f"![A dream at {layer}](images/{place.name})\n\n{layer}\n\n"
    (folder / "gallery.md").write_text(text, encoding="utf-8")


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
    for name, make in make_docs.PAGES.items():
        text = make_docs.HEADER + "\n".join(make()).rstrip() + "\n"
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")
    sources = args.out.parent / f"{args.out.name}-sources"
    stage(sources, args.quick)
    status = build(sources, args.out)
    if status == 0:
        made = ROOT / "build" / "gallery"
        if (made / "index.html").is_file():
            shutil.copytree(made, args.out / "gallery", dirs_exist_ok=True)
        print(f"wrote {args.out / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
