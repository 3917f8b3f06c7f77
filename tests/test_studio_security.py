"""The studio's door: who may come in, and that nobody else changes or learns anything."""

from __future__ import annotations

import io
import itertools
import json
import os
import stat
import zlib

import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra studio is not installed")

from studio_client import (  # noqa: E402
    BEARER,
    COOKIE,
    HERE,
    HOST,
    TOKEN,
    application,
    ask,
    bring,
    fingerprint,
    photo,
    post,
)

from deepdream.errors import ParameterError  # noqa: E402
from deepdream.studio import security  # noqa: E402
from deepdream.studio.security import is_loopback, kept_token, rules_for  # noqa: E402


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A studio with a picture in it, which no test below may change."""
    folder = tmp_path_factory.mktemp("studio")
    app = application(folder)
    id = bring(app, photo(1)).json()["id"]
    return app, folder, id


HOSTILE_HOSTS = [
    "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
    "127.0.0.1:8000@evil.example", "127.0.0.1:8000#evil", "127.0.0.1:8000/evil", "127.0.0.1:800000",
    "0.0.0.0:8000", "192.168.1.7:8000", "[::]:8000", "[::1", "::1", "", " ", "a b", "127.1",
    "2130706433", "0x7f.0.0.1", "localhost,evil.example", "localhost\tevil", "LOCALHOST..",
    "xn--localhost-", "127.0.0.1%00", "\xe9vil",
]  # fmt: skip
HOSTILE_ORIGINS = [
    "null", "http://evil.example", "https://127.0.0.1:8000", "http://127.0.0.1:8001",
    "http://127.0.0.1", "http://localhost:8000", "http://127.0.0.1:8000.evil.example",
    "http://127.0.0.1:8000/", "file://", "chrome-extension://abc", "", "http://[::1]:8000",
]  # fmt: skip
CHANGES = [
    ("POST", "/api/pictures"), ("POST", "/api/masks"), ("POST", "/api/jobs"),
    ("POST", "/api/estimates"), ("DELETE", "/api/pictures/{id}"),
    ("POST", "/api/pictures/{id}/looks"), ("POST", "/api/pictures/{id}/restore"),
    ("DELETE", "/api/dreams/{id}"), ("POST", "/api/jobs/{id}/stop"), ("DELETE", "/api/jobs/{id}"),
]  # fmt: skip
READS = [
    ("GET", "/"), ("GET", "/api"), ("GET", "/api/pictures"), ("GET", "/api/dreams"),
    ("GET", "/api/pictures/{id}/screen"), ("GET", "/api/pictures/{id}/clip"),
    ("GET", "/api/events"), ("GET", "/page/main.js"),
]  # fmt: skip


def test_hundreds_of_requests_from_elsewhere_change_nothing(studio):
    """Foreign hosts and foreign pages are refused, with the cookie, and whatever they want."""
    app, folder, id = studio
    before = fingerprint(folder)
    count = 0
    for host, (method, path) in itertools.product(HOSTILE_HOSTS, CHANGES + READS):
        headers = {**COOKIE, "host": host, "origin": f"http://{host}"}
        answer = ask(app, method, path.format(id=id), headers)
        assert answer.status == 403, (host, method, path)
        count += 1
    for origin, (method, path) in itertools.product(HOSTILE_ORIGINS, CHANGES):
        answer = ask(app, method, path.format(id=id), {**COOKIE, "origin": origin})
        assert answer.status == 403, (origin, method, path)
        count += 1
    for site, (method, path) in itertools.product(("cross-site", "same-site"), CHANGES + READS[1:]):
        answer = ask(app, method, path.format(id=id), {**COOKIE, "sec-fetch-site": site})
        assert answer.status == 403, (site, method, path)
        count += 1
    assert count > 500
    assert fingerprint(folder) == before


@pytest.mark.parametrize(("method", "path"), CHANGES + READS)
def test_without_the_token_nothing_is_told(studio, method, path):
    """Neither with none, nor with another, nor by another cookie's name."""
    app, folder, id = studio
    before = fingerprint(folder)
    for credentials in (
        {}, {"authorization": "Bearer "}, {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"}, {"authorization": TOKEN},
        {"cookie": "deepdream-studio-8000="}, {"cookie": f"deepdream-studio-8001={TOKEN}"},
        {"cookie": f"deepdream-studio-8000={TOKEN[:-1]}"}, {"cookie": "a=\"; =b;;; \xff"},
    ):  # fmt: skip
        answer = ask(app, method, path.format(id=id), {"host": HOST, "origin": HERE, **credentials})
        assert answer.status == 401, credentials
        assert TOKEN not in answer.body.decode()
        assert set(answer.json()) == {"error"}
    assert ask(app, "GET", f"/?token={TOKEN}x", {"host": HOST}).status == 401
    assert fingerprint(folder) == before


def test_the_token_in_the_address_becomes_a_cookie(studio):
    """One that scripts cannot read and that no other page's request carries; the page's address
    has it no more.
    """
    app, _, _ = studio

    answer = ask(app, "GET", f"/?token={TOKEN}", {"host": HOST, "sec-fetch-site": "none"})

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"deepdream-studio-8000={TOKEN}; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert b"url=/" in answer.body
    assert TOKEN.encode() not in answer.body
    with_it = {"host": HOST, "cookie": cookie.partition(";")[0]}
    assert ask(app, "GET", "/api", with_it).status == 200
    assert ask(app, "POST", "/api/jobs", with_it).status == 403  # no page of ours sends no Origin
    assert ask(app, "GET", f"/api?token={TOKEN}", {"host": HOST}).status == 401


def test_every_answer_is_guarded(studio):
    """Also errors, also pictures: nothing from elsewhere, no frame, no guess of a type."""
    app, _, id = studio
    for path in ("/", "/api", "/nothing", f"/api/pictures/{id}/thumb", "/page/main.js"):
        for headers in (BEARER, {"host": "evil.example"}):
            found = ask(app, "GET", path, headers).headers
            policy = dict(
                part.split(" ", 1) for part in found["content-security-policy"].split("; ")
            )
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == "'none'"
            assert found["x-content-type-options"] == "nosniff"
            assert found["referrer-policy"] == "no-referrer"
            assert found["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in found


def test_the_page_itself_keeps_to_the_policy():
    """No script or style in the HTML, nothing from outside, no way from text to elements."""
    page = security.Path(security.__file__).with_name("page")
    html = (page / "index.html").read_text("utf-8")
    assert "<style" not in html
    assert 'style="' not in html
    assert "onclick" not in html
    assert "<script>" not in html
    for path in page.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, path
        assert "https:" not in text, path
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (path, word)


def test_a_get_changes_nothing(studio):
    """Whatever it asks for; and other methods are no way round."""
    app, folder, id = studio
    before = fingerprint(folder)
    paths = [path for _, path in CHANGES + READS[:6]] + ["/api/dreams/{id}/restore", "/api/nothing"]
    for path in paths:
        assert ask(app, "GET", path.format(id=id), BEARER).status in (200, 404, 405), path
        for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G ET"):
            assert ask(app, method, path.format(id=id), BEARER).status == 405
        odd = {**BEARER, "x-http-method-override": "DELETE"}
        assert ask(app, "GET", path.format(id=id), odd).status in (200, 404, 405)
        with_body = {**BEARER, "content-length": "5"}
        assert ask(app, "GET", path.format(id=id), with_body, b"hello").status == 400
    assert fingerprint(folder) == before


TRAVERSALS = [
    "..", "../..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "....//", "/etc/passwd", "about.json",
    "%00", "a" * 16, "A" * 16, "0" * 15, "0" * 17, "0123456789abcdef/../..", "unfinished-0", "~",
    "C:\\Windows", "..\\..", "con", "original", "\u0660" * 16, "token", "0" * 16,
]  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_names_lead_nowhere(studio, name):
    """An id is 16 hexadecimal digits of something that is there; a file one of a few."""
    app, folder, id = studio
    before = fingerprint(folder)
    name = name.encode("utf-8").decode("latin-1")
    for path in (
        f"/api/pictures/{name}", f"/api/pictures/{name}/screen", f"/api/pictures/{name}/clip",
        f"/api/pictures/{id}/{name}",
        f"/api/pictures/{id}/looks/{name}", f"/api/dreams/{name}", f"/api/dreams/{name}/picture",
        f"/api/dreams/{name}/download", f"/api/jobs/{name}", f"/api/jobs/{name}/picture",
        f"/page/{name}", f"/page/../{name}", f"/{name}",
    ):  # fmt: skip
        answer = ask(app, "GET", path)
        assert answer.status in (404, 405), path
        assert str(folder) not in answer.body.decode("utf-8", "replace")
    for path in (f"/api/pictures/{name}", f"/api/dreams/{name}", f"/api/jobs/{name}"):
        assert ask(app, "DELETE", path).status in (404, 405)
    for path in (f"/api/pictures/{name}/restore", f"/api/dreams/{name}/restore",
                 f"/api/dreams/{name}/use", f"/api/jobs/{name}/stop"):  # fmt: skip
        assert ask(app, "POST", path).status in (404, 405)
    assert post(app, "/api/jobs", {"picture": name, "settings": {}}).status == 404
    assert fingerprint(folder) == before


def test_links_in_the_library_are_not_followed(tmp_path):
    """Whoever can put a link there shows nothing else by it."""
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8 private")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "about.json").write_text(
        '{"size": [1, 1], "name": "x", "kind": "photo", "added": 0}'
    )
    (outside / "screen.jpg").write_bytes(b"private")
    folder = tmp_path / "library"
    app = application(folder)
    id = bring(app, photo(2)).json()["id"]
    home = folder / "pictures" / id
    for name in ("screen.jpg", "look-animals.jpg"):
        (home / name).unlink(missing_ok=True)
        (home / name).symlink_to(secret)
    (folder / "pictures" / ("ab" * 8)).symlink_to(outside, target_is_directory=True)
    (folder / "trash" / ("cd" * 8)).symlink_to(outside, target_is_directory=True)

    assert ask(app, "GET", f"/api/pictures/{id}/screen").status == 404
    assert ask(app, "GET", f"/api/pictures/{id}/looks/animals").status == 404
    assert ask(app, "GET", f"/api/pictures/{'ab' * 8}/screen").status == 404
    assert ask(app, "GET", f"/api/pictures/{'ab' * 8}").status == 404
    assert ask(app, "POST", f"/api/pictures/{'cd' * 8}/restore").status == 404
    assert ask(app, "DELETE", f"/api/pictures/{'ab' * 8}").status == 404
    assert (outside / "screen.jpg").exists()
    os.mkfifo(home / "look-eyes.jpg")
    assert ask(app, "GET", f"/api/pictures/{id}/looks/eyes").status == 404  # and does not wait


# -- bodies ----------------------------------------------------------------------------------------


def test_what_is_too_large_is_refused_before_it_is_read(studio, monkeypatch):
    """By its length where that is told, while it comes where it is not."""
    app, folder, id = studio
    before = fingerprint(folder)
    read = []

    def endless():
        while True:
            read.append(1)
            yield b"\0" * (1 << 20)

    told = {**BEARER, "content-type": "image/png", "content-length": str(1 << 40)}
    assert ask(app, "POST", "/api/pictures", told, b"").status == 413
    monkeypatch.setattr(security, "PICTURE_BYTES", 5 << 20)
    chunked = {**BEARER, "content-type": "image/png", "transfer-encoding": "chunked"}
    pieces = itertools.islice(endless(), 40)
    assert ask(app, "POST", "/api/pictures", chunked, pieces).status == 413
    for path in ("/api/jobs", "/api/estimates", f"/api/pictures/{id}/looks"):
        large = {**BEARER, "content-type": "application/json", "content-length": "70000"}
        assert ask(app, "POST", path, large, b" " * 70000).status == 413
    unsaid = {**BEARER, "content-type": "application/json"}
    assert ask(app, "POST", "/api/jobs", unsaid, [b" " * 40000] * 3).status == 413
    assert fingerprint(folder) == before


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "", "9" * 30, "5, 5", "١"])
def test_lengths_that_make_no_sense(studio, length):
    """Are refused."""
    app, _, _ = studio
    headers = {**BEARER, "content-type": "image/png"}
    length = length.encode("utf-8").decode("latin-1")
    pairs = [*headers.items(), ("content-length", length)]
    assert ask(app, "POST", "/api/pictures", pairs, b"x").status in (400, 413)


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "content-length"])
def test_headers_that_come_twice_are_refused(studio, name):
    """Of two hosts or lengths nobody knows which one others have believed."""
    app, _, _ = studio
    headers = [*COOKIE.items(), ("content-length", "0"), ("authorization", f"Bearer {TOKEN}")]
    twice = [*headers, (name, dict(headers)[name])]
    assert ask(app, "POST", "/api/jobs", twice).status == 400


