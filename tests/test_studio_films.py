"""Films of clips in the studio: what may come in, what becomes of it, and films that go on."""

from __future__ import annotations

import io
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra studio is not installed")
av = pytest.importorskip("av", reason="the extra film is not installed")
pytest.importorskip("cv2", reason="the extra film is not installed")

from film_files import make_film  # noqa: E402
from studio_client import application, client_of, photo, start  # noqa: E402

from deepdream.errors import FilmError, ParameterError  # noqa: E402
from deepdream.films import clips as films_clips  # noqa: E402
from deepdream.films.clips import Limits, container_of, open_clip  # noqa: E402
from deepdream.films.comment import read_comment  # noqa: E402
from deepdream.films.libraries import open_film  # noqa: E402
from deepdream.films.limits import Only  # noqa: E402
from deepdream.models.load import load_graph  # noqa: E402
from deepdream.studio import clips as studio_clips  # noqa: E402
from deepdream.studio.pace import Pace  # noqa: E402
from deepdream.studio.settings import check_film, checked, clip_frames  # noqa: E402

QUICK = {"longest": 96, "style": "strokes", "iter_n": 2, "octave_n": 1, "seed": 3}
SIZE = (48, 64)
ROOM = Limits(pixels=10_000, frames=100, seconds=10)


def moving(count=8, size=SIZE):
    """Frames in which something goes to the right."""
    ground = np.asarray(Image.open(io.BytesIO(photo(5, size[1] + 40, size[0]))))
    return [np.ascontiguousarray(ground[:, n : n + size[1]]) for n in range(count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short film with sound."""
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"
    return make_film(path, moving(), rate=10, sound="aac")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A running studio."""
    folder = tmp_path_factory.mktemp("studio")
    with client_of(folder) as client:
        client.folder = folder
        yield client


def send(client, data, name="walk.mp4", kind="video/mp4"):
    headers = {"content-type": kind, "x-name": name}
    return client.post("/api/pictures", content=data, headers=headers)


def bring(client, data, name="walk.mp4", kind="video/mp4"):
    answer = send(client, data, name, kind)
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait(client, id, state="done", seconds=120):
    """Wait until a job has come to a state."""
    end = time.monotonic() + seconds
    while True:
        job = client.get(f"/api/jobs/{id}").json()
        if job["state"] == state:
            return job
        assert job["state"] not in ("done", "failed", "cancelled"), job
        assert time.monotonic() < end, job
        time.sleep(0.02)


def wait_for_frame(client, id, frame, seconds=120):
    """Wait until a film has come to a frame."""
    end = time.monotonic() + seconds
    while ((client.get(f"/api/jobs/{id}").json()["progress"]) or {}).get("frame", 0) < frame:
        assert time.monotonic() < end
        time.sleep(0.02)


# -- from a clip to a film -------------------------------------------------------------------------


def test_from_a_clip_to_a_film(client, clip):
    """It is looked at like a picture, costs what its frames cost, and becomes a film with sound."""
    about = bring(client, clip.read_bytes())
    assert (about["kind"], about["size"]) == ("clip", [64, 48])
    assert about["clip"]["frames"] == 8
    assert about["clip"]["rate"] == pytest.approx(10, rel=0.01)
    assert about["clip"]["seconds"] == pytest.approx(0.8, rel=0.01)
    assert about["clip"]["sound"] is True
    assert about["id"] in [each["id"] for each in client.get("/api/pictures").json()["pictures"]]
    for name in ("screen", "thumb"):
        image = Image.open(io.BytesIO(client.get(f"/api/pictures/{about['id']}/{name}").content))
        assert image.size == (64, 48)
    assert about["clip"]["type"] == "video/mp4"
    again = client.get(f"/api/pictures/{about['id']}/clip", headers={"range": "bytes=10-19"})
    assert (again.status_code, again.headers["content-type"]) == (206, "video/mp4")
    assert again.content == clip.read_bytes()[10:20]
    assert again.headers["x-content-type-options"] == "nosniff"
    assert bring(client, clip.read_bytes(), "again.mp4")["name"] == "walk.mp4"  # kept once

    settings = {**QUICK, "film": {"carry": 0.9, "fps": 5, "until": 0.6}}
    job = start(client, about["id"], settings)
    wait(client, job)
    dream = client.get(f"/api/dreams/{job}").json()
    assert dream["size"] == [96, 72]
    assert dream["settings"]["film"] == {"carry": 0.9, "fps": 5.0, "until": 0.6, "sound": True}
    assert dream["recipe"]["film"]["carry"] == 0.9
    assert dream["recipe"]["input"]["file"] == "walk.mp4"
    film = client.get(f"/api/dreams/{job}/film")
    with av.open(io.BytesIO(film.content)) as opened:
        assert opened.streams.audio
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(frames) == 3
    assert client.get(f"/api/dreams/{job}/download?format=mp4").content == film.content
    path = client.folder / "found.mp4"
    path.write_bytes(film.content)
    assert json.loads(read_comment(path))["input"]["file"] == "walk.mp4"
    path.unlink()


def test_one_frame_of_a_clip_is_a_picture(client, clip):
    """Without a film in the settings the first frame is dreamt on."""
    id = bring(client, clip.read_bytes())["id"]
    job = start(client, id, QUICK)
    wait(client, job)
    dream = client.get(f"/api/dreams/{job}").json()
    assert dream["size"] == [96, 72]
    assert "film" not in dream["settings"]


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [("a.mov", "libx264", "video/quicktime"), ("a.webm", "libvpx-vp9", "video/webm"),
     ("a.mkv", "libx264", "application/octet-stream")],
)  # fmt: skip
def test_other_containers(client, tmp_path, name, codec, kind):
    """Phones, screen recorders and browsers make others."""
    data = make_film(tmp_path / name, moving(), rate=10, codec=codec).read_bytes()
    about = bring(client, data, name, kind)
    assert (about["name"], about["clip"]["frames"], about["clip"]["sound"]) == (name, 8, False)


def test_gifs(client):
    """One that moves is a clip, one that does not is a picture."""
    images = [Image.fromarray(pixels) for pixels in moving(4)]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=100)
    about = bring(client, file.getvalue(), "walk.gif", "image/gif")
    assert (about["kind"], about["clip"]["frames"]) == ("clip", 4)
    job = start(client, about["id"], {**QUICK, "film": {"carry": 0.9}})
    wait(client, job)
    with av.open(io.BytesIO(client.get(f"/api/dreams/{job}/film").content)) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 4
    played = client.get(f"/api/pictures/{about['id']}/clip")
    assert (played.headers["content-type"], played.content) == ("image/gif", file.getvalue())
    still = io.BytesIO()
    images[0].save(still, "GIF")
    about = bring(client, still.getvalue(), "still.gif", "image/gif")
    assert about["kind"] == "photo"
    assert client.get(f"/api/pictures/{about['id']}/clip").status_code == 404


