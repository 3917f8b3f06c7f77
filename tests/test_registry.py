"""The facts about known networks, and the prototxts written from them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from deepdream.models.registry import ALIASES, DEFAULT_MODEL, MODELS, ModelEntry, plain

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "prototxt"
DIGITS = {"sha1": 40, "sha256": 64, "sha384": 96}

entries = pytest.mark.parametrize("entry", MODELS.values(), ids=list(MODELS))
downloads = pytest.mark.parametrize(
    "entry", [e for e in MODELS.values() if not e.bundled], ids=lambda e: e.name
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/make_prototxts.py as a module."""
    path = ROOT / "scripts" / "make_prototxts.py"
    spec = importlib.util.spec_from_file_location("make_prototxts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def layers(name: str) -> list[tuple[str, str, list[str], list[str]]]:
    """Return (name, type, bottoms, tops) of each layer, read with three regular expressions."""
    text = (FOLDER / name / "deploy.prototxt").read_text()
    found = []
    for block in text.split("layer {\n")[1:]:
        words = {
            key: re.findall(rf'^  {key}: "([^"]*)"', block, re.MULTILINE)
            for key in ("name", "type", "bottom", "top")
        }
        found.append((words["name"][0], words["type"][0], words["bottom"], words["top"]))
    return found


@entries
def test_an_entry_is_complete(entry: ModelEntry) -> None:
    """It has a title, a licence, a source, a mean of three grey levels and a recommended end."""
    assert entry.title
    assert entry.licence
    assert entry.classes
    assert entry.source.startswith("http")
    assert len(entry.mean) == 3
    assert all(90 < value < 130 for value in entry.mean)
    assert entry.end
    assert MODELS[entry.name] is entry


@entries
def test_the_prototxt_and_its_readme_exist(entry: ModelEntry) -> None:
    """The folder is called like the entry."""
    assert (FOLDER / entry.prototxt).is_file()
    assert (FOLDER / entry.name / "README.md").is_file()


@downloads
def test_hashes_are_whole(entry: ModelEntry) -> None:
    """Each has as many hex digits as its algorithm gives."""
    for algorithm, digits in entry.hashes.items():
        assert re.fullmatch(r"[0-9a-f]+", digits)
        assert len(digits) == DIGITS[algorithm]


def test_only_the_places_networks_have_no_published_hash() -> None:
    """All others can be checked on the first download."""
    unknown = [e.name for e in MODELS.values() if e.urls and not e.hashes]

    assert unknown == ["googlenet_places205", "googlenet_places365"]


@downloads
def test_addresses_end_in_the_file_or_an_archive(entry: ModelEntry) -> None:
    """Nothing else would be weights. One mirror names its files by a code."""
    for url in entry.urls:
        assert url.startswith(("http://", "https://"))
        assert url.endswith((f"/{entry.weights_file}", ".tar.gz")) or "nvidia.box.com" in url


@pytest.mark.parametrize("entry", [e for e in MODELS.values() if e.size], ids=lambda e: e.name)
def test_the_size_fits_the_number_of_parameters(entry: ModelEntry) -> None:
    """Four bytes per parameter, and some percent for names and fields.

    GoogLeNet's file also holds the 6,379,728 parameters of two auxiliary heads.
    """
    assert entry.size is not None
    parameters = entry.parameters + (6_379_728 if entry.name == "googlenet" else 0)

    assert 0 < entry.size - 4 * parameters < 25_000


@downloads
def test_the_readme_states_what_the_registry_knows(entry: ModelEntry) -> None:
    """File name, size, hashes, licence, mean and parameters."""
    text = (FOLDER / entry.name / "README.md").read_text()
    facts = [f"`{entry.weights_file}`", f"{entry.parameters:,}", entry.licence.split()[0]]
    facts += [f"`{digits}`" for digits in entry.hashes.values()]
    facts += [", ".join(f"{value:g}" for value in entry.mean)]
    facts += [] if entry.size is None else [f"{entry.size:,} bytes"]
    facts += [f"`{name}`" for name in entry.layers]

    assert [fact for fact in facts if fact not in text] == []


@entries
def test_recommended_layers_have_blobs_of_their_name(entry: ModelEntry) -> None:
    """So that they can be ends in the notebook's own loop, too."""
    blobs = {top for _, _, _, tops in layers(entry.name) for top in tops}
    names = {name for name, _, _, _ in layers(entry.name)}

    assert {entry.end, *entry.layers} - (names & blobs) == set()


def test_no_alias_means_two_networks() -> None:
    """Every plain word was given once."""
    words = [plain(w) for e in MODELS.values() for w in {e.name, *e.aliases}]

    assert len(words) == len(set(words)) == len(ALIASES)


def test_plain_ignores_case_and_punctuation() -> None:
    """Users write VGG-16, vgg_16 and vgg16."""
    assert {plain("VGG-16"), plain("vgg_16"), plain(" vgg16 ")} == {"vgg16"}


def test_the_bundled_network_comes_first_and_is_the_default() -> None:
    """It is what works without the internet."""
    assert next(iter(MODELS)) == DEFAULT_MODEL
    assert [e.name for e in MODELS.values() if e.bundled] == [DEFAULT_MODEL]


def test_the_committed_prototxts_are_fresh(script: ModuleType) -> None:
    """They are what scripts/make_prototxts.py writes."""
    assert script.main(["--check"]) == 0


def test_a_stale_prototxt_is_found_and_written_anew(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check changes nothing; the other run repairs."""
    assert script.main(["--folder", str(tmp_path)]) == 0
    stale = tmp_path / "vgg16" / "deploy.prototxt"
    stale.write_text("old")

    assert script.main(["--folder", str(tmp_path), "--check"]) == 1
    assert "vgg16" in capsys.readouterr().err
    assert stale.read_text() == "old"
    assert script.main(["--folder", str(tmp_path)]) == 0
    assert stale.read_text() == (FOLDER / "vgg16" / "deploy.prototxt").read_text()


@pytest.mark.parametrize(
    ("name", "layer_n", "blob_n"),
    [
        ("googlenet", 143, 85),
        ("googlenet_places205", 143, 85),
        ("googlenet_places365", 143, 85),
        ("caffenet", 24, 15),
        ("alexnet", 24, 15),
        ("vgg16", 40, 23),
        ("vgg19", 46, 26),
        ("squeezenet_v1.0", 67, 40),
        ("squeezenet_v1.1", 67, 40),
        ("resnet50", 229, 74),
    ],
)
def test_networks_have_the_published_number_of_layers(name: str, layer_n: int, blob_n: int) -> None:
    """Before splits. Counted in real Caffe from the originals, where it holds them."""
    found = layers(name)

    assert len(found) == layer_n
    assert len({top for _, _, _, tops in found for top in tops}) == blob_n


def test_googlenet_starts_and_ends_like_bvlcs() -> None:
    """Names and order of the stem, the first block and the head."""
    names = [name for name, _, _, _ in layers("googlenet")]

    assert names[:11] == [
        "data",
        "conv1/7x7_s2",
        "conv1/relu_7x7",
        "pool1/3x3_s2",
        "pool1/norm1",
        "conv2/3x3_reduce",
        "conv2/relu_3x3_reduce",
        "conv2/3x3",
        "conv2/relu_3x3",
        "conv2/norm2",
        "pool2/3x3_s2",
    ]
    assert [name.partition("inception_3a/")[2] for name in names[11:25]] == [
        "1x1",
        "relu_1x1",
        "3x3_reduce",
        "relu_3x3_reduce",
        "3x3",
        "relu_3x3",
        "5x5_reduce",
        "relu_5x5_reduce",
        "5x5",
        "relu_5x5",
        "pool",
        "pool_proj",
        "relu_pool_proj",
        "output",
    ]
    assert names[-4:] == ["pool5/7x7_s1", "pool5/drop_7x7_s1", "loss3/classifier", "prob"]
    assert [name for name in names if name.startswith("pool")] == [
        "pool1/3x3_s2",
        "pool1/norm1",
        "pool2/3x3_s2",
        "pool3/3x3_s2",
        "pool4/3x3_s2",
        "pool5/7x7_s1",
        "pool5/drop_7x7_s1",
    ]


def test_the_two_alexnets_differ_in_the_order_of_pool_and_norm() -> None:
    """AlexNet normalises first, CaffeNet pools first."""
    chains = {
        name: [layer for layer, kind, _, _ in layers(name) if kind in ("LRN", "Pooling")]
        for name in ("alexnet", "caffenet")
    }

    assert chains["alexnet"] == ["norm1", "pool1", "norm2", "pool2", "pool5"]
    assert chains["caffenet"] == ["pool1", "norm1", "pool2", "norm2", "pool5"]


def test_a_residual_block_is_named_as_published() -> None:
    """The first block of stage 3, with its shortcut."""
    names = [name for name, _, _, _ in layers("resnet50")]
    first = names.index("res3a_branch1")

    assert names[first : first + 15] == [
        "res3a_branch1",
        "bn3a_branch1",
        "scale3a_branch1",
        "res3a_branch2a",
        "bn3a_branch2a",
        "scale3a_branch2a",
        "res3a_branch2a_relu",
        "res3a_branch2b",
        "bn3a_branch2b",
        "scale3a_branch2b",
        "res3a_branch2b_relu",
        "res3a_branch2c",
        "bn3a_branch2c",
        "scale3a_branch2c",
        "res3a",
    ]
    text = (FOLDER / "resnet50" / "deploy.prototxt").read_text()
    strided = re.findall(r'name: "(res\w+)"\n(?:  .*\n){3}.* stride: 2', text)
    assert strided == [f"res{i}a_branch{b}" for i in (3, 4, 5) for b in ("1", "2a")]
