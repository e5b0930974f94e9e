import json

import pytest

pytestmark = pytest.mark.slow


def test_document_of_a_run(cachestorm, mine, sandboxes):
    result = cachestorm("run", mine, "--seed", "3", "--sandbox", sandboxes, "--json")
    assert result.exit_code == 0
    document = result.document
    assert list(document) == [
        "schema", "scenario", "seed", "token", "trace_digest", "steps", "switches",
        "builds", "residue", "cleaners", "empty", "violations",
    ]  # fmt: skip
    assert document["schema"] == "cachestorm/run/1"
    assert (document["scenario"], document["seed"], document["empty"]) == ("mine", 3, True)
    assert [build["outcome"] for build in document["builds"]] == ["ok", "ok"]
    assert document["cleaners"][0]["ok"] is True


def test_report_of_a_run(cachestorm, mine, sandboxes):
    result = cachestorm("run", mine, "--sandbox", sandboxes, "--fault", "build-2:install_lib:kill")
    assert result.exit_code == 0
    assert "build-2  killed   install_lib" in result.stdout
    assert "1 ok, 0 failed, 1 killed" in result.stdout
    assert "hardened: cache is empty; " in result.stdout
    assert f"--scenario {mine} --fault build-2:install_lib:kill" in result.stdout.splitlines()[-1]
    assert "  build-2 is killed in install_lib after" in result.stderr


def test_an_unexpected_violation_is_exit_1(cachestorm, mine, sandboxes):
    # What is injected into a build is its own affair.
    options = ["--sandbox", sandboxes, "--json"]
    assert cachestorm("run", mine, "--fault", "build-1:20:EIO", *options).exit_code == 0
    # A cleaner that fails is none, unless the scenario says so.
    result = cachestorm("run", mine, "--fault", "cleaner:5:EIO", "--cleaner", "rmtree", *options)
    assert result.exit_code == 1
    assert {item["oracle"] for item in result.document["violations"]} == {"cache-empty"}
    assert result.document["violations"][0]["expected"] is False


def test_seeds_are_a_line_each(cachestorm, mine, sandboxes):
    result = cachestorm("run", mine, "--seeds", "4:7", "--builds", "1", "--sandbox", sandboxes, "--json")
    assert result.exit_code == 0
    assert [document["seed"] for document in result.documents] == [4, 5, 6]

    told = cachestorm("run", mine, "--seeds", "4:7", "--builds", "1", "--sandbox", sandboxes).stdout
    assert [line.split(":")[0] for line in told.splitlines()[:3]] == ["seed 4", "seed 5", "seed 6"]
    assert "builds failed    0 of 3 builds (0 %)" in told


def test_until_violation_stops_at_the_first_of_either_kind(cachestorm, mine, sandboxes):
    arguments = ["run", mine, "--seeds", "0:5", "--builds", "1", "--sandbox", sandboxes, "--json", "--until-violation"]
    assert len(cachestorm(*arguments).documents) == 5
    failing = cachestorm(*arguments, "--cleaner", "rmtree", "--fault", "cleaner:5:EIO")
    assert failing.exit_code == 1
    assert [document["seed"] for document in failing.documents] == [0]


def test_trace_has_every_step_of_every_round(cachestorm, mine, sandboxes, tmp_path):
    trace = tmp_path / "trace.jsonl"
    arguments = ["run", mine, "--cleaner", "hardened", "--cleaner", "rmtree", "--sandbox", sandboxes, "--json"]
    document = cachestorm(*arguments, "--trace", trace).document
    steps = [json.loads(line) for line in trace.read_text().splitlines()]
    assert len(steps) == document["steps"]
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert {step["round"] for step in steps} == {1, 2}
    assert set(steps[0]) >= {"actor", "phase", "operation", "path", "target", "mode", "errno"}
    assert str(tmp_path) not in trace.read_text()


def test_what_a_lonely_build_prints_is_the_same_every_time(cachestorm, mine, sandboxes):
    first, second = (cachestorm("run", mine, "--sandbox", sandboxes) for _ in range(2))
    assert first.stdout == second.stdout
    assert first.stderr == second.stderr


def test_an_override_of_the_protocol_brings_its_lock(mine):
    from simulator.cli.overrides import Overrides
    from simulator.cli.scenarios import resolve

    assert resolve(str(mine), Overrides()).cache_lock
    assert not resolve(str(mine), Overrides(protocol="shared")).cache_lock
    mine.write_text(mine.read_text().replace("[storm]", "[storm]\ncache_lock = false"))
    assert not resolve(str(mine), Overrides(protocol="entry-lock")).cache_lock
    # Who builds in place has no use for it, which says nothing about others.
    assert not resolve("issue-3515-small", Overrides()).cache_lock
    assert resolve("issue-3515-small", Overrides(protocol="entry-lock")).cache_lock