def test_a_film_that_is_stopped_has_its_frames(client, tmp_path):
    """And one that is thrown away leaves nothing."""
    data = make_film(tmp_path / "long.mp4", moving(40), rate=10).read_bytes()
    id = bring(client, data, "long.mp4")["id"]
    slow = {**QUICK, "iter_n": 40, "film": {"carry": 0}}
    job = start(client, id, slow)
    wait_for_frame(client, job, 3)
    client.post(f"/api/jobs/{job}/stop")
    wait(client, job)
    assert client.get(f"/api/dreams/{job}").json()["stopped"]
    with av.open(io.BytesIO(client.get(f"/api/dreams/{job}/film").content)) as opened:
        assert 2 <= sum(1 for _ in opened.decode(video=0)) < 40
    job = start(client, id, slow)
    wait_for_frame(client, job, 2)
    client.delete(f"/api/jobs/{job}")
    wait(client, job, "cancelled")
    assert list(client.folder.glob("dreams/unfinished-*")) == []


# -- what may come in ------------------------------------------------------------------------------

# Lists that name other files: FFmpeg's readers for them would open what they name.
LISTS = {
    "m3u": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile 'secret.mp4'\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "empty": b"",
}


def kept(client):
    """Return what lies in the library; looks come and go meanwhile."""
    return sorted(path.name for what in ("pictures/*", "dreams/*", "received-*")
                  for path in client.folder.glob(what))  # fmt: skip


