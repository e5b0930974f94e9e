"""Run benchmarks: all of them, or those that are named. `python -m benchmarks [NAME ...] [--rounds N]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib import import_module

from rich.console import Console

from benchmarks.cleaner.disk import IMAGE_MIB, QUICK_IMAGE_MIB, Disk
from benchmarks.cleaner.tables import can_be_written
from simulator.ground.confined import ENDING_SIGNALS, confine, require_permission_bits
from simulator.ground.sandbox import default_parent

# Each with its rounds: together some minutes on an idle machine.
ROUNDS = {
    "gate": 9,
    "small": 5,
    "growth": 1,
    "cleaner": 5,
    "first_poison": 1,
    "scopes": 1,
    "samplers": 1,
    "shrinking": 25,
    "peers": 3,
}
# Those that can put their tables into a page.
WRITTEN = ("cleaner", "samplers")
# Of what nobody looks at in a terminal.
PIPED_WIDTH = 132


def main():
    arguments = read_arguments()
    clean_up_when_asked_to_go()
    ground = default_parent(os.environ)
    disk = Disk()
    try:
        if "cleaner" in arguments.names:
            # While we may still mount.
            disk.attach(ground, QUICK_IMAGE_MIB if arguments.quick else IMAGE_MIB)
        status = confine()
        if status is None:
            measure(arguments, ground, disk)
    finally:
        # By the process that attached it, which is the parent of the one that measures if there are two.
        disk.detach()
    return status or 0


def clean_up_when_asked_to_go():
    """A signal leaves through every `finally`; the ones that follow (a terminal's, and a parent's) come too late."""

    def leave(number, _):
        for other in ENDING_SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def read_arguments():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ROUNDS)} (default: all)")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="cleaner: small trees, to see that it works")
    parser.add_argument(
        "--markdown", metavar="FILE", help="cleaner, samplers: put the tables into this page, between its marks"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(ROUNDS))
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(ROUNDS)}")
    arguments.names = arguments.names or list(ROUNDS)
    written = [name for name in WRITTEN if name in arguments.names]
    if arguments.markdown is not None and not all(can_be_written(arguments.markdown, name) for name in written):
        parser.error(f"'{arguments.markdown}' has no marks to put tables between; give a new file")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: give at least 1")
    return arguments


def measure(arguments, ground, disk):
    """All that was asked for, one after another."""
    require_permission_bits(ground)
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    for name in arguments.names:
        rounds = arguments.rounds or ROUNDS[name]
        run = import_module(f"benchmarks.{name}").run
        if name == "cleaner":
            run(console, ground, rounds, disk=disk, quick=arguments.quick, markdown=arguments.markdown)
        elif name in WRITTEN:
            run(console, ground, rounds, markdown=arguments.markdown)
        else:
            run(console, ground, rounds)


if __name__ == "__main__":
    sys.exit(main())
