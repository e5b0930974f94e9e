"""frontrun on a subject: its DPOR, as it comes and without its bound, its random search, and its markers.

Started as `frontrun python -m benchmarks.peers.with_frontrun JSON`: it wants its command around it.
"""

from __future__ import annotations

import functools

import frontrun
from frontrun.trace_markers import explore_marker_interleavings

from benchmarks.peers.cell import AGAIN, Ended, Finding, answer
from benchmarks.peers.subjects import markers_of, names_of

DPOR, UNBOUNDED, RANDOM, MARKERS = "dpor", "dpor, no bound", "random", "markers"
SAID = {True: "holds", False: "fails", None: "inconclusive"}


def work(number, actor, everybody):
    """Results are kept where no other actor looks: two that meet nowhere else have no conflict by them."""
    files = everybody[number]
    files.results = actor(files)


def explored(stage, setting, seed, seconds, right):
    """What frontrun says; `right` is asked after each run."""
    subject = stage.subject
    workers = [functools.partial(work, number, actor) for number, actor in enumerate(subject.actors)]
    if setting == MARKERS:
        threads = {
            name: (worker, markers_of(actor))
            for name, worker, actor in zip(names_of(subject), workers, subject.actors, strict=True)
        }
        return explore_marker_interleavings(setup=stage.set, threads=threads, invariant=right)
    options = {
        DPOR: {"total_timeout": seconds},
        UNBOUNDED: {"preemption_bound": None, "total_timeout": seconds},
        RANDOM: {"strategy": "random", "seed": seed},
    }[setting]
    return frontrun.explore(setup=stage.set, workers=workers, invariant=right, reproduce_on_failure=AGAIN, **options)


def find(stage, setting, seed, seconds):
    found = explored(stage, setting, seed, seconds, lambda everybody: stage.subject.wrong(stage.run(everybody)) is None)
    if found.property_holds is not False:
        return Finding(said=SAID[found.property_holds])
    if setting == MARKERS:
        steps = [(step.execution_name, step.marker_name) for step in found.counterexample.steps]
        return Finding(found.num_explored, replay=f"schedule of {len(steps)} markers", again=replayed(stage, found))
    return Finding(
        found.num_explored,
        again=found.reproduction_successes,
        replay=f"list of {len(found.counterexample)} numbers",
    )


def replayed(stage, found):
    """How often a schedule of markers shows it again."""
    again = 0
    for _ in range(AGAIN):
        everybody = stage.set()
        tasks = {
            name: functools.partial(work, number, actor, everybody)
            for number, (name, actor) in enumerate(zip(names_of(stage.subject), stage.subject.actors, strict=True))
        }
        frontrun.TraceExecutor(found.counterexample).run(tasks, timeout=5.0)
        again += stage.subject.wrong(stage.run(everybody)) is not None
    return again


def enumerate_all(stage, setting, seed, seconds, note):
    def right(everybody):
        note(stage.run(everybody))
        return True

    found = explored(stage, setting, seed, seconds, right)
    return Ended(found.num_explored, SAID[found.property_holds])


if __name__ == "__main__":
    answer(find, enumerate_all)
