"""Killed anywhere, run again, done: SIGKILL at each step of a cleaning, of every kind of cache."""

from __future__ import annotations

import pytest

from cache_core import audit
from tests.support.sweep_builds import RESIDUES, recipe_of
from tests.support.sweep_states import STATES
from tests.support.sweeps import WHO, Behind, assert_report_is_right, clean_again, cleanings, named

pytestmark = pytest.mark.slow

EVERYWHERE = (*STATES, *RESIDUES)
# So many points at least, of a victim in a state that has anything in it.
POINTS_MIN = 5
# Residue of every kind, and whole entries.
WITH_RESIDUE = ("partial-tree", "trash-left", "temporary-names", "shut-directories", *RESIDUES)


@pytest.mark.parametrize("state", EVERYWHERE)
@pytest.mark.parametrize("who", WHO, ids=named)
def test_a_second_run_finishes_what_a_killed_one_began(ground, swept, state, who):
    recipe = recipe_of(ground, state)
    untagged = not recipe.tagged
    points = 0
    for before, played, step in cleanings(ground, recipe, who, "kill", untagged=untagged):
        if not step:
            assert_report_is_right(ground, before, played["cleaner"].result)
            assert ground.content() == []
            break
        assert played[who[1]].actor.killed
        if who[1] != "cleaner":
            # Whoever is left does all the work, and says so.
            report = played["cleaner"].result
            assert report.empty
            assert_report_is_right(ground, before, report, all_told=False)
        assert clean_again(ground, untagged=untagged).empty
        assert ground.content() == []
        ground.assert_outside_unchanged()
        swept("kill sweep of the cleaner", state)
        points += 1
    assert points > POINTS_MIN or state == "nothing"


@pytest.mark.parametrize("who", WHO, ids=named)
def test_what_was_moved_up_behind_a_fence_goes_the_second_time(ground, swept, who):
    recipe = recipe_of(ground, "deep-chains")
    moved = 0
    for before, played, step in cleanings(ground, recipe, who, "kill", fence=Behind()):
        moved += any(told[2] == "rename" and "-deep-" in str(told) for told in played.steps)
        if not step:
            assert_report_is_right(ground, before, played["cleaner"].result)
        assert clean_again(ground).empty
        assert ground.content() == []
        if step:
            swept("kill sweep of the cleaner behind a fence", who)
    assert moved


@pytest.mark.parametrize("state", ["entries", "partial-tree", "shut-root", "long-tag"])
@pytest.mark.parametrize("who", WHO, ids=named)
def test_a_root_that_was_to_go_goes_the_second_time(ground, swept, state, who):
    recipe = recipe_of(ground, state)
    # One that is killed between the last file and the root leaves an empty directory, which is no cache any more.
    for _, played, step in cleanings(ground, recipe, who, "kill", remove_root=True):
        if not step:
            assert played["cleaner"].result.empty
            break
        assert clean_again(ground, remove_root=True).empty
        assert "cache" not in ground.names()
        swept("kill sweep of the cleaner, root and all", state)


@pytest.mark.parametrize("state", WITH_RESIDUE)
def test_residue_that_a_killed_run_left_goes_and_what_is_whole_stays(ground, swept, state):
    recipe = recipe_of(ground, state)
    ground.lay(recipe)
    residue = [item.path for item in audit(ground.cache).residue]
    assert residue
    whole = ground.files(but=residue)
    assert clean_again(ground).empty
    for _, played, step in cleanings(ground, recipe, WHO[0], "kill", residue_only=True):
        if not step:
            assert played["cleaner"].result.succeeded
        report = clean_again(ground, residue_only=True)
        assert report.succeeded
        assert not audit(ground.cache).has_residue
        assert ground.files() == whole
        assert clean_again(ground).empty
        if step:
            swept("kill sweep of the cleaner of residue", state)
