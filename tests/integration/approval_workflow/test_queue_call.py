"""A decided ticket whose call ended without effect is tried again, and not for ever."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from paimon.application.approval_workflow.queue_call import carry_out_decided
from paimon.application.approval_workflow.store import insert_record, insert_ticket, save_outcome
from paimon.composition import House
from paimon.domain.approval.ticket import Verdict, Vote, decide, raise_ticket
from paimon.domain.approval.vote import decision_on, typed_data
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import Channel, Redemption, RedemptionStatus
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, tzinfo=UTC)
INES, VERA = Address(b"\x01" * 20), Address(b"\x02" * 20)


async def decided_ticket(house: House, verdict: Verdict) -> None:
    redemption = Redemption(
        request_id=7,
        owner=INES,
        receiver=INES,
        shares=RawAmount(10),
        gross_amount=RawAmount(10),
        estimated_fee=RawAmount(0),
        channel=Channel.STANDARD,
        requires_approval=True,
        window_id=0,
        status=RedemptionStatus.PENDING_APPROVAL,
        requested_at=NOW,
        settlement_at=None,
    )
    ticket = raise_ticket(redemption, house.settings.approval.policy(), now=NOW)
    vote = Vote(VERA, verdict, "unclear funds", NOW)
    decision = decision_on(ticket, verdict, vote.reason, nonce=Hash32(b"\x03" * 32), expires_at=NOW)
    document = typed_data(decision, house.vote_scope)
    async with house.database.write() as session:
        assert await insert_ticket(session, ticket)
        assert await insert_record(session, decision, vote, document=document, signature=b"\x04" * 65)
        await save_outcome(session, decide(ticket, vote))


async def keys(house: House) -> list[str]:
    async with house.database.read() as session:
        query = select(IntentRow.idempotency_key).order_by(IntentRow.created_at)
        return list(await session.scalars(query))


async def end_all(house: House, status: str) -> None:
    async with house.database.write() as session:
        await session.execute(
            text("UPDATE owned.transaction_intents SET status = :status, closed_at = now() WHERE closed_at IS NULL"),
            {"status": status},
        )


@pytest.mark.parametrize(
    ("verdict", "key"), [(Verdict.APPROVE, "approve-redemption:7"), (Verdict.REJECT, "reject-redemption:7")]
)
async def test_a_try_that_ended_without_effect_is_followed_by_another_three_in_all(
    house: House, verdict: Verdict, key: str
) -> None:
    await decided_ticket(house, verdict)
    approver = house.settings.sending.approver
    for _ in range(5):
        await carry_out_decided(house.database, house.contracts, approver=approver)
        await carry_out_decided(house.database, house.contracts, approver=approver)
        await end_all(house, "reverted")
    assert await keys(house) == [key, f"{key}#2", f"{key}#3"]


async def test_a_call_that_succeeded_is_not_repeated_while_its_ticket_waits_for_the_chain(house: House) -> None:
    await decided_ticket(house, Verdict.APPROVE)
    approver = house.settings.sending.approver
    await carry_out_decided(house.database, house.contracts, approver=approver)
    await end_all(house, "final")
    await carry_out_decided(house.database, house.contracts, approver=approver)
    assert await keys(house) == ["approve-redemption:7"]
