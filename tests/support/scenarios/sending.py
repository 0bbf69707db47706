"""The harness of sending on a test's own services, and the steps that its tests share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from tests.support.chain.fund import DAY, TestFund
from tests.support.signing import decision_for, sign_vote

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.driver import drive
from paimon.application.transactions.intents import (
    approve_call,
    queue_intent,
    reject_call,
    settle_call,
)
from paimon.application.transactions.queries import (
    list_intents_about,
    list_open_intents,
)
from paimon.domain.approval.ticket import TicketStatus, TicketType, Verdict
from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.redemption.request import OnChainStatus, RedemptionChannel
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, IntentStatus
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import chain_adapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings

LARGE = 120_000
SMALL = 10_000


@dataclass(frozen=True)
class SendingHarness:
    """Everything that a driver needs, on this test's own services. `worker` is the database with the rights of the worker."""

    fund: TestFund
    database: Database
    worker: Database
    contracts: FundContracts
    signer: SignerClient
    options: SendingSettings
    private: Rpc | None = None

    @property
    def keeper(self) -> Address:
        return self.options.keeper

    @property
    def approver(self) -> Address:
        return self.options.approver

    def with_options(self, **changes: Any) -> "SendingHarness":
        options = self.options.model_copy(update=changes)
        return replace(self, options=options)

    def with_rpc(self, rpc: Rpc) -> "SendingHarness":
        return replace(self, contracts=FundContracts(rpc, self.fund.addresses))

    def context(self) -> SendingContext:
        return SendingContext(self.worker, self.contracts, chain_adapter(31337), self.signer, self.options, 31337, self.private)

    async def drive(self, wallet: Address) -> None:
        await drive(wallet, self.context())

    async def make_due(self) -> None:
        """Make every next check due now."""
        async with self.database.write() as session:
            await session.execute(update(IntentRow).values(next_check_at=text("now()")))

    async def drive_until_idle(self, wallet: Address, *, drives_max: int = 8) -> None:
        """Drive and mine until nothing is open."""
        for _ in range(drives_max):
            await self.make_due()
            await self.drive(wallet)
            if not await self.open(wallet):
                return
            self.fund.mine(3)
        raise AssertionError(f"still open: {[(intent.status, intent.reason) for intent in await self.open(wallet)]}")

    async def open(self, wallet: Address) -> Sequence[IntentWithAttempts]:
        async with self.database.read() as session:
            return await list_open_intents(session, wallet)

    async def intent(self, request_id: int) -> IntentWithAttempts:
        """Return the one intent about this request."""
        async with self.database.read() as session:
            (intent,) = await list_intents_about(session, IntentSubject.redemption(request_id))
            return intent

    async def wallet(self, address: Address) -> WalletRow:
        async with self.database.read() as session:
            return await session.get_one(WalletRow, address)

    async def queue_settlement(self, request_id: int, channel: RedemptionChannel = RedemptionChannel.STANDARD) -> Intent:
        async with self.database.write() as session:
            return await queue_intent(
                session,
                key=f"settle:{request_id}",
                kind=IntentKind.SETTLE_REDEMPTION,
                wallet=self.keeper,
                call=settle_call(self.contracts, request_id, channel),
                subject=IntentSubject.redemption(request_id),
            )

    async def queue_decision(self, request_id: int, verdict: Verdict, reason: str = "") -> Intent:
        """Store a ticket that Vera has decided, and queue its intent."""
        kind, call = IntentKind.APPROVE_REDEMPTION, approve_call(self.contracts, request_id)
        if verdict is Verdict.REJECT:
            kind, call = IntentKind.REJECT_REDEMPTION, reject_call(self.contracts, request_id, reason)
        async with self.database.write() as session:
            await self.store_vote(session, request_id, verdict, reason)
            return await queue_intent(
                session,
                key=f"{kind}:{request_id}",
                kind=kind,
                wallet=self.approver,
                call=call,
                subject=IntentSubject.redemption(request_id),
                ticket_id=f"TKT-R{request_id:06d}",
            )

    async def store_vote(self, session: Any, request_id: int, verdict: Verdict, reason: str) -> None:
        decision = decision_for(self.fund, request_id, verdict, reason)
        vote = sign_vote(self.fund, "vera", decision)
        now = datetime.now(UTC)
        session.add(
            ApprovalTicketRow(
                id=decision.ticket_id,
                type=TicketType.STANDARD_REDEMPTION,
                request_id=request_id,
                owner=decision.owner,
                receiver=decision.receiver,
                gross_amount=decision.gross_amount,
                policy_version=1,
                rules=["standard_redemption"],
                required_approvals=1,
                status=TicketStatus.APPROVED if verdict is Verdict.APPROVE else TicketStatus.REJECTED,
                opened_at=now,
                warn_at=now + timedelta(hours=1),
                escalate_at=now + timedelta(hours=2),
                deadline_at=now + timedelta(hours=3),
                decided_at=now,
            )
        )
        await session.flush()
        session.add(
            ApprovalRecordRow(
                nonce=decision.terms.nonce,
                ticket_id=decision.ticket_id,
                voter=parse_address(self.fund.accounts.address("vera")),
                verdict=verdict,
                reason=reason,
                typed_data=vote.document,
                signature=vote.signature,
                expires_at=decision.terms.expires_at,
                decided_at=now,
            )
        )

    def status(self, request_id: int) -> OnChainStatus:
        return OnChainStatus(self.fund.read("RedemptionManager", "getRedemptionRequest", request_id)["status"])

    def nonce_on_chain(self, wallet: Address) -> int:
        return int(self.fund.node.rpc.call("eth_getTransactionCount", checksum(wallet), "latest"), 16)

    def due_request(self, name: str = "ines", shares: int = SMALL) -> int:
        """Make a request that is due for settlement at the final block."""
        request_id = self.fund.request(name, shares)
        self.fund.warp(7 * DAY + 1)
        return request_id

    def request_awaiting_approval(self, name: str = "ines") -> int:
        request_id = self.fund.request(name, LARGE)
        self.fund.wait_until_final()
        return request_id


async def assert_sent_once(harness: SendingHarness, wallet: Address, request_id: int, before: int) -> IntentWithAttempts:
    """Assert one final intent, one final attempt, one used nonce, and a counter that agrees."""
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert intent.closed_at is not None
    assert [attempt.status for attempt in intent.attempts].count(AttemptStatus.FINAL) == 1
    assert harness.nonce_on_chain(wallet) == before + 1
    assert (await harness.wallet(wallet)).next_nonce == before + 1
    assert (await harness.wallet(wallet)).fault is None
    return intent
