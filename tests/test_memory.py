"""Free memory, and sizes as people write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from deepdream import memory
from deepdream.errors import ParameterError
from deepdream.memory import format_size, free_memory, parse_size

MIB = 2**20


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("2G", 2 * 2**30),
        ("1500M", 1500 * MIB),
        ("1.5 GiB", 1536 * MIB),
        (".5g", 512 * MIB),
        ("3kb", 3072),
        ("1T", 2**40),
        ("4096", 4096),
        ("700 B", 700),
        (12345, 12345),
        (np.int64(7), 7),
    ],
)
def test_sizes_are_read(size, expected):
    """Units are powers of 1024, however they are spelled."""
    assert parse_size(size) == expected
    assert type(parse_size(size)) is int


@pytest.mark.parametrize(
    "size", ["", "G", "two", "-1G", "0", "1,5G", "1e9", 0, -5, 1.5, True, None]
)
def test_what_is_no_size_is_refused(size):
    """The message repeats what was given and says how to write it."""
    with pytest.raises(ParameterError, match="is no size of memory: write it like '2G'") as error:
        parse_size(size)
    assert repr(size) in str(error.value)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3.4 * MIB, "3.4 MiB"),
        (99.96 * MIB, "100 MiB"),
        (1023.9 * MIB, "1.0 GiB"),
        (2**31, "2.0 GiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_sizes_are_written(size, expected):
    """Two or more digits, in the unit that keeps them few."""
    assert format_size(size) == expected


def test_a_written_size_can_be_read_again():
    """What `format_size` writes, `parse_size` takes."""
    for size in (17, 5 * 1024, 321 * MIB, 7 * 2**30):
        assert parse_size(format_size(size)) == size


def test_free_memory_is_not_above_what_the_machine_has():
    """The number is positive and plausible."""
    assert 0 < free_memory() <= psutil.virtual_memory().total


def test_without_psutil_other_limits_count(monkeypatch):
    """Beside the real Caffe it may be missing."""
    monkeypatch.setattr(memory, "psutil", None)
    assert memory._free_addresses() == []
    monkeypatch.setattr(memory, "_free_in_groups", lambda: iter([]))
    assert free_memory() == sys.maxsize
    monkeypatch.setattr(memory, "_free_in_groups", lambda: iter([3000]))
    assert free_memory() == 3000


def group(root: Path, lines: str, folder: str, **files: object) -> None:
    """Write a control group under `root`; two underscores in a file's name stand for a dot."""
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text(lines)
    (root / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / "sys/fs/cgroup" / folder / name.replace("__", ".")).write_text(f"{text}\n")


def left(root: Path) -> list[int]:
    """Return what the groups under `root` have left."""
    return list(memory._free_in_groups(root))


def test_a_group_of_version_2(tmp_path):
    """Limit less usage, the file cache not counted; a group around it counts too."""
    stat = "anon 5\ninactive_file 100\nactive_file 7"
    inner = {"memory__max": 1000, "memory__current": 400, "memory__stat": stat}
    group(tmp_path, "0::/job/step\n", "job/step", **inner)
    group(tmp_path, "0::/job/step\n", "job", memory__max=900, memory__current=450)
    group(tmp_path, "0::/job/step\n", "", memory__stat="")

    assert left(tmp_path) == [700, 450]


def test_a_group_without_limit(tmp_path):
    """The word max sets none."""
    group(tmp_path, "0::/\n", "", memory__max="max", memory__current=400)

    assert left(tmp_path) == []


def test_a_group_of_version_1_in_a_container(tmp_path):
    """The path is the host's and does not exist; the group lies at the top."""
    lines = "5:cpu,cpuacct:/docker/77\n4:memory:/docker/77\n0::/\n"
    files = {"memory__limit_in_bytes": 5000, "memory__usage_in_bytes": 1200}
    group(tmp_path, lines, "memory", **files, memory__stat="total_inactive_file 200")

    assert left(tmp_path) == [4000]


def test_no_groups(tmp_path):
    """Where there is no such file there is no limit."""
    assert left(tmp_path) == []


def test_the_smallest_limit_counts(monkeypatch):
    """A group's limit, an address limit, or the machine's memory; never below zero."""
    available = psutil.virtual_memory().available
    monkeypatch.setattr(memory, "_free_in_groups", lambda: iter([3000, 2000]))
    monkeypatch.setattr(memory, "_free_addresses", list)
    assert free_memory() == 2000
    monkeypatch.setattr(memory, "_free_addresses", lambda: [1000])
    assert free_memory() == 1000
    monkeypatch.setattr(memory, "_free_in_groups", lambda: iter([-50]))
    assert free_memory() == 0
    assert available > 3000


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is not enforced elsewhere")
def test_a_limit_of_addresses_counts():
    """Under ``ulimit -v`` no more than that is free."""
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_AS, (2**29, 2**29))\n"
        "from deepdream.memory import free_memory; print(free_memory())"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )

    assert 0 < int(done.stdout) < 2**29


def test_free_memory_of_a_gpu(monkeypatch):
    """What is free there, and what PyTorch has reserved and does not use."""
    asked = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda d: (asked.append(d), (700, 9000))[1])
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda d: 300)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda d: 250)

    assert free_memory("cuda:1") == 750
    assert asked == ["cuda:1"]
