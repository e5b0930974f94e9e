"""Which cleaner empties which hostile state: the matrix of the docs, from real runs.

    python benchmarks/torture.py measure [--sandbox DIR]     (a few minutes; as root, or some states are skipped)
    python benchmarks/torture.py tables                      (puts the tables into the docs)

Measuring replaces benchmarks/torture.json. Every cell is a real run of the real program; what is live (a writer, a
swapper) is chance, and may differ from one time to the next where a cleaner is careless.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from scenarios.states import GROUPS, STATES
from scenarios.states.catalogue import ABSENT, CLASSES, PARTLY
from simulator.torture.verdicts import GOOD, HARMED, LIED, REPORTED, VERDICTS

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("torture.json")
PAGES = (ROOT / "README.md", ROOT / "docs/reference/torture.md")
# Ours, the system's, the interpreter's, and the tools of the report: before its fix, of today, and pip of today.
CLEANERS = ("hardened", "rm", "find", "rmtree", "uv==0.1.42", "uv==0.13.9", "pip==26.3")
HEADINGS = {"rm": "`rm -rf`", "find": "`find -delete`", "rmtree": "`shutil.rmtree`"}
SECONDS = "20s"
MARK = re.compile(r"(<!-- torture: (?P<name>[a-z-]+) -->\n).*?(<!-- /torture -->)", re.DOTALL)


def measure(sandbox):
    """Run all of it, and keep what came of it."""
    command = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()", "torture", "--json"]
    command += [word for name in CLEANERS for word in ("--cleaner", name)]
    command += ["--timeout", SECONDS] + (["--sandbox", sandbox] if sandbox else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout)
    if "cells" not in document:
        sys.exit(document["message"])
    cells = {}
    for cell in document["cells"]:
        cells.setdefault(cell["state"], {})[cell["cleaner"]] = cell["verdict"]
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"Linux {platform.release().partition('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "cleaners": list(CLEANERS),
        "verdicts": cells,
    }
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


def load():
    return json.loads(RESULTS.read_text())


def heading(cleaner):
    return HEADINGS.get(cleaner, cleaner.replace("==", " "))


def table(rows):
    """Markdown."""
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, f"|{'---|' * len(rows[0])}", *rest])


def groups_table(results):
    """One row a group: how many of its states each cleaner empties, or reports as it must."""
    names = results["cleaners"]
    rows = [["states", *map(heading, names)]]
    for group in GROUPS:
        found = [results["verdicts"][state.name] for state in group.states]
        rows.append([f"{group.name} ({len(found)})", *(share([cells[name] for cells in found]) for name in names)])
    everything = list(results["verdicts"].values())
    rows.append(["**all**", *(f"**{share([cells[name] for cells in everything])}**" for name in names)])
    return table(rows)


def share(verdicts):
    """How many are as they should be; what is worse than a failure is said."""
    counts = Counter(verdicts)
    good = sum(counts[verdict] for verdict in GOOD)
    bad = [f"{counts[verdict]} {verdict}" for verdict in (LIED, HARMED) if counts[verdict]]
    return ", ".join([str(good), *bad])


def matrix_table(results):
    """Every cell."""
    names = results["cleaners"]
    rows = [["state", *map(heading, names)]]
    for group in GROUPS:
        rows.append([f"**{group.name}**", *[""] * len(names)])
        for state in group.states:
            cells = results["verdicts"][state.name]
            rows.append([f"`{state.name}`", *(shown(cells[name]) for name in names)])
    counts = {name: Counter(cells[name] for cells in results["verdicts"].values()) for name in names}
    rows.append(["**counts**", *[""] * len(names)])
    rows += [
        [verdict, *(str(counts[name][verdict] or "") for name in names)]
        for verdict in VERDICTS
        if any(counts[name][verdict] for name in names)
    ]
    return table(rows)


def shown(verdict):
    return verdict if verdict in GOOD else f"**{verdict}**"


def states_table():
    """What each state is, and where it was met."""
    rows = [["state", "what it is", "expected", "met"]]
    for group in GROUPS:
        rows.append([f"**{group.name}**", "", "", ""])
        for state in group.states:
            met = ", ".join(f"[{name}]({link})" for name, link in zip(state.met, state.links, strict=True))
            expected = (
                f"{state.expect}: {', '.join(f'`{path}`' for path in state.stays)}" if state.stays else state.expect
            )
            rows.append([f"`{state.name}`", state.summary.replace("|", "\\|"), expected, met])
    return table(rows)


def catalogue_table():
    """Each class of the catalogue: the states that stand for it, or why none does."""
    rows = [["", "hard case", "states"]]
    for number, name in CLASSES.items():
        states = [f"`{state.name}`" for state in STATES.values() if number in state.classes]
        told = ", ".join(states) or f"none: {ABSENT[number]}"
        rows.append([str(number), name, told + (f" ({PARTLY[number]})" if number in PARTLY else "")])
    return table(rows)


def measured(results):
    """What was measured, on what."""
    solvable = sum(state.expect != REPORTED for state in STATES.values())
    return (
        f"{len(results['verdicts'])} states, {solvable} of which can be emptied; {results['system']}, in memory,"
        f" started by root, Python {results['python']}, {results['date']}."
    )


def all_tables():
    results = load()
    return {
        "groups": groups_table(results),
        "matrix": matrix_table(results),
        "states": states_table(),
        "catalogue": catalogue_table(),
        "measured": measured(results),
    }


def written(text, tables):
    """A page with its tables between their marks."""
    return MARK.sub(lambda found: f"{found[1]}\n{tables[found['name']]}\n\n{found[3]}", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "tables"])
    parser.add_argument("--sandbox", help="where states are laid; best a tmpfs")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        measure(arguments.sandbox)
    tables = all_tables()
    for page in PAGES:
        page.write_text(written(page.read_text(), tables))


if __name__ == "__main__":
    main()
