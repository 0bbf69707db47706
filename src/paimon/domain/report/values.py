"""The exact text of a report's values: every digit, no rounding, the same in every language."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from paimon.domain.kernel.units import BPS_ONE
from paimon.domain.report.document import Unit, Value

_WAD_DECIMALS: Final = 18
_BPS_DECIMALS: Final = len(str(BPS_ONE)) - 1


def decimals_of(unit: Unit, asset_decimals: int) -> int | None:
    """Return how many last digits of an integer of this unit are its fraction; None for what is counted in whole units."""
    match unit:
        case Unit.MONEY:
            return asset_decimals
        case Unit.NAV | Unit.SHARES:
            return _WAD_DECIMALS
        case Unit.RATIO:
            return _BPS_DECIMALS
        case _:
            return None


def exact_text(value: Value, unit: Unit, asset_decimals: int) -> str | int | bool | None:
    """Return a value as JSON has it: amounts and ratios as exact decimal text, times in ISO 8601, counts as numbers."""
    match value:
        case None:
            return None
        case bool() | str():
            return value
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Decimal():
            return f"{value:f}"
        case int():
            decimals = decimals_of(unit, asset_decimals)
            return value if decimals is None else decimal_text(value, decimals)


def decimal_text(amount: int, decimals: int) -> str:
    """Return an integer scaled by a power of ten as exact decimal text."""
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def as_decimal(value: int, unit: Unit, asset_decimals: int) -> Decimal:
    """Return an integer in whole units, exactly."""
    return Decimal(value).scaleb(-(decimals_of(unit, asset_decimals) or 0))
