"""Models of `uv cache clean`, call for call: 0.1.42 (of the report) and 0.13.9 (after the fix for it).

Guarantee: on a tree that nobody else changes, the same changing calls in the same order, with the same results
and the same message, as the real program makes; `tests/real/test_uv_models_real.py` holds them to it. Both walk by
absolute path strings, contents before their directory, and end at the first error.

What differs between the two: 0.1.42 first makes the cache's own files, removes the root and its lock file too,
and gives up at a directory that it cannot read. 0.13.9 takes the cache lock, counts the tree for its progress
bar, keeps the root and `.lock`, and when a directory cannot be read, adds what is missing of 0500 if *both* bits
are missing, then starts again from the root.

Not modelled: its threads, its cleaning of one package, its limit of ten open directories, the waiting time of
the lock. A listing is one call here, however long it is. The recursion of 0.13.9 (each repair keeps the walk
before it open, until descriptors or the stack run out) is a loop here.
Cost: calls per file 2, per directory 6; 0.13.9 reads the tree once more, and again for each repair.

Source: traces of the released programs, and evidence on their behaviour gathered from them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cache_core.kernel import Kernel

_LOCK = ".lock"
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
_UNREADABLE = 0o500
_WRITABLE = 0o222
_DENIED = (errno.EACCES, errno.EPERM)


@dataclass(slots=True)
class Removed:
    """What a cleaner removed before it was done or stopped.

    Attributes:
        files: everything that is not a directory.
        directories: directories, the root included where it goes.
    """

    files: int = 0
    directories: int = 0


class UvCleanError(Exception):
    """uv would stop here, with exit code 2.

    Attributes:
        message: what uv prints on standard error, lines joined by newlines.
        path: the path it names, or None.
        errno: the error number behind it.
        removed: what was gone by then.
    """

    def __init__(self, message: str, path: str | None, number: int, removed: Removed) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.errno = number
        self.removed = removed


class Cleaner(Protocol):
    """A model: `identity` makes its temporary names its own."""

    def __call__(self, kernel: Kernel, root: str, identity: str) -> Removed:
        """Empty the cache at the absolute path `root`.

        Raises:
            UvCleanError: where uv would stop.
        """


class _Failure(Exception):  # noqa: N818 - carries a failing call to the one place that words it
    """A call that ends the cleaning: what uv says it was doing, on which path, and the error."""

    def __init__(self, doing: str, path: str, error: OSError) -> None:
        super().__init__(doing, path, error)
        self.doing = doing
        self.path = path
        self.error = error

    @property
    def number(self) -> int:
        return self.error.errno or 0


_WALKING = "IO error for operation on"


def _contents_first(kernel: Kernel, root: str, kept: str | None) -> Iterator[tuple[str, bool]]:
    """Yield (path, is it a directory), each directory after its contents.

    Args:
        kernel: makes the calls.
        root: absolute path.
        kept: name in the root that is passed over.

    Raises:
        _Failure: a directory cannot be read; the walk ends there.
    """
    try:
        if not stat.S_ISDIR(kernel.lstat(root).st_mode):
            yield root, False
            return
        levels = [(root, kernel.scandir(root))]
    except OSError as error:
        raise _Failure(_WALKING, root, error) from error
    try:
        while levels:
            path, entries = levels[-1]
            entry = next(entries, None)
            if entry is None:
                entries.close()
                levels.pop()
                yield path, True
            elif entry.is_dir(follow_symlinks=False):
                try:
                    levels.append((entry.path, kernel.scandir(entry.path)))
                except OSError as error:
                    raise _Failure(_WALKING, entry.path, error) from error
            elif len(levels) > 1 or entry.name != kept:
                yield entry.path, False
    finally:
        for _, entries in levels:
            entries.close()


def _count(kernel: Kernel, root: str) -> None:
    """Read the whole tree, as 0.13.9 does to know how long its progress bar is; errors are passed over."""
    kernel.lstat(root)
    waiting = [root]
    while waiting:
        try:
            with kernel.scandir(waiting.pop()) as entries:
                waiting += reversed([entry.path for entry in entries if entry.is_dir(follow_symlinks=False)])
        except OSError:
            # Counted as one by uv; what is below it, it cannot know.
            continue


def _make_writable(kernel: Kernel, path: str) -> bool:
    """Give a read-only file its write bits, following links; whether that was done."""
    try:
        mode = kernel.stat(path).st_mode
    except OSError:
        return False
    if mode & _WRITABLE:
        return False
    kernel.chmod(path, stat.S_IMODE(mode) | _WRITABLE)
    return True


def _make_readable(kernel: Kernel, path: str) -> bool:
    """0.13.9's repair: only a directory that may be neither listed nor entered gets both; whether it got them."""
    try:
        mode = kernel.stat(path).st_mode
        if mode & _UNREADABLE:
            return False
        kernel.chmod(path, stat.S_IMODE(mode) | _UNREADABLE)
    except OSError:
        return False
    return True


