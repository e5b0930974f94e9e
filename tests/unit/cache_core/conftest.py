"""Hostile trees, and proof that what is outside of them did not change."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from tests.support.stores import store

TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"


def snapshot(directory):
    """Everything below a directory: kind, mode, links and content of each path."""
    seen = {}
    for base, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(base, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as reading:
                    content = reading.read()
            seen[os.path.relpath(path, directory)] = (status.st_mode, content)
    return seen


@pytest.fixture
def place(tmp_path):
    """A directory for a test, emptied with the remover afterwards: pytest cannot remove what we make."""
    yield tmp_path
    remove_tree(str(tmp_path))


@pytest.fixture
def outside(place):
    """A directory beside the cache, with files of several modes; checked to be the same after the test."""
    directory = place / "outside"
    (directory / "d" / "e").mkdir(parents=True)
    for name, mode in (("plain", 0o644), ("readonly", 0o444), ("d/e/deep", 0o600)):
        (directory / name).write_bytes(name.encode() * 10)
        (directory / name).chmod(mode)
    (directory / "d").chmod(0o555)
    before = snapshot(directory)
    yield directory
    after = snapshot(directory)
    os.chmod(directory / "d", 0o755)
    assert after == before


@pytest.fixture
def cache(place):
    """A tagged, otherwise empty cache."""
    root = place / "cache"
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG)
    return root


class Watching:
    """The real calls, with a hook before each: a test changes the world at the very call it means."""

    def __init__(self, before=None, refuse=None):
        self.calls = []
        self._before = before
        self._refuse = refuse

    def __getattr__(self, name):
        real = getattr(REAL, name)

        def call(*arguments, **options):
            self.calls.append((name, arguments))
            if self._before is not None:
                self._before(name, arguments)
            if self._refuse is not None and (error := self._refuse(name, arguments)) is not None:
                raise error
            return real(*arguments, **options)

        return call


@pytest.fixture
def watching():
    return Watching


@pytest.fixture
def kernels():
    """The real kernel, and one where openat2 is unknown, as before Linux 5.6 and in old containers."""
    import errno

    def unknown(name, arguments):
        return OSError(errno.ENOSYS, "Function not implemented") if name == "openat2" else None

    return {"openat2": REAL, "steps": Watching(refuse=unknown)}


def chain(top, name, depth):
    """Nested directories, deeper than any path can say."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    return fd


@pytest.fixture
def dig():
    return chain


@pytest.fixture
def root(tmp_path):
    """A prepared cache of a store; emptied by other programs than ours."""
    place = tmp_path / "cache"
    store(place, "maker").prepare()
    yield place
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)
    subprocess.run(["rm", "-rf", str(place)], check=True)
