"""Residue of each kind, in the layouts of the tools that share caches: what goes, and what is whole and stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cache_core import audit, buckets, clean_sync
from cache_core.auditing import audit_open
from cache_core.kernel import REAL
from cache_core.outcome import Options
from cache_core.protocols import PROTOCOLS
from cache_core.residue import remove_residue
from cache_core.surroundings import NOWHERE
from cache_core.trash import Trash
from cache_core.wholeness import TEMPORARY_PREFIX
from tests.support.residues import (
    ARCHIVE,
    CHECKOUT,
    DOWNLOAD,
    NEW_SHARD,
    NEW_SOURCE,
    OLD_SHARD,
    OLD_SOURCE,
    cleaned,
    files,
    fill,
    point,
    residue,
)  # fmt: skip
from tests.support.stores import ENTRY, PUBLISHING, WHEEL, is_whole, store, work


def test_temporary_names_are_those_of_the_store():
    assert TEMPORARY_PREFIX == buckets.TEMPORARY_PREFIX


TEMPORARY = {
    "uv, unpacking a wheel": (".tmpAbC123/pkg/__init__.py", ".tmpAbC123"),
    "uv, a download": (".tmpXyZ789", ".tmpXyZ789"),
    "uv, an archive on its way": ("archive-v0/.tmpAbC123/pkg/__init__.py", "archive-v0/.tmpAbC123"),
    "uv, a build environment": ("builds-v0/.tmpq1W2e3/bin/python", "builds-v0/.tmpq1W2e3"),
    "uv, a source on its way": ("sdists-v11/.tmpq1W2e3/pkg-1.0/setup.py", "sdists-v11/.tmpq1W2e3"),
    "uv, a file of an index": ("simple-v28/pypi/.tmpq1W2e3", "simple-v28/pypi/.tmpq1W2e3"),
    "uv, a link to an environment": ("environments-v2/aa/.tmpq1W2e3/link", "environments-v2/aa/.tmpq1W2e3"),
    "uv 0.1.42, a link to replace": (f"{OLD_SHARD}/.tmpq1W2e3/link", f"{OLD_SHARD}/.tmpq1W2e3"),
    "ours, a wheel being built": (f"{OLD_SHARD}/.tmp-build-1-wheel/pkg.whl", f"{OLD_SHARD}/.tmp-build-1-wheel"),
    "setuptools, in the folder of the wheel": (f"{NEW_SHARD}/.tmp-8x_a/pkg.whl", f"{NEW_SHARD}/.tmp-8x_a"),
    "pip, a head": (f"{DOWNLOAD}k3j2_a9x.tmp", f"{DOWNLOAD}k3j2_a9x.tmp"),
    "pip, a body": (f"{DOWNLOAD}.bodyk3j2_a9x.tmp", f"{DOWNLOAD}.bodyk3j2_a9x.tmp"),
    "pip up to 23.2": ("http/a/b/c/d/e/abcdek3j2_a9x.tmp", "http/a/b/c/d/e/abcdek3j2_a9x.tmp"),
    "pip, when it asked for its version": ("selfcheck/00ff9ak3j2_a9x.tmp", "selfcheck/00ff9ak3j2_a9x.tmp"),
}


@pytest.mark.parametrize("case", TEMPORARY)
def test_temporary_names_go(cache, case):
    made, listed = TEMPORARY[case]
    fill(cache, made, f"{ARCHIVE}/pkg/__init__.py", "whole")
    assert residue(cache) == [(listed, "temporary")]
    assert audit(str(cache)).temporary == (listed,)
    cleaned(cache)
    assert not (cache / listed).exists()


def test_a_temporary_name_of_any_kind_of_node(cache, outside):
    os.mkfifo(cache / ".tmp-fifo")
    (cache / ".tmp-link").symlink_to(outside)
    (cache / ".tmp-shut").mkdir(mode=0)
    report = audit(str(cache))
    assert [(item.path, item.kind) for item in report.residue] == [
        (".tmp-fifo", "temporary"), (".tmp-link", "temporary"), (".tmp-shut", "temporary")
    ]  # fmt: skip
    # That one is poisoned as well, is said and goes once.
    assert [item.path for item in report.poisoned] == [".tmp-shut"]
    cleaned(cache)


WHOLE = {
    "what a wheel ships": (
        f"{ARCHIVE}/.tmpfoo", f"{ARCHIVE}/pkg/.tmpfoo/file", f"{ARCHIVE}/build/bdist.x/file", f"{ARCHIVE}/setup.py",
        f"{ARCHIVE}/.cachestorm-trash/file", f"{ARCHIVE}/pkg/data.tmp",
    ),
    "what a source ships": (
        f"{NEW_SOURCE}/setup.py", f"{NEW_SOURCE}/.tmpfoo", f"{NEW_SOURCE}/tests/.tmpdata/file", f"{NEW_SOURCE}/a.tmp",
        f"{OLD_SOURCE}/.tmpfoo", f"{OLD_SOURCE}/tests/.tmpdata/file",
    ),
    "a source by its name alone": (f"{NEW_SOURCE}/.tmpfoo", f"{NEW_SOURCE}/sub/setup.py", f"{OLD_SOURCE}/.tmpfoo"),
    "a source from a link": (
        "sdists-v11/url/6781bd6440ae72c2/APYY01rbIfpAo_ij/src/.tmpfoo",
        "built-wheels-v3/url/6781bd6440ae72c2/APYY01rbIfpAo_ij9sCY6/master.zip/.tmpfoo",
    ),
    "a checkout": (f"{CHECKOUT}/.tmpfoo", f"{CHECKOUT}/sub/.tmpfoo/file", "git-v0/db/81137838be98ebe9/.tmpfoo"),
    "sources elsewhere": ("a/setup.py", "a/.tmpa", "b/pyproject.toml", "b/.tmpb/c", "c/PKG-INFO", "c/d/.tmpd"),
    "an unpacked wheel elsewhere": (
        "wheels-v0/pypi/pkg-1.0-py3-none-any/pkg-1.0.dist-info/METADATA",
        "wheels-v0/pypi/pkg-1.0-py3-none-any/.tmpfoo", "wheels-v0/pypi/pkg-1.0-py3-none-any/build/bdist.x/file",
    ),
    "site-packages with a setup.py": ("s/setup.py", "s/a.dist-info/METADATA", "s/build/bdist.x/file", "s/.tmpfoo"),
    "an environment": (
        "environments-v2/tool-0123/pyvenv.cfg", "environments-v2/tool-0123/.tmpfoo",
        "environments-v2/aa/bb/build/bdist.x/file",
    ),
    "a downloaded program": ("python-v0/3.13.tar.gz", "binaries-v0/ruff/.tmpfoo"),
    "names that only look like it": ("wheels/tmpfoo", "wheels/x.tmp", f"{DOWNLOAD}.body", "d/.cachestorm-trash/file"),
    "a directory of pip's that ends so": ("http-v2/a/odd.tmp/file",),
    "files that are no trees": ("x/build/bdist.linux", "x/bdist.linux/file"),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
def test_what_is_whole_stays(cache, case):
    fill(cache, *WHOLE[case])
    before = files(cache)
    assert residue(cache) == []
    report = clean_sync(str(cache), residue_only=True)
    assert (report.succeeded, report.files_removed, report.directories_removed) == (True, 0, 0)
    assert [name for name in files(cache) if name != ".lock"] == before


@pytest.mark.parametrize("source", [OLD_SOURCE, NEW_SOURCE, CHECKOUT, "local/pkg-1.0"])
def test_a_partial_tree_goes_and_its_source_stays(cache, source):
    fill(cache, f"{source}/setup.py", f"{source}/pkg/a.py", f"{source}/build/lib/pkg/a.py")
    fill(cache, f"{source}/build/bdist.linux-x86_64/wheel/pkg/a.py", f"{source}/build/bdist.linux-x86_64/setup.py")
    (cache / source / "build/bdist.linux-x86_64/wheel/pkg").chmod(0o200)
    assert residue(cache) == [(f"{source}/build/bdist.linux-x86_64", "partial-tree")]
    cleaned(cache)
    assert (cache / source / "build/lib/pkg/a.py").exists()


@pytest.mark.parametrize("name", [".cachestorm-trash", ".cachestorm-trash-1"])
def test_orphaned_trash_goes_whatever_is_in_it(cache, name):
    fill(cache, f"{name}/archive-v0/x/a.py", f"{name}/y/build/bdist.x/wheel/", f"{name}/.tmpfoo/a", "whole")
    (cache / name / "y/build/bdist.x/wheel").chmod(0o200)
    report = audit(str(cache))
    assert [(item.path, item.kind, item.files, item.directories) for item in report.residue] == [(name, "trash", 2, 8)]
    assert (report.trash, report.partial_trees) == ((name,), ())
    removed = cleaned(cache)
    assert (removed.files_removed, removed.directories_removed) == (2, 8)


def test_an_archive_goes_as_a_whole_when_a_directory_of_it_is_poisoned(cache):
    """Without that directory it would install, and nobody would notice that something is missing."""
    fill(cache, f"{ARCHIVE}/pkg/a/one.py", f"{ARCHIVE}/pkg/b/two.py", f"{ARCHIVE}/pkg-1.0.dist-info/RECORD")
    fill(cache, "archive-v0/other/pkg/one.py")
    link = cache / NEW_SHARD / "pkg-1.0-py3-none-any"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../../../../{ARCHIVE}")
    (cache / ARCHIVE / "pkg" / "a").chmod(0o200)
    (cache / ARCHIVE / "pkg" / "b").chmod(0o300)
    report = audit(str(cache))
    # Two poisoned directories, of which one file could not be seen each, and one entry.
    assert [(item.path, item.kind, item.files, item.directories) for item in report.residue] == [
        (ARCHIVE, "poisoned", 1, 5)
    ]
    assert [item.path for item in report.poisoned] == [f"{ARCHIVE}/pkg/a", f"{ARCHIVE}/pkg/b"]
    cleaned(cache)
    assert os.listdir(cache / "archive-v0") == ["other"]
    assert os.path.lexists(link)
    assert not os.path.exists(link)


@pytest.mark.parametrize("source", [OLD_SOURCE, NEW_SOURCE, CHECKOUT])
def test_a_source_goes_as_a_whole_when_a_directory_of_it_is_poisoned(cache, source):
    """What is built without that directory is incomplete; unpacked again, it is whole."""
    fill(cache, f"{source}/setup.py", f"{source}/pkg/a/one.py", f"{source}/build/bdist.x/wheel/one.py")
    fill(cache, f"{os.path.dirname(source)}/pkg-1.0-py3-none-any.whl")
    (cache / source / "pkg" / "a").chmod(0o400)
    assert residue(cache) == [(source, "poisoned")]
    assert audit(str(cache)).partial_trees == (f"{source}/build/bdist.x",)
    cleaned(cache)
    assert os.listdir(os.path.dirname(cache / source)) == ["pkg-1.0-py3-none-any.whl"]


def test_an_entry_that_is_shut_itself_goes_alone(cache):
    fill(cache, f"{ARCHIVE}/a.py", "archive-v0/other/a.py")
    (cache / ARCHIVE).chmod(0)
    assert residue(cache) == [(ARCHIVE, "poisoned")]
    cleaned(cache)


def test_a_root_that_is_an_entry_itself_stays(cache):
    """A virtual environment of uv's is tagged as a cache."""
    fill(cache, "pyvenv.cfg", "lib/.tmpfoo", ".tmpfoo", "lib/build/bdist.x/a", "lib/b/a", ".cachestorm-trash/a")
    (cache / "lib" / "b").chmod(0)
    assert residue(cache) == [(".cachestorm-trash", "trash"), ("lib/b", "poisoned")]
    cleaned(cache)


