"""Tests of the AsyncAPI document: it is valid, and what the running server sends is what it says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from sqlalchemy import select
from tests.support.api_client import seed_users
from tests.support.api_clients import asyncapi_schema
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import DAY, TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import context_of
from tests.support.factories.rebalance import executed_record
from tests.support.factories.rows import VALID
from tests.support.factories.strategies import EPOCH
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now
from websockets.asyncio.client import connect

from paimon.application.common.live import LiveMessage
from paimon.application.event_listener.record.pending_logs import PENDING_LOGS, PendingLogUpdate
from paimon.application.risk_control.store import to_domain
from paimon.composition import AppContext
from paimon.domain.chain.pending_logs import PendingLogStatus
from paimon.domain.risk.emergency import Emergency, EmergencyState
from paimon.gateway.tasks.handlers import handlers
from paimon.gateway.views.live_messages import live_document
from paimon.gateway.websocket.asyncapi import asyncapi_document
from paimon.gateway.websocket.protocol import RESYNC, LiveChannel
from paimon.infrastructure.cache import live
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue.handler import handle
from paimon.settings import Settings

pytestmark = pytest.mark.integration

DOCUMENT: Final[dict[str, Any]] = asyncapi_document()


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


def documented_names(message: dict[str, Any], *, action: str) -> list[str]:
    """Return the names of the documented messages of one direction that a message is one of."""
    references = [
        reference["$ref"].rsplit("/", 1)[1]
        for operation in DOCUMENT["operations"].values()
        for reference in (
            operation["messages"] if operation["action"] == action else operation.get("reply", {}).get("messages", ())
        )
    ]
    return [
        name
        for name in dict.fromkeys(references)
        if Draft202012Validator(
            DOCUMENT["components"]["messages"][name]["payload"] | {"components": DOCUMENT["components"]}
        ).is_valid(message)
    ]


def test_document_is_valid_asyncapi() -> None:
    schema = asyncapi_schema()
    assert [error.message for error in Draft7Validator(schema).iter_errors(DOCUMENT)] == []
    broken = DOCUMENT | {"operations": {"ping": {"action": "dance"}}}
    assert list(Draft7Validator(schema).iter_errors(broken)), "the schema refuses something"


async def publish_due_messages(app_context: AppContext) -> None:
    """Handle every due outbox message, and publish what comes of it, as a worker does."""
    async with app_context.database.read() as session:
        due = select(OutboxMessageRow.id).where(OutboxMessageRow.done_at.is_(None)).order_by(OutboxMessageRow.id)
        message_ids = list(await session.scalars(due))
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        for message_id in message_ids:
            published: list[LiveMessage] = await handle(
                worker.database, handlers(worker), message_id, attempts_max=1, backoff_seconds_max=1
            )
            for message in published:
                await live.publish(worker.redis, message.channel, live_document(message))


async def let_everything_happen(app_context: AppContext, fund: TestFund, api_server: ApiServer) -> None:
    """Cause a message on every channel."""
    activity = FundActivity(fund)
    await snapshot_now(app_context, fund)
    awaiting, payable = fund.request("ines", 150_000), fund.request("ivan", 10_000)
    await record_all(app_context, fund)
    await publish_due_messages(app_context)
    fund.send("ines", "RedemptionManager", "cancelRedemption", awaiting)
    fund.warp(8 * DAY)
    fund.send("ada", "RedemptionManager", "settleRedemption", payable)
    activity.set_price("RWAC", 13 * 10**17)
    await snapshot_now(app_context, fund)
    await publish_due_messages(app_context)
    async with app_context.database.write() as session:
        session.add(row := RiskEventRow(**VALID[RiskEventRow]))
        await session.flush()
        event = to_domain(row)
    await live.publish(app_context.redis, LiveChannel.RISK_ALERT, live_document(LiveMessage(LiveChannel.RISK_ALERT, event)))
    rebalanced = LiveMessage(LiveChannel.REBALANCE_EXECUTED, executed_record(EPOCH))
    await live.publish(app_context.redis, rebalanced.channel, live_document(rebalanced))
    emergency = Emergency(1, True, EmergencyState.DECLARED, EPOCH, EPOCH, EPOCH)
    changed = LiveMessage(LiveChannel.RISK_EMERGENCY, emergency)
    await live.publish(app_context.redis, changed.channel, live_document(changed))
    for status in PendingLogStatus:
        for changes in ({}, {"event": "Deposit", "args": {"assets": "1"}}):
            update = PendingLogUpdate(status, PendingLogRow(**VALID[PendingLogRow] | changes))
            await live.publish(app_context.redis, PENDING_LOGS, update.message)
    api_server.hub.broadcast(RESYNC)


async def test_messages_of_the_running_server_are_those_of_the_document(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    expected = {
        reference["$ref"].rsplit("/", 1)[1]
        for operation in DOCUMENT["operations"].values()
        for reference in (operation["messages"] if operation["action"] == "send" else operation["reply"]["messages"])
    }
    seen: Counter[str] = Counter()

    def check(message: dict[str, Any]) -> None:
        (name,) = documented_names(message, action="send")
        seen[name] += 1

    async with api_server.client(None) as client:
        for sent in (
            {"type": "ping"},
            {"type": "subscribe", "channels": []},
            {"type": "auth", "token": api_server.api_client.token("willa")},
            {"type": "subscribe", "channels": [channel.value for channel in LiveChannel]},
        ):
            assert len(documented_names(sent, action="receive")) == 1
            await send_message(client, **sent)
            check(await receive_message(client))
        await let_everything_happen(app_context, fund, api_server)
        async with asyncio.timeout(15):
            while set(seen) != expected:
                check(await receive_message(client))
    async with connect(api_server.url) as refused:
        await send_message(refused, type="auth", token="nonsense")
        _, messages = await receive_until_close(refused)
    for message in messages:
        check(message)
    assert set(seen) == expected
