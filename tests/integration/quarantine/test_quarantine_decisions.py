"""Decisions about quarantined logs: applied once, by a replay, and kept by every later replay."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from sqlalchemy import select, text, update
from tests.support.assertions.derived_tables import execute
from tests.support.factories.encoded_logs import (
    EncodedLog,
    abi_with_wrong_event,
    encode_log,
    insert_cursor_and_tracked,
    offline_contracts,
    record_block,
)
from tests.support.factories.strategies import address
from tests.support.signed_requests import sign_proposed

from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.common.log_id import LogId
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.accept_action import SigningContext
from paimon.application.identity.permissions import NotPermitted
from paimon.application.quarantine.queries import RecordedDecision, find_requests_with_quarantined_logs
from paimon.application.quarantine.store import LogNotFound, evaluate
from paimon.application.quarantine.submit_decision import SubmitDecision, propose_decision, submit_decision
from paimon.application.replay.apply_decisions import apply_quarantine_decisions
from paimon.application.replay.replay import check_replay, replay
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ZERO_ADDRESS, ContractName, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.operator_decision import DecisionNotPossible, OperatorDecisionKind, OperatorDecisionStatus
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.blockchain.finality import chain_adapter
from paimon.infrastructure.database.models.derived import RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

VAULT, MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
INES, IVAN = address(1), address(2)
KEYS = {name: Account.from_key(keccak(text=name)) for name in ("vera", "viktor", "otto")}
RELEASE, SKIP = OperatorDecisionKind.RELEASE_LOG, OperatorDecisionKind.SKIP_LOG
APPLIED, QUARANTINED, SKIPPED = LogStatus.APPLIED, LogStatus.QUARANTINED, LogStatus.SKIPPED


def requested(request_id: int, *, channel: int = 0) -> EncodedLog:
    return encode_log(MANAGER, "RedemptionRequested", request_id, INES, INES, 10, 10, 0, channel, True, 0, 0)


def approved(request_id: int) -> EncodedLog:
    return encode_log(MANAGER, "RedemptionApproved", request_id, IVAN, 9_000)


def moved(shares: int) -> EncodedLog:
    return encode_log(VAULT, "Transfer", INES, IVAN, shares)


def moved_back(shares: int) -> EncodedLog:
    return encode_log(VAULT, "Transfer", IVAN, INES, shares)


def minted(shares: int) -> EncodedLog:
    return encode_log(VAULT, "Transfer", ZERO_ADDRESS, INES, shares)


async def decide(
    database: Database, kind: OperatorDecisionKind, block: int, index: int, by: str = "vera", role: UserRole = UserRole.ADMIN
) -> RecordedDecision:
    rules, target = SigningRules(SigningScope(31337, address(9)), 300), LogId(block, index)
    async with database.read() as session:
        proposed = propose_decision(kind, await evaluate(session, kind, target))
    user = User(parse_address(KEYS[by].address), role, by)
    request = sign_proposed(proposed, user, KEYS[by], rules, reason="I know why")
    context = SigningContext(database, rules, ContractWallets(offline_contracts().rpc, chain_adapter(31337)))
    return await submit_decision(SubmitDecision(kind, target, request), context)


async def apply_decisions(database: Database) -> None:
    await apply_quarantine_decisions(database, offline_contracts())


async def statuses(database: Database) -> list[LogStatus]:
    async with database.read() as session:
        return list(await session.scalars(select(RawLogRow.status).order_by(RawLogRow.block_number, RawLogRow.log_index)))


async def outbox_messages(database: Database) -> list[tuple[str, str]]:
    async with database.read() as session:
        rows = await session.scalars(select(OutboxMessageRow).order_by(OutboxMessageRow.id))
        return [(row.kind, row.aggregate_id) for row in rows]


async def outcomes(database: Database) -> list[tuple[OperatorDecisionStatus, str | None]]:
    async with database.read() as session:
        rows = await session.scalars(select(OperatorDecisionRow).order_by(OperatorDecisionRow.id))
        return [(row.status, row.outcome) for row in rows]


async def rows_differing(database: Database) -> int:
    return (await check_replay(database.engine, offline_contracts())).comparison.rows_differing


@pytest.fixture
async def quarantined_request(database: Database) -> None:
    """Record a request and its approval with a wrong ABI of requests; then a later request with the right one."""
    await insert_cursor_and_tracked(database)
    await record_block(database, 1, requested(1), approved(1), abis=abi_with_wrong_event(MANAGER, "RedemptionRequested"))
    await record_block(database, 2, requested(2))


@pytest.mark.usefixtures("quarantined_request")
async def test_released_log_is_applied_in_its_place_and_queues_its_messages_once(
    database: Database,
) -> None:
    assert await statuses(database) == [QUARANTINED, QUARANTINED, APPLIED]
    async with database.read() as session:
        assert await find_requests_with_quarantined_logs(session, [1, 2, 3]) == {1}, (
            "its topic names the request, although it does not decode"
        )
    before = await outbox_messages(database)
    assert ("redemption", "1") not in before
    await decide(database, RELEASE, 1, 0)
    await apply_decisions(database)
    assert await statuses(database) == [APPLIED, APPLIED, APPLIED]
    assert await outcomes(database) == [(OperatorDecisionStatus.DONE, "decoded and applied")]
    async with database.read() as session:
        assert {row.request_id for row in await session.scalars(select(RedemptionRequestRow))} == {1, 2}
        assert await find_requests_with_quarantined_logs(session, [1, 2]) == set()
    new = (await outbox_messages(database))[len(before) :]
    assert [kind for kind, _ in new] == ["apply_quarantine_decisions", "fund", "redemption", "reconcile"]
    assert new[2] == ("redemption", "1")
    await apply_decisions(database)
    await replay(database.engine, offline_contracts())
    assert (await outbox_messages(database))[len(before) :] == new, "the messages are queued once"
    assert await rows_differing(database) == 0


@pytest.mark.usefixtures("quarantined_request")
async def test_any_replay_applies_requested_decisions(database: Database) -> None:
    await decide(database, SKIP, 1, 0)
    await decide(database, SKIP, 1, 1)
    assert await rows_differing(database) > 0, "the right ABI decodes the logs, and a requested decision does not count yet"
    await replay(database.engine, offline_contracts())
    assert await statuses(database) == [SKIPPED, SKIPPED, APPLIED]
    assert await outcomes(database) == [(OperatorDecisionStatus.DONE, "skipped"), (OperatorDecisionStatus.DONE, "skipped")]


@pytest.mark.usefixtures("quarantined_request")
async def test_skipped_log_stays_skipped_until_it_is_released(
    database: Database,
) -> None:
    await decide(database, SKIP, 1, 0)
    await apply_decisions(database)
    for _ in range(2):
        assert await statuses(database) == [SKIPPED, QUARANTINED, APPLIED]
        assert await rows_differing(database) == 0
        await replay(database.engine, offline_contracts())
    async with database.read() as session:
        log = await session.get_one(RawLogRow, (1, 0))
        assert (log.reason, log.event, len(log.topics)) == (None, "RedemptionRequested", 3)
    await decide(database, RELEASE, 1, 0)
    await apply_decisions(database)
    assert await statuses(database) == [APPLIED, APPLIED, APPLIED]
    assert await rows_differing(database) == 0


async def test_released_log_stays_quarantined_with_its_new_reason(database: Database) -> None:
    await insert_cursor_and_tracked(database)
    await record_block(database, 1, requested(1, channel=3), moved(7))
    await decide(database, RELEASE, 1, 0)
    async with database.write() as session:
        await session.execute(update(RawLogRow).where(RawLogRow.log_index == 0).values(reason="as an older version put it"))
    await apply_decisions(database)
    (status, outcome), *_ = await outcomes(database)
    reason = "channel 3 is none of 0 STANDARD, 1 EMERGENCY, 2 SCHEDULED"
    assert (status, outcome) == (OperatorDecisionStatus.DONE, f"still in quarantine: {reason}")
    async with database.read() as session:
        assert (await session.get_one(RawLogRow, (1, 0))).reason == reason
    assert await rows_differing(database) == 0


async def test_fold_ignores_a_skipped_log(database: Database) -> None:
    """Ivan's shares have no recorded origin; his later transfers of them cannot be applied either."""
    await insert_cursor_and_tracked(database)
    await record_block(database, 1, minted(100), encode_log(VAULT, "Transfer", IVAN, INES, 7))
    await record_block(database, 2, moved(30), encode_log(VAULT, "Transfer", IVAN, INES, 20))
    await decide(database, SKIP, 1, 1)
    await apply_decisions(database)
    assert await statuses(database) == [APPLIED, SKIPPED, APPLIED, APPLIED]
    assert await rows_differing(database) == 0


