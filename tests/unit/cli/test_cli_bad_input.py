"""Every mistake gets its exit code, one line that names the value, and a document with `--json`."""

import sys

import pytest

from simulator.engine.trace import MARKS, Fingerprint
from simulator.token import Token

NO_TRACE = Fingerprint("0" * 16, 1, "a" * MARKS)

THREE_MISTAKES = """
version = 1
summary = "three mistakes"
colour = "red"

[storm]
builds = -1
install = "jaeger-client"
protocol = "sharred"
toolchain = "setuptools-69.5.1"
"""

CASES = {
    "unknown command": (["runn"], "usage", "runn", "nearest: run"),
    "unknown option": (["run", "--sed", "1"], "usage", "--sed", "--seed"),
    "unknown scenario": (["run", "issue-3151"], "unknown-scenario", "issue-3151", "nearest: issue-3515"),
    "scenario file missing": (["run", "./none.toml"], "unreadable-scenario", "./none.toml", "No such file"),
    "unknown cleaner": (["run", "--cleaner", "hardend"], "unknown-cleaner", "hardend", "nearest: hardened"),
    "unknown toolchain": (
        ["run", "--toolchain", "setuptools-69"],
        "unknown-toolchain",
        "setuptools-69",
        "setuptools-69.5.1",
    ),
    "unknown protocol": (["run", "--protocol", "sharred"], "unknown-protocol", "sharred", "nearest: shared"),
    "unknown fault": (["run", "--fault", "build-1:zip:kil"], "unknown-fault", "kil", "nearest: kill"),
    "fault without form": (["run", "--fault", "build-1"], "bad-fault", "build-1", "ACTOR:(STEP|PHASE[+N]):ACTION"),
    "fault of nobody": (["run", "--fault", "build-9:zip:kill"], "unknown-actor", "build-9", "build-8, cleaner"),
    "fault in no phase": (["run", "--fault", "build-1:zipp:kill"], "unknown-phase", "zipp", "nearest: zip"),
    "too many builds": (["run", "--builds", "5000"], "bad-builds", "5000", "at most 1024"),
    "builds no number": (["run", "--builds", "x"], "usage", "x", "'--builds'"),
    "negative seed": (["run", "--seed", "-1"], "usage", "--seed", "-1"),
    "seeds backwards": (["run", "--seeds", "5:5"], "usage", "5:5", "0:200"),
    "unknown strategy": (["run", "--strategy", "rando"], "unknown-strategy", "rando", "nearest: random"),
    "a strategy of tokens": (["run", "--strategy", "replay"], "unknown-strategy", "replay", "known: sticky"),
    "depth of none": (["run", "--depth", "4"], "bad-depth", "4", "--depth 4 goes with --strategy pct, not 'sticky'"),
    "depth of another": (["run", "--strategy", "random", "--depth", "4"], "bad-depth", "4", "not 'random'"),
    "depth 0": (["run", "--strategy", "pct", "--depth", "0"], "usage", "--depth", "0"),
    "too deep": (["run", "--strategy", "pct", "--depth", "17"], "bad-depth", "17", "at most 16"),
    "strategy of real installs": (["run", "--tool", "build", "--strategy", "pct"], "usage", "pct", "--strategy"),
    "lock of real installs": (["run", "--tool", "pip==26.3", "--no-cache-lock"], "usage", "", "has its own locks"),
    "explore nothing": (["explore"], "usage", "", "SCENARIO"),
    "explore no scenario": (["explore", "issue-3151"], "unknown-scenario", "issue-3151", "nearest: issue-3515"),
    "explore no schedules": (["explore", "stress", "--schedules", "0"], "usage", "--schedules", "0"),
    "explore in no time": (["explore", "stress", "--budget", "0"], "usage", "", "--budget 0: a run needs some time"),
    "explore for ever": (["explore", "stress", "--budget", "long"], "usage", "long", "20ms"),
    "explore with a checkpoint of no name": (
        ["explore", "stress", "--strategy", "dpor", "--checkpoint", ""],
        "usage",
        "",
        "--checkpoint '': a file needs a name",
    ),
    "explore by no strategy": (["explore", "stress", "--strategy", "x"], "unknown-strategy", "x", "known: sticky"),
    "explore by almost dpor": (["explore", "stress", "--strategy", "dp"], "unknown-strategy", "dp", "nearest: dpor"),
    "explore by what it names": (
        ["explore", "stress", "--strategy", "x"],
        "unknown-strategy",
        "x",
        "known: sticky, random, pct, pos, portfolio, dpor",
    ),
    "explore by dpor, deeply": (
        ["explore", "stress", "--strategy", "dpor", "--depth", "3"],
        "bad-depth",
        "3",
        "--depth 3 goes with --strategy pct, not 'dpor'; leave out one of them",
    ),
    "explore deeply": (["explore", "stress", "--depth", "2"], "bad-depth", "2", "--strategy pct"),
    "explore one schedule": (
        ["explore", "stress", "--strategy", "round-robin"],
        "bad-strategy",
        "round-robin",
        "makes one schedule only",
    ),
    "explore a recorded one": (
        ["explore", "stress", "--strategy", "replay"],
        "unknown-strategy",
        "replay",
        "known: sticky",
    ),
    "seed and seeds": (["run", "--seed", "1", "--seeds", "0:2"], "usage", "", "exclude each other"),
    "trace of many": (["run", "--seeds", "0:2", "--trace", "t"], "usage", "t", "give --seed N"),
    "trace nowhere": (["run", "--trace", "/none/t"], "bad-trace", "/none/t", "No such file"),
    "watchdog": (["explore", "stress", "--watchdog", "soon"], "usage", "soon", "20ms"),
    "pace": (["run", "--pace", "fast"], "usage", "fast", "20ms"),
    "sandbox missing": (["run", "--sandbox", "/none"], "bad-sandbox", "/none", "--sandbox '/none'"),
    "no token": (["replay", "nonsense"], "bad-token", "nonsense", "neither a file nor a token"),
    "no token file": (["replay", "./none.json"], "bad-token", "./none.json", "is no file"),
    "no token given": (["replay"], "usage", "", "TOKEN|FILE"),
    "times": (["replay", "t", "--times", "0"], "usage", "--times", "0"),
    "unknown list": (["list", "cleanrs"], "unknown-kind", "cleanrs", "nearest: cleaners"),
    "unknown package": (["solo", "opentracin"], "unknown-package", "opentracin", "nearest: opentracing"),
    "package of no build": (["solo", "six"], "not-built", "six", "taken as a wheel"),
    "solo python": (["solo", "opentracing", "--python", "3.9"], "usage", "3.9", "3.11"),
    "clean a cache and its residue": (
        ["clean", "x", "--residue-only", "--remove-root"],
        "usage",
        "",
        "give one of them",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_told_in_one_line(cachestorm, name):
    arguments, kind, value, advice = CASES[name]

    result = cachestorm(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert advice in result.stderr
    assert result.stderr.startswith("cachestorm: ")

    if arguments[0] == "solo":
        return
    document = cachestorm(*arguments, "--json").document
    assert document["schema"] == "cachestorm/error/1"
    assert document["exit"] == 2
    assert document["kind"] == kind
    assert value in {document["value"], ""} or value in document["message"]
    assert advice in document["message"]


def test_three_mistakes_in_a_scenario_are_told_at_once(cachestorm, tmp_path):
    path = tmp_path / "three.toml"
    path.write_text(THREE_MISTAKES)
    result = cachestorm("run", path)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"cachestorm: {path}: ") for line in lines)
    assert {line.split(": ")[2] for line in lines} == {"storm.builds", "storm.protocol", "colour"}
    assert cachestorm("run", path, "--json").document["kind"] == "bad-scenario"


def test_a_damaged_token_is_told_from_none(cachestorm):
    token = str(Token("issue-3515", "0" * 8, 7, "", NO_TRACE))
    damaged = token.replace("s7", "s8")
    result = cachestorm("replay", damaged)
    assert result.exit_code == 2
    assert "damaged" in result.stderr


def test_a_token_of_other_options_names_both_digests(cachestorm):
    token = str(Token("issue-3515", "0" * 8, 7, "", NO_TRACE))
    result = cachestorm("replay", token, "--builds", "3", "--json")
    assert result.exit_code == 2
    assert result.document["kind"] == "divergence"
    assert result.document["value"] == token
    assert "00000000" in result.document["message"]
    assert "replay line" in result.document["message"]


def test_a_token_of_a_scenario_file_asks_for_the_file(cachestorm):
    result = cachestorm("replay", str(Token("mine", "0" * 8, 7, "", NO_TRACE)))
    assert result.exit_code == 2
    assert "--scenario" in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither one token nor a document"),
        ("one\ntwo\n", "neither one token nor a document"),
        ('{"schema": "cachestorm/error/1", "exit": 2}', "has no token"),
        ('{"token": null}', "has no token"),
        ('{"token": "x"}\n{"token": "y"}\n', "holds 2 documents"),
    ],
)
def test_a_file_without_one_token(cachestorm, tmp_path, text, told):
    path = tmp_path / "file"
    path.write_text(text)
    result = cachestorm("replay", path)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("text", ["no json", "[]", '{"step": 1}', b"\xff"])
