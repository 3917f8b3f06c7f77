"""Starting the studio: the folder, the address, the browser."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError, ParameterError, how_to_install
from ..files import FolderLock, make_folder
from .security import LOCAL, is_loopback, kept_token, rules_for

_CONNECTIONS = 200
_CLOSING = 2  # seconds that answers may take when the program ends


def library_folder() -> Path:
    """Return where the library is when nobody says: the user's folder for data of programs."""
    home = os.environ.get("DEEPDREAM_STUDIO")
    if home:
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("deepdream")) / "studio"


def serve(
    *,
    library: str | None,
    host: str,
    port: int,
    allow: Iterable[str],
    network: Mapping[str, Any],
    browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    library : str or None
        The folder of all that is kept.
    host : str
        The address to listen on.
    port : int
        0: any that is free.
    allow : iterable of str
        Who may come in besides this machine; see `security.rules_for`.
    network : mapping
        Keywords of `deepdream.load_net`.
    browser : bool
        Open the page.
    say : callable
        Prints a line.

    Raises
    ------
    EngineError
        Starlette or uvicorn are not installed.
    ParameterError
        The address cannot be listened on, or nobody has said who may come in.
    """
    try:
        import uvicorn

        from .app import Config, build
    except ImportError as error:
        raise EngineError(
            f"the studio needs {error.name}, which is not installed here.\n"
            f"Install it: {how_to_install('studio')}"
        ) from error

    allow = tuple(allow)
    rules_for(host, allow, "", port)  # refuses before anything is begun
    folder = _open_folder(Path(library).expanduser() if library else library_folder())
    with contextlib.closing(_Locked(folder)), _listen(host, port) as listening:
        port = listening.getsockname()[1]
        token = kept_token(folder / "token")
        app: Any = build(Config(folder, rules_for(host, allow, token, port), network))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, date_header=False,
            proxy_headers=False, limit_concurrency=_CONNECTIONS, ws="none", lifespan="on",
            timeout_graceful_shutdown=_CLOSING,
        )  # fmt: skip
        server = uvicorn.Server(config)
        address = f"http://{_shown(host)}:{port}/?token={token}"
        say(f"The studio is open: {address}")
        for line in who_comes_in(host, allow, port, token):
            say(line)
        say(f"All that is made lies in {folder}. Ctrl-C ends the program.")
        if browser:
            threading.Thread(target=_open_when_ready, args=(server, address), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(server, app, listening))


class _Locked:
    """A library that this program has to itself: two would make the same jobs."""

    def __init__(self, folder: Path) -> None:
        try:
            self._lock = FolderLock(folder)
        except ParameterError as error:
            raise ParameterError(
                f"the studio is open already on the library '{folder}': use it, end it, or give "
                "another --library"
            ) from error

    def close(self) -> None:
        """Let others have it."""
        self._lock.release()


def _open_folder(path: Path) -> Path:
    """Return the library's folder; one that is made is its owner's alone."""
    fresh = not path.exists()
    folder = make_folder(path)
    if fresh:
        with contextlib.suppress(OSError):
            folder.chmod(0o700)
    return folder


async def _run(server: Any, app: Any, listening: socket.socket) -> None:
    """Serve, and end the pages' streams of events first: they would be waited for."""

    async def watch() -> None:
        while not server.should_exit:
            await asyncio.sleep(0.1)
        app.studio.events.close()

    watching = asyncio.ensure_future(watch())
    await server.serve(sockets=[listening])
    watching.cancel()


def who_comes_in(host: str, allow: Iterable[str], port: int, token: str) -> list[str]:
    """Return lines that say who can reach the page."""
    if is_loopback(host):
        return ["Only programs on this machine can reach it."]
    who = [
        "devices in the same local networks" if each == LOCAL else f"devices in {each}"
        for each in allow
    ]
    lines = [
        f"It can be reached by {', '.join(who)}, if they have the address with its token. They see "
        "all that is in the library.",
        "What goes over the network is not encrypted: use it at home, not in a cafe.",
    ]
    if host in ("0.0.0.0", "::"):
        lines += [f"From another device: http://{each}:{port}/?token={token}" for each in _own()]
    return lines


def _own() -> list[str]:
    """Return this machine's addresses in its networks, as far as they can be told."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a UDP socket sends nothing; it finds out which address would be used.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            address = probe.getsockname()[0]
            found.append(f"[{address}]" if ":" in address else address)
    return found


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; the port may be any one if that asked for is taken."""
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((name, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(
            f"port {port} of {host} cannot be used: {reason}. Is the studio open already? Another "
            "one: --port 8001, or --port 0 for any that is free"
        ) from error
    return listening


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _open_when_ready(server: Any, address: str) -> None:
    import time

    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.05)
    webbrowser.open(address)
