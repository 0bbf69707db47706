"""The limits of what a wallet may move."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import ROLLING_DAY, LimitExceeded, Spend, SpendingLimit, require_within_limit

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMIT = SpendingLimit(RawAmount(10_000), RawAmount(500_000))
AMOUNTS = st.integers(0, 20_000).map(RawAmount)
SPENDS = st.builds(
    Spend,
    nonce=st.integers(0, 40),
    amount=AMOUNTS,
    plan=st.none() | st.sampled_from(["a", "b"]),
    signed_at=st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda ago: NOW - ago),
    is_open=st.booleans(),
)


def spend(
    amount: int, *, nonce: int = 0, plan: str | None = None, ago: timedelta = timedelta(0), is_open: bool = True
) -> Spend:
    return Spend(nonce, RawAmount(amount), plan, NOW - ago, is_open)


def allowed(signed: list[Spend], wanted: Spend, limit: SpendingLimit = LIMIT) -> bool:
    try:
        require_within_limit(limit, signed, wanted)
    except LimitExceeded:
        return False
    return True


def test_plan_stays_below_its_limit() -> None:
    assert allowed([], spend(9_999))
    assert not allowed([], spend(10_000))


def test_splitting_a_plan_does_not_lower_its_sum() -> None:
    first = spend(6_000, nonce=1, plan="a", ago=timedelta(days=3))
    assert not allowed([first], spend(4_000, nonce=2, plan="a"))
    assert allowed([first], spend(3_999, nonce=2, plan="a"))
    assert allowed([first], spend(9_999, nonce=2, plan="b"))


def test_replacement_at_one_nonce_counts_once_as_the_dearer() -> None:
    sixty = [spend(9_000, nonce=n) for n in range(54)] + [spend(5_000, nonce=54)]  # 491 000
    assert allowed(sixty, spend(9_000, nonce=55))
    assert not allowed(sixty, spend(9_001, nonce=55))
    assert allowed(sixty, spend(9_500, nonce=0)), "500 more than what nonce 0 counted for"
    assert allowed([*sixty, spend(9_000, nonce=55)], spend(1, nonce=55)), "the dearer one may still be mined"


def test_final_spend_stops_counting_after_a_day() -> None:
    full = [spend(9_000, nonce=n, ago=ROLLING_DAY, is_open=False) for n in range(60)]
    assert allowed(full, spend(9_999, nonce=99))
    assert not allowed([replace(spent, is_open=True) for spent in full], spend(9_999, nonce=99)), "they may be mined today"
    late = [replace(spent, signed_at=spent.signed_at + timedelta(microseconds=1)) for spent in full]
    assert not allowed(late, spend(9_999, nonce=99))


@given(st.lists(SPENDS, max_size=60), SPENDS)
def test_signed_spends_never_exceed_the_limits(tried: list[Spend], last: Spend) -> None:
    """In every order of requests and nonces, one transaction of each nonce stays within the limit of any day."""
    limit = SpendingLimit(RawAmount(10_000), RawAmount(50_000))
    signed: list[Spend] = []
    for spent in sorted([*tried, last], key=lambda spend: spend.signed_at):
        if allowed(signed, spent, limit):
            signed.append(spent)
    for end in signed:
        day = [spent for spent in signed if end.signed_at - ROLLING_DAY < spent.signed_at <= end.signed_at]
        mined = {spent.nonce: max(other.amount for other in day if other.nonce == spent.nonce) for spent in day}
        assert sum(mined.values()) <= limit.per_day
    for plan in {spent.plan for spent in signed} - {None}:
        of_plan = [spent for spent in signed if spent.plan == plan]
        mined = {spent.nonce: max(other.amount for other in of_plan if other.nonce == spent.nonce) for spent in of_plan}
        assert sum(mined.values()) < limit.per_plan


@given(st.lists(SPENDS, max_size=20), SPENDS, SPENDS)
def test_refused_spend_stays_refused_after_more_was_signed(signed: list[Spend], more: Spend, wanted: Spend) -> None:
    if not allowed(signed, wanted):
        assert not allowed([*signed, more], wanted)
