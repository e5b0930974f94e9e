"""Real storms, for tests: packages fetched once and kept, and who is still there afterwards."""

from __future__ import annotations

import os
import tempfile

import pytest
import trio

from cache_core.removal import remove_tree
from simulator.ground.sandbox import Sandbox, survey
from simulator.scenario_file import load_scenario
from simulator.tools.folder import VARIABLE, fetch, wanted_packages, wanted_toolchain
from simulator.tools.kinds import parse_tool
from simulator.tools.storm import RealStorms
from tests.support.sdists import make_sdist

TOOLCHAINS = ("setuptools-69.5.1", "setuptools-84.2.1")
SCENARIO = "issue-3515-loop"


def _quiet(line):
    del line


@pytest.fixture(scope="session")
def packages(pytestconfig, tools_store):
    """The folder of packages, in pytest's cache; every process that a test starts uses it too."""
    del tools_store
    folder = str(pytestconfig.cache.mkdir("packages"))
    wanted = wanted_packages(load_scenario(SCENARIO).packages)
    for toolchain in TOOLCHAINS:
        wanted += wanted_toolchain(toolchain)

    async def fill():
        for item in wanted:
            await fetch(folder, item, _quiet)

    trio.run(fill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, folder)
        yield folder


@pytest.fixture
def disk():
    """A directory on a disk, if there is one: a removal takes its time there, as in users' caches, and builds meet."""
    for parent in ("/var/tmp", tempfile.gettempdir(), os.getcwd()):
        if os.access(parent, os.W_OK | os.X_OK) and not survey(parent).is_tmpfs:
            break
    place = tempfile.mkdtemp(prefix="cachestorm-tests-", dir=parent)
    yield place
    remove_tree(place)


def storms(scenario, tool, ground, seeds, *, options=None, enough=None):
    """One report a seed, prepared once; ends at the first report that `enough` says yes to."""
    reports = []

    async def main():
        with Sandbox.create(ground) as sandbox:
            prepared = await RealStorms.prepare(scenario, parse_tool(tool), sandbox, options)
            for seed in seeds:
                reports.append(await prepared.run(seed))
                if enough is not None and enough(reports[-1]):
                    break

    trio.run(main)
    return reports


def misbehaving_sdist(directory, code):
    """A package whose setup script runs `code` first; its manifest can be read without running it."""
    setup = "import setuptools\nsetuptools.setup(name='some-name', version='1.0', py_modules=['some_module'])\n"
    egg_info = "some_name.egg-info"
    files = {
        "setup.py": f"{code}\n{setup}",
        "some_module.py": "x = 1\n",
        f"{egg_info}/PKG-INFO": "Metadata-Version: 2.1\nName: some-name\nVersion: 1.0\n",
        f"{egg_info}/SOURCES.txt": "some_module.py\n",
        f"{egg_info}/dependency_links.txt": "\n",
        f"{egg_info}/top_level.txt": "some_module\n",
    }
    return make_sdist(directory, files)


def processes_that_mention(text):
    """Command lines of live processes with `text` in their command line, environment or working directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            told = [_read(f"/proc/{pid}/{name}") for name in ("cmdline", "environ")]
            told.append(os.readlink(f"/proc/{pid}/cwd"))
        except OSError:
            continue
        if int(pid) != os.getpid() and any(text in part for part in told):
            found.append(told[0])
    return found


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().replace("\0", " ")
