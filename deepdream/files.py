"""Files on disk: opening them, telling what they are, and writing them whole or not at all.

People hand over the wrong file more often than a broken one: a web page that a dead link gave, the
pointer that Git LFS leaves, an archive, weights of another framework. `recognise` names these by
their first bytes, never by the extension. `replacing` is for everything that this package writes
where the user said.

Nothing here knows the inside of a net.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import html
import mmap
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Union

from .errors import DeepDreamError, MissingFileError, ParameterError, WriteError, nearest

FileName = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

# Enough of a file to recognise it.
HEAD = 4096

# How long a file must have been left alone before its times can tell that it is still the same:
# a second write within one tick of a file system's clock (2 s on FAT) does not show.
RESTED = 3.0  # seconds

# What is read from a pipe at most; files are mapped, not read.
_PIPE_LIMIT = 1 << 31

# Endings of files that hold a picture, of films, and of pictures that move where they are written.
PICTURES = {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".heic",
            ".heif", ".avif", ".jxl", ".ppm", ".pgm", ".jp2", ".psd", ".tga"}  # fmt: skip
FILMS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg", ".mts", ".3gp",
         ".ogv", ".flv"}  # fmt: skip
MOVING = {".gif", ".webp", ".apng"}

# Brands of pictures in the container that MP4 is in, where that names its own: HEIC's and AVIF's.
HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}

_AGAIN = "Get the file again, from another address if need be."
_OTHER = "Only Caffe's formats can be read here: look for the model as .caffemodel."
_UNPACK = "Unpack it first, and give the file inside."


class Kind(NamedTuple):
    """What a file is: for example ``Kind("a PDF document", "...")``.

    Attributes
    ----------
    what : str
        Its kind, with an article.
    advice : str
        A sentence that says what to do next.
    """

    what: str
    advice: str


_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", "It may hold weights: pass it as caffemodel.")),
    (b"\x93NUMPY", Kind("a NumPy array (.npy)", "It may be the mean: pass it as mean.")),
    (b"\x1f\x8b", Kind("a gzip archive", _UNPACK)),
    (b"BZh", Kind("a bzip2 archive", _UNPACK)),
    (b"\xfd7zXZ\x00", Kind("an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind("a zstd archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", Kind("a rar archive", _UNPACK)),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG picture", "Give a file of the net instead.")),
    (b"\xff\xd8\xff", Kind("a JPEG picture", "Give a file of the net instead.")),
    (b"%PDF-", Kind("a PDF document", _AGAIN)),
    (b"MATLAB 5.0", Kind("a MATLAB file", _OTHER)),
)


def open_view(path: FileName, error: type[DeepDreamError]) -> memoryview:
    """Return the bytes of a file without reading them yet.

    Parameters
    ----------
    path : str, bytes or PathLike
        A file, or a pipe, which is read at once.
    error : type
        The class to raise where the file exists but cannot be read.

    Returns
    -------
    memoryview
        Read-only. The file stays open as long as the view, or an array made from it, lives.

    Raises
    ------
    MissingFileError
        Nothing at `path`; files of similar names beside it are offered.
    error
        A folder, or a file that must not be read.
    """
    name = os.fsdecode(path)
    try:
        if Path(name).is_dir():
            raise error(f"'{name}' is a folder: give the file inside it.")
        with Path(name).open("rb") as file:
            info = os.fstat(file.fileno())
            if stat.S_ISREG(info.st_mode) and info.st_size:
                # Some file systems cannot map; they can be read.
                with contextlib.suppress(OSError):
                    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return memoryview(file.read(_PIPE_LIMIT))
    except DeepDreamError:  # most are ValueErrors, too
        raise
    except FileNotFoundError:
        raise MissingFileError(f"There is no file '{name}'.{_beside(name)}") from None
    except OSError as problem:
        reason = problem.strerror or problem
        raise error(f"'{name}' cannot be read: {reason}.") from problem
    except ValueError:  # a NUL in the name
        raise MissingFileError(f"{name!r} cannot be the name of a file.") from None


def _beside(name: str) -> str:
    """Return a hint: what is in the folder where `name` is not."""
    folder = Path(name).parent
    try:
        found = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return f" There is no folder '{folder}' either."
    kind = Path(name).suffix.lower()
    alike = [entry for entry in found if Path(entry).suffix.lower() == kind] if kind else found
    alike += [entry for entry in found if Path(entry).stem == Path(name).stem and kind]
    here = (
        f"This folder is '{Path.cwd()}'." if folder == Path() else f"The folder '{folder}' exists."
    )
    return nearest(Path(name).name, alike) or f" {here}"


def sniff(head: bytes) -> str | None:
    """Name what is often saved in place of weights.

    Parameters
    ----------
    head : bytes
        The first kilobytes of a file.

    Returns
    -------
    str or None
        ``"a web page titled '404 Not Found'"`` or ``"a Git LFS pointer to 5,001,403 bytes"``; None
        where `head` is neither.
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    # No weights start so: as a tag of protobuf, '<' is a group, which Caffe has none of.
    if text.startswith(b"<"):
        title = re.search(rb"<(title|code)[^>]*>(.*?)</\1", head, re.IGNORECASE | re.DOTALL)
        if title is None:
            return "a web page"
        words = html.unescape(title.group(2).decode("utf-8", "replace")).split()
        return f"a web page titled '{' '.join(words)[:80]}'"
    if text.startswith(b"version https://git-lfs"):
        size = re.search(rb"^size (\d{1,15})", text, re.MULTILINE)
        return "a Git LFS pointer" + (f" to {int(size.group(1)):,} bytes" if size else "")
    return None