def _ask_size(kernel: Kernel, path: str) -> None:
    """Ask for a file's size, for uv's sum of freed bytes; uv passes over an error here too."""
    with suppress(OSError):
        kernel.lstat(path)


def _remove_file(kernel: Kernel, path: str) -> None:
    """Unlink; when that is denied and the file is read-only, make *the file* writable and try once more."""
    try:
        kernel.unlink(path)
    except OSError as error:
        try:
            if error.errno not in _DENIED or not _make_writable(kernel, path):
                raise _Failure("failed to remove file", path, error) from error
            kernel.unlink(path)
        except OSError as again:
            raise _Failure("failed to remove file", path, again) from again


def _remove_all(kernel: Kernel, path: str) -> None:
    """Remove a directory with whatever came into it since it was walked, as Rust's `remove_dir_all`.

    What somebody else removes meanwhile is an error, as it was to the Rust of 0.1.42; newer ones forgive it inside
    the directory, which is not modelled.
    """
    if stat.S_ISLNK(kernel.lstat(path).st_mode):
        kernel.unlink(path)
        return
    _remove_contents(kernel, path, None)
    kernel.rmdir(path)


def _remove_contents(kernel: Kernel, name: str, parent: int | None) -> None:
    fd = kernel.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
    try:
        with kernel.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove_contents(kernel, entry.name, fd)
                    kernel.rmdir(entry.name, dir_fd=fd)
                else:
                    kernel.unlink(entry.name, dir_fd=fd)
    finally:
        kernel.close(fd)


def _remove_directory(kernel: Kernel, path: str) -> None:
    try:
        _remove_all(kernel, path)
    except OSError as error:
        raise _Failure("failed to remove directory", path, error) from error


def _remove_directory_or_repair(kernel: Kernel, path: str) -> None:
    """As `_remove_directory`; when that is denied and the directory can be made readable, once more."""
    try:
        _remove_all(kernel, path)
    except OSError as error:
        try:
            if error.errno not in _DENIED or not _make_readable(kernel, path):
                raise _Failure("failed to remove directory", path, error) from error
            _remove_all(kernel, path)
        except OSError as again:
            raise _Failure("failed to remove directory", path, again) from again


def _remove_tree(
    kernel: Kernel, root: str, kept: str | None, remove_directory: Callable[[Kernel, str], None], removed: Removed
) -> None:
    """One walk from the root. With `kept`, the root stays as well."""
    try:
        if not stat.S_ISDIR(kernel.lstat(root).st_mode):
            removed.files += 1
            _remove_file(kernel, root)
            return
    except FileNotFoundError:
        # No cache is an empty cache.
        return
    for path, is_directory in _contents_first(kernel, root, kept):
        if not is_directory:
            _ask_size(kernel, path)
            _remove_file(kernel, path)
            removed.files += 1
        elif path != root or kept is None:
            remove_directory(kernel, path)
            removed.directories += 1


def _create(kernel: Kernel, path: str, data: bytes) -> None:
    try:
        fd = kernel.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return
    try:
        if data:
            kernel.write(fd, data)
    finally:
        kernel.close(fd)


def _make_directory(kernel: Kernel, path: str) -> None:
    # EEXIST is the ordinary case: the cache is there.
    with suppress(FileExistsError):
        kernel.mkdir(path, 0o777)


