"""JSON shapes of notifications: messages with receipts, channels with their state, and a person's preferences."""

from collections.abc import Sequence
from datetime import time
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from paimon.application.notifications.queries import ChannelState, StoredMessage
from paimon.domain.kernel.chain import Address
from paimon.domain.notification.message import MessageLanguage, MessageStatus, Occasion
from paimon.domain.notification.timing import Preferences, QuietHours
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.settings.notification_file import Channel, NotificationFile, RouteSettings


class NotificationView(ApiModel):
    """One message to one channel, with its receipt."""

    id: int
    key: str = Field(description="the same in every attempt to send it; a webhook gets it as `webhook-id`")
    channel: str
    occasion: Occasion
    severity: Severity
    language: MessageLanguage
    title: str
    body: str
    events: int = Field(description="how many risk events it tells of; 0 for a test")
    status: MessageStatus = Field(description="SENT: the channel took it. FAILED: it never will, or not within 24 hours")
    attempts: int
    created_at: Time
    due_at: Time = Field(description="when it is sent, or tried again")
    sent_at: Time | None
    ended_at: Time | None = Field(description="when the end of all its events was told")
    receipt: str | None = Field(description="the channel's own id of the message, where it says one")
    last_error: str | None
    fallback_of: int | None = Field(description="the message that its own channel did not take")

    @classmethod
    def of(cls, message: StoredMessage) -> Self:
        return cls(**{name: getattr(message, name) for name in cls.model_fields})


class NotificationDetailView(NotificationView):
    """One message with the events that it tells of."""

    event_ids: list[int] = Field(description="the risk events, at most the first 100")

    @classmethod
    def with_events(cls, message: StoredMessage, event_ids: Sequence[int]) -> Self:
        shown = NotificationView.of(message)
        return cls(**{name: getattr(shown, name) for name in NotificationView.model_fields}, event_ids=list(event_ids))


class ChannelView(ApiModel):
    """A channel of the settings' file, without its secrets."""

    name: str
    kind: str
    person: AddressText | None = Field(description="the user who alone reads it; null for a shared one")
    language: MessageLanguage
    fallback: str | None
    waiting: int = Field(description="messages that are not sent yet")
    failed: int
    oldest_waiting_at: Time | None
    last_sent_at: Time | None

    @classmethod
    def of(cls, channel: Channel, state: ChannelState | None) -> Self:
        return cls(
            name=channel.name,
            kind=channel.kind,
            person=channel.person,
            language=channel.language,
            fallback=channel.fallback,
            waiting=state.waiting if state else 0,
            failed=state.failed if state else 0,
            oldest_waiting_at=state.oldest_waiting_at if state else None,
            last_sent_at=state.last_sent_at if state else None,
        )


class EscalationView(ApiModel):
    after_minutes: float
    channels: list[str]


class RouteView(ApiModel):
    """Events of these severities and kinds, and where they are told."""

    severities: list[Severity]
    kinds: list[RiskKind] = Field(description="empty for every kind")
    channels: list[str]
    escalations: list[EscalationView]
    digest: bool = Field(description="whether its events wait for the daily digest")

    @classmethod
    def of(cls, route: RouteSettings) -> Self:
        return cls(
            severities=sorted(route.severities),
            kinds=sorted(route.kinds),
            channels=list(route.channels),
            escalations=[
                EscalationView(after_minutes=step.after_minutes, channels=list(step.channels)) for step in route.escalations
            ],
            digest=route.digest,
        )


class ChannelsView(ApiModel):
    """The channels and routes. They stand in the settings' file, so the API shows and does not change them."""

    channels: list[ChannelView]
    routes: list[RouteView]

    @classmethod
    def of(cls, file: NotificationFile, states: dict[str, ChannelState]) -> Self:
        return cls(
            channels=[ChannelView.of(channel, states.get(channel.name)) for channel in file.channels],
            routes=[RouteView.of(route) for route in file.routes],
        )


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no such time zone; one is called as in Europe/Berlin") from None
    return name


class QuietHoursView(ApiModel):
    """Hours of each day in which a person gets no warning. They may pass midnight."""

    start: time
    end: time
    zone: Annotated[str, Field(max_length=60), AfterValidator(_known_zone)] = "UTC"


class PreferencesBody(ApiModel):
    """What a person chooses for the messages on their own channels. Critical events come at any hour."""

    language: MessageLanguage | None = Field(None, description="null for the channel's own")
    severity_min: Severity = Severity.WARNING
    quiet_hours: QuietHoursView | None = None

    def preferences(self) -> Preferences:
        quiet = self.quiet_hours
        hours = None if quiet is None else QuietHours(_minute(quiet.start), _minute(quiet.end), quiet.zone)
        return Preferences(self.language, self.severity_min, hours)


class PreferencesView(PreferencesBody):
    """A person's preferences, with the channels that they apply to."""

    channels: list[str]

    @classmethod
    def of(cls, preferences: Preferences, person: Address, file: NotificationFile) -> Self:
        quiet = preferences.quiet_hours
        return cls(
            language=preferences.language,
            severity_min=preferences.severity_min,
            quiet_hours=None if quiet is None else QuietHoursView(start=quiet.start, end=quiet.end, zone=quiet.zone),
            channels=[channel.name for channel in file.channels if channel.person == person],
        )


def _minute(clock: time) -> time:
    return clock.replace(second=0, microsecond=0, tzinfo=None)
