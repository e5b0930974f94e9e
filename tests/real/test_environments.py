"""Environments made by the real virtualenv and the real pip, from an index in a folder: no network needed."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import zipfile
from functools import partial

import pytest
import trio

from simulator.errors import BadInputError, MachineError
from simulator.tools.environments import STORE_VARIABLE, environment, store_directory, toolchain_requirements
from simulator.tools.interpreters import find_interpreter
from tests.support.command import ROOT

pytestmark = pytest.mark.slow

CLOSED_PORT = "http://127.0.0.1:9/simple"
MODULE = "def main():\n    print('hello')\n"


def make_wheel(folder, name, version, requires_python=">=3.8"):
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", MODULE)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """pip sees nothing but a folder of wheels."""
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    make_wheel(folder, "sometool", "1.0")
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


def make(*requirements, **options):
    return trio.run(partial(environment, requirements, **options))


def printed(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_made_once_and_whole(index, store):
    lines = []
    made = make("sometool==1.0", tell=lines.append)
    assert len(lines) == 1
    assert "making the environment sometool-1.0-py3." in lines[0]
    assert made.directory.startswith(f"{store}/sometool-1.0-py3.")
    assert printed([made.program("sometool")]) == "hello\n"
    script = "import sys, sometool; print(sometool.__cached__); print(sys.prefix)"
    cached, prefix = printed([made.python, "-c", script]).split()
    assert os.path.exists(cached)
    assert prefix == made.directory
    # Nothing that was not asked for: a build must not find another pip or setuptools.
    names = os.listdir(os.path.dirname(os.path.dirname(cached)))
    assert not [name for name in names if name.startswith(("pip", "setuptools", "wheel"))]
    again = make("sometool==1.0", tell=lines.append)
    assert again == made
    assert len(lines) == 1


def test_a_half_made_one_is_made_anew(index, store):
    made = make("sometool==1.0")
    os.unlink(f"{made.directory}/complete")
    os.unlink(made.program("sometool"))
    left_over = f"{made.directory}/left-over"
    with open(left_over, "w", encoding="ascii"):
        pass
    assert make("sometool==1.0") == made
    assert printed([made.program("sometool")]) == "hello\n"
    assert not os.path.exists(left_over)


def test_two_processes_share_what_one_makes(index, store):
    script = "import trio; from simulator.tools.environments import environment as e;"
    script += "trio.run(lambda: e(['sometool==1.0'], tell=lambda line: print(line.split()[0], flush=True)))"
    start = partial(subprocess.Popen, [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with start() as first, start() as second:
        words = first.stdout.read().split() + second.stdout.read().split()
    assert (first.returncode, second.returncode) == (0, 0)
    assert words.count("making") == 1


def test_cancelled_nothing_is_left_and_nothing_counts(index, store, monkeypatch):
    # An index that accepts and never answers: pip would wait for minutes.
    async def main():
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = listener.socket.getsockname()[1]
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(environment, ["sometool==1.0"])
            async with listener, await listener.accept():
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert [name for name in os.listdir(store) if name.startswith("sometool") and not name.endswith(".lock")] == []
    # The lock is free: no child that got it is alive.
    (lock,) = [name for name in os.listdir(store) if name.endswith(".lock") and name.startswith("sometool")]
    with open(store / lock, "r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert printed([make("sometool==1.0").program("sometool")]) == "hello\n"


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("sometool==9.9.9", "sometool==9.9.9 does not exist; nearest: 1.0"),
        ("nosuchtool==1", "nosuchtool==1 does not exist in the index"),
    ],
)
def test_a_version_that_does_not_exist(index, store, requirement, message):
    with pytest.raises(BadInputError) as caught:
        make(requirement)
    assert caught.value.message.startswith(message)
    assert caught.value.value == requirement
    assert [name for name in os.listdir(store) if not name.endswith(".lock")] == ["virtualenv"]


def test_no_network(index, store, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
    with pytest.raises(MachineError) as caught:
        make("othertool==1.0")
    assert caught.value.kind == "index"
    assert "Connection refused" in caught.value.message
    assert "pip config list" in caught.value.message


def test_a_tool_that_needs_a_newer_python(index, store):
    make_wheel(index, "newtool", "3.0", requires_python=">=3.99")
    with pytest.raises(MachineError) as caught:
        make("newtool==3.0")
    running = sys.version.split()[0]
    assert caught.value.message.startswith(f"newtool==3.0 needs Python >=3.99 and would run on {running};")


def test_a_tool_whose_index_says_that_it_needs_a_newer_python(index, store, monkeypatch, tmp_path):
    make_wheel(index, "newtool", "3.0", requires_python=">=3.99")
    page = tmp_path / "simple/newtool"
    page.mkdir(parents=True)
    wheel = "newtool-3.0-py3-none-any.whl"
    link = f"<a href='file://{index}/{wheel}' data-requires-python='&gt;=3.99'>{wheel}</a>"
    (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"file://{tmp_path}/simple")
    with pytest.raises(MachineError, match=r"^newtool==3.0 needs Python >=3.99 and would run on 3\."):
        make("newtool==3.0")


def test_a_python_that_is_not_there(store):
    with pytest.raises(MachineError, match=r"there is no Python 3\.99 on this machine; install it"):
        make("sometool==1.0", python="3.99")


@pytest.mark.parametrize("python", ["three", "3", "3.11.7", "4.0", ""])
def test_no_version_of_python(store, python):
    with pytest.raises(BadInputError, match=r"is no version of Python, such as 3\.11"):
        make("sometool==1.0", python=python)


@pytest.mark.parametrize("python", ["/nowhere/python3", "/bin/true", "/bin/echo"])
def test_a_path_that_is_no_python(store, python):
    with pytest.raises(BadInputError, match=f"'{python}' is no Python that runs"):
        make("sometool==1.0", python=python)


def test_the_python_that_runs_us_by_path_version_and_default():
    by_default = trio.run(find_interpreter)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert trio.run(find_interpreter, version) == by_default
    assert trio.run(find_interpreter, sys.executable) == by_default
    assert by_default.version.startswith(f"{version}.")


def test_a_python_on_path_that_lies_about_its_version(tmp_path, monkeypatch):
    fake = tmp_path / "python3.99"
    fake.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"no Python 3\.99"):
        trio.run(find_interpreter, "3.99")


def test_a_store_that_cannot_be_written(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    monkeypatch.setenv(STORE_VARIABLE, f"{closed}/tools")
    with pytest.raises(MachineError, match=f"environments cannot be made in '{closed}/tools': Permission denied; give"):
        make("sometool==1.0")


def test_a_home_that_cannot_be_written(tmp_path, monkeypatch):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir(mode=0o500)
    temporary.mkdir()
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    chosen = store_directory()
    assert chosen == f"{temporary}/cachestorm-tools-{os.geteuid()}"
    assert stat.S_IMODE(os.lstat(chosen).st_mode) == 0o700
    assert store_directory() == chosen
    os.chmod(chosen, 0o777)
    with pytest.raises(MachineError, match="is not ours"):
        store_directory()


def test_a_place_for_temporary_files_where_somebody_put_a_link(tmp_path, monkeypatch):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir(mode=0o500)
    temporary.mkdir()
    os.symlink(temporary, temporary / f"cachestorm-tools-{os.geteuid()}")
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(MachineError, match="is not ours"):
        store_directory()


def test_what_a_toolchain_stands_for():
    assert toolchain_requirements("setuptools-69.5.1") == ("setuptools==69.5.1", "wheel==0.43.0")
    assert toolchain_requirements("setuptools-84.2.1") == ("setuptools==84.2.1",)
    with pytest.raises(BadInputError, match=r"unknown toolchain 'setuptools-84\.2\.2'; nearest: setuptools-84\.2\.1"):
        toolchain_requirements("setuptools-84.2.2")
