"""Other interpreters, with this project's dependencies in an environment of their own."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

import virtualenv

ROOT = str(Path(__file__).parents[2])
PYENV_ROOT = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))


def find_interpreter(version):
    """Path of a CPython of this minor version that runs; None when there is none."""
    candidates = [
        shutil.which(f"python{version}"),
        *glob.glob(f"{PYENV_ROOT}/versions/{version}.*/bin/python{version}"),
    ]
    for candidate in filter(None, candidates):
        told = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.stdout.strip() == version:
            return candidate
    return None


def make_environment(place, interpreter, *packages):
    """A virtual environment at `place` with `packages`; made once, kept for later test runs."""
    python = f"{place}/bin/python"
    done = f"{place}/complete"
    if not os.path.exists(done):
        virtualenv.cli_run([str(place), "--python", interpreter, "--clear"], setup_logging=False)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True)
        with open(done, "w", encoding="ascii"):
            pass
    return python


def environment_for(version, cache):
    """The interpreter of an environment with the project's dependencies; None when the version is not installed.

    Args:
        version: e.g. ``3.12``.
        cache: pytest's cache, which keeps the environment.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    interpreter = find_interpreter(version)
    if interpreter is None:
        return None
    place = cache.mkdir("environments") / f"python{version}"
    return make_environment(place, interpreter, "--editable", ROOT, "pytest", "hypothesis")
