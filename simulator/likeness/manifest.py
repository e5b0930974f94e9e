"""Package manifests: what a simulated build reads and writes, without the bytes.

A manifest holds names and sizes of the real files of a real release; where they come from is said in the file.
Contents are made from the names, so two packages never share a block and a foreign file is recognised by its bytes.

Guarantee: a manifest that loads is consistent (paths stay inside, what is copied is there, names fit each other);
anything else is a ValueError that names the file, the key and the value. Not guaranteed: that the real archive
still looks like that; `simulator.sdists` makes a manifest from a real one.
Cost: one JSON file of some 5 KB per package.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = "cachestorm/manifest/1"
REQUIREMENTS_SCHEMA = "cachestorm/requirements/1"
REQUIREMENTS_SUFFIX = ".requirements.json"

# What an archive's plain files are unpacked with; a manifest tells the others.
FILE_MODE = 0o644

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file of an archive: POSIX path relative to the archive's root, size in bytes, mode once unpacked."""

    path: str
    size: int
    mode: int = FILE_MODE


@dataclass(frozen=True, slots=True)
class Archive:
    """A downloadable file: its name, size in bytes and SHA-256."""

    filename: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a manifest comes from: an index, the day a resolver would have chosen this release, and how."""

    index: str = ""
    as_of: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True)
class WheelManifest:
    """A release taken as a wheel: `files` in the order of the archive, dist-info included."""

    name: str
    version: str
    archive: Archive
    files: tuple[FileSpec, ...]
    source: Source = Source()

    @property
    def identifier(self) -> str:
        """The name under which `content` makes this package's bytes."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What a build back end needs to know of a source distribution; paths as in the unpacked archive.

    Attributes:
        packages: dotted names, parents before children.
        package_dir: (package, directory) pairs, as the `package_dir` argument of `setup()`.
        py_modules: dotted names of single modules.
        package_data: files of the archive that are copied beside the modules.
        include_package_data: the egg-info is written while the modules are copied, not after.
        license_files: files of the archive that go into the dist-info.
        zip_safe: the declared flag, None when nothing was declared.
        egg_info: the egg-info directory.
        egg_info_files: names in it and their sizes after a build, the flag file included.
        wheel: file name of the wheel.
        dist_info_files: names in the wheel's dist-info and their sizes; RECORD is not listed.
        scripts: files of the archive that become ``scripts`` of the wheel, in order.
        python_scripts: those of them whose first line names a Python; it is written anew.
        data_files: (directory, files of the archive) pairs, in order; the directory is relative to the ``data`` of
            the wheel, empty where the setup script names a file alone.
        headers: files of the archive that become ``headers`` of the wheel.
        namespace_packages: declared ones; there is a ``-nspkg.pth`` beside the egg-info when there are any.
        manifest_in: the lines of MANIFEST.in, comments left out and continued lines joined. Some make the real one
            list what builds write.
        finds_in_root: packages are searched for among all directories of the root, with or without an
            ``__init__.py``: the output directory is one of them.
        setup_imports: modules of setuptools that the setup script imports while the sources' root is on its path;
            some of them list the egg-info directory there.
        scm_version: setuptools_scm gives the version, and takes part in the build.
        version_files: files of the archive whose copies beside the modules it writes anew.
        keeps_sources: the list of files in the egg-info is left as it is, where there is one: pbr takes part.
        fractional_times: files are unpacked with times that are no whole seconds. Older releases copy those anew
            each time, since their copies have whole seconds.
    """

    packages: tuple[str, ...]
    package_dir: tuple[tuple[str, str], ...]
    py_modules: tuple[str, ...]
    package_data: tuple[str, ...]
    include_package_data: bool
    license_files: tuple[str, ...]
    zip_safe: bool | None
    egg_info: str
    egg_info_files: tuple[FileSpec, ...]
    wheel: str
    dist_info_files: tuple[FileSpec, ...]
    scripts: tuple[str, ...] = ()
    python_scripts: tuple[str, ...] = ()
    data_files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    headers: tuple[str, ...] = ()
    namespace_packages: tuple[str, ...] = ()
    manifest_in: tuple[str, ...] = ()
    finds_in_root: bool = False
    setup_imports: tuple[str, ...] = ()
    fractional_times: bool = False
    scm_version: bool = False
    version_files: tuple[str, ...] = ()
    keeps_sources: bool = False

    @property
    def stem(self) -> str:
        """Name and version as wheel files write them, e.g. ``some_name-1.0``."""
        return "-".join(self.wheel.split("-")[:2])

    @property
    def dist_info(self) -> str:
        """Name of the dist-info directory."""
        return f"{self.stem}.dist-info"

    def directory_of(self, package: str) -> str:
        """Where in the archive `package` lies; empty for the root."""
        table = dict(self.package_dir)
        head = package.split(".") if package else []
        tail: list[str] = []
        while head:
            mapped = table.get(".".join(head))
            if mapped is not None:
                return "/".join(part for part in (mapped, *tail) if part)
            tail.insert(0, head.pop())
        return "/".join(part for part in (table.get("", ""), *tail) if part)

    def installed_path(self, path: str) -> str:
        """Where a file of the archive lies in the wheel: its package's directory gives way to the package."""
        best, installed = -1, path
        for package in ("", *self.packages):
            directory = self.directory_of(package)
            inside = f"{directory}/" if directory else ""
            # A package may lie in the root of the archive; it comes after the nameless one and has its files.
            if len(inside) >= best and path.startswith(inside):
                best, installed = len(inside), f"{package.replace('.', '/')}/{path[len(inside) :]}".lstrip("/")
        return installed


