"""Files as torch.save writes them, made of pickle and zipfile alone, from arrays of NumPy."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C

KINDS = {
    "f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short",
    "i1": "Char", "u1": "Byte", "b1": "Bool",
}  # fmt: skip


class Global(NamedTuple):
    """What a pickle names, without its having to exist."""

    module: str
    name: str

    def __call__(self) -> None:
        """pickle wants what it reduces to to be callable."""


class Reduced:
    """What a pickle makes by calling something: `Reduced(function, *arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Stored(NamedTuple):
    """A storage: `persistent` is what the pickle says of it, `content` its bytes."""

    persistent: tuple[Any, ...]
    content: bytes


class Writer(pickle._Pickler):  # type: ignore[name-defined, misc]
    def persistent_id(self, obj: Any) -> Any:
        return obj.persistent if isinstance(obj, Stored) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(b"c%s\n%s\n" % (obj.module.encode(), obj.name.encode()))
        else:
            super().save(obj, save_persistent_id)


def pickled(value: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Writer(file, protocol).dump(value)
    return file.getvalue()


def stored(array: np.ndarray, key: str, legacy: bool = False, order: str = "<") -> Stored:
    """Return a storage with the numbers of an array."""
    kind = Global("torch", KINDS[array.dtype.str[1:]] + "Storage")
    content = np.ravel(array).astype(array.dtype.newbyteorder(order)).tobytes()
    return Stored(("storage", kind, key, "cpu", array.size, *[None] * legacy), content)


def tensor(storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Reduced:
    """Return a view of a storage; strides count numbers."""
    function = Global("torch._utils", "_rebuild_tensor_v2")
    return Reduced(function, storage, offset, shape, strides, False, OrderedDict())


def strides_of(array: np.ndarray) -> tuple[int, ...]:
    return tuple(stride // array.itemsize for stride in array.strides)


def plain(arrays: Mapping[str, np.ndarray], legacy: bool = False, order: str = "<") -> Any:
    """Return a state dict, and its storages."""
    storages = [stored(a, str(i), legacy, order) for i, a in enumerate(arrays.values())]
    state = OrderedDict(
        (name, tensor(storage, 0, array.shape, strides_of(np.array(array, order="C"))))
        for (name, array), storage in zip(arrays.items(), storages)
    )
    return state, storages


def archive(
    state: Any, storages: list[Stored], *, byteorder: bytes = b"little", **others: bytes
) -> bytes:
    """Return a zip archive as of PyTorch 1.6 and later."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("archive/data.pkl", state if type(state) is bytes else pickled(state))
        zipped.writestr("archive/byteorder", byteorder)
        for storage in storages:
            zipped.writestr(f"archive/data/{storage.persistent[2]}", storage.content)
        zipped.writestr("archive/version", b"3\n")
        for name, content in others.items():
            zipped.writestr(f"archive/{name}", content)
    return file.getvalue()


def legacy(
    state: Any, storages: list[Stored], *, version: int = 1001, little: bool = True
) -> bytes:
    """Return a file as before PyTorch 1.6."""
    machine = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}
    storages = sorted(storages, key=lambda storage: storage.persistent[2])
    keys = [storage.persistent[2] for storage in storages]
    head = [pickled(value) for value in (MAGIC, version, machine)]
    body = state if type(state) is bytes else pickled(state)
    tail = [struct.pack("<q", s.persistent[4]) + s.content for s in storages]
    return b"".join([*head, body, pickled(keys), *tail])
