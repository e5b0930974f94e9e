"""A root that is a symbolic link: refused, or what it leads to is cleaned, with all checks and no second look."""

import os

import pytest

from cache_core import clean_sync
from cache_core.errors import LinkedRootError, NotACacheError, NotADirectoryRootError, RefusedRootError
from cache_core.kernel import REAL
from cache_core.layout import TAG_TEXT
from cache_core.root import open_root
from cache_core.surroundings import NOWHERE, Surroundings


def make_cache(root):
    (root / "entry").mkdir(parents=True)
    (root / "entry" / "file").write_text("x")
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    return root


@pytest.fixture
def cache(tmp_path):
    return make_cache(tmp_path / "far" / "cache")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def _nothing_stays_open():
    before = descriptors()
    yield
    assert descriptors() == before


TARGETS = {
    "relative": "far/cache",
    "absolute": "{top}/far/cache",
    "slash": "far/cache/",
    "dots": "./far/../far/cache/.",
    "through a link": "middle/cache",
    "link to a link": "second",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_the_link_leads_to_is_cleaned(tmp_path, cache, target):
    (tmp_path / "middle").symlink_to("far")
    (tmp_path / "far" / "third").symlink_to("cache")
    (tmp_path / "second").symlink_to("far/third")
    link = tmp_path / "link"
    link.symlink_to(target.format(top=tmp_path))
    with pytest.raises(LinkedRootError, match="is a symbolic link, which is not followed"):
        clean_sync(str(link))
    assert (cache / "entry").exists()
    report = clean_sync(str(link), follow_root=True)
    assert (report.path, report.empty, report.files_removed) == (str(link), True, 1)
    assert not (cache / "entry").exists()
    assert link.is_symlink()


def test_what_is_no_link_is_cleaned_as_ever(cache):
    assert clean_sync(str(cache), follow_root=True).empty


def test_the_directory_goes_and_the_link_stays(tmp_path, cache):
    link = tmp_path / "link"
    link.symlink_to("far/cache")
    assert clean_sync(str(link), follow_root=True, remove_root=True).empty
    assert link.is_symlink()
    assert not cache.exists()


def test_a_link_to_nothing_is_a_path_that_nothing_has(tmp_path):
    for target in ("none", "none/cache"):
        link = tmp_path / "link"
        link.symlink_to(target)
        with pytest.raises(LinkedRootError):
            clean_sync(str(link))
        assert clean_sync(str(link), follow_root=True).empty
        link.unlink()


def test_what_it_leads_to_is_judged_like_any_root(tmp_path, cache):
    link = tmp_path / "link"
    (cache / "CACHEDIR.TAG").unlink()
    link.symlink_to("far/cache")
    with pytest.raises(NotACacheError):
        clean_sync(str(link), follow_root=True)
    for target in ("/", os.getcwd(), os.path.expanduser("~")):
        link.unlink()
        link.symlink_to(target)
        with pytest.raises(RefusedRootError):
            clean_sync(str(link), follow_root=True, untagged=True)
    link.unlink()
    (tmp_path / "file").write_text("x")
    for target in ("file", "file/below"):
        link.symlink_to(target)
        with pytest.raises(NotADirectoryRootError) as raised:
            clean_sync(str(link), follow_root=True, untagged=True)
        assert not isinstance(raised.value, LinkedRootError)
        link.unlink()


def test_a_root_that_must_survive_is_refused_behind_a_link(tmp_path, cache):
    link = tmp_path / "link"
    link.symlink_to("far/cache")
    status = cache.stat()
    harmful = Surroundings({(status.st_dev, status.st_ino): "is the test's"})
    with pytest.raises(RefusedRootError, match="is the test's"):
        open_root(str(link), REAL, harmful, follow=True)


def test_links_without_an_end(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(NotADirectoryRootError, match="more than 40 symbolic links"):
        clean_sync(str(tmp_path / "one"), follow_root=True)


def test_a_long_chain_that_ends(tmp_path, cache):
    (tmp_path / "link-0").symlink_to("far/cache")
    for number in range(1, 39):
        (tmp_path / f"link-{number}").symlink_to(f"link-{number - 1}")
    assert clean_sync(str(tmp_path / "link-38"), follow_root=True).empty


class Swapping:
    """The real kernel, but when the directory was found to be no link, it is exchanged for one."""

    def __init__(self, directory, aside, victim):
        self._paths = (directory, aside, victim)

    def __getattr__(self, name):
        return getattr(REAL, name)

    def readlink(self, path, *, dir_fd=None):
        directory, aside, victim = self._paths
        try:
            return REAL.readlink(path, dir_fd=dir_fd)
        except OSError:
            directory.rename(aside)
            directory.symlink_to(victim)
            raise


def test_what_becomes_a_link_at_the_last_moment_is_not_followed(tmp_path, cache):
    victim = make_cache(tmp_path / "victim")
    link = tmp_path / "link"
    link.symlink_to("far/cache")
    kernel = Swapping(cache, tmp_path / "aside", victim)
    with pytest.raises(LinkedRootError):
        clean_sync(str(link), follow_root=True, kernel=kernel, surroundings=NOWHERE)
    assert (victim / "entry" / "file").exists()
    assert (tmp_path / "aside" / "entry" / "file").exists()


def test_the_empty_path_names_nothing():
    with pytest.raises(RefusedRootError, match="'': is the empty path"):
        clean_sync("", untagged=True)
