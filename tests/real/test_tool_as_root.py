"""Started as full root, what a real build runs holds none of the capabilities that pass over permission bits."""

import json
import os
import subprocess
import sys

import pytest

from cache_core.privileges import OVERRIDE_CAPABILITIES
from tests.support.real_storms import misbehaving_sdist, packages
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.usefixtures("packages")]

ENTRY = "from simulator.cli.main import entry; entry()"
# Also of a program that the build executes: an exec by uid 0 gets what is in the bounding set.
TELL = "import os, subprocess\nsubprocess.run(['cp', '/proc/self/status', {path!r} + str(os.getpid())])"


def test_builds_and_what_they_execute(tmp_path):
    told = tmp_path / "told"
    told.mkdir()
    sdist = misbehaving_sdist(tmp_path, TELL.format(path=f"{told}/"))
    run = ["run", "issue-3515-loop", "--tool", "build", "--package", sdist, "--builds", "1", "--sandbox", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", ENTRY, *run, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["builds"][0]["outcome"] == "ok"
    assert os.listdir(told)
    for path in told.iterdir():
        status = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        for name in ("CapEff", "CapPrm", "CapAmb"):
            held = int(status[name], 16)
            assert not any(held >> number & 1 for number in OVERRIDE_CAPABILITIES), name
