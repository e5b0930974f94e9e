"""Ctrl-C and its kin in the middle of a big cleaning: what was done is said, modes are put back, a new run ends it."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from cache_core.layout import TAG_TEXT

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()"]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# Generous: it is there to end a test that hangs.
SECONDS_MAX = 60
# Listed, they are much more than a pipe takes (64 KiB): the program cannot be done before somebody reads.
FILES = 8_000


@pytest.fixture
def cache(tmp_path):
    """A tagged cache: one poisoned directory with all the files in it."""
    root = tmp_path / "cache"
    staging = root / "entry" / "wheel"
    staging.mkdir(parents=True)
    for number in range(FILES):
        (staging / f"a-name-of-some-length-{number}").touch()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    staging.chmod(0o200)
    return root


def interrupted(cache, number, *options):
    """Start, read the first path that went, strike, read the rest: process, lines of stdout and of stderr."""
    process = subprocess.Popen(
        [*PROGRAM, "clean", str(cache), "--verbose", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Reading a line must not read more, which `communicate` would not give back.
        bufsize=0,
        start_new_session=True,
    )
    stream = process.stderr if "--json" in options else process.stdout
    lines = stream.readline() + stream.readline()
    process.send_signal(number)
    out, errors = process.communicate(timeout=SECONDS_MAX)
    listed = (lines + (errors if "--json" in options else out)).decode().splitlines()
    return process, listed, out.decode(), errors.decode()


def assert_shut_again(cache, done):
    """The poisoned directory is there, with what is left in it and with its mode; nobody holds the lock."""
    (wheel,) = [f"{parent}/wheel" for parent, directories, _ in os.walk(cache) if "wheel" in directories]
    assert os.stat(wheel).st_mode & 0o777 == 0o200
    os.chmod(wheel, 0o700)
    assert len(os.listdir(wheel)) == FILES - done > 0
    os.chmod(wheel, 0o200)
    with open(cache / ".lock") as lock:
        # BlockingIOError: somebody still holds it.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_text_says_what_was_done(cache, number):
    process, listed, _, errors = interrupted(cache, number)
    assert process.returncode == 128 + number
    (line,) = errors.splitlines()
    said = re.fullmatch(
        rf"cachestorm: interrupted by {number.name} after ([\d,]+) files? and 0 directories \(.*\) were removed;"
        " run it again to finish",
        line,
    )
    done = int(said[1].replace(",", ""))
    assert len([path for path in listed if path.startswith("entry/wheel/")]) == done
    assert_shut_again(cache, done)
    again = subprocess.run([*PROGRAM, "clean", str(cache)], capture_output=True, text=True, check=True)
    assert again.stdout.startswith(f"cache is empty; removed {FILES - done:,} files and ")


@pytest.mark.parametrize("number", SIGNALS)
def test_the_document_has_the_report_so_far(cache, number):
    process, listed, out, _ = interrupted(cache, number, "--json")
    assert process.returncode == 128 + number
    document = json.loads(out)
    assert (document["schema"], document["exit"]) == ("cachestorm/error/1", 128 + number)
    assert (document["kind"], document["value"]) == ("interrupted", number.name)
    assert listed[-1] == f"cachestorm: {document['message']}"
    report = document["report"]
    assert (report["path"], report["empty"]) == (str(cache), False)
    done = report["files_removed"]
    assert len([path for path in listed if path.startswith("entry/wheel/")]) == done
    assert_shut_again(cache, done)
    assert [left["errno"] for left in report["left"]] == ["ECANCELED"]


def test_a_wait_for_a_lock_is_interrupted(cache):
    with open(cache / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        process = subprocess.Popen(
            [*PROGRAM, "clean", str(cache), "--json", "--timeout", "1h"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert "waiting for " in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=SECONDS_MAX)
    document = json.loads(out)
    assert (process.returncode, document["kind"]) == (130, "interrupted")
    assert (document["report"]["files_removed"], document["report"]["lock"]) == (0, "none")
    assert_shut_again(cache, 0)
