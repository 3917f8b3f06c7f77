"""The page of a gallery: one file that needs no network, no server and no other program.

Style, script and small pictures are inside; the full pictures are links to the files beside it,
or inside, too. One page can show several galleries: each number of octaves of each gallery is a
series, and pictures of the same layer share a card.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Optional
from urllib.parse import quote

from PIL import Image, features

from ..drawing.boxes import pair
from ..errors import ParameterError, WriteError
from ..files import replacing
from ..quiet import quiet
from ..version import __version__
from .captions import (
    Album,
    Series,
    count,
    describe_albums,
    distinct,
    find_series,
    is_one_layer,
    listed,
)
from .manifest import INPUT, NAME, PAGE, Entry, read_manifest
from .recreate import PICTURE, command_for, files_for
from .targets import LOW, MID, Target

_WIDTH = 400  # of thumbnails, pixels: columns are about half as wide, screens may be twice as fine
_QUALITY = 62

_FEW = 4  # series, and characters of their labels together, that a row of buttons has room for
_SHORT = 64

_MARK = '<meta name="generator" content="deepdream '  # tells a page of ours from another
_HEAD = 4096  # bytes of a page that the mark is within

_SECTIONS = {
    "low": ("Low", f"each position sees up to {LOW} pixels of the picture"),
    "mid": ("Middle", f"each position sees up to {MID} pixels"),
    "high": ("High", f"each position sees more than {MID} pixels"),
}


class Thumbnails:
    """Small pictures as data URLs, each read once for as long as its file stays the same."""

    def __init__(self) -> None:
        self._made: dict[tuple[Path, int, int], tuple[str, int, int]] = {}

    def get(self, path: Path) -> tuple[str, int, int]:
        """Return a data URL, and the width and height of the full picture.

        Raises
        ------
        OSError
            The file is gone, or damaged.
        """
        info = path.stat()
        key = path, info.st_mtime_ns, info.st_size
        if key not in self._made:
            self._made[key] = _thumbnail(path)
        return self._made[key]


def _thumbnail(path: Path) -> tuple[str, int, int]:
    try:
        with quiet(Image.DecompressionBombWarning), Image.open(path) as image:
            w, h = image.size
            small = min(w, _WIDTH), max(1, round(h * min(1, _WIDTH / w)))
            image.draft("RGB", small)
            shrunk = image.convert("RGB").resize(small, Image.Resampling.LANCZOS)
    # Pillow meets damage with whatever its parsing stumbles over.
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise OSError(f"'{path}' is damaged: {error}") from error
    form = "WEBP" if features.check("webp") else "JPEG"
    buffer = io.BytesIO()
    shrunk.save(buffer, form, quality=_QUALITY)
    return _data_url(buffer.getvalue(), f"image/{form.lower()}"), w, h


def _data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True)
class _Shot:
    """One picture on the page, or what stands in its place."""

    series: int
    target: Target
    entry: Optional[Entry]  # noqa: UP045 (a dataclass annotation is evaluated by Sphinx)


def write_page(
    albums: Sequence[Album],
    out: Path,
    *,
    embed: bool = False,
    thumbnails: Thumbnails | None = None,
) -> None:
    """Write the page of one gallery, or of several to compare.

    Parameters
    ----------
    albums : sequence of (Path, Manifest)
        Folders, and what they hold.
    out : Path
        The page. Links to pictures are relative to it.
    embed : bool
        Put the full pictures into the page, too.
    thumbnails : Thumbnails, optional
        Those of an earlier page, to make fewer.

    Raises
    ------
    WriteError
        The page cannot be written.
    """
    text = _Page(albums, out, embed, thumbnails or Thumbnails()).text()
    with replacing(out) as part:
        part.write_text(text, "utf-8")


class _Page:
    """One page while it is put together."""

    def __init__(
        self, albums: Sequence[Album], out: Path, embed: bool, thumbnails: Thumbnails
    ) -> None:
        self._albums, self._out, self._embed, self._thumbnails = albums, out, embed, thumbnails
        self._series: list[Series] = find_series(albums)
        self._one_layer = is_one_layer(albums)
        self._pictures: list[dict[str, Any]] = []

    def text(self) -> str:
        cards = self._cards()
        noun = "layers" if any(s[0].target.channel is None for s in cards) else "channels"
        sections = self._sections(cards)
        names = [name for name in _SECTIONS if f'<section id="{name}"' in sections]
        style = f"{_asset('style.css')}\n{self._ratios()}"
        script = _asset("page.js")
        told = describe_albums(self._albums)
        data = {
            "noun": noun,
            "pictures": self._pictures,
            "series": [{"label": s.label, "input": self._full(s.folder / INPUT)}
                       for s in self._series],
        }  # fmt: skip
        return Template(_asset("page.html")).substitute(
            policy="default-src 'none'; img-src 'self' file: data:; "
            f"style-src '{_integrity(style)}'; script-src '{_integrity(script)}'",
            version=escape(__version__),
            title=escape(told.title),
            lead=escape(told.lead),
            meta=escape(" · ".join(told.meta)),
            inputs=self._inputs(),
            jumps="".join(
                f'<a href="#{name}">{_SECTIONS[name][0]}</a>' for name in names if len(names) > 1
            ),
            switch=self._switch(),
            count=count(len(cards), noun[:-1]),
            albums="one" if len(self._albums) == 1 else "some",
            kind="several" if len(self._series) > 1 else "single",
            most=min(4, max(map(len, cards), default=1)),
            example="Filter: name, type, stride 16 …" if noun == "layers" else "Filter: channel 7",
            sections=sections,
            notes=self._notes(),
            style=style,
            data=_json(data),
            script=script,
        )

    # -- what is shown --------------------------------------------------------------------------

    def _cards(self) -> list[list[_Shot]]:
        """Return the shots of each card, cards in their order."""
        cards: dict[tuple[str, int | None], list[_Shot]] = {}
        for _, manifest in self._albums:
            for target in manifest.targets:
                cards.setdefault((target.layer, target.channel), [])
        for number, series in enumerate(self._series):
            for target in series.manifest.targets:
                key = target.layer, target.channel
                entry = series.manifest.entries.get((*key, series.octave_n))
                cards[key].append(_Shot(number, target, entry))
        return list(cards.values())

    def _sections(self, cards: list[list[_Shot]]) -> str:
        together = " together" if len(self._series) > 1 else ""
        above = False  # the facts of the layer, if there is only one
        number = 0
        made = []
        for name, (title, text) in _SECTIONS.items():
            within = [shots for shots in cards if shots[0].target.section == name]
            if not within:
                continue
            if self._one_layer:
                facts = distinct(_brief(shot.target) for shots in within for shot in shots)
                above = len(facts) == 1
                title, text = within[0][0].target.layer, facts[0] if above else ""
            items = "".join(self._card(number + at, s, above) for at, s in enumerate(within))
            number += len(within)
            made.append(
                f'<section id="{name}" aria-labelledby="{name}-title">'
                f'<h2 id="{name}-title">{_breakable(title)} <small>{escape(text)}</small></h2>\n'
                f'<ul class="grid{together}">{items}</ul></section>'
            )
        return "\n".join(made)

    def _card(self, number: int, shots: list[_Shot], above: bool) -> str:
        """Return a card; `above` says that the facts of its layer stand above all cards."""
        target = shots[0].target
        name = f"channel {target.channel}" if self._one_layer else _name(target)
        pictures = "".join(self._shot(number, shot) for shot in shots)
        told = ["" if above else _told(shot.target) for shot in shots]
        below = told[0]
        if len(set(told)) > 1:
            each = (f'<div data-series="{s.series}">{text}</div>' for s, text in zip(shots, told))
            below = f'<div class="each">{"".join(each)}</div>'
        return (
            f'\n<li class="card" id="card-{number}" data-shots="{min(4, len(shots))}">'
            f'<div class="shots">{pictures}</div><h3>{_breakable(name)}</h3>{below}</li>'
        )

    def _shot(self, card: int, shot: _Shot) -> str:
        series, target = self._series[shot.series], shot.target
        words = [target.layer, target.look, *(f"{term} {fact}" for term, fact in _facts(target))]
        if target.channel is not None:
            words.append(f"channel {target.channel}")
        return (
            f'<figure class="shot" data-series="{shot.series}" '
            f'data-words="{escape(" ".join(words).lower())}">{self._inside(card, shot)}'
            f"<figcaption>{_breakable(series.label)}</figcaption></figure>"
        )

    def _inside(self, card: int, shot: _Shot) -> str:
        """Return a picture, or why there is none."""
        entry = shot.entry
        if entry is None:
            return '<div class="absent">not made yet</div>'
        if entry.error:
            return f'<div class="absent"><strong>No picture</strong>{escape(entry.error)}</div>'
        path = self._series[shot.series].folder / entry.file
        if not path.is_file():
            return '<div class="absent">the file is not there any more</div>'
        if not entry.is_whole(path):
            return '<div class="absent">the file is damaged: the next run makes it again</div>'
        try:
            thumbnail, w, h = self._thumbnails.get(path)
        except OSError:
            return '<div class="absent">the file is damaged</div>'
        return self._picture(card, shot, thumbnail, w, h)

    def _picture(self, card: int, shot: _Shot, thumbnail: str, w: int, h: int) -> str:
        series, target, entry = self._series[shot.series], shot.target, shot.entry
        assert entry is not None
        manifest, number = series.manifest, len(self._pictures)
        source = self._full(series.folder / entry.file)
        name = _name(target)
        notes = [note[:1].upper() + note[1:] + "." for note in entry.notes]
        facts = [*_facts(target), ("Octaves", str(series.octave_n))]
        if entry.seconds:
            facts.append(("Time", _duration(entry.seconds)))
        if len(self._albums) > 1:
            facts.insert(0, ("Series", series.label))
        self._pictures.append({
            "card": card, "series": shot.series, "src": source, "width": w, "height": h,
            "name": name, "look": target.look, "facts": facts, "notes": " ".join(notes),
            "file": entry.file.rpartition("/")[2], "where": self._where(series),
            "command": command_for(
                manifest.settings, manifest.about, target, series.octave_n, entry.file
            ),
        })  # fmt: skip
        # A browser does not open data URLs from links.
        href = f"#card-{card}" if source.startswith("data:") else source
        alt = f"dream at {name}, {series.label}"
        return (
            f'<a class="open" href="{escape(href)}" data-picture="{number}">'
            f'<img src="{thumbnail}" alt="{escape(alt)}" width="{w}" height="{h}" decoding="async">'
            f'</a><button type="button" class="pick" data-picture="{number}" aria-pressed="false" '
            f'aria-label="Compare {escape(name)}, {escape(series.label)}" hidden>'
            '<span class="long">Compare</span><span class="short">⇄</span></button>'
        )

    def _where(self, series: Series) -> str:
        """Return where the command of a picture runs: the files that have to be there."""
        files = files_for(series.manifest.about)
        if not files:
            return "Run it in any folder."
        if files[0] != PICTURE:
            return f"Run it where {listed(files)} {'are' if len(files) > 1 else 'is'}."
        also = f" Run it where {listed(files)} are." if len(files) > 1 else ""
        return f"{PICTURE} stands for the picture that this gallery was made from.{also}"

    def _full(self, path: Path) -> str:
        """Return what leads from the page to a full picture."""
        if self._embed:
            kind = "image/png" if path.suffix == ".png" else "image/jpeg"
            return _data_url(path.read_bytes(), kind) if path.is_file() else ""
        relative = self._relative(path)
        return path.resolve().as_uri() if Path(relative).is_absolute() else quote(relative)

    def _relative(self, path: Path) -> str:
        """Return a path as seen from the page; absolute where no way leads there."""
        try:
            return Path(os.path.relpath(path, self._out.parent)).as_posix()
        except ValueError:  # another drive of Windows
            return str(path.resolve())

    # -- around it ------------------------------------------------------------------------------

    def _inputs(self) -> str:
        made = {}
        for folder, manifest in self._albums:
            key = manifest.settings["picture"]
            if key in made:
                continue
            try:
                thumbnail, w, h = self._thumbnails.get(folder / INPUT)
            except OSError:
                continue
            source = self._full(folder / INPUT)
            inner = (
                f'<img src="{thumbnail}" alt="the picture that all dreams began with" '
                f'width="{w}" height="{h}">'
            )
            if not source.startswith("data:"):
                inner = f'<a href="{escape(source)}">{inner}</a>'
            name = escape(str(manifest.about["picture"]))
            made[key] = f"<figure>{inner}<figcaption>The input: {name}</figcaption></figure>"
        return "".join(made.values())

    def _switch(self) -> str:
        if len(self._series) < 2:
            return ""
        choices = [(number, series.label) for number, series in enumerate(self._series)]
        choices.append((-1, "side by side"))
        length = sum(len(label) for _, label in choices)
        if len(self._series) > _FEW or length > _SHORT:
            options = "".join(f'<option value="{n}">{escape(label)}' for n, label in choices)
            return (
                '<label class="switch"><span class="hidden">Which pictures</span>'
                f'<select id="series">{options}</select></label>'
            )
        labels = "".join(
            f'<label><input type="radio" name="series" value="{number}">{escape(label)}</label>'
            for number, label in choices
        )
        return (
            f'<fieldset class="switch"><legend class="hidden">Which pictures</legend>{labels}'
            "</fieldset>"
        )

    def _notes(self) -> str:
        shown = {target.layer for _, manifest in self._albums for target in manifest.targets}
        left_out = [
            name
            for name in distinct(n for _, m in self._albums for n in m.about["left_out"])
            if name not in shown  # as in another network
        ]
        if not left_out:
            return ""
        return (
            "<p>Not here, because they have no rows and columns to dream on: "
            f"{escape(', '.join(left_out))}.</p>"
        )

    def _ratios(self) -> str:
        """Return the style that gives what stands for a missing picture the shape of one."""
        sizes = [series.manifest.about["size"] for series in self._series]
        return "\n".join(
            f'[data-series="{number}"] {{ --ratio: {int(w)} / {int(h)}; }}'
            for number, (w, h) in enumerate(sizes)
        )


def _name(target: Target) -> str:
    return target.layer if target.channel is None else f"{target.layer}, channel {target.channel}"


def _facts(target: Target) -> list[tuple[str, str]]:
    """Return what is known of a layer, as terms and values."""
    shape = "not at this size" if target.shape is None else "×".join(map(str, target.shape))
    return [
        ("Type", target.type),
        ("Blob", shape),
        ("Stride", pair(target.stride)),
        ("Sees", f"{pair(target.field)} pixels"),
    ]


def _brief(target: Target) -> str:
    return " · ".join(_brief_parts(target))


def _brief_parts(target: Target) -> list[str]:
    shape = [] if target.shape is None else ["×".join(map(str, target.shape))]
    return [target.type, *shape, f"stride {pair(target.stride)}", f"sees {pair(target.field)} px"]


def _told(target: Target) -> str:
    """Return what a card tells of a layer."""
    look = f'<p class="look">{escape(target.look)}</p>' if target.look else ""
    brief = " ".join(f"<span>{escape(fact)}</span>" for fact in _brief_parts(target))
    return f'{look}<p class="facts">{brief}</p>'


def _duration(seconds: float) -> str:
    if seconds < 0.1:
        return "under 0.1 s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _breakable(name: str) -> str:
    """Return a name as HTML that may be broken behind slashes and underscores."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")


