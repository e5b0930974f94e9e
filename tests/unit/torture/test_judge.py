"""Verdicts, one by one: what is on the file system, the exit code, and what of the output counts."""

import os

import pytest

from cache_core.removal import remove_tree
from scenarios.states.place import Place
from scenarios.states.state import REPORTED as MAY_BE_REPORTED
from scenarios.states.state import State
from simulator.torture.child import HEAD_BYTES_MAX, Ended
from simulator.torture.judge import Judge
from simulator.torture.verdicts import CLEAN, FAILED, HARMED, LIED, REPORTED, TIMEOUT


def plain(make):
    make.file("http-v2/entry/file")


def stuck(make):
    """Nothing that takes a privilege: what may stay here could go, and the judge does not know."""
    make.file("http-v2/entry/kept")
    make.file("http-v2/entry/other")


SOLVABLE = State("solvable", "test", plain, "")
UNSOLVABLE = State("unsolvable", "test", stuck, "", expect=MAY_BE_REPORTED, stays=("http-v2/entry/kept",))
KEPT_DIRECTORY = State(
    "directory",
    "test",
    lambda make: make.file("http-v2/kept/file"),
    "",
    expect=MAY_BE_REPORTED,
    stays=("http-v2/kept",),
)
REFUSABLE = State("refusable", "test", plain, "", expect=MAY_BE_REPORTED, stays=(".",), ordinary=False)


def ended(code, output=b"", *, timed_out=False, printed=None):
    return Ended(code, timed_out, output, len(output) if printed is None else printed, 0.1)


@pytest.fixture
def laid(tmp_path):
    def lay(state):
        place = Place(str(tmp_path / "stage"))
        os.mkdir(place.root)
        state.recipe().lay(place)
        return place, Judge(place, state, str(tmp_path))

    yield lay
    remove_tree(str(tmp_path / "stage"))


def clean(place, *but):
    """Remove all files and the directories that are empty then, but these."""
    for directory, _, files in os.walk(place.cache, topdown=False):
        for name in files:
            path = f"{directory}/{name}"
            if os.path.relpath(path, place.cache) not in but:
                os.unlink(path)
        if not os.listdir(directory):
            os.rmdir(directory)


def verdict(judge, *outcomes):
    return judge.judge(list(outcomes), 30.0)


def test_gone_and_said_so(laid):
    place, judge = laid(SOLVABLE)
    clean(place)
    assert not os.path.exists(place.cache)
    told = verdict(judge, ended(0))
    assert (told.verdict, told.error, told.harm) == (CLEAN, None, ())


def test_empty_and_said_so(laid):
    place, judge = laid(SOLVABLE)
    clean(place, "CACHEDIR.TAG")
    assert verdict(judge, ended(0)).verdict == CLEAN


def test_not_empty_and_said_that_it_is(laid):
    _, judge = laid(SOLVABLE)
    told = verdict(judge, ended(0, b"cache is empty"))
    assert told.verdict == LIED
    left = "9 entries are left, such as 'http-v2/0-ordinary/a/file'"
    assert told.error == f"exit code 0, and {left}; it said: cache is empty"


def test_empty_and_said_that_it_is_not(laid):
    place, judge = laid(SOLVABLE)
    clean(place)
    told = verdict(judge, ended(1, b"cannot remove"))
    assert told.verdict == FAILED
    assert told.error == "exit code 1: cannot remove; the cache is empty, which it calls a failure"


def test_what_can_go_cannot_be_reported(laid):
    _, judge = laid(SOLVABLE)
    told = verdict(judge, ended(1, b"http-v2/entry/file: error: left"))
    assert told.verdict == FAILED
    assert told.error.startswith("exit code 1: http-v2/entry/file: error: left; 9 entries are left")


def test_a_signal_has_a_name(laid):
    _, judge = laid(SOLVABLE)
    assert verdict(judge, ended(-6, b"stack overflow, fatal error")).error.startswith(
        "ended by SIGABRT: stack overflow, fatal error; 9 entries"
    )
    assert verdict(judge, ended(-40)).error.startswith("ended by signal 40; 9 entries")


