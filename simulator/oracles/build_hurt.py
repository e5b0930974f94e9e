"""No build is hurt by another: one that no fault struck succeeds, as it does alone.

(Alone every simulated build succeeds: `tests/quality` holds the toolchains to it.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.outcome import FAILED, Violation

if TYPE_CHECKING:
    from simulator.oracles.base import StormEvidence


def build_hurt(evidence: StormEvidence) -> list[Violation]:
    """A violation for each build that failed though nothing was injected into it."""
    violations = []
    for build in evidence.builds:
        failure = build.failure
        if build.outcome != FAILED or failure is None or failure.injected:
            continue
        what = errno_name(failure.errno) or failure.type
        signature = f"build-hurt:{failure.operation or 'check'}:{what}"
        call = " ".join(word for word in (failure.operation, failure.path) if word)
        where = f" ({call})" if failure.path else ""
        sentence = f"{build.actor} failed in {build.phase} with {what}{where}; alone it succeeds"
        violations.append(Violation("build-hurt", signature, sentence))
    return violations
