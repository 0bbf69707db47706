"""The call of a decided ticket is retried a bounded number of times when it ends without effect."""

from datetime import UTC, datetime

import pytest
from eth_account import Account
from sqlalchemy import select, text

from paimon.application.approval_tickets.store import insert_record, insert_ticket, save_outcome
from paimon.application.approval_workflow.queue_call import queue_decided_calls
from paimon.application.common.signing_rules import SignatureEvidence
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.redemption_ticket import open_ticket
from paimon.domain.approval.ticket import Verdict, Vote, decide
from paimon.domain.approval.vote import redemption_decision, redemption_decision_document
from paimon.domain.kernel.chain import Address, Hash32, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, tzinfo=UTC)
INES, VERA = Address(b"\x01" * 20), Account.from_key(b"\x02" * 32)


async def decided_ticket(app_context: AppContext, verdict: Verdict) -> None:
    redemption = Redemption(
        request_id=7,
        owner=INES,
        receiver=INES,
        shares=RawAmount(10),
        gross_amount=RawAmount(10),
        estimated_fee=RawAmount(0),
        channel=RedemptionChannel.STANDARD,
        requires_approval=True,
        window_id=0,
        status=RedemptionStatus.PENDING_APPROVAL,
        requested_at=NOW,
        settlement_at=None,
    )
    ticket = open_ticket(redemption, FIRST_POLICY, decimals=18, now=NOW)
    vera = parse_address(VERA.address)
    vote = Vote(vera, verdict, "unclear funds", NOW)
    terms = SignatureTerms(Hash32(b"\x03" * 32), NOW)
    decision = redemption_decision(ticket, verdict, vote.reason, terms)
    document = redemption_decision_document(decision, app_context.signing_rules.scope)
    async with app_context.database.write() as session:
        assert await insert_ticket(session, ticket)
        signature = bytes(VERA.sign_typed_data(full_message=document).signature)
        await insert_record(session, ticket.id, vote, SignatureEvidence(vera, terms, document, signature))
        await save_outcome(session, decide(ticket, vote))


async def queue_again(app_context: AppContext, approver: Address) -> None:
    scope = app_context.signing_rules.scope
    await queue_decided_calls(app_context.database, app_context.contracts, approver=approver, scope=scope)


async def keys(app_context: AppContext) -> list[str]:
    async with app_context.database.read() as session:
        query = select(IntentRow.idempotency_key).order_by(IntentRow.created_at)
        return list(await session.scalars(query))


async def end_all(app_context: AppContext, status: str) -> None:
    async with app_context.database.write() as session:
        await session.execute(
            text("UPDATE ops.transaction_intents SET status = :status, closed_at = now() WHERE closed_at IS NULL"),
            {"status": status},
        )


@pytest.mark.parametrize(
    ("verdict", "key"), [(Verdict.APPROVE, "approve-redemption:7"), (Verdict.REJECT, "reject-redemption:7")]
)
async def test_call_is_retried_up_to_three_tries(app_context: AppContext, verdict: Verdict, key: str) -> None:
    await decided_ticket(app_context, verdict)
    approver = app_context.settings.sending.approver
    for _ in range(5):
        await queue_again(app_context, approver)
        await queue_again(app_context, approver)
        await end_all(app_context, "REVERTED")
    assert await keys(app_context) == [key, f"{key}#2", f"{key}#3"]


async def test_successful_call_is_not_repeated_before_the_chain_closes_the_ticket(app_context: AppContext) -> None:
    await decided_ticket(app_context, Verdict.APPROVE)
    approver = app_context.settings.sending.approver
    await queue_again(app_context, approver)
    await end_all(app_context, "FINAL")
    await queue_again(app_context, approver)
    assert await keys(app_context) == ["approve-redemption:7"]
