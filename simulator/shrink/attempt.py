"""A run that shrinking or explaining makes up: nobody found it, so that its oracle breaks is nobody's fault.

An oracle may count on what every run of an exploration leaves. An attempt that it cannot judge is no smaller run and no
passing one; only in a run that an exploration made is a broken oracle an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from simulator.search.subject import Subject, Trial
    from simulator.strategies.base import Strategy

_ORACLE_FAILED = "oracle-failed"


async def run_attempt(subject: Subject, seed: int, strategy: Strategy) -> Trial | None:
    """Run it once; None if an oracle broke.

    Args:
        subject: what to run.
        seed: as of `Subject.trial`.
        strategy: who moves when.

    Raises:
        BadInputError: something else is wrong.
    """
    try:
        return await subject.trial(seed, strategy=strategy)
    except BadInputError as error:
        if error.kind != _ORACLE_FAILED:
            raise
        return None
