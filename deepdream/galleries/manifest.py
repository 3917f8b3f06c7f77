"""What a gallery's folder holds: ``gallery.json``, written after each picture.

The settings are what all pictures of a gallery share; a folder is only gone on with under the same
ones. Layers, channels and numbers of octaves may be added to: each has pictures of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Optional

from ..dreaming.pictures.octaves import ALL
from ..errors import DeepDreamError, MissingFileError, ParameterError
from ..files import replacing
from ..recipe import json_types
from ..version import __version__
from .targets import Target

NAME = "gallery.json"
PAGE = "index.html"
INPUT = "input.png"
_FORMAT = 1  # of the manifest; one that is higher is refused


@dataclass
class Entry:
    """One picture, or why there is none.

    Attributes
    ----------
    layer, channel, octave_n
        What was dreamt; channel is None for all channels.
    file : str
        Path below the gallery's folder, with forward slashes.
    error : str
        Why there is no picture; empty where there is one.
    notes : list of str
        What was to be said while it was made, as of octaves left out.
    seconds : float
        How long it took.
    size : int
        Of the file, in bytes; 0 where it is not known, in a gallery of an earlier version.
    """

    layer: str
    channel: Optional[int]  # noqa: UP045 (a dataclass annotation is evaluated by Sphinx)
    octave_n: int
    file: str
    error: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    size: int = 0

    def is_whole(self, path: Path) -> bool:
        """Tell whether the picture's file is there, as long as it was when it was written."""
        return path.is_file() and self.size in (0, path.stat().st_size)


Key = tuple[str, Optional[int], int]


@dataclass
class Manifest:
    """A gallery as its file has it.

    Attributes
    ----------
    settings : dict
        What its pictures share: the ``network``, the ``picture``, ``parameters``, ``seed`` ...
    about : dict
        What the page tells besides: the name of the ``picture``, and the ``input`` that a command
        begins with (empty where it was no file), ``size`` [w, h], the ``width`` that it was shrunk
        to, ``model_flags``, the ``guide``'s file, layers ``left_out``.
    targets : list of Target
        What is shown, in the network's order.
    octaves : list of int or "all"
        Numbers of octaves, ascending.
    flat : int, "all" or None
        The number of octaves whose pictures lie in the folder itself; others have folders of their
        own.
    entries : dict of (layer, channel, octave_n) to Entry
    """

    settings: dict[str, Any]
    about: dict[str, Any]
    targets: list[Target]
    octaves: list[int]
    flat: Optional[int]  # noqa: UP045
    entries: dict[Key, Entry]

    def file_of(self, target: Target, octave_n: int) -> str:
        """Return where a picture goes, below the gallery's folder."""
        name = f"{target.stem}{self.settings['format']}"
        return name if octave_n == self.flat else f"octaves-{octave_n}/{name}"

    def is_made(self, folder: Path, key: Key) -> bool:
        """Tell whether a picture is there already; one whose file is damaged is not."""
        entry = self.entries.get(key)
        return entry is not None and not entry.error and entry.is_whole(folder / entry.file)

    def count_made(self, folder: Path) -> int:
        """Return how many pictures are there."""
        return sum(self.is_made(folder, key) for key in self.entries)


def open_manifest(
    folder: Path,
    settings: Mapping[str, Any],
    about: Mapping[str, Any],
    targets: Sequence[Target],
    octaves: Sequence[int],
) -> Manifest:
    """Return the manifest to go on with: that of the folder, or a new one.

    Parameters
    ----------
    folder : Path
        Need not exist.
    settings, about : mapping
        See `Manifest`.
    targets : sequence of Target
    octaves : sequence of int or "all"
        What is asked for now; it is added to what the folder has.

    Raises
    ------
    ParameterError
        The folder holds a gallery with other settings, or files of somebody else that would be
        overwritten.
    """
    settings = json.loads(json.dumps(json_types(settings)))  # as they come back: pairs are lists
    if not (folder / NAME).exists():
        flat = octaves[0] if len(octaves) == 1 else None
        made = Manifest(dict(settings), dict(about), [*targets], ascending(octaves), flat, {})
        _refuse_foreign(folder, made)
        return made
    found = read_manifest(folder)
    _share_least(settings, found.settings)
    _refuse_other(folder, (settings, about), (found.settings, found.about))
    found.about = dict(about)
    found.targets = _merged(found.targets, targets)
    found.octaves = ascending({*found.octaves, *octaves})
    return found


def ascending(octaves: Iterable[Any]) -> list[Any]:
    """Return numbers of octaves in their order, ``"all"`` last."""
    return sorted(octaves, key=lambda n: (n == ALL, n))


def _share_least(*settings: Mapping[str, Any]) -> None:
    """Let all tell the smallest octave where one does: it is that of `ALL`, no number has one."""
    parameters = [each.get("parameters", {}) for each in settings]
    for one, other in (parameters, parameters[::-1]):
        if "octave_min" in other:
            one.setdefault("octave_min", other["octave_min"])


