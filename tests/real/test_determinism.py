"""Same seed, same run: in another process, directory and sandbox, with other hashes, another Python, another user."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.support.command import ROOT, cachestorm, document
from tests.support.interpreters import environment_for

pytestmark = pytest.mark.slow

RUNS = [("issue-3515", 3), ("issue-3515-loop", 1), ("stress", 2)]
VERSIONS = ("3.11", "3.12", "3.13")


def told(scenario, seed, *arguments, **options):
    return document("run", scenario, "--seed", str(seed), *arguments, **options)


@pytest.fixture(scope="module")
def baseline():
    return {(scenario, seed): told(scenario, seed) for scenario, seed in RUNS}


@pytest.mark.parametrize(("scenario", "seed"), RUNS)
def test_another_process_with_other_hashes(baseline, scenario, seed):
    for hashes in ("0", "4242"):
        assert told(scenario, seed, environment={"PYTHONHASHSEED": hashes}) == baseline[scenario, seed]


@pytest.mark.parametrize(("scenario", "seed"), RUNS)
def test_another_working_directory_and_another_sandbox(baseline, tmp_path, scenario, seed):
    deep = tmp_path / "a-sandbox" / ("with-a-long-path-" * 8)
    deep.mkdir(parents=True)
    assert told(scenario, seed, "--sandbox", str(deep), cwd=str(tmp_path)) == baseline[scenario, seed]
    assert os.listdir(deep) == []


def test_a_sandbox_on_a_disk(baseline):
    disk = "/var/tmp"
    assert told("issue-3515", 3, "--sandbox", disk) == baseline["issue-3515", 3]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_supported_python(baseline, version, pytestconfig):
    python = environment_for(version, pytestconfig.cache)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    for scenario, seed in RUNS:
        assert told(scenario, seed, python=python) == baseline[scenario, seed]


def test_the_interpreters_own_rmtree_says_which_interpreter(pytestconfig):
    tokens = {}
    for version in VERSIONS:
        python = environment_for(version, pytestconfig.cache)
        if python is not None:
            tokens[version] = told("issue-3515", 3, "--cleaner", "rmtree", python=python)["token"]
    assert len(tokens) >= 1
    # The digest in the token covers the version, so a replay under another one is refused before it starts.
    assert len({token.split(".")[2] for token in tokens.values()}) == len(tokens)


@pytest.mark.parametrize(("scenario", "seed"), RUNS)
def test_a_token_replays_to_the_same_digest_in_another_process(baseline, scenario, seed):
    recorded = baseline[scenario, seed]
    replayed = document("replay", recorded["token"])
    assert replayed["trace_digest"] == recorded["trace_digest"]
    assert replayed["token"] == recorded["token"]


@pytest.mark.parametrize("scenario", sorted({name for name, _ in RUNS}))
def test_each_seed_replays_twice_in_another_process(scenario):
    """Ten seeds in one process, each again in a second one, and each token twice in a third."""
    options = ("run", scenario, "--seeds", "10:20", "--json")
    first = cachestorm(*options)
    assert first.stdout == cachestorm(*options, environment={"PYTHONHASHSEED": "99"}).stdout
    recorded = [json.loads(line) for line in first.stdout.splitlines()]
    assert [run["seed"] for run in recorded] == list(range(10, 20))
    for run in recorded:
        done = cachestorm("replay", run["token"], "--times", "2", "--json")
        again = [json.loads(line)["trace_digest"] for line in done.stdout.splitlines()]
        assert again == [run["trace_digest"]] * 2, done.stderr


def test_traces_are_the_same_byte_for_byte(tmp_path):
    for name in ("one", "other"):
        done = cachestorm("run", "--seed", "5", "--trace", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    one = (tmp_path / "one").read_bytes()
    assert one == (tmp_path / "other").read_bytes()
    first = json.loads(one.splitlines()[0])
    assert set(first) == {"step", "round", "actor", "phase", "operation", "path", "target", "mode", "errno"}


@pytest.mark.root
def test_another_user(tmp_path):
    """As uid 0 the program drops by itself; as 65534 it has nothing to drop. Both see the same run."""
    python = "/usr/bin/python3"
    sites = os.path.dirname(os.path.dirname(os.path.abspath(pytest.__file__)))
    readable = shutil.copytree(ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(".*", "tests", "docs"))
    packages = shutil.copytree(sites, tmp_path / "packages")
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(directory, 0o755)
    environment = {"PYTHONPATH": f"{readable}:{packages}", "HOME": str(tmp_path)}
    for scenario, seed in RUNS:
        as_root = told(scenario, seed)
        as_nobody = told(
            scenario,
            seed,
            python=python,
            cwd="/",
            environment=environment,
            prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        )
        assert as_nobody == as_root
