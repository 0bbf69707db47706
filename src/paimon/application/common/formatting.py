"""Formats that JSON and text share: exact decimal amounts, ratios and times."""

from datetime import datetime
from decimal import Decimal

from paimon.domain.kernel.units import BPS_ONE, Bps


def display(amount: int, decimals: int) -> str:
    """A raw amount as an exact decimal number."""
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}" if decimals else str(whole)


def ratio(part: Bps) -> str:
    """A part of a whole as a decimal number."""
    return str(Decimal(part) / BPS_ONE)


def iso_z(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
