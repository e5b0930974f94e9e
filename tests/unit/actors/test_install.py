"""The simulated install: what it writes, where, in which phases, and what others see of it."""

import fcntl
import io
import os
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache_core.kernel import REAL, Kernel
from cache_core.protocols import BUILD_IN_PLACE, PROTOCOLS
from simulator.actors.install import BLOCK_BYTES, InstallJob, install, source_entry
from simulator.actors.toolchains.base import BuildRequest
from simulator.ground.stage import place_source
from simulator.likeness.manifest import Archive, BuildSpec, FileSpec, SdistManifest, WheelManifest, content

SOURCE = SdistManifest(
    "pkg",
    "1.0",
    Archive("pkg-1.0.tar.gz", 150_000, "0" * 64),
    "pkg-1.0",
    (FileSpec("setup.py", 40), FileSpec("pkg/__init__.py", 0), FileSpec("pkg/deep/er/big.py", 70_000)),
    BuildSpec((), (), (), (), False, (), None, "pkg.egg-info", (), "pkg-1.0-py3-none-any.whl", ()),
)
WHEEL = WheelManifest(
    "dep",
    "2.0",
    Archive("dep-2.0-py3-none-any.whl", 1_000, "1" * 64),
    (FileSpec("dep/__init__.py", 10), FileSpec("dep-2.0.dist-info/RECORD", 200)),
)
SITE = "lib/python3.11/site-packages"


class Zips:
    """A toolchain that zips some files of the source, in the place and the way of a real one."""

    name = "zips"
    revision = 1

    def __init__(self, during: Callable[[BuildRequest], None] | None = None) -> None:
        self.requests: list[BuildRequest] = []
        self._during = during

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        enter_phase("zip")
        self.requests.append(request)
        if self._during is not None:
            self._during(request)
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as wheel:
            for path in sorted(Path(request.source).rglob("*.py")):
                wheel.write(path, str(path.relative_to(request.source)))
        (Path(request.output) / request.package.build.wheel).write_bytes(data.getvalue())
        return request.package.build.wheel


def job(place: Path, protocol: str = "shared", toolchain: Any = None, **others: Any) -> InstallJob:
    identity = others.pop("identity", "build-1")
    return InstallJob(
        cache=str(place / "cache"),
        environment=str(place / identity),
        packages=(SOURCE, WHEEL),
        protocol=protocol,
        toolchain=toolchain or Zips(),
        identity=identity,
        **others,
    )


def place_local_source(place: Path) -> Path:
    """The user's own directory, for those who build in place."""
    local = place / "cache" / source_entry(SOURCE).local
    place_source(SOURCE, str(local))
    return local


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def quiet(phase: str) -> None:
    pass


