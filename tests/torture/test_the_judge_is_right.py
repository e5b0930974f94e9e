"""Cleaners that are known to be bad get the verdict that they deserve, whatever they say."""

import sys

import pytest

from scenarios.states import STATES
from simulator.torture.verdicts import CLEAN, FAILED, HARMED, LIED, REPORTED, SKIPPED, TIMEOUT
from tests.support.lives import lives

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path):
    """A cleaner of a few lines of Python, as a command line."""

    def write(text):
        path = tmp_path / "cleaner.py"
        path.write_text(f"import os, shutil, subprocess, sys, time\ncache = sys.argv[1]\n{text}\n")
        return f"{sys.executable} -I -S {path} {{cache}}"

    return write


# Opens everything that is shut and removes it: a good cleaner of plain states, to which badness is added.
EMPTY = """
for base, names, files in os.walk(cache):
    for name in names:
        path = os.path.join(base, name)
        if not os.path.islink(path):
            os.chmod(path, 0o700)
shutil.rmtree(cache)
"""


def test_one_that_does_nothing_lies(torture):
    cell = torture(STATES["mode-0200"], "true {cache}")
    assert cell.verdict == LIED
    assert cell.error.startswith("exit code 0, and 12 entries are left")


def test_one_that_does_it_is_clean(torture, program):
    assert torture(STATES["mode-0200"], program(EMPTY)).verdict == CLEAN


def test_one_that_follows_links_does_harm(torture, program):
    follow = """
for base, names, files in os.walk(cache, topdown=False, followlinks=True):
    for name in files:
        os.unlink(os.path.join(base, name))
    for name in names:
        path = os.path.join(base, name)
        (os.unlink if os.path.islink(path) else os.rmdir)(path)
"""
    cell = torture(STATES["bucket-is-a-link"], program(follow))
    assert cell.verdict == HARMED
    assert "outside/folder/kept: is gone" in cell.harm


def test_one_that_changes_modes_by_path_does_harm(torture, program):
    careless = """
for base, names, files in os.walk(cache):
    for name in [*names, *files]:
        os.chmod(os.path.join(base, name), 0o777)
shutil.rmtree(cache)
"""
    for state in ("hard-link-in-read-only", "hard-links", "link-to-a-file"):
        cell = torture(STATES[state], program(careless))
        assert cell.verdict == HARMED, state
        assert "outside/read-only: mode was 0444, is 0777" in cell.harm


def test_one_that_writes_over_files_first_does_harm(torture, program):
    shred = """
with open(os.path.join(cache, "http-v2/entry/plain"), "r+b") as file:
    status = os.fstat(file.fileno())
    file.write(b"0")
    file.flush()
    os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
shutil.rmtree(cache)
"""
    cell = torture(STATES["hard-links"], program(shred))
    assert (cell.verdict, cell.harm) == (HARMED, ("outside/plain: content is another",))


def test_one_that_leaves_something_beside_the_cache_does_harm(torture, program):
    cell = torture(STATES["mode-0500"], program("os.rename(cache, cache + '.trash')"))
    assert (cell.verdict, cell.harm[0]) == (HARMED, "cache.trash: is new")


def test_one_that_opens_the_directory_that_holds_the_cache_does_harm(torture, program):
    cell = torture(STATES["parent-read-only"], program(f"os.chmod(os.path.dirname(cache), 0o755)\n{EMPTY}"))
    assert (cell.verdict, cell.harm[0]) == (HARMED, ".: mode was 0555, is 0755")


def test_one_that_sleeps_is_out_of_time(torture):
    cell = torture(STATES["mode-0200"], "sh -c 'sleep 60' {cache}", timeout=0.3)
    assert (cell.verdict, cell.error) == (TIMEOUT, "it did not end within 0.3 s")


def test_one_that_is_out_of_time_does_harm_all_the_same(torture, program):
    harm = "os.unlink(os.path.dirname(cache) + '/outside/plain')\ntime.sleep(60)"
    assert torture(STATES["mode-0200"], program(harm), timeout=1.0).verdict == HARMED


@pytest.mark.parametrize("session", ["", "os.setsid()"], ids=["same session", "session of its own"])
@pytest.mark.parametrize("deaf", ["", "import signal; signal.signal(15, signal.SIG_IGN)"], ids=["", "deaf"])
def test_children_that_it_leaves_are_ended(torture, program, tmp_path, session, deaf):
    told = tmp_path / "pids"
    leave = f"""
if os.fork() == 0:
    {session or "pass"}
    {deaf or "pass"}
    if os.fork() == 0:
        with open({str(told)!r}, "w") as file:
            print(os.getpid(), os.getppid(), file=file)
        os.rename({str(told)!r}, {str(told)!r} + ".whole")
        time.sleep(60)
    time.sleep(60)
while not os.path.exists({str(told)!r} + ".whole"):
    time.sleep(0.001)
{EMPTY}
"""
    cell = torture(STATES["mode-0200"], program(leave))
    assert cell.verdict == CLEAN
    pids = (tmp_path / "pids.whole").read_text().split()
    assert len(pids) == 2
    assert not any(map(lives, pids))


