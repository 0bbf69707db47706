"""One line for a command line that is not valid: the option or argument, what was given, and what would be right."""

from types import MappingProxyType
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperOption

_EXPECTED: Final = MappingProxyType(
    {
        "int": "a whole number",
        "float": "a number",
        "uuid": "an id, 32 hexadecimal digits in five groups",
        "bool": "true or false",
    }
)
"""What a value of each type is, in the words of the person who types it."""


def describe_usage_error(error: typer.TyperException) -> str:
    """Return the line that explains the error; empty where the help text was shown instead."""
    message = (_refused_value(error) or " ".join(error.format_message().split())).removesuffix(".")
    context: Any = getattr(error, "ctx", None)
    if context is None or not message:
        return message
    return f"{message} (see `{context.command_path} --help`)"


def _refused_value(error: typer.TyperException) -> str | None:
    """Return what is wrong with one value; None for any other error."""
    if not isinstance(error, typer.BadParameter):
        return None
    param: Any = error.param
    if param is None:
        return f"{error.param_hint}: {error.message}" if error.param_hint else None
    if (problem := _first_problem(error.__cause__)) is None:
        return f"{_name(param)}: {error.message}" if error.message else None
    raised = problem.get("ctx", {}).get("error")
    if isinstance(raised, Exception):  # by a parser of ours, or by Typer's of choices
        return f"{_name(param)}: {raised}"
    types = (getattr(param.type_descriptor.annotation, "__name__", "").lower(), problem["type"].partition("_")[0])
    expected = next((_EXPECTED[name] for name in types if name in _EXPECTED), None)
    if expected is None:
        return f"{_name(param)}: {error.message}"
    return f"{_name(param)}: {problem['input']!r} is not {expected}{_range(param)}"


def _first_problem(cause: BaseException | None) -> dict[str, Any] | None:
    """Return what pydantic found, by which Typer reads values. A value of several parts has its problem inside another."""
    from pydantic import ValidationError  # imported here: `paimon --help` does without pydantic

    while isinstance(cause, ValidationError):
        problem: dict[str, Any] = dict(cause.errors()[0])
        cause = problem.get("ctx", {}).get("error")
        if not isinstance(cause, ValidationError):
            return problem
    return None


def _name(param: TyperArgument | TyperOption) -> str:
    """Return the name as the help text shows it: `--limit`, `SHARES`."""
    return max(param.opts, key=len) if isinstance(param, TyperOption) else (param.metavar or param.name.upper())


def _range(param: TyperArgument | TyperOption) -> str:
    match param.min, param.max:
        case None, None:
            return ""
        case least, None:
            return f" of at least {least}"
        case None, most:
            return f" of at most {most}"
        case least, most:
            return f" from {least} to {most}"
    return ""
