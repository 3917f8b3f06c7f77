"""The module that a notebook expects after ``import caffe``.

Names, arguments and effects are pycaffe's, down to diffs that go stale. Use it by name, or let
`install` register it so that notebooks and scripts run as they are::

    import deepdream.caffe
    deepdream.caffe.install()

    import caffe
    from caffe.proto import caffe_pb2

`Net`, `Classifier` and `layer_type_list` load on first use.

What has another meaning than in Caffe is listed in docs/known-differences.md. What serves training
is not here.

Source: ``python/caffe/__init__.py`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import EngineError, nearest
from . import io as io
from . import net_spec as net_spec
from . import proto as proto
from .layer import Layer as Layer
from .mode import set_device as set_device
from .mode import set_mode_cpu as set_mode_cpu
from .mode import set_mode_gpu as set_mode_gpu
from .net_spec import NetSpec as NetSpec
from .net_spec import layers as layers
from .net_spec import params as params
from .net_spec import to_proto as to_proto

if TYPE_CHECKING:
    from .classifier import Classifier as Classifier
    from .pycaffe import Net as Net

# A folder with a module `caffe` that installs this one.
_STAND_IN = str(Path(__file__).parents[1] / "stand_in")

__version__ = "1.0.0"  # of Caffe, whose behaviour this is

TRAIN, TEST = 0, 1

__all__ = [
    "TEST",
    "TRAIN",
    "Classifier",
    "Layer",
    "Net",
    "NetSpec",
    "__version__",
    "install",
    "io",
    "layer_type_list",
    "layers",
    "net_spec",
    "params",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
    "to_proto",
]

# Names that take time to load, and the module of this package that has them.
_LAZY = {
    "_caffe": "_caffe",
    "Classifier": "classifier",
    "Net": "pycaffe",
    "classifier": "classifier",
    "coord_map": "coord_map",
    "draw": "draw",
    "pycaffe": "pycaffe",
}

# The rest of pycaffe, and what to use instead.
_TRAINING = "deepdream runs trained nets and does not train; use BVLC's Caffe for that"
_ABSENT = {
    **dict.fromkeys(
        (
            "SGDSolver",
            "NesterovSolver",
            "AdaGradSolver",
            "RMSPropSolver",
            "AdaDeltaSolver",
            "AdamSolver",
            "NCCL",
            "Timer",
            "get_solver",
            "solver_count",
            "set_solver_count",
            "solver_rank",
            "set_solver_rank",
            "set_multiprocess",
            "has_nccl",
        ),
        _TRAINING,
    ),  # fmt: skip
    **dict.fromkeys(("Detector", "detector"), "crop the windows yourself and use Classifier"),
    **dict.fromkeys(("init_log", "log"), "nothing is logged; use Python's warnings"),
    **dict.fromkeys(("Solver", "NetVec"), _TRAINING),
    # Names of 2013 and 2014.
    **{
        f"set_phase_{phase}": "since 2015 the phase is passed to the net: "
        f"caffe.Net('deploy.prototxt', caffe.{phase.upper()}, weights='x.caffemodel')"
        for phase in ("test", "train")
    },
    "CaffeNet": "since 2014 it is called caffe.Net",
    "imagenet": "since 2014 it is called caffe.classifier",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f".{_LAZY[name]}", __name__)
        return module if name == _LAZY[name] else getattr(module, name)
    if name in _ABSENT:
        raise AttributeError(f"caffe.{name} is not part of deepdream.caffe: {_ABSENT[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{nearest(name, __all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def set_random_seed(seed: int) -> None:
    """Make fillers and TRAIN-phase dropout repeatable; a dream draws from ``np.random`` instead.

    Parameters
    ----------
    seed : int
        The same seed gives the same numbers, though not those that Caffe draws.
    """
    from ..running import fillers

    fillers.set_random_seed(seed)


def layer_type_list() -> list[str]:
    """Return the type strings of the layers that nets can have, sorted."""
    from ..running.layers import LAYERS

    return sorted(LAYERS)


def install() -> ModuleType:
    """Let ``import caffe`` give this module, for notebooks and scripts that stay as they are.

    Calling it again does nothing.

    Returns
    -------
    module
        This one.

    Raises
    ------
    EngineError
        The real Caffe can be imported here: whoever writes ``import caffe`` means that one.
    """
    this = sys.modules[__name__]
    present = sys.modules.get("caffe")
    if present is this:
        return this
    spec = importlib.util.find_spec("caffe") if present is None else present.__spec__
    if spec is not None and spec.origin and Path(spec.origin).is_relative_to(_STAND_IN):
        spec = None
    # A folder called caffe, such as Caffe's sources beside a notebook, is a package without code.
    bare_folder = spec is not None and spec.origin is None and spec.submodule_search_locations
    if not bare_folder and (present is not None or spec is not None):
        raise EngineError(
            "'import caffe' already finds another Caffe here, which is not replaced.\n"
            "Write 'import deepdream.caffe as caffe' where you want this one."
        )
    # Every submodule needs its entry: Python would load 'caffe.io' a second time from our folder.
    for name in (
        "_caffe",
        "classifier",
        "coord_map",
        "draw",
        "io",
        "layer",
        "mode",
        "net_spec",
        "proto",
        "proto.caffe_pb2",
        "pycaffe",
    ):
        sys.modules[f"caffe.{name}"] = importlib.import_module(f"{__name__}.{name}")
    sys.modules["caffe"] = this
    if _STAND_IN not in sys.path:
        sys.path.append(_STAND_IN)  # for children; last, so that a real Caffe goes before
    return this


def install_for_children() -> None:
    """Let programs that this process starts find ``caffe``, too: by PYTHONPATH, and at its end.

    Without it only workers of multiprocessing do. A PYTHONPATH goes before what is installed, so
    this is for ``python -m deepdream.caffe``, whose user has chosen this package.
    """
    package = str(Path(__file__).parents[2])
    wanted = [_STAND_IN]
    if package not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        wanted.append(package)  # a checkout: children in other folders would not find it
    there = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    wanted = [folder for folder in wanted if folder not in there]
    os.environ["PYTHONPATH"] = os.pathsep.join([*there, *wanted])
