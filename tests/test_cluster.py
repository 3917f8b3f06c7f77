"""Many pictures on a cluster of real processes: the same bytes, and what happens when some die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from as_typed import as_typed
from tiny import write_tiny

from deepdream.batches.make import FAILURES, batch, write_batch
from deepdream.cli import main
from deepdream.errors import EngineError, MissingFileError, ParameterError
from deepdream.images import save_image
from deepdream.jobs import cluster as cluster_jobs
from deepdream.jobs import connect, sent, worker
from deepdream.jobs.job import Job, Maker
from deepdream.jobs.run import Progress, run_jobs
from deepdream.models.load import load_net

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # Dask's own

ROOT = Path(__file__).parents[1]
FEW = {"end": "a/output", "iter_n": 1, "octave_n": 2, "jitter": 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def net(files):
    return load_net(*files, mean=(104, 117, 123))


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two workers of one thread each."""
    with connect._environment_kept(), connect._local(2, 1) as made:
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as made:
        made.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture
def photos(tmp_path):
    """Seven pictures of different shapes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(7):
        pixels = np.random.RandomState(number).uniform(0, 255, (43 + 2 * number, 61 - number, 3))
        save_image(pixels, folder / f"{number}.png")
    return folder


def bytes_of(made):
    return {entry.dream.name: entry.dream.read_bytes() for entry in made}


def in_time(call, seconds=300):
    """Return what a call returns; one that waits for ever fails the test, and is left behind."""
    got = []
    thread = threading.Thread(target=lambda: got.append(call()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"not within {seconds} seconds"
    assert got, "it raised, see above"
    return got[0]


# -- equal pictures --------------------------------------------------------------------------------


def test_a_batch_on_a_cluster_is_the_one_made_here(net, photos, tmp_path, client, cluster):
    """The same bytes in the same files; a picture that fails is told as it is here."""
    (photos / "3.png").write_bytes(b"nothing")
    here = batch(net, photos, tmp_path / "here", **FEW)

    there = batch(net, photos, tmp_path / "there", cluster=client, **FEW)
    again = batch(net, photos, tmp_path / "there", cluster=cluster.scheduler_address, **FEW)

    def told(made):
        return [(entry.picture, entry.error) for entry in made]

    assert told(here) == told(there)
    made = [entry for entry in here if not entry.error]
    assert len(made) == 6
    for entry in made:
        assert entry.dream.read_bytes() == (tmp_path / "there" / entry.dream.name).read_bytes()
    assert all(entry.there for entry in again if not entry.error)


def test_a_gallery_on_a_cluster_is_the_one_made_here(net, tmp_path, client):
    """Layers and channels, with a layer that fails; the page tells the same."""
    from deepdream.galleries.make import gallery
    from deepdream.galleries.manifest import read_manifest

    img = np.random.RandomState(5).uniform(0, 255, (43, 59, 3))
    few = {"iter_n": 1, "octave_n": 2, "jitter": 3}
    for name, how in (("all", {}), ("channels", {"layers": "a/3x3", "channels": "0-2"})):
        here, there = (tmp_path / f"{name}-{place}" for place in ("here", "there"))
        gallery(net, img, here, **few, **how)
        gallery(net, img, there, cluster=client, **few, **how)

        one, other = (read_manifest(folder).entries for folder in (here, there))
        assert len(one) == len(other) > 2
        for key, entry in one.items():
            assert (entry.error, entry.notes) == (other[key].error, other[key].notes)
            if not entry.error:
                assert (here / entry.file).read_bytes() == (there / entry.file).read_bytes()
        assert (there / "index.html").is_file()


def test_sheets_on_a_cluster(files, tmp_path, cluster, capsys):
    """Each term's picture is made on a worker; the sheet is the same file."""
    model = ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]
    command = ["visualize", "--end", "a/3x3:0-2", "--size", "48", "--iter-n", "2", "--seed", "3"]
    here, there = tmp_path / "here.png", tmp_path / "there.png"
    where = ["--cluster", cluster.scheduler_address]

    assert main([*command, *model, "-o", str(here)]) == 0
    assert main([*command, *model, "-o", str(there), *where]) == 0
    assert here.read_bytes() == there.read_bytes()
    assert main([*command, *model, "-o", str(there), *where, "--diversity", "2"]) == 2
    assert "for sheets of several terms" in capsys.readouterr().err


