"""What a channel's answer means, what a request to it holds, and which addresses are public."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from paimon.domain.notification.message import MessageLanguage, Occasion, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity
from paimon.infrastructure.notifications.http_channels import HttpChannel, UnusableSecret, build_request, read_answer
from paimon.infrastructure.notifications.public_hosts import PrivateHost, is_public, require_public_literal
from paimon.settings.notification_file import (
    DiscordSettings,
    PagerDutySettings,
    SlackSettings,
    TelegramSettings,
    WebhookSettings,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NONE = Path("/none")
CHANNELS: dict[str, Any] = {
    "slack": SlackSettings(name="a", kind="slack", url_file=NONE),
    "discord": DiscordSettings(name="a", kind="discord", url_file=NONE),
    "telegram": TelegramSettings(name="a", kind="telegram", token_file=NONE, chat_id="7"),
    "pagerduty": PagerDutySettings(name="a", kind="pagerduty", routing_key_file=NONE),
    "webhook": WebhookSettings(name="a", kind="webhook", url=SecretStr("https://a.example/"), secret_file=NONE),
}


def message(**changes: Any) -> OutgoingMessage:
    values: dict[str, Any] = {
        "id": 1,
        "key": "msg_1",
        "channel": "a",
        "occasion": Occasion.OPENED,
        "severity": Severity.CRITICAL,
        "title": "CRITICAL: it",
        "body": "body",
        "dedup_key": "risk-event-1-critical",
    }
    return OutgoingMessage(**(values | changes))


@pytest.mark.parametrize(
    ("kind", "status", "headers", "body", "outcome", "seconds"),
    [
        ("slack", 200, {}, "ok", Outcome.ACCEPTED, None),
        ("pagerduty", 202, {}, "{}", Outcome.ACCEPTED, None),
        ("discord", 204, {}, "", Outcome.ACCEPTED, None),
        ("slack", 429, {"Retry-After": "1800"}, "rate_limited", Outcome.RETRY, 1_800),
        ("telegram", 429, {}, '{"ok":false,"error_code":429,"parameters":{"retry_after":600}}', Outcome.RETRY, 600),
        ("discord", 429, {}, '{"message":"You are being rate limited.","retry_after":64.57}', Outcome.RETRY, 64.57),
        ("webhook", 500, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", Outcome.RETRY, None),
        ("slack", 503, {"Retry-After": "-5"}, "", Outcome.RETRY, 0),
        ("discord", 429, {}, '["retry_after"]', Outcome.RETRY, None),
        ("pagerduty", 400, {}, "invalid event", Outcome.REFUSED, None),
        ("pagerduty", 429, {}, '{"status":"throttle exceeded"}', Outcome.RETRY, 120),
        ("pagerduty", 429, {"Retry-After": "5"}, "", Outcome.RETRY, 120),
        ("pagerduty", 429, {"Retry-After": "600"}, "", Outcome.RETRY, 600),
        ("pagerduty", 500, {}, "", Outcome.RETRY, None),
        ("slack", 302, {"Location": "http://169.254.169.254/"}, "", Outcome.REFUSED, None),
        ("telegram", 403, {}, '{"ok":false,"description":"bot was blocked by the user"}', Outcome.REFUSED, None),
        ("webhook", 404, {}, "", Outcome.RETRY, None),
        ("webhook", 410, {}, "", Outcome.REFUSED, None),
    ],
)
def test_answer_of_a_channel_says_what_becomes_of_the_message(
    kind: str, status: int, headers: dict[str, str], body: str, outcome: Outcome, seconds: float | None
) -> None:
    attempt = read_answer(CHANNELS[kind], status, headers, body.encode())
    assert attempt.outcome is outcome
    assert attempt.pause == (None if seconds is None else timedelta(seconds=seconds))
    assert (attempt.reason is None) == (outcome is Outcome.ACCEPTED)


def test_pagerduty_gets_bounded_texts_and_resolves_by_the_key_of_the_alarm(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("R" * 32 + "\n")
    channel = PagerDutySettings(name="a", kind="pagerduty", routing_key_file=tmp_path / "key")
    opened = orjson.loads(build_request(channel, message(title="x" * 5_000, dedup_key="k" * 300), now=NOW).body)
    ended = orjson.loads(build_request(channel, message(occasion=Occasion.ENDED, dedup_key="k" * 300), now=NOW).body)
    assert len(opened["payload"]["summary"]) == 1_024
    assert opened["dedup_key"] == ended["dedup_key"] == "k" * 255
    assert (opened["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert opened["routing_key"] == ended["routing_key"] == "R" * 32


@pytest.mark.parametrize(("kind", "most"), [("slack", 3_000), ("discord", 2_000), ("telegram", 4_096)])
def test_text_of_a_chat_message_is_no_longer_than_the_service_takes(kind: str, most: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("https://chat.example/hook")
    field = "token_file" if kind == "telegram" else "url_file"
    channel: HttpChannel = CHANNELS[kind].model_copy(update={field: tmp_path / "secret"})
    document = orjson.loads(build_request(channel, message(body="<" * 9_000), now=NOW).body)
    assert len(document.get("text", document.get("content"))) == most


def test_webhook_is_signed_over_its_id_time_and_body(tmp_path: Path) -> None:
    secret = b"thirty-two bytes of a secret ...."
    (tmp_path / "secret").write_text(f"whsec_{base64.b64encode(secret).decode()}\n")
    channel = CHANNELS["webhook"].model_copy(update={"secret_file": tmp_path / "secret"})
    request = build_request(channel, message(), now=NOW)
    signed = f"msg_1.{int(NOW.timestamp())}.".encode() + request.body
    assert (
        request.headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    )


@pytest.mark.parametrize("text", ["", "secret", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_webhook_secret_of_another_form_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(text)
    channel = CHANNELS["webhook"].model_copy(update={"secret_file": tmp_path / "secret"})
    with pytest.raises(UnusableSecret) as raised:
        build_request(channel, message(), now=NOW)
    assert not text or text not in str(raised.value) or text == "secret"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("fd00:ec2::254", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_url_with_a_private_address_is_refused_and_one_with_a_name_is_resolved_first() -> None:
    with pytest.raises(PrivateHost):
        require_public_literal("http://[::1]:8080/hook")
    with pytest.raises(PrivateHost):
        require_public_literal("https://192.168.0.1/")
    require_public_literal("https://hooks.slack.com/services/T/B/x")


def test_both_languages_are_known() -> None:
    assert {language.value for language in MessageLanguage} == {"en", "zh-CN"}
