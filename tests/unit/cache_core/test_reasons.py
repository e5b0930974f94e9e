"""Refusals and reasons say what is so, to whom it is said."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core import UnreadableRootError, audit, clean_sync
from cache_core.reasons import explain


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o400, 0o600])
def test_a_dry_run_on_a_root_of_ours_that_is_shut_says_that_its_mode_is_in_the_way(cache, mode):
    (cache / "d").mkdir()
    cache.chmod(mode)
    with pytest.raises(UnreadableRootError) as caught:
        clean_sync(str(cache), dry_run=True)
    assert caught.value.problem == (
        f"cannot be looked into without changing its mode, {stat.filemode(stat.S_IFDIR | mode)}"
    )
    assert "as its owner" not in caught.value.advice
    assert stat.S_IMODE(cache.stat().st_mode) == mode
    left = audit(str(cache)).unreadable[0]
    if not mode & 0o400:
        assert (left.path, left.reason) == (".", caught.value.problem)
    assert clean_sync(str(cache)).empty


def test_a_mode_that_cannot_be_changed(cache, watching):
    (cache / "d").mkdir()
    cache.chmod(0)

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "chmod_descriptor" else None

    with pytest.raises(UnreadableRootError, match="d---------, which was refused; see whether it is immutable"):
        clean_sync(str(cache), kernel=watching(refuse=refuse))


class Others:
    """A sticky directory of uid 1001 with an entry of uid 1002."""

    def fstat(self, fd):
        return os.stat_result((stat.S_IFDIR | 0o1777, 1, 1, 2, 1001, 1001, 0, 0, 0, 0))

    def lstat(self, name, *, dir_fd):
        return os.stat_result((stat.S_IFREG | 0o644, 2, 1, 1, 1002, 1002, 0, 0, 0, 0))


@pytest.mark.parametrize("uid", [0, 1000])
def test_a_sticky_directory_stops_whoever_may_not_pass_over_ownership(uid):
    said = explain(Others(), uid, 3, "file", errno.EPERM)
    assert said == "owned by uid 1002, in a sticky directory of uid 1001"


@pytest.mark.parametrize("uid", [0, 1000])
def test_whoever_may_is_stopped_by_something_else(uid, monkeypatch):
    monkeypatch.setattr("cache_core.reasons.passes_over_ownership", lambda: True)
    assert "immutable" in explain(Others(), uid, 3, "file", errno.EPERM)


@pytest.mark.parametrize("uid", [1001, 1002])
def test_owners_are_not_stopped_by_the_sticky_bit(uid):
    assert "immutable" in explain(Others(), uid, 3, "file", errno.EPERM)
