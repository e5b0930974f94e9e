"""What differs between releases, where it shows when something goes wrong or two builds meet."""

import errno
import os
import random
import shutil
import stat

import pytest

from cache_core.kernel import REAL
from simulator.actors.toolchains import TOOLCHAINS, names
from simulator.actors.toolchains.base import ToolchainError, error_kind
from simulator.actors.toolchains.distutils import DistutilsOnPathlib
from simulator.actors.toolchains.releases import RELEASES
from tests.unit.toolchains.test_toolchain_builds import (
    FRACTION_OF_A_SECOND,
    PACKAGES,
    STAGING,
    Pair,
    build,
    race_rmdir_against_create,
    repair,
    unpack,
    wheel_files,
)

OLDEST, NEWEST = "setuptools-69.5.1", "setuptools-84.2.1"
OWN = [name for name, release in RELEASES.items() if not release.converts_metadata]
KEY = "threadloop==1.0.2"


@pytest.fixture
def tree(tmp_path):
    os.umask(0o022)
    directory = tmp_path / "sdist"
    directory.mkdir()
    yield str(directory)
    list(repair(directory))


def test_each_release_says_what_pip_installs_for_it():
    for name, release in RELEASES.items():
        assert release.requirements[0] == name.replace("setuptools-", "setuptools==")
        # The wheel project's bdist_wheel was needed until setuptools had its own.
        assert (len(release.requirements) == 2) == release.generator.startswith("bdist_wheel")


# Names.


@pytest.mark.parametrize(
    ("name", "old", "new", "egg_info"),
    [
        ("jaeger-client", "jaeger_client", "jaeger_client", "jaeger_client"),
        ("zope.interface", "zope.interface", "zope_interface", "zope.interface"),
        ("Foo.Bar-baz_qux", "Foo.Bar_baz_qux", "foo_bar_baz_qux", "Foo.Bar_baz_qux"),
        ("a__b", "a_b", "a_b", "a__b"),
        ("locale_", "locale_", "locale_", "locale"),
    ],
)
def test_names(name, old, new, egg_info):
    assert (names.with_dots(name), names.normalised(name), names.egg_name(name)) == (old, new, egg_info)


# mkpath on pathlib.


class Watched:
    """The real kernel; keeps (method, path, errno), and one call can be made to fail."""

    def __init__(self, method=None, path=None, number=None):
        self.failing = (method, path)
        self.number = number
        self.calls = []

    def __getattr__(self, name):
        def call(path, *arguments):
            self.calls.append([name, path, None])
            try:
                return self.make(name, path, *arguments)
            except OSError as error:
                self.calls[-1][2] = errno.errorcode[error.errno]
                raise

        return call

    def make(self, name, path, *arguments):
        if (name, path) == self.failing:
            raise OSError(self.number, os.strerror(self.number), path)
        return getattr(REAL, name)(path, *arguments)

    def made(self, root):
        return [(path.removeprefix(f"{root}/"), number) for name, path, number in self.calls if name == "mkdir"]


def test_mkpath_tries_before_it_looks(tree):
    kernel = Watched()
    distutils = DistutilsOnPathlib(kernel, tree)
    distutils.mkpath(f"{tree}/a/b")
    assert kernel.made(tree) == [("a/b", "ENOENT"), ("a", None), ("a/b", None)]
    DistutilsOnPathlib(kernel, tree).mkpath(f"{tree}/a/./b/.")
    assert kernel.made(tree)[3:] == [("a/b", "EEXIST")]


def test_mkpath_remembers_until_anything_is_removed(tree):
    kernel = Watched()
    distutils = DistutilsOnPathlib(kernel, tree)
    distutils.mkpath(f"{tree}/a")
    distutils.mkpath(f"{tree}/b/c")
    before = len(kernel.calls)
    distutils.mkpath(f"{tree}/a")
    assert len(kernel.calls) == before
    distutils.remove_tree(f"{tree}/b/c")
    distutils.mkpath(f"{tree}/a")
    assert kernel.made(tree)[-1] == ("a", "EEXIST")


def test_mkpath_says_could_not_create_of_the_whole_path(tree):
    distutils = DistutilsOnPathlib(Watched("mkdir", f"{tree}/a", errno.EACCES), tree)
    with pytest.raises(ToolchainError) as caught:
        distutils.mkpath(f"{tree}/a/b")
    assert str(caught.value) == f"could not create '{tree}/a/b': Permission denied"
    assert error_kind(caught.value) == "create-denied"


def test_mkpath_of_a_directory_that_vanishes_under_it(tree):
    class Removing(Watched):
        def mkdir(self, path):
            os.mkdir(path)
            os.rmdir(path)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    with pytest.raises(ToolchainError) as caught:
        DistutilsOnPathlib(Removing(), tree).mkpath(f"{tree}/a")
    assert str(caught.value) == f"could not create '{tree}/a': File exists"


