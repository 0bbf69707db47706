"""Recorded final blocks that are not on the chain any more: the halt, the plan, the recovery, and the records after it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.api_client import ApiClient
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_final
from tests.support.chain.stub_node import StubNode, stub_node
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.factories.rows import insert_row
from tests.support.prices import ANY_PRICE

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.event_listener.ingest.halt import LISTENER, FinalBlockChanged, find_halt, halt
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.reconciliation.publish import reconcile_and_publish
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.redemptions.store import find_redemption
from paimon.application.reorg_recovery.node_quorum import NodeBehind, NodeQuorum, NodesDisagree, QuorumTooSmall
from paimon.application.reorg_recovery.recover import AncestorChanged, plan_recovery, recover
from paimon.application.replay.replay import check_replay
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD, NavStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import LeaseLost, renew, try_acquire
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow, ObservationRow, RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.models.derived.snapshot import DailySnapshotRow
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import create_engine

pytestmark = pytest.mark.integration

LARGE: Final = 120_000
OF_TESTS: Final = {"lease": LISTENER, "owner": "tests", "run_by": "tests"}


@dataclass(frozen=True)
class FinalityViolation:
    """What was recorded before the chain changed: the last block it kept, the cursor, and a request of each side."""

    kept: int
    cursor: int
    kept_request: int
    lost_request: int


def listener_of(app_context: AppContext) -> Listener:
    return Listener(
        app_context.database,
        app_context.contracts,
        app_context.chain,
        app_context.settings.chain,
        app_context.settings.fund.start_block,
    )


@asynccontextmanager
async def following(app_context: AppContext) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(
        run_as_leader(app_context.database, LISTENER, listener_of(app_context).follow, ttl_seconds=3, renew_seconds=0.3)
    )
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def is_halted(app_context: AppContext) -> bool:
    async with app_context.database.read() as session:
        return await find_halt(session) is not None


async def cursor_is_at_or_above(app_context: AppContext, number: int) -> bool:
    async with app_context.database.read() as session:
        return bool((await session.execute(select(CursorRow.number >= number))).scalar())


async def open_ticket(app_context: AppContext, request_id: int) -> None:
    async with app_context.database.write() as session:
        redemption = await find_redemption(session, request_id)
        assert redemption is not None
        await open_ticket_if_needed(session, redemption, FIRST_POLICY, now=await database_now(session))


@pytest.fixture
async def violation(app_context: AppContext, fund: TestFund) -> FinalityViolation:
    """Replace final blocks that were recorded: a large request, its ticket, a snapshot and its published NAV are orphaned.

    The blocks in their place are as many, and have a request of the same number by another owner.
    """
    kept_request = fund.request("ines", 10_000)
    fund.wait_until_final()
    await record_final(app_context)
    kept = fund.node.rpc.head().number
    lost_request = fund.request("ivan", LARGE)
    fund.wait_until_final()
    await record_final(app_context)
    await open_ticket(app_context, lost_request)
    documents = FundDocuments(app_context.database, app_context.redis)
    taken = await take_snapshot(
        app_context.database,
        app_context.contracts,
        documents,
        material_threshold=MATERIAL_THRESHOLD,
        prices=ANY_PRICE,
        keep=True,
    )
    assert taken is not None
    await reconcile_and_publish(app_context.database, app_context.contracts, documents, material_threshold=MATERIAL_THRESHOLD)
    async with app_context.database.write() as session:
        at = (await session.scalars(select(CursorRow))).one()
        cursor = at.number
        sent_transaction: tuple[tuple[type[Base], dict[str, Any]], ...] = (
            (WalletRow, {}),
            (IntentRow, {"idempotency_key": "approve-it", "subject_id": str(lost_request)}),
            (AttemptRow, {"status": "FINAL", "block_number": cursor, "block_hash": at.hash}),
        )
        for table, columns in sent_transaction:
            await insert_row(session, table, **columns)
        await session.execute(update(OutboxMessageRow).values(done_at=func.now()))
    assert cursor > kept
    while (head := fund.node.rpc.head().number) > kept:
        fund.node.rpc.call("anvil_rollback", head - kept)
    assert fund.request("isla", 7_000) == lost_request
    fund.mine(cursor - kept + 4)
    return FinalityViolation(kept, cursor, kept_request, lost_request)


@pytest.fixture
async def other_rpc(fund: TestFund) -> AsyncIterator[Rpc]:
    """The fund's chain under another host name, as a second provider would serve it."""
    async with Rpc(other_url(fund), timeout_seconds=5, attempts_max=2) as rpc:
        yield rpc


def other_url(fund: TestFund) -> str:
    return fund.node.http_url.replace("127.0.0.1", "localhost")


@pytest.fixture
async def node_quorum(app_context: AppContext, other_rpc: Rpc) -> NodeQuorum:
    return await NodeQuorum.connect([app_context.rpc, other_rpc], app_context.chain, chain_id=31337)


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    yield engine
    await engine.dispose()


