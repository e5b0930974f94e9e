"""Systematic search: DPOR over every set of kills, to its end or to a limit.

For each set of kill points (`simulator.search.kills`) all inequivalent schedules are run (`simulator.search.dpor`).
What ends it early is said, with how far it got, and can be kept in a file (`simulator.search.checkpoint`).

Guarantees: `complete` is only said when nothing is left; the same subject and seed make the same runs in the same
order, in one go or resumed. Not guaranteed: that the end comes while anybody waits; the estimate of what is left is
one of the tree as far as it is known, off by a factor of ten or more either way. Costs: a run and the footprints of its
steps for each schedule.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.errors import BadInputError, InterruptedRunError, PrunedRunError
from simulator.exploration.classes import trace_class
from simulator.search.dpor import Dpor
from simulator.search.found import Found
from simulator.search.kills import KILLS_MAX, KillPlan
from simulator.search.repeats import check_repeats
from simulator.search.result import BUDGET, EXHAUSTED, INTERRUPTED, SCHEDULES, answer
from simulator.search.statement import complete, ended_early

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start
    from simulator.search.found import Observer
    from simulator.search.limits import Limits
    from simulator.search.result import Exploration
    from simulator.search.subject import Subject, Trial

DPOR = "dpor"

# A storm of so many steps, with everybody one after another, may come to an end in a day.
STEPS_MAX = 400
SUGGESTED = "pct"

# What tells its helpers what to do tells them nothing by the file system.
_HELPER = "worker"


class Systematic:
    """A search that can be left and taken up again.

    Args:
        subject: what to run.
        start: what is in its sandbox before the first step.
        seed: of what the subject draws.
        kills: how many kills a run has at most.
        count_classes: whether storms are told apart by more than their outcome; takes some 30 us a step.

    Attributes:
        found: what was, in runs that came to their end.
        pruned: how many were cut short, as what would follow was known.
        starving: how many came to an end only when everybody moved in turn: they say nothing.
        over: whether nothing is left.
        seconds: how long all of it took, in whatever pieces.
        timed: whether that is so: of older checkpoints nobody knows.

    Raises:
        BadInputError: so many kills cannot be.
    """

    def __init__(
        self, subject: Subject, start: Start, *, seed: int = 0, kills: int = 0, count_classes: bool = False
    ) -> None:
        if not 0 <= kills <= KILLS_MAX:
            raise BadInputError("bad-kills", str(kills), f"--kills {kills}: 0 to {KILLS_MAX} kills in one run")
        self.subject = subject
        self.seed = seed
        self.kills = kills
        self.plan = KillPlan(subject.victims, kills)
        self.dpor = Dpor(start)
        self.found = Found(subject, count_classes=count_classes)
        self.pruned = 0
        self.starving = 0
        self.over = False
        self.seconds = 0.0
        self.timed = True
        self._start = start

    @property
    def runs(self) -> int:
        """How many were begun and are done with, those cut short included."""
        return self.found.runs + self.pruned + self.starving

    async def run(
        self,
        limits: Limits,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Exploration:
        """Go on until nothing is left, or a limit is reached.

        Args:
            limits: of all runs, and of the time from now on.
            observer: told after each run; how many are left is an estimate.
            clock: monotonic seconds.

        Raises:
            NondeterminismError: a run that the subject makes by itself, made again, was another one.
            InternalError: the same schedule went another way.
        """
        begun, earlier = clock(), self.seconds
        ended, before = EXHAUSTED, self.runs
        while not self.over:
            if self.runs >= limits.schedules:
                ended = SCHEDULES
                break
            if self.runs > before and clock() - begun >= limits.budget_seconds:
                ended = BUDGET
                break
            try:
                if not self.runs:
                    await check_repeats(self.subject, await self.subject.trial(self.seed))
                await self._one()
            except (KeyboardInterrupt, InterruptedRunError):
                self.dpor.rewind()
                ended = INTERRUPTED
                break
            now = clock() - begun
            self.seconds = earlier + now
            if observer is not None:
                observer(self.found, now, self.estimate())
        self.seconds = earlier + clock() - begun
        return self._answer(ended, limits)

    async def _one(self) -> None:
        try:
            trial = await self.subject.trial(self.seed, strategy=self.dpor, kills=self.plan.faults)
        except PrunedRunError:
            self.pruned += 1
        else:
            storm = self.dpor.transitions.storm
            _refuse_helpers(storm)
            if self.dpor.overruled_at is None or _is_livelock(trial):
                self.found.add(trial, None if self.found.classes is None else trace_class(storm, self._start))
            else:
                self.starving += 1
        self.plan.observed.saw([made for made in self.dpor.transitions.made if not made.ends], self.dpor.names)
        if not self.dpor.advance():
            if self.plan.advance():
                self.dpor = Dpor(self._start)
            else:
                self.over = True

    def estimate(self) -> int | None:
        """How many runs are left, very roughly; None where nobody knows (kill points to come are not in it)."""
        explored = self.dpor.explored_share()
        return None if explored is None else round(self.runs * (1 - explored) / explored)

    def _answer(self, ended: str, limits: Limits) -> Exploration:
        found = self.found
        digest = f"{self.subject.name} ({self.subject.digest})"
        if self.over and not self.starving:
            bound = complete(digest, found.runs, self.kills, self.plan.finished)
        else:
            bound = ended_early(
                digest,
                limits,
                ended=ended,
                runs=found.runs,
                kills=self.kills,
                kill_sets=self.plan.finished,
                at=self.plan.places,
                outcomes=len(found.outcomes),
                last_new=found.last_new,
                pruned=self.pruned,
                starving=self.starving,
            )
        told = answer(
            found,
            scenario=self.subject.name,
            strategy=DPOR,
            complete=self.over and not self.starving,
            bound=bound,
            ended=ended,
            seconds=self.seconds,
            timed=self.timed,
            estimate_runs=0 if self.over else self.estimate(),
        )
        return replace(told, searched=True, kills=self.kills)


async def check_size(subject: Subject) -> None:
    """Refuse a scope that no systematic search comes to an end of.

    Raises:
        BadInputError: it is one.
    """
    steps, parties = await subject.length_alone(), max(1, len(subject.victims))
    if steps <= STEPS_MAX:
        return
    share = steps / parties
    digits = (math.lgamma(steps + 1) - parties * math.lgamma(share + 1)) / math.log(10)
    raise BadInputError(
        "too-large",
        subject.name,
        f"'{subject.name}' is too large for strategy 'dpor': {parties} actors make {steps:,} steps, in some"
        f" 10^{digits:,.0f} interleavings; choose a sampler (--strategy {SUGGESTED}), or say how long it may try"
        " (--budget 10m)",
    )


def _is_livelock(trial: Trial) -> bool:
    return any(violation.oracle == "livelock" for violation in trial.violations)


def _refuse_helpers(storm: list[RawStep]) -> None:
    if any(step[0].startswith(_HELPER) for step in storm):
        raise BadInputError(
            "bad-strategy",
            DPOR,
            "strategy 'dpor' knows what meets in the file system, and here a cleaner's workers tell each other what to"
            " do besides; choose a sampler, or a smaller cache",
        )
