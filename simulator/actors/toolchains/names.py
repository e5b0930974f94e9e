"""How a project's name is written in the names of its wheel, dist-info and egg-info.

Guarantee: the rules of the releases in `releases.py`, each under its own function.
Not guaranteed: versions. They are taken as the manifest's wheel has them, normalised and escaped already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.likeness.manifest import SdistManifest

# Of python, abi and platform: what a wheel file name ends with.
_TAGS = 3


@dataclass(frozen=True, slots=True)
class WheelNames:
    """Names of one wheel and of what is in its staging tree.

    Attributes:
        wheel: file name.
        dist_info: directory of its metadata.
        data: directory of scripts, headers and data files.
        egg_info: directory in the staging tree that becomes the dist-info.
        namespaces: the file that makes declared namespace packages importable.
        tags: its tags, each as WHEEL lists it.
    """

    wheel: str
    dist_info: str
    data: str
    egg_info: str
    namespaces: str
    tags: tuple[str, ...]


def wheel_names(package: SdistManifest, written: Callable[[str], str], python: str) -> WheelNames:
    """The names under one release's rule.

    Args:
        package: its name is the project's own spelling.
        written: how the release writes a project's name.
        python: what egg-info names carry, e.g. ``py3.11``.
    """
    parts = package.build.wheel.removesuffix(".whl").split("-")
    version, build, tags = parts[1], parts[2:-_TAGS], parts[-_TAGS:]
    stem = f"{written(package.name)}-{version}"
    labelled = "-".join([stem, *build])
    staged = f"{egg_name(package.name)}-{version}-{python}"
    return WheelNames(
        wheel="-".join([labelled, *tags]) + ".whl",
        dist_info=f"{stem}.dist-info",
        data=f"{labelled}.data",
        egg_info=f"{staged}.egg-info",
        namespaces=f"{staged}-nspkg.pth",
        tags=tuple(
            f"{interpreter}-{abi}-{platform}"
            for interpreter in tags[0].split(".")
            for abi in tags[1].split(".")
            for platform in tags[2].split(".")
        ),
    )


def egg_name(name: str) -> str:
    """In egg-info names, the same in all releases: dots and case stay."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).replace("-", "_").strip("_")


def with_dots(name: str) -> str:
    """In wheel names, of the wheel project and of setuptools before names were normalised: dots and case stay."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).replace("-", "_")


def normalised(name: str) -> str:
    """In wheel names, as the specification of wheels wants it: lower case, one underscore for each run."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).lower()
