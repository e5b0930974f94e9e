"""What a real tool sees of the world: a home, a cache and a directory for temporary files, all in the sandbox.

Guarantees: of the caller's environment variables only those in `PASSED_ON` reach a tool; every directory that pip, uv,
setuptools and Python take from a variable is in the sandbox, and no configuration file of the user or the machine is
read. Not guaranteed: anything about a program that looks its user's home up in the password database.
Source: the environment variables in the documentation of pip, uv, Python, and the XDG base directory specification.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where programs and shared libraries are, and which language they speak.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")
_PATH_DEFAULT = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one install happens; all paths are absolute.

    Attributes:
        actor: whose it is.
        cache: the cache that it shares.
        environment: its own environment.
        home: its own home directory.
    """

    actor: str
    cache: str
    environment: str
    home: str

    @property
    def temporary(self) -> str:
        """Its own directory for temporary files."""
        return f"{self.home}/temporary"

    def make(self) -> None:
        """Make its home directory and the one for temporary files."""
        os.makedirs(self.temporary)


def variables(place: Place, caller: Mapping[str, str]) -> dict[str, str]:
    """All environment variables of a tool that works in a place.

    Args:
        place: where.
        caller: the environment variables that we were started with.
    """
    home = place.home
    passed_on = {name: caller[name] for name in PASSED_ON if name in caller}
    return {
        "PATH": _PATH_DEFAULT,
        **passed_on,
        "HOME": home,
        "TMPDIR": place.temporary,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
        "XDG_DATA_HOME": f"{home}/.local/share",
        "XDG_STATE_HOME": f"{home}/.local/state",
        "XDG_CONFIG_DIRS": f"{home}/no-config",
        "XDG_DATA_DIRS": f"{home}/no-data",
        "UV_CACHE_DIR": place.cache,
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_CACHE_DIR": place.cache,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONNOUSERSITE": "1",
        "NO_COLOR": "1",
    }