def test_seeds_of_a_published_work_on_a_cluster(net, tmp_path, client):
    """The notebook's dreams, with its random stream, are those made here."""
    import dataclasses

    from deepdream.reproduce.make import make
    from deepdream.reproduce.works import WORKS

    save_image(np.random.RandomState(5).uniform(0, 255, (43, 59, 3)), tmp_path / "sky.png")
    work = dataclasses.replace(
        WORKS["google-4c"],
        parameters={"end": "a/output", "iter_n": 2, "octave_n": 2, "jitter": 3},
    )  # fmt: skip
    pictures = {"picture": tmp_path / "sky.png", "weights": net.weights_path}

    here = make(work, net, pictures, tmp_path / "here", seeds=[4, 5, 6])
    there = make(work, net, pictures, tmp_path / "there", seeds=[4, 5, 6], cluster=client)

    for seed in (4, 5, 6):
        assert here.pictures[seed].read_bytes() == there.pictures[seed].read_bytes()
    assert len({path.read_bytes() for path in here.pictures.values()}) == 3
    zoom = dataclasses.replace(work, frames=3)
    with pytest.raises(ParameterError, match="a folder above it that all machines see"):
        make(zoom, net, pictures, tmp_path / "x", seeds=[1], cluster=client)
    here = make(zoom, net, pictures, tmp_path / "zoom here", seeds=[1, 2])
    there = make(zoom, net, pictures, tmp_path / "zoom there", seeds=[1, 2], cluster=client,
                 shared=str(tmp_path))  # fmt: skip
    for seed in (1, 2):
        assert here.pictures[seed].read_bytes() == there.pictures[seed].read_bytes()
        frames = tmp_path / "zoom there" / f"{work.name}_seed{seed}"
        assert len(list(frames.glob("*.png"))) == 3


def test_guides_masks_and_functions_travel(net, photos, tmp_path, client):
    """What all jobs share is sent once: pictures, and a function of the user's."""

    def mine(dst):
        dst.diff[...] = np.sin(dst.data)

    mask = np.zeros((43, 61))
    mask[10:30, 12:40] = 1
    pictures = [photos / "0.png"]
    for number, how in enumerate(
        [
            {"objective": mine, "mask": mask},
            {"guide": np.random.RandomState(9).uniform(0, 255, (40, 38, 3))},
        ]
    ):
        here = batch(net, pictures, tmp_path / f"here{number}", **FEW, **how)
        there = batch(net, pictures, tmp_path / f"there{number}", cluster=client, **FEW, **how)
        assert not here[0].error
        assert bytes_of(here) == bytes_of(there)


def test_a_folder_that_all_see(net, photos, tmp_path, client):
    """Pictures below it are read and written by the workers, and nothing comes back."""
    here = batch(net, photos, tmp_path / "here", **FEW)
    maker = Maker(net, {"seed": 0, **FEW})
    from deepdream.jobs.job import File

    jobs = [Job(p.name, {"img": File.at(p)}, str(tmp_path / "there" / f"{p.stem}_dream.png"))
            for p in sorted(photos.iterdir())]  # fmt: skip
    (tmp_path / "there").mkdir()

    made = dict(run_jobs(maker, jobs, cluster=client, shared=str(tmp_path)))

    assert [made[number].data for number in range(7)] == [None] * 7
    for entry, number in zip(here, range(7)):
        data = (tmp_path / "there" / entry.dream.name).read_bytes()
        assert data == entry.dream.read_bytes()
        assert made[number].size == len(data)
    shared = batch(net, photos, tmp_path / "there", cluster=client, shared=str(tmp_path), **FEW)
    assert all(entry.there for entry in shared)


def test_what_lies_beside_the_folder_that_all_see_travels(tmp_path):
    """Also where its name leads through the folder."""
    (tmp_path / "lab").mkdir()
    run = cluster_jobs._Run.__new__(cluster_jobs._Run)
    run._folder = cluster_jobs._folder(str(tmp_path / "lab"))

    assert run._seen(str(tmp_path / "lab" / "x" / ".." / "a.png"))
    assert not run._seen(str(tmp_path / "lab" / ".." / "home" / "a.png"))