@pytest.mark.parametrize("kind", [*LISTS])
def test_what_is_no_film_is_refused_by_its_bytes(client, kind):
    """Whatever it is called, in one sentence, and no process is started for it."""
    before = kept(client)
    answer = send(client, LISTS[kind], "holiday.mp4")
    assert answer.status_code == 400
    said = answer.json()["error"]
    assert "holiday.mp4" in said
    assert str(client.folder) not in said
    assert kept(client) == before


def hidden_in(head):
    """Return files that begin as films do, and are lists."""
    return [head + LISTS["m3u"], head + LISTS["concat"], head * 4, head + bytes(3000)]


@pytest.mark.parametrize("number", range(8))
def test_what_only_begins_as_a_film_is_refused(client, number):
    """The reader that the first bytes name finds nothing in it."""
    heads = b"\0\0\0\x18ftypisom\0\0\0\0isommp42", b"\x1aE\xdf\xa3\x84B\x82\x84webm"
    data = [*hidden_in(heads[0]), *hidden_in(heads[1])][number]
    before = kept(client)
    answer = send(client, data, "holiday.mp4")
    assert answer.status_code == 400
    said = answer.json()["error"]
    assert "holiday.mp4" in said
    assert "\n" not in said
    assert str(client.folder) not in said
    assert kept(client) == before


def test_a_clip_that_was_cut_off(client, clip):
    """Its index is at its end: one sentence."""
    answer = send(client, clip.read_bytes()[:2000], "cut.mp4")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("'cut.mp4' was cut off")
    assert "\n" not in answer.json()["error"]


def test_limits(clip, tmp_path):
    """Too long, too large: refused by what it claims, before a frame is decoded."""
    data = Limits(100_000, 1000, 100)
    assert open_clip(clip, "walk.mp4", data).count == 8
    for limits, said in (
        (data._replace(seconds=0.5), "too long"),
        (data._replace(frames=7), "too long"),
        (data._replace(pixels=64 * 48 - 1), "frames of 64x48 pixels"),
    ):
        with pytest.raises(FilmError, match=said) as error:
            open_clip(clip, "walk.mp4", limits)
        assert str(clip) not in str(error.value)
    gif = tmp_path / "walk.gif"
    images = [Image.fromarray(pixels) for pixels in moving(4)]
    images[0].save(gif, save_all=True, append_images=images[1:], duration=1000)
    for limits, said in (
        (data._replace(seconds=2), "too long"),
        (data._replace(frames=3), "too long"),
        (data._replace(pixels=100), "frames of 64x48 pixels"),
    ):
        with pytest.raises(FilmError, match=said):
            open_clip(gif, "walk.gif", limits)


def test_a_clip_that_is_too_long_is_refused_by_the_page(client, tmp_path):
    """It lasts six minutes by its times, and has two frames."""
    data = make_film(tmp_path / "long.mp4", moving(2), rate=10, ticks=[0, 3600]).read_bytes()
    answer = send(client, data, "long.mp4")
    assert answer.status_code == 400
    assert "'long.mp4' is too long: 300 seconds" in answer.json()["error"]


