"""Typer as every command uses it: flags without a type behind them, numbers below zero as values, and lazy commands."""

import re
from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command
from typer.models import CommandFunctionType

from paimon.gateway.cli.command_table import CommandEntry, all_commands

_NEGATIVE: Final = re.compile(r"-[0-9.]")


def _without_flag_types(params: list[Any]) -> list[Any]:
    """Have help show `--json`, not `--json <bool>`."""
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag:
            param.metavar = ""
    return params


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> Any:
        return _without_flag_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line. `-5` is a value, which its argument can refuse by name; no option begins with a digit."""
        ctx.ignore_unknown_options = any(_NEGATIVE.match(argument) for argument in args)
        return super().parse_args(ctx, args)


class CommandGroup(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> Any:
        return _without_flag_types(super().get_params(ctx))


class LazyCommand(TyperCommand):
    """A command of the table. Its module is imported when it is called, asked for its own help, or completed."""

    def __init__(self, entry: CommandEntry) -> None:
        super().__init__(entry.name, help=entry.summary)
        self.entry = entry

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Make the context of the command that is behind this one, which then does all the rest."""
        return get_command(self.entry.load()).make_context(*args, **options)


class RootGroup(CommandGroup):
    """The group that holds every command of the table."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for entry in all_commands():
            self.add_command(LazyCommand(entry))


class CommandApp(typer.Typer):
    """A Typer of our commands and groups. Completion is an option of the program, not of each command."""

    def __init__(
        self,
        *,
        help: str | None = None,
        cls: type[TyperGroup] = CommandGroup,
        no_args_is_help: bool = False,
        invoke_without_command: bool = False,
        add_completion: bool = False,
    ) -> None:
        super().__init__(
            help=help,
            cls=cls,
            no_args_is_help=no_args_is_help,
            invoke_without_command=invoke_without_command,
            add_completion=add_completion,
            pretty_exceptions_enable=False,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        return super().command(name, cls=Command, **options)
