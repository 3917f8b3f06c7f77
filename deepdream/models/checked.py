"""Which weights have been hashed and found right, so that not every start hashes them again.

VGG's 550 MB take seconds. ``checked.json`` beside the weights holds, for each file, the hashes that
it was compared with and its `deepdream.files.fingerprint` at that time. Whoever changes the file
changes the fingerprint, too; only decay on the disk does not, and `fetch_model` looks for that.

The table saves time and decides nothing: where it is damaged or cannot be written, files are
hashed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import WriteError
from ..files import fingerprint, replacing

TABLE = "checked.json"

Row = dict[str, Any]


def row_of(path: Path, hashes: Mapping[str, str]) -> Row | None:
    """Return what to note of a file, or None where there is nothing to go by.

    Parameters
    ----------
    path : Path
        The weights. Ask before they are hashed: what changes meanwhile is then not noted.
    hashes : mapping of str to str
        Algorithm to hex digits, what they are compared with.
    """
    seen = fingerprint(path)
    if seen is None or not hashes:
        return None
    return {"fingerprint": list(seen), "hashes": dict(hashes)}


def is_known(path: Path, row: Row | None) -> bool:
    """Tell whether a file has been found right, with the same hashes, and not changed since."""
    return row is not None and _table(path.parent).get(path.name) == row


def remember(path: Path, row: Row | None) -> None:
    """Note that a file has been found right; others' rows stay."""
    if row is None:
        return
    table = {**_table(path.parent), path.name: row}
    with contextlib.suppress(WriteError), replacing(path.parent / TABLE) as part:
        part.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _table(folder: Path) -> dict[str, Any]:
    """Return file name -> row, as far as it can be read."""
    try:
        table = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