def test_weights_travel_to_a_worker_once(net, client):
    """Its own files, in the worker's folder; what does not arrive whole is refused."""
    files = sent.NetFiles.of(net)

    def unpacked(files):
        folder = Path(distributed.get_worker().local_directory)
        loaded = files.load(folder)
        again = files.load(folder)
        inside = sorted(p.name for p in folder.rglob("*") if p.parent.name.startswith("net-"))
        return (
            inside,
            loaded.weights_path == again.weights_path,
            files.data,
            str(loaded.weights_path),
        )

    one_each = [client.submit(unpacked, files, workers=[address], pure=False)
                for address in client.scheduler_info()["workers"]]  # fmt: skip
    for inside, same, data, path in client.gather(one_each):
        assert inside == ["deploy.prototxt", "tiny.caffemodel"]
        assert same
        assert data == (None, None)
        assert path != str(net.weights_path)


# -- threads, memory, the environment --------------------------------------------------------------


def test_a_worker_keeps_to_its_share(net, tmp_path):
    """As many dreams as threads, each with its part of the memory; alone one has all of it."""

    class State:
        nthreads = 3

    class Memory:
        memory_limit = None

    class Worker:
        local_directory, address = str(tmp_path), "tcp://10.0.0.1:1234"
        state, memory_manager = State(), Memory()

    files = sent.NetFiles.of(net)
    shared = sent.Shared("run", {"max_memory": "3G"}, {"10.0.0.1": 6})
    place = worker.Place(Worker(), files, shared)

    assert place.slots == 3
    with place.maker() as one, place.maker() as two:
        assert one.net is not two.net
        assert one.shared["max_memory"] == two.shared["max_memory"] < (3 << 30) // 6
    asked = []

    def alone():
        with place.maker(alone=True) as maker:
            asked.append(maker.shared["max_memory"])

    with place.maker():
        waiting = threading.Thread(target=alone)
        waiting.start()
        time.sleep(0.05)
        assert not asked  # another one is at work
    waiting.join(5)
    assert 0 <= asked[0] - 3 * one.shared["max_memory"] < 3
    with place.maker() as later:
        assert later.shared["max_memory"] == one.shared["max_memory"]


def test_little_memory_makes_fewer_dreams_at_a_time(net, tmp_path):
    """Threads that have no memory for a dream wait."""

    class Worker:
        local_directory, address = str(tmp_path), "tcp://10.0.0.1:1234"
        state = type("State", (), {"nthreads": 8})()
        memory_manager = None

    shared = sent.Shared("run", {"max_memory": "600M"}, {})
    assert worker.Place(Worker(), sent.NetFiles.of(net), shared).slots == 2


def test_threads_of_workers(client):
    """A worker of a local cluster has what its share of the processors is, whatever Dask sets."""

    def threads():
        return os.environ["OMP_NUM_THREADS"]

    assert set(client.run(threads).values()) == {"1"}


def test_the_environment_is_put_back(monkeypatch):
    """Dask sets numbers of threads and more in the process that starts its workers."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = dict(os.environ)
    with connect.connected("local:1") as (client, threads):
        assert client.run(os.getpid)
        assert threads >= 1
    assert dict(os.environ) == before


# -- what is no cluster ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["locally", "local:0", "local:x", 17, ""])
def test_what_is_no_cluster(net, photos, tmp_path, name):
    """The error says what is expected."""
    with pytest.raises(ParameterError, match="local, local:4"):
        batch(net, photos, tmp_path / "out", cluster=name, **FEW)


def test_nobody_answers(net, photos, tmp_path, monkeypatch):
    """No scheduler, and no scheduler file."""
    monkeypatch.setattr(connect, "_PATIENCE", 0.3)
    with pytest.raises(EngineError, match=r"tcp://127.0.0.1:9 does not answer"):
        batch(net, photos, tmp_path / "out", cluster="tcp://127.0.0.1:9", **FEW)
    with pytest.raises(MissingFileError, match="no scheduler file"):
        batch(net, photos, tmp_path / "out", cluster=str(tmp_path / "no.json"), **FEW)


def test_a_scheduler_without_workers(net, photos, tmp_path, monkeypatch):
    """It is waited for a while, then told how to start one."""
    monkeypatch.setattr(cluster_jobs, "_PATIENCE", 1.0)
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as empty,
        pytest.raises(EngineError, match="has no worker: start some by 'dask worker tcp"),
    ):
        batch(net, photos, tmp_path / "out", cluster=empty.scheduler_address, **FEW)
    assert not list((tmp_path / "out").glob("*.png"))


def test_without_dask(net, photos, tmp_path, monkeypatch):
    """Two lines that say what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match=r"\[cluster\]"):
        batch(net, photos, tmp_path / "out", cluster="local", **FEW)


