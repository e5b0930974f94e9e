"""Checkpoints: a systematic search on paper, to go on from another time.

A file holds the path of the search (who was tried where, who sleeps, with footprints), the kills at hand, and what was
found. It is of one subject, seed and number of kills, and says so. It is replaced in one step, so that whoever is
killed while it is written loses nothing but the runs since the last one.

Guarantee: a search that goes on from one makes the runs that it would have made, and ends with the same answer.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from simulator.errors import BadInputError
from simulator.running.outcome import Violation
from simulator.search.dpor import Node
from simulator.search.found import Outcome, Shown, Violated

if TYPE_CHECKING:
    from simulator.exploration.keys import Footprint
    from simulator.search.found import Found
    from simulator.search.systematic import Systematic

SCHEMA = "cachestorm/checkpoint/1"


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a search must have in common with its checkpoint."""

    scenario: str
    digest: str
    seed: int
    kills: int
    classes: bool


def save(search: Systematic, file: str) -> None:
    """Write it down.

    Raises:
        BadInputError: the file cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "of": asdict(_identity(search)),
        "pruned": search.pruned,
        "starving": search.starving,
        "over": search.over,
        "seconds": search.seconds if search.timed else None,
        "plan": search.plan.state(),
        "branched_at": search.dpor.branched_at,
        "path": [_node(node) for node in search.dpor.path],
        "found": _found(search.found),
    }
    beside = f"{file}.new"
    try:
        with open(beside, "w", encoding="utf-8") as stream:
            json.dump(document, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, file)
    except OSError as error:
        raise BadInputError(
            "bad-checkpoint", file, f"--checkpoint '{file}' cannot be written: {error.strerror}"
        ) from error


def restore(search: Systematic, file: str) -> None:
    """Let a search that has not begun go on where the file's was.

    Raises:
        BadInputError: the file cannot be read, is no checkpoint, or of another search.
    """
    try:
        with open(file, encoding="utf-8") as stream:
            document = json.load(stream)
    except OSError as error:
        raise BadInputError(
            "bad-checkpoint", file, f"--checkpoint '{file}' cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise _damaged(file) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _damaged(file)
    wanted, given = asdict(_identity(search)), document.get("of")
    if not isinstance(given, dict) or given.keys() != wanted.keys():
        raise _damaged(file)
    differing = [f"{key} {given[key]}, not {value}" for key, value in wanted.items() if given[key] != value]
    if differing:
        raise BadInputError(
            "bad-checkpoint",
            file,
            f"--checkpoint '{file}' is of another search: {'; '.join(differing)}; give another file",
        )
    try:
        _restore(search, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(file) from error


def _restore(search: Systematic, document: dict[str, Any]) -> None:
    search.pruned, search.over = document["pruned"], document["over"]
    # Older ones lack these.
    search.starving, seconds = document.get("starving", 0), document.get("seconds")
    search.seconds, search.timed = float(seconds or 0), seconds is not None
    search.plan.restore(document["plan"])
    search.dpor.path = [_node_of(node) for node in document["path"]]
    search.dpor.branched_at = document["branched_at"]
    found, was = search.found, document["found"]
    found.runs, found.last_new = was["runs"], was["last_new"]
    found.sometimes = was["sometimes"]
    found.classes = None if was["classes"] is None else set(was["classes"])
    for item in was["outcomes"]:
        found.outcomes[item["signature"]] = Outcome(**{**item, "shown": Shown(**item["shown"])})
    for item in was["violations"]:
        violation = Violation(**item["violation"])
        key = (violation.signature, violation.expected)
        found.violations[key] = Violated(violation, item["count"], Shown(**item["shown"]))


def _identity(search: Systematic) -> _Identity:
    subject = search.subject
    return _Identity(subject.name, subject.digest, search.seed, search.kills, search.found.classes is not None)


def _found(found: Found) -> dict[str, object]:
    return {
        "runs": found.runs,
        "last_new": found.last_new,
        "outcomes": [asdict(item) for item in found.outcomes.values()],
        "violations": [asdict(item) for item in found.violations.values()],
        "sometimes": found.sometimes,
        "classes": None if found.classes is None else sorted(found.classes),
    }


def _node(node: Node) -> dict[str, object]:
    return {
        "actor": node.actor,
        "footprint": None if node.footprint is None else _footprint(node.footprint),
        "todo": sorted(node.todo),
        "done": {str(actor): _footprint(what) for actor, what in node.done.items()},
        "sleep": {str(actor): _footprint(what) for actor, what in node.sleep.items()},
        "disabled": sorted(node.disabled),
        "revived": {str(actor): times for actor, times in node.revived.items()},
    }


def _node_of(document: dict[str, Any]) -> Node:
    return Node(
        sleep={int(actor): _footprint_of(what) for actor, what in document["sleep"].items()},
        actor=document["actor"],
        footprint=None if document["footprint"] is None else _footprint_of(document["footprint"]),
        todo=set(document["todo"]),
        done={int(actor): _footprint_of(what) for actor, what in document["done"].items()},
        disabled=set(document["disabled"]),
        # Older ones have none.
        revived={int(actor): times for actor, times in document.get("revived", {}).items()},
    )


def _footprint(footprint: Footprint) -> list[list[object]]:
    return [[*key, kind] for key, kind in footprint.items()]


def _footprint_of(rows: list[list[Any]]) -> Footprint:
    return {(part, number, name): kind for part, number, name, kind in rows}


def _damaged(file: str) -> BadInputError:
    return BadInputError("bad-checkpoint", file, f"--checkpoint '{file}' is no checkpoint, or a damaged one")
