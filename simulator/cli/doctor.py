"""`cachestorm doctor`: what this machine can do, and what each missing thing costs."""

from __future__ import annotations

import os

import click

from simulator.cli.failures import MACHINE
from simulator.cli.output import print_document
from simulator.cli.parameters import debug_option, examples, json_option, sandbox_option


@click.command(
    "doctor",
    short_help="Look at this machine: what can it do?",
    epilog=examples("cachestorm doctor", "cachestorm doctor --sandbox /tmp --json"),
)
@sandbox_option()
@json_option()
@debug_option()
def command(*, sandbox: str | None, as_json: bool) -> int:
    """Look at this machine: is a run possible, is it fast, what is missing and what does that cost.

    Exit 0 when runs are possible, 3 when not.
    """
    from cache_core.errors import shown  # noqa: PLC0415
    from simulator.ground.machine import examine, runs_are_possible  # noqa: PLC0415
    from simulator.ground.sandbox import default_parent  # noqa: PLC0415

    findings = examine(sandbox or default_parent(os.environ))
    possible = runs_are_possible(findings)
    if as_json:
        rows = [
            {"name": item.name, "value": item.value, "ok": item.ok, "needed": item.needed, "cost": item.cost}
            for item in findings
        ]
        print_document({"schema": "cachestorm/doctor/1", "possible": possible, "findings": rows})
    else:
        width = max(len(item.name) for item in findings)
        for item in findings:
            print(f"{'ok     ' if item.ok else 'MISSING'}  {item.name:<{width}}  {shown(item.value)}")
            if item.cost:
                print(f"{'':<9}{'':<{width}}  {item.cost}")
        print("runs are possible" if possible else "runs are NOT possible")
    return 0 if possible else MACHINE
