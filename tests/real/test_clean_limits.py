"""The command and very much of something: entries, directories, depth, long names; and very little of something else.

Memory is what the system says of the whole process and its workers (`ru_maxrss`), descriptors are limited for real.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys

import pytest

from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()"]
# Generous where it is done in a few seconds; what goes with the square of something is far beyond.
SECONDS_MAX = 60
MEMORY_MORE_MAX_KIB = 64 * 1024


@pytest.fixture
def cache(tmp_path):
    root = tmp_path / "cache"
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    yield root
    remove_tree(str(root))


def clean(cache, *options, limits=(), actions=(), seconds=SECONDS_MAX):
    """Run the command; its exit code and output. Limits are pairs of `resource`'s names and values."""

    def prepare():
        for number, value in limits:
            resource.setrlimit(number, (value, value))
        for action in actions:
            action()

    done = subprocess.run(
        [*PROGRAM, "clean", str(cache), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
        preexec_fn=prepare,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout


# A process counts the memory of the one that it was forked from, until it is somebody else: a small one forks it.
MEASURE = (
    "import os, sys; child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); _, status, usage = os.wait4(child, 0); \
print('peak', usage.ru_maxrss, os.waitstatus_to_exitcode(status))"
)


def measured(cache, *options):
    """Run the command; its exit code, output and peak memory, of its workers as well, in KiB."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, *PROGRAM, "clean", str(cache), *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS_MAX,
    )
    assert "Traceback" not in done.stderr, done.stderr
    said, peak, code = re.fullmatch(r"(?s)(.*)peak (\d+) (-?\d+)\n", done.stdout).groups()
    return int(code), said, int(peak)


def numbers(said):
    """Files and directories of the report."""
    found = re.search(r"removed ([\d,]+) files? and ([\d,]+) director", said)
    return tuple(int(number.replace(",", "")) for number in found.groups())


def assert_done(cache, said, code, files, directories):
    assert (code, numbers(said)) == (0, (files, directories)), said
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]


@contextlib.contextmanager
def opened(path):
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def touch(directory, count):
    os.makedirs(directory, exist_ok=True)
    with opened(directory) as fd:
        for number in range(count):
            os.close(os.open(f"{number}", os.O_CREAT, dir_fd=fd))


def make_directories(directory, count, mode=0o755):
    os.makedirs(directory, exist_ok=True)
    with opened(directory) as fd:
        for number in range(count):
            os.mkdir(f"{number}", dir_fd=fd)
            if mode != 0o755:
                os.close(os.open(f"{number}/file", os.O_CREAT, dir_fd=fd))
                os.chmod(f"{number}", mode, dir_fd=fd)


def chain(directory, depth, name="d", mode=0o755):
    """Directories in directories."""
    os.makedirs(directory, exist_ok=True)
    fd = os.open(directory, os.O_RDONLY)
    for number in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        if number:
            os.fchmod(fd, mode)
        os.close(fd)
        fd = below
    os.close(fd)


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """Peak memory for a hundred entries."""
    root = tmp_path_factory.mktemp("little") / "cache"
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    touch(root / "flat", 100)
    return measured(root)[2]


@pytest.mark.parametrize("where", ["flat", "."])
def test_memory_does_not_grow_with_the_entries_of_a_directory(cache, little, where):
    touch(cache / where, 100_000)
    code, said, memory = measured(cache)
    assert_done(cache, said, code, 100_000, where != ".")
    # A tenth of a million may take a tenth of what a million may.
    assert memory - little < MEMORY_MORE_MAX_KIB / 10


@pytest.mark.parametrize("above", [1, 32])
def test_memory_does_not_grow_with_the_subdirectories_of_a_directory(cache, above):
    """32: behind a fence, deep directories are moved up, and must not all wait there. A list has no workers."""
    place = os.path.join(cache, *["d"] * above)
    peaks = []
    for count in (30_000, 60_000):
        make_directories(place, count)
        code, said, memory = measured(cache, "--verbose")
        assert code == 0
        assert numbers(said) == (0, count + above)
        peaks.append(memory)
    # Some names wait, however many there are: 32,768. Thirty thousand more, each of 80 bytes, are 2.4 MiB.
    assert peaks[1] - peaks[0] < 2 * 1024


def test_a_hundred_thousand_subdirectories(cache, little):
    make_directories(cache / "flat", 50_000)
    make_directories(cache, 50_000)
    code, said, memory = measured(cache)
    assert_done(cache, said, code, 0, 100_001)
    assert memory - little < MEMORY_MORE_MAX_KIB


def test_twenty_thousand_unreadable_directories(cache, little):
    for bucket, mode in enumerate((0, 0o200, 0o300, 0o600)):
        make_directories(cache / f"bucket-{bucket}", 5_000, mode)
    code, said, memory = measured(cache)
    assert_done(cache, said, code, 20_000, 20_004)
    assert "20,000 directories made accessible" in said
    assert memory - little < MEMORY_MORE_MAX_KIB / 4


def test_depth(cache, little):
    chain(cache, 30_000)
    code, said, memory = measured(cache)
    assert_done(cache, said, code, 0, 30_000)
    assert memory - little < MEMORY_MORE_MAX_KIB / 4


def test_depth_of_what_is_unreadable(cache):
    """Behind a fence each call costs what the depth costs: such directories, too, must be moved up."""
    chain(cache, 6_000, mode=0)
    code, said = clean(cache, seconds=10)
    assert_done(cache, said, code, 0, 6_000)


def test_depth_for_several_workers(cache):
    for number in range(4):
        chain(cache / "archive" / f"{number}", 6_000)
    code, said = clean(cache)
    assert_done(cache, said, code, 0, 4 * 6_001 + 1)


@pytest.mark.parametrize("length", [1, 254, 255])
def test_paths_longer_than_any_call_takes(cache, length):
    """4,096 bytes are the limit of one path; in the trash each is one level, and 17 bytes, longer."""
    for depth in {4096 // (length + 1) + step for step in (-19, -18, -17, -1, 0, 1)}:
        if depth > 0:
            chain(cache / f"{depth}", depth, name="n" * length)
    code, _ = clean(cache)
    assert code == 0
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]


def hostile(cache):
    for number in range(100):
        chain(cache / "archive" / f"{number}", 20)
        touch(cache / "archive" / f"{number}" / "files", 20)
        os.chmod(cache / "archive" / f"{number}" / "files", (0, 0o500, 0o755)[number % 3])
    chain(cache / "archive" / "deep", 300)


@pytest.mark.parametrize("options", [[], ["--remove-root"], ["--residue-only"]], ids=["clean", "root", "residue"])
def test_32_descriptors(cache, options):
    hostile(cache)
    code, said = clean(cache, *options, limits=[(resource.RLIMIT_NOFILE, 32)])
    assert code == 0, said


@pytest.mark.parametrize("files", [8, 10, 12, 14])
def test_with_fewer_it_says_so_or_it_is_done(cache, files):
    """Whatever cannot be opened is named; nothing is said to be empty that is not."""
    hostile(cache)
    code, said = clean(cache, limits=[(resource.RLIMIT_NOFILE, files)])
    empty = sorted(os.listdir(cache)) in ([".lock", "CACHEDIR.TAG"], ["CACHEDIR.TAG"])
    assert (code == 0) == empty, said
    assert code in (0, 1, 2, 3), said
    assert clean(cache)[0] == 0


@pytest.mark.parametrize("megabytes", [24, 32, 48])
def test_little_memory(cache, megabytes):
    """No room for a program to start in is none of ours; one that starts ends in order."""
    hostile(cache)
    code, said = clean(cache, limits=[(resource.RLIMIT_AS, megabytes << 20)])
    empty = sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
    assert (code == 0) == empty, said


def test_children_that_nobody_waits_for(cache):
    """Whoever starts us may ignore SIGCHLD, and that is inherited: children vanish when they end."""
    hostile(cache)
    ignore = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # noqa: E731
    code, said = clean(cache, "--remove-root", actions=[ignore])
    assert code == 0, said
    assert not cache.exists()


def test_no_process_to_be_had(cache):
    """RLIMIT_NPROC does not stop root, so here it is for everybody else; root forks and is done as well."""
    hostile(cache)
    code, said = clean(cache, "--remove-root", limits=[(resource.RLIMIT_NPROC, 1)])
    assert code == 0, said
    assert not cache.exists()


def test_standard_descriptors_are_closed(cache):
    hostile(cache)
    code, _ = clean(cache, actions=[lambda: os.closerange(0, 3)])
    assert code == 0
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
    assert (cache / ".lock").read_bytes() == b""


@pytest.mark.parametrize("options", [[], ["--json"], ["--verbose"]], ids=["text", "json", "list"])
def test_the_program_itself_lies_in_the_cache(cache, tmp_path, options):
    """As with `uvx`, whose environments are in the cache of uv: the report comes all the same."""
    root = os.path.dirname(os.path.dirname(sys.modules["cache_core.layout"].__file__))
    environment = cache / "archive-v0" / "tool"
    for package in ("cache_core", "simulator"):
        for base, _, files in os.walk(os.path.join(root, package)):
            inside = environment / os.path.relpath(base, root)
            inside.mkdir(parents=True, exist_ok=True)
            for name in files:
                if name.endswith(".py"):
                    with open(os.path.join(base, name), "rb") as source:
                        (inside / name).write_bytes(source.read())
    done = subprocess.run(
        [*PROGRAM, "clean", str(cache), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=SECONDS_MAX,
        env={**os.environ, "PYTHONPATH": str(environment), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "empty" in done.stdout
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
