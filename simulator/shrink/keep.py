"""What a smaller run has to show, to count as the same failure.

A violation is the same if an oracle says it with the same signature. A poisoned directory is told by what the run left,
not by an oracle: as any directory that keeps its owner out, or as the very same one.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simulator.engine.trace import LIST_PATH, OPENDIR
from simulator.errors import BadInputError

if TYPE_CHECKING:
    from simulator.search.subject import Trial


_OF_DIRECTORIES = frozenset({"mkdir", "rmdir", LIST_PATH, OPENDIR})
_TAKES_A_NAME = frozenset({"rmdir", "unlink", "rename"})


class Keep(Protocol):
    """A failure that shrinking keeps."""

    def __call__(self, trial: Trial) -> bool:
        """Whether this run fails in that way."""

    @property
    def told(self) -> str:
        """For people: what is kept."""


@dataclass(frozen=True, slots=True)
class SameViolation:
    """Some oracle's verdict of this signature.

    Attributes:
        signature: of the violation.
        sentence: what is said of it; empty for the signature.
    """

    signature: str
    sentence: str = ""

    def __call__(self, trial: Trial) -> bool:
        """As `Keep`."""
        return any(violation.signature == self.signature for violation in trial.violations)

    @property
    def told(self) -> str:
        """As `Keep.told`."""
        return f"'{self.sentence}'" if self.sentence else self.signature


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A directory keeps its owner out.

    Attributes:
        path: which; None for any.
    """

    path: str | None = None

    def __call__(self, trial: Trial) -> bool:
        """As `Keep`."""
        found = poisoned_in(trial)
        return bool(found) if self.path is None else self.path in found

    @property
    def told(self) -> str:
        """As `Keep.told`."""
        return "poisoned directory" if self.path is None else f"poisoned directory {self.path}"


def poisoned_in(trial: Trial) -> tuple[str, ...]:
    """The directories that are left without access for their owner, as far as the steps tell; in order of path."""
    directories: set[str] = set()
    modes: dict[str, int] = {}
    for _, _, operation, path, target, mode, error, _, _ in trial.storm:
        if operation in _OF_DIRECTORIES:
            directories.add(path)
        if error is not None:
            continue
        if operation == "chmod" and mode is not None:
            modes[path] = mode
        elif operation in _TAKES_A_NAME:
            for known in [known for known in modes if known == path or known.startswith(f"{path}/")]:
                bits = modes.pop(known)
                if operation == "rename" and target is not None:
                    modes[target + known[len(path) :]] = bits
    closed = [path for path, mode in modes.items() if not mode & stat.S_IRUSR]
    return tuple(sorted(path for path in closed if path in directories))


def keep_of(trial: Trial, *, same_directory: bool = False, signature: str | None = None) -> Keep:
    """What to keep of a run: what was asked for, or the most telling of what it shows.

    That is: the violation that is not expected; else a poisoned directory; else the first violation that is.

    Args:
        trial: the run.
        same_directory: a poisoned directory has to be this run's.
        signature: of the violation to keep.

    Raises:
        BadInputError: nothing is wrong with the run, or not what was asked for.
    """
    poisoned = poisoned_in(trial)
    if same_directory and not poisoned:
        raise BadInputError(
            "nothing-to-shrink", trial.token, "the run leaves no poisoned directory: leave out --same-directory"
        )
    if signature is not None:
        known = sorted({violation.signature for violation in trial.violations})
        if signature not in known:
            told = f"it has {', '.join(known)}" if known else "it has none"
            raise BadInputError("unknown-violation", signature, f"the run has no violation '{signature}'; {told}")
        return SameViolation(signature)
    unexpected = [violation for violation in trial.violations if not violation.expected]
    if unexpected and not same_directory:
        return SameViolation(unexpected[0].signature)
    if poisoned:
        return Poisoned(poisoned[0] if same_directory else None)
    if trial.violations:
        return SameViolation(trial.violations[0].signature)
    raise BadInputError("nothing-to-shrink", trial.token, "the run passes: no violation, no poisoned directory")


def signature_to_ask(keep: Keep, trial: Trial) -> str | None:
    """The signature with which `keep_of` keeps this of a run that fails so; None if it does without, or cannot."""
    return keep.signature if isinstance(keep, SameViolation) and keep_of(trial) != keep else None
