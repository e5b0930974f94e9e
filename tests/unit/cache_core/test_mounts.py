"""Mount points are named as left, not counted as removable; real mounts, and a list of mounts that a test wrote."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from cache_core import audit, clean_sync
from cache_core.kernel import REAL
from cache_core.mounts import mounts_below
from cache_core.removal import remove_tree

LINE = b"36 35 98:0 /mnt1 %s rw,noatime shared:1 - ext3 /dev/root rw\n"


@pytest.fixture
def told(watching, place):
    """A kernel whose list of mounts has the given mount points."""

    class Told(watching):
        def __init__(self, points):
            super().__init__()
            raw = [os.fsencode(point) for point in points]
            for byte in b"\\ \t\n":
                raw = [point.replace(bytes([byte]), b"\\%03o" % byte) for point in raw]
            (place / "mountinfo").write_bytes(b"".join(LINE % point for point in raw))

        def open(self, path, flags, mode=0o777, *, dir_fd=None):
            mine = path == "/proc/self/mountinfo"
            return os.open(place / "mountinfo" if mine else path, flags, mode, dir_fd=dir_fd)

    return Told


def test_the_list(cache, place, told):
    names = ["d/a", "d/b c", "d/e/back\\slash\n", "top", "d/\udcff"]
    points = [f"{cache}/{name}" for name in names]
    kernel = told([*points, "/", str(cache), f"{cache}-beside/x", str(place)])
    fd = os.open(cache, os.O_RDONLY)
    assert mounts_below(kernel, fd) == {"": {"top"}, "d": {"a", "b c", "\udcff"}, "d/e": {"back\\slash\n"}}
    os.close(fd)


def test_without_proc_no_mount_is_known(cache, watching):
    kernel = watching(refuse=lambda name, _: FileNotFoundError() if name == "readlink" else None)
    (cache / "d").mkdir()
    assert audit(str(cache), kernel=kernel).directories == 1


def test_a_dry_run_names_mount_points_and_what_holds_them_stays(cache, told):
    for name in ("a/b/mounted", "a/other", "d"):
        (cache / name).mkdir(parents=True)
    (cache / "a" / "file").touch()
    (cache / "a" / "b" / "mounted" / "precious").touch()
    kernel = told([f"{cache}/a/b/mounted", f"{cache}/a/file"])
    report = clean_sync(str(cache), dry_run=True, kernel=kernel)
    assert [(left.path, left.errno) for left in report.left] == [("a/b/mounted", "EXDEV"), ("a/file", "EBUSY")]
    assert (report.succeeded, report.files_removed, report.directories_removed) == (False, 0, 2)
    found = audit(str(cache), kernel=kernel)
    assert (found.files, found.directories, found.directories_held) == (0, 4, 2)


def test_there_may_be_residue_in_what_is_mounted(cache, told):
    (cache / "mounted" / "build" / "bdist.x").mkdir(parents=True)
    report = clean_sync(str(cache), residue_only=True, kernel=told([f"{cache}/mounted"]))
    assert (report.succeeded, [left.path for left in report.left]) == (False, ["mounted"])
    assert (cache / "mounted" / "build" / "bdist.x").exists()


def test_a_mount_that_the_list_does_not_have(cache, watching):
    (cache / "a" / "mounted").mkdir(parents=True)

    class Unlisted(watching):
        def openat2(self, path, flags, resolve, *, dir_fd):
            if path == "mounted":
                raise OSError(errno.EXDEV, "mount")
            return REAL.openat2(path, flags, resolve, dir_fd=dir_fd)

        def mount_id(self, fd):
            return 2 if os.readlink(f"/proc/self/fd/{fd}").endswith("mounted") else 1

    report = clean_sync(str(cache), dry_run=True, kernel=Unlisted())
    assert [(left.path, left.errno) for left in report.left] == [("a/mounted", "EXDEV")]
    assert report.directories_removed == 0


DRY_RUN = """
import json, sys
from cache_core import clean_sync, privileges
privileges.drop_override_capabilities()
options = {sys.argv[2]: True}
print(json.dumps(clean_sync(sys.argv[1], **options).document()))
"""


@pytest.mark.root
def test_real_mounts(tmp_path):
    cache = tmp_path / "cache"
    (cache / "a" / "mounted").mkdir(parents=True)
    (cache / "CACHEDIR.TAG").write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55")
    (cache / "file").touch()
    precious = tmp_path / "precious"
    (precious / "build" / "bdist.x").mkdir(parents=True)
    binds = f'mount --bind "{precious}" "{cache}/a/mounted" && mount --bind "{cache}/CACHEDIR.TAG" "{cache}/file"'
    for option in ("dry_run", "residue_only"):
        command = ["unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", sys.executable, "-c", DRY_RUN]
        done = subprocess.run([*command, str(cache), option], capture_output=True, text=True, check=True)
        document = json.loads(done.stdout)
        assert [(left["path"], left["errno"]) for left in document["left"]] == [
            ("a/mounted", "EXDEV"),
            ("file", "EBUSY"),
        ]
        assert (document["files_removed"], document["directories_removed"]) == (0, 0)
    assert (precious / "build" / "bdist.x").exists()
    remove_tree(str(tmp_path))
