"""A node whose chain ends before the cursor: the listener waits under the same lease, and reports it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from tests.support.api_client import ApiClient
from tests.support.chain.fund import TestFund
from tests.support.faults.byzantine_node import ByzantineNode, byzantine_node

from paimon.application.event_listener.ingest.chain_behind import ChainBehindMonitor, find_chain_behind
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.composition import AppContext, open_app_context
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus, Severity
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.settings import Settings

pytestmark = pytest.mark.integration

TTL_SECONDS: Final = 3.0


@pytest.fixture
async def node(fund: TestFund) -> AsyncIterator[ByzantineNode]:
    async with byzantine_node(fund.node.http_url) as opened:
        yield opened


@pytest.fixture
async def app_context(settings: Settings, node: ByzantineNode) -> AsyncIterator[AppContext]:
    """An app context whose only endpoint is that node."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url), "ws_url": None})
    async with open_app_context(settings.model_copy(update={"chain": chain}), process="test") as opened:
        yield opened


def cut_chain(node: ByzantineNode, fund: TestFund, head: int) -> None:
    """Let the node's chain end with this block."""
    last = fund.node.rpc.call("eth_getBlockByNumber", hex(head), False)

    def block(params: list[Any], true: Any) -> Any:
        if not params[0].startswith("0x"):
            return last
        return true if int(params[0], 16) <= head else None

    node.mutations |= {"eth_blockNumber": lambda _params, _true: hex(head), "eth_getBlockByNumber": block}


@asynccontextmanager
async def following(app_context: AppContext) -> AsyncIterator[asyncio.Task[None]]:
    settings = app_context.settings
    monitor = ChainBehindMonitor(grace_seconds=0.5)
    listener = Listener(
        app_context.database, app_context.contracts, app_context.chain, settings.chain, settings.fund.start_block, monitor
    )
    leading = run_as_leader(app_context.database, "listener", listener.follow, ttl_seconds=TTL_SECONDS, renew_seconds=0.5)
    task = asyncio.create_task(leading)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def recorded_block(app_context: AppContext) -> int:
    async with app_context.database.read() as session:
        return await session.scalar(select(CursorRow.number)) or 0


async def lease_of(app_context: AppContext) -> LeaseRow:
    async with app_context.database.read() as session:
        return (await session.scalars(select(LeaseRow))).one()


async def open_event(app_context: AppContext) -> RiskEvent | None:
    async with app_context.database.read() as session:
        return await find_chain_behind(session)


async def test_listener_waits_and_reports_when_the_chain_is_behind_the_cursor(
    app_context: AppContext, fund: TestFund, node: ByzantineNode, api_client: ApiClient, eventually: Callable[..., Any]
) -> None:
    fund.mine(6)
    async with following(app_context) as task:
        final = (await app_context.chain.final_block(app_context.rpc)).number

        async def recorded() -> bool:
            return await recorded_block(app_context) >= final

        await eventually(recorded)
        before = await lease_of(app_context)
        cut_chain(node, fund, final - 3)
        event = await eventually(lambda: open_event(app_context))
        assert (event.finding.severity, event.status) == (Severity.CRITICAL, RiskStatus.OPEN)
        cursor = await recorded_block(app_context)
        assert event.finding.expected.startswith(f"block #{cursor} ")
        async with app_context.database.read() as session:
            (message,) = (await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == RISK_EVENT))).all()
        assert message.aggregate_id == str(event.id)
        health = (await api_client.get("/system/health")).json()["data"]
        (component,) = [component for component in health["components"] if component["name"] == "listener"]
        assert (component["status"], component["summary"]) == (
            "DOWN",
            "WAITING: the chain of every node is shorter than the recorded one",
        )
        assert component["details"]["riskEvent"] == event.id

        async def is_renewed() -> bool:
            return (await lease_of(app_context)).expires_at > before.expires_at + timedelta(seconds=TTL_SECONDS)

        await eventually(is_renewed)
        assert (await lease_of(app_context)).epoch == before.epoch
        assert not task.done()
        assert await recorded_block(app_context) == cursor

        node.mutations.clear()
        fund.mine(4)
        final = cursor + 1
        await eventually(recorded)
        assert await open_event(app_context) is None
    async with app_context.database.read() as session:
        (row,) = await session.scalars(select(RiskEventRow))
    assert (row.kind, row.status) == (RiskKind.CHAIN_BEHIND, RiskStatus.RESOLVED)


async def test_next_lease_holder_resolves_the_chain_behind_event_left_open(
    app_context: AppContext, fund: TestFund, node: ByzantineNode, eventually: Callable[..., Any]
) -> None:
    fund.mine(6)
    final = (await app_context.chain.final_block(app_context.rpc)).number

    async def recorded() -> bool:
        return await recorded_block(app_context) >= final

    async with following(app_context):
        await eventually(recorded)
    cut_chain(node, fund, final - 3)
    async with following(app_context) as task:
        await eventually(lambda: open_event(app_context))
        assert not task.done()
    node.mutations.clear()
    async with following(app_context):

        async def is_resolved() -> bool:
            return await open_event(app_context) is None

        await eventually(is_resolved)


async def test_no_event_opens_when_only_the_nodes_finality_is_behind(
    app_context: AppContext, fund: TestFund, node: ByzantineNode, eventually: Callable[..., Any]
) -> None:
    """Nodes often differ by a block or two in what they call final."""
    fund.mine(6)
    async with following(app_context):
        final = (await app_context.chain.final_block(app_context.rpc)).number

        async def recorded() -> bool:
            return await recorded_block(app_context) >= final

        await eventually(recorded)
        earlier = fund.node.rpc.call("eth_getBlockByNumber", hex(final - 3), False)
        checks = 0

        def block(params: list[Any], true: Any) -> Any:
            nonlocal checks
            checks += params[0].startswith("0x")
            return true if params[0].startswith("0x") else earlier

        node.mutations["eth_getBlockByNumber"] = block

        async def has_checked() -> bool:
            return checks > 5

        await eventually(has_checked)
        assert await open_event(app_context) is None
