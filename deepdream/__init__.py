"""DeepDream of 2015: Caffe's files, Caffe's arithmetic, Google's dream.

With this package, one can

* load a network in Caffe's format, or the bundled one: ``net = deepdream.load_net()``
* dream: ``out = deepdream.dream(net, deepdream.load_image("sky.jpg"))``
* run Google's notebook as it stands: ``deepdream.caffe.install()``, then its cells.

Names load when they are first used, so that importing the package costs next to nothing; what
computes is loaded with the first net.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import DeepDreamError as DeepDreamError
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import caffe as caffe
    from . import objectives as objectives
    from .batches.make import batch as batch
    from .display import show as show
    from .drawing.diagram import draw as draw
    from .dreaming.dream import dream as dream
    from .dreaming.dream2015 import deepdream as deepdream
    from .dreaming.dream2015 import deprocess as deprocess
    from .dreaming.dream2015 import guide_features as guide_features
    from .dreaming.dream2015 import make_step as make_step
    from .dreaming.dream2015 import preprocess as preprocess
    from .dreaming.frames import zoom as zoom
    from .dreaming.objectives.functions import objective_channel as objective_channel
    from .dreaming.objectives.functions import objective_guide as objective_guide
    from .dreaming.objectives.functions import objective_L2 as objective_L2
    from .dreaming.pictures.noise import noise as noise
    from .dreaming.styles import styles as styles
    from .dreaming.visualize import visualize as visualize
    from .films.film import film as film
    from .galleries.make import gallery as gallery
    from .galleries.sheet import sheet as sheet
    from .images import load_image as load_image
    from .images import save_image as save_image
    from .models.load import load_net as load_net
    from .recipe import read_recipe as read_recipe
    from .repeat import rerun as rerun

_HOME = {
    "batch": "batches.make",
    "deepdream": "dreaming.dream2015",
    "deprocess": "dreaming.dream2015",
    "draw": "drawing.diagram",
    "dream": "dreaming.dream",
    "film": "films.film",
    "gallery": "galleries.make",
    "guide_features": "dreaming.dream2015",
    "load_image": "images",
    "load_net": "models.load",
    "make_step": "dreaming.dream2015",
    "noise": "dreaming.pictures.noise",
    "objective_L2": "dreaming.objectives.functions",
    "objective_channel": "dreaming.objectives.functions",
    "objective_guide": "dreaming.objectives.functions",
    "preprocess": "dreaming.dream2015",
    "read_recipe": "recipe",
    "rerun": "repeat",
    "save_image": "images",
    "sheet": "galleries.sheet",
    "show": "display",
    "styles": "dreaming.styles",
    "visualize": "dreaming.visualize",
    "zoom": "dreaming.frames",
}

_MODULES = ("caffe", "objectives")

__all__ = ["DeepDreamError", *_MODULES, *_HOME]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