def test_what_does_not_go_with_a_cluster(net, photos, tmp_path, client):
    """Functions that are called here, a folder without machines, a net that has no files."""
    with pytest.raises(ParameterError, match="on_step and cluster"):
        batch(net, photos, tmp_path / "out", cluster=client, on_step=print, **FEW)
    with pytest.raises(ParameterError, match="shared is given without cluster"):
        batch(net, photos, tmp_path / "out", shared=str(tmp_path), **FEW)
    with pytest.raises(ParameterError, match="a folder that all machines see"):
        batch(net, photos, tmp_path / "out", cluster=client, shared=str(tmp_path / "no"), **FEW)
    del net.weights_path
    with pytest.raises(ParameterError, match="was not loaded from files"):
        batch(net, photos, tmp_path / "out", cluster=client, **FEW)


# -- workers that would make other pictures --------------------------------------------------------


def test_another_version_is_refused_by_name(net, photos, tmp_path, client, monkeypatch):
    """Where some workers are right they get the work; where none is, nothing is made."""
    first, second = client.scheduler_info()["workers"]
    here = bytes_of(batch(net, photos, tmp_path / "here", **FEW))

    def become(version):
        from deepdream.jobs import sent, worker

        sent.__version__ = worker.__version__ = version

    version = sent.__version__
    client.run(become, "0.0.1", workers=[first])
    try:
        with pytest.warns(UserWarning, match=f"{first} gets no work: it has deepdream 0.0.1"):
            there = batch(net, photos, tmp_path / "there", cluster=client, **FEW)
        assert bytes_of(there) == here
        client.run(become, "0.0.1", workers=[second])
        with pytest.warns(UserWarning, match="gets no work"), pytest.raises(EngineError) as caught:
            batch(net, photos, tmp_path / "none", cluster=client, **FEW)
        assert second in str(caught.value)
    finally:
        client.run(become, version)


@pytest.mark.slow
def test_the_right_worker_comes_back_under_another_address(net, photos, tmp_path, client):
    """What was given to it alone is given to the one in its place, not kept for it for ever."""
    first, second = client.scheduler_info()["workers"]
    marker = tmp_path / "ended"

    def objective(dst):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        dst.diff[...] = dst.data

    def become(version):
        from deepdream.jobs import sent, worker

        sent.__version__ = worker.__version__ = version

    version = sent.__version__
    client.run(become, "0.0.1", workers=[first])
    try:
        with pytest.warns(UserWarning, match=f"{first} gets no work: it has deepdream 0.0.1"):
            made = in_time(
                lambda: batch(
                    net, photos, tmp_path / "out", cluster=client, objective=objective, **FEW
                )
            )
    finally:
        client.run(become, version)

    assert not [entry.error for entry in made if entry.error]
    assert len(made) == 7
    assert second not in client.scheduler_info()["workers"]


def test_a_worker_that_comes_late_is_looked_at(net, client):
    """One that was right when it was asked, and is another one now, refuses the job itself."""
    files, shared = sent.NetFiles.of(net), sent.Shared("other", {}, {}, version="0.0.1")

    made, where = client.submit(worker.work, files, shared, Job("x", {}, "x.png"), 0, "t/0").result(
        timeout=300
    )

    assert made.error.startswith(f"{worker.REFUSED}it has deepdream")
    assert where in client.scheduler_info()["workers"]


def test_other_weights_are_refused(net, tmp_path):
    """Bytes that are others than the run's name them by their hashes."""
    files = sent.NetFiles.of(net)
    files.known = {**files.known, "caffemodel_sha256": "0" * 64}
    with pytest.raises(Exception, match=r"are others here: sha256 .* instead of 000000000000"):
        files.load(tmp_path)


# -- processes that die ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_picture_that_ends_its_workers(net, photos, tmp_path, cluster, client):
    """It is reported after two, the rest is done, and the same command tries it again."""
    save_image(np.random.RandomState(1).uniform(0, 255, (90, 50, 3)), photos / "deadly.png")
    counted = tmp_path / "count"

    def objective(dst):
        if dst.data.shape[2] > 16:
            with counted.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        dst.diff[...] = dst.data

    made = in_time(
        lambda: batch(net, photos, tmp_path / "out", cluster=client, objective=objective, **FEW)
    )

    failed = [entry for entry in made if entry.error]
    assert [entry.picture.name for entry in failed] == ["deadly.png"]
    assert "it has ended 2 workers (tcp://" in failed[0].error
    assert counted.read_text() == "xx"
    assert len(made) == 8
    assert "deadly.png" in (tmp_path / "out" / FAILURES).read_text()


