"""Two steps whose footprints do not conflict can change places, on the real file system.

Cases are drawn from a seeded generator, not by Hypothesis: many small ones find more than shrinking would save. A
failure names its seed; `CACHESTORM_PAIRS=100000` checks as many.
"""

from __future__ import annotations

import os
from itertools import count

import pytest

from simulator.exploration.keys import ADD, READ, conflict
from tests.support.pairs import draw_case, explained, play

pytestmark = pytest.mark.slow

PAIRS_IN_CI = 2000
PAIRS = int(os.environ.get("CACHESTORM_PAIRS", str(PAIRS_IN_CI)))


def test_claimed_independent_pairs_commute(tmp_path, record_property):
    claimed = 0
    for seed in count():
        pair = play(draw_case(seed), str(tmp_path), conflict)
        assert not pair.wrong, f"seed {seed}\n{explained(pair)}"
        claimed += all(pair.claims)
        if claimed == PAIRS:
            break
    share = claimed / (seed + 1)
    record_property("share claimed independent", share)
    # A relation that claims nothing is right and useless, and cases that never meet show nothing.
    assert 0.3 <= share <= 0.95


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("entry", None),
        ("listing", None),
        ("listing", ADD),
        ("data", None),
        ("meta", None),
        ("meta", READ),
        ("lock", None),
    ],
)
def test_a_relation_without_a_part_is_caught(tmp_path, part, kind):
    def seen(footprint):
        return {key: how for key, how in footprint.items() if key[0] != part or kind not in {None, how}}

    def blind(one, other):
        return conflict(seen(one), seen(other))

    claimed = 0
    for seed in count():
        pair = play(draw_case(seed), str(tmp_path), blind)
        if pair.wrong:
            break
        claimed += all(pair.claims)
        assert claimed < PAIRS_IN_CI, f"{claimed} pairs, and nothing wrong without {kind or ''} {part}"
