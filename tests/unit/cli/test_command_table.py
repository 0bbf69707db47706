"""The table of commands says what the commands say of themselves, and no help text shows a type behind a flag."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from paimon.gateway.cli.command_app import LazyCommand
from paimon.gateway.cli.command_table import COMMANDS, CommandEntry, all_commands
from paimon.gateway.cli.main import app
from paimon_devkit.commands import COMMANDS as DEVKIT_COMMANDS

pytestmark = pytest.mark.unit


def test_devkit_adds_its_commands_after_the_product_s() -> None:
    assert all_commands() == [*COMMANDS, *DEVKIT_COMMANDS]
    assert len({command.name for command in all_commands()}) == len(all_commands())


@pytest.mark.parametrize("entry", all_commands(), ids=lambda entry: entry.name)
def test_summary_in_the_table_is_what_the_command_says_of_itself(entry: CommandEntry) -> None:
    command = get_command(entry.load())
    assert " ".join((command.help or "").split("\n\n")[0].split()) == entry.summary


def commands(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command below the group by its whole name, groups too, each with its own options."""
    for name, command in group.commands.items():
        loaded = get_command(command.entry.load()) if isinstance(command, LazyCommand) else command
        yield name, loaded
        if isinstance(loaded, TyperGroup):
            yield from ((f"{name} {inner}", below) for inner, below in commands(loaded))


ALL_COMMANDS = dict(commands(get_command(app)))


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_no_type_stands_behind_a_flag_in_any_help_text(name: str) -> None:
    command = ALL_COMMANDS[name]
    flags = [param for param in command.get_params(typer.Context(command)) if getattr(param, "is_flag", False)]
    assert "--help" in {name for flag in flags for name in flag.opts}
    assert [flag.name for flag in flags if flag.display_type_rich(typer.Context(command))] == []
