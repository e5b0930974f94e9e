import os
import signal
import sys
import time

import pytest
import trio

from simulator.tools.children import run_child

# What a shell leaves in the background, holding its output open.
LINGERING = "sleep 1000 & echo $!; "


def run(script, **options):
    return trio.run(lambda: run_child(["/bin/sh", "-c", script], environment=os.environ, directory="/", **options))


def assert_gone(pid):
    """Killed, and reaped by whoever got it (an orphan of a test may have nobody who reaps it at once)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} is alive")


def test_what_it_printed_and_its_code():
    done = run("echo out; echo err >&2; exit 3")
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_bytes_that_are_no_text_are_escaped():
    assert run(r"printf '\377'").stdout == "\\xff"


def test_a_signal_is_a_negative_code():
    assert run("kill -TERM $$").code == -signal.SIGTERM


def test_its_input_is_empty():
    assert run("cat").stdout == ""


def test_out_of_time_the_whole_group_is_killed():
    done = run(f"{LINGERING} sleep 1000", timeout_seconds=0.2)
    assert done.code is None
    assert_gone(int(done.stdout))


def test_what_outlives_the_command_in_silence_is_killed():
    done = run("sleep 1000 > /dev/null 2>&1 & echo $!")
    assert done.code == 0
    assert_gone(int(done.stdout))


def test_cancelled_the_whole_group_is_killed(tmp_path):
    async def main():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_there, scope)
                script = f"sleep 1000 & echo $! > {tmp_path}/unfinished; mv {tmp_path}/unfinished {tmp_path}/pid; wait"
                await run_child(["/bin/sh", "-c", script], environment=os.environ, directory="/")

    async def cancel_when_there(scope):
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - a file of another process has no event
            await trio.sleep(0.01)
        scope.cancel()

    trio.run(main)
    assert_gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        trio.run(lambda: run_child(["/nowhere/at-all"], environment={}, directory="/"))


def test_descriptors_that_are_kept_open():
    reading, writing = os.pipe()
    script = f"import os; os.write({writing}, b'x')"
    done = trio.run(
        lambda: run_child([sys.executable, "-c", script], environment={}, directory="/", keep_open=(writing,))
    )
    os.close(writing)
    assert done.code == 0, done.stderr
    assert os.read(reading, 10) == b"x"
    os.close(reading)
