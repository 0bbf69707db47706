"""Redemptions of one party that are split: what counts together, from which sum on, and what is said about it."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.domain.risk.risk_event import DatedFinding, RiskKind
from paimon.domain.risk.split_redemptions import RecordedRequest, SplitLimits, format_ranges, split_findings

pytestmark = pytest.mark.unit

HOLDER, OTHER, RECEIVER = address(1), address(2), address(9)
LIMITS = SplitLimits(
    window=timedelta(hours=168),
    standard_approval=RawAmount(100_000),
    emergency_approval=RawAmount(30_000),
    scheduled=None,
    dust_amount=RawAmount(500),
    dust_requests=10,
    dust_requests_of_all=100,
    decimals=0,
)


def request(
    number: int,
    amount: int,
    *,
    owner: Address = HOLDER,
    receiver: Address | None = None,
    hours: float = 0,
    channel: RedemptionChannel = RedemptionChannel.STANDARD,
    approval: bool = False,
) -> RecordedRequest:
    redemption = Redemption(
        request_id=number,
        owner=owner,
        receiver=receiver or owner,
        shares=RawAmount(amount),
        gross_amount=RawAmount(amount),
        estimated_fee=RawAmount(0),
        channel=channel,
        requires_approval=approval,
        window_id=0,
        status=RedemptionStatus.PENDING_APPROVAL if approval else RedemptionStatus.PENDING,
        requested_at=EPOCH + timedelta(hours=hours),
        settlement_at=None,
    )
    return RecordedRequest(redemption, block=1_000 + number)


def found(*requests: RecordedRequest, sources: dict[Address, Address] | None = None) -> list[DatedFinding]:
    return split_findings(requests, sources or {}, LIMITS)


def test_split_names_requests_sum_and_limit() -> None:
    (one,) = found(*(request(number, 99_999, hours=number) for number in (7, 8, 11)))
    assert one.block == 1_011
    assert one.finding.kind is RiskKind.SPLIT_REDEMPTIONS
    assert one.finding.subject == f"standard redemptions of {checksum(HOLDER)} without approval"
    assert one.finding.observed == "299 997 in 3 requests within 168 h: 7-8, 11"
    assert one.finding.expected == "below 100 000 together: one request for it needs an approval"


@pytest.mark.parametrize(
    ("requests", "reached"),
    [
        ([request(1, 50_000), request(2, 49_999)], False),
        ([request(1, 50_000), request(2, 50_000)], True),
        ([request(1, 150_000)], False),  # the chain decides about a single request
        ([request(1, 60_000), request(2, 90_000, approval=True)], False),  # an approver sees the second
        ([request(1, 50_000), request(2, 50_000, hours=168)], True),
        ([request(1, 50_000), request(2, 50_000, hours=168.01)], False),
        ([request(1, 60_000), request(2, 60_000, owner=OTHER)], False),
        ([request(1, 60_000, receiver=RECEIVER), request(2, 60_000, owner=OTHER, receiver=RECEIVER)], True),
        ([request(1, 15_000, channel=RedemptionChannel.EMERGENCY), request(2, 15_000)], False),
        ([request(n, 15_000, channel=RedemptionChannel.EMERGENCY) for n in (1, 2)], False),
        ([request(n, 15_001, channel=RedemptionChannel.EMERGENCY) for n in (1, 2)], True),
        ([request(n, 90_000, channel=RedemptionChannel.SCHEDULED) for n in (1, 2)], False),
    ],
)
def test_split_is_found_from_the_limit_on(requests: list[RecordedRequest], reached: bool) -> None:
    assert bool(found(*requests)) is reached


@pytest.mark.parametrize("at_hour", [20, 23.5, 24 * 6 + 23.5])
def test_no_border_of_time_parts_a_window(at_hour: float) -> None:
    """The end of a day or of a week between two requests changes nothing."""
    assert found(request(1, 60_000, hours=at_hour), request(2, 60_000, hours=at_hour + 1))


def test_requests_that_would_wait_for_a_window_count_with_an_approval_too() -> None:
    limits = replace(LIMITS, standard_approval=RawAmount(10**9), scheduled=RawAmount(200_000))
    halves = [request(1, 100_000), request(2, 100_000, approval=True)]
    (one,) = split_findings(halves, {}, limits)
    assert one.finding.subject == f"standard redemptions of {checksum(HOLDER)} outside the windows"
    assert "quarterly window" in one.finding.expected
    assert split_findings([request(1, 100_000), request(2, 99_999)], {}, limits) == []


def test_fresh_holders_count_as_the_holder_of_their_shares() -> None:
    """Shares that went on through a second fresh holder still come from the first one."""
    fresh, fresher = address(3), address(4)
    sources = {fresh: HOLDER, fresher: fresh}
    split = [request(1, 40_000), request(2, 40_000, owner=fresh), request(3, 40_000, owner=fresher)]
    assert found(*split) == []
    (one,) = found(*split, sources=sources)
    assert checksum(HOLDER) in one.finding.subject
    assert one.finding.observed.endswith(": 1-3")
    assert found(*split, sources={fresh: fresher, fresher: fresh}) == []  # shares that go in a circle have no first holder


def test_one_split_is_told_once_for_holder_and_receiver() -> None:
    own = [request(n, 60_000, receiver=RECEIVER) for n in (1, 2)]
    (one,) = found(*own)
    assert f"of {checksum(HOLDER)}" in one.finding.subject
    with_another = [*own, request(3, 1_000, owner=OTHER, receiver=RECEIVER)]
    assert [each.finding.subject.split(" without")[0] for each in found(*with_another)] == [
        f"standard redemptions of {checksum(HOLDER)}",
        f"standard redemptions to {checksum(RECEIVER)}",
    ]


def test_dust_is_found_by_number() -> None:
    (one,) = found(*(request(n, 1, hours=n) for n in range(1, 26)))
    assert one.finding.kind is RiskKind.DUST_REDEMPTIONS
    assert one.finding.observed == "25 in 25 requests within 168 h: 1-25"
    assert one.finding.expected.startswith("fewer than 10 requests below 500:")
    assert found(*(request(n, 1) for n in range(9))) == []
    assert found(*(request(n, 500) for n in range(25))) == []


def test_dust_of_many_holders_is_found_together() -> None:
    (one,) = found(*(request(n, 1, owner=address(1_000 + n)) for n in range(100)))
    assert one.finding.subject == "redemptions of all holders below the dust amount"


def test_newest_window_is_told() -> None:
    early, late = [request(n, 60_000) for n in (1, 2)], [request(n, 60_000, hours=400) for n in (8, 9)]
    (one,) = found(*early, *late)
    assert (one.block, one.finding.observed.rpartition(": ")[2]) == (1_009, "8-9")


REQUESTS = st.lists(
    st.tuples(
        st.integers(1, 60_000),
        st.integers(0, 400),
        st.sampled_from((HOLDER, OTHER, address(3))),
        st.sampled_from((RECEIVER, address(8))),
        st.booleans(),
    ),
    max_size=12,
)


@given(REQUESTS, st.randoms(use_true_random=False))
def test_party_is_named_exactly_if_a_window_reaches_the_limit(
    rows: list[tuple[int, int, Address, Address, bool]], random: Random
) -> None:
    """The model tries every window that ends with a request. The order in which requests are read changes nothing."""
    requests = [
        request(n, amount, hours=hours, owner=owner, receiver=receiver, approval=approval)
        for n, (amount, hours, owner, receiver, approval) in enumerate(rows, start=1)
    ]
    expected = set()
    groups: dict[tuple[str, Address], list[Redemption]] = defaultdict(list)
    for each in requests:
        if not each.redemption.requires_approval:
            groups["owner", each.redemption.owner].append(each.redemption)
            groups["receiver", each.redemption.receiver].append(each.redemption)
    for party, members in groups.items():
        for end in members:
            window = [m for m in members if timedelta(0) <= end.requested_at - m.requested_at <= LIMITS.window]
            if len(window) > 1 and sum(m.gross_amount for m in window) >= LIMITS.standard_approval:
                expected.add(party)
    limits = replace(LIMITS, dust_amount=RawAmount(0))
    named = split_findings(requests, {}, limits)
    owners = {f"of {checksum(party)}" for role, party in expected if role == "owner"}
    assert {" ".join(each.finding.subject.split()[2:4]) for each in named} >= owners
    assert bool(named) is bool(expected)
    random.shuffle(requests)
    assert split_findings(requests, {}, limits) == named


def test_ranges_of_numbers() -> None:
    assert format_ranges([9, 4, 6, 5, 11, 12]) == "4-6, 9, 11-12"
