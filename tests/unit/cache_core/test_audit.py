"""What an audit sees, and that it changes nothing."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import NotADirectoryRootError, audit
from cache_core.auditing import audit_open


def test_residue_is_described(cache):
    entry = cache / "entry"
    package = entry / "build" / "bdist.linux" / "wheel" / "package"
    package.mkdir(parents=True)
    (package / "file").touch()
    (entry / "bdist.linux").mkdir()
    (entry / "build" / "bdist.file").touch()
    (entry / "readonly").mkdir()
    (entry / "readonly" / "file").write_bytes(b"x" * 3000)
    (entry / "readonly").chmod(0o555)
    package.chmod(0o200)
    report = audit(str(cache))
    assert report.partial_trees == ("entry/build/bdist.linux",)
    assert [(found.path, found.mode, found.listed) for found in report.poisoned] == [
        ("entry/build/bdist.linux/wheel/package", 0o200, "d-w-------"),
    ]
    assert [(left.path, left.errno) for left in report.unreadable] == [
        ("entry/build/bdist.linux/wheel/package", "EACCES")
    ]
    assert "d-w-------" in report.unreadable[0].reason
    assert (report.files, report.directories, report.entries) == (2, 7, 9)
    assert (report.empty, report.has_residue) == (False, True)
    assert (package.lstat().st_mode & 0o777, (entry / "readonly").stat().st_mode & 0o777) == (0o200, 0o555)


def test_a_directory_that_can_be_listed_but_not_searched(cache):
    (cache / "d").mkdir()
    (cache / "d" / "file").touch()
    (cache / "d").chmod(0o400)
    report = audit(str(cache))
    assert [left.path for left in report.unreadable] == ["d/file"]
    assert report.poisoned[0].listed == "dr--------"


def test_bytes_count_a_file_once(cache, outside):
    (cache / "one").write_bytes(b"x" * 10_000)
    os.link(cache / "one", cache / "two")
    os.link(outside / "plain", cache / "three")
    report = audit(str(cache))
    one = os.stat(cache / "one").st_blocks * 512
    plain = os.stat(outside / "plain").st_blocks * 512
    assert (report.files, report.bytes, report.bytes_here_only) == (3, one + plain, one)


def test_deep_and_wide(cache, dig):
    os.close(dig(cache, "d", 100))
    for number in range(50):
        (cache / "d" / f"s{number}").mkdir()
    assert audit(str(cache)).directories == 150


@pytest.mark.parametrize("names", [[], [".gitignore", ".lock"]])
def test_empty(cache, names):
    for name in names:
        (cache / name).touch()
    report = audit(str(cache))
    assert (report.empty, report.entries, report.has_residue) == (True, 0, False)


def test_missing_shut_and_no_directory(place):
    assert audit(str(place / "nothing")).empty
    (place / "shut").mkdir(mode=0)
    report = audit(str(place / "shut"))
    assert (report.empty, [left.path for left in report.unreadable]) == (False, ["."])
    (place / "file").touch()
    os.symlink(place, place / "link")
    for name in ("file", "link"):
        with pytest.raises(NotADirectoryRootError):
            audit(str(place / name))


def test_the_document(cache):
    (cache / "d").mkdir(mode=0o200)
    document = audit(str(cache)).document()
    assert document["poisoned"] == [{"path": "d", "mode": "0200"}]
    assert document["residue"] == [{"path": "d", "kind": "poisoned", "files": 0, "directories": 1, "bytes": 0}]
    assert list(document) == [
        "path", "entries", "files", "directories", "bytes", "partial_trees", "poisoned", "residue", "temporary",
        "trash", "unreadable", "empty",
    ]  # fmt: skip


def test_a_lock_that_cannot_be_looked_at_is_named_and_not_empty(cache, watching):
    (cache / ".lock").touch()

    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "lstat" and arguments[0] == ".lock" else None

    report = audit(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, report.entries) == (False, 0)
    assert [(left.path, left.errno) for left in report.unreadable] == [(".lock", "EIO")]


def test_every_counted_entry_is_told(cache):
    (cache / "d" / "e").mkdir(parents=True)
    (cache / "d" / "file").touch()
    (cache / "d" / "shut").mkdir(mode=0o400)
    (cache / "link").symlink_to("d")
    (cache / ".lock").touch()
    told = []
    fd = os.open(cache, os.O_RDONLY)
    try:
        report = audit_open(fd, "it", told=told.append)
    finally:
        os.close(fd)
    assert sorted(told) == ["d", "d/e", "d/file", "d/shut", "link"]
    assert (len(told), report.path) == (report.entries, "it")
    # A directory comes before what is in it.
    assert told.index("d") < told.index("d/e")
