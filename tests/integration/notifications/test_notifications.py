"""Notifications over real services: each channel's protocol, floods, escalation, kills, slow and dead channels."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select, text, update
from tests.support.notification_receivers import Receivers, notification_file, running_receivers

from paimon.application.notifications.deliver import NotificationContext, route_once, serve_channel
from paimon.application.notifications.queries import list_messages
from paimon.application.notifications.store import replay_failed, save_preferences
from paimon.application.risk_control.record_findings import record_check_results, record_facts
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.notification.message import MessageStatus, Occasion
from paimon.domain.notification.timing import Preferences, QuietHours
from paimon.domain.risk.risk_event import Finding, RiskKind, RiskStatus, Severity
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.notification import NotificationEventRow, NotificationRow, RoutedEventRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.notifications.sender import Sender
from paimon.settings.notifications import NotificationsSettings

pytestmark = pytest.mark.integration

ALL = '[[routes]]\nchannels = ["slack", "discord", "telegram", "pagerduty", "webhook", "mail"]'


_WARNINGS = """
    INSERT INTO ops.risk_events (kind, subject, observed, expected, severity, status, owner_role,
                                 first_seen_at, first_seen_block, last_seen_at, last_seen_block)
    SELECT 'LOW_GAS', 'warning ' || number, '1', '2', 'WARNING', 'OPEN', 'operator', now(), 7, now(), 7
      FROM generate_series(1, 9995) AS number
