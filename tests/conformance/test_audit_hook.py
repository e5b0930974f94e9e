"""The quick check that the gate is complete: whatever Python's audit hooks are told of belongs to a recorded step.

It needs no strace, and it sees less: no stat, read, write, close or readlink, and nothing that goes through ctypes
(openat2 and fchmodat2). `tests/real/test_strace.py` sees all.
"""

from __future__ import annotations

import itertools
import os

import pytest

from tests.support.audited import audited

pytestmark = pytest.mark.slow

_OPEN = ("open",)
_LISTINGS = ("os.listdir", "os.scandir")

# Which events a step's operation has; an operation that is missing here has none.
EVENTS_OF = {
    "open": _OPEN, "opendir": _OPEN, "create": _OPEN, "create-excl": _OPEN,
    "listdir": _LISTINGS, "scandir": _LISTINGS,
    "mkdir": ("os.mkdir",), "rmdir": ("os.rmdir",), "unlink": ("os.remove",), "rename": ("os.rename",),
    "link": ("os.link",), "symlink": ("os.symlink",), "chmod": ("os.chmod",), "fchmod": ("os.chmod",),
    "fchown": ("os.chown",),
    "utime": ("os.utime",), "flock": ("fcntl.flock",),
}  # fmt: skip
# Made through ctypes where the system has the better call.
MAY_BE_SILENT = ("opendir", "open", "chmod")


def events_on(sandbox, events):
    """Without those elsewhere. Where a bare `.` or `..` is opened, an event does not say."""
    return [
        event
        for event in events
        if event[1].startswith(f"{sandbox}/") or (not event[1].startswith("/") and event[1] not in {".", ".."})
    ]


def belongs(event, step, cache):
    """Whether a step is what an event announced."""
    name, *paths = event
    recorded = [step["path"], *([step["target"]] if name in {"os.rename", "os.link"} else [])]
    return name in EVENTS_OF[step["operation"]] and all(
        os.path.normpath(f"{cache}/{told}").endswith(path if path.startswith("/") else f"/{path}")
        for path, told in zip(paths, recorded, strict=True)
    )


def problems(sandbox, parts, steps):
    """The first event of each part that belongs to no step, or step that should have had one."""
    found = []
    for before, part in itertools.pairwise([{"steps": 0}, *parts]):
        cache = f"{sandbox}/{part['round']}/cache"
        events = events_on(sandbox, part["events"])
        for step in steps[before["steps"] : part["steps"]]:
            if step["operation"] not in EVENTS_OF or step.get("injected"):
                continue
            if events and belongs(events[0], step, cache):
                del events[0]
            elif step["operation"] not in MAY_BE_SILENT:
                found.append(f"{step} had no event; next is {events[:1]}")
                break
        else:
            found += [f"no step for {event}" for event in events[:1]]
    return found


@pytest.mark.parametrize("scenario", ["issue-3515", "issue-3515-loop", "stress"])
def test_every_event_belongs_to_a_step(tmp_path, scenario):
    sandbox, parts, steps = audited(tmp_path, scenario)
    assert sum(len(part["events"]) for part in parts) > 1000
    assert problems(sandbox, parts, steps) == []


@pytest.mark.parametrize("call", ["open", "mkdir", "listing"])
def test_a_call_beside_the_kernel_is_caught(tmp_path, call):
    sandbox, parts, steps = audited(tmp_path, "issue-3515-loop", "--builds", "2", "--uncounted", call)
    assert problems(sandbox, parts, steps)
