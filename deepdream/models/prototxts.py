"""Where the prototxts of registered networks lie."""

from __future__ import annotations

from pathlib import Path

from ..errors import MissingFileError
from .registry import ModelEntry


def prototxt_path(entry: ModelEntry) -> Path:
    """Return the path of a registered network's ``deploy.prototxt``.

    It lies in ``deepdream/prototxt`` of an installed package, and in ``prototxt`` beside the
    package in a checkout.

    Raises
    ------
    MissingFileError
        It is in neither place: the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "prototxt", package.parent / "prototxt"):
        path = folder / entry.prototxt
        if path.is_file():
            return path
    raise MissingFileError(
        f"'{entry.prototxt}' is missing from this installation of deepdream; install it again."
    )
