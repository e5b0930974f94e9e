"""Two steps whose footprints do not conflict can change places, on the real file system.

Cases are drawn from a seeded generator, not by Hypothesis: many small ones find more than shrinking would save. A
failure names its seed; `CACHESTORM_PAIRS=100000` checks as many.
"""

from __future__ import annotations

import os
import sys
from itertools import count

import pytest

from simulator.exploration.keys import ADD, READ, REMOVE, THROUGH, WRITE, conflict
from tests.support.pairs import RARER, Case, draw_case, play

pytestmark = pytest.mark.slow

PAIRS_IN_CI = 2000
PAIRS = int(os.environ.get("CACHESTORM_PAIRS", str(PAIRS_IN_CI)))


def test_claimed_independent_pairs_commute(tmp_path):
    claimed = 0
    for seed in count():
        pair = play(draw_case(seed), str(tmp_path))
        wrong = pair.wrong(conflict)
        assert not wrong, f"seed {seed}\n{pair.told()}\n{wrong}"
        claimed += all(pair.claims(conflict))
        if claimed == PAIRS:
            break
    share = claimed / (seed + 1)
    # For `pytest -s`.
    sys.stdout.write(f"{claimed} of {seed + 1} pairs claimed independent, {share:.1%}\n")
    # A relation that claims nothing is right and useless, and cases that never meet show nothing.
    assert 0.3 <= share <= 0.95


def test_calls_that_only_plain_code_makes_commute_as_claimed(tmp_path):
    claimed = 0
    for seed in count():
        pair = play(draw_case(seed, RARER), str(tmp_path))
        wrong = pair.wrong(conflict)
        assert not wrong, f"seed {seed}\n{pair.told()}\n{wrong}"
        claimed += all(pair.claims(conflict))
        if claimed == PAIRS:
            break
    assert claimed / (seed + 1) <= 0.95


def without(part, *kinds):
    """The relation of who does not know that this part of the file system can be touched so."""

    def seen(footprint):
        return {key: kind for key, kind in footprint.items() if key[0] != part or kind not in kinds}

    return lambda one, other: conflict(seen(one), seen(other))


BLIND = {
    "entries": without("entry", READ, THROUGH, WRITE, REMOVE),
    "directories that go": without("entry", REMOVE),
    "listings": without("listing", READ, ADD, WRITE),
    "adds to listings": without("listing", ADD),
    "data": without("data", READ, ADD, WRITE),
    "meta": without("meta", READ, ADD, WRITE),
    "modes": without("mode", READ, ADD, WRITE),
    "reads of modes": without("mode", READ),
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


def test_what_lies_above_a_directory_matters_to_who_moves_another_into_it(tmp_path):
    # Each puts a directory into the other's; whoever comes second would put one into itself (EINVAL). All by
    # descriptors, so no entry is common to the two.
    tree = tuple(("directory", path, None, 0o755) for path in ("cache", "cache/x", "cache/x/d", "cache/y", "cache/y/z"))
    opened = {"left": ("cache/x", "cache/y/z"), "right": ("cache", "cache/x/d")}
    history = tuple(
        (actor, "open", {"at": (None, path), "flags": os.O_RDONLY}) for actor, paths in opened.items() for path in paths
    )
    left = ("left", "rename", {"at": (0, "d"), "to": (1, "n")})
    right = ("right", "rename", {"at": (0, "y"), "to": (1, "y")})
    pair = play(Case(tree, history, (left, right), plain=True), str(tmp_path))
    assert pair.differs
    assert not pair.wrong(conflict)
    assert any(pair.claims(without("moves", READ, WRITE)))
