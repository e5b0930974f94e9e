"""An actor that makes every call that the kernel has, in each form that leads to another system call."""

from __future__ import annotations

import contextlib
import fcntl
import os

from cache_core.kernel import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS


def every_call(kernel, job, enter_phase):
    """Stands in for an install; `job` says where the cache is."""
    enter_phase("every-call")
    root = f"{job.cache}/of-{job.identity}"
    kernel.mkdir(root, 0o750)
    top = kernel.open(root, os.O_RDONLY | os.O_DIRECTORY)
    locks(kernel, root, lambda: by_path(kernel, root))
    by_descriptor(kernel, top)
    listings(kernel, root, top)
    modes(kernel, root, top)
    failures(kernel, root, top)
    # Left open, as by a process that ends: closing it is the actor's last step.


def by_path(kernel, root):
    fd = kernel.open(f"{root}/file", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    kernel.write(fd, b"0123456789")
    kernel.close(fd)
    fd = kernel.open(f"{root}/file", os.O_RDONLY)
    kernel.read(fd, 4)
    kernel.read(fd, 400)
    kernel.read(fd, 400)
    kernel.fstat(fd)
    kernel.stat(fd)
    kernel.close(fd)
    kernel.link(f"{root}/file", f"{root}/hard")
    kernel.rename(f"{root}/hard", f"{root}/harder")
    kernel.symlink("file", f"{root}/link")
    kernel.symlink(f"{root}/nothing", f"{root}/dangling")
    kernel.readlink(f"{root}/link")
    kernel.readlink(f"{root}/dangling")
    kernel.stat(f"{root}/link")
    kernel.stat(f"{root}/link", follow_symlinks=False)
    kernel.lstat(f"{root}/link")
    kernel.utime(f"{root}/file", (1_000_000_000, 1_000_000_000))
    kernel.utime(f"{root}/link", ns=(10**18, 10**18), follow_symlinks=False)
    kernel.remove(f"{root}/harder")
    kernel.mkdir(f"{root}/directory")
    kernel.rmdir(f"{root}/directory")


def by_descriptor(kernel, top):
    kernel.mkdir("sub", 0o700, dir_fd=top)
    sub = kernel.openat2("sub", os.O_RDONLY | os.O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, dir_fd=top)
    fd = kernel.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=sub)
    kernel.close(fd)
    kernel.link("file", "hard", src_dir_fd=sub, dst_dir_fd=top)
    kernel.link("link", "second-link", src_dir_fd=top, dst_dir_fd=sub, follow_symlinks=False)
    kernel.rename("hard", "moved", src_dir_fd=top, dst_dir_fd=sub)
    kernel.symlink("nothing", "dangling", dir_fd=sub)
    kernel.readlink("dangling", dir_fd=sub)
    kernel.stat("moved", dir_fd=sub)
    kernel.lstat("dangling", dir_fd=sub)
    kernel.utime("moved", (1, 1), dir_fd=sub)
    kernel.chmod("moved", 0o604, dir_fd=sub)
    here = kernel.open(".", os.O_PATH | os.O_DIRECTORY, dir_fd=sub)
    up = kernel.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=sub)
    kernel.mount_id(here)
    for name in ("file", "moved", "dangling", "second-link"):
        kernel.unlink(name, dir_fd=sub)
    kernel.rmdir("sub", dir_fd=up)
    # What it was opened by is gone, the directory itself is not.
    kernel.fstat(sub)
    kernel.listdir(sub)
    for fd in (sub, here, up):
        kernel.close(fd)


def listings(kernel, root, top):
    kernel.listdir(root)
    kernel.listdir(top)
    for where in (root, top):
        with kernel.scandir(where) as entries:
            for entry in entries:
                entry.is_dir()
                entry.is_file()
                entry.is_symlink()
                entry.inode()
                entry.stat(follow_symlinks=False)


def modes(kernel, root, top):
    kernel.mkdir(f"{root}/closed")
    kernel.chmod(f"{root}/closed", 0o200)
    with contextlib.suppress(PermissionError):
        kernel.scandir(f"{root}/closed")
    pin = kernel.open("closed", os.O_PATH | os.O_DIRECTORY, dir_fd=top)
    with contextlib.suppress(OSError):
        kernel.fchmod(pin, 0o700)
    kernel.chmod_descriptor(pin, 0o700)
    kernel.close(pin)
    fd = kernel.open(f"{root}/closed", os.O_RDONLY | os.O_DIRECTORY)
    kernel.fchmod(fd, 0o755)
    kernel.chmod(fd, 0o711)
    kernel.fchown(fd, os.geteuid(), os.getegid())
    kernel.close(fd)
    kernel.rmdir(f"{root}/closed")


def locks(kernel, root, work):
    """`work` under a lock that all builds want, so that some of them have to wait; and a lock of our own."""
    shared = kernel.open(f"{root.rpartition('/')[0]}/lock", os.O_RDWR | os.O_CREAT)
    kernel.flock(shared, fcntl.LOCK_EX)
    work()
    kernel.flock(shared, fcntl.LOCK_UN)
    own = kernel.open(f"{root}/file", os.O_RDWR)
    kernel.flock(own, fcntl.LOCK_SH | fcntl.LOCK_NB)
    kernel.close(own)
    kernel.close(shared)


def failures(kernel, root, top):
    for attempt in (
        lambda: kernel.open(f"{root}/missing", os.O_RDONLY),
        lambda: kernel.openat2("link", os.O_RDONLY, RESOLVE_NO_SYMLINKS, dir_fd=top),
        lambda: kernel.mkdir(root),
        lambda: kernel.rmdir(root),
        lambda: kernel.unlink("missing", dir_fd=top),
        lambda: kernel.rename(f"{root}/missing", f"{root}/other"),
        lambda: kernel.link(f"{root}/missing", f"{root}/other"),
        lambda: kernel.symlink("file", f"{root}/link"),
        lambda: kernel.readlink(f"{root}/file"),
        lambda: kernel.stat(f"{root}/dangling"),
        lambda: kernel.scandir(f"{root}/missing"),
        lambda: kernel.listdir(f"{root}/file"),
        lambda: kernel.read(top, 1),
        lambda: kernel.chmod(f"{root}/missing", 0o600),
        lambda: kernel.utime(f"{root}/missing"),
    ):
        try:
            attempt()
        except OSError:
            continue
        raise AssertionError("that was to fail")
