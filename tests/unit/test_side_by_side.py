"""The two halves of the suite: every folder is in one of them, and a failure in either is one of the whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import side_by_side


def test_every_folder_with_tests_is_in_one_half():
    first, second = side_by_side.halves()
    folders = {path.name for path in side_by_side.HERE.iterdir() if list(path.glob("**/test_*.py"))}
    assert first
    assert sorted(first + second) == sorted(folders)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["real", "unit", None])
def test_the_worse_exit_code_counts_and_both_are_told(tmp_path, wrong):
    for half in ("real", "unit"):
        (tmp_path / half).mkdir()
        (tmp_path / half / f"test_{half}.py").write_text(f"def test_{half}():\n    assert {half != wrong}\n")
    (tmp_path / "side_by_side.py").write_text(side_by_side.__loader__.get_source(side_by_side.__name__))
    command = [sys.executable, str(tmp_path / "side_by_side.py"), "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if wrong is None else 1)
    assert done.stdout.count("1 passed") == (2 if wrong is None else 1)
    assert done.stdout.count("1 failed") == (0 if wrong is None else 1)
