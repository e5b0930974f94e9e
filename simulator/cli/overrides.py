"""What a command line has different from the scenario file, and how it is written again. No heavy imports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line has different from the scenario file.

    Attributes:
        builds, protocol, toolchain: None to leave as it is.
        package: installed alone, instead of what the scenario installs: a name or the path of an sdist.
        faults: injected as well.
        cleaners: instead of the scenario's after the storm; none to leave them.
        cache_lock: whether installs hold the cache's lock; None for what the scenario and the protocol say.
        strategy: who picks who moves, with the scenario's parameters; None to leave it.
        depth: of the strategy ``pct``; None to leave it.
    """

    builds: int | None = None
    protocol: str | None = None
    toolchain: str | None = None
    faults: tuple[str, ...] = ()
    cleaners: tuple[str, ...] = ()
    package: str | None = None
    cache_lock: bool | None = None
    strategy: str | None = None
    depth: int | None = None

    def options(self) -> list[str]:
        """As the command line takes them."""
        words = []
        for name in ("builds", "protocol", "toolchain", "package", "strategy", "depth"):
            value = getattr(self, name)
            if value is not None:
                words += [f"--{name}", str(value)]
        if self.cache_lock is not None:
            words.append("--cache-lock" if self.cache_lock else "--no-cache-lock")
        for fault in self.faults:
            words += ["--fault", fault]
        for cleaner in self.cleaners:
            words += ["--cleaner", cleaner]
        return words
