"""The pickle inside a file of torch.save, as far as a state dict of plain tensors needs it.

A pickle is a program for a machine with a stack, and the machine of the standard library does what
the program says: it imports any module and calls anything in it. This one has no instruction that
imports or calls. It knows the opcodes that build dicts, lists, tuples, strings and whole numbers;
the names that a pickle mentions are looked up in `_NAMES` and `STORAGES` and nowhere else, and what
they stand for are a few functions of this module that rearrange what is on the stack. Whatever else
is met ends the reading, by its name.

No number of a tensor is in the pickle: `Tensor` says where in which `Storage` it is, and
`torch_file` knows where the file keeps the storages.

Source: the opcodes as ``pickletools`` of Python's standard library describes them; what PyTorch
writes with them, ``torch/_utils.py`` (``_rebuild_tensor_v2``) and ``torch/serialization.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

# A state dict needs some 30 for each tensor. A file with millions would take minutes.
MAX_OPCODES = 1_000_000

STORAGES = {
    f"torch.{name}Storage": name
    for name in (
        "Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"
    )
}  # fmt: skip
"""A storage's name in a pickle -> what PyTorch calls its type of numbers."""

_LONGEST_INTEGER = 16  # bytes; the largest one that is written, the legacy format's mark, has 10


class PickleError(ValueError):
    """A pickle that is not read. `foreign` tells that it holds more than tensors, else damage."""

    def __init__(self, message: str, foreign: bool = False) -> None:
        super().__init__(message)
        self.foreign = foreign


class Storage(NamedTuple):
    """A run of numbers that tensors are views of.

    Attributes
    ----------
    kind : str
        The type of its numbers: one of the values of `STORAGES`.
    key : str
        Its name in the file.
    size : int
        How many numbers it has; as the pickle says, which may be wrong.
    """

    kind: str
    key: str
    size: int


class Tensor(NamedTuple):
    """A view of a storage; `offset` and `strides` count numbers, not bytes. None is checked yet."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Name(NamedTuple):
    """Stands for what a pickle names: ``Name("torch.FloatStorage")``. It is not imported."""

    full: str


def parse_pickle(data: memoryview, start: int = 0) -> tuple[Any, int]:
    """Return what a pickle holds, and where it ends.

    Parameters
    ----------
    data : memoryview
        A buffer.
    start : int
        Where in it the pickle begins. Bytes behind its end are not looked at.

    Returns
    -------
    value : None, bool, int, str, tuple, list, dict, Name, Storage or Tensor
        Ordered dicts are dicts here, and parameters tensors.
    end : int
        The index of the first byte behind it.

    Raises
    ------
    PickleError
        The pickle is cut short or damaged, or it holds something else.
    """
    machine = _Machine(data, start)
    return machine.run(), machine.position


class _Machine:
    """The stack, the memo, and the place in the buffer."""

    def __init__(self, data: memoryview, start: int) -> None:
        self.data = data
        self.position = start
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # stacks below the marks
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            begin = self.position
            code = self.take(1)[0]
            if code == _STOP:
                value = self.pop()
                if self.stack or self.outer:
                    raise PickleError(f"something is left over at byte {begin:,}")
                return value
            act = _OPCODES.get(code)
            if act is None:
                raise _refused_opcode(code, begin)
            act(self)
        raise PickleError(f"it has more than {MAX_OPCODES:,} opcodes")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        stop = self.position + count
        if not 0 <= count <= len(self.data) - self.position:
            raise PickleError("it is cut short")
        found = bytes(self.data[self.position : stop])
        self.position = stop
        return found

    def number(self, form: str) -> int:
        """Return an unsigned or signed number of fixed size, lowest byte first."""
        return int(struct.unpack("<" + form, self.take(struct.calcsize(form)))[0])

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise PickleError(f"no text ends at byte {self.position:,}") from None

    def line(self) -> str:
        """Return the text before the next newline."""
        for length in range(min(300, len(self.data) - self.position)):
            if self.data[self.position + length] == 10:
                found = self.text(length)
                self.position += 1
                return found
        raise PickleError(f"no name begins at byte {self.position:,}")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise PickleError(f"the stack is empty at byte {self.position:,}")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.outer:
            raise PickleError(f"there is no mark at byte {self.position:,}")
        items, self.stack = self.stack, self.outer.pop()
        return items

    def pop_kind(self, kind: type) -> Any:
        value = self.pop()
        if type(value) is not kind:
            raise PickleError(
                f"a {kind.__name__} is needed at byte {self.position:,}, not a {kind_of(value)}"
            )
        return value

    def top(self, kind: type) -> Any:
        value = self.pop_kind(kind)
        self.push(value)
        return value


# -- what an opcode does


def _mark(machine: _Machine) -> None:
    machine.outer.append(machine.stack)
    machine.stack = []


def _protocol(machine: _Machine) -> None:
    protocol = machine.take(1)[0]
    if protocol not in (2, 3):
        raise PickleError(
            f"it is of pickle protocol {protocol}, not of torch.save's own, 2", foreign=True
        )


def _long(machine: _Machine) -> None:
    length = machine.take(1)[0]
    if length > _LONGEST_INTEGER:
        raise PickleError(f"a number of {length} bytes begins at byte {machine.position:,}")
    machine.push(int.from_bytes(machine.take(length), "little", signed=True))


def _tuple(count: int) -> Callable[[_Machine], None]:
    def act(machine: _Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(items)))

    return act


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine.top(dict), [key, value])


def _set_items(machine: _Machine) -> None:
    items = machine.pop_to_mark()
    _fill(machine.top(dict), items)


def _fill(target: dict[Any, Any], items: list[Any]) -> None:
    if len(items) % 2:
        raise PickleError("a key of a dict has no value")
    for key, value in zip(items[::2], items[1::2]):
        if type(key) not in (str, int):
            raise PickleError(f"a key of a dict is a {kind_of(key)}", foreign=True)
        target[key] = value


def _append(machine: _Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: _Machine) -> None:
    items = machine.pop_to_mark()
    machine.top(list).extend(items)


def _build(machine: _Machine) -> None:
    """Attributes of an ordered dict, such as ``_metadata`` of a state dict: they are let go."""
    machine.pop_kind(dict)
    machine.top(dict)


def _remember(form: str) -> Callable[[_Machine], None]:
    def act(machine: _Machine) -> None:
        value = machine.pop()
        machine.memo[machine.number(form)] = value
        machine.push(value)

    return act


def _recall(form: str) -> Callable[[_Machine], None]:
    def act(machine: _Machine) -> None:
        place = machine.number(form)
        if place not in machine.memo:
            raise PickleError(f"nothing is kept under {place}, at byte {machine.position:,}")
        machine.push(machine.memo[place])

    return act


def _name(machine: _Machine) -> None:
    """A module and a name in it: the opcode with which pickles import what they then call."""
    full = f"{machine.line()}.{machine.line()}"
    if full not in _NAMES and full not in STORAGES:
        numbers = full.startswith("torch.") and full.endswith("Storage")
        types = " (numbers may be " + ", ".join(STORAGES.values()) + ")" if numbers else ""
        raise PickleError(f"it names {full[:100]!r}{types}", foreign=True)
    machine.push(Name(full))


def _reduce(machine: _Machine) -> None:
    """What the standard library's machine calls a function for."""
    arguments = machine.pop_kind(tuple)
    name = machine.pop_kind(Name).full
    if name not in _NAMES:
        raise PickleError(f"it makes a {name!r}", foreign=True)
    machine.push(_NAMES[name](arguments))


