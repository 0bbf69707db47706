"""Trust in prices: agreement, outliers, shadow, steps and their release, growth, and the contracts' own price.

The cases named `incident` are what happened to funds and lenders: each must end untrusted.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.prices import TOKEN, WEDNESDAY, asset, observation, past_price, wad

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.price.agreement import SourceUse
from paimon.domain.price.calendar import Heartbeat
from paimon.domain.price.observation import Observation, PriceFault, SourceKind
from paimon.domain.price.parity import ParityStatus, judge_parity
from paimon.domain.price.policy import AssetPricing, GrowthBound, PricePolicy
from paimon.domain.price.trust import Judgement, PastPrice, judge_price, price_deviation

pytestmark = pytest.mark.unit

POLICY: Final = PricePolicy()
HOURLY: Final = replace(POLICY, default_calendar=Heartbeat(timedelta(hours=1)))


def judged(
    *observations: Observation,
    contract: str | float | None = None,
    past: tuple[PastPrice, ...] = (),
    tier: Tier = Tier.L3,
    policy: PricePolicy = POLICY,
) -> Judgement:
    """Judge at noon of a Wednesday; the contracts use the adapter's price unless another is given."""
    own = next((one.price for one in observations if one.source.name == "adapter"), None)
    priced = replace(asset(None, tier), contract_price=own) if contract is None else asset(contract, tier)
    return judge_price(priced, observations, past, policy, now=WEDNESDAY)


def uses(judgement: Judgement) -> dict[str, SourceUse]:
    return {verdict.observation.source.name: verdict.use for verdict in judgement.sources}


def test_single_source_is_trusted_and_says_so() -> None:
    found = judged(observation(1))
    assert (found.is_trusted, found.price) == (True, WAD)
    assert found.notes[0].startswith("single-source")


@pytest.mark.parametrize(
    ("tier", "other", "trusted"),
    [
        *((Tier.L1, "1.005", True), (Tier.L1, "1.0051", False)),
        *((Tier.L2, "1.01", True), (Tier.L2, "1.0101", False)),
        *((Tier.L3, "1.03", True), (Tier.L3, "1.0301", False)),
    ],
)
def test_two_sources_agree_within_the_tolerance_of_their_tier(tier: Tier, other: str, trusted: bool) -> None:
    found = judged(observation(1), observation(other, "issuer"), tier=tier)
    assert found.is_trusted is trusted
    assert (found.price is not None) is trusted


def test_outlier_of_three_is_left_out_and_the_others_go_on() -> None:
    found = judged(observation(1), observation("1.001", "a"), observation("9", "b"))
    assert uses(found) == {"adapter": SourceUse.COUNTED, "a": SourceUse.COUNTED, "b": SourceUse.OUTLIER}
    assert (found.is_trusted, found.price) == (True, wad("1.0005"))


def test_three_sources_that_are_all_apart_agree_on_nothing() -> None:
    found = judged(observation(1), observation(2, "a"), observation(3, "b"))
    assert (found.is_trusted, found.price) == (False, None)
    assert "between 1 and 3" in found.reasons[0]


def test_sources_of_one_upstream_count_once() -> None:
    """Two resellers of one wrong figure do not outvote the adapter."""
    copies = [observation(2, name, upstream="provider") for name in ("a", "b")]
    found = judged(observation(1), *copies)
    assert sorted(uses(found).values()) == sorted([SourceUse.COUNTED, SourceUse.COUNTED, SourceUse.SAME_UPSTREAM])
    assert not found.is_trusted


def test_new_source_is_watched_for_five_publications() -> None:
    assert uses(judged(observation(1), observation(5, "new", publications=4)))["new"] is SourceUse.SHADOW
    assert uses(judged(observation(1), observation(1, "new", publications=5)))["new"] is SourceUse.COUNTED
    only_new = judged(observation(1, publications=1), observation(1, "new", publications=1))
    assert set(uses(only_new).values()) == {SourceUse.COUNTED}  # there is no older one to trust instead


@pytest.mark.parametrize("fault", PriceFault)
def test_faulty_source_stops_no_good_one(fault: PriceFault) -> None:
    found = judged(observation(1), observation(None, "broken", fault=fault))
    assert (found.is_trusted, found.price, uses(found)["broken"]) == (True, WAD, SourceUse.FAULTY)


def test_faults_of_every_source_leave_no_price() -> None:
    found = judged(observation(None), contract=1)
    assert (found.is_trusted, found.price) == (False, None)
    assert "adapter: no answer within 5 s" in found.reasons[0]
    assert not judge_price(asset(1), [], [], POLICY, now=WEDNESDAY).is_trusted


