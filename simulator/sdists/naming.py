"""How names and versions are written in the names of files that a manifest lists.

The wheel is named as setuptools 69.5.1 with wheel 0.43.0 names it; what other releases do otherwise is the
toolchain's (`simulator.actors.toolchains.names`). Source: PEP 440 for versions, PEP 503 for names.
"""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from simulator.actors.toolchains.names import egg_name, with_dots


def normal_version(version: str) -> str:
    """A version as PEP 440 writes it.

    Raises:
        ValueError: it is none.
    """
    try:
        return str(Version(version.replace(" ", ".")))
    except InvalidVersion as error:
        raise ValueError(f"'{version}' is no version (PEP 440)") from error


def egg_info_name(name: str) -> str:
    """The name of the egg-info directory of a project."""
    return f"{egg_name(name)}.egg-info"


def wheel_name(name: str, version: str, build_number: str, tags: str) -> str:
    """The file name of a wheel.

    Args:
        name: of the project.
        version: of the release, as PEP 440 writes it.
        build_number: or empty.
        tags: python, abi and platform, with dashes.
    """
    parts = [with_dots(name), version.replace("-", "_"), build_number, tags]
    return "-".join(part for part in parts if part) + ".whl"


def canonical(name: str) -> str:
    """One spelling for all spellings of a project's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
