"""Files that arrive, and all the ways in which they do not."""

from __future__ import annotations

import errno
import hashlib
import io
import shutil
import tarfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web_site import Page, Site, closed_port, serve

from deepdream.errors import DeepDreamError, DownloadError, ParameterError, WriteError
from deepdream.models.download import BLOCK, describe, fault, fetch, strongest

# Larger than one block of the downloader, and no multiple of it.
BODY = np.random.RandomState(1701).bytes(700_001)
SHA256 = hashlib.sha256(BODY).hexdigest()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:6f7101e3\nsize 53533754\n"
WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in &amp;\n pay</title></head></html>"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on this machine, not reached through any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """Where the file goes; at the end nothing else may lie beside it."""
    path = tmp_path / "models" / "net.caffemodel"
    yield path
    left = [p.name for p in path.parent.glob("*")] if path.parent.exists() else []
    assert [name for name in left if name != path.name] == []


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a .tar.gz of the given files and symbolic links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, to in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, to
            tar.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def failure(urls: list[str], target: Path, **more: Any) -> str:
    """Return the message of a download that fails without leaving a file."""
    with pytest.raises(DownloadError) as caught:
        fetch(urls, target, **more)
    assert not target.exists()
    message = str(caught.value)
    assert len(message.splitlines()) <= 3
    return message


def test_a_file_arrives_whole(site: Site, target: Path) -> None:
    """The bytes of the server are the bytes on disk, and the folder is made."""
    url = site.add("/net", Page(BODY))

    assert fetch([url], target, len(BODY), {"sha256": SHA256}) == target
    assert target.read_bytes() == BODY


def test_an_empty_tuple_of_addresses_or_a_bare_string_is_refused(target: Path) -> None:
    """A string would be taken for a sequence of one-letter addresses."""
    with pytest.raises(ParameterError, match="list of at least one address"):
        fetch("http://127.0.0.1/x", target)
    with pytest.raises(ParameterError, match="list of at least one address"):
        fetch((), target)


def test_the_second_mirror_is_used_where_the_first_fails(site: Site, target: Path) -> None:
    """404, then a wrong hash, then the file."""
    urls = [site.address + "/gone", site.add("/wrong", Page(BODY[::-1])), site.add("/", Page(BODY))]

    fetch(urls, target, len(BODY), {"sha256": SHA256})

    assert target.read_bytes() == BODY
    assert [path for path, _ in site.requests] == ["/gone", "/wrong", "/"]


def test_an_older_file_stays_when_nothing_better_arrives(site: Site, target: Path) -> None:
    """The target is only replaced by a file that was checked."""
    target.parent.mkdir()
    target.write_bytes(b"old")

    with pytest.raises(DownloadError):
        fetch([site.add("/", Page(BODY[::-1]))], target, hashes={"sha256": SHA256})

    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(Page(WEB_PAGE, status=404), "127.0.0.1: 404 Not Found", id="404"),
        pytest.param(Page(WEB_PAGE, status=500), "500 Internal Server Error", id="500"),
        pytest.param(Page(WEB_PAGE), "a web page titled 'Sign in & pay'", id="web page"),
        pytest.param(Page(LFS), "a Git LFS pointer to 53,533,754 bytes", id="LFS pointer"),
        pytest.param(Page(BODY + b"!"), "700,002 bytes instead of 700,001", id="too long"),
        pytest.param(Page(BODY[:-1]), "700,000 bytes instead of 700,001", id="too short"),
        pytest.param(
            Page(BODY + b"!", length=False), "more than the expected 700,001", id="endless"
        ),
        pytest.param(
            Page(BODY[:-1], length=False), "700,000 bytes instead of 700,001", id="short, unsaid"
        ),
        pytest.param(
            Page(BODY, breaks=[9] * 9, ranges=False), "127.0.0.1: the connection broke", id="broken"
        ),
        pytest.param(
            Page(BODY[::-1]), f"sha256 {hashlib.sha256(BODY[::-1]).hexdigest()[:12]}", id="hash"
        ),
    ],
)
def test_a_wrong_answer_is_named(site: Site, target: Path, page: Page, words: str) -> None:
    """The message says what came instead, and how to go on by hand."""
    message = failure([site.add("/", page)], target, size=len(BODY), hashes={"sha256": SHA256})

    assert words in message
    assert f"net.caffemodel, 700,001 bytes, sha256 {SHA256}" in message
    assert "deepdream models add FILE" in message


def test_a_web_page_is_named_where_the_size_is_unknown(site: Site, target: Path) -> None:
    """Without size and hash the first bytes still tell."""
    message = failure([site.add("/", Page(WEB_PAGE))], target)

    assert "a web page titled 'Sign in & pay'" in message
    assert "no hash is published" in message


def test_a_file_below_the_least_size_is_cut_short(site: Site, target: Path) -> None:
    """Weights whose size is not known have at least four bytes per parameter."""
    message = failure([site.add("/", Page(BODY[:99]))], target, least=100)

    assert "cut short: 99 bytes, at least 100 are needed" in message


def test_an_empty_file_is_refused(site: Site, target: Path) -> None:
    """Nothing is known of the file, but nothing is not it."""
    assert "empty" in failure([site.add("/", Page(b""))], target)


def test_a_refused_connection_is_named(target: Path) -> None:
    """Nothing listens there."""
    assert "127.0.0.1: connection refused" in failure([closed_port()], target)


def test_a_host_without_address_is_named(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server does not know it."""

    def unknown(*args: Any, **more: Any) -> Any:
        import socket

        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert "nowhere.invalid: host not found" in failure(["http://nowhere.invalid/x"], target)


