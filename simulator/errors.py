"""What can go wrong in a run, by whose fault. Only the command line turns these into text and exit codes."""

from __future__ import annotations

# `clean` starts with this module, and `typing` is slow to load.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from simulator.running.determinism import Difference


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


class OracleError(CachestormError):
    """An oracle raised instead of answering: a bug of the oracle's.

    Attributes:
        token: of the run that it looked at.
    """

    exit_code = 70

    def __init__(self, oracle: str, error: Exception, token: str) -> None:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        super().__init__(
            "oracle", oracle, f"oracle '{oracle}' raised {what}; the run is {token}, --debug shows where in the oracle"
        )
        self.token = token


class StuckActorError(CachestormError):
    """An actor made no step for so long that it will make none: a loop without an end, or a call that does not return.

    Whoever wrote the actor finds where in `stack`, which a traceback shows as well.

    Attributes:
        stack: where it was, the innermost frame last, formatted as in a traceback.
    """

    exit_code = 70

    def __init__(
        self, actor: str, seconds: float, where: str, stack: tuple[str, ...], more: str = "", *, in_call: bool = False
    ) -> None:
        """`more` is the option that gives an actor longer, where there is one."""
        hint = f"; if it needs longer, give it that with {more}" if more else ""
        did = f"computed for {seconds:g} s without a call"
        if in_call:
            did = f"made no step for {seconds:g} s and was in a call"
            hint = "; what it waits for cannot come meanwhile, as only one actor runs at a time (a pipe, a FIFO)" + hint
        super().__init__("stuck-actor", actor, f"'{actor}' {did}, at {where}{hint}")
        self.stack = stack
        self.add_note(f"The stack of '{actor}', the innermost call last:\n{''.join(stack)}".rstrip())


class NondeterminismError(CachestormError):
    """The same schedule did not give the same steps: an actor depends on something else than its steps.

    Attributes:
        difference: the first step that differs.
    """

    exit_code = 70

    def __init__(self, difference: Difference, where: str) -> None:
        super().__init__(
            "nondeterminism",
            difference.actor,
            f"'{difference.actor}' is not deterministic: {difference} in {where}; it depends on something that no step"
            " shows, such as the time, random numbers, the order of a set, or what an earlier run left in memory",
        )
        self.difference = difference


class ActorKilled(BaseException):
    """Raised in an actor that makes no further step: killed, or its run is over.

    A BaseException, so that no `except Exception` of the actor goes on; and since every later call raises it
    again and does nothing, no `finally` has an effect either.
    """


class BuildFailedError(Exception):
    """Raised in an actor by the fault `build-error`: the compiler failed. Normal clean-up runs."""


class UngatedCallError(CachestormError):
    """An actor made a call that no gate can stand before; the message names it, where it is, and what to do instead."""
