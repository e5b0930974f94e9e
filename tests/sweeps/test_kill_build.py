"""SIGKILL at each step of each build of a small storm, under each protocol: what is left can be cleaned."""

from __future__ import annotations

import pytest

from cache_core import audit
from simulator.strategies.sticky import Sticky
from tests.support.sweep_builds import STORMS, SWITCH_PROBABILITY, builds, set_stage
from tests.support.sweep_states import STATES, copied_from
from tests.support.sweeps import clean_again, places, play

pytestmark = pytest.mark.slow

# So many points at least: who waits for the lock and finds the wheel there has some thirty steps.
POINTS_MIN = 20


@pytest.mark.parametrize("victim", ["build-1", "build-2"])
@pytest.mark.parametrize("protocol", STORMS)
def test_what_a_killed_build_left_goes(ground, swept, protocol, victim):
    storm = STORMS[protocol]
    ready = ground.recipe(STATES["nothing"])

    def play_with(fault):
        ground.lay(ready)
        set_stage(ground, storm)
        return play(ground, builds(ground, storm, [fault]), strategy=Sticky(SWITCH_PROBABILITY))

    points = 0
    for played, step in places(play_with, victim, "kill"):
        assert played.gate.stopped is None
        assert played[victim].actor.killed == bool(step)
        residue = ground.recipe(copied_from(ground.cache))
        assert clean_again(ground).empty
        assert ground.content() == []
        # The same once more, and only what failed goes.
        ground.lay(residue)
        whole = ground.files(but=[item.path for item in audit(ground.cache).residue])
        assert clean_again(ground, residue_only=True).succeeded
        assert not audit(ground.cache).has_residue
        assert ground.files() == whole
        assert clean_again(ground).empty
        ground.assert_outside_unchanged()
        if step:
            points += 1
            swept("kill sweep of builds", protocol)
    assert points > POINTS_MIN
