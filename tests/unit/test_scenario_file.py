"""Scenario files: all mistakes at once, each with file, key and reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.errors import BadInputError
from simulator.orchestrator import scenario_digest
from simulator.scenario_file import load_scenario, scenario_files

GOOD = """
version = 1
summary = "two builds"
[storm]
builds = 2
install = "opentracing"
protocol = "shared"
toolchain = "setuptools-69.5.1"
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_every_shipped_scenario_loads(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.summary
    assert scenario.cleaners_after


def test_a_file_of_ones_own(tmp_path):
    scenario = load_scenario(write(tmp_path, GOOD))
    assert (scenario.name, scenario.builds, scenario.cache_lock) == ("mine", 2, False)
    assert [package.name for package in scenario.packages] == ["opentracing"]


@pytest.mark.parametrize(("protocol", "locked"), [("shared", False), ("entry-lock", True), ("private", True)])
def test_the_cache_lock_follows_the_protocol(tmp_path, protocol, locked):
    assert load_scenario(write(tmp_path, GOOD.replace("shared", protocol))).cache_lock is locked


def test_three_mistakes_are_reported_at_once(tmp_path):
    text = GOOD.replace("builds = 2", "builds = -3").replace("69.5.1", "69.5.2").replace('"shared"', '"shred"')
    path = write(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        load_scenario(path)
    lines = caught.value.message.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: storm.") for line in lines)
    assert "storm.builds: Input should be greater than or equal to 0 (is -3)" in lines[0]
    assert "storm.protocol: unknown protocol 'shred'; nearest: shared" in lines[1]
    assert "storm.toolchain: unknown toolchain 'setuptools-69.5.2'; nearest: setuptools-69.5.1" in lines[2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("builds = 2", ""), "storm.builds: Field required"),
        (("builds = 2", "builds = 1025"), "(is 1025)"),
        (("builds = 2", 'builds = "2"'), "storm.builds: Input should be a valid integer"),
        (("builds = 2", "builds = 2\ncolour = 3"), "storm.colour: no such key"),
        (('"opentracing"', '"opentrace"'), "storm.install: unknown package set 'opentrace'; nearest: opentracing"),
        (("version = 1", "version = 2"), "version: Input should be 1"),
        (("builds = 2", 'builds = 2\nfaults = ["build-1:x:kil"]'), "storm.faults[0]: fault 'build-1:x:kil': unknown"),
        (("[storm]", '[cleaners]\nafter = ["hardend"]\n[storm]'), "unknown cleaner 'hardend'; nearest: hardened"),
        (("[storm]", '[expect]\ntolerated_oracles = ["x"]\n[storm]'), "unknown oracle 'x'; known: deadlock"),
        (("[storm]", "[schedule]\nswitch_probability = 2\n[storm]"), "schedule.switch_probability: "),
        (("[storm]", "storm = 3\n[other]"), "storm: Input should be"),
    ],
)  # fmt: skip
def test_each_mistake_names_key_and_reason(tmp_path, change, expected):
    with pytest.raises(BadInputError) as caught:
        load_scenario(write(tmp_path, GOOD.replace(*change)))
    assert expected in caught.value.message


def test_what_is_not_toml_says_where(tmp_path):
    with pytest.raises(BadInputError, match=r"is not TOML.*line 1"):
        load_scenario(write(tmp_path, "x = = 3"))


def test_a_missing_file_and_an_unknown_name(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        load_scenario(str(tmp_path / "nothing.toml"))
    with pytest.raises(BadInputError, match="unknown scenario 'isue-3515'; nearest: issue-3515"):
        load_scenario("isue-3515")


def test_the_digest_covers_what_decides_a_run():
    scenario = load_scenario("issue-3515")
    digest = scenario_digest(scenario)
    assert digest == scenario_digest(replace(scenario, summary="other words", origin="elsewhere"))
    changed = [
        replace(scenario, builds=7),
        replace(scenario, protocol="private"),
        replace(scenario, cache_lock=True),
        replace(scenario, packages=scenario.packages[:-1]),
        replace(scenario, faults=scenario.faults[:-1]),
        replace(scenario, schedule=replace(scenario.schedule, switch_probability=0.5)),
        replace(scenario, cleaners_after=("hardened",)),
    ]
    assert len({digest, *(scenario_digest(item) for item in changed)}) == len(changed) + 1


def test_the_digest_covers_the_toolchains_revision_and_the_interpreter_where_it_matters():
    scenario = load_scenario("issue-3515")
    assert scenario.digest(1, "") != scenario.digest(2, "")
    assert scenario.digest(1, "3.11") != scenario.digest(1, "3.13")
