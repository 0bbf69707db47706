"""States of the fund's risk: a calm one to change, and a strategy of all that can be recorded."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from tests.support.factories.snapshots import MONEY, NOON, position, snapshot, snapshots, token

from paimon.domain.asset.profile import AssetProfile, Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, NavPerShare, RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import (
    FundRiskState,
    OpenRequest,
    OutflowEstimate,
    PriceState,
    SendingRecord,
    WindowFlows,
)
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot

NO_FLOWS: Final = WindowFlows(RawAmount(0), RawAmount(0), RawAmount(10**6 * WAD))


def holding(number: int, tier: Tier, value: int) -> AssetPosition:
    """Build a position that is worth exactly `value` raw units."""
    return position(number, tier=tier, decimals=0, balance=RawAmount(value), price=RawAmount(1))


def fund_of(l1: int, l2: int, l3: int, **changes: Any) -> FundSnapshot:
    """Build a fund of three tiers: L1 in cash, L2 and L3 in one asset each."""
    assets = (holding(2, Tier.L2, l2), holding(3, Tier.L3, l3))
    return snapshot(cash=RawAmount(l1), assets=assets, **changes)


def risk_state(fund: FundSnapshot | None = None, **changes: Any) -> FundRiskState:
    """Build a calm fund of a million: 11, 31 and 58 % in the tiers, and 100 days of history without a request."""
    plain = FundRiskState(
        fund=fund or fund_of(110_000 * WAD, 310_000 * WAD, 580_000 * WAD),
        open_requests=(),
        utc_day=NO_FLOWS,
        last_24_hours=NO_FLOWS,
        requested_7_days=RawAmount(0),
        requested_7_days_before=RawAmount(0),
        recorded_since=NOON - timedelta(days=100),
        hourly_nav=(NavPerShare(WAD),) * 24,
        sending=SendingRecord(0, 0, 0),
        system_health=0,
    )
    return replace(plain, **changes)


def open_request(
    amount: int,
    *,
    due_days: float | None = 7,
    at: FundSnapshot | None = None,
    request_id: int = 1,
    channel: RedemptionChannel = RedemptionChannel.STANDARD,
) -> OpenRequest:
    """Build a request that is due some days after the state's block; one without days awaits its approval."""
    now = (at or snapshot()).at.timestamp
    due_at = None if due_days is None else now + timedelta(days=due_days)
    return OpenRequest(request_id, token(0xB0), channel, RawAmount(amount), due_at, awaits_approval=due_days is None)


FLOWS: Final = st.builds(WindowFlows, MONEY, MONEY, st.none() | MONEY)
PROFILES: Final = st.builds(
    AssetProfile,
    st.sampled_from(["a bank", "a broker"]),
    st.builds(Liquidity, st.integers(0, 400), st.integers(0, 10_000).map(Bps)),
)


PRICE_STATES: Final = st.builds(
    PriceState, st.integers(0, 1_000), st.none() | st.integers(0, 10**60).map(lambda parts: Decimal(f"{parts}E-12"))
)


@st.composite
def risk_states(draw: st.DrawFn) -> FundRiskState:
    fund = draw(snapshots())
    days = st.none() | st.floats(-400, 400)
    requests = draw(st.lists(st.tuples(MONEY, days), max_size=5))
    sends = draw(st.integers(0, 50))
    failures = draw(st.integers(0, sends))
    return FundRiskState(
        fund=fund,
        open_requests=tuple(open_request(amount, due_days=due, at=fund) for amount, due in requests),
        utc_day=draw(FLOWS),
        last_24_hours=draw(FLOWS),
        requested_7_days=draw(MONEY),
        requested_7_days_before=draw(MONEY),
        recorded_since=fund.at.timestamp - timedelta(days=draw(st.integers(0, 100))),
        hourly_nav=tuple(draw(st.lists(MONEY.map(NavPerShare), max_size=25))),
        sending=SendingRecord(sends, failures, draw(st.integers(0, failures))),
        system_health=draw(st.none() | st.integers(0, 2)),
        outflow=draw(st.none() | st.builds(OutflowEstimate, st.just(fund.at.timestamp), MONEY, MONEY, st.booleans())),
        profiles={asset.token: draw(PROFILES) for asset in fund.assets if draw(st.booleans())},
        prices={asset.token: draw(PRICE_STATES) for asset in fund.assets if draw(st.booleans())},
    )
