"""Concentration of the investors: how much of the fund the largest hold, and how few could empty its liquidity by leaving."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.indicators import ratio
from paimon.domain.risk.liquidity import realisable
from paimon.domain.risk.risk_policy import Bad, RiskPolicy

TOPS: Final = (1, 5, 10)
_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class InvestorConcentration:
    """Parts of all holdings by value.

    `hhi` is the sum of the squared parts: 1 for one holder, 1 ÷ n for n equal ones. `leavers` is the smallest number of
    holders whose leaving takes more than can be cash within 7 days, beside what is due by then; None where all of them do not.
    """

    holders: int
    top: dict[int, Decimal]
    hhi: Decimal
    leavers: int | None


def investor_concentration(
    state: FundRiskState, policy: RiskPolicy, holdings: Sequence[RawAmount]
) -> InvestorConcentration | None:
    """Measure the concentration of holdings, largest first; None where they are worth nothing."""
    total = sum(holdings)
    if total == 0:
        return None
    squares = sum(holding * holding for holding in holdings)
    return InvestorConcentration(
        holders=len(holdings),
        top={count: ratio(sum(holdings[:count]), total, Bad.HIGH) for count in TOPS},
        hhi=ratio(squares, total * total, Bad.HIGH),
        leavers=_leavers(state, policy, holdings),
    )


def _leavers(state: FundRiskState, policy: RiskPolicy, holdings: Sequence[RawAmount]) -> int | None:
    now = state.fund.at.timestamp
    left: int = realisable(state, policy, days=_DAYS)
    left -= sum(
        request.amount
        for request in state.open_requests
        if not request.awaits_approval and request.due_at is not None and (request.due_at - now).days < _DAYS
    )
    for count, holding in enumerate(holdings, start=1):
        left -= holding
        if left < 0:
            return count
    return None
