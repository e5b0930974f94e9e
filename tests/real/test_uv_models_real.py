"""The models of uv's cleaners against the released programs: the same changes in the same order, the same end."""

import codecs
import errno
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cache_core.kernel import REAL
from simulator.actors.uv_cleaners import UV_CLEANERS, UvCleanError

STATES = runpy.run_path(str(Path(__file__).parents[1] / "unit/actors/test_uv_models.py"))["STATES"]

# Of the calls that change something, the real program's names, and what they are to us.
CHANGES = "mkdir,rmdir,unlink,unlinkat,chmod,openat,rename,renameat,renameat2,link"
CALL = re.compile(r'^\d+ +(\w+)\((?:AT_FDCWD, )?"([^"]*)"(.*)\) += (-?\d+)(?: (E\w+))?')

Change = tuple[str, str, int | None, str | None]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Released uvs, each in a directory of its own that later sessions use again."""
    assert shutil.which("strace"), "strace is what the real program is compared by: install it"
    found = {}
    for name in UV_CLEANERS:
        version = name.rpartition("-")[2]
        place = request.config.cache.mkdir(f"uv-{version}")
        program = Path(place) / "bin/uv"
        if not program.exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
            subprocess.run([*command, f"uv=={version}"], check=True)
        found[name] = program
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)
    subprocess.run(["rm", "-rf", *map(str, tmp_path.iterdir())], check=True)


def plain(path: str, root: str) -> str:
    """Relative to the cache's parent; temporary names as one."""
    return re.sub(r"\.tmp[^/]*", ".tmp", os.path.relpath(path, os.path.dirname(root)))


def real_changes(trace: str, root: str) -> list[Change]:
    changes: list[Change] = []
    for line in trace.splitlines():
        match = CALL.match(line)
        if match is None or not match[2].startswith(root) or (match[1] == "openat" and "O_CREAT" not in match[3]):
            continue
        call, escaped, rest, _, error = match.groups()
        path = codecs.decode(escaped, "unicode_escape")
        operation = {"unlinkat": "rmdir", "openat": "create"}.get(call, call)
        operation = "publish" if call.startswith("rename") else operation
        mode = int(rest.rpartition(" ")[2], 8) & 0o7777 if operation in {"mkdir", "chmod"} else None
        changes.append((operation, plain(path, root), mode, error))
    return changes


class Recorder:
    """The real kernel; notes the calls that change something."""

    def __init__(self, root: str) -> None:
        self.changes: list[Change] = []
        self._root = root

    def __getattr__(self, operation: str) -> Any:
        real = getattr(REAL, operation)
        if operation not in {"mkdir", "rmdir", "unlink", "chmod", "open", "link"}:
            return real

        def call(path: str, *arguments: Any, **keywords: Any) -> Any:
            # A temporary lock file is published by link and unlink where uv has a rename that replaces nothing.
            if (operation == "open" and not arguments[0] & os.O_CREAT) or ("/.tmp" in path and operation == "unlink"):
                return real(path, *arguments, **keywords)
            mode = arguments[0] if operation in {"mkdir", "chmod"} else None
            error = None
            try:
                return real(path, *arguments, **keywords)
            except OSError as failure:
                error = errno.errorcode[failure.errno or 0]
                raise
            finally:
                name = {"open": "create", "link": "publish"}.get(operation, operation)
                self.changes.append((name, plain(path, self._root), mode, error))

        return call


def run_real(program: Path, root: str, place: Path) -> tuple[int, str, str]:
    """Exit code, messages, trace."""
    trace = place / "trace"
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "UV_CACHE_DIR": root, "NO_COLOR": "1"}
    # Directories keep root out only without its capabilities.
    stripped = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = ["strace", "-f", "-s", "8192", "-e", f"trace={CHANGES}", "-o", str(trace), *stripped, str(program)]
    done = subprocess.run(
        [*command, "cache", "clean"], env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr, trace.read_text(errors="replace")


def run_model(name: str, root: str) -> tuple[int, str, list[Change]]:
    recorder = Recorder(root)
    try:
        UV_CLEANERS[name](recorder, root, "me")
    except UvCleanError as error:
        return 2, error.message, recorder.changes
    return 0, "", recorder.changes


def left(root: Path) -> list[tuple[str, int, int]]:
    """What is left, with types and modes."""
    rows: list[tuple[str, int, int]] = []
    if not root.exists():
        return rows
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        status = directory.stat()
        rows.append((str(directory.relative_to(root)), stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)))
        directory.chmod(0o700)
        for item in sorted(directory.iterdir()):
            if item.is_dir() and not item.is_symlink():
                waiting.append(item)
            else:
                status = item.lstat()
                rows.append((str(item.relative_to(root)), stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)))
    return sorted(rows)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", sorted(UV_CLEANERS))
def test_model_and_program_do_the_same(name: str, state: str, place: Path, programs: dict[str, Path]) -> None:
    make = STATES[state][0]
    ends = []
    for which in ("real", "model"):
        (place / which).mkdir()
        root = place / which / "cache"
        make(root)
        if which == "real":
            code, message, trace = run_real(programs[name], str(root), place)
            changes = real_changes(trace, str(root))
        else:
            code, message, changes = run_model(name, str(root))
        said = [re.sub(r"\.tmp[^/\"]*", ".tmp", line) for line in message.splitlines()]
        said = [line.replace(str(place / which), "").replace(str(place / which)[1:], "") for line in said]
        # The real one says first what it is about to do, and in the end what it did.
        said = [line for line in said if not line.startswith(("Clearing cache at", "Removed "))]
        outside = place / which / "outside"
        ends.append((code, said, changes, stat.S_IMODE(outside.stat().st_mode) if outside.exists() else None))
    real, model = ends
    assert model == real
    if state != "deep":  # its paths are too long to list
        assert left(place / "model/cache") == left(place / "real/cache")


def test_the_comparison_sees_a_difference() -> None:
    trace = (
        '12 unlink("/x/cache/a") = 0\n12 openat(AT_FDCWD, "/x/cache", O_RDONLY|O_DIRECTORY) = 3\n'
        '12 unlinkat(AT_FDCWD, "/x/cache/b", AT_REMOVEDIR) = -1 EACCES (Permission denied)\n'
        '12 chmod("/x/cache/b", 040700) = 0\n12 unlink("/y") = 0\n'
    )
    assert real_changes(trace, "/x/cache") == [
        ("unlink", "cache/a", None, None),
        ("rmdir", "cache/b", None, "EACCES"),
        ("chmod", "cache/b", 0o700, None),
    ]
