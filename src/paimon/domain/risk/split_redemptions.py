"""Redemptions that are split: amounts that together would have needed an approval or a window, and requests too small to pay
for their settlement.

    | Requests of one window                    | of                | are a finding from                       |
    |-------------------------------------------|-------------------|------------------------------------------|
    | STANDARD without an approval              | holder, receiver  | the amount that needs an approval        |
    | EMERGENCY without an approval             | holder, receiver  | the amount that needs an approval        |
    | STANDARD                                  | holder, receiver  | the amount that is SCHEDULED             |
    | below the dust amount                     | holder, receiver  | a number of requests                     |
    | below the dust amount                     | all               | a larger number of requests              |

A window rolls: it ends with each request, so no day or hour parts what belongs together. To a holder belong its own requests
and those of fresh holders that got most of their shares from it. Cancelled and rejected requests pay nothing; the caller
leaves them out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import Redemption, RedemptionChannel
from paimon.domain.risk.risk_event import DatedFinding, Finding, RiskKind, Severity
from paimon.domain.transaction.wallet_selection import format_whole_units


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request with the block of its first event."""

    redemption: Redemption
    block: int


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """Limits in raw units of an asset with `decimals`. `scheduled` is None while the fund's size is unknown."""

    window: timedelta
    standard_approval: RawAmount
    emergency_approval: RawAmount
    scheduled: RawAmount | None
    dust_amount: RawAmount
    dust_requests: int
    dust_requests_of_all: int
    decimals: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """Requests that count together, what each counts for, and from which sum on they are a finding.

    `subject` is a text with the place `{party}`; `limit` says the limit in words.
    """

    kind: RiskKind
    subject: str
    counts: Callable[[Redemption], bool]
    weight: Callable[[Redemption], int]
    at_least: int
    limit: str


def split_findings(
    requests: Sequence[RecordedRequest], share_sources: Mapping[Address, Address], limits: SplitLimits
) -> list[DatedFinding]:
    """Return for each rule and party the newest window of requests that reaches the rule's limit.

    `share_sources`: fresh holders, each with the holder that most of its shares came from.
    """
    ordered = sorted(requests, key=lambda each: (each.redemption.requested_at, each.redemption.request_id))
    found = [
        _finding(rule, party, window, limits)
        for rule in _party_rules(limits)
        for party, window in _windows_of_parties(rule, ordered, share_sources, limits.window)
    ]
    of_all = _rule_of_all(limits)
    window = _newest_window(of_all, [each for each in ordered if of_all.counts(each.redemption)], limits.window)
    return found + ([_finding(of_all, "", window, limits)] if window else [])


def _party_rules(limits: SplitLimits) -> Iterator[_Rule]:
    def amount(request: Redemption) -> int:
        return request.gross_amount

    def unapproved(channel: RedemptionChannel) -> Callable[[Redemption], bool]:
        return lambda request: request.channel is channel and not request.requires_approval

    def whole(limit: RawAmount) -> str:
        return format_whole_units(limit, limits.decimals)

    yield _Rule(
        RiskKind.SPLIT_REDEMPTIONS,
        "standard redemptions {party} without approval",
        unapproved(RedemptionChannel.STANDARD),
        amount,
        limits.standard_approval,
        f"below {whole(limits.standard_approval)} together: one request for it needs an approval",
    )
    yield _Rule(
        RiskKind.SPLIT_REDEMPTIONS,
        "emergency redemptions {party} without approval",
        unapproved(RedemptionChannel.EMERGENCY),
        amount,
        limits.emergency_approval + 1,
        f"at most {whole(limits.emergency_approval)} together: one request above it needs an approval",
    )
    if limits.scheduled is not None:
        yield _Rule(
            RiskKind.SPLIT_REDEMPTIONS,
            "standard redemptions {party} outside the windows",
            lambda request: request.channel is RedemptionChannel.STANDARD,
            amount,
            limits.scheduled,
            f"below {whole(limits.scheduled)} together: one request for it waits for a quarterly window",
        )
    yield _dust_rule("redemptions {party} below the dust amount", limits.dust_requests, limits)


def _rule_of_all(limits: SplitLimits) -> _Rule:
    return _dust_rule("redemptions of all holders below the dust amount", limits.dust_requests_of_all, limits)


def _dust_rule(subject: str, at_least: int, limits: SplitLimits) -> _Rule:
    return _Rule(
        RiskKind.DUST_REDEMPTIONS,
        subject,
        lambda request: request.gross_amount < limits.dust_amount,
        lambda _request: 1,
        at_least,
        f"fewer than {at_least} requests below {format_whole_units(limits.dust_amount, limits.decimals)}:"
        " each costs the keeper a settlement",
    )


def _windows_of_parties(
    rule: _Rule, ordered: Iterable[RecordedRequest], share_sources: Mapping[Address, Address], window: timedelta
) -> Iterator[tuple[str, list[RecordedRequest]]]:
    """Yield each party whose requests reach the limit, with its newest window: holders first, then receivers that add to it."""
    by_holder: dict[Address, list[RecordedRequest]] = defaultdict(list)
    by_receiver: dict[Address, list[RecordedRequest]] = defaultdict(list)
    for each in ordered:
        if rule.counts(each.redemption):
            by_holder[_origin(each.redemption.owner, share_sources)].append(each)
            by_receiver[each.redemption.receiver].append(each)
    named: list[set[int]] = []
    for preposition, groups in (("of", by_holder), ("to", by_receiver)):
        for address, requests in groups.items():
            newest = _newest_window(rule, requests, window)
            ids = {each.redemption.request_id for each in newest}
            if newest and not any(ids <= known for known in named):
                named.append(ids)
                yield f"{preposition} {checksum(address)}", newest


def _origin(holder: Address, share_sources: Mapping[Address, Address]) -> Address:
    """Follow the shares back to the first holder that is not fresh."""
    seen = {holder}
    while (source := share_sources.get(holder)) is not None and source not in seen:
        seen.add(source)
        holder = source
    return holder


def _newest_window(rule: _Rule, requests: Sequence[RecordedRequest], window: timedelta) -> list[RecordedRequest]:
    """Return the last window of at least two requests that reaches the limit, or nothing."""
    newest: list[RecordedRequest] = []
    first, total = 0, 0
    for last, each in enumerate(requests):
        total += rule.weight(each.redemption)
        while each.redemption.requested_at - requests[first].redemption.requested_at > window:
            total -= rule.weight(requests[first].redemption)
            first += 1
        if total >= rule.at_least and last > first:
            newest = list(requests[first : last + 1])
    return newest


def _finding(rule: _Rule, party: str, window: Sequence[RecordedRequest], limits: SplitLimits) -> DatedFinding:
    total = sum(each.redemption.gross_amount for each in window) * 100 // 10**limits.decimals
    hours = int(limits.window.total_seconds() // 3600)
    numbers = format_ranges(each.redemption.request_id for each in window)
    finding = Finding(
        rule.kind,
        rule.subject.format(party=party),
        f"{format_whole_units(total, 2)} in {len(window)} requests within {hours} h: {numbers}",
        rule.limit,
        Severity.WARNING,
    )
    return DatedFinding(finding, max(each.block for each in window))


def format_ranges(numbers: Iterable[int]) -> str:
    """Format numbers in order, neighbours as a range: `4-7, 9`."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