def test_only_these_readers_and_decoders_run(clip, tmp_path):
    """The reader is named, and no other is tried; decoders that are not listed are not opened."""
    only = Only("matroska", ("h264", "aac"), 10_000, 100, 10.0)
    with pytest.raises(av.error.FFmpegError):
        open_film(clip, only)
    with open_film(clip, only._replace(container="mov")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 8
    for narrow in (only._replace(codecs=("vp9",)), only._replace(pixels=100)):
        with (
            open_film(clip, narrow._replace(container="mov")) as film,
            pytest.raises((av.error.FFmpegError, ValueError)),
        ):
            next(film.decode(video=0))
    old = make_film(tmp_path / "old.mkv", moving(3), codec="ffv1", pix_fmt="yuv420p")
    with pytest.raises(FilmError, match="of a kind that is not taken here"):
        open_clip(old, "old.mkv", ROOM)


def test_sound_that_is_not_listed_is_left_out(clip, monkeypatch):
    """Nothing of it is decoded, or copied."""
    assert open_clip(clip, "walk.mp4", ROOM).tracks is not None
    monkeypatch.setattr(films_clips, "_SOUND", ())
    assert open_clip(clip, "walk.mp4", ROOM).tracks is None


def test_links_are_not_followed(tmp_path, clip):
    """Whoever can put one into the library has nothing else played, or dreamt on."""
    with client_of(tmp_path / "library") as client:
        id = bring(client, clip.read_bytes())["id"]
        original = tmp_path / "library" / "pictures" / id / "original"
        original.unlink()
        original.symlink_to(clip)
        assert client.get(f"/api/pictures/{id}/clip").status_code == 404
        answer = client.post("/api/jobs", json={"picture": id, "settings":
                                                {**QUICK, "film": {"carry": 0.9}}})  # fmt: skip
        job = answer.json()["id"]
        end = time.monotonic() + 60
        while client.get(f"/api/jobs/{job}").json()["state"] != "failed":
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\0\0\0\x18ftypisom", "mov"), (b"\0\0\0\x18ftypqt  ", "mov"), (b"\0\0\x10\0moov", "mov"),
     (b"\x1aE\xdf\xa3\x9fB\x86\x81", "matroska"), (b"GIF89a\x10\0", "gif"),
     (b"\0\0\0\x18ftypheic", None), (b"\0\0\0\x18ftypavif", None), (b"#EXTM3U", None),
     (b"RIFF\0\0\0\0WEBP", None), (b"\x89PNG\r\n\x1a\n", None), (b"", None)],
)  # fmt: skip
def test_kinds_by_first_bytes(head, kind):
    """Photographs of phones begin as films do."""
    assert container_of(head) == kind


def test_what_takes_too_long_is_ended(client, clip, monkeypatch):
    """The page is told, and others are served meanwhile."""
    monkeypatch.setattr(studio_clips, "_LONGEST", 0.01)
    data = clip.read_bytes() + b"\0\0\0\x08free"  # another clip
    answer = send(client, data, "slow.mp4")
    assert answer.status_code == 400
    assert "'slow.mp4' is damaged, or made so" in answer.json()["error"]
    assert list(client.folder.glob("pictures/unfinished-*")) == []


def test_without_the_extra(client, clip, monkeypatch):
    """One sentence says what to install."""
    monkeypatch.setattr("deepdream.studio.app.find_spec", lambda name: None)
    assert client.get("/api").json()["films"] is False
    answer = send(client, clip.read_bytes() + b"\0\0\0\x08skip", "walk.mp4")
    assert answer.status_code == 400
    assert "pip install" in answer.json()["error"]


# -- settings, and what they cost ------------------------------------------------------------------

CLIP = {"seconds": 10.0, "frames": 300, "rate": 30.0, "sound": False}


def test_settings_of_a_clip():
    """What is not said is as the library has it; what makes no sense is refused."""
    net = load_graph()
    found = checked(net, {"longest": 640, "film": {"carry": 0.5}})
    assert found["film"] == {"carry": 0.5, "sound": True}
    for film in ({"carry": 2}, {"fps": 0}, {"fps": 1e9}, {"start": 5, "until": 4}, {"sound": 1},
                 {"start": float("nan")}, {"carry": 0.5, "zoom": 0.1}, {"until": "x"}, {"a": 1},
                 [1], {"frames": 10, "fps": 5}):  # fmt: skip
        with pytest.raises(ParameterError):
            checked(net, {"longest": 640, "film": film})
    with pytest.raises(ParameterError, match="longest"):
        checked(net, {"film": {"carry": 0.5}})
    assert clip_frames({}, CLIP) == 300
    assert clip_frames({"fps": 15, "start": 2.0, "until": 4.0}, CLIP) == 30
    assert clip_frames({"until": 99.0}, CLIP) == 300
    check_film(found, CLIP)
    check_film({}, CLIP)
    for film, clip in (({"carry": 0.5}, None), ({"frames": 10}, CLIP),
                       ({"carry": 0.5, "start": 10.0}, CLIP),
                       ({"carry": 0.5}, {**CLIP, "seconds": 200.0})):  # fmt: skip
        with pytest.raises(ParameterError):
            check_film({"film": film}, clip)


