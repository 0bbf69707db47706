"""The reference of the command line, as Markdown: `docs/reference/cli.md` is made from it (`make reference`)."""

from collections.abc import Iterator
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from paimon.gateway.cli.command_table import CommandEntry, all_commands

_INTRODUCTION: Final = """\
# Command line

`paimon COMMAND --help` says the same at the terminal. `paimon --install-completion` completes commands, options and values.
`--env-file FILE` stands before the command and names the file with [settings](settings.md), as `PAIMON_ENV_FILE` does.
`make reference` makes this page from [src/paimon/gateway/cli](../../src/paimon/gateway/cli).

| Exit code | Means |
|---|---|
| 0 | the command did what it should, and found nothing wrong; an empty list is nothing wrong |
| 1 | it found something that an operator must look at: a component that is not OK, a difference, an unexplained change |
| 2 | it could not do its work, or the command line is not valid; stderr says why, and what would be right |

`--json` prints on stdout what REST responds with as `data`: the same names, and amounts as decimal strings.
"""


def cli_reference() -> str:
    """Return the page: a section per command of the table, with its commands, arguments and options."""
    return "\n".join((_INTRODUCTION, *(line for entry in all_commands() for line in _section(entry)))).rstrip() + "\n"


def _section(entry: CommandEntry) -> Iterator[str]:
    yield f"## {entry.name}\n"
    yield from _command(f"paimon {entry.name}", get_command(entry.load()))


def _command(path: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    params = [param for param in command.get_params(context) if param.name != "help"]
    arguments = [param for param in params if isinstance(param, TyperArgument)]
    usage = " ".join([path, *(param.metavar or param.name.upper() for param in arguments)])
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield f"### `{usage}`\n"
        yield f"{_plain(command.help)}\n"
        if params:
            yield "| Argument or option | Meaning |"
            yield "|---|---|"
            yield from (f"| {_name(param, context)} | {_meaning(param)} |" for param in params)
            yield ""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from _command(f"{path} {name}", below)


def _plain(help_text: str | None) -> str:
    return " ".join((help_text or "").split())


def _name(param: TyperArgument | TyperOption, context: typer.Context) -> str:
    if isinstance(param, TyperArgument):
        return f"`{param.metavar or param.name.upper()}`"
    value = "" if param.is_flag else f" {(param.display_type_rich(context) or '')}"
    return f"`{max(param.opts, key=len)}{value}`".replace("|", r"\|")


def _meaning(param: TyperArgument | TyperOption) -> str:
    help_text = _plain(param.help).replace("|", r"\|")
    if param.required:
        return f"{help_text} **Required.**"
    has_default = param.default not in (None, False, "", [], ()) and param.show_default is not False
    return f"{help_text} Default: `{getattr(param.default, 'value', param.default)}`." if has_default else help_text
