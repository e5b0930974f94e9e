"""cachestorm beside frontrun and detangle: who finds which race, in how many runs, and what their silence means.

    python -m benchmarks.peers measure [--python PATH] [--ground DIR]     (some five minutes)
    python -m benchmarks.peers tables                                     (puts the tables into the docs)

Measuring replaces benchmarks/peers.json. PATH is a Python that has the peers, in the versions that
benchmarks/peers/environment.py names; without it a virtualenv is made, filled by pip, and removed.
"""

from __future__ import annotations

import argparse
import os
import sys

from benchmarks.peers.comparing import compare
from benchmarks.peers.environment import UnavailableError, interpreter
from benchmarks.peers.tables import load, save, write_page
from simulator.ground.sandbox import default_parent


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["measure", "tables"])
    parser.add_argument("--python", metavar="PATH", help="that has frontrun and detangle")
    parser.add_argument("--ground", metavar="DIR", help="where the races happen; best in memory")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        try:
            with interpreter(arguments.python) as python:
                save(compare(python, arguments.ground or default_parent(os.environ), progress=told))
        except UnavailableError as error:
            sys.exit(f"the peers cannot be had: {error}")
    write_page(load())


def told(cell):
    """Progress, on a terminal."""
    if sys.stderr.isatty():
        print(cell, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
