"""What is never cleaned is found out, or nothing is cleaned."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core.cleaner import clean_sync
from cache_core.errors import RefusedRootError, SurroundingsError, UnreadableRootError
from cache_core.surroundings import Surroundings


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.ENOMEM])
def test_no_error_of_the_system_makes_a_directory_fair_game(place, watching, monkeypatch, number):
    monkeypatch.chdir(place)
    kernel = watching()
    whole = Surroundings.of_process(kernel)
    assert whole.refused_untagged
    calls = sum(name != "close" for name, _ in kernel.calls)
    start = len(os.listdir("/proc/self/fd"))
    assert calls > 5
    for step in range(calls + 1):
        count = [0]

        def refuse(name, arguments, step=step, count=count):
            count[0] += name != "close"
            return OSError(number, "injected") if name != "close" and count[0] == step + 1 else None

        if step < calls:
            with pytest.raises(SurroundingsError, match="injected") as caught:
                Surroundings.of_process(watching(refuse=refuse))
            assert caught.value.errno == number
        else:
            assert Surroundings.of_process(watching(refuse=refuse)) == whole
        assert len(os.listdir("/proc/self/fd")) == start


def test_a_home_that_does_not_exist_is_no_reason_to_refuse(cache, monkeypatch):
    for home in ("/nowhere/at/all", "/dev/null/x", "x" * 300, ""):
        monkeypatch.setenv("HOME", home)
        assert clean_sync(str(cache)).empty


def test_a_working_directory_that_is_gone_is_no_reason_to_refuse(cache, place, monkeypatch):
    (place / "gone").mkdir()
    monkeypatch.chdir(place / "gone")
    (place / "gone").rmdir()
    assert clean_sync(str(cache)).empty


# Where we stand.


@pytest.fixture
def inside(cache, monkeypatch):
    """We are in it."""
    below = cache / "a" / "b"
    (below / "c").mkdir(parents=True)
    monkeypatch.chdir(below)
    return below


@pytest.mark.parametrize("path", ["../..", "../../../cache", "absolute", "link"])
def test_in_a_tagged_cache_it_is_an_entry_like_any_other(cache, inside, place, path):
    os.symlink(cache, place / "link")
    given = {"absolute": str(cache), "link": str(place / "link")}.get(path, path)
    report = clean_sync(given, follow_root=path == "link")
    assert (report.empty, report.directories_removed) == (True, 3)
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
    assert clean_sync(str(cache)).empty


@pytest.mark.parametrize("options", [{"untagged": True}, {"residue_only": True}, {"dry_run": True}])
def test_a_tagged_root_that_we_stand_in_is_a_cache_in_every_way(cache, inside, monkeypatch, options):
    monkeypatch.chdir(cache)
    clean_sync(".", **options)
    assert cache.is_dir()


def test_the_root_goes_when_it_is_to(cache, inside):
    assert clean_sync(str(cache), remove_root=True).empty
    assert not cache.exists()


@pytest.mark.parametrize("tag", [None, b"no tag", "link"])
@pytest.mark.parametrize("options", [{}, {"untagged": True}, {"untagged": True, "force": True, "dry_run": True}])
def test_without_a_valid_tag_it_is_refused(cache, inside, place, tag, options):
    (cache / "CACHEDIR.TAG").rename(place / "tag")
    if tag == "link":
        os.symlink(place / "tag", cache / "CACHEDIR.TAG")
    elif tag is not None:
        (cache / "CACHEDIR.TAG").write_bytes(tag)
    before = sorted(os.listdir(cache))
    for path in (str(cache), "..", ".", "../.."):
        with pytest.raises(RefusedRootError, match=r"working directory, .* without a valid CACHEDIR\.TAG"):
            clean_sync(path, **options)
    assert sorted(os.listdir(cache)) == before
    assert (inside / "c").is_dir()


def test_a_tag_that_cannot_be_told_is_none(cache, inside, watching):
    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "open" and arguments[0] == "CACHEDIR.TAG" else None

    with pytest.raises(UnreadableRootError):
        clean_sync(str(cache), untagged=True, kernel=watching(refuse=refuse))
    assert (inside / "c").is_dir()


def test_a_home_in_it_is_refused_all_the_same(cache, inside, monkeypatch):
    monkeypatch.setenv("HOME", str(inside))
    with pytest.raises(RefusedRootError, match="contains the home directory"):
        clean_sync("../..")
