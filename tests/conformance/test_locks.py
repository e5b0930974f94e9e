"""Who holds which lock: our books say what the kernel says, whatever was asked for, converted, refused or copied."""

from __future__ import annotations

import fcntl
import os
import re

import pytest

from simulator.engine.actor import BLOCKED
from simulator.engine.randomness import Randomness
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.schedule import format_segments, segments_of
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.replay import Replay
from tests.support.arena import Arena

KINDS = {"READ": "shared", "WRITE": "exclusive"}
_LOCK_LINE = re.compile(r"^lock:\s+\d+: FLOCK\s+ADVISORY\s+(\w+)", re.MULTILINE)
ASKED = (
    fcntl.LOCK_SH,
    fcntl.LOCK_EX,
    fcntl.LOCK_SH | fcntl.LOCK_NB,
    fcntl.LOCK_EX | fcntl.LOCK_NB,
    fcntl.LOCK_UN,
)


def of_the_kernel(actor):
    """The flock of each descriptor of an actor, as /proc tells it."""
    held = {}
    for fd in actor.descriptors:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            found = _LOCK_LINE.search(file.read())
        if found:
            held[fd] = KINDS[found[1]]
    return held


class Auditor(RandomWalk):
    """Before each choice, compares the books with the kernel."""

    looks = 0
    held = 0
    copied = 0
    lost = 0

    def begin(self, actors, steps, randomness):
        self.actors = actors
        self.before = {}
        return super().begin(actors, steps, randomness)

    def choose(self, enabled, current):
        for actor in self.actors:
            books = {fd: held.kind for fd, held in actor.locks.items()}
            assert books == of_the_kernel(actor), actor.name
            self.held += len(books)
            self.copied += sum(held.taker != actor.name for held in actor.locks.values())
            self.lost += sum(fd in actor.descriptors and fd not in books for fd in self.before.get(actor, ()))
            self.before[actor] = set(books)
        self.looks += 1
        return super().choose(enabled, current)


def locking(cache, who, seed, heirs):
    """An actor that asks for locks of two files in all ways, and once gives others a copy of what it has."""

    def lock(kernel):
        draws = Randomness(seed, who)
        fds = []
        for turn in range(30):
            if len(fds) < 3:
                fds.append(kernel.open(f"{cache}/{'ab'[int(draws.draw() * 2)]}", os.O_RDWR | os.O_CREAT))
            fd = fds[int(draws.draw() * len(fds))]
            if draws.draw() < 0.15:
                kernel.close(fd)
                fds.remove(fd)
                continue
            if who == "build-1" and turn == 15:
                fds_of_heir = kernel.fork(heirs["build-2"])
                heirs["copies"] = sorted(fds_of_heir.values())
            if who == "build-2" and heirs.get("copies"):
                fds.append(heirs["copies"].pop())
            try:
                kernel.flock(fd, ASKED[int(draws.draw() * len(ASKED))])
            except BlockingIOError:
                kernel.fstat(fd)

    def run(kernel):
        heirs[who] = kernel
        kernel.listdir(cache)
        lock(kernel)

    return run


def test_our_books_are_those_of_the_kernel(tmp_path):
    """Three actors, two files; three descriptors each, or a copy, so that one may wait for itself, as in reality."""
    looks = held = copied = lost = 0
    for seed in range(24):
        heirs = {}
        place = tmp_path / str(seed)
        actors = {name: locking(place / "cache", name, seed, heirs) for name in ("build-1", "build-2", "build-3")}
        auditor = Auditor()
        arena = Arena(place, actors, strategy=auditor, seed=seed, host=BareHost).run()
        assert arena.gate.stopped in {None, "deadlock"}
        looks, held, copied, lost = (
            looks + auditor.looks, held + auditor.held, copied + auditor.copied, lost + auditor.lost
        )  # fmt: skip
    # Each of these came often enough that a mistake in it would show.
    assert min(looks, held) > 500
    assert copied > 50
    assert lost > 20