def test_an_address_of_another_kind_is_named(target: Path) -> None:
    """Only http and https are fetched."""
    assert "not an address that can be fetched" in failure(["ftp://127.0.0.1/x"], target)


def test_a_server_that_says_nothing_is_given_up(site: Site, target: Path) -> None:
    """The time to wait for the next bytes is bounded."""
    message = failure([site.add("/", Page(BODY, stalls=True))], target, timeout=(1.0, 0.1))

    assert "no answer within 0.1 s" in message


def test_a_broken_connection_is_taken_up_where_it_stopped(site: Site, target: Path) -> None:
    """The second request asks for the rest only."""
    url = site.add("/", Page(BODY, breaks=[18 * BLOCK, 12 * BLOCK]))

    fetch([url], target, len(BODY), {"sha256": SHA256})

    assert target.read_bytes() == BODY
    ranges = [wanted for _, wanted in site.requests]
    assert ranges == [None, f"bytes={18 * BLOCK}-", f"bytes={30 * BLOCK}-"]


def test_a_server_without_ranges_starts_over(site: Site, target: Path) -> None:
    """It answers 200 with the whole file, which replaces the beginning."""
    url = site.add("/", Page(BODY, breaks=[300_000], ranges=False))

    fetch([url], target, len(BODY), {"sha256": SHA256})

    assert target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_starts_over(site: Site, target: Path) -> None:
    """If-Range makes the server send all of the new version, not its end."""
    url = site.add("/", Page(BODY, breaks=[300_000], tags=['"v1"', '"v2"']))

    fetch([url], target)

    assert target.read_bytes() == BODY
    assert len(site.requests) == 2


def test_a_server_that_always_breaks_is_given_up(site: Site, target: Path) -> None:
    """Each attempt brings a block; after a few the next mirror has its turn."""
    url = site.add("/", Page(BODY, breaks=[BLOCK] * 50))

    assert "the connection broke after 98,304 bytes" in failure([url], target)
    assert len(site.requests) == 6


