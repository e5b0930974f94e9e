"""What an exploration prints for people."""

from __future__ import annotations

import io

import pytest

from simulator.report.exploration import ExplorationReport
from simulator.running.outcome import Violation
from simulator.scenario_file import load_scenario
from simulator.search.found import Outcome, Shown, Violated
from simulator.search.result import Exploration


@pytest.mark.parametrize(("characters", "pasted"), [(80, True), (81, False)])
def test_a_schedule_that_is_too_long_for_a_token_is_no_line_to_paste(characters, pasted):
    shown = Shown("cs2." + "x" * (characters - 4), 0, 1, 5, 50)
    found = Exploration(
        scenario="issue-3515-small", strategy="dpor", explored=1, complete=False, bound="x", ended="budget",
        seconds=1.0, outcomes=(Outcome("bad", 1, 1, True, shown),),
        violations=(Violated(Violation("o", "s", "it is bad"), 1, shown),), sometimes={}, last_new=1,
    )  # fmt: skip
    stream = io.StringIO()
    ExplorationReport(stream, lambda token: f"replay {token}").whole(found, load_scenario("issue-3515-small"))
    assert (f"  replay {shown.token}\n" in stream.getvalue()) == pasted
    assert (shown.token in stream.getvalue()) == pasted
    assert ("too long for a token: --save FILE keeps it" in stream.getvalue()) == (not pasted)
