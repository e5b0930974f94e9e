"""A tar file as a stream: what it unpacks to is counted while it is decompressed, so a bomb is stopped as it goes off.

Guarantee: never more bytes are decompressed than an sdist may hold (`members.BYTES_MAX`) and its headers take, never
more than `_HEADER_BYTES_MAX` are kept for one member's headers (long names and extended headers are kept whole by
`tarfile`), and nothing is looked up twice.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from typing import IO, TYPE_CHECKING, cast

from simulator.likeness.manifest import FILE_MODE
from simulator.sdists.members import BYTES_MAX, MEMBERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.sdists.members import Members

_BLOCK_BYTES = 1 << 16
_HEADER_BYTES_MAX = 1 << 20
# Two blocks of 512 bytes and as much for a long name, for every member that there may be.
_STREAM_BYTES_MAX = BYTES_MAX + 2048 * MEMBERS_MAX

_DECOMPRESSORS: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]], ...] = (
    (b"\x1f\x8b", lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file))),
    (b"BZh", lambda file: cast("IO[bytes]", bz2.BZ2File(file))),
    (b"\xfd7zXZ\0", lambda file: cast("IO[bytes]", lzma.LZMAFile(file))),  # noqa: SIM115 - the file under it is the caller's
)
_KINDS = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class _Bounded:
    """A stream that refuses to go on beyond what a whole archive, or the headers of one member, may take."""

    def __init__(self, stream: IO[bytes], members: Members) -> None:
        self._stream = stream
        self._members = members
        self._read = 0
        self._allowed = 0

    def allow(self, size: int) -> None:
        """The next member's headers may be read, after `size` bytes of padding or contents."""
        self._allowed = self._read + size + _HEADER_BYTES_MAX

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(min(size, _BLOCK_BYTES) if size >= 0 else _BLOCK_BYTES)
        self._read += len(block)
        if self._read > _STREAM_BYTES_MAX:
            self._members.refuse(f"holds more than {BYTES_MAX:,} bytes; only smaller ones are read")
        if self._read > self._allowed:
            self._members.refuse(f"holds a header of more than {_HEADER_BYTES_MAX:,} bytes; no real archive has one")
        return block


def tar_members(file: IO[bytes], members: Members) -> None:
    """Show each member of a tar file to `members`, in order, and read all of it.

    Raises:
        BadInputError: a member is not as it should be.
        tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError: it is no tar file, or a damaged one.
    """
    bounded = _Bounded(_decompressed(file), members)
    bounded.allow(0)
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r|") as archive:
        while True:
            member = archive.next()
            # A member that was met is not needed again, and 100,000 of them are many.
            archive.members = []  # type: ignore[attr-defined] # typeshed leaves it out
            if member is None:
                break
            bounded.allow(member.size)
            _show(archive, member, members)
            bounded.allow(0)
    # The checksum of a compressed file comes after its last byte.
    bounded.allow(_STREAM_BYTES_MAX)
    while bounded.read():
        pass


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    start = file.read(max(len(magic) for magic, _ in _DECOMPRESSORS))
    file.seek(0)
    for magic, decompressor in _DECOMPRESSORS:
        if start.startswith(magic):
            return decompressor(file)
    return file


def _show(archive: tarfile.TarFile, member: tarfile.TarInfo, members: Members) -> None:
    if member.isdir():
        members.directory_met(member.name)
    elif member.issym() or member.islnk():
        members.link_met(member.name, member.linkname, hard=member.islnk())
    elif member.isreg() and not member.issparse():
        wanted = members.file_met(member.name, member.size, unpacked_mode(member.mode))
        members.fractional_times |= member.mtime % 1 != 0
        stream = archive.extractfile(member)
        if stream is None:
            raise tarfile.ReadError(f"'{member.name}' has no contents")
        wanted.take(stream, member.size)
    else:
        members.other_met(member.name, _KINDS.get(member.type, f"of an unknown kind ({member.type!r})"))


def unpacked_mode(mode: int) -> int:
    """The mode that tarfile's data filter leaves: the owner's to read and write, nobody else's to write.

    Source: documentation of `tarfile.data_filter`.
    """
    kept = mode & 0o755
    return (kept if kept & 0o100 else kept & ~0o111) | (FILE_MODE & 0o600)
