"""Tensors from a file that torch.save wrote, without PyTorch, and without running what is in it.

torch.save pickles: such a file can hold any program, which runs when it is loaded as a pickle is.
Here a file is read that holds a state dict, a dict of names and plain tensors, and nothing else
(`tensor_pickle`). There are two formats:

* since PyTorch 1.6 a zip archive, not compressed: ``NAME/data.pkl`` is the pickle, each storage a
  file ``NAME/data/KEY``, and ``NAME/byteorder`` says ``little`` or ``big``;
* before, and still where it is asked for, five pickles one after the other (a mark, the version,
  the machine that wrote it, the state dict, the keys of the storages), then the storages in the
  order of these keys, each behind its count of numbers as eight bytes.

Nothing is allocated before the file is known to be large enough for it.

Source: ``torch/serialization.py`` (``_legacy_save``, ``_save``) of PyTorch 2.13; APPNOTE.TXT of
PKWARE for the zip's headers.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import CaffemodelError
from ..files import HEAD, FileName, open_view, recognise
from .tensor_pickle import PickleError, Storage, Tensor, kind_of, parse_pickle

_DTYPES = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "BFloat16": "u2",  # the upper half of a float32
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "u1",
}

# The pickled number 0x1950a86a20f9469cfc6c, with which the older format begins.
_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_LEGACY_VERSION = 1001

_MAX_AXES = 32  # of an array of NumPy 1

# A tensor that was expanded (a stride of 0) is larger than its storage. Arrays are views, but who
# copies them on should not meet one of terabytes. Together they may have 64 MiB, or 16 files.
_LEAST_ALLOWED = 1 << 26
_TIMES_THE_FILE = 16

_SAVE_STATE_DICT = "Where PyTorch is, save the tensors alone: torch.save(model.state_dict(), path)."
_AGAIN = "Get the file again."

# What zipfile raises depends on which part of the archive is damaged.
_ZIP_ERRORS = (
    zipfile.BadZipFile, OSError, RuntimeError, ValueError, KeyError, IndexError, EOFError,
    OverflowError, struct.error,
)  # fmt: skip


class _DamageError(ValueError):
    """What is wrong with a file, without its name."""


def read_state_dict(path: FileName) -> dict[str, np.ndarray]:
    """Read the tensors that torch.save has written.

    Parameters
    ----------
    path : str, bytes or PathLike
        A state dict, in the format of PyTorch 1.6 and later or in the one before.

    Returns
    -------
    dict of str to ndarray
        Name -> array, in the file's order, in the shape that the tensor had. float64, float32,
        float16, int64, int32, int16, int8, uint8 and bool are kept; bfloat16, which NumPy has not,
        becomes float32, in which each of its numbers is one. Arrays are read-only, strided as the
        tensors were, and those that shared a storage share memory.

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    CaffemodelError
        The file is cut short, damaged or none of torch.save's, or it holds something else than
        plain tensors: a pickled module, a checkpoint with an optimizer, other types of numbers.
        Nothing in it has been run then, either.

    Examples
    --------
    >>> state = read_state_dict("efficientnet-lite0-57934424.pth")  # doctest: +SKIP
    >>> state["_conv_stem.weight"].shape  # doctest: +SKIP
    (32, 3, 3, 3)
    """
    name = os.fsdecode(path)
    data = open_view(path, CaffemodelError)
    head = bytes(data[:HEAD])
    try:
        if head.startswith(b"PK\x03\x04"):
            state, storage_bytes, order = _open_archive(data)
        elif head.startswith(_LEGACY):
            state, storage_bytes, order = _open_legacy(data)
        else:
            raise CaffemodelError(f"'{name}' {_other(head)}")
        return _arrays(_tensors(state), storage_bytes, order, len(data))
    except PickleError as error:
        if error.foreign:
            raise CaffemodelError(
                f"'{name}' holds more than names and plain tensors: {error}. Nothing of it was run."
                f"\n{_SAVE_STATE_DICT}"
            ) from error
        raise CaffemodelError(f"'{name}' is damaged: in its pickle {error}. {_AGAIN}") from error
    except _DamageError as error:
        raise CaffemodelError(f"'{name}' is damaged: {error}. {_AGAIN}") from error


def _other(head: bytes) -> str:
    """Say what a file is that begins in neither way."""
    if not head:
        return f"is empty: its download or copy failed. {_AGAIN}"
    if head[257:262] == b"ustar":
        return (
            "is a tar archive, perhaps PyTorch's format before 0.1.10, which is not read here.\n"
            "Where PyTorch is, load it and save its tensors again with torch.save."
        )
    if head[:1] == b"\x80":
        return f"is a pickle, but none of torch.save's.\n{_SAVE_STATE_DICT}"
    kind = recognise(head)
    what = "begins in another way" if kind is None else f"is {kind.what}"
    return f"is no file of torch.save's: it {what}. {_AGAIN}"


# -- where the two formats keep the storages

_StorageBytes = Callable[[Storage], "memoryview"]


def _open_archive(data: memoryview) -> tuple[Any, _StorageBytes, str]:
    """Return what a zip archive's pickle holds, what finds storages, and their byte order."""
    file = data.obj if isinstance(data.obj, mmap.mmap) else io.BytesIO(data)
    try:
        with zipfile.ZipFile(file) as archive:  # type: ignore[arg-type]
            listed = archive.infolist()
    except _ZIP_ERRORS as error:
        raise _DamageError(
            f"it begins as a zip archive, but is none ({str(error)[:100]})"
        ) from error
    members = {info.filename: info for info in listed}
    if len(members) < len(listed):
        raise _DamageError("two files in it have one name")
    folders = [name.rpartition("/")[0] for name in members if name.endswith("/data.pkl")]
    if len(folders) != 1:
        raise PickleError("it is a zip archive without a pickle of torch.save's", foreign=True)
    folder = folders[0]
    if f"{folder}/constants.pkl" in members:
        raise PickleError("it is a program of TorchScript", foreign=True)
    for info in listed:
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise PickleError(f"{info.filename[-100:]!r} in it is compressed", foreign=True)
    if sum(info.file_size for info in listed) > len(data):
        raise _DamageError(f"the files in it claim to be larger than its {len(data):,} bytes")

    def member(name: str) -> memoryview:
        if name not in members:
            raise _DamageError(f"it has no {name[-100:]!r}")
        return _stored(data, members[name])

    order = "little"
    if f"{folder}/byteorder" in members:
        order = bytes(member(f"{folder}/byteorder")[:20]).decode("latin-1")
    if order not in ("little", "big"):
        raise _DamageError(f"its byte order is {order!r}")
    state, _ = parse_pickle(member(f"{folder}/data.pkl"))
    return state, lambda storage: member(f"{folder}/data/{storage.key}"), order


