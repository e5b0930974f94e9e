"""From the file of a source distribution to its manifest: what a build of it reads and writes.

Guarantee: nothing in the sdist is executed. What setup.py, setup.cfg and pyproject.toml say is taken; what setup.py
computes is taken from PKG-INFO and the egg-info that the sdist carries, or from a wheel; what nothing tells is named.
Not guaranteed: sizes of what a build writes anew (METADATA, SOURCES.txt) are those of the sdist's own, unless an
egg-info and a wheel of a real build are given. Commands that a setup script brings are not followed.
Cost: one decompression of the archive; memory for its names.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.errors import BadInputError
from simulator.likeness.manifest import BuildSpec, FileSpec, SdistManifest, Source
from simulator.sdists import build_files
from simulator.sdists.archive import read_archive
from simulator.sdists.evidence import Evidence
from simulator.sdists.layout import directory_of, find_layout
from simulator.sdists.looks import imported_modules, searches_root
from simulator.sdists.metadata import read_metadata
from simulator.sdists.naming import canonical, egg_info_name, normal_version, wheel_name
from simulator.sdists.package_data import package_data
from simulator.sdists.setup_cfg import as_flag
from simulator.sdists.template import template_lines
from simulator.sdists.told import read_told, text_of
from simulator.sdists.tree import SourceTree
from simulator.sdists.values import UNKNOWN
from simulator.sdists.wheels import WheelAnswers, read_wheel

if TYPE_CHECKING:
    from simulator.sdists.discovery import Layout

# WHEEL of wheel 0.43.0 without its tags, and one of its lines without the tag.
_WHEEL_BYTES = 74
_TAG_BYTES = len("Tag: \n")
_FLAGS = {"zip-safe": True, "not-zip-safe": False}
_NATIVE_LIBS = "native_libs.txt"
_ALWAYS_WRITTEN = {"PKG-INFO": 0, "SOURCES.txt": 0, "dependency_links.txt": 1, "top_level.txt": 1}
# Files of an egg-info that are there when one of these arguments says something.
_WRITTEN_FOR = {
    "requires.txt": ("install_requires", "extras_require"),
    "entry_points.txt": ("entry_points",),
    "eager_resources.txt": ("eager_resources",),
}
# Commands that take part in building a wheel.
_TAKING_PART = frozenset(
    {"bdist_wheel", "build", "build_ext", "build_py", "build_scripts", "egg_info", "install", "install_data"}
    | {"install_egg_info", "install_headers", "install_lib", "install_scripts"}
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A manifest, and what it leaves out.

    Attributes:
        manifest: of the sdist.
        notes: a sentence for each thing that a real build has and the manifest does not.
        build_requires: what a real build needs beside setuptools and wheel, as requirements (PEP 508).
    """

    manifest: SdistManifest
    notes: tuple[str, ...]
    build_requires: tuple[str, ...] = ()


def read_sdist(path: str) -> SdistManifest:
    """What a build of a source distribution reads and writes.

    Raises:
        BadInputError: it cannot be read, is not built by setuptools alone, or does not say enough.
    """
    return read_with_notes(path).manifest


def read_with_notes(
    path: str, wheel: str | None = None, egg_info: str | None = None, source: Source | None = None
) -> Reading:
    """As `read_sdist`, with more to go by.

    Args:
        path: of the sdist.
        wheel: path of a wheel that was built from it; says what setup.py computes and nothing else tells.
        egg_info: path of the egg-info directory that a build left; for exact sizes.
        source: said in the manifest.

    Raises:
        BadInputError: as `read_sdist`; or the wheel is none, or of something else.
    """
    archive = read_archive(path)
    tree = SourceTree(archive.files)
    told = read_told(path, archive, tree)
    metadata = read_metadata(path, archive, tree)
    answers = None if wheel is None else _answers(wheel, path, metadata.name, metadata.version)
    evidence = Evidence(path, archive, tree, told, metadata, answers)
    build = _build(evidence)
    if egg_info is not None:
        build = replace(build, egg_info_files=_listed(egg_info))
    if told.pbr and len(build.packages) > 1:
        evidence.notes.append("pbr gives packages in an order that differs between builds; here they are as listed")
    replaced = [name for name in told.own_commands if name in _TAKING_PART]
    if replaced:
        evidence.notes.append(
            f"setup.py replaces commands ({', '.join(replaced)}); what they do otherwise is not simulated"
        )
    files = tuple(FileSpec(name, size, mode) for name, (size, mode) in archive.files.items())
    manifest = SdistManifest(
        metadata.name,
        metadata.version,
        archive.archive,
        archive.directory,
        files,
        build,
        source or Source("file", "unknown", default_how(wheel)),
    )
    return Reading(manifest, tuple(evidence.notes), told.build_requires)


