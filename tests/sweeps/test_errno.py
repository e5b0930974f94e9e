"""One error, at each call of a cleaning that can fail so: the report is right, and a second run finishes.

`close` is never told to fail: on Linux the descriptor is gone.
"""

from __future__ import annotations

import pytest

from cache_core import audit
from tests.support.sweep_builds import RESIDUES, recipe_of
from tests.support.sweep_states import STATES
from tests.support.sweeps import (
    WHO,
    Behind,
    assert_nothing_changed,
    assert_report_is_right,
    clean_again,
    cleanings,
    named,
)

pytestmark = pytest.mark.slow

# One real residue: the kill sweep has the others too.
RESIDUE = next(iter(RESIDUES))
EVERYWHERE = (*STATES, RESIDUE)
ERRNOS = ("EIO", "EACCES", "ENOSPC", "EMFILE", "EINTR", "EBUSY", "ENOMEM")


@pytest.mark.parametrize("state", EVERYWHERE)
@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize("who", WHO, ids=named)
def test_one_error_is_told_as_it_is(ground, swept, state, number, who):
    recipe = recipe_of(ground, state)
    untagged = not recipe.tagged
    for before, played, step in cleanings(ground, recipe, who, number, untagged=untagged):
        cleaning = played["cleaner"]
        if cleaning.error is not None:
            assert_nothing_changed(before, ground.look())
        else:
            assert_report_is_right(ground, before, cleaning.result, played.struck)
        assert clean_again(ground, untagged=untagged).empty
        assert ground.content() == []
        if step:
            swept("errno sweep of the cleaner", f"{state}, {number}")


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize("who", WHO, ids=named)
def test_one_error_is_told_as_it_is_behind_a_fence(ground, swept, number, who):
    """What lies deep is moved up there, to be removed."""
    recipe = recipe_of(ground, "deep-chains")
    for before, played, step in cleanings(ground, recipe, who, number, fence=Behind()):
        cleaning = played["cleaner"]
        if cleaning.error is not None:
            assert_nothing_changed(before, ground.look())
        else:
            assert_report_is_right(ground, before, cleaning.result, played.struck)
        assert clean_again(ground).empty
        assert ground.content() == []
        if step:
            swept("errno sweep of the cleaner behind a fence", f"{number}, {who}")


@pytest.mark.parametrize("state", ["trash-left", "temporary-names", "shut-directories", RESIDUE])
@pytest.mark.parametrize("number", ERRNOS)
def test_residue_that_an_error_kept_is_named_and_what_is_whole_stays(ground, swept, state, number):
    recipe = recipe_of(ground, state)
    ground.lay(recipe)
    whole = ground.files(but=[item.path for item in audit(ground.cache).residue])
    assert clean_again(ground).empty
    for before, played, step in cleanings(ground, recipe, WHO[0], number, residue_only=True):
        cleaning = played["cleaner"]
        found = audit(ground.cache)
        if cleaning.error is not None:
            assert_nothing_changed(before, ground.look())
        else:
            assert cleaning.result.succeeded == (not cleaning.result.left)
            assert cleaning.result.left or not found.has_residue
        assert whole <= ground.files()
        assert clean_again(ground, residue_only=True).succeeded
        assert not audit(ground.cache).has_residue
        assert ground.files() == whole
        assert clean_again(ground).empty
        if step:
            swept("errno sweep of the cleaner of residue", f"{state}, {number}")
