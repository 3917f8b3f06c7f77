"""What a page says of its galleries: its title, its first lines, and what tells series apart.

A page of several galleries only says at its head what is true of all of them. What differs is in
the label of each series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dreaming.pictures.octaves import ALL
from ..dreaming.schedules import in_words

if TYPE_CHECKING:
    from .manifest import Manifest

Album = tuple[Path, "Manifest"]

_MANY = 3  # names that a title has room for


@dataclass(frozen=True)
class Series:
    """The pictures of one gallery with one number of octaves.

    Attributes
    ----------
    folder : Path
        Of the gallery.
    manifest : Manifest
        What it holds.
    octave_n : int
        The number of octaves.
    label : str
        What tells it from the other series of the page.
    """

    folder: Path
    manifest: Manifest
    octave_n: int
    label: str


@dataclass(frozen=True)
class Told:
    """The head of a page.

    Attributes
    ----------
    title : str
    lead : str
        What the dreams are, in a sentence or two.
    meta : list of str
        Facts that are true of all pictures.
    """

    title: str
    lead: str
    meta: list[str]


def describe_albums(albums: Sequence[Album]) -> Told:
    """Return the head of the page of one gallery, or of several.

    Parameters
    ----------
    albums : sequence of (Path, Manifest)
        Folders, and what they hold.
    """
    return Told(_title(albums), _lead(albums), _meta(albums))


def find_series(albums: Sequence[Album]) -> list[Series]:
    """Return the series of a page, each with a label that no other has.

    Parameters
    ----------
    albums : sequence of (Path, Manifest)
        Folders, none twice, and what they hold.
    """
    found = [(folder, manifest, n) for folder, manifest in albums for n in manifest.octaves]
    pictures = _pictures(albums)
    tellers = [*_TELLERS]
    if len({_network(manifest) for _, manifest in albums}) == 1:
        tellers += [_mean, _weights]  # networks with names of their own have their own, too
    if len(pictures) == 1:
        tellers += [_size]  # pictures of their own have sizes of their own, too
    octaves = [_octaves(n) for _, _, n in found]
    words = [  # in the order of a label
        [_network(m) for _, m, _ in found],
        octaves,
        [pictures[m.settings["picture"]] for _, m, _ in found],
        *([tell(m) for _, m, _ in found] for tell in tellers),
    ]
    differ = [values for values in words if len(set(values)) > 1] or [octaves]
    labels = [", ".join(filter(None, parts)) for parts in zip(*differ)]
    if len(set(labels)) < len(labels):  # they differ in something else: their folders tell
        suffixes = _suffixes([folder for folder, _, _ in found])
        labels = [f"{label}, {suffix}" for label, suffix in zip(labels, suffixes)]
    return [Series(*series, label) for series, label in zip(found, labels)]


def is_one_layer(albums: Iterable[Album]) -> bool:
    """Tell whether all pictures are of channels of one layer."""
    targets = [target for _, manifest in albums for target in manifest.targets]
    return (
        all(target.channel is not None for target in targets)
        and len({target.layer for target in targets}) == 1
    )


def count(number: int, noun: str) -> str:
    """Return ``"1 step"`` or ``"2 steps"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def distinct(values: Iterable[Any]) -> list[str]:
    """Return the texts of values, each once, in their order."""
    return list(dict.fromkeys(map(str, values)))


