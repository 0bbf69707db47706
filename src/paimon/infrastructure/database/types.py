"""Column types and their checks: uint256, addresses, hashes, instants and enums."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from sqlalchemy import CheckConstraint, DateTime, LargeBinary, Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import UINT256_MAX

UINT256_DIGITS: Final = 78


class Uint256Type(TypeDecorator[int]):
    """NUMERIC(78,0) as `int`. Arithmetic with Decimal would round at 28 digits by default."""

    impl = Numeric(UINT256_DIGITS, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


Uint256 = Annotated[int, mapped_column(Uint256Type())]
AddressBytes = Annotated[Address, mapped_column(LargeBinary(20))]
HashBytes = Annotated[Hash32, mapped_column(LargeBinary(32))]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]


def uint256_check(*columns: str) -> Iterable[CheckConstraint]:
    """Check 0 ≤ column < 2²⁵⁶ for each column; NULL is allowed."""
    for column in columns:
        yield CheckConstraint(f"{column} >= 0 AND {column} <= {UINT256_MAX}", name=f"{column}_uint256")


def length_check(octets: int, *columns: str) -> Iterable[CheckConstraint]:
    """Check that each column has exactly this many bytes: 20 for an address, 32 for a hash."""
    for column in columns:
        yield CheckConstraint(f"octet_length({column}) = {octets}", name=f"{column}_length")


def enum_check(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Check that a text column holds one of the enum's values. A PostgreSQL ENUM cannot lose a value; a check can."""
    allowed = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


def enum_column(values: type[StrEnum], **options: Any) -> Any:
    """Make a text column that is read as the enum. Add `enum_check` to the table's arguments."""
    return mapped_column(EnumText(values), **options)


class EnumText(TypeDecorator[StrEnum]):
    impl = String
    cache_ok = True

    def __init__(self, values: type[StrEnum]) -> None:
        super().__init__()
        self.values = values

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.values(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.values(value)
