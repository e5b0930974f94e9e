"""What a wheel says: as a manifest of its own, and about the sdist that it was built from.

Guarantee: only names and sizes are read, and the one METADATA. A file that is no wheel is refused in one line.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import BadInputError
from simulator.likeness.manifest import Archive, FileSpec, Source, WheelManifest
from simulator.sdists.discovery import Layout
from simulator.sdists.layout import directory_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulator.sdists.tree import SourceTree

_BLOCK_BYTES = 1 << 20
_METADATA_BYTES_MAX = 16 << 20
_COMPILED = (".so", ".pyd", ".dylib", ".dll")
# Of name-version-python-abi-platform.whl, sometimes with a build number before the tags.
_NAME_PARTS_MIN = 5
_TAGS = 3


def read_wheel(path: str, source: Source | None = None) -> WheelManifest:
    """The manifest of a wheel.

    Raises:
        BadInputError: it cannot be read, or is no wheel.
    """
    try:
        with open(path, "rb") as file:
            digest, size = hashlib.sha256(), 0
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
            file.seek(0)
            with zipfile.ZipFile(file) as wheel:
                items = [item for item in wheel.infolist() if not item.is_dir()]
                headers = _metadata(path, wheel, [item.filename for item in items])
    except OSError as error:
        raise BadInputError("unreadable-wheel", path, f"wheel '{path}' cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _bad(path, f"is no wheel, or a damaged one: {error}") from error
    files = {item.filename: FileSpec(item.filename, item.file_size) for item in items}
    archive = Archive(os.path.basename(path), size, digest.hexdigest())
    return WheelManifest(headers["name"], headers["version"], archive, tuple(files.values()), source or Source())


def _bad(path: str, what: str) -> BadInputError:
    return BadInputError("bad-wheel", path, f"wheel '{path}' {what}")


def _metadata(path: str, wheel: zipfile.ZipFile, names: list[str]) -> dict[str, str]:
    if len(os.path.basename(path).removesuffix(".whl").split("-")) < _NAME_PARTS_MIN or not path.endswith(".whl"):
        raise _bad(path, "is not named like one: NAME-VERSION-PYTHON-ABI-PLATFORM.whl")
    found = [name for name in names if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
    if len(found) != 1:
        raise _bad(path, f"holds {len(found)} .dist-info/METADATA; a wheel has one")
    if wheel.getinfo(found[0]).file_size > _METADATA_BYTES_MAX:
        raise _bad(path, f"has a METADATA of more than {_METADATA_BYTES_MAX:,} bytes")
    headers: dict[str, str] = {}
    for line in wheel.read(found[0]).decode("utf-8", "replace").partition("\n\n")[0].splitlines():
        key, separator, value = line.partition(":")
        if separator:
            headers.setdefault(key.lower(), value.strip())
    for key in ("name", "version"):
        if not headers.get(key):
            raise _bad(path, f"has a METADATA without {key.capitalize()}")
    return headers


@dataclass(frozen=True, slots=True)
class WheelAnswers:
    """What a wheel tells of the sdist that it was built from.

    Attributes:
        wheel: its manifest.
    """

    wheel: WheelManifest

    @property
    def tags(self) -> str:
        """Python, abi and platform, with dashes."""
        return "-".join(self.wheel.archive.filename.removesuffix(".whl").split("-")[-_TAGS:])

    @property
    def compiled(self) -> str:
        """A file that is no pure Python; empty when there is none."""
        return next((file.path for file in self.wheel.files if file.path.endswith(_COMPILED)), "")

    def package_dir(self, tree: SourceTree) -> dict[str, str]:
        """Where in the sdist its packages lie: in the highest directory that has the modules of each."""
        modules: dict[str, set[str]] = {}
        for file in self._installed():
            if file.path.endswith(".py"):
                modules.setdefault(posixpath.dirname(file.path), set()).add(posixpath.basename(file.path))
        places = sorted(tree.directories, key=lambda place: (place.count("/") + bool(place), place))
        table: dict[str, str] = {}
        for directory in sorted(modules):
            package = directory.replace("/", ".")
            if modules[directory] <= set(tree.names(directory_of(package, table))):
                continue
            place = next((place for place in places if modules[directory] <= set(tree.names(place))), None)
            if place is None:
                continue
            base = place.removesuffix(directory).rstrip("/")
            table |= {"": base} if posixpath.join(base, directory) == place and not table else {package: place}
        return table

    def layout(self, package_dir: dict[str, str]) -> Layout:
        """Its packages and modules."""
        inside = [file.path for file in self._installed() if file.path.endswith(".py")]
        directories = {posixpath.dirname(path) for path in inside} - {""}
        modules = tuple(path.removesuffix(".py") for path in inside if "/" not in path)
        return Layout(tuple(sorted(path.replace("/", ".") for path in directories)), modules, package_dir)

    def package_data(self, files: Collection[str], layout: Layout) -> tuple[str, ...]:
        """What is in it beside modules, as paths of the sdist."""
        installed = {file.path for file in self._installed()}
        places = {package: directory_of(package, layout.package_dir) for package in layout.packages}
        directories = set(places.values())
        candidates = [
            path
            for path in sorted(files, key=posixpath.split)
            if not (path.endswith(".py") and posixpath.dirname(path) in directories)
        ]
        found: dict[str, None] = {}
        for package, place in places.items():
            inside = f"{place}/" if place else ""
            root = package.replace(".", "/")
            found |= dict.fromkeys(
                path for path in candidates if path.startswith(inside) and f"{root}/{path[len(inside) :]}" in installed
            )
        return tuple(found)

    def metadata_files(self) -> tuple[FileSpec, ...]:
        """What is in its dist-info, RECORD left out, licenses by their base name."""
        inside = [
            file for file in self.wheel.files if posixpath.dirname(file.path).partition("/")[0].endswith(".dist-info")
        ]
        named = {posixpath.basename(file.path): file.size for file in inside}
        return tuple(FileSpec(name, size) for name, size in named.items() if name != "RECORD")

    def of_scheme(self, scheme: str) -> dict[str, int]:
        """Paths below ``NAME.data/<scheme>`` to sizes: scripts, data, headers."""
        found = {}
        for file in self.wheel.files:
            root, _, rest = file.path.partition("/")
            if root.endswith(".data") and rest.startswith(f"{scheme}/"):
                found[rest.removeprefix(f"{scheme}/")] = file.size
        return found

    def _installed(self) -> list[FileSpec]:
        roots = (".dist-info", ".data")
        return [file for file in self.wheel.files if not file.path.partition("/")[0].endswith(roots)]
