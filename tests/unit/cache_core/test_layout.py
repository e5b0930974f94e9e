"""The tag, and how names are shown."""

from __future__ import annotations

import os

from cache_core import layout
from cache_core.errors import errno_name, path_fields, shown


def test_mark_makes_a_valid_tag_and_overwrites_nothing(place):
    fd = os.open(place, os.O_RDONLY)
    assert not layout.is_tagged(fd)
    assert layout.mark(fd)
    assert layout.is_tagged(fd)
    assert (place / "CACHEDIR.TAG").read_bytes()[:43] == b"Signature: 8a477f597d28d172789f06886806bc55"
    (place / "CACHEDIR.TAG").write_text("mine")
    assert not layout.mark(fd)
    assert (place / "CACHEDIR.TAG").read_text() == "mine"
    assert not layout.is_tagged(fd)
    os.close(fd)


def test_a_fifo_as_tag_does_not_block(place):
    os.mkfifo(place / "CACHEDIR.TAG")
    fd = os.open(place, os.O_RDONLY)
    assert not layout.is_tagged(fd)
    os.close(fd)


def test_a_tag_is_written_whole_by_short_writes(place, watching):
    class Short(watching):
        def write(self, fd, data):
            return os.write(fd, data[:7])

    fd = os.open(place, os.O_RDONLY)
    layout.mark(fd, kernel=Short())
    os.close(fd)
    assert (place / "CACHEDIR.TAG").read_bytes() == layout.TAG_TEXT


def test_paths_are_shown_on_one_line():
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert shown(os.fsdecode(b"a\xff")) == "a\\xff"
    assert shown("caf\N{LATIN SMALL LETTER E WITH ACUTE}") == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    assert path_fields(os.fsdecode(b"a\xff")) == {"path": "a\\xff", "path_hex": "61ff"}
    assert path_fields("a\n") == {"path": "a\n"}
    assert path_fields(os.fsdecode(b"a\xff"), "target") == {"target": "a\\xff", "target_hex": "61ff"}
    assert path_fields("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "target") == {
        "target": "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    }


def test_errno_names():
    assert [errno_name(number) for number in (11, 95, 39, 99999)] == ["EAGAIN", "EOPNOTSUPP", "ENOTEMPTY", "E99999"]
    assert errno_name(OSError(39, "")) == "ENOTEMPTY"
    assert errno_name(None) is None
