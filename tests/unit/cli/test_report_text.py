import io
import re

from simulator.engine.actor import BLOCKED, DONE, Actor
from simulator.explaining.poisoning import Line, Story
from simulator.report.live import PlainView, TerminalView
from simulator.report.summary import Summary
from simulator.report.text import Report
from simulator.running.outcome import BuildOutcome, CleanerOutcome, Failure, Poisoned, Residue, Violation


def printed(section, *arguments):
    stream = io.StringIO()
    getattr(Report(stream), section)(*arguments)
    return stream.getvalue()


def test_builds_are_a_table_that_is_never_cut():
    path = "bucket/entry.tar.gz/build/bdist.linux-x86_64/" + "deep/" * 40 + "file"
    failure = Failure("FileNotFoundError", "not-found", 2, "open", path, "", injected=False)
    builds = [
        BuildOutcome("build-1", "ok", "install", None, 1234, 3),
        BuildOutcome("build-10", "failed", "zip", failure, 7, 1),
        BuildOutcome("build-2", "failed", "zip", Failure("TypeError", "x", None, None, None, "", injected=True), 7, 1),
    ]
    lines = printed("builds", builds).splitlines()
    assert lines[2] == "build-1   ok       install  1,234"
    assert lines[3].endswith("ENOENT open build/bdist.linux-x86_64/" + "deep/" * 40 + "file")
    assert lines[4].endswith("TypeError (injected)")
    assert lines[5] == "1 ok, 2 failed, 0 killed"


def test_residue_looks_as_ls_shows_it():
    entry = "built/pkg.tar.gz"
    residue = Residue(
        3, 4, (f"{entry}/build/bdist.x",), (Poisoned(f"{entry}/build/bdist.x/wheel", 0o200), Poisoned("odd", 0o0))
    )
    lines = printed("residue", residue).splitlines()
    assert f"  {entry}:" in lines
    assert "    partial tree  build/bdist.x" in lines
    assert "    d-w-------    build/bdist.x/wheel" in lines
    assert "    d---------    odd" in lines
    assert "no poisoned directories" in printed("residue", Residue(0, 0, (), ()))


def test_control_characters_never_reach_the_terminal():
    nasty = "a\x1b[2Jb\udcff/build/x\ny"
    told = printed("residue", Residue(1, 1, (nasty,), (Poisoned(nasty, 0o200),)))
    told += printed("cleaner", CleanerOutcome("model", False, False, f"Failed:\n  {nasty}", 13, 0, 0))
    told += printed("violations", [Violation("o", "s", nasty)])
    assert "\x1b" not in told
    assert "\udcff" not in told


def test_cleaners_say_what_they_did_and_said():
    good = printed("cleaner", CleanerOutcome("hardened", True, True, None, None, 1200, 37))
    assert good == "hardened: cache is empty; 1,200 files and 37 directories removed\n"
    bad = printed("cleaner", CleanerOutcome("model:uv", False, False, "error: one\n  Caused by: two", 13, 1, 0))
    assert bad.splitlines() == [
        "model:uv: cache is NOT empty; 1 file and 0 directories removed",
        "  error: one",
        "    Caused by: two",
    ]
    assert "killed" in printed("cleaner", CleanerOutcome("x", False, False, "killed", None, 0, 0, killed=True))


def test_violations_by_kind():
    tolerated = [Violation("build-hurt", "s", f"build-{n} failed (a/build/b)", expected=True) for n in range(3)]
    told = printed("violations", [*tolerated, Violation("outside", "o", "the cleaner changed 'kept.txt'")])
    assert "UNEXPECTED violation of outside: the cleaner changed 'kept.txt'" in told
    assert "  build-hurt: build-0 failed (build/b) (and 2 more like it)" in told


def test_plain_lines_are_few():
    stream = io.StringIO()
    view = PlainView(stream)
    actor = Actor("build-1", 0)
    view.begin("the storm", [actor])
    for phase in ("look-up", "download", "build_py", "zip", "look-up", "build_py", "install"):
        for _ in range(5):
            actor.phase, actor.steps = phase, actor.steps + 1
            view.look()
    actor.status = DONE
    view.end()
    assert stream.getvalue().splitlines() == [
        "the storm",
        "  build-1 builds",
        "  build-1 installs",
        "  build-1 ends in install after 35 steps",
    ]


def test_a_cleaner_cleans_whatever_its_phase_is_called():
    stream = io.StringIO()
    view = PlainView(stream)
    # Its phase is its name; a build has a phase of the same name.
    cleaner, build = Actor("cleaner", 0, phase="rmtree"), Actor("build-1", 1, phase="rmtree")
    view.begin("the storm", [cleaner, build])
    view.look()
    cleaner.status = BLOCKED
    view.look()
    for actor in (cleaner, build):
        actor.status = DONE
    view.end()
    assert stream.getvalue().splitlines() == [
        "the storm",
        "  build-1 builds",
        "  cleaner waits for a lock",
        "  cleaner ends after 0 steps",
        "  build-1 ends in rmtree after 0 steps",
    ]


def test_a_build_that_ends_while_it_waits_says_so():
    stream = io.StringIO()
    view = PlainView(stream)
    view.begin("the storm", [Actor("build-1", 0, phase="lock", status=DONE, killed=True)])
    view.end()
    assert stream.getvalue().splitlines()[1:] == ["  build-1 is killed in lock after 0 steps"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_a_step_means_is_dim_on_a_terminal_and_plain_elsewhere(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    story = Story("top/wheel", 0o200, (Line(7, "build-1", "chmod wheel 0200", "ok", "meant well"),))
    assert printed("story", story).splitlines()[-1] == "    7  chmod wheel 0200 -> ok   meant well"
    stream = Terminal()
    Report(stream).story(story)
    assert "chmod wheel 0200 -> ok\x1b[2m   meant well\x1b[0m" in stream.getvalue()


def test_a_terminal_is_redrawn_ten_times_a_second():
    ticks = iter(range(1000))
    stream = Terminal()
    view = TerminalView(stream, clock=lambda: next(ticks) / 100)
    actor = Actor("build-1", 0)
    view.begin("the storm", [actor])
    for _ in range(100):
        actor.steps += 1
        view.look()
    actor.killed = True
    view.end()
    drawn = re.findall(r"(\d+) steps", stream.getvalue())
    assert 8 <= len(set(drawn)) <= 13
    assert "killed" in stream.getvalue()


def test_a_summary_of_nothing_divides_by_nothing():
    assert any("0 of 0 seeds" in line for line in Summary().lines(0.0))
