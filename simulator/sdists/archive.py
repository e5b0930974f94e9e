"""The archive of a source distribution: read without unpacking, or unpacked after the same checks.

Guarantee: whatever the file holds, reading it writes nothing, ends, and holds at most a block and the few files in
memory that tell something; an archive that leads outside, holds too much or is no archive is refused in one line
that names it. `unpack` writes nothing before all of the archive has passed. Not guaranteed: that another process
does not change the file between the two passes; both go through one descriptor, so it cannot be another file.
Cost: one decompression of the archive, two to unpack.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from cache_core.kernel import REAL
from simulator.errors import BadInputError
from simulator.likeness.manifest import FILE_MODE, Archive
from simulator.sdists.members import Members
from simulator.sdists.tar_stream import tar_members

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 1 << 20
_DIRECTORY_MODE = 0o755
_ZIP_MAGIC = b"PK"
_ENCRYPTED = 0x1
# What the decompressors and the readers of archives raise when the bytes are not what they should be.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class SourceArchive:
    """What an archive holds.

    Attributes:
        archive: name, size and digest of the file.
        directory: the one folder that it unpacks to.
        files: path relative to that folder to (size in bytes, mode once unpacked), in the order of the archive.
        texts: the bytes of the files that tell how to build (`members.tells`).
        first_lines: the first line of each file that begins with ``#!``.
        fractional_times: whether files get times that are no whole seconds.
    """

    archive: Archive
    directory: str
    files: dict[str, tuple[int, int]]
    texts: dict[str, bytes] = field(default_factory=dict)
    first_lines: dict[str, bytes] = field(default_factory=dict)
    fractional_times: bool = False


def read_archive(path: str) -> SourceArchive:
    """Read an archive.

    Args:
        path: a .tar, compressed by gzip, bzip2 or xz or not at all, or a .zip.

    Raises:
        BadInputError: it cannot be read, is no archive, leads outside or holds too much.
    """
    with _opened(path) as file:
        return _checked(path, file)


def unpack(path: str, directory: str) -> str:
    """Unpack an archive into a directory that exists, with the times and modes that pip and uv leave.

    Returns:
        The absolute path of its one folder.

    Raises:
        BadInputError: as `read_archive`; nothing was written then.
        OSError: the directory cannot be written.
    """
    with _opened(path) as file:
        checked = _checked(path, file)
        file.seek(0)
        with _damage_told(path):
            if _is_zip(file):
                _unpack_zip(file, directory)
            else:
                _unpack_tar(file, directory)
    return os.path.join(os.path.abspath(directory), checked.directory)


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    try:
        # Asked before it is opened: opening a pipe waits for whoever writes to it.
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise BadInputError("bad-sdist", path, f"'{path}' is {what}; give the .tar.gz or .zip of an sdist")
        file = open(path, "rb")  # noqa: SIM115 - closed below; its errors are told apart from those of the reader
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name holds a null character"
        raise BadInputError("unreadable-sdist", path, f"sdist '{path}' cannot be read: {reason}") from error
    with file:
        yield file


@contextmanager
def _damage_told(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise BadInputError(
            "bad-sdist", path, f"'{path}' is no sdist, or a truncated or damaged one: {_one_line(error)}"
        ) from error


def _checked(path: str, file: IO[bytes]) -> SourceArchive:
    members = Members(path)
    with _damage_told(path):
        try:
            if _is_zip(file):
                _read_zip(file, members)
            else:
                tar_members(file, members)
        except OSError as error:
            # gzip and bz2 say so of wrong bytes, the file system of a bad disk.
            reason = error.strerror or _one_line(error)
            raise BadInputError("bad-sdist", path, f"'{path}' is no sdist: {reason}") from error
    files = members.finished()
    return SourceArchive(
        _identity(path, file),
        members.directory,
        files,
        members.texts,
        members.first_lines,
        members.fractional_times,
    )


def _is_zip(file: IO[bytes]) -> bool:
    start = file.read(len(_ZIP_MAGIC))
    file.seek(0)
    return start == _ZIP_MAGIC


def _identity(path: str, file: IO[bytes]) -> Archive:
    file.seek(0)
    digest = hashlib.sha256()
    size = 0
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        size += len(block)
    return Archive(os.path.basename(path), size, digest.hexdigest())


def _read_zip(file: IO[bytes], members: Members) -> None:
    # Nobody sets the times that a zip has: its files are of the moment in which they are unpacked.
    members.fractional_times = True
    with zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            kind = stat.S_IFMT(item.external_attr >> 16)
            if item.is_dir():
                members.directory_met(item.filename)
                continue
            if kind not in {0, stat.S_IFREG}:
                members.refuse(f"holds '{item.filename}', which is no regular file")
            if item.flag_bits & _ENCRYPTED:
                members.refuse(f"holds '{item.filename}', which is encrypted")
            wanted = members.file_met(item.filename, item.file_size, _zip_mode(item))
            with archive.open(item) as stream:
                wanted.take(stream, item.file_size)


def _zip_mode(item: zipfile.ZipInfo) -> int:
    executable = (item.external_attr >> 16) & 0o111
    return FILE_MODE | 0o111 if executable else FILE_MODE


def _unpack_tar(file: IO[bytes], directory: str) -> None:
    with tarfile.open(fileobj=file) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(directory, filter="data")
        else:
            # An interpreter without filters (before 3.11.4) is left with our own checks.
            archive.extractall(directory)  # noqa: S202 - every member has passed them


def _unpack_zip(file: IO[bytes], directory: str) -> None:
    with zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            place = archive.extract(item, directory)
            # zipfile leaves the umask's mode; pip restores the executable bits, and so does this.
            REAL.chmod(place, _DIRECTORY_MODE if item.is_dir() else _zip_mode(item))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
