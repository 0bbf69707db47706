"""Channels that take a message by one HTTP request: Slack, Discord, Telegram, PagerDuty, and webhooks of one's own.

For each kind: the request of a message, and the id of the message in the answer. What an answer's status means:

    2xx                 accepted. PagerDuty's 202 means taken, not delivered
    429, 5xx, 408       to be tried again, no sooner than the service asks; PagerDuty's 429 counts for minutes, and asks nothing
    any other           refused: the same request would be refused again. A webhook is tried again, unless it answers 410

Text that strangers wrote on chain may stand in a message. It is sent as plain text, and mentions no one.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from paimon.domain.notification.message import Attempt, Occasion, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity
from paimon.settings.notification_file import (
    DiscordSettings,
    PagerDutySettings,
    SlackSettings,
    TelegramSettings,
    WebhookSettings,
)

HttpChannel = SlackSettings | DiscordSettings | TelegramSettings | PagerDutySettings | WebhookSettings

_SLACK_CHARACTERS: Final = 3_000
_DISCORD_CHARACTERS: Final = 2_000
_TELEGRAM_CHARACTERS: Final = 4_096
_PAGERDUTY_SUMMARY: Final = 1_024
_PAGERDUTY_KEY: Final = 255
_REASON_CHARACTERS: Final = 200
_WEBHOOK_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 — the form of secrets, none itself
_GONE: Final = 410
_AGAIN: Final = (408, 425, 429)
_TOO_MANY: Final = 429
_PAGERDUTY_PAUSE: Final = timedelta(minutes=2)


class UnusableSecret(ValueError):
    """The file of a channel's secret cannot be read, or holds none of its form."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One POST of JSON. URL and headers may hold secrets, so neither may be logged."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def build_request(channel: HttpChannel, message: OutgoingMessage, *, now: datetime) -> HttpRequest:
    """Build the request that hands the message to the channel.

    Raises:
        OSError, UnusableSecret: the channel's secret cannot be read.
    """
    request = _BUILDERS[channel.kind](channel, message, now)
    return HttpRequest(request.url, request.body, {"Content-Type": "application/json", **request.headers})


def _slack(channel: SlackSettings, message: OutgoingMessage, _now: datetime) -> HttpRequest:
    text = f"{message.title}\n{message.text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _json(channel.url_file.read_text().strip(), {"text": _cut(text, _SLACK_CHARACTERS), "unfurl_links": False})


def _discord(channel: DiscordSettings, message: OutgoingMessage, _now: datetime) -> HttpRequest:
    content = _cut(f"{message.title}\n{message.text}", _DISCORD_CHARACTERS)
    # With `wait`, the answer has the message's id, and comes when the message is stored.
    return _json(f"{channel.url_file.read_text().strip()}?wait=true", {"content": content, "allowed_mentions": {"parse": []}})


def _telegram(channel: TelegramSettings, message: OutgoingMessage, _now: datetime) -> HttpRequest:
    text = _cut(f"{message.title}\n{message.text}", _TELEGRAM_CHARACTERS)
    token = channel.token_file.read_text().strip()
    url = f"{channel.url.get_secret_value().rstrip('/')}/bot{token}/sendMessage"
    return _json(url, {"chat_id": channel.chat_id, "text": text, "link_preview_options": {"is_disabled": True}})


def _pagerduty(channel: PagerDutySettings, message: OutgoingMessage, _now: datetime) -> HttpRequest:
    event: dict[str, Any] = {
        "routing_key": channel.routing_key_file.read_text().strip(),
        "event_action": "resolve" if message.occasion is Occasion.ENDED else "trigger",
        "dedup_key": message.dedup_key[:_PAGERDUTY_KEY],
    }
    if message.occasion is not Occasion.ENDED:
        event["payload"] = {
            "summary": _cut(message.title, _PAGERDUTY_SUMMARY),
            "source": "paimon",
            "severity": "critical" if message.severity is Severity.CRITICAL else "warning",
            "custom_details": {"message": message.body},
        }
        event["links"] = [{"href": message.link, "text": "Console"}] if message.link else []
    return _json(channel.url.get_secret_value(), event)


def _webhook(channel: WebhookSettings, message: OutgoingMessage, now: datetime) -> HttpRequest:
    """Sign as Standard Webhooks says: HMAC-SHA256 over id, time and body."""
    document = {
        "type": f"risk_event.{message.occasion.lower()}",
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "severity": message.severity.value,
            "title": message.title,
            "message": message.body,
            "dedupKey": message.dedup_key,
            "link": message.link,
        },
    }
    body, timestamp = orjson.dumps(document), str(int(now.timestamp()))
    signed = b".".join((message.key.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(_webhook_secret(channel), signed, hashlib.sha256)).decode()
    headers = {"webhook-id": message.key, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
    return HttpRequest(channel.url.get_secret_value(), body, headers)


def _webhook_secret(channel: WebhookSettings) -> bytes:
    text = channel.secret_file.read_text().strip()
    try:
        secret = base64.b64decode(text.removeprefix(_WEBHOOK_SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(_WEBHOOK_SECRET_PREFIX) or not 24 <= len(secret) <= 64:
        raise UnusableSecret(f"the secret of a webhook is {_WEBHOOK_SECRET_PREFIX} and 24 to 64 bytes in base64")
    return secret


_BUILDERS: Final[Mapping[str, Callable[[Any, OutgoingMessage, datetime], HttpRequest]]] = {
    "slack": _slack,
    "discord": _discord,
    "telegram": _telegram,
    "pagerduty": _pagerduty,
    "webhook": _webhook,
}

_RECEIPTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "discord": lambda answer: answer["id"],
    "telegram": lambda answer: answer["result"]["message_id"],
    "pagerduty": lambda answer: answer["dedup_key"],
}


def read_answer(channel: HttpChannel, status: int, headers: Mapping[str, str], body: bytes) -> Attempt:
    """Say what a channel's answer means for the message."""
    if 200 <= status < 300:
        return Attempt(Outcome.ACCEPTED, receipt=_receipt(channel, body))
    reason = f"it answered {status}: {_cut(' '.join(body.decode(errors='replace').split()), _REASON_CHARACTERS)}"
    if status in _AGAIN or status >= 500:
        asked = _asked_pause(headers, body)
        if isinstance(channel, PagerDutySettings) and status == _TOO_MANY:
            asked = max(asked or _PAGERDUTY_PAUSE, _PAGERDUTY_PAUSE)
        return Attempt(Outcome.RETRY, reason=reason, pause=asked)
    if isinstance(channel, WebhookSettings) and status != _GONE:
        return Attempt(Outcome.RETRY, reason=reason)
    return Attempt(Outcome.REFUSED, reason=reason)


def _receipt(channel: HttpChannel, body: bytes) -> str | None:
    if (read := _RECEIPTS.get(channel.kind)) is None:
        return None
    try:
        return str(read(orjson.loads(body)))[:100]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None


def _asked_pause(headers: Mapping[str, str], body: bytes) -> timedelta | None:
    """Read the pause that a service asks for: a header in seconds, or `retry_after` in the body as Telegram and Discord say."""
    asked: Any = headers.get("Retry-After")
    if asked is None:
        try:
            answer = orjson.loads(body)
            asked = answer.get("retry_after") or answer.get("parameters", {}).get("retry_after")
        except (orjson.JSONDecodeError, AttributeError):
            return None
    try:
        return timedelta(seconds=min(max(float(asked), 0), 86_400))
    except (TypeError, ValueError):
        return None


def _json(url: str, document: object) -> HttpRequest:
    return HttpRequest(url, orjson.dumps(document), {})


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
