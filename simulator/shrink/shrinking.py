"""Shrink a failing run: fewer actors, fewer switches, fewer steps, and the same failure.

Each candidate is a plan (`simulator.shrink.plan`), followed leniently and really run; it is taken if the run fails in
the same way and is smaller: fewer turns, else less injected, else fewer steps. What was executed is the next plan.
In the end the schedule of the best run is written down and replayed strictly.

Guarantees: what is returned was run, by its token, and fails in the same way; it is never larger than what was given;
shrinking it again changes nothing if this came to its end (`Shrunk.complete`); it ends with the replays or the seconds
that it was given (a run that has begun is finished). Not guaranteed: the smallest. A second call with `state` goes on.
Cost: the runs, and for each that is taken some 25 us a step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL
from simulator.errors import DivergenceError
from simulator.schedule import codes_of, compact, format_segments, segments_of
from simulator.shrink.attempt import run_attempt
from simulator.shrink.budget import Budget, Limits, SpentError
from simulator.shrink.candidates import STAGES, falls_of, guesses
from simulator.shrink.follow import Follow
from simulator.shrink.keep import keep_of, signature_to_ask
from simulator.shrink.naming import usual_names
from simulator.shrink.plan import plan_of, taking_part
from simulator.shrink.pulling import pulled_together, turns_of
from simulator.strategies.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.exploration.start import Start
    from simulator.search.subject import Subject, Trial
    from simulator.shrink.candidates import Leave
    from simulator.shrink.keep import Keep
    from simulator.shrink.plan import Plan


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is, of those who take part in it.

    Attributes:
        turns: how often somebody begins to move.
        injected: how many of its steps were made to fail, kills among them.
        steps: of the storm.
        actors: how many take part.
    """

    turns: int
    injected: int
    steps: int
    actors: int

    def is_smaller_than(self, other: Size) -> bool:
        """Fewer turns, else less injected, else fewer steps."""
        return (self.turns, self.injected, self.steps) < (other.turns, other.injected, other.steps)

    def document(self) -> dict[str, int]:
        """As in the `shrink` document."""
        return {"turns": self.turns, "actors": self.actors, "steps": self.steps, "injected": self.injected}