def test_one_that_is_killed_by_a_signal_has_failed(torture, program):
    cell = torture(STATES["mode-0200"], program("print('so far', flush=True)\nos.kill(os.getpid(), 11)"))
    assert cell.verdict == FAILED
    assert cell.error.startswith("ended by SIGSEGV: so far; 12 entries are left")


@pytest.mark.parametrize(
    ("number", "told"),
    [(9, "it killed the process that watches it"), (19, "it stopped the process that watches it")],
    ids=["kills", "stops"],
)
def test_one_that_strikes_who_watches_it_has_failed(torture, program, number, told):
    cell = torture(STATES["mode-0200"], program(f"os.kill(os.getppid(), {number})\ntime.sleep(60)"))
    assert (cell.verdict, cell.error) == (FAILED, told)


def test_one_that_ends_who_is_at_work_has_failed(torture, program):
    """To kill the build is no way to empty its cache."""
    strike = """
def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != os.getpid() and parent(name) == os.getppid():
        os.kill(int(name), 9)
"""
    cell = torture(STATES["writer"], program(strike + EMPTY))
    assert (cell.verdict, cell.error) == (FAILED, "it ended the process that kept it company")


def test_one_that_shuts_out_who_is_at_work_is_judged(torture, program):
    shut = "os.chmod(cache + '/http-v2/entry', 0o500)\ntime.sleep(0.2)\nsys.exit(1)"
    assert torture(STATES["writer"], program(shut)).verdict == FAILED


def test_one_that_makes_room_by_removing_what_is_beside_the_cache_does_harm(torture, program):
    cell = torture(STATES["no-space"], program("shutil.rmtree(os.path.dirname(cache) + '/aside')\n" + EMPTY))
    if cell.verdict == SKIPPED:
        pytest.skip(cell.error)
    assert (cell.verdict, cell.harm[0]) == (HARMED, "aside: is gone")


def test_one_that_goes_elsewhere_is_judged_where_the_cache_is(torture, program):
    assert torture(STATES["mode-0200"], program(f"os.chdir('/')\n{EMPTY}")).verdict == CLEAN


def test_one_that_needs_a_terminal_does_not_get_ours(torture):
    cell = torture(STATES["mode-0200"], "sh -c 'exec < /dev/tty && rm -rf \"$1\"' sh {cache}")
    assert cell.verdict == FAILED
    assert "/dev/tty" in cell.error


def test_one_that_floods_its_output(torture):
    cell = torture(STATES["mode-0200"], "sh -c 'head -c 300000000 /dev/zero; exit 3' {cache}")
    assert cell.verdict == FAILED
    assert cell.error.endswith("it printed 300.0 MB, of which the first and the last part were read")


def test_one_that_cannot_be_started(torture, tmp_path):
    path = tmp_path / "tool"
    path.write_text("no program at all\n")
    path.chmod(0o755)
    cell = torture(STATES["mode-0200"], f"{path} {{cache}}")
    assert cell.verdict == FAILED
    assert cell.error == "it cannot be started: Exec format error"


def test_what_it_knows_of_the_world(torture, program):
    """Home, caches and temporary files are beside the cache; the caller's variables are not there."""
    ask = """
where = os.path.dirname(os.path.dirname(cache))
names = ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "UV_CACHE_DIR",
         "PIP_CACHE_DIR"]
wrong = [name for name in names if not os.environ[name].startswith(where + "/")]
wrong += sorted(os.environ.keys() & {"PYTHONPATH", "USER", "SSH_AUTH_SOCK", "PYTEST_CURRENT_TEST"})
assert os.environ["UV_CACHE_DIR"] == os.environ["PIP_CACHE_DIR"] == cache
assert os.getcwd().startswith(where + "/"), os.getcwd()
sys.exit(f"error: {wrong}" if wrong else 7)
"""
    cell = torture(STATES["mode-0200"], program(ask))
    assert cell.error.startswith("exit code 7, and nothing printed"), cell.error


def test_a_careless_purge_meets_only_the_sandbox(torture, program):
    """It does not even look at its argument."""
    assert torture(STATES["files-without-modes"], program("shutil.rmtree(os.environ['UV_CACHE_DIR'])")).verdict == CLEAN


def test_names_alone_are_no_report(torture, program):
    """All else has to be gone."""
    cell = torture(STATES["memory-mounted-inside"], program("sys.exit('error: http-v2/mount')"))
    if cell.verdict == SKIPPED:
        pytest.skip(cell.error)
    assert cell.verdict == FAILED
    assert "is left and could go" in cell.error


def test_a_refusal_by_name_is_a_report(torture, program):
    cell = torture(STATES["tag-missing"], program("sys.exit(f'error: {cache} is no cache')"))
    assert cell.verdict == REPORTED
    assert torture(STATES["tag-missing"], program("sys.exit(f'error: no cache')")).verdict == FAILED
