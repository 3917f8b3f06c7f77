"""One file from one of several addresses, checked before it gets its name.

`fetch` tries the mirrors in order. What arrives is written under a temporary name beside the
target, looked at (a web page or a Git LFS pointer is recognised by its first bytes), measured,
hashed and only then renamed. Whatever goes wrong, Ctrl-C included, the temporary file is removed.
A connection that breaks is taken up again where it stopped, if the server allows it; the whole
file is hashed afterwards either way.

Nothing here knows about models. Connections are requests' work and the progress bar is tqdm's; they
are imported on first use, because most runs never download.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import DownloadError, ParameterError, WriteError
from ..files import HEAD, file_hash, replacing, sniff

if TYPE_CHECKING:
    import requests

# Seconds to wait for a connection, and for the next bytes of one that is open.
TIMEOUT = (10.0, 30.0)

# How often one address is taken up again after a broken connection that had brought something.
RESUMES = 5

# Bytes per read; what a breaking connection had brought of an unfinished block is lost.
BLOCK = 1 << 14

STRENGTH = ("sha512", "sha384", "sha256", "sha1", "md5")

ARCHIVES = (".tar.gz", ".tgz")


class _MirrorError(Exception):
    """Why one address was given up, in a few words."""


def strongest(hashes: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the (algorithm, hex digits) of `hashes` that is hardest to forge; None if empty."""
    known = [name for name in STRENGTH if name in hashes]
    return (known[0], hashes[known[0]].lower()) if known else None


def fault(path: Path, size: int | None, hashes: Mapping[str, str], least: int = 0) -> str | None:
    """Compare a file with what is known of it.

    Parameters
    ----------
    path : Path
        The file.
    size : int or None
        Its exact length in bytes, where known.
    hashes : mapping of str to str
        Algorithm to hex digits; the strongest one is checked.
    least : int
        Bytes that it must have at least.

    Returns
    -------
    str or None
        What is wrong, in a few words; None if nothing is.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        other = sniff(file.read(HEAD))
    if other:
        return f"{other} instead of the file"
    if size is not None and length != size:
        return f"{length:,} bytes instead of {size:,}"
    if length < least:
        return f"cut short: {length:,} bytes, at least {least:,} are needed"
    if length == 0:
        return "empty"
    expected = strongest(hashes)
    if expected:
        algorithm, digits = expected
        found = file_hash(path, algorithm)
        if found != digits:
            return f"{algorithm} {_short(found)} instead of {_short(digits)}"
    return None


def fetch(
    urls: Sequence[str],
    path: str | os.PathLike[str],
    size: int | None = None,
    hashes: Mapping[str, str] | None = None,
    progress: bool = False,
    *,
    least: int = 0,
    timeout: tuple[float, float] = TIMEOUT,
) -> Path:
    """Download one file; `path` exists afterwards and is right, or is untouched.

    Parameters
    ----------
    urls : sequence of str
        Addresses of the same file, tried in order. One that ends in ``.tar.gz`` or ``.tgz`` is an
        archive: the member with the file name of `path` is taken out of it.
    path : str or PathLike
        Where the file goes. Missing folders are made. An older file is replaced.
    size : int, optional
        Exact length in bytes, where known.
    hashes : mapping of str to str, optional
        Algorithm to hex digits. The strongest is compared before the file gets its name.
    progress : bool
        Show a bar, if standard error is a terminal.
    least : int
        Bytes that the file must have at least, where `size` is not known.
    timeout : (float, float)
        Seconds to wait for a connection, and for the next bytes.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DownloadError
        No address gave the right file. The message says what happened at each.
    WriteError
        The disk is full, or the folder cannot be written. No other address is tried.
    """
    path = Path(path)
    hashes = dict(hashes or {})
    if isinstance(urls, str) or not urls:
        raise ParameterError(f"urls must be a list of at least one address, not {urls!r}.")
    make_room(path, size or least)
    failures = []
    for url in urls:
        try:
            with replacing(path) as part:
                path.parent.mkdir(parents=True, exist_ok=True)
                _fetch_one(url, path, part, size, hashes, least, progress, timeout)
            return path
        except _MirrorError as error:
            failures.append(f"{urlsplit(url).hostname or url}: {error}")
    raise DownloadError(
        f"'{path.name}' could not be downloaded. Tried " + "; ".join(failures) + ".\n"
        f"Get it from elsewhere ({describe(path.name, size, hashes)}) and run: "
        "deepdream models add FILE"
    )


def describe(name: str, size: int | None, hashes: Mapping[str, str]) -> str:
    """Return the facts by which a person can recognise a file, on one line."""
    facts = [name]
    if size is not None:
        facts.append(f"{size:,} bytes")
    expected = strongest(hashes)
    facts.append(f"{expected[0]} {expected[1]}" if expected else "no hash is published")
    return ", ".join(facts)


def extract(archive: Path, member: str, target: Path) -> None:
    """Copy one file out of a tar archive, wherever in it the file lies.

    Only the bytes of a regular file are read. Nothing is written under a name, a link or a
    permission that the archive chooses.

    Parameters
    ----------
    archive : Path
        A ``.tar.gz`` file.
    member : str
        File name of the member, without folders.
    target : Path
        Where the bytes go.

    Raises
    ------
    DownloadError
        The archive is damaged, or has no such member. The message is a phrase, not a sentence.
    OSError
        `target` cannot be written.
    """
    try:
        # r:*, because some servers unpack the gzip layer on the way.
        with tarfile.open(archive, "r:*") as tar:
            for info in tar:
                source = tar.extractfile(info) if info.isfile() else None
                if source is not None and info.name.rsplit("/", 1)[-1] == member:
                    make_room(target, info.size)
                    with target.open("wb") as file:
                        shutil.copyfileobj(source, file)
                    return
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DownloadError("a damaged archive") from error
    raise DownloadError(f"an archive without '{member}'")


def make_room(path: Path, size: int) -> None:
    """Raise WriteError, before anything is written, where `size` bytes cannot fit."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < size:
        raise WriteError(
            f"The disk is full: '{path}' needs {size:,} bytes, '{folder}' has {free:,} free. "
            "Free some space, or choose another folder."
        )


