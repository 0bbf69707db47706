"""Helpers of the first migration: columns with the checks of their type, constraints named after their table.

A migration must always make the same tables. So these helpers belong to the first migration only: they import nothing of the
models, and later migrations do not use them.
"""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

NOW: Final = sa.text("now()")
RANDOM_UUID: Final = sa.text("gen_random_uuid()")

_UINT256_MAX: Final = 2**256 - 1
_PREFIXES: Final[dict[type[sa.Constraint], str]] = {
    sa.CheckConstraint: "ck",
    postgresql.ExcludeConstraint: "ex",
    sa.ForeignKeyConstraint: "fk",
    sa.UniqueConstraint: "uq",
}

Default = str | sa.TextClause | None


@dataclass(frozen=True, slots=True)
class Index:
    """The definition of an index. Its columns may be expressions."""

    prefix: str
    name: str
    columns: tuple[str, ...]
    unique: bool
    using: str | None
    where: str | None


def create_table(full_name: str, *parts: sa.Column[Any] | sa.Constraint | Index) -> None:
    """Create `schema.table` and its indexes. The names of constraints and indexes get the table's name as a prefix."""
    schema, _, table = full_name.partition(".")
    items = [part for part in parts if not isinstance(part, Index)]
    for item in items:
        for constraint in item.constraints if isinstance(item, sa.Column) else (item,):
            constraint.name = op.f(_full_name(table, constraint))
    op.create_table(table, *items, schema=schema)
    for index in parts:
        if isinstance(index, Index):
            _create_index(schema, table, index)


def _full_name(table: str, constraint: sa.Constraint) -> str:
    if isinstance(constraint, sa.PrimaryKeyConstraint):
        return f"pk_{table}"
    return f"{_PREFIXES[type(constraint)]}_{table}_{constraint.name}"


def _create_index(schema: str, table: str, index: Index) -> None:
    op.create_index(
        op.f(f"{index.prefix}_{table}_{index.name}"),
        table,
        [column if column.isidentifier() else sa.text(column) for column in index.columns],
        schema=schema,
        unique=index.unique,
        postgresql_using=index.using or False,
        postgresql_where=None if index.where is None else sa.text(index.where),
    )


# Columns. Each is NOT NULL unless `null=True`.


def _column(name: str, kind: Any, *checks: sa.CheckConstraint, null: bool, default: Default = None) -> sa.Column[Any]:
    return sa.Column(name, kind, *checks, nullable=null, server_default=default, autoincrement=False)


def uint256(name: str, *, null: bool = False, checked: bool = True) -> sa.Column[Any]:
    """A uint256 column, checked to be 0 to 2^256 - 1."""
    bounds = check(f"{name}_uint256", f"{name} >= 0 AND {name} <= {_UINT256_MAX}")
    return _column(name, sa.Numeric(78, 0), *([bounds] if checked else []), null=null)


def address(name: str, *, null: bool = False) -> sa.Column[Any]:
    """An address column of exactly 20 bytes."""
    return _column(name, sa.LargeBinary(), check(f"{name}_length", f"octet_length({name}) = 20"), null=null)


def hash32(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A hash column of exactly 32 bytes."""
    return _column(name, sa.LargeBinary(), check(f"{name}_length", f"octet_length({name}) = 32"), null=null)


def bytea(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A column of bytes without a length check."""
    return _column(name, sa.LargeBinary(), null=null)


def in_values(name: str, *values: str, null: bool = False, default: Default = None) -> sa.Column[Any]:
    """A text column, checked to hold one of these values."""
    known = ", ".join(f"'{value}'" for value in values)
    return _column(name, sa.String(), check(f"{name}_known", f"{name} IN ({known})"), null=null, default=default)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(name, sa.Text(), null=null)


def texts(name: str) -> sa.Column[Any]:
    return _column(name, postgresql.ARRAY(sa.Text()), null=False)


def byteas(name: str) -> sa.Column[Any]:
    return _column(name, postgresql.ARRAY(sa.LargeBinary()), null=False)


def boolean(name: str, *, null: bool = False, default: Default = None) -> sa.Column[Any]:
    return _column(name, sa.Boolean(), null=null, default=default)


def smallint(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(name, sa.SmallInteger(), null=null)


def integer(name: str, *, null: bool = False, default: Default = None) -> sa.Column[Any]:
    return _column(name, sa.Integer(), null=null, default=default)


def bigint(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(name, sa.BigInteger(), null=null)


def identity(name: str) -> sa.Column[Any]:
    """A bigint identity column."""
    return sa.Column(name, sa.BigInteger(), sa.Identity(always=False), nullable=False)


def serial(name: str) -> sa.Column[Any]:
    """A bigint column with a sequence: PostgreSQL's older form, which `observations` has."""
    return sa.Column(name, sa.BigInteger(), autoincrement=True, primary_key=True)


def instant(name: str, *, null: bool = False, default: Default = None) -> sa.Column[Any]:
    """A column of a time with time zone."""
    return _column(name, sa.DateTime(timezone=True), null=null, default=default)


def jsonb(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(name, postgresql.JSONB(), null=null)


def uuid(name: str, *, null: bool = False, default: Default = None) -> sa.Column[Any]:
    return _column(name, sa.Uuid(), null=null, default=default)


# Constraints and indexes, named without their table.


def primary_key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns)


def unique(*columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name="_".join(columns))


def foreign_key(column: str, refers_to: str, *, on_delete: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key. `refers_to` is `schema.table.column`."""
    table = refers_to.split(".")[1]
    return sa.ForeignKeyConstraint([column], [refers_to], name=f"{column}_{table}", ondelete=on_delete)


def check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=name)


def no_overlap(name: str, ranges: str) -> postgresql.ExcludeConstraint:
    """A constraint that the ranges of no two rows overlap."""
    return postgresql.ExcludeConstraint((sa.text(ranges), "&&"), using="gist", name=name)


def index(name: str, *columns: str, unique: bool = False, using: str | None = None, where: str | None = None) -> Index:
    return Index("ix", name, columns, unique, using, where)


def unique_index(name: str, *columns: str, where: str | None = None) -> Index:
    """A unique index, which may cover only some rows."""
    return Index("uq", name, columns, True, None, where)
