"""Explain a failing run by what must not swap: two steps side by side that, the other way round, make it pass.

Where it takes that somebody is killed, that comes first (`simulator.explaining.kills`): a run is made without the kill.
Of a run, the pairs of steps that could have come the other way round are known from what its steps touched
(`simulator.exploration.reversible`). Each is tried: the run is made again with the second step before the first, and
looked at. The failing call and what it fell over come first, then the pairs from the end of the run to its beginning.
If no pair does it, one step is moved back before several of another actor's, the fewest first, then pairs are swapped
in the runs that came of one swap, and at last one actor after another is not interrupted where it was. It is best asked
of a shrunk run: fewer pairs, and a picture that fits.

Guarantees: what is told was run, by everybody who took part; in that run both steps of each pair were made, the other
way round, and the failure was gone; the same for the same run. It ends with the replays or the seconds that it was
given. Not guaranteed: that there is no other pair; nor that the other order is what anybody wants
(`Explanation.instead` says what came of it).
Source: the idea is of A. Zeller, "Isolating cause-effect chains from computer programs" (FSE 2002): the difference
between a run that fails and one that passes, made as small as can be, is a cause; J.-D. Choi, A. Zeller, "Isolating
failure-inducing thread schedules" (ISSTA 2002) has it for threads. How we differ: the pairs come from the relation, so
most differences that delta debugging would have to try are none.
Cost: the runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from simulator.engine.faults import KILL
from simulator.engine.trace import errno_name, path_fields
from simulator.explaining.kills import made_instead, spared
from simulator.exploration.footprints import conflict
from simulator.exploration.reversible import PartialOrder, Reversal
from simulator.shrink.attempt import run_attempt
from simulator.shrink.budget import Budget, Limits, SpentError
from simulator.shrink.candidates import falls_of
from simulator.shrink.follow import Follow
from simulator.shrink.keep import SameViolation, keep_of
from simulator.shrink.plan import plan_of, taking_part
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start
    from simulator.search.subject import Subject, Trial
    from simulator.shrink.keep import Keep
    from simulator.shrink.plan import Plan

# How many runs that came of one swap are looked at for a second one.
_SECOND_MAX = 4
# How many turns are left out in turn, where no swap does it: those of a shrunk run.
_TURNS_MAX = 8
# How many pairs of a set a sentence names.
_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Swap:
    """Two steps of different actors, as they came; swapped, the second one comes first."""

    first: RawStep
    second: RawStep


@dataclass(frozen=True, slots=True)
class Explanation:
    """What must not swap, or who must not be killed.

    Attributes:
        kept: for people: the failure.
        kills: the steps that were made instead of the kills without which the failure is gone; then there are no swaps.
        swaps: the pairs that, swapped together, make the failure go; one if one is enough; none if none was found.
        instead: the signatures of what the other run violates; empty if it passes.
        steps: of the run that is explained, of those who take part; the two steps side by side if it is one pair.
        pair: their places in it; None unless it is one pair.
        failed: the place of the call that failed, as far as that can be told.
        replays: how many runs it took.
        complete: whether all was tried that could have been.
    """

    kept: str
    kills: tuple[RawStep, ...]
    swaps: tuple[Swap, ...]
    instead: tuple[str, ...]
    steps: Sequence[RawStep] = field(repr=False)
    pair: Reversal | None
    failed: int | None
    replays: int
    complete: bool

    @property
    def sentence(self) -> str:
        """For people."""
        there = f"there would be no {self.kept}{self._instead}"
        if self.kills:
            return f"if {_not_killed(self.kills)}, {there}"
        if not self.swaps:
            tried = "everything that could be" if self.complete else "not everything that could be"
            return (
                f"no swap of steps was found without {self.kept}: {tried} was tried, in {counted(self.replays, 'run')}"
            )
        if len(self.swaps) == 1:
            return f"if {told(self.swaps)}, {there}"
        count = len(self.swaps)
        return f"no single swap does it; the smallest set that was found is of {count}: if {told(self.swaps)}, {there}"

    @property
    def found(self) -> bool:
        """Whether there is something without which the failure is gone."""
        return bool(self.swaps or self.kills)

    @property
    def _instead(self) -> str:
        return f" (but {', '.join(self.instead)})" if self.instead else ", and the run would pass"

    def document(self) -> dict[str, object]:
        """As in the `replay` document."""
        return {
            "kept": self.kept,
            "sentence": self.sentence,
            "kills": [_document(step) for step in self.kills],
            "swaps": [{"first": _document(swap.first), "second": _document(swap.second)} for swap in self.swaps],
            "instead": list(self.instead),
            "replays": self.replays,
            "complete": self.complete,
        }


def told(swaps: Sequence[Swap]) -> str:
    """``build-1's rmdir of a/b had come before build-2's mkdir of a/b/c``; paths as short as they can be told apart."""
    above = common_directory([step[3] for swap in swaps for step in (swap.first, swap.second)])

    def said(step: RawStep) -> str:
        return (
            f"the kill of {step[0]}" if step[2] == KILL else f"{step[0]}'s {step[2]} of {step[3].removeprefix(above)}"
        )

    named = [f"{said(swap.second)} had come before {said(swap.first)}" for swap in swaps[:_NAMED_MAX]]
    more = [f"{len(swaps) - _NAMED_MAX} more pairs the other way round"] if len(swaps) > _NAMED_MAX else []
    return ", and ".join(named + more)


def _not_killed(made: Sequence[RawStep]) -> str:
    """``build-1 were not killed before its mkdir of a/b``."""
    return ", and ".join(f"{step[0]} were not killed before its {step[2]} of {step[3]}" for step in made)


def common_directory(paths: Sequence[str]) -> str:
    """What all paths begin with and nobody needs to read, with its slash; empty if there is nothing."""
    parents = {path.rpartition("/")[0] for path in paths}
    shortest = min(parents, key=len)
    while shortest and not all(f"{path}/".startswith(f"{shortest}/") for path in parents):
        shortest = shortest.rpartition("/")[0]
    return f"{shortest}/" if shortest else ""


def _document(step: RawStep) -> dict[str, object]:
    return {"actor": step[0], "operation": step[2], **path_fields(step[3]), "errno": errno_name(step[6])}


async def explain_by_swap(
    subject: Subject,
    trial: Trial,
    *,
    keep: Keep | None = None,
    quick: Subject | None = None,
    everybody: bool = False,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Explanation:
    """Find the pair of steps whose swap makes a failing run pass, or the fewest such pairs.

    Args:
        subject: what was run.
        trial: the run that fails, best a shrunk one.
        keep: how it fails; None: the most telling of what it shows (`simulator.shrink.keep.keep_of`).
        quick: as of `simulator.shrink.shrinking.shrink`; only for failures that it shows.
        everybody: likewise.
        limits: how long to try; 60 runs and 5 s if not given.
        clock: monotonic seconds.

    Raises:
        BadInputError: nothing is wrong with the run.
    """
    keep = keep or keep_of(trial)
    search = _Search(
        subject, keep, everybody=everybody, limits=limits or Limits(), clock=clock, start=await subject.start()
    )
    return await search.make(trial, quick)


class _Attempt(NamedTuple):
    """The second step of `pair` is made before the first, so all pairs in `flipped` come the other way round."""

    pair: Reversal
    flipped: tuple[Reversal, ...]


class _Case:
    """A failing run, and what could have come the other way round in it."""

    def __init__(self, trial: Trial, keep: Keep, start: Start, *, everybody: bool) -> None:
        begun = {id(step) for step in taking_part(trial.storm, everybody=everybody)}
        places = [place for place, step in enumerate(trial.storm) if id(step) in begun]
        self.seed = trial.seed
        self.steps = [trial.storm[place] for place in places]
        self.order = PartialOrder(self.steps, start)
        falls = falls_of(trial, keep, start)
        self._falls = [Reversal(places.index(fall.cause), places.index(fall.failed)) for fall in falls]
        self.failed = self._falls[0].second if self._falls else None

    def attempts(self) -> Iterator[_Attempt]:
        """What is worth a try: single pairs first, the likely ones before others; then more and more together."""
        pairs = self.order.reversals()
        failing = {fall.second for fall in self._falls}
        pairs.sort(key=lambda pair: (pair not in self._falls, pair.second not in failing, -pair.second, -pair.first))
        for pair in pairs:
            yield _Attempt(pair, (pair,))
        moved = [attempt for pair in pairs for attempt in self._moved_back(pair)]
        yield from sorted(moved, key=lambda attempt: len(attempt.flipped))

    def _moved_back(self, pair: Reversal) -> Iterator[_Attempt]:
        """The second step of a pair before several of the other actor's."""
        flipped = [pair]
        own = self._step_before(pair.second)
        for place in range(pair.first - 1, -1, -1):
            if self.steps[place][0] != self.steps[pair.first][0]:
                continue
            if own is not None and self.order.leads_to(place, own):
                return
            if conflict(self.order.touched[place], self.order.touched[pair.second]):
                flipped.append(Reversal(place, pair.second))
                yield _Attempt(flipped[-1], tuple(flipped))

    def _step_before(self, place: int) -> int | None:
        actor = self.steps[place][0]
        return next((at for at in range(place - 1, -1, -1) if self.steps[at][0] == actor), None)

    def turned(self, run: Sequence[RawStep], pairs: Iterable[Reversal]) -> tuple[Reversal, ...]:
        """Of some pairs, those of which both steps are in another run, the second one first."""
        turned = []
        for pair in pairs:
            first, second = (place_of(run, self.steps, place) for place in pair)
            if first is not None and second is not None and second < first:
                turned.append(pair)
        return tuple(turned)

    def swaps(self, pairs: Iterable[Reversal]) -> tuple[Swap, ...]:
        """Pairs, as steps."""
        return tuple(Swap(self.steps[pair.first], self.steps[pair.second]) for pair in pairs)


