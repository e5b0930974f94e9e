"""setuptools' unpack_directory: how an egg-info, and a tree with namespace packages, are copied.

Guarantee: os.walk from the top, what cannot be listed passed over without a word, the directory of each file made
again before it, contents, times and mode. A directory without files is not copied.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import NOT_A_DIRECTORY, ToolchainError
from simulator.actors.toolchains.copytree import copyfile, copystat
from simulator.actors.toolchains.stdlib import isdir, makedirs, walk

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from cache_core.kernel import Kernel


def unpack_directory(kernel: Kernel, source: str, target: str, left_out: AbstractSet[str] = frozenset()) -> None:
    """Copy a tree, file by file.

    Args:
        kernel: makes the calls.
        source: absolute path of a directory.
        target: absolute path of the copy; what is there stays.
        left_out: absolute paths of copies that are not made.

    Raises:
        ToolchainError: NOT_A_DIRECTORY.
        OSError: a listed file is gone, the target is gone or closed.
    """
    if not isdir(kernel, source):
        raise ToolchainError(NOT_A_DIRECTORY, source)
    for base, _, names in walk(kernel, source):
        inside = target + base[len(source) :]
        for name in names:
            copy = f"{inside}/{name}"
            if copy in left_out:
                continue
            makedirs(kernel, os.path.dirname(copy), exist_ok=True)
            copyfile(kernel, f"{base}/{name}", copy)
            copystat(kernel, f"{base}/{name}", copy)
