"""Oracles of users, of which a bare ``assert`` is told by its place: it has nothing else to say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.search.verdicts import OracleOfUser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.running.outcome import Violation
    from simulator.search.verdicts import ActorResult

_WITHOUT_MESSAGE = "an assertion does not hold"


class LocatedOracle(OracleOfUser):
    """As `OracleOfUser`."""

    def judge(self, directory: str, results: Mapping[str, ActorResult]) -> list[Violation]:
        """As `OracleOfUser.judge`; the place is the one of the signature."""
        return [self._located(violation) for violation in super().judge(directory, results)]

    def _located(self, violation: Violation) -> Violation:
        if violation.sentence != _WITHOUT_MESSAGE:
            return violation
        place = violation.signature.removeprefix(f"{self.name}:")
        return replace(violation, sentence=f"{_WITHOUT_MESSAGE}, at {place}")