def default_how(wheel: str | None) -> str:
    """How a manifest was made, where nobody says otherwise."""
    return "read from the sdist alone" if wheel is None else "read from the sdist and a wheel of it"


def _answers(path: str, sdist: str, name: str, version: str) -> WheelAnswers:
    wheel = read_wheel(path)
    if canonical(wheel.name) != canonical(name) or normal_version(wheel.version) != version:
        raise BadInputError(
            "bad-wheel", path, f"wheel '{path}' is of {wheel.name} {wheel.version}, and '{sdist}' is {name} {version}"
        )
    answers = WheelAnswers(wheel)
    if answers.compiled:
        raise BadInputError(
            "extension-modules", path, f"wheel '{path}' holds '{answers.compiled}'; only pure Python is simulated"
        )
    return answers


def _listed(directory: str) -> tuple[FileSpec, ...]:
    try:
        return tuple(
            FileSpec(name, os.stat(os.path.join(directory, name)).st_size) for name in sorted(os.listdir(directory))
        )
    except OSError as error:
        raise BadInputError(
            "unreadable-egg-info", directory, f"egg-info '{directory}' cannot be read: {error.strerror}"
        ) from error


def _build(evidence: Evidence) -> BuildSpec:
    layout = find_layout(evidence)
    licenses = build_files.licenses(evidence)
    scripts = build_files.scripts(evidence)
    data_files = build_files.data_files(evidence)
    headers = build_files.headers(evidence)
    named = (*licenses, *scripts, *headers, *(path for _, paths in data_files for path in paths))
    data = package_data(evidence, layout, named)
    egg_info_files = _egg_info_files(evidence, layout)
    evidence.require_all()
    script = evidence.archive.texts.get("setup.py", b"").decode("utf-8-sig", "replace")
    return BuildSpec(
        packages=layout.packages,
        package_dir=tuple(layout.package_dir.items()),
        py_modules=tuple(name for name in layout.py_modules if _module_file(name, layout) in evidence.tree.files),
        package_data=data,
        include_package_data=evidence.told["include_package_data"] is True,
        license_files=licenses,
        zip_safe=_zip_safe(evidence),
        egg_info=_egg_info(evidence, layout),
        egg_info_files=egg_info_files,
        wheel=_wheel(evidence),
        dist_info_files=_dist_info_files(evidence, egg_info_files, licenses),
        scripts=scripts,
        python_scripts=build_files.python_scripts(evidence, scripts),
        data_files=data_files,
        headers=headers,
        namespace_packages=_namespace_packages(evidence),
        fractional_times=evidence.archive.fractional_times,
        manifest_in=tuple(map(" ".join, template_lines(text_of(evidence.path, evidence.archive, "MANIFEST.in")))),
        finds_in_root=evidence.told.finds_in_root or searches_root(script),
        setup_imports=_imports(evidence, script),
        keeps_sources=evidence.told.pbr,
        scm_version=evidence.told.scm.active and not evidence.told.scm.older,
        version_files=_version_files(evidence, layout),
    )


def _module_file(name: str, layout: Layout) -> str:
    parent, _, module = name.rpartition(".")
    return posixpath.join(directory_of(parent, layout.package_dir), f"{module}.py")


def _imports(evidence: Evidence, script: str) -> tuple[str, ...]:
    if not evidence.told.root_on_path:
        return ()
    # pbr imports it, where it is there to import.
    return tuple(sorted({*imported_modules(script), *(("pkg_resources",) if evidence.told.pbr else ())}))


def _version_files(evidence: Evidence, layout: Layout) -> tuple[str, ...]:
    """What setuptools_scm writes anew beside the modules: files outside of packages are left alone."""
    scm, tree = evidence.told.scm, evidence.tree
    if scm.older:
        evidence.notes.append("an older setuptools_scm is asked for, which writes in the sources: not simulated")
        return ()
    if scm.unknown:
        evidence.notes.append("setup.py computes which files setuptools_scm writes: not simulated")
    places = [f"{place}/" for package in layout.packages if (place := directory_of(package, layout.package_dir))]
    found = []
    for path in scm.files:
        normal = tree.normal(path)
        if normal is None or not normal.startswith(tuple(places)):
            continue
        if normal in tree.files:
            found.append(normal)
        else:
            evidence.notes.append(f"'{normal}', which setuptools_scm writes and the sdist does not have, is left out")
    return tuple(dict.fromkeys(found))


