"""How like the real build a simulated one is, in text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.likeness.fidelity import DIFFERENCES_SHOWN_MAX, F1_MIN, phases
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.likeness.fidelity import Comparison, Row


def likeness_text(comparison: Comparison, ours: tuple[str, Sequence[Row]], theirs: tuple[str, Sequence[Row]]) -> str:
    """A comparison as lines.

    Args:
        comparison: of the rows of `ours` with those of `theirs`.
        ours: what the first rows are, and they.
        theirs: what they are compared with, likewise.
    """
    (our_name, our_rows), (their_name, their_rows) = ours, theirs
    exact = comparison.exact_differences
    order, their_order = phases(our_rows), phases(their_rows)
    told = "equal" if exact == 0 else f"{counted(exact, 'row')} different"
    lines = [
        f"rows    {len(our_rows)} {our_name}, {len(their_rows)} {their_name}",
        f"F1      {comparison.f1:.4f} (at least {F1_MIN})",
        f"exact   {told} (all but create, utime, chmod and unlink)",
    ]
    if comparison.phase_order_same:
        lines.append(f"phases  same: {', '.join(order)}")
    else:
        lines += [f"phases  {our_name}: {', '.join(order)}", f"        {their_name}: {', '.join(their_order)}"]
    if comparison.first_differences:
        lines.append(f"differences (+ {our_name} only, - {their_name} only; the first {DIFFERENCES_SHOWN_MAX}):")
        lines += [f"  {line}" for line in comparison.first_differences]
    return "\n".join(lines) + "\n"
