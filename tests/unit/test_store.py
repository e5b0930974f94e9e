"""The store and its protocols: what is found is whole, whoever is killed where, and who builds in whose tree."""

import fcntl
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cache_core import buckets
from cache_core.buckets import SourceEntry, WheelEntry
from cache_core.kernel import REAL, Kernel
from cache_core.layout import is_tagged
from cache_core.protocols import BUILD_IN_PLACE, PROTOCOLS, Work
from cache_core.store import Found, Store

INDEX = buckets.index_id("https://example.org/simple")
ENTRY = SourceEntry(INDEX, "pkg", "1.0", "pkg-1.0.tar.gz")
WHEEL = "pkg-1.0-py3-none-any.whl"
FILES = {"pkg/__init__.py": "one", "pkg/two.py": "two"}


class Killed(BaseException):
    """No further step."""


class Mortal:
    """The real kernel, until a call that it does not survive; what it had open is closed then, as by an exit."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.calls = 0
        self._dies_at = dies_at
        self._open: set[int] = set()

    def __getattr__(self, operation: str) -> Any:
        real = getattr(REAL, operation)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls += 1
            if self._dies_at is not None and self.calls >= self._dies_at:
                while self._open:
                    os.close(self._open.pop())
                raise Killed
            result = real(*arguments, **keywords)
            if operation.startswith("open"):
                self._open.add(result)
            if operation == "close":
                self._open.discard(arguments[0])
            return result

        return call


# Those that fetch the source themselves and leave something to be found.
PUBLISHING = [name for name in PROTOCOLS if name not in BUILD_IN_PLACE]


def work(kernel: Kernel, during: Callable[[str, str], None] | None = None) -> Work:
    """A build that copies its files to `build` in the tree, then to the wheel; it refuses a tree that has a `build`."""

    def write(path: str, text: str) -> None:
        fd = kernel.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        kernel.write(fd, text.encode())
        kernel.close(fd)

    def fetch(directory: str) -> str:
        kernel.mkdir(f"{directory}/pkg-1.0")
        for name, text in FILES.items():
            write(f"{directory}/pkg-1.0/{name.replace('/', '_')}", text)
        return f"{directory}/pkg-1.0"

    def build(source: str, output: str) -> str:
        kernel.mkdir(f"{source}/build")
        for name, text in FILES.items():
            write(f"{source}/build/{name.replace('/', '_')}", text)
        if during is not None:
            during(source, output)
        write(f"{output}/{WHEEL}", "".join(f"{name}={text}\n" for name, text in FILES.items()))
        return WHEEL

    def unpack(wheel: str, directory: str) -> None:
        kernel.mkdir(f"{directory}/pkg")
        for line in Path(wheel).read_text().splitlines():
            name, _, text = line.partition("=")
            write(f"{directory}/{name}", text)

    def scratch() -> str:
        raise AssertionError("only those who build in place need it")

    return Work(fetch, build, unpack, scratch)


def store(root: Path, identity: str, kernel: Any = REAL) -> Store:
    return Store(str(root), identity, kernel)


def is_whole(archive: str) -> bool:
    return {str(path.relative_to(archive)): path.read_text() for path in Path(archive).rglob("*.py")} == FILES


def temporaries(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob(".tmp*"))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "cache"
    store(place, "maker").prepare()
    yield place
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)
    subprocess.run(["rm", "-rf", str(place)], check=True)


# Where things are.


def test_the_entry_of_the_report_is_where_uv_has_it() -> None:
    assert ENTRY.source == f"built-wheels-v3/index/{INDEX}/pkg/1.0/{buckets.entry_id('pkg', '1.0')}/pkg-1.0.tar.gz"
    assert ENTRY.lock == f"built-wheels-v3/index/{INDEX}/pkg/1.0/.lock"
    assert WheelEntry(INDEX, "pkg", WHEEL).link == f"wheels-v1/index/{INDEX}/pkg/pkg-1.0-py3-none-any"
    assert len(INDEX) == 16
    assert len(buckets.entry_id("pkg", "1.0")) == 21


def test_ids_follow_from_names_and_nothing_else() -> None:
    # A literal: another process, hash seed or machine must come to the same.
    assert buckets.entry_id("pkg", "1.0") == "OQAQVTe0M5RM0P48JctOS"
    assert buckets.entry_id("pkg", "1.0") != buckets.entry_id("pkg1", ".0")
    assert buckets.archive(WHEEL, "a") != buckets.archive(WHEEL, "b") != buckets.archive(WHEEL)


@pytest.mark.parametrize("identity", ["", "a/b"])
def test_an_identity_that_cannot_be_part_of_a_name_is_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="identity"):
        Store("/nowhere", identity)


# The cache as a whole.


def test_a_prepared_cache_is_tagged(root: Path) -> None:
    fd = os.open(root, os.O_RDONLY)
    try:
        assert is_tagged(fd)
    finally:
        os.close(fd)
    assert sorted(os.listdir(root)) == [".gitignore", "CACHEDIR.TAG"]


def test_a_tag_is_never_seen_half_written(tmp_path: Path) -> None:
    for step in range(1, 30):
        place = tmp_path / str(step)
        kernel = Mortal(step)
        try:
            store(place, "a", kernel).prepare()
        except Killed:
            if (place / "CACHEDIR.TAG").exists():
                fd = os.open(place, os.O_RDONLY)
                assert is_tagged(fd), f"killed at call {step}"
                os.close(fd)
            store(place, "a").prepare()
            assert (place / "CACHEDIR.TAG").exists()
        else:
            assert step > 5
            return
    pytest.fail("preparing a cache takes more calls than it should")


def test_the_cache_lock_keeps_a_cleaner_out_only_while_in_use(root: Path) -> None:
    with store(root, "a").in_use(True), store(root, "b").in_use(True):
        fd = os.open(root / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_a_cache_that_is_missing_is_made_under_the_lock(tmp_path: Path) -> None:
    held: list[bool] = []

    class Watches:
        def __getattr__(self, operation: str) -> Any:
            return getattr(REAL, operation)

        def rename(self, source: str, target: str) -> None:
            fd = os.open(tmp_path / "new/cache/.lock", os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
            finally:
                os.close(fd)
            REAL.rename(source, target)

    with store(tmp_path / "new/cache", "a", Watches()).in_use(True):
        assert (tmp_path / "new/cache/CACHEDIR.TAG").exists()
    assert held == [True, True]  # the ignore file and the tag


def test_without_the_cache_lock_there_is_no_lock_file(root: Path) -> None:
    with store(root, "a").in_use(False):
        assert not (root / ".lock").exists()


def test_the_index_is_asked_once(root: Path) -> None:
    asked: list[str] = []

    def ask() -> bytes:
        asked.append("")
        return b"answer"

    assert [store(root, who).index_file(INDEX, "pkg", ask) for who in "ab"] == [b"answer"] * 2
    assert len(asked) == 1


# Publishing.


def test_an_archive_is_found_after_it_was_published(root: Path) -> None:
    entry = WheelEntry(INDEX, "pkg", WHEEL)
    assert store(root, "a").find_wheel(entry) is None

    def fill(directory: str) -> None:
        Path(directory, "file").write_text("x")

    place = store(root, "a").publish_archive(entry.link, buckets.archive(WHEEL, "a"), fill)
    assert store(root, "b").find_wheel(entry) == place
    assert os.listdir(place) == ["file"]
    assert not temporaries(root)


def test_links_are_relative_so_a_cache_can_be_moved(root: Path) -> None:
    PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL))
    root.rename(root.parent / "moved")
    found = store(root.parent / "moved", "a").find_built(ENTRY)
    (root.parent / "moved").rename(root)
    assert found.archive is not None
    assert "/moved/archive-v0/" in found.archive
    (link,) = root.glob("built-wheels-v3/**/pkg-1.0-py3-none-any")
    assert link.resolve().is_dir()


def test_a_link_whose_archive_is_gone_is_a_miss(root: Path) -> None:
    archive = PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL))
    subprocess.run(["rm", "-rf", archive], check=True)
    found = store(root, "a").find_built(ENTRY)
    assert found == Found(wheel=f"{root}/{ENTRY.shard}/{WHEEL}")


def test_what_fill_raises_leaves_nothing(root: Path) -> None:
    def fill(directory: str) -> None:
        Path(directory, "file").write_text("x")
        raise RuntimeError("full")

    with pytest.raises(RuntimeError):
        store(root, "a").publish_archive(WheelEntry(INDEX, "pkg", WHEEL).link, buckets.archive(WHEEL, "a"), fill)
    assert sorted(os.listdir(root)) == [".gitignore", "CACHEDIR.TAG"]


def test_discarding_reports_what_it_cannot_remove(root: Path) -> None:
    store(root, "a").discard(f"{root}/nothing")
    (root / "outer/inner").mkdir(parents=True)
    (root / "outer/inner/file").write_text("x")
    (root / "outer").chmod(0o500)
    if os.access(root / "outer", os.W_OK):
        pytest.fail("run the tests without capabilities: modes do not stop this process")
    with pytest.raises(PermissionError):
        store(root, "a").discard(f"{root}/outer/inner")


# Protocols, alone.


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_build_is_published_and_found(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    assert is_whole(archive)
    assert store(root, "b").find_built(ENTRY).archive == archive
    assert not temporaries(root)
    assert (root / ENTRY.shard / WHEEL).is_file()


@pytest.mark.parametrize("name", PUBLISHING)
def test_what_is_there_is_not_built_again(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    nothing: Any = None
    assert PROTOCOLS[name](store(root, "b"), ENTRY, nothing) == archive


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_wheel_whose_archive_is_gone_is_unpacked_and_not_built(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    subprocess.run(["rm", "-rf", archive], check=True)
    again = work(REAL)
    nothing: Any = None
    assert is_whole(PROTOCOLS[name](store(root, "b"), ENTRY, Work(nothing, nothing, again.unpack, nothing)))


def test_the_tree_stays_in_the_entry_except_under_private(root: Path) -> None:
    for name in PUBLISHING:
        entry = SourceEntry(INDEX, "pkg", name, "pkg-1.0.tar.gz")
        PROTOCOLS[name](store(root, "a"), entry, work(REAL))
        assert (root / entry.source / "build").exists() == (name != "private"), name


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_failing_build_publishes_nothing_and_its_error_passes(name: str, root: Path) -> None:
    def fail(source: str, output: str) -> None:
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError, match="compiler"):
        PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL, fail))
    assert store(root, "b").find_built(ENTRY) == Found()
    assert not temporaries(root)


@pytest.mark.parametrize("name", ["entry-lock", "private"])
def test_after_a_failed_build_the_next_starts_from_a_clean_tree(name: str, root: Path) -> None:
    def poison(source: str, output: str) -> None:
        Path(source, "build").chmod(0o200)
        raise RuntimeError("rmtree")

    with pytest.raises(RuntimeError):
        PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL, poison))
    assert is_whole(PROTOCOLS[name](store(root, "b"), ENTRY, work(REAL)))


def test_under_shared_the_next_build_meets_what_a_failed_one_left(root: Path) -> None:
    def fail(source: str, output: str) -> None:
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError):
        PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL, fail))
    with pytest.raises(FileExistsError):
        PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL))


# Killed, at every call.


@pytest.mark.parametrize("name", PUBLISHING)
@pytest.mark.parametrize("again", ["a", "b"])
def test_killed_anywhere_nobody_finds_half_an_entry(name: str, again: str, tmp_path: Path) -> None:
    """And another, or the same one started again, gets it right: under `shared` as far as the tree allows."""
    whole = Mortal()
    store(tmp_path / "whole", "a", whole).prepare()
    prepared = whole.calls
    PROTOCOLS[name](store(tmp_path / "whole", "a", whole), ENTRY, work(whole))
    spoilt = 0
    for step in range(1, whole.calls - prepared + 1):
        root = tmp_path / str(step)
        store(root, "maker").prepare()
        kernel = Mortal(step)
        with pytest.raises(Killed):
            PROTOCOLS[name](store(root, "a", kernel), ENTRY, work(kernel))
        found = store(root, "c").find_built(ENTRY)
        assert found.archive is None or is_whole(found.archive), f"killed at call {step}"
        try:
            archive = PROTOCOLS[name](store(root, again), ENTRY, work(REAL))
        except FileExistsError:
            spoilt += 1
            continue
        assert is_whole(archive), f"killed at call {step}"
        assert store(root, "c").find_built(ENTRY).archive == archive
    # The calls from the making of `build` in the tree to the publishing of the wheel.
    assert (spoilt > 0) == (name == "shared")


# Two at once.


def test_shared_two_builds_meet_in_one_tree(root: Path) -> None:
    sources: list[str] = []

    def second(source: str, output: str) -> None:
        sources.append(source)
        with pytest.raises(FileExistsError):
            PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL, lambda source, output: sources.append(source)))

    archive = PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL, second))
    assert sources == [f"{root}/{ENTRY.source}"]
    assert is_whole(archive)


def test_shared_who_unpacks_second_builds_in_the_first_ones_tree(root: Path) -> None:
    mine = work(REAL)

    def fetch(directory: str) -> str:
        tree = mine.fetch(directory)
        theirs = work(REAL)
        Path(store(root, "b").path(ENTRY.shard)).mkdir(parents=True)
        tree_of_b = theirs.fetch(store(root, "b").fresh_directory("", "pkg"))
        Path(tree_of_b, "theirs").write_text("")
        os.rename(tree_of_b, root / ENTRY.source)
        return tree

    PROTOCOLS["shared"](store(root, "a"), ENTRY, Work(fetch, mine.build, mine.unpack, mine.scratch))
    assert (root / ENTRY.source / "theirs").exists()
    assert temporaries(root) == [".tmp-b-pkg"]  # which b would discard


def test_shared_each_has_an_archive_of_its_own_and_the_link_leads_to_the_last(root: Path) -> None:
    archives: list[str] = []

    def second(wheel: str, directory: str) -> None:
        archives.append(PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL)))
        mine.unpack(wheel, directory)

    mine = work(REAL)
    archives.append(PROTOCOLS["shared"](store(root, "a"), ENTRY, Work(mine.fetch, mine.build, second, mine.scratch)))
    assert len(set(archives)) == 2
    assert all(map(is_whole, archives))
    assert store(root, "c").find_built(ENTRY).archive == archives[-1]


def test_private_the_loser_discards_its_own(root: Path) -> None:
    archives: list[str] = []

    def second(source: str, output: str) -> None:
        archives.append(PROTOCOLS["private"](store(root, "b"), ENTRY, work(REAL)))
        # So that it can be told from what a makes.
        Path(archives[0], "b").write_text("")

    archives.append(PROTOCOLS["private"](store(root, "a"), ENTRY, work(REAL, second)))
    assert archives[0] == archives[1]
    assert Path(archives[0], "b").exists()
    assert len(os.listdir(root / "archive-v0")) == 1
    assert not temporaries(root)


def in_place(scratch: Path, during: Callable[[str, str], None] | None = None) -> Work:
    """The same build; its scratch is a fresh directory, and it does not fetch."""
    usual = work(REAL, during)

    def make() -> str:
        scratch.mkdir()
        return str(scratch)

    nothing: Any = None
    return Work(nothing, usual.build, usual.unpack, make)


def test_in_place_builds_in_the_local_directory_and_publishes_nothing(root: Path, tmp_path: Path) -> None:
    (root / ENTRY.local).mkdir(parents=True)
    before = sorted(os.listdir(root))
    archive = PROTOCOLS["in-place"](store(root, "a"), ENTRY, in_place(tmp_path / "a"))
    assert is_whole(archive)
    assert archive.startswith(str(tmp_path / "a"))
    assert os.listdir(root / ENTRY.local) == ["build"]
    assert sorted(os.listdir(root)) == before
    assert store(root, "b").find_built(ENTRY) == Found()


def test_in_place_the_next_build_meets_what_another_one_left(root: Path, tmp_path: Path) -> None:
    (root / ENTRY.local / "build").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        PROTOCOLS["in-place"](store(root, "a"), ENTRY, in_place(tmp_path / "a"))


class Announces:
    """The real kernel; says when it is about to wait for a lock."""

    def __init__(self) -> None:
        self.waits = threading.Event()

    def __getattr__(self, operation: str) -> Any:
        return getattr(REAL, operation)

    def flock(self, fd: int, operation: int) -> None:
        try:
            REAL.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            self.waits.set()
            REAL.flock(fd, operation)


def test_entry_lock_the_second_waits_and_finds_what_the_first_built(root: Path) -> None:
    kernel = Announces()
    results: list[str] = []
    built: list[str] = []

    def run_second() -> None:
        mine = work(REAL, lambda source, output: built.append("b"))
        results.append(PROTOCOLS["entry-lock"](store(root, "b", kernel), ENTRY, mine))

    second = threading.Thread(target=run_second)

    def first(source: str, output: str) -> None:
        built.append("a")
        second.start()
        assert kernel.waits.wait(10), "the second one did not wait"

    results.append(PROTOCOLS["entry-lock"](store(root, "a"), ENTRY, work(REAL, first)))
    second.join(10)
    assert built == ["a"]
    assert results[0] == results[1]


def test_entry_lock_of_one_entry_does_not_hold_up_another(root: Path) -> None:
    other = SourceEntry(INDEX, "pkg", "2.0", "pkg-2.0.tar.gz")
    inner: list[str] = []

    def during(source: str, output: str) -> None:
        inner.append(PROTOCOLS["entry-lock"](store(root, "b"), other, work(REAL)))

    PROTOCOLS["entry-lock"](store(root, "a"), ENTRY, work(REAL, during))
    assert is_whole(inner[0])


def test_the_phases_are_told_in_order(root: Path) -> None:
    phases: list[str] = []
    told = Store(str(root), "a", REAL, phases.append)
    PROTOCOLS["entry-lock"](told, ENTRY, work(REAL))
    assert phases == ["look-up", "lock", "look-up", "publish", "publish"]
