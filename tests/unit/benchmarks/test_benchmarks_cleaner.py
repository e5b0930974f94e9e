"""The cleaner's benchmark works: small trees, every row there. What it says about time is nobody's business here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cleaner import bars, comparison, disk, growth, launching, machine, start, tables
from benchmarks.cleaner.cleaners import (
    CHMOD_RM,
    IN_PROCESS,
    OURS,
    PARTS,
    RM,
    UV,
    UV_VERSION,
    Cleaner,
    all_cleaners,
    limit_name,
)
from benchmarks.cleaner.launching import LAUNCHER, Took, launch, left_over
from benchmarks.cleaner.shapes import HOSTILE_MODES, KEPT, SHAPES, make
from cache_core.landlock import ABI_MIN, landlock_abi
from cache_core.removal import remove_tree
from simulator.errors import MachineError
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/benchmarks.md"
ROWS = (RM, CHMOD_RM, "find -delete", "shutil.rmtree", f"{UV} {UV_VERSION}", OURS, *PARTS, "C, 1 thread")
COMMAND = [sys.executable, "-m", "benchmarks", "cleaner", "--quick", "--rounds", "1"]


@pytest.fixture
def tree(tmp_path):
    """A path for a tree, beside a place for what is needed meanwhile."""
    yield str(tmp_path / "cache")
    remove_tree(str(tmp_path))


def entries(root):
    """Files and directories below."""
    files = directories = 0
    for _, inner, outer in os.walk(root):
        directories += len(inner)
        files += len(outer)
    return files, directories


# Shapes.


@pytest.mark.slow
def test_the_cache_has_as_many_as_are_said(tree):
    shape = SHAPES[0]
    make(shape.name, tree, shape.size)
    # A link to a directory is among the directories of os.walk; there is one to each archive.
    files, directories = entries(tree)
    links = len(os.listdir(f"{tree}/wheels-v5/pypi"))
    assert (files + links - len(KEPT), directories - links) == (30_000, 4_000)


def test_a_tenth_of_the_hostile_ones_directories_keep_their_owner_out(tree, monkeypatch):
    closed = []
    monkeypatch.setattr("benchmarks.cleaner.shapes.os.chmod", lambda path, mode: closed.append((path, mode)))
    make("hostile", tree, 3_000)
    _, directories = entries(tree)
    links = len(os.listdir(f"{tree}/wheels-v5/pypi"))
    assert len(closed) == (directories - links) // 10
    assert {mode for _, mode in closed} == set(HOSTILE_MODES)
    # Whoever is closed first keeps the benchmark out of what is in it.
    paths = [path for path, _ in closed]
    assert not [later for at, path in enumerate(paths) for later in paths[at:] if later.startswith(f"{path}/")]


def test_the_hostile_one_is_really_closed(tree):
    make("hostile", tree, 300)
    # None of them is empty, so each has to be opened up by whoever removes it.
    assert remove_tree(tree).permissions_repaired == 40 // 10


def test_the_chain_is_as_deep_as_it_says(tree):
    make("chain", tree, 40)
    assert os.path.isdir(tree + "/inner" * 40)
    assert not os.path.exists(tree + "/inner" * 41)


@pytest.mark.parametrize("shape", [shape.name for shape in SHAPES])
def test_every_shape_is_a_cache(tree, shape):
    make(shape, tree, 30)
    assert set(os.listdir(tree)) > KEPT


# What counts as cleaned.


def test_an_empty_cache_is_cleaned_and_so_is_one_that_is_gone(tree):
    make("flat", tree, 3)
    remove_tree(f"{tree}/archive-v0")
    assert left_over(0, tree) == ""
    remove_tree(tree)
    assert left_over(0, tree) == ""


def test_whoever_leaves_something_cannot_whatever_it_says(tree):
    make("hostile", tree, 300)
    expected = 300 + 40
    assert left_over(0, tree) == f"exit 0, left {expected}"
    assert not os.path.exists(tree)


def test_whoever_says_that_it_failed_cannot(tree):
    assert left_over(2, tree) == "exit 2, all gone"
    assert left_over(-9, tree) == "SIGKILL, all gone"


def test_a_command_is_measured(tree, tmp_path):
    make("flat", tree, 3)
    took = launch(["/bin/rm", "-rf", tree], tree, str(tmp_path))
    assert took.cannot == ""
    assert took.wall > 0
    assert took.peak_kib > 0


def test_one_that_does_not_end_is_ended(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "SECONDS_MAX", 0.05)
    took = launch(["/bin/sleep", "60"], tree, str(tmp_path))
    assert took.cannot == "not done after 0.05 s"


def test_the_memory_of_a_child_is_not_that_of_whoever_started_it(tmp_path):
    report = tmp_path / "report"
    ballast = b"x" * (200 * 1024 * 1024)
    subprocess.run([*LAUNCHER, str(report), "/bin/true"], check=True)
    assert len(ballast) > 100 * 1024 * 1024 > int(report.read_text().split()[2]) * 1024


# The C program.


@pytest.fixture(scope="module")
def limit(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("limit") / "limit"
    source = ROOT / "benchmarks/cleaner/limit.c"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, "-O2", *warnings, "-pthread", "-o", program, source], check=True)
    return str(program)


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(("shape", "size"), [("cache", 300), ("flat", 3_000), ("chain", 300), ("hostile", 600)])
def test_the_limit_removes_every_shape(limit, tree, shape, size, threads):
    make(shape, tree, size, content=b"")
    done = subprocess.run([limit, threads, tree], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert not os.path.lexists(tree)


@pytest.mark.parametrize("promises", ["b", "m", "f", "bmf"])
def test_the_limit_can_keep_promises(limit, tree, promises):
    if "f" in promises and landlock_abi() < ABI_MIN:
        pytest.skip("no Landlock")
    make("hostile", tree, 600, content=b"")
    done = subprocess.run([limit, "2", tree, promises], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (os.listdir(tree) if "f" in promises else os.path.lexists(tree)) == ([] if "f" in promises else False)


def test_the_limit_behind_a_fence_reaches_nothing_else(limit, tree, tmp_path):
    if landlock_abi() < ABI_MIN:
        pytest.skip("no Landlock")
    make("cache", tree, 30, content=b"")
    # Nothing outside may go: a hard link inside to a file outside does, the root's own name does not.
    (tmp_path / "outside").write_text("x")
    os.link(tmp_path / "outside", f"{tree}/inside")
    subprocess.run([limit, "1", tree, "f"], check=True, timeout=60)
    assert os.listdir(tree) == []
    assert (tmp_path / "outside").read_text() == "x"


def test_the_limit_knows_its_promises(limit, tree):
    done = subprocess.run([limit, "1", tree, "x"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, "usage: limit THREADS PATH [PROMISES]\n")


def test_the_limit_says_when_there_is_nothing_to_remove(limit, tree):
    done = subprocess.run([limit, "2", tree], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


# What is not to be had.


def nobody(line):
    del line


def test_without_a_compiler_and_without_uv_the_rows_say_so(tmp_path, monkeypatch):
    def refuse(name):
        raise MachineError("index", name, "no index can be reached")

    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr("benchmarks.cleaner.cleaners.parse_cleaner", refuse)
    skipped = {one.name: one.skipped for one in all_cleaners(str(tmp_path), nobody) if one.skipped}
    assert skipped == {
        f"{UV} {UV_VERSION}": "no index can be reached",
        limit_name(1): "no C compiler",
        limit_name(2): "no C compiler",
        limit_name(2, promises=True): "no C compiler",
    }


def test_a_compiler_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr("benchmarks.cleaner.cleaners._uv", lambda _: Cleaner(UV, None))
    skipped = [one.skipped for one in all_cleaners(str(tmp_path), nobody) if one.skipped]
    assert len(skipped) == 3
    assert all("failed" in reason for reason in skipped)


class Silent:
    def line(self, text):
        del text

    def now(self, text):
        del text


def test_a_size_that_memory_has_no_room_for_is_skipped(monkeypatch):
    monkeypatch.setattr(growth, "available_kib", lambda: 0)
    found = growth.grow(None, [], 1, Silent(), quick=False)
    assert len(found) == len(growth.SIZES) * len(growth.GROWING)
    assert found["flat", 1_000_000] == "skipped: 1,953 MiB of free memory are missing"
    assert growth.growth_mib(found) is None
    assert len(growth.grid(found).rows) == len(found)


def test_no_disk_has_a_reason(ground):
    assert disk.Disk().skipped
    made = disk.Disk()
    try:
        made.attach(ground, disk.QUICK_IMAGE_MIB)
        # Whoever runs the tests has no capability left to mount, or what is started has none.
        assert made.path is None
        assert made.skipped
    finally:
        made.detach()


# Cells.


def took(*walls, peak=1024):
    return [Took(wall, wall, peak) for wall in walls]


def compared(name, ours, base):
    return {name: {OURS: ours, RM: base}}


def rows_of(found, name=OURS):
    cleaner = Cleaner(name, None)
    return [grid.rows[0][1] for grid in comparison.grids("tmpfs", found, [cleaner], quick=True)]


def test_a_cell_is_the_median_of_ratios_within_a_round():
    found = compared("cache", took(1.0, 4.0, 9.0), took(2.0, 2.0, 3.0))
    assert rows_of(found) == ["2.00 (0.50-3.00)"] * 2


def test_a_cleaner_that_cannot_has_no_ratio():
    found = compared("cache", [Took(1, 1, 1, "exit 2, left 7")], took(2.0))
    assert rows_of(found) == ["cannot (exit 2, left 7)"] * 2
    assert comparison.ratio(found, "cache", OURS, RM) is None


def test_without_a_base_there_are_seconds():
    assert rows_of(compared("cache", took(3.0), [Took(1, 1, 1, "exit 1, left 7")])) == ["3.00 s"] * 2


def test_where_a_cleaner_takes_no_part_there_is_a_dash():
    assert rows_of(compared("cache", took(1.0), took(1.0)), CHMOD_RM) == ["-"] * 2


def test_bars_say_what_was_kept():
    found = {
        "cache": {OURS: took(0.5), RM: took(1.0), f"{UV} {UV_VERSION}": took(1.0)},
        "flat": {IN_PROCESS: took(1.06), RM: took(1.0)},
        "hostile": {IN_PROCESS: took(1.0), CHMOD_RM: took(1.0)},
        "chain": {},
    }
    grown = {("flat", size): {OURS: took(1.0, peak=1024 * size // 20_000)} for size in growth.SIZES}
    told = bars.grid({"tmpfs": found}, [80, 95, 89], grown).rows
    assert [row[2:] for row in told] == [
        ("0.50", "kept"),
        ("0.50", "NOT kept"),
        ("-", "not measured"),
        ("-", "not measured"),
        ("1.06", "NOT kept"),
        ("1.00", "kept"),
        ("-", "not measured"),
        ("89", "kept"),
        ("50", "kept"),
    ]


def test_the_first_removal_of_any_process_is_found_in_a_log():
    log = (
        '7 100.000000 execve("/bin/a", ["a"], 0x7 /* 3 vars */) = 0\n'
        '7 100.010000 execve("/bin/b", ["b"], 0x7 /* 3 vars */) = 0\n'
        '9 100.050000 unlinkat(4, "x", 0 <unfinished ...>\n'
        '7 100.060000 unlink("y") = 0\n'
    )
    assert start.milliseconds(log) == pytest.approx(50)
    assert start.milliseconds('7 100.0 execve("/bin/a") = 0\n7 100.1 +++ exited with 0 +++\n') is None
    assert start.milliseconds("") is None


# Pages.


def test_tables_go_between_the_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    begin, end = tables.marks("cleaner")
    page.write_text(f"before\n{begin}old\n{end}after\n")
    assert tables.can_be_written(page)
    tables.write(page, [tables.Grid("title", ("a", "b"), [("1", "\\2")]).markdown()])
    text = f"before\n{begin}\n**title**\n\n| a | b |\n| --- | --- |\n| 1 | \\2 |\n\n{end}after\n"
    assert page.read_text() == text


@pytest.mark.slow
def test_a_page_without_marks_is_refused_before_anything_is_measured(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n")
    done = subprocess.run([*COMMAND, "--markdown", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert str(page) in done.stderr
    assert page.read_text() == "text\n"


def test_the_page_of_the_docs_has_its_marks():
    assert tables.can_be_written(PAGE)


def test_the_machine_has_no_name_in_the_tables():
    assert os.uname().nodename not in machine(5, 0.5)


# All of it.


def left_behind(ground, before):
    return [name for name in set(os.listdir(ground)) - before if name.startswith("cachestorm-disk-")]


@pytest.mark.slow
def test_a_quick_run_has_every_row(tmp_path, tools_store):
    del tools_store
    page = tmp_path / "page.md"
    done = subprocess.run([*COMMAND, "--markdown", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    for row in ROWS:
        assert text.count(f"\n| {row} | ") == 2, f"wall and user+sys of {row}"
    assert "skipped: needs " in text, "there is no disk for whoever may not mount"
    for size in growth.QUICK_SIZES:
        assert f"| flat | {size:,} | " in text
    assert "| from exec to the first unlink" in text
    assert text.count("| milliseconds to the first unlink") == 1
    assert "cleaner: tmpfs, hostile:" in done.stderr
    # Each of them is one that can, on what is no challenge.
    assert not [line for line in text.splitlines() if line.startswith("| C, ") and "cannot" in line]


@pytest.mark.root
@pytest.mark.slow
def test_as_root_there_is_a_disk_and_it_is_gone_afterwards(ground, tmp_path, tools_store):
    del tools_store
    before = set(os.listdir(ground))
    page = tmp_path / "page.md"
    done = subprocess.run([*COMMAND, "--markdown", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    # Where even root may not mount (in a container), the table says why.
    assert "**ext4, wall clock" in text or "skipped: " in text
    assert left_behind(ground, before) == []
    assert "cachestorm-disk-" not in Path("/proc/mounts").read_text()


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_an_interrupted_run_leaves_nothing(ground, tools_store, ending):
    del tools_store
    before = set(os.listdir(ground))
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith(("cleaner: ext4, hostile", "cleaner: growth")):
                process.send_signal(ending)
                break
        process.stderr.read()
    assert process.returncode == 128 + ending
    assert [name for name in set(os.listdir(ground)) - before if f"-{process.pid}-" in name] == []
    assert left_behind(ground, before) == []


@pytest.mark.root
def test_what_is_on_the_disk_goes_with_the_processes_that_see_it(ground):
    """Killed, nobody unmounts: the mount must not outlive them, and nobody else may see it."""
    script = (
        "import os, signal, sys\n"
        "from benchmarks.cleaner.disk import Disk, QUICK_IMAGE_MIB\n"
        "disk = Disk()\n"
        "disk.attach(sys.argv[1], QUICK_IMAGE_MIB)\n"
        "print(disk.skipped or disk.path, os.path.ismount(disk.path or '/'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, ground], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    told, mounted = done.stdout.rsplit(maxsplit=1)
    if not told.startswith(ground):
        pytest.skip(told)
    assert mounted == "True"
    assert os.listdir(told) == [], "the mount is seen outside, or still there"
    os.rmdir(told)
    os.rmdir(os.path.dirname(told))
