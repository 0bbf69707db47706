"""Sending on a real chain through the real signer: the ordinary course of an intent, and services that are away."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, SendingHarness, assert_sent_once

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.intents import approve_call, queue_intent, settle_call
from paimon.application.transactions.queries import list_wallets_with_work
from paimon.application.transactions.store import lock_wallet, register_wallet
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import checksum
from paimon.domain.redemption.request import OnChainStatus, RedemptionChannel
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, Call, IntentKind, IntentStatus, WalletName
from paimon.domain.transaction.signing import GasFeeType
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow
from paimon.infrastructure.keys.client import SignerClient
from paimon.infrastructure.keys.link import SocketLink

pytestmark = pytest.mark.integration


async def test_approval_is_sent_once_and_final_by_its_effect(harness: SendingHarness) -> None:
    request_id = harness.request_awaiting_approval()
    before = harness.nonce_on_chain(harness.approver)
    await harness.queue_decision(request_id, Verdict.APPROVE)
    await harness.drive(harness.approver)
    in_flight = await harness.intent(request_id)
    assert in_flight.status is IntentStatus.SENDING
    assert [attempt.status for attempt in in_flight.attempts] == [AttemptStatus.BROADCAST]
    await harness.drive_until_idle(harness.approver)
    assert harness.status(request_id) is OnChainStatus.APPROVED
    (attempt,) = (await assert_sent_once(harness, harness.approver, request_id, before)).attempts
    assert attempt.succeeded
    assert attempt.gas_used is not None
    assert attempt.block_hash is not None


async def test_mined_is_not_final(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await harness.drive(harness.keeper)
    harness.fund.mine(1)
    await harness.drive(harness.keeper)
    (attempt,) = (await harness.intent(request_id)).attempts
    # The chain also mines by itself each second, so it may be final by now; never final without being mined first.
    assert attempt.status in (AttemptStatus.MINED, AttemptStatus.FINAL)
    assert attempt.block_number is not None
    await harness.drive_until_idle(harness.keeper)


async def test_rejection_carries_the_reason_of_the_vote(harness: SendingHarness) -> None:
    request_id = harness.request_awaiting_approval()
    before = harness.nonce_on_chain(harness.approver)
    await harness.queue_decision(request_id, Verdict.REJECT, "documents are missing")
    await harness.drive_until_idle(harness.approver)
    assert harness.status(request_id) is OnChainStatus.CANCELLED
    await assert_sent_once(harness, harness.approver, request_id, before)


async def test_standard_and_scheduled_requests_are_settled(harness: SendingHarness) -> None:
    small = harness.fund.request("ines", SMALL)
    scheduled = harness.fund.request("ivan", 600_000)
    harness.fund.warp(200 * DAY)
    await harness.queue_settlement(small)
    await harness.queue_settlement(scheduled, RedemptionChannel.SCHEDULED)
    await harness.drive_until_idle(harness.keeper)
    for request_id in (small, scheduled):
        assert harness.status(request_id) is OnChainStatus.SETTLED
        assert (await harness.intent(request_id)).status is IntentStatus.FINAL


async def test_legacy_fees_are_one_price(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await harness.with_options(gas_fee_type=GasFeeType.LEGACY).drive_until_idle(harness.keeper)
    (attempt,) = (await harness.intent(request_id)).attempts
    assert attempt.max_fee_wei == attempt.priority_fee_wei
    assert attempt.status is AttemptStatus.FINAL


async def test_several_intents_are_in_flight_in_nonce_order(harness: SendingHarness) -> None:
    requests = [harness.fund.request(name, SMALL) for name in ("ines", "ivan", "isla")]
    harness.fund.warp(7 * DAY + 1)
    before = harness.nonce_on_chain(harness.keeper)
    for request_id in requests:
        await harness.queue_settlement(request_id)
    await harness.drive(harness.keeper)
    nonces = [attempt.nonce for request_id in requests for attempt in (await harness.intent(request_id)).attempts]
    assert nonces == [before, before + 1, before + 2]
    await harness.drive_until_idle(harness.keeper)
    assert all(harness.status(request_id) is OnChainStatus.SETTLED for request_id in requests)


async def test_key_queued_twice_is_one_intent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    first, again = await harness.queue_settlement(request_id), await harness.queue_settlement(request_id)
    assert first.id == again.id
    async with harness.database.read() as session:
        messages = (await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == "drive_wallet"))).all()
        assert [message.aggregate_id for message in messages] == [checksum(harness.keeper)]
        assert await list_wallets_with_work(session) == [harness.keeper]


async def test_key_with_another_payload_is_refused(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with pytest.raises(PayloadConflict, match="one key stands for one call"):
        await harness.queue_settlement(request_id, RedemptionChannel.SCHEDULED)


async def test_key_queued_concurrently_is_one_intent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    queued = await asyncio.gather(*(harness.queue_settlement(request_id) for _ in range(5)))
    assert len({intent.id for intent in queued}) == 1
    await harness.intent(request_id)


async def test_queueing_does_not_wait_for_a_driver_that_holds_the_wallet(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    async with harness.database.write() as session:
        await register_wallet(session, harness.keeper, WalletName.KEEPER)
    async with harness.database.write() as session:
        assert await lock_wallet(session, harness.keeper) is not None
        await asyncio.wait_for(harness.queue_settlement(request_id), 3)


async def test_intent_is_simulated_while_the_signer_is_away(harness: SendingHarness, tmp_path: Path) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    away = SignerClient(SocketLink(tmp_path / "away.sock"), timeout=1)
    await replace(harness, signer=away).drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SIMULATED
    assert "does not answer" in str(intent.reason)
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_intent_refused_by_the_signer_waits_with_the_code(harness: SendingHarness) -> None:
    request_id = harness.request_awaiting_approval()
    async with harness.database.write() as session:
        await queue_intent(
            session,
            key=f"approve:{request_id}",
            kind=IntentKind.APPROVE_REDEMPTION,
            wallet=harness.approver,
            call=approve_call(harness.contracts, request_id),
            subject=IntentSubject.redemption(request_id),
        )
    await harness.drive(harness.approver)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "TOO_FEW_VOTES" in str(intent.reason)
    assert intent.attempts == ()


async def test_drive_without_a_node_changes_no_intent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    async with Rpc("http://127.0.0.1:9", timeout_seconds=1, attempts_max=1) as away:
        await harness.with_rpc(away).drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert (intent.status, intent.reason) == (IntentStatus.QUEUED, None)
    await harness.drive_until_idle(harness.keeper)


async def test_intent_for_an_unknown_request_waits(harness: SendingHarness, eventually: Callable[..., Any]) -> None:
    async with harness.database.write() as session:
        await queue_intent(
            session,
            key="settle:99",
            kind=IntentKind.SETTLE_REDEMPTION,
            wallet=harness.keeper,
            call=Call(
                harness.fund.addresses.redemption_manager, settle_call(harness.contracts, 99, RedemptionChannel.STANDARD).data
            ),
            subject=IntentSubject.redemption(99),
        )
    await harness.drive(harness.keeper)
    assert "RequestNotFound" in str((await harness.intent(99)).reason)


async def test_database_allows_one_unacknowledged_attempt_per_wallet(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await prepare_next(harness.context(), harness.keeper)
    (attempt,) = (await harness.intent(request_id)).attempts
    columns = {column.name: getattr(attempt, column.name) for column in AttemptRow.__table__.columns} | {"hash": bytes(32)}
    with pytest.raises(IntegrityError, match="unacknowledged"):
        async with harness.database.write() as session:
            session.add(AttemptRow(**columns))
    await harness.drive_until_idle(harness.keeper)
