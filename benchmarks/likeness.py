"""How like the real storms the simulated ones are: shares of what broke, side by side.

    python benchmarks/likeness.py measure issue-3515-loop --tool uv==0.1.42 --runs 24 --sandbox /var/tmp
    python benchmarks/likeness.py measure issue-3515-loop --probability 0.05 --runs 200
    python benchmarks/likeness.py all            (every measurement of the docs; an hour, most of it the real ones)
    python benchmarks/likeness.py tables         (puts them into the docs)

A measurement is one line in benchmarks/likeness.jsonl; measuring again replaces it. Simulated ones are counts over
seeds from 0 on, the same on every machine. Real ones depend on the machine, and are never the same twice; measure them
on an idle one, and say what it was. Real tools take their packages from `cachestorm fetch-packages`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import trio

from simulator.actors.toolchains.base import ERROR_KINDS
from simulator.ground.confined import confine, require_permission_bits
from simulator.ground.sandbox import Sandbox, default_parent, survey
from simulator.running.orchestrator import Options, run
from simulator.running.outcome import FAILED, KILLED, OK
from simulator.scenario_file import load_scenario
from simulator.strategies.staggered import START_GAP
from simulator.strategies.sticky import SWITCH_PROBABILITY
from simulator.tools.kinds import parse_tool
from simulator.tools.storm import RealStorms

RESULTS = Path(__file__).with_name("likeness.jsonl")
DOCS = Path(__file__).parents[1] / "docs"
PAGES = (DOCS / "decisions/0004-switch-probability.md", DOCS / "explanation/the-race.md")
LOOP, IN_PLACE, REPORT = "issue-3515-loop", "pip-in-place", "issue-3515"
PROBABILITIES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
GAPS = (0, 425, 1700)
SEEDS, REAL_TRIALS, PIP_TRIALS = 200, 24, 25
BUILDS_PART = "/build/bdist.linux-x86_64/"

# What the docs show: scenario, tool, switch probability, gap, runs.
ALL = (
    (LOOP, "uv==0.1.42", None, None, REAL_TRIALS),
    (LOOP, "build", None, None, REAL_TRIALS),
    *((LOOP, None, probability, None, SEEDS) for probability in PROBABILITIES),
    *((LOOP, None, None, gap, SEEDS) for gap in GAPS),
    (REPORT, None, None, None, SEEDS),
    (IN_PLACE, "pip==26.3", None, None, PIP_TRIALS),
    (IN_PLACE, None, None, None, SEEDS),
)


def subject(scenario, tool, probability, gap, ground):
    """What identifies a measurement; what it stood on counts for real ones only."""
    where = None if tool is None else ground
    return {"scenario": scenario, "tool": tool, "where": where, "probability": probability, "gap": gap}


def described(reports):
    """The counts of a list of reports."""
    builds = [build for report in reports for build in report.builds]
    outcomes = Counter(build.outcome for build in builds)
    own = [build.failure for build in builds if build.failure is not None and not build.failure.injected]
    places = [item.path.partition(BUILDS_PART)[2] for report in reports for item in report.residue.poisoned]
    incomplete = [
        item for report in reports for item in report.violations if item.signature.startswith("wheel-whole:installed:")
    ]
    switches = [report.switches for report in reports if report.switches is not None]
    return {
        "runs": len(reports),
        "poisoned": sum(bool(report.residue.poisoned) for report in reports),
        "builds": len(builds),
        "ok": outcomes[OK],
        "failed": outcomes[FAILED],
        "killed": outcomes[KILLED],
        "by_the_race": len(own),
        "incomplete": len(incomplete),
        "switches": statistics.median(switches) if switches else None,
        "every_build_interrupted": sum(all(build.interruptions for build in report.builds) for report in reports),
        "places": dict(Counter(_place(place) for place in places).most_common()),
        "kinds": dict(Counter(failure.kind or "other" for failure in own).most_common()),
    }


def _place(path):
    """A poisoned directory's place, without the package's name."""
    if "-" in path:
        return "metadata"
    return {0: "the staging tree", 1: "the package in it"}.get(path.count("/"), "deeper")


async def simulated(scenario, runs, sandbox):
    """Reports of seeds from 0 on; one cleaner, so one round."""
    scenario = replace(scenario, cleaners_after=("hardened",))
    reports = []
    for seed in range(runs):
        reports.append(replace(await run(scenario, seed, sandbox, Options(bare=True)), rounds=()))
        told(seed, runs)
    return reports


async def real(scenario, tool, runs, sandbox):
    """Reports of trials one after another."""
    storms = await RealStorms.prepare(replace(scenario, cleaners_after=()), parse_tool(tool), sandbox)
    reports = []
    for trial in range(runs):
        reports.append(await storms.run(trial))
        told(trial, runs)
    return reports


def told(done, runs):
    """Progress, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{done + 1} of {runs}", end="\n" if done + 1 == runs else "", file=sys.stderr, flush=True)


