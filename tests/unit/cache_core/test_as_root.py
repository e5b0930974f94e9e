"""What only root can set up: mounts, other owners, immutable files. Cleaned by a process whom permission bits stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from cache_core.removal import remove_tree

pytestmark = pytest.mark.root

# Drops what root has over others, then cleans and prints the document.
CLEAN = """
import json, sys
from cache_core import clean_sync, privileges
if "keep" not in sys.argv[2:]:
    privileges.drop_override_capabilities()
try:
    print(json.dumps(clean_sync(sys.argv[1], remove_root="remove-root" in sys.argv[2:]).document()))
except Exception as error:
    print(json.dumps({"error": type(error).__name__}))
"""


def clean(cache, *words, mounts=()):
    """Clean in a mount namespace of its own, with directories bound as given."""
    binds = " && ".join(["true", *(f'mount --bind "{source}" "{target}"' for source, target in mounts)])
    command = ["unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", sys.executable, "-c", CLEAN]
    done = subprocess.run([*command, str(cache), *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def left(document):
    return [(one["path"], one["errno"]) for one in document["left"]]


@pytest.fixture
def root_cache(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "CACHEDIR.TAG").write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55")
    (cache / "good" / "d").mkdir(parents=True)
    (cache / "good" / "file").touch()
    yield cache
    remove_tree(str(tmp_path))


@pytest.fixture
def precious(tmp_path):
    directory = tmp_path / "precious"
    (directory / "d").mkdir(parents=True)
    (directory / "file").write_text("precious")
    yield directory
    assert sorted(os.listdir(directory)) == ["d", "file"]


def test_promise_1_a_bind_mount_of_the_same_file_system_is_not_entered(root_cache, precious):
    (root_cache / "a" / "mounted").mkdir(parents=True)
    document = clean(root_cache, mounts=[(precious, root_cache / "a" / "mounted")])
    assert left(document) == [("a/mounted", "EXDEV")]
    assert "mount point" in document["left"][0]["reason"]
    assert not (root_cache / "good").exists()


def test_promise_1_a_mounted_file_stays(root_cache, precious):
    (root_cache / "mounted").touch()
    document = clean(root_cache, mounts=[(precious / "file", root_cache / "mounted")])
    assert left(document) == [("mounted", "EBUSY")]


def test_a_mounted_root_is_emptied_and_not_removed(root_cache, tmp_path):
    (tmp_path / "point").mkdir()
    mounts = [(root_cache, tmp_path / "point")]
    assert clean(tmp_path / "point", "remove-root", mounts=mounts) == {"error": "MountedRootError"}
    assert (root_cache / "good").exists()
    assert clean(tmp_path / "point", mounts=mounts)["empty"]
    assert not (root_cache / "good").exists()


def test_directories_of_others(root_cache):
    for name, mode in (("full", 0o755), ("shut", 0o700), ("empty", 0o755), ("shut-empty", 0o700)):
        (root_cache / name).mkdir(mode=mode)
        if "empty" not in name:
            (root_cache / name / "file").touch()
        os.chown(root_cache / name, 65534, 65534)
    document = clean(root_cache)
    assert left(document) == [("full/file", "EACCES"), ("shut", "EACCES")]
    assert "directory of uid 65534" in document["left"][0]["reason"]
    assert "directory of uid 65534" in document["left"][1]["reason"]
    assert sorted(os.listdir(root_cache)) == [".lock", "CACHEDIR.TAG", "full", "shut"]
    assert clean(root_cache, "keep")["empty"]


def test_sticky_directories_of_others(root_cache):
    (root_cache / "sticky").mkdir()
    (root_cache / "sticky").chmod(0o1777)
    (root_cache / "sticky" / "file").touch()
    for path in (root_cache / "sticky", root_cache / "sticky" / "file"):
        os.chown(path, 65534, 65534)
    assert left(clean(root_cache)) == [(".cachestorm-trash/sticky/file", "EPERM")]


def test_somebody_elses_root(root_cache):
    root_cache.chmod(0o700)
    os.chown(root_cache, 65534, 65534)
    assert clean(root_cache) == {"error": "UnreadableRootError"}
    assert clean(root_cache, "keep")["empty"]


def test_root_empties_what_its_owner_poisoned(root_cache):
    (root_cache / "good").chmod(0o200)
    os.chown(root_cache / "good", 65534, 65534)
    document = clean(root_cache, "keep")
    assert (document["empty"], document["permissions_repaired"]) == (True, 0)
