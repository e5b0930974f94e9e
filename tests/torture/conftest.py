"""A bench in memory, for cells without the command line."""

import os

import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.torture.bench import Bench
from simulator.torture.cell import Terms
from simulator.torture.cleaners import find_cleaners

# Ends a cleaner that hangs.
SECONDS_MAX = 60.0


@pytest.fixture
def torture(ground):
    """What comes of a cleaner on a state; afterwards nothing is left."""
    with Sandbox.create(ground, confined=False) as sandbox:

        def run(state, cleaner, timeout=SECONDS_MAX):
            (found,) = trio.run(find_cleaners, [cleaner], lambda line: None)
            return Bench(sandbox, Terms(timeout, os.environ, lambda: False)).one(state, found)

        yield run
    assert not os.path.lexists(sandbox.path)
