"""Explorations of scenarios, for tests."""

from __future__ import annotations

import trio

from simulator.ground.sandbox import Sandbox
from simulator.search.limits import Limits
from simulator.search.sampling import sample
from simulator.search.subject import ScenarioSubject


def explored(scenario, ground, *, schedules=40, budget_seconds=1e9, interrupted=bool, **options):
    """What sampling a scenario finds."""

    async def main():
        with Sandbox.create(ground) as sandbox:
            subject = ScenarioSubject(scenario, sandbox, interrupted=interrupted)
            return await sample(subject, scenario.schedule, Limits(schedules, budget_seconds), **options)

    return trio.run(main)
