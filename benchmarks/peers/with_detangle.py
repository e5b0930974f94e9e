"""detangle on a subject: its default mix, its bounded exhaustive search, and that without a bound.

Every call is awaited once, by `asyncio.sleep(0)` before it. `asyncio.to_thread`, by which a program would make such a
call, is simulated as well and takes three places to switch instead of one; the same races are found.
"""

from __future__ import annotations

import asyncio

import detangle

from benchmarks.peers.cell import AGAIN, NOT_THROUGH, Ended, Finding, answer
from benchmarks.peers.subjects import Awaited, awaited

AUTO, BOUNDED, UNBOUNDED = "auto", "dfs, 3 delays", "dfs, no bound"
DELAYS_MAX = {BOUNDED: 3, UNBOUNDED: 1_000}
ENDLESS = 1 << 62


async def _turn():
    await asyncio.sleep(0)


def played(stage, judge):
    """A function for detangle: one run, judged at its end."""
    actors = [awaited(actor) for actor in stage.subject.actors]

    async def play():
        everybody = stage.set()
        tasks = [actor(Awaited(files, _turn)) for actor, files in zip(actors, everybody, strict=True)]
        for files, results in zip(everybody, await asyncio.gather(*tasks), strict=True):
            files.results = results
        judge(stage.run(everybody))

    return play


def explored(function, setting, seed, seconds):
    options = {"database": False, "max_duration": seconds}
    if setting == AUTO:
        return detangle.explore(function, seed=seed, **options)
    return detangle.explore(function, strategy=detangle.DFS(DELAYS_MAX[setting]), runs=ENDLESS, **options)


def said(stats, setting):
    if not stats.exhausted:
        return "no bug found" if setting == AUTO else NOT_THROUGH
    return "complete" if setting == UNBOUNDED else f"all within {DELAYS_MAX[setting]} delays"


def find(stage, setting, seed, seconds):
    def judge(run):
        sentence = stage.subject.wrong(run)
        assert sentence is None, sentence

    function = played(stage, judge)
    try:
        return Finding(said=said(explored(function, setting, seed, seconds), setting))
    except detangle.BugFound as bug:
        token = bug.report.token
        results = [detangle.replay(function, token, raise_on_failure=False) for _ in range(AGAIN)]
        again = sum(result.failure is not None for result in results)
        return Finding(bug.report.runs, again=again, replay=f"token of {len(token)} characters")


def enumerate_all(stage, setting, seed, seconds, note):
    stats = explored(played(stage, note), setting, seed, seconds)
    return Ended(stats.runs, said(stats, setting))


if __name__ == "__main__":
    answer(find, enumerate_all)
