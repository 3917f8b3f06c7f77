"""The studio as a program: its address, what it refuses to do, and what a network sends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time

import psutil
import pytest
from studio_program import Program

pytest.importorskip("uvicorn", reason="the extra studio is not installed")

from deepdream.cli import main  # noqa: E402
from deepdream.studio.serve import library_folder, who_comes_in  # noqa: E402


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("studio") / "library")
    yield program
    program.end()


def test_it_says_where_and_for_whom(program):
    """The address with its token, who can reach it, and where everything lies."""
    assert program.here.startswith("http://127.0.0.1:")
    assert len(program.token) >= 32
    assert program.lines[1] == "Only programs on this machine can reach it.\n"
    assert "library" in program.lines[2]
    assert program.status() == 200
    assert program.status(Authorization="Bearer x") == 401
    assert program.status(Host="evil.example") == 403


NOISE = [
    b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", os.urandom(2000),
    b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
]  # fmt: skip


def test_a_library_is_one_programs_at_a_time(program, capsys):
    """Two would make the same jobs, and clean up after each other."""
    library = program.lines[2].split(" lies in ")[1].split(". Ctrl-C")[0]
    assert main(["studio", "--library", library, "--port", "0", "--no-browser"]) == 2
    assert "open already on the library" in capsys.readouterr().err


def test_noise_and_half_requests_bring_nothing_down(program):
    """A hundred connections that send rubbish, or begin and never end."""
    held = []
    try:
        for n in range(100):
            connection = socket.create_connection(("127.0.0.1", program.port), timeout=10)
            connection.sendall(NOISE[n] if n < len(NOISE) else b"POST /api/pictures HTTP/1.1\r\nHo")
            held.append(connection)
        began = time.monotonic()
        assert program.status() == 200
        assert time.monotonic() - began < 5
        for connection in held[: len(NOISE)]:
            connection.settimeout(0.5)
            try:
                answer = connection.recv(200)
            except OSError:
                continue
            assert not answer.startswith(b"HTTP/1.1 200")
    finally:
        for connection in held:
            connection.close()
    assert program.process.poll() is None
    assert program.status("/") == 200


def test_ctrl_c_ends_all_of_it(tmp_path):
    """The process that dreams, too; the token is kept for its owner."""
    program = Program(tmp_path / "library")
    assert program.status() == 200
    end = time.monotonic() + 20
    while not (children := psutil.Process(program.process.pid).children()):
        assert time.monotonic() < end
        time.sleep(0.05)
    program.end()
    assert program.process.returncode == 0
    assert program.errors == ""
    psutil.wait_procs(children, 10)
    assert not any(child.is_running() for child in children)
    assert stat.S_IMODE((tmp_path / "library").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "library" / "token").stat().st_mode) == 0o600
    assert (tmp_path / "library" / "token").read_text() == program.token


def test_a_film_goes_on_after_the_program_is_killed(tmp_path):
    """By the system, in the middle: it has the bytes of one that nothing has interrupted."""
    pytest.importorskip("av", reason="the extra film is not installed")
    pytest.importorskip("cv2", reason="the extra film is not installed")
    from studio_client import photo

    settings = {"longest": 200, "style": "animals", "iter_n": 30, "octave_n": 2, "seed": 3,
                "film": {"frames": 8, "zoom": 0.03}}  # fmt: skip
    films = []
    for kill in (False, True):
        library = tmp_path / f"library-{kill}"
        program = Program(library)
        try:
            sky = program.ask("POST", "/api/pictures", photo(3), "image/png")["id"]
            body = json.dumps({"picture": sky, "settings": settings}).encode()
            id = program.ask("POST", "/api/jobs", body, "application/json")["id"]
            if kill:
                program.wait(id, lambda job: (job["progress"] or {}).get("frame", 0) > 3)
                program.end(signal.SIGKILL)
                assert len([*library.glob("dreams/unfinished-*/film.mp4.part/frame-*.ppm")]) > 2
                program = Program(library)
            program.wait(id, lambda job: job["state"] == "done")
            films.append((library / "dreams" / id / "film.mp4").read_bytes())
        finally:
            program.end()
    assert films[0] == films[1]


def test_what_it_refuses(tmp_path, capsys, monkeypatch):
    """In two lines, with status 2."""
    common = ["studio", "--library", str(tmp_path), "--no-browser"]
    assert main([*common, "--host", "0.0.0.0"]) == 2
    assert "say which, with --allow local" in capsys.readouterr().err
    assert main([*common, "--allow", "everybody"]) == 2
    assert "A network is expected" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main([*common, "--port", str(taken.getsockname()[1])]) == 2
    assert "Is the studio open already?" in capsys.readouterr().err
    assert main([*common, "--port", "99999"]) == 2
    assert main([*common, "--port", "0", "--model", "nonsense"]) == 2
    assert "No model is called 'nonsense'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(common) == 2
    assert "pip install '.[studio]'" in capsys.readouterr().err


def test_other_machines_are_told_of():
    """Who can come in, what that means, and the address for a phone."""
    text = "\n".join(who_comes_in("0.0.0.0", ("local", "100.64.0.0/10"), 8000, "secret"))
    assert "devices in the same local networks, devices in 100.64.0.0/10" in text
    assert "not encrypted" in text
    assert "all that is in the library" in text


def test_where_the_library_is(monkeypatch, tmp_path):
    """Where the environment says, or where programs keep their data."""
    monkeypatch.setenv("DEEPDREAM_STUDIO", str(tmp_path))
    assert library_folder() == tmp_path
    monkeypatch.delenv("DEEPDREAM_STUDIO")
    assert library_folder().name == "studio"
