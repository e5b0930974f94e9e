"""Cells as a JUnit file: a suite for each cleaner, a case for each state, as CI servers read it.

Source: the format as Jenkins, GitLab and pytest use it (testsuites, testsuite, testcase, failure, skipped). Guarantee:
the file is well-formed XML whatever a cleaner printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cache_core.errors import shown
from scenarios.states.state import RANDOM
from simulator.torture.verdicts import SKIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.torture.verdicts import Cell


def junit(cells: Sequence[Cell], groups: Mapping[str, str]) -> bytes:
    """The file.

    Args:
        cells: what came of each.
        groups: of each state.
    """
    top = ET.Element("testsuites", _counts(cells))
    for cleaner in dict.fromkeys(cell.cleaner for cell in cells):
        own = [cell for cell in cells if cell.cleaner == cleaner]
        suite = ET.SubElement(top, "testsuite", {"name": f"torture {shown(cleaner)}", **_counts(own)})
        for cell in own:
            group = groups.get(cell.state, RANDOM)
            case = ET.SubElement(
                suite,
                "testcase",
                # Servers tell cases apart by these two names, across suites.
                {
                    "classname": f"torture.{shown(cleaner)}.{group}",
                    "name": cell.state,
                    "time": f"{cell.seconds:.3f}",
                },
            )
            _outcome(case, cell)
    ET.indent(top)
    text: bytes = ET.tostring(top, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _outcome(case: ET.Element, cell: Cell) -> None:
    error = shown(cell.error or "")
    if cell.verdict == SKIPPED:
        ET.SubElement(case, "skipped", {"message": error})
    elif not cell.good:
        failure = ET.SubElement(case, "failure", {"type": cell.verdict, "message": error})
        made = f"how the state is made: cachestorm list states {cell.state}"
        failure.text = "\n".join([*(map(shown, cell.harm) if cell.harm else [error]), made])


def _counts(cells: Sequence[Cell]) -> dict[str, str]:
    return {
        "tests": str(len(cells)),
        "failures": str(sum(not cell.good for cell in cells)),
        "errors": "0",
        "skipped": str(sum(cell.verdict == SKIPPED for cell in cells)),
        "time": f"{sum(cell.seconds for cell in cells):.3f}",
    }