def listed(words: Iterable[Any]) -> str:
    """Return ``"2, 4 and 6"``."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


# -- the head --------------------------------------------------------------------------------------


def _title(albums: Sequence[Album]) -> str:
    networks = distinct(manifest.settings["network"]["name"] for _, manifest in albums)
    who = _few(networks, "networks")
    if is_one_layer(albums):
        return f"The channels of {albums[0][1].targets[0].layer} in {who}"
    pictures = [*_pictures(albums).values()]
    what = _few(pictures, "pictures")
    if len(pictures) > 1 and len(set(pictures)) == 1:
        what = f"{len(pictures)} pictures named {pictures[0]}"
    return f"What {who} see{'s' if len(networks) == 1 else ''} in {what}"


def _pictures(albums: Sequence[Album]) -> dict[str, str]:
    """Return what the pictures that dreams began with are called, by what is in them."""
    named: dict[str, str] = {}
    for _, manifest in albums:
        named.setdefault(manifest.settings["picture"], str(manifest.about["picture"]))
    return named


def _few(names: Sequence[str], noun: str) -> str:
    return listed(names) if len(names) <= _MANY else f"{len(names)} {noun}"


def _lead(albums: Sequence[Album]) -> str:
    manifests = [manifest for _, manifest in albums]
    if len({manifest.settings["picture"] for manifest in manifests}) == 1:
        begin = "All dreams began with the same picture. Each"
    else:
        begin = "Each dream began with one of these pictures. It"
    networks = {str(manifest.settings["network"]) for manifest in manifests}
    network = "the network" if len(networks) == 1 else "a network"
    steered = {_steered_by(manifest) for manifest in manifests}
    if steered == {"guide"}:
        end = f"one layer of {network} sees more in it of what it sees in a guide, another picture."
    elif steered == {"objective"}:
        end = f"more grows in it of what a function of its maker's asks of one layer of {network}."
    elif steered != {""}:
        end = f"more grows in it of what one layer of {network} sees."
    elif is_one_layer(albums):
        end = (
            "one channel of the layer grows, and with it the feature that it has learnt to look "
            "for."
        )
    else:
        end = f"one layer of {network} sees more of what it has learnt to see."
    return f"{begin} was changed step by step so that {end}"


def _steered_by(manifest: Manifest) -> str:
    parameters = manifest.settings["parameters"]
    return next((by for by in ("guide", "objective") if parameters.get(by) is not None), "")


def _meta(albums: Sequence[Album]) -> list[str]:
    manifests = [manifest for _, manifest in albums]
    octaves = [f"{listed(m.octaves)} octave{'s' if m.octaves != [1] else ''}" for m in manifests]
    steps = [f"{_steps(m)} of {in_words(m.settings['parameters']['step_size'])}" for m in manifests]
    if len(set(steps)) > 1:  # one of the two may agree
        steps = [_steps(m) for m in manifests]
    shown = {frozenset((t.layer, t.channel) for t in m.targets) for m in manifests}
    facts = [
        [_contents(manifest) for manifest in manifests] if len(shown) == 1 else [],
        [f"{_size(manifest)} pixels" for manifest in manifests],
        octaves,
        steps,
        [_more(manifest) for manifest in manifests],
        [_guide(manifest) for manifest in manifests],
        [_objective(manifest) for manifest in manifests],
        [_seed(manifest) for manifest in manifests],
    ]
    usual = ("no guide", "no objective", "")
    return [each[0] for each in facts if len(set(each)) == 1 and each[0] not in usual]


def _contents(manifest: Manifest) -> str:
    layers = sum(target.channel is None for target in manifest.targets)
    channels = len(manifest.targets) - layers
    parts = [count(layers, "layer")] if layers else []
    parts += [count(channels, "channel")] if channels else []
    return listed(parts)


# -- what tells series apart -----------------------------------------------------------------------


def _network(manifest: Manifest) -> str:
    return str(manifest.settings["network"]["name"])


def _weights(manifest: Manifest) -> str:
    flags = manifest.about["model_flags"]
    return flags[flags.index("--weights") + 1] if "--weights" in flags else ""


def _mean(manifest: Manifest) -> str:
    mean = manifest.settings["network"].get("mean")
    return "" if mean is None else f"mean {','.join(f'{value:g}' for value in mean)}"


def _size(manifest: Manifest) -> str:
    w, h = manifest.about["size"]
    return f"{w} × {h}"


def _steps(manifest: Manifest) -> str:
    n = manifest.settings["parameters"]["iter_n"]
    return count(n, "step") if isinstance(n, int) else f"{in_words(n)} steps"


def _step_size(manifest: Manifest) -> str:
    return f"steps of {in_words(manifest.settings['parameters']['step_size'])}"


def _octave_scale(manifest: Manifest) -> str:
    return f"octave scale {manifest.settings['parameters']['octave_scale']:g}"


def _jitter(manifest: Manifest) -> str:
    return f"jitter {in_words(manifest.settings['parameters']['jitter'])}"


def _clip(manifest: Manifest) -> str:
    return "clipped" if manifest.settings["parameters"]["clip"] else "not clipped"


def _precision(manifest: Manifest) -> str:
    return str(manifest.settings["parameters"].get("precision", "float32"))


def _guide(manifest: Manifest) -> str:
    if manifest.settings["parameters"].get("guide") is None:
        return "no guide"
    named = manifest.about.get("guide") or "a picture"
    return f"guide {named if isinstance(named, str) else ' and '.join(named)}"


def _objective(manifest: Manifest) -> str:
    name = manifest.settings["parameters"].get("objective")
    return "no objective" if name is None else f"objective {name}"


def _more(manifest: Manifest) -> str:
    """Return what a notebook of 2015 could not do: ``smooth 1.5, border reflect``."""
    parameters = manifest.settings["parameters"]
    known = ("iter_n", "octave_n", "octave_scale", "step_size", "jitter", "clip", "precision",
             "guide", "objective")  # fmt: skip
    return ", ".join(
        f"{name.replace('_', ' ')} {'a picture' if name == 'mask' else in_words(value)}"
        for name, value in parameters.items()
        if name not in known
    )


def _octaves(n: Any) -> str:
    return "all octaves" if n == ALL else count(n, "octave")


def _seed(manifest: Manifest) -> str:
    return f"seed {manifest.settings['seed']}"


_TELLERS: tuple[Callable[[Manifest], str], ...] = (
    _steps, _step_size, _octave_scale, _jitter, _clip, _precision, _more, _guide, _objective,
    _seed,
)  # fmt: skip


def _suffixes(folders: Sequence[Path]) -> list[str]:
    """Return the ends of paths, as short as they may be to tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    length = 1
    while len({path[-length:] for path in parts}) < len(set(parts)):
        length += 1
    return ["/".join(path[-length:]) for path in parts]
