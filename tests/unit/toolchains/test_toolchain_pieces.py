"""The pieces of a build against what they emulate: the interpreter's own shutil and os, where they agree on 3.11."""

import errno
import os
import shutil
import stat
import sys

import pytest

from cache_core.kernel import REAL
from simulator.actors.toolchains import rmtree as removal
from simulator.actors.toolchains import stdlib
from simulator.actors.toolchains.base import ERROR_KINDS, RetryTypeError, ToolchainError, error_kind
from simulator.actors.toolchains.copytree import copy, copyfile, copytree
from simulator.actors.toolchains.distutils import Distutils, DistutilsOfExactTimes
from simulator.actors.toolchains.rmtree import ResetPermissions, chmod_and_retry, rmtree


class Failing:
    """The real kernel, but one method fails once for one path."""

    def __init__(self, method, path, number):
        self.method, self.path, self.number = method, path, number
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments, **keywords):
            self.calls.append((name, arguments[0]))
            if name == self.method and arguments[0] == self.path:
                self.method = None
                raise OSError(self.number, os.strerror(self.number), self.path)
            return getattr(REAL, name)(*arguments, **keywords)

        return call


def write(path, data=b"data"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(data)


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


@pytest.fixture
def root(tmp_path):
    yield str(tmp_path)
    for parent, names, _ in os.walk(tmp_path):
        for name in names:
            os.chmod(os.path.join(parent, name), 0o700)


@pytest.fixture
def tree(root):
    for name in ("a", "sub/b", "sub/deep/c", "z"):
        write(f"{root}/tree/{name}", name.encode())
    os.chmod(f"{root}/tree/a", 0o600)
    os.utime(f"{root}/tree/sub/b", (1_000_000_000, 1_000_000_000))
    return f"{root}/tree"


def described(directory):
    found = {}
    for parent, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(parent, name)
            status = os.stat(path)
            data = read(path) if name in files else None
            found[os.path.relpath(path, directory)] = (stat.S_IMODE(status.st_mode), status.st_mtime_ns, data)
    return found


# rmtree and its handlers.


def test_rmtree_removes_a_tree(tree):
    rmtree(REAL, tree)
    assert not os.path.exists(tree)


def test_rmtree_refuses_a_link_to_a_directory(root, tree):
    os.symlink(tree, f"{root}/link")
    with pytest.raises(OSError, match="symbolic link"):
        rmtree(REAL, f"{root}/link")
    assert os.path.exists(f"{tree}/a")


def test_rmtree_unlinks_a_link_inside_and_not_what_it_leads_to(root, tree):
    write(f"{root}/other/kept")
    os.symlink(f"{root}/other", f"{tree}/link")
    rmtree(REAL, tree)
    assert os.path.exists(f"{root}/other/kept")


@pytest.mark.parametrize("missing", [True, False])
def test_rmtree_without_handler_fails_as_shutil_does(root, missing):
    path = f"{root}/{'missing' if missing else 'file'}"
    if not missing:
        write(path)
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as real:
        shutil.rmtree(path)
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as ours:
        rmtree(REAL, path)
    assert ours.value.errno == real.value.errno


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="3.11 is what is emulated")
def test_handler_is_given_what_shutil_gives_it(tree):
    def names(remove):
        os.chmod(f"{tree}/sub/deep", 0o000)
        os.chmod(f"{tree}/sub", 0o500)
        seen = []
        remove(seen)
        os.chmod(f"{tree}/sub", 0o700)
        return seen

    theirs = names(lambda seen: shutil.rmtree(tree, onerror=lambda f, p, e: seen.append((f.__name__, p))))
    write(f"{tree}/a")
    write(f"{tree}/z")
    ours = names(lambda seen: rmtree(REAL, tree, lambda kernel, function, path, error: seen.append((function, path))))
    assert sorted(ours) == sorted(theirs)
    assert {name for name, _ in ours} == {"open", "unlink", "rmdir"}


def test_handler_sets_0200_and_retries_once(tree):
    kernel = Failing("unlink", "a", errno.EIO)
    rmtree(kernel, tree, chmod_and_retry)
    retry = kernel.calls.index(("chmod", f"{tree}/a"))
    assert kernel.calls[retry : retry + 2] == [("chmod", f"{tree}/a"), ("unlink", f"{tree}/a")]
    assert not os.path.exists(tree)


def test_handler_on_a_directory_that_is_not_empty_leaves_it_poisoned(tree):
    # The unlink is lost, so the directory is not empty when its turn comes, and the retry fails as well.
    def lose(kernel, function, path, error):
        if function != removal.UNLINK:
            chmod_and_retry(kernel, function, path, error)

    with pytest.raises(OSError, match="not empty"):
        rmtree(Failing("unlink", "b", errno.EIO), tree, lose)
    assert stat.S_IMODE(os.stat(f"{tree}/sub").st_mode) == 0o200


