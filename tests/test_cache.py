"""Weights in the cache: fetched, added, remembered, checked."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import types
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from web_site import Page, Site, closed_port, serve

import deepdream.files
import deepdream.models
from deepdream.errors import (
    CaffemodelError,
    DownloadError,
    MissingFileError,
    ParameterError,
    UnknownModelError,
    WriteError,
)
from deepdream.models.cache import (
    add_model,
    cache_folder,
    check_weights,
    expected_hashes,
    fetch_model,
    find_model,
    find_weights,
    list_models,
    weights_path,
)
from deepdream.models.prototxts import prototxt_path
from deepdream.models.registry import MODELS, ModelEntry

BODY = bytes(range(256)) * 11
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = BODY[::-1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, not yet made."""
    monkeypatch.setenv("DEEPDREAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home"


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on this machine."""
    with serve() as running:
        yield running


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelEntry]:
    """Change an entry of the registry for the length of a test."""

    def change(name: str, **changes: Any) -> ModelEntry:
        entry = dataclasses.replace(MODELS[name], parameters=1, **changes)
        monkeypatch.setitem(MODELS, name, entry)  # type: ignore[arg-type]
        return entry

    return change


def packed(name: str, data: bytes) -> bytes:
    """Return a .tar.gz of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(f"folder/{name}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


# -- where things are


def test_the_cache_is_where_the_environment_says(home: Path) -> None:
    """DEEPDREAM_HOME names it."""
    assert cache_folder() == home


def test_the_cache_is_the_users_without_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is no folder."""
    monkeypatch.setenv("DEEPDREAM_HOME", "")

    assert cache_folder().name == "deepdream"
    assert cache_folder().is_absolute()


def test_looking_makes_no_folder(home: Path) -> None:
    """Neither importing nor listing touches the disk."""
    list_models()
    find_weights(MODELS["vgg16"])
    code = "import deepdream.models, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

    assert not home.exists()


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("googlenet", "googlenet"),
        ("bvlc_googlenet", "googlenet"),
        ("GoogLeNet", "googlenet"),
        ("Places205", "googlenet_places205"),
        ("googlenet-places365", "googlenet_places365"),
        ("bvlc_reference_caffenet", "caffenet"),
        ("AlexNet", "alexnet"),
        ("VGG16", "vgg16"),
        ("VGG-19", "vgg19"),
        ("SqueezeNet v1.0", "squeezenet_v1.0"),
        ("squeezenet", "squeezenet_v1.1"),
        ("ResNet-50", "resnet50"),
        ("EfficientNet-Lite0", "efficientnet_lite0"),
    ],
)
def test_a_model_is_found_under_the_names_users_try(word: str, name: str) -> None:
    """Case and punctuation never count."""
    assert find_model(word).name == name


def test_an_unknown_name_offers_the_nearest() -> None:
    """It is a KeyError, too, and lists what is known."""
    with pytest.raises(UnknownModelError, match="Did you mean 'googlenet'") as caught:
        find_model("gogglenet")

    assert isinstance(caught.value, KeyError)
    assert "Known: efficientnet_lite0, googlenet" in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_every_prototxt_is_found(name: str) -> None:
    """In a checkout beside the package, once installed inside it."""
    path = prototxt_path(MODELS[name])

    assert path.parts[-2:] == (name, "deploy.prototxt")
    assert path.is_file()


def test_a_prototxt_that_is_not_installed_is_named() -> None:
    """The installation is incomplete; that is not the user's fault."""
    entry = dataclasses.replace(MODELS["vgg16"], name="vgg17")

    with pytest.raises(MissingFileError, match="'vgg17/deploy.prototxt' is missing"):
        prototxt_path(entry)


# -- fetching


def test_weights_are_fetched_once(
    site: Site, publish: Callable[..., ModelEntry], home: Path
) -> None:
    """The second call finds them, checks them and asks nobody."""
    urls = (site.add("/x", Page(BODY)),)
    publish("vgg16", urls=urls, size=len(BODY), hashes={"sha256": SHA256})

    first, second = fetch_model("VGG-16"), fetch_model("vgg16")

    assert first == second == home / "VGG_ILSVRC_16_layers.caffemodel"
    assert first.read_bytes() == BODY
    assert len(site.requests) == 1


def test_damaged_weights_are_fetched_again(
    site: Site, publish: Callable[..., ModelEntry], home: Path
) -> None:
    """With a warning that says what was wrong with the old file."""
    urls = (site.add("/x", Page(BODY)),)
    entry = publish("vgg16", urls=urls, size=len(BODY), hashes={"sha256": SHA256})
    home.mkdir()
    weights_path(entry).write_bytes(BODY[:-1])

    with pytest.warns(UserWarning, match="2,815 bytes instead of 2,816. Downloading it again"):
        fetch_model("vgg16")

    assert weights_path(entry).read_bytes() == BODY


def test_the_first_download_without_a_hash_is_remembered(
    site: Site, publish: Callable[..., ModelEntry], home: Path
) -> None:
    """Its sha256 goes into pins.json and is expected from then on."""
    entry = publish("googlenet_places365", urls=(site.add("/x", Page(BODY)),))
    assert expected_hashes(entry) == {}

    fetch_model("places365")

    assert json.loads((home / "pins.json").read_text()) == {
        "googlenet_places365.caffemodel": SHA256
    }
    assert expected_hashes(entry) == {"sha256": SHA256}


def test_a_later_download_must_match_the_first(
    site: Site, publish: Callable[..., ModelEntry], home: Path
) -> None:
    """The error says where the expected hash comes from."""
    entry = publish("googlenet_places365", urls=(site.add("/x", Page(BODY)),))
    fetch_model(entry)
    weights_path(entry).unlink()
    site.add("/x", Page(OTHER))

    with pytest.raises(DownloadError, match="hash is that of the first download") as caught:
        fetch_model(entry)

    assert len(str(caught.value).splitlines()) == 3
    assert [p.name for p in home.iterdir()] == ["pins.json"]


def test_a_file_that_changed_since_the_first_download_is_refused(
    site: Site, publish: Callable[..., ModelEntry]
) -> None:
    """The message tells both ways out."""
    entry = publish("googlenet_places365", urls=(site.add("/x", Page(BODY)),))
    path = fetch_model(entry)
    path.write_bytes(OTHER)

    with pytest.raises(CaffemodelError, match="has changed since it was first downloaded") as why:
        check_weights(entry, path)

    assert "pins.json" in str(why.value)
    assert "deepdream models fetch googlenet_places365" in str(why.value)


def test_a_file_put_there_by_hand_is_remembered_too(publish: Callable[..., ModelEntry]) -> None:
    """As if it had been downloaded."""
    entry = publish("googlenet_places365")
    weights_path(entry).parent.mkdir()
    weights_path(entry).write_bytes(BODY)

    assert fetch_model(entry) == weights_path(entry)
    assert expected_hashes(entry) == {"sha256": SHA256}


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_damaged_list_of_pins_is_named(home: Path, text: str) -> None:
    """It is never silently started anew: that would forget the hashes."""
    home.mkdir()
    (home / "pins.json").write_text(text)

    with pytest.raises(DownloadError, match="pins.json.*delete it to start anew"):
        expected_hashes(MODELS["googlenet_places205"])


def test_weights_inside_a_published_archive_are_fetched(
    site: Site, publish: Callable[..., ModelEntry]
) -> None:
    """As those of Places205 are."""
    name = MODELS["googlenet_places205"].weights_file
    publish("googlenet_places205", urls=(site.add("/x.tar.gz", Page(packed(name, BODY))),))

    assert fetch_model("places205").read_bytes() == BODY


def test_a_failed_download_tells_what_to_look_for(publish: Callable[..., ModelEntry]) -> None:
    """File name, size, hash and the command that takes the file."""
    publish("googlenet", urls=(closed_port(),))

    with pytest.raises(DownloadError) as caught:
        fetch_model("googlenet")

    message = str(caught.value)
    assert "connection refused" in message
    assert "bvlc_googlenet.caffemodel, 53,533,754 bytes, sha256 6f7101e3a21" in message
    assert "deepdream models add FILE" in message


def test_a_full_disk_tells_how_to_use_another(
    publish: Callable[..., ModelEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment variable is named."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 9, 1))

    with pytest.raises(WriteError, match="needs 53,533,754 bytes(.|\n)*DEEPDREAM_HOME"):
        fetch_model("googlenet")


def test_the_bundled_network_is_converted_not_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`bundled.bundled_caffemodel` gives the path; no address is asked."""
    fake = types.ModuleType("deepdream.models.bundled")
    fake.bundled_caffemodel = lambda folder: folder / "converted"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deepdream.models.bundled", fake)
    monkeypatch.setattr(deepdream.models, "bundled", fake, raising=False)

    assert fetch_model("bundled") == tmp_path / "home" / "converted"


# -- adding


def test_a_file_is_recognised_by_its_hash(
    publish: Callable[..., ModelEntry], tmp_path: Path, home: Path
) -> None:
    """Under any name; the copy gets the published one."""
    publish("alexnet", size=len(BODY), hashes={"sha1": hashlib.sha1(BODY).hexdigest()})
    publish("caffenet", size=len(BODY), hashes={"sha256": hashlib.sha256(OTHER).hexdigest()})
    file = tmp_path / "download (1)"
    file.write_bytes(BODY)

    assert add_model(file) == home / "bvlc_alexnet.caffemodel"
    assert (home / "bvlc_alexnet.caffemodel").read_bytes() == BODY
    assert file.read_bytes() == BODY
    assert [p.name for p in home.iterdir()] == ["bvlc_alexnet.caffemodel"]


def test_a_file_of_the_right_size_but_another_hash_is_refused(
    publish: Callable[..., ModelEntry], tmp_path: Path, home: Path
) -> None:
    """The candidates are named."""
    publish("alexnet", size=len(BODY))
    file = tmp_path / "x.caffemodel"
    file.write_bytes(BODY)

    with pytest.raises(CaffemodelError, match="the size of alexnet, but another hash") as caught:
        add_model(file)

    assert "--name (googlenet, googlenet_places205" in str(caught.value)
    assert not home.exists()


def test_a_named_file_must_be_the_published_one(
    publish: Callable[..., ModelEntry], tmp_path: Path
) -> None:
    """What was expected is said, and how to use other weights."""
    publish("alexnet", size=len(BODY))
    file = tmp_path / "x.caffemodel"
    file.write_bytes(BODY)

    with pytest.raises(CaffemodelError, match="not the weights of alexnet: sha256") as caught:
        add_model(file, "alexnet")

    assert "load_net('alexnet', FILE)" in str(caught.value)


def test_a_file_without_published_hash_is_known_by_its_name(
    publish: Callable[..., ModelEntry], tmp_path: Path
) -> None:
    """Its sha256 is remembered, like that of a first download."""
    entry = publish("googlenet_places365")
    file = tmp_path / "googlenet_places365.caffemodel"
    file.write_bytes(BODY)

    assert add_model(file).read_bytes() == BODY
    assert expected_hashes(entry) == {"sha256": SHA256}


def test_a_file_without_published_hash_can_be_named(
    publish: Callable[..., ModelEntry], tmp_path: Path
) -> None:
    """Where its own name says nothing."""
    entry = publish("googlenet_places365")
    file = tmp_path / "x"
    file.write_bytes(BODY)

    assert add_model(file, "places365") == weights_path(entry)


def test_weights_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    """Even without a hash the number of parameters gives a least size."""
    file = tmp_path / "googlenet_places365.caffemodel"
    file.write_bytes(BODY)

    with pytest.raises(CaffemodelError, match="cut short: 2,816 bytes, at least 25,390,708"):
        add_model(file)


def test_a_web_page_is_named(tmp_path: Path) -> None:
    """The commonest wrong file."""
    file = tmp_path / "bvlc_googlenet.caffemodel"
    file.write_bytes(b"<!doctype html><title>Not here</title>")

    with pytest.raises(CaffemodelError, match="a web page titled 'Not here'"):
        add_model(file)


def test_an_archive_is_opened(publish: Callable[..., ModelEntry], tmp_path: Path) -> None:
    """The one that MIT publishes can be added as it is."""
    entry = publish("googlenet_places205")
    file = tmp_path / "googlenet_places205.tar.gz"
    file.write_bytes(packed(entry.weights_file, BODY))

    assert add_model(file) == weights_path(entry)
    assert weights_path(entry).read_bytes() == BODY
    assert expected_hashes(entry) == {"sha256": SHA256}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("other.caffemodel", BODY, "is an archive without 'googlelet_places205"),
        ("googlelet_places205_train_iter_2400000.caffemodel", BODY, "is cut short"),
        (None, BODY, "is a damaged archive"),
    ],
    ids=["other file", "short file", "no archive"],
)
def test_a_wrong_archive_is_refused(
    tmp_path: Path, home: Path, name: str | None, data: bytes, words: str
) -> None:
    """Nothing of it stays in the cache."""
    file = tmp_path / "x.tar.gz"
    file.write_bytes(data if name is None else packed(name, data))

    with pytest.raises(CaffemodelError, match=words):
        add_model(file)

    assert list(home.glob("*")) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(MissingFileError, match="no file '.*nothing.caffemodel' to add"):
        add_model(tmp_path / "nothing.caffemodel")


def test_the_bundled_network_cannot_be_added(tmp_path: Path) -> None:
    """There is nothing to add."""
    file = tmp_path / "x"
    file.write_bytes(BODY)

    with pytest.raises(ParameterError, match="comes with the package"):
        add_model(file, "efficientnet_lite0")


# -- listing


def test_the_list_tells_where_weights_are(home: Path) -> None:
    """Bundled, on disk, or to be downloaded, with sizes where known."""
    home.mkdir()
    weights_path(MODELS["vgg16"]).write_bytes(BODY)

    rows = {row.entry.name: row for row in list_models()}

    assert list(rows) == list(MODELS)
    assert rows["efficientnet_lite0"].status == "bundled"
    assert rows["vgg16"].text == "on disk, 0.0 MB"
    assert rows["vgg16"].path == home / "VGG_ILSVRC_16_layers.caffemodel"
    assert rows["vgg16"].size == len(BODY)
    assert rows["googlenet"].text == "to be downloaded, 53.5 MB"
    assert rows["googlenet"].path is None
    assert rows["googlenet_places205"].text == "to be downloaded"


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fingerprints count at once."""
    monkeypatch.setattr(deepdream.files, "RESTED", -1.0)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that `check_weights` has compared with their hashes."""
    paths: list[Path] = []
    real = deepdream.models.cache.fault

    def fault(path: Path, *args: Any) -> str | None:
        paths.append(path)
        return real(path, *args)

    monkeypatch.setattr(deepdream.models.cache, "fault", fault)
    return paths


@pytest.fixture
def vgg16(publish: Callable[..., ModelEntry], home: Path) -> Path:
    """Weights in the cache, with a published hash."""
    entry = publish("vgg16", size=len(BODY), hashes={"sha256": SHA256})
    home.mkdir(exist_ok=True)
    weights_path(entry).write_bytes(BODY)
    return weights_path(entry)


@pytest.mark.usefixtures("rested")
def test_weights_that_do_not_change_are_hashed_once(vgg16: Path, hashed: list[Path]) -> None:
    """Later starts look at the fingerprint only; `models fetch` still reads every byte."""
    for _ in range(3):
        check_weights(MODELS["vgg16"], vgg16)
    assert hashed == [vgg16]

    fetch_model("vgg16")
    assert hashed == [vgg16, vgg16]


@pytest.mark.usefixtures("rested")
def test_weights_that_change_are_hashed_again(vgg16: Path) -> None:
    """Bytes swapped under the same name, size and date are found."""
    check_weights(MODELS["vgg16"], vgg16)
    before = vgg16.stat()
    time.sleep(0.05)  # more than one tick of the file system's clock
    vgg16.write_bytes(OTHER)
    os.utime(vgg16, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(CaffemodelError, match="sha256"):
        check_weights(MODELS["vgg16"], vgg16)


@pytest.mark.usefixtures("rested")
def test_other_hashes_than_those_compared_do_not_count(
    vgg16: Path, publish: Callable[..., ModelEntry]
) -> None:
    """A table that remembers what an older version published proves nothing."""
    check_weights(MODELS["vgg16"], vgg16)
    entry = publish("vgg16", size=len(BODY), hashes={"sha256": hashlib.sha256(OTHER).hexdigest()})

    with pytest.raises(CaffemodelError, match="sha256"):
        check_weights(entry, vgg16)


def test_fresh_weights_are_not_remembered(vgg16: Path, hashed: list[Path]) -> None:
    """What has just been written may be written again without a sign."""
    check_weights(MODELS["vgg16"], vgg16)
    check_weights(MODELS["vgg16"], vgg16)

    assert hashed == [vgg16, vgg16]
    assert not (vgg16.parent / "checked.json").exists()


@pytest.mark.usefixtures("rested")
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"VGG": 1}', b"\xff"], ids=repr)
def test_a_damaged_table_only_costs_time(vgg16: Path, hashed: list[Path], damage: bytes) -> None:
    """It is made anew."""
    (vgg16.parent / "checked.json").write_bytes(damage)

    check_weights(MODELS["vgg16"], vgg16)
    check_weights(MODELS["vgg16"], vgg16)

    assert hashed == [vgg16]
