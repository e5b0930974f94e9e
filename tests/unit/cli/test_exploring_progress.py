"""The line of progress of a search that goes on."""

from __future__ import annotations

from simulator.cli.exploring import ENDLESS, progress
from simulator.search.limits import Limits


def test_runs_of_another_time_are_none_of_this_one():
    told = progress(5100, 3, 10.0, 200, Limits(ENDLESS, 60.0), before=5000)
    assert told == "5,100 of perhaps 5,300 schedules, 3 outcomes, 10 a second, about 20 s left"