@dataclass(frozen=True, slots=True)
class SdistManifest:
    """A release that is built from source.

    Attributes:
        directory: the folder that the archive unpacks to.
        files: its files in the order of the archive, paths relative to `directory`.
    """

    name: str
    version: str
    archive: Archive
    directory: str
    files: tuple[FileSpec, ...]
    build: BuildSpec
    source: Source = Source()

    @property
    def identifier(self) -> str:
        """The name under which `content` makes this package's bytes."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class RequirementSet:
    """What installing one package takes, in order: ``name==version`` each."""

    name: str
    requirements: tuple[str, ...]
    source: Source = Source()


def content(package: str, file: FileSpec) -> bytes:
    """The bytes of a simulated file: its own identity, repeated to its size.

    A file of one byte is a line break: that is what setuptools writes for an empty list, and reads back.

    Args:
        package: name and version, e.g. ``six-1.16.0``.
        file: which file of it.
    """
    if file.size == 1:
        return b"\n"
    mark = f"{package}:{file.path}\n".encode()
    return (mark * (file.size // len(mark) + 1))[: file.size]


def load_manifest(path: str) -> SdistManifest | WheelManifest:
    """Read one manifest.

    Raises:
        ValueError: not JSON, or not a consistent manifest; the message names the file, the key and the value.
        OSError: it cannot be read.
    """
    reader = _Reader(path, _read_object(path))
    reader.constant("schema", SCHEMA)
    kind = reader.choice("kind", ("sdist", "wheel"))
    name, version = reader.text("name"), reader.text("version")
    archive = reader.nested("archive", _archive)
    files = reader.files("files")
    source = reader.nested("source", _source)
    if kind == "wheel":
        return WheelManifest(name, version, archive, files, source)
    directory = reader.text("directory")
    known = {file.path for file in files}
    build = reader.nested("build", lambda nested: _build(nested, known))
    return SdistManifest(name, version, archive, directory, files, build, source)


def load_packages(directory: str) -> dict[str, SdistManifest | WheelManifest]:
    """Read every manifest of a directory, keyed ``name==version``, in the order of the file names.

    Raises:
        ValueError: as `load_manifest`, or two files describe the same release.
    """
    packages: dict[str, SdistManifest | WheelManifest] = {}
    for entry in sorted(os.listdir(directory)):
        if entry.endswith(".json") and not entry.endswith(REQUIREMENTS_SUFFIX):
            manifest = load_manifest(os.path.join(directory, entry))
            key = f"{manifest.name}=={manifest.version}"
            if key in packages:
                raise ValueError(f"{os.path.join(directory, entry)}: {key} is described twice")
            packages[key] = manifest
    return packages


def load_requirements(path: str) -> RequirementSet:
    """Read what installing one package takes.

    Raises:
        ValueError: not JSON, or not a requirement set.
    """
    reader = _Reader(path, _read_object(path))
    reader.constant("schema", REQUIREMENTS_SCHEMA)
    requirements = reader.texts("requirements")
    for requirement in requirements:
        if len(requirement.split("==")) != 2:  # noqa: PLR2004 - a name and a version
            reader.fail("requirements", requirement, "name==version")
    return RequirementSet(reader.text("name"), requirements, reader.nested("source", _source))


def _read_object(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as stream:
        try:
            data = json.load(stream)
        except ValueError as error:
            raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected an object, got {type(data).__name__}")  # noqa: TRY004 - bad data, not a bug
    return data


def _archive(reader: _Reader) -> Archive:
    sha256 = reader.text("sha256")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):  # noqa: PLR2004 - 256 bits in hexadecimal
        reader.fail("sha256", sha256, "64 lower-case hexadecimal digits")
    return Archive(reader.name("filename"), reader.size("size"), sha256)


def _source(reader: _Reader) -> Source:
    return Source(reader.text("index"), reader.text("as_of"), reader.text("how"))


def _build(reader: _Reader, known: set[str]) -> BuildSpec:
    wheel = reader.name("wheel")
    # name-version-python-abi-platform.whl, sometimes with a build number before the tags.
    if not wheel.endswith(".whl") or len(wheel.split("-")) < 5:  # noqa: PLR2004
        reader.fail("wheel", wheel, "the file name of a wheel")
    egg_info = reader.text("egg_info")
    if not egg_info.endswith(".egg-info") or not _stays_inside(egg_info):
        reader.fail("egg_info", egg_info, "a relative path that ends in .egg-info")
    egg_info_files = reader.files("egg_info_files")
    if "PKG-INFO" not in {file.path for file in egg_info_files}:
        reader.fail("egg_info_files", [file.path for file in egg_info_files], "PKG-INFO among them")
    build = BuildSpec(
        packages=reader.texts("packages"),
        package_dir=reader.pairs("package_dir"),
        py_modules=reader.texts("py_modules"),
        package_data=reader.paths("package_data", known),
        include_package_data=reader.typed("include_package_data", bool, "true or false"),
        license_files=reader.paths("license_files", known),
        zip_safe=reader.optional_flag("zip_safe"),
        egg_info=egg_info,
        egg_info_files=egg_info_files,
        wheel=wheel,
        dist_info_files=reader.files("dist_info_files"),
        scripts=reader.optional("scripts", lambda key: reader.paths(key, known)),
        python_scripts=reader.optional("python_scripts", lambda key: reader.paths(key, known)),
        data_files=reader.optional("data_files", lambda key: reader.groups(key, known)),
        headers=reader.optional("headers", lambda key: reader.paths(key, known)),
        namespace_packages=reader.optional("namespace_packages", reader.texts),
        manifest_in=reader.optional("manifest_in", reader.texts),
        finds_in_root=reader.flag("finds_in_root"),
        fractional_times=reader.flag("fractional_times"),
        setup_imports=reader.optional("setup_imports", reader.texts),
        scm_version=reader.flag("scm_version"),
        keeps_sources=reader.flag("keeps_sources"),
        version_files=reader.optional("version_files", lambda key: reader.paths(key, known)),
    )
    if stray := set(build.python_scripts) - set(build.scripts):
        reader.fail("python_scripts", min(stray), "one of the scripts")
    for package in build.packages:
        directory = build.directory_of(package)
        if directory and not any(path.startswith(f"{directory}/") for path in known):
            reader.fail("packages", package, f"files under {directory}/ in the archive")
    return build


class _Reader:
    """Takes values out of an object; an error names the file, the key and the value."""

    def __init__(self, where: str, data: dict[str, Any]) -> None:
        self._where = where
        self._data = data

    def fail(self, key: str, value: object, expected: str) -> NoReturn:
        raise ValueError(f"{self._where}: {key}: expected {expected}, got {value!r}")

    def typed(self, key: str, kind: type, expected: str) -> Any:
        if key not in self._data:
            raise ValueError(f"{self._where}: {key} is missing: expected {expected}")
        value = self._data[key]
        # bool is an int to Python, but not to a person who reads the file.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(key, value, expected)
        return value

    def text(self, key: str) -> str:
        value: str = self.typed(key, str, "a string")
        if not value:
            self.fail(key, value, "a string that is not empty")
        return value

    def name(self, key: str) -> str:
        value = self.text(key)
        if "/" in value or value in {".", ".."}:
            self.fail(key, value, "a file name")
        return value

    def size(self, key: str) -> int:
        value: int = self.typed(key, int, "a size in bytes")
        if value < 0:
            self.fail(key, value, "a size in bytes")
        return value

    def optional_flag(self, key: str) -> bool | None:
        return None if self._data.get(key, "") is None else bool(self.typed(key, bool, "true, false or null"))

    def flag(self, key: str) -> bool:
        """False where the key is not there: older manifests lack it."""
        return bool(key in self._data and self.typed(key, bool, "true or false"))

    def constant(self, key: str, expected: str) -> None:
        if self.text(key) != expected:
            self.fail(key, self._data[key], expected)

    def choice(self, key: str, expected: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in expected:
            self.fail(key, value, " or ".join(expected))
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values: list[Any] = self.typed(key, list, "a list of strings")
        for value in values:
            if not isinstance(value, str):
                self.fail(key, value, "a string")
        return tuple(values)

    def paths(self, key: str, known: set[str]) -> tuple[str, ...]:
        for value in (values := self.texts(key)):
            if value not in known:
                self.fail(key, value, "a file of the archive")
        return values

    def optional(self, key: str, read: Callable[[str], tuple[_T, ...]]) -> tuple[_T, ...]:
        """What `read` takes, or nothing where the key is not there: older manifests lack it."""
        return read(key) if key in self._data else ()

    def groups(self, key: str, known: set[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        rows: list[Any] = self.typed(key, list, "a list of [directory, [file, ...]]")
        for row in rows:
            match row:
                case [str(), [*names]] if all(isinstance(name, str) and name in known for name in names):
                    continue
                case _:
                    self.fail(key, row, "[directory, [file of the archive, ...]]")
        return tuple((directory, tuple(names)) for directory, names in rows)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        values: dict[str, Any] = self.typed(key, dict, "an object of strings")
        for value in values.values():
            if not isinstance(value, str):
                self.fail(key, value, "a string")
        return tuple(values.items())

    def nested(self, key: str, read: Callable[[_Reader], _T]) -> _T:
        return read(_Reader(f"{self._where}: {key}", self.typed(key, dict, "an object")))

    def files(self, key: str) -> tuple[FileSpec, ...]:
        rows: list[Any] = self.typed(key, list, "a list of [path, size] or [path, size, mode]")
        specs: dict[str, FileSpec] = {}
        for row in rows:
            match row:
                case [str(path), int(size), *mode] if size >= 0 and _stays_inside(path) and path not in specs:
                    specs[path] = FileSpec(path, size, self._mode(key, row, mode))
                case _:
                    self.fail(key, row, "[relative path, size in bytes], each path once")
        return tuple(specs.values())

    def _mode(self, key: str, row: object, given: list[object]) -> int:
        match given:
            case []:
                return FILE_MODE
            case [str(digits)] if re.fullmatch("[0-7]{4}", digits):
                return int(digits, 8)
            case _:
                return self.fail(key, row, "[relative path, size in bytes, mode in four octal digits]")


def _stays_inside(path: str) -> bool:
    return bool(path) and not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))
