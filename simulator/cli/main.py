"""The command `cachestorm`: one file a command, loaded when it is asked for.

Guarantees: every way out has the exit code of the contract (docs/reference/commands.md), errors are one line each on
stderr, stdout is valid JSON with `--json`. Costs: click; what a command needs is imported by the command.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from simulator.cli.failures import BROKEN_PIPE, failure_of, report
from simulator.cli.parameters import OWN_PROCESS, examples
from simulator.cli.streams import settle
from simulator.errors import MachineError
from simulator.naming import unknown_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What a write meets where there is no room for what it writes.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# In the order in which a newcomer meets them.
_COMMANDS = {
    "demo": "simulator.cli.demo",
    "run": "simulator.cli.run",
    "explore": "simulator.cli.explore",
    "replay": "simulator.cli.replay",
    "shrink": "simulator.cli.shrink",
    "clean": "simulator.cli.clean",
    "audit": "simulator.cli.audit",
    "torture": "simulator.cli.torture",
    "solo": "simulator.cli.solo",
    "fetch-packages": "simulator.cli.fetch_packages",
    "manifest": "simulator.cli.manifest",
    "list": "simulator.cli.listing",
    "doctor": "simulator.cli.doctor",
}


class Program(click.Group):
    """A group whose commands are modules with a `command`, and whose errors keep the contract."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one."""
        del ctx
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(module).command
        return cast("click.Command", command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find one; an unknown one is refused with the nearest that is known."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.UsageError(unknown_message("command", error.command_name, _COMMANDS), ctx) from error

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments; `--help` prints here."""
        with _failed_writes_told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its output is out when this returns."""
        with _failed_writes_told(lambda: self._has_sandbox(ctx)):
            status = super().invoke(ctx)
            sys.stdout.flush()
            return status

    def _has_sandbox(self, ctx: click.Context) -> bool:
        """Whether the command that was given has a sandbox, which may be what is full."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        return command is not None and any("--sandbox" in parameter.opts for parameter in command.params)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program; exits, or returns the exit code when not `standalone_mode`."""
        arguments = list(sys.argv[1:] if args is None else args)
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        try:
            status = super().main(arguments, prog_name, complete_var, standalone_mode=False, **extra)
            code = status if isinstance(status, int) else 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the user gets one line
            code = _show(error, as_json="--json" in options, debug="--debug" in options)
        if standalone_mode:
            sys.exit(code)
        return code


@contextmanager
def _failed_writes_told(has_sandbox: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Output that cannot be written has its exit code, too."""
    try:
        yield
    except BrokenPipeError:
        _silence_stdout()
        raise click.exceptions.Exit(BROKEN_PIPE) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = "the output, or for the sandbox with --sandbox" if has_sandbox() else "the output"
        reason = f"a write failed: {error.strerror}; make room for {where}"
        raise MachineError("space", error.strerror or "", reason) from error


def exit_code_of(error: BaseException, *, as_json: bool) -> int:
    """Show an error that ended a command without click: its exit code, as click's way would have it."""
    try:
        with _failed_writes_told():
            raise error  # noqa: TRY301 - what becomes of it decides the exit code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (Exception, KeyboardInterrupt) as failure:  # noqa: BLE001 - as in `Program.main`
        return _show(failure, as_json=as_json, debug=False)


def _show(error: BaseException, *, as_json: bool, debug: bool) -> int:
    try:
        code = report(error, as_json=as_json, debug=debug)
        # What was printed before, too: it must not fail at exit.
        sys.stdout.flush()
        return code  # noqa: TRY300 - the flush decides
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except OSError:
        # No room for the document either: the exit code is what is left to tell.
        _silence_stdout()
        return failure_of(error).exit


def _silence_stdout() -> None:
    """Nobody reads it any more: what is still buffered must not fail at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        # Not a real stream (a test's): nothing is written at exit then.
        return


@click.command(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("cachestorm demo", "cachestorm run issue-3515 --seed 7", "cachestorm clean ~/.cache/uv --dry-run"),
)
@click.version_option(package_name="cachestorm", prog_name="cachestorm")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Reproduce, replay and clean up after races on a shared package cache.

    Exit codes: 0 what was asked holds; 1 it does not; 2 usage or bad input; 3 this machine lacks something;
    70 a bug of ours; 130, 143, 129 interrupted.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def entry() -> NoReturn:
    """The program through click; what the console script does with everything but a plain `clean` (`entry`)."""
    settle()
    program.main(prog_name="cachestorm", obj=OWN_PROCESS)
    raise AssertionError("click exits")
