"""The interpreter's own `shutil.rmtree` as an actor: its code as installed, with `os` replaced for one actor.

A private copy of the module is made per actor and its global `os` points at a stand-in, so nothing outside that
actor is patched. What was decided when the module was loaded (`os.supports_dir_fd` and the like) stays as it is
for the real `os`. The walk differs between Python versions (3.13 goes in another order), so a run with this actor
records the minor version.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from importlib.abc import InspectLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from cache_core.kernel import Kernel

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

_GATED = frozenset(
    {"chmod", "close", "fchmod", "fstat", "link", "listdir", "lstat", "mkdir", "open", "read", "readlink", "remove"}
    | {"rename", "rmdir", "scandir", "stat", "symlink", "unlink", "utime", "write"}
)


class _OperatingSystem:
    """`os`, with the calls that touch the file system made through a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kernel if name in _GATED else os, name)
        # Kept, so that `func is os.lstat` (3.13's rmtree asks) holds for what was handed out before.
        setattr(self, name, found)
        return found


def rmtree_of_this_interpreter(kernel: Kernel) -> Callable[[str], None]:
    """`shutil.rmtree` whose calls go through `kernel`.

    Raises (when called): whatever `shutil.rmtree` raises.
    """
    module: dict[str, Any] = {"__name__": "shutil"}
    exec(_code(), module)  # noqa: S102
    module["os"] = _OperatingSystem(kernel)
    remove: Callable[[str], None] = module["rmtree"]
    return remove


@cache
def _code() -> CodeType:
    # Read once: of a run of two small builds, reading it again took a fifteenth.
    specification = importlib.util.find_spec("shutil")
    if specification is None or not isinstance(specification.loader, InspectLoader):
        raise AssertionError("an interpreter without shutil")
    code = specification.loader.get_code("shutil")
    if code is None:
        raise AssertionError("an interpreter whose shutil has no code")
    return code
