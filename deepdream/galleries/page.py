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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Optional
from urllib.parse import quote

from PIL import Image, features

from ..drawing.boxes import pair
from ..errors import WriteError
from ..files import replacing
from ..version import __version__
from .manifest import INPUT, Entry, Manifest
from .recreate import command_for
from .targets import LOW, MID, Target

_WIDTH = 400  # of thumbnails, pixels: columns are about half as wide, screens may be twice as fine
_QUALITY = 62

_SECTIONS = {
    "low": ("Low", f"each position sees up to {LOW} pixels of the picture: edges, strokes"),
    "mid": ("Middle", f"up to {MID} pixels: patterns, ornament, parts"),
    "high": ("High", f"more than {MID} pixels: parts of things, and whole ones"),
}

Album = tuple[Path, Manifest]


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
    with Image.open(path) as image:
        w, h = image.size
        small = min(w, _WIDTH), max(1, round(h * min(1, _WIDTH / w)))
        image.draft("RGB", small)
        shrunk = image.convert("RGB").resize(small, Image.Resampling.LANCZOS)
    form = "WEBP" if features.check("webp") else "JPEG"
    buffer = io.BytesIO()
    shrunk.save(buffer, form, quality=_QUALITY)
    return _data_url(buffer.getvalue(), f"image/{form.lower()}"), w, h


def _data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True)
class _Series:
    """The pictures of one gallery with one number of octaves."""

    folder: Path
    manifest: Manifest
    octave_n: int
    label: str


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
        self._series = _series(albums)
        self._pictures: list[dict[str, Any]] = []

    def text(self) -> str:
        cards = self._cards()
        targets = [shots[0].target for shots in cards]
        noun = "layers" if any(target.channel is None for target in targets) else "channels"
        one_layer = noun == "channels" and len({target.layer for target in targets}) == 1
        sections = self._sections(cards, one_layer)
        names = [name for name in _SECTIONS if f'<section id="{name}"' in sections]
        style = _asset("style.css").replace(":root {", f":root {{\n  --ratio: {self._ratio()};", 1)
        script = _asset("page.js")
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
            title=escape(self._title()),
            lead=escape(_lead(one_layer)),
            meta=escape(self._meta(f"{len(cards)} {noun}")),
            inputs=self._inputs(),
            jumps="".join(
                f'<a href="#{name}">{_SECTIONS[name][0]}</a>' for name in names if len(names) > 1
            ),
            switch=self._switch(),
            count=f"{len(cards)} {noun}",
            kind="several" if len(self._series) > 1 else "single",
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

    def _sections(self, cards: list[list[_Shot]], one_layer: bool) -> str:
        made = []
        for name, (title, text) in _SECTIONS.items():
            within = [shots for shots in cards if shots[0].target.section == name]
            if not within:
                continue
            if one_layer:
                target = within[0][0].target
                title, text = target.layer, " · ".join(_brief(target))
            items = "".join(self._card(shots, one_layer) for shots in within)
            made.append(
                f'<section id="{name}" aria-labelledby="{name}-title">'
                f'<h2 id="{name}-title">{escape(title)} <small>{escape(text)}</small></h2>\n'
                f'<ul class="grid">{items}</ul></section>'
            )
        return "\n".join(made)

    def _card(self, shots: list[_Shot], one_layer: bool) -> str:
        target = shots[0].target
        facts = _facts(target)
        words = [target.layer, target.look, *(f"{term} {fact}" for term, fact in facts)]
        if target.channel is not None:
            words.append(f"channel {target.channel}")
        name = f"channel {target.channel}" if one_layer else ""
        pictures = "".join(self._shot(shot) for shot in shots)
        look = f'<p class="look">{escape(target.look)}</p>' if target.look and not one_layer else ""
        brief = " ".join(f"<span>{escape(fact)}</span>" for fact in _brief(target))
        below = "" if one_layer else f'<p class="facts">{brief}</p>'
        return (
            f'\n<li class="card" id="{escape(target.stem)}" '
            f'data-words="{escape(" ".join(words).lower())}">'
            f'<div class="shots">{pictures}</div>'
            f"<h3>{_breakable(name or _name(target))}</h3>{look}{below}</li>"
        )

    def _shot(self, shot: _Shot) -> str:
        series = self._series[shot.series]
        entry = shot.entry
        inner = ""
        if entry is None:
            inner = '<div class="absent">not made yet</div>'
        elif entry.error:
            inner = f'<div class="absent"><strong>No picture</strong>{escape(entry.error)}</div>'
        else:
            try:
                thumbnail, w, h = self._thumbnails.get(series.folder / entry.file)
            except OSError:
                inner = '<div class="absent">the file is not there any more</div>'
            else:
                inner = self._picture(shot, thumbnail, w, h)
        return (
            f'<figure class="shot" data-series="{shot.series}">{inner}'
            f"<figcaption>{escape(series.label)}</figcaption></figure>"
        )

    def _picture(self, shot: _Shot, thumbnail: str, w: int, h: int) -> str:
        series, target, entry = self._series[shot.series], shot.target, shot.entry
        assert entry is not None
        manifest, number = series.manifest, len(self._pictures)
        source = self._full(series.folder / entry.file)
        name = _name(target)
        notes = [note[:1].upper() + note[1:] + "." for note in entry.notes]
        facts = [*_facts(target), ("Octaves", str(series.octave_n)),
                 ("Time", f"{entry.seconds:.1f} s")]  # fmt: skip
        if len(self._albums) > 1:
            facts.insert(0, ("Network", manifest.settings["network"]["name"]))
        self._pictures.append({
            "card": target.stem, "series": shot.series, "src": source, "width": w, "height": h,
            "name": name, "look": target.look, "facts": facts, "notes": " ".join(notes),
            "file": entry.file.rpartition("/")[2], "where": _where(manifest.about["input"]),
            "command": command_for(
                manifest.settings, manifest.about, target, series.octave_n, entry.file
            ),
        })  # fmt: skip
        # A browser does not open data URLs from links.
        href = f"#{quote(target.stem)}" if source.startswith("data:") else source
        alt = f"dream at {name}, {series.label}"
        return (
            f'<a class="open" href="{escape(href)}" data-picture="{number}">'
            f'<img src="{thumbnail}" alt="{escape(alt)}" width="{w}" height="{h}" decoding="async">'
            f'</a><button type="button" class="pick" data-picture="{number}" aria-pressed="false" '
            f'aria-label="Compare {escape(name)}, {escape(series.label)}" hidden>'
            '<span class="long">Compare</span><span class="short">⇄</span></button>'
        )

    def _full(self, path: Path) -> str:
        """Return what leads from the page to a full picture."""
        if self._embed:
            kind = "image/png" if path.suffix == ".png" else "image/jpeg"
            return _data_url(path.read_bytes(), kind) if path.is_file() else ""
        try:
            relative = os.path.relpath(path, self._out.parent)
        except ValueError:  # another drive of Windows
            return path.resolve().as_uri()
        return quote(Path(relative).as_posix())

    # -- around it ------------------------------------------------------------------------------

    def _title(self) -> str:
        titles = list(dict.fromkeys(str(m.about["title"]) for _, m in self._albums))
        if len(titles) == 1:
            return titles[0]
        networks = _distinct(m.settings["network"]["name"] for _, m in self._albums)
        return " and ".join(networks if len(networks) > 1 else titles)

    def _meta(self, count: str) -> str:
        first = self._albums[0][1]
        parameters, (w, h) = first.settings["parameters"], first.about["size"]
        octaves = " and ".join(map(str, sorted({series.octave_n for series in self._series})))
        parts = [count, f"{w} × {h} pixels", f"{octaves} octaves",
                 f"{parameters['iter_n']} steps of {parameters['step_size']:g}",
                 f"seed {first.settings['seed']}"]  # fmt: skip
        return " · ".join(parts)

    def _inputs(self) -> str:
        made = {}
        for folder, manifest in self._albums:
            key = manifest.settings["picture"]
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
        labels = "".join(
            f'<label><input type="radio" name="series" value="{number}">{escape(label)}</label>'
            for number, label in [*choices, (-1, "side by side")]
        )
        return (
            f'<fieldset class="switch"><legend class="hidden">Which pictures</legend>{labels}'
            "</fieldset>"
        )

    def _notes(self) -> str:
        left_out = _distinct(name for _, m in self._albums for name in m.about["left_out"])
        if not left_out:
            return ""
        return (
            "<p>Not here, because they have no rows and columns to dream on: "
            f"{escape(', '.join(left_out))}.</p>"
        )

    def _ratio(self) -> str:
        w, h = self._albums[0][1].about["size"]
        return f"{int(w)} / {int(h)}"