def _stored(data: memoryview, info: zipfile.ZipInfo) -> memoryview:
    """Return the bytes of a file in an archive."""
    name = repr(info.filename[-100:])
    place = info.header_offset
    header = bytes(data[place : place + 30]) if place >= 0 else b""
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise _DamageError(f"{name} in it is not where it is said to be")
    start = place + 30 + sum(struct.unpack("<HH", header[26:]))
    found = data[start : start + info.file_size]
    if len(found) < info.file_size:
        raise _DamageError(f"{name} in it ends behind the file's end")
    # torch.serialization.set_crc32_options(False) writes 0 for every sum.
    if info.CRC and zlib.crc32(found) != info.CRC:
        raise _DamageError(f"the checksum of {name} is wrong")
    return found


def _open_legacy(data: memoryview) -> tuple[Any, _StorageBytes, str]:
    """Return what the fourth pickle holds, what finds storages, and their byte order."""
    pickles, position = [], 0
    for _ in range(5):
        value, position = parse_pickle(data, position)
        pickles.append(value)
    _, version, machine, state, keys = pickles
    if version != _LEGACY_VERSION:
        found = version if type(version) is int else kind_of(version)
        raise PickleError(
            f"its format has the version {found}, not {_LEGACY_VERSION}", foreign=True
        )
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise PickleError("it was written on a big-endian machine", foreign=True)
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise _DamageError("its list of storages is none")

    sizes = {t.storage.key: t.storage for t in _tensors(state).values()}
    places: dict[str, memoryview] = {}
    for key in keys:
        if key not in sizes or key in places:
            raise _DamageError(f"its storage {key[:40]!r} belongs to no tensor, or is there twice")
        count = int.from_bytes(data[position : position + 8], "little")
        position += 8
        if count != sizes[key].size:
            raise _DamageError(f"its storage {key[:40]!r} has {count:,} numbers, not as announced")
        length = count * np.dtype(_DTYPES[sizes[key].kind]).itemsize
        places[key] = data[position : position + length]
        position += length

    def storage_bytes(storage: Storage) -> memoryview:
        if storage.key not in places:
            raise _DamageError(f"it has no storage {storage.key[:40]!r}")
        return places[storage.key]

    return state, storage_bytes, "little"


