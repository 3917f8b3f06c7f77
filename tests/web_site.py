"""A web server on this machine that misbehaves on request."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What one path of the site answers.

    Attributes
    ----------
    body : bytes
        The file.
    status : int
        HTTP status of the first answer.
    breaks : list of int
        Bytes sent before the connection breaks, one entry per request; afterwards all is sent.
    ranges : bool
        Whether ``Range`` is honoured.
    length : bool
        Whether the length is announced.
    stalls : bool
        Send the headers, then nothing.
    tags : list of str
        ``ETag`` of each request in turn; the last one stays.
    """

    body: bytes = b""
    status: int = 200
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    length: bool = True
    stalls: bool = False
    tags: list[str] = field(default_factory=lambda: ['"v1"'])


class Site:
    """The server's address, its pages, and what was asked of it."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    def add(self, path: str, page: Page) -> str:
        """Serve `page` under `path`; return its address."""
        self.pages[path] = page
        return self.address + path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        page = self.site.pages.get(self.path)
        wanted = self.headers.get("Range")
        self.site.requests.append((self.path, wanted))
        self.close_connection = True
        if page is None:
            page = Page(b"<html><head><title>404 Not Found</title></head></html>", status=404)
        tag = page.tags.pop(0) if len(page.tags) > 1 else page.tags[0]
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        same = self.headers.get("If-Range", tag) == tag
        if match and page.ranges and same:
            start = int(match.group(1))
            self.send_response(206)
            end = len(page.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{end + 1}")
        else:
            self.send_response(page.status)
        self.send_header("ETag", tag)
        if page.length:
            self.send_header("Content-Length", str(len(page.body) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        if page.stalls:
            self.site.over.wait(10)
            return
        rest = page.body[start:]
        with contextlib.suppress(OSError):
            self.wfile.write(rest[: page.breaks.pop(0)] if page.breaks else rest)


@contextlib.contextmanager
def serve() -> Iterator[Site]:
    """Run the server in a thread."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    site = Site(server.server_address[1])
    handler.site = site
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        thread.join(60)
        server.server_close()


def closed_port() -> str:
    """Return an address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/x.caffemodel"