class Slow:
    """A clock that a slow sender turns."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_slow_senders_are_cut_off(studio, monkeypatch):
    """Where nothing comes for a while, and where what comes would take hours."""
    app, folder, _ = studio
    before = fingerprint(folder)
    clock = Slow()
    monkeypatch.setattr(security, "time", clock)

    def drops():
        while True:
            clock.now += 10
            yield b"x"

    headers = {**BEARER, "content-type": "image/png", "content-length": "1000"}
    answer = ask(app, "POST", "/api/pictures", headers, itertools.islice(drops(), 900))
    assert answer.status == 408
    assert clock.now < 100
    assert answer.headers["connection"] == "close"

    monkeypatch.setattr(security, "_PAUSE", 0.05)

    async def never():
        await security.asyncio.sleep(3600)

    async def silent():
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/pictures", "query_string": b"",
                 "scheme": "http", "client": ("127.0.0.1", 1), "root_path": "",
                 "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}  # fmt: skip
        await app(scope, never, send)
        return sent[0]["status"]

    assert security.asyncio.run(silent()) == 408
    assert fingerprint(folder) == before


def bomb(w, h):
    """Return a small PNG that says it is large."""

    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    head = w.to_bytes(4, "big") + h.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def damaged():
    """Yield files that are no whole pictures, with a word of what is said of each."""
    jpeg = photo(3, form="JPEG")
    tiff = io.BytesIO()
    Image.new("RGB", (40, 30)).save(tiff, "TIFF")
    yield b"", "empty"
    yield b"\0" * 5000, "no picture"
    yield b"<!doctype html><title>404</title>", "picture"
    yield b"%PDF-1.4 ...", "picture"
    yield b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "picture"
    yield photo(3)[:200], "damaged"
    yield jpeg[: len(jpeg) // 2], "damaged"
    yield tiff.getvalue()[:100], "picture"
    yield b"\x89PNG\r\n\x1a\n" + os.urandom(300), "picture"
    yield b"GIF89a" + b"\xff" * 100, "picture"
    yield bomb(20_000, 10_000), "200 megapixels"
    yield bomb(65_000, 65_000), "pixels"
    yield b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\n", "picture"


@pytest.mark.parametrize("number", range(13))
def test_what_is_no_picture_is_refused_in_a_sentence(studio, number):
    """And leaves nothing behind."""
    app, folder, _ = studio
    before = fingerprint(folder)
    data, word = [*damaged()][number]
    for path in ("/api/pictures", "/api/masks"):
        answer = bring(app, data, "x.png", path)
        assert answer.status == 400, answer.body
        text = answer.json()["error"]
        assert word in text
        assert str(folder) not in text
        assert len(text) < 300
    assert fingerprint(folder) == before
    assert [path.name for path in folder.iterdir() if path.name.startswith("received")] == []


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "text/html", "", "application/json", "text/plain"]
)
def test_other_bodies_are_not_taken(studio, kind):
    """Forms, which other pages can send without asking, above all."""
    app, folder, _ = studio
    before = fingerprint(folder)
    headers = {**BEARER, "content-type": kind, "content-length": "9"}
    assert ask(app, "POST", "/api/pictures", headers, b"--x\r\n\r\nhi").status == 415
    if kind != "application/json":
        for path in ("/api/jobs", "/api/estimates"):
            assert ask(app, "POST", path, headers, b'{"a": 1} ').status == 415
    assert fingerprint(folder) == before


NO_SETTINGS = [
    None, 1, "x", [], [1], {"a": 1}, {"__class__": 1}, {"end": 1}, {"end": {"nowhere": 1}},
    {"end": {"block4/output": "x"}}, {"end": {"block4/output": float("1e400")}}, {"iter_n": 10**9},
    {"iter_n": [1, 2, 3]}, {"iter_n": -1}, {"octave_n": 10**6}, {"octave_n": "some"},
    {"octave_scale": 0}, {"longest": 10**9}, {"longest": 0}, {"longest": "1"}, {"longest": True},
    {"seed": -1}, {"seed": 2**40}, {"seed": "1"}, {"strength": -1}, {"strength": "x" * 300},
    {"style": "nothing"}, {"style": {"x": 1}}, {"classes": {"no such thing": 1}}, {"classes": [1]},
    {"guide": "x"}, {"guide": ["../.."]}, {"guide": ["0" * 16]}, {"mask": "/etc/passwd"},
    {"mask": "0" * 16}, {"compose": [1]}, {"compose": [0, 0]}, {"smooth": {"octaves": "x"}},
    {"keep_colors": 7}, {"jitter": [[[[1]]]]}, {"octave_min": 0}, {"max_memory": "1G"},
    {"on_step": "os.system"}, {"objective": "x"}, {"width": 10}, {"end": {}, "classes": {"": 1}},
    {"film": {"frames": 5}}, {"film": 1, "longest": 96}, {"film": {"frames": 10**9}, "longest": 96},
    {"film": {"frames": 5, "zoom": float("1e400")}, "longest": 96},
    {"film": {"frames": 5, "out": "x.mp4"}, "longest": 96},
    {"film": {"carry": 0.9}, "longest": 96}, {"film": {"carry": -1}, "longest": 96},
    {"film": {"fps": 10**9}, "longest": 96}, {"film": {"start": "0; DROP"}, "longest": 96},
    {"film": {"carry": 0.9, "source": "/etc/passwd"}, "longest": 96},
    {"film": {"frames": 5, "loop": 1}, "longest": 96}, {"film": {"frames": 5}, "longest": 4000},
]  # fmt: skip


@pytest.mark.parametrize("settings", NO_SETTINGS, ids=lambda value: str(value)[:40])
def test_settings_that_make_no_sense(studio, settings):
    """Are answered in a sentence, and no job is made of them."""
    app, folder, id = studio
    before = fingerprint(folder)
    if settings is not None and settings != []:  # nothing is as the style says
        answer = post(app, "/api/jobs", {"picture": id, "settings": settings})
        assert answer.status in (400, 404), answer.body
        assert answer.json()["error"]
    answer = post(app, "/api/estimates", {"picture": id, "settings": [settings]})
    known = isinstance(settings, dict) and {*settings} & {"guide", "mask"}  # cost nothing
    assert answer.status == 400 or known
    assert fingerprint(folder) == before
    assert app.studio.jobs.all() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff\xfe", b"[" * 30000, b'{"a":NaN}x'])
def test_json_that_is_none(studio, body):
    """Is answered in a sentence."""
    app, _, _ = studio
    for path in ("/api/jobs", "/api/estimates"):
        headers = {**BEARER, "content-type": "application/json"}
        assert ask(app, "POST", path, headers, body).status in (400, 404)


def test_names_of_files_are_for_people_only(studio):
    """What a picture is called makes no path, no header and no script."""
    app, folder, _ = studio
    names = ["../../etc/passwd", "a/b\\c.png", "%0d%0aset-cookie:%20a=b", "<script>.png", "\x00",
             "%F0%9F%90%B6%20dog.jpg", "." * 300, "con.png", "%2e%2e%2fx"]  # fmt: skip
    for seed, name in enumerate(names):
        answer = bring(app, photo(50 + seed), name)
        assert answer.status == 201
        about = answer.json()
        assert not set(about["name"]) & set('/\\<>"\r\n\0')
        assert 0 < len(about["name"]) <= 80
        found = sorted(p.name for p in (folder / "pictures" / about["id"]).iterdir())
        assert found == ["about.json", "original", "screen.jpg", "thumb.jpg"]
        ask(app, "DELETE", f"/api/pictures/{about['id']}")


# -- other machines --------------------------------------------------------------------------------


def test_other_machines_come_in_only_where_somebody_says_which():
    """`--host` alone is refused; --allow opens for networks, and loopback stays open."""
    for host in ("0.0.0.0", "::", "192.168.1.5", "studio.example"):
        with pytest.raises(ParameterError, match="say which, with --allow local"):
            rules_for(host, (), TOKEN, 8000)
    with pytest.raises(ParameterError, match="A network is expected"):
        rules_for("0.0.0.0", ("everybody",), TOKEN, 8000)
    local = rules_for("0.0.0.0", ("local",), TOKEN, 8000)
    assert all(map(local.lets_in, ("127.0.0.1", "::1", "192.168.1.7", "10.1.2.3", "fe80::1%eth0",
                                   "::ffff:192.168.1.7")))  # fmt: skip
    assert not any(map(local.lets_in, ("8.8.8.8", "172.32.0.1", "2a00::1", "", "testclient",
                                       "::ffff:8.8.8.8")))  # fmt: skip
    one = rules_for("0.0.0.0", ("192.168.1.0/24",), TOKEN, 8000)
    assert one.lets_in("192.168.1.9")
    assert not one.lets_in("192.168.2.9")
    assert local.is_here("192.168.1.5:8000")
    assert not local.is_here("evil.example:8000")  # a name that somebody points to 192.168.1.5
    own = rules_for("127.0.0.1", (), TOKEN, 8000)
    assert not own.is_here("192.168.1.5:8000")
    assert not own.lets_in("192.168.1.9")
    assert is_loopback("localhost")
    assert is_loopback("127.0.0.1")
    assert not is_loopback("0.0.0.0")


def test_strangers_are_refused_before_anything_else(tmp_path):
    """With the token, too."""
    app = application(tmp_path, rules_for("0.0.0.0", ("192.168.1.0/24",), TOKEN, 8000))
    headers = {**BEARER, "host": "192.168.1.5:8000"}
    assert ask(app, "GET", "/api", headers, client="192.168.1.77").status == 200
    assert ask(app, "GET", "/api", headers, client="192.168.2.77").status == 403


def test_the_token_is_kept_for_its_owner_only(tmp_path):
    """The same one at the next start: open pages go on. A link or rubbish is replaced."""
    path = tmp_path / "token"
    token = kept_token(path)
    assert len(token) >= 32
    assert kept_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    assert kept_token(path) not in (token, "short")


def test_websockets_are_closed(studio):
    """There are none."""
    app, _, _ = studio
    sent = []

    async def send(message):
        sent.append(message)

    security.asyncio.run(app({"type": "websocket", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_errors_are_json(studio):
    """Of pages that are not there, too."""
    app, _, _ = studio
    answer = ask(app, "GET", "/api/nothing")
    assert answer.status == 404
    assert json.loads(answer.body) == {"error": "There is nothing here."}
