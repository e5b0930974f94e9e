"""Why real installs failed: their own words, kept in tests/data, and the rows that they are in."""

import errno
import json
from pathlib import Path

import pytest

from simulator.actors.toolchains.base import ERROR_KINDS
from simulator.engine.trace import errno_name
from simulator.tools.failures import NO_SPACE, WHEEL_REFUSED, read_failure, timed_out

SAMPLES = json.loads((Path(__file__).parents[2] / "data/real-failures.json").read_text())["samples"]
CACHE = "/sandbox/cache"
TREE = f"{CACHE}/built-wheels-v3/index/0123/some-name/1.0/id/source"
OTHER_TREE = f"{CACHE}/built-wheels-v3/index/0123/other_name/2.0/id/source"


def identify(sample):
    expected = sample["expected"]
    return f"{sample['tool'].partition(',')[0]}-{expected['kind']}-{expected['phase']}"


@pytest.mark.parametrize("sample", SAMPLES, ids=identify)
def test_what_was_recorded(sample):
    failure, phase = read_failure("\n".join(sample["lines"]), CACHE)
    assert sample["expected"] == {
        "kind": failure.kind,
        "type": failure.type,
        "errno": errno_name(failure.errno),
        "operation": failure.operation,
        "path": failure.path,
        "phase": phase,
    }
    assert not failure.injected


def test_every_kind_was_recorded():
    assert {sample["expected"]["kind"] for sample in SAMPLES} == {*ERROR_KINDS, WHEEL_REFUSED}


def test_paths_are_told_relative_to_the_cache():
    line = "error: could not create 'build/bdist.linux-x86_64/wheel/x': Permission denied"
    failure, _ = read_failure(line, CACHE, [TREE])
    assert failure.path == f"{TREE.removeprefix(CACHE)[1:]}/build/bdist.linux-x86_64/wheel/x"


def test_of_several_trees_the_one_whose_build_failed():
    output = "Caused by: Failed to build: `other-name==2.0`\nerror: [Errno 2] No such file or directory: 'build/lib'"
    assert read_failure(output, CACHE, [TREE, OTHER_TREE])[0].path == f"{OTHER_TREE.removeprefix(CACHE)[1:]}/build/lib"
    assert read_failure(output.splitlines()[1], CACHE, [TREE, OTHER_TREE])[0].path == "build/lib"


def test_a_bare_name_is_relative_to_nobody_knows_what():
    assert read_failure("error: [Errno 2] No such file or directory: 'WHEEL'", CACHE, [TREE])[0].path == "WHEEL"


def test_what_no_row_knows_is_told_as_it_is():
    failure, phase = read_failure(f"cachestorm: publish\nsome error in {CACHE}/x\nbye\n", CACHE)
    assert (failure.kind, failure.type, failure.message) == (None, "Exit", "some error in <cache>/x")
    assert phase == "publish"
    assert read_failure("", CACHE)[0].message == "it printed nothing"


@pytest.mark.parametrize(
    "line",
    [
        "OSError: [Errno 28] No space left on device",
        "Caused by: failed to write (os error 28)",
        "error: [Errno 122] Disk quota exceeded: 'x'",
    ],
)
def test_a_full_disk_is_no_result(line):
    assert NO_SPACE.search(line)
    assert not NO_SPACE.search("Permission denied (os error 13)")
    assert errno.ENOSPC == 28


def test_time_that_is_up():
    assert timed_out(1.5).message == "it did not end within 1.5 s"
