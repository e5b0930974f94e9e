"""Open the root of a cache: a directory, not a link to one, and made readable when it is ours.

Guarantees: follows no symbolic link at the last component, unless told to `follow`. What that leads to is opened like
any root, by the name that it has where it is, and never through the link again, which may lead elsewhere by then. A
mode that had to be changed to look inside is put back by `close(restore=True)`; nothing is changed before
`surroundings` has agreed. The root stays the same directory, whatever happens to its name afterwards; `has_name` tells.
Cost: four calls, and three for each link.
"""

from __future__ import annotations

import errno
import os
import stat

from cache_core.errors import (
    LinkedRootError,
    MountedRootError,
    NotADirectoryRootError,
    RefusedRootError,
    UnreadableRootError,
)
from cache_core.kernel import let_go
from cache_core.pinned import Opener
from cache_core.repair import OldMode, grant, lacks_owner_bits, mend, put_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from cache_core.surroundings import Surroundings

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIN = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# A link to a link, and so on: as many as the system itself follows (path_resolution(7)).
_LINKS_MAX = 40


class Root:
    """An open cache root.

    Attributes:
        kernel: Where the calls go.
        path: As given.
        fd: The directory, open for listing.
        parent_fd: The directory it is in (O_PATH).
        name: Its name there.
        old_mode: Its mode before we repaired it, if we did.
    """

    __slots__ = ("fd", "kernel", "name", "old_mode", "parent_fd", "path")

    def __init__(
        self, kernel: Kernel, path: str, fd: int, parent_fd: int, name: str, *, old_mode: OldMode | None
    ) -> None:
        self.kernel = kernel
        self.path = path
        self.fd = fd
        self.parent_fd = parent_fd
        self.name = name
        self.old_mode = old_mode

    def require_removable(self) -> None:
        """Refuse to remove a root that is a mount point, or that was given by a name that is none.

        Raises:
            MountedRootError: It is a mount point.
            RefusedRootError: The path ends in `..`, or is `.`.
        """
        if self.name in (".", ".."):
            raise RefusedRootError(
                self.path, "ends in no name of a directory, so that cannot be removed", "give its path without dots"
            )
        try:
            fd = Opener(self.kernel, self.parent_fd).open(self.name, self.parent_fd)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise MountedRootError(
                    self.path, "is a mount point, which cannot be removed", "clean it without removing the root"
                ) from error
            # Gone or shut meanwhile: the removal at the end says so.
            return
        let_go(self.kernel, fd)

    def has_name(self) -> bool:
        """Whether the name is still this directory's, and not another's.

        Raises:
            OSError: ENOENT, nothing has the name; or it cannot be looked at.
        """
        named = self.kernel.lstat(self.name, dir_fd=self.parent_fd)
        ours = self.kernel.fstat(self.fd)
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    def close(self, *, restore: bool) -> None:
        """Close it; with `restore`, put back the mode that it had."""
        if restore and self.old_mode is not None:
            put_back(self.kernel, self.fd, self.old_mode)
        let_go(self.kernel, self.fd)
        let_go(self.kernel, self.parent_fd)


def open_root(
    path: str, kernel: Kernel, surroundings: Surroundings, *, repair: bool = True, follow: bool = False
) -> Root | None:
    """Open a cache root.

    Args:
        path: The cache; may lead through symbolic links.
        kernel: Where the calls go.
        surroundings: What must not be cleaned.
        repair: Whether a directory of ours may be made readable.
        follow: Whether it may be a symbolic link; then the root is what that leads to.

    Returns:
        None when nothing has the path, or is where the link leads.

    Raises:
        RefusedRootError: It is a directory that is never cleaned, or no path at all.
        LinkedRootError: It is a symbolic link, and not to be followed.
        NotADirectoryRootError: It is a file or another node.
        UnreadableRootError: It cannot be opened.
    """
    if not path:
        raise RefusedRootError("''", "is the empty path, which names nothing", "give the cache's directory")
    try:
        return _open_at(kernel, path, _split(path), None, surroundings, repair=repair)
    except LinkedRootError:
        if not follow:
            raise
    return _follow(kernel, path, surroundings, repair=repair)