@pytest.mark.parametrize("host", [TrioHost, BareHost])
def test_two_that_share_and_both_want_more_do_not_stand_still(tmp_path, host):
    """flock(2): a conversion gives up first, so of two that convert the one that asks last gets it."""
    cache = tmp_path / "cache"

    def convert(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        kernel.fstat(fd)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.fstat(fd)
        kernel.close(fd)

    arena = Arena(tmp_path, {"build-1": convert, "build-2": convert}, host=host).run()
    assert arena.gate.deadlock is None
    told = [step for step in arena.told if "flock" in step or "close" in step]
    assert told == [
        "build-1 flock lock",
        "build-2 flock lock",
        "build-1 flock lock Resource temporarily unavailable",
        "build-2 flock lock",
        "build-2 close lock",
        "build-1 flock lock",
        "build-1 close lock",
    ]


@pytest.mark.parametrize("host", [TrioHost, BareHost])
def test_a_refused_conversion_lets_others_in(tmp_path, host):
    """Two share, a third waits. Whoever asks for more and is refused has nothing: the other is all that is left."""
    cache = tmp_path / "cache"
    waiting = []

    def refused(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        for _ in range(3):
            kernel.fstat(fd)
        try:
            kernel.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting.append([actor.status for actor in arena.actors])
        # Open for long, and without a lock.
        for _ in range(20):
            kernel.fstat(fd)

    def share(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        for _ in range(6):
            kernel.fstat(fd)
        kernel.close(fd)

    def wait(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.fstat(fd)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.close(fd)

    arena = Arena(tmp_path, {"build-1": refused, "build-2": share, "build-3": wait}, host=host)
    arena.run()
    # The refusal woke who waits; there is another holder yet, so it waits again.
    assert waiting[0][2] != BLOCKED
    told = arena.told
    assert told.index("build-3 close lock") < max(n for n, step in enumerate(told) if step == "build-1 fstat lock")


def test_a_deadlock_after_a_refusal_names_nobody_who_has_lost_the_lock(tmp_path):
    cache = tmp_path / "cache"

    def holds_and_waits(kernel):
        one = kernel.open(f"{cache}/one", os.O_RDWR | os.O_CREAT)
        two = kernel.open(f"{cache}/two", os.O_RDWR | os.O_CREAT)
        kernel.flock(one, fcntl.LOCK_SH)
        kernel.fstat(one)
        kernel.flock(two, fcntl.LOCK_EX)

    def loses(kernel):
        one = kernel.open(f"{cache}/one", os.O_RDWR | os.O_CREAT)
        two = kernel.open(f"{cache}/two", os.O_RDWR | os.O_CREAT)
        kernel.flock(two, fcntl.LOCK_EX)
        kernel.flock(one, fcntl.LOCK_SH)
        kernel.fstat(one)
        kernel.flock(one, fcntl.LOCK_EX)

    arena = Arena(tmp_path, {"build-1": holds_and_waits, "build-2": loses}).run()
    holders = {actor: who for actor, _, who in arena.gate.deadlock.waiting}
    assert holders == {"build-1": ("build-2",), "build-2": ("build-1",)}


@pytest.mark.parametrize("seed", range(3))
def test_what_locks_did_replays(tmp_path, seed):
    actors = {name: locking(tmp_path / "one" / "cache", name, seed, {}) for name in ("build-2", "build-3")}
    recorded = Arena(tmp_path / "one", actors, strategy=RandomWalk(), seed=seed).run()
    again = {name: locking(tmp_path / "two" / "cache", name, seed, {}) for name in ("build-2", "build-3")}
    text = format_segments(segments_of(recorded.steps))
    assert Arena(tmp_path / "two", again, strategy=Replay(text), host=BareHost).run().steps == recorded.steps


def test_a_deadlock_has_the_same_steps_under_both_hosts(tmp_path):
    """Those that stand still when it is found make no further step, so it does not matter who is unwound first."""

    def lock(first, second):
        def run(kernel):
            cache = tmp_path / "cache"
            for name in (first, second):
                kernel.flock(kernel.open(f"{cache}/{name}", os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)

        return run

    actors = {"build-1": lock("a", "b"), "build-2": lock("b", "a")}
    runs = [Arena(tmp_path, actors, host=host).run() for host in (BareHost, TrioHost, TrioHost)]
    assert all(run.gate.stopped == "deadlock" for run in runs)
    # The files are there from the first run on, which no step shows.
    assert runs[0].told == runs[1].told == runs[2].told
    assert runs[0].told[-1].endswith("flock a Resource temporarily unavailable")


def test_an_attempt_that_loses_a_lock_is_not_in_vain(tmp_path):
    """A search leaves out attempts that changed nothing; this one lets somebody else in."""
    cache = tmp_path / "cache"

    def convert(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        kernel.fstat(fd)
        kernel.flock(fd, fcntl.LOCK_EX)

    def wait(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)

    arena = Arena(tmp_path, {"build-1": convert, "build-2": convert, "build-3": wait}, host=BareHost).run()
    refused = {step[0]: place for place, step in enumerate(arena.steps) if step[6] is not None}
    lost, waited = arena.actors[0], arena.actors[2]
    assert lost.vain == -1
    assert waited.vain in {place for place, step in enumerate(arena.steps) if step[0] == "build-3" and step[6]}
    assert refused.keys() == {"build-1", "build-3"}
