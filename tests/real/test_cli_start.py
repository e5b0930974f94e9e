"""What the program loads before it does what was asked: start-up is part of the cleaner's speed."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HEAVY = {"anyio", "trio", "asyncio", "pydantic", "rich"}

# What the standard library has that is slow to load (docs/decisions/0013-start-up.md), and what loads that.
SLOW = {
    *("ast", "collections", "contextlib", "dataclasses", "difflib", "enum", "functools", "hashlib", "inspect", "json"),
    *("logging", "re", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "typing", "weakref"),
}

HELP = """
import sys
from simulator.cli.main import program
code = program.main(["--help"], standalone_mode=False)
print("loaded", code, *(name for name in sys.modules if name.partition(".")[0] == name), file=sys.stderr)
"""

# The console script's way: what it has loaded when the first entry goes, or is moved aside.
CLEAN = """
import sys
# What the environment loads in any program (a .pth file) is no affair of ours.
before = set(sys.modules)
at_first_removal = []
def watch(event, arguments):
    if event in ("os.remove", "os.rmdir", "os.rename") and not at_first_removal:
        at_first_removal.append(set(sys.modules) - before)
sys.addaudithook(watch)
from simulator.cli.entry import entry
sys.argv[1:] = ["clean", *sys.argv[1:]]
try:
    entry()
except SystemExit as ended:
    print("loaded", ended.code, *at_first_removal[0], file=sys.stderr)
"""


def loaded(code, *arguments):
    process = subprocess.run(
        # -B: what is written for the next start would be the first rename.
        [sys.executable, "-B", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    line = process.stderr.splitlines()[-1].split()
    assert line[:2] == ["loaded", "0"], process.stderr
    return set(line[2:])


def test_help_does_not_load_trio():
    modules = loaded(HELP)
    assert "click" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize(
    "options", [[], ["--json"], ["--verbose", "--timeout", "5s"], ["--residue-only"]], ids=" ".join
)
def test_clean_loads_nothing_heavy_before_its_first_unlink(tmp_path, options):
    cache = tmp_path / "cache"
    (cache / "entry" / "build" / "bdist.x").mkdir(parents=True)
    (cache / "entry" / "build" / "bdist.x" / "file").write_text("x")
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    modules = loaded(CLEAN, str(cache), *options)
    assert "cache_core.removal" in modules
    assert not modules & {*HEAVY, *SLOW, "click"}
    ours = {name for name in modules if name.startswith("simulator")}
    assert ours == OURS | ({"simulator.cli.listed"} if "--verbose" in options else set())
    assert not (cache / "entry" / "build" / "bdist.x").exists()


# Of the simulator, what reads the arguments and hears the signals: a module more is a decision.
OURS = {
    "simulator",
    "simulator.cli",
    "simulator.cli.clean_arguments",
    "simulator.cli.cleaning",
    "simulator.cli.durations",
    "simulator.cli.entry",
    "simulator.cli.signals",
    "simulator.cli.streams",
    "simulator.errors",
}