@pytest.mark.slow
def test_a_picture_that_needs_too_much_memory(net, photos, tmp_path):
    """Dask ends a worker that takes more than it may; the picture is reported, the rest made."""
    save_image(np.random.RandomState(1).uniform(0, 255, (90, 50, 3)), photos / "greedy.png")

    def objective(dst):
        if dst.data.shape[2] > 16:
            hoard = [np.ones(1 << 20) for _ in range(400)]  # 3.2 GB
            time.sleep(len(hoard))
        dst.diff[...] = dst.data

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="1.5GB", host="127.0.0.1",
        dashboard_address=None, silence_logs=50,
    ) as small:  # fmt: skip
        made = in_time(
            lambda: batch(net, photos, tmp_path / "out", cluster=small, objective=objective, **FEW)
        )

    errors = {entry.picture.name: entry.error for entry in made if entry.error}
    assert list(errors) == ["greedy.png"]
    assert "it has ended 2 workers" in errors["greedy.png"]
    assert "memory" in errors["greedy.png"]
    assert len(made) == 8


@pytest.mark.slow
def test_workers_that_are_killed(net, photos, tmp_path, client):
    """Whatever dies, all pictures are made, and equal to those of an undisturbed run."""
    here = bytes_of(batch(net, photos, tmp_path / "here", **{**FEW, "iter_n": 60}))
    killed = []

    def kill():
        while not done.wait(0.2):
            with contextlib.suppress(Exception):
                pids = sorted(client.run(os.getpid).items())
                os.kill(pids[len(killed) % len(pids)][1], signal.SIGKILL)
                killed.append(time.monotonic())
                if len(killed) == 2:
                    return

    done = threading.Event()
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()

    def make():
        return batch(net, photos, tmp_path / "there", cluster=client, **{**FEW, "iter_n": 60})

    there = in_time(make)
    errors = [entry.error for entry in there if entry.error]
    if len(killed) == 2 and len(errors) == 1:  # both have met one picture, which is taken for it
        assert "it has ended 2 workers" in errors[0]
        there = in_time(make)
    done.set()
    killer.join(60)

    assert killed
    assert not [entry.error for entry in there if entry.error]
    assert bytes_of(there) == here


@pytest.mark.slow
def test_processes_that_do_not_come_back(net, photos, tmp_path, monkeypatch):
    """On this machine nobody else starts some: after a while the command says so, and ends."""
    out = tmp_path / "out"

    @contextlib.contextmanager
    def local(count, threads, real=connect._local):
        with real(count, threads) as made:

            def leave():
                for _ in range(1200):
                    if list(out.glob("*.png")):
                        break
                    time.sleep(0.05)
                made.scale(0)

            threading.Thread(target=leave, daemon=True).start()
            yield made

    monkeypatch.setattr(connect, "_local", local)
    monkeypatch.setattr(cluster_jobs, "_LOST", 2.0)
    raised = []

    def run():
        with pytest.raises(EngineError) as caught:
            batch(net, photos, out, cluster="local:1", **{**FEW, "iter_n": 60})
        raised.append(str(caught.value))
        return True

    in_time(run)
    assert "have ended and do not come back. What is made is kept" in raised[0]
    assert 1 <= len(list(out.glob("*.png"))) < 7


