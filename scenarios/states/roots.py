"""States in which the cache itself is not what it should be: the directory, its tag, where we stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache_core.layout import TAG_TEXT
from scenarios.states.entries import Link, Node
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("root")

# The path of the cache itself, for entries that take its place.
_ROOT = ""
_ITSELF = (".",)


@GROUP.state(classes=(35,), ordinary=False)
def root_missing(make: Recipe) -> None:
    """There is no cache: nothing to do is no failure."""
    make.root = False


@GROUP.state(classes=(35,), stays=_ITSELF)
def root_is_a_file(make: Recipe) -> None:
    """A file has the cache's path.

    It is not a cache, so it is refused by name, or removed by who thinks that anything may go.
    """
    make.root = False
    make.file(_ROOT, b"not a cache")


@GROUP.state(classes=(25, 35), stays=_ITSELF)
def root_is_a_fifo(make: Recipe) -> None:
    """A fifo has the cache's path: whoever opens it waits for ever."""
    make.root = False
    make.add(Node(_ROOT, "fifo"))


@GROUP.state(classes=(35,), met=("rust-lang/cargo#7510", "rust-lang/cargo#13670"), stays=_ITSELF)
def root_is_a_link_out(make: Recipe) -> None:
    """The cache's path is a symbolic link to a directory that is no cache.

    To remove the link or to refuse it is right. To empty what it leads to is harm.
    """
    make.root = False
    make.add(Link(_ROOT, "outside/folder"))


@GROUP.state(classes=(35,), stays=_ITSELF)
def root_is_a_dangling_link(make: Recipe) -> None:
    """The cache's path is a symbolic link to nothing."""
    make.root = False
    make.add(Link(_ROOT, "outside/nothing"))


@GROUP.state(met=("rust-lang/cargo#16712",), stays=_ITSELF)
def tag_missing(make: Recipe) -> None:
    """A directory with content and no tag: nothing says that it is a cache, so it may be refused, by name."""
    make.tagged = False
    make.file("http-v2/entry/file")


@GROUP.state(stays=_ITSELF)
def tag_is_a_link(make: Recipe) -> None:
    """The tag is a symbolic link to a valid tag outside: it may be refused, by name; the tag outside must stay."""
    make.link("CACHEDIR.TAG", "outside/CACHEDIR.TAG")
    make.file("http-v2/entry/file")


@GROUP.state(stays=_ITSELF)
def tag_unreadable(make: Recipe) -> None:
    """A tag of mode 0000: whether it is valid cannot be told without changing a file, so it may be refused, by name."""
    make.file("CACHEDIR.TAG", TAG_TEXT, 0o000)
    make.file("http-v2/entry/file")


@GROUP.state()
def tag_long(make: Recipe) -> None:
    """A valid tag with a megabyte of something behind it: content that an empty cache does not hold."""
    make.file("CACHEDIR.TAG", TAG_TEXT, hole=1 << 20)
    make.file("http-v2/entry/file")


@GROUP.state(classes=(36,), inside="http-v2/entry")
def started_inside(make: Recipe) -> None:
    """The cleaner is started in a directory of the cache, which can be removed like any other."""
    make.file("http-v2/entry/file")
