"""One question to a back end: ``python -m simulator.tools.pep517_requires SOURCE PYTHON ANSWER``.

Writes to the file ANSWER, as a JSON list, what the back end requires to build a wheel of SOURCE beside what
pyproject.toml lists. It runs in PYTHON's environment, and the setup script with it. Exit 0: answered.
"""

from __future__ import annotations

import json
import os
import sys

from build import BuildBackendException, BuildException, ProjectBuilder


def main(source: str, python: str, answer: str) -> str | None:
    """Ask; returns why there is no answer."""
    # It would put our own libraries before the back end's.
    os.environ.pop("PYTHONPATH", None)
    try:
        required = ProjectBuilder(source, python_executable=python).get_requires_for_build("wheel")
    except (BuildException, BuildBackendException) as error:
        return str(error)
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(sorted(required), stream)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