def recognise(head: bytes) -> Kind | None:
    """Name a file that is neither a prototxt nor a caffemodel.

    Parameters
    ----------
    head : bytes
        Its first `HEAD` bytes.

    Returns
    -------
    Kind or None
        None where the bytes look like nothing known; then they may be what was asked for.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if conflict(start):
        return Kind(
            "a file that git could not merge",
            "Choose one of its two versions, and delete the lines of <<<<<<<, ======= and >>>>>>>.",
        )
    page = re.search(rb"<(html|!doctype html)", head, re.IGNORECASE)
    if start.startswith(b"<") and not page and re.search(rb"<svg[\s>]", head):
        return Kind("an SVG picture", "Give a file of the net instead.")
    download = sniff(head)
    if download is not None:
        if "LFS" in download:
            return Kind(download, "Run 'git lfs pull' where it came from to get the file itself.")
        return Kind(download, f"The download went wrong. {_AGAIN}")
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\x03\x04"):
        if b"data.pkl" in head:
            return Kind("a PyTorch checkpoint", _OTHER)
        if b".npy" in head[:256]:
            return Kind("a NumPy archive (.npz)", "Save the array alone with numpy.save.")
        return Kind("a zip archive", _UNPACK)
    if head[257:262] == b"ustar":
        return Kind("a tar archive", _UNPACK)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind("a Python pickle (an old PyTorch checkpoint?)", _OTHER)
    if head[8:10] == b'{"' and 2 <= int.from_bytes(head[:8], "little") < 1 << 27:
        return Kind("a safetensors file", _OTHER)
    if head[4:8] == b"TFL3":
        return Kind("a TensorFlow Lite model", _OTHER)
    if head[:1] == b"\x08" and b".caffemodel" in head[:512]:
        return Kind("a solverstate", "The weights are in the .caffemodel that was saved with it.")
    if re.match(rb"\x08[\x01-\x20][\x12:]", head):
        return Kind("an ONNX model", _OTHER)
    if len(head) >= 16 and not any(head):
        return Kind("nothing but zeros", f"Its download did not finish. {_AGAIN}")
    return None


def conflict(text: bytes) -> int:
    """Return the number of the first line that git's marks of a conflict begin in; 0 without."""
    found = re.search(rb"^<{7}(?= |\r?$)", text, re.MULTILINE)
    return text.count(b"\n", 0, found.start()) + 1 if found else 0


def is_text(head: bytes) -> bool:
    """Tell whether bytes may be text in an encoding that extends ASCII: no control characters."""
    return re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", head) is None


