"""A cache to try, and a build that needs no package: what the tests of the store and of its protocols share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cache_core import buckets
from cache_core.buckets import SourceEntry
from cache_core.kernel import REAL, Kernel
from cache_core.protocols import BUILD_IN_PLACE, PROTOCOLS, Work
from cache_core.store import Store

INDEX = buckets.index_id("https://example.org/simple")
ENTRY = SourceEntry(INDEX, "pkg", "1.0", "pkg-1.0.tar.gz")
WHEEL = "pkg-1.0-py3-none-any.whl"
FILES = {"pkg/__init__.py": "one", "pkg/two.py": "two"}


class Killed(BaseException):
    """No further step."""


class Mortal:
    """The real kernel, until a call that it does not survive; what it had open is closed then, as by an exit."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.calls = 0
        self._dies_at = dies_at
        self._open: set[int] = set()

    def __getattr__(self, operation: str) -> Any:
        real = getattr(REAL, operation)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls += 1
            if self._dies_at is not None and self.calls >= self._dies_at:
                while self._open:
                    os.close(self._open.pop())
                raise Killed
            result = real(*arguments, **keywords)
            if operation.startswith("open"):
                self._open.add(result)
            if operation == "close":
                self._open.discard(arguments[0])
            return result

        return call


# Those that fetch the source themselves and leave something to be found.
PUBLISHING = [name for name in PROTOCOLS if name not in BUILD_IN_PLACE]


def work(kernel: Kernel, during: Callable[[str, str], None] | None = None) -> Work:
    """A build that copies its files to `build` in the tree, then to the wheel; it refuses a tree that has a `build`."""

    def write(path: str, text: str) -> None:
        fd = kernel.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        kernel.write(fd, text.encode())
        kernel.close(fd)

    def fetch(directory: str) -> str:
        kernel.mkdir(f"{directory}/pkg-1.0")
        for name, text in FILES.items():
            write(f"{directory}/pkg-1.0/{name.replace('/', '_')}", text)
        return f"{directory}/pkg-1.0"

    def build(source: str, output: str) -> str:
        kernel.mkdir(f"{source}/build")
        for name, text in FILES.items():
            write(f"{source}/build/{name.replace('/', '_')}", text)
        if during is not None:
            during(source, output)
        write(f"{output}/{WHEEL}", "".join(f"{name}={text}\n" for name, text in FILES.items()))
        return WHEEL

    def unpack(wheel: str, directory: str) -> None:
        kernel.mkdir(f"{directory}/pkg")
        for line in Path(wheel).read_text().splitlines():
            name, _, text = line.partition("=")
            write(f"{directory}/{name}", text)

    def scratch() -> str:
        raise AssertionError("only those who build in place need it")

    return Work(fetch, build, unpack, scratch)


def store(root: Path, identity: str, kernel: Any = REAL) -> Store:
    return Store(str(root), identity, kernel)


def is_whole(archive: str) -> bool:
    return {str(path.relative_to(archive)): path.read_text() for path in Path(archive).rglob("*.py")} == FILES


def temporaries(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob(".tmp*"))
