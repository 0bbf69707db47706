"""The file of notifications: channels, and the routes that lead to them.

[[channels]]
name = "operators"
kind = "slack"
url_file = "/run/secrets/slack-operators"
fallback = "ines-mail"

[[channels]]
name = "ines-mail"
kind = "email"
to = "ines@fund.example"
person = "0x…"

[[routes]]
severities = ["WARNING", "CRITICAL"]
channels = ["operators"]
[[routes.escalations]]
after_minutes = 30
channels = ["ines-mail"]

Keys, tokens and URLs that hold one stand in files of their own. Where a message goes is said here only: no user of the API can
name an address.
"""

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from paimon.domain.notification.message import MessageLanguage
from paimon.domain.notification.routes import Escalation, Route
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.settings.base import ChecksumAddress, HttpUrl, SettingsEntry
from paimon.settings.toml_file import read_toml_file

_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")]


def _mail_address(text: str) -> str:
    name, at, host = text.rpartition("@")
    if not (name and at and host) or any(character.isspace() or character in "<>,;" for character in text):
        raise ValueError("an e-mail address is name@host")
    return text


MailAddress = Annotated[str, Field(max_length=254), AfterValidator(_mail_address)]


class ChannelSettings(SettingsEntry):
    """What every channel has."""

    name: _Name
    person: ChecksumAddress | None = None
    """The user who alone reads it: messages follow their preferences, and hold a link that acknowledges in their name."""
    language: MessageLanguage = MessageLanguage.ENGLISH
    fallback: _Name | None = None
    concurrency: int = Field(2, ge=1, le=20)
    allow_private: bool = False
    """Whether the channel's host may have an address of a private network."""


class SlackSettings(ChannelSettings):
    kind: Literal["slack"]
    url_file: Path


class DiscordSettings(ChannelSettings):
    kind: Literal["discord"]
    url_file: Path


class TelegramSettings(ChannelSettings):
    kind: Literal["telegram"]
    token_file: Path
    chat_id: str = Field(min_length=1, max_length=60)
    url: HttpUrl = SecretStr("https://api.telegram.org")


class PagerDutySettings(ChannelSettings):
    kind: Literal["pagerduty"]
    routing_key_file: Path
    url: HttpUrl = SecretStr("https://events.pagerduty.com/v2/enqueue")


class WebhookSettings(ChannelSettings):
    """A service of one's own: the messages are signed as Standard Webhooks say."""

    kind: Literal["webhook"]
    url: HttpUrl
    secret_file: Path


class EmailSettings(ChannelSettings):
    kind: Literal["email"]
    to: MailAddress


class AppriseSettings(ChannelSettings):
    """Any other service that apprise knows, by its URL."""

    kind: Literal["apprise"]
    url_file: Path


Channel = Annotated[
    SlackSettings | DiscordSettings | TelegramSettings | PagerDutySettings | WebhookSettings | EmailSettings | AppriseSettings,
    Field(discriminator="kind"),
]


class SmtpSettings(SettingsEntry):
    """The mail server. Without TLS it takes no password."""

    host: str
    port: int = Field(587, ge=1, le=65_535)
    sender: MailAddress
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _keeps_its_password(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together")
        if self.password_file is not None and self.security == "none":
            raise ValueError('a password needs security = "starttls" or "tls"')
        return self


class EscalationSettings(SettingsEntry):
    """Channels that are told of an event that is not acknowledged after this time."""

    after_minutes: float = Field(gt=0, le=10_080)
    channels: tuple[_Name, ...] = Field(min_length=1)


class RouteSettings(SettingsEntry):
    """The events of these severities and kinds, and where they are told."""

    severities: frozenset[Severity] = frozenset(Severity)
    kinds: frozenset[RiskKind] = frozenset()
    channels: tuple[_Name, ...] = Field(min_length=1)
    escalations: tuple[EscalationSettings, ...] = ()
    digest: bool = False

    @property
    def route(self) -> Route:
        steps = tuple(Escalation(timedelta(minutes=step.after_minutes), step.channels) for step in self.escalations)
        return Route(self.severities, self.channels, self.kinds, steps, self.digest)


class NotificationFile(SettingsEntry):
    """The whole file."""

    smtp: SmtpSettings | None = None
    channels: tuple[Channel, ...] = ()
    routes: tuple[RouteSettings, ...] = ()

    @property
    def by_name(self) -> dict[str, Channel]:
        return {channel.name: channel for channel in self.channels}

    @property
    def routing(self) -> tuple[Route, ...]:
        return tuple(settings.route for settings in self.routes)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("two channels have the same name")
        used = {name for route in self.routes for name in route.channels}
        used |= {name for route in self.routes for step in route.escalations for name in step.channels}
        used |= {channel.fallback for channel in self.channels if channel.fallback is not None}
        if unknown := sorted(used - set(names)):
            raise ValueError(f"no channel is called {', '.join(unknown)}; there are {', '.join(sorted(names)) or 'none'}")
        fallbacks = {channel.name: channel.fallback for channel in self.channels}
        for name in names:
            following, seen = fallbacks[name], {name}
            while following is not None and following not in seen:
                seen.add(following)
                following = fallbacks[following]
            if following is not None:
                raise ValueError(f"the fallbacks lead in a circle: {', '.join(sorted(seen))}")
        if self.smtp is None and any(isinstance(channel, EmailSettings) for channel in self.channels):
            raise ValueError("a channel of kind email needs the table [smtp]")
        return self


@lru_cache(maxsize=8)
def read_notification_file(path: Path) -> NotificationFile:
    """Read the file, once in a process.

    Raises:
        SettingsError: names what is wrong, but repeats no value.
    """
    return read_toml_file(path, NotificationFile, title="notifications", variable="PAIMON_NOTIFICATIONS__FILE")
