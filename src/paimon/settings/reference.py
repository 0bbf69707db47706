"""The reference of every setting, as Markdown: `docs/reference/settings.md` is made from it (`make reference`)."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from paimon.settings import Settings
from paimon.settings.base import SettingsGroup

_INTRODUCTION = """\
# Settings

Every setting is an environment variable, or a line `NAME=value` of the file that `--env-file` or `PAIMON_ENV_FILE` names.
The environment wins over the file. A secret may be named instead of written, `secret://STORE/NAME#KEY`
([secrets](../operations/deploy.md#secrets)). An unknown variable `PAIMON_…` in the file, or in a group, is refused.
`make reference` makes this page from [src/paimon/settings](../../src/paimon/settings).
"""


def settings_reference() -> str:
    """Return the page: a section per group, a row per variable with its default and meaning."""
    return "\n".join((_INTRODUCTION, *_sections())).rstrip() + "\n"


def _sections() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if not (isinstance(group, type) and issubclass(group, SettingsGroup)):
            raise TypeError(f"the setting {name} is no group")
        yield f"## {name}\n"
        if described := _summary(group):
            yield f"{described}\n"
        yield "| Variable | Default | Meaning |"
        yield "|---|---|---|"
        yield from _rows(group, f"PAIMON_{name.upper()}")
        yield ""


def _rows(group: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in group.model_fields.items():
        variable, annotation = f"{prefix}__{name.upper()}", field.annotation
        if isinstance(annotation, type) and issubclass(annotation, SettingsGroup):
            for row in _rows(annotation, variable):
                yield _with_default_of(row, field)
            continue
        yield f"| `{variable}` | {_default(field)} | {_cell(field.description or '')} |"


def _with_default_of(row: str, parent: FieldInfo) -> str:
    """Take a nested group's default from the parent field, which may differ from the group's own."""
    value: Any = parent.get_default(call_default_factory=True)
    variable = row.split("`")[1]
    name = variable.rsplit("__", 1)[1].lower()
    if not isinstance(value, BaseModel) or not hasattr(value, name):
        return row
    cells = row.split(" | ")
    return " | ".join((cells[0], _shown(getattr(value, name)), *cells[2:]))


def _default(field: FieldInfo) -> str:
    return "**required**" if field.is_required() else _shown(field.get_default(call_default_factory=True))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, SecretStr):
        return "a secret"
    if isinstance(value, bytes):
        return f"`0x{value.hex()}`"
    if isinstance(value, dict | tuple | list | frozenset) and not value:
        return "empty"
    return f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _summary(group: type[BaseModel]) -> str:
    return " ".join((group.__doc__ or "").split("\n\n")[0].split()) if group.__doc__ != SettingsGroup.__doc__ else ""
