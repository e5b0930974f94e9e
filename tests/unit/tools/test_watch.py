"""How far a source tree is, and who works in it."""

import os
import subprocess
import sys

import pytest

from simulator.tools.watch import LOOK_UP, look, phase_of_tree

STAGING = "build/bdist.linux-x86_64/wheel"


@pytest.mark.parametrize(
    ("directories", "phase"),
    [
        ([], "prepare"),
        (["build"], "prepare"),
        (["build/lib"], "build_py"),
        (["build/lib.linux-x86_64-cpython-311", "build/lib"], "build_py"),
        (["build/lib", "build/bdist.linux-x86_64"], "install_lib"),
        (["build/lib", f"{STAGING}/some_name"], "install_lib"),
        (["build/lib", f"{STAGING}/some_name", f"{STAGING}/some_name-1.0-py3.11.egg-info"], "install_egg_info"),
        (["build/lib", f"{STAGING}/some_name-1.0.dist-info"], "dist_info"),
    ],
)
def test_the_phase_of_a_tree(tmp_path, directories, phase):
    for directory in directories:
        os.makedirs(tmp_path / directory)
    assert phase_of_tree(str(tmp_path)) == phase


def test_a_poisoned_staging_tree_is_one(tmp_path):
    os.makedirs(tmp_path / STAGING / "x-1.0.dist-info")
    os.chmod(tmp_path / STAGING, 0o200)
    assert phase_of_tree(str(tmp_path)) == "install_lib"
    os.chmod(tmp_path / STAGING, 0o700)


def test_the_back_end_is_who_works_in_a_source_tree(tmp_path):
    """One process in a tree, one elsewhere; each in a group of its own."""
    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    for directory in (tree, elsewhere):
        directory.mkdir()
    (tree / "setup.py").touch()
    (tree / "build/lib").mkdir(parents=True)
    sleep = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    running = [subprocess.Popen(sleep, cwd=place, start_new_session=True) for place in (tree, elsewhere)]
    try:
        names = {running[0].pid: "build-1", running[1].pid: "build-2"}
        seen = {name: (sight.phase, sight.tree) for name, sight in look(names).items()}
        assert seen == {"build-1": ("build_py", str(tree)), "build-2": (LOOK_UP, None)}
    finally:
        for process in running:
            process.kill()
            process.wait()