def start(*command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    return subprocess.Popen(
        as_typed(sys.executable, *command), env=environment, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def end(process):
    """End a process and those that it has started, which may have its pipe open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_the_scheduler_goes(files, photos, tmp_path):
    """What is made is kept, the command says how to go on, and goes on."""
    place = tmp_path / "scheduler.json"
    model = ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]
    command = ["-m", "deepdream", "batch", str(photos), "-o", str(tmp_path / "out"), *model,
               "--end", "a/output", "--iter-n", "300", "--cluster", str(place)]  # fmt: skip
    scheduler = start("-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(place),
                      "--port", "0", "--no-dashboard", "--host", "127.0.0.1")  # fmt: skip
    processes = [scheduler]
    try:
        for _ in range(300):
            if place.exists() and place.read_text().endswith("}"):
                break
            time.sleep(0.1)
        processes.append(
            start("-m", "distributed.cli.dask_worker", "--scheduler-file", str(place), "--nthreads",
                  "1", "--no-dashboard", "--death-timeout", "30")
        )  # fmt: skip
        run = start(*command)
        processes.append(run)
        out = tmp_path / "out"
        for _ in range(600):
            if out.is_dir() and len(list(out.glob("*.png"))) > 0:
                break
            time.sleep(0.05)
        scheduler.kill()
        said, _ = run.communicate(timeout=120)
    finally:
        for process in processes:
            end(process)
    made = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert run.returncode == 2, said
    assert "is gone. What is made is kept" in said
    assert 1 <= len(made) < 7
    assert not list(out.glob(".*"))
    assert main([*command[2:-2]]) == 0
    assert len(list(out.glob("*.png"))) == 7
    assert all((out / name).read_bytes() == data for name, data in made.items())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_ctrl_c_cancels_and_keeps(files, photos, tmp_path):
    """As a terminal sends it, to all processes of the command: they end, and what is made stays."""
    model = ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]
    out = tmp_path / "out"
    command = ["batch", str(photos), "-o", str(out), *model, "--end", "a/output"]
    run = start("-m", "deepdream", *command, "--iter-n", "300", "--cluster", "local:2")
    try:
        for _ in range(2400):
            if out.is_dir() and len(list(out.glob("*.png"))) > 0:
                break
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        began = time.monotonic()
        said, _ = run.communicate(timeout=120)
    finally:
        end(run)

    assert run.returncode == 130, said
    assert time.monotonic() - began < 20
    assert "stopped: " in said
    assert "the same command goes on there" in said
    assert "Traceback" not in said
    made = [path.name for path in out.iterdir()]
    assert 1 <= len(made) < 7
    assert not [name for name in made if name.endswith(".part")]


def test_the_command(files, photos, tmp_path, client, cluster, capsys):
    """`--cluster` and `--shared`."""
    model = ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]
    command = ["batch", str(photos), "-o", str(tmp_path / "out"), *model, "--end", "a/output",
               "--iter-n", "1", "--cluster", cluster.scheduler_address]  # fmt: skip

    assert main([*command, "--shared", str(tmp_path)]) == 0
    assert "(7 new pictures" in capsys.readouterr().out
    assert main(command) == 0
    assert "(0 new pictures, 7 from before" in capsys.readouterr().out


def test_progress_of_all(net, photos, tmp_path, client):
    """What is made elsewhere moves the bar by its share of the work."""
    seen = []

    class Shown:
        def share(self, done, text):
            seen.append((done, text))

        def frame(self, done):
            seen.append((done, "frame"))

    maker = Maker(net, {"seed": 0, "img": np.full((43, 61, 3), 99.0), **FEW})
    jobs = [Job(str(n), {"iter_n": n + 1}, f"{n}.png") for n in range(3)]
    list(run_jobs(maker, jobs, work=[1, 2, 5], shown=Shown(), cluster=client))

    shares = [done for done, text in seen if text != "frame"]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert seen[-1][1] == "picture 3/3"


def test_what_is_told_late_of_a_job_counts_no_more():
    """Steps of a job, and what came of it, come by ways of their own; some have no work at all."""
    told = []

    class Shown:
        def share(self, done, text):
            told.append((done, text))

        def frame(self, done):
            pass

    progress = Progress([Job("a", {}, "a.png"), Job("b", {}, "b.png")], None, Shown(), None)
    progress.tell(0, 0.5)
    progress.finished(0)
    progress.tell(0, 0.9)
    progress.tell(1, 0.5)

    assert told == [(0.25, "picture 0/2, 1 being made"), (0.75, "picture 1/2, 1 being made")]
    nothing = Progress([Job("a", {}, "a.png")], [0.0], Shown(), None)
    nothing.finished(0)
    nothing.show()


def test_write_batch_hands_on_what_is_done(net, photos, tmp_path, client):
    """Entries come one by one; leaving the loop takes the rest back."""
    todo = write_batch(net, photos, tmp_path / "out", cluster=client, **FEW)
    first = next(todo)
    todo.close()

    assert first.dream.is_file()
    assert not client.futures
