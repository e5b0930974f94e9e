"""Where the peers are: an interpreter that has them, or a throw-away virtualenv. They are no dependencies of ours."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile

PINS = {"frontrun": "0.7.0", "detangle": "0.1.0"}
INSTALL_SECONDS_MAX = 300
_ASK = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""


class UnavailableError(Exception):
    """The peers cannot be had; the message says why, in one line."""


@contextlib.contextmanager
def interpreter(given=None):
    """The path of a Python that has the peers, in the versions of `PINS`.

    Args:
        given: one that should; without it a virtualenv is made, and removed afterwards.

    Raises:
        UnavailableError: it has not, or none can be made.
    """
    if given is not None:
        check(given)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="cachestorm-peers-") as directory:
        run([sys.executable, "-m", "venv", directory], "no virtualenv can be made")
        python = f"{directory}/bin/python"
        wanted = [f"{name}=={version}" for name, version in PINS.items()]
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        run(pip, f"{' and '.join(wanted)} cannot be installed")
        check(python)
        yield python


def check(python):
    """Raises:
    UnavailableError: a peer is missing, or is another version.
    """
    found = json.loads(run([python, "-c", _ASK, *PINS], f"'{python}' does not start"))
    for name, version in PINS.items():
        if found.get(name) != version:
            raise UnavailableError(f"'{python}' has {name} {found.get(name, '(none)')}, and {version} is compared")


def run(command, otherwise):
    """What a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{otherwise}: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise UnavailableError(f"{otherwise}: {lines[-1]}")
    return done.stdout