def test_ctrl_c_leaves_nothing_behind(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt goes on to the caller; the fixture checks that no part file stays."""
    url = site.add("/", Page(BODY))

    def interrupt(self: Any, n: int = 1) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tqdm.std.tqdm.update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch([url], target)

    assert not target.exists()


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_asked(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The free space is compared with the size of the file."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 9, 1))

    with pytest.raises(WriteError, match="needs 700,001 bytes, .* has 1 free"):
        fetch([site.add("/", Page(BODY))], target, len(BODY))

    assert site.requests == []


def test_a_disk_that_fills_up_is_named_and_no_mirror_is_tried_in_vain(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another address would not help."""

    class Full(io.BytesIO):
        def write(self, block: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    real_open = Path.open

    def open_(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        return Full() if mode == "wb" else real_open(self, mode, *args, **more)

    monkeypatch.setattr(Path, "open", open_)
    with pytest.raises(WriteError, match="net.caffemodel' cannot be written: No space left"):
        fetch([site.add("/a", Page(BODY)), site.add("/b", Page(BODY))], target)

    assert [path for path, _ in site.requests] == ["/a"]


def test_a_folder_that_cannot_be_made_is_named(site: Site, tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "models").write_text("not a folder")

    with pytest.raises(WriteError, match="cannot be written"):
        fetch([site.add("/", Page(BODY))], tmp_path / "models" / "net.caffemodel")


def test_the_weights_are_taken_out_of_an_archive(site: Site, target: Path) -> None:
    """The member is found by its file name, in whatever folder it lies."""
    packed = archive({"places/readme.txt": b"hello", "places/net.caffemodel": BODY})

    fetch([site.add("/net.tar.gz", Page(packed))], target, hashes={"sha256": SHA256})

    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        pytest.param(archive({"a/b.txt": b"x"}), "an archive without 'net.caffemodel'", id="lacks"),
        pytest.param(archive({"net.caffemodel": BODY})[:300_000], "a damaged archive", id="cut"),
        pytest.param(BODY[:5000], "a damaged archive", id="noise"),
        pytest.param(WEB_PAGE, "a web page titled", id="web page"),
        pytest.param(
            archive({}, {"net.caffemodel": "/etc/hostname"}), "an archive without", id="link"
        ),
    ],
)
def test_a_wrong_archive_is_named(site: Site, target: Path, packed: bytes, words: str) -> None:
    """Neither the archive nor anything of it stays."""
    assert words in failure([site.add("/net.tar.gz", Page(packed))], target)


def test_an_archive_cannot_write_elsewhere(site: Site, target: Path, tmp_path: Path) -> None:
    """A member called ../../net.caffemodel lands under the target's own name."""
    packed = archive({"../../../net.caffemodel": BODY})

    fetch([site.add("/net.tgz", Page(packed))], target)

    assert target.read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["models"]


def test_the_bar_is_silent_where_standard_error_is_no_terminal(
    site: Site, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log file is not filled with bars."""
    fetch([site.add("/", Page(BODY))], target, progress=True)

    assert capsys.readouterr() == ("", "")


def test_the_strongest_hash_is_the_one_that_counts() -> None:
    """sha1 can be forged, so it is only used where nothing better is known."""
    assert strongest({"sha1": "AA", "sha384": "BB", "sha256": "CC"}) == ("sha384", "bb")
    assert strongest({"sha1": "AA"}) == ("sha1", "aa")
    assert strongest({}) is None


def test_fault_finds_nothing_in_the_right_file(tmp_path: Path) -> None:
    """Size, hash and least size are all met."""
    path = tmp_path / "x"
    path.write_bytes(BODY)

    assert fault(path, len(BODY), {"sha256": SHA256.upper()}, len(BODY)) is None


def test_describe_gives_what_to_look_for() -> None:
    """Name, size and the strongest hash, or that there is none."""
    assert describe("x", 1234567, {"sha1": "ab"}) == "x, 1,234,567 bytes, sha1 ab"
    assert describe("x", None, {}) == "x, no hash is published"


def test_download_errors_are_what_old_code_expects() -> None:
    """`except OSError` around a download goes on working."""
    assert issubclass(DownloadError, (DeepDreamError, OSError))
    assert issubclass(DownloadError, OSError)
