"""Runs of scenarios, for tests."""

from __future__ import annotations

import trio

from simulator.ground.sandbox import Sandbox
from simulator.running import orchestrator


def run_seeds(scenario, seeds, ground, *, keep_steps=False):
    """One report a seed, in one trio.run."""
    reports = []

    async def main():
        with Sandbox.create(ground) as sandbox:
            for seed in seeds:
                report = await orchestrator.run(scenario, seed, sandbox)
                if not keep_steps:
                    object.__setattr__(report, "rounds", ())
                reports.append(report)

    trio.run(main)
    return reports


def run_one(scenario, seed, ground):
    """One report, steps and all."""
    return run_seeds(scenario, [seed], ground, keep_steps=True)[0]
