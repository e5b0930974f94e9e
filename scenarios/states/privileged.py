"""Entries that take more than to own the cache: other owners, flags, access control lists, mounts.

Mounts are for a mount namespace that ends with whoever lays them; nothing here undoes one. Flags and owners are undone
by `release`, which whoever removes the place has to call. Sources: mount(2), chown(2), ioctl_iflags(2), acl(5), and for
the layout of that attribute linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scenarios.states.place import ASIDE, CACHE, OUTSIDE
from scenarios.states.shell import in_cache

if TYPE_CHECKING:
    from scenarios.states.place import Place

MOUNTS = "mounts"
OWNERS = "owners"
FLAGS = "flags"
LISTS = "lists"

# Users that own nothing: nobody, and for nobody another.
NOBODY = 65_534
_NOBODY_ELSE = 65_533

_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 1, 32, 4096
# nosuid, nodev, noexec, noatime: what a mount has of these, an ordinary user may not take from a copy of it.
_LOCKED = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME
_libc = ctypes.CDLL(None, use_errno=True)

_PAGE_BYTES = 4096

_GET_FLAGS = 0x80086601
_SET_FLAGS = 0x40086602
_LETTERS = {"i": 0x10, "a": 0x20}

_ACL_DEFAULT = "system.posix_acl_default"
_ACL_VERSION = 2
_ACL_NOBODY = 0xFFFFFFFF
# linux/posix_acl.h: user::, group::, other::
_ACL_TAGS = (0x01, 0x04, 0x20)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount something.

    Raises:
        OSError: The system refuses.
    """
    arguments = (os.fsencode(text) for text in (source, target, kind))
    if _libc.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody else owns it: nobody, by number."""

    path: str
    needs: ClassVar[frozenset[str]] = frozenset({OWNERS})

    def lay(self, place: Place) -> None:
        """Chown."""
        other = NOBODY if os.geteuid() != NOBODY else _NOBODY_ELSE
        os.chown(f"{place.cache}/{self.path}", other, other, follow_symlinks=False)

    def commands(self) -> list[str]:
        """Chown."""
        return [f"chown -h {NOBODY}:{NOBODY} {in_cache(self.path)}"]


@dataclass(frozen=True, slots=True)
class Flag:
    """The flag `i` (immutable) or `a` (append only)."""

    path: str
    letter: str
    needs: ClassVar[frozenset[str]] = frozenset({FLAGS})

    def lay(self, place: Place) -> None:
        """Chattr."""
        set_flags(f"{place.cache}/{self.path}", _LETTERS[self.letter])

    def commands(self) -> list[str]:
        """Chattr."""
        return [f"chattr +{self.letter} {in_cache(self.path)}"]


def set_flags(path: str, flags: int) -> None:
    """Give a file or directory flags.

    Raises:
        OSError: The system refuses.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        held = array.array("l", [0])
        fcntl.ioctl(fd, _GET_FLAGS, held)
        held[0] = (held[0] & ~sum(_LETTERS.values())) | flags
        fcntl.ioctl(fd, _SET_FLAGS, held)
    finally:
        os.close(fd)


def release(top: str) -> None:
    """Take flags and other owners from all that is below `top`, as far as this process may; follows no link."""
    for directory, directories, files in os.walk(top):
        for name in (".", *directories, *files):
            path = f"{directory}/{name}"
            # Gone, of a kind that has no flags, or not ours to change.
            with contextlib.suppress(OSError):
                set_flags(path, 0)
            with contextlib.suppress(OSError):
                if os.lstat(path).st_uid != os.geteuid():
                    os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class DefaultList:
    """A default access control list that lets new directories be read, and not written, by their owner."""

    path: str
    needs: ClassVar[frozenset[str]] = frozenset({LISTS})

    def lay(self, place: Place) -> None:
        """Setfacl -d."""
        entries = b"".join(struct.pack("<HHI", tag, 5, _ACL_NOBODY) for tag in _ACL_TAGS)
        path = f"{place.cache}/{self.path}" if self.path else place.cache
        os.setxattr(path, _ACL_DEFAULT, struct.pack("<I", _ACL_VERSION) + entries)

    def commands(self) -> list[str]:
        """Setfacl -d."""
        return [f"setfacl -d -m u::rx,g::rx,o::rx {in_cache(self.path)}"]


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system for all of the place; before anything else.

    Attributes:
        bytes: how large; 0 is as large as any.
        inodes: how many files and directories it takes; 0 is as many as any.
    """

    bytes: int = 0
    inodes: int = 0
    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Mount a tmpfs."""
        mount("cachestorm", place.root, "tmpfs", 0, f"mode=0755,{self._size()}")
        os.mkdir(place.cache, 0o755)

    def commands(self) -> list[str]:
        """Mount."""
        return [f"mount -t tmpfs -o mode=0755,{self._size()} tmpfs . && cd . && mkdir {CACHE}"]

    def _size(self) -> str:
        return f"size={self.bytes},nr_inodes={self.inodes}"


