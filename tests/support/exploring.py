"""Explorations of scenarios, for tests."""

from __future__ import annotations

import trio

from simulator.ground.sandbox import Sandbox
from simulator.search.limits import Limits
from simulator.search.sampling import sample
from simulator.search.subject import ScenarioSubject
from simulator.search.systematic import Systematic


def explored(scenario, ground, *, schedules=40, budget_seconds=1e9, interrupted=bool, **options):
    """What sampling a scenario finds."""

    async def main():
        with Sandbox.create(ground) as sandbox:
            subject = ScenarioSubject(scenario, sandbox, interrupted=interrupted)
            return await sample(subject, scenario.schedule, Limits(schedules, budget_seconds), **options)

    return trio.run(main)


def searched(scenario, ground, *, schedules=1_000_000, budget_seconds=1e9, **options):
    """What searching a scenario finds."""

    async def main():
        with Sandbox.create(ground) as sandbox:
            subject = ScenarioSubject(scenario, sandbox)
            search = Systematic(subject, await subject.start(), **options)
            return await search.run(Limits(schedules, budget_seconds))

    return trio.run(main)