@pytest.mark.usefixtures("quarantined_request")
async def test_concurrent_decisions_about_one_log_are_applied_once(database: Database) -> None:
    before = len(await outbox_messages(database))
    answers = await asyncio.gather(
        decide(database, RELEASE, 1, 0), decide(database, SKIP, 1, 0, "viktor"), return_exceptions=True
    )
    (refused,) = (answer for answer in answers if isinstance(answer, BaseException))
    assert isinstance(refused, DecisionNotPossible), refused
    assert "another decision about this log waits to be applied" in str(refused)
    async with database.write() as session:  # whichever decision won, make it the release
        await session.execute(update(OperatorDecisionRow).values(kind=RELEASE))
    await asyncio.gather(*(apply_decisions(database) for _ in range(3)))
    assert await statuses(database) == [APPLIED, APPLIED, APPLIED]
    new = [kind for kind, _ in (await outbox_messages(database))[before:]]
    assert sorted(new) == ["apply_quarantine_decisions", "fund", "reconcile", "redemption"]
    assert await rows_differing(database) == 0


OTHER_REPLAY = (
    """INSERT INTO ops.operator_decisions
              (kind, block_number, block_hash, log_index, problem, reason, requested_by, status, outcome, ended_at)
       SELECT 'skip_log', block_number, block_hash, log_index, '', '', address, 'DONE', 'skipped', now()
         FROM derived.raw_logs WHERE block_number = 2""",
    "UPDATE derived.raw_logs SET status = 'SKIPPED' WHERE block_number = 2",
    "DELETE FROM derived.redemption_requests WHERE request_id = 2",
)
"""The statements of another replay that skips request 2's log."""


