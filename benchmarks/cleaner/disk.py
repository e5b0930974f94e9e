"""A disk for the benchmark: ext4 in a file in memory, mounted through a loop device where nobody else sees it.

Made by a process that may mount, before it gives its privileges up (`simulator.ground.confined`); what it forks works
on the mounted file system. The mount is in a mount namespace of this process and its children, the image has no name
any more, and the loop device frees itself: when these processes are gone, however they ended, so is the disk. After
SIGKILL an empty directory remains.

With a journal and the usual options, but that tables are written at once: a kernel thread that does it later would be
measured as well. Nothing of the machine is changed; caches are not dropped.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile

from simulator.ground.confined import ENDING_SIGNALS

MIB = 1024 * 1024
IMAGE_MIB = 3072
QUICK_IMAGE_MIB = 64
# What the biggest tree takes of it, and its journal and tables.
USED_MIB = 1024
SECONDS_MAX = 120

# sched.h, sys/mount.h
_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 1 << 14, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


class Disk:
    """A disk, mounted between `attach` and `detach`.

    Attributes:
        path: where it is mounted; None when it is not.
        skipped: why not.
    """

    def __init__(self, skipped="it was not asked for"):
        self.path = None
        self.skipped = skipped
        self._base = None
        self._owner = None

    def attach(self, ground, mib=IMAGE_MIB):
        """Make it under `ground`, as root. Seen by this process and its children only; `detach` whatever happens."""
        # What is started here must not be interrupted half-way: a signal waits these two seconds.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            self.skipped = _lacking(ground, mib) or self._make(ground, mib)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _make(self, ground, mib):
        if refused := _own_mount_namespace():
            return f"needs a mount namespace: {refused}"
        self._base, self._owner = tempfile.mkdtemp(prefix="cachestorm-disk-", dir=ground), os.getpid()
        image, point = f"{self._base}/image", f"{self._base}/ext4"
        os.mkdir(point)
        try:
            with open(image, "wb") as file:
                file.truncate(mib * MIB)
            _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
            _run("mount", "-t", "ext4", "-o", "loop", image, point)
        except (OSError, subprocess.SubprocessError) as error:
            return _reason(error)
        finally:
            os.unlink(image)
        self.path = point
        return ""

    def detach(self):
        """Give it back. In a child of the process that attached it nothing happens."""
        if os.getpid() != self._owner:
            return
        if self.path is not None:
            # Somebody may still be in it: then it goes when they have gone.
            _run("umount", "--lazy", self.path)
            self.path = None
        os.rmdir(f"{self._base}/ext4")
        os.rmdir(self._base)
        self._owner = None


def _lacking(ground, mib):
    """What is missing, of what can be told beforehand; empty if nothing is."""
    if os.geteuid() != 0:
        return "needs root, to mount it"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if _tool(name) is None]
    if missing:
        return f"needs {missing[0]}"
    counts, needed = os.statvfs(ground), min(mib, USED_MIB)
    if counts.f_blocks and counts.f_bavail * counts.f_frsize < needed * MIB:
        return f"needs {needed:,} MiB in {ground}"
    return ""


def settle(path):
    """Have the file system at `path` write what it has been given, so that it is not written during what follows."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", path)
    finally:
        os.close(fd)


def _tool(name):
    # Where an ordinary user's PATH has no such programs, root's may not have them either.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(name, *arguments):
    subprocess.run([_tool(name), *arguments], check=True, capture_output=True, text=True, timeout=SECONDS_MAX)


def _own_mount_namespace():
    """Become the only ones to see what we mount; returns why not."""
    if _libc.unshare(_CLONE_NEWNS) == 0 and _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0:
        return ""
    return os.strerror(ctypes.get_errno())


def _reason(error):
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
