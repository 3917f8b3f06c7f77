"""The benchmark measures what it says: same gradient, right arithmetic, honest ratios."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import ROOT, assert_close
from tiny import TEST, tiny_net

from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

sys.path.insert(0, str(ROOT / "scripts"))
from bench import builds, process, report, run
from bench.arithmetic import convolution_flop, needed_layers
from bench.autograd import AutogradNet
from bench.bars import Bar, bars, find, over_floor, seconds_ratios
from bench.contestants import CONTESTANTS as CLASSES
from bench.options import CONTESTANTS, PARTS, parse
from bench.process import Failed, Process, environment, run_command
from bench.profile_startup import import_table, profile_tables, read_import_times

RESIDUAL = """
name: "residual"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 21 dim: 26 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1"
  scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "deep" type: "Convolution" bottom: "conv1" top: "deep"
  convolution_param { num_output: 6 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 group: 3 } }
layer { name: "clip" type: "Clip" bottom: "deep" top: "clip" clip_param { min: 0 max: 6 } }
layer { name: "sum" type: "Eltwise" bottom: "conv1" bottom: "clip" top: "sum" }
layer { name: "aside" type: "Convolution" bottom: "conv1" top: "aside"
  convolution_param { num_output: 9 kernel_size: 1 } }
layer { name: "last" type: "Pooling" bottom: "sum" top: "last"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
"""


def residual_net():
    net = Net(parse_prototxt(RESIDUAL), TEST, force_backward=True)
    seed_weights(net)
    return net


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("make", "end"),
    [(tiny_net, "a/output"), (tiny_net, "a/3x3"), (tiny_net, "pool2"), (residual_net, "last")],
)
def test_autograd_computes_what_net_computes(make, end, channels_last):
    """The module that we compare with gives Net's data and Net's gradient."""
    net = make()
    x = np.random.RandomState(3).uniform(-100, 100, net.blobs["data"].shape).astype(np.float32)
    module = AutogradNet(net, end, channels_last)
    picture = torch.from_numpy(x.copy()).requires_grad_()
    y = module(picture)
    y.backward(y.detach())
    data = y.detach().numpy().copy()

    net.blobs["data"].data[...] = x
    net.forward(end=end)
    net.blobs[end].diff[...] = net.blobs[end].data
    net.backward(start=end)

    assert_close(data, net.blobs[end].data)
    assert_close(picture.grad.numpy(), net.blobs["data"].diff)
    assert np.abs(net.blobs["data"].diff).max() > 0


def test_autograd_refuses_what_it_does_not_know():
    """A type without a stock operator is an error, not a layer left out."""
    net = Net(parse_prototxt(RESIDUAL.replace('"Clip"', '"BNLL"')), TEST)
    with pytest.raises(NotImplementedError, match="BNLL"):
        AutogradNet(net, "last")


def test_flop_counts_needed_convolutions_only():
    """By hand: two operations per weight and position, groups and stride counted, asides not."""
    net = residual_net()
    first = 6 * 3 * 3 * 3 * (11 * 13)
    deep = 6 * 2 * 3 * 5 * (11 * 13)

    assert convolution_flop(net, "last", 21, 26) == 2 * (first + deep)
    assert convolution_flop(net, "conv1", 21, 26) == 2 * first
    assert convolution_flop(net, "aside", 42, 26) == 2 * (first + 9 * 6 * 143) * 21 // 11


def test_flop_of_a_deconvolution_counts_its_bottom():
    """Each value of its bottom meets every weight once."""
    text = """
    layer { name: "data" type: "Input" top: "data"
      input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
      convolution_param { num_output: 4 kernel_size: 2 stride: 2 } }
    """

    assert convolution_flop(Net(parse_prototxt(text), TEST), "up", 5, 7) == 2 * 35 * 3 * 4 * 4


def test_needed_layers_leave_out_what_the_target_does_not_see():
    """Neither branches beside the target nor layers after it."""
    net = residual_net()
    names = [net._layer_names[i] for i in needed_layers(net, "sum")]

    assert {"conv1", "relu1", "deep", "clip", "sum"} <= set(names)
    assert not {"aside", "last"} & set(names)


# -- the report ---------------------------------------------------------------------------------


def seconds(*values, peak=600.0):
    return [{"seconds": value, "cores": 1.8, "peak": peak} for value in values]


def entry(size="1024x575", net="googlenet", threads=2, **more):
    return {"net": net, "end": "inception_4c/output", "size": size, "threads": threads,
            "runs": {}, "failed": {}, **more}  # fmt: skip


PRODUCT = 2 * 2048**3  # operations of one of the floor's

STEP = entry(
    flop=6 * PRODUCT,
    runs={
        "caffe": seconds(16.0, 9.0, 30.0),
        "plan": seconds(2.0, 3.0, 3.0),
        "floor": seconds(1 / 3, 1 / 2, 1 / 4),
    },
    failed={"net": "it fell asleep"},
    idle={"caffe": 0.004, "plan": 0.001},
    disagree={"caffe": 0.0, "plan": 3e-6},
)
RESULTS = {
    "facts": {"plan": {"torch": "2.0", "instructions": "AVX512"}}, "builds": {},
    "processor": "abacus", "cores": 2, "memory": 4.0, "system": "Linux", "device": "cpu",
    "precision": "float32", "rounds": 3, "dreaming": 1, "load": 0.2, "picture": "sky.jpg",
    "help": {"runs": {"command": [{"wall": 0.25}, {"wall": 0.75}, {"wall": 0.4}]}, "failed": {}},
    "steps": [STEP],
    "dreams": [entry(runs={
        "caffe": [{"wall": 60.0, "seconds": 50.0, "peak": 1200.0}],
        "command": [{"wall": 8.0, "peak": 600.0}],
    })],
    "starts": [], "fresh": [],
}  # fmt: skip

BUILD = {"name": "v1", "commit": 40 * "a", "subject": "first", "python": "3.11.7 (main)",
         "bytes": 400 * 2**20, "packages": {"torch": 300 * 2**20, "numpy": 60 * 2**20},
         "versions": {"torch": "2.13.0+cpu", "numpy": "2.4.6"}}  # fmt: skip
BESIDE = {
    **RESULTS,
    "builds": {
        "baseline": BUILD,
        "tree": {**BUILD, "name": "working tree", "bytes": 130 * 2**20, "changed": True},
    },
    "steps": [
        entry(runs={"baseline": seconds(3.0, 4.0, 5.0), "plan": seconds(2.0, 2.0, 4.0)},
              flop=PRODUCT, idle={}, disagree={}),
        entry(net="vgg16", runs={"baseline": seconds(9.0), "plan": seconds(10.0)},
              flop=PRODUCT, idle={}, disagree={}),
    ],
    "dreams": [entry(runs={
        "caffe": [{"wall": 60.0, "seconds": 50.0, "peak": 1200.0}],
        "baseline-command": [{"wall": 9.0, "peak": 700.0}],
        "command": [{"wall": 10.0, "peak": 350.0}],
    })],
    "starts": [entry(runs={
        name: [{"imports": 0.5 * first, "loaded": 0.75 * first, "first": first, "peak": 400.0}]
        for name, first in (("baseline", 3.3), ("plan", 1.1))
    })],
    "fresh": [entry(runs={"command": [{"first": 9.0, "second": 4.5, "longer": 4.5}]})],
}  # fmt: skip


def test_ratios_are_medians_of_rounds():
    """The median of each round's ratio, which is not the ratio of the medians."""
    bar = Bar("", "≥", 6, seconds_ratios(STEP, "caffe", "plan"))

    assert bar.reached == 8
    assert over_floor(STEP, "plan") == [1, 1, 2]
    assert seconds_ratios(STEP, "net", "plan") is None


def test_the_report_says_what_was_reached_and_what_was_missed():
    """Bars with a figure, bars without, and who took no part."""
    text = report.report(RESULTS)

    assert "| step at 1024x575: real Caffe / plan | ≥ 6 | 8.00 | 3.00–10.0 |  |" in text
    assert "real Caffe / `deepdream dream` | ≥ 6 | 7.50 |  |  |" in text
    assert "| step at 320x180: real Caffe / plan | ≥ 4 | not measured | | |" in text
    assert "| `deepdream --help` | ≤ 0.3 s | 0.40 s | 0.25–0.75 | missed |" in text
    assert "Without `dream` on `Net`: it fell asleep." in text
    assert "| real Caffe 1.0 | 16000 | 8.00 | 3.00–10.0 |" in text
    assert "the others together used 0.5 % of one core" in text


def test_the_report_beside_a_baseline():
    """Every bar of a revision against an earlier one, with its verdict."""
    lines = report.report(BESIDE).splitlines()
    table = {}
    for line in lines[lines.index("| bar | goal | reached | range | |") + 2 :]:
        if not line:
            break
        what, goal, reached, _, verdict = (cell.strip() for cell in line.strip("|").split("|"))
        table[what] = (goal, reached, verdict)

    assert table == {
        "first step, from the start of the process: baseline / new": ("≥ 2.5", "3.00", ""),
        "default dream at 1024x575, whole process: baseline / new": ("≥ 1.6", "0.90", "missed"),
        "default dream at 1024x575, whole process: real Caffe / new": ("≥ 7", "6.00", "missed"),
        "step at 1024x575: baseline / new": ("≥ 1.25", "1.50", ""),
        "step at 320x180: baseline / new": ("≥ 1.25", "not measured", ""),
        "vgg16, step at 1024x575: baseline / new": ("≥ 1", "0.90", "missed"),
        "peak memory of the dream at 1024x575: baseline / new": ("≥ 1.6", "2.00", ""),
        "what the very first run takes longer than the second": ("≤ 4 s", "4.50 s", "missed"),
        "size of an installation: new / baseline": ("≤ 0.4", "0.33", ""),
        "`deepdream --help`": ("≤ 0.1 s", "0.40 s", "missed"),
    }
    assert "Baseline: v1, aaaaaaaaaaaa (first); Python 3.11.7, torch 2.13.0+cpu" in lines[2]
    assert "working tree, aaaaaaaaaaaa (first), and what is not committed" in lines[4]
    assert "| working tree | 130 | torch 300, numpy 60 |" in lines


def test_what_a_bar_is_depends_on_the_machine():
    """Real Caffe is nearer where there are no vectors of sixteen, and CUDA is not a CPU build."""
    build = {**BUILD, "versions": {"torch": "2.13.0"}}
    results = {
        **BESIDE,
        "facts": {"baseline": {"instructions": "AVX2"}},
        "builds": {**BESIDE["builds"], "baseline": build},
    }
    goals = {bar.what: bar.goal for bar in bars(results, 2)}

    assert goals["default dream at 1024x575, whole process: real Caffe / new"] == 5.5
    assert "size of an installation: new / baseline (with PyTorch's usual build)" in goals


def test_each_number_of_threads_has_its_goals():
    """What was measured with one thread is not compared with what was measured with two."""
    single = entry(threads=1, runs={"caffe": seconds(50.0), "plan": seconds(5.0)},
                   flop=PRODUCT, idle={}, disagree={})  # fmt: skip
    text = report.report({**RESULTS, "steps": [STEP, single]})

    assert text.index("**Goals, 1 thread**") < text.index("**Goals, 2 threads**")
    assert "real Caffe / plan | ≥ 6 | 10.0 |  |  |" in text
    assert "real Caffe / plan | ≥ 6 | 8.00 | 3.00–10.0 |  |" in text
    assert find([STEP, single], 1) is single


@pytest.mark.parametrize("distance", [0.5, float("nan")])
def test_the_report_names_who_computes_something_else(distance):
    """A contestant with another gradient is no contestant."""
    step = {**STEP, "disagree": {"caffe": 0.0, "plan": distance}}

    assert "too far: `dream` on the plan" in report.agreement(step)
    assert "too far" not in report.agreement(STEP)


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nets", "googlenet,lenet"], "lenet; there are googlenet, "),
        (["--contestants", "caffe,abacus"], "abacus; there are caffe, "),
        (["--only", "lunch"], "lunch; there are help, size, "),
        (["--only", "size"], "for --baseline only"),
        (["--threads", "2,many"], "not 2,many"),
        (["--threads", "0"], "not 0"),
        (["--sizes", "640"], "not 640"),
        (["--rounds", "0"], "at least one round"),
        (["--baseline", "HEAD", "--device", "cuda"], "on CPUs only"),
    ],
)
def test_the_options_refuse_what_is_not_there(arguments, words, capsys):
    """Before anything is built or measured, with a word on what would do."""
    with pytest.raises(SystemExit):
        parse(arguments)

    assert words in " ".join(capsys.readouterr().err.split())


