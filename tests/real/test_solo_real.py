"""`cachestorm solo --real` and `--compare`, as users start them; sdists made here, the back end from the index."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from simulator.likeness.fidelity import compare, from_tsv
from tests.support.command import ENTRY, ROOT, cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

SETUP = "from setuptools import setup\nsetup(name='tiny', version='1.0', packages=['tiny'])\n"
PKG_INFO = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
# Says where it is, then waits for ever, with a child in a session of its own.
HANGS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
with open({told!r} + ".part", "w") as stream:
    stream.write(f"{{os.getpid()}} {{child.pid}}")
os.rename({told!r} + ".part", {told!r})
time.sleep(1000)
"""


def make_sdist(folder, setup=SETUP, extra=()):
    path = folder / "tiny-1.0.tar.gz"
    files = {
        "setup.py": setup,
        "PKG-INFO": PKG_INFO,
        "tiny/__init__.py": "",
        "tiny/part.py": "x = 1\n",
        **dict(extra),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name if name.startswith("..") else f"tiny-1.0/{name}")
            member.size = len(text)
            member.mtime = 1_500_000_000
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def ground(tmp_path):
    """Where sandboxes go; nothing may be left there."""
    place = tmp_path / "ground"
    place.mkdir()
    yield place
    assert os.listdir(place) == []


def solo(ground, *arguments, **options):
    return cachestorm("solo", *map(str, arguments), "--sandbox", str(ground), **options)


def only_line(done, code):
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if "under strace" not in line]
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    return lines[0]


@pytest.mark.parametrize("toolchain", ["setuptools-69.5.1", "setuptools-84.2.1"])
def test_real_rows_and_how_like_them_the_simulated_ones_are(tmp_path, ground, toolchain):
    sdist = make_sdist(tmp_path)
    real = solo(ground, sdist, "--real", "--toolchain", toolchain)
    assert real.returncode == 0, real.stderr
    rows = from_tsv(real.stdout)
    assert real.stdout.startswith("# op\tpath\textra\tresult\nmkdir\tdist\t\tok\n")
    assert ("create", "build/lib/tiny/part.py", "", "ok") in rows
    simulated = solo(ground, sdist, "--toolchain", toolchain)
    assert compare(from_tsv(simulated.stdout), rows).alike
    told = solo(ground, sdist, "--compare", "--toolchain", toolchain)
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.splitlines() == [
        f"rows    {len(rows)} simulated, {len(rows)} real",
        "F1      1.0000 (at least 0.99)",
        "exact   equal (all but create, utime, chmod and unlink)",
        "phases  same: build_py, install_lib, egg_info, install_egg_info, dist_info, zip, rmtree, publish",
    ]
    # The same with rows of another time.
    (tmp_path / "real.tsv").write_text(real.stdout)
    assert solo(ground, sdist, "--compare", tmp_path / "real.tsv", "--toolchain", toolchain).returncode == 0
    again = solo(ground, sdist, "--real", "--compare", tmp_path / "real.tsv", "--toolchain", toolchain)
    assert f"{len(rows)} real, {len(rows)} in the file" in again.stdout
    assert again.returncode == 0


def test_rows_that_differ(tmp_path, ground):
    sdist = make_sdist(tmp_path)
    lines = solo(ground, sdist).stdout.splitlines()
    moved = next(index for index, line in enumerate(lines) if line.startswith("create\tbuild/lib/"))
    other = [line for line in lines if line != "mkdir\tbuild/lib\t\tok"]
    other.append(other.pop(moved - 1))
    (tmp_path / "other.tsv").write_text("\n".join(other) + "\n")
    told = solo(ground, sdist, "--compare", tmp_path / "other.tsv")
    assert told.returncode == 1
    assert "1 row different" in told.stdout
    assert "\nphases  simulated: build_py, " in told.stdout
    assert "\n        in the file: " in told.stdout
    assert told.stdout.endswith("the first 20):\n  + mkdir build/lib  ok\n")


def test_what_a_build_sees(tmp_path, ground):
    """Its home and temporary files are in the sandbox, and what makes builds alike is set."""
    seen = tmp_path / "seen"
    script = f"import os\nwith open({str(seen)!r}, 'w') as f: f.write(repr((dict(os.environ), os.umask(0o77))))\n"
    sdist = make_sdist(tmp_path, script + SETUP)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".pydistutils.cfg").write_text("[build]\nbuild_base = elsewhere\n")
    options = {"environment": {"HOME": str(home), "PYTHONPATH": f"{ROOT}:/nowhere", "SECRET": "1"}.items()}
    done = solo(ground, sdist, "--real", **options)
    assert done.returncode == 0, done.stderr
    assert "build/lib" in done.stdout
    variables, umask = eval(seen.read_text())
    assert umask == 0o022
    for name in ("HOME", "TMPDIR", "PIP_CACHE_DIR", "UV_CACHE_DIR"):
        assert variables[name].startswith(str(ground))
    assert (variables["SOURCE_DATE_EPOCH"], variables["PYTHONHASHSEED"]) == ("315532800", "0")
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert not {"SECRET", "PYTHONPATH"} & set(variables)


