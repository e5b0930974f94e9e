"""Quiet steps: calls that an actor makes without coming to the gate, because it was granted them.

Most steps of a storm follow a step of the same actor. The gate says beforehand how many of those there will be
(`simulator.engine.gate`) and hands out as many tokens; the calls made here take one each and do what
`simulator.engine.step` does, written out for each form of call: the name, the real call, the record. A call that is
not here, or has anything unusual about it (a descriptor that is not the actor's, a lock that goes with it), takes the
ordinary way, which is also where an actor goes when its tokens are used up, and where every fault strikes.

Guarantee: a step made here is recorded as the ordinary way records it (`tests/unit/engine/test_quiet.py` makes every
call both ways). Cost: some 40 bytecodes a step, a quarter of the ordinary way. To spend no more, what a call needs is
bound once per actor, in a closure, and "no token left" and "not our descriptor" are the exceptions that a list and a
dictionary raise by themselves.
"""

from __future__ import annotations

import os
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from cache_core.kernel import REAL
from simulator.engine.clock import Status
from simulator.engine.listing import GatedListing, sorted_entries
from simulator.engine.trace import CREATE, CREATE_EXCL, CREATIONS, LIST_DESCRIPTOR, LIST_PATH, OPEN, OPENDIR, TRUNCATED

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.kernel import GatedKernel
    from simulator.engine.step import AtHand

_FILE_TYPE = 0o170000
_REGULAR = 0o100000
_CREATES_EXCLUSIVELY = os.O_CREAT | os.O_EXCL

_CREATES = os.O_CREAT
# Of open(2): creates, or keeps what is there.
_MAY_KEEP = os.O_CREAT | os.O_EXCL | os.O_TRUNC
_new = tuple.__new__
_name_of = attrgetter("name")


class _Kinds(dict[int, tuple[str, bool, str | None]]):
    """Flags of open(2): the name of the operation, whether it changes a file, its detail; filled as they come."""

    def __missing__(self, flags: int) -> tuple[str, bool, str | None]:
        if flags & os.O_CREAT:
            operation = CREATE_EXCL if flags & _CREATES_EXCLUSIVELY == _CREATES_EXCLUSIVELY else CREATE
        else:
            operation = OPENDIR if flags & os.O_DIRECTORY else OPEN
        # That a file is opened for reading or for writing tells nobody that it was emptied.
        detail = TRUNCATED if operation == OPEN and flags & os.O_TRUNC else None
        kind = self[flags] = operation, bool(flags & (os.O_CREAT | os.O_TRUNC)), detail
        return kind


KINDS = _Kinds()


def may_keep(flags: int) -> bool:
    """Whether open(2) with these flags creates a file where there is none, and keeps as it is one that is there."""
    return flags & _MAY_KEEP == _CREATES


def quiet_calls(kernel: GatedKernel) -> dict[str, Callable[..., Any]]:
    """The calls of `kernel`, by name, that need not come to the gate; each falls back on the kernel's own."""
    hand = kernel.at_hand()
    unlink = _removal(hand, "unlink", REAL.unlink, kernel.unlink)
    return {
        "stat": _stat(kernel, hand),
        "lstat": _lstat(kernel, hand),
        "fstat": _fstat(kernel, hand),
        "open": _open(kernel, hand),
        "read": _read(kernel, hand),
        "write": _write(kernel, hand),
        "close": _close(kernel, hand),
        "mkdir": _mkdir(kernel, hand),
        "chmod": _chmod(kernel, hand),
        "utime": _utime(kernel, hand),
        "link": _link(kernel, hand),
        "rename": _rename(kernel, hand),
        "unlink": unlink,
        "remove": unlink,
        "rmdir": _removal(hand, "rmdir", REAL.rmdir, kernel.rmdir),
        "listdir": _listdir(kernel, hand),
        "scandir": _scandir(kernel, hand),
    }


