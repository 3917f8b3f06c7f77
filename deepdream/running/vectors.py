"""The containers that pycaffe hands out: vectors of one kind of things, and dicts by name.

Here they are lists and dicts. As in pycaffe an array cannot be put in a blob's place: that would
change nothing in the net, so it is an error that shows how values are written.
"""

from __future__ import annotations

import numbers
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from ..errors import AssignmentError, UnknownBlobError, UnknownLayerError, nearest


class Vec(list):
    """A vector of things of one kind, whose slices are vectors, too.

    Attributes
    ----------
    kind : type
        What it takes.
    advice : str
        What to do instead, told where something else is assigned.
    """

    kind: Any = object
    advice = ""

    def _check(self, value: Any) -> Any:
        if not self._takes(value):
            raise AssignmentError(
                f"{type(self).__name__} takes {self.kind.__name__}, not {_called(value)}"
                f"{self.advice}"
            )
        return value

    def _takes(self, value: Any) -> bool:
        return isinstance(value, self.kind)

    def __getitem__(self, index: Any) -> Any:
        item = super().__getitem__(index)
        return type(self)(item) if isinstance(index, slice) else item

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            value = [self._check(each) for each in value]
        else:
            self._check(value)
        super().__setitem__(index, value)

    def append(self, value: Any) -> None:
        super().append(self._check(value))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, self._check(value))

    def extend(self, values: Iterable[Any]) -> None:
        super().extend([self._check(value) for value in values])

    def __iadd__(self, values: Iterable[Any]) -> Any:  # type: ignore[misc]
        self.extend(values)
        return self


class IntVec(Vec):
    """What ``blob.shape`` returns: a list of int, not a tuple, as in pycaffe."""

    kind = int
    advice = "; a blob gets another shape by blob.reshape(1, 3, 224, 224)"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, numbers.Integral)


class StringVec(Vec):
    """A vector of names."""

    kind = str


class DtypeVec(Vec):
    """A vector of numbers."""

    kind = float

    def _takes(self, value: Any) -> bool:
        return isinstance(value, numbers.Real)


class BoolVec(Vec):
    """A vector of truth values."""

    kind = bool


class Named(OrderedDict):
    """Blobs, parameters or layers by name; what is not there is told with the nearest names.

    Parameters
    ----------
    what : str
        ``"blob"`` or ``"layer"``, for messages.
    write : str
        How the values under a name are written, with ``{name!r}`` in it.
    items : iterable of (str, object)
    """

    def __init__(self, what: str, write: str, items: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self._what, self._write = what, write
        for name, value in items:
            self.enter(name, value)

    def enter(self, name: str, value: Any) -> None:
        """Put something in, as the net does; ``[name] =`` is an error."""
        super().__setitem__(name, value)

    def __setitem__(self, name: str, value: Any) -> None:
        raise AssignmentError(
            f"assigning to {name!r} would change this dict and not the net: write "
            f"{self._write.format(name=name)}"
        )

    def __missing__(self, name: Any) -> Any:
        error = UnknownBlobError if self._what == "blob" else UnknownNameError
        hint = nearest(name, self) if isinstance(name, str) else f" They go by name: {list(self)}"
        raise error(f"no {self._what} {name!r} here.{hint}")

    def __reduce__(self) -> Any:
        return Named, (self._what, self._write, list(self.items()))


class UnknownNameError(UnknownLayerError, KeyError):
    """A name that is no layer, or no layer with parameters, where dicts raise KeyError."""

    __str__ = Exception.__str__  # KeyError would print the repr of the message


def _called(value: Any) -> str:
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"{kind} of shape {tuple(shape)}" if isinstance(shape, tuple) else f"{kind} {value!r}"