class Counts:
    """The real kernel; counts calls, and keeps the sizes of writes and what the locks were asked."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.writes: list[int] = []

    def __getattr__(self, operation: str) -> Any:
        real = getattr(REAL, operation)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls[operation] += 1
            if operation == "write":
                self.writes.append(len(arguments[1]))
            return real(*arguments, **keywords)

        return call


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_file_of_source_and_wheel_is_installed(protocol: str, place: Path) -> None:
    place_local_source(place)
    assert install(REAL, job(place, protocol), quiet) == 5
    expected = {file.path: content("pkg-1.0", file) for file in SOURCE.files}
    expected |= {file.path: content("dep-2.0", file) for file in WHEEL.files}
    assert files(place / "build-1" / SITE) == expected


def test_in_place_builds_in_the_local_directory_and_fetches_nothing(place: Path) -> None:
    local = place_local_source(place)
    toolchain = Zips()
    phases: list[str] = []
    install(REAL, job(place, "in-place", toolchain), phases.append)
    assert [request.source for request in toolchain.requests] == [str(local)]
    assert phases[: phases.index("install")].count("download") == 1  # the wheel of the dependency
    assert not (place / "cache/built-wheels-v3").exists()


def test_in_place_again_builds_again(place: Path) -> None:
    place_local_source(place)
    toolchain = Zips()
    for _ in range(2):
        assert install(REAL, job(place, "in-place", toolchain), quiet) == 5
    assert len(toolchain.requests) == 2


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name not in BUILD_IN_PLACE])
def test_the_second_install_downloads_and_builds_nothing(protocol: str, place: Path) -> None:
    install(REAL, job(place, protocol), quiet)
    toolchain = Zips()
    kernel = Counts()
    phases: list[str] = []
    again = job(place, protocol, toolchain, identity="build-2")
    install(kernel, again, phases.append)
    assert toolchain.requests == []
    assert "download" not in phases
    assert kernel.writes == []
    assert files(place / "build-2") == files(place / "build-1")


def test_installed_files_are_the_archives_own(place: Path) -> None:
    install(REAL, job(place), quiet)
    installed = place / "build-1" / SITE / "pkg/deep/er/big.py"
    (cached,) = place.glob("cache/archive-v0/*/pkg/deep/er/big.py")
    assert installed.stat().st_ino == cached.stat().st_ino


def test_builds_happen_in_the_entry_named_as_the_archive(place: Path) -> None:
    toolchain = Zips()
    install(REAL, job(place, "shared", toolchain), quiet)
    (request,) = toolchain.requests
    assert request.source.startswith(f"{place}/cache/built-wheels-v3/index/")
    assert request.source.endswith("/pkg-1.0.tar.gz")
    assert request.identity == "build-1"
    assert sorted(os.listdir(place / "cache")) == [
        ".gitignore", "CACHEDIR.TAG", "archive-v0", "built-wheels-v3", "simple-v7", "wheels-v1",
    ]  # fmt: skip


def test_archives_are_written_in_blocks(place: Path) -> None:
    kernel = Counts()
    install(kernel, job(place), quiet)
    assert max(kernel.writes) == BLOCK_BYTES
    # The sdist of 150,000 bytes, and the 70,000 of one file, unpacked twice.
    assert kernel.writes.count(BLOCK_BYTES) == 2 + 1 + 1
    assert kernel.writes.count(150_000 - 2 * BLOCK_BYTES) == 1


def test_phases(place: Path) -> None:
    phases: list[str] = []
    install(REAL, job(place, "entry-lock"), phases.append)
    assert phases == [
        *("look-up", "look-up", "look-up", "lock", "look-up", "download", "unpack", "zip", "publish", "unpack"),
        *("publish", "look-up", "download", "unpack", "publish", "install"),
    ]


def test_the_same_job_makes_the_same_calls(place: Path) -> None:
    counts = []
    for run in "ab":
        kernel = Counts()
        (place / run).mkdir()
        install(kernel, job(place / run), quiet)
        counts.append((kernel.calls, kernel.writes))
    assert counts[0] == counts[1]
    assert files(place / "a") == files(place / "b")


@pytest.mark.parametrize("locked", [True, False])
def test_the_cache_lock_is_held_through_the_build_when_asked_for(locked: bool, place: Path) -> None:
    seen: list[bool] = []

    def during(request: BuildRequest) -> None:
        fd = os.open(place / "cache/.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen.append(False)
        except BlockingIOError:
            seen.append(True)
        finally:
            os.close(fd)

    install(REAL, job(place, "shared", Zips(during), cache_lock=locked), quiet)
    assert seen == [locked]


def test_without_install_there_is_no_environment(place: Path) -> None:
    assert install(REAL, job(place, install=False), quiet) == 0
    assert not (place / "build-1").exists()
    assert list(place.glob("cache/archive-v0/*/dep/__init__.py"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wheel_that_lacks_files_is_installed_as_found(protocol: str, place: Path) -> None:
    def lose(request: BuildRequest) -> None:
        Path(request.source, "pkg/deep/er/big.py").unlink()

    place_local_source(place)
    assert install(REAL, job(place, protocol, Zips(lose)), quiet) == 4
    assert not (place / "build-1" / SITE / "pkg/deep").exists()


def test_a_failed_download_leaves_no_temporary_file(place: Path) -> None:
    class Full(Counts):
        def __getattr__(self, operation: str) -> Any:
            call = super().__getattr__(operation)
            if operation != "write" or len(self.writes) < 5:
                return call

            def full(*arguments: Any) -> None:
                raise OSError(28, "No space left on device")

            return full

    with pytest.raises(OSError, match="No space"):
        install(Full(), job(place), quiet)
    assert not list((place / "cache").rglob(".tmp*"))


@pytest.mark.parametrize("protocol", ["shared", "private"])
def test_another_install_in_the_middle_of_a_build(protocol: str, place: Path) -> None:
    """By hand: while one builds, a whole other one runs. (Under `entry-lock` it would wait for ever.)"""
    others: list[int] = []

    def during(request: BuildRequest) -> None:
        others.append(install(REAL, job(place, protocol, identity="build-2"), quiet))

    assert install(REAL, job(place, protocol, Zips(during)), quiet) == 5
    assert others == [5]
    assert files(place / "build-2") == files(place / "build-1")


def test_a_second_install_into_the_same_environment_replaces_the_files(place: Path) -> None:
    install(REAL, job(place), quiet)
    subprocess.run(["rm", "-rf", str(place / "cache")], check=True)
    assert install(REAL, job(place), quiet) == 5
    (cached,) = place.glob("cache/archive-v0/*/pkg/deep/er/big.py")
    assert (place / "build-1" / SITE / "pkg/deep/er/big.py").stat().st_ino == cached.stat().st_ino


def test_the_sources_have_the_modes_of_the_archive(place: Path) -> None:
    os.umask(0o022)
    modes: list[int] = []
    tool = FileSpec("tool.sh", 10, 0o755)
    package = replace(SOURCE, files=(*SOURCE.files, tool))

    def look(request: BuildRequest) -> None:
        modes.extend(os.stat(f"{request.source}/{path}").st_mode & 0o777 for path in ("setup.py", "tool.sh"))

    install(REAL, replace(job(place, toolchain=Zips(look)), packages=(package,)), quiet)
    assert modes == [0o644, 0o755]
