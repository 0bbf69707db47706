"""Tests of the promise ledger and of the liquidity ladder: nothing is paid twice, nothing is paid late, and the two agree."""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from tests.support.factories.risk_states import fund_of, open_request, risk_state, risk_states
from tests.support.factories.snapshots import token

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.liquidity import cash_sources, realisable
from paimon.domain.risk.promises import Funding, first_shortage, liquidity_ladder, promise_ledger
from paimon.domain.risk.risk_policy import RiskPolicy

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()


def state_of(*requests: tuple[int, float | None]) -> FundRiskState:
    """Build a fund of 100 in cash, 1 000 in L2 (999 in 5 days) and 10 000 in L3 (9 800 in 60 days), with these requests."""
    asked = tuple(open_request(amount, due_days=days, request_id=place) for place, (amount, days) in enumerate(requests, 1))
    return risk_state(fund_of(100, 1_000, 10_000), open_requests=asked)


def shortfalls(state: FundRiskState) -> dict[int, int]:
    return {promise.request.request_id: promise.shortfall for promise in promise_ledger(state, POLICY)}


def test_promise_takes_what_is_cash_by_its_date_soonest_first() -> None:
    (promise,) = promise_ledger(state_of((150, 6)), POLICY)
    assert promise.funding == (Funding(Tier.L1, None, RawAmount(100)), Funding(Tier.L2, token(2), RawAmount(50)))
    assert not promise.is_broken


@pytest.mark.parametrize(("days", "shortfall"), [(4.9, 1_000), (5, 1), (59.9, 1), (60, 0)])
def test_asset_funds_from_its_days_to_cash_on(days: float, shortfall: int) -> None:
    assert shortfalls(state_of((1_100, days))) == {1: shortfall}


def test_earlier_promise_is_funded_before_one_with_a_lower_number() -> None:
    assert shortfalls(state_of((100, 2), (100, 1))) == {2: 0, 1: 100}


def test_confirmed_promise_comes_before_one_that_awaits_approval() -> None:
    assert shortfalls(state_of((1_099, None), (1_099, 30))) == {2: 0, 1: 1_099}


def test_overdue_promise_is_paid_from_what_is_cash_now() -> None:
    (promise,) = promise_ledger(state_of((150, -3)), POLICY)
    assert (promise.shortfall, promise.remaining(state_of().fund.at.timestamp)) == (50, timedelta(days=-3))


@pytest.mark.parametrize(("channel", "days"), [(RedemptionChannel.STANDARD, 7), (RedemptionChannel.EMERGENCY, 1)])
def test_request_that_awaits_approval_has_the_earliest_date_it_can_have(channel: RedemptionChannel, days: int) -> None:
    state = risk_state(fund_of(100, 0, 0), open_requests=(open_request(1, due_days=None, channel=channel),))
    (promise,) = promise_ledger(state, POLICY)
    assert promise.remaining(state.fund.at.timestamp) == timedelta(days=days)


@settings(max_examples=50)
@given(risk_states())
def test_no_source_pays_more_than_it_has_nor_before_it_is_cash(state: FundRiskState) -> None:
    sources = {source.token: source for source in cash_sources(state, POLICY)}
    paid: dict[object, int] = dict.fromkeys(sources, 0)
    now = state.fund.at.timestamp
    promises = promise_ledger(state, POLICY)
    assert len(promises) == len(state.open_requests)
    for promise in promises:
        assert sum(part.amount for part in promise.funding) + promise.shortfall == promise.request.amount
        for part in promise.funding:
            assert sources[part.token].days <= max(promise.remaining(now).days, 0)
            paid[part.token] += part.amount
    assert all(paid[key] <= source.amount for key, source in sources.items())


@settings(max_examples=50)
@given(risk_states())
def test_confirmed_promises_miss_exactly_what_no_order_of_paying_could_avoid(state: FundRiskState) -> None:
    """The shortfall of all is the largest excess of what is due by a date over what can be cash by then."""
    now = state.fund.at.timestamp
    confirmed = [promise for promise in promise_ledger(state, POLICY) if not promise.request.awaits_approval]
    owed, excess = 0, 0
    for promise in confirmed:
        owed += promise.request.amount
        excess = max(excess, owed - realisable(state, POLICY, days=max(promise.remaining(now).days, 0)))
    assert sum(promise.shortfall for promise in confirmed) == excess


@settings(max_examples=50)
@given(risk_states())
def test_ladder_has_a_shortage_exactly_when_a_confirmed_promise_within_it_is_broken(state: FundRiskState) -> None:
    ladder = liquidity_ladder(state, POLICY)
    now = state.fund.at.timestamp
    broken = [
        promise
        for promise in promise_ledger(state, POLICY)
        if promise.is_broken and not promise.request.awaits_approval and promise.remaining(now).days < len(ladder)
    ]
    assert (first_shortage(ladder) is not None) == bool(broken)
    assert all(row.closing_if_approved <= row.closing for row in ladder)


def test_ladder_shows_the_day_of_the_shortage() -> None:
    ladder = liquidity_ladder(state_of((60, 0.5), (100, 3.2), (500, None)), POLICY)
    shortage = first_shortage(ladder)
    assert shortage is not None
    assert (shortage.day, shortage.due, shortage.closing) == (3, 100, -60)
    assert [ladder[day].closing for day in (0, 2, 3, 5)] == [40, 40, -60, 939]
    assert (ladder[7].due_if_approved, ladder[7].closing_if_approved) == (500, 439)
    assert first_shortage(liquidity_ladder(state_of(), POLICY)) is None
