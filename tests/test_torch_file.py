"""Files of torch.save are read to the bit without PyTorch, and nothing in them is ever run."""

from __future__ import annotations

import builtins
import io
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from torch_bytes import (
    KINDS,
    Global,
    Reduced,
    archive,
    legacy,
    pickled,
    plain,
    stored,
    tensor,
)

from deepdream.errors import CaffemodelError, DeepDreamError, MissingFileError
from deepdream.models import bundled
from deepdream.reading.torch_file import read_state_dict

ROOT = Path(__file__).resolve().parents[1]
FORMATS = {"zip": archive, "legacy": legacy}
RNG = np.random.RandomState(5)


@pytest.fixture
def read(tmp_path: Path):
    """Read bytes as a file."""

    def function(content: bytes) -> dict[str, np.ndarray]:
        path = tmp_path / "state.pth"
        path.write_bytes(content)
        return read_state_dict(path)

    return function


def arrays_of_all_types() -> dict[str, np.ndarray]:
    """One array of each type, its extremes among the numbers, in an order that is not sorted."""
    found: dict[str, np.ndarray] = {}
    for dtype in sorted(KINDS, reverse=True):
        numbers = RNG.uniform(-100, 100, (2, 3, 5)) > 0 if dtype == "b1" else None
        if numbers is None:
            numbers = RNG.uniform(0, 100, (2, 3, 5)).astype(dtype)
            info = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
            numbers[0, 0, :2] = info.min, info.max
        found[f"layer.{dtype}"] = numbers
    return {**found, "scalar": np.float32(0.1).reshape(()), "none": np.zeros((3, 0, 2), "f4")}


def assert_same(actual, desired) -> None:
    """Names in order, types, shapes and every bit."""
    assert list(actual) == list(desired)
    for name, array in desired.items():
        assert actual[name].dtype == array.dtype, name
        assert actual[name].shape == array.shape, name
        assert actual[name].tobytes() == array.tobytes(), name


def refuses(read, content: bytes, pattern: str) -> str:
    """Return the message of three lines at most with which `content` is refused."""
    with pytest.raises(CaffemodelError, match=pattern) as caught:
        read(content)
    message = str(caught.value)
    assert message.count("\n") <= 2
    assert message.replace("\n", "").isprintable()
    assert "state.pth" in message
    return message


# -- what is read


@pytest.mark.parametrize("form", FORMATS)
def test_every_type_and_shape(read, form: str) -> None:
    """Numbers, names and their order, no axes and an axis of length 0 among the shapes."""
    arrays = arrays_of_all_types()

    assert_same(read(FORMATS[form](*plain(arrays, form == "legacy"))), arrays)


def test_numbers_with_the_highest_byte_first(read) -> None:
    """``byteorder`` says so; what is read is in this machine's order."""
    arrays = arrays_of_all_types()
    content = archive(*plain(arrays, order=">"), byteorder=b"big")

    found = read(content)

    assert_same(found, arrays)
    assert all(array.dtype.isnative for array in found.values())


def test_an_archive_without_a_byte_order_is_little_endian(read) -> None:
    """Files of PyTorch before 2.1 have none."""
    arrays = {"a": np.arange(6, dtype=np.float32)}
    state, (storage,) = plain(arrays)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("name/data.pkl", pickled(state))
        zipped.writestr("name/data/0", storage.content)

    assert_same(read(file.getvalue()), arrays)


@pytest.mark.parametrize("form", FORMATS)
def test_views_of_one_storage(read, form: str) -> None:
    """Offset and strides count numbers; tied weights share memory, as tensors do."""
    numbers = np.arange(60, dtype=np.int16)
    storage = stored(numbers, "7", form == "legacy")
    state = {
        "whole": tensor(storage, 0, (3, 4, 5), (20, 5, 1)),
        "turned": tensor(storage, 0, (5, 3, 4), (1, 20, 5)),
        "piece": tensor(storage, 23, (2, 3), (20, 2)),
        "expanded": tensor(storage, 59, (2, 3), (0, 0)),
        "long stride": tensor(storage, 3, (1, 2), (1 << 70, 1)),
    }

    found = read(FORMATS[form](state, [storage]))

    cube = numbers.reshape(3, 4, 5)
    expected = {
        "whole": cube,
        "turned": cube.transpose(2, 0, 1),
        "piece": np.array([[23, 25, 27], [43, 45, 47]], np.int16),
        "expanded": np.full((2, 3), 59, np.int16),
        "long stride": np.array([[3, 4]], np.int16),
    }
    assert_same(found, expected)
    assert np.shares_memory(found["whole"], found["piece"])
    assert not any(array.flags.writeable for array in found.values())


