"""The weights files on this machine.

One flat folder holds weights under their published names, and ``pins.json``: the sha256 of first
downloads for which nobody has published a hash. The folder is made when something is stored, not
when the package is imported. What should be in it is in `registry`; `fetch_model` and `add_model`
put it there, `check_weights` compares, and `checked` remembers that it did.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..errors import (
    CaffemodelError,
    DownloadError,
    MissingFileError,
    ParameterError,
    UnknownModelError,
    WriteError,
    nearest,
)
from ..files import file_hash, replacing
from . import checked
from .download import ARCHIVES, describe, extract, fault, fetch, make_room
from .registry import ALIASES, MODELS, ModelEntry, plain

FileName = Union[str, "os.PathLike[str]"]


def cache_folder() -> Path:
    """Return the folder that holds weights: ``$DEEPDREAM_HOME``, or the user's cache folder.

    Nothing is created.
    """
    home = os.environ.get("DEEPDREAM_HOME")
    if home:
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("deepdream"))


def find_model(name: str) -> ModelEntry:
    """Return the entry of a registered network.

    Parameters
    ----------
    name : str
        Its name or an alias (``"bvlc_googlenet"``, ``"VGG-16"``). Case and punctuation do not
        count.

    Returns
    -------
    ModelEntry
        What is known of it.

    Raises
    ------
    UnknownModelError
        There is none of that name. Also a KeyError.
    """
    known = ALIASES.get(plain(name))
    if known is None:
        words = [*MODELS, *(alias for entry in MODELS.values() for alias in entry.aliases)]
        raise UnknownModelError(
            f"No model is called '{name}'.{nearest(name.lower(), words)}\n"
            f"Known: {', '.join(MODELS)}. Your own: load_net('deploy.prototxt', 'x.caffemodel')."
        )
    return MODELS[known]


def weights_path(entry: ModelEntry) -> Path:
    """Return where the weights of a network are kept, whether they are there or not."""
    return cache_folder() / entry.weights_file


def find_weights(entry: ModelEntry) -> Path | None:
    """Return the path of a network's weights if they are in the cache, else None."""
    path = weights_path(entry)
    return path if path.is_file() else None


def _pins() -> dict[str, str]:
    """Read file name -> sha256 of first downloads."""
    path = cache_folder() / "pins.json"
    try:
        pins = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"'{path}' cannot be read ({error}). It remembers the hashes of first downloads; "
            "delete it to start anew."
        ) from error
    if not isinstance(pins, dict):
        raise DownloadError(f"'{path}' holds no table of hashes; delete it to start anew.")
    return {str(name): str(digits) for name, digits in pins.items()}


def _pin(name: str, digits: str) -> None:
    """Remember the sha256 of a file; others' entries stay."""
    path = cache_folder() / "pins.json"
    pins = {**_pins(), name: digits}
    with replacing(path) as part:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def expected_hashes(entry: ModelEntry) -> Mapping[str, str]:
    """Return the published hashes of a network's weights, else the one of its first download."""
    if entry.hashes:
        return entry.hashes
    pin = _pins().get(entry.weights_file)
    return {"sha256": pin} if pin else {}


def check_weights(entry: ModelEntry, path: Path, *, anew: bool = False) -> None:
    """Raise where a weights file is not the one its entry describes.

    Parameters
    ----------
    entry : ModelEntry
    path : Path
        The file.
    anew : bool
        Hash it even where it has been found right before and has not changed since.

    Raises
    ------
    CaffemodelError
        Another size or hash than published, or than the first download had.
    """
    hashes = expected_hashes(entry)
    row = checked.row_of(path, hashes)
    if not anew and checked.is_known(path, row):
        return
    wrong = _fault(entry, path)
    if wrong is None:
        checked.remember(path, row)
        return
    if hashes and not entry.hashes:
        raise CaffemodelError(
            f"'{path}' has changed since it was first downloaded: {wrong}.\n"
            "If the change is yours, remove the file and its line in pins.json beside it, then run "
            f"deepdream models add FILE. If not, run: deepdream models fetch {entry.name}"
        )
    raise CaffemodelError(
        f"'{path}' is not the file that is published for {entry.name}: {wrong}.\n"
        f"Get it anew with: deepdream models fetch {entry.name}"
    )


def fetch_model(name: str | ModelEntry, *, progress: bool = True) -> Path:
    """Make sure that a network's weights are in the cache and right; download them if not.

    Parameters
    ----------
    name : str or ModelEntry
        Which one.
    progress : bool
        Show a bar while downloading, if standard error is a terminal.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    UnknownModelError
        No such model.
    DownloadError
        No address gave the right file.
    WriteError
        The cache cannot be written, or the disk is full.

    Notes
    -----
    Where no hash is published, the sha256 of the first download is remembered in ``pins.json``
    and every later one has to match it.
    """
    entry = name if isinstance(name, ModelEntry) else find_model(name)
    if entry.bundled:
        return bundled_weights()
    path = weights_path(entry)
    if path.is_file():
        try:
            check_weights(entry, path, anew=True)
        except CaffemodelError as error:
            warnings.warn(f"{str(error).splitlines()[0]} Downloading it again.", stacklevel=2)
        else:
            if not expected_hashes(entry):  # somebody put the file there by hand
                _pin(entry.weights_file, file_hash(path))
            return path
    hashes = expected_hashes(entry)
    try:
        with _told_of_home():
            fetch(entry.urls, path, entry.size, hashes, progress, least=entry.least_size)
    except DownloadError as error:
        if not hashes or entry.hashes:
            raise
        raise DownloadError(
            f"{error}\nThe hash is that of the first download on this machine, in "
            f"'{path.parent / 'pins.json'}': nobody has published one."
        ) from error
    if not hashes:
        _pin(entry.weights_file, file_hash(path))
    return path