def test_residue_in_residue_is_listed_once(cache):
    fill(cache, ".tmpa/source/build/bdist.x/wheel/a", ".tmpa/.tmpb/c", "e/build/bdist.y/build/bdist.z/.tmpc")
    (cache / ".tmpa" / "source").chmod(0o500)
    (cache / ".tmpa" / "source/build/bdist.x/wheel").chmod(0)
    report = audit(str(cache))
    assert [(item.path, item.kind) for item in report.residue] == [
        (".tmpa", "temporary"), ("e/build/bdist.y", "partial-tree")
    ]  # fmt: skip
    assert report.partial_trees == (".tmpa/source/build/bdist.x", "e/build/bdist.y")
    cleaned(cache)


def test_sizes_are_those_of_what_goes(cache):
    fill(cache, ".tmpa/b/one", ".tmpa/two", "whole/one", ".tmpfile")
    (cache / ".tmpa/two").write_bytes(b"x" * 10_000)
    os.link(cache / "whole/one", cache / ".tmpa/three")
    by_path = {item.path: item for item in audit(str(cache)).residue}
    blocks = sum((cache / ".tmpa" / name).stat().st_blocks for name in ("b/one", "two")) * 512
    assert (by_path[".tmpa"].files, by_path[".tmpa"].directories, by_path[".tmpa"].bytes) == (3, 2, blocks)
    assert (by_path[".tmpfile"].files, by_path[".tmpfile"].directories) == (1, 0)
    removed = cleaned(cache)
    assert (removed.files_removed, removed.directories_removed) == (4, 2)