def test_defaults_depend_on_the_baseline():
    """Beside a baseline, fewer contestants take part in more dreams; threads are two at most."""
    alone, beside = parse([]), parse(["--baseline", "HEAD", "--threads", "1,2"])

    assert alone.contestants == list(CONTESTANTS)
    assert (alone.dreams, beside.dreams) == (1, 3)
    assert alone.threads in ([1], [2])
    assert beside.threads == [1, 2]
    assert beside.contestants == ["caffe", "plan"]
    assert beside.sizes == ["320x180", "1024x575"]


def test_help_helps():
    """All parts and contestants are told, and where the rest stands."""
    done = subprocess.run(
        [sys.executable, "scripts/bench.py", "--help"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0
    for name, text in {**PARTS, **CONTESTANTS}.items():
        assert f"  {name:12}{text.replace('`', chr(39))}\n" in done.stdout
    assert "scripts/bench/README.md" in done.stdout


# -- rounds -------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path):
    """A benchmark that has not begun, of one small size."""
    return run.Bench(parse(["--sizes", "21x14", "--nets", "squeezenet_v1.1"]), tmp_path)


def test_every_round_starts_with_another_one(bench):
    """And every one has its turn in each."""
    result, turns = entry(), []
    bench.rounds(3, ["a", "b", "c"], result, lambda name: turns.append(name) or {"n": len(turns)})

    assert "".join(turns) == "abcbcacab"
    assert result["runs"]["a"] == [{"n": 1}, {"n": 6}, {"n": 8}]


def test_who_fails_is_out_and_the_others_go_on(bench):
    """Its turns are gone, too: they have nobody to be compared with."""
    result = entry(failed={"d": "was not there"})

    def turn(name):
        if name == "b" and len(result["runs"]["a"]) == 3:
            raise Failed("it ran out of steam")
        return {"n": 1}

    bench.rounds(4, ["a", "b", "c", "d"], result, turn)

    assert {name: len(turns) for name, turns in result["runs"].items()} == {"a": 4, "c": 4}
    assert result["failed"] == {"d": "was not there", "b": "it ran out of steam"}


def test_an_interrupted_round_does_not_count(bench):
    """What was finished before is kept, the same number for each."""
    result = entry()

    def turn(name):
        if name == "b" and len(result["runs"]["a"]) == 3:
            raise KeyboardInterrupt
        return {"n": 1}

    with pytest.raises(KeyboardInterrupt):
        bench.rounds(9, ["a", "b", "c"], result, turn)

    assert {name: len(turns) for name, turns in result["runs"].items()} == {"a": 2, "b": 2, "c": 2}


def test_ctrl_c_prints_what_was_done(monkeypatch, tmp_path, capsys):
    """Finished rounds are in the report and in the JSON file."""

    def interrupted(bench, *_):
        result = bench._result("starts", "googlenet", "1024x575", 2)
        result["runs"] = {"plan": [{"imports": 1.0, "loaded": 2.0, "first": 2.5, "peak": 300.0}]}
        raise KeyboardInterrupt

    monkeypatch.setattr(run.Bench, "help", interrupted)
    status = run.main(["--sizes", "21x14", "--json", str(tmp_path / "all.json")])
    said = capsys.readouterr()

    assert status == 130
    assert "stopped" in said.err
    assert "| first step, from the start of the process | ≤ 3 s | 2.50 s |  |  |" in said.out
    stored = json.loads((tmp_path / "all.json").read_text())
    assert stored["starts"][0]["runs"]["plan"][0]["first"] == 2.5


def test_without_any_figure_there_is_no_report(monkeypatch, capsys):
    """A revision that cannot be built is an error, and nothing else."""

    def build(revision):
        raise Failed(f"no {revision}")

    monkeypatch.setattr(run, "build_revision", build)

    assert run.main(["--baseline", "v0", "--sizes", "21x14"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("bench: no v0\n")


def test_a_very_first_dream_finds_nothing(bench, monkeypatch):
    """Each round anew; the second dream finds what the first one has left."""

    def dream(name, job, caches):
        waited = 1.0 if caches.exists() else 9.0
        caches.mkdir(exist_ok=True)
        return {"wall": waited}

    bench.options.dreams = 2
    monkeypatch.setattr(bench, "_dream", dream)
    bench.fresh("squeezenet_v1.1", "21x14", 1)

    found = bench.results["fresh"][0]["runs"]["command"]
    assert found == 2 * [{"first": 9.0, "second": 1.0, "longer": 8.0}]


# -- processes ----------------------------------------------------------------------------------

WORKER = """
import json, os, sys, time
job = json.loads(sys.argv[2])
if job["task"] == "die":
    sys.exit("out of ink")
print(json.dumps({"name": sys.argv[1], "threads": os.environ["OMP_NUM_THREADS"]}), flush=True)
for line in sys.stdin:
    if line == "sleep\\n":
        time.sleep(600)
    print(json.dumps({"error": "no idea"} if line == "what\\n" else {"seconds": 2}), flush=True)
"""


@pytest.fixture
def fake_worker(tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.setattr(process, "WORKER", tmp_path / "worker.py")


@pytest.mark.usefixtures("fake_worker")
def test_a_contestant_answers_line_by_line():
    """It knows its name and its threads; what it cannot do it says, and what it died of is told."""
    with Process("abacus", {"threads": 3, "task": "steps"}) as contestant:
        assert contestant.ask() == {"name": "abacus", "threads": "3"}
        assert contestant.ask("step") == {"seconds": 2}
        with pytest.raises(Failed, match="no idea"):
            contestant.ask("what")
    contestant = Process("abacus", {"threads": 3, "task": "die"})
    with pytest.raises(Failed, match="ended: out of ink"):
        contestant.ask()
    contestant.close()


@pytest.mark.usefixtures("fake_worker")
def test_a_contestant_that_works_is_ended_at_once():
    """Ctrl-C does not wait for its turn to end."""
    contestant = Process("abacus", {"threads": 1, "task": "steps"})
    contestant.ask()
    contestant._process.stdin.write("sleep\n")
    contestant._process.stdin.flush()
    contestant.__exit__(KeyboardInterrupt, None, None)

    assert contestant._process.returncode == -9


def test_a_command_is_measured_or_told_what_it_died_of(tmp_path):
    """Its time and its memory from start to end; it sees its own caches and nobody's Python."""
    code = (
        "import os, sys, time; block = bytearray(200 << 20); time.sleep(0.2)\n"
        "assert os.environ['NUMBA_CACHE_DIR'].startswith(sys.argv[1])\n"
        "assert 'PYTHONPATH' not in os.environ"
    )
    caches = builds.cache_variables(tmp_path)
    run_of = run_command([sys.executable, "-c", code, str(tmp_path)], 1, caches)

    assert run_of["wall"] > 0.2
    # On Linux a process begins with the peak of the one that has made it.
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 200 < run_of["peak"] < max(2000, 1.1 * mine)
    with pytest.raises(Failed, match=r"ended with 3.*: it is late"):
        run_command([sys.executable, "-c", "import sys; print('it is late', file=sys.stderr);"
                     "sys.exit(3)"], 1)  # fmt: skip


def test_threads_are_those_of_every_library():
    """Whatever computes asks one of these."""
    assert {environment(3)[f"{kind}_NUM_THREADS"] for kind in ("OMP", "OPENBLAS", "MKL")} == {"3"}


@pytest.mark.parametrize("styles", [True, False])
def test_both_revisions_dream_as_the_notebook_does(styles):
    """Whatever their defaults: its parameters are said, and its style where there are styles."""
    given = {}

    def older(net, img, end, *, iter_n, octave_n, octave_scale, step_size, jitter, on_step):
        given.update(locals())

    def newer(net, img, end, *, iter_n, octave_n, octave_scale, step_size, jitter, on_step,
              style=None):  # fmt: skip
        given.update(locals())

    job = {"mean": (0, 0, 0), "threads": 1, "task": "dream", "prototxt": "",
           "caffemodel": "", "device": "cpu", "end": "mixed", "dream": {}}  # fmt: skip
    contestant = CLASSES["plan"].__new__(CLASSES["plan"])
    contestant.deepdream = SimpleNamespace(
        load_net=lambda *_, **__: "net", dream=newer if styles else older
    )
    contestant.job = job
    contestant.load(job)
    contestant.dream(np.zeros((5, 7, 3)), lambda: True)

    assert (given["iter_n"], given["octave_n"], given["octave_scale"]) == (10, 4, 1.4)
    assert (given["step_size"], given["jitter"]) == (1.5, 32)
    assert given.get("style") == ("2015" if styles else None)
    assert given["on_step"](None) is True


def test_the_wrong_revision_is_noticed(tmp_path):
    """Whichever `deepdream` Python finds first: it is the one that is to be measured."""
    job = {"mean": (0, 0, 0), "threads": 1, "path": None, "inside": str(tmp_path)}
    with pytest.raises(ImportError, match="is not in"):
        CLASSES["plan"](job)


# -- builds -------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, and a pip that needs no network: it copies."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "checkout"
    (root / "deepdream").mkdir(parents=True)
    (root / "setup.py").write_text("first requirements")
    (root / "constraints.txt").write_text("numpy==1.23")
    (root / "deepdream" / "net.py").write_text("first")
    (root / ".gitignore").write_text("*.tmp")
    (root / "deepdream" / "left.tmp").write_text("rubbish")
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "the beginning"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    calls = []

    def fake(command, home):
        kind = next((word for word in ("venv", "install", "--version") if word in command), "tar")
        site = home / "venv" / "lib" / "python3.11" / "site-packages"
        calls.append("reinstall" if "--no-deps" in command else kind)
        if kind == "tar":
            subprocess.run(command, check=True)
        elif kind == "venv":
            shutil.rmtree(home / "venv", ignore_errors=True)
            (site / "pip").mkdir(parents=True)
            (site / "pip" / "pip.py").write_bytes(bytes(50))
        elif kind == "install":
            if (home / "source" / "setup.py").read_text() == "broken":
                raise Failed("no such package")
            if "--no-deps" not in command:
                pinned = command[command.index("--constraint") + 1]
                assert Path(pinned).read_text() == "numpy==1.23"
            shutil.copytree(home / "source" / "deepdream", site / "deepdream", dirs_exist_ok=True)
            record = site / "deepdream_caffe-1.0.dist-info" / "RECORD"
            record.parent.mkdir(exist_ok=True)
            record.write_text("deepdream/net.py,sha256=x,5\n")
            (site / "torch").mkdir(exist_ok=True)
            (site / "torch" / "lib.so").write_bytes(bytes(1000))

    monkeypatch.setattr(builds, "ROOT", root)
    monkeypatch.setattr(builds, "_run", fake)
    return SimpleNamespace(root=root, calls=calls, folder=tmp_path / "built")


def test_a_revision_is_built_once(checkout):
    """As it was committed, with its own constraints; the second time it is there."""
    (checkout.root / "deepdream" / "net.py").write_text("changed since")
    build = builds.build_revision("HEAD", checkout.folder)
    again = builds.build_revision("HEAD", checkout.folder)

    assert checkout.calls == ["tar", "venv", "install", "--version"]
    assert again == build
    assert (build.folder / "source" / "deepdream" / "net.py").read_text() == "first"
    assert build.stamp["subject"] == "the beginning"
    assert build.stamp["versions"] == {"deepdream_caffe": "1.0"}
    assert build.stamp["packages"]["torch"] == 1000
    assert 1000 < build.stamp["bytes"] < 1100  # without pip
    assert build.python == build.folder / "venv" / "bin" / "python"


@pytest.mark.parametrize("damage", ["half", "garbled", "other python"])
def test_what_is_half_built_is_built_anew(checkout, damage):
    """Whatever the stamp does not vouch for."""
    build = builds.build_revision("HEAD", checkout.folder)
    stamp = build.folder / "built.json"
    if damage == "half":
        stamp.unlink()
    elif damage == "garbled":
        stamp.write_text('{"commit": ')
    else:
        stamp.write_text(json.dumps({**build.stamp, "python": "2.7"}))
    (build.folder / "source" / "stray.py").touch()
    builds.build_revision("HEAD", checkout.folder)

    assert checkout.calls == 2 * ["tar", "venv", "install", "--version"]
    assert not (build.folder / "source" / "stray.py").exists()
    assert json.loads(stamp.read_text())["python"] == sys.version


def test_a_build_that_fails_leaves_no_stamp(checkout):
    """So that the next one does not take it for whole."""
    (checkout.root / "setup.py").write_text("broken")
    with pytest.raises(Failed, match="no such package"):
        builds.build_tree(checkout.folder)

    assert not list(checkout.folder.rglob("built.json"))


def test_the_working_tree_is_brought_up_to_date(checkout):
    """New code: the package alone; new requirements: everything. What git ignores stays out."""
    first = builds.build_tree(checkout.folder)
    assert first.stamp["changed"] is False
    assert not (first.folder / "source" / "deepdream" / "left.tmp").exists()
    builds.build_tree(checkout.folder)
    assert checkout.calls == ["venv", "install", "--version"]

    (checkout.root / "deepdream" / "new.py").write_text("not committed yet")
    second = builds.build_tree(checkout.folder)
    assert checkout.calls[3:] == ["reinstall", "--version"]
    assert (second.folder / "source" / "deepdream" / "new.py").exists()
    assert second.stamp["changed"] is True
    assert second.stamp["bytes"] == first.stamp["bytes"] + len("not committed yet")

    (checkout.root / "setup.py").write_text("fewer requirements")
    builds.build_tree(checkout.folder)
    assert checkout.calls[5:] == ["venv", "install", "--version"]


def test_a_very_first_run_finds_what_pip_has_left(checkout):
    """Kernels that a run has compiled beside the modules are taken away, and nothing else."""
    build = builds.build_revision("HEAD", checkout.folder)
    package = build.folder / "venv" / "lib" / "python3.11" / "site-packages" / "deepdream"
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "kernel.nbc").touch()
    build.tidy()

    assert [path.name for path in package.rglob("*") if path.is_file()] == ["net.py"]


def test_a_revision_that_is_not_there_is_named(checkout):
    """Before anything is built."""
    with pytest.raises(Failed, match="v99"):
        builds.build_revision("v99", checkout.folder)

    assert not checkout.folder.exists()


def test_pip_is_quoted_where_it_fails(tmp_path):
    """The end of what it said, and where the rest is."""
    code = "print('looking'); raise SystemExit('no matching distribution')"
    with pytest.raises(Failed, match=r"(?s)build.log.*looking.*no matching distribution"):
        builds._run([sys.executable, "-uc", code], tmp_path)


# -- where the start goes -----------------------------------------------------------------------

IMPORTS = """
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     numpy.core
import time:      2000 |       3000 |   numpy
import time:       500 |        500 |     torch._C
import time:      7000 |       7500 |   torch
some other line
import time:       100 |      10600 | deepdream
import time:       300 |        300 | os
"""


def test_imports_are_read_as_a_tree():
    """Who imports stands behind what it imports."""
    deepdream, last = read_import_times(IMPORTS.splitlines())

    assert (deepdream.name, deepdream.total, last.name) == ("deepdream", 0.0106, "os")
    assert [module.name for module in deepdream.imports] == ["numpy", "torch"]
    assert [module.name for module in deepdream.imports[1].imports] == ["torch._C"]


def test_imports_are_added_up_by_package():
    """The slowest first, with the one that asked."""
    lines = list(import_table(IMPORTS.splitlines(), 2))

    assert lines[2:] == [
        "| torch | 0.007 | 2 | `deepdream` |",
        "| numpy | 0.003 | 2 | `deepdream` |",
        "| all | 0.011 | 6 | |",
    ]


def test_profiles_are_added_up_by_package(tmp_path):
    """Ours with what they call; paths from the package on."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import deepdream.version"
    (tmp_path / "program.py").write_text(code)
    subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", "profile", "program.py"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    text = "\n".join(profile_tables(tmp_path / "profile", 30))

    assert "| `deepdream/version.py:1 <module>` |" in text
    assert "| (built in) |" in text


# -- the whole way ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_quick_run_prints_tables():
    """The whole way, on the smallest size, with two contestants."""
    done = subprocess.run(
        [sys.executable, "scripts/bench.py", "--quick", "--nets", "squeezenet_v1.1",
         "--contestants", "autograd,net", "--threads", "1", "--only", "steps,dreams,start"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Without" not in done.stdout
    assert "too far" not in done.stdout
    for title in ("PyTorch autograd", "`dream` on `Net`"):
        assert done.stdout.count(f"| {title} |") == 3
    assert "GFLOP/s; floor" in done.stdout


@pytest.mark.slow
def test_a_quick_run_beside_a_baseline(monkeypatch, tmp_path, capsys):
    """The whole way, with this code in the place of both revisions."""

    def build(name="working tree"):
        home = tmp_path / "built"
        if not home.exists():
            for part in ("deepdream", "prototxt"):
                shutil.copytree(ROOT / part, home / part)
        (home / "venv" / "bin").mkdir(parents=True, exist_ok=True)
        for program, more in (("python", ""), ("deepdream", "-m deepdream ")):
            script = home / "venv" / "bin" / program
            script.write_text(f'#!/bin/sh\nPYTHONPATH={home} exec {sys.executable} {more}"$@"\n')
            script.chmod(0o755)
        return builds.Build(name, home, BUILD)

    monkeypatch.setattr(run, "build_revision", build)
    monkeypatch.setattr(run, "build_tree", build)
    monkeypatch.setattr(run, "caffe_python", lambda: None)
    status = run.main(
        [
            "--baseline",
            "v1",
            "--quick",
            "--nets",
            "squeezenet_v1.1",
            "--threads",
            "1",
            "--only",
            "help,size,steps,dreams,start",
        ]
    )
    text, told = capsys.readouterr()

    assert status == 0, told
    assert "too far" not in text
    assert text.count("Without real Caffe 1.0: not installed") == 3
    for title in ("`dream` of the baseline", "`dream` on the plan"):
        assert text.count(f"| {title} |") == 2
    for title in ("`deepdream` of the baseline", "`deepdream`"):
        assert text.count(f"| {title} |") == 2
    assert len(list((tmp_path / "built" / "caches" / "kernels").rglob("*.o"))) > 3