def test_handler_cannot_retry_open(tree):
    os.chmod(f"{tree}/sub", 0o300)
    with pytest.raises(TypeError, match="flags"):
        rmtree(REAL, tree, chmod_and_retry)
    assert stat.S_IMODE(os.stat(f"{tree}/sub").st_mode) == 0o200


def test_temporary_directory_handler_forgives_absence_and_repairs_refusal(root, tree):
    rmtree(REAL, f"{root}/missing", ResetPermissions(f"{root}/missing"))
    os.chmod(f"{tree}/sub", 0o500)
    os.chmod(f"{tree}/sub/deep", 0o000)
    rmtree(REAL, tree, ResetPermissions(tree))
    assert not os.path.exists(tree)


# copytree and copyfile.


def test_copytree_copies_contents_modes_and_times(root, tree):
    shutil.copytree(tree, f"{root}/theirs")
    copytree(REAL, tree, f"{root}/ours")
    assert described(f"{root}/ours") == described(f"{root}/theirs")


def test_copytree_leaves_ignored_names_out_at_any_depth(root, tree):
    copytree(REAL, tree, f"{root}/copy", frozenset({"a", "c"}))
    assert sorted(described(f"{root}/copy")) == ["sub", "sub/b", "sub/deep", "z"]


def test_copytree_goes_on_after_an_error_and_tells_of_all(root, tree):
    kernel = Failing("open", f"{tree}/a", errno.ENOENT)
    with pytest.raises(shutil.Error) as caught:
        copytree(kernel, tree, f"{root}/copy")
    assert [(source, target) for source, target, _ in caught.value.args[0]] == [(f"{tree}/a", f"{root}/copy/a")]
    assert os.path.exists(f"{root}/copy/sub/deep/c")
    assert os.path.exists(f"{root}/copy/z")


def test_copytree_collects_the_errors_of_a_subtree(root, tree):
    with pytest.raises(shutil.Error) as caught:
        copytree(Failing("open", f"{tree}/sub/deep/c", errno.EIO), tree, f"{root}/copy")
    assert [source for source, _, _ in caught.value.args[0]] == [f"{tree}/sub/deep/c"]


def test_copytree_to_a_directory_that_exists_fails(root, tree):
    os.mkdir(f"{root}/copy")
    with pytest.raises(FileExistsError):
        copytree(REAL, tree, f"{root}/copy")


def test_copyfile_refuses_the_same_file_and_pipes(root, tree):
    with pytest.raises(shutil.SameFileError):
        copyfile(REAL, f"{tree}/a", f"{tree}/a")
    os.mkfifo(f"{root}/pipe")
    with pytest.raises(shutil.SpecialFileError):
        copyfile(REAL, f"{root}/pipe", f"{root}/target")


def test_copy_takes_the_mode_but_not_the_time(root, tree):
    os.chmod(f"{tree}/sub/b", 0o640)
    copy(REAL, f"{tree}/sub/b", f"{root}/copy")
    status = os.stat(f"{root}/copy")
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime > 1_000_000_000


# os and os.path.


def test_exists_and_isdir_say_no_behind_a_closed_directory(tree):
    os.chmod(f"{tree}/sub", 0o200)
    assert not stdlib.exists(REAL, f"{tree}/sub/b")
    assert not stdlib.isdir(REAL, f"{tree}/sub/deep")
    assert stdlib.isdir(REAL, f"{tree}/sub")


def test_walk_passes_over_what_it_cannot_list(tree):
    os.chmod(f"{tree}/sub/deep", 0o200)
    assert [(path, sorted(files)) for path, _, files in stdlib.walk(REAL, tree, order=True)] == [
        (tree, ["a", "z"]),
        (f"{tree}/sub", ["b"]),
    ]
    assert list(stdlib.walk(REAL, f"{tree}/missing")) == []


def test_makedirs_forgives_only_with_exist_ok(root):
    stdlib.makedirs(REAL, f"{root}/x/y")
    stdlib.makedirs(REAL, f"{root}/x/y", exist_ok=True)
    with pytest.raises(FileExistsError):
        stdlib.makedirs(REAL, f"{root}/x/y")
    write(f"{root}/x/file")
    with pytest.raises(FileExistsError):
        stdlib.makedirs(REAL, f"{root}/x/file", exist_ok=True)


# distutils.


def test_mkpath_does_not_make_again_what_it_made_before(root):
    distutils = Distutils(REAL, root)
    distutils.mkpath(f"{root}/x/y")
    os.rmdir(f"{root}/x/y")
    distutils.mkpath(f"{root}/x/y")
    assert not os.path.exists(f"{root}/x/y")
    Distutils(REAL, root).mkpath(f"{root}/x/y")
    assert os.path.isdir(f"{root}/x/y")


