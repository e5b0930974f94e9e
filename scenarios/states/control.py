"""The control: a cache that is not hostile at all. A cleaner that fails here was started wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("control")

ORDINARY = "ordinary"


@GROUP.state()
def ordinary(make: Recipe) -> None:
    """An ordinary cache: a few directories, files and links within it, a lock that nobody holds."""
    make.file(".lock", b"")
    for name in ("http-v2/a/b/c/abcdef.body", "http-v2/a/b/c/abcdef", "http-v2/entry/module.py"):
        make.file(name)
    make.link("http-v2/entry/link", "module.py")