def test_bfloat16_becomes_float32(read) -> None:
    """The upper half of a float32: each of its 65536 patterns."""
    halves = np.arange(1 << 16, dtype=np.uint16)
    storage = stored(halves.view(np.int16), "0")
    persistent = list(storage.persistent)
    persistent[1] = Global("torch", "BFloat16Storage")
    storage = storage._replace(persistent=tuple(persistent))

    found = read(archive({"x": tensor(storage, 0, (1 << 16,), (1,))}, [storage]))["x"]

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view(np.uint32), halves.astype(np.uint32) << 16)


def test_parameters_and_attributes_of_the_dict(read) -> None:
    """A parameter is its tensor; ``_metadata``, which a module's state dict has, is let go."""
    array = RNG.standard_normal((3, 2)).astype(np.float32)
    storage = stored(array, "0")
    inside = tensor(storage, 0, (3, 2), (2, 1))
    parameter = Reduced(Global("torch._utils", "_rebuild_parameter"), inside, True, OrderedDict())
    state = OrderedDict(weight=parameter)
    state._metadata = OrderedDict([("", {"version": 1})])  # type: ignore[attr-defined]

    assert_same(read(archive(state, [storage])), {"weight": array})


def test_an_ordered_dict_of_python_2(read) -> None:
    """It was pickled as a list of pairs, with names in bytes."""
    array = RNG.standard_normal((3, 2)).astype(np.float32)
    storage = stored(array, "0")
    state = Reduced(OrderedDict, [["weight", tensor(storage, 0, (3, 2), (2, 1))]])
    content = pickled(state).replace(b"X\x06\0\0\0weight", b"U\x06weight")
    assert b"U\x06weight" in content

    assert_same(read(archive(content, [storage])), {"weight": array})


def test_nothing_at_all(read) -> None:
    """An empty state dict has no arrays."""
    assert read(archive({}, [])) == {}


def test_checksums_that_were_not_computed(read) -> None:
    """PyTorch can leave them out; then the archive says 0 of each."""
    arrays = {"a": np.arange(6, dtype=np.float32)}
    content = archive(*plain(arrays))
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        sums = {info.CRC for info in zipped.infolist()}
    for value in sums:
        content = content.replace(value.to_bytes(4, "little"), bytes(4))

    assert_same(read(content), arrays)


# -- the same as PyTorch


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # by torch 2.0 itself
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=FORMATS)
def test_what_pytorch_writes(tmp_path: Path, options: dict[str, bool]) -> None:
    """A module's state dict and tensors of every kind, as torch.load reads them."""
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 6, (2, 5), groups=3), torch.nn.BatchNorm2d(6))
    base = torch.arange(60.0).reshape(3, 4, 5)
    state = module.state_dict(keep_vars=True)
    state["half"] = base.half()
    state["turned"] = base.permute(2, 0, 1)
    state["piece"] = base[1:, ::2, 2]
    state["tied"] = base[0]
    state["scalar"] = torch.tensor(7)
    state["none"] = torch.zeros(3, 0, 2)
    state["expanded"] = torch.ones(1).expand(3, 5)
    state["bytes"] = torch.arange(7, dtype=torch.uint8)
    state["truths"] = base > 29
    state["bfloat16"] = torch.randn(3, 7).bfloat16()
    torch.save(state, tmp_path / "state.pth", **options)

    found = read_state_dict(tmp_path / "state.pth")

    loaded = torch.load(tmp_path / "state.pth", weights_only=True)
    loaded["bfloat16"] = loaded["bfloat16"].float()
    assert_same(found, {name: value.detach().numpy() for name, value in loaded.items()})
    assert np.shares_memory(found["turned"], found["piece"])


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # by torch 2.0 itself
def test_the_bundled_weights_are_what_pytorch_reads() -> None:
    """They come in the format from before PyTorch 1.6."""
    torch = pytest.importorskip("torch")
    path = bundled._state_dict_path()

    loaded = torch.load(path, weights_only=True)

    assert_same(read_state_dict(path), {name: value.numpy() for name, value in loaded.items()})