def test_price_is_trusted_with_one_missed_publication_and_not_with_two() -> None:
    one, two = judged(observation(1, hours_ago=36 + 13)), judged(observation(1, hours_ago=36 + 37))
    assert (one.missed, one.is_trusted) == (1, True)
    assert (two.missed, two.is_trusted, uses(two)) == (2, False, {"adapter": SourceUse.STALE})


def test_stale_source_counts_no_more_beside_a_fresh_one() -> None:
    found = judged(observation(1), observation(2, "frozen", hours_ago=200))
    assert (found.is_trusted, found.price, found.missed) == (True, WAD, 0)


@pytest.mark.parametrize(
    ("tier", "price", "trusted"),
    [
        *((Tier.L1, "1.01", True), (Tier.L1, "1.0101", False), (Tier.L1, "0.9899", False)),
        *((Tier.L2, "1.02", True), (Tier.L2, "1.0201", False)),
        *((Tier.L3, "1.1", True), (Tier.L3, "1.1001", False), (Tier.L3, "0.9", True), (Tier.L3, "0.8999", False)),
    ],
)
def test_step_from_the_last_trusted_price_is_bounded(tier: Tier, price: str, trusted: bool) -> None:
    found = judged(observation(price), past=(past_price(1, hours_ago=2),), tier=tier)
    assert found.is_trusted is trusted


def test_small_steps_do_not_add_up_within_a_day() -> None:
    steps = tuple(past_price(1 + step / 20, hours_ago=20 - 5 * step) for step in range(3))  # 1, 1.05, 1.1
    before = past_price(1, hours_ago=30)
    assert not judged(observation("1.15"), past=(before, *steps)).is_trusted
    assert judged(observation("1.15"), past=(past_price("1.06", hours_ago=25), *steps[1:])).is_trusted


def test_jump_is_released_by_publications_that_agree() -> None:
    trusted = past_price(1, hours_ago=72)
    jumped = [past_price("1.5", hours_ago=hours, trusted=False) for hours in (48, 24)]
    assert not judged(observation("1.5"), past=(trusted, jumped[0])).is_trusted
    found = judged(observation("1.5"), past=(trusted, *jumped))
    assert (found.is_trusted, found.released) == (True, True)
    # From then on the released price is what is compared with, also for the move in 24 hours.
    after = (trusted, *jumped, past_price("1.5", hours_ago=1, released=True))
    assert judged(observation("1.52"), past=after).is_trusted
    assert not judged(observation(1), past=after).is_trusted


def test_jump_is_not_released_by_prices_that_go_on_jumping() -> None:
    past = (past_price(1, hours_ago=72), *(past_price(p, hours_ago=h, trusted=False) for p, h in ((2, 48), (3, 24))))
    assert not judged(observation(4), past=past).is_trusted


def test_answer_that_is_repeated_each_minute_is_one_publication() -> None:
    minutes = [past_price("1.5", hours_ago=1 + minute / 60, trusted=False) for minute in range(30, 0, -1)]
    assert not judged(observation("1.5"), past=(past_price(1, hours_ago=30), *minutes)).is_trusted
    hourly = tuple(past_price("1.5", hours_ago=hours, trusted=False) for hours in (3, 2))
    found = judged(observation("1.5"), past=(past_price(1, hours_ago=30), *hourly), policy=HOURLY)
    assert found.is_trusted  # a feed with a heartbeat of an hour


def test_jump_that_is_taken_back_leaves_the_old_price_trusted() -> None:
    past = (past_price(1, hours_ago=48), past_price(7, hours_ago=24, trusted=False))
    assert judged(observation(1), past=past).is_trusted


@pytest.mark.parametrize(("price", "trusted"), [("1.0488", True), ("1.0489", False)])
def test_growth_is_bounded_from_one_dated_record(price: str, trusted: bool) -> None:
    half_a_year_ago = WEDNESDAY - timedelta(days=365) / 2
    bound = GrowthBound(wad(1), half_a_year_ago, Bps(1_000))  # 10 % a year: at most 1.04880… now
    policy = PricePolicy(assets={TOKEN: AssetPricing(POLICY.default_calendar, bound)})
    assert judged(observation(price), policy=policy).is_trusted is trusted


def test_growth_bound_before_its_date_is_its_price() -> None:
    assert GrowthBound(wad(2), WEDNESDAY, Bps(9_000)).greatest(WEDNESDAY - timedelta(days=9)) == wad(2)


def test_sources_that_agree_do_not_cover_an_adapter_that_is_off() -> None:
    found = judged(observation("1.2"), observation(1, "a"), observation("1.001", "b"))
    assert (found.price, found.is_trusted) == (wad("1.0005"), False)
    assert "the contracts value it at 1.2" in found.reasons[0]


