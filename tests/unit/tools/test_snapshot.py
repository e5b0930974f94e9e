"""The copy of a residue is the residue: what a cleaner meets in it, it would have met in the original."""

import os
import stat

import pytest

from cache_core.removal import remove_tree
from simulator.tools.snapshot import copy_tree


def described(top):
    """All that a copy keeps, by relative path; modes are opened on the way down and put back."""
    found = {}
    inodes = {}

    def look(path):
        status = os.lstat(path)
        name = os.path.relpath(path, top)
        kind = stat.S_IFMT(status.st_mode)
        rest: object = None
        if kind == stat.S_IFLNK:
            rest = os.readlink(path)
        elif kind == stat.S_IFREG:
            os.chmod(path, 0o600)
            with open(path, "rb") as file:
                rest = file.read()
            os.chmod(path, stat.S_IMODE(status.st_mode))
            rest = (rest, inodes.setdefault(status.st_ino, name))
        found[name] = (status.st_mode, status.st_mtime_ns, rest)
        if kind == stat.S_IFDIR:
            os.chmod(path, 0o700)
            for entry in sorted(os.listdir(path)):
                look(os.path.join(path, entry))
            os.chmod(path, stat.S_IMODE(status.st_mode))

    look(str(top))
    return found


@pytest.fixture
def place(tmp_path):
    yield tmp_path
    remove_tree(str(tmp_path))


@pytest.fixture
def residue(place):
    root = place / "cache"
    wheel = root / "entry/build/bdist.linux-x86_64/wheel"
    (wheel / "package").mkdir(parents=True)
    (wheel / "package/module.py").write_bytes(b"x" * 3_000_000)
    (wheel / "empty").write_bytes(b"")
    (root / os.fsdecode(b"not-\xff-utf8")).write_bytes(b"odd")
    (root / "secret").write_bytes(b"nobody reads this")
    (root / "one").write_bytes(b"several names")
    os.link(root / "one", wheel / "two")
    os.symlink("/nowhere/at/all", root / "dangling")
    os.symlink("entry", root / "to-a-directory")
    os.mkfifo(root / "fifo", 0o640)
    for path in sorted(root.rglob("*")):
        os.utime(path, ns=(1, 1_600_000_000_123_456_789), follow_symlinks=False)
    os.chmod(root / "secret", 0)
    os.chmod(wheel / "package", 0o200)
    os.chmod(wheel, 0o500)
    os.chmod(root / "entry/build", 0o600)
    os.chmod(root, 0o755)
    return root


def test_a_copy_is_as_the_original_was(residue, place):
    before = described(residue)
    copy_tree(str(residue), str(place / "copy"))
    assert described(place / "copy") == before
    assert before["entry/build/bdist.linux-x86_64/wheel/package"][0] == stat.S_IFDIR | 0o200
    assert before["entry/build/bdist.linux-x86_64/wheel/two"][2][1] == before["one"][2][1]


def test_the_original_stays_as_it_was(residue, place):
    before = described(residue)
    copy_tree(str(residue), str(place / "copy"))
    assert described(residue) == before


def test_links_are_copied_not_followed(place):
    (place / "outside").mkdir()
    (place / "outside/file").write_bytes(b"")
    (place / "cache").mkdir()
    os.symlink(place / "outside", place / "cache/link")
    copy_tree(str(place / "cache"), str(place / "copy"))
    assert os.readlink(place / "copy/link") == str(place / "outside")


def test_a_link_to_a_file_outside_becomes_a_file_of_its_own(place):
    (place / "outside").write_bytes(b"kept")
    (place / "cache").mkdir()
    os.link(place / "outside", place / "cache/inside")
    copy_tree(str(place / "cache"), str(place / "copy"))
    assert (place / "copy/inside").read_bytes() == b"kept"
    assert os.stat(place / "outside").st_nlink == 2


def test_the_target_must_be_new(place):
    (place / "cache").mkdir()
    (place / "copy").mkdir()
    with pytest.raises(FileExistsError):
        copy_tree(str(place / "cache"), str(place / "copy"))