def fingerprint(path: FileName) -> tuple[int, ...] | None:
    """Return what changes whenever a file does, without reading the file.

    Parameters
    ----------
    path : str, bytes or PathLike

    Returns
    -------
    tuple of int, or None
        Its place on disk, its size, and when content and entry last changed. The last of them
        cannot be put back, as the date of the content can. None where that is `RESTED` seconds
        ago or less: the next change might not show.

    Raises
    ------
    OSError
        Nothing at `path`.
    """
    info = Path(os.fsdecode(path)).stat()
    if time.time() - max(info.st_mtime, info.st_ctime) <= RESTED:
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def file_hash(path: FileName, algorithm: str = "sha256") -> str:
    """Return a file's hash; a file that has not changed is read once in a process.

    Parameters
    ----------
    path : str, bytes or PathLike
        The file.
    algorithm : str
        Any name that hashlib knows.

    Returns
    -------
    str
        Lower-case hex digits.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    name, seen = os.fsdecode(path), fingerprint(path)
    return _digest(name, algorithm) if seen is None else _remembered(name, algorithm, seen)


@functools.lru_cache(maxsize=64)
def _remembered(name: str, algorithm: str, seen: tuple[int, ...]) -> str:
    return _digest(name, algorithm)


def _digest(name: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with Path(name).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def replacing(path: FileName) -> Iterator[Path]:
    """Let a file be written beside `path`, and take its place when it is complete.

    The block writes to the path that it is given. If it ends with an exception, Ctrl-C included,
    what was written is removed and `path` is as it was.

    Parameters
    ----------
    path : str, bytes or PathLike
        Where the file goes. A link is followed; a device such as ``/dev/null`` is written directly.

    Yields
    ------
    Path
        A file name in the same folder, not yet used.

    Raises
    ------
    WriteError
        Any OSError on the way: no such folder, no permission, a full disk.

    Examples
    --------
    >>> with replacing("dream.txt") as part:  # doctest: +SKIP
    ...     part.write_text("whole or not at all")
    """
    name = os.fsdecode(path)
    target = Path(os.path.realpath(name))
    if target.exists() and not target.is_file():
        if target.is_dir():
            raise WriteError(f"'{name}' is a folder: give the name of a file.")
        with _write_errors(name):
            yield target
        return
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with _write_errors(name):
            yield part
            part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


_FILES = PICTURES | FILMS | MOVING | {".html", ".htm", ".zip", ".json", ".pdf"}


def check_folder(path: FileName, frames: str = "") -> None:
    """Refuse the name of a file where a folder is to be made.

    Parameters
    ----------
    path : str, bytes or PathLike
    frames : str
        The ending of the frames that go into the folder, ``".png"``, for the message that tells
        how a film is made of them.

    Raises
    ------
    WriteError
        There is a file of that name, or it ends as a film's or a picture's does; a folder that is
        there already may have any name.
    """
    name = os.fsdecode(path)
    if Path(name).is_dir():
        return
    folder, suffix = Path(name).with_suffix(""), Path(name).suffix.lower()
    if frames and suffix in FILMS | MOVING:
        even = '-vf "crop=trunc(iw/2)*2:trunc(ih/2)*2" -pix_fmt yuv420p '
        raise WriteError(
            f"'{name}' would be a film, and what is written is a folder of frames: give a folder, "
            f"as '{folder}'.\nOf its frames ffmpeg makes the film:\n  ffmpeg -framerate 12 -i "
            f"{folder}/%04d{frames} {'' if suffix in MOVING else even}{name}"
        )
    if suffix in _FILES or Path(name).is_file():
        other = folder if suffix else f"{name}-pictures"
        raise WriteError(
            f"'{name}' is the name of a file, and a folder is expected: give one, as '{other}'."
        )


def make_folder(path: FileName) -> Path:
    """Make a folder, and those above it, where they are missing.

    Raises
    ------
    WriteError
        It cannot be made, or there is a file of that name.
    """
    name = os.fsdecode(path)
    with _write_errors(name):
        Path(name).mkdir(parents=True, exist_ok=True)
    return Path(name)


class FolderLock:
    """One process at a time in a folder, where the system has locks on files; a kill lets go.

    Parameters
    ----------
    folder : Path
        Gets a file `NAME`.

    Raises
    ------
    ParameterError
        Another process has it.
    """

    NAME = "lock"

    def __init__(self, folder: Path) -> None:
        self._file = (folder / self.NAME).open("a")
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ParameterError(
                f"another process is working in '{folder}': wait for it, or stop it."
            ) from None
        except OSError:  # a network's folder that has no locks
            pass

    def release(self) -> None:
        """Let others go on."""
        self._file.close()


@contextlib.contextmanager
def _write_errors(name: str) -> Iterator[None]:
    """Turn what the file system says while `name` is written into WriteError."""
    try:
        yield
    except DeepDreamError:
        raise
    except OSError as problem:
        folder = Path(name).parent
        if not folder.exists():
            reason = f"there is no folder '{folder}'. Make it first."
        elif problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = f"{os.strerror(problem.errno)}. Free some space, or choose another folder."
        else:
            reason = f"{problem.strerror or problem}."
        raise WriteError(f"'{name}' cannot be written: {reason}") from problem
