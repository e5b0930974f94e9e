"""Started as full root, the program puts itself under the permission bits; `clean` and `audit` keep what they have."""

import json
import os
import signal
import subprocess
import sys

import pytest

from cache_core.privileges import OVERRIDE_CAPABILITIES

pytestmark = [pytest.mark.root, pytest.mark.slow]

PROGRAM = [sys.executable, "-c", "from simulator.cli.main import entry; entry()"]
NOBODY = 65534
SECONDS_MAX = 60


# Root as some containers have it: it may pass over permission bits, but not shrink its bounding set.
WITHOUT_SETPCAP = ("setpriv", "--bounding-set=-setpcap")

# Confined, what does a program that it executes hold? "dropped": by somebody who lost the three capabilities before,
# but not the bounding set from which an exec gives them back to uid 0.
EXECUTED = """
import os, sys
from cache_core.privileges import drop_override_capabilities
from simulator.ground.confined import confine
if sys.argv[1] == "dropped":
    drop_override_capabilities()
if sys.argv[2] == "confined":
    status = confine()
    if status is not None:
        sys.exit(status)
os.execvp("cat", ["cat", "/proc/self/status"])
"""


def start(*arguments, prefix=()):
    return subprocess.Popen(
        [*prefix, *PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def assert_nothing_is_left(process, sandboxes):
    assert os.listdir(sandboxes) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_root_reproduces_the_poison(tmp_path):
    process = start("demo", "--json", "--sandbox", str(tmp_path))
    out, errors = process.communicate(timeout=SECONDS_MAX)
    document = json.loads(out)
    assert document["residue"]["poisoned"], errors
    assert document["cleaners"][0]["ok"] is False
    assert_nothing_is_left(process, tmp_path)

    # The token is the same that an ordinary user gets, and root replays it.
    replayed = start("replay", document["token"], "--json", "--sandbox", str(tmp_path))
    out, errors = replayed.communicate(timeout=SECONDS_MAX)
    assert replayed.returncode == 1, errors
    assert json.loads(out)["residue"] == document["residue"]


def test_root_s_exit_codes_come_through(tmp_path):
    for arguments, code in ((["--builds", "0"], 0), (["--builds", "0", "--cleaner", "none"], 2)):
        process = start("run", *arguments, "--sandbox", str(tmp_path))
        process.communicate(timeout=SECONDS_MAX)
        assert process.returncode == code


def executed(prefix, *arguments):
    """What /proc says of a program that was executed."""
    command = [*prefix, sys.executable, "-c", EXECUTED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS_MAX)
    return dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)


def overrides(status):
    """Which of the three capabilities are in the effective, permitted and bounding sets."""
    mask = sum(1 << number for number in OVERRIDE_CAPABILITIES)
    return [int(status[name], 16) & mask for name in ("CapEff", "CapPrm", "CapBnd")]


@pytest.mark.parametrize("before", ["whole", "dropped"])
def test_what_a_confined_process_executes_regains_nothing(before):
    # Where nobody confines it, it does: the test would notice.
    assert all(overrides(executed((), before, "free")))
    assert all(overrides(executed(WITHOUT_SETPCAP, before, "free")))

    emptied = executed((), before, "confined")
    assert overrides(emptied) == [0, 0, 0]
    assert emptied["NoNewPrivs"] == "0"

    held = executed(WITHOUT_SETPCAP, before, "confined")
    assert overrides(held)[:2] == [0, 0]
    assert held["NoNewPrivs"] == "1"


def test_root_that_cannot_shrink_its_bounding_set_runs_all_the_same(tmp_path):
    process = start("run", "--builds", "1", "--json", "--sandbox", str(tmp_path), prefix=WITHOUT_SETPCAP)
    out, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, errors
    assert json.loads(out)["empty"] is True
    assert_nothing_is_left(process, tmp_path)

    doctor = start("doctor", "--json", "--sandbox", str(tmp_path), prefix=WITHOUT_SETPCAP)
    out, _ = doctor.communicate(timeout=SECONDS_MAX)
    assert doctor.returncode == 0
    assert json.loads(out)["possible"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_parent_hands_a_signal_on(tmp_path, number):
    process = start("run", "--seeds", "0:100000", "--json", "--sandbox", str(tmp_path))
    process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 128 + number
    assert json.loads(out.splitlines()[-1])["kind"] == "interrupted"
    assert_nothing_is_left(process, tmp_path)


def test_the_child_goes_with_its_parent(tmp_path):
    process = start("run", "--seeds", "0:100000", "--json", "--sandbox", str(tmp_path))
    process.stdout.readline()
    process.kill()
    # The end of the output is the end of whoever could write it: the child.
    out, errors = process.communicate(timeout=SECONDS_MAX)
    assert json.loads(out.splitlines()[-1])["value"] == "SIGTERM"
    assert "interrupted by SIGTERM" in errors
    assert os.listdir(tmp_path) == []


def test_clean_drops_nothing_and_empties_another_user_s_cache(tmp_path):
    cache = tmp_path / "cache"
    (cache / "entry").mkdir(parents=True)
    (cache / "entry" / "file").write_text("x")
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    for path in (cache / "entry" / "file", cache / "entry", cache):
        os.chown(path, NOBODY, NOBODY)
    (cache / "entry").chmod(0o200)
    audited = start("audit", str(cache), "--json")
    assert json.loads(audited.communicate(timeout=SECONDS_MAX)[0])["files"] == 1
    cleaned = start("clean", str(cache), "--json")
    out, errors = cleaned.communicate(timeout=SECONDS_MAX)
    assert cleaned.returncode == 0, errors
    assert json.loads(out)["empty"] is True


def test_doctor_says_that_root_can_run(tmp_path):
    process = start("doctor", "--json", "--sandbox", str(tmp_path))
    out, _ = process.communicate(timeout=SECONDS_MAX)
    findings = {item["name"]: item for item in json.loads(out)["findings"]}
    assert process.returncode == 0
    assert "a run drops that" in findings["capabilities"]["value"]
    assert findings["permission bits"]["ok"]
