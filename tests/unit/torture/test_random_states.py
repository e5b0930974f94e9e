"""Random states of a seed, and the smallest that fails the same way."""

import pytest

from simulator.cli.torture import RANDOM_MAX
from simulator.torture import random_states
from simulator.torture.verdicts import CLEAN, FAILED, LIED, Cell

pytestmark = pytest.mark.slow


def cell(tree, verdict):
    return Cell("some", "it", verdict, f"{len(tree.commands())} commands")


def has_fifo(tree):
    return any("mkfifo" in command for command in tree.commands())


def test_the_command_line_knows_how_many_there_are():
    assert RANDOM_MAX == random_states.NUMBER_MAX


@pytest.fixture(scope="module")
def trees():
    return random_states.draw(40, 7)


def test_the_same_seed_is_the_same_trees(trees):
    assert len(trees) == 40
    assert random_states.draw(40, 7) == trees
    assert random_states.draw(40, 8) != trees
    assert random_states.draw(7, 7) == trees[:7]
    assert random_states.state_by_name("random-7-39").recipe().commands() == trees[39].commands()
    assert len(set(trees)) > 30


def test_names_say_which(trees):
    states = random_states.states(trees, 7)
    assert [states[0].name, states[39].name] == ["random-7-0", "random-7-39"]
    assert states[3].recipe().commands() == trees[3].commands()


def first_with_fifo(trees):
    return next(index for index, tree in enumerate(trees) if has_fifo(tree))


def test_a_failing_one_is_made_small(trees):
    index = first_with_fifo(trees)
    ran = []

    def run(tree):
        ran.append(tree)
        return cell(tree, FAILED if has_fifo(tree) else CLEAN)

    shrunk = random_states.shrink(trees, index, cell(trees[index], FAILED), seed_number=7, run=run)
    assert shrunk.cell.verdict == FAILED
    assert (shrunk.cleaner, shrunk.state) == ("it", "some")
    # A cache, its tag, the fifo, and the mode of the cache.
    assert len(shrunk.commands) == 4
    assert sum(command.startswith("mkfifo") for command in shrunk.commands) == 1
    # What was known before is not run again.
    assert not set(ran) & set(trees[: index + 1])


def test_another_verdict_is_another_failure(trees):
    index = first_with_fifo(trees)

    def run(tree):
        return cell(tree, LIED if len(tree.commands()) < 8 else FAILED if has_fifo(tree) else CLEAN)

    shrunk = random_states.shrink(trees, index, cell(trees[index], FAILED), seed_number=7, run=run)
    assert shrunk.cell.verdict == FAILED
    assert len(shrunk.commands) >= 8


def test_time_that_is_up_ends_it(trees):
    index = first_with_fifo(trees)
    seconds = iter([0.0])
    ran = []
    found = cell(trees[index], FAILED)
    shrunk = random_states.shrink(
        trees, index, found, seed_number=7, run=ran.append, clock=lambda: next(seconds, 1_000.0)
    )
    assert ran == []
    assert shrunk.commands == tuple(trees[index].commands())


def test_an_interruption_goes_through(trees):
    index = first_with_fifo(trees)
    with pytest.raises(KeyboardInterrupt):
        random_states.shrink(trees, index, cell(trees[index], FAILED), seed_number=7, run=lambda tree: None)


def test_the_document(trees):
    one = random_states.Shrunk("it", "random-7-1", cell(trees[0], FAILED), ("mkdir cache",))
    document = one.document()
    assert (document["state"], document["cleaner"], document["commands"]) == ("random-7-1", "it", ["mkdir cache"])
    assert document["verdict"] == FAILED