def _series(albums: Sequence[Album]) -> list[_Series]:
    """Return the series of the page, each with a label that no other has."""
    found = [(folder, manifest, n) for folder, manifest in albums for n in manifest.octaves]
    words: dict[str, list[str]] = {
        "network": [m.settings["network"]["name"] for _, m, _ in found],
        "octaves": [f"{n} octaves" if n > 1 else "1 octave" for _, _, n in found],
        "picture": [str(m.about["picture"]) for _, m, _ in found],
        "seed": [f"seed {m.settings['seed']}" for _, m, _ in found],
    }
    differ = [values for values in words.values() if len(set(values)) > 1] or [words["octaves"]]
    labels = [", ".join(parts) for parts in zip(*differ)]
    if len(set(labels)) < len(labels):  # they differ in something else: their folders tell
        labels = [f"{label}, {f.resolve().name}" for label, (f, _, _) in zip(labels, found)]
    return [_Series(*series, label) for series, label in zip(found, labels)]


def _lead(one_layer: bool) -> str:
    if one_layer:
        return (
            "All dreams began with the same picture. Each was changed step by step so that one "
            "channel of the layer grows, and with it the feature that it has learnt to look for."
        )
    return (
        "All dreams began with the same picture. Each was changed step by step so that one layer "
        "of the network sees more of what it has learnt to see: strokes in the first layers, whole "
        "things in the last."
    )


def _name(target: Target) -> str:
    return target.layer if target.channel is None else f"{target.layer}, channel {target.channel}"


def _facts(target: Target) -> list[tuple[str, str]]:
    """Return what is known of a layer, as terms and values."""
    shape = "too small a picture" if target.shape is None else "×".join(map(str, target.shape))
    return [
        ("Type", target.type),
        ("Blob", shape),
        ("Stride", pair(target.stride)),
        ("Sees", f"{pair(target.field)} pixels"),
    ]


def _brief(target: Target) -> list[str]:
    shape = [] if target.shape is None else ["×".join(map(str, target.shape))]
    return [target.type, *shape, f"stride {pair(target.stride)}", f"sees {pair(target.field)} px"]


def _where(name: str) -> str:
    if name == INPUT:
        return f"Run it in this gallery's folder, where {INPUT} is."
    return f"Run it where {name} is."


def _breakable(name: str) -> str:
    """Return a name as HTML that may be broken behind slashes and underscores."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(map(str, values)))


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
        A folder holds no gallery, or a damaged one.
    WriteError
        The page cannot be written.
    """
    from .manifest import read_manifest

    albums = [(Path(folder), read_manifest(folder)) for folder in folders]
    path = Path(out)
    if path.is_dir():
        raise WriteError(f"'{path}' is a folder: give the name of a file, as compare.html")
    write_page(albums, path, embed=embed)
    return path
