"""Files are recognised by their content, and written whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import re
import stat
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deepdream import files
from deepdream.errors import CaffemodelError, DeepDreamError, MissingFileError, WriteError
from deepdream.files import (
    check_folder,
    file_hash,
    fingerprint,
    is_text,
    open_view,
    recognise,
    replacing,
    sniff,
)

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5001403\n"


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x" * 100)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("deploy.prototxt"))
    return file.getvalue()


def write(path: Path, content: bytes, error: type[BaseException] | None = None) -> None:
    with replacing(path) as part:
        part.write_bytes(content)
        if error:
            raise error


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\n <!DOCTYPE html><html><head><title>404 Not\n Found</title>", "titled '404 Not Found'"),
        (b"<html lang='en'><body>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "titled 'AccessDenied'"),
        (LFS, "a Git LFS pointer to 5,001,403 bytes"),
        (zipped("archive/data.pkl"), "a PyTorch checkpoint"),
        (zipped("mean.npy"), r"a NumPy archive \(.npz\)"),
        (zipped("deploy.prototxt"), "a zip archive"),
        (gzip.compress(b"x", mtime=0), "a gzip archive"),
        (tarred(), "a tar archive"),
        (pickle.dumps({"a": 1}, protocol=2), "a Python pickle"),
        (pickle.dumps({"a": 1}, protocol=4), "a Python pickle"),
        (b"\x08\x07\x12\x07pytorch\x1a\x05", "an ONNX model"),
        (b"\x08\x90\x4e\x12\x10x_10.caffemodel\x1a\x00", "a solverstate"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"a":{"dtype":"F32"', "a safetensors file"),
        (b"\x1c\x00\x00\x00TFL3\x00", "a TensorFlow Lite model"),
        (saved(np.zeros(3)), r"a NumPy array \(.npy\)"),
        (b"\x89HDF\r\n\x1a\n\x00", "an HDF5 file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (bytes(500), "nothing but zeros"),
    ],
)
def test_recognises(data, what):
    """Each foreign file is named, with something to do about it."""
    kind = recognise(data[:4096])

    assert kind is not None
    assert kind.advice.endswith(".")
    with pytest.raises(DeepDreamError, match=what):
        raise DeepDreamError(kind.what)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'name: "x"\nlayer { }',
        b"# a comment",
        b"\n\x05ReLU6\xa2\x06\x04\n\x02xy",  # a caffemodel
        b"\x08\x01\x10\x03\x18\x05\x20\x07\x2a",  # a mean
        b"\x12\x04\n\x02xy",  # a caffemodel of 2013
    ],
)
def test_leaves_what_may_be_right(data):
    """Prototxts, caffemodels and means are not taken for something else."""
    assert recognise(data) is None


def test_sniffs_only_failed_downloads():
    """`sniff` names web pages and pointers, and no other kind of file."""
    assert sniff(b"<html><title>Sign in &amp; download</title>") == (
        "a web page titled 'Sign in & download'"
    )
    assert sniff(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n") == (
        "a Git LFS pointer"
    )
    assert sniff(zipped("x")) is None


def test_text_has_no_control_characters():
    """Tabs and accents are text in any encoding; a zero byte never is."""
    assert is_text("naïve\tname\r\n".encode("latin-1"))
    assert is_text("层".encode("gbk"))
    assert not is_text(b"layer\x00")
    assert not is_text(b"\xa2\x06")


def test_missing_file_offers_its_neighbours(tmp_path):
    """The error names files with similar names in the same folder."""
    (tmp_path / "deploy.prototxt").write_text("x")

    with pytest.raises(
        MissingFileError, match=r"no file .*deploy.prototext'. Did you mean 'deploy."
    ):
        open_view(tmp_path / "deploy.prototext", CaffemodelError)
    with pytest.raises(MissingFileError, match="There is no folder '.*nowhere' either"):
        open_view(tmp_path / "nowhere" / "x", CaffemodelError)
    with pytest.raises(FileNotFoundError):
        open_view("x\0y", CaffemodelError)


def test_this_folder_is_named(tmp_path, monkeypatch):
    """Who is in another folder than they think can see it."""
    monkeypatch.chdir(tmp_path)
    for name in ("sky.jpg", "./sky.jpg"):
        with pytest.raises(MissingFileError, match=f"This folder is '{re.escape(str(tmp_path))}'"):
            open_view(name, CaffemodelError)


def test_only_files_of_the_kind_are_offered(tmp_path):
    """For a picture a picture, or another kind of the same name; never a script."""
    for name in ("E.py", "sky.png", "skies.jpg"):
        (tmp_path / name).write_text("x")
    for missing, hint in (
        ("A.webp", "The folder"),
        ("sky.jpg", "Did you mean '(skies.jpg|sky.png)"),
    ):
        with pytest.raises(MissingFileError, match=hint) as caught:
            open_view(tmp_path / missing, CaffemodelError)
        assert "E.py" not in str(caught.value)


def test_folder_is_refused(tmp_path):
    """A folder in place of a file has an error of its own."""
    with pytest.raises(CaffemodelError, match="is a folder: give the file inside it"):
        open_view(tmp_path, CaffemodelError)


def test_empty_file_and_bytes_name(tmp_path):
    """A file without bytes can be opened, and names may be bytes as in pycaffe."""
    path = tmp_path / "empty"
    path.touch()

    assert len(open_view(bytes(path), CaffemodelError)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have names on POSIX only")
def test_pipe_is_read(tmp_path):
    """A pipe, as the shell makes for <(command), is read like a file."""
    source, sink = os.pipe()
    os.write(sink, b"name: 'x'")
    os.close(sink)

    view = open_view(f"/dev/fd/{source}", CaffemodelError)

    os.close(source)
    assert bytes(view) == b"name: 'x'"


def test_replacing_writes_whole(tmp_path):
    """The file has its new content and ordinary permissions, and nothing lies beside it."""
    path = tmp_path / "x.caffemodel"
    path.write_bytes(b"old")
    plain = tmp_path / "plain"
    plain.touch()

    with replacing(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [plain, path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_replacing_leaves_nothing_half_written(tmp_path, error):
    """After an exception, Ctrl-C included, the old file is there and no part of the new one."""
    path = tmp_path / "x"
    path.write_bytes(b"old")

    with pytest.raises(error):
        write(path, b"half", error)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="limits exist on POSIX only")
def test_full_disk_is_a_write_error(tmp_path):
    """A disk that takes no more gives WriteError, and the part is removed."""
    import resource
    import signal

    path = tmp_path / "x"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WriteError, match="'.*x' cannot be written: .* Free some space"):
            write(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert not list(tmp_path.iterdir())


def test_replacing_names_the_reason(tmp_path):
    """A missing folder, and a folder in place of the file, are named."""
    with pytest.raises(WriteError, match="there is no folder '.*nowhere'"):
        write(tmp_path / "nowhere" / "x", b"new")
    with pytest.raises(WriteError, match="is a folder"):
        write(tmp_path, b"new")


def test_replacing_follows_links(tmp_path):
    """A link stays a link, and the file that it points at is replaced."""
    target = tmp_path / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)

    with replacing(link) as part:
        part.write_bytes(b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.skipif(not Path(os.devnull).is_char_device(), reason="no such device")
def test_replacing_writes_to_devices():
    """/dev/null is written to, not replaced by a file."""
    with replacing(os.devnull) as part:
        part.write_bytes(b"x")

    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384"])
def test_file_hash_is_that_of_hashlib(tmp_path: Path, algorithm: str) -> None:
    """Also of a file that takes more than one read."""
    path = tmp_path / "x"
    path.write_bytes(bytes(range(251)) * 4307)

    assert file_hash(path, algorithm) == hashlib.new(algorithm, path.read_bytes()).hexdigest()


@pytest.mark.parametrize("rested", [files.RESTED, -1.0], ids=["at once", "after a rest"])
def test_file_hash_follows_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rested: float
) -> None:
    """Other bytes of the same number have another hash, whatever date the file is given."""
    monkeypatch.setattr(files, "RESTED", rested)
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    os.utime(path, (1e9, 1e9))
    first = file_hash(path)
    time.sleep(0.05)  # more than one tick of the file system's clock
    path.write_bytes(b"abd")
    os.utime(path, (1e9, 1e9))

    assert first == hashlib.sha256(b"abc").hexdigest()
    assert file_hash(path) == hashlib.sha256(b"abd").hexdigest()


def test_file_hash_reads_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time its fingerprint is enough."""
    monkeypatch.setattr(files, "RESTED", -1.0)
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    first = file_hash(path)
    monkeypatch.setattr(files, "_digest", lambda name, algorithm: pytest.fail("read again"))

    assert file_hash(path) == first


