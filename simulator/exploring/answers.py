"""What an exploration of actors found, and what a replay showed: for a test to assert, and for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.token import CHARACTERS_MAX
from simulator.words import counted

if TYPE_CHECKING:
    from simulator.engine.trace import RawStep
    from simulator.running.outcome import Violation
    from simulator.search.found import Outcome, Violated
    from simulator.search.result import Exploration
    from simulator.search.verdicts import ActorResult


@dataclass(frozen=True)
class Explored:
    """What an exploration of actors found.

    Attributes:
        exploration: the whole answer, as `cachestorm explore` has it.
        notes: what else should be known: permission bits that do not bite, changes outside of the directory.
        story: the steps of a small run with the first violation, a column for each actor; empty if there is none.
        why: which steps of it must not swap, or who must not be killed, as a sentence; empty if none were found.
        replay_line: the call that makes this run again; likewise.
    """

    exploration: Exploration
    notes: tuple[str, ...]
    story: str
    why: str
    replay_line: str

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Kinds of ends, the most frequent first; each has `signature`, `count`, and in `shown` a token."""
        return self.exploration.outcomes

    @property
    def violations(self) -> tuple[Violated, ...]:
        """Kinds of violations, the most frequent first; each has `violation.sentence`, `count`, and `shown.token`."""
        return self.exploration.violations

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return self.exploration.explored

    @property
    def complete(self) -> bool:
        """Whether nothing is missing within `bound`."""
        return self.exploration.complete

    @property
    def bound(self) -> str:
        """What was explored, and what ended it."""
        return self.exploration.bound

    @property
    def holds(self) -> bool:
        """Whether there was no violation."""
        return not self.violations

    def assert_holds(self) -> None:
        """Nothing, if there was no violation.

        Raises:
            AssertionError: there was one; the message has the story, and the line that replays it.
        """
        __tracebackhide__ = True
        if not self.holds:
            raise AssertionError(self.told())

    def told(self) -> str:
        """The result for people: a line, or the message of `assert_holds`."""
        if self.holds:
            return "\n".join([f"no violation in {counted(self.runs, 'run')}; {self.bound}", *self.notes])
        first, *others = self.violations
        lines = [f"{first.violation.sentence} (in {first.count} of {counted(self.runs, 'run')})", "", self.story, ""]
        lines += [self.why, ""] if self.why else []
        lines += [f"also: {item.violation.sentence} (in {item.count}): {_shown(item.shown.token)}" for item in others]
        return "\n".join([*lines, self.bound, *self.notes, "to see it again:", f"    {self.replay_line}"])


def _shown(token: str) -> str:
    """A token in a line; one of a long schedule is nothing to read, and can be had."""
    return token if len(token) <= CHARACTERS_MAX else "a long schedule, its token is in `violations`"


@dataclass(frozen=True)
class Replayed:
    """One run of actors, made again.

    Attributes:
        token: as given.
        results: how each actor ended, by name.
        violations: what the oracles say.
        story: the steps, a column for each actor.
        steps: the same for programs, as in a trace.
    """

    token: str
    results: dict[str, ActorResult]
    violations: tuple[Violation, ...]
    story: str
    steps: tuple[RawStep, ...]

    def assert_holds(self) -> None:
        """Nothing, if the oracles have nothing to say.

        Raises:
            AssertionError: they have.
        """
        __tracebackhide__ = True
        if self.violations:
            told = "\n".join(item.sentence for item in self.violations)
            raise AssertionError(f"{told}\n\n{self.story}")