def test_the_order_of_a_listing_does_not_matter(cache, reordered):
    fill(cache, "a/setup.py", "a/.tmpfoo", "b/x.dist-info/RECORD", "b/setup.py", "b/.tmpfoo", "b/build/bdist.x/f")
    fill(cache, ".tmpz", "c/build/bdist.x/f")
    fd = os.open(cache, os.O_RDONLY)
    try:
        reports = [audit_open(fd, ".", kernel=reordered(reverse)) for reverse in (False, True)]
    finally:
        os.close(fd)
    assert reports[0] == reports[1]
    assert [item.path for item in reports[0].residue] == [".tmpz", "c/build/bdist.x"]


@pytest.fixture
def reordered():
    """The real kernel, its listings sorted one way or the other."""
    from contextlib import contextmanager

    class Sorted:
        def __init__(self, reverse):
            self._reverse = reverse

        def __getattr__(self, name):
            return getattr(REAL, name)

        @contextmanager
        def scandir(self, place):
            with os.scandir(place) as listing:
                yield iter(sorted(listing, key=lambda entry: entry.name, reverse=self._reverse))

    return Sorted


def test_what_was_not_listed_to_its_end_is_named_and_nothing_in_it_judged(cache):
    """The name that was not seen may be a setup.py."""
    from contextlib import contextmanager

    fill(cache, "d/.tmpa", "d/sub/.tmpb", "d/sub/build/bdist.x/f", ".tmpc")
    status = os.stat(cache / "d")

    class Failing:
        def __getattr__(self, name):
            return getattr(REAL, name)

        @contextmanager
        def scandir(self, place):
            with os.scandir(place) as listing:
                yield self._until_it_fails(listing) if os.fstat(place).st_ino == status.st_ino else listing

        def _until_it_fails(self, listing):
            yield from listing
            raise OSError(errno.EIO, "no")

    fd = os.open(cache, os.O_RDONLY)
    try:
        report = audit_open(fd, ".", kernel=Failing())
        removal = remove_residue(fd, report, Trash(fd, REAL, NOWHERE), kernel=Failing())
    finally:
        os.close(fd)
    assert [item.path for item in report.residue] == [".tmpc"]
    assert [(left.path, left.errno) for left in report.unreadable] == [("d", "EIO")]
    assert [(left.path, left.errno) for left in removal.left] == [("d", "EIO")]
    assert (removal.files_removed, (cache / "d" / ".tmpa").exists()) == (1, True)


