"""One simulated `pip install`, as uv does it: the actor of a build storm.

For each package, in order: ask the index (its answer is cached), look the package up in the cache, and if it is not
there download and unpack it; build source distributions by the toolchain, where and when the protocol says; publish;
in the end link everything into an environment of its own.

Guarantee: every file is created, written in real blocks and closed, so an actor that is killed leaves truncated
files where a killed process would; and whatever the cache holds is installed as found, as uv does: a wheel without
its RECORD is not noticed. Not modelled: resolving, uv's build environments and its metadata queries before the build
(they run `egg_info` in the same tree once more), its threads (it works on several packages at once), its rewriting
of RECORD. uv unpacks while it downloads; here the archive is written first, under a temporary name.
Cost: 3 calls per unpacked file and 1 per installed file, beside the toolchain's.

Source: traces of uv 0.1.42 installing from an index into an empty cache.
"""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.buckets import SourceEntry, WheelEntry, archive, index_id
from cache_core.locks import IN_KERNEL
from cache_core.protocols import PROTOCOLS, Work
from cache_core.store import Store, read_all, write_all
from simulator.actors.toolchains.base import BuildRequest
from simulator.likeness.manifest import FileSpec, SdistManifest, content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import Toolchain
    from simulator.likeness.manifest import WheelManifest

BLOCK_BYTES = 64 * 1024
SITE_PACKAGES = "lib/python3.11/site-packages"
DEFAULT_INDEX_URL = "https://pypi.org/simple"

LOOK_UP = "look-up"
DOWNLOAD = "download"
UNPACK = "unpack"
INSTALL = "install"

# What an install needs for itself beside the environment; in it, so that it is private.
_SCRATCH = "tmp"

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MODE = 0o666
_OWN_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class InstallJob:
    """One install.

    Attributes:
        cache: absolute path of the cache; made if missing.
        environment: absolute path of the environment, which belongs to this install; made if missing.
        packages: what to install, in order.
        protocol: how the builds share the cache: a name in `cache_core.protocols.PROTOCOLS`.
        toolchain: builds the source distributions.
        identity: unique per actor; temporary names carry it. No slash.
        cache_lock: hold the cache lock, shared, for the whole install.
        install: link into the environment; without it the cache is filled and that is all.
        index_url: the index, of which the cache keeps a digest only.
    """

    cache: str
    environment: str
    packages: tuple[SdistManifest | WheelManifest, ...]
    protocol: str
    toolchain: Toolchain
    identity: str
    cache_lock: bool = False
    install: bool = True
    index_url: str = DEFAULT_INDEX_URL


def install(kernel: Kernel, job: InstallJob, enter_phase: Callable[[str], None]) -> int:
    """Install the packages of a job.

    Args:
        kernel: makes the calls.
        job: what to install, from where to where.
        enter_phase: told the name of each phase as it begins.

    Returns:
        How many files were linked into the environment.

    Raises:
        Exception: what the toolchain raised, or OSError, or CacheError for a lock: the install failed.
    """
    store = Store(job.cache, job.identity, kernel, enter_phase, IN_KERNEL)
    index = index_id(job.index_url)
    enter_phase(LOOK_UP)
    with store.in_use(job.cache_lock):
        archives = [_obtain(store, job, index, package) for package in job.packages]
        if not job.install:
            return 0
        enter_phase(INSTALL)
        site_packages = f"{job.environment}/{SITE_PACKAGES}"
        _make_path(kernel, site_packages)
        return sum(_link_tree(kernel, place, site_packages) for place in archives)


def source_entry(package: SdistManifest, index_url: str = DEFAULT_INDEX_URL) -> SourceEntry:
    """Where a source distribution is in a cache."""
    return SourceEntry(index_id(index_url), package.name, package.version, package.archive.filename)


def _obtain(store: Store, job: InstallJob, index: str, package: SdistManifest | WheelManifest) -> str:
    """Return the absolute path of a package's archive."""
    store.enter_phase(LOOK_UP)
    store.index_file(index, package.name, f"{package.archive.filename}\n".encode)
    if isinstance(package, SdistManifest):
        return PROTOCOLS[job.protocol](store, source_entry(package, job.index_url), _work(store, job, package))
    wheel = WheelEntry(index, package.name, package.archive.filename)
    found = store.find_wheel(wheel)
    if found is not None:
        return found
    return store.publish_archive(
        wheel.link, archive(wheel.filename, store.identity), lambda place: _fetch(store, package, place)
    )


