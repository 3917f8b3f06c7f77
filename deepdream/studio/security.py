"""Who may ask for what: looked at before any of the program sees a request.

Dreams are made of private photographs, and any page in the same browser can send requests to this
machine. So a request has to come from an address that may come in, to a host that is this one (no
name that somebody has pointed here), from this page (``Origin``), with the token; a GET changes
nothing; and no body is read that is larger, or comes more slowly, than it should.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Union
from urllib.parse import parse_qs

from ..errors import ParameterError
from ..files import replacing
from .store import open_plain

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

PICTURE_BYTES = 200 << 20  # of a file that is brought
FEW_BYTES = 64 << 10  # of any other body
_PAUSE = 20.0  # seconds in which something of a body has to come
_SLOWEST = 20_000  # bytes per second on the whole, after a while
_WHILE = 30.0
_UPLOADS = 4  # bodies larger than a few bytes, at once
_COOKIE_DAYS = 30

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_HEADERS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(self), geolocation=(), microphone=()"),
)

_ENCODED = [(name.encode(), value.encode()) for name, value in _HEADERS]

LOCAL = "local"
_LOCAL_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7",
                   "fe80::/10")  # fmt: skip
_LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Rules:
    """Who may come in.

    Attributes
    ----------
    token : str
        What the address in the browser has, and then a cookie.
    hosts : frozenset of str
        Names under which this program may be asked for, in lower case and without ports.
    any_address : bool
        Asked for by any address in numbers as well: those nobody can point here by a name.
    networks : tuple of networks
        Where clients may be.
    port : int
        Names the cookie: cookies of two programs on one machine are shared by the browser.
    """

    token: str
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    any_address: bool = False
    networks: tuple[Network, ...] = field(
        default_factory=lambda: tuple(map(ipaddress.ip_network, _LOOPBACK))
    )
    port: int = 0

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return f"deepdream-studio-{self.port}"

    def lets_in(self, address: str) -> bool:
        """Tell whether a client of this address may come in."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        found = mapped or found
        return any(found in network for network in self.networks)

    def is_here(self, host: str) -> bool:
        """Tell whether the value of a Host header means this program."""
        match = re.fullmatch(r"(\[[0-9a-f:.%]+\]|[a-z0-9._-]+)(:\d{1,5})?", host.lower())
        if match is None:
            return False
        name = match[1].strip("[]")
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address


def rules_for(host: str, allow: Iterable[str], token: str, port: int) -> Rules:
    """Return the rules for listening on an address.

    Parameters
    ----------
    host : str
        What the program listens on.
    allow : iterable of str
        Networks as ``"192.168.1.0/24"``, addresses, or ``"local"``, which is every address that
        the internet does not carry.
    token : str
    port : int

    Raises
    ------
    ParameterError
        One of `allow` is no network; or the address is not this machine's own, and `allow` is
        empty.
    """
    names = [*_LOOPBACK]
    for each in allow:
        names += _LOCAL_NETWORKS if each == LOCAL else [each]
    try:
        networks = tuple(ipaddress.ip_network(name, strict=False) for name in names)
    except ValueError as error:
        raise ParameterError(
            f"--allow: {error}. A network is expected, as 192.168.1.0/24, or {LOCAL}"
        ) from error
    plain = host.strip("[]").lower()
    hosts = {"localhost", "127.0.0.1", "::1", plain}
    if is_loopback(plain):
        return Rules(token, frozenset(hosts), False, networks, port)
    if not allow:
        raise ParameterError(
            f"--host {host} lets other machines in: say which, with --allow {LOCAL} (this "
            "machine's own networks) or --allow 192.168.1.0/24"
        )
    return Rules(token, frozenset(hosts), True, networks, port)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def kept_token(path: Path) -> str:
    """Return the token in a file that only its owner can read; the file is made at first."""
    try:
        with open_plain(path) as file:
            found = file.read(100).decode("ascii", "replace").strip()
        if re.fullmatch(r"[\w-]{32,}", found):
            return found
    except FileNotFoundError:
        pass
    token = secrets.token_urlsafe(24)
    with replacing(path) as part:
        part.touch(0o600)
        part.write_text(token, "ascii")
    return token


