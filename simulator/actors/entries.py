"""A build and what the protocol does for it, and nothing around it: the actor of a storm that is to be explored whole.

An install looks packages up, downloads, builds, publishes, and links everything into an environment. Of this the race
is between those who build and publish, so here each actor gets the entries of its source distributions, by the code of
`cache_core.protocols`, under the cache lock or not, and ends. There is no index and no download: a source tree is
written as it is. Nothing is unpacked: what an archive holds is the wheel, linked there in one call. Wheels that
scenarios install are left out.

What lies there before the first step (`lay`): the directories of each entry, and the source tree where the protocol
would use one that it finds, so that nobody has to make what everybody only looks at.

Guarantee: no step that a whole install would not make, but for that link. Cost: beside the toolchain's 3 calls under
`in-place`, 15 under `shared`, 31 under `entry-lock`, and under `private` 47, of which 20 remove the build's directory;
6 more for the cache lock, under `in-place` 8.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cache_core.locks import IN_KERNEL
from cache_core.protocols import BUILD_IN_PLACE, PROTOCOLS, USE_WHAT_LIES_THERE, Work
from cache_core.store import Store
from simulator.actors.install import UNPACK, source_entry, write_files
from simulator.actors.toolchains.base import BuildRequest
from simulator.ground.stage import place_source
from simulator.likeness.manifest import SdistManifest, content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cache_core.kernel import Kernel
    from simulator.actors.install import InstallJob
    from simulator.likeness.manifest import WheelManifest

# Where a build in place leaves its wheel, in its environment.
ARCHIVE_IN_PLACE = "archive"


def lay(cache: str, packages: Iterable[SdistManifest | WheelManifest], protocol: str, *, builds_only: bool) -> None:
    """Put into a cache what lies there before anybody comes.

    Args:
        cache: absolute path.
        packages: what is built.
        protocol: by which.
        builds_only: whether it is the actor of this module that comes; an install needs no more than a local tree.
    """
    for package in packages:
        if not isinstance(package, SdistManifest):
            continue
        entry = source_entry(package)
        if protocol in BUILD_IN_PLACE:
            place_source(package, f"{cache}/{entry.local}")
        elif builds_only and protocol in USE_WHAT_LIES_THERE:
            place_source(package, f"{cache}/{entry.source}")
        elif builds_only:
            os.makedirs(f"{cache}/{entry.shard}")


def build_entries(kernel: Kernel, job: InstallJob, enter_phase: Callable[[str], None]) -> int:
    """Get the entry of each source distribution of a job, built if need be.

    Args:
        kernel: makes the calls.
        job: what to build; `install` is of no account.
        enter_phase: told the name of each phase as it begins.

    Returns:
        How many there are.

    Raises:
        Exception: what the toolchain raised, or OSError, or CacheError for a lock: the build failed.
    """
    store = Store(job.cache, job.identity, kernel, enter_phase, IN_KERNEL)
    packages = [package for package in job.packages if isinstance(package, SdistManifest)]
    # Who builds in place has nothing from the cache, so that it is there only matters for its lock.
    stands_alone = job.protocol in BUILD_IN_PLACE and not job.cache_lock
    with nullcontext() if stands_alone else store.in_use(job.cache_lock):
        for package in packages:
            PROTOCOLS[job.protocol](store, source_entry(package, job.index_url), _work(store, job, package))
    return len(packages)


def _work(store: Store, job: InstallJob, package: SdistManifest) -> Work:
    def fetch(directory: str) -> str:
        store.enter_phase(UNPACK)
        tree = f"{directory}/{package.directory}"
        store.kernel.mkdir(tree)
        files = ((file.path, content(package.identifier, file)) for file in package.files)
        write_files(store.kernel, tree, files)
        return tree

    def build(source: str, output: str) -> str:
        request = BuildRequest(source, output, package, job.identity)
        return job.toolchain.build_wheel(store.kernel, request, store.enter_phase)

    def unpack(wheel: str, directory: str) -> None:
        store.enter_phase(UNPACK)
        store.kernel.link(wheel, f"{directory}/{os.path.basename(wheel)}")

    return Work(fetch, build, unpack, scratch=lambda: job.environment)
