"""Which protocol holds, and how far that was searched: the table of the docs, from real explorations.

    python benchmarks/exploration.py measure [--budget DURATION] [--cleaner NAME]... [--sandbox DIR]   (an hour)
    python benchmarks/exploration.py tables                                  (puts the tables into the docs)

Measuring replaces benchmarks/exploration.json. Each row is one `cachestorm explore --strategy dpor`, of the smallest
race under one protocol, with and without the cache lock, and with a cleaner in the middle or none, and beside it a
sample, since a search that its budget ends has seen one corner of all schedules. Where neither finds a violation, a
second search has every single kill as well: elsewhere nothing is left to ask. What a search finds before the end of its
budget depends on the machine; what it finds when it is complete does not. Besides, the race with every call of the real
thing is sampled, for the builds that succeed with a wrong wheel.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("exploration.json")
PAGES = (ROOT / "docs/explanation/protocols-compared.md", ROOT / "docs/explanation/silent-corruption.md")
MARK = re.compile(r"(<!-- exploration: (?P<name>[a-z-]+) -->\n).*?(<!-- /exploration -->)", re.DOTALL)

# The scenario, by who cleans in the middle of the storm; with one build, such a search comes to its end.
SCENARIOS = {
    "none": ("issue-3515-small",),
    "hardened": ("issue-3515-live",),
    "rmtree": ("issue-3515-live-naive",),
    "hardened-one-build": ("issue-3515-live", "--builds", "1"),
    "rmtree-one-build": ("issue-3515-live-naive", "--builds", "1"),
}
PROTOCOLS = ("in-place", "shared", "entry-lock", "private")
BUDGET = "60s"
# A search with kills is as many searches as there are places to kill at.
KILLS_BUDGET = "150s"
SAMPLE = ("--schedules", "200", "--budget", "1h")

# Sampled: with every call, a search does not come to an end in a budget.
REAL = "issue-3515-real"
SILENT = "wheel-whole"
STRATEGIES = (("sticky",), ("random",), ("pct", "--depth", "3"), ("pct", "--depth", "5"))
REAL_SCHEDULES = 1000


def explore(*options, sandbox=None):
    """One document."""
    command = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()", "explore", "--json"]
    command += [*options, *(["--sandbox", sandbox] if sandbox else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout)
    if "outcomes" not in document:
        sys.exit(document["message"])
    return document


def violating(document):
    """How many of its outcomes an oracle has something to say to."""
    return sum(item["violates"] for item in document["outcomes"])


def holds(row):
    """Whether nothing was found against it."""
    return not row["violating"] and not row["sampled_violating"]


def search(cleaner, protocol, kills, *, cache_lock, budget, sandbox):
    """One row."""
    which = ("--protocol", protocol, "--cache-lock" if cache_lock else "--no-cache-lock")
    how = ("--strategy", "dpor", "--kills", str(kills), "--budget", budget)
    found = explore(*SCENARIOS[cleaner], *which, *how, sandbox=sandbox)
    drawn = explore(*SCENARIOS[cleaner], *which, *SAMPLE, sandbox=sandbox)
    row = {
        "cleaner": cleaner,
        "protocol": protocol,
        "cache_lock": cache_lock,
        "kills": kills,
        "explored": found["explored"],
        "complete": found["complete"],
        "outcomes": len(found["outcomes"]),
        "violating": violating(found),
        "last_new": found["last_new"],
        "sampled": drawn["explored"],
        "sampled_outcomes": len(drawn["outcomes"]),
        "sampled_violating": violating(drawn),
    }
    print(*row.values(), flush=True)
    return row


def sampled(strategy, sandbox):
    """One row: how many outcomes, of how many schedules, have a wrong wheel."""
    how = ("--strategy", *strategy, "--schedules", str(REAL_SCHEDULES), "--budget", "1h")
    found = explore(REAL, *how, sandbox=sandbox)
    silent = [item for item in found["outcomes"] if SILENT in item["signature"]]
    return {
        "strategy": " ".join(strategy).replace("--", ""),
        "explored": found["explored"],
        "outcomes": len(found["outcomes"]),
        "silent_outcomes": len(silent),
        "silent_runs": sum(item["count"] for item in silent),
        # Nobody failed, so nobody had a reason to look.
        "unnoticed_runs": sum(item["count"] for item in silent if item["signature"].startswith("ok; ")),
        "failed_runs": sum(item["count"] for item in found["outcomes"] if item["violates"]),
    }


def measure(budget, sandbox, cleaners=tuple(SCENARIOS)):
    """Run all of it, or what is asked for, and keep what came of it."""
    kept = {} if set(cleaners) == set(SCENARIOS) else load()
    rows = [row for row in kept.get("rows", ()) if row["cleaner"] not in cleaners]
    for cleaner, protocol, cache_lock in product(cleaners, PROTOCOLS, (False, True)):
        where = {"cache_lock": cache_lock, "sandbox": sandbox}
        rows.append(search(cleaner, protocol, 0, budget=budget, **where))
        if holds(rows[-1]):
            rows.append(search(cleaner, protocol, 1, budget=KILLS_BUDGET, **where))
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"Linux {platform.release().partition('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "budget": budget,
        "kills_budget": KILLS_BUDGET,
        "rows": rows,
        "silent": kept.get("silent") or [sampled(strategy, sandbox) for strategy in STRATEGIES],
    }
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


def load():
    return json.loads(RESULTS.read_text())


def table(rows):
    """Markdown."""
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, f"|{'---|' * len(rows[0])}", *rest])


def protocols_table(results, cleaner):
    """What became of each protocol beside one cleaner."""
    headings = ["protocol", "cache lock", "kills", "searched", "outcomes", "of these violate", "complete"]
    rows = [[*headings, "of a sample's outcomes violate"]]
    rows += [
        [
            f"`{row['protocol']}`",
            "on" if row["cache_lock"] else "off",
            "every single one" if row["kills"] else "none",
            f"{row['explored']:,}",
            f"{row['outcomes']:,}",
            f"**{row['violating']:,}**" if row["violating"] else "none",
            "yes" if row["complete"] else f"no, last new at {row['last_new']:,}",
            f"{row['sampled_violating']:,} of {row['sampled_outcomes']:,}",
        ]
        for row in results["rows"]
        if row["cleaner"] == cleaner
    ]
    return table(rows)


def silent_table(results):
    """Builds that succeed with a wrong wheel."""
    headings = ["strategy", "schedules", "outcomes", "with a wrong wheel", "schedules with one", "nobody fails"]
    rows = [[*headings, "any violation"]]
    rows += [
        [
            f"`{row['strategy']}`",
            f"{row['explored']:,}",
            f"{row['outcomes']:,}",
            f"{row['silent_outcomes']:,}",
            f"{row['silent_runs']:,} ({100 * row['silent_runs'] / row['explored']:.1f} %)",
            f"{row['unnoticed_runs']:,}" if row["unnoticed_runs"] else "none",
            f"{row['failed_runs']:,}",
        ]
        for row in results["silent"]
    ]
    return table(rows)


def measured(results):
    """On what, and how long."""
    sample = results["rows"][0]["sampled"]
    return (
        f"A budget of {results['budget']} for each search, with kills {results['kills_budget']};"
        f" {sample} schedules for each sample;"
        f" {results['system']}, in memory, Python {results['python']}, {results['date']}."
    )


def all_tables():
    results = load()
    return {
        **{f"cleaner-{cleaner}": protocols_table(results, cleaner) for cleaner in SCENARIOS},
        "silent": silent_table(results),
        "measured": measured(results),
    }


def written(text, tables):
    """A page with its tables between their marks."""
    return MARK.sub(lambda found: f"{found[1]}\n{tables[found['name']]}\n\n{found[3]}", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "tables"])
    parser.add_argument("--budget", default=BUDGET, help=f"of each search (default: {BUDGET})")
    parser.add_argument("--cleaner", choices=SCENARIOS, action="append", help="only its rows again; repeatable")
    parser.add_argument("--sandbox", help="where runs are made; best a tmpfs")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        measure(arguments.budget, arguments.sandbox, tuple(arguments.cleaner or SCENARIOS))
    tables = all_tables()
    for page in PAGES:
        page.write_text(written(page.read_text(), tables))


if __name__ == "__main__":
    main()
