"""What the program loads before it does what was asked: start-up is part of the cleaner's speed."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HEAVY = {"anyio", "trio", "asyncio", "pydantic", "rich"}

HELP = """
import sys
from simulator.cli.main import program
code = program.main(["--help"], standalone_mode=False)
print("loaded", code, *(name for name in sys.modules if name.partition(".")[0] == name), file=sys.stderr)
"""

CLEAN = """
import sys
at_first_removal = []
def watch(event, arguments):
    if event in ("os.remove", "os.rmdir", "os.rename") and not at_first_removal:
        at_first_removal.append(list(sys.modules))
sys.addaudithook(watch)
from simulator.cli.main import program
code = program.main(["clean", sys.argv[1]], standalone_mode=False)
print("loaded", code, *at_first_removal[0], file=sys.stderr)
"""


def loaded(code, *arguments):
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    line = process.stderr.splitlines()[-1].split()
    assert line[:2] == ["loaded", "0"], process.stderr
    return set(line[2:])


def test_help_does_not_load_trio():
    modules = loaded(HELP)
    assert "click" in modules
    assert not modules & HEAVY


def test_clean_loads_nothing_heavy_before_its_first_unlink(tmp_path):
    cache = tmp_path / "cache"
    (cache / "entry").mkdir(parents=True)
    (cache / "entry" / "file").write_text("x")
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    modules = loaded(CLEAN, str(cache))
    assert "cache_core.removal" in modules
    assert not modules & HEAVY
    assert not any(name.startswith("simulator.orchestrator") for name in modules)
    assert not (cache / "entry").exists()
