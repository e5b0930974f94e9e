import os

import pytest

from simulator.ground import machine
from simulator.likeness.fidelity import compare, from_tsv

TRACES = os.path.join(os.path.dirname(__file__), "../../data/traces")
KINDS = ["scenarios", "states", "cleaners", "toolchains", "protocols", "strategies", "packages"]


def test_list_has_every_kind(cachestorm):
    document = cachestorm("list", "--json").document
    assert list(document) == ["schema", *KINDS]
    assert document["schema"] == "cachestorm/list/1"
    assert "issue-3515" in [row["name"] for row in document["scenarios"]]
    assert {"ordinary", "mode-0200", "lower-layer"} <= {row["name"] for row in document["states"]}
    ours = ["hardened", "rmtree", "model:uv-0.1.42", "model:uv-0.13.9"]
    assert [row["name"] for row in document["cleaners"]] == [*ours, "rm", "find", "uv==X.Y.Z", "pip==X.Y"]
    assert [row["name"] for row in document["protocols"]] == ["shared", "entry-lock", "private", "in-place"]
    assert all(row["summary"] for kind in KINDS for row in document[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_list_of_one_kind(cachestorm, kind):
    assert set(cachestorm("list", kind, "--json").document) == {"schema", kind}
    assert cachestorm("list", kind).exit_code == 0


def test_doctor_says_that_runs_are_possible(cachestorm, tmp_path):
    result = cachestorm("doctor", "--sandbox", tmp_path, "--json")
    assert result.exit_code == 0
    assert result.document["possible"] is True
    findings = {item["name"]: item for item in result.document["findings"]}
    assert findings["permission bits"]["ok"]
    assert {"python", "kernel", "uid", "trio", "greenlet", "capabilities", "sandbox", "sandbox space"} <= set(findings)
    assert {"openat2", "fchmodat2", "/proc", "landlock", "strace"} <= set(findings)
    assert list(tmp_path.iterdir()) == []
    assert "runs are possible" in cachestorm("doctor", "--sandbox", tmp_path).stdout


def test_doctor_says_what_is_missing(cachestorm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/none")
    result = cachestorm("doctor", "--sandbox", tmp_path / "none", "--json")
    assert result.exit_code == 3
    findings = {item["name"]: item for item in result.document["findings"]}
    assert not findings["sandbox"]["ok"]
    assert findings["sandbox"]["cost"]
    assert not findings["strace"]["ok"]
    assert "MISSING  strace" in cachestorm("doctor").stdout


@pytest.mark.parametrize(("abi", "value"), [(0, "no"), (1, "ABI 1"), (2, "ABI 2")])
def test_doctor_says_what_clean_is_without_landlock(cachestorm, tmp_path, monkeypatch, abi, value):
    ok = abi == 2
    monkeypatch.setattr(machine, "landlock_abi", lambda: abi)
    result = cachestorm("doctor", "--sandbox", tmp_path, "--json")
    found = next(item for item in result.document["findings"] if item["name"] == "landlock")
    assert (found["value"], found["ok"], found["needed"]) == (value, ok, False)
    assert found["cost"].startswith("`clean` works without the fence; a bug could reach out") is not ok
    assert bool(found["cost"]) is not ok
    # Runs do not need it.
    assert (result.exit_code, result.document["possible"]) == (0, True)
    assert ("MISSING  landlock" in cachestorm("doctor", "--sandbox", tmp_path).stdout) is not ok


@pytest.mark.slow
@pytest.mark.parametrize("package", ["jaeger-client==4.3.0", "opentracing", "threadloop"])
def test_solo_prints_the_rows_of_the_real_build(cachestorm, tmp_path, package):
    result = cachestorm("solo", package, "--sandbox", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "# op\tpath\textra\tresult"
    name = next(file for file in os.listdir(TRACES) if package.partition("==")[0] in file and "69.5.1" in file)
    with open(os.path.join(TRACES, name), encoding="utf-8") as stream:
        comparison = compare(from_tsv(result.stdout), from_tsv(stream.read()))
    assert comparison.f1 >= 0.99
    assert comparison.exact_differences == 0
    assert comparison.phase_order_same
    assert list(tmp_path.iterdir()) == []


def test_a_toolchain_is_listed_with_what_it_models(cachestorm):
    document = cachestorm("list", "toolchains", "--json").document
    rows = {row["name"]: row["summary"] for row in document["toolchains"]}
    assert rows["setuptools-69.5.1"].startswith("setuptools==69.5.1 and wheel==0.43.0, can poison; ")
    assert "cannot poison" in rows["setuptools-84.2.1"]
    assert all(rows.values())
