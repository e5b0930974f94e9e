"""What shrinking made of a run, in a few lines for people.

Guarantees: a line to paste is never cut or wrapped. Costs: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache_core.errors import shown
from simulator.words import counted

if TYPE_CHECKING:
    from simulator.shrink.budget import Limits
    from simulator.shrink.shrinking import Shrunk, Size


def shrunk_lines(shrunk: Shrunk, limits: Limits, replay: str) -> list[str]:
    """The report.

    Args:
        shrunk: what came of it.
        limits: with what.
        replay: the line that plays the new run.
    """
    replays = f"{counted(shrunk.replays, 'replay')} in {shrunk.seconds:.1f} s"
    if shrunk.complete:
        ended = "nothing left to try"
    else:
        spent = "replays" if shrunk.replays >= limits.replays else f"{limits.budget_seconds:g} s"
        ended = f"the {spent} are used up: shrink the new token to go on"
    return [
        f"kept      {shown(shrunk.kept)}",
        f"was       {_told(shrunk.before)}",
        f"is        {_told(shrunk.after)}",
        f"after     {replays}; {ended}",
        f"schedule  {shrunk.segments or '(as it was)'}",
        f"token     {shrunk.trial.token}",
        f"replay    {replay}",
    ]


def _told(size: Size) -> str:
    injected = f", {size.injected} injected" if size.injected else ""
    return f"{counted(size.turns, 'turn')} of {counted(size.actors, 'actor')}, {counted(size.steps, 'step')}{injected}"