def test_without_strace(tmp_path, ground):
    for options in (["--real"], ["--compare"]):
        line = only_line(solo(ground, make_sdist(tmp_path), *options, environment={"PATH": "/none"}.items()), 3)
        assert line.endswith("is not on PATH; apt-get install strace")


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--python", "3.12"], 2, "simulated builds know Python 3.11 only, not '3.12'; add --real"),
        (["--python", "3.12", "--compare"], 2, "simulated builds know Python 3.11 only"),
        (["--python", "3.99", "--real"], 3, "there is no Python 3.99 on this machine"),
        (["--python", "three", "--real"], 2, "'three' is no version of Python, such as 3.11"),
        (["--toolchain", "setuptools-84.2.9", "--real"], 2, "nearest: setuptools-84.2.1"),
        (["rows.tsv"], 2, "'rows.tsv': a FILE is what --compare takes"),
        (["--compare", "/nowhere/rows.tsv"], 2, "'/nowhere/rows.tsv' cannot be read: No such file"),
        (["--compare", ROOT], 2, f"'{ROOT}' cannot be read: Is a directory"),
        (
            ["--compare", f"{ROOT}/pyproject.toml"],
            2,
            "is no table of rows as solo prints it: line 1: expected 4 columns",
        ),
        (["--real", "--timeout", "soon"], 2, "'soon' is no duration"),
    ],
)
def test_refusals(tmp_path, ground, options, code, told):
    assert told in only_line(solo(ground, make_sdist(tmp_path), *options), code)


def test_a_file_of_rows_that_is_no_text(tmp_path, ground):
    (tmp_path / "rows.tsv").write_bytes(b"\xff\xfe")
    told = only_line(solo(ground, make_sdist(tmp_path), "--compare", tmp_path / "rows.tsv"), 2)
    assert "is no table of rows" in told


def test_a_build_that_fails(tmp_path, ground):
    sdist = make_sdist(tmp_path, "raise SystemExit('no compiler today')\n")
    line = only_line(solo(ground, sdist, "--real"), 2)
    assert f"the real build of '{sdist}' with setuptools-69.5.1 failed: " in line
    assert "no compiler today" in line


def test_a_build_that_runs_out_of_room(tmp_path, ground):
    sdist = make_sdist(tmp_path, "raise OSError(28, 'No space left on device')\n")
    assert only_line(solo(ground, sdist, "--real"), 3).endswith("ran out of room; give a larger place with --sandbox")


def test_an_archive_that_leads_outside(tmp_path, ground):
    sdist = make_sdist(tmp_path, extra={"../../outside": "x"}.items())
    assert "outside" in only_line(solo(ground, sdist, "--real"), 2)
    assert not os.path.exists(tmp_path / "outside")


def assert_gone(*pids):
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if os.path.exists(f"/proc/{pid}")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_a_build_that_hangs_is_killed_with_all_that_it_started(tmp_path, ground):
    told = tmp_path / "told"
    sdist = make_sdist(tmp_path, HANGS.format(told=str(told)))
    line = only_line(solo(ground, sdist, "--real", "--timeout", "4s"), 2)
    assert "has not ended after 4 s and was killed; give it more with --timeout" in line
    assert_gone(*map(int, told.read_text().split()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_build_runs(tmp_path, ground, number):
    told = tmp_path / "told"
    sdist = make_sdist(tmp_path, HANGS.format(told=str(told)))
    process = subprocess.Popen(
        [sys.executable, "-c", ENTRY, "solo", str(sdist), "--real", "--sandbox", str(ground)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    deadline = time.monotonic() + 120
    while not told.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert out == ""
    assert errors.splitlines()[-1].startswith(f"cachestorm: interrupted by {number.name}")
    assert_gone(*map(int, told.read_text().split()))


def test_a_toolchain_that_cannot_be_downloaded(tmp_path, ground):
    variables = {
        "CACHESTORM_TOOLS": str(tmp_path / "tools"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    done = solo(ground, make_sdist(tmp_path), "--real", environment=variables.items())
    assert done.returncode == 3
    assert "setuptools==69.5.1 cannot be downloaded" in done.stderr or "wheel==0.43.0 cannot be" in done.stderr
    assert "Connection refused" in done.stderr.splitlines()[-1]


def test_a_package_of_the_catalogue_comes_from_the_index(ground):
    done = solo(ground, "threadloop", "--real")
    assert done.returncode == 0, done.stderr
    name = "bdist-wheel-threadloop-1.0.2-setuptools-69.5.1-wheel-0.43.0.tsv"
    with open(f"{ROOT}/tests/data/traces/{name}", encoding="utf-8") as stream:
        assert compare(from_tsv(done.stdout), from_tsv(stream.read())).f1 == 1.0


def test_the_strace_of_this_machine_is_there():
    assert shutil.which("strace"), "real builds are compared with the help of strace: apt-get install strace"
