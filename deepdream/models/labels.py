"""The names of a network's classes, and which number each of them has.

A classifier ends in one number for each class. Which class is which is not in Caffe's files: it is
known from the data that the network was trained on. The names lie beside this module, one class a
line, in the order of the outputs: ``classes/imagenet.txt`` (ILSVRC 2012's 1000, with all words of
each WordNet synset), ``places205.txt`` and ``places365.txt``. What people call many classes by one
word, dogs and birds above all, is in ``imagenet.families``: a word, and the classes it stands for.

Source: the order and the words of ImageNet's are those of Caffe's ``synset_words.txt``, of Places'
those of the lists published with the networks (``categoryIndex_places205.csv``,
``categories_places365.txt``). The families are our own.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import ParameterError, UnknownLabelError, nearest
from ..running.graph import graph_of

_FOLDER = Path(__file__).with_name("classes")

# Which list a network without an entry in the registry has, by how many classes it tells apart.
_BY_COUNT = {1000: "imagenet", 205: "places205", 365: "places365"}

_SHOWN = 4  # classes that a message offers


@dataclass(frozen=True)
class Classes:
    """The classes that a kind of networks tells apart.

    Attributes
    ----------
    labels : tuple of str
        The words for each class, with commas between them, the usual one first: ``"tench, Tinca
        tinca"``.
    families : mapping of str to tuple of int
        Words that stand for many classes, each with their numbers.
    """

    labels: tuple[str, ...]
    families: Mapping[str, tuple[int, ...]]

    @cached_property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """The words for each class, each by itself and as they are compared."""
        return tuple(tuple(map(plain_label, label.split(", "))) for label in self.labels)

    def find(self, word: str) -> tuple[int, ...]:
        """Return the classes that a word stands for: one, or the members of a family.

        Raises
        ------
        UnknownLabelError
            It stands for none, or for several that are no family; the message offers names.
        """
        for spelling in _singular(plain_label(word)):
            for found, all_of_them in self._candidates(spelling):
                if len(found) == 1 or (found and all_of_them):
                    return found
                if found:
                    raise UnknownLabelError(self._ambiguous(word, found))
        if "," in word:
            raise UnknownLabelError(
                f"no class is called '{word}'. Several classes are several terms: --end class:NAME "
                "for each,\nor label(NAME) + label(NAME) in Python"
            )
        hint = nearest(word, [*self.families, *(w for x in self.labels for w in x.split(", "))])
        raise UnknownLabelError(
            f"no class is called '{word}'.{hint} The names are listed by: deepdream labels"
        )

    def _candidates(self, wanted: str) -> Iterator[tuple[tuple[int, ...], bool]]:
        """Yield the classes that fit a plain name by one rule after the other, and whether several
        belong together.
        """
        numbered = list(enumerate(self.names))
        whole = ((i, plain_label(label)) for i, label in enumerate(self.labels))
        yield tuple(i for i, label in whole if label == wanted), False
        yield tuple(i for i, names in numbered if names[0] == wanted), False
        yield self.families.get(wanted, ()), True
        yield tuple(i for i, names in numbered if wanted in names), False
        yield tuple(i for i, label in enumerate(self.labels) if _names_kind(label, wanted)), False

    def _ambiguous(self, word: str, found: Sequence[int]) -> str:
        shown = ", ".join(f"{i} ({self.labels[i].split(', ')[0]})" for i in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return (
            f"the label '{word}' may be any of {len(found)} classes: {shown}{more}.\n"
            "Write more of the name, or the number."
        )

    def families_of(self, word: str) -> dict[str, tuple[int, ...]]:
        """Return the families that a word names, also in the plural: none, or one as a rule."""
        spellings = _singular(plain_label(word))
        return {name: members for name, members in self.families.items() if name in spellings}

    def containing(self, word: str) -> Iterator[int]:
        """Yield the classes one of whose names has a word, or a beginning of one, in it."""
        wanted = f" {plain_label(word)}"
        for i, names in enumerate(self.names):
            if any(wanted in f" {name}" for name in names):
                yield i


def _names_kind(label: str, wanted: str) -> bool:
    """Tell whether a plain name is the kind of thing that a class is a special one of.

    It is the last word of a name ("owl" of "great grey owl"), or what stands before a slash
    ("church" of "church/outdoor").
    """
    for name in label.split(", "):
        if plain_label(name).endswith(f" {wanted}") or plain_label(name.split("/")[0]) == wanted:
            return True
    return False


def _singular(wanted: str) -> list[str]:
    """Return the spellings to look for: of several things also what one is called."""
    found = [wanted]
    if wanted.endswith("ies"):
        found.append(f"{wanted[:-3]}y")
    if wanted.endswith("es"):
        found.append(wanted[:-2])
    if wanted.endswith("s"):
        found.append(wanted[:-1])
    return found


def plain_label(name: str) -> str:
    """Return a name in lower case, with one blank for whatever stands between its words."""
    return " ".join(re.findall(r"[^\W_]+", name.lower().replace("'", "")))


def classes_of(net: Any) -> Classes:
    """Return the classes that a net tells apart.

    Parameters
    ----------
    net : Net or Graph
        Those of the registry have their lists. Any other with 1000, 205 or 365 outputs is taken
        for one of ImageNet, Places205 or Places365, in the usual order.

    Raises
    ------
    UnknownLabelError
        The names of its classes are not known, or it has none.
    """
    count = class_count(net)
    entry = net.model
    name = entry.labels if entry is not None and entry.labels else _BY_COUNT.get(count, "")
    classes = _read(name) if name else None
    if classes is None or len(classes.labels) != count:
        raise UnknownLabelError(
            f"the names of the {count} classes of {graph_of(net).source} are not known: give the "
            f"number of one, 0 to {count - 1}"
        )
    return classes


def labels_of(net: Any) -> tuple[str, ...]:
    """Return the names of a net's classes, in the order of its outputs.

    Parameters
    ----------
    net : Net or Graph
        See `classes_of`.

    Returns
    -------
    tuple of str
        Several words for one class have commas between them: ``"tench, Tinca tinca"``.

    Raises
    ------
    UnknownLabelError
        They are not known.
    """
    return classes_of(net).labels


def find_labels(net: Any, name: str | int) -> tuple[int, ...]:
    """Return the numbers of the classes that a name stands for.

    Parameters
    ----------
    net : Net or Graph
    name : str or int
        A number, as text too; any of a class's names; the last word of one class's names
        (``"owl"`` for the great grey owl); or the word for a family of classes (``"dog"``,
        ``"bird"``, ``"car"``). Capitals, blanks, hyphens and underscores do not count, and neither
        does a plural's s. The usual name of one class wins over a family, and that over other
        names: ``"panda"`` is both pandas, ``"hot dog"`` no dog.

    Returns
    -------
    tuple of int
        One number; more for a family.

    Raises
    ------
    UnknownLabelError
        No class has this name, or several that are no family have; the message offers names. Also
        where the network's names are not known, and this is no number.
    """
    number = _number(name)
    if number is None:
        return classes_of(net).find(str(name))
    count = class_count(net)
    if not 0 <= number < count:
        raise UnknownLabelError(f"there is no class {number}: the network has {count}, from 0 on")
    return (number,)


def find_label(net: Any, name: str | int) -> int:
    """Return the number of one class.

    Parameters
    ----------
    net : Net or Graph
    name : str or int
        As for `find_labels`.

    Raises
    ------
    UnknownLabelError
        As there; also for the name of a family.
    """
    found = find_labels(net, name)
    if len(found) > 1:
        labels = labels_of(net)
        shown = ", ".join(repr(labels[i].split(", ")[0]) for i in found[:_SHOWN])
        raise UnknownLabelError(
            f"'{name}' stands for {len(found)} classes, and one is wanted: for example {shown}. "
            "They are listed by: deepdream labels"
        )
    return found[0]


def label_name(net: Any, number: int) -> str:
    """Return what to call a class: its usual name, or its number where names are not known."""
    try:
        return labels_of(net)[number].split(", ")[0]
    except UnknownLabelError:
        return str(number)


def logits_of(net: Any) -> str:
    """Return the layer whose outputs, one number for each class, go into the softmax.

    Parameters
    ----------
    net : Net or Graph

    Returns
    -------
    str
        The name of a layer and of its blob, such as ``"loss3/classifier"``. In a net without a
        softmax it is the last layer, if that gives one number for each of several classes.

    Raises
    ------
    ParameterError
        The net is no classifier.
    """
    graph = graph_of(net)
    found = _last_softmax(graph)
    if found is None:
        names = [name for name in graph._top_names[-1] if len(graph.blob(name).shape) in (2, 4)]
        found = names[0] if names and graph.blob(names[0]).shape[1] > 1 else None
        if found is not None and set(graph.blob(found).shape[2:]) - {1}:
            found = None
    if found is None:
        raise ParameterError(
            f"{graph.source} ends neither in a softmax nor in one number for each class: it is no "
            "classifier that could be asked for a label"
        )
    return found


def _last_softmax(graph: Any) -> str | None:
    """Return the blob that goes into the last softmax: past splits, which have names of Caffe's."""
    made_by = {name: i for i, tops in enumerate(graph._top_names) for name in tops}
    for i in reversed(range(len(graph._layers))):
        if graph._layers[i].type in ("Softmax", "SoftmaxWithLoss"):
            name: str = graph._bottom_names[i][0]
            while graph._layers[made_by[name]].type == "Split":
                name = graph._bottom_names[made_by[name]][0]
            return name
    return None


def class_count(net: Any) -> int:
    """Return how many classes a net tells apart.

    Raises
    ------
    ParameterError
        It is no classifier.
    """
    return int(graph_of(net).blob(logits_of(net)).shape[1])


def _number(name: Any) -> int | None:
    """Return a class's number, where one is given; None for a name."""
    if isinstance(name, numbers.Integral) and not isinstance(name, bool):
        return int(name)
    if isinstance(name, str):
        return int(name) if re.fullmatch(r"\s*\d+\s*", name) else None
    raise UnknownLabelError(f"a label is a name or a whole number, not {name!r}")


@cache
def _read(name: str) -> Classes:
    """Return the classes of a list beside this module."""
    labels = (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    path = _FOLDER / f"{name}.families"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    rows = (line.split(": ") for line in lines)
    return Classes(tuple(labels), {word: _members(text.split(", ")) for word, text in rows})


def _members(parts: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers that ``["7-24", "80"]`` names."""
    found: list[int] = []
    for part in parts:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