def test_a_clip_takes_no_cameras_film(client, clip):
    """Nor a picture a clip's: refused before anything is made."""
    id = bring(client, clip.read_bytes())["id"]
    settings = {**QUICK, "film": {"frames": 10, "zoom": 0.02}}
    for path, body in (("/api/jobs", settings), ("/api/estimates", [settings])):
        answer = client.post(path, json={"picture": id, "settings": body})
        assert answer.status_code == 400
        assert "film of a clip" in answer.json()["error"]


def test_what_films_and_guides_cost(tmp_path):
    """Frames count, as do steadiness that begins each anew, and a guide's size."""
    net = load_graph()
    sizes = {"small": (300, 400), "large": (3000, 4000)}
    pace = Pace(net, tmp_path / "pace.json", sizes.__getitem__)
    settings = checked(net, {"longest": 640, "style": "animals"})
    pace.learn(settings, (300, 400), 10.0, small=False)

    def seconds(**film):
        return pace.seconds(checked(net, {**settings, "film": film}), (300, 400), CLIP)

    assert seconds(carry=0.9) == pytest.approx(2 * seconds(carry=0.9, fps=15), rel=0.1)
    assert seconds(carry=0.9, until=2) < seconds(carry=0.9) / 3
    assert seconds(carry=0) > 2 * seconds(carry=0.9)
    plain = pace.seconds(settings, (300, 400))
    small, large = (pace.seconds({**settings, "guide": [name]}, (300, 400)) for name in sizes)
    assert plain < small < large
    assert large - plain > 20 * (small - plain)


# -- films that go on ------------------------------------------------------------------------------


def film_of(folder, id):
    return (folder / "dreams" / id / "film.mp4").read_bytes()


@pytest.mark.parametrize("kind", ["zoom", "clip"])
def test_a_film_goes_on_after_a_restart(tmp_path, clip, kind):
    """It has the bytes of one that nothing has interrupted, and no frame is made twice."""
    if kind == "zoom":
        data, name, film = photo(13, 120, 80), "sky.png", {"frames": 9, "zoom": 0.03, "turn": 1.0}
        sent = "image/png"
    else:
        data, name, film = clip.read_bytes(), "walk.mp4", {"carry": 0.9}
        sent = "video/mp4"
    slow = {**QUICK, "octave_n": 2, "film": film, "style": "animals", "iter_n": 30, "longest": 200}
    with client_of(tmp_path / "whole") as client:
        job = start(client, bring(client, data, name, sent)["id"], slow)
        wait(client, job)
        whole = film_of(tmp_path / "whole", job)

    folder = tmp_path / "cut"
    with client_of(folder) as client:
        job = start(client, bring(client, data, name, sent)["id"], slow)
        waiting = start(client, client.get("/api/pictures").json()["pictures"][0]["id"], QUICK)
        wait_for_frame(client, job, 4)
    part = folder / "dreams" / f"unfinished-{job}" / "film.mp4.part"
    begun = sorted(part.glob("frame-*.ppm"))
    assert len(begun) >= 3
    before = [path.read_bytes() for path in begun[:3]]
    with client_of(folder) as client:
        first, late = None, time.monotonic() + 120
        while first is None:  # what is told first is not of the first frame
            told = client.get(f"/api/jobs/{job}").json()
            first = told["progress"]
            if told["state"] == "done":
                break
            assert told["state"] in ("waiting", "running"), told
            assert time.monotonic() < late, told
        assert first is None or first["frame"] >= 3
        for path, data in zip(begun, before):
            assert not path.exists() or path.read_bytes() == data
        wait(client, job)
        wait(client, waiting)
        dream = client.get(f"/api/dreams/{job}").json()
        assert not dream["stopped"]
        for each in ("picture", "before", "screen", "thumb"):
            assert client.get(f"/api/dreams/{job}/{each}").status_code == 200
    assert film_of(folder, job) == whole
    assert list(folder.glob("dreams/unfinished-*")) == []


SLOW = {**QUICK, "style": "animals", "iter_n": 30, "longest": 200,
        "film": {"frames": 200, "zoom": 0.03}}  # fmt: skip


