"""One line that names the value."""

from __future__ import annotations

import functools
import os
import posix
import threading

import pytest

import simulator
from simulator.errors import BadInputError, MachineError, NondeterminismError, StuckActorError, UngatedCallError
from tests.support.caches import get, put

_counter = [0]


def odd(directory):
    _counter[0] += 1
    os.mkdir(f"{directory}/same")
    os.mkdir(f"{directory}/{_counter[0]}")


def longer(directory):
    _counter[0] += 1
    for number in range(_counter[0]):
        os.mkdir(f"{directory}/{number}")


def breaks(directory):
    raise KeyError("no such thing")


def yields(directory):
    os.mkdir(f"{directory}/never")
    yield


async def yields_later(kernel, directory):
    yield


class Yields:
    def __call__(self, directory):
        yield


CASES = {
    "no actors": ({"actors": []}, "there are no actors"),
    "one name twice": ({"actors": [("a-1", get), ("a-1", put)]}, "two actors have the name 'a-1'"),
    "a name that is none": ({"actors": [("A b", get)]}, "actor name 'A b' is not a word"),
    "not callable": ({"actors": [("a", "put")]}, "actor 'a' is not callable: 'put'"),
    "a parameter too many": ({"actors": [lambda directory, key: None]}, "has a parameter 'key', for which"),
    "a generator function": (
        {"actors": [yields]},
        "actor 'yields' is a generator function, and to call one does nothing",
    ),
    "an async generator function": ({"actors": [yields_later]}, "actor 'yields_later' is a generator function"),
    "a part of one": ({"actors": [functools.partial(yields, "x")]}, "is a generator function"),
    "an object that is called as one": ({"actors": [("a", Yields())]}, "actor 'a' is a generator function"),
    "an oracle that is none": ({"oracle": 3}, "the oracle is not callable: 3"),
    "a setup that is none": ({"setup": "x"}, "setup is not callable: 'x'"),
    "an oracle that breaks": (
        {"oracle": breaks},
        r"oracle 'breaks' raised KeyError: 'no such thing'; .* token cs2\.actors\.",
    ),
    "an oracle that says a number": (
        {"oracle": lambda directory: 3},
        "returned 3, which is neither a sentence nor None",
    ),
    "no schedules": ({"schedules": 0}, "schedules is 0; at least one run"),
    "no time": ({"budget": 0}, "budget is 0 s"),
    "no strategy": ({"strategy": "dfs"}, "there is no strategy 'dfs'; choose one of"),
    "a strategy of one schedule": ({"strategy": "round-robin"}, "makes one schedule only"),
    "three kills": ({"kills": 3}, "kills is 3; 0 to 2, with strategy 'dpor'"),
    "kills by a sampler": ({"kills": 1, "strategy": "random"}, "kills is 1; 0 to 2, with strategy 'dpor'"),
    "an argument that is none": ({"dept": 3}, "there is no argument 'dept'"),
    "a fault that is none": ({"faults": ["put:x"]}, "fault 'put:x' is not ACTOR"),
    "a fault of nobody": ({"faults": ["putt:1:kill"]}, "is of 'putt'; there is get, put"),
    "a fault at a phase": (
        {"faults": ["put:install_lib+2:kill"]},
        r"fault 'put:install_lib\+2:kill' is at phase 'install_lib', and .* no phases: name a step, as 'put:3:kill'",
    ),
    "a fault alone that is none": ({"faults": "put"}, "fault 'put' is not ACTOR"),
    "a fault that is no string": ({"faults": [3]}, "fault 3 is no string; give it as"),
    "an actor that differs": (
        {"actors": [get, odd]},
        r"'odd' is not deterministic: step \d was 'odd mkdir 1' and is 'odd mkdir 2' in a second run",
    ),
    "an actor that goes on": (
        {"actors": [longer]},
        r"'longer' is not deterministic: .* was nothing \(the run had ended\) and is",
    ),
    "actors that call nothing": ({"actors": [lambda: None]}, "no actor made a call in its directory"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_named(monkeypatch, case):
    monkeypatch.setitem(globals(), "_counter", [0])
    given, message = CASES[case]
    with pytest.raises((BadInputError, NondeterminismError), match=message) as caught:
        simulator.explore(**{"actors": [put, get], **given})
    assert "\n" not in str(caught.value)


def test_an_oracle_that_breaks_in_a_run_that_nobody_found_is_no_error():
    def appends(directory, line):
        with open(f"{directory}/order", "a") as file:
            file.write(line)

    def read(directory):
        with open(f"{directory}/order") as file:
            return file.read()

    def judge(directory):
        assert read(directory) != "12", "the wrong order"
        raise KeyError(read(directory))

    actors = [("one", functools.partial(appends, line="1")), ("two", functools.partial(appends, line="2"))]
    one_run = {"actors": actors, "strategy": "random", "schedules": 1}
    seed, orders = -1, [""]
    while orders[-1] != "12":
        seed += 1
        simulator.explore(oracle=lambda directory: orders.append(read(directory)), seed=seed, **one_run)
    found = simulator.explore(oracle=judge, seed=seed, **one_run)
    assert found.told().startswith("the wrong order (in 1 of 1 run)")
    with pytest.raises(AssertionError, match="the wrong order"):
        simulator.replay(found.violations[0].shown.token, actors=actors, oracle=judge).assert_holds()


def test_an_oracle_that_needs_everybody_is_not_asked_without_somebody():
    def left(directory):
        with open(f"{directory}/x", "w") as file:
            file.write("1")

    def right(directory):
        with open(f"{directory}/y", "w") as file:
            file.write("2")

    def joined(directory):
        with open(f"{directory}/x") as one, open(f"{directory}/y") as two:
            assert one.read() + two.read() != "12", "the sum is wrong"

    found = simulator.explore(actors=[left, right], oracle=joined)
    assert found.told().startswith("the sum is wrong (in 1 of 1 run)")
    assert found.why == ""


def test_a_token_that_is_none():
    with pytest.raises(BadInputError, match="neither a file nor a token"):
        simulator.replay("cs1.x", actors=[put])


def test_a_call_beside_the_gate(tmp_path):
    def sneaks(directory):
        posix.mkdir(f"{directory}/x")

    with pytest.raises(UngatedCallError, match=r"sneaks calls os.mkdir\('cache/x'\) at .*test_bad_input.py:\d+"):
        simulator.explore(actors=[sneaks, get], sandbox=str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_an_actor_that_computes_for_ever(monkeypatch):
    def turns(directory):
        os.mkdir(f"{directory}/d")
        while True:
            pass

    monkeypatch.setattr("simulator.search.actors_subject.SECONDS", 0.1)
    with pytest.raises(
        StuckActorError, match=r"'turns' computed for .* without a call, at .*test_bad_input\.py"
    ) as caught:
        simulator.explore(actors=[turns])
    # That is an option of the command.
    assert "--watchdog" not in caught.value.message


def reads_an_empty_pipe(directory):
    os.mkdir(f"{directory}/d")
    source, sink = os.pipe()
    try:
        os.read(source, 1)
    finally:
        os.close(source)
        os.close(sink)


def opens_a_fifo_that_nobody_else_does(directory):
    os.mkfifo(f"{directory}/fifo")
    open(f"{directory}/fifo").close()


def opens_it_by_os(directory):
    os.mkfifo(f"{directory}/fifo")
    os.close(os.open(f"{directory}/fifo", os.O_WRONLY | os.O_CREAT))


@pytest.mark.parametrize("waits", [reads_an_empty_pipe, opens_a_fifo_that_nobody_else_does, opens_it_by_os])
def test_a_call_that_does_not_return(monkeypatch, waits):
    monkeypatch.setattr("simulator.search.actors_subject.SECONDS", 0.1)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(StuckActorError, match=r"made no step for .* in a call, at exploring/test_bad_input\.py:\d+ in"):
        simulator.explore(actors=[("waits", waits), put])
    assert os.listdir("/proc/self/fd") == before


def test_a_lock_of_a_thread_that_nobody_gives_back(monkeypatch):
    lock = threading.Lock()

    def takes(directory):
        lock.acquire()
        os.mkdir(f"{directory}/{os.getpid()}")

    monkeypatch.setattr("simulator.search.actors_subject.SECONDS", 0.1)
    with pytest.raises(StuckActorError, match=r"exploring/test_bad_input\.py:\d+ in takes"):
        simulator.explore(actors=[takes, takes])


def test_a_sandbox_that_is_not_there(tmp_path):
    with pytest.raises(MachineError, match="cannot make a sandbox"):
        simulator.explore(actors=[put], sandbox=str(tmp_path / "missing"))