async def test_recovery_returns_to_the_common_ancestor_and_the_listener_goes_on(
    app_context: AppContext,
    fund: TestFund,
    api_client: ApiClient,
    violation: FinalityViolation,
    owner: AsyncEngine,
    owner_url: str,
    cli: CliRunner,
    eventually: Callable[..., Any],
) -> None:
    async with following(app_context):
        await eventually(lambda: is_halted(app_context))
    async with following(app_context) as task:  # as after a restart
        await eventually(lambda: lease_epoch_is(app_context, 2))
        health = (await api_client.get("/system/health")).json()["data"]
        (listener,) = [component for component in health["components"] if component["name"] == "listener"]
        assert listener["status"] == "DOWN"
        assert listener["summary"].startswith("HALTED: block")
        settings = environment_of(app_context.settings) | {"PAIMON_DATABASE__OWNER_URL": owner_url}

        async def recovery(*arguments: str, code: int) -> str:
            program = cli.start("recover", *arguments, env=settings)
            assert await asyncio.to_thread(program.wait) == code, program.output_text
            return program.output_text

        assert "only when two nodes agree" in await recovery(code=2)
        settings["PAIMON_CHAIN__ATTEMPTS_MAX"] = "1"
        assert "no usable answer" in (output := await recovery("--endpoint", "http://127.0.0.1:9/key", code=2))
        assert "(--endpoint)" in output
        second = ("--endpoint", other_url(fund))
        plan = await recovery(*second, code=1)
        assert f"to recover: paimon recover --to {violation.kept} " in plan
        assert not task.done()
        assert await recorded_block(app_context, violation.cursor), "a plan changes nothing"
        done = await recovery(*second, "--to", str(violation.kept), code=0)
        assert f"recorded up to block {violation.kept} " in done
        await recovery(*second, code=0)
        await eventually(lambda: cursor_is_at_or_above(app_context, violation.cursor + 2))
    assert not await is_halted(app_context)
    checked = await check_replay(owner, app_context.contracts)
    assert checked.comparison.examples == ()
    reconciliation = await reconcile(app_context.database, app_context.contracts)
    assert reconciliation.discrepancies == ()
    async with app_context.database.read() as session:
        requests = {row.request_id: row.shares for row in await session.scalars(select(RedemptionRequestRow))}
        events = {row.subject.split(",")[0]: row for row in await session.scalars(select(RiskEventRow))}
        points = [row.status for row in await session.scalars(select(NavPointRow))]
        checks = [row.orphaned for row in await session.scalars(select(ReconciliationRow).order_by(ReconciliationRow.id))]
        ticket = (await session.scalars(select(ApprovalTicketRow))).one()
        entries = list(await session.scalars(select(AuditEntryRow).where(AuditEntryRow.operation == "chain.recovered")))
    (entry,) = entries
    payload = json.loads(entry.payload or "")
    assert (entry.resource, entry.recorded_by, entry.retention) == (f"block/{violation.kept}", "paimon_owner", "HIGH")
    assert payload["runBy"].endswith(f"@{socket.gethostname()}")
    assert requests == {violation.kept_request: 10_000 * WAD, violation.lost_request: 7_000 * WAD}
    assert events["recorded chain"].status is RiskStatus.RESOLVED
    orphaned = {name for name, row in events.items() if row.kind is RiskKind.ORPHANED_EFFECT}
    assert orphaned == {
        f"NAV of block {violation.cursor}",
        f"ticket {ticket.id}",
        "intent approve-it",
        f"transaction 0x{'01' * 32} of approve-it",
        "messages",
    }
    assert all(events[name].status is RiskStatus.OPEN for name in orphaned), "an operator must check each"
    assert all(name in done for name in orphaned)
    assert (payload["effects"], payload["rowsRemoved"]["derived.raw_logs"] > 0) == (len(orphaned), True)
    assert points == [NavStatus.ORPHANED]
    assert checks == [True, False]


async def lease_epoch_is(app_context: AppContext, epoch: int) -> bool:
    async with app_context.database.read() as session:
        return bool((await session.execute(select(LeaseRow.epoch == epoch).where(LeaseRow.name == LISTENER))).scalar())


async def recorded_block(app_context: AppContext, number: int) -> bool:
    async with app_context.database.read() as session:
        return bool((await session.execute(select(CursorRow.number == number))).scalar())


async def rows(app_context: AppContext, *, above: int) -> dict[str, int]:
    async with app_context.database.read() as session:
        return {
            table.__tablename__: await session.scalar(select(func.count()).select_from(table).where(column > above)) or 0
            for table, column in (
                (BlockRow, BlockRow.number),
                (RawLogRow, RawLogRow.block_number),
                (ObservationRow, ObservationRow.block_number),
                (DailySnapshotRow, DailySnapshotRow.block_number),
            )
        }


