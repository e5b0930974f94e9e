"""Oracles: checks on a run, a file each, a line each in the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.oracles.build_hurt import build_hurt
from simulator.oracles.cache_empty import cache_empty
from simulator.oracles.cleaner_failed import cleaner_failed
from simulator.oracles.cleaner_honest import cleaner_honest
from simulator.oracles.deadlock import cleaner_deadlock, storm_deadlock
from simulator.oracles.leaked_lock import cleaner_leaked_lock, storm_leaked_lock
from simulator.oracles.livelock import cleaner_livelock, storm_livelock
from simulator.oracles.outside import outside_after_cleaner, outside_after_storm
from simulator.oracles.wheel_whole import wheel_whole

if TYPE_CHECKING:
    from simulator.oracles.base import CleanerOracle, StormOracle

BUILD_HURT = "build-hurt"

STORM_ORACLES: dict[str, StormOracle] = {
    "deadlock": storm_deadlock,
    "livelock": storm_livelock,
    BUILD_HURT: build_hurt,
    "wheel-whole": wheel_whole,
    "cleaner-failed": cleaner_failed,
    "leaked-lock": storm_leaked_lock,
    "outside": outside_after_storm,
}
CLEANER_ORACLES: dict[str, CleanerOracle] = {
    "deadlock": cleaner_deadlock,
    "livelock": cleaner_livelock,
    "cache-empty": cache_empty,
    "cleaner-honest": cleaner_honest,
    "leaked-lock": cleaner_leaked_lock,
    "outside": outside_after_cleaner,
}
ORACLES = tuple(dict.fromkeys((*STORM_ORACLES, *CLEANER_ORACLES)))
