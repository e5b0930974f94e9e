"""The tag, and how names are shown."""

from __future__ import annotations

import errno
import os

import pytest

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


def test_a_tag_that_cannot_be_finished_is_taken_away(place, watching):
    """Half a tag is no tag, and would keep everybody from making one."""

    class Full(watching):
        def write(self, fd, data):
            os.write(fd, data[:7])
            raise OSError(errno.ENOSPC, "full")

    fd = os.open(place, os.O_RDONLY)
    with pytest.raises(OSError, match="full"):
        layout.mark(fd, kernel=Full())
    assert os.listdir(place) == []
    assert layout.mark(fd)
    os.close(fd)


@pytest.mark.parametrize("call", ["open", "fstat", "read"])
def test_a_tag_that_the_system_fails_to_read_is_not_called_invalid(place, watching, call):
    fd = os.open(place, os.O_RDONLY)
    layout.mark(fd)
    with pytest.raises(OSError, match="injected"):
        layout.is_tagged(fd, kernel=watching(refuse=lambda name, _: OSError(5, "injected") if name == call else None))
    (place / "CACHEDIR.TAG").chmod(0)
    assert not layout.is_tagged(fd)
    os.close(fd)


def test_a_name_that_cannot_be_looked_at_is_neither_kept_nor_content(place, watching):
    for name in (".lock", ".gitignore", "other"):
        (place / name).touch()
    (place / "CACHEDIR.TAG").mkdir()
    error = OSError(errno.EIO, "no")

    def refuse(name, arguments):
        return error if name == "lstat" and arguments[0] == ".lock" else None

    fd = os.open(place, os.O_RDONLY)
    judged = layout.judge(fd, [*sorted(os.listdir(place)), "gone"], kernel=watching(refuse=refuse))
    assert (judged.kept, judged.content) == ({".gitignore"}, ("CACHEDIR.TAG", "other", "gone"))
    assert judged.unknown == {".lock": error}
    assert judged.spared == {".gitignore", ".lock"}
    assert not judged.empty
    (place / ".lock").unlink()
    assert layout.judge(fd, [".gitignore", ".lock"]) == layout.RootNames(frozenset({".gitignore"}), (), {})
    assert layout.judge(fd, [".gitignore", ".lock"]).empty
    os.close(fd)


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