async def test_recovery_removes_exactly_the_rows_that_the_plan_names(
    app_context: AppContext, violation: FinalityViolation, node_quorum: NodeQuorum, owner: AsyncEngine
) -> None:
    async with app_context.database.read() as session:
        plan = await plan_recovery(session, node_quorum)
    assert plan.fork.cursor.number == violation.cursor
    assert plan.fork.ancestor.number == violation.kept
    assert plan.fork.changed is not None
    assert plan.fork.changed.recorded.number == violation.kept + 1
    planned = {name.removeprefix("derived."): count for name, count in plan.rows.items()}
    rows_before = await rows(app_context, above=violation.kept)
    held = await try_acquire(app_context.database, LISTENER, "another listener", ttl_seconds=60)
    assert held is not None
    assert planned.items() >= rows_before.items()
    assert all(rows_before.values())
    with pytest.raises(AncestorChanged, match=f"not block {violation.kept - 1}: run `paimon recover` again"):
        await recover(
            owner, app_context.contracts, node_quorum, to=violation.kept - 1, lease=LISTENER, owner="tests", run_by="tests"
        )
    assert await rows(app_context, above=violation.kept) == rows_before
    done = await recover(
        owner, app_context.contracts, node_quorum, to=violation.kept, lease=LISTENER, owner="tests", run_by="tests"
    )
    assert done.plan.rows == plan.rows
    assert not any((await rows(app_context, above=violation.kept)).values())
    async with app_context.database.write() as session:
        assert await lock_recorded_block(session, plan.fork.ancestor)
        assert not await lock_recorded_block(session, plan.fork.cursor), "an observation of a removed block is dropped"
    with pytest.raises(LeaseLost):
        await renew(app_context.database, held, ttl_seconds=60)
    async with app_context.database.read() as session:
        assert (await session.execute(select(CursorRow.number, CursorRow.epoch))).one() == (violation.kept, held.epoch + 1)
    assert (await check_replay(owner, app_context.contracts)).comparison.examples == ()


async def test_recovery_is_refused_when_nodes_disagree_or_lag(
    app_context: AppContext, fund: TestFund, violation: FinalityViolation, node_quorum: NodeQuorum
) -> None:
    with pytest.raises(QuorumTooSmall, match="--endpoint"):
        await NodeQuorum.connect([app_context.rpc, app_context.rpc], app_context.chain, chain_id=31337)
    rows_before = await rows(app_context, above=violation.kept)
    methods = {"eth_chainId": hex(31337), "eth_blockNumber": hex(fund.node.rpc.head().number)}
    async with stub_node(**methods) as node, Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        wrong = await NodeQuorum.connect([app_context.rpc, rpc], app_context.chain, chain_id=31337)
        for answer, expected_error, message in (
            (another_fork(fund, from_block=violation.kept), NodesDisagree, "while nodes disagree"),
            (ending_at(fund, violation.kept), NodeBehind, f"block {violation.kept + 1} is not final on"),
        ):
            serve(node, answer, head=fund.node.rpc.head().number)
            async with app_context.database.read() as session:
                with pytest.raises(expected_error, match=message):
                    await plan_recovery(session, wrong)
    assert await rows(app_context, above=violation.kept) == rows_before


Answer = Callable[[int], dict[str, Any] | None]


def another_fork(fund: TestFund, *, from_block: int) -> Answer:
    def header(number: int) -> dict[str, Any] | None:
        found: dict[str, Any] | None = fund.node.rpc.call("eth_getBlockByNumber", hex(number), False)
        return found if found is None or number < from_block else found | {"hash": "0x" + "ee" * 32}

    return header


def ending_at(fund: TestFund, last: int) -> Answer:
    def header(number: int) -> dict[str, Any] | None:
        return None if number > last else fund.node.rpc.call("eth_getBlockByNumber", hex(number), False)

    return header


def serve(node: StubNode, answer: Answer, *, head: int) -> None:
    def by_tag(params: list[Any]) -> dict[str, Any] | None:
        if params[0] != "finalized":
            return answer(int(params[0], 16))
        return next(found for number in range(head, 0, -1) if (found := answer(number)) is not None)

    node.methods["eth_getBlockByNumber"] = by_tag


async def test_recovery_ends_a_halt_when_two_nodes_have_the_recorded_blocks(
    app_context: AppContext, fund: TestFund, node_quorum: NodeQuorum, owner: AsyncEngine
) -> None:
    """The first node was wrong for a while: nothing is removed, and nothing is rebuilt."""
    fund.wait_until_final()
    await record_final(app_context)
    async with app_context.database.read() as session:
        cursor = (await session.scalars(select(CursorRow))).one()
    lease = await try_acquire(app_context.database, LISTENER, "tests", ttl_seconds=30)
    assert lease is not None
    at = BlockStamp(cursor.number, cursor.hash, cursor.timestamp)
    await halt(app_context.database, FinalBlockChanged(at, Hash32(b"\xee" * 32)), lease)
    fund.mine(5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):  # the node answers correctly now, and the halt stays
            await listener_of(app_context).follow(lease)
    assert await recorded_block(app_context, at.number), "only an operator ends a halt"
    async with app_context.database.read() as session:
        plan = await plan_recovery(session, node_quorum)
    assert plan.fork.changed is None
    assert not any(plan.rows.values())
    done = await recover(
        owner, app_context.contracts, node_quorum, to=plan.fork.ancestor.number, lease=LISTENER, owner="tests", run_by="tests"
    )
    assert done.rows_changed == {}
    assert not await is_halted(app_context)
