"""Run the suite as two processes beside each other: what is slow waits for other programs, or has one core.

`python tests/side_by_side.py [PYTEST-OPTION ...]`. The output of the first half comes as it is made, that of the second
after it. Ends with the worse of the two exit codes. A folder that nobody has put into the first half is in the second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FIRST = ("real",)


def halves(here=HERE):
    """Two lists of folders: all that hold tests, each once."""
    folders = sorted({test.relative_to(here).parts[0] for test in here.glob("*/**/test_*.py")})
    return [name for name in folders if name in FIRST], [name for name in folders if name not in FIRST]


def main(options):
    first, second = ([str(HERE / name) for name in half] for half in halves())
    pytest = [sys.executable, "-m", "pytest", *options]
    with tempfile.TemporaryFile() as kept, subprocess.Popen([*pytest, *second], stdout=kept, stderr=kept) as other:
        try:
            code = subprocess.call([*pytest, *first])
        except BaseException:
            other.terminate()
            raise
        code = max(code, other.wait())
        kept.seek(0)
        sys.stdout.buffer.write(kept.read())
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
