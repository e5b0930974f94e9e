"""A sandbox on a disk that fills up in the middle of a storm: the machine's fault, told in one line."""

import json
import subprocess
import sys

import pytest

from tests.support.real_storms import misbehaving_sdist, packages
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.usefixtures("packages")]

ENTRY = "from simulator.cli.main import entry; entry()"
# As much as it asks for before it starts, and a little more; two builds write more than that.
MEGABYTES = 68
FILL = """
import os
if not os.environ["HOME"].endswith("alone"):
    with open("filler", "wb") as file:
        for _ in range(60):
            file.write(b"x" * 1_000_000)
"""


def test_a_full_sandbox(tmp_path):
    place = tmp_path / "full"
    place.mkdir()
    sdist = misbehaving_sdist(tmp_path, FILL)
    run = ["run", "issue-3515-loop", "--tool", "build", "--package", sdist, "--protocol", "private", "--builds", "2"]
    mounted = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs {place} && "$@"; code=$?; ls -A {place} >&2; exit $code'
    command = ["unshare", "--mount", "sh", "-c", mounted, "sh", sys.executable, "-c", ENTRY, *run]
    done = subprocess.run([*command, "--sandbox", str(place), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["kind"] == "space"
    assert document["message"].startswith("the sandbox is full (build-")
    # The last line is the error: nothing was left to list after it.
    assert done.stderr.splitlines()[-1] == f"cachestorm: {document['message']}"
