"""No build is hurt by another: one that fails here, and would not alone, with the same faults.

One that no fault struck succeeds alone, whatever it is (`tests/quality` holds the toolchains to it). One that a fault
struck, and that failed later of something else, may have the fault to thank for it: an error that it swallowed, and a
file that is missing ever since. So it is made again, alone with the same faults (`StormEvidence.alone`); if it fails
there too, it is nobody else's doing. A fault strikes at a step of the build's own, which alone may be another call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.running.outcome import FAILED, Violation

if TYPE_CHECKING:
    from simulator.oracles.base import StormEvidence


def build_hurt(evidence: StormEvidence) -> list[Violation]:
    """A violation for each build that failed, and not because of what was injected into it."""
    violations = []
    for build in evidence.builds:
        failure = build.failure
        if build.outcome != FAILED or failure is None or failure.injected:
            continue
        if evidence.alone.get(build.actor) is not None:
            continue
        what = errno_name(failure.errno) or failure.type
        signature = f"build-hurt:{failure.operation or 'check'}:{what}"
        call = " ".join(word for word in (failure.operation, failure.path) if word)
        where = f" ({call})" if failure.path else ""
        alone = "alone, with the same faults, it succeeds" if build.actor in evidence.alone else "alone it succeeds"
        sentence = f"{build.actor} failed in {build.phase} with {what}{where}; {alone}"
        violations.append(Violation("build-hurt", signature, sentence))
    return violations
