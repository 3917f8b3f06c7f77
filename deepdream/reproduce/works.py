"""Pictures that somebody has published, with what is known of their making. Data only.

Left out are works whose parameters nobody has published (Google's gallery of 2015, Tyka's series),
those of other algorithms (cnn-vis, the TensorFlow tutorial, neural-dream), and videos that follow
the motion of a film.

Sources: google/deepdream, dream.ipynb (cells counted from 0, sha256 of its embedded pictures); the
programs and pages named in each entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnknownModelError, nearest

NOTEBOOK = "https://raw.githubusercontent.com/google/deepdream/master/"

UNSEEDED = "Nobody seeded the random offsets of 2015: ours are others, and so is every detail."
JPEG = "The published picture is a JPEG of quality 75; measures of ours are taken after the same."
BY_EYE = (
    "No picture of this work is known to us byte for byte: there is nothing to measure against."
)


@dataclass(frozen=True)
class File:
    """A picture to start from.

    Attributes
    ----------
    name : str
        File name in the cache.
    url : str
    sha256 : str
    size : int
        Bytes.
    licence : str
        What is known of its origin and licence.
    """

    name: str
    url: str
    sha256: str
    size: int
    licence: str


SKY = File(
    "sky1024px.jpg",
    NOTEBOOK + "sky1024px.jpg",
    "779ddda9280908ccda18d7ade2f7f84805bf22cdbce3b61ddddd7ea4a4697050",
    65_049,
    "Wikimedia Commons, 'Appearance of sky for weather forecast, Dhaka, Bangladesh'; its licence "
    "is on that page",
)
FLOWERS = File(
    "flowers.jpg",
    NOTEBOOK + "flowers.jpg",
    "bdcaf97d07f9619a3dde0b04694ec83c2b2a3188e3e24d88db952e81b9d9f740",
    30_570,
    "Wikimedia Commons, 'Coneflowers and mixed spring flowers (8470990277)'; its licence is on "
    "that page",
)


@dataclass(frozen=True)
class Work:
    """One published picture, or one kind of picture.

    Attributes
    ----------
    name : str
        What users write.
    title : str
        Who made it, and what it shows.
    source : str
        Where it was published.
    model : str
        Name in the registry of networks.
    parameters : mapping
        Keywords of the notebook's ``deepdream`` that differ from its defaults.
    guide : File or None
        The guide of a guided dream.
    frames : int
        1; or the frames of a zoom, of which the last is the picture.
    stale : bool
        Whether the notebook's first dream runs on the same net before, whose diffs then add to
        the gradient.
    published : str
        sha256 of the published picture, where it is known: one that dream.ipynb embeds.
    differs : tuple of str
        What cannot match, and why.
    """

    name: str
    title: str
    source: str
    model: str = "googlenet"
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    guide: File | None = None
    frames: int = 1
    stale: bool = False
    published: str = ""
    differs: tuple[str, ...] = (UNSEEDED, BY_EYE)

    @property
    def picture(self) -> File:
        """What it starts from; where that is not known, the sky of the notebook."""
        return SKY

    @property
    def end(self) -> str:
        """The target layer."""
        return str(self.parameters.get("end", "inception_4c/output"))


_GOOGLE = "google/deepdream, dream.ipynb, "
_OWN_PICTURE = "The picture it started from is not known to us: ours is the notebook's sky."

WORKS = {
    work.name: work
    for work in (
        Work(
            "google-4c",
            "Google's notebook, the first dream: pagodas, towers, and a dog in the clouds",
            _GOOGLE + "cell 12",
            published="a24ec531f3c8a6a4ecf7f22a58e545a765bb66473fbee2a19908e6398968a769",
            differs=(UNSEEDED, JPEG),
        ),
        Work(
            "google-3b",
            "Google's notebook, a lower layer: brush strokes and ribbons; as the notebook ran it",
            _GOOGLE + "cell 14",
            parameters={"end": "inception_3b/5x5_reduce"},
            stale=True,
            published="1ef339ffb68fc17d3582db90d5b0df5b4a5558b304bdccb97430e478c13aa61a",
            differs=(
                UNSEEDED,
                "It ran after cell 12, whose diffs were still in the net and add to the gradient. "
                "So do ours, but of other offsets. 'google-3b-clean' has none of them.",
                JPEG,
            ),
        ),
        Work(
            "google-3b-clean",
            "the same on a fresh net: the dream that cell 14 asked for",
            _GOOGLE + "cell 14",
            parameters={"end": "inception_3b/5x5_reduce"},
            published="1ef339ffb68fc17d3582db90d5b0df5b4a5558b304bdccb97430e478c13aa61a",
            differs=(
                UNSEEDED,
                "The published one holds what cell 12 left in the net, this one does not; "
                "'google-3b' does.",
                JPEG,
            ),
        ),
        Work(
            "google-zoom",
            "Google's notebook, frame 29 of the zoom into the sky",
            _GOOGLE + "cells 19 to 21",
            frames=30,
            published="a649d19223b127f471b34c9ce59e9b99a194a7c676e166ed57a822ae89e40394",
            differs=(
                UNSEEDED,
                "Thirty dreams on dreams: the same kind of place, with other inhabitants.",
                JPEG,
            ),
        ),
        Work(
            "google-guided",
            "Google's notebook, the sky guided by flowers",
            _GOOGLE + "cells 25 to 27",
            parameters={"end": "inception_3b/output"},
            guide=FLOWERS,
            published="d97c74dac055e98d92998e5afc4f5791bd8e9c136fa90c3f9f5cf1078aff782d",
            differs=(
                UNSEEDED,
                "The notebook's net held diffs of earlier cells; ours is fresh.",
                JPEG,
            ),
        ),
        Work(
            "kaiser-guided",
            "Kirk Kaiser's walkthrough: a guided dream on places, at inception_4b/5x5",
            "Kirk Kaiser's walkthrough of DeepDream",
            model="googlenet_places205",
            parameters={"end": "inception_4b/5x5"},
            guide=FLOWERS,
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "herval-zoom",
            "herval's Docker image: 50 frames of zoom at the default layer",
            "herval/deepdream-docker",
            frames=50,
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "batcountry-conv2",
            "bat-country's gallery: scales, at conv2/3x3",
            "jrosebr1/bat-country",
            parameters={"end": "conv2/3x3"},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "batcountry-3b",
            "bat-country's gallery: strokes, at inception_3b/5x5_reduce",
            "jrosebr1/bat-country",
            parameters={"end": "inception_3b/5x5_reduce"},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "batcountry-4c",
            "bat-country's gallery: the default layer",
            "jrosebr1/bat-country",
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "batcountry-guided",
            "bat-country's guided dream: 20 steps an octave",
            "jrosebr1/bat-country",
            parameters={"iter_n": 20},
            guide=FLOWERS,
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "ksk-4d-pool",
            "ksk-S's video laboratory, one frame: inception_4d/pool, octaves far apart",
            "ksk-S/DeepDreamVideo",
            parameters={"end": "inception_4d/pool", "octave_n": 3, "octave_scale": 1.8,
                        "iter_n": 16},
            differs=(UNSEEDED, "One frame; the motion between frames is left out.", BY_EYE),
        ),
        Work(
            "look-5a",
            "the layer guides' high end: 40 steps an octave at inception_5a/output",
            "theintrovert's and Roelof Pieters' layer galleries",
            parameters={"end": "inception_5a/output", "iter_n": 40},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "look-places-4c",
            "the layer guides' places: 50 steps an octave at inception_4c/output",
            "theintrovert's and Roelof Pieters' layer galleries",
            model="googlenet_places205",
            parameters={"iter_n": 50},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
    )
}  # fmt: skip


def find_work(name: str) -> Work:
    """Return the work of that name.

    Raises
    ------
    UnknownModelError
        There is none; the message offers the nearest.
    """
    if name in WORKS:
        return WORKS[name]
    raise UnknownModelError(
        f"no recipe called '{name}'.{nearest(name, WORKS)} List them: deepdream reproduce --list"
    )