def _json(data: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@functools.cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8").strip()


def _integrity(text: str) -> str:
    """Return what a content security policy knows a style or a script by."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def compare_galleries(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    embed: bool = False,
) -> Path:
    """Write one page for several galleries: two networks, two pictures, two numbers of octaves.

    Parameters
    ----------
    folders : sequence of str or PathLike
        Two or more, as `gallery` has made them.
    out : str or PathLike
        The page; its pictures stay where they are.
    embed : bool
        Put the full pictures into the page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    MissingFileError, ParameterError
        A folder holds no gallery, or a damaged one, or is given twice; `out` is no name of a page,
        or the name of something else.
    WriteError
        The page cannot be written.
    """
    albums = _opened(folders)
    path = Path(out)
    _check_out(path)
    write_page(albums, path, embed=embed)
    return path


def _opened(folders: Sequence[str | os.PathLike[str]]) -> list[Album]:
    """Return galleries, none of them twice."""
    albums: list[Album] = []
    known: set[Path] = set()
    for folder in map(Path, folders):
        manifest = read_manifest(folder)
        if folder.resolve() in known:
            raise ParameterError(f"'{folder}' is given twice: name each gallery once")
        known.add(folder.resolve())
        albums.append((folder, manifest))
    return albums


def _check_out(path: Path) -> None:
    """Refuse to write a page over something else, which could be a picture."""
    if path.is_dir():
        raise WriteError(f"'{path}' is a folder: give the name of a file, as compare.html")
    if path.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(
            f"'{path}' is no name for a page, which ends in .html: give one, as compare.html"
        )
    if path.name.lower() == PAGE and (path.parent / NAME).exists():
        raise ParameterError(
            f"'{path}' is the page of the gallery in that folder: choose another name, as "
            "compare.html"
        )
    if path.is_file() and not _is_ours(path):
        raise ParameterError(
            f"'{path}' is there already, and deepdream has not made it: choose another name, or "
            "delete it"
        )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK.encode() in file.read(_HEAD)
