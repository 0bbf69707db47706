"""The fees of a transaction and of its replacement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.signing import GasFees, add_gas_margin, bump_fee, market_fees, replacement_fees

pytestmark = pytest.mark.unit

WEI = st.integers(0, 10**15)
BUMPS = st.integers(0, 5_000).map(Bps)


@st.composite
def fees(draw: st.DrawFn) -> GasFees:
    highest = draw(WEI)
    return GasFees(highest, draw(st.integers(0, highest)))


@given(WEI, BUMPS)
def test_fee_bump_is_at_least_ten_percent(fee: int, bump: Bps) -> None:
    raised = bump_fee(fee, bump)
    assert raised > fee
    assert raised * 10 >= fee * 11
    assert raised <= fee * (10_000 + max(bump, 1_000)) // 10_000 + 1


@given(previous=fees(), market=st.none() | fees(), bump=BUMPS, cap=WEI)
def test_replacement_fees_satisfy_the_node_and_the_cap(previous: GasFees, market: GasFees | None, bump: Bps, cap: int) -> None:
    offered = replacement_fees(previous, market, bump, max_fee_wei=cap)
    if offered is None:
        assert bump_fee(previous.max_fee_wei, Bps(1_000)) > cap
    else:
        assert offered.max_fee_wei * 10 >= previous.max_fee_wei * 11
        assert offered.priority_fee_wei * 10 >= previous.priority_fee_wei * 11
        assert offered.priority_fee_wei <= offered.max_fee_wei <= cap


@given(base=WEI, tip=WEI, cap=WEI)
def test_market_fees_stay_within_the_cap(base: int, tip: int, cap: int) -> None:
    offered = market_fees(base, tip, max_fee_wei=cap)
    if base + tip > cap:
        assert offered is None
    else:
        assert offered is not None
        assert base + tip <= offered.max_fee_wei <= min(cap, 2 * base + tip)
        assert offered.priority_fee_wei == tip


@given(st.integers(21_000, 10**8), st.integers(0, 10_000).map(Bps))
def test_gas_margin_only_adds(gas: int, margin: Bps) -> None:
    assert gas <= add_gas_margin(gas, margin) <= gas * 2


def test_priority_fee_above_the_maximum_is_refused() -> None:
    with pytest.raises(ValueError, match="priority"):
        GasFees(1, 2)
