"""States that a sweep cleans: small trees, one for each kind of trouble, told to a recipe, laid thousands of times.

Smaller than those of `scenarios.states`, and several troubles in one, as each of their cleaner's steps is a run.
"""

from __future__ import annotations

import os
import stat

from cache_core.layout import TAG_TEXT

ARCHIVE = "archive-v0/oneFileWheelArchive01"
SOURCE = "built-wheels-v3/index/0123456789abcdef/pkg/1.0/shardOfTheRelease01/pkg-1.0.tar.gz"
STAGING = f"{SOURCE}/build/bdist.linux-x86_64/wheel/pkg"

# Deeper than a walk holds descriptors for (14).
DEPTH = 17
# Files in a directory that is divided by its names, where more than FILES_MAX make it worth while. What ships has 128.
FILES_MAX = 16
NAMES = FILES_MAX + 8


def nothing(make):
    make.file(".lock", b"")


def entries(make):
    """A cache in use: an index, wheels, links, an unpacked source, a lock of an entry."""
    make.file(".lock", b"")
    make.file(".gitignore", b"*")
    make.file("simple-v7/index/0123456789abcdef/pkg.rkyv")
    for name in ("pkg/__init__.py", "pkg/module.py", "pkg-1.0.dist-info/RECORD"):
        make.file(f"{ARCHIVE}/{name}")
    make.link("wheels-v1/index/0123456789abcdef/pkg/pkg-1.0-py3-none-any", f"../../../../{ARCHIVE}")
    make.file(f"{SOURCE}/setup.py")
    make.file("built-wheels-v3/index/0123456789abcdef/pkg/1.0/.lock", b"")


def partial_tree(make):
    """The report's: a staging tree that a build did not finish, its directory `d-w-------`."""
    make.file(f"{SOURCE}/build/lib/pkg/__init__.py")
    make.file(f"{STAGING}/__init__.py")
    make.file(f"{STAGING}/module.py")
    make.file(f"{STAGING}/sub/__init__.py")
    make.mode(STAGING, 0o200)
    make.file(f"{ARCHIVE}/pkg-1.0.dist-info/RECORD")


def shut_directories(make):
    """Every mode that keeps an owner from emptying a directory, each with something in it; two in each other."""
    for mode in (0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600):
        make.file(f"bucket/shut-{mode:o}/file")
        make.mode(f"bucket/shut-{mode:o}", mode)
    make.file("bucket/shut-0/inner/file")
    make.mode("bucket/shut-0/inner", 0o000)
    make.directory("bucket/empty", 0o000)


def shut_root(make):
    entries(make)
    make.mode("", 0o000)


def read_only_root(make):
    partial_tree(make)
    make.mode("", 0o500)


def read_only_top(make):
    """Directories that cannot be moved into another one: their own `..` would have to be written."""
    make.file("archive-v0/entry/pkg/__init__.py")
    make.file("archive-v0/entry/RECORD")
    for path in ("archive-v0/entry/pkg", "archive-v0/entry", "archive-v0"):
        make.mode(path, 0o555)
    make.file("wheels-v1/entry/file")
    make.mode("wheels-v1", 0o555)


def lock_is_a_link(make):
    entries_without_lock(make)
    make.link(".lock", "../outside/plain")


def lock_is_a_directory(make):
    entries_without_lock(make)
    make.file(".lock/inner/file")
    make.mode(".lock/inner", 0o300)
    make.mode(".lock", 0o500)


def lock_is_a_fifo(make):
    entries_without_lock(make)
    make.node(".lock", "fifo")


def lock_is_shut(make):
    """A regular file that we may not open: there is no lock to be had, and nothing to be removed."""
    entries_without_lock(make)
    make.file(".lock", b"", 0o000)


def entries_without_lock(make):
    make.file(f"{ARCHIVE}/pkg/__init__.py")
    make.file("wheels-v1/index/file")


