"""Real cleaners after simulated storms: programs among actors, which make no steps."""

import json

import pytest

from tests.support.command import cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

# The first cleaner is a model that may fail in this scenario, the second the program that it is a model of.
CLEANERS = ("--cleaner", "model:uv-0.1.42", "--cleaner", "uv==0.1.42", "--cleaner", "hardened")


@pytest.fixture(scope="module")
def poisoned():
    """A run that poisons, with the three cleaners."""
    for seed in range(3, 40):
        done = cachestorm("run", "issue-3515", "--seed", str(seed), *CLEANERS, "--json")
        document = json.loads(done.stdout)
        if document["residue"]["poisoned"]:
            return done.returncode, document
    raise AssertionError("no seed poisons")


def test_the_program_fails_where_its_model_does(poisoned):
    code, document = poisoned
    model, real, hardened = document["cleaners"]
    assert (model["ok"], real["ok"], hardened["ok"]) == (False, False, True)
    assert real["error"] == model["error"]
    # What the scenario lets the model do, it lets the program do.
    assert code == 0
    assert document["empty"]
    assert [item["expected"] for item in document["violations"]] == [True] * len(document["violations"])


def test_such_a_run_is_replayed_with_the_same_cleaners(poisoned):
    _, document = poisoned
    done = cachestorm("replay", document["token"], *CLEANERS, "--json")
    replayed = json.loads(done.stdout)
    assert (done.returncode, replayed.get("trace_digest")) == (1, document["trace_digest"]), done.stderr
    other = cachestorm("replay", document["token"], "--cleaner", "uv==0.1.42", "--json")
    assert (other.returncode, json.loads(other.stdout)["kind"]) == (2, "divergence")


def test_another_version_may_not_fail_unless_the_scenario_says_so(poisoned):
    _, document = poisoned
    seed = str(document["seed"])
    done = cachestorm("run", "issue-3515", "--seed", seed, "--cleaner", "uv==0.1.40", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert not told["empty"]
    assert {item["oracle"] for item in told["violations"] if not item["expected"]} == {"cache-empty"}


def test_a_later_one_succeeds(poisoned):
    _, document = poisoned
    done = cachestorm("run", "issue-3515", "--seed", str(document["seed"]), "--cleaner", "uv==0.13.9", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    (cleaner,) = told["cleaners"]
    assert cleaner["ok"]
    assert cleaner["files_removed"] > 100


def test_a_run_of_real_installs_is_no_replay(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"schema": "cachestorm/run/1", "token": None, "builds": [{"actor": "build-1"}]}))
    done = cachestorm("replay", str(path))
    assert done.returncode == 2
    assert done.stderr == f"cachestorm: the run in '{path}' was of real installs (--tool): nobody can play it again\n"
