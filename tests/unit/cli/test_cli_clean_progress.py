"""The line on the terminal and the listing, with a clock and a stream of the test."""

import errno
import io
import itertools
import os

import pytest

from cache_core.outcome import Progress
from simulator.cli.listed import Listing
from simulator.cli.progress_line import ProgressLine


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown():
    """Call with what is so after how many seconds; returns what is written then."""
    clock, stream = Clock(), io.StringIO()
    line = ProgressLine(stream, clock)

    def show(after, files, directories=0):
        clock.now = 100.0 + after
        before = stream.tell()
        line(Progress(files, directories, 0))
        return stream.getvalue()[before:]

    show.clear = line.clear
    show.written = stream.getvalue
    return show


def test_nothing_in_the_first_half_second(shown):
    assert shown(0.1, 1_000) == ""
    assert shown(0.49, 9_000) == ""
    shown.clear()
    assert shown.written() == ""


def test_at_most_five_lines_a_second(shown):
    lines = [hundredth for hundredth in range(300) if shown(hundredth / 100, hundredth * 1_000)]
    assert lines[0] == 50
    assert all(later - earlier >= 20 for earlier, later in itertools.pairwise(lines))
    assert len([hundredth for hundredth in lines if 100 <= hundredth < 200]) == 5


def test_it_says_how_many_and_how_fast(shown):
    shown(0.0, 0)
    assert shown(1.0, 44_345, 678) == "\r\x1b[K44,345 files and 678 directories removed, 45,000 a second"


def test_waiting_for_a_lock_is_not_in_the_rate(shown):
    shown(60.0, 512)
    assert shown(61.0, 1_512).endswith(", 1,000 a second")


def test_no_rate_from_one_look(shown):
    assert shown(60.0, 512) == "\r\x1b[K512 files and 0 directories removed"


def test_a_small_rate(shown):
    shown(0.0, 0)
    assert shown(2.0, 3).endswith(", 1 a second")
    assert shown(2_000.0, 4).endswith(", 0 a second")


def test_the_line_goes(shown):
    shown(1.0, 5)
    shown.clear()
    assert shown.written().endswith("removed\r\x1b[K")


def test_the_width_is_asked_for_each_line(monkeypatch):
    class Terminal(io.StringIO):
        def fileno(self):
            return 7

    clock, stream, widths = Clock(), Terminal(), [20, 10, 0]
    asked = []
    monkeypatch.setattr(
        "os.get_terminal_size", lambda fd: asked.append(fd) or os.terminal_size((widths[len(asked) - 1], 24))
    )
    line = ProgressLine(stream, clock)
    for _ in widths:
        clock.now += 1
        line(Progress(3_000, 0, 0))
    rows = stream.getvalue().split("\r\x1b[K")
    assert rows[:3] == ["", "3,000 files and 0 d", "3,000 fil"]
    assert rows[3].startswith("3,000 files and 0 directories removed")
    assert asked == [7, 7, 7]


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_listing_that_cannot_be_written_is_a_failure_at_the_end():
    listing = Listing(Full())
    listing.removed("one")
    listing.mended("two")
    with pytest.raises(OSError, match="No space"):
        listing.end()


def test_a_directory_that_is_made_accessible_again_is_listed_once():
    stream = io.StringIO()
    listing = Listing(stream)
    for path in ("a", "b", "a"):
        listing.mended(path)
    assert stream.getvalue() == "made accessible: a\nmade accessible: b\n"


def test_a_listing_is_one_line_a_path():
    stream = io.StringIO()
    listing = Listing(stream)
    listing.mended("a/b\nc")
    listing.removed("\x1b[31m\udcff")
    listing.end()
    assert stream.getvalue().splitlines() == [r"made accessible: a/b\nc", r"\x1b[31m\xff"]
