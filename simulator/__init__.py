"""Everything that runs actors: the gate, the kernel behind it, hosts, strategies, faults, oracles, runs.

The program as a function:

    import simulator

    report = simulator.run("issue-3515", seed=3)
    assert report.empty
    print(report.residue.poisoned, report.token)

and for code of your own:

    simulator.explore(actors=[store, sweep], setup=fill, oracle=is_whole).assert_holds()
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from simulator.exploring.calls import explore, explore_async, replay
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario

__all__ = ["explore", "explore_async", "replay", "run"]

# Loaded when somebody asks: the command line imports this package for its help.
_EXPLORING = ("explore", "explore_async", "replay")


def __getattr__(name: str) -> object:
    if name in _EXPLORING:
        from simulator.exploring import calls  # noqa: PLC0415

        return getattr(calls, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def run(scenario: str | Scenario, *, seed: int = 0, sandbox: str | None = None) -> RunReport:
    """Make one run: the storm, what each cleaner makes of it, the verdict.

    Args:
        scenario: name or file of a scenario, or one that was loaded (and changed) before.
        seed: one seed is one interleaving.
        sandbox: directory under which the run happens; shared memory where we may write, if not given.

    Raises:
        BadInputError: there is no such scenario, or its file has mistakes.
        MachineError: no sandbox can be made there, or permission bits do not stop this process (as root: drop
            the capabilities first with `cache_core.privileges`, or use the command line, which does).
    """
    import os  # noqa: PLC0415 - the command line imports this package for its help and must not load trio

    import trio  # noqa: PLC0415

    from simulator.ground.sandbox import Sandbox, default_parent  # noqa: PLC0415
    from simulator.running import orchestrator  # noqa: PLC0415
    from simulator.scenario_file import load_scenario  # noqa: PLC0415

    loaded = load_scenario(scenario) if isinstance(scenario, str) else scenario
    with Sandbox.create(sandbox or default_parent(os.environ)) as ground:
        return trio.run(orchestrator.run, loaded, seed, ground)