@dataclass(frozen=True, slots=True)
class Ballast:
    """Whatever room there is on the place's own disk is taken, by what is beside the cache.

    Attributes:
        disk: how much there can be; the commands take no more, wherever they are run.
    """

    disk: Disk
    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Write until there is no room."""
        try:
            os.mkdir(place.aside, 0o755)
            if self.disk.inodes:
                self._take_inodes(place.aside)
            else:
                self._take_bytes(f"{place.aside}/ballast")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _take_bytes(self, path: str) -> None:
        with open(path, "wb", buffering=0) as file:
            file.writelines(bytes(_PAGE_BYTES) for _ in range(self.disk.bytes // _PAGE_BYTES))

    def _take_inodes(self, directory: str) -> None:
        for number in range(self.disk.inodes):
            os.close(os.open(f"{directory}/{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))

    def commands(self) -> list[str]:
        """Write until there is no room."""
        inodes = f"seq {self.disk.inodes} | xargs touch"
        take = inodes if self.disk.inodes else f"head -c {self.disk.bytes} /dev/zero > ballast"
        return [f"(mkdir {ASIDE} && cd {ASIDE} && {take}) 2>&- || true"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Another file system mounted on a directory in the cache, with a file in it."""

    path: str
    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Mount a tmpfs."""
        target = f"{place.cache}/{self.path}"
        mount("cachestorm", target, "tmpfs", 0, "mode=0755,size=1m")
        with open(f"{target}/file", "w", encoding="ascii") as file:
            file.write("x")

    def commands(self) -> list[str]:
        """Mount."""
        word = in_cache(self.path)
        return [f"mount -t tmpfs -o mode=0755,size=1m tmpfs {word} && printf x > {word}/file"]


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory or file outside, mounted on one of the same kind in the cache."""

    path: str
    name: str
    read_only: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Mount --bind."""
        target = f"{place.cache}/{self.path}"
        mount(f"{place.outside}/{self.name}", target, "none", _MS_BIND)
        if self.read_only:
            mount("none", target, "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | os.statvfs(target).f_flag & _LOCKED)

    def commands(self) -> list[str]:
        """Mount --bind."""
        options = "--bind -o ro" if self.read_only else "--bind"
        return [f"mount {options} {OUTSIDE}/{self.name} {in_cache(self.path)}"]


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """The file system that the cache is on takes no writes any more."""

    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Mount -o remount,ro."""
        mount("none", place.root, "none", _MS_REMOUNT | _MS_BIND | _MS_RDONLY)

    def commands(self) -> list[str]:
        """Mount -o remount,ro."""
        return ["mount -o remount,bind,ro ."]


# Mount options, and what the directories are called here.
_LAYERS = {"lowerdir": "lower", "upperdir": "upper", "workdir": "work"}


@dataclass(frozen=True, slots=True)
class Layer:
    """All that is in the cache becomes the lower layer of an overlay, as a cache that came with a container's image."""

    needs: ClassVar[frozenset[str]] = frozenset({MOUNTS})

    def lay(self, place: Place) -> None:
        """Move all of the place, and mount an overlay where it was."""
        layers = f"{place.root}.layers"
        for path in (layers, *(f"{layers}/{name}" for name in _LAYERS.values())):
            os.mkdir(path, 0o755)
        for name in os.listdir(place.root):
            os.rename(f"{place.root}/{name}", f"{layers}/{_LAYERS['lowerdir']}/{name}")
        # A comma or a colon ends a path there, unless it is escaped.
        escaped = re.sub(r"([\\,:])", r"\\\1", layers)
        where = ",".join(f"{option}={escaped}/{name}" for option, name in _LAYERS.items())
        try:
            # What an ordinary user's overlay needs; root's does without on older systems.
            mount("cachestorm", place.root, "overlay", 0, f"{where},userxattr")
        except OSError:
            mount("cachestorm", place.root, "overlay", 0, where)

    def commands(self) -> list[str]:
        """Move all of the place, and mount an overlay where it was."""
        where = ",".join(f"{option}=$layers/{name}" for option, name in _LAYERS.items())
        return [
            f"layers=$(mktemp -d) && mkdir {' '.join(f'$layers/{name}' for name in _LAYERS.values())}",
            f'mv * $layers/{_LAYERS["lowerdir"]} && mount -t overlay -o {where},userxattr overlay . && cd "$PWD"',
        ]
