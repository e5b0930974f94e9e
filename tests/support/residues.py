"""Caches with residue in the layouts of the tools that share them, and what a cleaning of residue must hold to."""

from __future__ import annotations

import os

from cache_core import audit, clean_sync

ARCHIVE = "archive-v0/CVt8-cZe00wSlRfDKiFef"
OLD_SHARD = "built-wheels-v3/index/6024232a22aa81c8/pkg/1.0/b1Sqzocp-Y-aYlYPEp_R4"
OLD_SOURCE = f"{OLD_SHARD}/pkg-1.0.tar.gz"
NEW_SHARD = "sdists-v11/pypi/pkg/1.0/0Qw-fyXIifK3EsC2"
NEW_SOURCE = f"{NEW_SHARD}/src"
CHECKOUT = "git-v0/checkouts/81137838be98ebe9/58156bf"
DOWNLOAD = "http-v2/a/b/c/d/e/" + "abcde" + "0" * 51


def fill(root, *paths):
    """Make files; what ends in a slash is a directory."""
    for path in paths:
        place = root / path
        (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            place.write_text(path)


def files(root):
    """All that is no directory, links to directories included."""
    paths = [os.path.join(base, name) for base, below, names in os.walk(root) for name in below + names]
    return sorted(os.path.relpath(path, root) for path in paths if os.path.islink(path) or not os.path.isdir(path))


def residue(cache):
    return [(item.path, item.kind) for item in audit(str(cache)).residue]


def cleaned(cache):
    """Clean residue only; what is left is what was listed by nobody."""
    listed = [path for path, _ in residue(cache)]
    kept = [name for name in files(cache) if not any(name == path or name.startswith(f"{path}/") for path in listed)]
    report = clean_sync(str(cache), residue_only=True)
    assert report.succeeded, report.left
    assert [name for name in files(cache) if name != ".lock"] == [name for name in kept if name != ".lock"]
    assert not audit(str(cache)).has_residue
    return report


def point(cache, pointer, named):
    """A pointer file, which is more than the id that it names."""
    (cache / pointer).parent.mkdir(parents=True, exist_ok=True)
    (cache / pointer).write_bytes(b"\x93\xb5" + os.path.basename(named).encode() + b"\0\xff" * 500)
