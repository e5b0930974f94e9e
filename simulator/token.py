"""Tokens: one run in one short, pasteable string.

``cs1.issue-3515.1f2e3d4c.s7.9a8b7c6d5e4f3a2b.h97abcdefgh.k`` is: the format, the scenario's name, the digest of
everything that decides a run but the seed (overrides included), the seed, the digest of the trace, its length in base
36 with a mark for each eighth of it (so a replay that goes astray can say where), a check character. A schedule in
segments follows the seed, which still draws the faults: ``s7_b4:10,c``. No character needs quoting in a shell. The
token does not carry the overrides themselves: the replay line that is printed with it names them, and the digest
says whether they are the right ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from simulator.engine.trace import MARKS, Fingerprint
from simulator.errors import BadInputError

FORMAT = "cs1"
_CHECK_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
# Name, digest of the scenario, who moves, digest of the trace, its length and marks.
_PARTS = 5
_WHO = re.compile(r"s(?P<seed>0|[1-9][0-9]*)(?:_(?P<segments>[a-z0-9:,]+))?", re.ASCII)
_MARKS = re.compile(rf"(?P<steps>[0-9a-z]+)(?P<marks>[a-z2-7]{{{MARKS}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A run.

    Attributes:
        scenario: name of the scenario (of a file, its stem).
        scenario_digest: `Scenario.digest`.
        seed: of the drawn faults and, without `segments`, of who moves when.
        segments: a schedule in segments, or empty.
        trace: of the recorded run.
    """

    scenario: str
    scenario_digest: str
    seed: int
    segments: str
    trace: Fingerprint

    def __str__(self) -> str:
        """The pasteable form."""
        who = f"s{self.seed}" + (f"_{self.segments}" if self.segments else "")
        marks = _base36(self.trace.steps) + self.trace.marks
        body = f"{FORMAT}.{self.scenario}.{self.scenario_digest}.{who}.{self.trace.digest}.{marks}"
        return f"{body}.{_check(body)}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"


def _check(body: str) -> str:
    return _CHECK_ALPHABET[hashlib.sha256(body.encode()).digest()[0] % len(_CHECK_ALPHABET)]


def parse_token(text: str) -> Token:
    """Read a token.

    Raises:
        BadInputError: it is none, or a character of it is wrong or missing.
    """
    text = text.strip()
    body, _, check = text.rpartition(".")
    start, *rest = body.split(".", 1)
    parts = rest[0].rsplit(".", 4) if rest else []
    who, marks = map(re.fullmatch, (_WHO, _MARKS), (parts[2], parts[4])) if len(parts) == _PARTS else (None, None)
    if start != FORMAT or who is None or marks is None:
        raise BadInputError(
            "bad-token",
            text,
            f"'{text}' is neither a file nor a token ({FORMAT}.SCENARIO.DIGEST.sSEED.DIGEST.MARKS.CHECK)",
        )
    if check != _check(body):
        raise BadInputError(
            "bad-token", text, f"token '{text}' is damaged: its check character does not fit; copy it again"
        )
    name, scenario_digest, _, trace_digest, _ = parts
    trace = Fingerprint(trace_digest, int(marks["steps"], 36), marks["marks"])
    return Token(name, scenario_digest, int(who["seed"]), who["segments"] or "", trace)
