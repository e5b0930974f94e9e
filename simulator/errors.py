"""What can go wrong in a run, by whose fault. Only the command line turns these into text and exit codes."""

from __future__ import annotations


class CachestormError(Exception):
    """Base of the errors that a caller can do something about.

    Attributes:
        kind: a word for scripts, e.g. ``unknown-scenario``.
        value: the value that was wrong, as given.
        message: one line: what is wrong and what to do.
        exit_code: what the command line exits with (design: 2 bad input, 3 the machine lacks something).
    """

    exit_code = 2

    def __init__(self, kind: str, value: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.value = value
        self.message = message


class BadInputError(CachestormError):
    """The caller's value is wrong; the message says how, and names the nearest right one."""


class DivergenceError(CachestormError):
    """A replay did something else than the recorded run: the program, the scenario or the machine differs."""


class MachineError(CachestormError):
    """This machine lacks what the run needs; the message says what to do about it."""

    exit_code = 3


class InterruptedRunError(CachestormError):
    """A signal ended the run; everything it made is removed.

    Attributes:
        report: what was done until then, where that is worth saying; for the error document.
    """

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__("interrupted", signal_name, f"interrupted by {signal_name}; everything is cleaned up")
        self.exit_code = 128 + signal_number
        self.report: dict[str, object] | None = None


class PrunedRunError(Exception):
    """A search ended the run, as it knows what would follow: no outcome, and nobody's fault."""


class InternalError(CachestormError):
    """A bug of ours: the run contradicts itself."""

    exit_code = 70


class ActorKilled(BaseException):
    """Raised in an actor that makes no further step: killed, or its run is over.

    A BaseException, so that no `except Exception` of the actor goes on; and since every later call raises it
    again and does nothing, no `finally` has an effect either.
    """


class BuildFailedError(Exception):
    """Raised in an actor by the fault `build-error`: the compiler failed. Normal clean-up runs."""


class UngatedCallError(CachestormError):
    """An actor made a call that no gate can stand before; the message names it, where it is, and what to do instead."""
