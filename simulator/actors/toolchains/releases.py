"""What differs between releases of setuptools, as far as the calls of a build differ: one row each.

A further release is a row here, once its row is compared with a trace of a real build
(docs/reference/toolchains.md says how). Facts were read in the wheels of the releases; what is the same in all of
them is code, in the other files of this package.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """One row.

    Attributes:
        name: as users write it, e.g. ``setuptools-69.5.1``.
        revision: of the emulation; raised whenever its calls change, so that old tokens are refused.
        requirements: what pip installs to have the real one.
    """

    name: str
    revision: int
    requirements: tuple[str, ...]


RELEASES: dict[str, Release] = {
    release.name: release
    for release in (
        # The last one before bdist_wheel moved into setuptools (70.1), with the wheel project's of its time.
        Release("setuptools-69.5.1", 1, ("setuptools==69.5.1", "wheel==0.43.0")),
        # bdist_wheel is its own.
        Release("setuptools-75.6.0", 1, ("setuptools==75.6.0",)),
        Release("setuptools-84.2.1", 1, ("setuptools==84.2.1",)),
    )
}
