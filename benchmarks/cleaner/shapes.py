"""The trees that are removed. Each is the root of a cache with its tag and, below, what the shape is about.

Made by descriptor or with short paths, in the same order and with the same names every time. Files have 200 bytes, a
page of memory or a block of the disk each, or none where a million of them should fit.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import cycle

from cache_core.layout import IGNORE_NAME, LOCK_NAME, TAG_NAME, mark

CONTENT = b"x" * 200
# What stays of an emptied cache, and is there from the beginning in each shape.
KEPT = frozenset((TAG_NAME, IGNORE_NAME, LOCK_NAME))
# Modes that keep the owner from something: all of those that uv, rm or rmtree were seen to fail on.
HOSTILE_MODES = (0o200, 0o000, 0o300, 0o600)
# One in so many directories.
HOSTILE_SHARE = 10
DIRECTORIES_PER_ARCHIVE = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of tree.

    Attributes:
        name: in tables, and for `make`.
        size: how big `make` makes it: files, or levels of the chain.
        quick_size: the same for a smoke run.
        text: what it is, with its size to be filled in.
    """

    name: str
    size: int
    quick_size: int
    text: str


SHAPES = (
    Shape("cache", 30_000, 300, "{:,} files under buckets, 7.5 to a directory"),
    Shape("flat", 100_000, 100, "{:,} files in one directory"),
    Shape("chain", 3_000, 30, "{:,} directories, each in the one before"),
    Shape("hostile", 30_000, 300, "the cache with {:,} files, a tenth of its directories closed to their owner"),
)


def make(name, root, size, content=CONTENT):
    """Make a tree at `root`, which must not exist; `size` as in `Shape`."""
    os.mkdir(root)
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        mark(fd)
    finally:
        os.close(fd)
    for kept in (IGNORE_NAME, LOCK_NAME):
        _file(f"{root}/{kept}", b"")
    _MAKERS[name](root, size, content)


def archives_for(files):
    """How many archives a cache with so many files has: 30,000 files are in 4,000 directories."""
    return max(1, files * 2 // 75 - 1)


def _cache(root, files, content):
    """As uv lays it out: unpacked archives under random names, links to them by wheel, answers of the index."""
    directories = []

    def directory(name):
        os.mkdir(f"{root}/{name}")
        directories.append(f"{root}/{name}")

    for bucket in ("archive-v0", "wheels-v5", "wheels-v5/pypi", "simple-v16", "simple-v16/pypi"):
        directory(bucket)
    archives = archives_for(files)
    # Three of each archive's files are outside of it.
    share, more = divmod(files - 3 * archives, archives)
    for number in range(archives):
        package = f"package_{number}"
        identity = hashlib.sha256(package.encode()).hexdigest()[:21]
        base = f"archive-v0/{identity}"
        inside = (f"{base}/{package}", f"{base}/{package}/_vendor", f"{base}/{package}-1.0.dist-info")
        for name in (base, *inside, f"wheels-v5/pypi/{package}"):
            directory(name)
        for file in range(share + (number < more)):
            _file(f"{root}/{inside[file % len(inside)]}/{file}.py", content)
        wheel = f"{root}/wheels-v5/pypi/{package}/{package}-1.0-py3-none-any"
        os.symlink(f"{root}/{base}", wheel)
        _file(f"{wheel}.msgpack", content)
        _file(f"{root}/simple-v16/pypi/{package}.rkyv", content)
    return directories


def _hostile(root, files, content):
    directories = _cache(root, files, content)
    chosen = directories[HOSTILE_SHARE // 2 :: HOSTILE_SHARE]
    # From the end: what is in a directory was made after it, and is out of reach once that is closed.
    for path, mode in zip(reversed(chosen), cycle(HOSTILE_MODES), strict=False):
        os.chmod(path, mode)


def _flat(root, files, content):
    os.mkdir(f"{root}/archive-v0")
    fd = os.open(f"{root}/archive-v0", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(files):
            _file(f"{number}.py", content, fd)
    finally:
        os.close(fd)


def _chain(root, levels, content):
    del content
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        # Shorter than the limit on a path, by far, whatever the depth: no path is ever made.
        os.mkdir("inner", dir_fd=fd)
        deeper = os.open("inner", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)


_MAKERS = {"cache": _cache, "hostile": _hostile, "flat": _flat, "chain": _chain}


def _file(path, content, dir_fd=None):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=dir_fd)
    if content:
        os.write(fd, content)
    os.close(fd)