def _stat(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, times = hand
    real, ordinary, when = REAL.stat, kernel.stat, times.modified.get

    def stat(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        if dir_fd is not None or not follow_symlinks:
            return ordinary(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        try:
            phase = pop()
            shown = known[path]
            status = real(path)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "stat", shown, None, None, error.errno, None, None), error)
            raise
        else:
            mode = status.st_mode
            size = status.st_size if mode & _FILE_TYPE == _REGULAR else 0
            record((name, phase, "stat", shown, None, None, None, (mode, size), None))
            return _new(Status, (mode, status, times, when(shown)))
        return ordinary(path)

    return stat


def _lstat(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, descriptors, record, failed, times = hand
    real, ordinary, when, inside = REAL.lstat, kernel.lstat, times.modified.get, known.inside

    def lstat(path: str, *, dir_fd: int | None = None) -> Any:
        try:
            phase = pop()
            shown = known[path] if dir_fd is None else inside[descriptors[dir_fd]][path]
            status = real(path, dir_fd=dir_fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "lstat", shown, None, None, error.errno, None, None), error)
            raise
        else:
            mode = status.st_mode
            size = status.st_size if mode & _FILE_TYPE == _REGULAR else 0
            record((name, phase, "lstat", shown, None, None, None, (mode, size), None))
            return _new(Status, (mode, status, times, when(shown)))
        return ordinary(path, dir_fd=dir_fd)

    return lstat


def _fstat(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, _, descriptors, record, failed, times = hand
    real, ordinary, when = REAL.fstat, kernel.fstat, times.modified.get

    def fstat(fd: int) -> Any:
        try:
            phase = pop()
            shown = descriptors[fd]
            status = real(fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "fstat", shown, None, None, error.errno, None, None), error)
            raise
        else:
            mode = status.st_mode
            size = status.st_size if mode & _FILE_TYPE == _REGULAR else 0
            record((name, phase, "fstat", shown, None, None, None, (mode, size), None))
            return _new(Status, (mode, status, times, when(shown)))
        return ordinary(fd)

    return fstat


def _open(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, descriptors, record, failed, times = hand
    real, ordinary, modified, inside = REAL.open, kernel.open, times.modified, known.inside
    steps = kernel.steps

    def open_(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        if flags & _MAY_KEEP == _CREATES:
            return ordinary(path, flags, mode, dir_fd=dir_fd)
        try:
            phase = pop()
            shown = known[path] if dir_fd is None else inside[descriptors[dir_fd]][path]
            fd = real(path, flags, mode, dir_fd=dir_fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, KINDS[flags][0], shown, None, None, error.errno, None, None), error)
            raise
        else:
            operation, changes, detail = KINDS[flags]
            descriptors[fd] = shown
            if changes:
                modified[shown] = len(steps)
                if detail is None:
                    operation = CREATIONS[operation, mode]
            record((name, phase, operation, shown, None, None, None, detail, None))
            return fd
        return ordinary(path, flags, mode, dir_fd=dir_fd)

    return open_


def _read(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, _, descriptors, record, failed, _ = hand
    real, ordinary = REAL.read, kernel.read

    def read(fd: int, length: int) -> Any:
        try:
            phase = pop()
            shown = descriptors[fd]
            data = real(fd, length)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "read", shown, None, None, error.errno, None, None), error)
            raise
        else:
            record((name, phase, "read", shown, None, None, None, len(data), None))
            return data
        return ordinary(fd, length)

    return read


def _write(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, _, descriptors, record, failed, times = hand
    real, ordinary, modified, steps = REAL.write, kernel.write, times.modified, kernel.steps

    def write(fd: int, data: bytes) -> Any:
        try:
            phase = pop()
            shown = descriptors[fd]
            length = real(fd, data)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "write", shown, None, None, error.errno, None, None), error)
            raise
        else:
            modified[shown] = len(steps)
            record((name, phase, "write", shown, None, None, None, length, None))
            return length
        return ordinary(fd, data)

    return write


def _close(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, _, descriptors, record, failed, _ = hand
    real, ordinary, locks, copies = REAL.close, kernel.close, kernel.locks, kernel.copies

    def close(fd: int) -> Any:
        if locks or copies:
            return ordinary(fd)
        try:
            phase = pop()
            shown = descriptors[fd]
            real(fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "close", shown, None, None, error.errno, None, None), error)
            raise
        else:
            del descriptors[fd]
            record((name, phase, "close", shown, None, None, None, None, None))
            return None
        return ordinary(fd)

    return close


