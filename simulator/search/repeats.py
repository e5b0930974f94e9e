"""Before a search takes a difference between two runs for that of their schedules: the same schedule, made twice.

Guarantees: a subject whose run differs from itself is refused, with the first step that does. Not guaranteed: that one
which passes is deterministic; that shows in the first run that does not repeat, if anybody looks. Costs: one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.running.determinism import check_deterministic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep
    from simulator.search.subject import Subject, Trial


async def check_repeats(subject: Subject, trial: Trial) -> None:
    """Make a trial again.

    Args:
        subject: what it is of.
        trial: made by its seed, with the subject's own strategy.

    Raises:
        NondeterminismError: it was another one.
    """

    async def again() -> Sequence[RawStep]:
        return (await subject.trial(trial.seed)).storm

    await check_deterministic(trial.storm, again)
