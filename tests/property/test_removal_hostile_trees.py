"""Any hostile tree: nothing outside changes, and the tree is gone or everything left of it is named."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_core.kernel import REAL
from cache_core.removal import remove_tree

MODES = st.sampled_from([0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o555, 0o600, 0o700, 0o1777, 0o2200])
NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"build", b".lock", b"-rf", b"x" * 255, b"...", b"\n"]),
    st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name and b"\0" not in name and name.strip(b".")),
)
LEAVES = st.sampled_from(["file", "shut file", "hard link", "link to file", "link to directory", "dangling", "fifo"])
TREES = st.recursive(
    st.tuples(st.just("leaf"), LEAVES),
    lambda below: st.tuples(st.just("directory"), MODES, st.dictionaries(NAMES, below, max_size=4)),
    max_leaves=25,
)
ROOTS = st.tuples(st.just("directory"), MODES, st.dictionaries(NAMES, TREES, max_size=5))


class Refusing:
    """The real calls, of which some fail: those at the given turns, with the given errors."""

    def __init__(self, faults):
        self._faults = dict(faults)
        self._turn = 0

    def __getattr__(self, name):
        real = getattr(REAL, name)

        def call(*arguments, **options):
            self._turn += 1
            number = self._faults.get(self._turn)
            if number is not None and name != "close" and self._turn > 1:
                raise OSError(number, os.strerror(number))
            return real(*arguments, **options)

        return call


def build(fd, name, node, outside):
    if node[0] == "leaf":
        make_leaf(fd, name, node[1], outside)
        return
    os.mkdir(name, dir_fd=fd)
    below = os.open(name, os.O_RDONLY, dir_fd=fd)
    for child, content in node[2].items():
        build(below, child, content, outside)
    os.fchmod(below, node[1])
    os.close(below)


def make_leaf(fd, name, kind, outside):
    if kind == "hard link":
        os.link(outside + b"/file", name, dst_dir_fd=fd)
    elif kind == "link to file":
        os.symlink(outside + b"/file", name, dir_fd=fd)
    elif kind == "link to directory":
        os.symlink(outside, name, dir_fd=fd)
    elif kind == "dangling":
        os.symlink(b"nowhere", name, dir_fd=fd)
    elif kind == "fifo":
        os.mkfifo(name, dir_fd=fd)
    else:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0 if kind == "shut file" else 0o644, dir_fd=fd))


def fingerprint(outside):
    seen = []
    for path in (outside, outside + b"/file", outside + b"/d", outside + b"/d/file"):
        status = os.lstat(path)
        # The link count and change time of the file that has hard links inside do change.
        times = status.st_mtime_ns if stat.S_ISDIR(status.st_mode) else None
        seen.append((path, status.st_mode, status.st_ino, status.st_size, times))
    return seen


def unnamed(top, left):
    """Paths below `top` that are there, and neither named nor above or below a name."""
    named = {os.fsencode(one.path) for one in left}
    assert len(named) == len(left)
    missing = []
    stack = [b"tree"]
    while stack:
        path = stack.pop()
        if path in named:
            continue
        full = os.path.join(top, path)
        if not os.path.lexists(full):
            continue
        if os.path.isdir(full) and not os.path.islink(full):
            os.chmod(full, 0o700)
            names = os.listdir(full)
            stack += [path + b"/" + name for name in names]
            if not names:
                missing.append(path)
        else:
            missing.append(path)
    return missing


@pytest.fixture
def ground(tmp_path):
    outside = os.fsencode(tmp_path / "outside")
    os.makedirs(outside + b"/d")
    for name in (b"/file", b"/d/file"):
        with open(outside + name, "wb") as writing:
            writing.write(b"precious")
        os.chmod(outside + name, 0o444)
    yield os.fsencode(tmp_path), outside
    remove_tree(str(tmp_path))


def scene(ground, tree):
    top, outside = ground
    fd = os.open(top, os.O_RDONLY)
    build(fd, b"tree", tree, outside)
    os.close(fd)
    return os.fsdecode(top + b"/tree")


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@QUICK
@given(tree=ROOTS)
def test_promises_1_to_4_any_tree_goes(ground, tree):
    path = scene(ground, tree)
    before = fingerprint(ground[1])
    removal = remove_tree(path)
    assert removal.left == ()
    assert not os.path.lexists(path)
    assert fingerprint(ground[1]) == before


@pytest.mark.slow
@QUICK
@given(
    tree=ROOTS,
    faults=st.dictionaries(
        st.integers(2, 60),
        st.sampled_from(
            [errno.EIO, errno.EACCES, errno.EPERM, errno.EBUSY, errno.ENOMEM, errno.EROFS, errno.ENOTEMPTY]
        ),
        max_size=12,
    ),
)
def test_promise_2_gone_or_everything_left_is_named(ground, tree, faults):
    path = scene(ground, tree)
    before = fingerprint(ground[1])
    removal = remove_tree(path, kernel=Refusing(faults))
    assert bool(removal.left) == os.path.lexists(path)
    assert unnamed(ground[0], removal.left) == []
    assert fingerprint(ground[1]) == before
    assert remove_tree(path).left == ()
    assert not os.path.lexists(path)


def test_the_leaves_are_what_they_say(ground):
    """The generator's own check: what it builds is hostile."""
    leaves = {kind.encode(): ("leaf", kind) for kind in ("file", "shut file", "hard link", "fifo", "dangling")}
    path = scene(ground, ("directory", 0o300, leaves))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o300
    with pytest.raises(PermissionError):
        os.listdir(path)
    assert os.stat(ground[1] + b"/file").st_nlink == 2
    assert remove_tree(path).files_removed == len(leaves)
