"""An untagged working directory or a home below a directory that we may not search is not cleaned either."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core import RefusedRootError, clean_sync
from cache_core.errors import SurroundingsError
from cache_core.surroundings import Surroundings


@pytest.fixture
def below(cache):
    (cache / "p" / "sub").mkdir(parents=True)
    (cache / "p" / "sub" / "file").touch()
    yield cache / "p" / "sub"
    (cache / "p").chmod(0o700)
    assert os.listdir(cache / "p" / "sub") == ["file"]


@pytest.mark.parametrize("mode", [0, 0o200, 0o600])
@pytest.mark.parametrize("options", [{}, {"residue_only": True}, {"untagged": True, "force": True}])
def test_the_working_directory(cache, below, monkeypatch, mode, options):
    monkeypatch.setenv("HOME", "/")
    (cache / "CACHEDIR.TAG").unlink()
    monkeypatch.chdir(below)
    (cache / "p").chmod(mode)
    for path in (cache, cache / "p"):
        with pytest.raises(RefusedRootError, match="contains the working directory"):
            clean_sync(str(path), **options)
    assert stat.S_IMODE((cache / "p").stat().st_mode) == mode


@pytest.mark.parametrize("through", ["path", "link", "link in the cache"])
def test_the_home_directory(cache, below, place, monkeypatch, through):
    home = below
    if through == "link":
        os.symlink(cache / "p", place / "link")
        home = place / "link" / "sub"
    elif through == "link in the cache":
        os.symlink("p", cache / "link")
        os.symlink(cache, place / "cache-link")
        home = place / "cache-link" / "link" / "sub"
    monkeypatch.setenv("HOME", str(home))
    (cache / "p").chmod(0)
    with pytest.raises(RefusedRootError, match="contains the home directory"):
        clean_sync(str(cache))


def test_a_home_that_a_denied_directory_may_hold_counts_as_there(cache, monkeypatch):
    """Nobody can tell without changing a mode."""
    (cache / "p").mkdir(mode=0)
    monkeypatch.setenv("HOME", str(cache / "p" / "home"))
    with pytest.raises(RefusedRootError):
        clean_sync(str(cache))
    (cache / "p").chmod(0o700)
    assert clean_sync(str(cache)).empty


def test_the_names_are_looked_at_or_nothing_is_cleaned(cache, below, monkeypatch, watching):
    monkeypatch.chdir(below)
    (cache / "p").chmod(0)

    def refuse(name, arguments):
        return OSError(errno.EIO, "injected") if name == "lstat" and arguments[0] == str(cache) else None

    with pytest.raises(SurroundingsError, match="injected"):
        Surroundings.of_process(watching(refuse=refuse))
