"""States that hold what is neither a plain file nor a directory, or files that are more than their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.entries import Device, Files, HardLink
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("nodes")

_TERABYTE = 1 << 40
_LINK_MAX = 4095


@GROUP.state(classes=(25,))
def fifos(make: Recipe) -> None:
    """Fifos that nobody writes to: whoever opens one to look waits for ever."""
    for name in ("fifo", "deeper/fifo"):
        make.node(f"http-v2/entry/{name}", "fifo")


@GROUP.state(classes=(25,), met=("XAMPPRocky/remove_dir_all#88",))
def sockets(make: Recipe) -> None:
    """Sockets that nobody listens at: an open fails with ENXIO."""
    for name in ("socket", "deeper/socket"):
        make.node(f"http-v2/entry/{name}", "socket")


@GROUP.state(classes=(25, 39))
def whiteouts(make: Recipe) -> None:
    """Character devices 0, 0: what overlay file systems use to say that something is gone."""
    for name in ("whiteout", "deeper/whiteout"):
        make.node(f"http-v2/entry/{name}", "whiteout")


@GROUP.state(classes=(25,))
def devices(make: Recipe) -> None:
    """A node of the null device."""
    make.add(Device("http-v2/entry/null"))


@GROUP.state()
def links_to_themselves(make: Recipe) -> None:
    """Symbolic links that lead to themselves, to each other, to the directory that they are in, to nothing."""
    for name, target in (
        ("self", "self"), ("one", "two"), ("two", "one"), ("here", "."), ("up", ".."), ("gone", "nothing"),
        ("far", "x/" * 2000), ("long", "l" * _LINK_MAX), ("through", "here/here/here/gone"),
    ):  # fmt: skip
        make.link(f"http-v2/entry/{name}", target)


@GROUP.state(classes=(45,))
def holes(make: Recipe) -> None:
    """Files of a terabyte that hold nothing: their size is not what is freed."""
    for name in ("one", "two"):
        make.file(f"http-v2/entry/{name}", hole=_TERABYTE)


@GROUP.state(classes=(45,), met=("astral-sh/uv#20546", "astral-sh/uv#18779"))
def hard_links_inside(make: Recipe) -> None:
    """Files with several names in the cache, some of them in shut directories."""
    make.file("http-v2/entry/first", b"shared" * 100)
    for number in range(12):
        make.add(HardLink(f"http-v2/entry/{number % 3}/name-{number}", "http-v2/entry/first", inside=True))
    make.mode("http-v2/entry/1", 0o500)
    make.mode("http-v2/entry/2", 0o000)


@GROUP.state(classes=(25,))
def nodes_in_a_shut_directory(make: Recipe) -> None:
    """Nodes of every kind in a directory of mode 0300: nothing can be said of them before it is repaired."""
    for kind in ("fifo", "socket", "whiteout"):
        make.node(f"http-v2/entry/{kind}", kind)
    make.link("http-v2/entry/link", "nothing")
    make.fill(Files("http-v2/entry/files", 20))
    make.mode("http-v2/entry", 0o300)