def _zip_safe(evidence: Evidence) -> bool | None:
    given = evidence.told["zip_safe"]
    if given is UNKNOWN:
        return next((flag for name, flag in _FLAGS.items() if name in evidence.metadata.files), None)
    return None if given is None else bool(given)


def _namespace_packages(evidence: Evidence) -> tuple[str, ...]:
    given = evidence.told["namespace_packages"]
    if given is UNKNOWN:
        return evidence.metadata.namespace_packages
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given or ())


def _egg_info(evidence: Evidence, layout: Layout) -> str:
    base = evidence.told.option("egg_info", "egg_base") or layout.package_dir.get("", "")
    return posixpath.normpath(posixpath.join(base, egg_info_name(evidence.metadata.name)))


def _egg_info_files(evidence: Evidence, layout: Layout) -> tuple[FileSpec, ...]:
    """What is in the egg-info after a build: what was there, what is written, the flag of zip safety."""
    found = dict(evidence.metadata.files) if evidence.metadata.egg_info == _egg_info(evidence, layout) else {}
    zip_safe = _zip_safe(evidence)
    for name, flag in _FLAGS.items():
        found.pop(name, None)
        if zip_safe is flag:
            found[name] = 1
    found.pop(_NATIVE_LIBS, None)
    sizes = {"PKG-INFO": evidence.archive.files["PKG-INFO"][0], "SOURCES.txt": sum(map(len, evidence.tree.files))}
    for name, least in _ALWAYS_WRITTEN.items():
        found.setdefault(name, sizes.get(name, least))
    if _is_blank(evidence.told["entry_points"]):
        found.pop("entry_points.txt", None)
    for name, said in _WRITTEN_FOR.items():
        if any(_says(evidence, word) for word in said):
            found.setdefault(name, 1)
    if _namespace_packages(evidence):
        found.setdefault("namespace_packages.txt", sum(len(name) + 1 for name in _namespace_packages(evidence)))
    return tuple(FileSpec(name, size) for name, size in sorted(found.items()))


def _says(evidence: Evidence, name: str) -> bool:
    """Whether an argument is given; a computed one by what PKG-INFO has of it, where there is no egg-info to ask."""
    given = evidence.told[name]
    if given is not UNKNOWN:
        return bool(given) and not _is_blank(given)
    asked = name == "install_requires" and not evidence.metadata.egg_info
    return asked and bool(evidence.metadata.headers.get("requires-dist"))


def _is_blank(given: object) -> bool:
    """Said, and nothing in it: what an older build wrote of it is deleted."""
    return isinstance(given, str) and not given.strip()


def _wheel(evidence: Evidence) -> str:
    told = evidence.told
    if evidence.wheel is not None:
        tags = evidence.wheel.tags
    else:
        universal = as_flag(told.option("bdist_wheel", "universal")) or as_flag(told.option("wheel", "universal"))
        python = "py2.py3" if universal else told.option("bdist_wheel", "python_tag") or "py3"
        tags = f"{python}-none-any"
    build_number = told.option("bdist_wheel", "build_number")
    return wheel_name(evidence.metadata.name, evidence.metadata.version, build_number, tags)


def _dist_info_files(
    evidence: Evidence, egg_info_files: tuple[FileSpec, ...], licenses: tuple[str, ...]
) -> tuple[FileSpec, ...]:
    if evidence.wheel is not None:
        return evidence.wheel.metadata_files()
    sizes = {file.path: file.size for file in egg_info_files}
    pythons = _wheel(evidence).removesuffix(".whl").split("-")[-3].split(".")
    names = {posixpath.basename(path): evidence.archive.files[path][0] for path in licenses}
    names |= {
        "METADATA": sizes["PKG-INFO"] + sizes.get("requires.txt", 0),
        "WHEEL": _WHEEL_BYTES + sum(len(f"{python}-none-any") + _TAG_BYTES for python in pythons),
    }
    names |= {name: sizes[name] for name in ("top_level.txt", "entry_points.txt") if name in sizes}
    return tuple(FileSpec(name, size) for name, size in sorted(names.items()))
