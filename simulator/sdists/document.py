"""The text of a manifest file, as `simulator.likeness.manifest.load_manifest` reads it back.

Guarantee: the same manifest has the same text; keys that say nothing are left out where the reader knows what
that means.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from simulator.likeness.manifest import FILE_MODE, SCHEMA, BuildSpec, FileSpec, SdistManifest, WheelManifest

_ORDER = ("schema", "kind", "name", "version", "source", "archive", "directory", "build", "files")


def manifest_document(manifest: SdistManifest | WheelManifest) -> dict[str, Any]:
    """The `cachestorm/manifest/1` document."""
    kind = "sdist" if isinstance(manifest, SdistManifest) else "wheel"
    document: dict[str, Any] = {"schema": SCHEMA, "kind": kind, **dataclasses.asdict(manifest)}
    document["files"] = _rows(manifest.files)
    if isinstance(manifest, SdistManifest):
        document["build"] = _build(manifest.build)
    return {key: document[key] for key in _ORDER if key in document}


def manifest_json(manifest: SdistManifest | WheelManifest) -> str:
    """The document as people read it: one line for each file of the archive."""
    lines = [f"  {json.dumps(key)}: {_value(value)}" for key, value in manifest_document(manifest).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _build(build: BuildSpec) -> dict[str, Any]:
    document = dataclasses.asdict(build)
    for field in dataclasses.fields(BuildSpec):
        if field.default is not dataclasses.MISSING and document[field.name] == field.default:
            del document[field.name]
    document["package_dir"] = dict(build.package_dir)
    for key in ("egg_info_files", "dist_info_files"):
        document[key] = _rows(getattr(build, key))
    return document


def _rows(files: tuple[FileSpec, ...]) -> list[list[object]]:
    return [[file.path, file.size, *([] if file.mode == FILE_MODE else [f"{file.mode:04o}"])] for file in files]


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"    {json.dumps(row)}" for row in value) + "\n  ]"
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"    {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()) + "\n  }"
    return json.dumps(value)
