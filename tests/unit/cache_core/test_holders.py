"""Who holds a lock: found in /proc, and told on one short line that may be shown to anybody."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from cache_core.holders import COMMAND_CHARACTERS_MAX, Holder, holders_of, in_words


class Proc:
    """A /proc with the files given, by path below it, for a lock of inode 7 on the device 0:27, and mount 30."""

    def __init__(self, files, device=(0, 27)):
        self._files = files
        self._device = device
        self._open = {}

    def open(self, path, flags):
        assert flags & os.O_CLOEXEC
        content = self._files.get(path.removeprefix("/proc/"), FileNotFoundError(errno.ENOENT, "no such file"))
        if isinstance(content, OSError):
            raise content
        fd = 1000 + len(self._open)
        self._open[fd] = content
        return fd

    def read(self, fd, length):
        taken, self._open[fd] = self._open[fd][:length], self._open[fd][length:]
        return taken

    def close(self, fd):
        assert fd in self._open

    def fstat(self, fd):
        return SimpleNamespace(st_dev=os.makedev(*self._device), st_ino=7)

    def mount_id(self, fd):
        return 30


ROW = b"1: FLOCK  ADVISORY  WRITE 4321 00:1b:7 0 EOF\n"


def told(command, **files):
    (holder,) = holders_of(3, Proc({"locks": ROW, "4321/cmdline": command, **files}))
    assert holder.pid == 4321
    return holder.command


# What /proc may say.


def test_the_device_and_the_inode_decide():
    other = b"2: FLOCK  ADVISORY  READ 5 00:1c:7 0 EOF\n3: FLOCK  ADVISORY  READ 6 00:1b:77 0 EOF\n"
    posix = b"4: POSIX  ADVISORY  WRITE 8 00:1b:7 0 EOF\n5: OFDLCK ADVISORY  WRITE -1 00:1b:7 0 EOF\n"
    waiting = b"1: -> FLOCK  ADVISORY  WRITE 9 00:1b:7 0 EOF\n"
    assert holders_of(3, Proc({"locks": other + posix + ROW + waiting})) == (Holder(4321, ""),)


def test_the_device_may_be_that_of_the_mount():
    """Btrfs and overlayfs show one device in stat(2) and have another in the lists of mounts and of locks."""
    mounts = b"29 1 0:26 / / rw - ext4 x rw\n30 25 0:27 /sub /mnt rw - btrfs /dev/x rw\n31 25 0:55 / /x rw - a b c\n"
    for device, mountinfo, found in (((0, 99), mounts, 1), ((0, 99), mounts.replace(b"30 25", b"32 25"), 0)):
        files = {"locks": ROW, "self/mountinfo": mountinfo}
        assert len(holders_of(3, Proc(files, device=device))) == found


@pytest.mark.parametrize("device", [(0x103, 0x5), (8, 0x100)])
def test_devices_are_hexadecimal_in_one_list_and_decimal_in_the_other(device):
    locks = b"1: FLOCK  ADVISORY  WRITE 1 %02x:%02x:7 0 EOF\n" % device
    assert len(holders_of(3, Proc({"locks": locks}, device=device))) == 1
    mountinfo = b"30 25 %d:%d / / rw - btrfs x rw\n" % device
    assert len(holders_of(3, Proc({"locks": locks, "self/mountinfo": mountinfo}, device=(0, 1)))) == 1


@pytest.mark.parametrize("error", [FileNotFoundError(), PermissionError(), OSError(errno.EMFILE, "many")])
def test_without_proc_nobody_is_found(error):
    assert holders_of(3, Proc({"locks": error})) == ()
    assert holders_of(3, Proc({"locks": b"gibberish\n\xff\n"})) == ()


def test_a_list_that_comes_in_pieces_is_read_whole():
    rows = b"".join(b"9: FLOCK  ADVISORY  READ %d 00:1b:8 0 EOF\n" % pid for pid in range(5000))
    assert len(rows) > 65_536
    assert holders_of(3, Proc({"locks": rows + ROW})) == (Holder(4321, ""),)


def test_a_process_with_two_locks_on_it_is_one_holder():
    assert len(holders_of(3, Proc({"locks": ROW + ROW.replace(b"1:", b"2:", 1)}))) == 1


# What is shown of a command.


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"uv\0pip\0install\0jaeger-client\0", "uv pip install jaeger-client"),
        (b"/usr/local/bin/uv\0sync\0", "uv sync"),
        (b"/opt/my tools/uv\0sync\0", "/opt/my tools/uv sync"),
        (b"nginx: worker /etc/x", "nginx: worker /etc/x"),
        (b"uv\0\x1b[31mred\nline\0", r"uv \x1b[31mred\nline"),
        (b"uv\0\xff\0", r"uv \xff"),
        ("uv\0dépôt\0".encode(), "uv dépôt"),
    ],
)
def test_a_command_is_one_line_that_can_be_shown(line, shown):
    assert told(line) == shown


def test_a_command_is_shortened():
    command = told(b"uv\0" + b"x" * 5000)
    assert len(command) == COMMAND_CHARACTERS_MAX
    assert command == "uv " + "x" * 54 + "..."
    assert told(b"\x1b" * 100) == (r"\x1b" * 100)[:57] + "..."


@pytest.mark.parametrize(
    "words",
    [
        ["--index-url", "https://me:s3cret@example.org/simple"],
        ["--index-url", "https://s3cret@example.org/simple"],
        ["--token", "s3cret"],
        ["--password=s3cret"],
        ["--Api-Key", "s3cret"],
    ],
)
def test_a_command_goes_into_logs_without_its_passwords(words):
    command = told("\0".join(["uv", "publish", *words, "x"]).encode())
    assert "s3cret" not in command
    assert "***" in command
    assert command.startswith(f"uv publish {words[0][:5]}")


def test_a_process_without_a_command_line_has_a_name():
    assert told(b"", **{"4321/comm": b"kworker/0:1\n"}) == "kworker/0:1"
    assert told(b"\0\0", **{"4321/comm": b"odd\nname\n"}) == r"odd\nname"
    assert told(PermissionError(), **{"4321/comm": b"uv\n"}) == ""


# In words.


def test_in_words():
    holders = [Holder(number, f"uv {number}") for number in range(1, 6)]
    assert in_words([]) == "others"
    assert in_words(holders[:1]) == "uv 1 (pid 1)"
    assert in_words([Holder(4321, "")]) == "pid 4321"
    assert in_words(holders[:3]) == "uv 1 (pid 1), uv 2 (pid 2), uv 3 (pid 3)"
    assert in_words(holders) == "uv 1 (pid 1), uv 2 (pid 2), uv 3 (pid 3) and 2 more"