def _storage(machine: _Machine) -> None:
    """What lies outside of the pickle: ``("storage", type, key, device, size)``.

    In the legacy format a sixth item is None, or tells that the storage is a part of another one.
    """
    found = machine.pop_kind(tuple)
    if found[5:] not in ((), (None,)):
        raise PickleError("a storage is part of another one", foreign=True)
    kinds = [type(item) for item in found[:5]]
    if kinds != [str, Name, str, str, int] or found[0] != "storage":
        raise PickleError(f"no storage is described at byte {machine.position:,}")
    if found[1].full not in STORAGES:
        raise PickleError(f"a storage of {found[1].full!r} is none of numbers")
    machine.push(Storage(STORAGES[found[1].full], found[2], found[4]))


# -- what a pickle may name


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """``OrderedDict()``, or, as Python 2 wrote it, ``OrderedDict([[key, value], ...])``."""
    found: dict[Any, Any] = {}
    pairs = arguments[0] if arguments else []
    if len(arguments) > 1 or type(pairs) is not list:
        raise PickleError("an ordered dict is made of something else than pairs")
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            raise PickleError("an ordered dict is made of something else than pairs")
        _fill(found, pair)
    return found


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    """``_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, metadata)``."""
    kinds = [type(argument) for argument in arguments[:4]]
    if len(arguments) not in (6, 7) or kinds != [Storage, int, tuple, tuple]:
        raise PickleError("a tensor is described in another way than PyTorch's")
    if not all(type(number) is int for number in arguments[2] + arguments[3]):
        raise PickleError("a tensor's shape or strides are no whole numbers")
    if arguments[6:] and arguments[6]:
        # Conjugated, negated: the numbers in the file are not those of the tensor.
        raise PickleError("a tensor has attributes besides its numbers", foreign=True)
    return Tensor(*arguments[:4])


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    """``_rebuild_parameter(tensor, requires_grad, hooks)``."""
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise PickleError("a parameter is described in another way than PyTorch's")
    return arguments[0]


_NAMES: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}

_STOP = ord(".")

_OPCODES: dict[int, Callable[[_Machine], None]] = {
    0x80: _protocol,
    ord("("): _mark,
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("K"): lambda machine: machine.push(machine.number("B")),
    ord("M"): lambda machine: machine.push(machine.number("H")),
    ord("J"): lambda machine: machine.push(machine.number("i")),
    0x8A: _long,
    ord("X"): lambda machine: machine.push(machine.text(machine.number("I"))),
    ord("U"): lambda machine: machine.push(machine.text(machine.number("B"))),  # of Python 2
    ord("T"): lambda machine: machine.push(machine.text(machine.number("i"))),
    ord(")"): lambda machine: machine.push(()),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("t"): lambda machine: machine.push(tuple(machine.pop_to_mark())),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): _append,
    ord("e"): _appends,
    ord("}"): lambda machine: machine.push({}),
    ord("s"): _set_item,
    ord("u"): _set_items,
    ord("b"): _build,
    ord("q"): _remember("B"),
    ord("r"): _remember("I"),
    ord("h"): _recall("B"),
    ord("j"): _recall("I"),
    ord("c"): _name,
    ord("R"): _reduce,
    ord("Q"): _storage,
}


def _refused_opcode(code: int, place: int) -> PickleError:
    import pickletools

    for known in pickletools.opcodes:
        if known.code == chr(code):
            return PickleError(f"it has the opcode {known.name}", foreign=True)
    return PickleError(f"no opcode can begin at byte {place:,}")


def kind_of(value: Any) -> str:
    """Return what a value of a pickle is, in a word or its name."""
    return repr(value.full) if type(value) is Name else type(value).__name__
