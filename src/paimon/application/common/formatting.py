"""Formats that JSON and text share: exact decimal amounts, ratios and times."""

from datetime import datetime
from decimal import Decimal

from paimon.domain.kernel.units import BPS_ONE, Bps


def display(amount: int, decimals: int) -> str:
    """Return a raw amount as an exact decimal number."""
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}" if decimals else str(whole)


def ratio(part: Bps) -> str:
    """Return basis points as a decimal fraction of one."""
    return str(Decimal(part) / BPS_ONE)


def iso_z(moment: datetime) -> str:
    """Return an aware UTC time in ISO 8601 with the suffix Z."""
    return moment.isoformat().replace("+00:00", "Z")
