"""Package manifests: what a simulated build reads and writes, without the bytes.

A manifest holds names and sizes of the real files of a real release (its source is named in the file). Contents
are made from the names, so two packages never share a block and a foreign file is recognised by its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file of an archive: POSIX path relative to the archive's root, size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Archive:
    """A downloadable file: its name, size in bytes and SHA-256."""

    filename: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WheelManifest:
    """A release taken as a wheel: `files` in the order of the archive, dist-info included."""

    name: str
    version: str
    archive: Archive
    files: tuple[FileSpec, ...]


def content(package: str, file: FileSpec) -> bytes:
    """The bytes of a simulated file: its own identity, repeated to its size.

    Args:
        package: name and version, e.g. ``six-1.16.0``.
        file: which file of it.
    """
    mark = f"{package}:{file.path}\n".encode()
    return (mark * (file.size // len(mark) + 1))[: file.size]
