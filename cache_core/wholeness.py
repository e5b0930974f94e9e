"""What in a cache is whole, and what failed builds left: a definition by place and name.

A cache is *structure* (the root, the buckets and the directories in them, down to the entries) and *entries*. An entry
is one of two kinds:

- *published*, renamed into its place when it was complete: an unpacked wheel (`archive-v<N>/<id>`), an environment, a
  repository, a downloaded program; by content, any directory with a `*.dist-info` directory or a `pyvenv.cfg`;
- a *source*, in which builds happen: `<id>/src` and `<id>/<sdist>` in the buckets of source distributions, a checkout;
  by content, any directory with a `setup.py`, `pyproject.toml` or `PKG-INFO`.

Residue, of which the topmost counts:

- *trash*: a name in the root that starts with `.cachestorm-trash`;
- *temporary*: a name in the structure that starts with `.tmp`; in pip's `http`, `http-v2` and `selfcheck`, a file whose
  name ends in `.tmp`;
- *partial-tree*: a directory `build/bdist.*`, but not in what is published or in trash;
- *poisoned*: a directory that keeps its owner out, and with it the entry that it is in, published or a source: without
  it, the entry would install or build something incomplete, and nobody would notice. Not when it is in residue already.
  Structure that is known by name, a *shelf*, makes nothing incomplete by that: it is opened, and what is in it kept;
- *dangling*: a pointer file that names an entry that is poisoned, and nothing else that is there (`pointers`).

Whole is all the rest: every entry that is not temporary and that its owner can read to the last directory, and every
file in the structure under a name of its own. The names in an entry are the entry's: a wheel may ship `.tmpfoo` and
`build/bdist.x`, a source `.tmpfoo`.

Not looked at: the content of any file but pointers. A source in which a build failed is whole, although `build/lib` in
it may be stale. An archive that no link leads to is whole, too, and a link to an archive that is gone is no entry:
look-ups take it for absent.

Sources: the layouts of uv 0.1.42 and 0.13.9 as they were found on disk, uv's `crates/uv-cache/src/lib.rs` (buckets) and
its uses of `tempdir_in` and `tempfile_in` (temporary names), pip 26.3's `adjacent_tmp_file` and `network/cache.py`.
Cost: comparisons of strings, no call.
"""

from __future__ import annotations

import stat

from cache_core.layout import TRASH_PREFIX
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, Literal

    Zone = Literal["structure", "downloads", "source", "published", "temporary", "trash"]
    Kind = Literal["partial-tree", "poisoned", "temporary", "trash", "dangling"]

# As in `buckets`, which a cleaner does not load for it: hashing costs 5 ms of its start. A test holds the two together.
TEMPORARY_PREFIX: Final = ".tmp"
STAGING_PARENT: Final = "build"
STAGING_PREFIX: Final = "bdist."

# pip's buckets of files that it has downloaded, and what it calls a file that it has not finished.
_DOWNLOADS: Final = frozenset({"http", "http-v2", "selfcheck"})
_UNFINISHED_SUFFIX: Final = ".tmp"

_SOURCE_FILES: Final = frozenset({"setup.py", "pyproject.toml", "PKG-INFO"})
_ENVIRONMENT_FILE: Final = "pyvenv.cfg"
_METADATA_SUFFIX: Final = ".dist-info"

