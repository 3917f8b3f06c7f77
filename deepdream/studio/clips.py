"""Clips that are brought: looked into by a process of its own, which nothing else depends on.

What comes from anybody can be made to break what decodes it, to take all memory, or to take for
ever. So a clip is first opened by a process that may use little memory and time, and that nobody
misses where it dies. What that has let through, and found to be of some size and length, is opened
again where the film is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DeepDreamError, FilmError
from ..films.clips import GIF, Limits, container_of, open_clip, recipe_of
from ..picture import to_uint8
from .processes import environment
from .settings import SECONDS
from .small import write_small
from .store import open_plain

LIMITS = Limits(pixels=3840 * 2176, frames=60 * SECONDS, seconds=SECONDS)

_TYPES = {"mov": "video/mp4", "matroska": "video/webm", GIF: "image/gif"}

_LONGEST = 60.0  # seconds that opening may take
_PROCESSOR, _MEMORY, _FILE = 50, 4 << 30, 1 << 28  # seconds, bytes, bytes of a file that is written
_DIED = "is damaged, or made so that opening it takes too much memory or time: choose another clip."


def is_clip(file: Path) -> bool:
    """Tell by a file's first bytes whether it is to be taken for a clip; a still GIF is none."""
    with open_plain(file) as opened:
        container = container_of(opened.read(16))
        if container != GIF:
            return container is not None
        opened.seek(0)
        with contextlib.suppress(Exception):  # damaged: a picture's reader tells
            return bool(Image.open(opened, formats=("GIF",)).is_animated)  # type: ignore[attr-defined]
    return False


async def look_into(file: Path, name: str, folder: Path) -> dict[str, Any]:
    """Open a clip in a process of its own, which writes its first frame.

    Parameters
    ----------
    file : Path
    name : str
        What it is called in messages.
    folder : Path
        Gets ``still.png``, and what the page shows of it.

    Returns
    -------
    dict
        ``size`` (width, height), ``seconds``, ``frames``, ``rate``, ``sound``, ``notes``, and
        ``type``, as which browsers play it; ``recipe``, what it carries of ours, or None.

    Raises
    ------
    FilmError
        It is no clip that is taken; the message says why.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(file), name, str(folder),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**environment(), "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), _LONGEST)
        found: dict[str, Any] = json.loads(out)
    except (asyncio.TimeoutError, ValueError) as error:
        raise FilmError(f"'{name}' {_DIED}") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if "error" in found:
        raise FilmError(found["error"])
    return found


def _look(file: Path, name: str, folder: Path) -> dict[str, Any]:
    reader = open_clip(file, name, LIMITS)
    with open_plain(file) as opened:
        container = str(container_of(opened.read(16)))
    first = next(reader.read(), None)
    if first is None:
        raise FilmError(f"'{name}' has no frame that can be decoded: choose another clip.")
    pixels = np.clip(first.pixels, 0, 255)
    Image.fromarray(to_uint8(pixels)).save(folder / "still.png")
    write_small(pixels, folder)
    frames = int(reader.count or 1)
    rate = next((float(hint) for hint in reader.hints if hint), 25.0)
    if reader.times is not None and frames > 1 and reader.times[-1] > 0:
        rate = (frames - 1) / float(reader.times[-1])
    h, w = pixels.shape[:2]
    return {"size": [w, h], "seconds": round(frames / rate, 3), "frames": frames,
            "rate": round(rate, 3), "sound": reader.tracks is not None,
            "notes": list(reader.warnings), "type": _TYPES[container],
            "recipe": recipe_of(file, container, LIMITS)}  # fmt: skip


def _bound() -> None:
    """Let this process have so much, and no more, where the system can be told."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, most in (("RLIMIT_CPU", _PROCESSOR), ("RLIMIT_AS", _MEMORY), ("RLIMIT_FSIZE", _FILE),
                       ("RLIMIT_CORE", 0)):  # fmt: skip
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    """Look into the clip that the command line names; print what there is, as JSON."""
    _bound()
    file, name, folder = sys.argv[1:]
    try:
        found = _look(Path(file), name, Path(folder))
    except DeepDreamError as error:
        found = {"error": str(error).split("\n")[0]}
    except MemoryError:
        found = {"error": f"'{name}' {_DIED}"}
    except OSError as error:
        found = {"error": f"The library cannot be written: {error.strerror}."}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
