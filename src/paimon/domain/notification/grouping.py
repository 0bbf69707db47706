"""What becomes one message: each event by itself, a cause with its consequences, or a flood as one message with a count.

Of the events that a channel is to be told of, in this order:

    1. the fund's critical risk level is always a message of its own
    2. consequences of a cause that is open too are told with the cause, or grouped, never each by itself
    3. as many as the channel has room for in this minute are messages of their own, the most severe first
    4. the others are one message, at most one a minute: until then they wait
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.notification.message import Notice
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, Severity

FLOOD_MINUTE: Final = timedelta(minutes=1)

CONSEQUENCES: Final[Mapping[RiskKind, frozenset[RiskKind]]] = {
    # The node: what is read from it, or waits for it, is wrong or late because of it.
    RiskKind.FINAL_BLOCK_CHANGED: frozenset(
        {RiskKind.RECONCILIATION_BREAK, RiskKind.NAV_UNEXPLAINED, RiskKind.EFFECT_UNKNOWN, RiskKind.FINALITY_LAG}
    ),
    RiskKind.CHAIN_BEHIND: frozenset({RiskKind.RECONCILIATION_BREAK, RiskKind.EFFECT_UNKNOWN, RiskKind.FINALITY_LAG}),
    RiskKind.FINALITY_LAG: frozenset({RiskKind.EFFECT_UNKNOWN}),
    # The oracle: prices in USD are judged by the parity.
    RiskKind.USDT_OFF_PARITY: frozenset({RiskKind.PRICE_UNTRUSTED}),
    # The fund: the level names the indicators that it was entered by.
    RiskKind.RISK_LEVEL: frozenset({RiskKind.INDICATOR_BREACH}),
}
"""By cause. While a cause at least as severe is open, its consequences are listed and not told each by itself."""


@dataclass(frozen=True, slots=True)
class ChannelLoad:
    """What the channel was told lately: messages in the last minute, and the last group."""

    messages_in_minute: int
    last_group_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Events that become one message; the first is the most severe, or the cause of the others."""

    notices: tuple[Notice, ...]
    is_group: bool = False


def bundle(
    notices: Sequence[Notice], open_causes: Sequence[RiskEvent], load: ChannelLoad, *, now: datetime, messages_max: int
) -> list[Bundle]:
    """Return the messages to compose now; what is in none of them waits.

    `messages_max` is how many messages a minute a channel gets before the others are grouped.
    """
    ordered = sorted(notices, key=_urgency)
    own = [Bundle((notice,)) for notice in ordered if _is_critical_level(notice.event)]
    others = [notice for notice in ordered if not _is_critical_level(notice.event)]
    muted = [notice for notice in others if cause_of(notice.event, open_causes) is not None]
    singles = [notice for notice in others if cause_of(notice.event, open_causes) is None]
    room = max(messages_max - load.messages_in_minute - len(own), 0)
    rest: list[Notice] = list(muted)
    if len(singles) > room:
        rest = [*singles[max(room - 1, 0) :], *muted]  # the last message of the minute is the group
        singles = singles[: max(room - 1, 0)]
    told = {notice.event.id for notice in (*singles, *(each.notices[0] for each in own))}
    found = [*own, *(Bundle((notice,)) for notice in singles)]
    with_cause: dict[int, list[Notice]] = {}
    left: list[Notice] = []
    for notice in rest:
        cause = cause_of(notice.event, open_causes)
        if cause is not None and cause.id in told:
            with_cause.setdefault(cause.id, []).append(notice)
        else:
            left.append(notice)
    found = [Bundle((*each.notices, *with_cause.get(each.notices[0].event.id, ()))) for each in found]
    if left and _group_is_due(load, now):
        found.append(Bundle(tuple(sorted(left, key=_urgency)), is_group=True))
    return found


def cause_of(event: RiskEvent, open_causes: Sequence[RiskEvent]) -> RiskEvent | None:
    """Return an open event that explains this one, unless this one is more severe."""
    return next(
        (
            cause
            for cause in open_causes
            if cause.id != event.id
            and event.finding.kind in CONSEQUENCES.get(cause.finding.kind, ())
            and not event.finding.severity.exceeds(cause.finding.severity)
        ),
        None,
    )


def _group_is_due(load: ChannelLoad, now: datetime) -> bool:
    return load.last_group_at is None or now - load.last_group_at >= FLOOD_MINUTE


def _is_critical_level(event: RiskEvent) -> bool:
    return event.finding.kind is RiskKind.RISK_LEVEL and event.finding.severity is Severity.CRITICAL


def _urgency(notice: Notice) -> tuple[bool, int]:
    return notice.event.finding.severity is not Severity.CRITICAL, notice.event.id