def long_tag(make):
    """A valid tag that an empty cache cannot have: it goes, last."""
    make.file("CACHEDIR.TAG", TAG_TEXT + bytes(5000))
    entries_without_lock(make)
    make.file("loose")


def long_lock(make):
    """A lock that an empty cache cannot have, and that we hold: what is in it goes, with nobody getting another one."""
    make.file(".lock", bytes(5000))
    entries_without_lock(make)


def untagged(make):
    make.tagged = False
    make.link("CACHEDIR.TAG", "../outside/plain")
    entries_without_lock(make)


def ways_out(make):
    """Links of both kinds to what is outside, in directories whose modes tempt a cleaner; nodes of other kinds."""
    for mode in (0o755, 0o555, 0o300):
        bucket = f"bucket-{mode:o}"
        make.link(f"{bucket}/to-directory", "../../outside/d")
        make.link(f"{bucket}/to-read-only", "../../outside/read-only")
        make.hard_link(f"{bucket}/hard", "plain")
        make.hard_link(f"{bucket}/hard-read-only", "read-only")
        make.mode(bucket, mode)
    make.link("to-outside", "../outside")
    make.link("dangling", "nothing")
    make.node("bucket-755/fifo", "fifo")
    make.node("bucket-755/socket", "socket")


def deep_chains(make):
    """Two ways down, deeper than descriptors are held, shut in the middle, with something at several levels."""
    for top in ("a", "b"):
        way = top
        for level in range(1, DEPTH + 1):
            way += f"/{level}"
            make.directory(way)
            if level in (1, DEPTH // 2, DEPTH):
                make.file(f"{way}/file")
            if level == DEPTH // 2:
                make.mode(way, 0o200)


def many_names(make):
    """A directory that is divided by its names, not by its subdirectories."""
    for number in range(NAMES):
        make.file(f"http-v2/{number:04}", b"")
    make.file("http-v2/0000-directory/file")


def trash_left(make):
    """What killed cleaners moved aside, some of it under a name that is wanted again."""
    entries_without_lock(make)
    make.file(".cachestorm-trash/archive-v0/entry/file")
    make.file(".cachestorm-trash/archive-v0/entry/shut/file")
    make.mode(".cachestorm-trash/archive-v0/entry/shut", 0o200)
    make.file(".cachestorm-trash-1/built-wheels-v3/file")
    make.mode(".cachestorm-trash-1", 0o500)
    make.file(".cachestorm-trash-2")


def temporary_names(make):
    """What builds and downloads that were killed had not given its name yet."""
    make.file(".tmpWheel/pkg/__init__.py")
    make.file(".tmpFile")
    make.file("archive-v0/.tmpUnpacked/pkg/__init__.py")
    make.mode("archive-v0/.tmpUnpacked/pkg", 0o200)
    make.file("http-v2/a/b/0123.tmp")
    make.file("simple-v7/index/0123456789abcdef/.tmpIndex")


STATES = {
    make.__name__.replace("_", "-"): make
    for make in (
        nothing, entries, partial_tree, shut_directories, shut_root, read_only_root, read_only_top, lock_is_a_link,
        lock_is_a_directory, lock_is_a_fifo, lock_is_shut, long_tag, long_lock, untagged, ways_out, deep_chains,
        many_names, trash_left, temporary_names,
    )
}  # fmt: skip


def copied_from(directory):
    """The state that a tree on disk is in. It opens what is shut, and shuts it again."""

    def make(recipe, below=""):
        path = os.path.join(directory, below)
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, 0o700)
        with os.scandir(path) as found:
            names = sorted(found, key=lambda entry: entry.name)
        for entry in names:
            name = os.path.join(below, entry.name)
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                recipe.link(name, os.readlink(entry.path))
            elif entry.is_dir():
                recipe.directory(name)
                make(recipe, name)
            else:
                with open(entry.path, "rb") as file:
                    recipe.file(name, file.read(), stat.S_IMODE(status.st_mode))
        os.chmod(path, mode)
        recipe.mode(below, mode)

    return make
