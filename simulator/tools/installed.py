"""What an install put down, and what is wrong with it, held against one that was alone.

What the installer writes about itself (RECORD, INSTALLER and their kin), and what an interpreter compiles on its first
import, is not compared. Costs: the files in memory once, and reading each installed file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.oracles.wheel_whole import differences, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.running.outcome import Violation

_OWN_FILES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


@dataclass(frozen=True, slots=True)
class Installed:
    """What a whole install puts down: relative path to bytes."""

    files: Mapping[str, bytes]

    @classmethod
    def read(cls, directory: str) -> Installed:
        """Read what is in a directory."""
        files = {}
        for above, _, names in os.walk(directory):
            for name in names:
                path = os.path.relpath(f"{above}/{name}", directory)
                if not is_installers_own(path):
                    with open(f"{above}/{name}", "rb") as file:
                        files[path] = file.read()
        return cls(files)

    def violations(self, actor: str, directory: str) -> list[Violation]:
        """A violation if what an install that reported success put down is not whole.

        Args:
            actor: whose install.
            directory: where it installed to; may be missing.
        """
        wrong = differences(directory, self.files, {}, is_installers_own)
        return tell(f"what {actor} installed", wrong, "installed")


def is_installers_own(path: str) -> bool:
    """Whether a file belongs to the installer, or to the interpreter, and not to a package."""
    above, _, name = path.rpartition("/")
    return (name in _OWN_FILES and above.endswith(".dist-info")) or above.endswith("__pycache__")
