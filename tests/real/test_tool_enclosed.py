"""Nobody's real cache is touched: neither read, nor written, nor named to a tool."""

import json
import os

import pytest
import trio

from simulator.tools.environments import environment, toolchain_requirements
from tests.support.command import cachestorm
from tests.support.real_storms import misbehaving_sdist, packages
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]

CANARIES = [
    ".cache/uv/x",
    ".cache/pip/x",
    ".config/pip/pip.conf",
    ".config/uv/uv.toml",
    ".pydistutils.cfg",
    ".pip/pip.conf",
]
# Would end any tool that reads it.
NONSENSE = "this is [no configuration\n"
TELL = """
import json, os, pwd
with open({path!r} + str(os.getpid()), "w") as file:
    json.dump(dict(os.environ), file)
"""


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    for name in CANARIES:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NONSENSE)
        os.utime(path, ns=(1, 1))
    return place


def look(place):
    """Every file with its times: a read would change one, where the file system keeps such times."""
    found = {}
    for path in sorted(place.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_size, status.st_atime_ns * path.is_file())
    return found


@pytest.fixture
def tools():
    """Have them beforehand: what is downloaded is downloaded with the user's own settings."""
    for requirements in (["uv==0.1.42"], ["pip==26.3"], ["pip==26.3", *toolchain_requirements("setuptools-69.5.1")]):
        trio.run(environment, requirements)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("tool", ["uv==0.1.42", "pip==26.3"])
def test_a_home_full_of_canaries(home, tmp_path, tool):
    caches = {"UV_CACHE_DIR": str(home / ".cache/uv"), "PIP_CACHE_DIR": str(home / ".cache/pip")}
    variables = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **caches}
    before = look(home)
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", tool, "--builds", "2", "--sandbox", str(tmp_path), "--cleaner", tool,
        "--cleaner", "hardened", "--json", environment=variables,
    )  # fmt: skip
    assert json.loads(done.stdout)["schema"] == "cachestorm/run/1", done.stderr
    assert look(home) == before


def test_what_a_build_is_told(tmp_path):
    """The variables that its own setup script sees."""
    told = tmp_path / "told"
    told.mkdir()
    sdist = misbehaving_sdist(tmp_path, TELL.format(path=f"{told}/"))
    secrets = {"SECRET_TOKEN": "do not tell", "PIP_INDEX_URL": "https://example.invalid", "UV_LINK_MODE": "copy"}
    done = cachestorm(
        "run", "issue-3515-loop", "--tool", "build", "--package", sdist, "--builds", "1", "--sandbox", str(tmp_path),
        environment=secrets,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [json.loads(path.read_text()) for path in told.iterdir()]
    assert len(seen) >= 2
    for variables in seen:
        assert not secrets.keys() & variables.keys()
        for name in ("HOME", "TMPDIR", "UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME"):
            assert f"{tmp_path}/cachestorm-" in variables[name]
