"""The same small races for cachestorm, frontrun and detangle, side by side.

`python -m benchmarks peers` prints the tables; `python -m benchmarks.peers measure` keeps them, for the docs.
What the peers' interpreters load imports this package: nothing but the library up here.
"""


def run(console, ground, rounds):
    """Print the tables; `rounds` seeds for what draws. Without the peers, ours alone, and why."""
    from benchmarks.peers.comparing import compare  # noqa: PLC0415 - see above
    from benchmarks.peers.environment import UnavailableError, interpreter  # noqa: PLC0415
    from benchmarks.peers.tables import grids  # noqa: PLC0415

    try:
        with interpreter() as python:
            results = compare(python, ground, seeds=rounds)
    except UnavailableError as error:
        console.print(f"the peers cannot be had: {error}")
        results = compare(None, ground, seeds=rounds)
    for grid in grids(results):
        console.print(grid.printed())
