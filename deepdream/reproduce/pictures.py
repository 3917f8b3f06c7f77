"""The files that a work needs: weights, pictures, and the published picture to compare with.

They come from the cache or the internet. Where they cannot be had, the message names each of them
with its place, its address and its hash, for people who carry them there by hand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DownloadError
from ..files import file_hash, make_folder, replacing
from ..models.cache import (
    cache_folder,
    expected_hashes,
    fetch_model,
    find_model,
    weights_path,
)
from ..models.download import ARCHIVES, fetch, strongest
from ..models.registry import ModelEntry
from .works import NOTEBOOK, File, Work

NOTEBOOK_FILE = "dream.ipynb"

_log = logging.getLogger(__name__)


def picture_folder() -> Path:
    """Return the folder of pictures in the user's cache; nothing is created."""
    return cache_folder() / "pictures"


def published_path(work: Work) -> Path:
    """Return where the published picture of a work is kept, whether it is there or not."""
    return picture_folder() / f"{work.published[:12]}_published.jpg"


def gather(work: Work, progress: bool = True) -> dict[str, Path]:
    """Make sure that the weights and pictures of a work are there.

    Parameters
    ----------
    work : Work
    progress : bool
        Show bars while downloading.

    Returns
    -------
    dict of str to Path
        ``weights``, ``picture``, and ``guide`` where there is one.

    Raises
    ------
    DownloadError
        Some are missing, or others than they should be, and cannot be fetched: the message names
        every one of them, with the place to put it, and what is needed to compare.

    Notes
    -----
    Weights come by `fetch_model`, which hashes them and, where nobody has published a hash, pins
    that of the first file, put there by hand or not.
    """
    paths, missing = {}, []
    entry = find_model(work.model)
    try:
        paths["weights"] = fetch_model(entry, progress=progress)
    except DownloadError as error:
        _log.info(str(error))
        missing.append(_missing_weights(entry))
    files = {"picture": work.picture, **({"guide": work.guide} if work.guide else {})}
    for what, file in files.items():
        try:
            paths[what] = find_picture(file, progress)
        except DownloadError as error:
            _log.info(str(error))
            place = picture_folder() / file.name
            missing.append(
                _missing(place, f"{file.size:,} bytes", {"sha256": file.sha256}, f"from {file.url}")
            )
    if missing:
        count = "this file is" if len(missing) == 1 else "these files are"
        optional = ""
        if work.published and _embedded_in_cache(work) is None:
            optional = f"\nTo compare with the published picture (optional):\n{_to_compare(work)}"
        raise DownloadError(
            f"'{work.name}' cannot be made yet: {count} missing or wrong and could not be fetched "
            "(--verbose says why). Put there:\n" + "\n".join(missing) + optional
        )
    return paths


def _missing(place: Path, size: str, hashes: Mapping[str, str], *sources: str) -> str:
    """Return the lines about one file: its place, what is wrong with it, how to know it."""
    known = strongest(hashes)
    digits = f"{known[0]} {known[1]}" if known else "no hash is published"
    lines = [f"  {place}"]
    if place.is_file():
        kind = known[0] if known else "sha256"
        lines.append(
            f"    is there, but wrong: {place.stat().st_size:,} bytes, {kind} "
            f"{file_hash(place, kind)}; replace it"
        )
    lines.append(f"    expected: {size + ', ' if size else ''}{digits}")
    return "\n".join([*lines, *(f"    {source}" for source in sources)])


def _missing_weights(entry: ModelEntry) -> str:
    sources = []
    for word, url in zip(("from", "or"), entry.urls):
        inside = ""
        if url.endswith(ARCHIVES):
            archive = url.rsplit("/", 1)[-1]
            inside = (
                f"\n      the file lies inside this archive; 'deepdream models add {archive}' "
                "puts it there"
            )
        sources.append(f"{word} {url}{inside}")
    hashes = expected_hashes(entry)
    if hashes and not entry.hashes:
        sources.append(
            "the hash is that of the first file here, from pins.json: nobody has published one"
        )
    size = f"{entry.least_size:,} bytes" + (" or more" if entry.size is None else "")
    return _missing(weights_path(entry), size, hashes, *sources)


