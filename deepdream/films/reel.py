"""A film in the making: hours of work that outlive Ctrl-C, a kill and a full disk.

Beside the film that is to be, ``dream.mp4``, lies the folder ``dream.mp4.part`` until it is done:

    reel.json         what it is made with
    0000.mkv, ...     parts that are encoded and closed, of a fixed number of frames each
    frame-000093.ppm  the frames of the part that is open, as they were dreamt
    state.npz         what the dreaming needs to go on, and the times of all frames so far
    film.m3u          a list of the parts, which players play
    ahead-000144-48.npz  frames that a cluster has made before those in front of them, see `stretch`

A frame is safe when `Reel.add` returns: first its file is written, then ``state.npz`` takes the
place of the one before. Whatever happens, one of the two states is there, whole. Who goes on
encodes the open part again, from its first frame: the same frames in the same parts make the same
bytes. So the finished film is the one that an uninterrupted run makes, and neither memory nor the
number of files grows with its length.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from ..errors import FilmError, ParameterError
from ..files import FileName, FolderLock, make_folder, replacing
from ..recipe import json_types
from ..version import __version__
from .beside import Follower
from .frame import Frame
from .making import Making, Part, tick_of
from .sound import Sound
from .stretch import Stretch
from .target import fitting, kind_of, make_film
from .writing import check_place, naming

_FORMAT = 1  # of the folder; one that is higher is refused
_NAME, _STATE, _LIST = "reel.json", "state.npz", "film.m3u"
_TICKS, _PLAIN = "reel ticks", "reel plain"  # names in state.npz beside the driver's own
_AHEAD = re.compile(r"ahead-(\d+)-(\d+)\.npz")
_MOST_FRAMES, _LEAST_FRAMES = 48, 8  # of a part
_OPEN_BYTES = 256 << 20  # what the frames of the open part may take on disk


def part_length(size: tuple[int, int]) -> int:
    """Return how many frames a part has, by their height and width."""
    h, w = size
    return max(_LEAST_FRAMES, min(_MOST_FRAMES, _OPEN_BYTES // (3 * h * w)))


class Reel:
    """A film in the making; a context manager, which leaves everything for another time.

    Parameters
    ----------
    path, size, rate, variable, sound, recipe, quality
        As for `target.open_target`.
    settings : mapping, optional
        What the frames are dreamt with: whatever JSON can hold. It is written down at the start.
        Who goes on with others is told which differ.

    Attributes
    ----------
    done : int
        How many frames are safe.
    state : dict or None
        What came with the last of them.
    notes : list of str
        What is to be said about the film, a line each.
    folder : Path
        Where the work is kept.
    ahead : dict of int to int
        Stretches of frames that are there already, behind frames that are not: the number of the
        first one, and how many there are.

    Raises
    ------
    ParameterError
        There is a film in the making with other settings, or another process makes it.
    FilmError, EngineError, WriteError
        As of `target.open_target`.
    """

    def __init__(
        self,
        path: FileName,
        *,
        size: tuple[int, int],
        rate: Any,
        variable: bool = False,
        sound: Sound | None = None,
        recipe: Mapping[str, Any] | None = None,
        quality: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        rate = Fraction(rate).limit_denominator(1 << 20)
        self._making = Making(Path(os.fsdecode(path)), size, rate, variable, quality, sound, recipe)
        check_place(self._making.path)
        self._kind = kind_of(self._making)
        self.notes = self._kind.notes
        self.folder = part_folder(path)
        self._length = part_length(size)
        self.settings = json_types(settings or {})
        self._ticks: list[int] = []
        self.state: dict[str, Any] | None = None
        self.ahead: dict[int, int] = {}
        self._open: Part | None = None
        self._encoded = 0  # frames, by the thread that encodes
        begun = (self.folder / _NAME).exists()
        if not begun:
            _check_empty(self.folder)
        make_folder(self.folder)
        self._lock = FolderLock(self.folder)
        try:
            if begun:
                self._check_settings()
                self._go_on()
            else:
                self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._follower: Follower[np.ndarray | int] = Follower(self._encode)
        self._feed()

    @property
    def done(self) -> int:
        """How many frames are safe."""
        return len(self._ticks)

    @property
    def path(self) -> Path:
        """The film that is to be."""
        return self._making.path

    # -- beginning and going on

    def _film(self) -> dict[str, Any]:
        """Return what decides the bytes of the film besides its frames."""
        h, w = self._making.size
        film: dict[str, Any] = json_types({
            "size": f"{w}x{h}",
            "rate": str(self._making.rate),
            "variable": self._making.variable,
            **self._kind.settings,
            "part": self._length,
        })  # fmt: skip
        return film

    def _begin(self) -> None:
        for left in self.folder.glob(f".{_NAME}.*"):  # of a start that was interrupted
            left.unlink(missing_ok=True)
        about = {
            "deepdream": __version__,
            "format": _FORMAT,
            "film": self._film(),
            "settings": self.settings,
        }
        with replacing(self.folder / _NAME) as part:
            part.write_text(json.dumps(about, indent=1) + "\n", "utf-8")

    def _check_settings(self) -> None:
        about = _read_about(self.folder)
        then = {**_flat(about["film"]), **_flat(about["settings"])}
        now = {**_flat(self._film()), **_flat(self.settings)}
        other = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        if other:
            told = "; ".join(
                f"{name} {_word(then.get(name))}, not {_word(now.get(name))}" for name in other[:4]
            )
            more = f", and {len(other) - 4} more" if len(other) > 4 else ""
            raise ParameterError(
                f"'{self.folder}' holds the beginning of this film, made with {told}{more}.\n"
                "Go on with the same settings, or delete that folder to start anew."
            )

    def _go_on(self) -> None:
        state = _read_state(self.folder / _STATE)
        if state is not None:
            self._ticks = [int(tick) for tick in state.pop(_TICKS)]
            self.state = state
        closed = self.done // self._length
        keep = {_NAME, _STATE, _LIST, FolderLock.NAME}
        keep |= {self._part(i).name for i in range(closed) if self._part(i).exists()}
        parts = sum(self._part(i).exists() for i in range(closed))
        if not all(self._part(i).exists() for i in range(parts)):
            parts = next(i for i in range(closed) if not self._part(i).exists())
        self._encoded = parts * self._length
        raw = [self._raw(number) for number in range(self._encoded, self.done)]
        missing = next((file for file in raw if not file.exists()), None)
        if missing is not None:
            raise FilmError(
                f"'{self.folder}' is damaged: there is no '{missing.name}'. Delete the folder to "
                "start anew."
            )
        keep |= {file.name for file in raw}
        for file in self.folder.iterdir():
            found = _AHEAD.fullmatch(file.name)
            if found and int(found[1]) >= self.done:
                self.ahead[int(found[1])] = int(found[2])
                keep.add(file.name)
        for file in self.folder.iterdir():
            if file.name not in keep:
                _remove(file)

    def _feed(self) -> None:
        """Give the encoder the frames of the open part again."""
        for number in range(self._encoded, self.done):
            self._follower.give(number)

    def _part(self, index: int) -> Path:
        return self.folder / f"{index:04d}{self._kind.part_suffix}"

    def _raw(self, number: int) -> Path:
        return self.folder / f"frame-{number:06d}.ppm"

    # -- adding

    def add(self, frame: Frame, state: Mapping[str, Any] | None = None) -> None:
        """Take the next frame; when this returns, it is safe.

        Parameters
        ----------
        frame : Frame
            Its number is `done`.
        state : mapping, optional
            Arrays, and what JSON can hold: what going on from here needs. Arrays come back as they
            were, tuples as lists.

        Raises
        ------
        FilmError
            It has another size or number than expected.
        WriteError
            A full disk, for example. What was safe is still safe.
        """
        self._follower.check()
        pixels = self._write([frame], state or {})
        self._follower.give(pixels)

    def _write(self, frames: Iterable[Frame], state: Mapping[str, Any]) -> np.ndarray:
        """Write the next frames, and then the state that tells of them; return the last one."""
        count = self.done
        ticks, pixels = [*self._ticks], np.empty(0, np.uint8)
        for number, frame in enumerate(frames, count):
            if frame.number != number:
                raise FilmError(f"frame {frame.number} was given, and {number} is expected.")
            pixels = fitting(frame, self._making)
            ticks.append(tick_of(frame.time, self._kind, ticks[-1] if ticks else None))
            with naming(self.path):  # it is not looked at before the state tells of it
                _write_picture(self._raw(number), pixels)
        _write_state(self.folder / _STATE, ticks, state)
        self._ticks[count:] = ticks[count:]
        self.state = dict(state)
        return pixels

    # -- frames that are there before those in front of them

    def ahead_file(self, first: int, count: int) -> Path:
        """Return where frames are to be put that are dreamt before those in front of them.

        See `stretch`. When the file is there, whole, it is to be noted in `ahead`.
        """
        return self.folder / f"ahead-{first:06d}-{count}.npz"

    def drop_ahead(self, end: int) -> None:
        """Drop stretches that reach beyond a frame, where the film is to end now."""
        for first, count in [*self.ahead.items()]:
            if first + count > end:
                self.ahead_file(first, count).unlink(missing_ok=True)
                del self.ahead[first]

    def state_before(self, number: int) -> dict[str, Any] | None:
        """Return what came with the frame in front of this one; None where that is not there."""
        if number == self.done:
            return self.state
        for first, count in self.ahead.items():
            if first + count == number:
                with Stretch(self.ahead_file(first, count), first) as stretch:
                    return stretch.state
        return None

    def catch_up(self) -> bool:
        """Take the frames that are there already, as far as they follow; tell whether any did.

        Raises
        ------
        FilmError, WriteError
            As `add`; a stretch that cannot be read.
        """
        before = self.done
        while self.done in self.ahead:
            self._follower.check()
            first = self.done
            path = self.ahead_file(first, self.ahead[first])
            with Stretch(path, first) as stretch:
                self._write(stretch.frames(), stretch.state)
            del self.ahead[first]
            path.unlink(missing_ok=True)
            for number in range(first, self.done):
                self._follower.give(number)
        return self.done > before

    def _encode(self, item: np.ndarray | int) -> None:
        """Encode a frame, in the thread that does that."""
        number = self._encoded
        pixels = _read_picture(self._raw(item)) if isinstance(item, int) else item
        index = number // self._length
        with naming(self.path):
            if self._open is None:
                unfinished = self._unfinished(index)
                unfinished.unlink(missing_ok=True)
                self._open = self._kind.open_part(unfinished, number)
                self._list([*(self._part(i) for i in range(index)), unfinished])
            self._open.add(pixels, self._ticks[number])
            self._encoded = number + 1
            if self._encoded % self._length == 0:
                self._close_part(index)
                for done in range(index * self._length, self._encoded):
                    self._raw(done).unlink(missing_ok=True)

    def _unfinished(self, index: int) -> Path:
        return self.folder / f"open-{index:04d}{self._kind.part_suffix}"

    def _close_part(self, index: int) -> None:
        assert self._open is not None
        closing, self._open = self._open, None
        closing.close()
        self._unfinished(index).replace(self._part(index))
        self._list([self._part(i) for i in range(index + 1)])

    def _list(self, parts: list[Path]) -> None:
        """Write the list that players play; an open part may end early, or not be there yet."""
        if self._kind.playable:
            lines = ["#EXTM3U", *(part.name for part in parts)]
            with replacing(self.folder / _LIST) as file:
                file.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    # -- ending

    def finish(self) -> None:
        """Make the film, with its sound and its recipe, and remove what it was made of.

        Raises
        ------
        FilmError
            There are no frames, or a part is damaged.
        WriteError
            It cannot be written; everything is kept, and finishing can be tried again.
        """
        if not self.done:
            raise FilmError(f"'{self.path}' would have no frames.")
        try:
            self._follower.close()
            with naming(self.path):
                count = -(-self.done // self._length)
                if self._open is not None:
                    self._close_part(count - 1)
                parts = [self._part(i) for i in range(count)]
                make_film(self._kind, parts, self._ticks, self.path)
        finally:
            self.close()
        # In one step, so that half of it is never taken for work to go on with.
        gone = self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(4)}")
        with naming(self.folder):
            self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def close(self) -> None:
        """Leave the work as it is; another `Reel` of the same path goes on there."""
        with contextlib.suppress(Exception):  # whoever adds or finishes has been told
            self._follower.close()
        if self._open is not None:
            with contextlib.suppress(Exception):  # it is made again from its frames
                self._open.close()
            self._open = None
        self._lock.release()

    def __enter__(self) -> Reel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def part_folder(path: FileName) -> Path:
    """Return the folder where a film of this name is in the making."""
    film = Path(os.fsdecode(path))
    return film.with_name(f"{film.name}.part")


def settings_of(path: FileName) -> dict[str, Any] | None:
    """Return the settings of the film of this name that is in the making, or None.

    Raises
    ------
    FilmError
        What lies there cannot be read.
    """
    folder = part_folder(path)
    if not (folder / _NAME).exists():
        return None
    settings: dict[str, Any] = _read_about(folder)["settings"]
    return settings


def _remove(path: Path) -> None:
    if path.name == FolderLock.NAME:
        return
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _check_empty(folder: Path) -> None:
    """Refuse a folder of somebody else's, which would go with the finished film."""
    if not folder.is_dir():
        return
    others = [
        file.name for file in folder.iterdir()
        if file.name != FolderLock.NAME and not file.name.startswith(f".{_NAME}.")
    ]  # fmt: skip
    if others:
        raise ParameterError(
            f"'{folder}' holds '{min(others)}' and no {_NAME}: it is no film in the making, and a "
            "film of this name would be made there. Move it away, or give another name."
        )


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{above}{name} "))
        else:
            flat[f"{above}{name}"] = value
    return flat


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / _NAME
    try:
        about: dict[str, Any] = json.loads(path.read_text("utf-8"))
        number = int(about["format"])
        _flat(about["film"])
        _flat(about["settings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FilmError(
            f"'{path}' cannot be read ({error}): delete the folder to start anew."
        ) from error
    if number > _FORMAT:
        raise FilmError(
            f"'{folder}' was begun by deepdream {about.get('deepdream')}, this is {__version__}: "
            "update it, or delete the folder to start anew."
        )
    return about


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write (h, w, 3) uint8 in the plainest format that picture viewers open: PPM."""
    h, w = pixels.shape[:2]
    with path.open("wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (w, h))
        file.write(np.ascontiguousarray(pixels).data)


def _read_picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _write_state(path: Path, ticks: list[int], state: Mapping[str, Any]) -> None:
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in state.items() if name not in arrays}
    text = np.frombuffer(json.dumps(plain).encode("utf-8"), np.uint8)
    # Not packed: it is written for every frame.
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **{**arrays, _TICKS: np.array(ticks, np.int64), _PLAIN: text})  # type: ignore[arg-type]


def _read_state(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        plain = json.loads(arrays.pop(_PLAIN).tobytes())
    except Exception as error:  # zip files raise nearly anything
        raise FilmError(
            f"'{path}' cannot be read ({error}): delete its folder to start anew."
        ) from error
    return {**arrays, **plain}
