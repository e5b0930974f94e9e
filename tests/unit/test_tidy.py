"""The house rules that no linter knows. Each message says what to do."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cache_core", "simulator", "scenarios")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PYTHON = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_a_file_is_one_idea(path):
    lines = len(path.read_text().splitlines())
    assert lines <= FILE_LINES_MAX, f"{name(path)} has {lines} lines: split it by idea"


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_a_function_fits_on_a_screen(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{name(path)}: {node.name} has {lines} lines: pull a leaf out of it"


def test_the_simulator_knows_no_package_by_name():
    packages = {json.loads(path.read_text()).get("name", "") for path in (ROOT / "scenarios/packages").glob("*.json")}
    # six is a word of its own; the others are names and nothing else.
    words = {word for package in packages for word in (package, package.replace("-", "_"))} - {"", "six"}
    assert len(words) >= 5
    for path in SOURCES:
        if name(path).startswith("simulator/"):
            text = path.read_text().lower()
            named = sorted(word for word in words if word in text)
            assert not named, f"{name(path)} names {named}: packages belong in scenarios/packages"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_says_what_it_is(path):
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{name(path)} has no docstring: say what it guarantees and costs"


def test_races_of_the_cleaner_are_numbered_and_explained():
    explained = [int(n) for path in SOURCES for n in re.findall(r"^- Race (\d+):", path.read_text(), re.MULTILINE)]
    assert sorted(explained) == list(range(1, len(explained) + 1)), "a number of its own for each, without gaps"
    for path in (ROOT / "tests/unit/cache_core").glob("*.py"):
        named = {int(number) for number in re.findall(r"Races? (\d+)", path.read_text())}
        assert named <= {*explained}, f"{name(path)}: say in a docstring of cache_core why it does no harm"


def test_nothing_is_tracked_that_is_made():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    made = [path for path in tracked if path.endswith((".pyc", ".whl", ".tar.gz", ".egg-info"))]
    assert not made, f"{made} are made: remove them and add them to .gitignore"
