"""Scenario files: all mistakes at once, each with file, key and reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.errors import BadInputError
from simulator.running.identity import scenario_digest
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
        (("[storm]", "[[random_faults]]\naction = 'kill'\nshare = 0.5\nsteps = [500, 1]\n[storm]"),
         "random_faults[0].steps: [500, 1] holds no step: the first is after the last"),
        (("[storm]", "[schedule]\nswitch_probability = 2\n[storm]"), "schedule.switch_probability: "),
        (("[storm]", "storm = 3\n[other]"), "storm: Input should be"),
    ],
)  # fmt: skip
def test_each_mistake_names_key_and_reason(tmp_path, change, expected):
    with pytest.raises(BadInputError) as caught:
        load_scenario(write(tmp_path, GOOD.replace(*change)))
    assert expected in caught.value.message


CLEANERS = """
[cleaners]
during = ["hardened", "model:uv-0.1.42"]
after = ["rmtree"]
"""


def with_faults(*specs, text=GOOD + CLEANERS):
    return text.replace("[storm]", f"[storm]\nfaults = {list(specs)}")


def mistakes(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        load_scenario(path)
    assert caught.value.kind == "bad-scenario"
    return [line.removeprefix(f"{path}: ") for line in caught.value.message.splitlines()]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("build-99:20:kill", "unknown actor 'build-99'; known: build-1, build-2, cleaner, cleaner-2"),
        ("build-0:20:kill", "unknown actor 'build-0'; known: build-1, build-2, cleaner, cleaner-2"),
        ("biuld-1:20:kill", "unknown actor 'biuld-1'; nearest: build-1"),
        ("cleaner-3:20:kill", "unknown actor 'cleaner-3'; known: build-1, build-2, cleaner, cleaner-2"),
        ("build-1:instal_lib:kill", "unknown phase 'instal_lib'; nearest: install_lib"),
        ("build-1:instal_lib+40:kill", "unknown phase 'instal_lib'; nearest: install_lib"),
        ("build-1:hardened:kill", "unknown phase 'hardened'; nearest: "),
        ("cleaner:hardend:kill", "unknown phase 'hardend'; nearest: hardened"),
        ("cleaner:zip:kill", "unknown phase 'zip'; known: hardened, rmtree"),
        ("cleaner-2:hardened:kill", "unknown phase 'hardened'; known: model:uv-0.1.42"),
    ],
)
def test_a_fault_that_can_never_strike_is_a_mistake(tmp_path, spec, reason):
    (mistake,) = mistakes(tmp_path, with_faults("build-1:20:EIO", spec))
    assert mistake.startswith(f"storm.faults[1]: fault '{spec}': {reason}")


@pytest.mark.parametrize("phase", ["look-up", "lock", "download", "unpack", "publish", "install", "egg_info", "rmtree"])
def test_a_fault_in_every_phase_is_legal(tmp_path, phase):
    scenario = load_scenario(write(tmp_path, with_faults(f"build-2:{phase}+3:kill")))
    assert [str(fault) for fault in scenario.faults] == [f"build-2:{phase}+3:kill"]


def test_a_fault_of_a_cleaner_is_legal_where_there_is_one(tmp_path):
    specs = ["cleaner:5:EIO:before", "cleaner:hardened:kill", "cleaner:rmtree:kill", "cleaner-2:7:kill"]
    assert [str(fault) for fault in load_scenario(write(tmp_path, with_faults(*specs))).faults] == specs
    (mistake,) = mistakes(tmp_path, with_faults("cleaner:5:EIO", text=GOOD))
    assert mistake.endswith("unknown actor 'cleaner'; known: build-1, build-2")


def test_a_fault_of_a_cleaner_s_worker_is_legal_where_it_has_one(tmp_path):
    specs = ["worker-1:5:kill", "worker-1:hardened:kill"]
    assert [str(fault) for fault in load_scenario(write(tmp_path, with_faults(*specs))).faults] == specs
    (mistake,) = mistakes(tmp_path, with_faults("worker-2:5:kill"))
    assert "unknown actor 'worker-2'" in mistake


def test_many_actors_are_not_all_listed(tmp_path):
    text = with_faults("cleaner:5:EIO", "build-1025:5:EIO", text=GOOD).replace("builds = 2", "builds = 1024")
    assert all(mistake.endswith("known: build-1, ..., build-1024") for mistake in mistakes(tmp_path, text))
    (mistake,) = mistakes(tmp_path, with_faults("build-1:5:EIO", text=GOOD).replace("builds = 2", "builds = 0"))
    assert mistake.endswith("unknown actor 'build-1'; there is neither a build nor a cleaner")


def test_faults_that_cannot_strike_are_told_with_all_the_other_mistakes(tmp_path):
    text = with_faults("build-99:20:kill", "build-1:x:kil", "build-1:zipp:kill").replace('"shared"', '"shred"')
    assert [mistake.partition(": ")[0] for mistake in mistakes(tmp_path, text)] == [
        "storm.protocol",
        "storm.faults[1]",
        "storm.faults[0]",
        "storm.faults[2]",
    ]


def test_what_another_mistake_leaves_open_is_not_told_as_one(tmp_path):
    text = with_faults("build-99:20:kill", "cleaner-2:hardened:kill", "cleaner:hardened:kill")
    text = text.replace("builds = 2", "builds = -2").replace('"hardened"', '"hardend"')
    assert [mistake.partition(": ")[0] for mistake in mistakes(tmp_path, text)] == [
        "storm.builds",
        "cleaners.during[0]",
    ]
    assert [mistake.partition(": ")[0] for mistake in mistakes(tmp_path, text.replace("builds = -2", ""))] == [
        "storm.builds",
        "cleaners.during[0]",
    ]
    for broken in ("storm = 3", "[storm]\nfaults = 3", "[storm]\nfaults = [3]"):
        assert mistakes(tmp_path, f"version = 1\nsummary = 'x'\n{broken}\n")


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


def test_a_cleaner_compiles_nothing(tmp_path):
    text = GOOD.replace("builds = 2", 'builds = 2\nfaults = ["cleaner:10:build-error"]')
    with pytest.raises(BadInputError, match="only a build can have a build-error"):
        load_scenario(write(tmp_path, text + '[cleaners]\nafter = ["hardened"]\n'))


# As they were when they came, some of them before the schedule had a depth: tokens that people have pasted must hold.
DIGESTS = {
    "issue-3515": "e7591894",
    "issue-3515-loop": "0676e916",
    "issue-3515-small": "3ffb4161",
    "issue-3515-live": "89e93a2d",
    "issue-3515-real": "a640c76b",
    "pip-in-place": "a7138902",
    "stress": "af55ce01",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_digest_of_a_shipped_scenario_stays(name):
    assert scenario_digest(load_scenario(name)) == DIGESTS[name]


def test_a_depth_that_is_not_the_default_is_another_run(tmp_path):
    digests = [
        scenario_digest(load_scenario(write(tmp_path, f'{GOOD}[schedule]\nstrategy = "pct"\n{depth}')))
        for depth in ("", "depth = 3", "depth = 4")
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ('strategy = "pct"\ndepth = 0', "schedule.depth: Input should be greater than or equal to 1 (is 0)"),
        ('strategy = "pct"\ndepth = 17', "schedule.depth: Input should be less than or equal to 16 (is 17)"),
        ("depth = 4", "schedule.depth: 4 goes with the strategy pct, not 'sticky'"),
        ('strategy = "pcd"\ndepth = 4', "schedule.strategy: unknown strategy 'pcd'; nearest: pct"),
        ('strategy = "replay"', "schedule.strategy: unknown strategy 'replay'"),
    ],
)
def test_a_wrong_depth_or_strategy_is_named(tmp_path, schedule, expected):
    with pytest.raises(BadInputError) as caught:
        load_scenario(write(tmp_path, f"{GOOD}[schedule]\n{schedule}\n"))
    (line,) = caught.value.message.splitlines()
    assert expected in line
