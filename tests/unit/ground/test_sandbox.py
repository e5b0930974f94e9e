"""Sandboxes: gone afterwards, whatever happened in them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from simulator.errors import MachineError
from simulator.ground.sandbox import Sandbox, default_parent, survey, sweep


def test_nothing_stays_behind(tmp_path):
    with Sandbox.create(str(tmp_path)) as sandbox:
        inside = f"{sandbox.fresh()}/poisoned"
        os.mkdir(inside)
        open(f"{inside}/file", "w").close()
        os.chmod(inside, 0o200)
        assert len(os.listdir(tmp_path)) == 2
    assert os.listdir(tmp_path) == []


def test_a_fresh_round_finds_nothing_of_the_last(tmp_path):
    with Sandbox.create(str(tmp_path)) as sandbox:
        first = sandbox.fresh()
        os.mkdir(f"{first}/left")
        second = sandbox.fresh()
        assert os.listdir(second) == []
        assert not os.path.exists(first)


def test_two_at_once_do_not_meet(tmp_path):
    with Sandbox.create(str(tmp_path)) as one, Sandbox.create(str(tmp_path)) as other:
        assert one.path != other.path
        assert os.path.isdir(one.path)


KILLED = """
import os, signal, sys
from simulator.ground.sandbox import Sandbox
sandbox = Sandbox.create(sys.argv[1])
inside = sandbox.fresh() + "/poisoned"
os.mkdir(inside)
open(inside + "/file", "w").close()
os.chmod(inside, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_later_run_sweeps_what_a_killed_one_left(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(os.listdir(tmp_path)) == 2
    with Sandbox.create(str(tmp_path)) as held:
        assert sorted(os.listdir(tmp_path)) == sorted(
            [os.path.basename(held.path), os.path.basename(held.path) + ".lock"]
        )
        assert sweep(str(tmp_path)) == []
        assert os.path.isdir(held.path)


def test_what_is_not_ours_is_left_alone(tmp_path):
    for name in ("cachestorm-notes", "cachestorm-1-2"):
        os.mkdir(tmp_path / name)
        (tmp_path / name / "kept").touch()
    # A lock file by a name like ours, or even by the very name, that we have not written.
    (tmp_path / "cachestorm-notes.lock").write_text("")
    (tmp_path / "cachestorm-1-2.lock").write_text("somebody else's\n")
    os.symlink("/etc/passwd", tmp_path / "cachestorm-3-4.lock")
    os.mkfifo(tmp_path / "cachestorm-5-6.lock")
    before = sorted(os.listdir(tmp_path))
    assert sweep(str(tmp_path)) == []
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(tmp_path / "cachestorm-1-2") == ["kept"]


def test_nothing_is_taken_over_from_the_parent(tmp_path):
    os.chmod(tmp_path, 0o2777)
    with Sandbox.create(str(tmp_path)) as sandbox:
        assert os.stat(sandbox.path).st_mode & 0o7777 == 0o700
        assert os.stat(sandbox.fresh()).st_mode & 0o7000 == 0


def test_what_cannot_be_removed_is_said_and_tried_again(tmp_path, monkeypatch):
    class Stuck:
        path, reason = "1/immutable", "immutable"

    sandbox = Sandbox.create(str(tmp_path))
    with monkeypatch.context() as patched, pytest.raises(MachineError, match="1/immutable: immutable"), sandbox:
        patched.setattr("simulator.ground.sandbox.remove_tree", lambda _: type("R", (), {"left": [Stuck]}))
    assert len(os.listdir(tmp_path)) == 2
    assert len(sweep(str(tmp_path))) == 1
    assert os.listdir(tmp_path) == []


def test_a_process_that_bits_do_not_stop_gets_no_sandbox(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.ground.confined.permission_bits_stop_us", lambda _: False)
    with pytest.raises(MachineError, match="do not stop this process") as caught:
        Sandbox.create(str(tmp_path))
    assert caught.value.exit_code == 3
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_taken_is_passed_over(tmp_path):
    os.mkdir(tmp_path / f"cachestorm-{os.getpid()}-0")
    with Sandbox.create(str(tmp_path)) as sandbox:
        assert sandbox.path.endswith("-1")
    assert os.listdir(tmp_path) == [f"cachestorm-{os.getpid()}-0"]


@pytest.mark.parametrize("name", ["missing", "file", "closed"])
def test_a_parent_that_will_not_do_gets_one_line(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o500)
    with pytest.raises(MachineError) as caught:
        Sandbox.create(str(tmp_path / name))
    assert str(tmp_path / name) in caught.value.message
    assert "--sandbox" in caught.value.message
    assert caught.value.exit_code == 3


def test_where_sandboxes_go(tmp_path):
    assert default_parent({"TMPDIR": str(tmp_path)}) == str(tmp_path)
    assert default_parent({}) in {"/dev/shm", "/tmp"}


def test_the_ground_is_surveyed(tmp_path, ground):
    assert survey(str(tmp_path)).free_bytes > 0
    assert survey("/proc").is_tmpfs is False
    if ground == "/dev/shm" and os.path.ismount(ground):
        assert survey(ground).is_tmpfs


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o277, 0o777])
def test_any_umask_will_do(tmp_path, mask):
    before = os.umask(mask)
    try:
        with Sandbox.create(str(tmp_path)) as sandbox:
            assert os.stat(sandbox.fresh()).st_mode & 0o777 == 0o755
            assert os.stat(sandbox.path + ".lock").st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == []
