"""The hardened cleaner, as users run it, on every hostile state: clean where it can be, honest where it cannot."""

import pytest

from scenarios.states import STATES
from scenarios.states.privileged import LISTS
from simulator.torture.verdicts import SKIPPED

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_each_state(torture, state):
    cell = torture(state, "hardened")
    if cell.verdict == SKIPPED:
        assert state.recipe().needs, cell.error
        pytest.skip(cell.error)
    assert (cell.verdict, cell.error, cell.harm) == (state.expect, None, ())


@pytest.mark.root
@pytest.mark.parametrize(
    "state", [state for state in STATES.values() if state.recipe().needs - {LISTS}], ids=lambda state: state.name
)
def test_root_can_make_each_state(torture, state):
    """There is none that nobody can ever see."""
    assert torture(state, "hardened").verdict == state.expect
