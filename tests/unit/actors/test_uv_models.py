"""The models of uv's cleaners on hostile trees: outcomes as evidence/issue-3515.md has them for the real ones."""

import errno
import fcntl
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cache_core.kernel import REAL
from simulator.actors.uv_cleaners import UV_CLEANERS, UvCleanError

OLD = "model:uv-0.1.42"
NEW = "model:uv-0.13.9"


def put(path: Path, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    path.chmod(mode)


def cache(root: Path) -> Path:
    """What every state has; in the order that both programs are compared in."""
    for name in ("CACHEDIR.TAG", ".gitignore", "built-wheels-v3/.git", "built-wheels-v3/.gitignore", ".lock"):
        put(root / name)
    return root / "built-wheels-v3/p"


def full(mode: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        place = cache(root) / "poisoned"
        put(place / "1")
        put(place / "sub/2")
        place.chmod(mode)

    return make


def empty(mode: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        place = cache(root) / "poisoned"
        place.mkdir(parents=True)
        place.chmod(mode)

    return make


def clean(root: Path) -> None:
    put(cache(root) / "a/b/c")


def two_poisoned(root: Path) -> None:
    place = cache(root)
    for name in ("a", "b"):
        put(place / name / "1")
        (place / name).chmod(0o200)


def nested_poisoned(root: Path) -> None:
    place = cache(root)
    put(place / "a/b/1")
    (place / "a/b").chmod(0o200)
    (place / "a").chmod(0o200)


def read_only_tree(root: Path) -> None:
    place = cache(root)
    put(place / "a/b/1")
    for directory in (place / "a/b", place / "a", place):
        directory.chmod(0o555)


def read_only_directory_in_one(root: Path) -> None:
    place = cache(root) / "a"
    (place / "b").mkdir(parents=True)
    (place / "b").chmod(0o555)
    place.chmod(0o555)


def hard_link_in_read_only(root: Path) -> None:
    place = cache(root)
    put(root.parent / "outside", 0o444)
    place.mkdir(parents=True)
    os.link(root.parent / "outside", place / "link")
    place.chmod(0o500)


def symlink_in_read_only(root: Path) -> None:
    place = cache(root)
    put(root.parent / "outside", 0o444)
    place.mkdir(parents=True)
    (place / "link").symlink_to(root.parent / "outside")
    place.chmod(0o500)


def dangling_in_read_only(root: Path) -> None:
    place = cache(root)
    place.mkdir(parents=True)
    (place / "link").symlink_to("nowhere")
    place.chmod(0o500)


def harmless(root: Path) -> None:
    place = cache(root)
    put(place / "read-only", 0o444)
    put(place / "nothing", 0)
    put(place / "new\nline")
    os.mkfifo(place / "fifo")
    (place / "dangling").symlink_to("nowhere")
    put(root.parent / "elsewhere/kept")
    (place / "link").symlink_to(root.parent / "elsewhere")


def root_mode(mode: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        put(cache(root) / "1")
        root.chmod(mode)

    return make


def without_lock(root: Path) -> None:
    clean(root)
    (root / ".lock").unlink()


def bare(root: Path) -> None:
    root.mkdir()
    put(root / "archive-v0/1")


def deep(root: Path) -> None:
    place = cache(root)
    place.mkdir()
    fd = os.open(place, os.O_DIRECTORY)
    for _ in range(2100):  # past PATH_MAX: 4,096 bytes
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


# State, what makes it, how 0.1.42 and 0.13.9 end: None is clean, else the error.
STATES: dict[str, tuple[Callable[[Path], None], int | None, int | None]] = {
    "clean": (clean, None, None),
    "bare": (bare, None, None),
    "without lock": (without_lock, None, None),
    "harmless": (harmless, None, None),
    "0200 full": (full(0o200), errno.EACCES, None),
    "0000 full": (full(0), errno.EACCES, errno.EACCES),
    "0100 full": (full(0o100), errno.EACCES, errno.EACCES),
    "0300 full": (full(0o300), errno.EACCES, errno.EACCES),
    "0400 full": (full(0o400), errno.EACCES, errno.EACCES),
    "0500 full": (full(0o500), errno.EACCES, errno.EACCES),
    "0600 full": (full(0o600), errno.EACCES, errno.EACCES),
    "0200 empty": (empty(0o200), errno.EACCES, None),
    "0000 empty": (empty(0), errno.EACCES, None),
    "0100 empty": (empty(0o100), errno.EACCES, errno.EACCES),
    "0300 empty": (empty(0o300), errno.EACCES, errno.EACCES),
    "0400 empty": (empty(0o400), None, None),
    "0500 empty": (empty(0o500), None, None),
    "0600 empty": (empty(0o600), None, None),
    "two poisoned": (two_poisoned, errno.EACCES, None),
    "nested poisoned": (nested_poisoned, errno.EACCES, None),
    "read-only tree": (read_only_tree, errno.EACCES, errno.EACCES),
    "read-only directory in one": (read_only_directory_in_one, errno.EACCES, errno.EACCES),
    "hard link in read-only": (hard_link_in_read_only, errno.EACCES, errno.EACCES),
    "symlink in read-only": (symlink_in_read_only, errno.EACCES, errno.EACCES),
    "dangling in read-only": (dangling_in_read_only, errno.EACCES, errno.EACCES),
    "root 0000": (root_mode(0), errno.EACCES, errno.EACCES),
    "root 0200": (root_mode(0o200), errno.EACCES, errno.EACCES),
    "root 0500": (root_mode(0o500), errno.EACCES, errno.EACCES),
    "deep": (deep, errno.ENAMETOOLONG, errno.ENAMETOOLONG),
}


SHALLOW = [state for state in STATES if state != "deep"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    # What pytest itself could not remove.
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)
    subprocess.run(["rm", "-rf", *map(str, tmp_path.iterdir())], check=True)


def tree(root: Path) -> list[str]:
    """Everything under a root whose modes are repaired first."""
    subprocess.run(["chmod", "-R", "u+rwx", str(root)], check=True)
    listing = subprocess.run(["find", str(root), "-printf", "%P\\n"], check=True, capture_output=True, text=True)
    return sorted(line for line in listing.stdout.splitlines() if line)


@pytest.mark.parametrize("state", [*SHALLOW, pytest.param("deep", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [OLD, NEW])
def test_ends_as_the_real_one_was_seen_to_end(name: str, state: str, place: Path) -> None:
    make, old, new = STATES[state]
    expected = old if name == OLD else new
    root = place / "cache"
    make(root)
    if expected is None:
        UV_CLEANERS[name](REAL, str(root), "me")
        assert not root.exists() if name == OLD else tree(root) == [".lock"]
        return
    with pytest.raises(UvCleanError) as raised:
        UV_CLEANERS[name](REAL, str(root), "me")
    assert raised.value.errno == expected
    assert f"(os error {expected})" in raised.value.message
    assert tree(root) != [".lock"]


def test_0_1_42_says_what_the_report_says(place: Path) -> None:
    root = place / "cache"
    full(0o200)(root)
    with pytest.raises(UvCleanError) as raised:
        UV_CLEANERS[OLD](REAL, str(root), "me")
    poisoned = f"{root}/built-wheels-v3/p/poisoned"
    assert raised.value.path == poisoned
    assert raised.value.message.splitlines() == [
        f"error: Failed to clear cache at: {root}",
        f"  Caused by: IO error for operation on {poisoned}: Permission denied (os error 13)",
        "  Caused by: Permission denied (os error 13)",
    ]
    assert stat.S_IMODE(os.stat(poisoned).st_mode) == 0o200


def test_0_13_9_words_a_failing_removal_in_one_line(place: Path) -> None:
    root = place / "cache"
    full(0o500)(root)
    with pytest.raises(UvCleanError) as raised:
        UV_CLEANERS[NEW](REAL, str(root), "me")
    where = f"{root}/built-wheels-v3/p/poisoned/"
    first, second = raised.value.message.splitlines()
    assert first == f"error: Failed to clear cache at: {root}"
    # Which of the two is met first, the listing says.
    assert second in {
        f"  cause: failed to remove directory `{where}sub`: Permission denied (os error 13)",
        f"  cause: failed to remove file `{where}1`: Permission denied (os error 13)",
    }


@pytest.mark.parametrize("name", [OLD, NEW])
@pytest.mark.parametrize("make", [hard_link_in_read_only, symlink_in_read_only])
def test_changes_a_file_outside_as_the_real_ones_do(name: str, make: Callable[[Path], None], place: Path) -> None:
    make(place / "cache")
    with pytest.raises(UvCleanError):
        UV_CLEANERS[name](REAL, str(place / "cache"), "me")
    assert stat.S_IMODE((place / "outside").stat().st_mode) == 0o666


@pytest.mark.parametrize(("name", "files", "directories"), [(OLD, 6, 5), (NEW, 5, 4)])
def test_counts_what_it_removed(name: str, files: int, directories: int, place: Path) -> None:
    clean(place / "cache")
    removed = UV_CLEANERS[name](REAL, str(place / "cache"), "me")
    assert (removed.files, removed.directories) == (files, directories)


@pytest.mark.parametrize("name", [OLD, NEW])
def test_no_cache_is_clean(name: str, place: Path) -> None:
    UV_CLEANERS[name](REAL, str(place / "cache"), "me")
    assert not (place / "cache").exists()


class StopsAt:
    """The real kernel, with something done just before one call."""

    def __init__(self, operation: str, path: str, action: Callable[[], None]) -> None:
        self._at = (operation, path)
        self._action = action

    def __getattr__(self, operation: str) -> Any:
        real = getattr(REAL, operation)

        def call(*arguments: Any, **keywords: Any) -> Any:
            if self._at == (operation, arguments[0]):
                self._at = ("", "")
                self._action()
            return real(*arguments, **keywords)

        return call


@pytest.mark.parametrize("name", [OLD, NEW])
def test_what_comes_into_a_directory_after_its_walk_goes_with_it(name: str, place: Path) -> None:
    root = place / "cache"
    clean(root)
    directory = root / "built-wheels-v3/p/a/b"
    kernel = StopsAt("lstat", str(directory), lambda: put(directory / "late/file"))
    UV_CLEANERS[name](kernel, str(root), "me")
    assert not (root / "built-wheels-v3").exists()


@pytest.mark.parametrize("name", [OLD, NEW])
def test_a_file_that_somebody_else_removed_ends_it(name: str, place: Path) -> None:
    root = place / "cache"
    clean(root)
    file = root / "built-wheels-v3/p/a/b/c"
    with pytest.raises(UvCleanError) as raised:
        UV_CLEANERS[name](StopsAt("unlink", str(file), file.unlink), str(root), "me")
    assert (raised.value.errno, raised.value.path) == (errno.ENOENT, str(file))


def test_0_13_9_waits_for_the_lock_and_0_1_42_does_not(place: Path) -> None:
    root = place / "cache"
    clean(root)
    fd = os.open(root / ".lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_SH)
    waiting = threading.Event()

    class Tells:
        def __getattr__(self, operation: str) -> Any:
            return getattr(REAL, operation)

        def flock(self, descriptor: int, operation: int) -> None:
            if operation == fcntl.LOCK_EX:
                waiting.set()
            REAL.flock(descriptor, operation)

    cleaner = threading.Thread(target=UV_CLEANERS[NEW], args=(Tells(), str(root), "me"))
    cleaner.start()
    assert waiting.wait(10)
    assert (root / "built-wheels-v3/p/a/b/c").exists()
    os.close(fd)
    cleaner.join(10)
    assert tree(root) == [".lock"]
