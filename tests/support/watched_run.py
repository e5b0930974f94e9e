"""A run of the simulator for those who watch its system calls from outside: told when actors may move, and when not.

Only while `TrioHost.run` is running may actors move; before and after it the harness makes, reads and removes the
sandbox. The two ends of it are marked from here, so that the product carries no hook for tests.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys

import trio

from cache_core import privileges
from simulator.engine.faults import parse_fault
from simulator.engine.trace import json_lines
from simulator.ground.sandbox import Sandbox
from simulator.hosts.trio_host import TrioHost
from simulator.running import cast, orchestrator
from simulator.scenario_file import load_scenario
from tests.support.every_call import every_call


def uncounted_stat(path):
    os.stat(path)


def uncounted_open(path):
    os.close(os.open(path, os.O_RDONLY))


def uncounted_mkdir(path):
    with contextlib.suppress(FileExistsError):
        os.mkdir(f"{path}/uncounted")


def uncounted_listing(path):
    os.listdir(path)


# What an actor does beside the kernel, to see that it is caught.
UNCOUNTED = {
    "stat": uncounted_stat,
    "open": uncounted_open,
    "mkdir": uncounted_mkdir,
    "listing": uncounted_listing,
}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("parent", help="where the sandbox is made")
    parser.add_argument("report", help="file that gets the sandbox's path and the steps, as JSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--builds", type=int)
    parser.add_argument("--after", nargs="*")
    parser.add_argument("--during", nargs="*")
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--every-call", action="store_true", help="builds make every call that the kernel has")
    parser.add_argument("--uncounted", choices=UNCOUNTED)
    return parser.parse_args()


def scenario_of(options):
    """The scenario with what the command line changes of it; faults of builds that are not there are left out."""
    scenario = load_scenario(options.scenario)
    changes = {}
    if options.builds is not None:
        changes["builds"] = options.builds
    if options.after is not None:
        changes["cleaners_after"] = tuple(options.after)
    if options.during is not None:
        changes["cleaners_during"] = tuple(options.during)
    if options.fault:
        changes["faults"] = tuple(map(parse_fault, options.fault))
    return dataclasses.replace(scenario, **changes)


def mark(begin, end):
    """Let every run of this process tell when actors may move.

    Args:
        begin: called before they may.
        end: called after they have, with the round's number and the number of steps so far, in all rounds.
    """
    rounds = []

    class MarkedHost(TrioHost):
        async def run(self, parties):
            if not (rounds and rounds[-1] is self._gate.steps):
                rounds.append(self._gate.steps)
            begin()
            await super().run(parties)
            end(len(rounds), sum(map(len, rounds)))

    orchestrator.TrioHost = MarkedHost


def watched_run(options):
    """Make one run and write its steps; `options` as `arguments` returns them."""
    if not privileges.permission_bits_stop_us(options.parent):
        sys.exit("permission bits do not stop this process: what it would show is not what happens")
    cast.install = install_of(options)
    with Sandbox.create(options.parent) as sandbox:
        report = trio.run(orchestrator.run, scenario_of(options), options.seed, sandbox)
        path = sandbox.path
    lines = [json.loads(line) for line in json_lines(report.rounds)]
    details = [step[7] for steps in report.rounds for step in steps]
    steps = [line | {"detail": detail} for line, detail in zip(lines, details, strict=True)]
    with open(options.report, "w", encoding="ascii") as file:
        json.dump({"sandbox": path, "steps": steps}, file)


def install_of(options):
    install = every_call if options.every_call else cast.install
    if options.uncounted is None:
        return install

    def install_with_an_uncounted_call(kernel, job, enter_phase):
        try:
            install(kernel, job, enter_phase)
        finally:
            UNCOUNTED[options.uncounted](job.cache)

    return install_with_an_uncounted_call
