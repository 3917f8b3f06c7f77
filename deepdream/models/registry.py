"""The networks that are known by name.

One record per network: where its weights are published, how large they are and what they hash
to, the mean they were trained with, their licence, and what is known of their layers. Data only:
nothing here opens a file or reaches the network (that is `cache` and `download`).

Sources of the hashes: the readme files of BVLC's model zoo (sha1), OpenVINO's Open Model Zoo
(sizes, sha256, sha384) and OpenCV's list of test models (sha1). Where nobody has published a hash
(the two Places networks), `hashes` is empty: the first download is remembered and later ones have
to match it. Addresses go stale; a mirror is only believed when size and hash are right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelEntry:
    """What is known about one network.

    Attributes
    ----------
    name : str
        The name users write, and the folder under ``prototxt/``.
    title : str
        Who it is, in a few words.
    classes : str
        What it was trained to tell apart.
    labels : str
        Which list of names its classes have (`models.labels`); "" where none is known.
    weights_file : str
        File name under which the weights are published.
    parameters : int
        Numbers in the weights of ``deploy.prototxt``. The file has at least four bytes for each.
    mean : tuple of float
        Mean of the training pictures, B, G, R, in grey levels (0..255).
    licence : str
        Licence of the weights, as far as it is stated.
    source : str
        Paper or page of origin.
    end : str
        The layer that `dream` uses where none is given.
    style : str
        The style that `dream` uses where none is given: the notebook's for networks of 2015.
    urls : tuple of str
        Where to get the weights, best first. An address that ends in ``.tar.gz`` is an archive
        that holds `weights_file`. Empty for the bundled network.
    size : int or None
        Bytes of the weights file; None where it is not known.
    hashes : mapping of str to str
        Algorithm (``sha1``, ``sha256``, ``sha384``) to lower-case hex digits.
    non_commercial : bool
        The licence forbids commercial use.
    layers : mapping of str to str
        Layer name to one line on what a dream of it looks like, shallow to deep.
    aliases : tuple of str
        Other names users try. Case and punctuation never count.
    """

    name: str
    title: str
    classes: str
    weights_file: str
    parameters: int
    mean: tuple[float, float, float]
    licence: str
    source: str
    end: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    hashes: Mapping[str, str] = field(default_factory=dict, hash=False)
    non_commercial: bool = False
    layers: Mapping[str, str] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    style: str = "2015"
    labels: str = "imagenet"

    @property
    def bundled(self) -> bool:
        """True where the weights come with an installed package and nothing is downloaded."""
        return not self.urls

    @property
    def prototxt(self) -> str:
        """Path of the network's description, relative to the ``prototxt`` folder."""
        return f"{self.name}/deploy.prototxt"

    @property
    def least_size(self) -> int:
        """Bytes below which the weights file must be cut short: `size`, or 4 per parameter."""
        return 4 * self.parameters if self.size is None else self.size


# The mean of the ImageNet training pictures to whole numbers (B, G, R), as nearly every Caffe
# model of ImageNet was trained and is run.
IMAGENET_MEAN = (104.0, 117.0, 123.0)

# The longer side, in pixels, of the dreams in which what `ModelEntry.layers` tells was seen: those
# of photographs of 1024 pixels. In smaller ones there is less room for whole things.
LOOKS_SEEN_AT = 1000

# What Google's notebook of 2015 subtracts, whatever the model: green is one less.
NOTEBOOK_MEAN = (104.0, 116.0, 122.0)

VGG_MEAN = (103.939, 116.779, 123.68)

_IMAGENET = "ImageNet (ILSVRC 2012), 1000 classes"
_BERKELEY = "http://dl.caffe.berkeleyvision.org"
_SQUEEZENET = "https://github.com/forresti/SqueezeNet/raw/a47b6f13d30985279789d08053d37013d67d131b"
_OPEN_MODEL_ZOO = "https://storage.openvinotoolkit.org/repositories/open_model_zoo/public/2022.1"
_MXNET = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/caffe/models"
_OXFORD = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe"