def test_a_stop_outlives_the_program(tmp_path):
    """Who had asked for it gets the frames that there were."""
    with client_of(tmp_path) as client:
        job = start(client, bring(client, photo(14), "sky.png", "image/png")["id"], SLOW)
        wait_for_frame(client, job, 3)
    path = tmp_path / "jobs" / f"{job}.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "stop": True, "state": "stopping"}))
    with client_of(tmp_path) as client:
        wait(client, job)
        assert client.get(f"/api/dreams/{job}").json()["stopped"]
    with av.open(io.BytesIO(film_of(tmp_path, job))) as opened:
        assert 2 <= sum(1 for _ in opened.decode(video=0)) < 20


@pytest.mark.parametrize("damage", ["state", "poster", "another version"])
def test_a_film_that_cannot_go_on_begins_anew(tmp_path, damage):
    """What was damaged, or begun by another version, is made again."""
    settings = {**SLOW, "film": {"frames": 6, "zoom": 0.03}}
    with client_of(tmp_path) as client:
        job = start(client, bring(client, photo(15), "sky.png", "image/png")["id"], settings)
        wait_for_frame(client, job, 3)
    folder = tmp_path / "dreams" / f"unfinished-{job}"
    if damage == "state":
        (folder / "film.mp4.part" / "state.npz").write_bytes(b"rubbish")
    elif damage == "poster":
        (folder / "picture.png").unlink()
    else:
        about = json.loads((folder / "film.mp4.part" / "reel.json").read_text())
        about["settings"]["carry"] = 0.123
        (folder / "film.mp4.part" / "reel.json").write_text(json.dumps(about))
    with client_of(tmp_path) as client:
        wait(client, job)
    with av.open(io.BytesIO(film_of(tmp_path, job))) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 6


def test_what_nobody_waits_for_is_swept_away(tmp_path):
    """A film's folder whose job is gone, or that is cancelled while it waits."""
    app = application(tmp_path)
    id = app.studio._library.add(write(tmp_path / "sky.png", photo(16)), "sky.png")["id"]
    settings = checked(load_graph(), {**QUICK, "film": {"frames": 6, "zoom": 0.03}})
    job = app.studio.jobs.add(id, settings)["id"]
    still = app.studio.jobs.add(id, dict(QUICK))["id"]
    for each in (job, still, "0123456789abcdef"):
        (tmp_path / "dreams" / f"unfinished-{each}").mkdir()
    app = application(tmp_path)
    assert [path.name for path in tmp_path.glob("dreams/*")] == [f"unfinished-{job}"]
    app.studio.jobs.stop(job, keep=True)
    assert app.studio.jobs.job(job)["state"] == "waiting"  # it is ended when its turn comes
    app.studio.jobs.stop(job, keep=False)
    assert app.studio.jobs.job(job)["state"] == "cancelled"
    assert list(tmp_path.glob("dreams/*")) == []


def write(path, data):
    path.write_bytes(data)
    return path


def test_a_clip_that_is_deleted_while_its_film_is_made(client, tmp_path):
    """The film comes to its end, with its sound, and nothing of the clip is left."""
    made = make_film(tmp_path / "going.mp4", moving(6), rate=10, sound="aac")
    id = bring(client, made.read_bytes(), "going.mp4")["id"]
    job = start(client, id, {**SLOW, "film": {"carry": 0}})
    wait_for_frame(client, job, 2)
    assert client.delete(f"/api/pictures/{id}").status_code == 200
    shutil.rmtree(client.folder / "trash" / id)
    wait(client, job)
    with av.open(io.BytesIO(client.get(f"/api/dreams/{job}/film").content)) as opened:
        assert opened.streams.audio
        assert sum(1 for _ in opened.decode(video=0)) == 6
    assert not (client.folder / "dreams" / job / "clip").exists()


def test_a_clip_that_is_deleted_while_it_waits(client, tmp_path):
    """Its film fails with a sentence."""
    data = make_film(tmp_path / "gone.mp4", moving(5), rate=10).read_bytes()
    id = bring(client, data, "gone.mp4")["id"]
    first = start(client, id, {**SLOW, "film": {"carry": 0}})
    second = start(client, id, {**QUICK, "film": {"carry": 0.9}})
    shutil.rmtree(client.folder / "pictures" / id)
    client.delete(f"/api/jobs/{first}")
    end = time.monotonic() + 60
    while client.get(f"/api/jobs/{second}").json()["state"] != "failed":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert client.get(f"/api/jobs/{second}").json()["why"]


