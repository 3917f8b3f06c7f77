"""How much memory a process may still take, and how people write sizes.

The smallest of several limits counts: what the machine can give without swapping, what the
process's control groups allow (containers, batch systems), and what ``ulimit -v`` leaves. Linux
ends a process that goes beyond a control group's limit without a word, so it has to be known
before.

Sources: the kernel's ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``;
psutil for what the machine has.
"""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import OutOfMemoryError, ParameterError

try:
    import psutil
except ImportError:  # it may be missing beside the real Caffe: then only the others' limits count
    psutil = None  # type: ignore[assignment]

_UNITS = "KMGT"
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)

# Files of a control group: limit, usage, and in memory.stat the file cache that is given back
# before anybody is killed.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


# Share of the free memory that a dream takes where nobody says how much: others need some too, and
# PyTorch and Python take a little more than what is counted.
_SHARE = 0.8

# Bytes that are taken without asking: a look at what is free takes as long as a small picture.
_SMALL = 1 << 26


def memory_limit(max_memory: Any, device: str) -> int:
    """Return how many bytes a dream may take.

    Parameters
    ----------
    max_memory : int, str or None
        Bytes, or a size as ``"2G"``; None is most of what `device` has free.
    device : str

    Raises
    ------
    ParameterError
        `max_memory` is no size.
    """
    return int(_SHARE * free_memory(device)) if max_memory is None else parse_size(max_memory)


def free_memory(device: str = "cpu") -> int:
    """Tell how much more memory this process may take.

    Parameters
    ----------
    device : str
        ``"cpu"`` for the machine's memory, ``"cuda"`` or ``"cuda:1"`` for a GPU's.

    Returns
    -------
    int
        Bytes, 0 or more. On a GPU: what is free there and what PyTorch holds without using it.
    """
    if str(device).startswith("cuda"):
        return _free_on_gpu(device)
    limits = [*_free_in_machine(), *_free_in_groups(), *_free_addresses()]
    return max(0, min(limits, default=sys.maxsize))


def check_room(size: tuple[int, int], each: int) -> None:
    """Refuse a picture that cannot be held, before it is begun.

    Parameters
    ----------
    size : (int, int)
        Height and width of what is about to be made.
    each : int
        How many bytes making it takes for each pixel.

    Raises
    ------
    OutOfMemoryError
        That is more than there is.
    """
    h, w = size
    needed = each * h * w
    if needed > _SMALL and needed > (free := free_memory()):
        raise OutOfMemoryError(
            f"a picture of {w}x{h} needs {format_size(needed)}, {format_size(free)} are free: "
            "use a smaller one"
        )


def _free_in_machine() -> list[int]:
    return [] if psutil is None else [int(psutil.virtual_memory().available)]


def _free_on_gpu(device: str) -> int:
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + held)


def _free_in_groups(root: Path = Path("/")) -> Iterator[int]:
    """Yield what each control group of this process, and each group around it, has left."""
    for folder, files in _groups(root):
        left = _left(folder, *files)
        if left is not None:
            yield left


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Yield the folders of this process's control groups, innermost first, and their files."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return  # not Linux
    mount = root / "sys/fs/cgroup"
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top, files = mount, _V2
        elif "memory" in controllers.split(","):
            top, files = mount / "memory", _V1
        else:
            continue
        # In a container the path may be the host's, where only its beginning exists here.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for length in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:length]), files


def _left(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    """Return the bytes that a control group has left, or None where it sets no limit."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):  # no such group here, or the limit is "max"
        return None
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
        stat = dict(line.split()[:2] for line in lines if len(line.split()) > 1)
        used -= min(used, int(stat.get(cache, 0)))
    except (OSError, ValueError):
        pass
    return most - used


def _free_addresses() -> list[int]:
    """Return what ``ulimit -v`` leaves, or nothing where it is not set."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, AttributeError, OSError, ValueError):
        return []  # not Unix
    if limit == resource.RLIM_INFINITY or psutil is None:
        return []
    return [limit - int(psutil.Process().memory_info().vms)]


def parse_size(size: Any) -> int:
    """Read a size as people write it.

    Parameters
    ----------
    size : str or int
        ``"2G"``, ``"1500M"``, ``"1.5 GiB"``, or bytes. A unit is 1024 of the one below,
        with or without ``B`` or ``iB``, in capitals or not.

    Returns
    -------
    int
        Bytes, at least 1.

    Raises
    ------
    ParameterError
        It is no size, or not above zero.
    """
    found: int | None = None
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        if match:
            power = _UNITS.find(match[2].upper()) + 1 if match[2] else 0
            found = int(float(match[1]) * 1024**power)
    elif not isinstance(size, bool):
        try:
            found = operator.index(size)
        except TypeError:
            pass
    if found is None or found < 1:
        raise ParameterError(
            f"{size!r} is no size of memory: write it like '2G', '1500M', or as a number of bytes"
        )
    return found


def format_size(size: float) -> str:
    """Return a number of bytes as people read it: ``'512 B'``, ``'3.4 MiB'``, ``'2.0 GiB'``.

    Parameters
    ----------
    size : float
        Bytes.

    Returns
    -------
    str
        With one decimal below 100, and none above.
    """
    value, unit = float(size), "B"
    for letter in _UNITS:
        if abs(value) < 1023.5:
            break
        value, unit = value / 1024, f"{letter}iB"
    if unit == "B" or abs(value) >= 99.95:
        return f"{value:.0f} {unit}"
    return f"{value:.1f} {unit}"
