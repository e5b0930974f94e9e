"""Ctrl-C and its kin: a signal is noted, and the run ends at its next step, with everything cleaned up.

A handler that raises could strike in the middle of the cleaning up; one that notes cannot, however often the user
presses Ctrl-C. Costs: what waits must ask. Only while input is read, which may wait for ever and has nothing to clean
up, does a signal raise at once (`at_once`). Imports nothing heavy: `clean` starts with it.
"""

from __future__ import annotations

from simulator.errors import InterruptedRunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType, TracebackType
    from typing import Self
else:
    # Its calls and numbers, without the names for these, which take longer to load than all of this command's own code.
    import _signal as signal

# As `ground.confined` has them, which `clean` must not load: a test holds the two together.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether a signal asked us to end; use as a context manager. A signal that was ignored stays so (nohup).

    Args:
        own_process: Whether the process ends with what is interrupted; None when click's context tells.
    """

    def __init__(self, *, own_process: bool | None = None) -> None:
        self._own_process = own_process
        self._number = 0
        self._raises = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        for number in ENDING_SIGNALS:
            before = signal.getsignal(number)
            if before != signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Our own process is about to end with the signal's exit code; asked again, it must not die of the asking.
        ends = self._number and (is_own_process() if self._own_process is None else self._own_process)
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if ends else before)

    def __call__(self) -> bool:
        """Whether one came."""
        return self._number != 0

    def error(self) -> InterruptedRunError:
        """What to raise: the first signal counts."""
        from signal import Signals  # noqa: PLC0415 - as below

        number = self._number or int(signal.SIGINT)
        return InterruptedRunError(number, Signals(number).name)

    def check(self) -> None:
        """Raise if one came.

        Raises:
            InterruptedRunError: One did.
        """
        if self._number:
            raise self.error()

    def at_once(self) -> _AtOnce:
        """A block that reads what the user gives, and that a signal ends by InterruptedRunError."""
        return _AtOnce(self)

    def raises(self, whether: bool) -> None:
        """Whether a signal raises from now on, one that came before included."""
        self._raises = whether
        if whether:
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._number = self._number or number
        if self._raises:
            raise self.error()


class _AtOnce:
    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def __enter__(self) -> None:
        try:
            self._interruption.raises(True)
        except InterruptedRunError:
            self._interruption.raises(False)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._interruption.raises(False)


def is_own_process() -> bool:
    """Whether click's context says that the process ends with the command."""
    import click  # noqa: PLC0415

    from simulator.cli.parameters import OWN_PROCESS  # noqa: PLC0415

    context = click.get_current_context(silent=True)
    return context is not None and context.obj == OWN_PROCESS
