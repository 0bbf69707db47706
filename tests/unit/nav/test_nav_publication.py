"""Tests of the discrepancies that withhold NAV."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.snapshots import position, snapshot, token

from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import WAD, Bps, NavPerShare, RawAmount
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.risk.nav_publication import ValuationBasis, discrepancy_value, material_discrepancies, withholding_reason

pytestmark = pytest.mark.unit

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BASIS = ValuationBasis(
    net_assets=RawAmount(10_000_000 * WAD), nav_per_share=NavPerShare(2 * WAD), tokens={ADDRESS: (5 * WAD, 6)}
)
ONE_BP = Bps(1)


def differs(subject: str, by: int) -> Discrepancy:
    return Discrepancy(subject, str(10**30 + by), str(10**30))


@pytest.mark.parametrize("subject", ["redemption liability", "request 7 grossAmount", "accrued management fees"])
def test_amount_is_material_from_one_basis_point_of_net_assets(subject: str) -> None:
    assert material_discrepancies([differs(subject, 1_000 * WAD - 1)], BASIS, threshold=ONE_BP) == []
    assert len(material_discrepancies([differs(subject, 1_000 * WAD)], BASIS, threshold=ONE_BP)) == 1
    assert len(material_discrepancies([differs(subject, -1_000 * WAD)], BASIS, threshold=ONE_BP)) == 1


@pytest.mark.parametrize("subject", ["supply", "locked shares", f"shares of {ADDRESS}", "request 7 shares"])
def test_shares_are_valued_at_nav(subject: str) -> None:
    assert material_discrepancies([differs(subject, 499 * WAD)], BASIS, threshold=ONE_BP) == []
    assert len(material_discrepancies([differs(subject, 500 * WAD)], BASIS, threshold=ONE_BP)) == 1


def test_token_is_valued_at_price_and_material_without_one() -> None:
    assert material_discrepancies([differs(f"vault's balance of {ADDRESS}", 199 * 10**6)], BASIS, threshold=ONE_BP) == []
    assert len(material_discrepancies([differs(f"vault's balance of {ADDRESS}", 200 * 10**6)], BASIS, threshold=ONE_BP)) == 1
    unpriced = differs("vault's balance of 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", 1)
    assert material_discrepancies([unpriced], BASIS, threshold=ONE_BP) == [unpriced]


def test_valuation_basis_takes_prices_of_snapshot() -> None:
    taken = snapshot(assets=(position(1), position(2, price=None, balance=RawAmount(0))))
    basis = ValuationBasis.of(taken)
    assert (basis.net_assets, basis.nav_per_share) == (taken.net_assets, taken.nav_per_share)
    assert basis.tokens == {checksum(token(1)): (105 * WAD // 100, 6), checksum(taken.asset): (1, 0)}


def test_small_amounts_are_added_up() -> None:
    halves = [differs("redemption liability", 500 * WAD), differs("supply", 250 * WAD)]
    assert material_discrepancies(halves[:1], BASIS, threshold=ONE_BP) == []
    assert material_discrepancies(halves, BASIS, threshold=ONE_BP) == halves


@pytest.mark.parametrize(
    "discrepancy",
    [
        Discrepancy("request 7 status", "APPROVED", "SETTLED"),
        Discrepancy("Vault paused", "False", "True"),
        Discrepancy("request count", "7", "8"),
        Discrepancy(f"shares of {ADDRESS}", "(absent)", "1"),
        Discrepancy("request 7 settlementTime", "1", "2"),
        Discrepancy("an unknown subject", "1", "2"),
    ],
)
def test_status_and_unknown_value_are_material(discrepancy: Discrepancy) -> None:
    assert material_discrepancies([discrepancy], BASIS, threshold=Bps(10_000)) == [discrepancy]


def test_withholding_reason_names_first_discrepancy_with_both_values() -> None:
    assert withholding_reason([differs("supply", 0)]) == f"material discrepancy: supply: recorded {10**30}, on chain {10**30}"
    assert withholding_reason([differs("supply", 0)] * 3).endswith(" and 2 more")


@given(st.integers(0, 10**40), st.integers(0, 10**40))
def test_discrepancy_value_does_not_depend_on_side(recorded: int, on_chain: int) -> None:
    there, back = (Discrepancy("supply", str(a), str(b)) for a, b in ((recorded, on_chain), (on_chain, recorded)))
    assert discrepancy_value(there, BASIS) == discrepancy_value(back, BASIS) == 2 * abs(recorded - on_chain)