def test_mkpath_lets_a_refused_look_through(tree):
    os.mkdir(f"{tree}/closed", 0o200)
    with pytest.raises(PermissionError) as caught:
        DistutilsOnPathlib(REAL, tree).mkpath(f"{tree}/closed/a")
    assert error_kind(caught.value) == "denied"


def test_mkpath_where_the_root_is_gone(tree):
    os.rmdir(tree)
    with pytest.raises(ToolchainError) as caught:
        DistutilsOnPathlib(REAL, tree).mkpath(f"{tree}/a/b")
    assert error_kind(caught.value) == "create-not-found"
    os.mkdir(tree)


# Whole builds.


@pytest.mark.parametrize("name", OWN)
def test_an_error_of_the_removal_ends_the_build_and_changes_no_mode(name, tree):
    pair, package = race_rmdir_against_create(tree, TOOLCHAINS[name])
    pair.finish("A")
    assert error_kind(pair.errors["A"]) == "not-empty"
    assert stat.S_IMODE(os.stat(package).st_mode) == 0o755
    pair.finish("B")
    assert "B" not in pair.errors


@pytest.mark.parametrize("name", OWN)
def test_modules_that_another_removed_make_an_empty_wheel_and_a_success(name, tree):
    unpack(PACKAGES[KEY], tree)
    pair = Pair(KEY, tree, TOOLCHAINS[name])
    # B has zipped and is about to remove the staging tree; A has copied its modules there, and goes on afterwards.
    pair.run_until("B", "lstat", f"{tree}/{STAGING}")
    pair.run_until("A", "utime", f"{tree}/threadloop.egg-info")
    pair.finish("B")
    pair.finish("A")
    assert pair.errors == {}
    expected = TOOLCHAINS[name].expected_files(PACKAGES[KEY])
    held = wheel_files(f"{tree}/dist/{PACKAGES[KEY].build.wheel}")
    assert held == {path: data for path, data in expected.items() if ".dist-info/" in path} != expected


def test_an_empty_pkg_info_is_refused_by_the_older_and_packed_by_the_newer(tree):
    def blank(operation, path):
        # Before METADATA is made of it.
        if operation == "stat" and path.endswith(".dist-info"):
            with open(f"{tree}/{STAGING}/{egg_info}", "wb"):
                pass

    egg_info = "threadloop-1.0.2-py3.11.egg-info/PKG-INFO"
    results = {}
    for name in (OLDEST, NEWEST):
        unpack(PACKAGES[KEY], tree)
        pair = Pair(KEY, tree, TOOLCHAINS[name])
        pair.kernels["A"].before = with_hook(pair, blank)
        pair.finish("A")
        results[name] = pair.errors.get("A")
        shutil.rmtree(f"{tree}/build")
        shutil.rmtree(f"{tree}/dist", ignore_errors=True)
    assert getattr(results[OLDEST], "kind", None) == "bad-metadata"
    assert results[NEWEST] is None


def with_hook(pair, hook):
    stop = pair.kernels["A"].before

    def before(operation, path):
        hook(operation, path)
        return stop(operation, path)

    return before


def test_a_pkg_info_that_vanished_is_told_as_not_found(tree):
    unpack(PACKAGES[KEY], tree)
    pair = Pair(KEY, tree, TOOLCHAINS[NEWEST])
    pair.run_until("A", "create", f"{tree}/{STAGING}/threadloop-1.0.2.dist-info/METADATA")
    os.rename(f"{tree}/{STAGING}/threadloop-1.0.2.dist-info", f"{tree}/{STAGING}/gone")
    pair.finish("A")
    assert error_kind(pair.errors["A"]) == "not-found"


@pytest.mark.parametrize("name", RELEASES)
def test_a_poisoned_directory_of_another_stops_every_release(name, tree):
    unpack(PACKAGES[KEY], tree)
    os.makedirs(f"{tree}/{STAGING}/threadloop")
    os.chmod(f"{tree}/{STAGING}/threadloop", 0o200)
    with pytest.raises((ToolchainError, OSError)) as caught:
        build(REAL, KEY, tree, TOOLCHAINS[name])
    assert error_kind(caught.value) == "create-denied"


def storm(tree, name, seed):
    """Two builds under a sticky random schedule: errors, poisoned directories."""
    unpack(PACKAGES[KEY], tree, FRACTION_OF_A_SECOND)
    pair = Pair(KEY, tree, TOOLCHAINS[name])
    draw = random.Random(seed)
    current = "A"
    while running := [actor for actor in "AB" if pair.is_running(actor)]:
        if current not in running or draw.random() < 0.05:
            current = draw.choice(running)
        pair.step(current)
    poisoned = list(repair(tree))
    shutil.rmtree(tree)
    os.mkdir(tree)
    return pair.errors, poisoned


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_a_release_without_the_handler_never_poisons(name, tree):
    storms = [storm(tree, name, seed) for seed in range(60)]
    assert not any(poisoned for _, poisoned in storms)
    # The race itself is still there.
    assert sum(len(errors) for errors, _ in storms) > 20
