"""Explore actors, and replay what was found. `simulator.explore` and its like are these.

Each run has a fresh directory in memory. What is found is judged by the oracle, and each kind of violation has a token,
which `replay` plays again in the same test.

Guarantees: nothing outside of the sandbox is touched but by the actors themselves; the sandbox is gone at the end; the
process is as it was (names, umask, collector), but for one audit hook (`simulator.bridged.audit`). The capabilities of
the caller are left alone: where permission bits do not stop this process, the result says so.
Not guaranteed: that a sampler finds what is there (`complete` is true only when nothing is missing within `bound`).
Costs: some 20 us a step, and what `setup` and the oracle take.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, TypeVar

from cache_core.privileges import permission_bits_stop_us
from simulator.bridged.installed import names_in_place
from simulator.engine.trace import fingerprint
from simulator.errors import DivergenceError, InternalError
from simulator.explaining.columns import columns
from simulator.explaining.swap import explain_by_swap
from simulator.exploring.answers import Explored, Replayed
from simulator.exploring.plan import Plan, listed
from simulator.exploring.searching import BUDGET_SECONDS, Search
from simulator.ground.sandbox import Sandbox, default_parent
from simulator.scenario import Schedule
from simulator.search.actors_subject import STEPS_MAX, nondeterministic
from simulator.search.result import INTERRUPTED
from simulator.search.verdicts import no_actor_raised
from simulator.shrink.keep import SameViolation
from simulator.shrink.shrinking import shrink
from simulator.strategies.replay import Replay
from simulator.token import parse_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

    from simulator.search.actors_subject import ActorsSubject, ActorsTrial
    from simulator.search.found import Outcome, Violated
    from simulator.search.subject import Trial

_T = TypeVar("_T")

# Of what was found; enough to notice an actor that is not the same twice.
REPLAYS_MAX = 20

_ELSEWHERE = (
    "its schedule can be followed to the end, and the steps are others; which is the first, nobody can say, as a token"
    " has no more of them than a hash"
)
# Nobody reads more of a story.
_LINES_MAX = 200

_MODES_DO_NOT_BITE = (
    "permission bits do not stop this process (it has root's capabilities): races that need EACCES do not exist here;"
    " run the test as an ordinary user"
)


def explore(
    *,
    actors: Sequence[Any],
    oracle: Any = no_actor_raised,
    setup: Callable[[str], object] | None = None,
    strategy: str | None = None,
    schedules: int | None = None,
    budget: float = BUDGET_SECONDS,
    seed: int = 0,
    kills: int = 0,
    faults: str | Sequence[str] = (),
    steps: int = STEPS_MAX,
    sandbox: str | None = None,
    **parameters: float,
) -> Explored:
    """Run actors under many schedules.

    Args:
        actors: functions, or pairs of a name and a function. A function takes parameters named ``kernel`` and
            ``directory``, both, one or none; without a name it is called after itself, numbered where that is needed.
        oracle: called after each run with the directory and the results by name (`ActorResult`); raises AssertionError
            or returns a sentence when something is wrong. Several in a list. Without one: that no actor raised.
        setup: called before each run with the fresh directory.
        strategy: ``dpor`` (all schedules, but for the order of independent steps), or a sampler: one of
            `simulator.strategies.SEEDED`. Without one: what fits the number of steps.
        schedules: how many runs at most. Without: as many as there are, or a thousand by a sampler.
        budget: seconds, after which no further run begins.
        seed: of the first run; the others follow.
        kills: how many actors are killed in a run, at most, each at each of its steps (with ``dpor``): 0 to 2.
        faults: what happens to actors, as ``store-1:3:kill``; a string alone is one.
        steps: how many a run may make; who then goes on for as many more, with everybody in turn, is a livelock.
        sandbox: a directory under which runs happen; shared memory where we may write, if not given.
        parameters: of a sampler: ``switch_probability``, ``start_gap``, ``depth``.

    Raises:
        BadInputError: an argument is wrong; an oracle broke; an actor is not the same in two runs of one schedule.
        UngatedCallError: an actor made a call that no gate can stand before.
        MachineError: there is no room for a sandbox.
    """
    plan = Plan(actors, oracle, setup, listed(faults), sandbox, steps)
    search = Search(strategy, schedules, budget, seed, kills, parameters)
    return _without_waiting(_explore(plan, search))


async def explore_async(
    *,
    actors: Sequence[Any],
    oracle: Any = no_actor_raised,
    setup: Callable[[str], object] | None = None,
    strategy: str | None = None,
    schedules: int | None = None,
    budget: float = BUDGET_SECONDS,
    seed: int = 0,
    kills: int = 0,
    faults: str | Sequence[str] = (),
    steps: int = STEPS_MAX,
    sandbox: str | None = None,
    **parameters: float,
) -> Explored:
    """As `explore`, under asyncio or trio: between two runs others get their turn, and it can be cancelled."""
    from anyio.lowlevel import checkpoint  # noqa: PLC0415 - who does not wait needs no loop

    plan = Plan(actors, oracle, setup, listed(faults), sandbox, steps)
    search = Search(strategy, schedules, budget, seed, kills, parameters)
    return await _explore(plan, search, checkpoint)


def replay(
    token: str,
    *,
    actors: Sequence[Any],
    oracle: Any = no_actor_raised,
    setup: Callable[[str], object] | None = None,
    faults: str | Sequence[str] = (),
    steps: int = STEPS_MAX,
    sandbox: str | None = None,
) -> Replayed:
    """Make one run of actors again, step for step.

    Args:
        token: from `explore`.
        actors: as there, in the same order.
        oracle: as there.
        setup: as there.
        faults: as there.
        steps: as there.
        sandbox: as there.

    Raises:
        BadInputError: it is none; otherwise as `explore`.
        DivergenceError: the actors are not those of the token, or do something else by now; the message says at which
            step, where the schedule cannot be followed.
    """
    return _without_waiting(_replay(token, Plan(actors, oracle, setup, listed(faults), sandbox, steps)))


async def _explore(plan: Plan, search: Search, pause: Callable[[], Awaitable[object]] | None = None) -> Explored:
    plan.check()
    search.check()
    with _ground(plan.sandbox) as sandbox, names_in_place():
        subject = plan.subject(sandbox, search.schedule)
        subject.pause = pause
        await subject.check(search.seed)
        found = await search.run(subject)
        if found.ended == INTERRUPTED:
            raise KeyboardInterrupt
        notes = _notes(sandbox, subject)
        # Whatever is told is made once more: a token that does not replay is worse than none.
        kinds: list[Violated | Outcome] = [*found.violations, *found.outcomes]
        shown = [item.shown.token for item in kinds[:REPLAYS_MAX]]
        trials = [await _again(subject, token) for token in shown]
        if not found.violations:
            return Explored(found, notes, "", "", "")
        first = found.violations[0].violation
        keep = SameViolation(first.signature, first.sentence)
        small = (await shrink(subject, trials[0], keep=keep, everybody=True)).trial
        why = await explain_by_swap(subject, small, keep=keep, everybody=True)
    return Explored(found, notes, _story(subject, small), why.sentence if why.found else "", plan.line(small.token))


def _story(subject: ActorsSubject, trial: Trial) -> str:
    """The columns of those who made a step, or were killed before they did."""
    begun = {step[0] for step in trial.storm}
    lines = columns([name for name in subject.actors if name in begun], trial.storm).splitlines()
    if len(lines) > _LINES_MAX:
        # Of a run without an end, its beginning and its end.
        lines = [*lines[: _LINES_MAX // 2], "...", *lines[-_LINES_MAX // 2 :]]
    return "\n".join(lines)


async def _again(subject: ActorsSubject, text: str) -> ActorsTrial:
    """A run of this exploration, made again.

    Raises:
        BadInputError: it cannot be, so an actor is not the same twice.
    """
    token = parse_token(text)
    try:
        trial = await subject.trial(token.seed, strategy=Replay(token.segments))
    except DivergenceError as error:
        raise nondeterministic(error.message) from error
    if not token.has_trace(fingerprint(trial.storm)):
        raise nondeterministic(_ELSEWHERE)
    return trial


async def _replay(text: str, plan: Plan) -> Replayed:
    plan.check()
    token = parse_token(text)
    with _ground(plan.sandbox) as sandbox, names_in_place():
        subject = plan.subject(sandbox, Schedule("replay"))
        if token.scenario_digest != token.digest_of(subject.digest):
            raise DivergenceError(
                "divergence", text, f"the token is of other actors than {', '.join(subject.actors)}, or of other faults"
            )
        trial = await subject.trial(token.seed, strategy=Replay(token.segments))
        if not token.has_trace(fingerprint(trial.storm)):
            raise DivergenceError(
                "divergence",
                text,
                f"the run is not the one of the token: {_ELSEWHERE}; the actors, the setup or the version of"
                " Python or cachestorm are others, or an actor shows what differs between processes (hash of a string)",
            )
    return Replayed(text, trial.results, trial.violations, _story(subject, trial), tuple(trial.storm))


@contextlib.contextmanager
def _ground(sandbox: str | None) -> Iterator[Sandbox]:
    # The caller may be root; it keeps what it has.
    with Sandbox.create(sandbox or default_parent(os.environ), confined=None) as ground:
        yield ground


def _notes(sandbox: Sandbox, subject: ActorsSubject) -> tuple[str, ...]:
    bites = permission_bits_stop_us(sandbox.path)
    outside = [f"{line}, outside of the directory: no schedule interrupts that" for line in subject.outside]
    return (*(() if bites else (_MODES_DO_NOT_BITE,)), *outside)


def _without_waiting(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never waits, under whatever loop there is, or none."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    raise InternalError("waiting", "", "an exploration waited for something, though nobody is there to wake it")
