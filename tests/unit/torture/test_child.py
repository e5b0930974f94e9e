"""A cleaner as a process: what it holds, when it ends, what of its output is kept."""

import os
import signal
import sys
import time

import pytest

from simulator.torture.child import HEAD_BYTES_MAX, run_side_by_side
from tests.support.lives import lives

pytestmark = pytest.mark.slow

# Ends a test that hangs.
SECONDS_MAX = 30.0
STATUS = "import sys; sys.stdout.write(open('/proc/self/status').read())"


def run(*command, copies=1, limits=None, timeout=SECONDS_MAX, directory="/"):
    return run_side_by_side(
        command,
        copies=copies,
        variables={"PATH": os.environ["PATH"], "NAME": "value"},
        directory=str(directory),
        limits=limits or {},
        timeout_seconds=timeout,
    )


def python(program, **options):
    return run(sys.executable, "-I", "-S", "-c", program, **options)


def test_code_and_output_of_both_streams():
    (ended,) = python("import sys; print('one'); sys.stdout.flush(); print('two', file=sys.stderr); sys.exit(3)")
    assert (ended.code, ended.timed_out, ended.output, ended.printed) == (3, False, b"one\ntwo\n", 8)
    assert ended.seconds > 0


def test_it_has_no_capability_and_gains_none():
    (ended,) = python(STATUS)
    held = dict(line.split(":\t") for line in ended.output.decode().splitlines() if line.startswith("Cap"))
    assert [held[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0" * 16] * 4
    assert held["CapBnd"] == "0" * 16 or "NoNewPrivs:\t1" in ended.output.decode()


def test_modes_stop_it(tmp_path):
    (tmp_path / "shut").mkdir(0o000)
    (ended,) = run("ls", str(tmp_path / "shut"))
    assert ended.code != 0
    assert b"Permission denied" in ended.output


def test_it_has_no_terminal_and_no_input():
    program = """
import os, sys
print(sys.stdin.read() == "", os.getsid(0) == os.getpid())
try:
    os.open("/dev/tty", os.O_RDWR)
except OSError as error:
    print("no terminal", error.errno)
"""
    (ended,) = python(program)
    assert ended.output.decode().splitlines()[0] == "True True"
    assert "no terminal" in ended.output.decode()


def test_it_gets_the_variables_and_no_others():
    (ended,) = run("env")
    assert sorted(line.partition("=")[0] for line in ended.output.decode().splitlines()) == ["NAME", "PATH"]


def test_it_inherits_no_descriptor():
    kept = os.open("/", os.O_RDONLY)
    os.set_inheritable(kept, True)
    (ended,) = run("ls", "/proc/self/fd")
    os.close(kept)
    # The fourth is that of the listing itself.
    assert ended.output.split() == [b"0", b"1", b"2", b"3"]


def test_where_it_works(tmp_path):
    (ended,) = run("pwd", directory=tmp_path)
    assert ended.output.decode() == f"{tmp_path}\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_signal_that_ends_it(number):
    (ended,) = python(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (ended.code, ended.timed_out) == (-number, False)


def test_one_whose_time_is_up_is_asked_to_end():
    program = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(4))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    (ended,) = python(program, timeout=0.5)
    assert (ended.code, ended.timed_out) == (4, True)


def test_one_that_does_not_listen_is_killed():
    program = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)"
    (ended,) = python(program, timeout=0.3)
    assert (ended.code, ended.timed_out) == (-signal.SIGKILL, True)


def test_a_child_in_its_group_is_killed_when_it_ends(tmp_path):
    told = tmp_path / "pid"
    program = f"""
import os, time
if os.fork() == 0:
    open({str(told)!r}, "w").write(str(os.getpid()))
    time.sleep(60)
while not os.path.exists({str(told)!r}) or not open({str(told)!r}).read():
    time.sleep(0.001)
"""
    (ended,) = python(program)
    assert ended.code == 0
    assert ended.seconds < SECONDS_MAX
    deadline = time.monotonic() + SECONDS_MAX
    while lives(told.read_text()):
        assert time.monotonic() < deadline, "it lives"


def test_a_flood_is_read_and_its_ends_are_kept():
    (ended,) = python(
        "import sys\nprint('first')\nfor _ in range(300): sys.stdout.write('x' * 65536)\nprint('\\nlast')"
    )
    assert ended.code == 0
    assert ended.printed == len("first\n") + 300 * 65_536 + len("\nlast\n")
    assert ended.output.startswith(b"first\nxxx")
    assert ended.output.endswith(b"xxx\nlast\n")
    assert HEAD_BYTES_MAX < len(ended.output) < 2 * HEAD_BYTES_MAX


def test_limits():
    (ended,) = python("import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_FSIZE))",
                      limits={"nofile": 32, "fsize": 0})  # fmt: skip
    assert ended.output == b"(32, 32) (0, 0)\n"


def test_several_at_once(tmp_path):
    """Each waits for the other: one after the other they would be out of time."""
    program = f"""
import os, time
os.close(os.open({str(tmp_path)!r} + "/" + str(os.getpid()), os.O_CREAT | os.O_EXCL))
while len(os.listdir({str(tmp_path)!r})) < 3:
    time.sleep(0.001)
"""
    ended = python(program, copies=3)
    assert [(one.code, one.timed_out) for one in ended] == [(0, False)] * 3


def test_what_cannot_be_started():
    with pytest.raises(FileNotFoundError):
        run("/nowhere/program")
