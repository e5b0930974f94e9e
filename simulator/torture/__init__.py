"""The torture bench: hostile states of a cache, any cleaner, and a judge that reads the file system.

    python -m simulator.cli torture --cleaner 'rm -rf {cache}'

The states are data (`scenarios.states`). A *cell* is one state and one cleaner: laid, cleaned and judged in a process
of its own.
"""