@dataclass(frozen=True, slots=True)
class State:
    """Where shrinking stands, to go on from there.

    Attributes:
        trial: the smallest run so far that fails.
        rejected: plans, with the seed if it is not the run's, that are not worth another try.
        names: of all actors, in their order; empty until it is known.
    """

    trial: Trial
    rejected: frozenset[tuple[Plan, int | None]] = field(repr=False, default=frozenset())
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What shrinking made of a run.

    Attributes:
        trial: the smallest run that fails alike; its `token` plays it.
        segments: its schedule; empty if it could not be written down, and `trial` is the given one.
        kept: for people: what it fails with.
        signature: asks for that, where another failure of `trial` is more telling; None elsewhere.
        before, after: the sizes of the given run and of this one.
        replays: how many runs it took.
        seconds: likewise.
        complete: whether there was nothing left to try.
        state: to go on from.
    """

    trial: Trial
    segments: str
    kept: str
    signature: str | None
    before: Size
    after: Size
    replays: int
    seconds: float
    complete: bool
    state: State = field(repr=False)

    def document(self) -> dict[str, object]:
        """The `cachestorm/shrink/1` document, without its schema and the scenario."""
        return {
            "seed": self.trial.seed,
            "token": self.trial.token,
            "segments": self.segments,
            "kept": self.kept,
            "before": self.before.document(),
            "after": self.after.document(),
            "replays": self.replays,
            "complete": self.complete,
            "seconds": round(self.seconds, 3),
            "violations": [violation.document() for violation in self.trial.violations],
        }


async def shrink(
    subject: Subject,
    trial: Trial,
    *,
    keep: Keep | None = None,
    quick: Subject | None = None,
    everybody: bool = False,
    limits: Limits | None = None,
    state: State | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """Make a failing run small.

    Args:
        subject: what was run.
        trial: the run that fails.
        keep: what a smaller run has to show; None: the most telling of what this one shows (`keep_of`).
        quick: makes the same storms in less time, without what comes after them; used unless that is what fails.
        everybody: whether all actors take part in the small run as well: for failures that the mere absence of one
            would show, as with an oracle that misses what it should have left.
        limits: how long to try; 60 runs and 5 s if not given.
        state: of an earlier call, to go on from.
        clock: monotonic seconds.

    Raises:
        BadInputError: nothing is wrong with the run.
    """
    keep = keep or keep_of(trial)
    work = _Shrinking(
        subject,
        state or State(trial),
        quick=quick,
        everybody=everybody,
        keep=keep,
        limits=limits or Limits(),
        clock=clock,
        start=await subject.start(),
    )
    return await work.make(trial)


class _Shrinking:
    """One call of `shrink`."""

    def __init__(
        self,
        subject: Subject,
        state: State,
        *,
        quick: Subject | None,
        everybody: bool,
        keep: Keep,
        limits: Limits,
        clock: Callable[[], float],
        start: Start,
    ) -> None:
        self._subject = subject
        self._quick = quick
        self._quick_tells = False
        self._everybody = everybody
        self._keep = keep
        self._start = start
        self._budget = Budget(limits, clock)
        self._rejected = set(state.rejected)
        self._names = state.names
        self._pulled: Trial | None = None
        self._take(state.trial)

    async def make(self, given: Trial) -> Shrunk:
        """Shrink until nothing is left to try, or to try with."""
        try:
            while any([await self._improve(), await self._rename()]):
                # Under another name a build may not need what was injected into it.
                pass
            complete = True
        except SpentError:
            complete = False
        trial, segments = await self._written(given)
        return Shrunk(
            trial=trial,
            segments=segments,
            kept=self._keep.told,
            signature=signature_to_ask(self._keep, trial),
            before=self._size_of(given),
            after=self._size_of(trial),
            replays=self._budget.replays,
            seconds=self._budget.seconds,
            complete=complete,
            state=State(self._best, frozenset(self._rejected), self._names),
        )

    def _take(self, trial: Trial) -> None:
        """From now on this is the smallest."""
        self._best = trial
        self._size = self._size_of(trial)
        self._plan = plan_of(taking_part(trial.storm, everybody=self._everybody))

    def _size_of(self, trial: Trial) -> Size:
        return size_of(trial, everybody=self._everybody)

    async def _improve(self) -> bool:
        """Try everything once; whether anything was taken."""
        before = self._best
        steps = self._best.storm
        falls = falls_of(self._best, self._keep, self._start)
        for guess in guesses(self._best, falls):
            if await self._accepts(guess):
                break
        else:
            for cause, failed in falls if not self._everybody else ():
                await self._accepts(self._plan.only({steps[cause][0], steps[failed][0]}))
        for leave, count in STAGES[self._everybody :]:
            await self._pull()
            await self._leave_out(leave, count)
        return self._best is not before

    async def _pull(self) -> None:
        """Pull the steps of each actor together, unless that was done."""
        if self._best is not self._pulled:
            steps = taking_part(self._best.storm, everybody=self._everybody)
            await self._accepts(plan_of(steps, pulled_together(steps, self._start)))
            self._pulled = self._best

    async def _leave_out(self, leave: Leave, count: Callable[[Plan], int]) -> None:
        size = count(self._plan)
        while size > 0:
            last = count(self._plan)
            while last > 0:
                await self._accepts(leave(self._plan, max(0, last - size), last))
                last = min(last - size, count(self._plan))
            size = min(size, count(self._plan)) // 2

    async def _accepts(self, plan: Plan) -> bool:
        """Try a plan, and take what comes of it if that is smaller."""
        if (plan, None) in self._rejected or not plan.pieces:
            return False
        trial = await self._run(plan)
        if trial is not None and self._keep(trial) and self._size_of(trial).is_smaller_than(self._size):
            self._take(trial)
            return True
        self._rejected.add((plan, None))
        return False

    async def _rename(self) -> bool:
        """Give whoever is left more usual names, and the run the usual seed, if they can have them."""
        before = self._best
        plan = plan_of(taking_part(self._best.storm, everybody=self._everybody), counted=True)
        for other in usual_names(plan, self._names):
            if await self._is_as_good(other):
                plan = other
                break
        if self._best.seed:
            await self._is_as_good(plan, seed=0)
        return self._best is not before

    async def _is_as_good(self, plan: Plan, seed: int | None = None) -> bool:
        """Take a plan that is as small as the best, if it fails in the same way."""
        if (plan, seed) in self._rejected:
            return False
        trial = await self._run(plan, seed)
        if trial is not None and self._keep(trial) and not self._size.is_smaller_than(self._size_of(trial)):
            self._take(trial)
            return True
        self._rejected.add((plan, seed))
        return False

    async def _run(self, plan: Plan, seed: int | None = None) -> Trial | None:
        """Follow a plan; the first one in any case. None if the run cannot be judged.

        Raises:
            SpentError: there is nothing left to do it with.
        """
        self._budget.spend()
        follow = Follow(plan, everybody=self._everybody)
        seed = self._best.seed if seed is None else seed
        trial = await run_attempt(self._quick or self._subject, seed, follow)
        self._names = follow.names
        if self._quick is not None and not self._quick_tells:
            self._quick_tells = trial is not None and self._keep(trial)
            if not self._quick_tells:
                trial = await run_attempt(self._subject, seed, Follow(plan, everybody=self._everybody))
                if trial is not None and self._keep(trial):
                    # It shows only in what the quick ones leave out.
                    self._quick = None
        return trial

    async def _written(self, given: Trial) -> tuple[Trial, str]:
        """The best run by its schedule, strictly; what was given if it cannot be."""
        names = self._names or tuple(dict.fromkeys(step[0] for step in self._best.storm))
        best = list(self._best.storm)
        for segments in (compact(best, names), segments_of(best, codes_of(names))):
            text = format_segments(segments)
            self._budget.replays += 1
            try:
                trial = await run_attempt(self._subject, self._best.seed, Replay(text))
            except DivergenceError:
                continue
            if trial is not None and list(trial.storm) == best and self._keep(trial):
                return trial, text
        return given, ""


def size_of(trial: Trial, *, everybody: bool = False) -> Size:
    """How large a run is; `everybody` as of `taking_part`."""
    steps = taking_part(trial.storm, everybody=everybody)
    actors = [step[0] for step in steps]
    injected = sum(step[8] is not None or step[2] == KILL for step in steps)
    return Size(turns_of(actors), injected, len(steps), len(set(actors)))
