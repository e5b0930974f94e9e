"""shutil.rmtree of CPython 3.11 (the variant that walks by descriptor), and the handlers it is given.

Guarantee: the calls of 3.11 in its order: lstat, open, fstat, list by descriptor; files are unlinked from their
directory's descriptor, a directory is opened, compared with what was listed and descended into; after it is left
its descriptor is closed *before* the rmdir. Between that listing and that rmdir lies the race of this project.
3.13 walks in another order and is not modelled here.

The looks (lstat, fstat) only tell a directory from a symbolic link that took its place. Where nobody makes links they
decide nothing, and a walk may leave them out (`looks`): half as many steps for whoever explores them.

A handler is called with the function that failed, the path and the error, inside the `except` block: it may
raise, or return and let the walk go on.
"""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING, Protocol

from simulator.actors.toolchains.base import RetryTypeError
from simulator.actors.toolchains.stdlib import READ_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel, Listing

# What can fail, named as the function that the real handler is given.
OPEN = "open"
SCANDIR = "scandir"
UNLINK = "unlink"
RMDIR = "rmdir"
LSTAT = "lstat"
ISLINK = "islink"

_S_IWRITE = stat.S_IWRITE  # 0200: "writable" to the author of the handler, "nobody gets in" to POSIX


class Handler(Protocol):
    """What rmtree calls when something fails."""

    def __call__(self, kernel: Kernel, function: str, path: str, error: OSError, /) -> None:
        """Raise, or return to let the walk go on."""


def reraise(kernel: Kernel, function: str, path: str, error: OSError) -> None:
    """The default of rmtree: the first error ends it."""
    del kernel, function, path
    raise error


def chmod_and_retry(kernel: Kernel, function: str, path: str, error: OSError) -> None:
    """The handler of wheel 0.43.0's bdist_wheel: mode 0200, then the same call again, once, by path.

    Raises:
        OSError: chmod or the retry failed.
        TypeError: the function was `open`, which cannot be called with a path alone.
    """
    del error
    kernel.chmod(path, _S_IWRITE)
    _retry(kernel, function, path)


def _retry(kernel: Kernel, function: str, path: str) -> None:
    match function:
        case "open":
            raise RetryTypeError("open() missing required argument 'flags' (pos 2)")
        case "scandir":
            # Whatever it lists is dropped: the walk does not look at it again.
            kernel.scandir(path).close()
        case "unlink":
            kernel.unlink(path)
        case "rmdir":
            kernel.rmdir(path)
        case "lstat" | "islink":
            kernel.lstat(path)


class ResetPermissions:
    """The handler of tempfile.TemporaryDirectory: absence is fine, refusal is answered with mode 0700."""

    def __init__(self, top: str) -> None:
        self._top = top

    def __call__(self, kernel: Kernel, function: str, path: str, error: OSError) -> None:
        """As `Handler`."""
        if isinstance(error, FileNotFoundError):
            return
        if not isinstance(error, PermissionError):
            reraise(kernel, function, path, error)
        try:
            if path != self._top:
                kernel.chmod(os.path.dirname(path), 0o700)
            kernel.chmod(path, 0o700)
            try:
                kernel.unlink(path)
            except (IsADirectoryError, PermissionError):
                rmtree(kernel, path, ResetPermissions(path))
        except FileNotFoundError:
            pass  # Gone in the meantime: the real one says the same.


def rmtree(kernel: Kernel, path: str, handler: Handler = reraise, *, looks: bool = True) -> None:
    """Remove a tree.

    Args:
        kernel: makes the calls.
        path: of the tree.
        handler: told of each call that fails.
        looks: as the real one, which sees before it opens a directory, and afterwards, that it is no link.

    Raises:
        OSError, TypeError: whatever `handler` raises.
    """
    try:
        before = kernel.lstat(path) if looks else None
    except OSError as error:
        handler(kernel, LSTAT, path, error)
        return
    try:
        # Without dots: what is removed by this descriptor is then told under the path that the system knows it by.
        fd = kernel.open(posixpath.normpath(path), READ_FLAGS)
    except OSError as error:
        handler(kernel, OPEN, path, error)
        return
    _remove_opened(kernel, fd, path, before, handler=handler, rmdir=lambda: kernel.rmdir(path))


def _empty(kernel: Kernel, fd: int, path: str, handler: Handler, *, looks: bool) -> None:
    try:
        with kernel.scandir(fd) as listing:
            names = _kinds(listing)
    except OSError as error:
        handler(kernel, SCANDIR, path, error)
        return
    for name, is_directory in names:
        inside = f"{path}/{name}"
        if not is_directory:
            _unlink(kernel, fd, name, inside, handler)
            continue
        try:
            before = kernel.lstat(name, dir_fd=fd) if looks else None
        except OSError as error:
            handler(kernel, LSTAT, inside, error)
            continue
        if before is None or stat.S_ISDIR(before.st_mode):
            _remove_directory(kernel, (fd, name), inside, before, handler)
        else:
            # A directory when it was listed, something else now.
            _unlink(kernel, fd, name, inside, handler)


def _kinds(listing: Listing) -> list[tuple[str, bool]]:
    return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]


def _unlink(kernel: Kernel, parent: int, name: str, path: str, handler: Handler) -> None:
    try:
        kernel.unlink(name, dir_fd=parent)
    except OSError as error:
        handler(kernel, UNLINK, path, error)


def _remove_directory(
    kernel: Kernel, entry: tuple[int, str], path: str, before: os.stat_result | None, handler: Handler
) -> None:
    parent, name = entry
    try:
        fd = kernel.open(name, READ_FLAGS, dir_fd=parent)
    except OSError as error:
        handler(kernel, OPEN, path, error)
        return
    _remove_opened(kernel, fd, path, before, handler=handler, rmdir=lambda: kernel.rmdir(name, dir_fd=parent))


def _remove_opened(
    kernel: Kernel, fd: int, path: str, before: os.stat_result | None, *, handler: Handler, rmdir: Callable[[], None]
) -> None:
    """Empty an open directory, if it is still the one that was looked at; close it, then remove it by `rmdir`."""
    is_open = True
    try:
        if before is not None and not os.path.samestat(before, kernel.fstat(fd)):
            handler(kernel, ISLINK, path, OSError("Cannot call rmtree on a symbolic link"))
            return
        _empty(kernel, fd, path, handler, looks=before is not None)
        try:
            kernel.close(fd)
            is_open = False
            rmdir()
        except OSError as error:
            handler(kernel, RMDIR, path, error)
    finally:
        if is_open:
            kernel.close(fd)
