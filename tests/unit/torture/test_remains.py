"""The judge's own look at a cache."""

import os

import pytest

from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree
from simulator.torture.remains import ENTRIES_MAX, identity_of, is_empty, remnants


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / "cache"
    path.mkdir()
    (path / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    yield path
    remove_tree(str(path))


def paths(cache):
    return [remnant.path for remnant in remnants(str(cache))]


def test_what_an_empty_cache_may_hold(cache):
    assert is_empty(str(cache))
    (cache / ".lock").touch()
    (cache / ".gitignore").write_text("*")
    assert is_empty(str(cache))


def test_gone_is_empty(tmp_path):
    assert is_empty(str(tmp_path / "nothing"))


@pytest.mark.parametrize("name", ["CACHEDIR.TAG", ".lock", ".gitignore"])
@pytest.mark.parametrize("kind", ["large", "link", "directory", "fifo"])
def test_a_name_alone_excuses_nothing(cache, name, kind):
    (cache / name).unlink(missing_ok=True)
    if kind == "large":
        (cache / name).write_bytes(bytes(4097))
    elif kind == "link":
        (cache / name).symlink_to("nothing")
    elif kind == "directory":
        (cache / name).mkdir()
    else:
        os.mkfifo(cache / name)
    assert not is_empty(str(cache))
    assert paths(cache) == [name]


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o300, 0o500])
def test_a_cache_that_cannot_be_read_is_read_all_the_same(cache, mode):
    (cache / "file").touch()
    cache.chmod(mode)
    assert not is_empty(str(cache))
    assert paths(cache) == ["file"]
    assert cache.stat().st_mode & 0o7777 == mode


def test_shut_directories_are_looked_into_and_shut_again(cache):
    inner = cache / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    (cache / "z").touch()
    inner.chmod(0o000)
    inner.parent.chmod(0o100)
    assert paths(cache) == ["a", "a/b", "a/b/file", "z"]
    assert inner.parent.stat().st_mode & 0o777 == 0o100
    inner.parent.chmod(0o700)
    assert inner.stat().st_mode & 0o777 == 0o000


def test_links_are_not_followed(cache, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (cache / "link").symlink_to(tmp_path / "outside")
    assert paths(cache) == ["link"]


def test_a_link_is_no_empty_cache_wherever_it_leads(cache, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(cache)
    assert is_empty(str(cache))
    assert not is_empty(str(link))


@pytest.mark.parametrize("kind", ["dangling", "file", "fifo"])
def test_what_is_no_directory_is_not_empty(tmp_path, kind):
    path = tmp_path / "cache"
    if kind == "dangling":
        path.symlink_to("nothing")
    elif kind == "file":
        path.touch()
    else:
        os.mkfifo(path)
    assert not is_empty(str(path))


def test_no_depth_stops_it_and_there_is_an_end(cache):
    fd = os.open(cache, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    found = paths(cache)
    assert len(found) == ENTRIES_MAX
    assert found[-1] == "/".join(["d"] * ENTRIES_MAX)


def test_who_somebody_is_does_not_depend_on_the_name(cache):
    (cache / "a").mkdir()
    (cache / "a" / "file").touch()
    identity = identity_of(str(cache / "a" / "file"))
    (cache / "a").rename(cache / "b")
    found = {remnant.path: remnant for remnant in remnants(str(cache))}
    assert found["b/file"].identity == identity
    assert found["b/file"].above == (found["b"].identity,)