# In the buckets of sources, names at a lesser depth (counted from the bucket) are those of packages and indexes.
_SOURCE_BUCKETS: Final = frozenset({"sdists", "built-wheels"})
_SOURCE_DEPTH_MIN: Final = 5
_SOURCE_NAME: Final = "src"
_SDIST_SUFFIXES: Final = (
    ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma", ".tar.zst"
)  # fmt: skip
# How deep the published entries of a bucket are; the bucket itself is at 1.
_PUBLISHED_DEPTH: Final = {"archive": 2, "binaries": 2, "python": 2, "environments": 3}
_ARCHIVE_BUCKET: Final = "archive"
_GIT: Final = "git"
_GIT_ZONES: Final[dict[tuple[str, int], Zone]] = {("db", 3): "published", ("checkouts", 4): "source"}
# How deep the directories of a bucket are structure by their names, whatever is in them. Those of pip are parts of a
# hash; those of sources go by what was asked: below the versions of a package, or a link, comes what builds make.
_SHELF_DEPTH: Final = {
    "archive": 1, "binaries": 1, "builds": 1, "environments": 2, "flat-index": 2, "git": 3, "interpreter": 2,
    "python": 1, "simple": 3, "wheels": 4,
}  # fmt: skip
_SOURCE_SHELF_DEPTH: Final = {"pypi": 4, "index": 5}
_SOURCE_SHELF_DEPTH_ELSE: Final = 3
_SHELVES_OF_PIP: Final = _DOWNLOADS | {"wheels"}
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a cache a directory is.

    Attributes:
        zone: What the names in it mean.
        entry: How many names lead from the root to the entry that it is, or is in; 0 when that is none.
    """

    zone: Zone = "structure"
    entry: int = 0

    @property
    def is_structure(self) -> bool:
        """Whether entries may be below, and not only what is in one."""
        return self.zone in ("structure", "downloads")

    @property
    def is_residue(self) -> bool:
        """Whether all that is in it is residue by its name."""
        return self.zone in ("temporary", "trash")


ROOT: Final = Place()


def place_in(place: Place, parents: Sequence[str], name: str) -> Place:
    """Where one is in the directory `name`, as far as names tell.

    Args:
        place: That of the directory that it is in.
        parents: The names that lead to that directory from the root.
        name: Its name.
    """
    if is_trash(parents, name):
        return Place("trash")
    if not place.is_structure:
        return place
    if name.startswith(TEMPORARY_PREFIX):
        return Place("temporary")
    depth = len(parents) + 1
    if depth == 1:
        return Place("downloads") if name in _DOWNLOADS else place
    zone = _zone_of_bucket(parents, name, depth)
    return place if zone is None else Place(zone, depth)


def place_of(names: Sequence[str]) -> Place:
    """Where one is in the directory that `names` lead to from the root, as far as names tell."""
    place = ROOT
    for number, name in enumerate(names):
        place = place_in(place, names[:number], name)
    return place


def is_shelf(path: str) -> bool:
    """Whether a directory is structure by its names alone: entries are below, and no build makes it as its own."""
    names = path.split("/")
    if not place_of(names).is_structure:
        return False
    if names[0] in _SHELVES_OF_PIP:
        return all(_HEX.issuperset(name) for name in names[1:])
    bucket = _bucket(names[0]) or ""
    if bucket not in _SOURCE_BUCKETS:
        return len(names) <= _SHELF_DEPTH.get(bucket, 0)
    return len(names) == 1 or len(names) <= _SOURCE_SHELF_DEPTH.get(names[1], _SOURCE_SHELF_DEPTH_ELSE)


def archive_id(path: str) -> str | None:
    """The id of the unpacked wheel at a path; None elsewhere."""
    bucket, _, name = path.partition("/")
    return name if name and _bucket(bucket) == _ARCHIVE_BUCKET and "/" not in name else None


def is_in_source_bucket(names: Sequence[str]) -> bool:
    """Whether `names` lead to a place deep enough in a bucket of sources to be a revision's, or in one."""
    return _bucket(names[0]) in _SOURCE_BUCKETS and len(names) >= _SOURCE_DEPTH_MIN - 1


def _bucket(name: str) -> str | None:
    """What is in a directory of the root that has a version in its name."""
    bucket, _, version = name.rpartition("-v")
    return bucket if version.isdecimal() else None


def _zone_of_bucket(parents: Sequence[str], name: str, depth: int) -> Zone | None:
    """Which kind of entry a directory below the root is; None when that is none."""
    bucket = _bucket(parents[0])
    if bucket is None:
        return None
    if _PUBLISHED_DEPTH.get(bucket) == depth:
        return "published"
    if bucket in _SOURCE_BUCKETS and depth >= _SOURCE_DEPTH_MIN:
        return "source" if name == _SOURCE_NAME or name.endswith(_SDIST_SUFFIXES) else None
    if bucket == _GIT and depth > len(("bucket", "kind")):
        return _GIT_ZONES.get((parents[1], depth))
    return None


def mark_of(name: str, mode: int) -> Zone | None:
    """What a directory in the structure is that has `name` in it; None when that says nothing."""
    directory = stat.S_ISDIR(mode)
    if name == _ENVIRONMENT_FILE or name.endswith(_METADATA_SUFFIX):
        return "published" if directory is (name != _ENVIRONMENT_FILE) else None
    return "source" if name in _SOURCE_FILES and not directory else None


def is_trash(parents: Sequence[str], name: str) -> bool:
    """Whether a cleaner moved it aside."""
    return not parents and name.startswith(TRASH_PREFIX)


def is_temporary(place: Place, name: str, mode: int) -> bool:
    """Whether it is not published yet, nor ever will be once its maker is gone.

    Args:
        place: That of the directory that it is in.
        name: Its name.
        mode: Its type and permission bits.
    """
    if not place.is_structure:
        return False
    unfinished = place.zone == "downloads" and name.endswith(_UNFINISHED_SUFFIX) and stat.S_ISREG(mode)
    return unfinished or name.startswith(TEMPORARY_PREFIX)


def is_partial_tree(place: Place, parents: Sequence[str], name: str) -> bool:
    """Whether a directory is one in which a build stages its files; arguments as `is_temporary`."""
    staging = name.startswith(STAGING_PREFIX) and bool(parents) and parents[-1] == STAGING_PARENT
    return staging and place.zone not in ("published", "trash")