# -- from what the pickle says to arrays


def _tensors(state: Any) -> dict[str, Tensor]:
    """Return `state`, if it is a state dict.

    Raises
    ------
    PickleError
        It is, or it holds, something else.
    """
    if type(state) is not dict:
        raise PickleError(f"it holds a {kind_of(state)}, no dict", foreign=True)
    for key, value in state.items():
        if type(key) is not str or type(value) is not Tensor:
            inside = type(value) is dict and any(type(v) is Tensor for v in value.values())
            what = "a dict of tensors" if inside else f"a {kind_of(value)}"
            raise PickleError(f"its entry {str(key)[:100]!r} is {what}", foreign=True)
    return state


def _arrays(
    tensors: dict[str, Tensor], storage_bytes: _StorageBytes, order: str, size: int
) -> dict[str, np.ndarray]:
    """Return the tensors of a file of `size` bytes as arrays."""
    budget = max(_LEAST_ALLOWED, _TIMES_THE_FILE * size)
    storages: dict[str, tuple[Storage, np.ndarray]] = {}
    arrays = {}
    for name, tensor in tensors.items():
        storage = tensor.storage
        if storage.key not in storages:
            storages[storage.key] = storage, _numbers(storage, storage_bytes(storage), order)
        announced, numbers = storages[storage.key]
        if announced != storage:
            raise _DamageError(f"its storage {storage.key[:40]!r} is described in two ways")
        try:
            budget -= _check_place(tensor) * numbers.itemsize
        except _DamageError as error:
            raise _DamageError(f"tensor {name[:100]!r} {error}") from None
        if budget < 0:
            raise PickleError(
                f"tensor {name[:100]!r} was expanded to far more numbers than the file has",
                foreign=True,
            )
        # The stride of an axis of length 1 may be any number.
        strides = [s * numbers.itemsize if n > 1 else 0 for n, s in zip(*tensor[2:])]
        offset = tensor.offset * numbers.itemsize
        if 0 in tensor.shape:
            arrays[name] = np.zeros(tensor.shape, numbers.dtype)
        else:
            arrays[name] = np.ndarray(tensor.shape, numbers.dtype, numbers, offset, strides)
        arrays[name].flags.writeable = False
    return arrays


def _numbers(storage: Storage, found: memoryview, order: str) -> np.ndarray:
    """Return the numbers of a storage, (size,), in an array of their own."""
    dtype = np.dtype(_DTYPES[storage.kind])
    if storage.size * dtype.itemsize != len(found):
        raise _DamageError(
            f"its storage {storage.key[:40]!r} has {len(found):,} bytes, and {storage.size:,} "
            f"numbers of {dtype.itemsize} were announced"
        )
    numbers = np.frombuffer(found, dtype.newbyteorder("<" if order == "little" else ">"))
    if storage.kind == "BFloat16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    if storage.kind == "Bool":
        return numbers != 0
    return numbers.astype(dtype)


def _check_place(tensor: Tensor) -> int:
    """Return how many numbers a tensor has, at least one for each axis of length 0.

    Raises
    ------
    _DamageError
        It does not lie inside its storage.
    """
    shape, strides = tensor.shape, tensor.strides
    if len(shape) != len(strides) or len(shape) > _MAX_AXES:
        raise _DamageError(f"has {len(shape)} axes and {len(strides)} strides")
    if min((tensor.offset, *shape, *strides)) < 0:
        raise _DamageError("has a negative length, stride or offset")
    last = tensor.offset + sum((n - 1) * s for n, s in zip(shape, strides))
    if 0 not in shape and last >= tensor.storage.size:
        raise _DamageError(f"goes up to number {last:,} of a storage of {tensor.storage.size:,}")
    return math.prod(n or 1 for n in shape)
