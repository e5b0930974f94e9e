"""One PEP 517 build of a wheel, and nothing else: ``python -m simulator.tools.pep517_build SOURCE PYTHON OUTPUT``.

`build.ProjectBuilder` makes OUTPUT and calls the hook `build_wheel` of the back end in PYTHON's environment, once: no
`get_requires`, no metadata first, so that a trace of it is a trace of one build. The back end gets our environment
variables but for PYTHONPATH, which would put our own libraries before its own. Exit 0: built.
"""

from __future__ import annotations

import os
import sys

from build import BuildBackendException, BuildException, ProjectBuilder

_UMASK = 0o022


def main(source: str, python: str, output: str) -> str | None:
    """Build; returns why not."""
    os.umask(_UMASK)
    os.environ.pop("PYTHONPATH", None)
    try:
        ProjectBuilder(source, python_executable=python).build("wheel", output)
    except (BuildException, BuildBackendException) as error:
        # What the back end said is printed already.
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
