"""Every error this package raises on purpose.

All derive from `DeepDreamError`, so one ``except`` clause covers them. Each class also derives
from the builtin that pycaffe or the notebook of 2015 would have raised in the same place, so that
old ``except`` clauses keep working.

A message has one to three lines: what was found, what was expected, what to do next.
Nothing else of the package is imported here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class DeepDreamError(Exception):
    """Base of every error this package raises on purpose."""

    # KeyError prints the repr of its message; every subclass prints it as written.
    __str__ = Exception.__str__

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of the whole traceback."""
        from .tracebacks import render

        return render(self)


class MissingFileError(DeepDreamError, FileNotFoundError, RuntimeError):
    """A file that was named does not exist (pycaffe raises RuntimeError here)."""


class PrototxtError(DeepDreamError, ValueError):
    """A prototxt that is not one, or that describes a net which cannot be built."""


class CaffemodelError(DeepDreamError, ValueError):
    """A weights file (or mean file) that is damaged, cut short, or something else altogether."""


class UnknownLayerTypeError(PrototxtError):
    """A layer type that is not in the registry."""


class ShapeError(DeepDreamError, ValueError):
    """A layer cannot take blobs of these shapes."""


class NetArgumentError(DeepDreamError, TypeError):
    """Arguments that pycaffe's `Net` refuses too (Boost's ArgumentError is a TypeError)."""


class AssignmentError(DeepDreamError, TypeError, AttributeError):
    """Something assigned where it would change nothing (pycaffe raises one of the builtins)."""


class NetSpecError(DeepDreamError, TypeError, AttributeError, KeyError, ValueError):
    """A net written in Python that cannot be put into words (`deepdream.caffe.net_spec`).

    pycaffe raises one or another of the builtins here, by what is wrong.
    """

    __str__ = Exception.__str__  # KeyError would print the repr of the message


class CoordMapError(NetSpecError, AssertionError, RuntimeError):
    """A crop between two tops that cannot be had (`deepdream.caffe.coord_map`)."""


class WeightsError(DeepDreamError, ValueError):
    """Weights that do not belong to this net: a layer without weights, another shape or count."""


class UnknownLayerError(DeepDreamError, ValueError):
    """A name that is no layer of the net (pycaffe raises ValueError here)."""


class UnknownBlobError(DeepDreamError, KeyError):
    """A name that is no blob of the net."""


class UnknownLabelError(DeepDreamError, KeyError):
    """A name that is no class of the network, or that may be one of several."""


class ParameterError(DeepDreamError, ValueError):
    """A parameter outside the values that make sense."""


class ImageError(DeepDreamError, ValueError):
    """A picture that cannot be read, or an array that is no picture."""


class FilmError(ImageError):
    """A film that cannot be read or made, or a file that is none."""


class FlatGradientError(DeepDreamError, ArithmeticError):
    """The gradient is zero (or not finite) everywhere, so there is no direction to go."""


class UnknownModelError(DeepDreamError, KeyError):
    """A model name that is not in the registry."""


class DownloadError(DeepDreamError, OSError):
    """Nothing usable could be fetched from any of a model's addresses."""


class WriteError(DeepDreamError, OSError):
    """A file could not be written; nothing half-written was left behind."""


class OutOfMemoryError(DeepDreamError, MemoryError):
    """More memory was needed than could be had."""


class EngineError(DeepDreamError, RuntimeError):
    """An engine or an optional dependency that is not installed, or cannot do what was asked."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> str:
    """Return a hint that offers the names closest to `name`.

    Parameters
    ----------
    name : str
        What the user wrote.
    names : iterable of str
        What exists.
    count : int
        How many names to offer at most.

    Returns
    -------
    str
        For example ``" Did you mean 'conv1', 'conv2'?"`` with a leading blank, or ``""`` where
        nothing is close.
    """
    lowered: dict[str, str] = {}
    for known in names:
        lowered.setdefault(known.lower(), known)
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, lowered, n=count, cutoff=0.5)
    close += [other for other in lowered if wanted and wanted in other and other not in close]
    offered = [lowered[other] for other in close[:count]]
    return f" Did you mean {', '.join(map(repr, offered))}?" if offered else ""


# What the extras of setup.py bring that errors ask for: this package itself is on no index.
EXTRAS: Mapping[str, str] = {
    "cluster": "distributed",
    "film": "av opencv-python-headless",
    "gpu": "torch",
    "hdf5": "h5py",
    "studio": "starlette uvicorn",
}


def how_to_install(extra: str) -> str:
    """Return the command that brings what a part of this package needs besides.

    Parameters
    ----------
    extra : str
        One of `EXTRAS`.

    Returns
    -------
    str
        ``"pip install torch (in this package's folder: pip install '.[gpu]')"``.
    """
    return f"pip install {EXTRAS[extra]} (in this package's folder: pip install '.[{extra}]')"
