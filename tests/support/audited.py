"""Run the simulator with an audit hook: `python -m tests.support.audited`, and what starts it.

Python tells audit hooks of many file-system calls before it makes them. A hook cannot be taken away again, so this
is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.watched_run import arguments, mark, watched_run

ROOT = Path(__file__).parents[2]

# Event: where in its arguments the path is, and the descriptor that it starts from; for those with two, the second
# path and its descriptor. `open` does not say where it starts from.
EVENTS = {
    "open": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.getxattr": ((0, None),),
    "os.link": ((0, 2), (1, 3)),
    "os.listdir": ((0, None),),
    "os.listxattr": ((0, None),),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.scandir": ((0, None),),
    "os.setxattr": ((0, None),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
    "fcntl.flock": ((0, None),),
}


class Audit:
    """Notes what happens while actors may move."""

    def __init__(self):
        self.parts = []
        self._events = None

    def hook(self, event, arguments):
        if self._events is None or event not in EVENTS:
            return
        paths = [
            absolute(arguments[path], -1 if directory is None else arguments[directory])
            for path, directory in EVENTS[event]
        ]
        self._events.append([event, *paths])

    def begin(self):
        self._events = []

    def end(self, number, steps):
        self.parts.append({"round": number, "steps": steps, "events": self._events})
        self._events = None


def absolute(path, directory):
    """The path that a call is about, as far as it can be told: a descriptor stands for where it leads."""
    if isinstance(path, int):
        return behind(path)
    path = os.fsdecode(path)
    return path if directory < 0 or path.startswith("/") else os.path.normpath(f"{behind(directory)}/{path}")


def behind(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").removesuffix(" (deleted)")
    except FileNotFoundError:
        # A hook that raises would change what it watches.
        return f"descriptor {fd}"


def audited(folder, *options):
    """Run the driver with the hook in `folder`. Returns the sandbox, the parts with their events, and the steps."""
    report, events = f"{folder}/steps.json", f"{folder}/events.json"
    driver = [sys.executable, "-m", "tests.support.audited", options[0], str(folder), report, *options[1:]]
    done = subprocess.run(driver, cwd=ROOT, input=events, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(report, encoding="ascii") as file:
        document = json.load(file)
    with open(events, encoding="ascii") as file:
        return document["sandbox"], json.load(file), document["steps"]


def main():
    events = sys.stdin.read()
    audit = Audit()
    sys.addaudithook(audit.hook)
    mark(audit.begin, audit.end)
    watched_run(arguments())
    with open(events, "w", encoding="ascii") as file:
        json.dump(audit.parts, file)


if __name__ == "__main__":
    main()
