"""Asking oracles: each of them, in the order of their table, whatever another one does.

Guarantee: an oracle that raises neither ends the run nor keeps the others from their look. The first that did is
returned, so that whoever knows the run's token can say which run it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.running.outcome import Violation

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Raised:
    """An oracle that did not answer.

    Attributes:
        oracle: its name.
        error: what it raised.
    """

    oracle: str
    error: Exception


def ask(oracles: Mapping[str, Callable[[E], list[Violation]]], evidence: E) -> tuple[list[Violation], Raised | None]:
    """What all of them say of one evidence, and the first that raised.

    Args:
        oracles: by name.
        evidence: what they look at.
    """
    violations: list[Violation] = []
    raised: Raised | None = None
    for name, oracle in oracles.items():
        try:
            violations += oracle(evidence)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, with the run it came in
            raised = raised or Raised(name, error)
    return violations, raised
