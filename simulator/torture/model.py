"""A model of another tool's cleaner as a program: `python -m simulator.torture.model NAME CACHE`."""

from __future__ import annotations

import sys

from cache_core.crew import ALONE
from cache_core.kernel import REAL
from simulator.actors.cleaners import CLEANERS


def main(name: str, cache: str) -> int:
    """Clean; 1 and what it says when it fails."""
    cleaned = CLEANERS[name].run(REAL, cache, "cleaner", ALONE)
    if cleaned.error is None:
        return 0
    print(cleaned.error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