@pytest.mark.parametrize(
    ("contract", "agreed", "kinds", "expected"),
    [
        (wad("1.02"), WAD, {SourceKind.ADAPTER, SourceKind.HTTP}, "0.02"),
        (wad("0.98"), WAD, {SourceKind.HTTP}, "0.02"),
        (WAD + 1, WAD, {SourceKind.AGGREGATOR}, "0.000000000001"),  # rounded up
        (WAD, WAD, {SourceKind.ADAPTER}, None),  # it would agree with itself
        (None, WAD, {SourceKind.HTTP}, None),
        (WAD, None, {SourceKind.HTTP}, None),
    ],
)
def test_deviation_needs_another_source(
    contract: int | None, agreed: int | None, kinds: set[SourceKind], expected: str | None
) -> None:
    assert price_deviation(contract, agreed, kinds) == (None if expected is None else Decimal(expected))


INCIDENTS: Final[dict[str, dict[str, Any]]] = {
    "a feed frozen at its floor while the asset fell": {
        "observations": (observation("1.7"), observation("0.1", "exchange"), observation("0.1", "issuer")),
    },
    "a price in the wrong unit": {
        "observations": (observation("0.00005"),),
        "past": (past_price("0.15", hours_ago=24),),
    },
    "wrong decimals": {
        "observations": (observation("1000000"), observation("1", "issuer")),
    },
    "a ratio that was updated before its time": {
        "observations": (observation(None, fault=PriceFault.IN_FUTURE),),
        "contract": "1.4",
    },
    "a flash of three answers in one hour": {
        "observations": (observation("1.3"),),
        "past": (past_price(1, hours_ago=26), *(past_price("1.3", hours_ago=h, trusted=False) for h in (3, 2))),
    },
}


@pytest.mark.parametrize("case", INCIDENTS.values(), ids=INCIDENTS)
def test_incident_ends_untrusted(case: dict[str, Any]) -> None:
    found = judged(*case["observations"], **{name: value for name, value in case.items() if name != "observations"})
    assert not found.is_trusted
    assert all(found.reasons)


# Parity


@pytest.mark.parametrize(
    ("price", "status"),
    [
        *(("1", ParityStatus.AT_PARITY), ("0.9951", ParityStatus.AT_PARITY), ("0.995", ParityStatus.WARNING)),
        *(("1.005", ParityStatus.WARNING), ("0.9801", ParityStatus.WARNING), ("0.98", ParityStatus.CRITICAL)),
        *(("1.02", ParityStatus.CRITICAL), ("0.1", ParityStatus.CRITICAL)),
    ],
)
def test_parity_warns_from_half_a_percent_and_is_critical_from_two(price: str, status: ParityStatus) -> None:
    rules = POLICY.agreement_rules(Tier.L1)
    found = judge_parity([observation(price, "usdt-usd")], HOURLY.default_calendar, rules, now=WEDNESDAY)
    assert found.status is status


def test_price_in_dollars_is_converted_by_the_parity_and_by_no_assumption() -> None:
    rules, calendar = POLICY.agreement_rules(Tier.L1), HOURLY.default_calendar
    off = judge_parity([observation("0.8", "usdt-usd")], calendar, rules, now=WEDNESDAY)
    assert off.in_usdt(WAD) == wad("1.25")
    apart = [observation(1, "a"), observation("0.9", "b")]
    assert judge_parity(apart, calendar, rules, now=WEDNESDAY).in_usdt(WAD) is None
    assert judge_parity([], calendar, rules, now=WEDNESDAY).status is ParityStatus.UNKNOWN


@given(
    st.lists(st.tuples(st.integers(1, 10**24), st.floats(0, 2_000), st.integers(0, 9)), max_size=6),
    st.lists(st.tuples(st.integers(1, 10**24), st.floats(0, 2_000), st.booleans()), max_size=6),
    st.none() | st.integers(1, 10**24),
)
def test_any_state_has_a_judgement_with_a_reason_or_a_price(
    sources: list[tuple[int, float, int]], history: list[tuple[int, float, bool]], contract: int | None
) -> None:
    observations = [
        replace(observation(1, f"s{index}", hours_ago=hours, publications=count), price=RawAmount(price))
        for index, (price, hours, count) in enumerate(sources)
    ]
    past = [
        replace(past_price(1, hours_ago=hours, trusted=trusted), price=RawAmount(price))
        for price, hours, trusted in sorted(history, key=lambda one: -one[1])
    ]
    priced = replace(asset(None), contract_price=None if contract is None else RawAmount(contract))
    found = judge_price(priced, observations, past, POLICY, now=WEDNESDAY)
    assert len(found.sources) == len(observations)
    if found.is_trusted:
        assert found.price is not None
        assert contract is not None
        assert Decimal(abs(contract - found.price)) <= Decimal(found.price) * Decimal("0.03")
