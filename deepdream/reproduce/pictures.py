"""The pictures that a work needs, from the cache or the internet."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CaffemodelError, DownloadError
from ..files import file_hash, make_folder, replacing
from ..models.cache import (
    bundled_weights,
    cache_folder,
    check_weights,
    expected_hashes,
    fetch_model,
    find_model,
    find_weights,
    weights_path,
)
from ..models.download import fetch
from .works import NOTEBOOK, File, Work

NOTEBOOK_FILE = "dream.ipynb"


def picture_folder() -> Path:
    """Return the folder of pictures in the user's cache; nothing is created."""
    return cache_folder() / "pictures"


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
        Some are missing and cannot be fetched: the message names every one of them, with the place
        to put it.
    """
    paths, missing = {}, []
    try:
        paths["weights"] = _weights(work, progress)
    except DownloadError:
        entry = find_model(work.model)
        hashes = "".join(f", {kind} {digits}" for kind, digits in expected_hashes(entry).items())
        missing.append(f"  {weights_path(entry)}\n    from {entry.urls[0]}{hashes}")
    files = {"picture": work.picture, **({"guide": work.guide} if work.guide else {})}
    for what, file in files.items():
        try:
            paths[what] = find_picture(file, progress)
        except DownloadError:
            place = picture_folder() / file.name
            missing.append(f"  {place}\n    from {file.url}, sha256 {file.sha256}")
    if missing:
        count = "this file is" if len(missing) == 1 else "these files are"
        raise DownloadError(
            f"'{work.name}' cannot be made yet: {count} missing and could not be fetched. Put "
            "there:\n" + "\n".join(missing)
        )
    return paths


def _weights(work: Work, progress: bool) -> Path:
    entry = find_model(work.model)
    if entry.bundled:
        return bundled_weights()
    path = find_weights(entry)
    if path is not None:
        try:
            check_weights(entry, path)
            return path
        except CaffemodelError:
            pass  # fetch_model tells of it, and gets another
    return fetch_model(entry, progress=progress)


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
    path = picture_folder() / f"{work.published[:12]}_published.jpg"
    if path.is_file() and file_hash(path) == work.published:
        return path
    notebook = picture_folder() / NOTEBOOK_FILE
    if not notebook.is_file():
        fetch([NOTEBOOK + NOTEBOOK_FILE], notebook, progress=progress)
    for data in embedded(json.loads(notebook.read_text(encoding="utf-8"))):
        if hashlib.sha256(data).hexdigest() == work.published:
            make_folder(path.parent)
            with replacing(path) as part:
                part.write_bytes(data)
            return path
    raise DownloadError(
        f"'{notebook}' does not hold the published picture (sha256 {work.published[:12]}...): "
        "it is not Google's dream.ipynb with its outputs. Delete it, and it is fetched again."
    )


def embedded(node: Any) -> Iterator[bytes]:
    """Yield the JPEG pictures in a notebook of any version."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("jpeg", "image/jpeg"):
                text = "".join(value) if isinstance(value, list) else value
                try:
                    yield base64.b64decode(text)
                except (binascii.Error, TypeError):
                    continue
            else:
                yield from embedded(value)
    elif isinstance(node, list):
        for value in node:
            yield from embedded(value)