def test_a_residue_in_a_read_only_bucket_goes_and_the_bucket_keeps_its_mode(cache):
    fill(cache, "archive-v0/.tmpa/b", f"{ARCHIVE}/a")
    (cache / "archive-v0").chmod(0o555)
    cleaned(cache)
    assert (cache / "archive-v0").stat().st_mode & 0o777 == 0o555


def test_pointers_to_a_spoilt_archive_go_before_it(cache, watching, outside):
    """uv 0.1.42 follows a pointer to nothing, and fails each time."""
    names = {
        "wheels-v1/pypi/pkg/pkg-1.0-py3-none-any.http": ARCHIVE,
        "wheels-v1/url/aa/pkg/pkg-1.0-py3-none-any.rev": ARCHIVE,
        "wheels-v1/pypi/other/other-1.0-py3-none-any.http": "archive-v0/other",
        f"{OLD_SHARD}/../revision.http": ARCHIVE,
    }
    fill(
        cache, f"{ARCHIVE}/pkg/a.py", "archive-v0/other/a.py", "wheels-v1/pypi/pkg/x.msgpack", f"{OLD_SOURCE}/setup.py"
    )
    for pointer, named in names.items():
        point(cache, pointer, named)
    point(outside.parent, "pointer", ARCHIVE)
    (cache / "wheels-v1/pypi/pkg/link.http").symlink_to(outside.parent / "pointer")
    assert residue(cache) == []
    (cache / ARCHIVE / "pkg").chmod(0o200)
    dangling = list(names)[:2]
    assert residue(cache) == [(ARCHIVE, "poisoned"), *((path, "dangling") for path in dangling)]
    kernel = watching()
    assert clean_sync(str(cache), residue_only=True, kernel=kernel).succeeded
    removed = [arguments[0] for name, arguments in kernel.calls if name in ("unlink", "rmdir", "rename")]
    last_pointer = max(removed.index(os.path.basename(path)) for path in dangling)
    assert last_pointer < min(removed.index(name) for name in (os.path.basename(ARCHIVE), "pkg") if name in removed)
    assert not audit(str(cache)).has_residue
    assert (cache / "wheels-v1/pypi/other/other-1.0-py3-none-any.http").exists()
    assert (cache / OLD_SHARD / "../revision.http").exists()


