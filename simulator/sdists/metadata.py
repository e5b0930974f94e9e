"""What an sdist says of itself: PKG-INFO and the egg-info that setuptools left when it was made.

Guarantee: what setup.py computed when the sdist was made is told as it came out: names of top-level packages, files,
requirements, and where the egg-info lies. Not guaranteed: an sdist made by other means has no egg-info, or an old one.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import BadInputError
from simulator.sdists.naming import canonical, normal_version
from simulator.sdists.told import text_of

if TYPE_CHECKING:
    from simulator.sdists.archive import SourceArchive
    from simulator.sdists.tree import SourceTree

_SUFFIX = ".egg-info"


@dataclass(frozen=True, slots=True)
class SdistMetadata:
    """An sdist in its own words.

    Attributes:
        name: as PKG-INFO spells it.
        version: normalised.
        headers: of PKG-INFO, by lower-case name, each with all its values.
        egg_info: directory of the egg-info; empty where there is none.
        files: names in it to their sizes.
        sources: lines of SOURCES.txt that are there; None where there is none.
        top_level: names of packages and modules; None where nothing tells.
        namespace_packages: declared ones.
    """

    name: str
    version: str
    headers: dict[str, tuple[str, ...]]
    egg_info: str
    files: dict[str, int]
    sources: frozenset[str] | None
    top_level: tuple[str, ...] | None
    namespace_packages: tuple[str, ...]


def read_metadata(path: str, archive: SourceArchive, tree: SourceTree) -> SdistMetadata:
    """Read PKG-INFO and the egg-info of an sdist.

    Raises:
        BadInputError: there is no PKG-INFO, or it has no name or no version.
    """
    if "PKG-INFO" not in archive.texts:
        raise BadInputError("bad-sdist", path, f"sdist '{path}' has no PKG-INFO: it is no sdist, or not a whole one")
    headers = _headers(archive.texts["PKG-INFO"].decode("utf-8", "replace"))
    for key in ("name", "version"):
        if not headers.get(key, ("",))[0]:
            raise BadInputError("bad-sdist", path, f"sdist '{path}' has a PKG-INFO without {key.capitalize()}")
    name = headers["name"][0]
    try:
        version = normal_version(headers["version"][0])
    except ValueError as error:
        raise BadInputError("bad-sdist", path, f"sdist '{path}' has a PKG-INFO whose Version {error}") from error
    egg_info = _place(name, archive)

    def lines(told: str) -> tuple[str, ...] | None:
        inside = f"{egg_info}/{told}"
        if not egg_info or inside not in archive.texts:
            return None
        return tuple(line.strip() for line in text_of(path, archive, inside).splitlines() if line.strip())

    listed = lines("SOURCES.txt")
    return SdistMetadata(
        name=name,
        version=version,
        headers=headers,
        egg_info=egg_info,
        files={
            posixpath.basename(file): size
            for file, (size, _) in archive.files.items()
            if egg_info and posixpath.dirname(file) == egg_info
        },
        sources=None if listed is None else frozenset(filter(tree.files.__contains__, listed)),
        top_level=lines("top_level.txt"),
        namespace_packages=lines("namespace_packages.txt") or (),
    )


def _headers(text: str) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for line in text.replace("\r\n", "\n").partition("\n\n")[0].split("\n"):
        key, separator, value = line.partition(":")
        if separator and not line.startswith((" ", "\t")):
            headers[key.lower()] = (*headers.get(key.lower(), ()), value.strip())
    return headers


def _place(name: str, archive: SourceArchive) -> str:
    """The egg-info of this project: the highest one of that name; others belong to tests."""
    places = {posixpath.dirname(file) for file in archive.texts if posixpath.dirname(file).endswith(_SUFFIX)}
    own = [place for place in places if canonical(posixpath.basename(place).removesuffix(_SUFFIX)) == canonical(name)]
    return min(own, key=lambda place: (place.count("/"), place), default="")
