"""One real install without a package manager: ``python -m simulator.tools.pep517_install JOB``, JOB in JSON.

The protocol is the simulated installs' own (`cache_core.protocols`), with real work: archives unpacked from a folder,
wheels built by `build.ProjectBuilder` in the source tree that the protocol says, in the same two calls of the back end
as ``python -m build --no-isolation``. Exit 0: installed. Else the last line of what it printed says why.
Guarantee: what it fetches, builds and publishes is under the protocol's locks, as in the simulation.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from build import BuildBackendException, ProjectBuilder

from cache_core.buckets import SourceEntry, WheelEntry, archive, index_id
from cache_core.errors import CacheError
from cache_core.kernel import REAL
from cache_core.protocols import PROTOCOLS, Work
from cache_core.store import Store
from simulator.sdists.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_URL = "https://pypi.org/simple"
_WHEEL = ".whl"


def source_entry(package: Mapping[str, str]) -> SourceEntry:
    """Where a source distribution is in the cache."""
    return SourceEntry(index_id(INDEX_URL), package["name"], package["version"], package["filename"])


class _Install:
    """The install of one job."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        self._store = Store(job["cache"], job["identity"], REAL, _tell)

    def make(self) -> None:
        with self._store.in_use(self._job["cache_lock"]):
            archives = [self._obtain(package) for package in self._job["packages"]]
            _tell("install")
            for place in archives:
                _link_tree(place, self._job["target"])

    def _obtain(self, package: Mapping[str, str]) -> str:
        """Absolute path of a package's archive."""
        links = f"{self._job['links']}/{package['filename']}"
        if not package["filename"].endswith(_WHEEL):
            return PROTOCOLS[self._job["protocol"]](self._store, source_entry(package), self._work(package, links))
        _tell("look-up")
        wheel = WheelEntry(index_id(INDEX_URL), package["name"], package["filename"])
        found = self._store.find_wheel(wheel)
        if found is not None:
            return found
        return self._store.publish_archive(
            wheel.link, archive(wheel.filename, self._store.identity), lambda place: _unzip(links, place)
        )

    def _work(self, package: Mapping[str, str], links: str) -> Work:
        def fetch(directory: str) -> str:
            _tell("unpack")
            tree = unpack(links, directory)
            # As uv 0.1.42 left them: new files, as of now.
            for above, _, names in os.walk(tree):
                for name in names:
                    os.utime(f"{above}/{name}")
            return tree

        def build(source: str, output: str) -> str:
            _tell("build")
            builder = ProjectBuilder(source, python_executable=self._job["python"])
            builder.get_requires_for_build("wheel")
            return os.path.basename(builder.build("wheel", output))

        def scratch() -> str:
            place = f"{self._job['scratch']}/{package['name']}"
            REAL.mkdir(place)
            return place

        return Work(fetch, build, _unzip, scratch)


def _tell(phase: str) -> None:
    print(f"cachestorm: {phase}", flush=True)  # noqa: T201 - its output is read by who started it


def _unzip(wheel: str, directory: str) -> None:
    _tell("unpack")
    with zipfile.ZipFile(wheel) as archive_file:
        archive_file.extractall(directory)


def _link_tree(source: str, target: str) -> None:
    for above, _, names in os.walk(source):
        place = os.path.join(target, os.path.relpath(above, source))
        os.makedirs(place, exist_ok=True)
        for name in names:
            with suppress(FileExistsError):  # a file of two packages: the first one stays
                os.link(f"{above}/{name}", f"{place}/{name}")


def main(job: str) -> int:
    """Install; returns the exit code."""
    try:
        _Install(json.loads(job)).make()
    except BuildBackendException as error:
        # What the back end said is printed already; a back end that crashed said it in a traceback.
        print(f"build failed: {error}")  # noqa: T201
        return 1
    except (OSError, CacheError, zipfile.BadZipFile) as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
