"""Faults of real builds: signals to a whole process group, at a phase that can be seen or at a time.

A real build cannot be made to fail at a call of its own; it can be killed (SIGKILL) and made to stand still (SIGSTOP,
then SIGCONT once no other build can move), which is what `kill` and `stall` mean in a simulation. So of a scenario's
faults the kills and stalls at a phase that can be watched are delivered, and drawn ones fall at a time: a step of the
simulated install becomes the same share of the time that a real one takes. All others are left out, and told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL, STALL, parse_fault
from simulator.engine.randomness import Randomness
from simulator.errors import BadInputError
from simulator.tools.watch import WATCHED_PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.engine.faults import Fault
    from simulator.scenario import Scenario

_SIGNALS = frozenset({KILL, STALL})


@dataclass(frozen=True, slots=True)
class SignalFault:
    """One signal.

    Attributes:
        actor: whose group.
        action: ``kill`` or ``stall``.
        name: as the scenario has it.
        phase: at which it strikes; empty when it strikes at a time.
        after_seconds: since the storm began.
    """

    actor: str
    action: str
    name: str
    phase: str = ""
    after_seconds: float = 0.0

    def is_due(self, phase: str, seconds: float) -> bool:
        """Whether it strikes a build that is seen in `phase`, so long after the storm began."""
        if self.phase:
            return WATCHED_PHASES.index(phase) >= WATCHED_PHASES.index(self.phase)
        return seconds >= self.after_seconds


def plan_signals(
    scenario: Scenario, seed: int, names: Sequence[str], alone_seconds: float
) -> tuple[dict[str, list[SignalFault]], list[str]]:
    """The signals of one storm.

    Args:
        scenario: whose faults.
        seed: random faults are drawn from it.
        names: of the builds.
        alone_seconds: how long one install takes when it is alone.

    Returns:
        For each build what strikes it, in order; and the faults that cannot be signals, as the scenario has them.
    """
    planned: dict[str, list[SignalFault]] = {name: [] for name in names}
    left_out: list[str] = []
    for fault in scenario.faults:
        if fault.actor in planned and not _why_no_signal(fault):
            planned[fault.actor].append(SignalFault(fault.actor, fault.action, str(fault), fault.phase))
        else:
            left_out.append(str(fault))
    steps = max((kind.last for kind in scenario.random_faults), default=1)
    # Together they take longer, by as much as they are more than the processors.
    seconds = alone_seconds * max(1.0, len(names) / (os.cpu_count() or 1))
    for place, kind in enumerate(scenario.random_faults):
        drawn = kind.draw(names, Randomness(seed, f"faults-{place}"))
        if kind.action not in _SIGNALS:
            left_out += [str(fault) for fault in drawn]
            continue
        for fault in drawn:
            moment = seconds * fault.step / steps
            planned[fault.actor].append(SignalFault(fault.actor, fault.action, str(fault), "", moment))
    return planned, left_out


def check_signals(specs: Iterable[str]) -> None:
    """Refuse faults that a user asks for and that cannot be signals.

    Raises:
        BadInputError: one cannot; says which can.
    """
    for spec in specs:
        why = _why_no_signal(parse_fault(spec))
        if why:
            raise BadInputError("bad-fault", spec, f"fault '{spec}': {why}")


def _why_no_signal(fault: Fault) -> str:
    """Why a fault cannot be a signal; empty when it can."""
    if not fault.actor.startswith("build-"):
        return "with --tool only builds get faults"
    if fault.action not in _SIGNALS:
        return f"with --tool faults are signals: kill or stall, not {fault.action}"
    if fault.step:
        return f"real builds have no steps to count; name a phase: {', '.join(WATCHED_PHASES)}"
    if fault.phase not in WATCHED_PHASES:
        return f"the phase {fault.phase} of a real build cannot be watched; these can: {', '.join(WATCHED_PHASES)}"
    return ""
