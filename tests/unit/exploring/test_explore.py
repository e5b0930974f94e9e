"""A cache of one's own, explored in a test: what is found, told, replayed, and left as it was."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import gc
import os
import re
import subprocess
import sys

import anyio.lowlevel
import pytest

import simulator
from simulator.errors import BadInputError, DivergenceError
from tests.support.caches import add_one, counter_at_zero, get, put, put_whole

SAMPLED = {"strategy": "random", "schedules": 60}


def add_without_kernel(directory):
    with open(f"{directory}/counter") as file:
        number = int(file.read())
    with open(f"{directory}/counter", "w") as file:
        file.write(str(number + 1))


def is_two(directory):
    with open(f"{directory}/counter") as file:
        assert file.read() == "2", "an addition is lost"


def test_a_race_is_found_and_told(tmp_path):
    found = simulator.explore(actors=[put, put, get], sandbox=str(tmp_path), **SAMPLED)
    with pytest.raises(AssertionError) as caught:
        found.assert_holds()
    message = str(caught.value)
    assert re.match(r"put-\d raised FileNotFoundError.*answer\.part.*\(in \d+ of 60 runs\)\n", message)
    assert "rename answer.part to answer.json -> ENOENT" in message
    assert "step  put-1" in message
    assert re.search(r"if put-\d's .* had come before put-\d's .*, there would be no 'put-\d raised File", message)
    assert "\n    simulator.replay('cs2.actors." in message
    assert message.endswith("', actors=[put, put, get]).assert_holds()")
    assert not found.holds
    assert not found.complete
    assert found.runs == 60
    assert sum(outcome.count for outcome in found.outcomes) == 60
    assert os.listdir(tmp_path) == []


def test_no_swap_is_claimed_where_no_order_passes():
    def left(directory):
        with open(f"{directory}/z", "a") as file:
            file.write("line\n")

    def right(directory):
        left(directory)

    def one_line(directory):
        with open(f"{directory}/z") as file:
            assert len(file.readlines()) < 2, "two lines"

    found = simulator.explore(actors=[left, right], oracle=one_line)
    assert found.violations[0].count == found.runs
    assert found.why == ""
    assert "the run would pass" not in found.told()


def add_locked(directory):
    with open(f"{directory}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        add_without_kernel(directory)


def is_two_without_a_word(directory):
    with open(f"{directory}/counter") as file:
        if file.read() != "2":
            # As a bare assert that no plugin rewrites.
            raise AssertionError


def test_who_was_killed_is_in_the_story_and_its_kill_is_the_reason():
    given = {"actors": [add_locked, add_locked], "setup": counter_at_zero, "oracle": is_two_without_a_word}
    simulator.explore(**given).assert_holds()
    found = simulator.explore(**given, kills=1)
    assert re.match(r"an assertion does not hold, at test_explore\.py:\d+ \(in \d+ of \d+ runs\)\n", found.told())
    header, *steps = found.story.splitlines()
    assert header.split() == ["step", "add_locked-1", "add_locked-2"]
    (killed,) = [line for line in steps if "is killed here" in line]
    (name,) = re.findall(r"(add_locked-\d) is killed here", killed)
    assert killed.index(name) == header.index(name)
    assert "kill ." not in found.story
    assert re.match(
        rf"if {name} were not killed before its \w+ of \w+, there would be no 'an assertion does not hold, at .*',"
        r" and the run would pass$",
        found.why,
    )
    replayed = simulator.replay(found.replay_line.split("'")[1], **given)
    assert replayed.story == found.story


def test_of_two_kills_one_is_enough_to_tell():
    def nobody_is_through(directory, results):
        killed = [result.name for result in results.values() if result.outcome == "killed"]
        return "nobody is through" if len(killed) == 2 else None

    found = simulator.explore(actors=[put_whole, put_whole], kills=2, oracle=nobody_is_through)
    assert found.story.count("is killed here") == 2
    assert re.match(r"if put_whole-\d were not killed before its \w+ of \S+, there would be no 'nobody", found.why)


def test_a_kill_that_strikes_in_every_run_is_no_reason():
    def is_one(directory):
        with open(f"{directory}/counter") as file:
            return "it is not two" if file.read() != "2" else None

    found = simulator.explore(
        actors=[add_locked, add_locked], setup=counter_at_zero, oracle=is_one, faults=["add_locked-1:1:kill"]
    )
    assert "add_locked-1 is killed here" in found.story
    assert found.why == ""


def test_the_line_of_the_message_replays_it():
    found = simulator.explore(
        actors=[add_without_kernel, ("other", add_without_kernel)], oracle=is_two, setup=counter_at_zero, **SAMPLED
    )
    with pytest.raises(AssertionError, match="an addition is lost") as caught:
        found.assert_holds()
    line = str(caught.value).splitlines()[-1].strip()
    given = "actors=[add_without_kernel, ('other', add_without_kernel)], oracle=is_two, setup=counter_at_zero"
    assert line.endswith(f"', {given}).assert_holds()")
    with pytest.raises(AssertionError, match="an addition is lost") as again:
        eval(line)
    assert found.story in str(again.value)


def test_what_holds_is_said_with_its_bound():
    found = simulator.explore(actors=[put_whole, put_whole, get])
    found.assert_holds()
    assert found.holds
    assert found.complete
    # The two renames and the open of the reader, in any order.
    assert found.told().startswith("no violation in 6 runs; complete: all inequivalent interleavings of actors (")
    assert found.told().endswith("; actors that meet in the file system alone")


def test_a_sample_says_what_it_is():
    found = simulator.explore(actors=[put_whole, get], strategy="pct", depth=2, schedules=5)
    told = "no violation in 5 runs; sampled by pct (depth 2), seeds 0 to 4; ended after 5 schedules, as asked"
    assert found.told() == told
    assert not found.complete


def test_actors_that_make_many_steps_are_sampled_unless_somebody_says_otherwise():
    def many(directory):
        for number in range(30):
            os.mkdir(f"{directory}/{number}-{os.getpid()}")

    assert simulator.explore(actors=[many, many], schedules=3).bound.startswith("sampled by pos")
    assert simulator.explore(actors=[many, many], strategy="dpor").runs == 1


@pytest.mark.parametrize("kills", [1, 2])
def test_kills_at_every_step(kills):
    found = simulator.explore(actors=[put_whole, put_whole], kills=kills, oracle=lambda directory: None)
    ends = {item.signature for item in found.outcomes}
    assert found.complete
    assert {"put_whole-1 ok, put_whole-2 ok", "put_whole-1 killed, put_whole-2 ok"} <= ends
    assert ("put_whole-1 killed, put_whole-2 killed" in ends) == (kills == 2)


@pytest.mark.slow
def test_dpor_finds_what_a_large_sample_finds():
    complete = simulator.explore(actors=[put, put, get])
    sampled = simulator.explore(actors=[put, put, get], strategy="random", schedules=500)
    assert complete.complete
    assert {item.signature for item in sampled.outcomes} <= {item.signature for item in complete.outcomes}


def test_an_actor_that_differs_later_is_found_by_the_search():
    count, limit = [0], [1000]

    def turns(directory):
        count[0] += 1
        os.mkdir(f"{directory}/a")
        if count[0] >= limit[0]:
            os.mkdir(f"{directory}/b")
        os.listdir(directory)

    actors = [turns, ("x", get), ("y", lambda directory: os.mkdir(f"{directory}/y"))]
    assert simulator.explore(actors=actors).complete
    # Not before what was found is made again.
    count[0], limit[0] = 0, count[0]
    with pytest.raises(BadInputError, match="an actor is not the same in two runs of one schedule"):
        simulator.explore(actors=actors)


@pytest.mark.parametrize("strategy", ["random", "sticky", "pct", "pos", "portfolio"])
def test_functions_that_take_the_kernel(strategy):
    found = simulator.explore(
        actors=[add_one, add_one], oracle=is_two, setup=counter_at_zero, strategy=strategy, start_gap=1, schedules=60
    )
    assert {item.violation.oracle for item in found.violations} <= {"is_two"}
    assert len(found.outcomes) > 2


def by_os(directory):
    fd = os.open(f"{directory}/log", os.O_RDWR | os.O_CREAT)
    return os.lseek(fd, 0, os.SEEK_END)


def by_a_file(directory):
    with open(f"{directory}/log", "r+b") as file:
        return file.seek(0, os.SEEK_END)


def by_appending(directory):
    with open(f"{directory}/log", "ab") as file:
        return file.tell()


@pytest.mark.parametrize("look", [by_os, by_a_file, by_appending])
def test_where_the_end_is_depends_on_who_writes(look):
    def write(directory):
        fd = os.open(f"{directory}/log", os.O_WRONLY)
        os.write(fd, b"abc")

    found = simulator.explore(actors=[("look", look), write], setup=lambda d: open(f"{d}/log", "x").close())
    assert found.complete
    assert {item.signature for item in found.outcomes} == {"look ok -> 0, write ok", "look ok -> 3, write ok"}


def test_coroutine_functions():
    async def look(kernel, directory):
        return len(await kernel.listdir(directory))

    found = simulator.explore(actors=[put_whole, look], **SAMPLED)
    assert {"look ok -> 0", "look ok -> 1"} <= {part for item in found.outcomes for part in item.signature.split(", ")}


def test_an_object_that_is_called_as_a_coroutine_function():
    class Look:
        async def __call__(self, kernel, directory):
            return len(await kernel.listdir(directory))

    for look in (Look(), functools.partial(Look())):
        assert simulator.explore(actors=[put_whole, ("look", look)]).complete


def test_same_seeds_same_findings():
    one, two = (simulator.explore(actors=[put, get, put], seed=5, **SAMPLED) for _ in range(2))
    assert one.outcomes == two.outcomes
    assert one.told() == two.told()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_an_event_loop_others_get_their_turn(backend):
    turns = []

    async def beside():
        while len(turns) < 1000:
            turns.append(1)
            await anyio.lowlevel.checkpoint()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(beside)
            found = await simulator.explore_async(actors=[put, put], schedules=20)
            group.cancel_scope.cancel()
        return found

    found = anyio.run(main, backend=backend)
    assert found.outcomes == simulator.explore(actors=[put, put], schedules=20).outcomes
    assert len(turns) > 5


def test_sync_under_a_running_loop():
    async def main():
        return simulator.explore(actors=[put_whole], schedules=2)

    assert asyncio.run(main()).holds


def test_results_are_given_to_the_oracle():
    seen = []

    def judge(directory, results):
        seen.append((sorted(os.listdir(directory)), results["put_whole"].ok, results["get"].value))

    simulator.explore(actors=[put_whole, get], oracle=[judge, lambda directory: None], **SAMPLED)
    assert all(names == ["answer.json"] and ok for names, ok, _ in seen)
    assert {str(value) for *_, value in seen} == {"None", "[42]"}


def test_a_sentence_is_a_violation_without_its_numbers():
    def judge(directory, results):
        return f"it has {len(os.listdir(directory))} names" if results["get"].value is None else None

    found = simulator.explore(actors=[put_whole, get], oracle=judge, **SAMPLED)
    (violated,) = found.violations
    assert violated.violation.signature == "judge:it has N names"
    assert violated.violation.sentence == "it has 1 names"


@pytest.mark.parametrize("faults", [["put_whole:2:kill"], "put_whole:2:kill"], ids=["a list", "one alone"])
def test_faults_strike_and_are_in_the_line(faults):
    found = simulator.explore(actors=[put_whole], faults=faults, schedules=2)
    assert [item.signature for item in found.outcomes] == ["put_whole killed"]
    assert ".p:2x." in found.outcomes[0].shown.token


def test_deadlock_is_a_violation():
    def locks(kernel, directory, first, second):
        import fcntl

        for name in (first, second):
            fd = kernel.open(f"{directory}/{name}", os.O_RDWR | os.O_CREAT)
            kernel.flock(fd, fcntl.LOCK_EX)

    actors = [(f"{name}-1", functools.partial(locks, first=name, second=other)) for name, other in ("ab", "ba")]
    found = simulator.explore(actors=actors, **SAMPLED)
    assert found.violations[0].violation.oracle == "deadlock"
    assert "a-1 waits for b, held by b-1" in found.violations[0].violation.sentence


def test_exit_is_the_end_of_an_actor():
    def gives_up(directory):
        os.mkdir(f"{directory}/d")
        sys.exit(3)

    def ends(directory):
        os.mkdir(f"{directory}/e")
        sys.exit()

    found = simulator.explore(actors=[gives_up, ends], schedules=3)
    assert [item.signature for item in found.outcomes] == ["gives_up ActorExitError, ends ok"]


def test_a_replay_of_other_code_says_where_it_parts():
    names = ["a", "b"]

    def make(directory):
        for name in names:
            os.mkdir(f"{directory}/{name}")

    def look(directory):
        return len(os.listdir(directory))

    outcomes = simulator.explore(actors=[make, look]).outcomes
    (token,) = (item.shown.token for item in outcomes if "look ok -> 1" in item.signature)
    names.clear()
    with pytest.raises(
        DivergenceError, match=r"diverges at step 1: by segment 1 of the schedule .* make moves, but it is"
    ):
        simulator.replay(token, actors=[make, look])
    with pytest.raises(DivergenceError, match="other actors than get"):
        simulator.replay(token, actors=[get])


SHOWS_A_HASH = """
import os, sys, simulator

