"""What pip says, and what we make of it. The messages are pip 26.3's; test_environments.py lets pip itself say them."""

import pytest

from simulator.errors import BadInputError, MachineError
from simulator.tools.pip_errors import installation_error

MISSING = "ERROR: Could not find a version that satisfies the requirement {} (from versions: {})\n"
NO_MATCH = "ERROR: No matching distribution found for {}\n"
BROKEN = (
    "WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by 'NewConnectionError(\"Failed to"
    " establish a new connection: [Errno 111] Connection refused\")': /simple/uv/\n"
)


def told(printed, what="uv==9.9.9"):
    return installation_error([what], "3.11.7", printed)


@pytest.mark.parametrize(
    ("there", "nearest"),
    [("0.1.0, 0.13.9, 10.0", "0.13.9"), ("10.0, 11.0", "10.0"), ("9.9.8, 9.9.10", "9.9.8")],
)
def test_a_version_that_does_not_exist(there, nearest):
    error = told(MISSING.format("uv==9.9.9", there) + NO_MATCH.format("uv==9.9.9"))
    assert isinstance(error, BadInputError)
    assert error.message == f"uv==9.9.9 does not exist; nearest: {nearest}"
    assert (error.kind, error.value, error.exit_code) == ("unknown-version", "uv==9.9.9", 2)


def test_a_project_that_does_not_exist():
    error = told(MISSING.format("uvv==1", "none"), "uvv==1")
    assert isinstance(error, BadInputError)
    assert "uvv==1 does not exist in the index" in error.message


def test_the_one_of_several_that_is_missing():
    error = installation_error(["a==1", "b==2"], "3.11.7", MISSING.format("b==2", "1"))
    assert error.value == "b==2"


def test_no_network_is_no_missing_version():
    error = told(BROKEN + MISSING.format("uv==9.9.9", "none"))
    assert isinstance(error, MachineError)
    assert error.kind == "index"
    assert "Connection refused" in error.message
    assert "uv==9.9.9 cannot be downloaded" in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "line",
    [
        "Could not fetch URL https://index/simple/uv/: There was a problem confirming the ssl certificate: bad",
        "ERROR: HTTP error 503 while getting https://index/uv.whl",
        "ERROR: 403 Client Error: Forbidden for url: https://index/uv.whl",
    ],
)
def test_other_trouble_with_the_index(line):
    error = told(f"{line}\n{MISSING.format('uv==9.9.9', 'none')}")
    assert (error.kind, error.exit_code) == ("index", 3)


def test_a_tool_that_needs_a_newer_python():
    ignored = (
        "ERROR: Ignored the following versions that require a different python version: 9.8 Requires-Python >=3.13;"
        " 9.9.9 Requires-Python >=3.14,<4; 10.0 Requires-Python >=3.15\n"
    )
    error = told(ignored + MISSING.format("uv==9.9.9", "1.0"))
    assert isinstance(error, MachineError)
    assert error.message.startswith("uv==9.9.9 needs Python >=3.14,<4 and would run on 3.11.7;")
    assert error.kind == "tool-python"


def test_other_versions_that_were_passed_over_are_not_the_reason():
    ignored = (
        "ERROR: Ignored the following versions that require a different python version: 9.8 Requires-Python >=3.13\n"
    )
    assert told(ignored + MISSING.format("uv==9.9.9", "1.0")).kind == "unknown-version"


def test_an_archive_that_needs_a_newer_python():
    error = told("ERROR: Package 'uv' requires a different Python: 3.11.7 not in '>=3.99'\n")
    assert error.message.startswith("uv==9.9.9 needs Python >=3.99 and would run on 3.11.7")


def test_a_full_disk():
    error = told("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n")
    assert (error.kind, error.exit_code) == ("space", 3)
    assert "CACHESTORM_TOOLS" in error.message


def test_no_requirement_at_all():
    error = told("ERROR: Invalid requirement: 'uv=': Expected end\n    uv=\n      ^\n", "uv=")
    assert error.message == "'uv=' is no requirement; write NAME==VERSION, such as uv==0.1.42"


def test_anything_else_is_told_as_pip_told_it():
    error = told("something\nERROR: first\nERROR: the last word\n")
    assert (error.kind, error.exit_code) == ("install", 3)
    assert error.message == "uv==9.9.9 cannot be installed: the last word"