def test_time_that_was_up(laid):
    place, judge = laid(SOLVABLE)
    clean(place)
    told = verdict(judge, ended(0, timed_out=True))
    assert (told.verdict, told.error) == (TIMEOUT, "it did not end within 30 s")


def test_harm_weighs_more_than_anything(laid):
    place, judge = laid(SOLVABLE)
    clean(place)
    os.chmod(f"{place.outside}/read-only", 0o666)
    os.unlink(f"{place.outside}/secret")
    for outcome in (ended(0), ended(1), ended(0, timed_out=True)):
        told = verdict(judge, outcome)
        assert told.verdict == HARMED
        late = "; it did not end within 30 s" if outcome.timed_out else ""
        assert told.error == f"outside/read-only: mode was 0444, is 0666 (and 2 more){late}"
        assert "outside/secret: is gone" in told.harm


class TestReported:
    NAMED = b"error: http-v2/entry/kept: Operation not permitted"

    def test_all_else_gone_and_named(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        assert verdict(judge, ended(1, self.NAMED)).verdict == REPORTED

    def test_not_named(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        told = verdict(judge, ended(1, b"error: kept: Operation not permitted"))
        assert told.verdict == FAILED
        assert told.error.endswith("it does not name 'http-v2/entry/kept', which is left")

    def test_something_else_is_left(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept", "http-v2/entry/other")
        told = verdict(judge, ended(1, self.NAMED))
        assert told.verdict == FAILED
        assert told.error.endswith("'http-v2/entry/other' is left and could go")

    def test_an_empty_directory_is_left(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        os.mkdir(f"{place.cache}/http-v2/empty")
        told = verdict(judge, ended(1, self.NAMED))
        assert told.error.endswith("'http-v2/empty' is left and could go")

    def test_something_new_where_something_may_stay(self, laid):
        place, judge = laid(KEPT_DIRECTORY)
        clean(place, "http-v2/kept/file")
        assert verdict(judge, ended(1, b"http-v2/kept/file: error")).verdict == REPORTED
        with open(f"{place.cache}/http-v2/kept/moved-in", "w"):
            pass
        told = verdict(judge, ended(1, b"http-v2/kept: error"))
        assert told.error.endswith("'http-v2/kept/moved-in' is left and could go")

    @pytest.mark.parametrize(
        "output",
        [b"http-v2/entry/kept-not", b"http-v2/entry/kept/below", b"a-http-v2/entry/kept", b"http-v2/entry/kept.d"],
    )
    def test_the_name_of_something_else_is_not_its_name(self, laid, output):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        assert verdict(judge, ended(1, output)).verdict == FAILED
        assert verdict(judge, ended(1, b"'" + output + b"': error; and http-v2/entry/kept.")).verdict == REPORTED

    def test_very_much_is_more_than_was_there(self, laid):
        place, judge = laid(UNSOLVABLE)
        for number in range(1_000):
            os.mkdir(f"{place.cache}/{number}")
        told = verdict(judge, ended(1, self.NAMED))
        assert told.error.endswith("at least 1,000 entries are left, which is more than were there")

    def test_half_a_refusal(self, laid):
        place, judge = laid(REFUSABLE)
        os.unlink(f"{place.cache}/http-v2/entry/file")
        told = verdict(judge, ended(2, f"error: '{place.cache}' is no cache".encode()))
        assert told.error.endswith("it refuses the cache, and part of it is gone")

    def test_said_that_it_is_empty(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        assert verdict(judge, ended(0, self.NAMED)).verdict == LIED

    def test_it_went_all_the_same(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place)
        assert verdict(judge, ended(0)).verdict == CLEAN
        assert verdict(judge, ended(1, self.NAMED)).verdict == FAILED

    def test_moved_aside_it_is_named_where_it_is(self, laid):
        place, judge = laid(UNSOLVABLE)
        clean(place, "http-v2/entry/kept")
        os.rename(f"{place.cache}/http-v2", f"{place.cache}/trash")
        assert verdict(judge, ended(1, self.NAMED)).verdict == FAILED
        assert verdict(judge, ended(1, b"error: trash/entry/kept: left")).verdict == REPORTED

    def test_something_else_under_its_name(self, laid):
        """Who may stay is a file, not a path."""
        place, judge = laid(UNSOLVABLE)
        kept = f"{place.cache}/http-v2/entry/kept"
        with open(f"{place.cache}/new", "w"):
            pass
        os.rename(f"{place.cache}/new", kept)
        clean(place, "http-v2/entry/kept")
        assert verdict(judge, ended(1, self.NAMED)).verdict == FAILED

    def test_a_refusal_names_the_cache(self, laid):
        place, judge = laid(REFUSABLE)
        assert verdict(judge, ended(2, f"error: '{place.cache}' is no cache".encode())).verdict == REPORTED
        told = verdict(judge, ended(2, b"error: this is no cache"))
        assert told.verdict == FAILED
        assert told.error.endswith("it does not name the cache, nor anything in it")


class TestSeveralAtOnce:
    def test_each_must_succeed(self, laid):
        place, judge = laid(SOLVABLE)
        clean(place)
        assert verdict(judge, ended(0), ended(0)).verdict == CLEAN
        told = verdict(judge, ended(0), ended(1, b"error: No such file"))
        assert told.verdict == FAILED
        assert told.error.startswith("exit code 1: error: No such file")

    def test_the_late_one_decides(self, laid):
        _, judge = laid(SOLVABLE)
        assert verdict(judge, ended(0), ended(-9, timed_out=True)).verdict == TIMEOUT


def test_what_is_moved_is_not_removed(laid):
    place, judge = laid(SOLVABLE)
    home = f"{os.path.dirname(place.root)}/home"
    os.mkdir(home)
    os.rename(place.cache, f"{home}/trash")
    told = verdict(judge, ended(0))
    assert (told.verdict, told.error) == (
        LIED, "exit code 0, and it is not removed but moved, to 'home/trash/http-v2'",
    )  # fmt: skip
    remove_tree(home)


def test_a_link_in_place_of_the_cache_is_no_empty_cache(laid):
    place, judge = laid(SOLVABLE)
    clean(place)
    os.symlink(place.outside, place.cache)
    told = verdict(judge, ended(0))
    assert (told.verdict, told.error) == (LIED, "exit code 0, and the path is no directory but a link")


def test_what_cannot_be_looked_at_any_more(laid):
    place, judge = laid(SOLVABLE)
    remove_tree(place.root)
    told = verdict(judge, ended(0))
    assert told.verdict == HARMED
    assert told.error == "what is outside cannot be looked at any more: No such file or directory"


def test_what_is_quoted_of_the_output(laid):
    place, judge = laid(SOLVABLE)
    output = f"starting\nerror: Failed to clear: {place.cache}\n  Caused by: Permission denied \x1b[31m\n\ndone\n"
    told = verdict(judge, ended(2, output.encode()))
    assert told.error.startswith(r"exit code 2: Caused by: Permission denied \x1b[31m; ")
    told = verdict(judge, ended(2, f"cannot open {place.cache}/x\n".encode()))
    assert told.error.startswith("exit code 2: cannot open <cache>/x; ")
    assert verdict(judge, ended(2)).error.startswith("exit code 2, and nothing printed; ")
    assert "caf\\xe9" in verdict(judge, ended(2, b"error: caf\xe9")).error
    assert len(verdict(judge, ended(2, b"error " + b"x" * 10_000)).error) < 600


def test_a_flood_is_said(laid):
    _, judge = laid(SOLVABLE)
    told = verdict(judge, ended(1, b"error", printed=3 * 10**9))
    assert told.error.endswith("it printed 3.0 GB, of which the first and the last part were read")
    assert HEAD_BYTES_MAX < 10**9
