"""Hypothesis strategies for hostile trees: for `cachestorm torture --random`, and for tests of whoever removes trees.

    from hypothesis import given
    from scenarios.states.hostile_trees import hostile_trees

    @given(hostile_trees())
    def test_it_is_gone(tree):
        with tempfile.TemporaryDirectory() as place:
            tree.lay(place)                    # place/cache, and place/outside, which must not change
            my_cleaner(f"{place}/cache")
            ...

`tree.commands()` are the shell commands that make it: `hypothesis.note` them. Guarantees: links and hard links lead
only to `place/outside` or to nothing; the same tree is laid the same each time; no path is longer than a system call
takes.
Costs: laying a tree takes a system call or two for each entry, of which there are a few dozen at most.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from scenarios.states.place import OUTSIDE, Place
from scenarios.states.recipe import Recipe
from scenarios.states.state import RANDOM, State

if TYPE_CHECKING:
    from collections.abc import Iterator

# A longer one gets a plain name in place of its own: the way to it must be shorter than PATH_MAX.
_PATH_BYTES_MAX = 3_000
_HOLE_BYTES = 1 << 40
_LEAVES_MAX = 25

_PLAIN_MODE = 0o755
# More than a directory has entries.
_PLAIN_NAMES = "abcdefgh"

# Every way in which a directory can keep its owner out, and some that do not.
directory_modes = st.sampled_from(
    [0o755, 0o700, 0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o555, 0o600, 0o1777, 0o2200, 0o7000]
)
# A cache that is itself shut hides all that is in it from most cleaners: not too often.
root_modes = st.sampled_from([0o755] * 8 + [0o700, 0o000, 0o300, 0o500])
file_modes = st.sampled_from([0o644, 0o000, 0o444, 0o200, 0o4755])
sizes = st.sampled_from(["", "x", "x" * 5_000, "hole"])

_ODD_NAMES = [
    b".lock", b".gitignore", b"-rf", b"--", b"...", b"\n", b"\x1b[2J", b" ", b"*", b"$(id)", b"'", b"\\", b"caf\xe9",
    b"\xe2\x82\xac", b"build", b".tmp1", b".cachestorm-trash", b"n" * 255,
]  # fmt: skip


def _is_name(name: bytes) -> bool:
    return bool(name.strip(b".")) and b"/" not in name and b"\0" not in name and name != b"CACHEDIR.TAG"


names = st.one_of(
    st.sampled_from([b"a", b"b", b"c"]),
    st.sampled_from(_ODD_NAMES),
    st.binary(min_size=1, max_size=8).filter(_is_name),
).map(os.fsdecode)

links = st.sampled_from(
    [
        f"{OUTSIDE}/plain",
        f"{OUTSIDE}/read-only",
        f"{OUTSIDE}/folder",
        f"{OUTSIDE}/shut",
        OUTSIDE,
        "nothing",
        ".",
        "..",
        "a",
    ]
)
hard_links = st.sampled_from(["plain", "read-only", "secret"])
node_kinds = st.sampled_from(["fifo", "socket", "whiteout"])

leaves = st.one_of(
    st.tuples(st.just("file"), sizes, file_modes),
    st.tuples(st.just("link"), links),
    st.tuples(st.just("hard link"), hard_links),
    st.tuples(st.just("node"), node_kinds),
)


@dataclass(frozen=True)
class HostileTree:
    """A cache, as a strategy draws it.

    Attributes:
        mode: of the cache itself.
        entries: what is in it, by name: ("file", content, mode), ("link", target), ("hard link", name), ("node", kind)
            or ("directory", mode, entries).
    """

    mode: int
    entries: dict[str, Any]

    def recipe(self) -> Recipe:
        """How it is made."""
        recipe = Recipe()
        self.plant(recipe)
        return recipe

    def plant(self, recipe: Recipe) -> None:
        """Tell a recipe what is in it."""
        _plant(recipe, "", self.entries)
        recipe.mode("", self.mode)

    def lay(self, directory: str) -> None:
        """Make `cache` and `outside` in an empty directory.

        Raises:
            OSError: There is no room.
        """
        self.recipe().lay(Place(os.path.abspath(directory)))

    def commands(self) -> list[str]:
        """The same for bash."""
        return self.recipe().commands()

    def state(self, name: str) -> State:
        """A state of it: solvable, as every such tree is."""
        return State(name, RANDOM, self.plant, "A random tree.", ordinary=False)

    def smaller(self) -> Iterator[HostileTree]:
        """Trees with one thing less: an entry, an unusual mode of a directory, an odd name."""
        if self.mode != _PLAIN_MODE:
            yield HostileTree(_PLAIN_MODE, self.entries)
        for entries in _smaller(self.entries):
            yield HostileTree(self.mode, entries)

    def __hash__(self) -> int:
        return hash((self.mode, tuple(sorted(self.entries))))

    def __repr__(self) -> str:
        return "HostileTree, made by:\n" + "\n".join(f"  {command}" for command in self.commands())


def _plant(recipe: Recipe, directory: str, entries: dict[str, Any]) -> None:
    for number, (name, node) in enumerate(entries.items()):
        path = f"{directory}/{name}" if directory else name
        if len(os.fsencode(path)) > _PATH_BYTES_MAX:
            # Longer than the names that are drawn, so that no other entry has it.
            path = f"{directory}/a-long-name-{number}"
        kind, *told = node
        if kind == "directory":
            recipe.directory(path, told[0])
            _plant(recipe, path, told[1])
        elif kind == "file":
            size, mode = told
            hole = _HOLE_BYTES if size == "hole" else 0
            recipe.file(path, b"" if hole else size.encode(), mode, hole=hole)
        elif kind == "link":
            recipe.link(path, told[0])
        elif kind == "hard link":
            recipe.hard_link(path, told[0])
        else:
            recipe.node(path, told[0])


def _smaller(entries: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, node in entries.items():
        others = {other: entries[other] for other in entries if other != name}
        yield others
        plain = next(letter for letter in _PLAIN_NAMES if letter not in others)
        if name not in _PLAIN_NAMES:
            yield {**others, plain: node}
        if node[0] == "directory":
            if node[1] != _PLAIN_MODE:
                yield {**others, name: ("directory", _PLAIN_MODE, node[2])}
            for below in _smaller(node[2]):
                yield {**others, name: ("directory", node[1], below)}


def hostile_trees(max_leaves: int = _LEAVES_MAX) -> st.SearchStrategy[HostileTree]:
    """Trees that are hard to remove and can be removed.

    Args:
        max_leaves: how many entries that are no directories a tree has at most, about.
    """
    nodes = st.recursive(
        leaves,
        lambda below: st.tuples(st.just("directory"), directory_modes, st.dictionaries(names, below, max_size=4)),
        max_leaves=max_leaves,
    )
    return st.builds(HostileTree, root_modes, st.dictionaries(names, nodes, max_size=5))
