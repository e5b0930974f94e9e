"""One error of the system, at any call of a cleaning: a typed error that changed nothing, or a report that is true."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core import audit, clean_sync
from cache_core.errors import CacheError
from cache_core.kernel import REAL
from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree
from cache_core.report import LOCK_HELD
from cache_core.surroundings import NOWHERE

NUMBERS = [errno.EIO, errno.EACCES, errno.ENOSPC, errno.EMFILE, errno.EINTR, errno.EBUSY, errno.ENOMEM]
KEPT = ("CACHEDIR.TAG", ".gitignore", ".lock")

# How to clean, and what is special about the cache.
VARIANTS = {
    "plain": {},
    "forced": {"force": True},
    "root removed": {"remove_root": True},
    "residue": {"residue_only": True},
    "dry run": {"dry_run": True},
    "with a limit": {"timeout": 1},
    "shut root": {},
    "read-only root": {},
    "lock is a directory": {},
    "long lock": {},
    "no lock yet": {},
    "by steps": {},
}


class OneError:
    """The real calls, of which one fails. close(2) does its work all the same, as on Linux."""

    def __init__(self, turn, number, *, without_openat2):
        self.turns = 0
        self.struck = None
        self._turn = turn
        self._number = number
        self._without_openat2 = without_openat2

    def __getattr__(self, name):
        real = getattr(REAL, name)

        def call(*arguments, **options):
            self.turns += 1
            strikes = self.turns == self._turn
            if strikes:
                self.struck = (name, arguments)
            if name == "close":
                real(*arguments)
            if strikes:
                raise OSError(self._number, os.strerror(self._number))
            if name == "openat2" and self._without_openat2:
                raise OSError(errno.ENOSYS, "unknown")
            return None if name == "close" else real(*arguments, **options)

        return call


def make(root, variant):
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    (root / ".gitignore").write_text("*")
    (root / "file").write_text("x")
    staging = root / "entry" / "build" / "bdist.linux"
    (staging / "shut").mkdir(parents=True)
    (staging / "shut" / "file").touch()
    (staging / "shut").chmod(0o200)
    if variant == "lock is a directory":
        (root / ".lock").mkdir()
        (root / ".lock" / "file").touch()
    elif variant != "no lock yet":
        (root / ".lock").write_bytes(b"x" * (5000 if variant == "long lock" else 0))
    root.chmod({"shut root": 0o000, "read-only root": 0o500}.get(variant, 0o755))


def bits(path):
    return stat.S_IMODE(path.lstat().st_mode)


def look(root, below=""):
    """Everything that is there but for the lock, with its mode; opens what is shut, and shuts it again."""
    path = root / below
    if not os.path.lexists(path) or below == ".lock":
        return {}
    mode = bits(path)
    seen = {below or ".": mode}
    if path.is_dir():
        path.chmod(0o700)
        for name in os.listdir(path):
            seen |= look(root, f"{below}/{name}" if below else name)
        path.chmod(mode)
    return seen


def judge(root, variant, before, kernel, report):
    """What a report says, held against what is there."""
    now = look(root)
    there = [name for name in now if name.split("/")[0] not in (".", *KEPT)]
    named = [left.path for left in report.left]
    assert len(named) == len(set(named))
    if variant == "dry run":
        # There is a directory that it cannot look into, so no report is true without naming something.
        assert (now, report.succeeded) == (before, False)
        return
    for name in there:
        if variant != "residue" and not any(other.startswith(f"{name}/") for other in there):
            assert any(f"{name}/".startswith(f"{path}/") or path == "." for path in named), (name, named)
    if report.empty:
        assert there == []
        assert root.exists() != (variant == "root removed")
    elif variant != "residue":
        assert named
    if variant == "residue" and report.succeeded:
        assert "entry/build/bdist.linux" not in now
    if report.permissions_repaired == 0 or not report.succeeded:
        assert now.get(".", before["."]) == before["."]
    shut = "entry/build/bdist.linux/shut"
    assert now.get(shut, 0o200) == 0o200, kernel.struck
    assert ("CACHEDIR.TAG" in now) == root.exists(), kernel.struck


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_one_error_is_a_typed_error_or_an_honest_report(place, number, variant):
    root = place / "cache"
    start = sorted(os.listdir("/proc/self/fd"))
    refused = reported = 0
    turn = 0
    while True:
        turn += 1
        make(root, variant)
        lock = None if variant in ("no lock yet", "shut root") else (root / ".lock").stat().st_ino
        before = look(root)
        kernel = OneError(turn, number, without_openat2=variant == "by steps")
        try:
            report = clean_sync(str(root), kernel=kernel, surroundings=NOWHERE, **VARIANTS[variant])
        except CacheError:
            refused += 1
            assert look(root) == before, kernel.struck
        else:
            reported += not report.succeeded
            judge(root, variant, before, kernel, report)
            if report.lock == LOCK_HELD and lock is not None and root.exists() and variant == "plain":
                assert (root / ".lock").stat().st_ino == lock, kernel.struck
        assert sorted(os.listdir("/proc/self/fd")) == start, kernel.struck
        # Whatever happened, the next one comes to the end.
        assert clean_sync(str(root), surroundings=NOWHERE).empty, kernel.struck
        remove_tree(str(root))
        if kernel.struck is None:
            break
    assert turn > 20
    assert refused
    assert reported


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_an_audit_with_one_error_names_what_it_could_not_see(place, number):
    root = place / "cache"
    make(root, "plain")
    whole = audit(str(root))
    before = look(root)
    turn = 0
    while True:
        turn += 1
        kernel = OneError(turn, number, without_openat2=False)
        report = audit(str(root), kernel=kernel)
        assert not report.empty
        assert report == whole or report.unreadable != whole.unreadable, kernel.struck
        if kernel.struck is None:
            break
    assert turn > 10
    assert look(root) == before
