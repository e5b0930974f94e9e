"""What cannot be gated is an error that names the call and where it is, and no less if the actor catches it."""

from __future__ import annotations

import fcntl
import io
import mmap
import os
import posix
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest

from simulator.errors import UngatedCallError
from tests.support.bridged import Bridged

HERE = os.path.basename(__file__)


def unlink_by_posix(directory):
    os.mkdir(f"{directory}/d")
    posix.rmdir(f"{directory}/d")


def make_by_posix_beside_a_descriptor(directory):
    posix.mkdir(f"{directory}/x")


def raw_file(directory):
    io.FileIO(f"{directory}/f", "w").close()


def database(directory):
    sqlite3.connect(f"{directory}/db").close()


def program(directory):
    subprocess.run([sys.executable, "-c", ""], check=True)


def fork(directory):
    os.fork()


def shell(directory):
    os.system(f"touch {directory}/f")


def working_directory(directory):
    os.chdir(directory)


def mapping(directory):
    with open(f"{directory}/f", "w+b") as file:
        file.truncate(10)
        mmap.mmap(file.fileno(), 10).close()


def lock_of_a_process(directory):
    with open(f"{directory}/f", "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)


def lock_of_a_process_by_fcntl(directory):
    with open(f"{directory}/f", "w") as file:
        fcntl.fcntl(file, fcntl.F_SETLK, b"")


def lock_of_a_process_by_os(directory):
    with open(f"{directory}/f", "w") as file:
        os.lockf(file.fileno(), os.F_LOCK, 0)


def splice_into_a_file(directory):
    source, sink = os.pipe()
    try:
        with open(f"{directory}/f", "wb") as file:
            os.write(sink, b"x")
            os.splice(source, file.fileno(), 1)
    finally:
        os.close(source)
        os.close(sink)


def splice_out_of_a_file_by_keyword(directory):
    source, sink = os.pipe()
    try:
        with open(f"{directory}/f", "w+b") as file:
            os.splice(dst=sink, src=file.fileno(), count=1)
    finally:
        os.close(source)
        os.close(sink)


def control_of_a_file(directory):
    with open(f"{directory}/f", "w") as file:
        fcntl.ioctl(file, 0x40049409, 0)


def free_space(directory):
    shutil.disk_usage(directory)


def free_space_by_descriptor(directory):
    with open(f"{directory}/f", "w") as file:
        os.fstatvfs(file.fileno())


def limits_by_path(directory):
    os.pathconf(directory, "PC_NAME_MAX")


def signal_to_nobody(directory):
    os.kill(os.getpid(), 0)


def another_user(directory):
    os.setuid(os.getuid())


def child_of_nobody(directory):
    os.wait()


def descriptor_by_number(directory):
    fd = os.open(directory, os.O_RDONLY)
    os.dup2(fd, 200)


def umask(directory):
    os.umask(0)
    os.mkdir(f"{directory}/open")


def scandir_of_bytes(directory):
    os.scandir(os.fsencode(directory))


CASES = {
    unlink_by_posix: "os.rmdir('cache/d')",
    make_by_posix_beside_a_descriptor: "os.mkdir('cache/x')",
    raw_file: "open('cache/f')",
    database: "sqlite3.connect('cache/db')",
    program: "subprocess.Popen",
    fork: "os.fork",
    shell: "os.system",
    working_directory: "os.chdir",
    mapping: "mmap.mmap",
    lock_of_a_process: "fcntl.lockf",
    lock_of_a_process_by_fcntl: "fcntl.fcntl with F_SETLK",
    lock_of_a_process_by_os: "os.lockf",
    splice_into_a_file: "os.splice",
    splice_out_of_a_file_by_keyword: "os.splice",
    control_of_a_file: "fcntl.ioctl with 0x40049409",
    free_space: "os.statvfs",
    free_space_by_descriptor: "os.fstatvfs",
    limits_by_path: "os.pathconf",
    signal_to_nobody: "os.kill",
    another_user: "os.setuid",
    child_of_nobody: "os.wait",
    descriptor_by_number: "os.dup2",
    umask: "os.umask(0o0)",
    scandir_of_bytes: "os.scandir of bytes",
}


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_it_is_named(tmp_path, function):
    run = Bridged(tmp_path, function).run()
    with pytest.raises(UngatedCallError, match="cannot be gated"):
        run.result()
    (problem,) = run.watch.problems
    assert problem.startswith(f"actor-1 calls {CASES[function]} at ")
    # Made by the standard library for them.
    if function not in {program, free_space}:
        assert f"{HERE}:" in problem


def test_whoever_catches_everything_hides_nothing(tmp_path):
    def careless(directory):
        try:
            posix.mkdir(f"{directory}/x")
        except Exception:  # noqa: BLE001 - as careless code does
            return "fine"

    run = Bridged(tmp_path, careless).run()
    assert run.result() == "fine"
    assert "posix" not in run.watch.problems[0]
    assert "os.mkdir('cache/x')" in run.watch.problems[0]


@pytest.mark.parametrize("call", [os.mkdir, posix.mkdir, os.stat], ids=["os.mkdir", "posix.mkdir", "os.stat"])
def test_a_thread_of_an_actor_is_caught(tmp_path, call):
    failed = []

    def in_a_thread(directory):
        def work():
            try:
                # By its name, as whoever captured it has what stands for it now.
                getattr(os if call is not posix.mkdir else posix, call.__name__)(f"{directory}/t")
            except UngatedCallError as error:
                failed.append(error)

        thread = threading.Thread(target=work, name="helper")
        thread.start()
        thread.join()

    run = Bridged(tmp_path, in_a_thread).run()
    assert failed
    assert run.watch.problems[0].startswith("thread 'helper' calls ")
    assert not os.listdir(run.directory)


def test_what_is_refused_inside_is_as_it_was_elsewhere(tmp_path):
    def elsewhere(directory):
        source, sink = os.pipe()
        try:
            with open(tmp_path / "file", "wb") as file:
                os.lockf(file.fileno(), os.F_LOCK, 0)
                os.write(sink, b"spliced")
                return os.splice(source, file.fileno(), 7), os.fstatvfs(source).f_namemax, os.statvfs(tmp_path).f_bsize
        finally:
            os.close(source)
            os.close(sink)

    run = Bridged(tmp_path / "run", elsewhere).run()
    assert run.result() == (7, os.statvfs(tmp_path).f_namemax, os.statvfs(tmp_path).f_bsize)
    assert (tmp_path / "file").read_bytes() == b"spliced"
    assert not run.watch.problems


def test_outside_is_nobodys_business_and_is_noted_once(tmp_path):
    def writes_elsewhere(directory):
        for _ in range(2):
            with open(tmp_path / "elsewhere", "w") as file:
                file.write("x")
        os.mkdir(tmp_path / "folder")
        return os.listdir(tmp_path / "folder")

    run = Bridged(tmp_path / "run", writes_elsewhere).run()
    assert run.result() == []
    assert run.steps == []
    assert list(run.watch.outside) == [
        f"actor-1 made open '{tmp_path}/elsewhere'",
        f"actor-1 made mkdir '{tmp_path}/folder'",
    ]
