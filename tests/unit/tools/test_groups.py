"""Process groups: an end to each, whatever it does; and nothing that it started outlives the block."""

import os
import signal
import sys
import time

import pytest
import trio

from simulator.tools.groups import Group, no_orphans, read_output, run_group

SLEEPER = "import time; time.sleep(600)"
# Says that it is there, so that a test needs no clock.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


async def until(ready):
    while not ready():  # noqa: ASYNC110 - another process makes it so
        await trio.sleep(0.002)


def run(code, tmp_path, during=None, **options):
    """Run Python code in a group; `during` gets the group once something is printed."""
    group, output = Group(), str(tmp_path / "output")

    async def main():
        async with trio.open_nursery() as nursery:
            if during is not None:
                nursery.start_soon(wait_and, during)
            await run_group(
                group,
                [sys.executable, "-I", "-S", "-c", code],
                variables=dict(os.environ),
                directory=str(tmp_path),
                output=output,
                **options,
            )

    async def wait_and(work):
        await until(lambda: os.path.exists(output) and read_output(output))
        work(group)

    with no_orphans():
        trio.run(main)
    return group, read_output(output)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_output_and_exit_code(tmp_path):
    group, printed = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (group.code, group.timed_out) == (3, False)
    assert sorted(printed.split()) == ["err", "out"]
    assert group.seconds > 0


def test_input_is_empty(tmp_path):
    assert run("import sys; print(repr(sys.stdin.read()))", tmp_path)[1] == "''\n"


def test_it_is_a_group_of_its_own_in_our_session(tmp_path):
    group, printed = run("import os; print(os.getpgid(0), os.getsid(0), os.umask(0))", tmp_path)
    assert printed.split() == [str(group.leader), str(os.getsid(0)), str(0o022)]


def test_bytes_that_are_no_text_are_escaped(tmp_path):
    assert run(r"import os; os.write(1, b'\xff\n')", tmp_path)[1] == "\\xff\n"


@pytest.mark.slow
def test_time_is_up(tmp_path):
    group, _ = run(SLEEPER, tmp_path, timeout_seconds=0.2)
    assert (group.code, group.timed_out) == (-signal.SIGTERM, True)


@pytest.mark.slow
def test_one_that_will_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.tools.groups.GRACE_SECONDS", 0.2)
    group, _ = run(STUBBORN, tmp_path, timeout_seconds=0.5)
    assert (group.code, group.timed_out) == (-signal.SIGKILL, True)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["time.sleep(600)", ""])
def test_its_children_die_with_it(tmp_path, end):
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-S', '-c', {SLEEPER!r}])\n"
        f"print(child.pid, flush=True)\n{end}"
    )
    _, printed = run(code, tmp_path, timeout_seconds=1.0 if end else 60)
    assert not is_alive(int(printed))


@pytest.mark.slow
def test_a_daemon_in_a_session_of_its_own_is_found(tmp_path):
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-S', '-c', {SLEEPER!r}], start_new_session=True, env={{}})\n"
        "print(child.pid, flush=True)"
    )
    group, printed = run(code, tmp_path)
    assert group.code == 0
    assert not is_alive(int(printed))


def test_other_children_are_let_live(tmp_path):
    import subprocess

    with subprocess.Popen([sys.executable, "-I", "-S", "-c", SLEEPER]) as before:
        run("", tmp_path)
        assert before.poll() is None
        before.kill()


def test_killed_by_us(tmp_path):
    group, _ = run(STUBBORN, tmp_path, during=Group.kill)
    assert group.code == -signal.SIGKILL
    assert not group.timed_out


@pytest.mark.slow
def test_its_time_does_not_run_while_it_stands_still(tmp_path):
    """Stopped well before its time is up, and for longer than that; then it goes on, and ends in time."""

    def stop_and_go(group):
        group.stop()
        time.sleep(0.6)  # the whole process waits: nothing else can happen meanwhile
        group.go_on()

    code = "import time; print('up', flush=True); time.sleep(0.1)"
    group, _ = run(code, tmp_path, during=stop_and_go, timeout_seconds=0.5)
    assert (group.code, group.timed_out) == (0, False)


def test_cancelled(tmp_path):
    group, pids = Group(), []

    async def main():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_soon, scope)
                await run_group(
                    group,
                    [sys.executable, "-I", "-S", "-c", SLEEPER],
                    variables={},
                    directory=str(tmp_path),
                    output=str(tmp_path / "output"),
                )

    async def cancel_soon(scope):
        await until(lambda: group.leader)
        pids.append(group.leader)
        scope.cancel()

    trio.run(main)
    assert not is_alive(pids[0])
    assert group.code == -signal.SIGKILL


def test_what_cannot_be_started(tmp_path):
    async def main():
        missing = str(tmp_path / "missing")
        await run_group(Group(), [missing], variables={}, directory="/", output=str(tmp_path / "output"))

    with pytest.raises(FileNotFoundError):
        trio.run(main)
