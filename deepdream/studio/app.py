"""The API under the page, and the page's files; docs/studio-api.md tells what can be asked for.

Every answer is JSON, a picture, or a file of the page. Errors are ``{"error": SENTENCE}``, made of
the library's own messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ..dreaming.styles import NOTEBOOK, STYLES, style_of
from ..errors import (
    DeepDreamError,
    MissingFileError,
    OutOfMemoryError,
    ParameterError,
    WriteError,
    how_to_install,
)
from ..images import load_image, save_image
from ..memory import format_size
from ..models.labels import classes_of
from ..models.load import load_graph
from ..version import __version__
from .clips import LIMITS, is_clip
from .events import Events
from .jobs import Jobs
from .library import CLIP, MEGAPIXELS, Library, plain_name
from .looks import find_looks
from .pace import Pace
from .security import PICTURE_BYTES, Guard, Refused, Rules
from .settings import FRAMES, LONGEST, check_film, checked
from .store import open_plain, reason_of

_PAGE = Path(__file__).with_name("page")
_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
          ".jpg": "image/jpeg", ".tif": "image/tiff", ".mp4": "video/mp4"}  # fmt: skip
_SPACE = 200 << 20  # bytes that are left free on the disk
_FOUND = 30  # classes that a search gives
_PIECE = 1 << 18

# What can be had of a picture and of a dream, by the name in the address.
_OF_PICTURES = {"screen": "screen.jpg", "thumb": "thumb.jpg"}
_OF_DREAMS = {"picture": "picture.png", "screen": "screen.jpg", "before": "before.jpg",
              "thumb": "thumb.jpg", "film": "film.mp4"}  # fmt: skip
_DOWNLOADS = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "mp4": ".mp4"}
_STORED = {".png": "picture.png", ".tif": "deep.tif", ".mp4": "film.mp4"}
_FOREVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Config:
    """How the studio is set up.

    Attributes
    ----------
    library : Path
        The folder of all that is kept.
    rules : Rules
        Who may come in.
    network : mapping
        Keywords of `deepdream.load_net`.
    """

    library: Path
    rules: Rules
    network: Mapping[str, Any]


def build(config: Config) -> Guard:
    """Return the application.

    Raises
    ------
    DeepDreamError
        The network is unknown, or the library cannot be written.
    """
    studio = _Studio(config)
    app = Starlette(
        routes=studio.routes(),
        lifespan=studio.lifespan,
        exception_handlers={
            DeepDreamError: _told,
            Refused: _refused,
            HTTPException: _not_here,
            ClientDisconnect: _gone,
            OSError: _disk,
            MemoryError: _memory,
        },
    )
    app.router.redirect_slashes = False
    guard = Guard(app, config.rules, lambda method, path: path in ("/api/pictures", "/api/masks"))
    guard.studio = studio  # type: ignore[attr-defined]
    return guard


class _Studio:
    def __init__(self, config: Config) -> None:
        self._net = load_graph(config.network.get("model"))
        self._looks = find_looks(self._net)
        self._library = Library(config.library, self._net)
        self.events = Events()
        self._pace = Pace(self._net, config.library / "pace.json", self._library.size_of)
        self.jobs = Jobs(self._library, self.events, self._pace, self._looks, config.network)
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        await self.jobs.start()
        try:
            yield
        finally:
            self.events.close()
            await self.jobs.close()

    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        get, post, delete = ["GET"], ["POST"], ["DELETE"]
        one = "{id:str}"
        return [
            Route("/", _page_file, methods=get),
            Route("/page/{name:str}", _page_file, methods=get),
            Route("/favicon.ico", _page_file, methods=get),
            Route("/api", self.about, methods=get),
            Route("/api/events", self.listen, methods=get),
            Route("/api/classes", self.classes, methods=get),
            Route("/api/pictures", self.pictures, methods=get),
            Route("/api/pictures", self.add_picture, methods=post),
            Route("/api/masks", self.add_mask, methods=post),
            Route(f"/api/pictures/{one}", self.picture, methods=get),
            Route(f"/api/pictures/{one}", self.delete_picture, methods=delete),
            Route(f"/api/pictures/{one}/restore", self.restore_picture, methods=post),
            Route(f"/api/pictures/{one}/looks", self.want_looks, methods=post),
            Route(f"/api/pictures/{one}/looks/{{name:str}}", self.look, methods=get),
            Route(f"/api/pictures/{one}/clip", self.clip, methods=get),
            Route(f"/api/pictures/{one}/{{name:str}}", self.picture_file, methods=get),
            Route("/api/estimates", self.estimates, methods=post),
            Route("/api/jobs", self.all_jobs, methods=get),
            Route("/api/jobs", self.add_job, methods=post),
            Route(f"/api/jobs/{one}", self.job, methods=get),
            Route(f"/api/jobs/{one}", self.end_job, methods=delete),
            Route(f"/api/jobs/{one}/stop", self.stop_job, methods=post),
            Route(f"/api/jobs/{one}/go-on", self.go_on_with_job, methods=post),
            Route(f"/api/jobs/{one}/picture", self.job_picture, methods=get),
            Route("/api/dreams", self.dreams, methods=get),
            Route(f"/api/dreams/{one}", self.dream, methods=get),
            Route(f"/api/dreams/{one}", self.delete_dream, methods=delete),
            Route(f"/api/dreams/{one}/restore", self.restore_dream, methods=post),
            Route(f"/api/dreams/{one}/use", self.use_dream, methods=post),
            Route(f"/api/dreams/{one}/download", self.download, methods=get),
            Route(f"/api/dreams/{one}/{{name:str}}", self.dream_file, methods=get),
        ]

    # -- what there is -----------------------------------------------------------------------------

    async def about(self, _: Request) -> Response:
        model = self._net.model
        parameters = {name: _plain({**NOTEBOOK, **s.parameters}) for name, s in STYLES.items()}
        styles = {
            name: {"text": style.look, "parameters": parameters[name], "any": not style.ends}
            for name, style in STYLES.items()
        }
        return _json({
            "version": __version__,
            "network": getattr(model, "title", "") or getattr(model, "name", ""),
            "style": style_of(self._net).name,
            "styles": styles,
            "looks": [look.plain() for look in self._looks],
            "classes": self._labels() is not None,
            "films": _films(),
            "limits": {"bytes": PICTURE_BYTES, "megapixels": MEGAPIXELS, "longest": LONGEST,
                       "frames": FRAMES, "clip": LIMITS._asdict()},
            "measured": self._pace.learnt,
            "broken": self.jobs.broken,
        })  # fmt: skip

    async def listen(self, _: Request) -> Response:
        if self.events.full:
            raise Refused(503, "The page is open too often: close some of the tabs.")
        stream = self.events.listen(lambda: {"jobs": self.jobs.all()})
        return StreamingResponse(
            stream,
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    def _labels(self) -> Any:
        try:
            return classes_of(self._net)
        except DeepDreamError:
            return None

    async def classes(self, request: Request) -> Response:
        found = self._labels()
        search = request.query_params.get("search", "")[:60]
        if found is None:
            return _json({"classes": []})
        word = search.strip().lower()
        families = [name for name in found.families if word and name.startswith(word)]
        numbers = list(found.containing(search)) if word else []
        names = [found.labels[number] for number in numbers]
        names.sort(key=lambda name: not name.lower().startswith(word))
        listed = [{"name": name, "text": f"any {name}"} for name in families[:5]]
        listed += [
            {"name": name.split(", ")[0], "text": name}
            for name in names
            if name.split(", ")[0] not in families
        ]
        return _json({"classes": listed[:_FOUND]})

    # -- pictures ----------------------------------------------------------------------------------

    async def pictures(self, _: Request) -> Response:
        found = await run_in_threadpool(lambda: [*self._library.pictures.all()])
        shown = [about for about in found if about.get("kind") in ("photo", CLIP)]
        return _json({"pictures": sorted(shown, key=lambda about: -about["added"])})

    async def add_picture(self, request: Request) -> Response:
        return await self._add(request, mask=False)

    async def add_mask(self, request: Request) -> Response:
        return await self._add(request, mask=True)

    async def _add(self, request: Request, mask: bool) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith(("image/", "video/")) and kind != "application/octet-stream":
            raise HTTPException(415, "A picture or a clip is expected, as it is.")
        name = plain_name(unquote(request.headers.get("x-name", "")[:400]))
        length = int(request.headers.get("content-length") or 0)
        _check_space(self._library.path, 3 * length)
        number, temporary = tempfile.mkstemp(prefix="received-", dir=self._library.path)
        path = Path(temporary)
        try:
            with os.fdopen(number, "wb") as file:
                async for piece in request.stream():
                    await run_in_threadpool(file.write, piece)
            if not mask and await run_in_threadpool(is_clip, path):
                _check_films()
                about = await self._library.add_clip(path, name)
            else:
                about = await run_in_threadpool(partial(self._library.add, path, name, mask))
        finally:
            path.unlink(missing_ok=True)
        if not mask:
            self.jobs.want_looks(about["id"])
            self.events.tell("picture", about)
        return _json(about, 201)

    async def picture(self, request: Request) -> Response:
        return _json(self._library.pictures.about(request.path_params["id"]))

    async def delete_picture(self, request: Request) -> Response:
        id = request.path_params["id"]
        self._library.pictures.delete(id)
        self.events.tell("deleted", id)
        return _json({})

    async def restore_picture(self, request: Request) -> Response:
        id = request.path_params["id"]
        self._library.pictures.restore(id)
        about = self._library.pictures.about(id)
        self.events.tell("picture", about)
        return _json(about)

    async def picture_file(self, request: Request) -> Response:
        folder = self._library.pictures.folder(request.path_params["id"])
        return _file(folder / _named(_OF_PICTURES, request.path_params["name"]))

    async def clip(self, request: Request) -> Response:
        found = self._library.clip(request.path_params["id"])
        if found is None:
            raise HTTPException(404)
        kind = self._library.pictures.about(request.path_params["id"])["clip"]["type"]
        return _file(found[0], part=request.headers.get("range", ""), kind=kind)

    async def want_looks(self, request: Request) -> Response:
        return _json({"looks": self.jobs.want_looks(request.path_params["id"])})

    async def look(self, request: Request) -> Response:
        names = {look.name: f"look-{look.name}.jpg" for look in self._looks}
        folder = self._library.pictures.folder(request.path_params["id"])
        return _file(folder / _named(names, request.path_params["name"]))

    # -- jobs --------------------------------------------------------------------------------------

    async def estimates(self, request: Request) -> Response:
        body = await _body(request)
        about = self._library.pictures.about(str(body.get("picture")))
        several = body.get("settings")
        if not isinstance(several, list) or len(several) > 40:
            raise ParameterError("settings are expected as a list of 40 at most")
        return _json({"seconds": [round(self._estimate(about, each), 2) for each in several]})

    def _estimate(self, about: Mapping[str, Any], given: Any) -> float:
        settings = checked(self._net, given)
        check_film(settings, about.get("clip"))
        w, h = about["size"]
        return self._pace.seconds(settings, (h, w), about.get("clip"))

    async def all_jobs(self, _: Request) -> Response:
        return _json({"jobs": self.jobs.all()})

    async def add_job(self, request: Request) -> Response:
        body = await _body(request)
        settings = checked(self._net, body.get("settings") or {})
        if "film" in settings:
            _check_films()
        _check_space(self._library.path, 0)
        return _json(self.jobs.add(str(body.get("picture")), settings), 201)

    async def job(self, request: Request) -> Response:
        return _json(self.jobs.job(request.path_params["id"]))

    async def end_job(self, request: Request) -> Response:
        id = request.path_params["id"]
        if self.jobs.job(id)["state"] in ("done", "failed", "cancelled"):
            self.jobs.forget(id)
            return _json({})
        return _json(self.jobs.stop(id, keep=False))

    async def stop_job(self, request: Request) -> Response:
        return _json(self.jobs.stop(request.path_params["id"], keep=True))

    async def go_on_with_job(self, request: Request) -> Response:
        _check_space(self._library.path, 0)
        return _json(self.jobs.go_on(request.path_params["id"]))

    async def job_picture(self, request: Request) -> Response:
        return _file(self.jobs.shown(request.path_params["id"]), cache="no-store")

    # -- dreams ------------------------------------------------------------------------------------

    async def dreams(self, _: Request) -> Response:
        found = await run_in_threadpool(lambda: [*self._library.dreams.all()])
        return _json({"dreams": sorted(found, key=lambda about: -about["made"])})

    async def dream(self, request: Request) -> Response:
        return _json(self._library.dreams.about(request.path_params["id"]))

    async def delete_dream(self, request: Request) -> Response:
        id = request.path_params["id"]
        self._library.dreams.delete(id)
        self.events.tell("deleted", id)
        return _json({})

    async def restore_dream(self, request: Request) -> Response:
        id = request.path_params["id"]
        self._library.dreams.restore(id)
        about = self._library.dreams.about(id)
        self.events.tell("dream", about)
        return _json(about)

    async def use_dream(self, request: Request) -> Response:
        """Take a dream as the picture of the next one."""
        id = request.path_params["id"]
        about = self._library.dreams.about(id)
        source = self._library.dreams.folder(id) / "picture.png"
        copy = self._library.path / f"received-{id}"
        try:
            await run_in_threadpool(_copy, source, copy)
            name = f"{Path(about['name']).stem} dreamt.png"
            added = await run_in_threadpool(partial(self._library.add, copy, name))
        finally:
            copy.unlink(missing_ok=True)
        self.jobs.want_looks(added["id"])
        self.events.tell("picture", added)
        return _json(added, 201)

    async def dream_file(self, request: Request) -> Response:
        folder = self._library.dreams.folder(request.path_params["id"])
        path = folder / _named(_OF_DREAMS, request.path_params["name"])
        return _file(path, part=request.headers.get("range", ""))

    async def download(self, request: Request) -> Response:
        id = request.path_params["id"]
        suffix = _named(_DOWNLOADS, request.query_params.get("format", "png"))
        about = self._library.dreams.about(id)
        folder = self._library.dreams.folder(id)
        name = f"{Path(about['name']).stem}_dream{suffix}"
        if suffix == ".jpg":
            body = await run_in_threadpool(_as_jpeg, folder / "picture.png")
            response: Response = Response(body, media_type=_TYPES[suffix])
        else:
            response = _file(folder / _STORED[suffix])
        plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
        response.headers["content-disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
        )
        return response


# -- answers ---------------------------------------------------------------------------------------


def _json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status, headers={"cache-control": "no-store"})


async def _told(_: Request, error: Exception) -> Response:
    status = 400
    if isinstance(error, MissingFileError):
        status = 404
    elif isinstance(error, (WriteError, OutOfMemoryError)):
        status = 507
    return _json({"error": reason_of(error)}, status)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    response = _json({"error": error.text}, error.status)
    response.headers["connection"] = "close"  # what was not read would be the next request
    return response


async def _not_here(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "There is nothing here." if error.status_code == 404 else error.detail
    return _json({"error": text}, error.status_code)


async def _gone(_: Request, error: Exception) -> Response:
    return _json({"error": "The picture did not come to its end."}, 400)


async def _disk(_: Request, error: Exception) -> Response:
    return _json({"error": reason_of(error)}, 507)


async def _memory(_: Request, error: Exception) -> Response:
    return _json({"error": "There is not enough memory: use a smaller picture."}, 507)


async def _page_file(request: Request) -> Response:
    name = request.path_params.get("name") or (
        "icon.svg" if request.url.path == "/favicon.ico" else "index.html"
    )
    if not re.fullmatch(r"[a-z]+\.[a-z]+", name):
        raise HTTPException(404)
    return _file(_PAGE / name, cache="no-cache")


def _named(names: Mapping[str, str], name: str) -> str:
    if name not in names:
        raise HTTPException(404)
    return names[name]


def _file(path: Path, cache: str = _FOREVER, part: str = "", kind: str = "") -> Response:
    """Return a file of ours, in pieces; or the `part` of it that a Range header names.

    Players of films ask for parts.
    """
    file = open_plain(path)
    size = os.fstat(file.fileno()).st_size
    start, end = _part_of(part, size) or (0, size)
    file.seek(start)
    headers = {"content-length": str(end - start), "cache-control": cache,
               "accept-ranges": "bytes"}  # fmt: skip
    if (start, end) != (0, size):
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if (start, end) == (0, size) else 206
    pieces = _pieces(file, end - start)
    return StreamingResponse(pieces, status, headers, media_type=kind or _TYPES[path.suffix])


def _part_of(text: str, size: int) -> tuple[int, int] | None:
    """Return where the part begins and ends that ``bytes=0-99`` means; None for all of it."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start, end = int(found[1]), min(size, int(found[2] or size) + 1)
    return (start, end) if start < end else None


