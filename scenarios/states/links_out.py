"""States with links that lead out of the cache, in directories whose modes tempt a cleaner. Whoever follows does harm.

Links lead only to what lies beside the cache for this purpose (`place`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.entries import Links
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("links-out")

_FOLLOWED = ("astral-sh/uv#19542", "astral-sh/uv#19682")
_CHMOD = ("CVE-2023-6597", "python/cpython#91133")
_READ_ONLY = 0o500


@GROUP.state(classes=(16,), met=_FOLLOWED)
def link_to_a_directory(make: Recipe) -> None:
    """Symbolic links to directories outside, relative and absolute."""
    make.link("http-v2/entry/absolute", "outside/folder")
    make.link("http-v2/entry/relative", "../../../outside/folder")
    make.link("http-v2/entry/shut", "outside/shut")
    make.link("http-v2/entry/all", "outside")


@GROUP.state(classes=(16,), met=_FOLLOWED)
def link_to_a_file(make: Recipe) -> None:
    """Symbolic links to files outside, read-only ones as well."""
    for name in ("plain", "read-only", "secret"):
        make.link(f"http-v2/entry/{name}", f"outside/{name}")


@GROUP.state(classes=(17,), met=_CHMOD)
def link_in_read_only(make: Recipe) -> None:
    """A symbolic link to a read-only file outside, in a read-only directory.

    unlink fails with EACCES; whoever answers with a chmod of the path changes the file outside.
    """
    # Alone: whatever else is there might be met first, and end a cleaner that stops at the first trouble.
    make.link("http-v2/entry/link", "outside/read-only")
    make.mode("http-v2/entry", _READ_ONLY)


@GROUP.state(classes=(17,), met=_CHMOD)
def links_in_shut_directories(make: Recipe) -> None:
    """Symbolic links to a read-only directory and file outside, in directories of the modes 0500 and 0555."""
    for mode in (0o500, 0o555):
        for name in ("shut", "read-only"):
            make.link(f"http-v2/entry/{mode:04o}-{name}/link", f"outside/{name}")
            make.mode(f"http-v2/entry/{mode:04o}-{name}", mode)


@GROUP.state(classes=(18,))
def hard_link_in_read_only(make: Recipe) -> None:
    """One more name of a read-only file outside, in a read-only directory.

    A chmod of the name is a chmod of the file outside: they are one inode.
    """
    make.hard_link("http-v2/entry/hard", "read-only")
    make.mode("http-v2/entry", _READ_ONLY)


@GROUP.state(classes=(18,))
def hard_links_in_shut(make: Recipe) -> None:
    """Names of a read-only file outside in directories that can be listed and searched, and not written."""
    for mode in (0o500, 0o511, 0o555):
        for number in range(3):
            make.hard_link(f"http-v2/entry/{mode:04o}/{number}", "read-only")
        make.mode(f"http-v2/entry/{mode:04o}", mode)


@GROUP.state(classes=(18,))
def hard_links(make: Recipe) -> None:
    """Names of files outside that a cleaner must remove without writing, truncating or shredding."""
    for name in ("plain", "read-only", "secret"):
        make.hard_link(f"http-v2/entry/{name}", name)


@GROUP.state(classes=(16,))
def link_up(make: Recipe) -> None:
    """Symbolic links that lead up, to the cache, to the directory that holds it, and down again outside."""
    for number, target in enumerate(("../..", "../../..", "../../../outside", "../../../outside/link/deep"), 1):
        make.link(f"http-v2/entry/up-{number}", target)


@GROUP.state(classes=(16,), met=("astral-sh/uv#19543",))
def bucket_is_a_link(make: Recipe) -> None:
    """A top-level directory of the cache is a symbolic link to a directory outside: a cache that was moved by hand."""
    make.link("wheels-v1", "outside/folder")
    make.link("archive-v0", "../outside")


@GROUP.state(classes=(16,))
def links_2000(make: Recipe) -> None:
    """2,000 symbolic links to one directory outside."""
    make.fill(Links("http-v2/entry", 2_000, "../../../outside/folder"))


@GROUP.state(classes=(16,))
def link_where_a_directory_was(make: Recipe) -> None:
    """An index of links into an archive, as uv keeps one; some of the entries they name are links outside."""
    make.file("archive-v0/one/module.py")
    make.link("archive-v0/two", "../../outside/folder")
    for name in ("one", "two", "gone"):
        make.link(f"wheels-v1/index/{name}", f"../../archive-v0/{name}")