def _to_compare(work: Work) -> str:
    """Return the lines about the notebook and the picture in it: either is enough."""
    notebook = picture_folder() / NOTEBOOK_FILE
    wrong = "    is there, but does not hold the picture; replace it\n" * notebook.is_file()
    return (
        f"  {notebook}\n{wrong}"
        f"    Google's notebook with its outputs, from {NOTEBOOK}{NOTEBOOK_FILE}\n"
        f"  or, the picture alone,\n{_picture_alone(work)}"
    )


def _picture_alone(work: Work) -> str:
    return _missing(published_path(work), "", {"sha256": work.published})


def find_picture(file: File, progress: bool = True) -> Path:
    """Return a picture's path in the cache after making sure that it is there and right.

    Raises
    ------
    DownloadError
        It is missing or another one, and could not be fetched.
    """
    path = picture_folder() / file.name
    if not path.is_file() or file_hash(path) != file.sha256:
        fetch([file.url], path, file.size, {"sha256": file.sha256}, progress)
    return path


def find_published(work: Work, progress: bool = True) -> Path | None:
    """Return the published picture, taken out of Google's notebook; None where none is known.

    Raises
    ------
    DownloadError
        The notebook is not in the cache and cannot be fetched, or does not hold the picture.
    """
    if not work.published:
        return None
    path = published_path(work)
    if path.is_file() and file_hash(path) == work.published:
        return path
    notebook = picture_folder() / NOTEBOOK_FILE
    if not notebook.is_file():
        try:
            fetch([NOTEBOOK + NOTEBOOK_FILE], notebook, progress=progress)
        except DownloadError as error:
            _log.info(str(error))
            raise DownloadError(
                "it is not in the cache, and the notebook that holds it could not be fetched "
                f"(--verbose says why). To compare, put there:\n{_to_compare(work)}"
            ) from error
    data = _embedded_in_cache(work)
    if data is None:
        raise DownloadError(
            f"'{notebook}' does not hold the published picture (sha256 {work.published[:12]}...): "
            "it is not Google's dream.ipynb with its outputs. Delete it, and it is fetched again; "
            f"or put the picture alone there:\n{_picture_alone(work)}"
        )
    make_folder(path.parent)
    with replacing(path) as part:
        part.write_bytes(data)
    return path


def _embedded_in_cache(work: Work) -> bytes | None:
    """Return the published picture from the notebook in the cache, or from its own place."""
    path = published_path(work)
    if path.is_file() and file_hash(path) == work.published:
        return path.read_bytes()
    try:
        text = (picture_folder() / NOTEBOOK_FILE).read_text(encoding="utf-8")
        notebook = json.loads(text)
    # Missing, no UTF-8, no JSON (the page that GitHub shows, say), or JSON of a prankster.
    except (OSError, ValueError, RecursionError):
        return None
    for data in embedded(notebook):
        if hashlib.sha256(data).hexdigest() == work.published:
            return data
    return None


def embedded(node: Any) -> Iterator[bytes]:
    """Yield the JPEG pictures in a notebook of any version."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("jpeg", "image/jpeg"):
                try:
                    yield base64.b64decode("".join(value) if isinstance(value, list) else value)
                except (ValueError, TypeError):
                    continue
            else:
                yield from embedded(value)
    elif isinstance(node, list):
        for value in node:
            yield from embedded(value)


def describe_files(work: Work, files: Mapping[str, Path]) -> list[str]:
    """Return a line for each file: what it is, its licence, its hash.

    Parameters
    ----------
    work : Work
    files : mapping
        From `gather`.
    """
    entry = find_model(work.model)
    licence = f"licence: {entry.licence}"
    if entry.non_commercial:
        licence += " (NOT for commercial use)"
    known = "" if entry.hashes or entry.bundled else " (nobody has published a hash)"
    weights = files["weights"]
    lines = [f"network: {weights.name}, {licence}, sha256 {file_hash(weights)}{known}"]
    pictures = {"picture": work.picture, **({"guide": work.guide} if work.guide else {})}
    for what, file in pictures.items():
        lines.append(f"{what}: {file.name}, {file.licence}, sha256 {file_hash(files[what])}")
    return lines
