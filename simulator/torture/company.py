"""Who is at work in a cache while it is cleaned: a process of its own, from before the cleaner to after it.

Guarantees: the cleaner begins when the company says so; a company that comes to its end is waited for, one that does
not is killed; a bug in it is an error of ours and no verdict. Costs: a fork.
"""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from typing import TYPE_CHECKING, Self

from simulator.errors import InternalError
from simulator.ground.confined import die_with_parent, hold_nothing

if TYPE_CHECKING:
    from scenarios.states.place import Place
    from scenarios.states.state import State

_READY = b"r"
_READY_SECONDS_MAX = 30.0
# What a build needs to come to its end once nobody cleans any more; one that never does writes until it is killed.
_END_SECONDS_MAX = 2.0
_LOOK_SECONDS = 0.002
_TEXT_BYTES_MAX = 1 << 14


def _say(fd: int, data: bytes) -> None:
    os.write(fd, data)


class CompanyAtWork:
    """Begins with the block, ends with it.

    Attributes:
        was_ended: whether somebody else ended it by a signal.
    """

    def __init__(self, state: State, place: Place) -> None:
        self._state = state
        self._place = place
        self._pid = 0
        self._told = -1
        self.was_ended = False

    def __enter__(self) -> Self:
        if self._state.company is None:
            return self
        self._told, telling = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._work(telling)
        os.close(telling)
        readable, _, _ = select.select([self._told], [], [], _READY_SECONDS_MAX)
        first = os.read(self._told, 1) if readable else b""
        if first != _READY:
            self.__exit__()
            raise self._bug(first)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._pid:
            return
        deadline = time.monotonic() + _END_SECONDS_MAX
        pid = status = 0
        while not pid and time.monotonic() < deadline:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            time.sleep(_LOOK_SECONDS)
        if pid:
            self.was_ended = os.WIFSIGNALED(status)
        else:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._pid = 0
        said = os.read(self._told, _TEXT_BYTES_MAX)
        os.close(self._told)
        if said:
            raise self._bug(said)

    def _work(self, telling: int) -> None:
        at_work = False

        def ready() -> None:
            nonlocal at_work
            _say(telling, _READY)
            at_work = True

        try:
            hold_nothing()
            die_with_parent(signal.SIGKILL)
            assert self._state.company is not None  # noqa: S101
            self._state.company(self._place, ready)
        except OSError:
            # The cleaner has made it impossible to go on, as it may: no room, no permission. Before that it is a bug.
            if not at_work:
                _say(telling, traceback.format_exc()[-_TEXT_BYTES_MAX:].encode(errors="replace"))
        except BaseException:  # noqa: BLE001 - whatever it is, it is told
            _say(telling, traceback.format_exc()[-_TEXT_BYTES_MAX:].encode(errors="replace"))
        finally:
            # Nothing of the parent's (buffers, exit handlers) may happen twice.
            os._exit(0)

    def _bug(self, said: bytes) -> InternalError:
        last = said.decode(errors="replace").strip().splitlines() or ["it was not ready in time"]
        return InternalError("company", self._state.name, f"the company of the state '{self._state.name}': {last[-1]}")
