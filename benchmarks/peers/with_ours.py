"""cachestorm on a subject: `simulator.explore` with DPOR, and with POS, its best sampler. Actors are used as is."""

from __future__ import annotations

import functools

import simulator
from benchmarks.peers.cell import AGAIN, NOT_THROUGH, CannotError, Ended, Finding, answer
from benchmarks.peers.subjects import Files, Memory, Run, contents, names_of
from simulator.errors import BadInputError

DPOR, POS = "dpor", "pos"
# As many as frontrun and detangle make by default.
SAMPLES = 200


def played(stage, oracle):
    """Arguments of `simulator.explore` and `simulator.replay`."""
    memory = Memory()
    names = names_of(stage.subject)

    def play(name, actor, directory):
        return actor(Files(directory, name, memory))

    def lay(directory):
        memory.value = 0
        stage.subject.lay(directory)

    def judge(directory, results):
        return oracle(Run([results[name].value for name in names], contents(directory), memory.value))

    actors = [
        (name, functools.partial(play, name, actor)) for name, actor in zip(names, stage.subject.actors, strict=True)
    ]
    return {"actors": actors, "setup": lay, "oracle": judge}


def explored(arguments, setting, seed, seconds):
    options = {"strategy": setting, "budget": seconds}
    if setting == POS:
        options |= {"schedules": SAMPLES, "seed": seed * SAMPLES}
    try:
        return simulator.explore(**arguments, **options)
    except BadInputError as error:
        if error.kind == "no-calls":
            raise CannotError("refuses: no actor makes a call") from error
        raise


def said(found):
    if found.complete:
        return "complete"
    return NOT_THROUGH if found.exploration.strategy == DPOR else "no violation"


def find(stage, setting, seed, seconds):
    arguments = played(stage, stage.subject.wrong)
    found = explored(arguments, setting, seed, seconds)
    if found.holds:
        return Finding(said=said(found))
    token = found.violations[0].shown.token
    again = sum(bool(simulator.replay(token, **arguments).violations) for _ in range(AGAIN))
    first = min(outcome.first for outcome in found.outcomes if outcome.violates)
    return Finding(first, again=again, replay=f"token of {len(token)} characters")


def enumerate_all(stage, setting, seed, seconds, note):
    found = explored(played(stage, note), setting, seed, seconds)
    return Ended(found.runs, said(found))


if __name__ == "__main__":
    answer(find, enumerate_all)