def _mkdir(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, descriptors, record, failed, _ = hand
    real, ordinary, inside = REAL.mkdir, kernel.mkdir, known.inside

    def mkdir(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        try:
            phase = pop()
            shown = known[path] if dir_fd is None else inside[descriptors[dir_fd]][path]
            real(path, mode, dir_fd=dir_fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "mkdir", shown, None, mode, error.errno, None, None), error)
            raise
        else:
            record((name, phase, "mkdir", shown, None, mode, None, None, None))
            return None
        return ordinary(path, mode, dir_fd=dir_fd)

    return mkdir


def _removal(
    hand: AtHand, operation: str, real: Callable[..., None], ordinary: Callable[..., Any]
) -> Callable[..., Any]:
    name, pop, known, descriptors, record, failed, _ = hand
    inside = known.inside

    def remove(path: str, *, dir_fd: int | None = None) -> Any:
        try:
            phase = pop()
            shown = known[path] if dir_fd is None else inside[descriptors[dir_fd]][path]
            real(path, dir_fd=dir_fd)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, operation, shown, None, None, error.errno, None, None), error)
            raise
        else:
            record((name, phase, operation, shown, None, None, None, None, None))
            return None
        return ordinary(path, dir_fd=dir_fd)

    return remove


def _chmod(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, _ = hand
    real, ordinary = REAL.chmod, kernel.chmod

    def chmod(path: str, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        if dir_fd is not None or not follow_symlinks:
            return ordinary(path, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        try:
            phase = pop()
            shown = known[path]
            real(path, mode)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "chmod", shown, None, mode, error.errno, None, None), error)
            raise
        else:
            record((name, phase, "chmod", shown, None, mode, None, None, None))
            return None
        return ordinary(path, mode)

    return chmod


def _utime(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, logical = hand
    real, ordinary, modified, steps = REAL.utime, kernel.utime, logical.modified, kernel.steps

    def utime(path: str, times: tuple[float, float] | None = None, **keywords: Any) -> Any:
        if keywords.get("dir_fd") is not None:
            return ordinary(path, times, **keywords)
        try:
            phase = pop()
            shown = known[path]
            real(path, times, **keywords)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "utime", shown, None, None, error.errno, None, None), error)
            raise
        else:
            modified[shown] = len(steps)
            record((name, phase, "utime", shown, None, None, None, None, None))
            return None
        return ordinary(path, times, **keywords)

    return utime


def _link(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, _ = hand
    real, ordinary = REAL.link, kernel.link

    def link(src: str, dst: str, **keywords: Any) -> Any:
        if keywords:
            return ordinary(src, dst, **keywords)
        try:
            phase = pop()
            shown, target = known[src], known[dst]
            real(src, dst)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "link", shown, target, None, error.errno, None, None), error)
            raise
        else:
            record((name, phase, "link", shown, target, None, None, None, None))
            return None
        return ordinary(src, dst)

    return link


def _rename(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, times = hand
    real, ordinary, moved = REAL.rename, kernel.rename, times.moved

    def rename(src: str, dst: str, **keywords: Any) -> Any:
        if keywords:
            return ordinary(src, dst, **keywords)
        try:
            phase = pop()
            shown, target = known[src], known[dst]
            real(src, dst)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, "rename", shown, target, None, error.errno, None, None), error)
            raise
        else:
            moved(shown, target)
            record((name, phase, "rename", shown, target, None, None, None, None))
            return None
        return ordinary(src, dst)

    return rename


def _listdir(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, _, record, failed, _ = hand
    real, ordinary = REAL.listdir, kernel.listdir

    def listdir(path: str | int = ".") -> Any:
        if isinstance(path, int):
            return ordinary(path)
        try:
            phase = pop()
            shown = known[path]
            names = real(path)
        except LookupError:
            pass
        except OSError as error:
            failed((name, phase, LIST_PATH, shown, None, None, error.errno, None, None), error)
            raise
        else:
            names.sort()
            record((name, phase, LIST_PATH, shown, None, None, None, tuple(names), None))
            return names
        return ordinary(path)

    return listdir


def _scandir(kernel: GatedKernel, hand: AtHand) -> Callable[..., Any]:
    name, pop, known, descriptors, record, failed, _ = hand
    ordinary = kernel.scandir

    def scandir(path: str | int = ".") -> Any:
        by_descriptor = isinstance(path, int)
        try:
            phase = pop()
            shown = descriptors[path] if isinstance(path, int) else known[path]
            entries = sorted_entries(path)
        except LookupError:
            pass
        except OSError as error:
            operation = LIST_DESCRIPTOR if by_descriptor else LIST_PATH
            failed((name, phase, operation, shown, None, None, error.errno, None, None), error)
            raise
        else:
            operation = LIST_DESCRIPTOR if by_descriptor else LIST_PATH
            record((name, phase, operation, shown, None, None, None, tuple(map(_name_of, entries)), None))
            return GatedListing(entries, kernel, path if isinstance(path, int) else None)
        return ordinary(path)

    return scandir
