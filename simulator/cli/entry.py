"""The console script: the fast way to `clean`, click's way to everything.

Guarantees: both ways do and say the same (a test holds them together). Costs: before the first entry of a cache goes,
nothing is loaded but what removes it; whatever goes wrong loads click, which is the one place for messages. What is
loaded stays until the end, so nobody looks through it for what could be freed: a tenth of what a small cache takes.
"""

from __future__ import annotations

import gc
import sys

from simulator.cli import clean_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def entry() -> NoReturn:
    """Run the program; exits."""
    options = clean_arguments.read(sys.argv[1:])
    if options is None:
        from simulator.cli.main import entry as by_click  # noqa: PLC0415

        by_click()
    status = _clean(options)
    # Else the interpreter looks through everything once more before it ends.
    gc.freeze()
    sys.exit(status)


def _clean(options: dict[str, Any]) -> int:
    try:
        gc.disable()
        from simulator.cli.cleaning import clean  # noqa: PLC0415
        from simulator.cli.streams import settle  # noqa: PLC0415

        gc.freeze()
        gc.enable()
        settle()
        status = clean(**options, own_process=True)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the user gets one line
        from simulator.cli.main import exit_code_of  # noqa: PLC0415

        return exit_code_of(error, as_json=options["as_json"])
    return status
