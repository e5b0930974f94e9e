"""The fast way to `clean` and click's way do and say the same."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cache_core import clean_sync
from cache_core.crew import ALONE
from cache_core.layout import TAG_TEXT
from simulator.cli import cleaning
from simulator.cli.main import program

pytestmark = pytest.mark.slow

WAYS = ("entry", "main")
# Generous: it is there to end a test that hangs.
SECONDS_MAX = 60

# The module of each way, the path of the cache, and what the cleaner is made to raise in place of working.
RAISING = """
import sys
from cache_core import cleaner
from cache_core.errors import *
def broken(*arguments, **keywords):
    raise {error}
cleaner.clean_sync = broken
from simulator.cli.{way} import entry
entry()
"""


def start(way, arguments, code="from simulator.cli.{way} import entry; entry()", **keywords):
    return subprocess.run(
        [sys.executable, "-c", code.format(way=way, **keywords), "clean", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )


def make_cache(root):
    (root / "entry" / "build" / "bdist.x").mkdir(parents=True)
    (root / "entry" / "build" / "bdist.x" / "file").write_text("x")
    (root / "whole").mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    (root / "entry" / "build" / "bdist.x").chmod(0o300)


def told(done, top):
    """What was said, without what differs between any two runs."""
    text = re.sub(r"\d+\.\d+ s\b", "S s", done.stdout.replace(str(top), "TOP"))
    documents = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    for document in documents:
        document.get("report", document).pop("seconds", None)
    words = [line for line in text.splitlines() if not line.startswith("{")]
    # Where a signal strikes before its handler is there, click begins a new line.
    return done.returncode, words, documents, done.stderr.replace(str(top), "TOP").lstrip("\n")


# What is given, and the exit code.
LINES = [
    ("cache", 0),
    ("cache --json", 0),
    ("cache --verbose", 0),
    ("cache --dry-run", 1),
    ("cache --dry-run --json --verbose", 1),
    ("cache --residue-only --json", 0),
    ("cache --remove-root --force --untagged", 0),
    ("--timeout=2s cache", 0),
    ("cache --timeout 1m --json", 0),
    ("link", 2),
    ("link --json", 2),
    ("link --follow-root", 0),
    ("file --json", 2),
    ("none", 0),
    ("untagged", 2),
    ("/ --untagged --json", 2),
    # These the fast way leaves to click.
    ("", 2),
    ("cache other", 2),
    ("cache --jsn", 2),
    ("cache --timeout", 2),
    ("cache --timeout soon --json", 2),
    ("cache --residue-only --dry-run", 2),
    ("cache --help", 0),
    ("--debug cache", 0),
    ("-- cache", 0),
]


@pytest.mark.parametrize(("line", "code"), LINES)
def test_both_ways_say_the_same(tmp_path, line, code):
    said = []
    for way in WAYS:
        top = tmp_path / way
        make_cache(top / "cache")
        (top / "link").symlink_to("cache")
        (top / "file").write_text("x")
        (top / "untagged" / "letters").mkdir(parents=True)
        arguments = [f"{top}/{word}" if word.isalpha() else word for word in line.split()]
        done = start(way, [word.replace(f"{top}/soon", "soon") for word in arguments])
        assert done.returncode == code, done.stderr
        said.append((*told(done, top), sorted(os.listdir(top)), sorted(os.listdir(top / "cache")) if code else None))
        staging = top / "cache" / "entry" / "build" / "bdist.x"
        if staging.exists():
            assert staging.stat().st_mode & 0o777 == 0o300
            staging.chmod(0o700)
    assert said[0] == said[1]


ERRORS = {
    "CacheInUseError('/c', 'is held', 'wait')": 1,
    "SurroundingsError('/c', OSError(24, 'Too many open files'))": 1,
    "UnreadableRootError('/c', OSError(13, 'Permission denied'))": 1,
    "MountedRootError('/c', 'is a mount point', 'leave it')": 2,
    "PrivilegeError('/c', 'cannot', 'try')": 3,
    "KeyboardInterrupt": 130,
    "RuntimeError('ours')": 70,
    "OSError(28, 'No space left on device')": 3,
    "BrokenPipeError(32, 'Broken pipe')": 141,
    "OSError(5, 'Input/output error')": 70,
}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(("error", "code"), ERRORS.items())
def test_both_ways_say_the_same_of_what_is_raised(error, code, options):
    said = [told(start(way, ["/c", *options], RAISING, error=error), "/c") for way in WAYS]
    assert said[0] == said[1]
    assert said[0][0] == code
    assert "Traceback" not in said[0][3]


SIGNALLED = """
import os, signal
from simulator.cli import listed
told = listed.Listing.removed
def struck(listing, path):
    told(listing, path)
    os.kill(os.getpid(), {number})
listed.Listing.removed = struck
from simulator.cli.{way} import entry
entry()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_both_ways_say_the_same_of_a_signal(tmp_path, number):
    said = []
    for way in WAYS:
        top = tmp_path / way
        make_cache(top / "cache")
        done = start(way, [f"{top}/cache", "--verbose", "--json"], SIGNALLED, number=int(number))
        said.append(told(done, top))
        assert clean_sync(str(top / "cache")).empty
    assert said[0] == said[1]
    assert said[0][0] == 128 + number
    assert said[0][2][-1]["report"]["path"] == "TOP/cache"


HELPED = """
from simulator.cli import cleaning
def told(path, *, crew, fence, **others):
    raise RuntimeError(f"{{type(crew).__name__}} {{type(fence).__name__}}")
cleaning.clean_sync = told
from simulator.cli.{way} import entry
entry()
"""


@pytest.mark.parametrize("way", WAYS)
def test_the_command_has_workers_and_a_fence(way):
    assert "Forked LandlockFence" in start(way, ["/c"], HELPED).stderr


def test_a_process_that_is_not_its_own_is_neither_forked_nor_fenced(monkeypatch):
    seen = {}
    monkeypatch.setattr(cleaning, "clean_sync", lambda path, **others: seen.update(others) or clean_sync(path))
    assert CliRunner().invoke(program, ["clean", "/none"]).exit_code == 0
    assert (seen["crew"], seen["fence"]) == (ALONE, None)
