"""Pictures that somebody has published, with what is known of their making. Data only.

Left out are works whose parameters nobody has published (Google's gallery of 2015, Tyka's series),
those of other algorithms (cnn-vis, the TensorFlow tutorial, neural-dream), and what the notebook's
function cannot express:

* crowsonkb's deep_dream: octaves by smallest size, another step, smoothing;
* Gary Boodhoo's Vision Quest: a live camera, presets of two layers in turn, steps and iterations
  that change from octave to octave, no preset of one layer;
* Kyle McDonald's sky: a layer for each octave;
* auduno's deepdraw: steps and blurs that change from iteration to iteration, from noise.

Of videos one frame is made; what carries a dream from frame to frame is left out.

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
ZOOM = (
    "Frames are made as 'deepdream zoom' makes them, by the mended dream and through the fast "
    "plan, not by the notebook's function to the letter: border rows and rounding differ. They are "
    "enlarged about the point of 2015, as SciPy did it before 0.18."
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
    mean : str or None
        What is subtracted from pictures, as `load_net` takes it: ``"2015"``, the notebook's
        104, 116, 122 (B, G, R), which its forks kept for every network; None for the network's own.
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
    notes : tuple of str
        What looks odd, and was so.
    """

    name: str
    title: str
    source: str
    model: str = "googlenet"
    mean: str | None = "2015"
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    guide: File | None = None
    frames: int = 1
    stale: bool = False
    published: str = ""
    differs: tuple[str, ...] = (UNSEEDED, BY_EYE)
    notes: tuple[str, ...] = ()

    @property
    def picture(self) -> File:
        """What it starts from; where that is not known, the sky of the notebook."""
        return SKY

    @property
    def end(self) -> str:
        """The target layer."""
        return str(self.parameters.get("end", "inception_4c/output"))

    @property
    def dreams(self) -> int:
        """How many dreams a picture takes: a zoom's frames; two where another runs before."""
        return self.frames if self.frames > 1 else 1 + self.stale


_GOOGLE = "google/deepdream, dream.ipynb, "
_KAISER = "Kirk Kaiser's walkthrough of DeepDream"
_BATCOUNTRY = "jrosebr1/bat-country"
_LAYER_GUIDES = "theintrovert's and Roelof Pieters' layer galleries"

