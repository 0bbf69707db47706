"""The parity of USDT with the US dollar, by sources of its own. Prices in USD are divided by it; none is assumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.units import WAD, Bps, RawAmount, Rounding, divide
from paimon.domain.price.agreement import Agreement, AgreementRules, agree, part
from paimon.domain.price.calendar import Calendar
from paimon.domain.price.observation import Observation

PARITY_SUBJECT: Final = "USDT/USD"
PARITY_WARNING: Final = Bps(50)
PARITY_CRITICAL: Final = Bps(200)


class ParityStatus(StrEnum):
    UNKNOWN = "UNKNOWN"  # no source, or the sources do not agree
    AT_PARITY = "AT_PARITY"
    WARNING = "WARNING"  # 0.5 % off or more
    CRITICAL = "CRITICAL"  # 2 % off or more


@dataclass(frozen=True, slots=True)
class Parity:
    """USD for one USDT, as the sources agree on it."""

    agreement: Agreement

    @property
    def price(self) -> RawAmount | None:
        return self.agreement.price

    @property
    def status(self) -> ParityStatus:
        if self.price is None:
            return ParityStatus.UNKNOWN
        off = abs(self.price - WAD)
        if off >= part(WAD, PARITY_CRITICAL):
            return ParityStatus.CRITICAL
        return ParityStatus.WARNING if off >= part(WAD, PARITY_WARNING) else ParityStatus.AT_PARITY

    @property
    def deviation(self) -> Decimal | None:
        return None if self.price is None else Decimal(abs(self.price - WAD)) / Decimal(WAD)

    def in_usdt(self, usd: int) -> int | None:
        """Convert a price in USD, rounded down; None while the parity is unknown, and for a negative price the price."""
        if self.price is None:
            return None
        return divide(usd * WAD, self.price, rounding=Rounding.DOWN) if usd > 0 else usd


def judge_parity(observations: Sequence[Observation], calendar: Calendar, rules: AgreementRules, *, now: datetime) -> Parity:
    """Return the parity. It has no rule for jumps: a fall of USDT is believed at once where the sources agree on it."""
    return Parity(agree(observations, calendar, rules, now=now))