def test_a_pointer_that_cannot_be_read_is_named(cache, watching):
    fill(cache, f"{ARCHIVE}/pkg/a.py")
    point(cache, "wheels-v1/pypi/pkg/pkg-1.0.http", ARCHIVE)
    (cache / ARCHIVE / "pkg").chmod(0o200)
    (cache / "wheels-v1/pypi/pkg/pkg-1.0.http").chmod(0)
    report = audit(str(cache))
    assert [(left.path, left.errno) for left in report.unreadable][1:] == [
        ("wheels-v1/pypi/pkg/pkg-1.0.http", "EACCES")
    ]
    # Gone, the archive spoils nothing any more, and nobody asks for the pointer.
    assert clean_sync(str(cache), residue_only=True).succeeded


@pytest.mark.parametrize(("source", "pointer"), [(OLD_SOURCE, "revision.http"), (NEW_SOURCE, "revision.rev")])
@pytest.mark.parametrize("built", [False, True])
def test_the_pointer_to_a_spoilt_source_stays_for_the_wheel_that_was_built_from_it(cache, source, pointer, built):
    shard = os.path.dirname(source)
    pointer = f"{os.path.dirname(shard)}/{pointer}"
    fill(cache, f"{source}/pkg/a.py", f"{os.path.dirname(shard)}/other/metadata.msgpack")
    if built:
        fill(cache, f"{shard}/pkg-1.0-py3-none-any.whl")
    point(cache, pointer, shard)
    (cache / source / "pkg").chmod(0o200)
    assert sorted(residue(cache)) == sorted([(source, "poisoned"), *([] if built else [(pointer, "dangling")])])
    cleaned(cache)
    assert (cache / pointer).exists() is built


def test_the_pointer_to_a_revision_that_is_shut_goes(cache):
    fill(cache, f"{OLD_SOURCE}/setup.py")
    pointer = f"{os.path.dirname(OLD_SHARD)}/revision.http"
    point(cache, pointer, OLD_SHARD)
    (cache / OLD_SHARD).chmod(0o200)
    assert residue(cache) == [(OLD_SHARD, "poisoned"), (pointer, "dangling")]
    cleaned(cache)


