"""Likeness, measured: real builds of real source distributions, beside the simulated ones.

Sizes and names are read from each sdist alone; nothing was taken from a build of it. Needs strace, and the index once:
what is downloaded is kept in pytest's cache.
"""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.likeness.fidelity import compare, from_tsv
from simulator.likeness.manifest import Archive
from simulator.tools.downloads import have
from simulator.tools.real_build import RealBuild, prepare, real_rows
from tests.support.command import cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

DATA = Path(__file__).parents[1] / "data"
SDISTS = json.loads((DATA / "sdists.json").read_text())
# The two that the report's time and today have; the table has further rows.
BOTH = ["setuptools-69.5.1", "setuptools-84.2.1"]
# Generous: it ends a build that hangs.
SECONDS_MAX = 120.0

TRACES = {
    "setuptools-69.5.1": "bdist-wheel-jaeger-client-4.3.0-setuptools-69.5.1-wheel-0.43.0.tsv",
    "setuptools-84.2.1": "bdist-wheel-jaeger-client-4.3.0-setuptools-84.2.1.tsv",
}


async def obtained(row):
    """Path of the archive of a row of sdists.json."""
    return await have(row["project"], Archive(row["filename"], 0, row["sha256"]))


async def real(archive, toolchain, ground):
    build = RealBuild(archive, toolchain, "3.11", SECONDS_MAX)
    with Sandbox.create(ground) as sandbox:
        made = await prepare(build, sandbox.path, print)
        return await real_rows(build, made, sandbox.path)


@pytest.mark.parametrize("sdist", SDISTS, ids=lambda row: row["project"])
def test_a_simulated_build_is_like_the_real_one(sdist, ground):
    archive = trio.run(obtained, sdist)

    def compared(toolchain):
        # A process each: two at a time take half as long.
        return cachestorm("solo", archive, "--compare", "--toolchain", toolchain, "--sandbox", str(ground))

    with ThreadPoolExecutor() as pool:
        for done in pool.map(compared, BOTH):
            assert done.returncode == 0, done.stdout + done.stderr
            assert ", ".join(re.findall(r"equal|same", done.stdout)) == "equal, same"
            (f1,) = re.findall(r"F1 +([\d.]+)", done.stdout)
            assert float(f1) >= 0.99


@pytest.mark.parametrize("toolchain", BOTH)
def test_what_is_straced_now_is_what_was_straced_then(toolchain, ground):
    archive = json.loads((DATA.parents[1] / "scenarios/packages/jaeger-client-4.3.0.json").read_text())["archive"]
    then = from_tsv((DATA / "traces" / TRACES[toolchain]).read_text())

    async def now():
        return await real(await have("jaeger-client", Archive(**archive)), toolchain, ground)

    comparison = compare(trio.run(now), then)
    assert comparison.f1 == 1.0, comparison
    assert comparison.exact_differences == 0
    assert comparison.phase_order_same


def test_the_sdists_have_different_shapes():
    assert len({row["project"] for row in SDISTS}) >= 10
    assert all(row["why"] for row in SDISTS)
    assert len({row["why"] for row in SDISTS}) == len(SDISTS)
    assert not [row for row in SDISTS if os.path.basename(row["filename"]) != row["filename"]]
