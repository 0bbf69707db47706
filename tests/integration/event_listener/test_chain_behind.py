"""A node whose chain ends before what is recorded: it is waited for, under the same lease, and everybody can see it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from tests.support.api_client import Desk
from tests.support.chain.fund import TestFund
from tests.support.faults.byzantine_node import LyingNode, lying_node

from paimon.application.event_listener.ingest.chain_behind import BehindWatch, find_behind
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.composition import House, open_house
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskState, Severity
from paimon.infrastructure.database.leadership import lead
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.settings import Settings

pytestmark = pytest.mark.integration

TTL_SECONDS: Final = 3.0


@pytest.fixture
async def node(fund: TestFund) -> AsyncIterator[LyingNode]:
    async with lying_node(fund.node.http_url) as opened:
        yield opened


@pytest.fixture
async def house(settings: Settings, node: LyingNode) -> AsyncIterator[House]:
    """A house whose only endpoint is that node."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url), "ws_url": None})
    async with open_house(settings.model_copy(update={"chain": chain}), process="test") as opened:
        yield opened


def cut_off(node: LyingNode, fund: TestFund, head: int) -> None:
    """The node's chain ends with this block."""
    last = fund.node.rpc.call("eth_getBlockByNumber", hex(head), False)

    def block(params: list[Any], true: Any) -> Any:
        if not params[0].startswith("0x"):
            return last
        return true if int(params[0], 16) <= head else None

    node.lies |= {"eth_blockNumber": lambda _params, _true: hex(head), "eth_getBlockByNumber": block}


@asynccontextmanager
async def following(house: House) -> AsyncIterator[asyncio.Task[None]]:
    settings = house.settings
    watch = BehindWatch(lasting_seconds=0.5)
    listener = Listener(house.database, house.contracts, house.chain, settings.chain, settings.fund.start_block, watch)
    leading = lead(house.database, "listener", listener.follow, ttl_seconds=TTL_SECONDS, renew_seconds=0.5)
    task = asyncio.create_task(leading)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def stands_at(house: House) -> int:
    async with house.database.read() as session:
        return await session.scalar(select(CursorRow.number)) or 0


async def lease_of(house: House) -> LeaseRow:
    async with house.database.read() as session:
        return (await session.scalars(select(LeaseRow))).one()


async def opened(house: House) -> RiskEvent | None:
    async with house.database.read() as session:
        return await find_behind(session)


async def test_a_chain_that_became_shorter_is_waited_for_and_seen_and_followed_when_it_is_there_again(
    house: House, fund: TestFund, node: LyingNode, desk: Desk, eventually: Callable[..., Any]
) -> None:
    fund.mine(6)
    async with following(house) as task:
        final = (await house.chain.final_block(house.rpc)).number

        async def recorded() -> bool:
            return await stands_at(house) >= final

        await eventually(recorded)
        before = await lease_of(house)
        cut_off(node, fund, final - 3)
        event = await eventually(lambda: opened(house))
        assert (event.found.severity, event.state) == (Severity.CRITICAL, RiskState.OPEN)
        stood = await stands_at(house)
        assert event.found.expected.startswith(f"block #{stood} ")
        async with house.database.read() as session:
            (told,) = (await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == RISK_EVENT))).all()
        assert told.aggregate_id == str(event.id)
        health = (await desk.get("/system/health", by=None)).json()["data"]
        (part,) = [each for each in health["parts"] if each["name"] == "listener"]
        assert (part["status"], part["summary"]) == ("down", "WAITS: the chain of every node is shorter than the books")
        assert part["details"]["riskEvent"] == event.id

        async def outlasted() -> bool:
            return (await lease_of(house)).expires_at > before.expires_at + timedelta(seconds=TTL_SECONDS)

        await eventually(outlasted)
        assert (await lease_of(house)).epoch == before.epoch
        assert not task.done()
        assert await stands_at(house) == stood

        node.lies.clear()
        fund.mine(4)
        final = stood + 1
        await eventually(recorded)
        assert await opened(house) is None
    async with house.database.read() as session:
        (row,) = await session.scalars(select(RiskEventRow))
    assert (row.kind, row.state) == (RiskKind.CHAIN_BEHIND, RiskState.RESOLVED)


async def test_it_is_waited_for_from_the_start_too_and_a_later_holder_ends_what_was_left_open(
    house: House, fund: TestFund, node: LyingNode, eventually: Callable[..., Any]
) -> None:
    fund.mine(6)
    final = (await house.chain.final_block(house.rpc)).number

    async def recorded() -> bool:
        return await stands_at(house) >= final

    async with following(house):
        await eventually(recorded)
    cut_off(node, fund, final - 3)
    async with following(house) as task:
        await eventually(lambda: opened(house))
        assert not task.done()
    node.lies.clear()
    async with following(house):

        async def over() -> bool:
            return await opened(house) is None

        await eventually(over)


async def test_a_node_that_only_calls_less_final_opens_nothing(
    house: House, fund: TestFund, node: LyingNode, eventually: Callable[..., Any]
) -> None:
    """Nodes differ by a block or two in that, all day long."""
    fund.mine(6)
    async with following(house):
        final = (await house.chain.final_block(house.rpc)).number

        async def recorded() -> bool:
            return await stands_at(house) >= final

        await eventually(recorded)
        earlier = fund.node.rpc.call("eth_getBlockByNumber", hex(final - 3), False)
        looks = 0

        def block(params: list[Any], true: Any) -> Any:
            nonlocal looks
            looks += params[0].startswith("0x")
            return true if params[0].startswith("0x") else earlier

        node.lies["eth_getBlockByNumber"] = block

        async def looked() -> bool:
            return looks > 5

        await eventually(looked)
        assert await opened(house) is None
