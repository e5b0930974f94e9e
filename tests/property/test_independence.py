"""Two steps whose footprints do not conflict can change places, on the real file system.

Cases are drawn from a seeded generator, not by Hypothesis: many small ones find more than shrinking would save. A
failure names its seed; `CACHESTORM_PAIRS=100000` checks as many.
"""

from __future__ import annotations

import os
from itertools import count

import pytest

from simulator.exploration.keys import ADD, READ, WRITE, conflict
from tests.support.pairs import draw_case, play

pytestmark = pytest.mark.slow

PAIRS_IN_CI = 2000
PAIRS = int(os.environ.get("CACHESTORM_PAIRS", str(PAIRS_IN_CI)))


def test_claimed_independent_pairs_commute(tmp_path, record_property):
    claimed = 0
    for seed in count():
        pair = play(draw_case(seed), str(tmp_path))
        wrong = pair.wrong(conflict)
        assert not wrong, f"seed {seed}\n{pair.told()}\n{wrong}"
        claimed += all(pair.claims(conflict))
        if claimed == PAIRS:
            break
    share = claimed / (seed + 1)
    record_property("share claimed independent", share)
    # A relation that claims nothing is right and useless, and cases that never meet show nothing.
    assert 0.3 <= share <= 0.95


def without(part, *kinds):
    """The relation of who does not know that this part of the file system can be touched so."""

    def seen(footprint):
        return {key: kind for key, kind in footprint.items() if key[0] != part or kind not in kinds}

    return lambda one, other: conflict(seen(one), seen(other))


BLIND = {
    "entries": without("entry", READ, ADD, WRITE),
    "listings": without("listing", READ, ADD, WRITE),
    "adds to listings": without("listing", ADD),
    "data": without("data", READ, ADD, WRITE),
    "meta": without("meta", READ, ADD, WRITE),
    "reads of meta": without("meta", READ),
    "locks": without("lock", READ, ADD, WRITE),
}


def test_a_relation_that_is_blind_to_a_part_is_caught(tmp_path):
    blind, claimed = dict(BLIND), dict.fromkeys(BLIND, 0)
    for seed in count():
        pair = play(draw_case(seed), str(tmp_path))
        for name, relation in list(blind.items()):
            claims = pair.claims(relation)
            if pair.differs and any(claims):
                del blind[name]
            claimed[name] += all(claims)
            assert claimed[name] < PAIRS_IN_CI, f"{PAIRS_IN_CI} pairs, and nothing wrong without {name}"
        if not blind:
            break
