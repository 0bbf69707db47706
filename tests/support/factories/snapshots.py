"""Snapshots without a chain: a plain one to change, and a strategy of all that the contracts could return."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32
from paimon.domain.kernel.units import WAD, Bps, NavPerShare, RawAmount
from paimon.domain.vault.fund_snapshot import (
    AssetPosition,
    BufferPool,
    ContractFigures,
    FeeFigures,
    FundSnapshot,
    OperationalFlags,
    OrderInTransit,
    PurchaseTerms,
    RoleAssignment,
    TierLimits,
)

NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TERMS: Final = PurchaseTerms(Bps(1_000), Address(bytes(20)), PurchaseMethod.AUTO, Bps(0), RawAmount(0), None, None)
LIMITS: Final = TierLimits(Bps(1_000), Bps(500), Bps(3_000))
NO_FEES: Final = FeeFigures(*(RawAmount(0),) * 4, None, RawAmount(0), Address(bytes(20)))


def stamp(number: int, *, seconds: int | None = None) -> BlockStamp:
    at = NOON + timedelta(seconds=number if seconds is None else seconds)
    return BlockStamp(number, Hash32(number.to_bytes(32, "big")), at)


def token(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


def position(number: int, **changes: Any) -> AssetPosition:
    """Build a position of a million whole tokens with 6 decimals at 1.05."""
    plain = AssetPosition(
        token(number), Tier.L2, 6, True, TERMS, RawAmount(10**12), RawAmount(105 * WAD // 100), NOON - timedelta(minutes=5)
    )
    return replace(plain, **changes)


def snapshot(number: int = 1, **changes: Any) -> FundSnapshot:
    """Build a snapshot with ten million in cash and ten million shares."""
    cash = changes.get("cash", 10**7 * WAD)
    plain = FundSnapshot(
        at=stamp(number),
        asset=token(0xA5),
        asset_decimals=18,
        cash=RawAmount(cash),
        assets=(),
        total_supply=RawAmount(10**7 * WAD),
        locked_shares=RawAmount(0),
        redemption_liability=RawAmount(0),
        withdrawable_redemption_fees=RawAmount(0),
        accumulated_redemption_fees=RawAmount(0),
        fees=NO_FEES,
        tier_limits=(LIMITS, LIMITS, LIMITS),
        buffer=BufferPool(RawAmount(cash), RawAmount(0), RawAmount(0), Bps(10_000), False),
        default_slippage=Bps(100),
        flags=OperationalFlags(False, False, False, False),
        in_transit=(),
        contract=ContractFigures(RawAmount(cash), NavPerShare(WAD), *(RawAmount(0),) * 4),
    )
    return replace(plain, **changes)


MONEY: Final = st.integers(0, 10**27).map(RawAmount)
PRICES: Final = st.integers(1, 10**24).map(RawAmount)
TIMES: Final = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ADDRESSES: Final = st.integers(1, 2**160 - 1).map(token)

TERMS_ANY: Final = st.builds(
    PurchaseTerms,
    st.integers(0, 10_000).map(Bps),
    ADDRESSES,
    st.sampled_from(PurchaseMethod),
    st.integers(0, 1_000).map(Bps),
    MONEY,
    TIMES,
    TIMES,
)


BUFFERS: Final = st.builds(BufferPool, MONEY, MONEY, MONEY, st.integers(0, 10_000).map(Bps), st.booleans())
FEES: Final = st.builds(FeeFigures, MONEY, MONEY, MONEY, MONEY, TIMES, MONEY, ADDRESSES)


ROLES: Final = st.builds(
    RoleAssignment, st.sampled_from(ContractName), st.binary(min_size=32, max_size=32).map(Hash32), ADDRESSES
)


@st.composite
def positions(draw: st.DrawFn, number: int) -> AssetPosition:
    """Draw an asset; an asset without a price has a zero balance."""
    price = draw(st.none() | PRICES)
    return AssetPosition(
        token(number),
        draw(st.sampled_from(Tier)),
        draw(st.integers(0, 30)),
        draw(st.booleans()),
        draw(TERMS_ANY),
        draw(MONEY) if price is not None else RawAmount(0),
        price,
        draw(TIMES),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> FundSnapshot:
    supply = draw(MONEY)
    count = draw(st.integers(0, 4))
    return FundSnapshot(
        at=stamp(draw(st.integers(1, 10**6))),
        asset=draw(ADDRESSES),
        asset_decimals=draw(st.integers(0, 24)),
        cash=draw(MONEY),
        assets=tuple(draw(positions(number)) for number in range(1, count + 1)),
        total_supply=supply,
        locked_shares=RawAmount(draw(st.integers(0, supply))),
        redemption_liability=draw(MONEY),
        withdrawable_redemption_fees=draw(MONEY),
        accumulated_redemption_fees=draw(MONEY),
        fees=draw(FEES),
        tier_limits=(LIMITS, LIMITS, LIMITS),
        buffer=draw(st.none() | BUFFERS),
        default_slippage=Bps(100),
        flags=OperationalFlags(*(draw(st.booleans()) for _ in range(4))),
        in_transit=tuple(
            OrderInTransit(number, token(number), draw(MONEY), draw(MONEY), draw(ADDRESSES))
            for number in range(1, draw(st.integers(0, 2)) + 1)
        ),
        contract=ContractFigures(draw(MONEY), NavPerShare(draw(MONEY)), draw(MONEY), draw(MONEY), draw(MONEY), draw(MONEY)),
        roles=tuple(draw(st.lists(ROLES, max_size=3))),
        pending_value=draw(MONEY),
    )