def test_stopped_while_it_looks_nothing_is_removed(cache):
    fill(cache, ".tmpa", ".tmpb/c", "d/e")
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) == 2

    report = clean_sync(str(cache), residue_only=True, cancelled=cancelled)
    assert (report.cancelled, report.files_removed) == (True, 0)
    assert [(left.path, left.errno) for left in report.left] == [(".tmpa", "ECANCELED"), (".tmpb", "ECANCELED")]


@pytest.mark.parametrize("protocol", PUBLISHING)
def test_what_was_spoilt_is_made_again(place, protocol):
    """By the store and its protocols: a wheel that is there is unpacked, a source fetched again."""
    root = place / "cache"
    root.mkdir()
    made = PROTOCOLS[protocol](store(root, "one"), ENTRY, work(REAL))
    (Path(made) / "pkg").chmod(0o200)
    assert clean_sync(str(root), residue_only=True, untagged=True).succeeded
    found = store(root, "two").find_built(ENTRY)
    assert (found.archive, os.path.basename(found.wheel)) == (None, WHEEL)
    assert is_whole(PROTOCOLS[protocol](store(root, "two"), ENTRY, work(REAL)))
    (root / ENTRY.shard / WHEEL).unlink()
    (root / ENTRY.source / "build").mkdir(parents=True, exist_ok=True)
    (root / ENTRY.source / "build").chmod(0o200)
    forget_archive(root, ENTRY.shard)
    assert clean_sync(str(root), residue_only=True, untagged=True).succeeded
    assert not (root / ENTRY.source).exists()
    assert is_whole(PROTOCOLS[protocol](store(root, "three"), ENTRY, work(REAL)))


def forget_archive(root, shard):
    """Take the link to the archive away, so that there is nothing to be found."""
    for path in (root / shard).iterdir():
        if path.is_symlink():
            path.unlink()


def test_what_goes_is_told_as_by_one_removal(cache):
    """Paths are those below the root, and numbers go on from tree to tree."""
    fill(cache, ".tmpa/one", f"{ARCHIVE}/pkg/two", "archive-v0/.tmpb", "e/build/bdist.x/d/three")
    (cache / "archive-v0").chmod(0o555)
    (cache / "e/build/bdist.x/d").chmod(0o200)
    removed, mended, seen = [], [], []
    options = Options(removed=removed.append, mended=mended.append, progress=seen.append)
    fd = os.open(cache, os.O_RDONLY)
    try:
        removal = remove_residue(fd, audit_open(fd, "."), Trash(fd, REAL, NOWHERE), options=options)
    finally:
        os.close(fd)
    assert sorted(removed) == [
        ".tmpa", ".tmpa/one", "archive-v0/.tmpb",
        "e/build/bdist.x", "e/build/bdist.x/d", "e/build/bdist.x/d/three",
    ]  # fmt: skip
    assert mended == ["archive-v0", "e/build/bdist.x/d"]
    assert removal.permissions_repaired == len(mended)
    numbers = [(now.files_removed, now.directories_removed) for now in seen]
    assert numbers == sorted(numbers)
    assert numbers[-1] == (removal.files_removed, removal.directories_removed) == (3, 3)


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o300, 0o600])
@pytest.mark.parametrize("where", ["bucket/shut", f"{ARCHIVE}"])
def test_what_is_known_by_its_mode_has_the_name_of_residue_before_that_is_repaired(cache, watching, mode, where):
    """Else a cleaner that is killed half-way would leave something that looks whole."""
    fill(cache, f"{where}/one", f"{where}/d/two")
    (cache / where).chmod(mode)
    seen = []

    def before(name, arguments):
        if name in ("unlink", "rmdir"):
            seen.append((cache / where).exists())

    report = clean_sync(str(cache), residue_only=True, kernel=watching(before=before))
    assert report.succeeded
    assert seen
    assert not any(seen)
