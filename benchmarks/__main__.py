"""Run benchmarks: all of them, or those that are named. `python -m benchmarks [NAME ...] [--rounds N]`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from rich.console import Console

from simulator.ground.confined import confine, require_permission_bits
from simulator.ground.sandbox import default_parent

# Each with its rounds: together some minutes on an idle machine.
ROUNDS = {"gate": 9, "small": 5, "growth": 1, "cleaner": 5, "first_poison": 1}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ROUNDS)} (default: all)")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(ROUNDS))
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(ROUNDS)}")
    status = confine()
    if status is not None:
        return status
    ground = default_parent(os.environ)
    require_permission_bits(ground)
    console = Console()
    for name in arguments.names or ROUNDS:
        import_module(f"benchmarks.{name}").run(console, ground, arguments.rounds or ROUNDS[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