def test_a_file_that_is_no_trace(cachestorm, tmp_path, text):
    path = tmp_path / "trace"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    token = cachestorm("run", "--builds", "0", "--json").document["token"]
    result = cachestorm("replay", token, "--builds", "0", "--against", path)
    assert result.exit_code == 2
    assert str(path) in result.stderr


def test_a_bug_of_ours_is_one_line_and_a_traceback_with_debug(cachestorm, monkeypatch):
    def broken(path):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(sys.modules["cache_core.auditing"], "audit", broken)
    result = cachestorm("audit", "x", "--json")
    assert result.exit_code == 70
    assert result.document["kind"] == "bug"
    assert len(result.stderr.splitlines()) == 1
    for arguments in (["--debug", "audit", "x"], ["audit", "x", "--debug"]):
        assert "Traceback" in cachestorm(*arguments).stderr


def test_too_little_space_is_refused(cachestorm, sandboxes, monkeypatch):
    from simulator.ground.sandbox import Ground

    monkeypatch.setattr("simulator.cli.ground.survey", lambda parent: Ground(is_tmpfs=True, free_bytes=1_000_000))
    result = cachestorm("run", "--sandbox", sandboxes, "--json")
    assert result.exit_code == 3
    assert result.document["kind"] == "space"
    assert "1.0 MB free" in result.document["message"]


def test_no_tmpfs_is_told_and_goes_on(cachestorm, sandboxes, mine, monkeypatch):
    from simulator.ground.sandbox import Ground

    monkeypatch.setattr("simulator.cli.ground.survey", lambda parent: Ground(is_tmpfs=False, free_bytes=10**9))
    result = cachestorm("run", mine, "--builds", "0", "--sandbox", sandboxes, "--json")
    assert result.exit_code == 0
    assert "10 to 40 times slower" in result.stderr


def test_modes_that_do_not_bite_are_refused(cachestorm, sandboxes, monkeypatch):
    monkeypatch.setattr("simulator.ground.confined.permission_bits_stop_us", lambda parent: False)
    result = cachestorm("run", "--sandbox", sandboxes, "--json")
    assert result.exit_code == 3
    assert result.document["kind"] == "privileges"


def test_a_caller_s_privileges_are_not_taken(cachestorm, monkeypatch):
    monkeypatch.setattr("simulator.cli.ground.holds_override_capabilities", lambda: True)
    result = cachestorm("run", "--json")
    assert result.exit_code == 3
    assert result.document["value"] == "capabilities"
