"""How close a simulated build is to a real one: both as rows, compared.

A row is (operation, path, extra, result), one for each call that changes something or opens a directory under
build/, an egg-info directory or dist: what the evidence files hold (docs/reference/toolchains.md says how a real
trace is made). Paths are relative to the unpacked source distribution, temporary names are shown as ``<id>``.

Guarantee: the comparison is of multisets, since the order inside one directory is the file system's, and of the
order of phases. Not guaranteed: anything about reads; the rows do not have them.
Cost: linear in the number of rows.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from simulator.actors.toolchains.base import (
    BUILD_PY,
    DIST_INFO,
    EGG_INFO,
    INSTALL_EGG_INFO,
    INSTALL_LIB,
    PUBLISH,
    RMTREE,
    ZIP,
)
from simulator.engine.trace import CREATE, CREATE_EXCL, LIST_PATH, OPENDIR, errno_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from simulator.engine.trace import Step

HEADER = ("op", "path", "extra", "result")
OK = "ok"

# How many differences a comparison names.
DIFFERENCES_SHOWN_MAX = 20
# What counts as like the real one: 99 of 100 rows.
F1_MIN = 0.99

# As the evidence files have them: a listing by path opens the directory by path, one by descriptor does not.
_OPERATIONS = {
    LIST_PATH: OPENDIR,
    "fchmod": "chmod",
    **{
        name: name
        for name in (
            CREATE,
            CREATE_EXCL,
            OPENDIR,
            "chmod",
            "link",
            "mkdir",
            "rename",
            "rmdir",
            "symlink",
            "unlink",
            "utime",
        )
    },
}
ROW_OPERATIONS = frozenset(_OPERATIONS)
# Rows of which there is one per file; the rest must agree exactly.
_COUNTED_ONLY = frozenset({CREATE, "utime", "chmod", "unlink"})

_TEMPORARY = re.compile(r"(?<=^dist/\.tmp-)[^/]+|(?<=\.egg-info/tmp)[^/]+")
# An egg-info directory lies beside the packages: in the root, or where they are.
_KEPT = re.compile(r"((build|dist)|(.*/)?[^/]+\.egg-info)(/|$)", re.DOTALL)


class Row(NamedTuple):
    """One call: what, on what, rename target or chmod mode, ``ok`` or the name of the errno."""

    operation: str
    path: str
    extra: str
    result: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two lists of rows differ.

    Attributes:
        f1: harmonic mean of precision and recall over the multiset of rows, 1.0 when they are the same.
        exact_differences: how many rows differ, of those that must agree exactly.
        phase_order_same: the phases follow each other in the same order.
        first_differences: up to `DIFFERENCES_SHOWN_MAX` lines, ``+`` for rows that only the simulation has,
            ``-`` for rows that only the reference has.
    """

    f1: float
    exact_differences: int
    phase_order_same: bool
    first_differences: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether the one stands for the other: `F1_MIN`, the exact part equal, phases in the same order."""
        return self.f1 >= F1_MIN and self.exact_differences == 0 and self.phase_order_same


def rows(steps: Iterable[Step], source: str, output: str | None = None) -> list[Row]:
    """The rows of one build.

    Args:
        steps: its steps.
        source: path of the unpacked source distribution, as the steps show it.
        output: path of the directory that takes the wheel, shown as ``dist``; `source`/dist when not given.
    """
    places = {source: "", f"{source}/dist" if output is None else output: "dist"}
    made = (
        row_of(step.operation, step.path, step.target, mode=step.mode, errno=errno_name(step.errno), places=places)
        for step in steps
        if step.operation in ROW_OPERATIONS
    )
    return [row for row in made if row is not None]


def row_of(
    operation: str,
    path: str,
    target: str | None,
    *,
    mode: int | None,
    errno: str | None,
    places: Mapping[str, str],
) -> Row | None:
    """The row of one call; None for what rows leave out.

    Args:
        operation: one of `ROW_OPERATIONS`.
        path: what it was made on.
        target: where a rename or a link leads.
        mode: of a chmod.
        errno: its name when the call failed.
        places: prefixes of paths, and what they are shown as.
    """
    where = shown(path, places)
    if where is None:
        return None
    kind = _OPERATIONS[operation]
    extra = ""
    if target is not None:
        inside = shown(target, places)
        extra = _one_field(target) if inside is None else inside
    elif kind == "chmod" and mode is not None:
        # As strace writes it: what was passed, file type bits included (setuptools passes them once).
        extra = f"0{mode:o}"
    return Row(kind, where, extra, errno or OK)


def shown(path: str, places: Mapping[str, str]) -> str | None:
    """`path` as a row has it; None for what rows leave out."""
    best = max((place for place in places if path == place or path.startswith(f"{place}/")), key=len, default=None)
    if best is None:
        return None
    relative = (places[best] + path[len(best) :]).lstrip("/")
    return _one_field(_TEMPORARY.sub("<id>", relative)) if _KEPT.match(relative) else None


def _one_field(text: str) -> str:
    """Text that is one field of one line, whatever is in it: tabs, line breaks and bytes that are no UTF-8 escaped."""
    return text if text.isprintable() else text.encode("unicode_escape", "surrogatepass").decode("ascii")


def to_tsv(table: Sequence[Row]) -> str:
    """Rows as tab-separated text, under a line of column names."""
    return "".join(["# " + "\t".join(HEADER) + "\n", *("\t".join(row) + "\n" for row in table)])


def from_tsv(text: str) -> list[Row]:
    """Rows from tab-separated text; lines that begin with ``#`` are comments.

    Raises:
        ValueError: a line has not four columns; it is named.
    """
    table: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != len(HEADER):
            raise ValueError(f"line {number}: expected {len(HEADER)} columns, got {line!r}")
        table.append(Row(*fields))
    return table


def compare(table: Sequence[Row], reference: Sequence[Row]) -> Comparison:
    """Compare simulated rows with real ones."""
    ours, theirs = Counter(table), Counter(reference)
    extra, missing = ours - theirs, theirs - ours
    shared = (ours & theirs).total()
    total = ours.total() + theirs.total()
    exact = sum(count for row, count in (extra + missing).items() if _must_agree(row))
    lines = [f"+ {' '.join(row)}" for row in extra.elements()] + [f"- {' '.join(row)}" for row in missing.elements()]
    return Comparison(
        f1=2 * shared / total if total else 1.0,
        exact_differences=exact,
        phase_order_same=phases(table) == phases(reference),
        first_differences=tuple(lines[:DIFFERENCES_SHOWN_MAX]),
    )


def _must_agree(row: Row) -> bool:
    return row.operation not in _COUNTED_ONLY or row.result != OK


def phases(table: Iterable[Row]) -> list[str]:
    """The phases of a build in the order in which they are entered, read off what is changed where."""
    order: list[str] = []
    for row in table:
        phase = _phase(row, zipped=ZIP in order)
        if phase is not None and (not order or order[-1] != phase):
            order.append(phase)
    return order


def _phase(row: Row, *, zipped: bool) -> str | None:
    """The phase of which a row is typical; None for rows that occur in several."""
    first, _, rest = row.path.partition("/")
    phase: str | None = None
    if row.operation == OPENDIR or row.result != OK:
        phase = None
    elif first == "dist":
        phase = {"rename": PUBLISH, CREATE: ZIP}.get(row.operation)
    elif first != "build":
        phase = EGG_INFO
    elif rest.startswith("lib/"):
        phase = BUILD_PY
    elif inside := rest.partition("/wheel/")[2]:
        phase = RMTREE if zipped else _staging_phase(row.operation, inside)
    return phase


def _staging_phase(operation: str, inside: str) -> str:
    if ".egg-info" in inside:
        return DIST_INFO if operation in {"unlink", "rmdir"} else INSTALL_EGG_INFO
    return DIST_INFO if ".dist-info" in inside else INSTALL_LIB