class Refused(Exception):  # noqa: N818 (an answer)
    """A request that is answered here.

    Parameters
    ----------
    status : int
    text : str
        A sentence for people.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """Lets through what may come in, and puts headers on all answers.

    Parameters
    ----------
    app : ASGI application
    rules : Rules
    large : callable
        Tells of a method and a path whether its body may be as large as a picture.
    """

    def __init__(self, app: Any, rules: Rules, large: Callable[[str, str], bool]) -> None:
        self._app, self._rules, self._large = app, rules, large
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False
        large = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *_ENCODED]
            await send(message)

        try:
            limit = self._check(scope)
            if limit is None:
                await self._welcome(scope, answer)
                return
            large = limit > FEW_BYTES
            if large:
                if self._uploads >= _UPLOADS:
                    large = False
                    raise Refused(503, "Several pictures are on their way: try again in a moment.")
                self._uploads += 1
            await self._app(scope, _limited(receive, limit), answer)
        except Refused as refused:
            if not started:
                await _refuse(answer, refused)
        finally:
            self._uploads -= large

    def _check(self, scope: Scope) -> int | None:
        """Return how many bytes of a body may be read; None where a token is to become a cookie.

        Raises
        ------
        Refused
        """
        rules, method = self._rules, scope["method"]
        headers = _headers(scope)
        client = scope.get("client")
        if client is None or not rules.lets_in(client[0]):
            raise Refused(403, "This machine may not come in here.")
        host = headers.get("host", "")
        if not rules.is_here(host):
            raise Refused(403, "This page is not called so.")
        if method not in ("GET", "HEAD", "POST", "DELETE"):
            raise Refused(405, "That cannot be done here.")
        query = scope.get("query_string", b"")
        if len(query) + len(scope.get("raw_path") or b"") > 2000:
            raise Refused(414, "That address is too long.")
        bearer = headers.get("authorization", "")
        by_script = _same(bearer, f"Bearer {rules.token}")
        if not by_script:
            self._check_origin(method, host, scope, headers)
            if scope["path"] == "/" and method == "GET" and b"token=" in query:
                given = parse_qs(query.decode("latin-1")).get("token", [""])[0]
                if _same(given, rules.token):
                    return None
                raise Refused(401, _CLOSED)
            if not _same(_cookie(headers, rules.cookie), rules.token):
                raise Refused(401, _CLOSED)
        return self._check_body(method, scope["path"], headers)

    def _check_origin(
        self, method: str, host: str, scope: Scope, headers: MutableMapping[str, str]
    ) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        whole = f"{scope.get('scheme', 'http')}://{host}".lower()
        if origin is not None and origin.lower() != whole:
            raise Refused(403, "Another page has asked for this.")
        if method in ("GET", "HEAD"):
            arrives = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
            if site in ("cross-site", "same-site") and not arrives:
                raise Refused(403, "Another page has asked for this.")
        elif origin is None or site not in (None, "same-origin"):
            raise Refused(403, "Another page may have asked for this.")

    def _check_body(self, method: str, path: str, headers: MutableMapping[str, str]) -> int:
        length = headers.get("content-length")
        chunked = "transfer-encoding" in headers
        if length is not None and not re.fullmatch(r"\d{1,15}", length):
            raise Refused(400, "The length of the body makes no sense.")
        if method != "POST":
            if chunked or int(length or 0):
                raise Refused(400, "Nothing is expected with that.")
            return 0
        limit = PICTURE_BYTES if self._large(method, path) else FEW_BYTES
        if int(length or 0) > limit:
            raise Refused(413, f"That is too large: {limit >> 20 or 1} MB are the most.")
        return limit

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """Turn the token in the address into a cookie, and the address into one without it."""
        rules = self._rules
        value = f"{rules.cookie}={rules.token}; HttpOnly; SameSite=Strict; Path=/"
        value += f"; Max-Age={_COOKIE_DAYS * 86400}"
        # A redirect would not send a cookie of SameSite=Strict where another program, a mail or a
        # chat, has opened the address; the page that opens itself again does.
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>deepdream studio</title>'
            '<meta http-equiv="refresh" content="0;url=/"><p><a href="/">Open the studio</a></p>'
        )
        await _respond(send, 200, "text/html; charset=utf-8", body, [("set-cookie", value)])


_CLOSED = (
    "The studio is locked. Open the address that the program has printed: the one with the token."
)


def _headers(scope: Scope) -> MutableMapping[str, str]:
    """Return the headers by their names; of those that count there may be only one each."""
    found: dict[str, str] = {}
    once = ("host", "origin", "authorization", "content-length", "transfer-encoding",
            "content-type", "sec-fetch-site")  # fmt: skip
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        if name in found and name in once:
            raise Refused(400, f"There are two headers called {name}.")
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found


def _cookie(headers: MutableMapping[str, str], name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _limited(receive: Receive, limit: int) -> Receive:
    """Return `receive` for a body of so many bytes at most, which comes quickly enough."""
    began, total, over = time.monotonic(), 0, False

    async def limited() -> Message:
        nonlocal total, over
        if over:  # what is waited for now is the end of the connection
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), _PAUSE)
        except asyncio.TimeoutError:
            raise Refused(408, "The picture did not come to its end.") from None
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            over = not message.get("more_body", False)
        else:
            over = True
        taken = time.monotonic() - began
        if total > limit:
            raise Refused(413, f"That is too large: {limit >> 20 or 1} MB are the most.")
        if not over and taken > _WHILE and total < _SLOWEST * taken:
            raise Refused(408, "The picture comes too slowly.")
        return message

    return limited


async def _refuse(send: Send, refused: Refused) -> None:
    body = json.dumps({"error": refused.text})
    # What was not read of the body would be taken for the next request.
    await _respond(send, refused.status, "application/json", body, [("connection", "close")])


async def _respond(
    send: Send, status: int, kind: str, body: str, more: Iterable[tuple[str, str]]
) -> None:
    encoded = body.encode()
    headers = [("content-type", kind), ("content-length", str(len(encoded))),
               ("cache-control", "no-store"), *more]  # fmt: skip
    await send({
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": encoded})
