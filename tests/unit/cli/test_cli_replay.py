import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def recorded(cachestorm, mine, sandboxes, tmp_path):
    """A run with an override: its document in a file, its trace, and the options that a replay needs."""
    trace = tmp_path / "trace.jsonl"
    options = ["--fault", "build-2:install_lib:kill", "--sandbox", sandboxes]
    result = cachestorm("run", mine, "--seed", "5", *options, "--trace", trace, "--json")
    (tmp_path / "run.json").write_text(result.stdout)
    return tmp_path / "run.json", trace, ["--scenario", mine, *options]


def test_a_document_replays_to_the_same_digest(cachestorm, recorded):
    file, trace, options = recorded
    result = cachestorm("replay", file, *options, "--against", trace, "--json")
    assert result.exit_code == 0
    assert result.document["schema"] == "cachestorm/replay/1"
    assert {**result.document, "schema": "cachestorm/run/1"} == json.loads(file.read_text())


def test_a_token_replays_from_standard_input_several_times(cachestorm, recorded):
    file, _, options = recorded
    token = json.loads(file.read_text())["token"]
    result = cachestorm("replay", "-", *options, "--times", "3", "--json", input=token + "\n")
    assert result.exit_code == 0
    assert len(result.documents) == 3
    told = cachestorm("replay", token, *options, "--times", "2")
    assert "replay 2 of 2: the same" in told.stdout


def test_the_printed_replay_line_replays(cachestorm, mine, sandboxes):
    import shlex

    options = ["--builds", "1", "--protocol", "shared", "--cleaner", "rmtree", "--fault", "build-1:30:EIO:after"]
    line = cachestorm("run", mine, *options, "--sandbox", sandboxes).stdout.splitlines()[-1]
    words = shlex.split(line.removeprefix("replay  "))
    assert words[:2] == ["cachestorm", "replay"]
    assert cachestorm(*words[1:], "--sandbox", sandboxes).exit_code == 0


def test_another_trace_names_the_first_step_that_differs(cachestorm, recorded):
    file, trace, options = recorded
    lines = trace.read_text().splitlines()
    changed = json.loads(lines[99])
    changed["errno"] = "ENOSPC"
    trace.write_text("\n".join([*lines[:99], json.dumps(changed), *lines[100:]]) + "\n")
    result = cachestorm("replay", file, *options, "--against", trace, "--json")
    assert result.exit_code == 2
    assert result.document["kind"] == "divergence"
    assert "step 100 differs" in result.document["message"]
    assert "ENOSPC" in result.document["message"]

    trace.write_text("\n".join(lines[:50]) + "\n")
    result = cachestorm("replay", file, *options, "--against", trace)
    assert "step 51 differs" in result.stderr
    assert "this run goes on" in result.stderr


def test_a_run_that_went_another_way_is_a_divergence(cachestorm, recorded):
    from dataclasses import replace

    from simulator.token import parse_token

    file, _, options = recorded
    token = parse_token(json.loads(file.read_text())["token"])
    marks = token.trace.marks
    # The third eighth of the steps was different in the other run.
    other = replace(token.trace, digest="0" * 16, marks=marks[:2] + ("a" if marks[2] != "a" else "b") + marks[3:])
    result = cachestorm("replay", str(replace(token, trace=other)), *options, "--json")
    assert result.exit_code == 2
    assert result.document["kind"] == "divergence"
    steps = token.trace.steps
    assert f"between steps {steps * 2 // 8 + 1:,} and {steps * 3 // 8:,} of {steps:,}" in result.document["message"]


def test_a_violation_reproduced_is_exit_1_tolerated_or_not(cachestorm, sandboxes):
    # Eight installs without a lock: somebody is always hurt, and the scenario expects that.
    run = cachestorm("run", "issue-3515", "--seed", "1", "--cleaner", "hardened", "--sandbox", sandboxes, "--json")
    assert run.exit_code == 0
    assert run.document["violations"]
    token = run.document["token"]
    replayed = cachestorm("replay", token, "--cleaner", "hardened", "--sandbox", sandboxes, "--json", "--explain")
    assert replayed.exit_code == 1
    assert "story" in replayed.document


def test_no_poison_is_no_story(cachestorm, recorded):
    file, _, options = recorded
    assert "there is no story to tell" in cachestorm("replay", file, *options, "--explain").stdout