"""


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    async with running_receivers() as running:
        yield running


class Harness:
    """The delivery of one worker, run step by step."""

    def __init__(self, database: Database, settings: NotificationsSettings) -> None:
        self.database = database
        self.context = NotificationContext(database, settings)
        self.file = settings.content

    async def run(self, *channels: str) -> None:
        """Route, then compose and send what is due on every channel, or on these, at once."""
        await route_once(self.context)
        async with Sender(self.file.smtp, timeout_seconds=self.context.settings.send_timeout_seconds) as sender:
            served = [channel for channel in self.file.channels if not channels or channel.name in channels]
            await asyncio.gather(*(serve_channel(self.context, sender, channel) for channel in served))

    async def open(self, *findings: Finding) -> None:
        async with self.database.write() as session:
            await record_facts(session, findings, block=7)

    async def later(self, **passed: float) -> None:
        """Let time pass for messages and escalations: everything recorded moves into the past."""
        past = timedelta(**passed)
        async with self.database.write() as session:
            for row, columns in (
                (NotificationRow, ("created_at", "due_at", "claimed_at")),
                (NotificationEventRow, ("due_at",)),
                (RoutedEventRow, ("routed_at", "next_step_at")),
            ):
                values = {name: getattr(row, name) - past for name in columns}
                await session.execute(update(row).values(**values), execution_options={"synchronize_session": False})

    async def messages(self, channel: str | None = None) -> list[Any]:
        async with self.database.read() as session:
            return list((await list_messages(session, PageRequest(1, 100), channel=channel)).items)


@pytest.fixture
def harness_of(database: Database, tmp_path: Path, receivers: Receivers) -> Callable[..., Harness]:
    def make(routes: str, *, person: str | None = None, **settings: Any) -> Harness:
        path = notification_file(tmp_path, receivers, routes, person=person)
        return Harness(database, NotificationsSettings(file=path, **settings))

    return make


def finding(subject: str, severity: Severity = Severity.CRITICAL, kind: RiskKind = RiskKind.UNSIGNED_MOVEMENT) -> Finding:
    return Finding(kind, subject, "a call of its own", "the call of a signed plan", severity)


async def test_every_channel_is_told_of_an_event_and_its_end(harness_of: Callable[..., Harness], receivers: Receivers) -> None:
    harness = harness_of(ALL, console_url="https://fund.example/console/")
    low = Finding(RiskKind.LOW_GAS, "gas of <!channel> keeper", "1 wei", "at least 9 wei", Severity.CRITICAL)
    async with harness.database.write() as session:
        await record_check_results(session, RiskKind.LOW_GAS, [low], block=7)
    await harness.run()
    await harness.run()
    services = ("slack", "discord", "telegram", "pagerduty", "webhook")
    assert [len(receivers.got[name]) for name in services] == [1] * 5
    assert len(receivers.mails) == 1
    text = receivers.got["slack"][0]["text"]
    assert text.startswith("CRITICAL: A wallet is low on gas\ngas of &lt;!channel&gt; keeper: 1 wei, expected at least 9 wei")
    assert "Block 7" in text
    assert text.endswith("https://fund.example/console/risk")
    assert receivers.got["telegram"][0]["chat_id"] == "7"
    (incident,) = receivers.incidents()
    assert incident.endswith("-critical")
    assert receivers.got["webhook"][0]["type"] == "risk_event.opened"
    assert receivers.got["webhook"][0]["data"]["dedupKey"] == incident
    assert receivers.mails[0]["Subject"] == "CRITICAL: A wallet is low on gas"
    receipts = {message.channel: message.receipt for message in await harness.messages()}
    assert receipts["discord"] == "1180000000000000000"
    assert receipts["telegram"] == "42"
    assert receipts["pagerduty"] == incident

    async with harness.database.write() as session:
        await record_check_results(session, RiskKind.LOW_GAS, [], block=8)
    await harness.run()
    assert receivers.incidents() == set()
    assert receivers.got["slack"][1]["text"].startswith("Ended: CRITICAL: A wallet is low on gas")
    assert receivers.mails[1]["References"] == receivers.mails[0]["References"]
    await harness.run()
    assert len(receivers.got["slack"]) == 2


async def test_flood_of_10_000_events_is_a_handful_of_messages_with_each_critical_once(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack", "pagerduty"]')
    await harness.open(*(finding(f"critical {number}") for number in range(5)))
    async with harness.database.write() as session:
        await session.execute(text(_WARNINGS))
    for _ in range(3):
        await harness.run("slack", "pagerduty")
    texts = [message["text"] for message in receivers.got["slack"]]
    assert len(texts) == 10
    assert all(len(text) <= 3_000 for text in texts)
    assert [text.count(f"critical {number}:") for number in range(5) for text in texts].count(1) == 5
    groups = [text for text in texts if "risk events (" in text]
    assert groups[0].startswith("9991 risk events (0 critical)")
    assert len(groups) == 1
    async with harness.database.read() as session:
        told = select(func.count()).where(NotificationEventRow.channel == "slack", NotificationEventRow.message_id.is_not(None))
        assert (await session.execute(told)).scalar_one() == 10_000

    async with harness.database.write() as session:
        await session.execute(update(RiskEventRow).values(status=RiskStatus.RESOLVED, resolved_at=func.now(), resolved_block=8))
    await harness.run("slack", "pagerduty")
    await harness.run("slack", "pagerduty")
    assert len(receivers.got["slack"]) == 20
    assert receivers.incidents() == set()


async def test_events_of_a_flood_that_goes_on_wait_for_the_next_group(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack"]', messages_per_minute_max=3)
    for wave in range(4):
        await harness.open(*(finding(f"wave {wave} event {number}") for number in range(5)))
        await harness.run("slack")
    assert len(receivers.got["slack"]) == 3
    await harness.later(minutes=2)
    await harness.run("slack")
    texts = [message["text"] for message in receivers.got["slack"]]
    assert len(texts) == 6
    assert "13 risk events" in texts[-1]


async def test_unacknowledged_event_escalates_and_an_acknowledged_one_does_not(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of("""
[[routes]]
severities = ["WARNING"]
channels = ["slack"]
[[routes.escalations]]
after_minutes = 30
channels = ["mail"]
[[routes.escalations]]
after_minutes = 120
channels = ["manager"]
""")
    await harness.open(finding("first", Severity.WARNING))
    await harness.run()
    await harness.later(minutes=29)
    await harness.run()
    assert receivers.mails == []
    await harness.later(minutes=2)
    await harness.run()
    await harness.run()
    assert [mail["Subject"] for mail in receivers.mails] == [
        "not acknowledged: Warning: The hot wallet moved without a signed plan"
    ]
    async with harness.database.write() as session:
        await session.execute(
            update(RiskEventRow).values(
                status=RiskStatus.ACKNOWLEDGED, acknowledged_at=func.now(), acknowledged_by=b"\x01" * 20
            )
        )
    await harness.later(minutes=120)
    await harness.run()
    assert receivers.got["manager"] == []
    async with harness.database.write() as session:
        await session.execute(update(RiskEventRow).values(status=RiskStatus.OPEN, acknowledged_at=None, acknowledged_by=None))
    await harness.run()
    assert receivers.got["manager"][0]["text"].splitlines()[0].endswith("热钱包出现无签名计划的操作")


async def test_event_that_becomes_critical_is_told_anew_as_another_incident(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["pagerduty"]')
    for severity in (Severity.WARNING, Severity.CRITICAL):
        low = Finding(RiskKind.LOW_GAS, "gas of keeper", "1 wei", "at least 9 wei", severity)
        async with harness.database.write() as session:
            await record_check_results(session, RiskKind.LOW_GAS, [low], block=7)
        await harness.run("pagerduty")
    assert [event["payload"]["severity"] for event in receivers.got["pagerduty"]] == ["warning", "critical"]
    assert len(receivers.incidents()) == 2


async def test_dead_channel_delays_no_other_and_its_fallback_gets_the_message(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    routes = '[[routes]]\nchannels = ["slack", "webhook"]'
    harness = harness_of(routes, send_timeout_seconds=0.5, fallback_after_seconds=60)
    receivers.silent.add("slack")
    await harness.open(finding("lost"))
    await harness.run("slack", "webhook")
    assert len(receivers.got["webhook"]) == 1
    (waiting,) = await harness.messages("slack")
    assert (waiting.status, waiting.last_error) == (MessageStatus.QUEUED, "no answer within 0.5 s")
    await harness.later(minutes=2)
    await harness.run("slack")
    await harness.run("mail")
    assert len(receivers.mails) == 1
    await harness.later(hours=1)
    await harness.run("slack")
    await harness.run("mail")
    assert len(receivers.mails) == 1
    receivers.silent.clear()
    await harness.later(hours=2)
    await harness.run("slack")
    assert len(receivers.got["slack"]) == 1


async def test_refused_message_fails_goes_to_the_fallback_and_can_be_replayed(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack"]')
    receivers.answers["slack"] = lambda: web.Response(status=404, text="no_service")
    await harness.open(finding("refused"))
    await harness.run("slack")
    (failed,) = await harness.messages("slack")
    assert (failed.status, failed.last_error) == (MessageStatus.FAILED, "it answered 404: no_service")
    await harness.run("mail")
    assert len(receivers.mails) == 1
    receivers.answers.clear()
    async with harness.database.write() as session:
        await replay_failed(session, failed.id)
    await harness.run("slack")
    assert len(receivers.got["slack"]) == 1


async def test_channel_that_asks_for_a_pause_gets_one(harness_of: Callable[..., Harness], receivers: Receivers) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack"]')
    receivers.answers["slack"] = lambda: web.Response(status=429, headers={"Retry-After": "1800"}, text="rate_limited")
    await harness.open(finding("too many"))
    await harness.run("slack")
    async with harness.database.read() as session:
        left = (await session.execute(select(func.extract("epoch", NotificationRow.due_at - func.now())))).scalar_one()
    assert left > 1_700


@pytest.mark.parametrize("answer_is_lost", [True, False])
async def test_killed_worker_loses_no_critical_message_and_repeats_none_under_another_key(
    harness_of: Callable[..., Harness], receivers: Receivers, app_url: str, tmp_path: Path, answer_is_lost: bool
) -> None:
    """The worker is killed while both services hold its requests, which they have noted in one case."""
    harness = harness_of('[[routes]]\nchannels = ["webhook", "pagerduty"]')
    receivers.silent = {"webhook", "pagerduty"}
    receivers.notes_before_silence = answer_is_lost
    await harness.open(*(finding(f"critical {number}") for number in range(6)))
    file = tmp_path / "notifications.toml"
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.notification_worker", app_url, str(file)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await receivers.wait_for(lambda: receivers.held >= 4)
    finally:
        worker.kill()
        await worker.wait()
    receivers.silent = set()
    await harness.run("webhook", "pagerduty")
    assert MessageStatus.SENDING in {message.status for message in await harness.messages()}, "what was on its way waits"
    await harness.later(minutes=10)
    await harness.run("webhook", "pagerduty")
    assert {message.status for message in await harness.messages()} == {MessageStatus.SENT}
    keys = {message["id"]: message["data"]["message"].splitlines()[0] for message in receivers.got["webhook"]}
    assert sorted(line.partition(":")[0] for line in keys.values()) == [f"critical {number}" for number in range(6)]
    assert len(receivers.got["webhook"]) == (8 if answer_is_lost else 6)
    assert len(receivers.incidents()) == 6


async def test_mail_server_that_refuses_for_good_ends_the_message_and_a_busy_one_does_not(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["mail"]')
    receivers.mail_answer = "451 try again later"
    await harness.open(finding("busy"))
    await harness.run("mail")
    (waiting,) = await harness.messages("mail")
    assert waiting.status is MessageStatus.QUEUED
    receivers.mail_answer = "554 no such mailbox"
    await harness.later(minutes=1)
    await harness.run("mail")
    (failed,) = await harness.messages("mail")
    assert (failed.status, failed.attempts) == (MessageStatus.FAILED, 2)


async def test_consequences_are_listed_with_their_cause(harness_of: Callable[..., Harness], receivers: Receivers) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack"]')
    await harness.open(
        finding("price of A", kind=RiskKind.PRICE_UNTRUSTED),
        finding("price of B", Severity.WARNING, RiskKind.PRICE_UNTRUSTED),
        finding("parity", kind=RiskKind.USDT_OFF_PARITY),
        finding("gas", kind=RiskKind.LOW_GAS),
    )
    await harness.run("slack")
    texts = [message["text"] for message in receivers.got["slack"]]
    assert len(texts) == 2
    (with_cause,) = [text for text in texts if "off parity" in text.splitlines()[0]]
    assert "It explains 2 others" in with_cause
    assert "price of A" in with_cause
    assert "price of B" in with_cause


async def test_private_address_is_refused_unless_the_channel_allows_it(
    harness_of: Callable[..., Harness], receivers: Receivers, tmp_path: Path
) -> None:
    harness = harness_of('[[routes]]\nchannels = ["slack", "webhook"]')
    path = tmp_path / "notifications.toml"
    path.write_text(path.read_text().replace("allow_private = true", ""))
    (tmp_path / "slack").write_text(f"http://localhost:{receivers.port}/slack/slack")
    other = tmp_path / "public.toml"
    other.write_text(path.read_text())
    harness = Harness(harness.database, NotificationsSettings(file=other))
    await harness.open(finding("inside"))
    await harness.run("slack", "webhook")
    assert receivers.got == {}
    for channel in ("slack", "webhook"):
        (failed,) = await harness.messages(channel)
        assert failed.status is MessageStatus.FAILED
        assert "private network" in (failed.last_error or "")


async def test_reminder_of_an_event_that_was_acknowledged_meanwhile_is_not_sent(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    harness = harness_of("""
[[routes]]
channels = ["slack"]
[[routes.escalations]]
after_minutes = 5
channels = ["manager"]
""")
    await harness.open(finding("seen"))
    await harness.run("slack")
    await harness.later(minutes=6)
    await route_once(harness.context)
    async with harness.database.write() as session:
        await session.execute(
            update(RiskEventRow).values(
                status=RiskStatus.ACKNOWLEDGED, acknowledged_at=func.now(), acknowledged_by=b"\x01" * 20
            )
        )
    await harness.run()
    assert receivers.got["manager"] == []
    assert [message.occasion for message in await harness.messages()] == [Occasion.OPENED]


async def test_warning_waits_for_the_end_of_quiet_hours_and_a_critical_event_does_not(
    harness_of: Callable[..., Harness], receivers: Receivers
) -> None:
    person = parse_address("0x" + "ab" * 20)
    harness = harness_of('[[routes]]\nchannels = ["slack", "mail"]', person=checksum(person))
    async with harness.database.write() as session:
        now = await database_now(session)
        quiet = QuietHours((now - timedelta(hours=2)).time(), (now + timedelta(hours=2)).time())
        await save_preferences(session, person, Preferences(None, Severity.WARNING, quiet))
    await harness.open(finding("low", Severity.WARNING, RiskKind.LOW_GAS), finding("at once"))
    await harness.run()
    assert {message.severity for message in await harness.messages("slack")} == {Severity.WARNING, Severity.CRITICAL}
    assert [message.severity for message in await harness.messages("mail")] == [Severity.CRITICAL]
    await harness.later(hours=3)
    await harness.run()
    assert {message.severity for message in await harness.messages("mail")} == {Severity.WARNING, Severity.CRITICAL}
    assert len(receivers.mails) == 2