async def _pieces(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    with file:
        while size > 0:
            piece = await run_in_threadpool(file.read, min(_PIECE, size))
            if not piece:
                return
            size -= len(piece)
            yield piece


async def _body(request: Request) -> dict[str, Any]:
    """Return the object that came as JSON.

    Raises
    ------
    ParameterError
        It is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "JSON is expected.")
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ParameterError("that is no JSON") from None
    if not isinstance(found, dict):
        raise ParameterError("a JSON object is expected")
    return found


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _films() -> bool:
    """Tell whether films can be made here: the extra is installed."""
    return all(find_spec(name) is not None for name in ("av", "cv2"))


def _check_films() -> None:
    """Refuse films where they cannot be made.

    Raises
    ------
    ParameterError
    """
    if not _films():
        raise ParameterError(f"films need PyAV and OpenCV: {how_to_install('film')}")


def _copy(source: Path, target: Path) -> None:
    with open_plain(source) as read, target.open("xb") as written:
        shutil.copyfileobj(read, written)


def _as_jpeg(path: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder, open_plain(path) as file:
        made = Path(folder) / "picture.jpg"
        picture = load_image(file)
        save_image(picture, made, recipe=_recipe_of(path))
        return made.read_bytes()


def _recipe_of(path: Path) -> Any:
    from ..recipe import read_recipe

    try:
        return read_recipe(path)
    except DeepDreamError:
        return None


def _check_space(folder: Path, needed: int) -> None:
    """Refuse what a disk has no room for.

    Raises
    ------
    WriteError
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPACE:
        raise WriteError(
            f"The disk is nearly full, {format_size(free)} are left: free some space, then try "
            "again."
        )