def _work(store: Store, job: InstallJob, package: SdistManifest) -> Work:
    def fetch(directory: str) -> str:
        tree = f"{directory}/{package.directory}"
        store.kernel.mkdir(tree)
        _fetch(store, package, tree)
        return tree

    def build(source: str, output: str) -> str:
        request = BuildRequest(source, output, package, job.identity)
        return job.toolchain.build_wheel(store.kernel, request, store.enter_phase)

    def unpack(wheel: str, directory: str) -> None:
        store.enter_phase(UNPACK)
        write_files(store.kernel, directory, _members(store.kernel, wheel))

    def scratch() -> str:
        place = f"{job.environment}/{_SCRATCH}-{package.name}"
        _make_path(store.kernel, job.environment)
        store.discard(place)
        store.kernel.mkdir(place)
        return place

    return Work(fetch, build, unpack, scratch)


def _fetch(store: Store, package: SdistManifest | WheelManifest, directory: str) -> None:
    """Download an archive under a temporary name, unpack it into an empty directory, drop it."""
    kernel = store.kernel
    store.enter_phase(DOWNLOAD)
    download = store.temporary("", package.archive.filename)
    whole = FileSpec(package.archive.filename, package.archive.size)
    try:
        _write_file(kernel, download, content(package.identifier, whole), _OWN_FILE)
        store.enter_phase(UNPACK)
        modes = {file.path: file.mode for file in package.files}
        files = ((file.path, content(package.identifier, file)) for file in package.files)
        write_files(kernel, directory, files, modes)
    finally:
        # Missing only when it could not be made, and that error is on its way already.
        with suppress(FileNotFoundError):
            kernel.unlink(download)


def _members(kernel: Kernel, wheel: str) -> Iterable[tuple[str, bytes]]:
    data = read_all(kernel, kernel.open(wheel, os.O_RDONLY | os.O_CLOEXEC))
    with zipfile.ZipFile(io.BytesIO(data)) as archive_file:
        return [(name, archive_file.read(name)) for name in archive_file.namelist() if not name.endswith("/")]


def write_files(
    kernel: Kernel, directory: str, files: Iterable[tuple[str, bytes]], modes: Mapping[str, int] | None = None
) -> None:
    """Write files into an empty directory that nobody else uses, each directory once, before its first file.

    Modes are those that were told, as far as the umask lets them be.
    """
    made = {""}
    for path, data in files:
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            if parent not in made:
                kernel.mkdir(f"{directory}/{parent}")
                made.add(parent)
        _write_file(kernel, f"{directory}/{path}", data, _NEW_FILE, (modes or {}).get(path, _MODE))


def _write_file(kernel: Kernel, path: str, data: bytes, flags: int, mode: int = _MODE) -> None:
    fd = kernel.open(path, flags, mode)
    try:
        for start in range(0, len(data), BLOCK_BYTES):
            write_all(kernel, fd, data[start : start + BLOCK_BYTES])
    finally:
        kernel.close(fd)


def _make_path(kernel: Kernel, path: str) -> None:
    """Make a directory of the environment and those above it that are missing."""
    try:
        kernel.mkdir(path)
    except FileNotFoundError:
        _make_path(kernel, path.rpartition("/")[0])
        kernel.mkdir(path)
    except FileExistsError:
        # The environment was used before.
        return


def _link_tree(kernel: Kernel, archive_path: str, target: str) -> int:
    """Link the files of an archive into the environment, directories made; returns how many files."""
    links = 0
    waiting = [(archive_path, target)]
    while waiting:
        source, destination = waiting.pop()
        with kernel.scandir(source) as entries:
            for entry in entries:
                there = f"{destination}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    _make_path(kernel, there)
                    waiting.append((entry.path, there))
                else:
                    _link(kernel, entry.path, there)
                    links += 1
    return links


def _link(kernel: Kernel, source: str, target: str) -> None:
    try:
        kernel.link(source, target)
    except FileExistsError:
        # Two packages with the same file, or a second install: the last one wins, as with uv.
        kernel.unlink(target)
        kernel.link(source, target)
