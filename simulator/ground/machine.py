"""What this machine can do, and what each missing thing costs.

Guarantees: changes nothing but a directory for the proof that permission bits work, removed again; loses no privilege
(what must be dropped for a proof is dropped in a child). Costs: some forty calls, and one fork as root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from cache_core.errors import PrivilegeError
from cache_core.kernel import REAL, RESOLVE_BENEATH
from cache_core.landlock import ABI_MIN, landlock_abi
from cache_core.privileges import holds_override_capabilities, permission_bits_stop_us
from simulator.ground.confined import permission_bits_stop_children
from simulator.ground.sandbox import SPACE_MIN_BYTES, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux 6.6; the same number on every architecture but alpha.
_SYS_FCHMODAT2 = 452
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the machine.

    Attributes:
        name: what it is about.
        value: what was found.
        ok: whether it is as it should be.
        needed: whether no run is possible without it.
        cost: what its absence costs and what to do; empty when it is there.
    """

    name: str
    value: str
    ok: bool = True
    needed: bool = False
    cost: str = ""


def examine(sandbox_parent: str) -> list[Finding]:
    """Look at the machine, for runs whose sandbox is made in `sandbox_parent`."""
    return [
        Finding("python", f"{platform.python_implementation()} {platform.python_version()}"),
        Finding("kernel", f"{platform.system()} {platform.release()}"),
        Finding("uid", str(os.geteuid())),
        *(Finding(name, metadata.version(name)) for name in ("trio", "greenlet")),
        *_privileges(sandbox_parent),
        *_sandbox(sandbox_parent),
        *_calls(),
        _landlock(),
        _strace(),
    ]


def runs_are_possible(findings: list[Finding]) -> bool:
    """Whether nothing is missing that every run needs."""
    return all(finding.ok for finding in findings if finding.needed)


def _privileges(parent: str) -> Iterator[Finding]:
    try:
        held = holds_override_capabilities()
    except PrivilegeError as error:
        yield Finding("capabilities", str(error), ok=False, needed=True, cost="nobody can tell whether modes bite")
        return
    yield Finding("capabilities", "may pass over permission bits; a run drops that" if held else "none that matter")
    works = permission_bits_stop_children(parent) if held else _bits_work(parent)
    yield Finding(
        "permission bits",
        "stop a run" if works else "do not stop a run",
        works,
        needed=True,
        cost=""
        if works
        else "the race would not exist: run as an ordinary user, or choose a directory on a file system with modes"
        " with --sandbox",
    )


def _bits_work(parent: str) -> bool:
    try:
        return permission_bits_stop_us(parent)
    except PrivilegeError:
        return False


def _sandbox(parent: str) -> Iterator[Finding]:
    if not os.path.isdir(parent):
        yield Finding("sandbox", f"{parent}: no directory", ok=False, needed=True, cost="choose one with --sandbox")
        return
    ground = survey(parent)
    yield Finding(
        "sandbox",
        f"{parent}: {'tmpfs' if ground.is_tmpfs else 'no tmpfs'}",
        ground.is_tmpfs,
        cost="" if ground.is_tmpfs else "runs are 10 to 40 times slower: choose a tmpfs with --sandbox",
    )
    enough = ground.free_bytes >= SPACE_MIN_BYTES
    yield Finding(
        "sandbox space",
        f"{ground.free_bytes // _MEGABYTE} MB free",
        enough,
        needed=True,
        cost="" if enough else f"a run takes up to {SPACE_MIN_BYTES // _MEGABYTE} MB: choose another with --sandbox",
    )


def _calls() -> Iterator[Finding]:
    yield _there("openat2", _has_openat2(), "the cleaner tells mount points apart by reading /proc, which is slower")
    yield _there(
        "fchmodat2", _has_fchmodat2(), "the cleaner repairs modes through /proc/self/fd, which must be mounted"
    )
    mounted = os.path.isdir("/proc/self/fd")
    yield _there(
        "/proc", mounted, "root cannot drop its privileges safely, and the cleaner may refuse to cross directories"
    )


def _landlock() -> Finding:
    abi = landlock_abi()
    enough = abi >= ABI_MIN
    return Finding(
        "landlock",
        f"ABI {abi}" if abi else "no",
        enough,
        cost=""
        if enough
        else f"`clean` works without the fence; a bug could reach out. It takes ABI {ABI_MIN}: Linux 5.19, `landlock`"
        " among the security modules (lsm=), and no filter that refuses it",
    )


def _strace() -> Finding:
    return _there("strace", shutil.which("strace") is not None, "traces cannot be compared with the kernel's own view")


def _there(name: str, is_there: bool, cost: str) -> Finding:
    return Finding(name, "yes" if is_there else "no", is_there, cost="" if is_there else cost)


def _has_openat2() -> bool:
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(REAL.openat2(".", os.O_PATH | os.O_DIRECTORY, RESOLVE_BENEATH, dir_fd=here))
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def _has_fchmodat2() -> bool:
    # No descriptor has the number -1: a kernel that knows the call says so.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(_SYS_FCHMODAT2, -1, b"x", 0, 0)
    return ctypes.get_errno() == errno.EBADF
