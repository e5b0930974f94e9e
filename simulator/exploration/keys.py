"""What a step touches, and how: the keys and kinds of footprints, and when two of them conflict.

A key is a part of the file system that a call can depend on or change: what a name stands for (`entry`), which names a
directory has (`listing`), the content and size of a file (`data`), who may do what with it (`mode`), its times and how
many names it has (`meta`), who has the lock (`lock`); besides, above which directories lie (`MOVES`). Objects are
numbers (`simulator.exploration.tree`).

Adds commute: two names added to a directory, or taken from it, leave the same directory in either order, and so do two
links made to one file; whoever lists the directory or looks at the file sees a difference, so an add and a read do not.

A call that ends in ENOENT passes the names on its way, and would end so as well if a directory on it were gone: whoever
removes one (an empty one, or it would not go) and whoever passes it commute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = "read"
ADD = "add"
WRITE = "write"
# Of an entry: passed by a path that leads nowhere; taken away with the empty directory that it stood for.
THROUGH = "through"
REMOVE = "remove"

# With which ways to touch a key another way does not commute.
AGAINST: Mapping[str, frozenset[str]] = {
    READ: frozenset({ADD, WRITE, REMOVE}),
    ADD: frozenset({READ, WRITE, THROUGH, REMOVE}),
    WRITE: frozenset({READ, ADD, WRITE, THROUGH, REMOVE}),
    THROUGH: frozenset({ADD, WRITE}),
    REMOVE: frozenset({READ, ADD, WRITE, REMOVE}),
}
# Those that leave what they touch as it was.
LOOKS = frozenset({READ, THROUGH})

# The part of the file system that decides who can move.
LOCK = "lock"

# Which part, of which object, under which name (empty but for entries).
Key = tuple[str, int, str]
Footprint = dict[Key, str]

# A directory came to another directory. What lies above a directory decides whether a rename would put it into itself,
# and what `..` is: no entry on the way says it to a call that starts at a descriptor.
MOVES: Key = ("moves", 0, "")

# In the footprint of a step of which nothing else can be said: it conflicts with every step.
EVERYTHING: Key = ("everything", 0, "")


def entry(number: int, name: str) -> Key:
    """What `name` in a directory stands for."""
    return ("entry", number, name)


def listing(number: int) -> Key:
    """The names in a directory."""
    return ("listing", number, "")


def data(number: int) -> Key:
    """Content and size of a file."""
    return ("data", number, "")


def mode(number: int) -> Key:
    """Permission bits and owner."""
    return ("mode", number, "")


def meta(number: int) -> Key:
    """Times, and how many names there are (for a directory: whether it is still one)."""
    return ("meta", number, "")


def lock(number: int) -> Key:
    """Who holds the flock on it."""
    return (LOCK, number, "")


def join(footprint: Footprint, key: Key, kind: str) -> None:
    """Let `footprint` touch `key` as well, in two ways if need be."""
    known = footprint.get(key, kind)
    if known != kind:
        kind = READ if known in LOOKS and kind in LOOKS else WRITE
    footprint[key] = kind


def conflict(one: Footprint, other: Footprint) -> bool:
    """Whether the order of two steps may matter: they share a key, and touch it in ways that do not commute.

    Cost: a look-up for each key of the smaller one.
    """
    if EVERYTHING in one or EVERYTHING in other:
        return True
    return any(other[key] in AGAINST[one[key]] for key in one.keys() & other.keys())
