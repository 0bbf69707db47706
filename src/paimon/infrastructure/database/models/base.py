"""The declarative base and the two schemas of the database.

Tables of `derived` follow from the chain and can be rebuilt. Tables of `ops` hold decisions of operators and of this system,
and cannot. Constraint names follow one convention, so that migrations can name them.
"""

from typing import Any, cast

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

DERIVED_SCHEMA = {"schema": "derived"}
OPS_SCHEMA = {"schema": "ops"}


class Base(DeclarativeBase):
    metadata = metadata
    type_annotation_map = {dict[str, Any]: JSONB, list[Any]: JSONB}  # noqa: RUF012 — SQLAlchemy's own declaration


def table_of(model: type[Base]) -> Table:
    """Return the model's table, for statements about rows instead of objects."""
    return cast(Table, model.__table__)