def _fetch_one(
    url: str,
    path: Path,
    part: Path,
    size: int | None,
    hashes: Mapping[str, str],
    least: int,
    progress: bool,
    timeout: tuple[float, float],
) -> None:
    """Bring the checked file from one address to `part`, or raise _MirrorError."""
    if not urlsplit(url).path.endswith(ARCHIVES):
        _download(url, part, size, path.name, progress, timeout)
    else:
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            archive = Path(folder) / "archive"
            _download(url, archive, None, urlsplit(url).path.rsplit("/", 1)[-1], progress, timeout)
            try:
                extract(archive, path.name, part)
            except DownloadError as error:
                raise _MirrorError(str(error)) from error
    wrong = fault(part, size, hashes, least)
    if wrong:
        raise _MirrorError(wrong)


def _download(
    url: str,
    part: Path,
    size: int | None,
    label: str,
    progress: bool,
    timeout: tuple[float, float],
) -> None:
    """Write the body at `url` into `part`, taking it up again after broken connections."""
    import requests
    from tqdm import tqdm

    # disable=None: silent where standard error is no terminal.
    bar = tqdm(
        desc=label, total=size, unit="B", unit_scale=True, disable=None if progress else True
    )
    done = 0
    validator = ""
    with requests.Session() as session, part.open("wb") as file, bar:
        for attempt in range(RESUMES + 1):
            headers = {"Accept-Encoding": "identity"}
            if done:
                headers["Range"] = f"bytes={done}-"
                if validator:
                    headers["If-Range"] = validator
            before = done
            try:
                with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
                    if not _continues(response, done):
                        done = before = 0
                        file.seek(0)
                        file.truncate()
                        bar.reset(total=size)
                    validator = _validator(response)
                    total = _total(response, done)
                    _refuse(response, total, size)
                    if total is not None:
                        bar.total = total
                    for block in response.iter_content(BLOCK):
                        if done == 0:
                            other = sniff(block[:HEAD])
                            if other:
                                raise _MirrorError(f"{other} instead of the file")
                        file.write(block)
                        done += len(block)
                        bar.update(len(block))
                        if size is not None and done > size:
                            raise _MirrorError(f"more than the expected {size:,} bytes")
                    if total is None or done >= total:
                        break
                    why = f"cut short: {done:,} of {total:,} bytes"
            except requests.RequestException as error:
                why = _words(error, timeout)
                if done:
                    why += f" after {done:,} bytes"
            # Give up where the last attempt brought nothing new.
            if done == before or attempt == RESUMES:
                raise _MirrorError(why)


def _continues(response: requests.Response, done: int) -> bool:
    """Tell whether the body starts where we stopped (206), not at the beginning (200)."""
    if response.status_code != 206:
        return False
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return start is not None and int(start.group(1)) == done


def _validator(response: requests.Response) -> str:
    """Return what tells this version of the file from another, for If-Range."""
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes, so HTTP forbids it here.
    return "" if tag.startswith("W/") else tag or response.headers.get("Last-Modified", "")


def _total(response: requests.Response, done: int) -> int | None:
    """Return the length of the whole file that the headers announce."""
    length = response.headers.get("Content-Length", "")
    return done + int(length) if length.isdigit() else None


def _refuse(response: requests.Response, total: int | None, size: int | None) -> None:
    """Raise _MirrorError where the headers alone tell that this is not the file."""
    if response.status_code not in (200, 206):
        reason = f" {response.reason}" if response.reason else ""
        raise _MirrorError(f"{response.status_code}{reason}")
    if size is None or total is None or total == size:
        return
    other = sniff(next(response.iter_content(HEAD), b""))
    raise _MirrorError(
        f"{other} instead of the file" if other else f"{total:,} bytes instead of {size:,}"
    )


def _words(error: Exception, timeout: tuple[float, float]) -> str:
    """Say in a few words why a connection failed."""
    import requests

    # requests hides the operating system's error some levels down.
    text = repr(error)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {timeout[0]:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in text:
        return f"no answer within {timeout[1]:g} s"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "it redirects without end"
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return "not an address that can be fetched"
    for sign, words in (
        ("NameResolution", "host not found"),
        ("getaddrinfo", "host not found"),
        ("refused", "connection refused"),
        ("unreachable", "network unreachable"),
        ("IncompleteRead", "the connection broke"),
        ("reset", "the connection broke"),
        ("RemoteDisconnected", "the connection broke"),
    ):
        if sign in text:
            return words
    return f"{type(error).__name__}"


def _short(digits: str) -> str:
    return digits if len(digits) <= 16 else f"{digits[:12]}…"