def test_mkpath_forgives_a_faster_build(root):
    class Slow:
        def __getattr__(self, name):
            return getattr(REAL, name)

        def mkdir(self, path):
            os.mkdir(path)  # the other build
            REAL.mkdir(path)

    Distutils(Slow(), root).mkpath(f"{root}/x/y")
    assert os.path.isdir(f"{root}/x/y")


def test_mkpath_says_could_not_create(root):
    with pytest.raises(ToolchainError) as caught:
        Distutils(Failing("mkdir", f"{root}/x", errno.EACCES), root).mkpath(f"{root}/x/y")
    assert str(caught.value) == f"could not create '{root}/x': Permission denied"


def test_copy_file_keeps_a_target_that_is_not_older(root, tree):
    write(f"{root}/target", b"newer")
    Distutils(REAL, root).copy_file(f"{tree}/sub/b", f"{root}/target", preserve_mode=True)
    assert read(f"{root}/target") == b"newer"
    os.utime(f"{root}/target", (1, 1))
    Distutils(REAL, root).copy_file(f"{tree}/sub/b", f"{root}/target", preserve_mode=True)
    assert read(f"{root}/target") == b"sub/b"
    assert os.stat(f"{root}/target").st_mtime == 1_000_000_000


@pytest.mark.parametrize(("distutils", "fraction"), [(Distutils, 0), (DistutilsOfExactTimes, 250_000_000)])
def test_a_copy_of_newer_releases_is_as_old_as_its_source(root, distutils, fraction):
    write(f"{root}/source")
    os.utime(f"{root}/source", ns=(10**18, 10**18 + 250_000_000))
    copies = distutils(REAL, root)
    copies.copy_file(f"{root}/source", f"{root}/target", preserve_mode=True)
    assert os.stat(f"{root}/target").st_mtime_ns == 10**18 + fraction
    write(f"{root}/target", b"another's")
    os.utime(f"{root}/target", ns=(10**18, 10**18 + fraction))
    copies.copy_file(f"{root}/source", f"{root}/target", preserve_mode=True)
    assert read(f"{root}/target") == (b"another's" if fraction else b"data")


def test_copy_file_copies_more_than_one_block(root):
    data = os.urandom(1) * 40_000
    write(f"{root}/source", data)
    Distutils(REAL, root).copy_file(f"{root}/source", f"{root}/target", preserve_mode=False)
    assert read(f"{root}/target") == data


@pytest.mark.parametrize(
    ("method", "name", "number", "kind"),
    [
        ("open", "target", errno.EACCES, "create-denied"),
        ("open", "target", errno.ENOENT, "create-not-found"),
        ("open", "target", errno.ENOSPC, None),
        ("utime", "target", errno.ENOENT, "not-found"),
        ("chmod", "target", errno.EACCES, "denied"),
    ],
)
def test_copy_file_errors_have_their_kind(root, method, name, number, kind):
    write(f"{root}/source")
    with pytest.raises((OSError, ToolchainError)) as caught:
        Distutils(Failing(method, f"{root}/{name}", number), root).copy_file(
            f"{root}/source", f"{root}/{name}", preserve_mode=True
        )
    assert error_kind(caught.value) == kind


def test_source_that_vanishes_between_two_looks(root):
    class Vanishing:
        looks = 0

        def __getattr__(self, name):
            return getattr(REAL, name)

        def stat(self, path):
            self.looks += 1
            if self.looks == 3:  # isfile(source), isdir(target), exists(source)
                os.unlink(f"{root}/source")
            return REAL.stat(path)

    write(f"{root}/source")
    with pytest.raises(ToolchainError) as caught:
        Distutils(Vanishing(), root).copy_file(f"{root}/source", f"{root}/target", preserve_mode=True)
    assert error_kind(caught.value) == "source-vanished"


def test_remove_tree_passes_over_what_cannot_go(tree):
    kernel = Failing("unlink", f"{tree}/a", errno.EACCES)
    Distutils(kernel, "/").remove_tree(tree)
    assert os.listdir(tree) == ["a"]


# Kinds.


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError(errno.ENOENT, "x"), "not-found"),
        (OSError(errno.ENOTEMPTY, "x"), "not-empty"),
        (FileExistsError(errno.EEXIST, "x"), "exists"),
        (PermissionError(errno.EACCES, "x"), "denied"),
        (shutil.Error([("a", "b", "c")]), "copytree"),
        (RetryTypeError("open() missing"), "retry-type-error"),
        (TypeError("a bug of ours"), None),
        (ToolchainError("no-egg-info", "x"), "egg-info-missing"),
        (OSError(errno.EIO, "x"), None),
        (OSError("Cannot call rmtree on a symbolic link"), None),
        (ValueError("x"), None),
    ],
)
def test_error_kind(error, kind):
    assert error_kind(error) == kind
    assert kind is None or kind in ERROR_KINDS
