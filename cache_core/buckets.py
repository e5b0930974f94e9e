"""Where entries are inside a cache, laid out as uv 0.1.42 lays them out.

::

    simple-v7/index/<index>/<name>.rkyv              what the index said about a package
    wheels-v1/index/<index>/<name>/<wheel>           link to the archive of a wheel taken as a wheel
    built-wheels-v3/index/<index>/<name>/<version>/  .lock of the entry
        <id>/<sdist file name>/                      the unpacked source, in which builds happen
        <id>/<wheel>.whl, <id>/<wheel>               the wheel built from it, and a link to its archive
    archive-v0/<id>/                                 an unpacked wheel
    local/<name>-<version>/                          not uv's: a source tree of the user's own, built in place

All paths are relative to the cache. Every id is derived from names: the same entry is at the same place in every
cache and every run. Two differences from uv follow. uv draws its ids at random and finds a source entry by a
pointer file (`revision.http`), so two processes that start on a cold cache at the same moment may make two
entries; here they always meet in one. And its links are absolute, ours relative, so a cache can be moved.

Source: layout and names read in the issue astral-sh/uv#3515 and from a trace of uv 0.1.42.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

ARCHIVES = "archive-v0"
BUILT_WHEELS = "built-wheels-v3"
LOCAL = "local"
SIMPLE = "simple-v7"
WHEELS = "wheels-v1"

# Everything that is not published yet has this prefix, as uv's temporary files have.
TEMPORARY_PREFIX = ".tmp"
WHEEL_SUFFIX = ".whl"

_ID_LENGTH = 21
_INDEX_DIGITS = 16


def entry_id(*names: str) -> str:
    """An id as long as uv's, 21 characters of the URL-safe alphabet, derived from `names`."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    # A leading hyphen is awkward on command lines; uv's ids may have one.
    return base64.urlsafe_b64encode(digest).decode()[:_ID_LENGTH].replace("-", "_")


def index_id(url: str) -> str:
    """The 16 hexadecimal digits that stand for a package index."""
    return hashlib.sha256(url.encode()).hexdigest()[:_INDEX_DIGITS]


def simple_file(index: str, name: str) -> str:
    """Where the answer of the index with the id `index` about the package `name` is kept."""
    return f"{SIMPLE}/index/{index}/{name}.rkyv"


def archive(wheel: str, owner: str = "") -> str:
    """Where the wheel with the file name `wheel` is unpacked.

    Args:
        wheel: the file name.
        owner: who unpacks it, when everybody unpacks their own; empty when one archive is for all.
    """
    return f"{ARCHIVES}/{entry_id(wheel, owner)}"


@dataclass(frozen=True, slots=True)
class WheelEntry:
    """A wheel taken from an index.

    Attributes:
        index: id of the index (`index_id`).
        name: normalised name of the package.
        filename: of the wheel.
    """

    index: str
    name: str
    filename: str

    @property
    def link(self) -> str:
        """The link to its archive."""
        return f"{WHEELS}/index/{self.index}/{self.name}/{self.filename.removesuffix(WHEEL_SUFFIX)}"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source distribution and the wheel that is built from it.

    Attributes:
        index: id of the index (`index_id`).
        name: normalised name of the package.
        version: of the release.
        filename: of the source distribution.
    """

    index: str
    name: str
    version: str
    filename: str

    @property
    def release(self) -> str:
        """The directory of the release, which holds the entry's lock file and its shard."""
        return f"{BUILT_WHEELS}/index/{self.index}/{self.name}/{self.version}"

    @property
    def lock(self) -> str:
        """The lock file; it is never removed."""
        return f"{self.release}/.lock"

    @property
    def shard(self) -> str:
        """The directory that holds the source tree, the wheel and the link."""
        return f"{self.release}/{entry_id(self.name, self.version)}"

    @property
    def source(self) -> str:
        """The unpacked source. As in uv it is a directory with the name of the archive."""
        return f"{self.shard}/{self.filename}"

    @property
    def local(self) -> str:
        """A local directory with the same source, for those who build in place."""
        return f"{LOCAL}/{self.name}-{self.version}"
