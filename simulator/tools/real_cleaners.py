"""Cleaners on what a storm left, when nobody waits at a gate: real tools' own, and ours with the real calls.

Guarantees: a real tool meets the cache that it is given and no other, sees nothing of its user's home, and is dead when
its time is up. Costs: one process each, for real tools.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from cache_core.crew import ALONE
from cache_core.errors import CacheError
from cache_core.kernel import REAL
from simulator.actors.cleaners import CLEANERS, Cleaned
from simulator.tools.enclosure import Place, variables
from simulator.tools.groups import Group, no_orphans, read_output, run_group
from simulator.tools.kinds import is_real_cleaner, parse_cleaner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.tools.tool import RealCleaner

# What a cleaner of ours may end with; anything else is a bug.
_FAILURES = (OSError, CacheError)

_FILES = re.compile(r"(?:Removed |Files removed: )(?P<files>[0-9,]+)")
_DIRECTORIES = re.compile(r"(?P<directories>[0-9,]+) director(?:y|ies)")
_ERRNO = re.compile(r"\(os error (?P<rust>[0-9]+)\)|\[Errno (?P<python>[0-9]+)\]")


@dataclass(slots=True)
class RealCleaners:
    """The cleaners of a run, ready to work.

    Attributes:
        homes: absolute path of a directory for what the tools take for their homes.
        timeout_seconds: for each.
    """

    homes: str
    timeout_seconds: float
    _ready: dict[str, RealCleaner]
    _worked: int = 0

    @classmethod
    async def prepare(
        cls, names: Iterable[str], homes: str, timeout_seconds: float, tell: Callable[[str], None]
    ) -> RealCleaners:
        """Have the real tools among `names`.

        Raises:
            BadInputError: a version that does not exist.
            MachineError: it cannot be had.
        """
        ready = {name: await parse_cleaner(name).cleaner(tell) for name in names if is_real_cleaner(name)}
        return cls(homes, timeout_seconds, ready)

    def __contains__(self, name: str) -> bool:
        """Whether it is a real tool's."""
        return name in self._ready

    async def clean(self, name: str, cache: str) -> Cleaned:
        """Let a cleaner have the cache at this absolute path; what it says of itself."""
        if name in self._ready:
            return await self._clean_really(self._ready[name], cache)
        try:
            return await trio.to_thread.run_sync(CLEANERS[name].run, REAL, cache, "cleaner", ALONE)
        except _FAILURES as error:
            number = error.errno if isinstance(error, OSError) else None
            return Cleaned(error=f"{type(error).__name__}: {error}", errno=number)

    async def clean_alone(self, name: str, cache: str) -> Cleaned:
        """As `clean`, where nothing else runs: nothing that the cleaner started outlives it."""
        with no_orphans():
            return await self.clean(name, cache)

    async def _clean_really(self, cleaner: RealCleaner, cache: str) -> Cleaned:
        self._worked += 1
        home = f"{self.homes}/cleaner-{self._worked}"
        place = Place("cleaner", cache, home, home)
        place.make()
        output = f"{home}/output"
        group = Group()
        await run_group(
            group,
            cleaner.command,
            variables=variables(place, os.environ),
            directory=home,
            output=output,
            timeout_seconds=self.timeout_seconds,
        )
        if group.timed_out:
            return Cleaned(error=f"it did not end within {self.timeout_seconds:g} s")
        return read_cleaned(group.code or 0, read_output(output))


def read_cleaned(code: int, printed: str) -> Cleaned:
    """What a real cleaner says of itself.

    Args:
        code: its exit code.
        printed: all that it printed.
    """
    files, directories = _FILES.search(printed), _DIRECTORIES.search(printed)
    counts = (_number(files, "files"), _number(directories, "directories"))
    if code == 0:
        return Cleaned(*counts)
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    first = next((place for place, line in enumerate(lines) if line.lower().startswith("error")), 0)
    numbers = [int(match["rust"] or match["python"]) for match in _ERRNO.finditer(printed)]
    error = "\n".join(lines[first:]) or f"exit code {code}, and nothing printed"
    return Cleaned(*counts, error=error, errno=numbers[-1] if numbers else None)


def _number(match: re.Match[str] | None, name: str) -> int:
    return int(match[name].replace(",", "")) if match else 0
