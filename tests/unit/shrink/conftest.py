import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.scenario_file import load_scenario
from simulator.search.subject import ScenarioSubject


@pytest.fixture
def within(ground):
    """Await a function of a scenario's subject, in a sandbox of its own."""

    def call(function, scenario="issue-3515-small"):
        async def main():
            with Sandbox.create(ground) as sandbox:
                return await function(ScenarioSubject(load_scenario(scenario), sandbox))

        return trio.run(main)

    return call