def _initialise(kernel: Kernel, root: str, removed: Removed) -> None:
    """What every command of 0.1.42 does first: make sure of the cache's own files."""
    built = f"{root}/built-wheels-v3"
    at = root
    try:
        _make_directory(kernel, root)
        at = f"{root}/CACHEDIR.TAG"
        _create(kernel, at, _TAG)
        at = f"{root}/.gitignore"
        _create(kernel, at, b"*")
        at = built
        _make_directory(kernel, built)
        at = f"{built}/.gitignore"
        _create(kernel, at, b"")
        at = f"{built}/.git"
        kernel.close(kernel.open(at, os.O_WRONLY | os.O_CREAT, 0o666))
    except OSError as error:
        message = f"error: failed to open file `{at}`\n  Caused by: {_cause(error)}"
        raise UvCleanError(message, at, error.errno or 0, removed) from error


def clean_as_0_1_42(kernel: Kernel, root: str, identity: str) -> Removed:
    """Clean as uv 0.1.42, the version of the report; arguments and errors as `Cleaner`."""
    del identity  # it makes no temporary file
    removed = Removed()
    _initialise(kernel, root, removed)
    try:
        _remove_tree(kernel, root, None, _remove_directory, removed)
    except _Failure as failure:
        # The libraries that word the two errors differ in whether they repeat the cause.
        at = f"{failure.doing} {failure.path}: {_cause(failure.error)}"
        if failure.doing != _WALKING:
            at = f"{failure.doing} `{failure.path}`"
        message = f"error: Failed to clear cache at: {root}\n  Caused by: {at}\n  Caused by: {_cause(failure.error)}"
        raise UvCleanError(message, failure.path, failure.number, removed) from failure
    return removed


def clean_as_0_13_9(kernel: Kernel, root: str, identity: str) -> Removed:
    """Clean as uv 0.13.9; arguments and errors as `Cleaner`. Waits for the cache lock without an end."""
    removed = Removed()
    try:
        kernel.stat(root)
    except FileNotFoundError:
        return removed
    fd = _open_lock(kernel, root, identity, removed)
    try:
        _lock(kernel, fd)
        _count(kernel, root)
        _remove_with_repairs(kernel, root, removed)
        kernel.flock(fd, fcntl.LOCK_UN)
    finally:
        kernel.close(fd)
    return removed


def _remove_with_repairs(kernel: Kernel, root: str, removed: Removed) -> None:
    # Ends: a repair makes one more directory readable, and the walk stops at what it cannot repair.
    while True:
        try:
            _remove_tree(kernel, root, _LOCK, _remove_directory_or_repair, removed)
        except _Failure as failure:
            denied = failure.doing == _WALKING and failure.number in _DENIED
            if denied and _make_readable(kernel, failure.path):
                continue
            cause = _cause(failure.error)
            at = f"{failure.doing} {failure.path}: {cause}\n  cause: {cause}"
            if failure.doing != _WALKING:
                at = f"{failure.doing} `{failure.path}`: {cause}"
            message = f"error: Failed to clear cache at: {root}\n  cause: {at}"
            raise UvCleanError(message, failure.path, failure.number, removed) from failure
        return


def _open_lock(kernel: Kernel, root: str, identity: str, removed: Removed) -> int:
    """Open the lock file, or publish one under its name. Any error but absence is taken for "in use"."""
    path = f"{root}/{_LOCK}"
    temporary = f"{root}/.tmp-{identity}"
    for _ in range(2):  # uv tries a second time before it gives up
        with suppress(OSError):
            return kernel.open(path, os.O_RDWR)
        try:
            fd = kernel.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            last = error
            continue
        kernel.fchmod(fd, 0o666)
        try:
            # uv renames with RENAME_NOREPLACE; a link that must be new is the same to everybody else.
            kernel.link(temporary, path)
        except FileExistsError:
            kernel.close(fd)
            fd = kernel.open(path, os.O_RDWR)
        finally:
            kernel.unlink(temporary)
        return fd
    message = (
        "Cache is currently in-use, waiting for other uv processes to finish (use `--force` to override)\n"
        f'error: Could not create temporary file\n  cause: {_cause(last)} at path "{temporary}"'
    )
    raise UvCleanError(message, temporary, last.errno or 0, removed) from last


def _lock(kernel: Kernel, fd: int) -> None:
    try:
        kernel.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        kernel.flock(fd, fcntl.LOCK_EX)


def _cause(error: OSError) -> str:
    return f"{os.strerror(error.errno or 0)} (os error {error.errno})"


UV_CLEANERS: dict[str, Cleaner] = {
    "model:uv-0.1.42": clean_as_0_1_42,
    "model:uv-0.13.9": clean_as_0_13_9,
}
