"""What differs between releases of setuptools, as far as the calls of a build differ: one row each.

A further release is a row here, once what it does is compared with a trace of a real build
(docs/reference/toolchains.md says how). Facts were read in the wheels of the releases; what is the same in all of
them is code, in the other files of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.actors.toolchains.distutils import Distutils, DistutilsOfExactTimes, DistutilsOnPathlib
from simulator.actors.toolchains.names import normalised, with_dots
from simulator.actors.toolchains.rmtree import chmod_and_retry, reraise

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.actors.toolchains.rmtree import Handler


@dataclass(frozen=True, slots=True)
class Release:
    """One row.

    Attributes:
        name: as users write it, e.g. ``setuptools-69.5.1``.
        revision: of the emulation; raised whenever its calls change, so that old tokens are refused.
        requirements: what pip installs to have the real one.
        generator: as WHEEL names it.
        distutils: its file utilities.
        removal: what answers an error while the staging tree is removed.
        written: how it writes a project's name in the names of the wheel and of what is in it.
        own_bdist_wheel: bdist_wheel is its own, not the wheel project's; setuptools_scm takes part in the former alone.
        converts_metadata: METADATA is made from the headers of PKG-INFO and from requires.txt; else it is a copy.
        licenses: directory in the dist-info for license files, each under its path in the sources; empty where they
            lie in the dist-info itself, each under its last name.
        scanning: modules whose import scans sys.path for distributions (with pkg_resources).
    """

    name: str
    revision: int
    requirements: tuple[str, ...]
    generator: str
    distutils: type[Distutils]
    removal: Handler
    written: Callable[[str], str]
    own_bdist_wheel: bool
    converts_metadata: bool
    licenses: str
    scanning: frozenset[str]


_SCANNING = frozenset(
    {"pkg_resources", "setuptools.package_index", "setuptools.sandbox"}
    | {"setuptools.command.develop", "setuptools.command.easy_install"}
)


RELEASES: dict[str, Release] = {
    release.name: release
    for release in (
        # bdist_wheel is the wheel project's, and so is the handler that makes directories 0200.
        Release(
            name="setuptools-69.5.1",
            revision=1,
            requirements=("setuptools==69.5.1", "wheel==0.43.0"),
            generator="bdist_wheel (0.43.0)",
            distutils=Distutils,
            removal=chmod_and_retry,
            written=with_dots,
            own_bdist_wheel=False,
            converts_metadata=True,
            licenses="",
            scanning=_SCANNING | {"setuptools.command.test"},
        ),
        # bdist_wheel is its own (since 70.1), and its handler acts on Windows only.
        Release(
            name="setuptools-75.6.0",
            revision=1,
            requirements=("setuptools==75.6.0",),
            generator="setuptools (75.6.0)",
            distutils=DistutilsOnPathlib,
            removal=reraise,
            written=with_dots,
            own_bdist_wheel=True,
            converts_metadata=False,
            licenses="",
            scanning=_SCANNING | {"setuptools.installer"},
        ),
        # Names are normalised, license files have a directory (PEP 639), pkg_resources is gone, and copies have the
        # times of what they are copies of, to the nanosecond.
        Release(
            name="setuptools-84.2.1",
            revision=1,
            requirements=("setuptools==84.2.1",),
            generator="setuptools (84.2.1)",
            distutils=DistutilsOfExactTimes,
            removal=reraise,
            written=normalised,
            own_bdist_wheel=True,
            converts_metadata=False,
            licenses="licenses",
            scanning=frozenset(),
        ),
    )
}