def test_a_file_just_written_has_no_fingerprint(tmp_path: Path) -> None:
    """The next change might come within the same tick of the clock."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")

    assert fingerprint(path) is None


# -- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["movie.mp4", "a/movie.MOV", "movie.webm", "movie.gif", "movie.mkv", "movie.3gp"]
)
def test_a_film_is_no_folder(name: str) -> None:
    """Where frames are written the message tells what makes a film of them."""
    with pytest.raises(WriteError, match="give a folder") as told:
        check_folder(name, ".jpg")
    folder = name.rpartition(".")[0]
    assert f"as '{folder}'" in str(told.value)
    assert f"ffmpeg -framerate 12 -i {folder}/%04d.jpg" in str(told.value)
    assert str(told.value).endswith(name)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Neither a name that is one's, nor one that is there; a folder may have any name."""
    (tmp_path / "taken").write_text("x")
    (tmp_path / "old.mp4").mkdir()
    for name in ("page.html", "out.png", "movie.mp4", "movie.mts", "out.heic", "taken"):
        with pytest.raises(WriteError, match="a folder is expected"):
            check_folder(tmp_path / name)
    for name in ("old.mp4", "frames", "frames.v2", "2026.11.28"):
        check_folder(tmp_path / name, ".png")
    check_folder(".", ".png")
    check_folder("..")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.mp4", "taken"]


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG picture"),
        (b"<?xml version='1.0'?>\n<!-- net -->\n<svg width='3'/>", "an SVG picture"),
        (b"<!DOCTYPE html><title>x</title><svg >", "a web page titled 'x'"),
        (b"<?xml version='1.0'?><rss/>", "a web page"),
        (b"<<<<<<< HEAD\nname: 'a'\n=======\n", "a file that git could not merge"),
        (b"name: 'x'\n<<<<<<< HEAD\n", "a file that git could not merge"),
    ],
)
def test_pictures_and_conflicts_are_no_web_pages(head, what):
    """What begins with an angle bracket is told apart."""
    found = recognise(head)

    assert found is not None
    assert found.what == what
