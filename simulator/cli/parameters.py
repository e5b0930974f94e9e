"""Options that several commands share, and the types of their values. No heavy imports."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.durations import seconds_of
from simulator.cli.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# The context object of a process that is all ours: it may fork and give up its privileges.
OWN_PROCESS = "own process"

_SEEDS = re.compile(r"(?P<first>[0-9]+):(?P<end>[0-9]+)", re.ASCII)


class Duration(click.ParamType[float]):
    """``20ms``, ``1.5s``, ``2m``; seconds when there is no unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, int | float):
            return float(value)
        seconds = seconds_of(value)
        if seconds is None:
            self.fail(f"'{value}' is no duration, such as 20ms, 1.5s or 2m", param, ctx)
        return seconds


class SeedRange(click.ParamType[range]):
    """``A:B``: seeds from A up to, but not including, B."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """A range that is not empty."""
        if isinstance(value, range):
            return value
        match = _SEEDS.fullmatch(value)
        if match is None or int(match["first"]) >= int(match["end"]):
            self.fail(f"'{value}' is not A:B with A less than B, such as 0:200", param, ctx)
        return range(int(match["first"]), int(match["end"]))


# The first seed of the default scenario that poisons a directory (as of revision 1 of its toolchain): something to see.
DEFAULT_SEED = 3
SEED = click.IntRange(min=0)


def examples(*lines: str) -> str:
    """The epilog of a command: examples to copy."""
    return "\n\n\b\n" + "\n".join(("Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))


def json_option() -> Decorator:
    """`--json`; every command but `solo` has it."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def debug_option() -> Decorator:
    """`--debug` after the command means the same as before it."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)


def override_options(strategies: str = "sticky, random, pct, pos, portfolio or round-robin.") -> Decorator:
    """What a run may have different from its scenario file, as one argument `overrides`; a replay must be given it."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_overrides(**values: Any) -> Any:
            overrides = Overrides(**{field.name: values.pop(field.name) for field in dataclasses.fields(Overrides)})
            return function(overrides=overrides, **values)

        return _override_options(strategies)(with_overrides)

    return decorate


def _override_options(strategies: str) -> Decorator:
    return _all(
        click.option("--builds", type=click.IntRange(min=0), metavar="N", help="How many installs side by side."),
        click.option(
            "--protocol", metavar="P", help="How they share the cache: shared, entry-lock, private, in-place."
        ),
        click.option("--toolchain", metavar="T", help="Which build back end they behave like."),
        click.option(
            "--package",
            metavar="PACKAGE|SDIST",
            help="Install this alone: one of `cachestorm list packages`, or the file of an sdist.",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="SPEC",
            help="Inject one more failure: ACTOR:(STEP|PHASE[+N]):(kill|build-error|stall|ERRNO[:before|after|short]),"
            " e.g. build-3:install_lib:kill. Repeatable.",
        ),
        click.option(
            "--cleaner",
            "cleaners",
            multiple=True,
            metavar="NAME",
            help="Run this cleaner after the storm instead of the scenario's. Repeatable.",
        ),
        click.option(
            "--cache-lock/--no-cache-lock",
            default=None,
            help="Whether installs hold the cache's lock, whatever scenario and protocol say.",
        ),
        click.option("--strategy", metavar="S", help=f"Who picks who moves: {strategies}"),
        click.option(
            "--depth", type=click.IntRange(min=1), metavar="D", help="With --strategy pct: how deep (default 3)."
        ),
    )


def ground_options() -> Decorator:
    """Where a run happens, and how fast; neither changes what happens."""
    return _all(
        sandbox_option(),
        watchdog_option(),
        click.option(
            "--pace", type=Duration(), default=0.0, metavar="DURATION", help="Wait before each step, e.g. 20ms."
        ),
    )


_WATCHDOG = "cachestorm.watchdog"


def watchdog_option() -> Decorator:
    """`--watchdog`; whoever makes runs asks `watchdog_seconds` for it, so that no command has to pass it on."""

    def keep(ctx: click.Context, param: click.Parameter, seconds: float | None) -> None:
        del param
        ctx.meta[_WATCHDOG] = seconds

    return click.option(
        "--watchdog",
        type=Duration(),
        metavar="DURATION",
        expose_value=False,
        callback=keep,
        help="End the run when an actor computes for so long without a system call; 0: never. Default: 10s.",
    )


def watchdog_seconds(default: float) -> float:
    """What the command that runs was given with `--watchdog`."""
    ctx = click.get_current_context(silent=True)
    seconds: float | None = None if ctx is None else ctx.meta.get(_WATCHDOG)
    return default if seconds is None else seconds


def tool_options() -> Decorator:
    """Real installs in place of simulated ones, and how."""
    return _all(
        click.option("--tool", metavar="TOOL", help="Make real installs: build, uv==X.Y.Z or pip==X.Y."),
        click.option(
            "--timeout",
            type=Duration(),
            metavar="DURATION",
            help="With --tool: kill an install, and all that it started, after so long. Default: 10m.",
        ),
        click.option(
            "--packages",
            metavar="DIR",
            help="With --tool: take packages from here (see `cachestorm fetch-packages`).",
        ),
        click.option("--keep-output", metavar="DIR", help="With --tool: keep what the installs print."),
    )


def sandbox_option() -> Decorator:
    """`--sandbox`."""
    return click.option(
        "--sandbox",
        metavar="DIR",
        help="Where to make the sandbox: best a tmpfs. Default: $TMPDIR if set, else /dev/shm.",
    )


def _all(*decorators: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate
