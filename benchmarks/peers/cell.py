"""One tool with one setting on one subject, in a process of its own; each pass prints a line of JSON.

Two passes. The first asks for what is wrong, as a user would: how many runs until it is found, what is said if it is
not, how often the run that showed it comes again. The second lets nothing be wrong and writes down what each run came
to: how many runs there are until the tool ends by itself, how many different ends they have, what that costs.

Python 3.10 and its library only.
"""

from __future__ import annotations

import gc
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass

from benchmarks.peers.subjects import SUBJECTS, Stage

# How often the run that shows it is made again.
AGAIN = 10

# Of a search that would come to an end, and had no time left.
NOT_THROUGH = "not through"


@dataclass
class Finding:
    """Of the first pass.

    Attributes:
        run: the number of the run that showed it, from 1; None if none did.
        said: what the tool says if none did.
        again: how many of `AGAIN` replays showed it.
        replay: what a replay is made from, for people.
    """

    run: int | None = None
    said: str = ""
    again: int | None = None
    replay: str = ""


@dataclass
class Ended:
    """Of the second pass.

    Attributes:
        runs: how many.
        said: what the tool says of them.
    """

    runs: int
    said: str


class CannotError(Exception):
    """The tool cannot express the subject; the message says why."""


def asked():
    """(subject, setting, seeds, seconds, where) of this process."""
    wish = json.loads(sys.argv[1])
    return SUBJECTS[wish["subject"]], wish["setting"], wish["seeds"], wish["seconds"], wish["ground"]


def answer(find, enumerate_all):
    """Make both passes and print them.

    Args:
        find: (stage, setting, seed, seconds) -> `Finding`.
        enumerate_all: (stage, setting, seed, seconds, note) -> `Ended`; `note` is called after each run with its `Run`.
    """
    subject, setting, seeds, seconds, ground = asked()
    top = tempfile.mkdtemp(prefix="cachestorm-peers-", dir=ground)
    stage = Stage(subject, f"{top}/directory")
    try:
        told({"found": [asdict(find(stage, setting, seed, seconds)) for seed in seeds]})
        outcomes = set()
        gc.collect()
        before = time.process_time()
        ended = enumerate_all(stage, setting, seeds[0], seconds, lambda run: outcomes.add(repr(run)))
        cpu = time.process_time() - before
        told({**asdict(ended), "outcomes": len(outcomes), "cpu": round(cpu, 3)})
    except CannotError as reason:
        told({"cannot": str(reason)})
    finally:
        shutil.rmtree(top)


def told(document):
    print(json.dumps(document), flush=True)
