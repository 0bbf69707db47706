"""The promise ledger: what each open redemption request is owed, when, and what of the fund can pay it by then.

    requests, earliest due first  ──►  each takes what is cash by its date, soonest first  ──►  the rest is its shortfall

Confirmed requests are funded before those that await approval, which count from the earliest date that an approval now would
give them. A request whose date has passed is paid from what is cash now. What is cash by a date comes from the assets'
profiles or the defaults of their tiers, net of cost. The ledger assumes that no price moves and that nothing more is requested:
it is no forecast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest
from paimon.domain.risk.liquidity import CashSource, cash_sources, realisable
from paimon.domain.risk.risk_policy import RiskPolicy

LADDER_DAYS: Final = 90

DUE_AFTER_APPROVAL: Final[Mapping[RedemptionChannel, timedelta]] = {
    RedemptionChannel.STANDARD: timedelta(days=7),
    RedemptionChannel.EMERGENCY: timedelta(days=1),
    RedemptionChannel.SCHEDULED: timedelta(0),
}
"""Time from an approval to the settlement. Source: docs/concepts/fund.md, "Redemptions". A scheduled request needs none."""


@dataclass(frozen=True, slots=True)
class Funding:
    """A part of a promise that one source pays."""

    tier: Tier
    token: Address | None
    amount: RawAmount


@dataclass(frozen=True, slots=True)
class Promise:
    """One open request with its funding. While it awaits approval, `due_at` is the earliest date that it can have."""

    request: OpenRequest
    due_at: datetime
    funding: tuple[Funding, ...]
    shortfall: RawAmount

    def remaining(self, now: datetime) -> timedelta:
        """Return the time until it is due, below zero when it is overdue."""
        return self.due_at - now

    @property
    def is_broken(self) -> bool:
        """Report whether a part of it cannot be paid by its date."""
        return self.shortfall > 0


@dataclass(frozen=True, slots=True)
class LadderDay:
    """One day from the block on: what can be cash by its end, what is due on it, and what is left after all promises so far.

    `closing` is below zero while promises exceed what can be cash. Requests that await approval stand apart.
    """

    day: int
    ends_at: datetime
    realisable: RawAmount
    due: RawAmount
    due_if_approved: RawAmount
    closing: int
    closing_if_approved: int


def promise_ledger(state: FundRiskState, policy: RiskPolicy) -> tuple[Promise, ...]:
    """Fund every open request from what is cash by its date; return the promises by due date, confirmed ones first."""
    now = state.fund.at.timestamp
    left = [(source, int(source.amount)) for source in cash_sources(state, policy)]
    promises = []
    for request in sorted(state.open_requests, key=lambda one: (one.awaits_approval, due_date(one, now), one.request_id)):
        due_at = due_date(request, now)
        funding, left = _fund(request.amount, left, days=(due_at - now).days)
        paid = sum(part.amount for part in funding)
        promises.append(Promise(request, due_at, funding, RawAmount(request.amount - paid)))
    return tuple(promises)


def due_date(request: OpenRequest, now: datetime) -> datetime:
    """Return the due date, or the earliest one that an approval now would give."""
    return request.due_at or now + DUE_AFTER_APPROVAL[request.channel]


def _fund(
    amount: int, left: Sequence[tuple[CashSource, int]], *, days: int
) -> tuple[tuple[Funding, ...], list[tuple[CashSource, int]]]:
    """Take an amount from the sources that are cash within the days; return the parts, and what is left of each source."""
    parts: list[Funding] = []
    after: list[tuple[CashSource, int]] = []
    for source, rest in left:
        taken = min(amount, rest) if source.days <= max(days, 0) else 0
        if taken:
            parts.append(Funding(source.tier, source.token, RawAmount(taken)))
        amount -= taken
        after.append((source, rest - taken))
    return tuple(parts), after


def liquidity_ladder(state: FundRiskState, policy: RiskPolicy, *, days: int = LADDER_DAYS) -> tuple[LadderDay, ...]:
    """Return the coming days, day 0 being the 24 hours from the block on. What is overdue is due on day 0."""
    now = state.fund.at.timestamp
    confirmed, awaiting = [0] * days, [0] * days
    for request in state.open_requests:
        day = max((due_date(request, now) - now).days, 0)
        if day < days:
            (awaiting if request.awaits_approval else confirmed)[day] += request.amount
    rows = []
    owed = owed_if_approved = 0
    for day in range(days):
        cash = realisable(state, policy, days=day)
        owed += confirmed[day]
        owed_if_approved += confirmed[day] + awaiting[day]
        rows.append(
            LadderDay(
                day=day,
                ends_at=now + timedelta(days=day + 1),
                realisable=cash,
                due=RawAmount(confirmed[day]),
                due_if_approved=RawAmount(awaiting[day]),
                closing=cash - owed,
                closing_if_approved=cash - owed_if_approved,
            )
        )
    return tuple(rows)


def first_shortage(ladder: Sequence[LadderDay]) -> LadderDay | None:
    """Return the first day on which confirmed promises exceed what can be cash."""
    return next((row for row in ladder if row.closing < 0), None)
