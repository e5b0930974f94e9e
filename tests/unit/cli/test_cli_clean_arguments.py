"""The table that reads the arguments of `clean` without click, held against click's own reading."""

import itertools

import click
import pytest

from simulator.cli import clean_arguments
from simulator.cli.clean import command
from simulator.cli.durations import seconds_of
from simulator.cli.parameters import Duration
from simulator.cli.signals import ENDING_SIGNALS
from simulator.ground import confined

NAMES = {"path", "timeout", *clean_arguments.FLAGS.values()}


def by_click(arguments):
    """The parameters as click reads them; None where it says that something is wrong, or prints help."""
    try:
        with command.make_context("clean", list(arguments)) as context:
            return context.params
    except click.ClickException:
        return None


def test_the_table_has_the_options_that_click_has():
    known = {
        name: parameter
        for parameter in command.params
        for name in parameter.opts
        if parameter.name != "debug" and isinstance(parameter, click.Option)
    }
    assert set(known) == {*clean_arguments.FLAGS, clean_arguments.TIMEOUT}
    for name, parameter in clean_arguments.FLAGS.items():
        assert known[name].is_flag
        assert known[name].name == parameter
    assert isinstance(known[clean_arguments.TIMEOUT].type, Duration)
    assert [parameter.name for parameter in command.params if isinstance(parameter, click.Argument)] == ["path"]


def test_the_defaults_are_those_of_click():
    assert clean_arguments.read(["clean", "cache"]) == by_click(["cache"])
    assert set(by_click(["cache"])) == NAMES


@pytest.mark.parametrize("flag", clean_arguments.FLAGS)
def test_each_flag_is_read(flag):
    read = clean_arguments.read(["clean", flag, "cache"])
    assert read == by_click([flag, "cache"])
    assert read[clean_arguments.FLAGS[flag]] is True


@pytest.mark.slow
def test_what_the_table_reads_click_reads_the_same():
    words = ["cache", "other", "--json", "--dry-run", "--verb", "--timeout", "--timeout=2s", "5s", "1.5m", "--json=1"]
    words += ["--help", "-h", "--", "-", "-x", "--debug"]
    read = 0
    for arguments in itertools.chain.from_iterable(itertools.product(["", *words], repeat=n) for n in range(4)):
        if arguments[:1] in (("--help",), ("-h",)):
            continue
        options = clean_arguments.read(["clean", *arguments])
        if options is not None:
            read += 1
            assert options == by_click(arguments), arguments
    assert read > 100


@pytest.mark.parametrize(
    "arguments", [[], ["audit", "x"], ["--debug", "clean", "x"], ["clean"], ["clean", "x", "--debug"]]
)
def test_everything_else_is_left_to_click(arguments):
    assert clean_arguments.read(arguments) is None


@pytest.mark.parametrize("pair", clean_arguments.EXCLUDED, ids="-".join)
def test_what_excludes_each_other_is_left_to_click(pair, cachestorm, tmp_path):
    flags = [flag for flag, name in clean_arguments.FLAGS.items() if name in pair]
    assert clean_arguments.read(["clean", "cache", *flags]) is None
    result = cachestorm("clean", tmp_path / "cache", *flags)
    assert result.exit_code == 2
    assert result.stderr == f"cachestorm: {clean_arguments.EXCLUDED[pair]}\n"


DURATIONS = {"20ms": 0.02, "1.5s": 1.5, "2m": 120, "1h": 3600, "0": 0, "30": 30, "0.5": 0.5}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "ms", ".5", "5.", "-1", "+1", "1e3", "nan", "inf", "1 s", "1.2.3", "٣", "1_0", "5x"]
)
def test_what_is_no_duration(text):
    assert seconds_of(text) is None


def test_the_signals_that_end_are_the_same_everywhere():
    assert ENDING_SIGNALS == confined.ENDING_SIGNALS
