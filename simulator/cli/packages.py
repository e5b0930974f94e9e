"""A package as users name it: one of the catalogue, or the file of a source distribution."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.likeness.manifest import SdistManifest

# What the file of an sdist can be named like; any other text without a slash is a name first.
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")
# What `cachestorm manifest` prints.
MANIFEST_SUFFIX = ".json"


def source_distribution(package: str) -> SdistManifest:
    """The manifest of a package that is built from source.

    Args:
        package: NAME or NAME==VERSION of the catalogue, or a path: with a slash or the suffix of an archive or of a
            manifest.

    Raises:
        BadInputError: Unknown, taken as a wheel, or no sdist that can be simulated.
    """
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.likeness.manifest import SdistManifest  # noqa: PLC0415
    from simulator.naming import unknown_message  # noqa: PLC0415
    from simulator.scenario_file import package_manifests  # noqa: PLC0415

    known = package_manifests()
    by_name = {manifest.name: manifest for manifest in known.values()} | known
    sources = {name: manifest for name, manifest in by_name.items() if isinstance(manifest, SdistManifest)}
    if package in sources:
        return sources[package]
    if package in by_name:
        names = ", ".join(name for name in sources if "==" not in name)
        raise BadInputError(
            "not-built", package, f"'{package}' is taken as a wheel and never built; choose one of {names}"
        )
    if is_path(package):
        from simulator.sdists.reader import read_sdist  # noqa: PLC0415

        return _manifest(package) if package.endswith(MANIFEST_SUFFIX) else read_sdist(package)
    problem = unknown_message("package", package, sources)
    raise BadInputError(
        "unknown-package", package, f"{problem}; an sdist is given as a path, such as ./{package}.tar.gz"
    )


def is_catalogued(package: str) -> bool:
    """Whether it is the NAME or NAME==VERSION of a package of the catalogue."""
    from simulator.scenario_file import package_manifests  # noqa: PLC0415

    return any(package in (manifest.name, key) for key, manifest in package_manifests().items())


def is_path(package: str) -> bool:
    """Whether users mean a file: it is written like one, or there is one of that name."""
    return "/" in package or package.endswith((*ARCHIVE_SUFFIXES, MANIFEST_SUFFIX)) or os.path.lexists(package)


def _manifest(path: str) -> SdistManifest:
    """What `cachestorm manifest` has printed of an sdist."""
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.likeness.manifest import SdistManifest, load_manifest  # noqa: PLC0415

    try:
        manifest = load_manifest(path)
    except OSError as error:
        raise BadInputError("bad-manifest", path, f"manifest '{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError("bad-manifest", path, f"no manifest: {error}") from error
    if not isinstance(manifest, SdistManifest):
        raise BadInputError("not-built", path, f"'{path}' is of a wheel, which is never built; give one of an sdist")
    return manifest
