"""Source distributions made in a test: a few files in an archive, each as small as the test's point allows."""

from __future__ import annotations

import io
import tarfile
import zipfile

PKG_INFO = "Metadata-Version: 2.1\nName: some-name\nVersion: 1.0\n\nName: not this\n"
ROOT = "some-name-1.0"
MTIME = 1_500_000_000


def make_sdist(directory, files, name=f"{ROOT}.tar.gz", modes=None):
    """A tar file with `files` (path in the folder to text or bytes); PKG-INFO is added if it is not there."""
    path = str(directory / name)
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, text in {"PKG-INFO": PKG_INFO, **files}.items():
            if text is not None:
                add_file(archive, f"{ROOT}/{member}", text, (modes or {}).get(member, 0o644))
    return path


def add_file(archive, name, text, mode=0o644):
    data = text.encode() if isinstance(text, str) else text
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), mode, MTIME
    archive.addfile(member, io.BytesIO(data))


def add_special(archive, name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    archive.addfile(member)


def make_zip(directory, files, name=f"{ROOT}.zip"):
    path = str(directory / name)
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {"PKG-INFO": PKG_INFO, **files}.items():
            archive.writestr(f"{ROOT}/{member}", text)
    return path


def make_wheel(directory, files, name="some_name-1.0-py3-none-any.whl", metadata="Name: some-name\nVersion: 1.0\n"):
    path = str(directory / name)
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
        if metadata is not None:
            wheel.writestr("some_name-1.0.dist-info/METADATA", metadata)
            wheel.writestr("some_name-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
            wheel.writestr("some_name-1.0.dist-info/RECORD", "")
    return path
