"""From the file of a source distribution to its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.errors import BadInputError
from simulator.manifest import Source
from simulator.sdists.archive import read_archive
from simulator.tools.manifests import sdist_manifest

if TYPE_CHECKING:
    from simulator.manifest import SdistManifest

_HOW = "read from the sdist alone"


def read_sdist(path: str, source: Source | None = None) -> SdistManifest:
    """What a build of a source distribution would read and write.

    Raises:
        BadInputError: it cannot be read, or does not say enough.
    """
    read_archive(path)
    try:
        return sdist_manifest(path, source or Source("file", "unknown", _HOW))
    except ValueError as error:
        raise BadInputError("bad-sdist", path, str(error)) from error
