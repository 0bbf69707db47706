"""The API of notifications: messages, channels without their secrets, tests of a channel, and one's own preferences."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.api_client import BLOCK_TIME, ApiClient, api_client_for, require_example, running_app, seed_users
from tests.support.chain.fund import TestFund
from tests.support.factories.rows import insert_row
from tests.support.notification_receivers import ROUTING_KEY, Receivers, notification_file, running_receivers

from paimon.application.notifications.deliver import NotificationContext, serve_channel
from paimon.domain.notification.message import MessageStatus, Occasion
from paimon.infrastructure.database.models.ops.notification import NotificationEventRow, NotificationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.notifications.sender import Sender
from paimon.settings import Settings
from paimon.settings.notifications import NotificationsSettings

pytestmark = pytest.mark.integration

ROUTES = """
[[routes]]
severities = ["CRITICAL"]
kinds = ["RISK_LEVEL"]
channels = ["slack"]
[[routes.escalations]]
after_minutes = 5
channels = ["mail"]
"""


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    async with running_receivers() as running:
        yield running


@pytest.fixture
async def client(
    settings: Settings, database: Database, fund: TestFund, receivers: Receivers, tmp_path: Path
) -> AsyncIterator[ApiClient]:
    await seed_users(database, fund)
    file = notification_file(tmp_path, receivers, ROUTES, person=fund.accounts.address("otto"))
    own = settings.model_copy(update={"notifications": NotificationsSettings(file=file)})
    async with running_app(own) as app, api_client_for(app, own, fund.accounts) as opened:
        yield opened


async def test_channel_is_tried_by_a_test_message_with_a_receipt(
    client: ApiClient, database: Database, receivers: Receivers
) -> None:
    queued = await client.post("/notifications/channels/discord/test", {}, by="otto")
    assert queued.json()["data"]["status"] == "QUEUED"
    context = NotificationContext(database, client.settings.notifications)
    async with Sender(None, timeout_seconds=5) as sender:
        await serve_channel(context, sender, context.settings.content.by_name["discord"])
    assert receivers.got["discord"][0]["content"].startswith("Test of the channel discord\n")
    detail = await client.get(f"/notifications/{queued.json()['data']['id']}")
    require_example(detail, "notification")
    assert detail.json()["data"]["receipt"] == "1180000000000000000"

    channels = await client.get("/notifications/channels")
    require_example(channels, "notification_channels")
    discord = next(each for each in channels.json()["data"]["channels"] if each["name"] == "discord")
    assert discord["lastSentAt"] is not None
    assert all(secret not in channels.text for secret in (ROUTING_KEY, "123:token", "/api/webhooks", "whsec", "ines@example"))

    unknown = await client.post("/notifications/channels/pigeon/test", {}, by="otto")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert "slack" in unknown.json()["error"]["message"]


async def test_failed_message_is_listed_with_its_events_and_replayed(client: ApiClient, database: Database) -> None:
    async with database.write() as session:
        await insert_row(session, RiskEventRow)
        await insert_row(session, NotificationRow, status=MessageStatus.FAILED, last_error="it answered 404", attempts=3)
        told = {"event_id": 1, "channel": "operators", "occasion": Occasion.OPENED, "step": "CRITICAL", "due_at": BLOCK_TIME}
        session.add(NotificationEventRow(**told, message_id=1))
    listed = await client.get("/notifications", status="FAILED", channel="operators")
    require_example(listed, "notifications")
    (failed,) = listed.json()["data"]["items"]
    assert failed["lastError"] == "it answered 404"
    assert (await client.get("/notifications", status="SENT")).json()["data"]["items"] == []
    again = await client.post(f"/notifications/{failed['id']}/replay", {}, by="otto")
    assert again.json()["data"] | {"status": "QUEUED", "attempts": 0, "eventIds": [1]} == again.json()["data"]
    assert (await client.get("/notifications/99")).status_code == 404


async def test_preferences_are_ones_own_and_are_checked(client: ApiClient) -> None:
    wanted = {
        "language": "zh-CN",
        "severityMin": "CRITICAL",
        "quietHours": {"start": "22:00:00", "end": "07:00:00", "zone": "Asia/Shanghai"},
    }
    changed = await client.client.put("/api/v1/notifications/preferences", json=wanted, headers=client.headers("otto"))
    assert changed.json()["data"] == wanted | {"channels": ["mail"]}
    own = await client.get("/notifications/preferences", by="otto")
    require_example(own, "notification_preferences")
    assert own.json()["data"] == changed.json()["data"]
    other = await client.get("/notifications/preferences", by="willa")
    assert other.json()["data"] == {"language": None, "severityMin": "WARNING", "quietHours": None, "channels": []}
    wrong = {"quietHours": {"start": "22:00", "end": "07:00", "zone": "../etc/passwd"}}
    refused = await client.client.put("/api/v1/notifications/preferences", json=wrong, headers=client.headers("otto"))
    assert refused.status_code == 400
    assert "Europe/Berlin" in refused.text
