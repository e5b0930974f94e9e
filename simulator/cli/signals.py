"""Ctrl-C and its kin: a signal is noted, and the run ends at its next step, with everything cleaned up.

A handler that raises could strike in the middle of the cleaning up; one that notes cannot, however often the user
presses Ctrl-C. Costs: what waits must ask. Only while input is read, which may wait for ever and has nothing to clean
up, does a signal raise at once (`at_once`).
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Self

import click

from simulator.cli.parameters import OWN_PROCESS
from simulator.errors import InterruptedRunError
from simulator.ground.confined import ENDING_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType


def _is_own_process() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.obj == OWN_PROCESS


class Interruption:
    """Whether a signal asked us to end; use as a context manager. A signal that was ignored stays so (nohup)."""

    def __init__(self) -> None:
        self._number = 0
        self._raises = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        for number in ENDING_SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Our own process is about to end with the signal's exit code; asked again, it must not die of the asking.
        ends = self._number and _is_own_process()
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if ends else before)

    def __call__(self) -> bool:
        """Whether one came."""
        return self._number != 0

    def error(self) -> InterruptedRunError:
        """What to raise: the first signal counts."""
        number = self._number or int(signal.SIGINT)
        return InterruptedRunError(number, signal.Signals(number).name)

    def check(self) -> None:
        """Raise if one came.

        Raises:
            InterruptedRunError: One did.
        """
        if self._number:
            raise self.error()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block that reads what the user gives, and that a signal ends by InterruptedRunError."""
        self._raises = True
        try:
            self.check()
            yield
        finally:
            self._raises = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._number = self._number or number
        if self._raises:
            raise self.error()
