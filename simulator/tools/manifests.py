"""Makes a package manifest from a downloaded archive: `python -m simulator.tools.manifests FILE`.

Guarantee: nothing in the archive is executed, setup.py included; it is parsed, and what it says in plain literals
is taken. What files alone do not say comes from the egg-info that the sdist carries, or, better, from one real
build: its wheel (`--wheel`) and the egg-info directory that it left (`--egg-info`).
Not guaranteed: a setup script that computes `package_dir`, `py_modules` or `include_package_data` is not
understood; give it a wheel and check the manifest. Packages are the directories with an ``__init__.py`` under
the top-level names.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import hashlib
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from simulator.manifest import Archive, BuildSpec, FileSpec, SdistManifest, Source, WheelManifest
from simulator.sdists.document import manifest_json

if TYPE_CHECKING:
    from collections.abc import Iterable

_HASH_BLOCK_SIZE = 1 << 20
# What WHEEL says for a pure wheel of wheel 0.43.0: the same bytes for every package.
_PURE_WHEEL_FILE_SIZE = 92
# setuptools' default patterns.
_LICENSE_PATTERNS = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
_FLAGS = {"zip-safe": True, "not-zip-safe": False}


def wheel_manifest(path: str, source: Source) -> WheelManifest:
    """A manifest of a wheel.

    Raises:
        ValueError: its name is not that of a wheel.
        zipfile.BadZipFile: it is not one.
    """
    with zipfile.ZipFile(path) as wheel:
        files = tuple(FileSpec(item.filename, item.file_size) for item in wheel.infolist() if not item.is_dir())
    metadata = [file.path for file in files if file.path.endswith(".dist-info/METADATA")]
    if len(metadata) != 1:
        raise ValueError(f"{path}: expected one .dist-info/METADATA, got {metadata}")
    with zipfile.ZipFile(path) as wheel:
        headers = _headers(wheel.read(metadata[0]).decode())
    return WheelManifest(headers["name"], headers["version"], _archive(path), files, source)


def sdist_manifest(
    path: str, source: Source, wheel: WheelManifest | None = None, egg_info: str | None = None
) -> SdistManifest:
    """A manifest of a source distribution.

    Args:
        path: a .tar.gz.
        source: said in the manifest.
        wheel: the wheel that a real build made of it.
        egg_info: the egg-info directory that a real build left.

    Raises:
        ValueError: it does not unpack to one directory with a PKG-INFO and an egg-info.
    """
    with tarfile.open(path) as archive:
        members = [member for member in archive if member.isfile()]
        roots = {member.name.partition("/")[0] for member in members}
        if len(roots) != 1:
            raise ValueError(f"{path}: expected one top-level directory, got {sorted(roots)}")
        root = roots.pop()
        files = {member.name[len(root) + 1 :]: member.size for member in members}
        small = {name: _text(archive, f"{root}/{name}") for name in files if _tells(name)}
    if "PKG-INFO" not in files:
        raise ValueError(f"{path}: no PKG-INFO")
    headers = _headers(small["PKG-INFO"])
    build = _build(path, files, small, wheel, egg_info)
    specs = tuple(FileSpec(name, size) for name, size in files.items())
    return SdistManifest(headers["name"], headers["version"], _archive(path), root, specs, build, source)


def _is_license(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _LICENSE_PATTERNS)


def _tells(name: str) -> bool:
    return name in {"PKG-INFO", "setup.py"} or os.path.dirname(name).endswith(".egg-info")


def _text(archive: tarfile.TarFile, name: str) -> str:
    stream = archive.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is not a regular file")
    return stream.read().decode("utf-8", "surrogateescape")


def _headers(text: str) -> dict[str, str]:
    """The first value of each header of a PKG-INFO or METADATA, by lower-case name."""
    headers: dict[str, str] = {}
    for line in text.partition("\n\n")[0].splitlines():
        key, separator, value = line.partition(":")
        if separator:
            headers.setdefault(key.lower(), value.strip())
    return headers


def _archive(path: str) -> Archive:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_HASH_BLOCK_SIZE):
            digest.update(block)
    return Archive(os.path.basename(path), os.stat(path).st_size, digest.hexdigest())


def _build(
    path: str, files: dict[str, int], small: dict[str, str], wheel: WheelManifest | None, egg_info_path: str | None
) -> BuildSpec:
    directories = sorted({os.path.dirname(name) for name in small if os.path.dirname(name).endswith(".egg-info")})
    if not directories:
        raise ValueError(f"{path}: no egg-info: it was not made by setuptools")
    said = _said_in_setup(small.get("setup.py", ""))
    egg_info = directories[0]
    package_dir = {key: value for key, value in said.get("package_dir", {}).items() if isinstance(value, str)}
    top_level = small.get(f"{egg_info}/top_level.txt", "").split()
    modules = [name for name in said.get("py_modules", ()) if isinstance(name, str)]
    packages = tuple(said["packages"]) if said.get("packages") else None
    if packages is None:
        packages = _packages(files, package_dir, [name for name in top_level if name not in modules], wheel)
    headers = _headers(small["PKG-INFO"])
    names = {name[len(egg_info) + 1 :]: size for name, size in files.items() if name.startswith(f"{egg_info}/")}
    if egg_info_path is not None:
        names = {name: os.stat(os.path.join(egg_info_path, name)).st_size for name in sorted(os.listdir(egg_info_path))}
    stem = f"{headers['name']}-{headers['version']}".replace(headers["name"], headers["name"].replace("-", "_"), 1)
    licenses = sorted(name for name in files if "/" not in name and _is_license(name))
    bare = BuildSpec(
        packages=packages,
        package_dir=tuple(package_dir.items()),
        py_modules=tuple(modules),
        package_data=(),
        include_package_data=said.get("include_package_data") is True,
        license_files=tuple(licenses),
        zip_safe=next((flag for name, flag in _FLAGS.items() if name in names), None),
        egg_info=egg_info,
        egg_info_files=tuple(FileSpec(name, size) for name, size in names.items()),
        wheel=wheel.archive.filename if wheel is not None else f"{stem}-py3-none-any.whl",
        dist_info_files=_dist_info_files(names, licenses, files, wheel),
    )
    return _with_data(bare, files, wheel)


def _said_in_setup(text: str) -> dict[str, Any]:
    """Keyword arguments of `setup()` that are plain literals."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    said: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setup":
            for keyword in node.keywords:
                try:
                    said[keyword.arg or ""] = ast.literal_eval(keyword.value)
                except ValueError:
                    continue  # Computed: what files say is taken instead.
    return said


