"""States that are hard to empty because there is very much of something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.entries import Directories, Files, Links
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("quantity")


@GROUP.state(classes=(26,))
def files_20000(make: Recipe) -> None:
    """20,000 files in one directory."""
    make.fill(Files("http-v2/entry", 20_000))


@GROUP.state(classes=(26,))
def directories_10000(make: Recipe) -> None:
    """10,000 directories beside each other, a file in each."""
    make.fill(Directories("http-v2/entry", 10_000, 0o755))


@GROUP.state(classes=(23,), limits={"nofile": 1024})
def shut_2000(make: Recipe) -> None:
    """2,000 directories of mode 0200 beside each other, for a cleaner that may open 1,024 files.

    Whoever starts over after each repair, and keeps its place in the one before, runs out of descriptors.
    """
    make.fill(Directories("http-v2/entry", 2_000, 0o200))


@GROUP.state(classes=(23,))
def shut_20000(make: Recipe) -> None:
    """20,000 directories of mode 0200 beside each other: whoever starts over after each repair runs out of stack."""
    make.fill(Directories("http-v2/entry", 20_000, 0o200))


@GROUP.state(classes=(45,))
def names_of_one_file_5000(make: Recipe) -> None:
    """5,000 names of one file: it is freed once, with the last."""
    make.file("http-v2/entry/first", b"shared" * 1000)
    make.fill(Links("http-v2/entry", 5_000, "first", hard=True))


@GROUP.state(classes=(26,))
def buckets_1000(make: Recipe) -> None:
    """1,000 directories at the top of the cache, half of them read-only."""
    for number in range(1_000):
        make.file(f"bucket-{number}/file")
        if number % 2:
            make.mode(f"bucket-{number}", 0o555)
