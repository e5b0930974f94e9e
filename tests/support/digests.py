"""Digests of runs by every strategy under both hosts, as JSON: `python -m tests.support.digests [SCHEDULES]`.

Run by another interpreter, to be compared with this one. `SCHEDULES` is a JSON object of recorded segments by scenario;
without it, they are recorded here.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace

import trio

from cache_core import privileges
from simulator.ground.sandbox import Sandbox, default_parent
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from simulator.schedule import format_segments, segments_of
from simulator.strategies import SAMPLERS

# Poison, locks with kills and a cleaner in the middle, and the build in place.
SCENARIOS = {"issue-3515-small": 2, "issue-3515-loop": 3, "stress": 2, "pip-in-place": 2}
SEED = 4


async def digests(schedules):
    """Digest by ``scenario strategy host``, and the segments that were recorded."""
    found = {}
    recorded = {}
    with Sandbox.create(default_parent(os.environ)) as sandbox:
        for name, builds in SCENARIOS.items():
            scenario = replace(load_scenario(name), builds=builds, cleaners_after=("hardened",))
            for strategy in (*sorted(SAMPLERS), "replay"):
                segments = (schedules or recorded)[name] if strategy == "replay" else ""
                scheduled = replace(scenario, schedule=Schedule(strategy, segments=segments))
                for host in ("bare", "trio"):
                    report = await orchestrator.run(scheduled, SEED, sandbox, Options(bare=host == "bare"))
                    found[f"{name} {strategy} {host}"] = report.trace_digest
                    if strategy == "sticky":
                        storm = report.rounds[0][: report.storm_steps]
                        recorded[name] = format_segments(segments_of(storm))
    return {"digests": found, "schedules": recorded}


if __name__ == "__main__":
    if privileges.holds_override_capabilities():
        privileges.drop_override_capabilities()
    sys.stdout.write(json.dumps(trio.run(digests, json.loads(sys.argv[1]) if sys.argv[1:] else None)))
