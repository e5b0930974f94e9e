"""Any hostile tree: nothing outside changes, and the tree is gone or everything left of it is named."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_core.crew import ALONE
from cache_core.kernel import REAL
from cache_core.outcome import Options, total
from cache_core.removal import remove_contents, remove_tree
from scenarios.states.hostile_trees import HostileTree, hostile_trees
from scenarios.states.place import CACHE, Place
from simulator.torture import neighbours
from tests.support.crews import InTurn


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


def unnamed(place, left):
    """Paths in the cache that are there, and neither named nor above or below a name."""
    named = {os.fsencode(one.path) for one in left}
    assert len(named) == len(left)
    missing = []
    stack = [CACHE.encode()]
    while stack:
        path = stack.pop()
        if path in named:
            continue
        full = os.path.join(os.fsencode(place.root), path)
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
def lay(tmp_path):
    """Lays a tree; gives its place, and a function that tells what harm was done since."""
    place = Place(str(tmp_path / "place"))

    def laid(tree):
        remove_tree(place.root)
        os.mkdir(place.root)
        tree.lay(place.root)
        before = neighbours.look(place)
        return place, lambda: neighbours.harm(before, place)

    yield laid
    remove_tree(place.root)


@contextlib.contextmanager
def opened(path):
    """A descriptor of a directory that is ours, whatever its mode is."""
    os.chmod(path, 0o700)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@QUICK
@given(tree=hostile_trees())
def test_promises_1_to_4_any_tree_goes(lay, tree):
    place, harm = lay(tree)
    removal = remove_tree(place.cache)
    assert removal.left == ()
    assert not os.path.lexists(place.cache)
    assert harm() == []


@pytest.mark.slow
@QUICK
@given(
    tree=hostile_trees(),
    faults=st.dictionaries(
        st.integers(2, 60),
        st.sampled_from(
            [errno.EIO, errno.EACCES, errno.EPERM, errno.EBUSY, errno.ENOMEM, errno.EROFS, errno.ENOTEMPTY]
        ),
        max_size=12,
    ),
)
def test_promise_2_gone_or_everything_left_is_named(lay, tree, faults):
    place, harm = lay(tree)
    removal = remove_tree(place.cache, kernel=Refusing(faults))
    assert bool(removal.left) == os.path.lexists(place.cache)
    assert unnamed(place, removal.left) == []
    assert harm() == []
    assert remove_tree(place.cache).left == ()
    assert not os.path.lexists(place.cache)


@pytest.mark.slow
@QUICK
@given(tree=hostile_trees(), wanted=st.integers(2, 16), depth=st.integers(0, 3))
def test_a_crew_counts_what_one_process_counts(lay, tree, wanted, depth):
    counted = []
    for crew in (ALONE, InTurn(wanted)):
        place, harm = lay(tree)
        with opened(place.cache) as fd:
            done = crew.help(fd, (), kernel=REAL, options=Options(depth=depth))
            rest = remove_contents(fd, options=Options(depth=depth))
        assert os.listdir(place.cache) == []
        both = total((done, rest))
        counted.append((both.files_removed, both.directories_removed, both.permissions_repaired, both.left))
        assert harm() == []
    assert counted[0] == counted[1]


def test_what_is_drawn_is_hostile(lay):
    """Else the properties above would say nothing."""
    tree = HostileTree(0o755, {"a": ("directory", 0o300, {"b": ("file", "x", 0o644)}), "c": ("hard link", "plain")})
    place, _ = lay(tree)
    assert os.stat(f"{place.outside}/plain").st_nlink == 2
    with pytest.raises(PermissionError):
        shutil.rmtree(place.cache)
    assert os.path.exists(f"{place.cache}/a")