# -- what goes wrong in the queue ------------------------------------------------------------------


def wait_for_end(client, id, seconds=120):
    """Wait until a job has ended, however."""
    end = time.monotonic() + seconds
    while True:
        job = client.get(f"/api/jobs/{id}").json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        assert time.monotonic() < end, job
        time.sleep(0.02)


def test_what_cannot_be_kept_fails_and_the_queue_goes_on(tmp_path, monkeypatch):
    """Whatever goes wrong while the worker is heard: the job says so, and the next one is made."""
    with client_of(tmp_path) as client:
        id = bring(client, photo(21), "sky.png", "image/png")["id"]
        shelf = client.app.studio._library.dreams
        finish = shelf.finish

        def broken(id, about):
            monkeypatch.setattr(shelf, "finish", finish)
            raise KeyError("what nobody has thought of")

        monkeypatch.setattr(shelf, "finish", broken)
        first, second = start(client, id, QUICK), start(client, id, QUICK)
        job = wait_for_end(client, first)
        assert job["state"] == "failed"
        assert "what nobody has thought of" in job["why"]
        wait(client, second)


def test_a_worker_that_talks_nonsense_is_started_again(tmp_path, monkeypatch):
    """What it was at fails with a reason."""
    with client_of(tmp_path) as client:
        jobs = client.app.studio.jobs
        id = bring(client, photo(22), "sky.png", "image/png")["id"]
        hear = jobs._heard

        def nonsense(message):
            if message.get("told") == "begun":
                message = {"told": "step", "id": message["id"]}
            hear(message)

        monkeypatch.setattr(jobs, "_heard", nonsense)
        job = wait_for_end(client, start(client, id, QUICK))
        assert (job["state"], "KeyError" in job["why"]) == ("failed", True)
        monkeypatch.setattr(jobs, "_heard", hear)
        wait(client, start(client, id, QUICK))


def test_a_job_that_cannot_begin_holds_up_no_other(tmp_path):
    """Its picture was deleted while it waited: the next one is begun all the same."""
    with client_of(tmp_path) as client:
        gone = bring(client, photo(23), "gone.png", "image/png")["id"]
        there = bring(client, photo(24), "there.png", "image/png")["id"]
        first = start(client, there, {**SLOW, "film": {"frames": 300, "zoom": 0.03}})
        second, third = start(client, gone, QUICK), start(client, there, QUICK)
        client.delete(f"/api/pictures/{gone}")
        client.delete(f"/api/jobs/{first}")
        job = wait_for_end(client, second)
        assert (job["state"], job["why"]) == (
            "failed", "'gone.png' was deleted, or a picture that its settings need: add it again, "
            "and dream on it anew."
        )  # fmt: skip
        wait(client, third)


def test_a_film_that_fails_is_gone_on_with(tmp_path):
    """It has the bytes of one that has not failed, and all of the time that it took is counted."""
    settings = {**SLOW, "film": {"frames": 7, "zoom": 0.03}}
    with client_of(tmp_path / "whole") as client:
        job = start(client, bring(client, photo(25), "sky.png", "image/png")["id"], settings)
        wait(client, job)
        whole = film_of(tmp_path / "whole", job)

    folder = tmp_path / "cut"
    with client_of(folder) as client:
        job = start(client, bring(client, photo(25), "sky.png", "image/png")["id"], settings)
        wait_for_frame(client, job, 4)
        client.app.studio.jobs._process.kill()
        failed = wait_for_end(client, job)
        assert failed["state"] == "failed"
        assert failed["kept"] is True
        assert "memory" in failed["why"]
    told = json.loads((folder / "jobs" / f"{job}.json").read_text())
    assert told["spent"] > 0
    (folder / "jobs" / f"{job}.json").write_text(json.dumps({**told, "spent": 5000}))
    with client_of(folder) as client:  # a restart does not take it away
        assert client.get(f"/api/jobs/{job}").json()["kept"] is True
        assert client.post(f"/api/jobs/{job}/go-on").json()["state"] == "waiting"
        done = wait(client, job)
        assert "why" not in done
        assert client.get(f"/api/dreams/{job}").json()["seconds"] > 5000
        assert client.post(f"/api/jobs/{job}/go-on").status_code == 400
    assert film_of(folder, job) == whole
    assert list(folder.glob("dreams/unfinished-*")) == []


