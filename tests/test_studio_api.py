"""The studio's API with its worker: from a picture that is brought to a dream that is kept."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra studio is not installed")

from studio_client import application, bring, client_of, photo, start  # noqa: E402

from deepdream.errors import MissingFileError, WriteError  # noqa: E402
from deepdream.images import load_image  # noqa: E402
from deepdream.models.load import load_graph  # noqa: E402
from deepdream.recipe import read_recipe  # noqa: E402
from deepdream.studio import app as studio_app  # noqa: E402
from deepdream.studio import jobs as studio_jobs  # noqa: E402
from deepdream.studio import library as studio_library  # noqa: E402
from deepdream.studio.events import Events  # noqa: E402
from deepdream.studio.library import plain_name  # noqa: E402
from deepdream.studio.pace import Pace  # noqa: E402
from deepdream.studio.settings import (  # noqa: E402
    checked,
    film_keywords_for,
    film_steps,
    from_recipe,
    keywords_for,
)
from deepdream.studio.store import Shelf, empty_trash, new_id  # noqa: E402

QUICK = {"longest": 96, "style": "strokes", "iter_n": 2, "seed": 3}
LONG = {"longest": 400, "style": "cities", "iter_n": 500, "seed": 3}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A running studio."""
    folder = tmp_path_factory.mktemp("studio")
    with client_of(folder) as client:
        client.folder = folder
        yield client


