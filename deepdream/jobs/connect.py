"""From what a user calls a cluster to a client of Dask's.

``local`` is this machine's processors, one worker process for each; all else is somebody's
scheduler. What Dask changes in this process's environment is put back.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import EngineError, MissingFileError, ParameterError, how_to_install

_LOCAL = re.compile(r"local(?::(\d+))?")
_PRELOAD = "deepdream.jobs.local_worker"
_PATIENCE = 10  # seconds to wait for a scheduler
_EXPECTED = (
    "local, local:4 for so many at a time, the address of a scheduler (tcp://HOST:PORT), or its "
    "scheduler file, is expected"
)


def is_local(cluster: Any) -> bool:
    """Tell whether a name means this machine's processors, whose workers see all that is here."""
    return isinstance(cluster, str) and _LOCAL.fullmatch(cluster) is not None


def whole(path: str | os.PathLike[str]) -> Path:
    """Return a path from the root on, without '..'; links stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def sees(shared: str | Path | None, path: str | os.PathLike[str]) -> bool:
    """Tell whether all machines see a file: it lies below the folder `shared`."""
    return shared is not None and whole(Path(shared).expanduser()) in whole(path).parents


@contextlib.contextmanager
def connected(cluster: Any) -> Iterator[tuple[Any, int]]:
    """Connect to a cluster.

    Parameters
    ----------
    cluster : str, PathLike, distributed.Client or a cluster of Dask's
        ``"local"``, ``"local:4"``, ``"tcp://HOST:PORT"``, a scheduler file; a client is used as it
        is.

    Yields
    ------
    distributed.Client, int
        And for how many threads a single dream is, 1 but for ``"local:N"`` with fewer dreams than
        processors.

    Raises
    ------
    EngineError
        Dask is not installed, or there is no scheduler.
    MissingFileError
        No such scheduler file.
    ParameterError
        It is no name of a cluster.
    """
    distributed = _dask()
    if isinstance(cluster, distributed.Client):
        yield cluster, 1
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment_kept())
        threads, address = 1, cluster
        local = _LOCAL.fullmatch(cluster) if isinstance(cluster, str) else None
        if local:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
                os.cpu_count() or 1
            )  # fmt: skip
            count = int(local[1] or cores)
            if count < 1:
                raise ParameterError(f"cluster is {cluster!r}: {_EXPECTED}")
            threads = max(1, cores // count)
            address = stack.enter_context(_local(count, threads))
        elif isinstance(cluster, (str, os.PathLike)):
            address = _address(os.fspath(cluster))
        elif not hasattr(cluster, "scheduler_address"):
            raise ParameterError(f"cluster is {cluster!r}: {_EXPECTED}")
        yield stack.enter_context(_client(address)), threads


def _dask() -> Any:
    try:
        import distributed
    except ImportError:
        raise EngineError(
            "A cluster needs Dask, which is not installed here.\n"
            f"Install it: {how_to_install('cluster')}"
        ) from None
    return distributed


def _address(name: str) -> str | dict[str, str]:
    if re.match(r"\w+://", name):
        return name
    path = Path(name).expanduser()
    if path.is_file():
        return {"scheduler_file": str(path)}
    if path.suffix == ".json" or os.sep in name:
        raise MissingFileError(
            f"There is no scheduler file '{name}': 'dask scheduler --scheduler-file {name}' writes "
            "it."
        )
    if re.fullmatch(r"[\w.-]+:\d+", name):
        return f"tcp://{name}"
    raise ParameterError(f"cluster is {name!r}: {_EXPECTED}")


@contextlib.contextmanager
def _client(address: Any) -> Iterator[Any]:
    from distributed import Client

    given = address if isinstance(address, dict) else {"address": address}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions: `cluster` compares what matters
            client = Client(**given, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        where = given.get("address") or f"the scheduler of '{given.get('scheduler_file')}'"
        raise EngineError(
            f"{where} does not answer ({type(error).__name__}). Is 'dask scheduler' running "
            "there, and does a firewall let its port through?"
        ) from error
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def _local(count: int, threads: int) -> Iterator[Any]:
    import dask
    from distributed import LocalCluster

    ours = {
        # An attempt that ends its worker is counted by picture, in `worker`.
        "distributed.scheduler.allowed-failures": 1000,
        # Dask would set numbers of threads in this process, and leave them.
        "distributed.nanny.pre-spawn-environ": {},
        "distributed.worker.daemon": True,
    }
    with dask.config.set(ours):
        cluster = LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", silence_logs=50, preload=_PRELOAD,
            env={"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1",
                 "MALLOC_TRIM_THRESHOLD_": "65536"},
        )  # fmt: skip
        try:
            yield cluster
        finally:
            cluster.close()


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """Put back what Dask sets in this process's environment for the workers that it starts."""
    names = ["PYTHONHASHSEED", "MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
             "OPENBLAS_NUM_THREADS", "__DASK_PARENT_PID"]  # fmt: skip
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def dashboard(client: Any) -> str:
    """Return the address of Dask's page about the cluster, or nothing where it has none."""
    from importlib.metadata import version

    try:
        client.run_on_scheduler(version, "bokeh")  # what draws it
        return str(client.dashboard_link)
    except Exception:  # whatever it is, there is no page to look at
        return ""
