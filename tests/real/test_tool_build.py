"""`--tool build`, on packages that misbehave: whatever a build does, it has an end, and nothing outlives it."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.support.command import cachestorm
from tests.support.real_storms import misbehaving_sdist, packages, processes_that_mention
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]

PROGRAM = [sys.executable, "-c", "from simulator.cli.main import entry; entry()"]
# Generous: they are there to end a test that hangs.
SECONDS_MAX = 120

IN_STORM = "import os, sys, time, subprocess\nin_storm = not os.environ['HOME'].endswith('alone')\n"
SECOND = "second = os.environ['HOME'].endswith('build-2')\n"
HANG = "time.sleep(600)"
# Each in a session of its own, and with an environment of its own, which does not name the sandbox; its parent goes.
DAEMON = (
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}], start_new_session=True,"
    " env={{}}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
)


@pytest.fixture
def sandboxes(tmp_path):
    place = tmp_path / "sandboxes"
    place.mkdir()
    yield place
    assert os.listdir(place) == []
    assert processes_that_mention(str(place)) == []


def run(sandboxes, sdist, *options):
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", "build", "--package", sdist, "--sandbox", str(sandboxes), *options, "--json"
    )
    return done, json.loads(done.stdout)


def test_a_package_that_behaves(sandboxes, tmp_path):
    done, document = run(sandboxes, misbehaving_sdist(tmp_path, ""), "--builds", "2", "--protocol", "private")
    assert done.returncode == 0, done.stderr
    assert [build["outcome"] for build in document["builds"]] == ["ok", "ok"]
    assert document["violations"] == []


@pytest.mark.parametrize("protocol", ["shared", "entry-lock", "private", "in-place"])
def test_the_protocols_are_those_of_the_simulation(sandboxes, protocol):
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", "build", "--protocol", protocol, "--builds", "4", "--sandbox",
        str(sandboxes), "--json", "--cleaner", "hardened",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert document["empty"]
    if protocol in {"entry-lock", "private"}:
        assert [build["outcome"] for build in document["builds"]] == ["ok"] * 4
        assert document["violations"] == []
        assert document["residue"]["poisoned"] == []


def test_a_build_that_hangs_alone_is_told(sandboxes, tmp_path):
    sdist = misbehaving_sdist(tmp_path, f"{IN_STORM}{HANG}")
    done, document = run(sandboxes, sdist, "--timeout", "3s")
    assert done.returncode == 2
    assert document["kind"] == "timeout"
    assert done.stderr.splitlines()[-1] == (
        "cachestorm: build cannot install some-name==1.0, even alone: it did not end within 3 s; give it more with"
        " --timeout"
    )


def test_a_build_that_hangs_beside_others_is_killed_with_all_its_group(sandboxes, tmp_path):
    mark = f"{tmp_path}/of-the-group"
    child = f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}])"
    sdist = misbehaving_sdist(tmp_path, f"{IN_STORM}{SECOND}if second:\n  {child}\n  {HANG}")
    done, document = run(sandboxes, sdist, "--timeout", "8s", "--builds", "2", "--protocol", "private")
    assert done.returncode == 0, done.stderr
    first, second = document["builds"]
    assert (first["outcome"], second["outcome"]) == ("ok", "failed")
    assert second["error"]["type"] == "Timeout"
    (violation,) = document["violations"]
    assert violation["sentence"].endswith("with Timeout; alone it succeeds")
    assert processes_that_mention(mark) == []


def test_daemons_do_not_outlive_the_run(sandboxes, tmp_path):
    mark = f"{tmp_path}/of-a-daemon"
    sdist = misbehaving_sdist(tmp_path, IN_STORM + DAEMON.format(mark=mark))
    done, document = run(sandboxes, sdist, "--builds", "2", "--protocol", "private")
    assert done.returncode == 0, done.stderr
    assert [build["outcome"] for build in document["builds"]] == ["ok", "ok"]
    assert processes_that_mention(mark) == []


def test_a_package_that_fails_alone_is_no_race(sandboxes, tmp_path):
    sdist = misbehaving_sdist(tmp_path, "raise SystemExit('error: no compiler today')")
    done, document = run(sandboxes, sdist)
    assert (done.returncode, document["kind"], document["value"]) == (2, "fails-alone", "some-name==1.0")
    assert document["message"].startswith("build cannot install some-name==1.0, even alone: ")


def test_a_full_disk_is_the_machine_s_fault(sandboxes, tmp_path):
    """In the words of the real thing; `test_tool_full` has a disk that is full."""
    sdist = misbehaving_sdist(tmp_path, f"{IN_STORM}if in_storm: raise OSError(28, 'No space left on device')")
    done, document = run(sandboxes, sdist, "--builds", "2")
    assert (done.returncode, document["kind"]) == (3, "space")
    assert document["message"].startswith("the sandbox is full (build-")


def test_too_small_a_place_is_refused_before_anything_starts(sandboxes):
    done = cachestorm("run", "--tool", "build", "--builds", "1024", "--sandbox", str(sandboxes), "--json")
    free = os.statvfs(sandboxes).f_bavail * os.statvfs(sandboxes).f_frsize
    needed = 1024 * (3 * 8 + 3 * 4) * 1024 * 1024
    assert free < needed, "this test needs a smaller place"
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (3, "space")


def test_stall_and_kill(sandboxes):
    """One stands still until the other is through; one is killed."""
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", "build", "--builds", "3", "--protocol", "private", "--fault",
        "build-1:prepare:stall", "--fault", "build-2:look-up:kill", "--sandbox", str(sandboxes), "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [build["outcome"] for build in document["builds"]] == ["ok", "killed", "ok"]


def test_one_that_stands_still_with_a_lock_goes_on_when_the_others_wait_for_it(sandboxes):
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", "build", "--builds", "3", "--protocol", "entry-lock", "--timeout", "60s",
        "--fault", "build-1:prepare:stall", "--fault", "build-2:prepare:stall", "--sandbox", str(sandboxes), "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [build["outcome"] for build in document["builds"]] == ["ok"] * 3


def test_a_report_for_people(sandboxes, tmp_path):
    sdist = misbehaving_sdist(tmp_path, "")
    options = ["--package", sdist, "--builds", "2", "--protocol", "private", "--sandbox", str(sandboxes)]
    done = cachestorm("run", "issue-3515-loop", "--tool", "build", *options)
    assert done.returncode == 0
    assert "seed 3, 2 builds, real installs by build, toolchain setuptools-69.5.1" in done.stdout
    assert re.search(r"^build +outcome +phase +seconds +error$", done.stdout, re.MULTILINE)
    assert re.search(r"^build-2 +ok +install +[0-9]+\.[0-9]$", done.stdout, re.MULTILINE)
    assert not re.search(r"token|replay|steps", done.stdout)
    assert re.search(r"^  build-1 ends in install after [0-9.]+ s$", done.stderr, re.MULTILINE)
    many = cachestorm("run", "issue-3515-loop", "--tool", "build", *options, "--seeds", "0:2")
    assert many.stdout.splitlines()[1].startswith("seed 1: 2 ok, 0 failed, 0 killed; 0 poisoned")
    assert many.stdout.splitlines()[1].endswith("; real installs by build")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["alone", "the storm"])
def test_a_signal_ends_all_of_it(sandboxes, tmp_path, number, moment):
    mark = f"{tmp_path}/of-a-daemon"
    started = tmp_path / "started"
    os.mkfifo(started)
    when = "not in_storm" if moment == "alone" else "in_storm"
    tell = f"open({str(started)!r}, 'w').write('x')"
    sdist = misbehaving_sdist(tmp_path, f"{IN_STORM}if {when}:\n  {DAEMON.format(mark=mark)}\n  {tell}\n  {HANG}")
    command = ["run", "issue-3515-loop", "--tool", "build", "--package", sdist, "--sandbox", str(sandboxes)]
    process = subprocess.Popen(
        [*PROGRAM, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with open(started) as fifo:
        assert fifo.read(1) == "x"
        process.send_signal(number)
        out, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 128 + number, errors
    assert errors.splitlines()[-1].startswith(f"cachestorm: interrupted by {number.name}")
    assert out == ""
    assert processes_that_mention(mark) == []