def bring_to(client, data, name="sky.png", path="/api/pictures"):
    headers = {"content-type": "image/png", "x-name": name}
    answer = client.post(path, content=data, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait(client, id, *states, seconds=60):
    """Wait until a job has come to one of some states."""
    end = time.monotonic() + seconds
    while True:
        job = client.get(f"/api/jobs/{id}").json()
        if job["state"] in states:
            return job
        assert job["state"] not in ("done", "failed", "cancelled"), job
        assert time.monotonic() < end, job
        time.sleep(0.02)


def test_from_a_picture_to_a_dream(client):
    """It is made, kept with its recipe, and can be had in three formats."""
    picture = bring_to(client, photo(1, 120, 80), "my sky.png")
    assert picture["size"] == [120, 80]
    job = start(client, picture["id"], QUICK)
    wait(client, job, "done")

    dream = client.get(f"/api/dreams/{job}").json()
    assert dream["size"] == [96, 64]
    assert dream["settings"] == QUICK
    assert dream["recipe"]["input"]["file"] == "my sky.png"
    assert dream["recipe"]["seed"] == 3
    assert not dream["stopped"]
    made = {}
    for form, kind in (("png", "PNG"), ("jpeg", "JPEG"), ("tiff", "TIFF")):
        answer = client.get(f"/api/dreams/{job}/download?format={form}")
        assert answer.headers["content-disposition"].startswith(
            'attachment; filename="my sky_dream'
        )
        image = Image.open(io.BytesIO(answer.content))
        assert (image.format, image.size) == (kind, (96, 64))
        path = client.folder / f"download.{form}"
        path.write_bytes(answer.content)
        assert read_recipe(path)["parameters"] == dream["recipe"]["parameters"]
        made[form] = np.asarray(load_image(path))
        path.unlink()
    assert np.abs(made["png"] - made["tiff"]).max() <= 0.51
    assert (made["tiff"] != np.rint(made["tiff"])).any()  # fractions of a level
    assert np.abs(made["png"] - made["jpeg"]).mean() < 4
    for name, size in (("before", (96, 64)), ("screen", (96, 64)), ("thumb", (96, 64))):
        image = Image.open(io.BytesIO(client.get(f"/api/dreams/{job}/{name}").content))
        assert image.size == size
    assert job in [each["id"] for each in client.get("/api/dreams").json()["dreams"]]


def test_the_dream_is_that_of_the_library(client):
    """The same bytes as `deepdream.dream` makes with these settings."""
    from deepdream.dreaming.dream import dream
    from deepdream.models.load import load_net

    data = photo(2, 100, 130)
    mask = np.zeros((130, 100), np.uint8)
    mask[:, 40:] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    id = bring_to(client, data)["id"]
    mask_id = bring_to(client, file.getvalue(), path="/api/masks")["id"]
    settings = {**QUICK, "end": {"block4/output": 1, "block7/output": 0.5}, "mask": mask_id,
                "classes": {"teapot": 0.5}, "iter_n": [3, 2], "keep_colors": 0.2}  # fmt: skip
    job = start(client, id, settings)
    wait(client, job, "done")

    ours = keywords_for(settings, (130, 100), lambda _: mask)
    expected = dream(load_net(), load_image(io.BytesIO(data)), **ours)
    got = load_image(io.BytesIO(client.get(f"/api/dreams/{job}/picture").content))
    assert got.shape == (96, 74, 3)
    assert np.array_equal(np.asarray(got), np.rint(np.clip(expected, 0, 255)))
    assert mask_id not in [p["id"] for p in client.get("/api/pictures").json()["pictures"]]


def test_looks_come_one_after_the_other(client):
    """Small pictures of what each layer makes; a dream goes before them."""
    id = bring_to(client, photo(3))["id"]
    job = start(client, id, QUICK)
    wait(client, job, "done")
    names = client.post(f"/api/pictures/{id}/looks").json()["looks"]
    assert list(names)[:3] == ["animals", "eyes", "creatures"]
    end = time.monotonic() + 60
    while client.get(f"/api/pictures/{id}/looks/animals").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
    image = Image.open(io.BytesIO(client.get(f"/api/pictures/{id}/looks/animals").content))
    assert max(image.size) == 320
    assert client.get("/api").json()["measured"]


def test_a_dream_is_stopped_and_kept(client):
    """With what there was."""
    id = bring_to(client, photo(4, 400, 300))["id"]
    job = start(client, id, LONG)
    end = time.monotonic() + 60
    while not (client.get(f"/api/jobs/{job}").json()["progress"] or {}).get("shown"):
        assert time.monotonic() < end
        time.sleep(0.02)
    shown = client.get(f"/api/jobs/{job}/picture")
    assert Image.open(io.BytesIO(shown.content)).format == "JPEG"
    assert client.post(f"/api/jobs/{job}/stop").json()["state"] in ("stopping", "done")
    wait(client, job, "done")
    assert client.get(f"/api/dreams/{job}").json()["stopped"]
    assert client.get(f"/api/jobs/{job}/picture").status_code == 404


def test_a_queue_in_order_and_cancelled(client):
    """One at a time; what waits is cancelled at once, what runs within a step."""
    id = bring_to(client, photo(5, 400, 300))["id"]
    first, second, third = (start(client, id, {**LONG, "seed": n}) for n in range(3))
    wait(client, first, "running")
    assert client.get(f"/api/jobs/{second}").json()["state"] == "waiting"
    assert client.delete(f"/api/jobs/{second}").json()["state"] == "cancelled"
    client.delete(f"/api/jobs/{first}")
    wait(client, first, "cancelled")
    wait(client, third, "running")
    client.delete(f"/api/jobs/{third}")
    wait(client, third, "cancelled")
    dreams = [each["id"] for each in client.get("/api/dreams").json()["dreams"]]
    assert not {first, second, third} & {*dreams}
    assert [*client.folder.glob("dreams/unfinished-*")] == []
    client.delete(f"/api/jobs/{first}")
    assert client.get(f"/api/jobs/{first}").status_code == 404


def test_the_page_answers_while_a_dream_is_made(client):
    """Within 100 ms in the median, 300 at worst, on a machine that has nothing else to do."""
    id = bring_to(client, photo(6, 400, 300))["id"]
    job = start(client, id, LONG)
    wait(client, job, "running")
    times = []
    for _ in range(40):
        for path in ("/api/jobs", "/api/dreams", f"/api/pictures/{id}/thumb"):
            began = time.monotonic()
            assert client.get(path).status_code == 200
            times.append(time.monotonic() - began)
    client.delete(f"/api/jobs/{job}")
    wait(client, job, "cancelled")
    assert np.median(times) < 0.1
    assert np.percentile(times, 95) < 0.3  # other tests run beside this one


def test_a_worker_that_is_killed_is_told_and_comes_back(client):
    """As by the system, where memory runs out."""
    id = bring_to(client, photo(7, 400, 300))["id"]
    job = start(client, id, LONG)
    wait(client, job, "running")
    os.kill(client.app.studio.jobs._process.pid, signal.SIGKILL)
    failed = wait(client, job, "failed")
    assert "choose a smaller size" in failed["why"]
    job = start(client, id, QUICK)
    wait(client, job, "done")


def test_what_fails_is_told_in_a_sentence(client):
    """A picture that has been deleted meanwhile, a damaged one."""
    id = bring_to(client, photo(8))["id"]
    (client.folder / "pictures" / id / "original").write_bytes(b"rubbish")
    job = start(client, id, QUICK)
    assert "add it again" in wait(client, job, "failed")["why"]


def test_deleting_and_bringing_back(client):
    """A dream and a picture."""
    id = bring_to(client, photo(9))["id"]
    job = start(client, id, QUICK)
    wait(client, job, "done")
    before = client.get(f"/api/dreams/{job}/picture").content
    assert client.delete(f"/api/dreams/{job}").status_code == 200
    assert client.get(f"/api/dreams/{job}").status_code == 404
    assert client.get(f"/api/dreams/{job}/picture").status_code == 404
    assert client.delete(f"/api/dreams/{job}").status_code == 404
    assert client.post(f"/api/dreams/{job}/restore").json()["id"] == job
    assert client.get(f"/api/dreams/{job}/picture").content == before
    assert client.post(f"/api/dreams/{job}/restore").status_code == 404
    assert client.delete(f"/api/pictures/{id}").status_code == 200
    assert client.post("/api/jobs", json={"picture": id, "settings": {}}).status_code == 404
    assert client.post(f"/api/pictures/{id}/restore").json()["id"] == id


def test_a_picture_that_is_deleted_while_its_looks_are_made(client):
    """The others' go on."""
    gone, damaged, here = (bring_to(client, photo(seed))["id"] for seed in (40, 41, 42))
    client.post(f"/api/pictures/{damaged}/looks")
    (client.folder / "pictures" / damaged / "about.json").write_text("{")
    client.post(f"/api/pictures/{gone}/looks")
    client.delete(f"/api/pictures/{gone}")
    end = time.monotonic() + 60
    while client.get(f"/api/pictures/{here}/looks/animals").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
    wait(client, start(client, here, QUICK), "done")


def test_a_dream_brings_its_settings_back(client):
    """Dropped in again, it offers what made it; used as a start, it is a picture."""
    id = bring_to(client, photo(10))["id"]
    settings = {**QUICK, "end": {"block4/output": 1.0, "block2/output": 0.5}, "strength": 0.8}
    job = start(client, id, settings)
    wait(client, job, "done")
    data = client.get(f"/api/dreams/{job}/picture").content

    about = bring_to(client, data, "found.png")

    found = about["settings"]
    assert about["left_out"] == []
    assert found["end"] == settings["end"]
    assert found["seed"] == 3
    assert found["strength"] == 0.8
    assert found["iter_n"] == 2
    assert found["longest"] == 96
    assert client.post(f"/api/dreams/{job}/use").json()["id"] == about["id"]
    again = start(client, id, found)
    wait(client, again, "done")
    assert np.array_equal(
        load_image(io.BytesIO(client.get(f"/api/dreams/{again}/picture").content)),
        load_image(io.BytesIO(data)),
    )


def test_larger_for_print(client):
    """Composed as it is, with more detail."""
    id = bring_to(client, photo(11, 120, 80))["id"]
    settings = {**QUICK, "longest": 200, "compose": [96, 64]}
    job = start(client, id, settings)
    wait(client, job, "done")
    dream = client.get(f"/api/dreams/{job}").json()
    assert dream["size"] == [200, 133]
    assert dream["recipe"]["parameters"]["compose"] == [96, 64]


def test_a_zoom_film(client):
    """A film that browsers play, in parts as they ask for it; stopped, it has the frames so far."""
    av = pytest.importorskip("av", reason="the extra film is not installed")
    id = bring_to(client, photo(13, 120, 80))["id"]
    film = {"frames": 6, "zoom": 0.05, "turn": 1.0, "loop": False}
    job = start(client, id, {**QUICK, "film": film})
    wait(client, job, "done")
    dream = client.get(f"/api/dreams/{job}").json()
    assert dream["size"] == [96, 64]
    assert dream["settings"]["film"] == {**film, "carry": 0.95}
    whole = client.get(f"/api/dreams/{job}/film")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    with av.open(io.BytesIO(whole.content)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(frames) == 6
    assert frames[0].shape == (64, 96, 3)
    first = np.asarray(load_image(io.BytesIO(client.get(f"/api/dreams/{job}/picture").content)))
    assert np.abs(frames[0] - first).mean() < np.abs(frames[-1] - first).mean() / 2
    for asked, part in (("bytes=0-99", slice(0, 100)), ("bytes=100-", slice(100, None)),
                        ("bytes=-50", slice(-50, None))):  # fmt: skip
        answer = client.get(f"/api/dreams/{job}/film", headers={"range": asked})
        assert answer.status_code == 206
        assert answer.content == whole.content[part]
    for asked in ("bytes=9-5", "bytes=-", "bytes=0-9,20-30", "lines=1-2", f"bytes={10**14}-"):
        answer = client.get(f"/api/dreams/{job}/film", headers={"range": asked})
        assert answer.content == whole.content
    assert client.get(f"/api/dreams/{job}/download?format=mp4").content == whole.content

    long = start(client, id, {**QUICK, "film": {**film, "frames": 2000}})
    end = time.monotonic() + 60
    while ((client.get(f"/api/jobs/{long}").json()["progress"]) or {}).get("frame", 0) < 4:
        assert time.monotonic() < end
        time.sleep(0.02)
    client.post(f"/api/jobs/{long}/stop")
    wait(client, long, "done")
    assert client.get(f"/api/dreams/{long}").json()["stopped"]
    with av.open(io.BytesIO(client.get(f"/api/dreams/{long}/film").content)) as opened:
        assert 3 <= sum(1 for _ in opened.decode(video=0)) < 2000


def test_estimates_grow_with_what_there_is_to_do(client):
    """And the search finds classes."""
    id = bring_to(client, photo(12, 800, 600))["id"]
    several = [{"longest": 256}, {"longest": 512}, {"longest": 512, "iter_n": [64, 16]},
               {"longest": 512, "classes": {"castle": 1}},
               {"longest": 512, "style": "weave"}]  # fmt: skip
    answer = client.post("/api/estimates", json={"picture": id, "settings": several})
    small, usual, long, deep, shallow = answer.json()["seconds"]
    assert small < usual < long
    assert shallow < usual < deep
    found = client.get("/api/classes?search=castle").json()["classes"]
    assert found[0]["name"] == "castle"
    assert client.get("/api/classes?search=dog").json()["classes"][0]["text"] == "any dog"
    assert client.get("/api/classes?search=").json()["classes"] == []


# -- without a worker ------------------------------------------------------------------------------


def test_a_restart_in_the_middle(tmp_path):
    """What ran and what waited is there again, in its order, and is made."""
    with client_of(tmp_path) as client:
        id = bring_to(client, photo(20, 400, 300))["id"]
        first = start(client, id, LONG)
        wait(client, first, "running")
        second = start(client, id, QUICK)
        client.delete(f"/api/jobs/{start(client, id, LONG)}")
    assert [path.name[:10] for path in tmp_path.glob("dreams/*")] == ["unfinished"]

    with client_of(tmp_path) as client:
        jobs = client.get("/api/jobs").json()["jobs"]
        assert [job["id"] for job in jobs][:2] == [first, second]
        assert jobs[1]["state"] == "waiting"
        wait(client, first, "running")
        client.delete(f"/api/jobs/{first}")
        wait(client, second, "done")
        assert client.get(f"/api/dreams/{second}").json()["seconds"] > 0


@pytest.fixture
def app(tmp_path):
    """A studio whose worker has not been started."""
    return application(tmp_path)


def test_the_same_picture_is_kept_once(app, tmp_path):
    """By its bytes, whatever it is called; one that was a mask is a picture, too, from then on."""
    first, second = bring(app, photo(30), "a.png").json(), bring(app, photo(30), "b.png").json()
    assert first["id"] == second["id"]
    assert first["name"] == second["name"] == "a.png"
    mask = bring(app, photo(31), "mask.png", "/api/masks").json()
    assert mask["kind"] == "mask"
    assert bring(app, photo(31), "c.png").json() == {**mask, "kind": "photo", "name": "c.png"}
    assert len([*(tmp_path / "pictures").iterdir()]) == 2


def test_photos_of_phones_stand_upright(app):
    """As EXIF says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    about = bring(app, photo(32, 90, 70, "JPEG", exif=exif.tobytes())).json()
    assert about["size"] == [70, 90]


def test_a_full_disk_is_told(app, tmp_path, monkeypatch):
    """Before anything is taken in, and where it fills up on the way."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(studio_app.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    answer = bring(app, photo(33))
    assert answer.status == 507
    assert "disk is nearly full" in answer.json()["error"]
    monkeypatch.undo()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(studio_library, "write_small", full)
    answer = bring(app, photo(33))
    assert answer.status == 507
    assert answer.json()["error"].startswith("The disk is full: free some space")
    assert [*(tmp_path / "pictures").iterdir()] == []
    assert [path for path in tmp_path.iterdir() if path.name.startswith("received")] == []


def test_no_memory_is_told(app, monkeypatch):
    """Before the picture is decoded."""
    monkeypatch.setattr(studio_library, "free_memory", lambda: 1000)
    answer = bring(app, photo(34))
    assert answer.status == 507
    assert "close other programs" in answer.json()["error"]


def test_too_many_jobs(app, monkeypatch):
    """Are refused."""
    monkeypatch.setattr(studio_jobs, "MOST", 2)
    id = bring(app, photo(35)).json()["id"]
    jobs = app.studio.jobs
    for _ in range(2):
        jobs.add(id, dict(QUICK))
    with pytest.raises(ValueError, match="2 dreams wait already"):
        jobs.add(id, dict(QUICK))


def test_a_full_disk_while_a_job_is_written(app, monkeypatch):
    """Nothing is in the queue that is not on the disk."""
    id = bring(app, photo(36)).json()["id"]

    def full(*_):
        raise WriteError("the disk is full")

    monkeypatch.setattr(studio_jobs, "write_json", full)
    with pytest.raises(WriteError):
        app.studio.jobs.add(id, dict(QUICK))
    assert app.studio.jobs.all() == []


def test_what_is_damaged_in_the_library_is_left_out(tmp_path):
    """It does not keep the rest from being shown."""
    app = application(tmp_path)
    id = bring(app, photo(37)).json()["id"]
    for name, text in ((new_id(), "{"), (new_id(), "[]"), ("notes", "")):
        (tmp_path / "dreams" / name).mkdir()
        (tmp_path / "dreams" / name / "about.json").write_text(text)
    (tmp_path / "jobs" / f"{new_id()}.json").write_text("{")
    (tmp_path / "jobs" / f"{new_id()}.json").write_text("{}")
    (tmp_path / "pace.json").write_text("rubbish")
    app = application(tmp_path)
    assert list(app.studio._library.dreams.all()) == []
    assert [about["id"] for about in app.studio._library.pictures.all()] == [id]
    assert app.studio.jobs.all() == []


def test_the_trash_is_emptied_after_days(tmp_path):
    """What was deleted before that is gone."""
    shelf = Shelf(tmp_path / "dreams", tmp_path / "trash")
    old, young = new_id(), new_id()
    for id in (old, young):
        shelf.unfinished(id)
        shelf.finish(id, {})
        shelf.delete(id)
    os.utime(tmp_path / "trash" / old, (1, 1))
    empty_trash(tmp_path / "trash", time.time() - 60)
    with pytest.raises(MissingFileError):
        shelf.restore(old)
    shelf.restore(young)
    assert young in shelf


def test_events(tmp_path):
    """All that there is first, then what changes; who falls behind is cut off."""

    async def listen():
        events = Events()
        stream = events.listen(lambda: {"jobs": [1]})
        first = await stream.__anext__()
        events.tell("job", {"id": "x\n\ny"})
        second = await stream.__anext__()
        for n in range(300):
            events.tell("step", n)
        rest = [piece async for piece in stream]
        return first, second, rest

    first, second, rest = asyncio.run(listen())
    assert b'event: all\ndata: {"jobs": [1]}\n\n' in first
    kind, data = second.decode().strip().split("\n")
    assert kind == "event: job"
    assert json.loads(data.partition(" ")[2]) == {"id": "x\n\ny"}
    assert len(rest) == 200


def test_settings_of_recipes():
    """What others have written is understood as far as it goes, and never trusted."""
    net = load_graph()
    model = {"name": "efficientnet_lite0"}
    recipe = {"model": model, "style": "eyes", "seed": 4, "input": {"size": [200, 100]},
              "parameters": {"end": ["block4/output", "block7/output"], "width": 400,
                             "iter_n": [6, 3], "smooth": 2.5}}  # fmt: skip
    settings, left_out = from_recipe(net, recipe)
    assert left_out == []
    assert settings["end"] == {"block4/output": 1.0, "block7/output": 1.0}
    assert (settings["longest"], settings["smooth"], settings["seed"]) == (400, 2.5, 4)
    assert checked(net, settings) == settings
    terms = [{"term": "label", "label": "castle", "weight": 0.5},
             {"term": "layer", "end": "block4/output", "power": 2, "weight": 1.0}]  # fmt: skip
    settings, left_out = from_recipe(net, {**recipe, "parameters": {"objective": {"terms": terms}}})
    assert settings["classes"] == {"castle": 0.5}
    for hostile in (
        {}, {"model": []}, {"parameters": []}, {"parameters": {"iter_n": 10**9}}, {"style": ["x"]},
        {"model": model, "parameters": {"end": 7}}, {"parameters": {"objective": {"terms": [1]}}},
        {"parameters": {"objective": {"terms": 5}}}, {"model": model, "seed": "x", "input": 4},
        {"parameters": {"width": "9", "end": {"x": {}}}, "input": {"size": "ab"}},
    ):  # fmt: skip
        settings, left_out = from_recipe(net, hostile)
        assert left_out
        assert checked(net, settings) == settings


def test_frames_of_a_slow_camera_take_fewer_steps():
    """Each place is seen in more of them."""
    film = {"frames": 9, "turn": 0.0, "loop": False}
    steps = [film_steps({"style": "animals", "film": {**film, "zoom": z}})
             for z in (0.0, 0.02, 0.05, 0.2)]  # fmt: skip
    assert steps == [(2, 1), (3, 1), (8, 3), (8, 3)]
    assert film_steps({"style": "2015", "film": {**film, "zoom": 0.02}}) == (2, 2)
    assert film_steps({"style": "animals", "film": {"carry": 0.92}}) == (8, 3)  # of a clip
    found = film_keywords_for({"style": "animals", "iter_n": [9, 5], "longest": 50,
                               "film": {**film, "zoom": 0.02}}, (200, 100), None)  # fmt: skip
    assert found["first"] == {"iter_n": (9, 5)}
    assert found["iter_n"] == (3, 1)
    assert found["size"] == (25, 50)


def test_pace_learns(tmp_path):
    """Looks teach it until a dream has, and it remembers."""
    net = load_graph()
    pace = Pace(net, tmp_path / "pace.json", {}.__getitem__)
    settings = checked(net, {"longest": 512})
    size = (300, 400)
    assert not pace.learnt
    pace.learn(settings, size, 40.0, small=True)
    assert pace.seconds(settings, size) == pytest.approx(40.3, abs=0.3)
    pace.learn(settings, size, 10.0, small=False)
    pace.learn(settings, size, 90.0, small=True)
    assert pace.seconds(settings, size) == pytest.approx(10.3, abs=0.3)
    again = Pace(net, tmp_path / "pace.json", {}.__getitem__)
    assert again.seconds(settings, size) == pytest.approx(10.3, abs=0.3)
    with_print = {**settings, "longest": 2048, "compose": [512, 384]}
    assert pace.seconds(with_print, size) > 4 * pace.seconds(settings, size)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a/b.png", "b.png"), ("..", "picture"), ("", "picture"), ("x" * 300, "x" * 80),
     ("häuser & <b>.jpg", "häuser _ _b_.jpg"), ("C:\\a\\b.png", "b.png")],
)  # fmt: skip
def test_names(given, shown):
    """Are what people see, and never a path."""
    assert plain_name(given) == shown
