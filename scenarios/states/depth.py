"""States that are hard to empty because they are deep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.entries import Chain
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("depth")

PATH_MAX = 4096
# The longest name that a directory takes.
_NAME_MAX = 255
_RECURSION = ("python/cpython#89727", "uutils/coreutils#7995")


@GROUP.state(classes=(21,), met=_RECURSION)
def deep_900(make: Recipe) -> None:
    """900 directories in each other: a path that can still be named, deeper than most stacks of descriptors."""
    make.fill(Chain("http-v2/entry", 900))


@GROUP.state(classes=(20,), met=("NixOS/nix#3541", "python/cpython#89727"))
def deep_3000(make: Recipe) -> None:
    """3,000 directories in each other: the path is longer than PATH_MAX."""
    make.fill(Chain("http-v2/entry", 3_000))


@GROUP.state(classes=(20,), met=("NixOS/nix#3541",))
def deep_long_names(make: Recipe) -> None:
    """40 directories in each other with names of 255 bytes: past PATH_MAX after a few."""
    make.fill(Chain("http-v2/entry", 40, "n" * _NAME_MAX))


@GROUP.state(classes=(21,), met=_RECURSION)
def deep_30000(make: Recipe) -> None:
    """30,000 directories in each other: deeper than any stack of calls or descriptors."""
    make.fill(Chain("http-v2/entry", 30_000))


@GROUP.state(classes=(6, 20, 21), met=("NixOS/nix#3541",))
def deep_and_shut(make: Recipe) -> None:
    """2,100 directories in each other, each hundredth of mode 0200: repaired half-way down, past PATH_MAX."""
    make.fill(Chain("http-v2/entry", 2_100, shut=0o200, shut_every=100))


@GROUP.state(classes=(20,))
def deep_twins(make: Recipe) -> None:
    """Two chains of 2,500 directories beside each other: whoever shares the work meets both at once."""
    make.fill(Chain("http-v2/left", 2_500))
    make.fill(Chain("http-v2/right", 2_500))


@GROUP.state(classes=(22,), limits={"nofile": 64})
def deep_600_few_descriptors(make: Recipe) -> None:
    """600 directories in each other, for a cleaner that may open 64 files."""
    make.fill(Chain("http-v2/entry", 600))