def _follow(kernel: Kernel, path: str, surroundings: Surroundings, *, repair: bool) -> Root | None:
    """Open what a symbolic link leads to: step by step, each link read where the one before it leads."""
    names = _split(path)
    base: int | None = None
    try:
        for _ in range(_LINKS_MAX):
            parent_fd = _open_parent(kernel, path, names[0], base)
            if base is not None:
                let_go(kernel, base)
            base = parent_fd
            if base is None:
                return None
            try:
                names = _split(kernel.readlink(names[1], dir_fd=base))
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise UnreadableRootError(path, error) from error
                # No link: the root, or no directory. Should it become a link now, it is not followed any more.
                return _open_at(kernel, path, (".", names[1]), base, surroundings, repair=repair)
    finally:
        if base is not None:
            let_go(kernel, base)
    raise NotADirectoryRootError(path, f"leads through more than {_LINKS_MAX} symbolic links", "give the cache's path")


def _open_at(
    kernel: Kernel,
    path: str,
    names: tuple[str, str],
    base: int | None,
    surroundings: Surroundings,
    *,
    repair: bool,
) -> Root | None:
    """Open the root by its directory's name, seen from `base`, and its own."""
    parent_fd = _open_parent(kernel, path, names[0], base)
    if parent_fd is None:
        return None
    root = None
    try:
        root = _open_in(kernel, path, parent_fd, names[1], surroundings, repair=repair)
    finally:
        if root is None:
            let_go(kernel, parent_fd)
    return root


def _open_parent(kernel: Kernel, path: str, directory: str, base: int | None) -> int | None:
    """Open the directory that the root is in; None when there is none."""
    try:
        return kernel.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=base)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise NotADirectoryRootError(path, "leads through something that is no directory", "check the path") from error
    except OSError as error:
        raise UnreadableRootError(path, error) from error


def _split(path: str) -> tuple[str, str]:
    """The directory and the last component: "a/b/" and "a/b/." mean "a/b", which must then not be a link."""
    while len(path) > 1 and path.endswith(("/", "/.")):
        path = path[:-1]
    directory, name = os.path.split(path)
    return directory or ".", name or "."


def _open_in(
    kernel: Kernel, path: str, parent_fd: int, name: str, surroundings: Surroundings, *, repair: bool
) -> Root | None:
    try:
        fd = kernel.open(name, _LIST, dir_fd=parent_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _no_directory(kernel, path, parent_fd, name) from error
        if error.errno != errno.EACCES:
            raise UnreadableRootError(path, error) from error
        fd, old_mode = _open_shut(kernel, path, parent_fd, name, surroundings=surroundings, error=error, repair=repair)
        return Root(kernel, path, fd, parent_fd, name, old_mode=old_mode)
    fine = False
    try:
        status = _status(kernel, path, fd)
        surroundings.require_harmless(path, status)
        old_mode = grant(kernel, fd, os.geteuid()) if repair and lacks_owner_bits(status) else None
        fine = True
    finally:
        if not fine:
            let_go(kernel, fd)
    return Root(kernel, path, fd, parent_fd, name, old_mode=old_mode)


def _open_shut(
    kernel: Kernel,
    path: str,
    parent_fd: int,
    name: str,
    *,
    surroundings: Surroundings,
    error: OSError,
    repair: bool,
) -> tuple[int, OldMode | None]:
    """Open a root that keeps us out, by way of an O_PATH descriptor, so that no other can take its place."""
    try:
        pin = kernel.open(name, _PIN, dir_fd=parent_fd)
    except OSError as refused:
        raise UnreadableRootError(path, refused) from refused
    try:
        surroundings.require_harmless(path, _status(kernel, path, pin))
        # Complete and not by us: another cleaner has repaired it since.
        complete, old_mode = mend(kernel, pin, os.geteuid(), pinned=True) if repair else (False, None)
        if not complete:
            raise UnreadableRootError(path, error) from error
        try:
            return kernel.open(".", _LIST, dir_fd=pin), old_mode
        except OSError as refused:
            if old_mode is not None:
                put_back(kernel, pin, old_mode, pinned=True)
            raise UnreadableRootError(path, refused) from refused
    finally:
        let_go(kernel, pin)


def _status(kernel: Kernel, path: str, fd: int) -> os.stat_result:
    try:
        return kernel.fstat(fd)
    except OSError as error:
        raise UnreadableRootError(path, error) from error


def _no_directory(kernel: Kernel, path: str, parent_fd: int, name: str) -> NotADirectoryRootError:
    try:
        link = stat.S_ISLNK(kernel.lstat(name, dir_fd=parent_fd).st_mode)
    except OSError:
        link = False
    if link:
        return LinkedRootError(path, "is a symbolic link, which is not followed", "give the path it leads to")
    return NotADirectoryRootError(path, "is no directory", "give the cache's directory")
