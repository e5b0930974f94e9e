"""What was measured, as tables for a terminal and for the docs."""

from __future__ import annotations

import json
import statistics

from benchmarks.cleaner.tables import Grid, write
from benchmarks.peers.cell import AGAIN, NOT_THROUGH
from benchmarks.peers.comparing import RESULTS, ROOT, TOOLS
from benchmarks.peers.subjects import SUBJECTS

PAGE = ROOT / "docs/explanation/peers.md"
MARK = "peers"


def load():
    return json.loads(RESULTS.read_text("ascii"))


def save(results):
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "ascii")


def write_page(results, page=PAGE):
    """Put the tables between the marks of a page."""
    write(page, [grid.markdown() for grid in grids(results)], MARK)


def grids(results):
    """All tables."""
    return [found_grid(results), replay_grid(results), *whole_grids(results)]


def rows_of(results):
    """(tool, its cells by subject), of those that were measured."""
    for tool in TOOLS:
        cells = {name: row[tool.key] for name, row in results["cells"].items() if tool.key in row}
        if cells:
            yield tool, cells


def found_grid(results):
    """A row a tool, a column a subject."""
    title = f"the run that finds it ({what_it_ran_on(results)})"
    rows = [
        (tool.key, *(found(cells[name], racy=SUBJECTS[name].racy) for name in results["cells"]))
        for tool, cells in rows_of(results)
    ]
    return Grid(title, ("", *results["cells"]), rows)


def what_it_ran_on(results):
    versions = [f"{name} {version}" for name, version in results["versions"].items()]
    return ", ".join([*versions, f"Python {results['python']}", results["system"], results["date"]])


def found(cell, *, racy):
    """In which run something was found; what the tool says if nothing was."""
    if "cannot" in cell:
        return cell["cannot"]
    if "found" not in cell:
        return cell["stopped"]
    runs = [finding["run"] for finding in cell["found"] if finding["run"] is not None]
    missed = [finding["said"] for finding in cell["found"] if finding["run"] is None]
    if not runs:
        words = f"{missed[0]}, {cell['runs']:,} run{'s' if cell['runs'] != 1 else ''}"
        # That there is nothing, where there is.
        return f"**{words}**" if racy else words
    if len(cell["found"]) == 1:
        return str(runs[0])
    part = f", not by {len(missed)} of {len(cell['found'])} seeds" if missed else ""
    return f"{statistics.median(runs):g} ({min(runs)}-{max(runs)}){part}"


def replay_grid(results):
    """A row a tool: from what it replays, and whether that shows it again."""
    rows = []
    for tool, cells in rows_of(results):
        shown = [finding for cell in cells.values() for finding in cell.get("found", []) if finding["run"] is not None]
        if not shown:
            continue
        again, tried = sum(finding["again"] for finding in shown), AGAIN * len(shown)
        size = sorted({int(word) for finding in shown for word in finding["replay"].split() if word.isdigit()})
        sizes = f"{size[0]}-{size[-1]}" if size[0] != size[-1] else f"{size[0]}"
        kind = " ".join("N" if word.isdigit() else word for word in shown[0]["replay"].split())
        rows.append((tool.key, kind.replace("N", sizes), f"{again} of {tried}"))
    return Grid(f"what a run is replayed from, and how often it shows it again ({AGAIN} times each)",
                ("", "from", "again"), rows)  # fmt: skip


def whole_grids(results):
    """Two tables, a row a tool, a column a subject: runs with their outcomes, and CPU seconds."""
    names = tuple(results["cells"])
    every = [results["every"][name] for name in names]
    there_are = ("every order of whole calls", *(f"{one['runs']:,}: {one['outcomes']:,}" for one in every))
    found = [
        (tool.key, *(whole(cells[name], results["every"][name]["outcomes"]) for name in names))
        for tool, cells in rows_of(results)
    ]
    seconds = [(tool.key, *(cpu(cells[name]) for name in names)) for tool, cells in rows_of(results)]
    return [
        Grid("whole searches, runs: outcomes; in bold where outcomes are missing", ("", *names), [there_are, *found]),
        Grid("CPU seconds of whole searches", ("", *names), seconds),
    ]


def whole(cell, outcomes):
    """How many runs a search makes, and with how many outcomes."""
    if "runs" not in cell:
        return "-" if "cannot" in cell else cell["stopped"]
    told = f"{cell['runs']:,}: {cell['outcomes']:,}"
    if cell["said"] == NOT_THROUGH:
        told += f", {NOT_THROUGH}"
    return f"**{told}**" if cell["outcomes"] < outcomes else told


def cpu(cell):
    return f"{cell['cpu']:.2f}" if "cpu" in cell else "-"