_OWN_PICTURE = "The picture it started from is not known to us: ours is the notebook's sky."
_FILM_STILLS = (
    "It started from stills of films, which are in its repository: ours is the notebook's sky."
)
_GALLERY = (
    "Its pictures are in its repository; we have no hashes of them, and nothing to measure against."
)
_ONE_FRAME = "One frame; the motion between frames is left out."
_PLACES_MEAN = (
    "The mean is the notebook's 104, 116, 122, although the network is one of places, whose own is "
    "105.417, 113.753, 116.047"
)

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
            "Google's notebook, the same lower layer on a fresh net: the dream that its cell asked "
            "for, not the one it got",
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
                ZOOM,
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
            differs=(UNSEEDED, JPEG),
        ),
        Work(
            "kaiser-guided",
            "Kirk Kaiser's walkthrough: a guided dream on places, at inception_4b/5x5",
            _KAISER,
            model="googlenet_places205",
            parameters={"end": "inception_4b/5x5"},
            guide=FLOWERS,
            differs=(
                UNSEEDED,
                _OWN_PICTURE,
                "Nor is his guide: ours is the notebook's flowers.",
                "Whether his net held diffs of earlier dreams, which add to the gradient at this "
                "layer, is not known; ours is fresh.",
                BY_EYE,
            ),
            notes=(_PLACES_MEAN + ": it is what the source subtracted.",),
        ),
        Work(
            "herval-3b",
            "herval's Docker image, its second sample: inception_3b/5x5_reduce after the default",
            "herval/deepdream-docker",
            parameters={"end": "inception_3b/5x5_reduce"},
            stale=True,
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
            notes=(
                "The first sample ran on the same net before: its diffs add to the gradient, as "
                "in 'google-3b'.",
            ),
        ),
        Work(
            "herval-zoom",
            "herval's Docker image: 50 frames of zoom at the default layer",
            "herval/deepdream-docker",
            frames=50,
            differs=(UNSEEDED, _OWN_PICTURE, ZOOM, BY_EYE),
        ),
        Work(
            "batcountry-conv2",
            "bat-country's gallery: scales, at conv2/3x3",
            _BATCOUNTRY,
            parameters={"end": "conv2/3x3"},
            differs=(UNSEEDED, _FILM_STILLS, _GALLERY),
        ),
        Work(
            "batcountry-3b",
            "bat-country's gallery: strokes, at inception_3b/5x5_reduce",
            _BATCOUNTRY,
            parameters={"end": "inception_3b/5x5_reduce"},
            differs=(
                UNSEEDED,
                _FILM_STILLS,
                "Its program took all pictures through one net: from the second on, diffs of the "
                "dream at inception_4c/output before add to the gradient. Ours is fresh, as for "
                "its first.",
                _GALLERY,
            ),
        ),
        Work(
            "batcountry-4c",
            "bat-country's gallery: the default layer",
            _BATCOUNTRY,
            differs=(UNSEEDED, _FILM_STILLS, _GALLERY),
        ),
        Work(
            "batcountry-guided",
            "bat-country's guided dream: 20 steps an octave",
            _BATCOUNTRY,
            parameters={"iter_n": 20},
            guide=FLOWERS,
            differs=(
                UNSEEDED,
                "It started from clouds of its own, guided by Van Gogh's Starry Night and by an "
                "antelope: ours are the notebook's sky and flowers.",
                "Its guide was resized to 244x244; ours has its own size.",
                _GALLERY,
            ),
        ),
        Work(
            "graphific-4c",
            "graphific's Fear & Loathing video, one frame: 5 steps an octave, at "
            "inception_4c/output",
            "graphific/DeepDreamVideo",
            parameters={"iter_n": 5, "octave_scale": 1.5},
            differs=(
                UNSEEDED,
                _OWN_PICTURE,
                "One frame of the nine that take turns: inception_4c/output, then 4d, 4e, 5a, 5b "
                "and back. Every frame but the first is blended with the dream before; this one is "
                "not.",
                BY_EYE,
            ),
        ),
        Work(
            "samim-guided",
            "samim's DeepDreamAnim, one frame of its example: guided, four octaves of one size",
            "samim23/DeepDreamAnim",
            parameters={"end": "inception_3b/output", "octave_scale": 1.0},
            guide=FLOWERS,
            differs=(
                UNSEEDED,
                _OWN_PICTURE,
                "Its guide was a flowers.png of its own, resized to 224x224: ours is the "
                "notebook's, at its own size.",
                _ONE_FRAME,
                BY_EYE,
            ),
            notes=("octave_scale is 1: forty steps at full size.",),
        ),
        Work(
            "ksk-4d-pool",
            "ksk-S's video laboratory, one frame: inception_4d/pool, octaves far apart",
            "ksk-S/DeepDreamVideoOpticalFlow",
            parameters={"end": "inception_4d/pool", "octave_n": 3, "octave_scale": 1.8,
                        "iter_n": 16},
            differs=(UNSEEDED, _OWN_PICTURE, _ONE_FRAME, BY_EYE),
        ),
        Work(
            "look-5a",
            "the layer guides' high end: 40 steps an octave at inception_5a/output",
            _LAYER_GUIDES,
            parameters={"end": "inception_5a/output", "iter_n": 40},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
        ),
        Work(
            "look-places-4c",
            "the layer guides' places: 50 steps an octave at inception_4c/output",
            _LAYER_GUIDES,
            model="googlenet_places205",
            parameters={"iter_n": 50},
            differs=(UNSEEDED, _OWN_PICTURE, BY_EYE),
            notes=(_PLACES_MEAN + ": forks of the notebook kept it for every network.",),
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
