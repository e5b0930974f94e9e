"""How actors are explored: by DPOR where that may come to an end, by a sampler where it would not.

In a small scope DPOR says when nothing is missing. It goes depth first, so in a scope that is too large for it, all it
has tried when the time is over are other ends of one beginning; a sampler then finds more. So where nobody says which,
the number of steps decides that a run makes with everybody one after another. Where an actor looks at a clock, DPOR
cannot say that nothing is missing, and leaves out orders that matter; there a sampler it is as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from simulator.errors import BadInputError, InternalError
from simulator.scenario import Schedule
from simulator.search.actors_subject import nondeterministic
from simulator.search.kills import KILLS_MAX
from simulator.search.limits import Limits
from simulator.search.sampling import check_explorable, sample
from simulator.search.statement import beside_clocks
from simulator.search.systematic import DPOR, Systematic
from simulator.strategies import SEEDED, STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.search.actors_subject import ActorsSubject
    from simulator.search.result import Exploration

SAMPLER = "pos"
SCHEDULES = 1000
# A test that takes longer is run less often.
BUDGET_SECONDS = 10.0

# Three actors of eight conflicting steps each are some thousands of classes: seconds.
SMALL_STEPS_MAX = 24

_ENDLESS = 1 << 62
_PARAMETERS = ("switch_probability", "start_gap", "depth")

_ONLY_FILES = "; actors that meet in the file system alone"


@dataclass(frozen=True)
class Search:
    """How.

    Attributes:
        strategy: ``dpor``, a sampler, or None: what fits.
        schedules: how many runs at most; None: as many as there are, or a thousand by a sampler.
        budget_seconds: after which no further one begins.
        seed: of the first run.
        kills: how many actors are killed in a run, at most.
        parameters: of a sampler.
    """

    strategy: str | None
    schedules: int | None
    budget_seconds: float
    seed: int
    kills: int
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def schedule(self) -> Schedule:
        """By which actors move when a sampler says it."""
        drawn = SAMPLER if self.strategy in {None, DPOR} else self.strategy
        return replace(Schedule(drawn or SAMPLER), **self.parameters)  # type: ignore[arg-type]

    def check(self) -> None:
        """Refuse what explores nothing, or what there is not.

        Raises:
            BadInputError: it is so.
        """
        for name in self.parameters:
            if name not in _PARAMETERS:
                raise BadInputError(
                    "bad-parameter", name, f"there is no argument '{name}'; samplers take {', '.join(_PARAMETERS)}"
                )
        if self.strategy not in {None, DPOR, *STRATEGIES}:
            raise BadInputError(
                "bad-strategy",
                str(self.strategy),
                f"there is no strategy '{self.strategy}'; choose one of {', '.join((DPOR, *SEEDED))}",
            )
        check_explorable(self.schedule.strategy)
        if self.schedules is not None and self.schedules < 1:
            raise BadInputError(
                "bad-schedules", str(self.schedules), f"schedules is {self.schedules}; at least one run"
            )
        if not self.budget_seconds > 0:
            raise BadInputError(
                "bad-budget", str(self.budget_seconds), f"budget is {self.budget_seconds} s; give some time"
            )
        if not 0 <= self.kills <= KILLS_MAX or (self.kills and self.strategy not in {None, DPOR}):
            raise BadInputError(
                "bad-kills", str(self.kills), f"kills is {self.kills}; 0 to {KILLS_MAX}, with strategy '{DPOR}'"
            )

    async def run(self, subject: ActorsSubject) -> Exploration:
        """Explore.

        Raises:
            BadInputError: an actor was not the same twice.
        """
        strategy = self.strategy
        if strategy is None:
            small = self.kills or (await subject.length_alone() <= SMALL_STEPS_MAX and not subject.clocks)
            strategy = DPOR if small else SAMPLER
        if strategy != DPOR:
            limits = Limits(self.schedules or SCHEDULES, self.budget_seconds)
            return await sample(subject, self.schedule, limits, first_seed=self.seed)
        limits = Limits(self.schedules or _ENDLESS, self.budget_seconds)
        search = Systematic(subject, await subject.start(), seed=self.seed, kills=self.kills)
        try:
            found = await search.run(limits)
        except InternalError as error:
            if error.kind != "nondeterminism":
                raise
            raise nondeterministic(error.message) from error
        bound = found.bound + _ONLY_FILES
        if subject.clocks:
            bound = beside_clocks(bound, subject.clocks, over=found.complete)
        return replace(found, complete=found.complete and not subject.clocks, bound=bound)