_ENTRIES = (
    ModelEntry(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0, converted to Caffe",
        classes=_IMAGENET,
        weights_file="efficientnet_lite0.caffemodel",
        parameters=4_631_000,
        mean=(127.0, 127.0, 127.0),
        licence="Apache-2.0",
        source="https://arxiv.org/abs/1905.11946",
        end="block10/output",
        layers={
            "block2/output": "a weave of green and violet strokes",
            "block4/output": "brush strokes and facets, ribbed like corduroy",
            "block7/output": "spirals, ribs and rows of windows, like carved stone",
            "block9/output": "fur, eyes everywhere and paisley ornament",
            "block10/output": "whole furry animals and birds, trees and water behind them",
            "block11/output": "faces of fluffy creatures on thin legs, beads, berries and feathers",
            "block14/output": "mountains and castles, finely grained, now and then one animal",
        },
        aliases=("efficientnet", "bundled", "default"),
        style="animals",
    ),
    ModelEntry(
        name="googlenet",
        title="BVLC GoogLeNet, the network of Google's notebook",
        classes=_IMAGENET,
        weights_file="bvlc_googlenet.caffemodel",
        parameters=6_998_552,
        mean=IMAGENET_MEAN,
        licence="unrestricted",
        source="https://arxiv.org/abs/1409.4842",
        end="inception_4c/output",
        urls=(
            f"{_BERKELEY}/bvlc_googlenet.caffemodel",
            "https://deepdetect.com/models/ggnet/bvlc_googlenet.caffemodel",
            "https://www.deepdetect.com/downloads/platform/pretrained/caffe/googlenet/"
            "bvlc_googlenet.caffemodel",
            "https://nvidia.box.com/shared/static/at8b1105ww1c5h7p30j5ko8qfnxrs0eg.caffemodel",
            f"{_MXNET}/bvlc_googlenet/bvlc_googlenet.caffemodel",
        ),
        size=53_533_754,
        hashes={
            "sha1": "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
            "sha256": "6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad",
        },
        layers={
            "conv1/7x7_s2": "contours",
            "conv2/3x3": "scales, like a reptile's skin",
            "inception_3a/5x5": "bands",
            "inception_3b/3x3": "leopard spots",
            "inception_3b/5x5_reduce": "brush strokes, ribbons and curls",
            "inception_3b/5x5": "a cubist painting",
            "inception_4c/1x1": "fur",
            "inception_4c/output": "dogs, pagodas, lanterns and bell towers",
        },
        aliases=("bvlc_googlenet", "inception_v1", "googlenet_v1"),
    ),
    ModelEntry(
        name="googlenet_places205",
        title="GoogLeNet for scenes (MIT Places205)",
        classes="Places205, 205 kinds of place",
        weights_file="googlelet_places205_train_iter_2400000.caffemodel",
        parameters=6_183_677,
        mean=(105.417, 113.753, 116.047),
        licence="CC BY",
        source="http://places.csail.mit.edu",
        end="inception_4c/output",
        urls=(
            "http://places.csail.mit.edu/model/googlenet_places205.tar.gz",
            "https://s3-us-west-2.amazonaws.com/crowsonkb-deep-dream/"
            "googlelet_places205_train_iter_2400000.caffemodel",
        ),
        aliases=("places205", "googlelet_places205", "places"),
        labels="places205",
    ),
    ModelEntry(
        name="googlenet_places365",
        title="GoogLeNet for scenes (MIT Places365)",
        classes="Places365, 365 kinds of place",
        weights_file="googlenet_places365.caffemodel",
        parameters=6_347_677,
        mean=(104.051, 112.514, 116.676),
        licence="CC BY",
        source="http://places2.csail.mit.edu",
        end="inception_4c/output",
        urls=("http://places2.csail.mit.edu/models_places365/googlenet_places365.caffemodel",),
        aliases=("places365",),
        labels="places365",
    ),
    ModelEntry(
        name="caffenet",
        title="BVLC CaffeNet, a variant of AlexNet",
        classes=_IMAGENET,
        weights_file="bvlc_reference_caffenet.caffemodel",
        parameters=60_965_224,
        mean=IMAGENET_MEAN,
        licence="unrestricted",
        source="https://arxiv.org/abs/1408.5093",
        end="conv5",
        urls=(f"{_BERKELEY}/bvlc_reference_caffenet.caffemodel",),
        size=243_862_418,
        hashes={
            "sha1": "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
            "sha384": "6677844301d6c7f68f5b6a299cf41c4f0955bab7d1fb8719375fae6d05b6173d"
            "b9deccf3ac4aaa4225bf6c6e99d81a68",
        },
        aliases=("bvlc_reference_caffenet", "bvlc_caffenet", "reference_caffenet"),
    ),
    ModelEntry(
        name="alexnet",
        title="BVLC AlexNet",
        classes=_IMAGENET,
        weights_file="bvlc_alexnet.caffemodel",
        parameters=60_965_224,
        mean=IMAGENET_MEAN,
        licence="unrestricted",
        source="https://github.com/BVLC/caffe/tree/master/models/bvlc_alexnet",
        end="conv5",
        urls=(
            f"{_BERKELEY}/bvlc_alexnet.caffemodel",
            "https://nvidia.box.com/shared/static/5j264j7mky11q8emy4q14w3r8hl5v6zh.caffemodel",
        ),
        size=243_862_414,
        hashes={
            "sha1": "9116a64c0fbe4459d18f4bb6b56d647b63920377",
            "sha256": "4bff209a9837298157915ef50a4831a59636a6ca1a6b8ebacd990c3a5f3053e0",
        },
        aliases=("bvlc_alexnet",),
    ),
    ModelEntry(
        name="vgg16",
        title="VGG, 16 layers (Oxford)",
        classes=_IMAGENET,
        weights_file="VGG_ILSVRC_16_layers.caffemodel",
        parameters=138_357_544,
        mean=VGG_MEAN,
        licence="CC BY 4.0",
        source="https://arxiv.org/abs/1409.1556",
        end="conv4_3",
        urls=(
            f"{_OXFORD}/VGG_ILSVRC_16_layers.caffemodel",
            f"{_MXNET}/vgg/VGG_ILSVRC_16_layers.caffemodel",
        ),
        size=553_432_081,
        hashes={
            "sha1": "9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24",
            "sha256": "a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197",
        },
        aliases=("vgg", "vgg_ilsvrc_16_layers"),
    ),
    ModelEntry(
        name="vgg19",
        title="VGG, 19 layers (Oxford)",
        classes=_IMAGENET,
        weights_file="VGG_ILSVRC_19_layers.caffemodel",
        parameters=143_667_240,
        mean=VGG_MEAN,
        licence="CC BY 4.0",
        source="https://arxiv.org/abs/1409.1556",
        end="conv4_4",
        urls=(
            f"{_OXFORD}/VGG_ILSVRC_19_layers.caffemodel",
            f"{_MXNET}/vgg/VGG_ILSVRC_19_layers.caffemodel",
        ),
        size=574_671_192,
        hashes={
            "sha1": "239785e7862442717d831f682bb824055e51e9ba",
            "sha384": "86b83739d448a81ddc927922d4d7581e06113478106b59480097b02cc63ff51c"
            "9da7c3cd8a865b08946d07d0281d5b2e",
        },
        aliases=("vgg_ilsvrc_19_layers",),
    ),
    ModelEntry(
        name="squeezenet_v1.0",
        title="SqueezeNet v1.0",
        classes=_IMAGENET,
        weights_file="squeezenet_v1.0.caffemodel",
        parameters=1_248_424,
        mean=IMAGENET_MEAN,
        licence="BSD",
        source="https://arxiv.org/abs/1602.07360",
        end="fire9/concat",
        urls=(
            f"{_SQUEEZENET}/SqueezeNet_v1.0/squeezenet_v1.0.caffemodel",
            f"{_OPEN_MODEL_ZOO}/squeezenet1.0/squeezenet_v1.0.caffemodel",
        ),
        size=5_001_403,
        hashes={
            "sha384": "b8dc96393e093b4f23390b70f01fe37330d629759db59c1da3c15f846d0b1b17"
            "51b6ad841570c2e303c86829c750a745",
        },
        layers={
            "fire4/concat": "textures",
            "fire6/concat": "eyes",
            "fire9/concat": "dogs and birds",
        },
        aliases=("squeezenet_1.0",),
    ),
    ModelEntry(
        name="squeezenet_v1.1",
        title="SqueezeNet v1.1, the faster one",
        classes=_IMAGENET,
        weights_file="squeezenet_v1.1.caffemodel",
        parameters=1_235_496,
        mean=IMAGENET_MEAN,
        licence="BSD",
        source="https://github.com/forresti/SqueezeNet",
        end="fire9/concat",
        urls=(f"{_SQUEEZENET}/SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",),
        size=4_950_080,
        hashes={
            "sha1": "3397f026368a45ae236403ccc81cfcbe8ebe1bd0",
            "sha256": "72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142",
        },
        aliases=("squeezenet", "squeezenet_1.1"),
    ),
    ModelEntry(
        name="resnet50",
        title="ResNet-50",
        classes=_IMAGENET,
        weights_file="ResNet-50-model.caffemodel",
        parameters=25_610_269,
        mean=IMAGENET_MEAN,
        licence="MIT",
        source="https://arxiv.org/abs/1512.03385",
        end="res4c",
        urls=(
            "https://dl.opencv.org/models/ResNet-50-model.caffemodel",
            "https://deepdetect.com/models/resnet/ResNet-50-model.caffemodel",
        ),
        size=102_462_397,
        hashes={
            "sha1": "b7c79ccc21ad0479cddc0dd78b1d20c4d722908d",
            "sha256": "44ee2b08816cede2b7aaa047888df07dcab52f73399aa1c8bef05a17bfdd4888",
        },
        aliases=("resnet", "resnet_50_model"),
    ),
)

MODELS: Mapping[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}
"""Name to entry, the bundled network first."""

DEFAULT_MODEL = "efficientnet_lite0"


def plain(name: str) -> str:
    """Return `name` in lower case without punctuation: how names and aliases are compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


ALIASES: Mapping[str, str] = {
    plain(word): entry.name for entry in _ENTRIES for word in (entry.name, *entry.aliases)
}
"""Plain spelling of every name and alias to the entry's name."""
