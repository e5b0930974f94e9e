"""WheelFile.write_files of wheel 0.43.0: a staging tree becomes a zip.

Guarantee: the tree is walked as os.walk does (what cannot be listed is skipped without a word), files by name,
the dist-info last; every byte in the wheel was read from the tree through the kernel, and RECORD tells what was
read, not what should be there. The same tree gives the same bytes: times are 1980, as with SOURCE_DATE_EPOCH.
Not guaranteed: compression. Members are stored, since deflated sizes differ between versions of zlib; each member
is written front to back, the real one goes back once to fill in its header.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import zipfile
from typing import TYPE_CHECKING

from simulator.actors.toolchains.stdlib import NEW_FILE_MODE, READ_FLAGS, isfile, read_all, walk, write_all

if TYPE_CHECKING:
    from cache_core.kernel import Kernel

_WHEEL_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_BLOCK_SIZE = 16 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)
_RECORD_MODE = stat.S_IFREG | 0o664


def write_wheel(kernel: Kernel, tree: str, path: str, dist_info: str) -> None:
    """Zip `tree` to `path`.

    Args:
        kernel: makes the calls.
        tree: absolute path of the staging tree.
        path: the wheel, made or truncated.
        dist_info: name of its dist-info directory.

    Raises:
        OSError: a file that was listed cannot be read, or the wheel cannot be written; as in the real one, the
            wheel is finished with what it has before the error goes on.
    """
    fd = kernel.open(path, _WHEEL_FLAGS, NEW_FILE_MODE)
    try:
        wheel = _Wheel(kernel, fd, dist_info)
        try:
            wheel.add_tree(tree)
        finally:
            wheel.finish()
    finally:
        kernel.close(fd)


class _Wheel:
    """A zip in memory whose new bytes go to a descriptor after each member."""

    def __init__(self, kernel: Kernel, fd: int, dist_info: str) -> None:
        self._kernel = kernel
        self._fd = fd
        self._record_path = f"{dist_info}/RECORD"
        self._record: list[str] = []
        self._bytes = io.BytesIO()
        self._written = 0
        self._zip = zipfile.ZipFile(self._bytes, "w", zipfile.ZIP_STORED)

    def add_tree(self, tree: str) -> None:
        """Everything but the dist-info as it is found, then the dist-info by name."""
        deferred: list[tuple[str, str]] = []
        for root, _, names in walk(self._kernel, tree, order=True):
            for name in sorted(names):
                path = f"{root}/{name}"
                if not isfile(self._kernel, path):
                    continue
                member = path[len(tree) + 1 :]
                if member == self._record_path:
                    continue
                if root.endswith(".dist-info"):
                    deferred.append((path, member))
                else:
                    self._add_file(path, member)
        for path, member in sorted(deferred):
            self._add_file(path, member)

    def _add_file(self, path: str, member: str) -> None:
        kernel = self._kernel
        fd = kernel.open(path, READ_FLAGS)
        try:
            status = kernel.fstat(fd)
            data = read_all(kernel, fd, status.st_size)
        finally:
            kernel.close(fd)
        self._add(member, data, status.st_mode)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
        self._record.append(f"{member},sha256={digest},{len(data)}\n")

    def _add(self, member: str, data: bytes, mode: int) -> None:
        information = zipfile.ZipInfo(member, _EPOCH)
        information.create_system = 3  # Unix, whatever runs this
        information.external_attr = mode << 16
        self._zip.writestr(information, data)
        self._flush()

    def finish(self) -> None:
        """RECORD, when there is anything to tell of, and the central directory."""
        if self._record:
            self._add(self._record_path, "".join([*self._record, f"{self._record_path},,\n"]).encode(), _RECORD_MODE)
        self._zip.close()
        self._flush()

    def _flush(self) -> None:
        data = self._bytes.getvalue()[self._written :]
        self._written += len(data)
        for start in range(0, len(data), _BLOCK_SIZE):
            write_all(self._kernel, self._fd, data[start : start + _BLOCK_SIZE])