# -- what is refused


def test_no_pickle_is_ever_run(read, tmp_path: Path) -> None:
    """A file that would run a command when it is loaded is refused by the command's name."""
    mark = tmp_path / "it was run"
    for run in (
        Reduced(Global("os", "system"), f"touch '{mark}'"),
        Reduced(Global("posix", "system"), f"touch '{mark}'"),
        Reduced(Global("builtins", "exec"), f"open({str(mark)!r}, 'w')"),
        Reduced(Global("torch.hub", "load"), str(mark)),
    ):
        function = run.call[0]
        for state in (run, {"a": run}, OrderedDict(a=run), [run]):
            for content in (archive(state, []), legacy(state, [])):
                message = refuses(read, content, re.escape(f"'{function.module}.{function.name}'"))
                assert "Nothing of it was run" in message
                assert "torch.save(model.state_dict(), path)" in message

    assert not mark.exists()
    exec(f"open({str(mark)!r}, 'w').close()")
    assert mark.exists()  # the command itself works


def test_neither_import_nor_call_is_in_the_reader(read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a pickle names, no module is looked up."""
    monkeypatch.setattr(pickled.__globals__["pickle"], "loads", None)
    asked: list[str] = []
    real = builtins.__import__

    def watch(name, *rest):
        asked.append(name)
        return real(name, *rest)

    content = archive({"a": Reduced(Global("antigravity", "fly"))}, [])
    monkeypatch.setattr(builtins, "__import__", watch)

    refuses(read, content, "antigravity")

    assert "antigravity" not in {name.split(".")[0] for name in [*asked, *sys.modules]}


@pytest.mark.parametrize(
    ("state", "pattern"),
    [
        (Reduced(Global("torch.nn.modules.linear", "Linear")), "'torch.nn.modules.linear.Linear'"),
        ({"a": Reduced(Global("torch", "FloatStorage"))}, "makes a 'torch.FloatStorage'"),
        ({"epoch": 3}, "'epoch' is a int"),
        ({"state_dict": {"a": 0.5}}, "opcode BINFLOAT"),
        ({5: None}, "'5' is a NoneType"),
        ({(5, 3): None}, "a key of a dict is a tuple"),
        ([1, 2], "holds a list"),
        (None, "holds a NoneType"),
        (Global("torch", "FloatStorage"), "holds a 'torch.FloatStorage'"),
        ({"a": Global("torch", "ComplexFloatStorage")}, r"ComplexFloatStorage.*Double, Float"),
        ({"a": Reduced(Global("torch._utils", "_rebuild_tensor_v3"))}, "_rebuild_tensor_v3"),
    ],
    ids=[
        "module", "storage", "number", "real number", "key", "tuple key", "list", "nothing",
        "class", "complex", "later tensor",
    ],
)  # fmt: skip
def test_more_than_tensors(read, state, pattern: str) -> None:
    """What was found is named, and how to save the tensors alone."""
    for content in (archive(state, []), legacy(state, [])):
        assert "model.state_dict()" in refuses(read, content, pattern)


def test_what_only_pytorch_can_interpret(read) -> None:
    """A conjugated tensor, a storage inside another, a dict of tensors in a dict."""
    storage = stored(np.arange(6, dtype=np.float32), "0", legacy=True)
    whole = tensor(storage, 0, (6,), (1,))
    function, arguments = whole.call
    negated = Reduced(function, *arguments, {"neg": True})
    part = storage._replace(persistent=(*storage.persistent[:5], ("1", 0, 3)))

    refuses(read, archive({"a": negated}, [storage]), "attributes besides its numbers")
    refuses(read, legacy({"a": tensor(part, 0, (3,), (1,))}, [part]), "part of another one")
    refuses(read, archive({"state_dict": {"a": whole}}, [storage]), "is a dict of tensors")


@pytest.mark.parametrize("protocol", [0, 1, 4, 5])
def test_other_pickle_protocols(read, protocol: int) -> None:
    """torch.save writes protocol 2 unless it is told otherwise."""
    content = archive(pickled({"a": 5}, protocol), [])

    refuses(read, content, f"pickle protocol {protocol}" if protocol > 2 else "opcode|'a' is a int")


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "is empty"),
        (b"<html><title>404 Not Found</title>", "web page titled '404 Not Found'"),
        (b"\x80\x04K\x05.", "none of torch.save's"),
        (b"\0" * 257 + b"ustar" + b"\0" * 500, "tar archive(.|\n)*0.1.10"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "HDF5"),
        (b"PK\x03\x04" + b"\0" * 99, "zip archive, but is none"),
        (b"\x93\x07\xe2" + b"\0" * 99, "begins in another way"),
    ],
    ids=["empty", "web page", "pickle", "tar", "hdf5", "zip", "random"],
)
def test_something_else_altogether(read, content: bytes, pattern: str) -> None:
    """It is named by what it begins with."""
    refuses(read, content, pattern)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    """As everywhere in this package."""
    with pytest.raises(MissingFileError, match=r"no file '.*x\.pth'"):
        read_state_dict(tmp_path / "x.pth")
    with pytest.raises(CaffemodelError, match="is a folder"):
        read_state_dict(tmp_path)


def zipped(*files: tuple[str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as made:
        for name, content in files:
            made.writestr(name, content)
    return file.getvalue()


def test_other_zip_archives(read) -> None:
    """Without a pickle, with two, of TorchScript, compressed, with a big file that is not there."""
    state, (storage,) = plain({"a": np.zeros(50_000, np.float32)})
    data = pickled(state)

    refuses(read, zipped(("a/b.txt", b"x")), "without a pickle of torch.save's")
    refuses(read, zipped(("a/data.pkl", data), ("b/data.pkl", data)), "without a pickle")
    refuses(read, archive(state, [storage], **{"constants.pkl": b"x"}), "TorchScript")
    refuses(read, archive(state, []), "has no 'archive/data/0'")
    files = ("a/data.pkl", data), ("a/data/0", storage.content)
    bomb = zipped(*files, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2000
    refuses(read, bomb, "'a/data.pkl' in it is compressed")
    whole = zipped(*files)
    directory = whole.rindex(b"PK\x01\x02")  # of the last file, whose two sizes are at 20 and 24
    for size in (len(storage.content) + 1, 1 << 31):
        larger = bytearray(whole)
        larger[directory + 20 : directory + 28] = size.to_bytes(4, "little") * 2
        refuses(read, bytes(larger), "claim to be larger than its|data/0")
    refuses(read, archive(state, [storage], byteorder=b"middle"), "byte order is 'middle'")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(files[0], files[1], files[1])
    refuses(read, twice, "two files in it have one name")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ((0, (61,), (1,)), "number 60 of a storage of 60"),
        ((1, (60,), (1,)), "number 60 of a storage of 60"),
        ((0, (3, 5), (29, 1)), "number 62 of a storage of 60"),
        ((-1, (3,), (1,)), "negative"),
        ((5, (3,), (-1,)), "negative"),
        ((0, (-1,), (1,)), "negative"),
        ((0, (3, 5), (1,)), "2 axes and 1 strides"),
        ((0, (1,) * 33, (1,) * 33), "33 axes"),
        ((0, (1 << 62,), (0,)), "expanded to far more"),
        ((0, (1 << 40, 0), (0, 0)), "expanded to far more"),
        ((0, (3, True), (1, 1)), "no whole numbers"),
        ((0, ("3",), (1,)), "no whole numbers"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_tensors_outside_of_their_storage(read, form: str, place, pattern: str) -> None:
    """Not one number beyond it, in either direction."""
    storage = stored(np.zeros(60, np.float32), "0", form == "legacy")

    refuses(read, FORMATS[form]({"a": tensor(storage, *place)}, [storage]), pattern)


@pytest.mark.parametrize("form", FORMATS)
def test_storages_of_another_size_than_announced(read, form: str) -> None:
    """Larger, smaller, or said to be two things."""
    good = stored(np.zeros(60, np.float32), "0", form == "legacy")

    def lying(place: int, value) -> object:
        persistent = list(good.persistent)
        persistent[place] = value
        return good._replace(persistent=tuple(persistent))

    for size in (59, 61, 1 << 60, -1):
        wrong = lying(4, size)
        content = FORMATS[form]({"a": tensor(wrong, 0, (3,), (1,))}, [good])
        refuses(read, content, "numbers of 4 were announced|not as announced")
        refuses(read, content, "is damaged")
    both = {
        "a": tensor(good, 0, (3,), (1,)),
        "b": tensor(lying(1, Global("torch", "IntStorage")), 0, (3,), (1,)),
    }
    refuses(read, FORMATS[form](both, [good]), "described in two ways")


def test_a_checksum_that_is_wrong(read) -> None:
    """One bit of a weight."""
    content = bytearray(archive(*plain({"a": np.full(60, 0.3, np.float32)})))
    content[content.index(np.float32(0.3).tobytes() * 2)] ^= 4

    refuses(read, bytes(content), "checksum of 'archive/data/0' is wrong")


def test_legacy_files_of_other_versions_and_machines(read) -> None:
    """They are told from damaged ones."""
    made = plain({"a": np.zeros(3, np.float32)}, legacy=True)

    refuses(read, legacy(*made, version=1002), "version 1002, not 1001")
    refuses(read, legacy(*made, little=False), "big-endian")
    state, (storage,) = made
    refuses(read, legacy(state, [storage, storage]), "there twice")
    refuses(read, legacy(state, []), "no storage '0'")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere(read, form: str) -> None:
    """Whole or refused: a shorter file has never all its numbers."""
    content = FORMATS[form](*plain(arrays_of_all_types(), form == "legacy"))
    for length in [*range(0, len(content) - 1, 37), len(content) - 1]:
        refuses(read, content[:length], "is damaged|is empty|in another way|opcode|is no file")


# -- what it costs


def test_a_pickle_of_nested_copies_costs_nothing(read) -> None:
    """Lists of lists that double in size at each level are shared, never written out."""
    bomb = b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(200))
    tracemalloc.start()
    refuses(read, archive(bomb + b".", []), "something is left over")
    refuses(read, archive(bomb + b"\x85.", []), "something is left over")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 4 << 20


def test_too_many_opcodes(read) -> None:
    """A pickle of millions of them is no state dict."""
    refuses(read, archive(b"\x80\x02" + b"N" * 1_000_001, []), "more than 1,000,000 opcodes")


def test_weights_are_in_memory_once(tmp_path: Path) -> None:
    """A file of 8 MB takes 8 MB: it is mapped, and each storage copied."""
    for form, write in FORMATS.items():
        path = tmp_path / f"{form}.pth"
        path.write_bytes(write(*plain({"a": np.zeros((1 << 20, 2), np.float32)}, form == "legacy")))
        tracemalloc.start()
        found = read_state_dict(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert found["a"].nbytes == 8 << 20
        assert peak < 9 << 20, form


def test_no_torch_is_imported_for_the_bundled_weights(tmp_path: Path) -> None:
    """Reading and converting them needs NumPy and protobuf."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from deepdream.models.bundled import bundled_caffemodel\n"
        "print(bundled_caffemodel(Path(sys.argv[1])).stat().st_size)\n"
        "assert not {'torch', 'numba'} & set(sys.modules), 'loaded'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 18_000_000


def test_every_error_is_one_of_ours(read) -> None:
    """What is refused is refused with one class, which callers of this package catch."""
    assert issubclass(CaffemodelError, DeepDreamError)
    with pytest.raises(DeepDreamError):
        read(archive([1], []))