def _refuse_foreign(folder: Path, made: Manifest) -> None:
    names = [PAGE, INPUT]
    names += [made.file_of(target, n) for target in made.targets for n in made.octaves]
    there = next((name for name in names if (folder / name).exists()), None)
    if there is not None:
        raise ParameterError(
            f"'{folder}' has a file '{there}', but no {NAME} that tells which gallery it belongs "
            "to: choose another folder, or delete it"
        )


_Facts = tuple[Mapping[str, Any], Mapping[str, Any]]  # settings and about


def _refuse_other(folder: Path, asked: _Facts, before: _Facts) -> None:
    now, then = _flattened(asked[0]), _flattened(before[0])
    for name in {**then, **now}:
        if now.get(name) != then.get(name):
            raise ParameterError(
                f"'{folder}' holds another gallery, made with {_difference(name, asked, before)}: "
                "choose another folder, or delete it to start anew"
            )


def _difference(name: str, asked: _Facts, before: _Facts) -> str:
    """Return what was another one then, and what it is now, by names instead of hashes."""
    if name == "picture":
        then, now = (str(about.get("picture")) for _, about in (before, asked))
        if then == now:
            return f"another picture of the same name, {then}"
        return f"another picture, {then}, not {now}"
    if name == "guide":
        then, now = (_guide(*facts) for facts in (before, asked))
        if then == now:
            return f"another {then}"
        return f"{then}, not {'none' if now == 'no guide' else now}"
    if name.endswith("_sha256"):
        which = "another prototxt" if "prototxt" in name else "other weights"
        return f"{which} of the network {before[0]['network']['name']}"
    then, now = (_worded(name, _flattened(facts[0]).get(name)) for facts in (before, asked))
    return f"{then}, not {now}"


def _guide(settings: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    if settings["parameters"].get("guide") is None:
        return "no guide"
    named = about.get("guide")
    if not named:
        return "guide"
    return f"guide {named if isinstance(named, str) else ' and '.join(named)}"


def _worded(name: str, value: Any) -> str:
    name = name.replace("network name", "network")
    if value is None:
        return "the full width" if name == "width" else f"no {name}"
    if isinstance(value, list):
        value = ",".join(f"{number:g}" for number in value)
    return f"{name} {value}"


def _flattened(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flattened(value, "" if name == "parameters" else f"{name} "))
        else:
            flat[f"{above}{name}"] = value
    return flat


def _merged(before: Iterable[Target], now: Sequence[Target]) -> list[Target]:
    """Return both, in the order of the network; what is new counts."""
    merged = {(target.layer, target.channel): target for target in [*before, *now]}
    return sorted(merged.values(), key=lambda target: (target.order, target.channel or 0))


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read what a gallery's folder holds.

    Raises
    ------
    MissingFileError
        There is no gallery in that folder.
    ParameterError
        Its manifest is damaged, or was written by a later version.
    """
    path = Path(folder) / NAME
    if not path.is_file():
        raise MissingFileError(
            f"'{folder}' holds no gallery (there is no {NAME}): make one with "
            "deepdream gallery IMAGE -o FOLDER"
        )
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] > _FORMAT:
            raise ParameterError(
                f"'{path}' was written by deepdream {found['deepdream']}, this is {__version__}: "
                "update it"
            )
        entries = [Entry(**_known(Entry, entry)) for entry in found["pictures"]]
        return Manifest(
            found["settings"],
            found["about"],
            [_target(target) for target in found["targets"]],
            found["octaves"],
            found["flat"],
            {(entry.layer, entry.channel, entry.octave_n): entry for entry in entries},
        )
    except DeepDreamError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParameterError(
            f"'{path}' cannot be read ({error}): delete the folder to start anew"
        ) from error


def _known(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that a dataclass has; later versions may write more."""
    names = {member.name for member in fields(cls)}
    return {name: value for name, value in values.items() if name in names}


def _target(values: Mapping[str, Any]) -> Target:
    known = _known(Target, values)
    for name in ("shape", "stride", "field"):
        known[name] = None if known[name] is None else tuple(known[name])
    return Target(**known)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a gallery's manifest, whole or not at all.

    Raises
    ------
    WriteError
    """
    found = {
        "deepdream": __version__,
        "format": _FORMAT,
        "settings": manifest.settings,
        "about": manifest.about,
        "octaves": manifest.octaves,
        "flat": manifest.flat,
        "targets": [asdict(target) for target in manifest.targets],
        "pictures": [asdict(entry) for entry in manifest.entries.values()],
    }
    with replacing(folder / NAME) as part:
        part.write_text(json.dumps(json_types(found), indent=1, ensure_ascii=False) + "\n", "utf-8")
