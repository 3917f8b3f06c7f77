"""What is sent to a machine once, before its first job: the net's files, and what jobs share.

A registered network that comes with the package is only named, with its hashes. Of any other the
description and the weights travel as the bytes of their files: to each worker once, from the client
or from another worker, as Dask hands on data that several tasks need. There the files lie in
the worker's own folder, which goes with the worker.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..errors import DeepDreamError, ParameterError, WeightsError
from ..files import replacing
from ..models.load import load_net
from ..recipe import describe_net
from ..version import __version__
from .job import Maker

_lock = threading.Lock()


@dataclass
class NetFiles:
    """What makes a net again on another machine.

    Attributes
    ----------
    known : dict
        What recipes say of it, see `recipe.describe_net`: its name and hashes.
    entry : str
        Its name in the registry, or nothing.
    bundled : bool
        It comes with the package.
    prototxt, weights : Path or None
        Where the files are on this machine; None before they are unpacked.
    mean : list of float or None
    engine, device : str
        As `deepdream.load_net` takes them.
    """

    known: dict[str, Any]
    entry: str
    bundled: bool
    prototxt: Optional[Path]  # noqa: UP045 (Sphinx evaluates it)
    weights: Optional[Path]  # noqa: UP045
    mean: Optional[list[float]]  # noqa: UP045
    engine: str
    device: str
    names: tuple[str, str] = ("", "")
    data: tuple[Any, Any] = field(default=(None, None), repr=False)

    @classmethod
    def of(cls, net: Any) -> NetFiles:
        """Return those of a net.

        Raises
        ------
        ParameterError
            It was not loaded from files by `deepdream.load_net`.
        """
        entry = getattr(net, "model", None)
        prototxt, weights = (getattr(net, name, None) for name in ("prototxt_path", "weights_path"))
        if prototxt is None or weights is None:
            raise ParameterError(
                "the net was not loaded from files, and other machines have to load it: save its "
                "prototxt and its weights (net.save), and load_net(prototxt, weights)"
            )
        known = describe_net(net)
        device = str(getattr(net, "device", "auto")).partition(":")[0]
        return cls(known, "" if entry is None else entry.name,
                   entry is not None and entry.bundled, prototxt, weights, known.get("mean"),
                   getattr(net, "engine", "auto"), device,
                   (Path(prototxt).name, Path(weights).name))  # fmt: skip

    @property
    def size(self) -> int:
        """Bytes that travel to a worker."""
        if self.bundled or self.weights is None:
            return sum(len(part) for part in self.data if part is not None)
        return self.weights.stat().st_size

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "prototxt": None, "weights": None}
        if not self.bundled and self.data[1] is None:
            assert self.prototxt is not None
            assert self.weights is not None
            parts = self.prototxt.read_bytes(), self.weights.read_bytes()
            state["data"] = tuple(map(pickle.PickleBuffer, parts))
        return state

    def load(self, folder: Path) -> Any:
        """Return the net.

        Parameters
        ----------
        folder : Path
            For its files, where they came as bytes; the second time they are there.

        Raises
        ------
        WeightsError
            The package here brings other weights, or the files did not arrive whole.
        DeepDreamError
            What `deepdream.load_net` raises.
        """
        with _lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # all has been said where the net was loaded first
            self._unpack(folder)
            given = () if self.bundled else (self.weights,)
            net = load_net(self.entry or self.prototxt, *given, mean=self.mean, engine=self.engine,
                           device=self.device, strict=False)  # fmt: skip
        here = describe_net(net)
        for key, what in (("caffemodel_sha256", "weights"), ("prototxt_sha256", "description")):
            if here.get(key) != self.known.get(key):
                raise WeightsError(
                    f"the {what} of '{self.known['name']}' are others here: sha256 "
                    f"{str(here.get(key))[:12]}... instead of {str(self.known.get(key))[:12]}...."
                )
        return net

    def _unpack(self, folder: Path) -> None:
        """Write the bytes that came into files, and let go of them."""
        if self.data[1] is None:
            return
        inside = folder / f"net-{self.known['caffemodel_sha256'][:16]}"
        inside.mkdir(parents=True, exist_ok=True)
        paths = [inside / name for name in self.names]
        for path, data in zip(paths, self.data):
            if not path.is_file():
                with replacing(path) as part:
                    part.write_bytes(data)
        self.prototxt, self.weights = paths
        self.data = (None, None)


class SentFile:
    """A file that is sent to each machine once, and lies there in the worker's own folder.

    Parameters
    ----------
    path : Path
        Its name stays.
    sha256 : str
        Of its bytes.

    Attributes
    ----------
    path : Path or None
        Where it is on this machine; None before it is unpacked.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self.path: Path | None = path
        self._name, self._sha256, self._data = path.name, sha256, None

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "path": None}
        if self._data is None:
            assert self.path is not None
            state["_data"] = pickle.PickleBuffer(self.path.read_bytes())
        return state

    def unpack(self, folder: Path) -> Path:
        """Write the bytes that came into a folder, and let go of them; return where it is."""
        with _lock:
            if self.path is None:
                inside = folder / f"file-{self._sha256[:16]}"
                inside.mkdir(parents=True, exist_ok=True)
                path = inside / self._name
                if not path.is_file():
                    with replacing(path) as part:
                        part.write_bytes(self._data)  # type: ignore[arg-type]
                self.path, self._data = path, None
            return self.path


@dataclass(frozen=True)
class Shared:
    """What all jobs of a run share, besides the net.

    Attributes
    ----------
    run : str
        Names the run.
    keywords : mapping
        Of `deepdream.dream`. A `SentFile` among them is the path of its file where they are used.
    dreams_on : mapping of str to int
        How many dreams at a time each machine makes; its memory is for all of them.
    threads : int
        For one dream.
    maker : type
        What makes the jobs, a `Maker`.
    version : str
        Of this package, where the run began.
    """

    run: str
    keywords: Mapping[str, Any]
    dreams_on: Mapping[str, int]
    threads: int = 1
    maker: type[Maker] = Maker
    version: str = __version__


def look(known: Mapping[str, Any], bundled: bool) -> dict[str, Any]:
    """Tell what a worker is, before it gets a job.

    Parameters
    ----------
    known : mapping
        What recipes say of the net.
    bundled : bool
        It comes with the package: the worker's has to be the same.

    Returns
    -------
    dict
        ``version`` of this package; ``python``, its version; the ``processor``'s kind; and the
        ``weights`` that the package brings, or the ``problem`` with them.
    """
    import platform

    from ..compiling.processor import processor

    found: dict[str, Any] = {
        "version": __version__,
        "python": platform.python_version(),
        "processor": hashlib.sha256(repr(processor()).encode()).hexdigest()[:16],
    }
    if bundled:
        from ..files import file_hash
        from ..models.cache import bundled_weights

        try:
            found["weights"] = file_hash(bundled_weights())
        except (DeepDreamError, OSError) as error:
            found["problem"] = str(error)
    return found