# Where it was found (the given run, or one that came of swaps before), what passes, and those swaps of the given run.
_Found = tuple[_Case, _Attempt, tuple[Reversal, ...]]


class _Search:
    """One call of `explain_by_swap`."""

    def __init__(
        self,
        subject: Subject,
        keep: Keep,
        *,
        everybody: bool,
        limits: Limits,
        clock: Callable[[], float],
        start: Start,
    ) -> None:
        self._subject = subject
        self._everybody = everybody
        self._tried_with = subject
        self._keep = keep
        self._start = start
        self._budget = Budget(limits, clock)
        self._oracles: set[str] = set()
        self._second_best: _Found | None = None

    async def make(self, trial: Trial, quick: Subject | None) -> Explanation:
        """Try one swap after another, then one more in runs that failed all the same."""
        case = self._case(trial)
        if isinstance(self._keep, SameViolation):
            same = (violation for violation in trial.violations if violation.signature == self._keep.signature)
            self._oracles = {violation.oracle for violation in same}
        if quick is not None:
            same_run = await self._follow(case, plan_of(case.steps), quick)
            if same_run is not None and self._keep(same_run):
                self._tried_with = quick
        complete = True
        try:
            told = await self._without_kill(case)
            if told is not None:
                return told
            found = await self._first_that_passes(case)
        except SpentError:
            found, complete = self._second_best, False
        if found is None:
            return await self._uninterrupted(case, complete=complete)
        return await self._found(case, *found)

    def _case(self, trial: Trial) -> _Case:
        return _Case(trial, self._keep, self._start, everybody=self._everybody)

    async def _without_kill(self, case: _Case) -> Explanation | None:
        """That somebody is not killed, if that is enough.

        Raises:
            SpentError: there is nothing left to try it with.
        """
        for plan, kills in spared(plan_of(case.steps)):
            self._budget.spend()
            other = await self._follow(case, plan, self._subject)
            if other is not None and self._is_gone(other, None):
                made = made_instead(other.storm, kills)
                if made:
                    return self._told(case, (), _signatures(other), None, kills=made, complete=True)
        return None

    async def _first_that_passes(self, case: _Case) -> _Found | None:
        """One swap, or several at once, or one after another; if none passes, one that at least fails otherwise."""
        failing: list[tuple[tuple[Reversal, ...], Trial]] = []
        for attempt in case.attempts():
            other = await self._try(case, attempt)
            if other is not None and self._is_gone(other, (case, attempt, ())):
                return case, attempt, ()
            if other is not None and len(failing) < _SECOND_MAX:
                failing.append((attempt.flipped, other))
        for before, trial in failing if self._second_best is None else ():
            second = self._case(trial)
            for attempt in second.attempts():
                other = await self._try(second, attempt)
                if other is not None and self._is_gone(other, (second, attempt, before)):
                    return second, attempt, before
        return self._second_best

    async def _uninterrupted(self, case: _Case, *, complete: bool) -> Explanation:
        """What came the other way round when one actor was not interrupted where it was, if that passes."""
        plan = plan_of(case.steps)
        best: tuple[tuple[Reversal, ...], tuple[str, ...]] = (), ()
        for place in range(min(len(plan.pieces), _TURNS_MAX)):
            self._budget.replays += 1
            other = await self._follow(case, plan.later(place), self._subject)
            if other is None or not self._is_gone(other, None):
                continue
            turned = case.turned(other.storm, case.order.reversals())
            if turned and (not best[0] or len(turned) < len(best[0])):
                best = turned, _signatures(other)
        turned, instead = best
        if len(turned) == 1:
            return await self._side_by_side(case, turned[0], instead, complete=complete)
        return self._told(case, case.swaps(turned), instead, None, complete=complete)

    def _is_gone(self, trial: Trial, found: _Found | None) -> bool:
        """Whether the oracle has nothing to say any more; that it says something else is second best."""
        if self._keep(trial):
            return False
        gone = not any(violation.oracle in self._oracles for violation in trial.violations)
        if not gone and self._second_best is None:
            self._second_best = found
        return gone

    async def _try(self, case: _Case, attempt: _Attempt) -> Trial | None:
        """The run the other way round; None if it did not come so, or cannot be judged.

        Raises:
            SpentError: there is nothing left to do it with.
        """
        self._budget.spend()
        plan = plan_of(case.steps, case.order.swapped(attempt.pair))
        trial = await self._follow(case, plan, self._tried_with)
        return trial if trial is not None and case.turned(trial.storm, [attempt.pair]) else None

    async def _follow(self, case: _Case, plan: Plan, subject: Subject) -> Trial | None:
        return await run_attempt(subject, case.seed, Follow(plan, everybody=self._everybody))

    async def _found(self, given: _Case, case: _Case, attempt: _Attempt, before: tuple[Reversal, ...]) -> Explanation:
        """The whole story of an attempt that passes, after the swaps before it."""
        swapped = plan_of(case.steps, case.order.swapped(attempt.pair))
        other = await self._subject.trial(case.seed, strategy=Follow(swapped, everybody=self._everybody))
        instead = _signatures(other)
        swaps = (
            *given.swaps(given.turned(other.storm, before)),
            *case.swaps(case.turned(other.storm, attempt.flipped)),
        )
        if len(swaps) > 1:
            return self._told(given, swaps, instead, None, complete=True)
        return await self._side_by_side(case, attempt.pair, instead, complete=True)

    async def _side_by_side(
        self, case: _Case, pair: Reversal, instead: tuple[str, ...], *, complete: bool
    ) -> Explanation:
        """A single pair that does it, in the run that has its two steps side by side, if that fails as well."""
        swaps = case.swaps([pair])
        adjacent = plan_of(case.steps, case.order.adjacent(pair))
        same = await self._follow(case, adjacent, self._subject)
        if same is not None and self._keep(same):
            side_by_side = self._case(same)
            first, second = (place_of(side_by_side.steps, case.steps, place) for place in pair)
            if first is not None and second is not None:
                return self._told(side_by_side, swaps, instead, Reversal(first, second), complete=complete)
        return self._told(case, swaps, instead, pair, complete=complete)

    def _told(
        self,
        case: _Case,
        swaps: tuple[Swap, ...],
        instead: tuple[str, ...],
        pair: Reversal | None,
        *,
        kills: tuple[RawStep, ...] = (),
        complete: bool,
    ) -> Explanation:
        return Explanation(
            kept=self._keep.told,
            kills=kills,
            swaps=swaps,
            instead=instead,
            steps=case.steps,
            pair=pair,
            failed=case.failed,
            replays=self._budget.replays,
            complete=complete,
        )


def _signatures(trial: Trial) -> tuple[str, ...]:
    return tuple(dict.fromkeys(violation.signature for violation in trial.violations))


def place_of(run: Sequence[RawStep], steps: Sequence[RawStep], place: int) -> int | None:
    """Where a step of one run is in another: the same actor's call of this kind on this path, the same in number."""
    wanted = call_of(steps[place])
    number = sum(call_of(step) == wanted for step in steps[: place + 1])
    places = (at for at, step in enumerate(run) if call_of(step) == wanted)
    return next(islice(places, number - 1, None), None)


def call_of(step: RawStep) -> tuple[str, str, str]:
    """Who makes which call on which path."""
    return step[0], step[2], step[3]