@pytest.mark.usefixtures("quarantined_request")
@pytest.mark.parametrize("work", [replay, check_replay], ids=["replay", "check"])
async def test_rebuild_is_discarded_when_a_decision_was_applied_meanwhile(
    database: Database, owner_url: str, work: Callable[..., Any]
) -> None:
    """Another replay applies a decision while this one folds."""
    await replay(database.engine, offline_contracts())
    statements = iter(OTHER_REPLAY)

    def apply_meanwhile(_done: int, _total: int) -> None:
        for statement in statements:
            execute(owner_url, statement)

    done = await work(database.engine, offline_contracts(), progress=apply_meanwhile)
    assert (await statuses(database))[2] is SKIPPED
    assert work is replay or done.comparison.rows_differing == 0
    async with database.read() as session:
        assert await session.get(RedemptionRequestRow, 2) is None


async def test_decision_is_refused_without_permission_log_or_quarantine(database: Database) -> None:
    await insert_cursor_and_tracked(database)
    await record_block(database, 1, moved(7))
    await record_block(database, 2, minted(100))
    with pytest.raises(NotPermitted, match="role admin"):
        await decide(database, SKIP, 1, 0, "otto", UserRole.OPERATOR)
    with pytest.raises(LogNotFound):
        await decide(database, SKIP, 1, 1)
    with pytest.raises(DecisionNotPossible, match="not in quarantine"):
        await decide(database, RELEASE, 2, 0)
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM ops.operator_decisions"))).scalar_one() == 0
