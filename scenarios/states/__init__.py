"""Hostile cache states: each a small cache that is hard to empty, as a function that says what is in it.

    from scenarios.states import STATES
    from scenarios.states.place import Place

    state = STATES["mode-0200"]
    state.recipe().lay(Place("/an/empty/directory"))    # or see state.recipe().commands()

Guarantees: links and hard links lead only to what is laid beside the cache for them; the same state is the same tree
each time. A new state is a function in the file of its group. Costs: importing it lays nothing.
"""

from __future__ import annotations

from scenarios.states import (
    control,
    depth,
    limits,
    links_out,
    live,
    locks,
    modes,
    mounted,
    names,
    nodes,
    quantity,
    roots,
)

GROUPS = tuple(
    module.GROUP
    for module in (control, modes, depth, names, nodes, links_out, roots, locks, live, quantity, limits, mounted)
)
STATES = {state.name: state for group in GROUPS for state in group.states}
