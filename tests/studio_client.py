"""Asking the studio without a server: requests as they come from the network, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deepdream.studio.app import Config, build
from deepdream.studio.security import Rules, rules_for

with warnings.catch_warnings():  # newer versions want another HTTP client
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TOKEN = "a-token-that-is-as-long-as-a-real-one"
HOST = "127.0.0.1:8000"
HERE = f"http://{HOST}"
BEARER = {"host": HOST, "authorization": f"Bearer {TOKEN}"}
COOKIE = {"host": HOST, "origin": HERE, "cookie": f"deepdream-studio-8000={TOKEN}"}


def application(folder: Path, rules: Rules | None = None) -> Any:
    """Return a studio; its worker is not started before its lifespan is."""
    rules = rules or rules_for("127.0.0.1", (), TOKEN, 8000)
    return build(Config(folder, rules, {"model": None}))


def client_of(folder: Path) -> TestClient:
    """Return a client of a studio, which runs while it is entered."""
    return TestClient(application(folder), HERE, client=("127.0.0.1", 1), headers=BEARER)


def start(client: TestClient, picture: str, settings: Mapping[str, Any]) -> str:
    """Ask for a dream or a film; return the job's number."""
    answer = client.post("/api/jobs", json={"picture": picture, "settings": settings})
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


class Answer:
    """What came back."""

    def __init__(self, messages: list[Any]) -> None:
        self.status: int = messages[0]["status"]
        pairs = messages[0]["headers"]
        self.headers = {name.decode().lower(): value.decode() for name, value in pairs}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: Any,
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = BEARER,
    body: bytes | Iterable[bytes] = b"",
    client: str = "127.0.0.1",
) -> Answer:
    """Send one request, and return the answer."""
    path, _, query = path.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "client": (client, 50000), "server": ("127.0.0.1", 8000),
        "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in pairs],
    }  # fmt: skip
    pieces = iter([body] if isinstance(body, bytes) else body)
    sent: list[Any] = []
    over = False

    async def receive() -> Any:
        nonlocal over
        if over:
            return {"type": "http.disconnect"}
        piece = next(pieces, None)
        over = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": not over}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return Answer(sent)


def photo(seed: int = 0, w: int = 90, h: int = 70, form: str = "PNG", **how: Any) -> bytes:
    """Return the file of a small picture."""
    pixels = np.random.RandomState(seed).randint(0, 256, (h // 10, w // 10, 3), np.uint8)
    image = Image.fromarray(pixels).resize((w, h), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def bring(app: Any, data: bytes, name: str = "sky.png", path: str = "/api/pictures") -> Answer:
    """Send a picture."""
    headers = {**BEARER, "content-type": "image/png", "x-name": name}
    return ask(app, "POST", path, {**headers, "content-length": str(len(data))}, data)


def post(app: Any, path: str, value: Any, headers: Mapping[str, str] = BEARER) -> Answer:
    """Send JSON."""
    return ask(app, "POST", path, {**headers, "content-type": "application/json"},
               json.dumps(value).encode())  # fmt: skip


def fingerprint(folder: Path) -> dict[str, str]:
    """Return what lies in a folder, by the hashes of its files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
