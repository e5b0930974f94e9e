"""Today's form of the race with the real pip: installs of one local directory that succeed and install nothing."""

from dataclasses import replace

import pytest

from simulator.scenario_file import load_scenario
from tests.support.real_storms import packages, storms
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]

# Measured: in 25 trials of four, 19 of 100 installs fail and 3 of the 81 others are empty. That four trials show
# nothing has a probability of 0.81 ** 16 = 3 %; twelve, of 4e-5.
TRIALS_MAX = 12


def is_hurt(report):
    return any(violation.oracle in {"build-hurt", "wheel-whole"} for violation in report.violations)


@pytest.mark.parametrize("toolchain", ["setuptools-84.2.1", "setuptools-69.5.1"])
def test_installs_of_one_directory_hurt_each_other(ground, toolchain):
    scenario = replace(load_scenario("pip-in-place"), toolchain=toolchain)
    reports = storms(scenario, "pip==26.3", ground, range(TRIALS_MAX), enough=is_hurt)
    report = reports[-1]
    assert is_hurt(report)
    assert report.as_expected
    # Nothing is published: what builds leave in the directory is all there is.
    assert all(tree.startswith("local/") for tree in report.residue.partial_trees)
    if toolchain == "setuptools-84.2.1":
        # Its chmod handler acts on Windows only.
        assert not any(report.residue.poisoned for report in reports)
    assert report.cleaners[0].ok


def test_one_install_alone_is_whole(ground):
    (report,) = storms(replace(load_scenario("pip-in-place"), builds=1), "pip==26.3", ground, [0])
    assert [build.outcome for build in report.builds] == ["ok"]
    assert report.violations == ()


def test_private_builds_never_meet(ground):
    """pip with an sdist builds in a directory of its own; its cleaner has nothing to empty but what is there."""
    loop = replace(load_scenario("issue-3515-loop"), builds=2, cleaners_after=("hardened",))
    (report,) = storms(loop, "pip==26.3", ground, [0])
    assert [build.outcome for build in report.builds] == ["ok", "ok"]
    assert report.violations == ()
    assert report.residue.partial_trees == ()