def _packages(
    files: Iterable[str], package_dir: dict[str, str], top_level: list[str], wheel: WheelManifest | None
) -> tuple[str, ...]:
    if wheel is not None:
        in_wheel = {os.path.dirname(file.path) for file in wheel.files if file.path.endswith(".py")}
        return tuple(sorted(directory.replace("/", ".") for directory in in_wheel if directory))
    packages: list[str] = []
    for name in top_level:
        base = package_dir.get(name, "/".join(part for part in (package_dir.get("", ""), name) if part))
        inside = {
            os.path.dirname(path) for path in files if path.startswith(f"{base}/") and path.endswith("/__init__.py")
        }
        packages.extend((name + directory[len(base) :]).replace("/", ".") for directory in inside)
    return tuple(sorted(packages))


def _dist_info_files(
    egg_info: dict[str, int], licenses: list[str], files: dict[str, int], wheel: WheelManifest | None
) -> tuple[FileSpec, ...]:
    if wheel is not None:
        return tuple(
            FileSpec(os.path.basename(file.path), file.size)
            for file in wheel.files
            if os.path.dirname(file.path).endswith(".dist-info") and not file.path.endswith("/RECORD")
        )
    names = {name: files[name] for name in licenses}
    names |= {"METADATA": egg_info["PKG-INFO"], "WHEEL": _PURE_WHEEL_FILE_SIZE}
    names |= {name: egg_info[name] for name in ("top_level.txt", "entry_points.txt") if name in egg_info}
    return tuple(FileSpec(name, size) for name, size in sorted(names.items()))


def _with_data(bare: BuildSpec, files: Iterable[str], wheel: WheelManifest | None) -> BuildSpec:
    """Package data: what the wheel holds beside modules; without a wheel, what setuptools always takes."""
    in_wheel = {file.path for file in wheel.files} if wheel is not None else None
    directories = {bare.directory_of(package) for package in bare.packages}
    data = []
    for path in files:
        if os.path.dirname(path) in directories and path.endswith(".py"):
            continue
        is_data = path.endswith((".pyi", "/py.typed")) and os.path.dirname(path) in directories
        if (bare.installed_path(path) in in_wheel) if in_wheel is not None else is_data:
            data.append(path)
    fields = {name: getattr(bare, name) for name in BuildSpec.__dataclass_fields__}
    return BuildSpec(**{**fields, "package_data": tuple(sorted(data, key=os.path.split))})


def main(arguments: list[str] | None = None) -> None:
    """Print a manifest to standard output."""
    parser = argparse.ArgumentParser(prog="python -m simulator.tools.manifests", description=__doc__.partition("\n")[0])
    parser.add_argument("archive", help="a downloaded .tar.gz or .whl")
    parser.add_argument("--wheel", help="the wheel that a real build made of the sdist")
    parser.add_argument("--egg-info", help="the egg-info directory that the real build left")
    parser.add_argument("--index", default="PyPI", help="where the archive was downloaded from")
    parser.add_argument("--as-of", required=True, help="the day on which a resolver would have chosen it, YYYY-MM-DD")
    parser.add_argument("--how", required=True, help="how the manifest was made, in a sentence")
    options = parser.parse_args(arguments)
    source = Source(options.index, options.as_of, options.how)
    manifest: SdistManifest | WheelManifest
    if options.archive.endswith(".whl"):
        manifest = wheel_manifest(options.archive, source)
    else:
        wheel = wheel_manifest(options.wheel, source) if options.wheel else None
        manifest = sdist_manifest(options.archive, source, wheel, options.egg_info)
    print(manifest_json(manifest), end="")  # noqa: T201 - its output is its purpose


if __name__ == "__main__":
    main()
