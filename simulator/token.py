"""Tokens: one run in one short, pasteable string of at most 80 characters.

``cs1.issue-3515.1f2e3d4c.s7.9a8b7c6d5e4f3a2b.h97abcdefgh.k`` is a run by its seed: the format, the scenario's name, the
digest of everything that decides a run but the seed (overrides included), the seed, the digest of the trace, its length
in base 36 with a mark for each eighth of it (so a replay that goes astray can say where), a check character.

``cs2.issue-3515.k7dq.b1:2402,b2:2434,b1,-.m3wt`` is a run by its schedule (`simulator.schedule`), as a search or
shrinking makes them: both digests short, as the schedule itself notices most of what could differ, and the check
character at the end of the second. The digest of the scenario covers the schedule, and not the strategy, which has no
say. A seed comes before the schedule (``s7_b1:...``) where it is not 0. A run by its seed has this form too where the
long one would have more than 80 characters, and a name that is still too long is cut (whoever has a file of such a name
has to say where it is anyway).

No character needs quoting in a shell. The token does not carry the overrides themselves: the replay line that is
printed with it names them, and the digest says whether they are the right ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from simulator.engine.trace import MARKS, Fingerprint
from simulator.errors import BadInputError

LONG, SHORT = "cs1", "cs2"
# What a chat, an issue's title and a terminal take in one line.
CHARACTERS_MAX = 80
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
# Name, digest of the scenario, who moves, digest of the trace; of the long form its length and marks.
_PARTS = {LONG: 5, SHORT: 4}
_WHO = re.compile(r"s(?P<seed>0|[1-9][0-9]*)(?:_(?P<segments>[A-Za-z0-9:,@_-]+))?", re.ASCII)
_SEGMENTS = re.compile(r"[A-Za-z0-9:,@_-]+", re.ASCII)
_MARKS = re.compile(rf"(?P<steps>[0-9a-z]+)(?P<marks>[a-z2-7]{{{MARKS}}})", re.ASCII)
# 20 and 15 bits: a forgotten option goes unnoticed once in a million, another trace (of a run that has followed the
# whole schedule) once in 33,000.
_SCENARIO_CHARACTERS, _TRACE_CHARACTERS = 4, 3
_SHORT_DIGEST = re.compile(rf"[a-z2-7]{{{_SCENARIO_CHARACTERS}}}", re.ASCII)
_SHORT_TRACE = re.compile(rf"[a-z2-7]{{{_TRACE_CHARACTERS}}}", re.ASCII)
_FORMS = f"{LONG}.SCENARIO.DIGEST.sSEED.DIGEST.MARKS.CHECK or {SHORT}.SCENARIO.DIGEST.SCHEDULE.DIGEST"


@dataclass(frozen=True, slots=True)
class Token:
    """A run.

    Attributes:
        scenario: name of the scenario (of a file, its stem).
        scenario_digest: of the scenario and, where there are `segments`, of them.
        seed: of the drawn faults and, without `segments`, of who moves when.
        segments: a schedule in segments, or empty.
        trace: of the recorded run; the short form knows neither steps nor marks.
        form: `LONG` or `SHORT`.
    """

    scenario: str
    scenario_digest: str
    seed: int
    segments: str
    trace: Fingerprint
    form: str = LONG

    def __str__(self) -> str:
        """The pasteable form."""
        body = f"{self.form}.{self.scenario}.{self.scenario_digest}.{self._who}.{self.trace.digest}"
        if self.form == SHORT:
            return body + _check(body)
        body += f".{_base36(self.trace.steps)}{self.trace.marks}"
        return f"{body}.{_check(body)}"

    @property
    def _who(self) -> str:
        """The schedule, the seed before it; a schedule that could be taken for a seed always has one."""
        if not self.segments:
            return f"s{self.seed}"
        needed = self.seed or self.form == LONG or _WHO.fullmatch(self.segments)
        return f"s{self.seed}_{self.segments}" if needed else self.segments

    @property
    def fits(self) -> bool:
        """Whether it is short enough to paste anywhere."""
        return len(str(self)) <= CHARACTERS_MAX

    def digest_of(self, scenario_digest: str) -> str:
        """What `scenario_digest` has to be for a run of the scenario with this digest."""
        return scenario_digest if self.form == LONG else _digest_with(scenario_digest, self.segments)

    def has_trace(self, trace: Fingerprint) -> bool:
        """Whether this is the trace of its run, as far as it says."""
        return self.trace.digest == (trace.digest if self.form == LONG else _shortened(trace))


def token_for(scenario: str, scenario_digest: str, seed: int, segments: str, trace: Fingerprint) -> Token:
    """The token of a run, in the form that it is to be shown in.

    Args:
        scenario: its name.
        scenario_digest: of everything but seed and schedule.
        seed: as in `Token`.
        segments: the schedule, if that and not the seed says who moves.
        trace: of the run.
    """
    token = Token(scenario, scenario_digest, seed, segments, trace)
    if not segments and token.fits:
        return token
    short = Fingerprint(_shortened(trace), 0, "")
    token = Token(scenario, _digest_with(scenario_digest, segments), seed, segments, short, SHORT)
    over = len(str(token)) - CHARACTERS_MAX
    if over > 0 and not segments:
        token = Token(scenario[: max(1, len(scenario) - over)], *_but_name(token))
    return token


def _but_name(token: Token) -> tuple[str, int, str, Fingerprint, str]:
    return token.scenario_digest, token.seed, token.segments, token.trace, token.form


def _digest_with(scenario_digest: str, segments: str) -> str:
    return _base32(f"{scenario_digest} {segments}", _SCENARIO_CHARACTERS)


def _shortened(trace: Fingerprint) -> str:
    return _base32(f"{trace.digest} {trace.steps}", _TRACE_CHARACTERS)


def _base32(text: str, characters: int) -> str:
    return "".join(_BASE32[byte % len(_BASE32)] for byte in hashlib.sha256(text.encode()).digest()[:characters])


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"


def _check(body: str) -> str:
    return _base32(body, 1)


def parse_token(text: str) -> Token:
    """Read a token of either form.

    Raises:
        BadInputError: it is none, or a character of it is wrong or missing.
    """
    text = text.strip()
    if text.startswith(f"{SHORT}."):
        body, check = text[:-1], text[-1:]
    else:
        body, _, check = text.rpartition(".")
    token = _parsed(body)
    if token is None:
        raise BadInputError("bad-token", text, f"'{text}' is neither a file nor a token ({_FORMS})")
    if check != _check(body):
        raise BadInputError(
            "bad-token", text, f"token '{text}' is damaged: its check character does not fit; copy it again"
        )
    return token


def _parsed(body: str) -> Token | None:
    """The token without its check character; None if it is none."""
    form, _, rest = body.partition(".")
    parts = rest.rsplit(".", _PARTS.get(form, 1) - 1)
    if form not in _PARTS or len(parts) != _PARTS[form]:
        return None
    name, digest, schedule, trace = parts[:4]
    who = _who(schedule, form)
    if who is None:
        return None
    if form == SHORT:
        if not _SHORT_DIGEST.fullmatch(digest) or not _SHORT_TRACE.fullmatch(trace):
            return None
        return Token(name, digest, *who, Fingerprint(trace, 0, ""), SHORT)
    marks = _MARKS.fullmatch(parts[4])
    return (
        None
        if marks is None
        else Token(name, digest, *who, Fingerprint(trace, int(marks["steps"], 36), marks["marks"]))
    )


def _who(text: str, form: str) -> tuple[int, str] | None:
    """Seed and segments; None if they are none."""
    match = _WHO.fullmatch(text)
    if match is not None:
        return int(match["seed"]), match["segments"] or ""
    return (0, text) if form == SHORT and _SEGMENTS.fullmatch(text) else None