def show(directory):
    os.makedirs(f"{directory}/{hash('x')}")

if len(sys.argv) == 1:
    print(simulator.explore(actors=[show]).outcomes[0].shown.token)
else:
    simulator.replay(sys.argv[1], actors=[show])
"""


def test_the_hash_of_a_string_is_found_out_in_the_next_process():
    def run(seed, *token):
        command = [sys.executable, "-c", SHOWS_A_HASH, *token]
        return subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=False
        )

    explored = run("1")
    assert explored.returncode == 0
    assert run("1", explored.stdout.strip()).returncode == 0
    other = run("2", explored.stdout.strip())
    assert "DivergenceError" in other.stderr
    assert "an actor shows what differs between processes (hash of a string)" in other.stderr


def test_a_replay_of_other_code_that_makes_as_many_steps_says_that_it_cannot_say_where():
    def make(directory):
        os.mkdir(f"{directory}/{names[0]}")

    names = ["one"]
    token = simulator.explore(actors=[make]).outcomes[0].shown.token
    names[0] = "two"
    with pytest.raises(
        DivergenceError, match=r"followed to the end, and the steps are others; which is the first, nobody"
    ):
        simulator.replay(token, actors=[make])


def test_the_process_is_as_it_was():
    before = (os.open, open, os.umask(0o027), gc.isenabled(), os.getcwd())
    try:
        simulator.explore(actors=[put], schedules=2)
        assert (os.open, open, os.umask(0o027), gc.isenabled(), os.getcwd()) == (*before[:2], 0o027, *before[3:])
    finally:
        os.umask(before[2])


def test_that_permission_bits_do_not_bite_is_a_note(monkeypatch):
    monkeypatch.setattr("simulator.exploring.calls.permission_bits_stop_us", lambda _: False)
    found = simulator.explore(actors=[put_whole], schedules=2)
    assert "permission bits do not stop this process" in found.notes[0]
    assert found.notes[0] in found.told()


def test_what_is_changed_outside_is_a_note(tmp_path):
    def writes_elsewhere(directory):
        put_whole(directory)
        (tmp_path / "log").write_text("x")

    found = simulator.explore(actors=[writes_elsewhere], schedules=2)
    assert found.notes == (
        f"writes_elsewhere made open '{tmp_path}/log', outside of the directory: no schedule interrupts that",
    )


def test_who_only_imports_the_package_loads_nothing_of_it():
    code = "import simulator, sys; print(sorted(set(sys.modules) & {'trio', 'greenlet', 'simulator.exploring'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_token_of_a_long_schedule_is_said_to_be_in_the_result():
    def turns(directory):
        for name in "abcdef":
            if not os.path.exists(f"{directory}/{name}"):
                os.mkdir(f"{directory}/{name}")

    actors = [(f"turns-{number}", turns) for number in range(1, 9)]
    found = simulator.explore(actors=actors, strategy="random", schedules=5)
    also = [line for line in found.told().splitlines() if line.startswith("also: ")]
    assert also
    assert all(line.endswith(": a long schedule, its token is in `violations`") for line in also)
    assert all(len(item.shown.token) > 80 for item in found.violations)