def measure(name, tool, probability, gap, runs, *, parent=None):
    """Make one measurement and keep it."""
    scenario = load_scenario(name)
    schedule = scenario.schedule
    if probability is not None:
        schedule = replace(schedule, switch_probability=probability)
    if gap is not None:
        schedule = replace(schedule, start_gap=gap)
    scenario = replace(scenario, schedule=schedule)
    parent = parent or default_parent(os.environ)
    require_permission_bits(parent)
    with Sandbox.create(parent) as sandbox:
        if tool is None:
            reports = trio.run(simulated, scenario, runs, sandbox)
        else:
            reports = trio.run(real, scenario, tool, runs, sandbox)
    who = subject(name, tool, probability, gap, "memory" if survey(parent).is_tmpfs else "disk")
    kept = [line for line in load() if any(line[key] != value for key, value in who.items())]
    lines = [*kept, {**who, **described(reports)}]
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")


def load():
    """All measurements."""
    return [json.loads(line) for line in RESULTS.read_text("ascii").splitlines()] if RESULTS.exists() else []


# Tables.


def share(part, whole):
    """``12 of 40 (30 %)``."""
    return f"{part} of {whole} ({part / whole:.0%})".replace("%)", " %)") if whole else "none"


def column(line):
    """The head of a measurement's column."""
    if line["tool"] is not None:
        return f"real, `{line['tool']}`, {line['where']}"
    told = [f"p = {line['probability']:g}"] if line["probability"] is not None else []
    told += [f"gap {line['gap']}"] if line["gap"] is not None else []
    return f"simulated, {', '.join(told)}" if told else "simulated"


def shares_table(lines):
    """A line for each measurement."""
    head = (
        "",
        "runs that poison",
        "builds that fail",
        "successes that are incomplete",
        "median switches",
        "kinds, of 10",
    )
    rows = [
        (
            column(line),
            share(line["poisoned"], line["runs"]),
            share(line["failed"] + line["killed"], line["builds"]),
            share(line["incomplete"], line["ok"]),
            "" if line["switches"] is None else f"{line['switches']:g}",
            str(len(set(line["kinds"]) & set(ERROR_KINDS))),
        )
        for line in lines
    ]
    return table(head, rows)


def kinds_table(lines):
    """A row for each kind of failure, a column for each measurement: shares of the failures by the race."""
    kinds = [*ERROR_KINDS, *sorted({kind for line in lines for kind in line["kinds"]} - set(ERROR_KINDS))]
    rows = [
        (ERROR_KINDS.get(kind, kind), *(share(line["kinds"].get(kind, 0), line["by_the_race"]) for line in lines))
        for kind in kinds
    ]
    return table(("what the builds said", *map(column, lines)), rows)


def places_table(lines):
    """A row for each place of the poison."""
    places = list(dict.fromkeys(place for line in lines for place in line["places"]))
    rows = [(place, *(str(line["places"].get(place, 0)) for line in lines)) for place in places]
    return table(("poisoned directory", *map(column, lines)), rows)


def table(head, rows):
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def default(line):
    """Whether a simulated measurement is the one with the defaults."""
    return line["probability"] in {None, SWITCH_PROBABILITY} and line["gap"] in {None, START_GAP}


def all_tables():
    """Every table of the docs, by the name in its marker."""
    lines = load()
    loop = [line for line in lines if line["scenario"] == LOOP]
    beside = [line for line in loop if line["tool"] is not None or default(line)]
    in_place = [line for line in lines if line["scenario"] == IN_PLACE]
    beside.sort(key=lambda line: (line["tool"] is None, line["tool"] or "", line["where"] or ""))
    return {
        "sweep": shares_table([line for line in loop if line["tool"] is None]),
        "loop": shares_table(beside),
        "loop-kinds": kinds_table(beside),
        "loop-places": places_table(beside),
        "report": shares_table([line for line in lines if line["scenario"] == REPORT]),
        "in-place": shares_table(in_place),
        "in-place-kinds": kinds_table(in_place),
    }


def written(text, tables):
    """A page with its tables replaced; what is not between markers stays."""
    for name, table_text in tables.items():
        pattern = rf"(?<=<!-- likeness: {name} -->\n).*?(?=<!-- /likeness -->)"
        text = re.sub(pattern, lambda _, new=table_text: f"\n{new}\n\n", text, count=1, flags=re.DOTALL)
    return text


def write():
    """Put the tables into the docs."""
    tables = all_tables()
    for page in PAGES:
        page.write_text(written(page.read_text("utf-8"), tables), "utf-8")


def main():
    """Measure, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure", help="one measurement")
    one.add_argument("scenario")
    one.add_argument("--tool", help="a real one, e.g. uv==0.1.42; simulated if not given")
    one.add_argument("--probability", type=float, help="of a switch")
    one.add_argument("--gap", type=int, help="mean number of steps between two arrivals")
    one.add_argument("--runs", type=int, default=SEEDS)
    one.add_argument("--sandbox", help="where; real installs meet more often on a disk")
    commands.add_parser("all", help="every measurement of the docs")
    commands.add_parser("tables", help="put the tables into the docs")
    options = parser.parse_args()
    if options.command == "tables":
        return write()
    if (status := confine()) is not None:
        return status
    if options.command == "all":
        for wish in ALL:
            measure(*wish)
        return None
    return measure(
        options.scenario, options.tool, options.probability, options.gap, options.runs, parent=options.sandbox
    )


if __name__ == "__main__":
    sys.exit(main())
