"""States that are hard to empty because of names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scenarios.states.state import Group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenarios.states.recipe import Recipe

GROUP = Group("names")


def _each(make: Recipe, names: Iterable[bytes]) -> None:
    """Of each name a file, and a directory with a file."""
    for name in names:
        text = os.fsdecode(name)
        make.file(f"http-v2/files/{text}")
        make.file(f"http-v2/directories/{text}/{text}")


@GROUP.state(classes=(24,))
def names_not_utf8(make: Recipe) -> None:
    """Names that are no UTF-8: Latin-1, truncated sequences, every byte above 0x7f."""
    _each(make, (b"caf\xe9", b"\xff\xfe", b"\xe2\x82", b"\xc0\xaf", bytes(range(0x80, 0x100))))


@GROUP.state(classes=(24,))
def names_with_controls(make: Recipe) -> None:
    """Names with newlines, escape sequences, backspaces, a bell: what is printed unquoted rewrites the terminal."""
    _each(make, (b"new\nline", b"\x1b[2Jcleared", b"back\x08\x08\x08space", b"\x07", b"\r", b"\t", b"\x7f", b"\x01"))


@GROUP.state(classes=(24,))
def names_long(make: Recipe) -> None:
    """Names of 255 bytes, of one-byte characters and of three-byte ones, four of them in each other."""
    for name in ("l" * 255, "\u20ac" * 85):
        make.file(f"http-v2/{name}/{name}/{name}/{name}")


@GROUP.state(classes=(24,))
def names_like_options(make: Recipe) -> None:
    """Names that read as options: `-rf`, `--`, `-delete`, `--no-preserve-root`."""
    _each(make, (b"-rf", b"--", b"-", b"-delete", b"--no-preserve-root", b"-exec", b"-i"))


@GROUP.state(classes=(24,))
def names_for_a_shell(make: Recipe) -> None:
    """Names that a shell would read: globs, quotes, `;`, `$(...)`, blanks at both ends, a backslash."""
    _each(
        make, (b"*", b"?", b"a b", b" ", b" both ", b"'", b'"', b"`id`", b"$(id)", b"${HOME}", b"; id", b"a\\b", b"~")
    )


@GROUP.state(classes=(24,))
def names_with_dots(make: Recipe) -> None:
    """Names that nearly are `.` or `..`."""
    _each(make, (b"...", b"..a", b".a", b". ", b".. ", b"....", b".\xe2\x80\x8b."))


@GROUP.state(classes=(24, 40))
def names_twins(make: Recipe) -> None:
    """Names that look alike: composed and decomposed accents, other case, marks for right-to-left and zero width."""
    twins = ("\u00e9", "e\u0301", "Entry", "entry", "ENTRY", "entry\u200b", "\u202eyrtne", "\ufeffentry", "K", "\u212a")
    _each(make, (name.encode() for name in twins))


@GROUP.state(classes=(24,))
def names_with_percents(make: Recipe) -> None:
    """Names that read as formats or escapes: of printf, of a template, of a URL, of XML."""
    _each(make, (b"%s%n", b"{cache}", b"{}", b"%00", b"\\x00", b"\\n", b"$'\\n'", b"&amp;", b"<script>"))


@GROUP.state()
def names_kept_elsewhere(make: Recipe) -> None:
    """What an empty cache may keep, in the wrong place or of the wrong kind: none of it may stay.

    A `.lock` below the root, a `.gitignore` that is a directory, tags of every entry.
    """
    for name in (".lock", "CACHEDIR.TAG", ".gitignore"):
        make.file(f"http-v2/entry/{name}")
        make.file(f"http-v2/{name}/{name}")
    make.file(".gitignore/inner/file")
    make.file(".LOCK")
    make.file("cachedir.tag")


@GROUP.state(classes=(28, 32), met=("conda/conda#6012", "bazelbuild/bazel#10508"))
def names_of_trash(make: Recipe) -> None:
    """What cleaners move aside and leave when they are killed: trash, temporary names, `.nfs` files."""
    for name in (".cachestorm-trash", ".cachestorm-trash-1", ".trash", "garbage-1", ".tmpAbC", "x.ccache.tmp.remove"):
        make.file(f"{name}/entry/file")
        make.file(f"http-v2/{name}/file")
    make.file("http-v2/.nfs000000000001")
    make.file("http-v2/.fuse_hidden0000000100000001")
    make.file(".cachestorm-trash-2")
    make.mode(".cachestorm-trash/entry", 0o200)