def bundled_weights() -> Path:
    """Return the bundled network's weights in Caffe's format, converting them on first use."""
    from . import bundled

    return bundled.bundled_caffemodel(cache_folder())


def add_model(file: FileName, name: str | None = None) -> Path:
    """Copy weights that are already on disk into the cache.

    Parameters
    ----------
    file : str or PathLike
        A ``.caffemodel`` that the registry knows, under any name, or the ``.tar.gz`` that holds
        one. It is recognised by its hash; weights for which no hash is known, by size or name.
    name : str, optional
        Which model it is, where the file alone does not tell.

    Returns
    -------
    Path
        Its place in the cache.

    Raises
    ------
    MissingFileError
        No such file.
    CaffemodelError
        It is none of the registered weights, or not those of `name`. Other weights need no
        registration: give them to `load_net`.
    WriteError
        The cache cannot be written, or the disk is full.
    """
    source = Path(file).expanduser()
    if not source.is_file():
        raise MissingFileError(f"There is no file '{source}' to add.")
    wanted = None if name is None else find_model(name)
    if wanted is not None and wanted.bundled:
        raise ParameterError(f"{wanted.name} comes with the package; there is nothing to add.")
    if source.name.endswith(ARCHIVES):
        return _add_archive(source, wanted)
    entry = _recognise(source, wanted)
    path = weights_path(entry)
    with _told_of_home():
        make_room(path, source.stat().st_size)
        with _storing(entry) as part:
            shutil.copyfile(source, part)
    return path


def _add_archive(archive: Path, wanted: ModelEntry | None) -> Path:
    """Add the weights inside `archive`: those of `wanted`, or of any entry published so."""
    archived = [e for e in MODELS.values() if any(url.endswith(ARCHIVES) for url in e.urls)]
    reason = "an archive of something else"
    for entry in archived if wanted is None else [wanted]:
        try:
            with _told_of_home(), _storing(entry) as part:
                extract(archive, entry.weights_file, part)
                wrong = _fault(entry, part)
                if wrong is not None:
                    raise DownloadError(f"an archive whose '{entry.weights_file}' is {wrong}")
            return weights_path(entry)
        except DownloadError as error:
            reason = str(error)
    raise CaffemodelError(f"'{archive}' is {reason}.")


def _fault(entry: ModelEntry, path: Path) -> str | None:
    return fault(path, entry.size, expected_hashes(entry), entry.least_size)


@contextlib.contextmanager
def _storing(entry: ModelEntry) -> Iterator[Path]:
    """Let the block write an entry's weights; what nobody has published a hash of is pinned."""
    path = weights_path(entry)
    with replacing(path) as part:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
    if not expected_hashes(entry):
        _pin(entry.weights_file, file_hash(path))


@contextlib.contextmanager
def _told_of_home() -> Iterator[None]:
    """Add to a WriteError how to put the cache elsewhere."""
    try:
        yield
    except WriteError as error:
        raise WriteError(
            f"{error}\nThe environment variable DEEPDREAM_HOME names the folder for weights."
        ) from error


def _recognise(file: Path, wanted: ModelEntry | None) -> ModelEntry:
    """Return the entry whose weights `file` holds: `wanted`, or the one that fits."""
    entries = [entry for entry in MODELS.values() if not entry.bundled]
    size = file.stat().st_size
    if wanted is None:
        # Hashing is slow, so only where the size fits or is not known.
        fitting = [entry for entry in entries if entry.size in (None, size)]
        for entry in fitting:
            if expected_hashes(entry) and _fault(entry, file) is None:
                return entry
        named = [entry for entry in entries if entry.weights_file == file.name]
        unhashed = [entry for entry in fitting if entry.size and not expected_hashes(entry)]
        wanted = next(iter(named + unhashed), None)
    if wanted is None:
        what = fault(file, None, {}) or f"{size:,} bytes"
        same = [entry.name for entry in fitting if entry.size]
        if same:
            what += f", the size of {same[0]}, but another hash"
        raise CaffemodelError(
            f"'{file}' is none of the registered weights ({what}).\n"
            f"Say which it is with --name ({', '.join(entry.name for entry in entries)}),\n"
            "or use it without adding it: load_net('deploy.prototxt', FILE)."
        )
    wrong = _fault(wanted, file)
    if wrong is None:
        return wanted
    raise CaffemodelError(
        f"'{file}' is not the weights of {wanted.name}: {wrong}.\n"
        f"Expected: {describe(wanted.weights_file, wanted.size, expected_hashes(wanted))}.\n"
        f"Other weights of the same network: load_net('{wanted.name}', FILE)."
    )


@dataclass(frozen=True)
class ModelStatus:
    """One line of ``deepdream models``.

    Attributes
    ----------
    entry : ModelEntry
        The network.
    status : str
        ``"bundled"``, ``"on disk"`` or ``"to be downloaded"``.
    path : Path or None
        Its weights file, where it is on disk.
    size : int or None
        Bytes of the weights: on disk, else as published, None where not known.
    """

    entry: ModelEntry
    status: str
    path: Path | None
    size: int | None

    @property
    def text(self) -> str:
        """The status with the size in megabytes, where there is one to tell."""
        return self.status + (f", {self.size / 1e6:.1f} MB" if self.size else "")


def list_models() -> list[ModelStatus]:
    """Return every registered network and where its weights are, the bundled one first.

    Nothing is read but the folder's list of files.
    """
    rows = []
    for entry in MODELS.values():
        path = find_weights(entry)
        size = path.stat().st_size if path else entry.size
        status = "bundled" if entry.bundled else "on disk" if path else "to be downloaded"
        rows.append(ModelStatus(entry, status, path, size))
    return rows
