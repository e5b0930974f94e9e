"""A cache on a read-only file system: nothing can go, and that is said once."""

from __future__ import annotations

import errno
import os

from cache_core import clean_sync
from cache_core.report import LOCK_UNAVAILABLE

CHANGES = {"unlink", "rmdir", "mkdir", "rename"}


def refuse_changes(name, arguments):
    if name in CHANGES or (name == "open" and arguments[1] & os.O_RDWR):
        return OSError(errno.EROFS, "no")
    return None


def test_a_read_only_file_system_is_one_line(cache, watching):
    (cache / "entry").mkdir()
    kernel = watching(refuse=refuse_changes)
    report = clean_sync(str(cache), kernel=kernel)
    assert [(left.path, left.errno) for left in report.left] == [(".", "EROFS")]
    assert (report.empty, report.succeeded, report.lock, report.lock_error) == (False, False, LOCK_UNAVAILABLE, "EROFS")
    assert not CHANGES & {name for name, _ in kernel.calls}
    empty = cache.parent / "empty"
    empty.mkdir()
    assert clean_sync(str(empty), kernel=watching(refuse=refuse_changes)).empty


def test_on_a_read_only_file_system_residue_is_named_and_none_is_none(cache, watching):
    (cache / "wheels-v0" / "entry").mkdir(parents=True)
    report = clean_sync(str(cache), residue_only=True, kernel=watching(refuse=refuse_changes))
    assert (report.succeeded, report.left, report.lock_error) == (True, (), "EROFS")
    (cache / "built-wheels-v3" / "build" / "bdist.x").mkdir(parents=True)
    (cache / ".tmpfoo").mkdir()
    kernel = watching(refuse=refuse_changes)
    report = clean_sync(str(cache), residue_only=True, kernel=kernel)
    left = [(left.path, left.errno) for left in report.left]
    assert left == [(".tmpfoo", "EROFS"), ("built-wheels-v3/build/bdist.x", "EROFS")]
    assert {left.reason for left in report.left} == {"the file system is read-only"}
    assert not report.succeeded
    assert not CHANGES & {name for name, _ in kernel.calls}