def test_a_film_that_failed_is_thrown_away(tmp_path):
    """Then nothing of it is left; of a picture that fails nothing is kept at all."""
    with client_of(tmp_path) as client:
        id = bring(client, photo(26), "sky.png", "image/png")["id"]
        film = start(client, id, SLOW)
        wait_for_frame(client, film, 3)
        client.app.studio.jobs._process.kill()
        wait_for_end(client, film)
        for _ in range(25):  # it is not forgotten for others that have ended
            client.delete(f"/api/jobs/{start(client, id, QUICK)}")
        assert client.get(f"/api/jobs/{film}").json()["kept"] is True
        client.delete(f"/api/jobs/{film}")
        assert client.get(f"/api/jobs/{film}").status_code == 404
        still = start(client, id, {**QUICK, "iter_n": 500})
        wait_for_frame(client, still, 1)
        client.app.studio.jobs._process.kill()
        assert "kept" not in wait_for_end(client, still)
        assert client.post(f"/api/jobs/{still}/go-on").status_code == 400
    assert list(tmp_path.glob("dreams/*")) == []


def test_the_same_comes_several_times_at_once(tmp_path):
    """It is kept once, and nobody is refused."""
    data = photo(33, 1200, 900)
    with client_of(tmp_path) as client, ThreadPoolExecutor(4) as several:
        answers = [*several.map(lambda _: send(client, data, "sky.png", "image/png"), range(4))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert list(tmp_path.glob("*/unfinished-*")) == []


# -- films that carry their settings ---------------------------------------------------------------


def test_a_film_offers_its_settings(client, clip, tmp_path):
    """As dreamt pictures do; a camera's move says nothing of a clip, and is left out."""
    film = {"carry": 0.7, "fps": 5, "until": 0.6, "sound": False}
    settings = {**QUICK, "strength": 0.5, "iter_n": 4, "film": film}
    job = start(client, bring(client, clip.read_bytes())["id"], settings)
    wait(client, job)
    film = client.get(f"/api/dreams/{job}/film").content
    about = bring(client, film, "again.mp4")
    assert about["kind"] == "clip"
    assert about["left_out"] == []
    assert about["settings"]["film"] == {"carry": 0.7, "fps": 5.0, "sound": False}
    for name, value in (("style", "strokes"), ("longest", 96), ("strength", 0.5), ("iter_n", 4),
                        ("seed", 3), ("octave_n", 1)):  # fmt: skip
        assert about["settings"][name] == value
    wait(client, start(client, about["id"], about["settings"]))  # and they can be used

    still = bring(client, photo(31), "sky.png", "image/png")["id"]
    job = start(client, still, {**QUICK, "film": {"frames": 3, "zoom": 0.02}})
    wait(client, job)
    about = bring(client, client.get(f"/api/dreams/{job}/film").content, "zoom.mp4")
    assert about["settings"]["film"] == {"carry": 0.92, "sound": True}
    assert about["settings"]["style"] == "strokes"
    poster = client.get(f"/api/dreams/{job}/picture").content
    assert "film" not in bring(client, poster, "poster.png", "image/png").get("settings", {})

    first, *others = [Image.fromarray(pixels) for pixels in moving(3)]
    recipe = json.dumps(client.get(f"/api/dreams/{job}").json()["recipe"])
    first.save(
        tmp_path / "a.gif", save_all=True, append_images=others, duration=100, comment=recipe
    )
    about = bring(client, (tmp_path / "a.gif").read_bytes(), "a.gif", "image/gif")
    assert about["settings"]["style"] == "strokes"


@pytest.mark.parametrize("comment", ["{}", "rubbish", '{"deepdream": 5, "model": 3}', "x" * 2**21])
def test_a_film_with_a_comment_of_somebody_else(client, tmp_path, comment):
    """It comes in, without settings."""
    path = tmp_path / "other.mkv"
    with av.open(str(path), "w") as film:
        film.metadata["comment"] = comment
        stream = film.add_stream("libx264", rate=10)
        stream.height, stream.width = SIZE
        for pixels in moving(3):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode())
    assert not bring(client, path.read_bytes(), "other.mkv").get("settings")
