"""A bench in memory, for cells without the command line."""

import os
from dataclasses import replace

import pytest
import trio

from simulator.torture.bench import Bench
from simulator.torture.cell import Terms
from simulator.torture.cleaners import find_cleaners

# Ends a cleaner that hangs.
SECONDS_MAX = 60.0


@pytest.fixture
def torture(tmp_path):
    """What comes of a cleaner on a state; afterwards nothing is left."""
    place = tmp_path / "place"
    place.mkdir()
    with Bench(str(place), Terms(SECONDS_MAX, os.environ, lambda: False)) as bench:

        def run(state, cleaner, timeout=SECONDS_MAX):
            (found,) = trio.run(find_cleaners, [cleaner], lambda line: None)
            bench.terms = replace(bench.terms, timeout_seconds=timeout)
            return bench.one(state, found)

        yield run
    assert os.listdir(place) == []
